/*
 * card_profile.c - configs/cards/NAME.conf (libconfig): how to speak to one kind of card.
 *
 * The file is read whole, then handed to the parser as text; every setting is looked at once, and
 * one that is not known is refused with its line, since a misspelt name would leave a default in
 * its place.
 */
#include "drivers/hsm.h"

#include "scheduler/file.h"

#include <ctype.h>
#include <libconfig.h>
#include <stdio.h>

#define PROFILE_FILE_MAX (64u << 10)
#define TIMEOUT_MS_MIN   100
#define TIMEOUT_MS_MAX   600000

struct reading {
        const char *path;
        const config_setting_t *root;
        struct card_profile profile;
};

static int bad(const struct reading *reading, const config_setting_t *setting, const char *remedy)
{
        return fault(FAULT_BAD_FILE, "%s, line %u: %s: %s", reading->path,
                     config_setting_source_line(setting), config_setting_name(setting), remedy);
}

/* The setting, which must be there and of this type; NULL after a fault. */
static const config_setting_t *find(const struct reading *reading, const char *name, int type,
                                    int *ret_fault)
{
        const config_setting_t *setting = config_setting_get_member(reading->root, name);

        if (!setting)
                *ret_fault = fault(FAULT_BAD_FILE,
                                   "%s: `%s` is missing; see "
                                   "configs/cards/reference.conf",
                                   reading->path, name);
        else if (config_setting_type(setting) != type)
                *ret_fault = bad(reading, setting,
                                 type == CONFIG_TYPE_STRING ? "must be a text in quotes"
                                                            : "must be a whole number");
        else
                return setting;
        return NULL;
}

static int read_text(const struct reading *reading, const char *name, char *text, size_t capacity)
{
        int r = 0;
        const config_setting_t *setting = find(reading, name, CONFIG_TYPE_STRING, &r);

        if (!setting)
                return r;
        if (strlen(config_setting_get_string(setting)) >= capacity)
                return bad(reading, setting, "is too long");
        snprintf(text, capacity, "%s", config_setting_get_string(setting));
        return 0;
}

static int read_number(const struct reading *reading, const char *name, int low, int high,
                       int *ret_number)
{
        int r = 0;
        const config_setting_t *setting = find(reading, name, CONFIG_TYPE_INT, &r);
        char remedy[64];

        if (!setting)
                return r;
        *ret_number = config_setting_get_int(setting);
        if (*ret_number >= low && *ret_number <= high)
                return 0;
        snprintf(remedy, sizeof(remedy), "is %d, must be %d to %d", *ret_number, low, high);
        return bad(reading, setting, remedy);
}

static int read_byte(const struct reading *reading, const char *name, uint8_t *ret_byte)
{
        int number = 0;
        int r = read_number(reading, name, 0, 255, &number);

        *ret_byte = (uint8_t)number;
        return r;
}

/* "3B 8B 80": hexadecimal bytes, spaces between them as one likes. */
static int read_bytes(const struct reading *reading, const char *name, size_t least, uint8_t *bytes,
                      size_t capacity, size_t *ret_length)
{
        int r = 0;
        const config_setting_t *setting = find(reading, name, CONFIG_TYPE_STRING, &r);
        char digits[2 * 64 + 1];
        size_t count = 0;

        if (!setting)
                return r;
        for (const char *c = config_setting_get_string(setting); *c; c++) {
                if (isspace((unsigned char)*c))
                        continue;
                if (count == 2 * capacity)
                        return bad(reading, setting, "has too many bytes");
                digits[count++] = *c;
        }
        digits[count] = '\0';
        if (count % 2 || count < 2 * least || !hex_decode(digits, bytes, count / 2))
                return bad(reading, setting, "must be hexadecimal bytes, \"3B 8B 80\"");
        *ret_length = count / 2;
        return 0;
}

static int read_source(struct reading *reading)
{
        static const char *const names[] = { [SOURCE_REFERENCE] = "reference",
                                             [SOURCE_DOCUMENT] = "document",
                                             [SOURCE_SILICON] = "silicon" };
        char text[16];
        int r = read_text(reading, "source", text, sizeof(text));

        for (unsigned i = 0; i < LENGTH_OF(names) && r >= 0; i++) {
                if (strcmp(text, names[i]) == 0) {
                        reading->profile.source = (enum profile_source)i;
                        return 0;
                }
        }
        return r < 0 ? r
                     : bad(reading, config_setting_get_member(reading->root, "source"),
                           "must be \"reference\", \"document\" or \"silicon\"");
}

static int refuse_unknown(const struct reading *reading)
{
        static const char *const known[] = { "name",
                                             "source",
                                             "gap",
                                             "atr",
                                             "aid",
                                             "class",
                                             "instruction_info",
                                             "instruction_license",
                                             "instruction_personalize",
                                             "ceilings",
                                             "version_1_products",
                                             "timeout_ms" };

        for (int i = 0; i < config_setting_length(reading->root); i++) {
                const config_setting_t *setting =
                        config_setting_get_elem(reading->root, (unsigned)i);
                bool is_known = false;

                for (unsigned k = 0; k < LENGTH_OF(known); k++)
                        is_known |= strcmp(config_setting_name(setting), known[k]) == 0;
                if (!is_known)
                        return bad(reading, setting, "is not a setting of a card profile");
        }
        return 0;
}

/* --- what programming needs; may be absent ------------------------------------------------- */

/* { type = "SFI"; maximum = 10000; } */
static int read_ceiling(const struct reading *reading, const config_setting_t *row,
                        struct card_ceiling *ceiling)
{
        const char *type = NULL;
        int maximum = 0;

        if (!config_setting_is_group(row) || config_setting_length(row) != 2 ||
            !config_setting_lookup_string(row, "type", &type) ||
            !config_setting_lookup_int(row, "maximum", &maximum))
                return fault(FAULT_BAD_FILE,
                             "%s, line %u: ceilings: a row is { type = \"SFI\"; maximum = 1000; }",
                             reading->path, config_setting_source_line(row));
        if (!type[0] || strlen(type) >= sizeof(ceiling->type) || maximum < 1)
                return fault(FAULT_BAD_FILE,
                             "%s, line %u: ceilings: a type has 1 to 4 characters, a maximum is 1 "
                             "or more",
                             reading->path, config_setting_source_line(row));
        snprintf(ceiling->type, sizeof(ceiling->type), "%s", type);
        ceiling->maximum = (uint32_t)maximum;
        return 0;
}

static int read_ceilings(struct reading *reading)
{
        const config_setting_t *list = config_setting_get_member(reading->root, "ceilings");
        struct card_profile *profile = &reading->profile;
        int r = 0;

        if (!list)
                return 0;
        if (!config_setting_is_list(list) ||
            config_setting_length(list) > (int)LENGTH_OF(profile->ceilings))
                return bad(reading, list, "must be a list of at most 8 rows");
        profile->ceiling_count = (size_t)config_setting_length(list);
        for (unsigned i = 0; i < profile->ceiling_count && r >= 0; i++) {
                r = read_ceiling(reading, config_setting_get_elem(list, i), &profile->ceilings[i]);
                for (unsigned k = 0; k < i && r >= 0; k++)
                        if (strcmp(profile->ceilings[k].type, profile->ceilings[i].type) == 0)
                                r = bad(reading, list, "has a type twice");
        }
        return r;
}

static int read_products(struct reading *reading)
{
        const config_setting_t *list =
                config_setting_get_member(reading->root, "version_1_products");
        struct card_profile *profile = &reading->profile;

        if (!list)
                return 0;
        if (!config_setting_is_array(list) ||
            config_setting_length(list) > (int)LENGTH_OF(profile->version_1_products))
                return bad(reading, list, "must be an array of at most 16 texts");
        for (int i = 0; i < config_setting_length(list); i++) {
                const char *id = config_setting_get_string_elem(list, i);

                if (!id || strlen(id) != PRODUCT_ID_LENGTH ||
                    strspn(id, "0123456789ABCDEF") != PRODUCT_ID_LENGTH)
                        return bad(reading, list, "holds product ids, \"45002001\"");
                memcpy(profile->version_1_products[i], id, PRODUCT_ID_LENGTH + 1);
                profile->version_1_count++;
        }
        return 0;
}

static int read_programming(struct reading *reading)
{
        struct card_profile *profile = &reading->profile;
        int r = 0;

        if (config_setting_get_member(reading->root, "instruction_personalize")) {
                profile->can_personalize = true;
                r = read_byte(reading, "instruction_personalize",
                              &profile->instruction_personalize);
        }
        if (r >= 0)
                r = read_ceilings(reading);
        return r < 0 ? r : read_products(reading);
}

static int read_profile(struct reading *reading)
{
        struct card_profile *profile = &reading->profile;
        int timeout_ms = 0;
        int r = refuse_unknown(reading);

        if (r >= 0)
                r = read_text(reading, "name", profile->name, sizeof(profile->name));
        if (r >= 0)
                r = read_source(reading);
        if (r >= 0)
                r = read_text(reading, "gap", profile->gap, sizeof(profile->gap));
        /* Only a reference profile must name its card: without an ATR it could meet a real one. */
        if (r >= 0)
                r = read_bytes(reading, "atr", profile->source == SOURCE_REFERENCE ? 2 : 0,
                               profile->atr, sizeof(profile->atr), &profile->atr_length);
        /* An AID has 5 to 16 bytes (ISO/IEC 7816-4, 8.2.1.2). */
        if (r >= 0)
                r = read_bytes(reading, "aid", 5, profile->aid, sizeof(profile->aid),
                               &profile->aid_length);
        if (r >= 0)
                r = read_byte(reading, "class", &profile->class_byte);
        if (r >= 0)
                r = read_byte(reading, "instruction_info", &profile->instruction_info);
        if (r >= 0)
                r = read_byte(reading, "instruction_license", &profile->instruction_license);
        if (r >= 0)
                r = read_number(reading, "timeout_ms", TIMEOUT_MS_MIN, TIMEOUT_MS_MAX, &timeout_ms);
        profile->timeout_ms = (unsigned)timeout_ms;
        return r < 0 ? r : read_programming(reading);
}

int card_profile_load(const char *path, struct card_profile *ret_profile)
{
        CLEANUP(bytes_free) struct bytes text = { 0 };
        struct reading reading = { .path = path };
        config_t config;
        int r = file_read(path, PROFILE_FILE_MAX, &text);

        if (r < 0)
                return r;
        if (memchr(text.data, 0, text.length))
                return fault(FAULT_BAD_FILE, "%s is not a text file", path);
        config_init(&config);
        if (config_read_string(&config, (const char *)text.data)) {
                reading.root = config_root_setting(&config);
                r = read_profile(&reading);
        } else {
                r = fault(FAULT_BAD_FILE, "%s, line %d: %s", path, config_error_line(&config),
                          config_error_text(&config));
        }
        config_destroy(&config);
        if (r < 0)
                return r;
        *ret_profile = reading.profile;
        return 0;
}
