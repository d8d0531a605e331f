/*
 * Conditions of an install, all of them on a part, as lines and as the first refusal: both values are
 * there, and the part is as before.
 */
#include "tests/drivers/bed.h"

#include "drivers/preflight.h"

#include <stdio.h>

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_on_fiber, NULL), 0);   \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

static struct bed *bed_of(const char *family, const char *rss)
{
        struct bed *bed;
        char family_file[64], rss_file[64];

        snprintf(family_file, sizeof(family_file), "configs/targets/%s.conf", family);
        snprintf(rss_file, sizeof(rss_file), "configs/rss/%s.conf", rss);
        bed = bed_make_as(family_file, rss_file, NULL);
        assert_int_equal(target_attach(&bed->target, 24000), 0);
        return bed;
}

static void look(struct bed *bed, struct preflight *ret_preflight)
{
        uint32_t options[OPTION_ROWS_MAX];

        assert_int_equal(target_read_options(&bed->target, options), 0);
        assert_int_equal(preflight_look(&bed->target, options, &bed->profile, ret_preflight), 0);
}

static int check(struct bed *bed)
{
        uint32_t options[OPTION_ROWS_MAX];

        assert_int_equal(target_read_options(&bed->target, options), 0);
        return preflight_check(&bed->target, options, &bed->profile);
}

static const struct preflight_line *line_of(const struct preflight *preflight,
                                            const char *condition)
{
        size_t i = 0;

        while (i < preflight->count && strcmp(preflight->lines[i].condition, condition) != 0)
                i++;
        INSIST(i < preflight->count);
        return &preflight->lines[i];
}

static void assert_line(const struct preflight *preflight, const char *condition,
                        const char *measured, const char *wanted, enum fault fault)
{
        const struct preflight_line *line = line_of(preflight, condition);

        assert_string_equal(line->measured, measured);
        assert_string_equal(line->wanted, wanted);
        assert_int_equal(line->fault, fault);
        assert_int_equal(line->sentence[0] != '\0', fault != FAULT_NONE);
        if (fault != FAULT_NONE && !strstr(line->sentence, measured))
                fail_msg("\"%s\" does not say \"%s\"", line->sentence, measured);
}

FIBER_TEST(a_virgin_part_meets_all_and_each_line_has_both_values)
{
        static const char *const files[][2] = { { "stm32h75x", "reference-h7" },
                                                { "stm32u575", "reference-u5" },
                                                { "stm32wl5x", "reference-wl5" },
                                                { "stm32h56x", "reference-h5" },
                                                { "stm32h7rs", "reference-h7rs" } };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(files); i++) {
                struct bed *bed = bed_of(files[i][0], files[i][1]);
                struct preflight preflight;

                look(bed, &preflight);
                assert_in_range(preflight.count, 4, PREFLIGHT_LINES);
                for (size_t j = 0; j < preflight.count; j++) {
                        assert_int_equal(preflight.lines[j].fault, FAULT_NONE);
                        assert_true(preflight.lines[j].measured[0] && preflight.lines[j].wanted[0]);
                }
                assert_int_equal(check(bed), 0);
                bed_free(bed);
        }
        return 0;
}

FIBER_TEST(every_condition_that_does_not_hold_is_a_line_of_its_own)
{
        struct bed *bed = bed_of("stm32u575", "reference-u5");
        uint32_t *options = (uint32_t *)(uintptr_t)part_options(bed->part);
        struct preflight preflight;

        (void)unused;
        family_field_set(family_field(&bed->family, ROLE_TRUSTZONE), options, 1);
        family_field_set(family_field(&bed->family, ROLE_READOUT), options, 0x55);
        part_set_boot_pin(bed->part, false);
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_attach(&bed->target, 24000), 0);
        look(bed, &preflight);
        assert_line(&preflight, "read-out protection", "0x55 (level 0.5)", "0xAA (level 0)",
                    FAULT_LOCKED);
        assert_line(&preflight, "TrustZone", "on (TZEN 0x1, OPTR 0x9FEFF855)", "off",
                    FAULT_PROTECTED);
        assert_int_equal(line_of(&preflight, "where the core runs")->fault, FAULT_BOOT_PIN);
        assert_line(&preflight, "RSS profile", "reference-u5", "a profile for this part",
                    FAULT_NONE);
        assert_fault(check(bed), LOCKED, "read-out protection is 0x55 (level 0.5), wanted 0xAA");
        bed_free(bed);
        return 0;
}

FIBER_TEST(product_states_and_defaults_are_named)
{
        struct bed *bed = bed_of("stm32h56x", "reference-h5");
        struct preflight preflight;

        (void)unused;
        part_set_protection(bed->part, 0x17);
        look(bed, &preflight);
        assert_line(&preflight, "product state", "0x17 (provisioning)", "0xED (open)",
                    FAULT_LOCKED);
        bed_free(bed);
        bed = bed_of("stm32wl5x", "reference-wl5");
        ((uint32_t *)(uintptr_t)part_options(bed->part))[0] ^= 1u << 9; /* BOR_LEV */
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_attach(&bed->target, 24000), 0);
        look(bed, &preflight);
        assert_line(&preflight, "option bytes", "OPTR 0x0F8F72AA", "OPTR 0x0F8F70AA",
                    FAULT_OPTION_BYTES);
        bed_free(bed);
        return 0;
}

/* Where the core runs matters to the reference protocol of an RSSe family, not to the family. */
FIBER_TEST(without_a_profile_only_the_family_is_asked)
{
        struct bed *bed = bed_of("stm32u575", "reference-u5");
        uint32_t options[OPTION_ROWS_MAX];
        struct rss_profile other;
        struct preflight preflight;

        (void)unused;
        part_set_boot_pin(bed->part, false);
        assert_int_equal(target_reset(&bed->target, 1000), 0);
        assert_int_equal(target_read_options(&bed->target, options), 0);
        assert_int_equal(preflight_check(&bed->target, options, NULL), 0);
        assert_int_equal(preflight_look(&bed->target, options, NULL, &preflight), 0);
        assert_int_equal(preflight.count, 3);
        assert_fault(preflight_check(&bed->target, options, &bed->profile), BOOT_PIN, "BOOT0");
        other = bed->profile; /* the part carries its own marker */
        other.marker_address += 4;
        part_set_boot_pin(bed->part, true);
        assert_int_equal(target_reset(&bed->target, 1000), 0);
        assert_fault(preflight_check(&bed->target, options, &other), REFERENCE_ONLY,
                     "reference-u5");
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_part_that_cannot_be_asked_has_not_met_the_condition)
{
        struct bed *bed = bed_of("stm32h75x", "reference-h7");
        uint32_t options[OPTION_ROWS_MAX];
        struct preflight preflight;

        (void)unused;
        assert_int_equal(target_read_options(&bed->target, options), 0);
        bed_power(bed, false);
        assert_int_equal(preflight_look(&bed->target, options, NULL, &preflight), 0);
        assert_int_equal(line_of(&preflight, "where the core runs")->fault, FAULT_TARGET_LOST);
        assert_int_equal(line_of(&preflight, "read-out protection")->fault, FAULT_NONE);
        assert_fault(preflight_check(&bed->target, options, NULL), TARGET_LOST, NULL);
        bed_free(bed);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_virgin_part_meets_all_and_each_line_has_both_values),
                cmocka_unit_test(every_condition_that_does_not_hold_is_a_line_of_its_own),
                cmocka_unit_test(product_states_and_defaults_are_named),
                cmocka_unit_test(without_a_profile_only_the_family_is_asked),
                cmocka_unit_test(a_part_that_cannot_be_asked_has_not_met_the_condition),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
