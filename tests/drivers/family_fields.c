/*
 * Option fields by role, on every family the tree ships.
 */
#include "tests/support/test.h"

#include "drivers/family_fields.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct family family;

static void factory(uint32_t *ret_options)
{
        for (size_t i = 0; i < family.option_count; i++)
                ret_options[i] = family.options[i].factory;
}

static void load(const char *name)
{
        char path[128];

        snprintf(path, sizeof(path), "configs/targets/stm32%s.conf", name);
        assert_int_equal(family_load(path, &family), 0);
}

static int every_family(void *unused)
{
        glob_t files;

        (void)unused;
        assert_int_equal(glob("configs/targets/stm32*.conf", 0, NULL, &files), 0);
        assert_int_equal(files.gl_pathc, 16);
        for (size_t i = 0; i < files.gl_pathc; i++) {
                uint32_t options[OPTION_ROWS_MAX];

                assert_int_equal(family_load(files.gl_pathv[i], &family), 0);
                factory(options);
                assert_true(family_is_open(&family, options));
                assert_false(family_is_secure(&family, options));
                assert_false(family_is_trustzone_on(&family, options));
                /* whatever has TrustZone has a secure alias, and the other way round */
                assert_int_equal(family_has_trustzone(&family), family.secure_alias != 0);
        }
        globfree(&files);
        return 0;
}

static void a_virgin_part_of_every_family_is_open_and_not_secure(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, every_family, NULL), 0);
}

static int levels(void *unused)
{
        uint32_t options[OPTION_ROWS_MAX];

        (void)unused;
        load("h56x");
        factory(options);
        assert_int_equal(family_protection(&family, options), 0xED);
        family_field_set(family_field(&family, ROLE_STATE), options, 0x17);
        assert_int_equal(family_protection(&family, options), 0x17);
        assert_false(family_is_open(&family, options));
        assert_int_equal(options[0], 0x2D3017F8);

        load("u575");
        factory(options);
        assert_true(family_field(&family, ROLE_READOUT)->has_half_level);
        options[0] = 0x9FEFF855;
        assert_int_equal(family_protection(&family, options), 0x55);
        assert_true(family_is_trustzone_on(&family, options));
        family_secure(&family, options); /* no SECURITY: nothing happens */
        assert_int_equal(options[0], 0x9FEFF855);

        load("wl5x");
        factory(options);
        options[8] &= ~(1u << 7); /* FSD: 0 is on */
        assert_true(family_is_secure(&family, options));

        load("h7a3");
        factory(options);
        family_secure(&family, options);
        assert_int_equal(options[0], 0x103EAAD0);
        assert_true(family_is_secure(&family, options));
        return 0;
}

static void levels_and_switches_are_found_by_role(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, levels, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_virgin_part_of_every_family_is_open_and_not_secure),
                cmocka_unit_test(levels_and_switches_are_found_by_role),
        };

        return cmocka_run_group_tests_name("family fields", tests, NULL, NULL);
}
