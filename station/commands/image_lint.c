/*
 * image_lint.c - first the option bytes field by field, then debug authentication, then the digest,
 * then one line that sums up whether the part can be opened again.
 */
#include "station/commands/image_lint.h"

#include "crypto/adac.h"
#include "crypto/obk.h"
#include "drivers/family_fields.h"
#include "station/commands/image_plan.h"

#include <stdarg.h>
#include <stdlib.h>

struct look {
        const struct family *family;
        const struct option_fields *fields;
        const struct sfi_plain_area *areas;
        size_t count;
        uint32_t rows[OPTION_ROWS_MAX];
        struct image_lint *lint;
        bool has_rows, is_closed, is_final, has_opener, is_in_otp;
};

static void PRINTF_LIKE(4, 5)
        say(struct look *look, enum lint_kind kind, const char *topic, const char *format, ...)
{
        struct image_lint *lint = look->lint;
        struct lint_line *line;
        va_list values;

        if (lint->count == lint->capacity) {
                lint->capacity = lint->capacity ? 2 * lint->capacity : 32;
                lint->lines = reallocarray(lint->lines, lint->capacity, sizeof(*lint->lines));
                INSIST(lint->lines);
        }
        line = &lint->lines[lint->count++];
        *line = (struct lint_line){ .kind = kind };
        snprintf(line->topic, sizeof(line->topic), "%s", topic);
        va_start(values, format);
        vsnprintf(line->text, sizeof(line->text), format, values);
        va_end(values);
        lint->refusals += kind == LINT_REFUSAL;
        lint->warnings += kind == LINT_WARNING;
}

static const struct sfi_plain_area *find_area(const struct look *look, char type)
{
        for (size_t i = 0; i < look->count; i++)
                if (look->areas[i].type == type)
                        return &look->areas[i];
        return NULL;
}

/* --- option bytes -------------------------------------------------------------------------- */

static uint32_t value_of(const struct look *look, const struct option_field *field)
{
        return option_field_get(field, look->rows[field->row]);
}

static void look_at_value(struct look *look, const struct option_field *field)
{
        uint32_t value = value_of(look, field);
        enum lint_kind kind = LINT_FACT;
        char text[80];

        option_field_text(field, value, text, sizeof(text));
        switch (option_field_effect(field, value)) {
        case EFFECT_NONE:
                break;
        case EFFECT_OPEN:
                kind = LINT_WARNING;
                break;
        case EFFECT_CLOSED:
                look->is_closed = true;
                break;
        case EFFECT_FINAL:
                look->is_final = look->is_closed = true;
                kind = LINT_REFUSAL;
                break;
        }
        say(look, kind, field->about, "%s (%s = 0x%X)", text, field->name, value);
}

static void look_at_bits(struct look *look, const struct option_field *field)
{
        uint32_t all = option_field_mask(field) >> field->low, value = value_of(look, field);

        if (value == all)
                say(look, LINT_FACT, field->about, "nothing (%s = 0x%X)", field->name, value);
        else
                say(look, LINT_FACT, field->about, "%u of %u pieces, mask 0x%X (%s = 0x%X)",
                    (unsigned)__builtin_popcount(all & ~value), (unsigned)__builtin_popcount(all),
                    all & ~value, field->name, value);
}

/* A start above its end: off, on every family (targets.md 6.5, 7.1, 7.6, 7.9). */
static void look_at_range(struct look *look, const struct option_field *start)
{
        for (size_t i = 0; i < look->fields->count; i++) {
                const struct option_field *end = &look->fields->fields[i];
                uint32_t first = value_of(look, start), last = value_of(look, end);

                if (end->role != ROLE_END || strcmp(end->group, start->group) != 0)
                        continue;
                if (first > last)
                        say(look, LINT_FACT, start->group, "off");
                else if (start->unit)
                        say(look, LINT_FACT, start->group, "0x%08X..0x%08X",
                            start->base + first * start->unit,
                            end->base + last * end->unit + (end->unit - 1));
                else
                        say(look, LINT_FACT, start->group, "%u to %u", first, last);
        }
}

static void look_at_field(struct look *look, const struct option_field *field)
{
        switch (field->role) {
        case ROLE_READOUT:
        case ROLE_SECURITY:
        case ROLE_TRUSTZONE:
        case ROLE_STATE:
        case ROLE_BOOT:
        case ROLE_LOCK:
                look_at_value(look, field);
                break;
        case ROLE_UNPROTECTED_BITS:
                look_at_bits(look, field);
                break;
        case ROLE_START:
                look_at_range(look, field);
                break;
        case ROLE_PLAIN:
        case ROLE_END:
        case ROLE_ERASE:
        case ROLE_RSS_RAM:
        case ROLE_BANKS:
                break;
        }
}

static void look_at_options(struct look *look)
{
        const struct sfi_plain_area *area = find_area(look, SFI_CONFIGURATION);
        const struct family *family = look->family;

        if (!area) {
                say(look, LINT_WARNING, "option bytes",
                    "none in the image: the part keeps what it has (not for a first install)");
                return;
        }
        if (area->length != 4 * family->option_count) {
                say(look, LINT_WARNING, "option bytes",
                    "%zu rows where %zu are known of %s: they cannot be told apart",
                    area->length / 4, family->option_count, family->name);
                return;
        }
        if (family->option_rows != FAMILY_ROWS_PUBLISHED)
                say(look, LINT_WARNING, "option bytes",
                    "the order of the rows of %s is not public; read in the order of its registers "
                    "(reference)",
                    family->name);
        for (size_t i = 0; i < family->option_count; i++)
                look->rows[i] = load_le32((const uint8_t *)area->data + 4 * i);
        look->has_rows = true;
        for (size_t i = 0; i < look->fields->count; i++)
                look_at_field(look, &look->fields->fields[i]);
}

/* --- the rest ------------------------------------------------------------------------------ */

/* The credential is there; is it one that leads back? A certificate wants its permission, and an H5 with
 * TrustZone takes no password, one without no certificate (AN6008 section 2.1). */
static void look_at_opener(struct look *look, const struct obk_facts *facts)
{
        bool by_certificate = facts->kind == OBK_DA_CERTIFICATE ||
                              (facts->kind == OBK_DA_EITHER && look->has_rows &&
                               family_is_trustzone_on(look->family, look->rows));

        look->has_opener = true;
        if (by_certificate && !adac_permission_has(facts->permission, ADAC_FULL_REGRESSION)) {
                say(look, LINT_REFUSAL, "debug authentication",
                    "its permission lacks bit 14, the full regression: no certificate will bring "
                    "the part back to virgin");
                look->is_final = true;
        }
        if (facts->kind == OBK_DA_EITHER && look->has_rows)
                say(look, LINT_FACT, "debug authentication",
                    "TrustZone is %s in the image, so the .obk must hold a %s: with a %s the part "
                    "is closed for good (AN6008 section 2.1)",
                    by_certificate ? "on" : "off", by_certificate ? "root key" : "password",
                    by_certificate ? "password" : "root key");
}

static void look_at_option_key(struct look *look, const struct sfi_plain_area *area)
{
        struct obk_facts facts;
        struct obk obk;

        if (obk_parse("the area", area->data, area->length, &obk) < 0) {
                say(look, LINT_WARNING, "OB key", "0x%08X: no .obk file", area->address);
                return;
        }
        obk_examine(&obk, &facts);
        if (facts.problem[0])
                say(look, LINT_WARNING, "OB key", "0x%08X %s: %s", obk.destination, facts.name,
                    facts.problem);
        else
                say(look, LINT_FACT, "OB key", "0x%08X %s", obk.destination, facts.name);
        switch (facts.kind) {
        case OBK_DA_CERTIFICATE:
        case OBK_DA_PASSWORD:
        case OBK_DA_EITHER:
                if (!facts.problem[0])
                        look_at_opener(look, &facts);
                break;
        case OBK_DA_LOCK:
                say(look, LINT_REFUSAL, "debug authentication",
                    "the image locks it: nobody will open the part by debug authentication");
                look->is_final = true;
                break;
        case OBK_PLAIN:
        case OBK_IMAGE:
                break;
        }
}

/* Product states without OB-keys: the H503 has its password in OTP, written once and by nobody's image
 * (wiki.st.com, debug authentication for STM32H503). */
static void look_at_password_in_otp(struct look *look)
{
        if (!family_field(look->family, ROLE_STATE) || !look->is_closed)
                return;
        say(look, LINT_REFUSAL, "debug authentication",
            "the image closes the part, and the password that opens it again is in its OTP, where "
            "no "
            "image puts one: program it before, or the part is closed for good");
        look->is_in_otp = true;
}

/* AN5054 sections 9.3.2 and 10.3.2: without its .obk in the image the part becomes inaccessible. */
static void look_at_debug_authentication(struct look *look)
{
        for (size_t i = 0; i < look->count; i++)
                if (look->areas[i].type == SFI_OPTION_KEY_REFERENCE)
                        look_at_option_key(look, &look->areas[i]);
        if (!look->family->has_lock_out) {
                look_at_password_in_otp(look);
                return;
        }
        if (look->has_opener)
                say(look, LINT_FACT, "debug authentication", "its .obk is in the image");
        else
                say(look, LINT_REFUSAL, "debug authentication",
                    "no .obk for it in the image%s: once closed, the part cannot be opened again "
                    "(AN5054 section 9.3.2); add one with --ob-keys",
                    look->is_closed ? ", which closes the part" : "");
}

static void look_at_digest(struct look *look)
{
        const struct sfi_plain_area *pause = find_area(look, SFI_PAUSE);
        static const uint8_t zeroes[DIGEST_LENGTH];
        uint8_t digest[DIGEST_LENGTH];

        image_firmware_digest(look->areas, look->count, digest);
        if (pause && pause->length == sizeof(digest) &&
            memcmp(pause->data, digest, sizeof(digest)) == 0)
                say(look, LINT_FACT, "firmware digest",
                    "in the pause and resume areas (reference), and right");
        else if (pause && pause->length == sizeof(digest) &&
                 memcmp(pause->data, zeroes, sizeof(zeroes)) != 0)
                say(look, LINT_WARNING, "firmware digest",
                    "pause and resume areas hold something else than the firmware's SHA-256");
        else if (look->family->hash_mandatory)
                say(look, LINT_WARNING, "firmware digest",
                    "none, but %s wants one: make the image with -hash 1 (AN5054 section 4.3.8)",
                    look->family->name);
}

static void look_at_places(struct look *look)
{
        for (size_t i = 0; i < look->count; i++) {
                const struct sfi_plain_area *area = &look->areas[i];

                if (area->type == SFI_FIRMWARE &&
                    !family_is_flash(look->family, area->address, area->length))
                        say(look, LINT_WARNING, "firmware",
                            "%zu bytes at 0x%08X are not in the flash of %s", area->length,
                            area->address, look->family->name);
                if (area->type == SFI_EXTERNAL && area->length > SFI_EXTERNAL_PREFIX_LENGTH &&
                    !family_external_at(look->family, area->address,
                                        area->length - SFI_EXTERNAL_PREFIX_LENGTH))
                        say(look, LINT_WARNING, "external firmware",
                            "0x%08X is not behind an OTFDEC of %s", area->address,
                            look->family->name);
        }
}

static void sum_up(struct look *look)
{
        bool has_options = find_area(look, SFI_CONFIGURATION) != NULL;

        if (look->is_final)
                say(look, LINT_FACT, "to open it again", "not possible");
        else if (look->family->has_lock_out && !look->has_opener)
                say(look, LINT_FACT, "to open it again", "not possible once it is closed");
        else if (look->family->has_lock_out)
                say(look, LINT_FACT, "to open it again",
                    "by debug authentication, with the key or password of the .obk");
        else if (look->is_in_otp)
                say(look, LINT_FACT, "to open it again", "only with the password in its OTP");
        else if (look->is_closed)
                say(look, LINT_FACT, "to open it again",
                    "possible, and it erases the flash (see the values above)");
        else if (has_options)
                say(look, LINT_FACT, "to open it again", "it stays open");
        else
                say(look, LINT_FACT, "to open it again", "depends on what the part has");
}

int image_lint_make(const struct chosen_family *chosen, const struct sfi_plain_area *areas,
                    size_t count, struct image_lint *ret_lint)
{
        struct option_fields fields CLEANUP(option_fields_free) = { 0 };
        struct look look = { .family = &chosen->family,
                             .fields = &fields,
                             .areas = areas,
                             .count = count,
                             .lint = ret_lint };
        int r = option_fields_load(chosen->path, &chosen->family, &fields);

        if (r < 0)
                return r;
        *ret_lint = (struct image_lint){ 0 };
        look_at_options(&look);
        look_at_debug_authentication(&look);
        look_at_digest(&look);
        look_at_places(&look);
        sum_up(&look);
        return 0;
}

void image_lint_free(struct image_lint *lint)
{
        free(lint->lines);
        *lint = (struct image_lint){ 0 };
}

/* --- telling ------------------------------------------------------------------------------- */

static const char *const kind_words[] = {
        [LINT_FACT] = "",
        [LINT_WARNING] = "warning: ",
        [LINT_REFUSAL] = "CANNOT BE UNDONE: ",
};
static const char *const kind_names[] = {
        [LINT_FACT] = "fact",
        [LINT_WARNING] = "warning",
        [LINT_REFUSAL] = "refusal",
};

void image_lint_print(FILE *out, const struct image_lint *lint)
{
        for (size_t i = 0; i < lint->count; i++)
                fprintf(out, "  %-26s  %s%s\n", lint->lines[i].topic,
                        kind_words[lint->lines[i].kind], lint->lines[i].text);
}

json_t *image_lint_json(const struct image_lint *lint)
{
        json_t *list = json_array();

        for (size_t i = 0; i < lint->count; i++)
                json_array_append_new(list,
                                      json_pack("{s:s, s:s, s:s}", "kind",
                                                kind_names[lint->lines[i].kind], "topic",
                                                lint->lines[i].topic, "text", lint->lines[i].text));
        return json_pack("{s:o, s:I, s:I}", "lines", list, "refusals", (json_int_t)lint->refusals,
                         "warnings", (json_int_t)lint->warnings);
}
