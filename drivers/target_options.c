/*
 * target_options.c - option bytes of a part: read, compare, program, see that they took.
 *
 * Programming costs up to a third of a second and wears the cells, so nothing is written unless a
 * bit that can be read back differs. The steps of the four sequences are in target_option_steps.c.
 * The lock is put back whatever happened before; where the sequence ends in a reset, the reset does
 * it and the part is reached anew.
 */
#include "drivers/target.h"

#include "drivers/family_fields.h"
#include "drivers/target_option_steps.h"

#include <stdio.h>
#include <string.h>

#define RESET_PATIENCE_MS 3000u /* targets.md 10.2: 2.2 s as ST's tool sees it */

int target_read_options(struct target *target, uint32_t *ret_values)
{
        const struct family *family = target->family;

        for (size_t i = 0; i < family->option_count; i++) {
                int r = 0;

                ret_values[i] = 0;
                if (family->options[i].current)
                        r = target_read_word(target, family->options[i].current, &ret_values[i]);
                if (r < 0)
                        return fault_prefix(r, "option row %s", family->options[i].name);
        }
        return 0;
}

bool option_row_differs(const struct family_option *row, uint32_t found, uint32_t wanted)
{
        return row->program && ((found ^ wanted) & row->mask);
}

static bool any_differs(const struct family *family, const uint32_t *found, const uint32_t *wanted)
{
        for (size_t i = 0; i < family->option_count; i++)
                if (option_row_differs(&family->options[i], found[i], wanted[i]))
                        return true;
        return false;
}

/* TrustZone going on may move the watermarks by itself (estimate after RM0456): rows that were not written are
 * then not looked at. */
static int check_took(struct target *target, const uint32_t *before, const uint32_t *wanted)
{
        const struct family *family = target->family;
        bool is_moved =
                family_is_trustzone_on(family, before) != family_is_trustzone_on(family, wanted);
        uint32_t found[OPTION_ROWS_MAX];
        int r = target_read_options(target, found);

        if (r < 0)
                return r;
        for (size_t i = 0; i < family->option_count; i++) {
                const struct family_option *row = &family->options[i];

                if (is_moved && !option_row_differs(row, before[i], wanted[i]))
                        continue;
                if (option_row_differs(row, found[i], wanted[i]))
                        return fault(FAULT_OPTION_BYTES,
                                     "option row %s reads 0x%08X, expected 0x%08X in the bits "
                                     "0x%08X",
                                     row->name, found[i], wanted[i], row->mask);
        }
        return 0;
}

/* Boot, TrustZone and product state act at the next reset (targets.md 6.4). */
static bool wants_reset(const struct family *family, const uint32_t *found, const uint32_t *wanted)
{
        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if ((field->role == ROLE_BOOT || field->role == ROLE_TRUSTZONE ||
                     field->role == ROLE_STATE) &&
                    family_field_get(field, found) != family_field_get(field, wanted))
                        return true;
        }
        return false;
}

static int finish(struct target *target, const struct option_steps *steps, const uint32_t *found,
                  const uint32_t *wanted)
{
        unsigned patience_ms = RESET_PATIENCE_MS + target->family->rss_boot_ms;
        int r;

        if (steps->load)
                return steps->load(target, patience_ms);
        r = steps->lock(target);
        if (r < 0 || !steps->resets_boot || !wants_reset(target->family, found, wanted))
                return r;
        return target_reset(target, patience_ms);
}

int target_write_options(struct target *target, const uint32_t *values)
{
        const struct option_steps *steps = option_steps(target->family);
        uint32_t found[OPTION_ROWS_MAX];
        int r = target_read_options(target, found);

        if (r < 0 || !any_differs(target->family, found, values))
                return r;
        r = steps->unlock(target);
        if (r < 0)
                return r;
        r = steps->program(target, found, values);
        if (r < 0) { /* lock again, and keep what went wrong first */
                char sentence[512];

                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                /* A reset locks it too, should this one fail as well. */
                IGNORE(steps->lock(target));
                return fault((enum fault) - r, "%s", sentence);
        }
        r = finish(target, steps, found, values);
        return r < 0 ? r : check_took(target, found, values);
}
