/*
 * target_readiness.c - the table of conditions, walked in an order that puts the cheap reads first.
 *
 * A row says when it applies and how it is measured. Measuring writes both texts and gives an answer; a
 * condition about option fields asks them by role, so a new family needs no row of its own. Sections
 * are those of AN5054 as collected in spec/secure-install.md 13.7 and spec/targets.md 3.2.
 */
#include "station/commands/target_readiness.h"

#include "drivers/family_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct condition {
        const char *name, *source;
        bool (*applies)(const struct readiness_request *request);
        /* 0, or a fault that ends it all; fills the line */
        int (*measure)(const struct readiness_request *request, struct readiness_line *line);
};

static void PRINTF_LIKE(2, 3) measured(struct readiness_line *line, const char *format, ...)
{
        va_list values;

        va_start(values, format);
        (void)vsnprintf(line->measured, sizeof(line->measured), format, values); /* cut is fine */
        va_end(values);
}

static void PRINTF_LIKE(2, 3) wanted(struct readiness_line *line, const char *format, ...)
{
        va_list values;

        va_start(values, format);
        (void)vsnprintf(line->wanted, sizeof(line->wanted), format, values);
        va_end(values);
}

static int answer(struct readiness_line *line, bool holds)
{
        line->answer = holds ? READINESS_OK : READINESS_NO;
        return 0;
}

/* The part's own refusals are answers; what the connection says is a fault. */
static int answer_of(struct readiness_line *line, int r)
{
        if (r < 0 && r != -FAULT_NOT_BLANK && r != -FAULT_BOOT_PIN && r != -FAULT_REFERENCE_ONLY &&
            r != -FAULT_PROTECTED && r != -FAULT_TARGET_ACCESS && r != -FAULT_BAD_VALUE)
                return r;
        if (r < 0)
                measured(line, "%s", fault_sentence(r));
        return answer(line, r >= 0);
}

static const struct family *family_of(const struct readiness_request *request)
{
        return request->target->family;
}

static bool is_h7(const struct family *family)
{
        return family->sequence == FAMILY_H7 || family->sequence == FAMILY_H7AB;
}

static bool always(const struct readiness_request *request)
{
        (void)request;
        return true;
}

/* --- the way in ---------------------------------------------------------------------------- */

/* L462: no SECURITY bit and no RSSe (targets.md 7.4). */
static bool is_boot_loader_only(const struct readiness_request *request)
{
        return !family_of(request)->needs_rsse && !family_field(family_of(request), ROLE_SECURITY);
}

static int measure_interface(const struct readiness_request *request, struct readiness_line *line)
{
        (void)request;
        measured(line, "SWD");
        wanted(line, "the boot loader in ROM (UART): no install over a probe");
        return answer(line, false);
}

static bool has_rsse(const struct readiness_request *request)
{
        return family_of(request)->needs_rsse;
}

static int measure_rsse(const struct readiness_request *request, struct readiness_line *line)
{
        measured(line, "%s", request->rsse ? request->rsse : "none given");
        wanted(line, "ST's signed RSSe for this die");
        return answer(line, request->rsse != NULL);
}

static int measure_protocol(const struct readiness_request *request, struct readiness_line *line)
{
        int r;

        wanted(line, "an RSS profile that may be used on this part");
        if (!request->rss) {
                measured(line, "none: how its RSS is spoken to over SWD is not public");
                return answer(line, false);
        }
        r = rss_check_allowed(request->target, request->rss);
        if (r >= 0)
                measured(line, "%s", request->rss->name);
        return answer_of(line, r);
}

/* --- protection ---------------------------------------------------------------------------- */

static int measure_open(const struct readiness_request *request, struct readiness_line *line)
{
        const struct family *family = family_of(request);
        const struct family_field *field = family_field(family, ROLE_READOUT);

        if (!field)
                field = family_field(family, ROLE_STATE);
        if (!field) {
                measured(line, "no such field");
                return answer(line, true);
        }
        measured(line, "%s = 0x%02X", field->name, family_field_get(field, request->options));
        wanted(line, "0x%02X", field->open);
        return answer(line, family_is_open(family, request->options));
}

/* H7 goes in with SECURITY either way: the install sets it (AN5054 figure 65). */
static const struct family_field *security_that_must_be_off(const struct family *family)
{
        const struct family_field *field = family_field(family, ROLE_TRUSTZONE);

        if (field)
                return family->sequence == FAMILY_L4 ? field : NULL;
        return family->needs_rsse ? family_field(family, ROLE_SECURITY) : NULL;
}

static bool has_security_to_be_off(const struct readiness_request *request)
{
        return security_that_must_be_off(family_of(request)) != NULL;
}

static int measure_security(const struct readiness_request *request, struct readiness_line *line)
{
        const struct family *family = family_of(request);
        enum field_role role =
                family_has_trustzone(family) ? ROLE_TRUSTZONE : ROLE_SECURITY; /* as it applies */
        bool is_on = false;

        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];
                size_t used = strlen(line->measured);

                if (field->role != role)
                        continue;
                is_on |= family_field_is_on(family, field, request->options);
                snprintf(line->measured + used, sizeof(line->measured) - used, "%s%s = 0x%X",
                         used ? ", " : "", field->name, family_field_get(field, request->options));
        }
        wanted(line, "off");
        return answer(line, !is_on);
}

static bool has_area(const struct family *family, enum area_kind kind)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_START && family->fields[i].kind == kind)
                        return true;
        return false;
}

/* The first active area of that kind makes the line. */
static int measure_area(const struct readiness_request *request, struct readiness_line *line,
                        enum area_kind kind)
{
        const struct family *family = family_of(request);
        uint32_t first, last;

        measured(line, "none");
        wanted(line, "none");
        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role != ROLE_START || field->kind != kind ||
                    !family_area(family, field, request->options, &first, &last))
                        continue;
                measured(line, "%s: 0x%08X to 0x%08X", field->group, first, last);
                return answer(line, false);
        }
        return answer(line, true);
}

static bool has_pcrop(const struct readiness_request *request)
{
        return has_area(family_of(request), AREA_PCROP);
}

static int measure_pcrop(const struct readiness_request *request, struct readiness_line *line)
{
        return measure_area(request, line, AREA_PCROP);
}

static bool has_secure_area(const struct readiness_request *request)
{
        return has_area(family_of(request), AREA_SECURE);
}

static int measure_secure_area(const struct readiness_request *request, struct readiness_line *line)
{
        return measure_area(request, line, AREA_SECURE);
}

static bool has_hidden_area(const struct readiness_request *request)
{
        return has_area(family_of(request), AREA_HIDDEN);
}

static int measure_hidden_area(const struct readiness_request *request, struct readiness_line *line)
{
        return measure_area(request, line, AREA_HIDDEN);
}

static int measure_write(const struct readiness_request *request, struct readiness_line *line)
{
        const struct family *family = family_of(request);
        int r = measure_area(request, line, AREA_WRITE);

        for (size_t i = 0; i < family->field_count && line->answer == READINESS_OK; i++) {
                const struct family_field *field = &family->fields[i];
                uint32_t value;

                if (field->role != ROLE_UNPROTECTED_BITS)
                        continue;
                value = family_field_get(field, request->options);
                if (value == UINT32_MAX >> (31 - (field->high - field->low)))
                        continue;
                measured(line, "%s = 0x%X, a cleared bit protects %u KiB", field->name, value,
                         field->unit >> 10);
                line->answer = READINESS_NO;
        }
        return r;
}

/* A lock of its own; that of an area only freezes what the area's line tells. */
static int measure_lock(const struct readiness_request *request, struct readiness_line *line)
{
        const struct family *family = family_of(request);

        measured(line, "none");
        wanted(line, "none");
        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role != ROLE_LOCK || field->group[0] ||
                    !family_field_is_on(family, field, request->options))
                        continue;
                measured(line, "%s is set", field->name);
                return answer(line, false);
        }
        return answer(line, true);
}

static bool has_lock(const struct readiness_request *request)
{
        const struct family_field *field = family_field(family_of(request), ROLE_LOCK);

        return field != NULL;
}

/* WL: all option bytes as they came (AN5054 section 5.3.3). */
static bool wants_default_options(const struct readiness_request *request)
{
        return family_of(request)->needs_rsse && family_field(family_of(request), ROLE_SECURITY);
}

static int measure_default_options(const struct readiness_request *request,
                                   struct readiness_line *line)
{
        const struct family *family = family_of(request);

        measured(line, "at their defaults");
        wanted(line, "at their defaults");
        for (size_t i = 0; i < family->option_count; i++) {
                const struct family_option *row = &family->options[i];
                uint32_t differs = (request->options[i] ^ row->factory) & row->mask;

                if (!row->program || !differs)
                        continue;
                measured(line, "%s = 0x%08X", row->name, request->options[i]);
                wanted(line, "0x%08X in the bits 0x%08X", row->factory & row->mask, row->mask);
                return answer(line, false);
        }
        return answer(line, true);
}

/* --- external memory ----------------------------------------------------------------------- */

static bool is_external(const struct readiness_request *request)
{
        return request->is_external;
}

static int measure_cipher(const struct readiness_request *request, struct readiness_line *line)
{
        const struct family *family = family_of(request);

        wanted(line, "memory behind an OTFDEC");
        for (size_t i = 0; i < family->external_count; i++)
                if (family->externals[i].regions) {
                        measured(line, "0x%08X%s%s", family->externals[i].address,
                                 family->cipher_parts[0] ? ", on " : "", family->cipher_parts);
                        return answer(line, true);
                }
        measured(line, "none");
        return answer(line, false);
}

static const struct family_field *find_field(const struct family *family, const char *name)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (strcmp(family->fields[i].name, name) == 0)
                        return &family->fields[i];
        return NULL;
}

/* L5 and U5 boot by option bytes then: nSWBOOT0 = 1, nBOOT0 = 1 (AN5054 section 12.3.5). */
static bool is_external_with_boot(const struct readiness_request *request)
{
        return request->is_external && family_of(request)->sequence == FAMILY_L4 &&
               find_field(family_of(request), "nSWBOOT0") &&
               find_field(family_of(request), "nBOOT0");
}

static int measure_boot_fields(const struct readiness_request *request, struct readiness_line *line)
{
        const struct family *family = family_of(request);
        uint32_t software = family_field_get(find_field(family, "nSWBOOT0"), request->options);
        uint32_t boot = family_field_get(find_field(family, "nBOOT0"), request->options);

        measured(line, "nSWBOOT0 = %u, nBOOT0 = %u", software, boot);
        wanted(line, "both 1");
        return answer(line, software == 1 && boot == 1);
}

/* --- what the part does and holds ---------------------------------------------------------- */

static bool wants_system_memory(const struct readiness_request *request)
{
        return is_h7(family_of(request)) || family_of(request)->sequence == FAMILY_H5;
}

static int measure_boot(const struct readiness_request *request, struct readiness_line *line)
{
        int r = target_check_boot(request->target);

        wanted(line, "system memory at 0x%08X (BOOT0 high)", family_of(request)->system_memory);
        if (r >= 0)
                measured(line, "the core runs from system memory");
        return answer_of(line, r);
}

static bool has_services_firmware(const struct readiness_request *request)
{
        return family_of(request)->sequence == FAMILY_H7RS ||
               (family_of(request)->sequence == FAMILY_H5 && request->is_external);
}

static int measure_services(const struct readiness_request *request, struct readiness_line *line)
{
        measured(line, "where it can be read over SWD is not public");
        wanted(line, "SFSP %s or newer",
               family_of(request)->sequence == FAMILY_H7RS ? "1.1.0" : "2.4.0");
        line->answer = READINESS_UNKNOWN;
        return 0;
}

int readiness_check_blank(struct target *target, const struct target_identity *identity)
{
        const struct family *family = target->family;
        uint32_t bank = (identity->flash_kib << 10) / family->banks;
        int r = 0;

        if (bank == 0 || bank > family->bank_length) /* a size register that says nothing */
                bank = family->bank_length;
        for (unsigned i = 0; i < family->banks && !r; i++)
                r = target_check_blank(target, family->bank_address[i], bank);
        return r;
}

static int measure_blank(const struct readiness_request *request, struct readiness_line *line)
{
        const struct family_range *range = &request->range;
        int r;

        wanted(line, "0xFF everywhere");
        if (range->length) {
                wanted(line, "0xFF from 0x%08X to 0x%08X", range->address,
                       range->address + (range->length - 1));
                r = target_check_blank(request->target, range->address, range->length);
        } else {
                r = readiness_check_blank(request->target, request->identity);
        }
        if (r >= 0)
                measured(line, "erased");
        return answer_of(line, r);
}

/* --- the table ----------------------------------------------------------------------------- */

static const struct condition conditions[] = {
        { "interface", "AN5054 rev 8 note", is_boot_loader_only, measure_interface },
        { "open", "AN5054 section 3.3.1", always, measure_open },
        { "security off", "AN5054 sections 4.3.6, 5.3.3, 6.3.3, 7.3.3", has_security_to_be_off,
          measure_security },
        { "no PCROP area", "AN5054 section 4.3.6", has_pcrop, measure_pcrop },
        { "no secure area", "RM0433 section 4.5", has_secure_area, measure_secure_area },
        { "no write protection", "AN5054 sections 6.3.3, 7.3.3", always, measure_write },
        { "no hidden area", "CMSIS headers, HDP", has_hidden_area, measure_hidden_area },
        { "no lock", "CMSIS headers, BOOT_LOCK", has_lock, measure_lock },
        { "option bytes", "AN5054 section 5.3.3", wants_default_options, measure_default_options },
        { "OTFDEC", "AN5054 section 2.3", is_external, measure_cipher },
        { "boot fields", "AN5054 section 12.3.5", is_external_with_boot, measure_boot_fields },
        { "RSSe", "AN5054 sections 4.3.7, 6.3.4, 9.3.4", has_rsse, measure_rsse },
        { "RSS protocol", "targets.md section 13", always, measure_protocol },
        { "services firmware", "AN5054 sections 10.3.3, 13.3.3", has_services_firmware,
          measure_services },
        { "boot", "AN5054 sections 3.3.1, 4.3.6, 9.3.3", wants_system_memory, measure_boot },
        { "flash erased", "AN5054 section 4.3.6", always, measure_blank },
};

int readiness_measure(const struct readiness_request *request, struct readiness *ret_readiness)
{
        struct readiness all = { .count = 0 };

        for (size_t i = 0; i < LENGTH_OF(conditions); i++) {
                struct readiness_line *line = &all.lines[all.count];
                int r;

                if (!conditions[i].applies(request))
                        continue;
                INSIST(all.count < READINESS_LINES_MAX);
                line->name = conditions[i].name;
                line->source = conditions[i].source;
                r = conditions[i].measure(request, line);
                if (r < 0)
                        return fault_prefix(r, "%s", line->name);
                all.count++;
        }
        *ret_readiness = all;
        return 0;
}

bool readiness_holds(const struct readiness *readiness)
{
        for (size_t i = 0; i < readiness->count; i++)
                if (readiness->lines[i].answer == READINESS_NO)
                        return false;
        return true;
}

const char *readiness_word(enum readiness_answer answered)
{
        switch (answered) {
        case READINESS_OK:
                return "ok";
        case READINESS_NO:
                return "no";
        case READINESS_UNKNOWN:
                break;
        }
        return "unknown";
}
