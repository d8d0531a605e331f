/*
 * area_view.c - each kind of area has a function that makes its JSON facts; the text for people is
 * made from the same facts, so that the two never differ.
 */
#include "station/commands/area_view.h"

#include "crypto/key_areas.h"
#include "crypto/modules.h"
#include "crypto/obk.h"
#include "crypto/smi.h"
#include "station/commands/image_plan.h"
#include "station/commands/image_view.h"

#include <stdlib.h>

const char *area_row_name(const struct family *family, size_t rows, size_t row,
                          char text[static 24])
{
        if (family && rows == family->option_count)
                return family->options[row].name;
        snprintf(text, 24, "ROW%zu", row + 1);
        return text;
}

static void add_fact(json_t *facts, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);

static void add_fact(json_t *facts, const char *key, const char *format, ...)
{
        char text[256];
        va_list values;

        va_start(values, format);
        vsnprintf(text, sizeof(text), format, values);
        va_end(values);
        json_object_set_new(facts, key, json_string(text));
}

static void external_facts(json_t *facts, const struct sfi_plain_area *area)
{
        const uint8_t *prefix = area->data;

        if (area->length < SFI_EXTERNAL_PREFIX_LENGTH) {
                add_fact(facts, "problem", "shorter than its prefix");
                return;
        }
        json_object_set_new(facts, "region", json_integer(load_le32(prefix)));
        json_object_set_new(facts, "mode", json_integer(load_le32(prefix + 4)));
        add_fact(facts, "key_address", "0x%08X", load_le32(prefix + 8));
        json_object_set_new(facts, "firmware_length",
                            json_integer((json_int_t)(area->length - SFI_EXTERNAL_PREFIX_LENGTH)));
}

static void key_facts(json_t *facts, const struct sfi_plain_area *area)
{
        struct key_areas *keys = calloc(1, sizeof(*keys));
        json_t *list = json_array();
        char address[16];

        INSIST(keys);
        if (key_areas_decode(area->data, area->length, keys) < 0)
                add_fact(facts, "problem", "not couples of size and address");
        for (size_t i = 0; i < keys->count; i++) {
                snprintf(address, sizeof(address), "0x%08X", keys->areas[i].address);
                json_array_append_new(list, json_pack("{s:I, s:s}", "length",
                                                      (json_int_t)keys->areas[i].length, "address",
                                                      address));
        }
        json_object_set_new(facts, "keys", list);
        free(keys);
}

static void option_facts(json_t *facts, const struct sfi_plain_area *area,
                         const struct family *family)
{
        size_t count = area->length / 4;
        json_t *rows = json_array();
        char name[24], value[16];

        for (size_t i = 0; i < count; i++) {
                snprintf(value, sizeof(value), "0x%08X",
                         load_le32((const uint8_t *)area->data + 4 * i));
                json_array_append_new(rows, json_pack("{s:s, s:s}", "name",
                                                      area_row_name(family, count, i, name),
                                                      "value", value));
        }
        json_object_set_new(facts, "rows", rows);
}

/* The placement of the digest is our own choice: see image_firmware_digest(). */
static void pause_facts(json_t *facts, const struct opened_image *image,
                        const struct sfi_plain_area *area)
{
        static const uint8_t zeroes[DIGEST_LENGTH];
        const uint8_t *digest = image->digest;

        if (!area->length)
                add_fact(facts, "payload", "none");
        else if (area->length == DIGEST_LENGTH && !memcmp(area->data, digest, DIGEST_LENGTH))
                add_fact(facts, "payload", "SHA-256 of the firmware (reference), right");
        else if (area->length == DIGEST_LENGTH && !memcmp(area->data, zeroes, sizeof(zeroes)))
                add_fact(facts, "payload", "zeroes");
        else
                add_fact(facts, "payload", "unknown; not the SHA-256 of the firmware");
}

static void option_key_facts(json_t *facts, const struct sfi_plain_area *area)
{
        struct obk_facts known;
        struct obk obk;

        if (obk_parse("the area", area->data, area->length, &obk) < 0) {
                add_fact(facts, "problem", "no .obk file");
                return;
        }
        obk_examine(&obk, &known);
        add_fact(facts, "destination", "0x%08X", obk.destination);
        add_fact(facts, "content", "%s (%s)", known.name, known.family);
        if (known.problem[0])
                add_fact(facts, "problem", "%s", known.problem);
}

static void module_facts(json_t *facts, const struct sfi_plain_area *area)
{
        struct smi smi;

        if (!module_is_smi(area->data, area->length))
                add_fact(facts, "content", "a module of a form that is not public");
        else if (smi_parse("the area", area->data, area->length, &smi) < 0)
                add_fact(facts, "problem", "an .smi that is cut short or damaged");
        else
                add_fact(facts, "content", ".smi for 0x%08X, %u bytes of code", smi.destination,
                         smi.code_length);
}

static json_t *facts_of(const struct opened_image *image, size_t position,
                        const struct family *family)
{
        const struct sfi_plain_area *area = &image->areas[position];
        json_t *facts = json_object();

        switch (area->type) {
        case SFI_EXTERNAL:
                external_facts(facts, area);
                break;
        case SFI_KEYS:
                key_facts(facts, area);
                break;
        case SFI_CONFIGURATION:
                option_facts(facts, area, family);
                break;
        case SFI_PAUSE:
        case SFI_RESUME:
                pause_facts(facts, image, area);
                break;
        case SFI_OPTION_KEY_REFERENCE:
                option_key_facts(facts, area);
                break;
        case SFI_MODULE:
                module_facts(facts, area);
                break;
        default: /* firmware, and letters from outside: bytes */
                break;
        }
        return facts;
}

static void print_item(FILE *out, json_t *item)
{
        const char *separator = "           ";

        for (void *at = json_object_iter(item); at; at = json_object_iter_next(item, at)) {
                const json_t *value = json_object_iter_value(at);

                if (json_is_string(value))
                        fprintf(out, "%s%s", separator, json_string_value(value));
                else
                        fprintf(out, "%s%lld bytes", separator,
                                (long long)json_integer_value(value));
                separator = "  ";
        }
        fprintf(out, "\n");
}

void area_view_print(FILE *out, const struct opened_image *image, size_t position,
                     const struct family *family)
{
        json_t *facts = facts_of(image, position, family);

        for (void *at = json_object_iter(facts); at; at = json_object_iter_next(facts, at)) {
                const char *key = json_object_iter_key(at);
                const json_t *value = json_object_iter_value(at);

                for (size_t i = 0; i < json_array_size(value); i++)
                        print_item(out, json_array_get(value, i));
                if (json_is_string(value))
                        fprintf(out, "         %s: %s\n", key, json_string_value(value));
                else if (json_is_integer(value))
                        fprintf(out, "         %s: %lld\n", key,
                                (long long)json_integer_value(value));
        }
        json_decref(facts);
}

json_t *area_view_json(const struct opened_image *image, size_t position,
                       const struct family *family)
{
        const struct sfi_plain_area *area = &image->areas[position];
        const char type[] = { area->type > 0x20 && area->type < 0x7F ? area->type : '?', '\0' };
        json_t *facts = facts_of(image, position, family);
        uint8_t digest[DIGEST_LENGTH];
        char text[65];

        digest_sha256(area->data, area->length, digest);
        json_object_set_new(facts, "index", json_integer((json_int_t)position + 1));
        json_object_set_new(facts, "type", json_string(type));
        json_object_set_new(facts, "name", json_string(sfi_type_name(area->type)));
        json_object_set_new(facts, "address", json_integer(area->address));
        json_object_set_new(facts, "length", json_integer((json_int_t)area->length));
        json_object_set_new(facts, "sha256", json_string(digest_text(digest, text)));
        return facts;
}
