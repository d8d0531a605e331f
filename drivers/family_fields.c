/*
 * family_fields.c - option fields by role: kept from the file, then asked and set.
 *
 * The file says of each field which bits it is, what role it plays and what its values mean in
 * words. Drivers need less: which value switches a thing on (the one called "on", or the one that
 * closes), which one is the open state, and where ranges lie.
 */
#include "drivers/family_fields.h"

#include "drivers/form.h"
#include "drivers/option_fields.h"

#include <string.h>
#include <strings.h>

#define HALF_LEVEL 0x55u /* RDP level 0.5 (targets.md 5.1) */

/* --- keeping ------------------------------------------------------------------------------- */

static bool is_word(const struct field_value *value, const char *word)
{
        size_t length = strcspn(value->word, ":");

        return strlen(word) == length && strncasecmp(value->word, word, length) == 0;
}

/* What closes comes before what is called "on": a lock's "no" may be its dangerous value. */
static uint32_t on_value(const struct option_field *field)
{
        for (size_t i = 0; i < field->value_count; i++)
                if (field->values[i].effect == EFFECT_CLOSED ||
                    field->values[i].effect == EFFECT_FINAL)
                        return field->values[i].value;
        for (size_t i = 0; i < field->value_count; i++)
                if (is_word(&field->values[i], "on"))
                        return field->values[i].value;
        return 1;
}

static uint32_t open_value(const struct option_field *field)
{
        for (size_t i = 0; i < field->value_count; i++)
                if (field->values[i].effect == EFFECT_OPEN)
                        return field->values[i].value;
        return 0;
}

static bool has_half_level(const struct option_field *field)
{
        for (size_t i = 0; i < field->value_count; i++)
                if (field->role == ROLE_READOUT && field->values[i].value == HALF_LEVEL)
                        return true;
        return false;
}

/* Bits of write protection share a bank evenly; the file lists them bank by bank (targets.md 2.1,
 * 6.5, 7.2: 8 of 128 KiB, 32 of 32 KiB). */
static void place_bits(const struct family *family, struct family_field *kept)
{
        unsigned bank = 0;

        for (size_t i = 0; i < family->field_count; i++)
                bank += family->fields[i].role == ROLE_UNPROTECTED_BITS;
        kept->unit = family->bank_length / (kept->high - kept->low + 1u);
        kept->base = bank < family->banks ? family->bank_address[bank] : 0;
}

static int find_condition(const struct form *form, const struct family *family,
                          const struct option_field *field, uint8_t *ret_when)
{
        *ret_when = 0;
        if (!field->when[0])
                return 0;
        for (size_t i = 0; i < family->field_count; i++) {
                if (strcmp(family->fields[i].name, field->when) != 0)
                        continue;
                *ret_when = (uint8_t)(i + 1);
                return 0;
        }
        return form_fault(form, config_lookup(&form->config, "fields"),
                          "field %s: when = \"%s\" is no field with a role before it", field->name,
                          field->when);
}

static int keep(const struct form *form, const struct option_field *field, struct family *family)
{
        struct family_field *kept = &family->fields[family->field_count];

        if (family->field_count == FAMILY_FIELDS_MAX)
                return form_fault(form, config_lookup(&form->config, "fields"),
                                  "fields: more than %u with a role", FAMILY_FIELDS_MAX);
        *kept = (struct family_field){
                .role = field->role,
                .kind = field->kind,
                .row = (uint8_t)field->row,
                .high = (uint8_t)field->high,
                .low = (uint8_t)field->low,
                .unit = field->unit,
                .base = field->base,
                .on = on_value(field),
                .open = open_value(field),
                .has_half_level = has_half_level(field),
        };
        strcpy(kept->name, field->name);
        strcpy(kept->group, field->group);
        if (kept->role == ROLE_UNPROTECTED_BITS)
                place_bits(family, kept);
        return find_condition(form, family, field, &kept->when);
}

int family_keep_fields(const struct form *form, const struct option_fields *fields,
                       struct family *family)
{
        for (size_t i = 0; i < fields->count; i++) {
                int r = fields->fields[i].role == ROLE_PLAIN
                                ? 0
                                : keep(form, &fields->fields[i], family);

                if (r < 0)
                        return r;
                family->field_count += fields->fields[i].role != ROLE_PLAIN;
        }
        return 0;
}

/* --- asking -------------------------------------------------------------------------------- */

const struct family_field *family_field(const struct family *family, enum field_role role)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == role)
                        return &family->fields[i];
        return NULL;
}

static uint32_t mask_of(const struct family_field *field)
{
        unsigned width = field->high - field->low + 1u;

        return width == 32 ? UINT32_MAX : (1u << width) - 1;
}

uint32_t family_field_get(const struct family_field *field, const uint32_t *options)
{
        return options[field->row] >> field->low & mask_of(field);
}

void family_field_set(const struct family_field *field, uint32_t *options, uint32_t value)
{
        uint32_t *row = &options[field->row];

        *row = (*row & ~(mask_of(field) << field->low)) | (value & mask_of(field)) << field->low;
}

static bool counts(const struct family *family, const struct family_field *field,
                   const uint32_t *options)
{
        const struct family_field *when = field->when ? &family->fields[field->when - 1] : NULL;

        return !when || family_field_get(when, options) == when->on;
}

bool family_field_is_on(const struct family *family, const struct family_field *field,
                        const uint32_t *options)
{
        return counts(family, field, options) && family_field_get(field, options) == field->on;
}

bool family_is_on(const struct family *family, enum field_role role, const uint32_t *options)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == role &&
                    family_field_is_on(family, &family->fields[i], options))
                        return true;
        return false;
}

static const struct family_field *protection_field(const struct family *family)
{
        const struct family_field *readout = family_field(family, ROLE_READOUT);

        return readout ? readout : family_field(family, ROLE_STATE);
}

uint8_t family_protection(const struct family *family, const uint32_t *options)
{
        const struct family_field *field = protection_field(family);

        return field ? (uint8_t)family_field_get(field, options) : 0;
}

bool family_is_open(const struct family *family, const uint32_t *options)
{
        const struct family_field *field = protection_field(family);

        return !field || family_field_get(field, options) == field->open;
}

void family_secure(const struct family *family, uint32_t *options)
{
        const struct family_field *security = family_field(family, ROLE_SECURITY);
        const struct family_field *ram = family_field(family, ROLE_RSS_RAM);

        if (security)
                family_field_set(security, options, security->on);
        if (ram)
                family_field_set(ram, options, UINT32_MAX);
}

bool family_area(const struct family *family, const struct family_field *start,
                 const uint32_t *options, uint32_t *ret_first, uint32_t *ret_last)
{
        uint32_t first = family_field_get(start, options), last;

        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *end = &family->fields[i];

                if (end->role != ROLE_END || strcmp(end->group, start->group) != 0)
                        continue;
                last = family_field_get(end, options);
                /* First equal to last is one unit or, on the H7, the bank (RM0433 4.3.10). */
                if (first > last || !counts(family, start, options))
                        return false;
                *ret_first = family_plain_address(family, start->base + first * start->unit);
                *ret_last = family_plain_address(family, end->base) + last * end->unit +
                            (end->unit - 1);
                return true;
        }
        return false;
}
