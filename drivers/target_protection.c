/*
 * target_protection.c - what protects a part's flash, found through the option fields of its family.
 *
 * PCROP, secure areas, write protection by range or by bit, secure watermarks while TrustZone is on,
 * hidden areas and locks: any of them stands in the way of an install (secure-install.md 13.7), and
 * each is named with its bounds and its register.
 */
#include "drivers/target.h"

#include "drivers/family_fields.h"

static const struct {
        const char *name, *remedy;
} kinds[] = {
        [AREA_PCROP] = { "PCROP area",
                         "remove it by a regression from RDP level 1 with the area disabled" },
        [AREA_SECURE] = { "secure area",
                          "remove it by a regression from RDP level 1 with the area disabled" },
        [AREA_WRITE] = { "write-protected area", "switch it off in the option bytes" },
        [AREA_WATERMARK] = { "secure flash", "TrustZone goes by a regression to RDP level 0" },
        [AREA_HIDDEN] = { "hidden area", "switch it off in the option bytes" },
};

static int check_area(const struct family *family, const struct family_field *start,
                      const uint32_t *options)
{
        uint32_t first, last;

        if (!family_area(family, start, options, &first, &last))
                return 0;
        return fault(FAULT_PROTECTED, "the %s 0x%08X to 0x%08X is active (%s, %s 0x%08X); %s",
                     kinds[start->kind].name, first, last, start->group,
                     family->options[start->row].name, options[start->row],
                     kinds[start->kind].remedy);
}

static int check_bits(const struct family *family, const struct family_field *field,
                      const uint32_t *options)
{
        uint32_t all = UINT32_MAX >> (31 - (field->high - field->low));
        uint32_t value = family_field_get(field, options);
        unsigned bank = 0;

        if (value == all)
                return 0;
        while (bank + 1 < family->banks && family->bank_address[bank] != field->base)
                bank++;
        return fault(FAULT_PROTECTED,
                     "sectors of bank %u are write-protected (%s 0x%08X, a cleared bit is %u KiB)",
                     bank + 1, family->options[field->row].name, options[field->row],
                     field->unit >> 10);
}

/* A lock of an area (its group) freezes what check_area has found, or nothing. */
static int check_lock(const struct family *family, const struct family_field *field,
                      const uint32_t *options)
{
        if (field->group[0] || !family_field_is_on(family, field, options))
                return 0;
        return fault(FAULT_PROTECTED, "%s is set (%s 0x%08X); it goes by a regression only",
                     field->name, family->options[field->row].name, options[field->row]);
}

int target_check_unprotected(struct target *target, const uint32_t *options)
{
        const struct family *family = target->family;
        int r = 0;

        for (size_t i = 0; i < family->field_count && !r; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role == ROLE_START)
                        r = check_area(family, field, options);
                else if (field->role == ROLE_UNPROTECTED_BITS)
                        r = check_bits(family, field, options);
                else if (field->role == ROLE_LOCK)
                        r = check_lock(family, field, options);
        }
        return r;
}
