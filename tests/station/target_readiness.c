/*
 * The conditions of an install, family by family: a virgin part meets all that can be met, and one that
 * is spoiled in one way fails in that line and says what was measured and wanted.
 */
#include "tests/drivers/bed.h"

#include "drivers/option_fields.h"
#include "station/commands/target_readiness.h"

#include <stdio.h>

static struct bed *bed;
static struct target_identity identity;
static struct option_fields fields;

struct setting {
        const char *field;
        uint32_t value;
};

/* A family, how its part is spoiled, and the one line that must then say no. */
struct spoiled {
        const char *file;
        struct setting settings[3];
        const char *line, *measured, *wanted;
};

static void begin(const char *file)
{
        char path[96];

        snprintf(path, sizeof(path), "configs/targets/stm32%s.conf", file);
        bed = bed_make_family(path);
        assert_int_equal(option_fields_load(path, &bed->family, &fields), 0);
}

static void end(void)
{
        option_fields_free(&fields);
        bed_free(bed);
}

static void set_field(const struct setting *setting)
{
        const struct option_field *field = option_fields_find(&fields, setting->field);
        uint32_t mask;

        assert_non_null(field);
        mask = option_field_mask(field);
        part_set_option(bed->part, field->row,
                        (part_options(bed->part)[field->row] & ~mask) |
                                (setting->value << field->low & mask));
}

static int measure(const struct readiness_request *how, struct readiness *ret_readiness)
{
        struct readiness_request request = *how;
        uint32_t options[OPTION_ROWS_MAX];

        assert_int_equal(target_attach(&bed->target, 24000), 0);
        assert_int_equal(target_identify(&bed->target, &identity), 0);
        assert_int_equal(target_read_options(&bed->target, options), 0);
        request.target = &bed->target;
        request.identity = &identity;
        request.options = options;
        return readiness_measure(&request, ret_readiness);
}

static const struct readiness_line *find_line(const struct readiness *readiness, const char *name)
{
        size_t i = 0;

        while (i < readiness->count && strcmp(readiness->lines[i].name, name) != 0)
                i++;
        if (i == readiness->count)
                fail_msg("there is no line '%s'", name);
        return &readiness->lines[i];
}

/* --- virgin parts -------------------------------------------------------------------------- */

static const char *const all[] = {
        "h75x", "h7a3", "h73x", "l462", "wl5x", "l5",    "u535",  "u575",
        "u59x", "u5fx", "h56x", "h52x", "h503", "wba5x", "wba6x", "h7rs"
};

/* Without an RSSe, a profile and (L462) a way in over SWD; nothing else may be in the way. */
static bool may_be_missing(const struct readiness_line *line)
{
        return strcmp(line->name, "RSSe") == 0 || strcmp(line->name, "RSS protocol") == 0 ||
               strcmp(line->name, "interface") == 0;
}

static int virgin_parts(void *unused)
{
        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(all); i++) {
                const struct readiness_request how = { .rss = NULL };
                struct readiness readiness;

                begin(all[i]);
                assert_int_equal(measure(&how, &readiness), 0);
                assert_true(readiness.count >= 4);
                for (size_t j = 0; j < readiness.count; j++) {
                        const struct readiness_line *line = &readiness.lines[j];

                        if (line->answer == READINESS_NO && !may_be_missing(line))
                                fail_msg("%s: %s: %s", all[i], line->name, line->measured);
                        assert_true(line->measured[0] != '\0');
                }
                assert_false(readiness_holds(&readiness)); /* no profile */
                end();
        }
        return 0;
}

static void a_virgin_part_of_every_family_lacks_only_what_was_not_given(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, virgin_parts, NULL), 0);
}

static int h7_with_profile(void *unused)
{
        struct readiness readiness;

        (void)unused;
        begin("h75x");
        assert_int_equal(
                measure(&(const struct readiness_request){ .rss = &bed->profile }, &readiness), 0);
        assert_true(readiness_holds(&readiness));
        end();
        return 0;
}

static void an_h7_with_its_profile_can_take_an_install(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, h7_with_profile, NULL), 0);
}

/* --- one condition violated ---------------------------------------------------------------- */

static const struct spoiled spoiled[] = {
        { "h75x", { { "RDP", 0xBB } }, "open", "RDP = 0xBB", "0xAA" },
        { "h75x",
          { { "PROT_AREA_A_START", 0 }, { "PROT_AREA_A_END", 1 } },
          "no PCROP area",
          "PCROP bank 1: 0x08000000 to 0x080001FF",
          "none" },
        { "h75x",
          { { "SEC_AREA_B_START", 2 }, { "SEC_AREA_B_END", 2 } },
          "no secure area",
          "secure area bank 2: 0x08100200 to 0x081002FF",
          "none" },
        { "h75x", { { "WRPS_B", 0xFE } }, "no write protection", "WRPS_B = 0xFE", "none" },
        { "h7a3", { { "RDP", 0x00 } }, "open", "RDP = 0x00", "0xAA" },
        { "h73x", { { "WRPS_A", 0x7F } }, "no write protection", "WRPS_A = 0x7F", "none" },
        { "l462", { { "RDP", 0xBB } }, "open", "RDP = 0xBB", "0xAA" },
        { "wl5x", { { "FSD", 0 } }, "security off", "FSD = 0x0", "off" },
        { "wl5x", { { "nSWBOOT0", 0 } }, "option bytes", "OPTR = 0x3BEFF0AA", "0x0F8F70AA" },
        { "l5", { { "TZEN", 1 } }, "security off", "TZEN = 0x1", "off" },
        { "u535", { { "TZEN", 1 } }, "security off", "TZEN = 0x1", "off" },
        { "u575",
          { { "WRP1A_START", 0 }, { "WRP1A_END", 0 } },
          "no write protection",
          "0x08000000 to 0x08001FFF",
          "none" },
        { "wba5x", { { "TZEN", 1 } }, "security off", "TZEN = 0x1", "off" },
        { "h56x", { { "PRODUCT_STATE", 0x17 } }, "open", "PRODUCT_STATE = 0x17", "0xED" },
        { "h56x", { { "WRPSGN1", 0xFFFFFFFE } }, "no write protection", "0xFFFFFFFE", "none" },
};

static int check_spoiled(void *subject)
{
        const struct spoiled *how = subject;
        const struct readiness_line *line;
        struct readiness readiness;

        begin(how->file);
        for (size_t i = 0; i < LENGTH_OF(how->settings) && how->settings[i].field; i++)
                set_field(&how->settings[i]);
        assert_int_equal(measure(&(const struct readiness_request){ .rss = NULL }, &readiness), 0);
        line = find_line(&readiness, how->line);
        if (line->answer != READINESS_NO || !strstr(line->measured, how->measured) ||
            !strstr(line->wanted, how->wanted))
                fail_msg("%s, %s: %s, measured '%s', wanted '%s'", how->file, how->line,
                         readiness_word(line->answer), line->measured, line->wanted);
        assert_false(readiness_holds(&readiness));
        end();
        return 0;
}

static void each_violated_condition_is_its_line_with_both_values(void **state)
{
        (void)state;
        for (size_t i = 0; i < LENGTH_OF(spoiled); i++)
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, check_spoiled,
                                               (void *)(uintptr_t)&spoiled[i]),
                                 0);
}

static int used_flash(void *unused)
{
        static const uint8_t byte = 0x5A;
        const struct readiness_request all_of_it = { .rss = NULL };
        const struct readiness_request range = { .range = { 0x08000000, 0x2000 } };
        struct readiness readiness;

        (void)unused;
        begin("wba5x");
        part_fill_flash(bed->part, 0x08010005, &byte, 1);
        assert_int_equal(measure(&all_of_it, &readiness), 0);
        assert_int_equal(find_line(&readiness, "flash erased")->answer, READINESS_NO);
        assert_non_null(
                strstr(find_line(&readiness, "flash erased")->measured, "0x08010005 holds 0x5A"));
        assert_int_equal(measure(&range, &readiness), 0);
        assert_int_equal(find_line(&readiness, "flash erased")->answer, READINESS_OK);
        end();
        return 0;
}

/* SFIA writes beside what is there (AN5054 section 8.1). */
static void used_flash_is_named_by_its_first_byte_and_a_range_looks_no_further(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, used_flash, NULL), 0);
}

static int low_boot_pin(void *unused)
{
        struct readiness readiness;

        (void)unused;
        begin("h75x");
        bed_power(bed, false);
        part_set_boot_pin(bed->part, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(
                measure(&(const struct readiness_request){ .rss = &bed->profile }, &readiness), 0);
        assert_int_equal(find_line(&readiness, "boot")->answer, READINESS_NO);
        assert_non_null(strstr(find_line(&readiness, "boot")->measured, "not in system memory"));
        end();
        return 0;
}

static void a_low_boot_pin_is_seen(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, low_boot_pin, NULL), 0);
}

static int external_conditions(void *unused)
{
        const struct readiness_request how = { .is_external = true, .rsse = "rsse.bin" };
        struct readiness readiness;

        (void)unused;
        begin("l5");
        set_field(&(const struct setting){ "nSWBOOT0", 0 });
        assert_int_equal(measure(&how, &readiness), 0);
        assert_int_equal(find_line(&readiness, "RSSe")->answer, READINESS_OK);
        assert_int_equal(find_line(&readiness, "OTFDEC")->answer, READINESS_OK);
        assert_int_equal(find_line(&readiness, "boot fields")->answer, READINESS_NO);
        assert_non_null(strstr(find_line(&readiness, "boot fields")->measured, "nSWBOOT0 = 0"));
        end();
        begin("h7rs");
        assert_int_equal(measure(&how, &readiness), 0);
        assert_int_equal(find_line(&readiness, "services firmware")->answer, READINESS_UNKNOWN);
        end();
        begin("h503");
        assert_int_equal(measure(&how, &readiness), 0);
        assert_int_equal(find_line(&readiness, "OTFDEC")->answer, READINESS_NO);
        end();
        return 0;
}

static void an_external_install_has_conditions_of_its_own(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, external_conditions, NULL), 0);
}

static int broken_connection(void *unused)
{
        uint32_t options[OPTION_ROWS_MAX] = { 0 };
        struct readiness_request how = { .identity = &identity, .options = options };
        struct readiness readiness = { .count = 99 };

        (void)unused;
        begin("h75x");
        assert_int_equal(target_attach(&bed->target, 24000), 0);
        assert_int_equal(target_identify(&bed->target, &identity), 0);
        how.target = &bed->target;
        bed_power(bed, false);
        assert_true(readiness_measure(&how, &readiness) < 0);
        assert_int_equal(readiness.count, 99);
        end();
        return 0;
}

static void a_broken_connection_is_a_fault_and_no_answer(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, broken_connection, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_virgin_part_of_every_family_lacks_only_what_was_not_given),
                cmocka_unit_test(an_h7_with_its_profile_can_take_an_install),
                cmocka_unit_test(each_violated_condition_is_its_line_with_both_values),
                cmocka_unit_test(
                        used_flash_is_named_by_its_first_byte_and_a_range_looks_no_further),
                cmocka_unit_test(a_low_boot_pin_is_seen),
                cmocka_unit_test(an_external_install_has_conditions_of_its_own),
                cmocka_unit_test(a_broken_connection_is_a_fault_and_no_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
