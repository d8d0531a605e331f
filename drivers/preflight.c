/*
 * preflight.c - the table of conditions of an install, and the one way each is measured.
 *
 * A condition that is never measured the same way twice is a condition nobody can argue about. A row
 * says who asks for it, how it is measured, the fault it would be and what helps. Measuring writes both
 * values and gives an answer; option fields are asked by role, so a new family needs no row of its own
 * and a row whose fields a family has not makes no line. What only reads the option bytes comes first,
 * what talks to the part (where the core runs, the marker of a reference part, the flash) last.
 */
#include "drivers/preflight.h"

#include "drivers/family_fields.h"
#include "drivers/rsse.h"

#include <stdio.h>
#include <string.h>

#define NOT_HERE 3 /* an answer besides those of the header: the family has no such thing */

/* Who asks besides a family's `preconditions`. */
enum { BY_PROFILE = CONDITIONS, BY_EXTERNAL, BY_PERSON };

struct condition {
        const char *name, *source;
        unsigned asked; /* enum family_condition, or of the above */
        /* an answer, or a fault that ends it all */
        int (*measure)(const struct preflight_request *request, const struct condition *row,
                       struct preflight_line *line);
        enum fault fault;
        const char *remedy;
        enum field_role role; /* of measure_level and measure_fields */
        enum area_kind kind;  /* of ROLE_START */
};

#define WRITE(place, ...) snprintf(place, sizeof(place), __VA_ARGS__)
#define MEASURE(name)                                                                              \
        static int name(const struct preflight_request *request, const struct condition *row,      \
                        struct preflight_line *line)

static const struct family *family_of(const struct preflight_request *request)
{
        return request->target->family;
}

static int answer(bool holds)
{
        return holds ? PREFLIGHT_HOLDS : PREFLIGHT_FAILS;
}

/* What another function found, in its own words; what does not speak of the condition goes on. */
static int answer_as_told(struct preflight_line *line, int r)
{
        if (r >= 0)
                return PREFLIGHT_HOLDS;
        if (r != -(int)line->fault && r != -FAULT_TARGET_ACCESS)
                return r;
        line->fault = (enum fault)(-r);
        line->remedy = NULL;
        WRITE(line->measured, "%.319s", fault_sentence(r));
        return PREFLIGHT_FAILS;
}

/* --- option fields --------------------------------------------------------------------------- */

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

MEASURE(measure_level)
{
        const struct family_field *field = family_field(family_of(request), row->role);
        uint32_t value;

        if (!field)
                return NOT_HERE;
        value = family_field_get(field, request->options);
        WRITE(line->measured, "0x%02X (%s)", value, level_word(field, value));
        WRITE(line->wanted, "0x%02X (%s)", field->open, level_word(field, field->open));
        return answer(value == field->open);
}

static bool shows_area(const struct preflight_request *request, const struct family_field *start,
                       struct preflight_line *line)
{
        const struct family *family = family_of(request);
        uint32_t first, last;

        if (!family_area(family, start, request->options, &first, &last))
                return false;
        WRITE(line->measured, "0x%08X to 0x%08X (%s, %s 0x%08X)", first, last, start->group,
              family->options[start->row].name, request->options[start->row]);
        return true;
}

static bool shows_bits(const struct preflight_request *request, const struct family_field *field,
                       struct preflight_line *line)
{
        const struct family *family = family_of(request);
        unsigned bank = 0;

        if (family_field_get(field, request->options) ==
            UINT32_MAX >> (31 - (field->high - field->low)))
                return false;
        while (bank + 1 < family->banks && family->bank_address[bank] != field->base)
                bank++;
        WRITE(line->measured, "sectors of bank %u (%s 0x%08X, a cleared bit is %u KiB)", bank + 1,
              family->options[field->row].name, request->options[field->row], field->unit >> 10);
        return true;
}

/* A lock of an area (its group) freezes what the area's line tells, or nothing. */
static bool shows_switch(const struct preflight_request *request, const struct family_field *field,
                         struct preflight_line *line)
{
        const struct family *family = family_of(request);

        if ((field->role == ROLE_LOCK && field->group[0]) ||
            !family_field_is_on(family, field, request->options))
                return false;
        WRITE(line->measured, "%s 0x%X (%s 0x%08X)", field->name,
              family_field_get(field, request->options), family->options[field->row].name,
              request->options[field->row]);
        return true;
}

/* The first field of the row's role that is on makes the line. */
MEASURE(measure_fields)
{
        const struct family *family = family_of(request);
        bool is_switch = row->role == ROLE_SECURITY || row->role == ROLE_TRUSTZONE;
        bool is_here = false, is_on = false;

        WRITE(line->measured, "%s", is_switch ? "off" : "none");
        WRITE(line->wanted, "%s", is_switch ? "off" : "none");
        for (size_t i = 0; i < family->field_count && !is_on; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role != row->role ||
                    (field->role == ROLE_START && field->kind != row->kind))
                        continue;
                is_here = true;
                is_on = field->role == ROLE_START              ? shows_area(request, field, line)
                        : field->role == ROLE_UNPROTECTED_BITS ? shows_bits(request, field, line)
                                                               : shows_switch(request, field, line);
        }
        return is_here ? answer(!is_on) : NOT_HERE;
}

MEASURE(measure_defaults)
{
        const struct family *family = family_of(request);

        (void)row;
        WRITE(line->measured, "defaults");
        WRITE(line->wanted, "defaults");
        for (size_t i = 0; i < family->option_count; i++) {
                const struct family_option *option = &family->options[i];

                if (!option->program || !((request->options[i] ^ option->factory) & option->mask))
                        continue;
                WRITE(line->measured, "%s 0x%08X", option->name,
                      request->options[i] & option->mask);
                WRITE(line->wanted, "%s 0x%08X", option->name, option->factory & option->mask);
                return PREFLIGHT_FAILS;
        }
        return PREFLIGHT_HOLDS;
}

/* --- memory outside the part ----------------------------------------------------------------- */

/* Parts of one die differ in it, and nothing public over SWD tells them apart. */
MEASURE(measure_cipher)
{
        const struct family *family = family_of(request);

        (void)row;
        WRITE(line->measured, "none");
        WRITE(line->wanted, "one before the memory");
        for (size_t i = 0; i < family->external_count; i++)
                if (family->externals[i].regions && family->otfdec_registers) {
                        WRITE(line->measured, "before 0x%08X%s%s", family->externals[i].address,
                              family->cipher_parts[0] ? ", but only of " : "",
                              family->cipher_parts);
                        return family->cipher_parts[0] ? PREFLIGHT_UNKNOWN : PREFLIGHT_HOLDS;
                }
        return PREFLIGHT_FAILS;
}

/* DBANK is the L5's. */
MEASURE(measure_external_options)
{
        static const char *const names[] = { "DBANK", "nSWBOOT0", "nBOOT0" };
        const struct family *family = family_of(request);
        bool is_here = false, holds = true;

        (void)row;
        WRITE(line->wanted, "1 each");
        for (size_t i = 0; i < family->field_count; i++)
                for (size_t j = 0; j < LENGTH_OF(names); j++) {
                        const struct family_field *field = &family->fields[i];
                        uint32_t value = family_field_get(field, request->options);
                        size_t used = strlen(line->measured);

                        if (strcmp(field->name, names[j]) != 0)
                                continue;
                        snprintf(line->measured + used, sizeof(line->measured) - used, "%s%s %u",
                                 is_here ? ", " : "", field->name, value);
                        is_here = true;
                        holds &= value == 1;
                }
        return is_here ? answer(holds) : NOT_HERE;
}

/* --- the way in ------------------------------------------------------------------------------ */

MEASURE(measure_interface)
{
        (void)row;
        if (family_of(request)->procedure != PROCEDURE_NONE)
                return NOT_HERE;
        WRITE(line->measured, "SWD");
        WRITE(line->wanted, "the boot loader in ROM (UART)");
        return PREFLIGHT_FAILS;
}

MEASURE(measure_rsse)
{
        const struct family *family = family_of(request);
        struct rsse rsse CLEANUP(rsse_free) = { 0 };
        int r;

        (void)row;
        if (!request->rss || !family->needs_rsse)
                return NOT_HERE;
        WRITE(line->wanted, "the RSSe of device 0x%03X", family->device_id);
        r = rsse_load(request->rss, family, &rsse);
        WRITE(line->measured, "%zu bytes", rsse.file.length);
        line->fault = r < 0 ? (enum fault)(-r) : FAULT_NONE;
        return answer_as_told(line, r);
}

MEASURE(measure_profile)
{
        (void)row;
        WRITE(line->measured, "%s", request->rss->name);
        WRITE(line->wanted, "a profile for this part");
        return answer_as_told(line, rss_check_allowed(request->target, request->rss));
}

MEASURE(measure_services)
{
        bool is_h7rs = family_of(request)->sequence == FAMILY_H7RS;

        (void)row;
        if (!is_h7rs && !(family_of(request)->sequence == FAMILY_H5 && request->is_external))
                return NOT_HERE;
        WRITE(line->measured, "where it can be read over SWD is not public");
        WRITE(line->wanted, "SFSP %s or newer", is_h7rs ? "1.1.0" : "2.4.0");
        return PREFLIGHT_UNKNOWN;
}

MEASURE(measure_boot)
{
        (void)row;
        WRITE(line->measured, "system memory");
        WRITE(line->wanted, "system memory");
        return answer_as_told(line, target_check_boot(request->target));
}

MEASURE(measure_flash)
{
        (void)row;
        WRITE(line->measured, "erased");
        WRITE(line->wanted, "erased");
        return answer_as_told(line, target_check_all_blank(request->target, request->identity));
}

/* --- the table ------------------------------------------------------------------------------- */

#define AREA_GOES "remove it by a regression from RDP level 1 with the area disabled"
#define TZ_GOES   "a regression to RDP level 0 with TZEN 0 leads back and erases the flash"
#define SWITCH    "switch it off in the option bytes"

static const struct condition conditions[] = {
        { "interface", "AN5054 revision 8, section 5.3.5", BY_PERSON, measure_interface,
          FAULT_WRONG_PART, "no install goes in over a probe", 0, 0 },
        { "read-out protection", "AN5054 sections 3.3.1, 12.3.5", CONDITION_OPEN, measure_level,
          FAULT_LOCKED, "a regression erases the flash and leads back, except from level 2",
          ROLE_READOUT, 0 },
        { "product state", "AN5054 sections 9.3.3, 10.3.3, 13.3.3", CONDITION_OPEN, measure_level,
          FAULT_LOCKED, "only a regression by debug authentication leads back", ROLE_STATE, 0 },
        { "security", "AN5054 section 5.3.3", CONDITION_SECURITY_OFF, measure_fields,
          FAULT_PROTECTED,
          "gangway target disable-security, a power cycle, default-ob, a power cycle",
          ROLE_SECURITY, 0 },
        { "TrustZone", "AN5054 sections 6.3.3, 7.3.3", CONDITION_TRUSTZONE_OFF, measure_fields,
          FAULT_PROTECTED, TZ_GOES, ROLE_TRUSTZONE, 0 },
        { "PCROP area", "AN5054 sections 4.3.6, 5.3.3, 11.3.5", CONDITION_UNPROTECTED,
          measure_fields, FAULT_PROTECTED, AREA_GOES, ROLE_START, AREA_PCROP },
        { "secure area", "RM0433 section 4.5", CONDITION_UNPROTECTED, measure_fields,
          FAULT_PROTECTED, AREA_GOES, ROLE_START, AREA_SECURE },
        { "secure flash", "CMSIS headers, SECWM", CONDITION_UNPROTECTED, measure_fields,
          FAULT_PROTECTED, TZ_GOES, ROLE_START, AREA_WATERMARK },
        { "write protection", "AN5054 sections 6.3.3, 7.3.3", CONDITION_UNPROTECTED, measure_fields,
          FAULT_PROTECTED, SWITCH, ROLE_START, AREA_WRITE },
        { "write protection", "AN5054 sections 6.3.3, 7.3.3", CONDITION_UNPROTECTED, measure_fields,
          FAULT_PROTECTED, SWITCH, ROLE_UNPROTECTED_BITS, 0 },
        { "hidden area", "CMSIS headers, HDP", CONDITION_UNPROTECTED, measure_fields,
          FAULT_PROTECTED, SWITCH, ROLE_START, AREA_HIDDEN },
        { "lock", "CMSIS headers, BOOT_LOCK", CONDITION_UNPROTECTED, measure_fields,
          FAULT_PROTECTED, "it goes by a regression only", ROLE_LOCK, 0 },
        { "option bytes", "AN5054 section 5.3.3", CONDITION_DEFAULTS, measure_defaults,
          FAULT_OPTION_BYTES, "gangway target default-ob, then a power cycle", 0, 0 },
        { "OTFDEC", "AN5054 section 2.3", BY_EXTERNAL, measure_cipher, FAULT_WRONG_PART,
          "take a part that has one", 0, 0 },
        { "SFIx option bytes", "AN5054 section 12.3.5", BY_EXTERNAL, measure_external_options,
          FAULT_OPTION_BYTES, "set them with gangway target ob write", 0, 0 },
        { "RSSe", "AN5054 sections 4.3.7, 6.3.4, 9.3.3, 10.3.3", BY_PERSON, measure_rsse,
          FAULT_NOT_FOUND, NULL, 0, 0 },
        { "services firmware", "AN5054 sections 10, 13", BY_PERSON, measure_services, FAULT_NONE,
          NULL, 0, 0 },
        { "boot", "AN5054 sections 4.3.6, 9.3.3, 13.3.3", CONDITION_BOOT, measure_boot,
          FAULT_BOOT_PIN, NULL, 0, 0 },
        { "RSS profile", "targets.md section 13", BY_PROFILE, measure_profile, FAULT_REFERENCE_ONLY,
          NULL, 0, 0 },
        { "flash memory", "AN5054 section 4.3.6", BY_PERSON, measure_flash, FAULT_NOT_BLANK, NULL,
          0, 0 },
};
_Static_assert(LENGTH_OF(conditions) <= PREFLIGHT_LINES_MAX, "a line each");

/* --- looking ------------------------------------------------------------------------------- */

static bool is_asked(const struct preflight_request *request, const struct condition *row,
                     bool is_person)
{
        const struct rss_profile *rss = request->rss;

        switch (row->asked) {
        case BY_PROFILE:
                return rss != NULL;
        case BY_EXTERNAL:
                return request->is_external;
        case BY_PERSON:
                return is_person;
        case CONDITION_BOOT:
                /* REFERENCE: the certificate is answered by a ROM that runs from system memory
                 * (rss.h). */
                if (rss && rss->source == SOURCE_REFERENCE)
                        return true;
                break;
        }
        return request->conditions >> row->asked & 1;
}

/* One line: an answer, or a fault. */
static int look_at(const struct preflight_request *request, const struct condition *row,
                   struct preflight_line *line)
{
        int r;

        *line = (struct preflight_line){
                .name = row->name, .source = row->source, .fault = row->fault, .remedy = row->remedy
        };
        r = row->measure(request, row, line);
        if (r < 0)
                return fault_prefix(r, "%s", row->name);
        line->answer = r == NOT_HERE ? PREFLIGHT_HOLDS : (enum preflight_answer)r;
        if (r != PREFLIGHT_FAILS)
                line->fault = FAULT_NONE;
        return r;
}

int preflight_look(const struct preflight_request *request, struct preflight *ret_preflight)
{
        ret_preflight->count = 0;
        for (size_t i = 0; i < LENGTH_OF(conditions); i++) {
                int r = NOT_HERE;

                if (is_asked(request, &conditions[i], true))
                        r = look_at(request, &conditions[i],
                                    &ret_preflight->lines[ret_preflight->count]);
                if (r < 0)
                        return r;
                ret_preflight->count += r != NOT_HERE;
        }
        return 0;
}

int preflight_check(const struct preflight_request *request)
{
        struct preflight_line line;

        for (size_t i = 0; i < LENGTH_OF(conditions); i++) {
                int r = NOT_HERE;

                if (is_asked(request, &conditions[i], false))
                        r = look_at(request, &conditions[i], &line);
                if (r < 0)
                        return r;
                if (r == PREFLIGHT_FAILS)
                        return line.remedy ? fault(line.fault, "%s: %s, wanted %s; %s", line.name,
                                                   line.measured, line.wanted, line.remedy)
                                           : fault(line.fault, "%s", line.measured);
        }
        return 0;
}

bool preflight_holds(const struct preflight *preflight)
{
        for (size_t i = 0; i < preflight->count; i++)
                if (preflight->lines[i].answer == PREFLIGHT_FAILS)
                        return false;
        return true;
}

const char *preflight_word(enum preflight_answer answered)
{
        static const char *const words[] = {
                [PREFLIGHT_HOLDS] = "ok", [PREFLIGHT_FAILS] = "no", [PREFLIGHT_UNKNOWN] = "unknown"
        };

        return words[answered];
}
