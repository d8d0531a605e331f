/*
 * settings_simulated.c - the station file's group `simulated`: the bench made of memory.
 */
#include "station/settings_parts.h"

#include "station/text.h"

#include <stdio.h>
#include <string.h>

#define ONCE_IN_MAX 1000000000
#define ONCE_IN     "(once in so many, 0 never)"

#define PLACE(name) offsetof(struct misfortune, name), 0, ONCE_IN_MAX, ONCE_IN, NULL, false
static int misfortune_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        static const struct key keys[] = {
                { "unplug", KIND_UNSIGNED, PLACE(unplug) },
                { "late_answer", KIND_UNSIGNED, PLACE(late_answer) },
                { "short_answer", KIND_UNSIGNED, PLACE(short_answer) },
                { "bit_flip", KIND_UNSIGNED, PLACE(bit_flip) },
                { "weak_word", KIND_UNSIGNED, PLACE(weak_word) },
                { "wrong_license", KIND_UNSIGNED, PLACE(wrong_license) },
                { "dead_card", KIND_UNSIGNED, PLACE(dead_card) },
                { "protected_part", KIND_UNSIGNED, PLACE(protected_part) },
                { "used_part", KIND_UNSIGNED, PLACE(used_part) },
                { "wrong_part", KIND_UNSIGNED, PLACE(wrong_part) },
                { "boot_pin", KIND_UNSIGNED, PLACE(boot_pin) },
        };
        struct settings_bench *bench = group;

        return tree_read_group(tree, setting, keys, LENGTH_OF(keys), &bench->misfortune);
}
#undef PLACE

/* Looked at again in check_sites, where it makes the sites. */
static int simulated_sites_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        static const struct key key = { .name = "sites",
                                        .kind = KIND_UNSIGNED,
                                        .low = 1,
                                        .high = SETTINGS_SITES_MAX,
                                        .wanted = "sites" };
        unsigned ignored;

        (void)group;
        return tree_read(tree, &key, setting, &ignored);
}

static int card_type_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        static const char *const types[] = { "SFI", "SFIA", "SMU" };
        struct settings_module_card *card = group;
        const char *text;
        int r = tree_text(tree, setting, &text);

        if (r < 0)
                return r;
        for (size_t i = 0; i < LENGTH_OF(types); i++)
                if (!strcmp(text, types[i])) {
                        strcpy(card->type, types[i]);
                        return 0;
                }
        return tree_refuse(tree, tree_line(setting),
                           "type is \"%.60s\", wanted \"SMU\", \"SFI\" or \"SFIA\"", text);
}

static int module_cards_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        static const struct key keys[] = {
                { "firmware_id", KIND_ASCII, offsetof(struct settings_module_card, firmware_id), 1,
                  33, "the card's firmware identifier, printable ASCII", NULL, true },
                { "type", KIND_OTHER, 0, 0, 0, "\"SMU\", \"SFI\" or \"SFIA\"", card_type_read,
                  true },
        };
        struct settings_bench *bench = group;
        int length = tree_elements(tree, setting, 1, SETTINGS_MODULE_CARDS_MAX), r;

        if (length < 0)
                return length;
        for (int i = 0; i < length; i++) {
                r = tree_read_group(tree, config_setting_get_elem(setting, (unsigned)i), keys,
                                    LENGTH_OF(keys), &bench->module_cards[i]);
                if (r < 0)
                        return r;
        }
        bench->module_card_count = (unsigned)length;
        return 0;
}

int settings_read_simulated(struct tree *tree, const config_setting_t *setting, void *group)
{
#define PLACE(member) offsetof(struct settings_bench, member)
        static const struct key keys[] = {
                { "sites", KIND_OTHER, 0, 0, 0, "", simulated_sites_read, false },
                { "boards", KIND_UNSIGNED, PLACE(boards), 0, 1000000, "boards", NULL, false },
                { "handling_ms", KIND_UNSIGNED, PLACE(handling_ms), 0, 600000, "milliseconds", NULL,
                  false },
                { "speed", KIND_REAL, PLACE(speed), 1, 100000, "times the real duration", NULL,
                  false },
                { "cards", KIND_UNSIGNED, PLACE(cards), 1, SETTINGS_READERS_MAX, "cards", NULL,
                  false },
                { "card_counter", KIND_UNSIGNED, PLACE(card_counter), 0, 1000000, "licenses", NULL,
                  false },
                { "key_file", KIND_PATH, PLACE(key_file), 1, 256,
                  "the file with the 16 bytes of the cards' key", NULL, true },
                { "nonce_file", KIND_PATH, PLACE(nonce_file), 1, 256,
                  "the file with the 12 bytes of the cards' nonce", NULL, true },
                { "firmware_id", KIND_ASCII, PLACE(firmware_id), 1, 33,
                  "the cards' firmware identifier, printable ASCII", NULL, true },
                { "module_cards", KIND_OTHER, 0, 0, 0, "", module_cards_read, false },
                { "license_ms_low", KIND_UNSIGNED, PLACE(license_ms_low), 0, 60000, "milliseconds",
                  NULL, false },
                { "license_ms_high", KIND_UNSIGNED, PLACE(license_ms_high), 0, 60000,
                  "milliseconds", NULL, false },
                { "directory", KIND_PATH, PLACE(directory), 0, 256, "a directory", NULL, false },
                { "misfortune", KIND_OTHER, 0, 0, 0, "", misfortune_read, false },
        };
#undef PLACE
        struct settings *settings = group;

        return tree_read_group(tree, setting, keys, LENGTH_OF(keys), &settings->bench);
}
