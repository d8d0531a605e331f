/*
 * What is programmed into a part takes effect at its next power-on, so it gets one: the part came that
 * way.
 */
#include "tests/support/spoil.h"

#include "scheduler/loop.h"

#include <string.h>

static uint32_t *rows(struct simulated_part *part)
{
        return (uint32_t *)(uintptr_t)part_options(part);
}

/* As it was programmed before it came here: in force after a power-on. */
static void again(struct simulated_part *part)
{
        part_power(part, clock_now_ns(), false);
        part_power(part, clock_now_ns(), true);
}

static void set_role(struct simulated_part *part, const struct family *family, enum field_role role,
                     uint32_t value)
{
        const struct family_field *field = family_field(family, role);

        INSIST(field);
        family_field_set(field, rows(part), value);
        again(part);
}

static void set_on(struct simulated_part *part, const struct family *family, enum field_role role)
{
        const struct family_field *field = family_field(family, role);

        INSIST(field);
        set_role(part, family, role, field->on);
}

static void read_out_level_1(struct simulated_part *part, const struct family *family)
{
        set_role(part, family, ROLE_READOUT, 0xBB);
}

static void read_out_level_2(struct simulated_part *part, const struct family *family)
{
        set_role(part, family, ROLE_READOUT, 0xCC);
}

static void closed(struct simulated_part *part, const struct family *family)
{
        set_role(part, family, ROLE_STATE, family->sequence == FAMILY_H5 ? 0x72 : 0x51);
}

static void provisioning(struct simulated_part *part, const struct family *family)
{
        set_role(part, family, ROLE_STATE, 0x17);
}

static void trustzone(struct simulated_part *part, const struct family *family)
{
        set_on(part, family, ROLE_TRUSTZONE);
}

static void security(struct simulated_part *part, const struct family *family)
{
        set_on(part, family, ROLE_SECURITY);
}

/* BOR_LEV of the WL: bits 11 to 9 of OPTR */
static void other_defaults(struct simulated_part *part, const struct family *family)
{
        (void)family;
        rows(part)[0] ^= 1u << 9;
        again(part);
}

static const struct family_field *find_area(const struct family *family, enum area_kind kind)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_START && family->fields[i].kind == kind &&
                    !family->fields[i].when)
                        return &family->fields[i];
        return NULL;
}

static void make_area(struct simulated_part *part, const struct family *family, enum area_kind kind)
{
        const struct family_field *start = find_area(family, kind);

        INSIST(start);
        family_field_set(start, rows(part), 1);
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_END &&
                    strcmp(family->fields[i].group, start->group) == 0)
                        family_field_set(&family->fields[i], rows(part), 2);
        again(part);
}

static void pcrop(struct simulated_part *part, const struct family *family)
{
        make_area(part, family, AREA_PCROP);
}

static void secure_area(struct simulated_part *part, const struct family *family)
{
        make_area(part, family, AREA_SECURE);
}

static void write_protection(struct simulated_part *part, const struct family *family)
{
        if (family_field(family, ROLE_UNPROTECTED_BITS))
                set_role(part, family, ROLE_UNPROTECTED_BITS, UINT32_MAX - 1);
        else
                make_area(part, family, AREA_WRITE);
}

static const struct family_field *find_lock(const struct family *family)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_LOCK && !family->fields[i].group[0] &&
                    !family->fields[i].when)
                        return &family->fields[i];
        return NULL;
}

static void lock(struct simulated_part *part, const struct family *family)
{
        const struct family_field *field = find_lock(family);

        INSIST(field);
        family_field_set(field, rows(part), field->on);
        again(part);
}

static void used(struct simulated_part *part, const struct family *family)
{
        (void)family;
        part_fill_flash(part, 0x08000100u, "somebody else's", 16);
}

static void boot_pin_low(struct simulated_part *part, const struct family *family)
{
        (void)family;
        part_set_boot_pin(part, false);
        again(part);
}

static void other_device(struct simulated_part *part, const struct family *family)
{
        part_set_device_id(part, family->device_id == 0x450 ? 0x483 : 0x450);
}

/* --- on which families ---------------------------------------------------------------------- */

static bool has_readout(const struct family *family)
{
        return family_field(family, ROLE_READOUT);
}

static bool has_state(const struct family *family)
{
        return family_field(family, ROLE_STATE);
}

static bool has_provisioning(const struct family *family)
{
        return has_state(family) && family->sequence == FAMILY_H5;
}

static bool wants_trustzone_off(const struct family *family)
{
        return family->conditions >> CONDITION_TRUSTZONE_OFF & 1;
}

static bool wants_security_off(const struct family *family)
{
        return family->conditions >> CONDITION_SECURITY_OFF & 1;
}

static bool wants_defaults(const struct family *family)
{
        return family->conditions >> CONDITION_DEFAULTS & 1;
}

static bool has_pcrop(const struct family *family)
{
        return find_area(family, AREA_PCROP);
}

static bool has_secure_area(const struct family *family)
{
        return find_area(family, AREA_SECURE);
}

static bool has_lock(const struct family *family)
{
        return find_lock(family);
}

static bool every(const struct family *family)
{
        (void)family;
        return true;
}

static const struct spoil spoils[] = {
        { "RDP level 1", has_readout, read_out_level_1 },
        { "RDP level 2", has_readout, read_out_level_2 },
        { "closed", has_state, closed },
        { "provisioning", has_provisioning, provisioning },
        { "TrustZone on", wants_trustzone_off, trustzone },
        { "security on", wants_security_off, security },
        { "not defaults", wants_defaults, other_defaults },
        { "PCROP", has_pcrop, pcrop },
        { "secure area", has_secure_area, secure_area },
        { "write protection", every, write_protection },
        { "lock", has_lock, lock },
        { "flash in use", every, used },
        { "boot pin low", every, boot_pin_low },
        { "other device", every, other_device },
};

const struct spoil *spoil_find(const char *name)
{
        size_t i = 0;

        while (i < LENGTH_OF(spoils) && strcmp(spoils[i].name, name) != 0)
                i++;
        INSIST(i < LENGTH_OF(spoils));
        return &spoils[i];
}
