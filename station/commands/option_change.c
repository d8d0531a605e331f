/*
 * option_change.c - a role says what a change of its field means; values say what they leave possible.
 */
#include "station/commands/option_change.h"

#include "drivers/family_fields.h"
#include "station/text.h"

#include <string.h>

static void weigh(struct option_change *change, enum change_weight weight, const char *why)
{
        if (weight < change->weight)
                return;
        change->weight = weight;
        snprintf(change->why, sizeof(change->why), "%s", why);
}

/* Level or state: which way does it go? */
static void weigh_protection(const struct family *family, struct option_change *change)
{
        enum field_effect from = option_field_effect(change->field, change->from);
        enum field_effect to = option_field_effect(change->field, change->to);

        if (to == EFFECT_OPEN && from != EFFECT_OPEN)
                weigh(change, CHANGE_GRAVE, "opening the part erases all of its flash");
        if (to != EFFECT_OPEN && from == EFFECT_OPEN)
                weigh(change, CHANGE_GRAVE, "the part shuts; the way back erases its flash");
        if (to != EFFECT_OPEN && change->field->role == ROLE_STATE && family->has_lock_out)
                weigh(change, CHANGE_FINAL,
                      "without a provisioned debug-authentication .obk nothing opens it again "
                      "(AN5054 section 9.3.2)");
}

static bool is_active(const struct family *family, const char *group, const uint32_t *rows)
{
        uint32_t first, last;

        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role == ROLE_START && strcmp(field->group, group) == 0 &&
                    (field->kind == AREA_PCROP || field->kind == AREA_SECURE) &&
                    family_area(family, field, rows, &first, &last))
                        return true;
        }
        return false;
}

static void weigh_role(const struct family *family, struct option_change *change,
                       const uint32_t *after)
{
        switch (change->field->role) {
        case ROLE_READOUT:
        case ROLE_STATE:
                weigh_protection(family, change);
                break;
        case ROLE_TRUSTZONE:
                if (family->sequence == FAMILY_L4)
                        weigh(change, CHANGE_GRAVE,
                              "TrustZone goes off only with a regression, which erases the flash");
                break;
        case ROLE_START:
        case ROLE_END:
                if (is_active(family, change->field->group, after))
                        weigh(change, CHANGE_GRAVE,
                              "such an area goes only with a regression, which erases the flash");
                break;
        case ROLE_LOCK:
                weigh(change, CHANGE_GRAVE, "a lock goes only with a regression");
                break;
        case ROLE_PLAIN:
        case ROLE_SECURITY:
        case ROLE_BOOT:
        case ROLE_UNPROTECTED_BITS:
        case ROLE_ERASE:
        case ROLE_RSS_RAM:
        case ROLE_BANKS:
                break;
        }
        if (option_field_effect(change->field, change->to) == EFFECT_FINAL)
                weigh(change, CHANGE_FINAL, "nothing takes this back");
}

void option_changes_make(const struct family *family, const struct option_fields *fields,
                         const uint32_t *before, const uint32_t *after,
                         struct option_changes *ret_changes)
{
        *ret_changes = (struct option_changes){ .count = 0 };
        for (size_t i = 0; i < fields->count; i++) {
                const struct option_field *field = &fields->fields[i];
                struct option_change *change = &ret_changes->changes[ret_changes->count];

                *change = (struct option_change){
                        .field = field,
                        .from = option_field_get(field, before[field->row]),
                        .to = option_field_get(field, after[field->row]),
                };
                if (change->from == change->to)
                        continue;
                weigh_role(family, change, after);
                if (change->weight > ret_changes->weight)
                        ret_changes->weight = change->weight;
                ret_changes->count++;
        }
}

void option_changes_print(FILE *out, const struct option_changes *changes)
{
        static const char *const marks[] = {
                [CHANGE_PLAIN] = "", [CHANGE_GRAVE] = "careful", [CHANGE_FINAL] = "CANNOT BE UNDONE"
        };

        for (size_t i = 0; i < changes->count; i++) {
                const struct option_change *change = &changes->changes[i];
                char from[80], to[80];

                option_field_text(change->field, change->from, from, sizeof(from));
                option_field_text(change->field, change->to, to, sizeof(to));
                fprintf(out, "  %-18s 0x%X (%s) -> 0x%X (%s)\n", change->field->name, change->from,
                        from, change->to, to);
                if (change->weight != CHANGE_PLAIN)
                        fprintf(out, "    %s: %s\n", marks[change->weight], change->why);
        }
}

static int no_such_field(const struct option_fields *fields, const char *name)
{
        const char *known[OPTION_FIELDS_MAX], *nearest;

        for (size_t i = 0; i < fields->count; i++)
                known[i] = fields->fields[i].name;
        nearest = text_nearest(name, known, sizeof(*known), fields->count);
        return fault(FAULT_BAD_VALUE, "the part has no option field %.40s%s%s%s", name,
                     nearest ? "; did you mean " : "", nearest ? nearest : "",
                     nearest ? "?" : "; gangway target ob read lists them");
}

int option_change_take(const struct option_fields *fields, const char *word, uint32_t *rows)
{
        const char *equals = strchr(word, '=');
        const struct option_field *field;
        uint32_t value, mask;
        char name[32];
        int r;

        if (!equals || equals == word || (size_t)(equals - word) >= sizeof(name))
                return fault(FAULT_BAD_VALUE, "%.60s: wanted NAME=VALUE, such as RDP=0xAA", word);
        snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
        field = option_fields_find(fields, name);
        if (!field)
                return no_such_field(fields, name);
        r = option_field_parse(field, equals + 1, &value);
        if (r < 0)
                return r;
        mask = option_field_mask(field);
        rows[field->row] = (rows[field->row] & ~mask) | (value << field->low & mask);
        return 0;
}
