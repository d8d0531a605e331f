/*
 * Option fields by role, on every family the tree ships, and conditions that are refused.
 */
#include "tests/support/test.h"

#include "drivers/family_fields.h"
#include "drivers/target.h"

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
                struct target target = { .family = &family };

                assert_int_equal(family_load(files.gl_pathv[i], &family), 0);
                factory(options);
                assert_true(family_is_open(&family, options));
                assert_false(family_is_secure(&family, options));
                assert_false(family_is_trustzone_on(&family, options));
                assert_int_equal(target_check_unprotected(&target, options), 0);
                /* whatever has TrustZone has a secure alias, and the other way round */
                assert_int_equal(family_has_trustzone(&family), family.secure_alias != 0);
        }
        globfree(&files);
        return 0;
}

static void a_virgin_part_of_every_family_is_open_and_unprotected(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, every_family, NULL), 0);
}

static int protections(void *unused)
{
        static const struct {
                const char *family;
                unsigned row;
                uint32_t value;
                unsigned row_2;
                uint32_t value_2;
                const char *sentence; /* NULL: not protected */
        } cases[] = {
                { "h7a3", 5, 0xFFFFFFFE, 5, 0xFFFFFFFE, "bank 1 are write-protected" },
                { "h7a3", 6, 0x7FFFFFFF, 6, 0x7FFFFFFF, "cleared bit is 32 KiB" },
                { "h73x", 1, 0x00020001, 1, 0x00020001, "PCROP area 0x08000100 to 0x080002FF" },
                { "h73x", 4, 0, 4, 0, NULL }, /* the row of bank 2 is not kept */
                { "l462", 1, 0x10, 2, 0x1F, "PCROP area 0x08000080 to 0x080000FF" },
                { "l462", 3, 0x00020001, 3, 0x00020001,
                  "write-protected area 0x08000800 to 0x080017FF" },
                { "wl5x", 5, 0x01, 6, 0x02, "PCROP area 0x08000400 to 0x08000BFF" },
                { "wl5x", 0, 0x7FEFF0AA, 0, 0x7FEFF0AA, "BOOT_LOCK is set" },
                { "wl5x", 8, 0x80FF10FF, 8, 0x80FF10FF, "DDS is set" },
                { "l5", 4, 0x007F0000, 4, 0x007F0000, NULL }, /* TrustZone is off */
                { "l5", 4, 0x007F0000, 0, 0xFFEFF8AA, "secure flash 0x08000000 to 0x0803FFFF" },
                { "l5", 5, 0x80000000, 5, 0x80000000, NULL },
                { "l5", 5, 0x80000000, 0, 0xFFEFF8AA, "HDP1EN is set" },
                { "l5", 10, 0x00010001, 10, 0x00010001,
                  "write-protected area 0x08040800 to 0x08040FFF" },
                { "u575", 6, 0x00010000, 6, 0x00010000,
                  "write-protected area 0x08000000 to 0x08003FFF" },
                { "u575", 6, 0x7F80FFFF, 6, 0x7F80FFFF, NULL }, /* frozen, but nothing in it */
                { "u535", 8, 0x001F0010, 0, 0x9FEFF8AA, "secure flash 0x08060000 to 0x0807FFFF" },
                { "wba5x", 3, 0x0C00007D, 3, 0x0C00007D, "BOOT_LOCK is set" },
                { "h56x", 7, 0x00010000, 3, 0xB400007C, "secure flash 0x08000000 to 0x08003FFF" },
                { "h56x", 10, 0x00010001, 10, 0x00010001, "hidden area 0x08002000 to 0x08003FFF" },
                { "h56x", 4, 0x080000B4, 4, 0x080000B4, "NSBOOT_LOCK is set" },
                { "h52x", 12, 0x7FFFFFFF, 12, 0x7FFFFFFF, "bank 2 are write-protected" },
                { "h503", 5, 0xFE, 5, 0xFE, "cleared bit is 8 KiB" },
                { "h7rs", 4, 0x00FF0000, 4, 0x00FF0000, "hidden area 0x08000000 to 0x0800FFFF" },
                { "h7rs", 1, 0x6A00B46A, 1, 0x6A00B46A, "DBG_AUTH is set" },
        };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                uint32_t options[OPTION_ROWS_MAX];
                struct target target = { .family = &family };

                load(cases[i].family);
                factory(options);
                options[cases[i].row] = cases[i].value;
                options[cases[i].row_2] = cases[i].value_2;
                if (cases[i].sentence)
                        assert_fault(target_check_unprotected(&target, options), PROTECTED,
                                     cases[i].sentence);
                else
                        assert_int_equal(target_check_unprotected(&target, options), 0);
        }
        return 0;
}

static void each_protection_is_named_with_its_bounds(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, protections, NULL), 0);
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
                cmocka_unit_test(a_virgin_part_of_every_family_is_open_and_unprotected),
                cmocka_unit_test(each_protection_is_named_with_its_bounds),
                cmocka_unit_test(levels_and_switches_are_found_by_role),
        };

        return cmocka_run_group_tests_name("family fields", tests, NULL, NULL);
}
