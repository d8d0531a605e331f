/*
 * preflight.c - the conditions of families, each with the one way it is measured.
 *
 * A condition that is never measured the same way twice is a condition nobody can argue about. So
 * there is a table from the words of family files to functions; a function fills in a line and says
 * whether it holds. Those that must talk to the part (where the core runs, the marker of a reference
 * part) come last.
 */
#include "drivers/preflight.h"

#include "drivers/family_fields.h"

#include <stdio.h>
#include <string.h>

struct look {
        struct target *target;
        const uint32_t *options;
        const struct rss_profile *rss;
};

#define WRITE(place, ...) snprintf(place, sizeof(place), __VA_ARGS__)

/* A line that does not hold; the sentence says both values. */
static void refuse(struct preflight_line *line, enum fault fault, const char *remedy)
{
        line->fault = fault;
        WRITE(line->sentence, "%s is %s, wanted %s; %s", line->condition, line->measured,
              line->wanted, remedy);
}

/* What another function found, in its own words. */
static void refuse_as_told(struct preflight_line *line, int r)
{
        line->fault = (enum fault)(-r);
        WRITE(line->measured, "%.150s", fault_sentence(r));
        WRITE(line->sentence, "%.299s", fault_sentence(r));
}

/* --- conditions, in the order of enum family_condition -------------------------------------- */

static const char *level_word(const struct family_field *field, uint32_t value)
{
        if (value == field->open)
                return field->role == ROLE_STATE ? "open" : "level 0";
        if (field->role == ROLE_STATE)
                return value == 0x17 ? "provisioning" : "not open";
        if (value == 0x55 && field->has_half_level)
                return "level 0.5";
        return value == 0xCC ? "level 2" : "level 1";
}

static int look_open(const struct look *look, struct preflight_line *line)
{
        const struct family *family = look->target->family;
        const struct family_field *field = family_field(family, ROLE_READOUT);
        uint32_t value;

        if (!field)
                field = family_field(family, ROLE_STATE);
        if (!field)
                return 0;
        if (field->role == ROLE_STATE)
                line->condition = "product state";
        value = family_field_get(field, look->options);
        WRITE(line->measured, "0x%02X (%s)", value, level_word(field, value));
        WRITE(line->wanted, "0x%02X (%s)", field->open, level_word(field, field->open));
        if (value != field->open)
                refuse(line, FAULT_LOCKED,
                       field->role == ROLE_STATE
                               ? "only a regression by debug authentication leads back"
                               : "a regression erases the flash and leads back, except from level "
                                 "2");
        return 0;
}

static void look_at_switch(const struct look *look, enum field_role role,
                           struct preflight_line *line, const char *remedy)
{
        const struct family *family = look->target->family;

        WRITE(line->measured, "off");
        WRITE(line->wanted, "off");
        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role != role || !family_field_is_on(family, field, look->options))
                        continue;
                WRITE(line->measured, "on (%s 0x%X, %s 0x%08X)", field->name,
                      family_field_get(field, look->options), family->options[field->row].name,
                      look->options[field->row]);
                refuse(line, FAULT_PROTECTED, remedy);
                return;
        }
}

static int look_security(const struct look *look, struct preflight_line *line)
{
        look_at_switch(look, ROLE_SECURITY, line,
                       "gangway target disable-security, a power cycle, default-ob, a power cycle");
        return 0;
}

static int look_trustzone(const struct look *look, struct preflight_line *line)
{
        look_at_switch(look, ROLE_TRUSTZONE, line,
                       "a regression to RDP level 0 with TZEN 0 leads back and erases the flash");
        return 0;
}

static int look_unprotected(const struct look *look, struct preflight_line *line)
{
        int r = target_check_unprotected(look->target, look->options);

        WRITE(line->measured, "none");
        WRITE(line->wanted, "none");
        if (r < 0)
                refuse_as_told(line, r);
        return 0;
}

static int look_defaults(const struct look *look, struct preflight_line *line)
{
        const struct family *family = look->target->family;

        WRITE(line->measured, "defaults");
        WRITE(line->wanted, "defaults");
        for (size_t i = 0; i < family->option_count; i++) {
                const struct family_option *row = &family->options[i];

                if (!((look->options[i] ^ row->factory) & row->mask))
                        continue;
                WRITE(line->measured, "%s 0x%08X", row->name, look->options[i] & row->mask);
                WRITE(line->wanted, "%s 0x%08X", row->name, row->factory & row->mask);
                refuse(line, FAULT_OPTION_BYTES,
                       "gangway target default-ob, then a power cycle (AN5054 section 5.3.3)");
                return 0;
        }
        return 0;
}

static int look_boot(const struct look *look, struct preflight_line *line)
{
        int r = target_check_boot(look->target);

        WRITE(line->measured, "system memory");
        WRITE(line->wanted, "system memory");
        if (r == -FAULT_BOOT_PIN) {
                refuse_as_told(line, r);
                return 0;
        }
        return r;
}

static int look_profile(const struct look *look, struct preflight_line *line)
{
        int r = rss_check_allowed(look->target, look->rss);

        WRITE(line->measured, "%s", look->rss->name);
        WRITE(line->wanted, "a profile for this part");
        if (r == -FAULT_REFERENCE_ONLY) {
                refuse_as_told(line, r);
                return 0;
        }
        return r;
}

static const struct condition {
        const char *name;
        int (*look)(const struct look *look, struct preflight_line *line);
} conditions[PREFLIGHT_LINES] = {
        [CONDITION_OPEN] = { "read-out protection", look_open },
        [CONDITION_SECURITY_OFF] = { "security", look_security },
        [CONDITION_TRUSTZONE_OFF] = { "TrustZone", look_trustzone },
        [CONDITION_UNPROTECTED] = { "protected areas and locks", look_unprotected },
        [CONDITION_DEFAULTS] = { "option bytes", look_defaults },
        [CONDITION_BOOT] = { "where the core runs", look_boot },
        [CONDITIONS] = { "RSS profile", look_profile },
};

/* --- looking ------------------------------------------------------------------------------- */

static bool is_wanted(const struct look *look, unsigned condition)
{
        if (condition == CONDITIONS)
                return look->rss != NULL;
        /* REFERENCE: the certificate is answered by a ROM that runs from system memory (rss.h). */
        if (condition == CONDITION_BOOT && look->rss && look->rss->source == SOURCE_REFERENCE)
                return true;
        return look->target->family->conditions >> condition & 1;
}

/* One line. A part that cannot be asked has not met the condition. */
static int look_at(const struct look *look, unsigned condition, struct preflight_line *line)
{
        int r;

        *line = (struct preflight_line){ .condition = conditions[condition].name };
        r = conditions[condition].look(look, line);
        if (r == -FAULT_UNPLUGGED || r == -FAULT_CANCELLED)
                return r;
        if (r < 0)
                refuse_as_told(line, r);
        return 0;
}

int preflight_look(struct target *target, const uint32_t *options, const struct rss_profile *rss,
                   struct preflight *ret_preflight)
{
        const struct look look = { target, options, rss };
        int r = 0;

        ret_preflight->count = 0;
        for (unsigned i = 0; i < PREFLIGHT_LINES && r >= 0; i++) {
                if (!is_wanted(&look, i))
                        continue;
                r = look_at(&look, i, &ret_preflight->lines[ret_preflight->count]);
                ret_preflight->count += r >= 0;
        }
        return r;
}

int preflight_check(struct target *target, const uint32_t *options, const struct rss_profile *rss)
{
        const struct look look = { target, options, rss };
        struct preflight_line line;

        for (unsigned i = 0; i < PREFLIGHT_LINES; i++) {
                int r = is_wanted(&look, i) ? look_at(&look, i, &line) : 0;

                if (r < 0)
                        return r;
                if (is_wanted(&look, i) && line.fault != FAULT_NONE)
                        return fault(line.fault, "%s", line.sentence);
        }
        return 0;
}
