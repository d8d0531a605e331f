/*
 * What the lint says of option bytes: families of the tree, a field set, and what must be told.
 */
#include "tests/support/chain.h"
#include "tests/support/test.h"

#include "drivers/family_fields.h"
#include "station/commands/image_lint.h"

#include <string.h>

static const struct lint_case {
        const char *family, *field; /* field NULL: a virgin part's values */
        uint32_t value;
        enum lint_kind kind; /* of the line that says `text` */
        const char *text;
} cases[] = {
        { "stm32h75x", NULL, 0, LINT_WARNING, "level 0: anyone with a probe can read" },
        { "stm32h75x", NULL, 0, LINT_FACT, "it stays open" },
        { "stm32h75x", "RDP", 0xBB, LINT_FACT, "level 1" },
        { "stm32h75x", "RDP", 0xBB, LINT_FACT, "possible, and it erases" },
        { "stm32h75x", "RDP", 0xCC, LINT_REFUSAL, "level 2" },
        { "stm32h75x", "SECURITY", 1, LINT_FACT, "on (SECURITY = 0x1)" },
        { "stm32h75x", "BOOT_ADD0", 0x0810, LINT_FACT, "0x08100000 (BOOT_ADD0" },
        { "stm32h75x", "WRPS_A", 0xFC, LINT_FACT, "2 of 8 pieces, mask 0x3" },
        { "stm32h75x", "PROT_AREA_A_START", 0, LINT_FACT, "0x08000000..0x080000FF" },
        { "stm32h73x", "RDP", 0xCC, LINT_REFUSAL, "level 2" },
        { "stm32h73x", NULL, 0, LINT_WARNING, "make the image with -hash 1" },
        { "stm32l5", "RDP", 0x55, LINT_FACT, "level 0.5" },
        { "stm32l5", "RDP", 0xCC, LINT_REFUSAL, "level 2" },
        { "stm32l5", "TZEN", 1, LINT_FACT, "on (TZEN = 0x1)" },
        { "stm32l5", "SECWM1_START", 0, LINT_FACT, "0x0C000000..0x0C0007FF" },
        { "stm32l5", NULL, 0, LINT_WARNING, "order of the rows of STM32L5 is not public" },
        { "stm32u575", "RDP", 0xCC, LINT_REFUSAL, "only an OEM2 key" },
        { "stm32u575", "BOOT_LOCK", 1, LINT_FACT, "cleared only by an RDP regression" },
        { "stm32wba5x", "RDP", 0xCC, LINT_REFUSAL, "level 2" },
        { "stm32wl5x", "FSD", 0, LINT_FACT, "on (FSD = 0x0)" },
        { "stm32h56x", "PRODUCT_STATE", 0x5C, LINT_REFUSAL, "locked: nothing leads back" },
        { "stm32h56x", "PRODUCT_STATE", 0x72, LINT_REFUSAL, "no .obk for it" },
        { "stm32h56x", "TZEN", 0xB4, LINT_FACT, "on (TZEN = 0xB4)" },
        { "stm32h7rs", "DBG_AUTH", 0xB4, LINT_REFUSAL, "nobody opens the part again" },
        { "stm32h56x", "PRODUCT_STATE", 0x72, LINT_REFUSAL, "in the image, which closes the part" },
        { "stm32h503", "PRODUCT_STATE", 0x5C, LINT_REFUSAL, "locked" },
        { "stm32h503", "PRODUCT_STATE", 0x72, LINT_REFUSAL,
          "password that opens it again is in its OTP" },
        { "stm32h503", "PRODUCT_STATE", 0x72, LINT_FACT, "only with the password in its OTP" },
};

static void load(const char *name, struct chosen_family *chosen)
{
        struct family_choice choice = { .family = name };

        assert_int_equal(family_choose(&choice, chosen), 0);
}

static size_t make_rows(const struct chosen_family *chosen, const struct lint_case *lint_case,
                        uint8_t *rows)
{
        struct option_fields fields CLEANUP(option_fields_free) = { 0 };
        const struct option_field *field;

        assert_int_equal(option_fields_load(chosen->path, &chosen->family, &fields), 0);
        for (size_t i = 0; i < chosen->family.option_count; i++)
                store_le32(rows + 4 * i, chosen->family.options[i].factory);
        if (lint_case->field) {
                field = option_fields_find(&fields, lint_case->field);
                assert_non_null(field);
                store_le32(rows + 4 * field->row,
                           (load_le32(rows + 4 * field->row) & ~option_field_mask(field)) |
                                   lint_case->value << field->low);
        }
        return 4 * chosen->family.option_count;
}

static bool tells(const struct image_lint *lint, enum lint_kind kind, const char *text)
{
        for (size_t i = 0; i < lint->count; i++)
                if (lint->lines[i].kind == kind && strstr(lint->lines[i].text, text))
                        return true;
        return false;
}

static int all_cases(void *unused)
{
        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct image_lint lint CLEANUP(image_lint_free) = { 0 };
                uint8_t rows[4 * OPTION_ROWS_MAX];
                struct chosen_family chosen;
                struct sfi_plain_area area = { .type = SFI_CONFIGURATION, .data = rows };

                load(cases[i].family, &chosen);
                area.length = make_rows(&chosen, &cases[i], rows);
                assert_int_equal(image_lint_make(&chosen, &area, 1, &lint), 0);
                if (!tells(&lint, cases[i].kind, cases[i].text)) {
                        print_error("# %s %s: wanted %s\n", cases[i].family,
                                    cases[i].field ? cases[i].field : "-", cases[i].text);
                        image_lint_print(stderr, &lint);
                        fail();
                }
                assert_int_equal(lint.refusals > 0, cases[i].kind == LINT_REFUSAL ||
                                                            chosen.family.has_lock_out ||
                                                            strstr(cases[i].text, "OTP"));
        }
        return 0;
}

static void what_values_do_is_told_and_the_final_refused(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, all_cases, NULL), 0);
}

/* Areas C and O of an H5 that closes, TrustZone on or off, with a permission that leads back or not. */
static int openers(void *unused)
{
        static const struct {
                bool has_trustzone;
                uint16_t permissions;
                enum lint_kind kind;
                const char *text;
        } wanted[] = {
                { true, 0x5077, LINT_FACT,
                  "must hold a root key: with a password the part is closed" },
                { true, 0x5077, LINT_FACT, "its .obk is in the image" },
                { true, 0x1077, LINT_REFUSAL, "its permission lacks bit 14" },
                { true, 0x1077, LINT_FACT, "not possible" },
                { false, 0x1077, LINT_FACT,
                  "must hold a password: with a root key the part is closed" },
        };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(wanted); i++) {
                struct image_lint lint CLEANUP(image_lint_free) = { 0 };
                struct bytes obk =
                        test_credential(0x0FFD0100, "anything", 8, wanted[i].permissions);
                uint8_t rows[4 * OPTION_ROWS_MAX];
                struct lint_case state = { .field = "PRODUCT_STATE", .value = 0x72 };
                struct sfi_plain_area areas[] = {
                        { .type = SFI_OPTION_KEY_REFERENCE,
                          .data = obk.data,
                          .length = obk.length },
                        { .type = SFI_CONFIGURATION, .data = rows },
                };
                struct chosen_family chosen;
                const struct family_field *trustzone;

                load("stm32h56x", &chosen);
                areas[1].length = make_rows(&chosen, &state, rows);
                trustzone = family_field(&chosen.family, ROLE_TRUSTZONE);
                rows[4 * trustzone->row + 3] = wanted[i].has_trustzone ? 0xB4 : 0xC3;
                assert_int_equal(image_lint_make(&chosen, areas, LENGTH_OF(areas), &lint), 0);
                if (!tells(&lint, wanted[i].kind, wanted[i].text))
                        image_lint_print(stderr, &lint);
                assert_true(tells(&lint, wanted[i].kind, wanted[i].text));
                bytes_free(&obk);
        }
        return 0;
}

static void a_credential_that_leads_nowhere_is_told_before(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, openers, NULL), 0);
}

static int odd_images(void *unused)
{
        struct image_lint lint CLEANUP(image_lint_free) = { 0 };
        static uint8_t words[8];
        struct sfi_plain_area areas[] = {
                { .type = SFI_CONFIGURATION, .data = words, .length = 8 },
                { .type = SFI_FIRMWARE, .address = 0x20000000, .data = words, .length = 8 },
                { .type = SFI_EXTERNAL, .address = 0x90000000, .data = words, .length = 8 },
                { .type = SFI_OPTION_KEY_REFERENCE, .data = words, .length = 8 },
        };
        struct chosen_family chosen;

        (void)unused;
        load("stm32h75x", &chosen);
        assert_int_equal(image_lint_make(&chosen, areas, LENGTH_OF(areas), &lint), 0);
        assert_true(tells(&lint, LINT_WARNING, "2 rows where 9 are known"));
        assert_true(tells(&lint, LINT_WARNING, "0x20000000 are not in the flash"));
        assert_true(tells(&lint, LINT_WARNING, "no .obk file"));
        image_lint_free(&lint);
        assert_int_equal(image_lint_make(&chosen, areas + 1, 1, &lint), 0);
        assert_true(tells(&lint, LINT_WARNING, "none in the image"));
        assert_true(tells(&lint, LINT_FACT, "depends on what the part has"));
        return 0;
}

static void an_image_that_is_odd_is_told_so(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, odd_images, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_values_do_is_told_and_the_final_refused),
                cmocka_unit_test(a_credential_that_leads_nowhere_is_told_before),
                cmocka_unit_test(an_image_that_is_odd_is_told_so),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
