/*
 * What a change of option bytes is said to do, before it is done.
 */
#include "tests/support/test.h"

#include "station/commands/option_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct family family;
static struct option_fields fields;
static uint32_t before[OPTION_ROWS_MAX], after[OPTION_ROWS_MAX];
static struct option_changes changes;

static void load(const char *name)
{
        char path[96];

        snprintf(path, sizeof(path), "configs/targets/%s.conf", name);
        assert_int_equal(family_load(path, &family), 0);
        assert_int_equal(option_fields_load(path, &family, &fields), 0);
        for (size_t i = 0; i < family.option_count; i++)
                before[i] = after[i] = family.options[i].factory;
}

static void set(uint32_t *rows, const char *word)
{
        assert_int_equal(option_change_take(&fields, word, rows), 0);
}

static void compare(void)
{
        option_changes_make(&family, &fields, before, after, &changes);
}

/* Text as it is printed, in a static buffer. */
static const char *printed(void)
{
        static char text[4096];
        FILE *out = fmemopen(text, sizeof(text), "w");

        assert_non_null(out);
        option_changes_print(out, &changes);
        fclose(out);
        return text;
}

#define ON_FIBER(name)                                                                             \
        static int name##_body(void *unused);                                                      \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_body, NULL), 0);       \
                option_fields_free(&fields);                                                       \
        }                                                                                          \
        static int name##_body(void *unused)

ON_FIBER(a_plain_field_asks_nothing)
{
        (void)unused;
        load("stm32h75x");
        set(after, "IWDG1_SW=off");
        compare();
        assert_int_equal(changes.count, 1);
        assert_int_equal(changes.weight, CHANGE_PLAIN);
        assert_non_null(strstr(printed(), "IWDG1_SW           0x1 (on) -> 0x0 (off)"));
        return 0;
}

ON_FIBER(shutting_and_opening_a_part_are_grave)
{
        (void)unused;
        load("stm32h75x");
        set(after, "rdp=0xBB");
        compare();
        assert_int_equal(changes.weight, CHANGE_GRAVE);
        assert_non_null(strstr(printed(), "the way back erases its flash"));
        memcpy(before, after, sizeof(before));
        set(after, "RDP=level 0");
        compare();
        assert_int_equal(changes.weight, CHANGE_GRAVE);
        assert_non_null(strstr(printed(), "erases all of its flash"));
        return 0;
}

ON_FIBER(level_2_cannot_be_undone)
{
        (void)unused;
        load("stm32l462");
        set(after, "RDP=0xCC");
        set(after, "IWDG_SW=off");
        compare();
        assert_int_equal(changes.weight, CHANGE_FINAL);
        assert_non_null(strstr(printed(), "CANNOT BE UNDONE"));
        return 0;
}

ON_FIBER(a_product_state_without_a_key_cannot_be_undone)
{
        (void)unused;
        load("stm32h56x");
        set(after, "PRODUCT_STATE=0x17");
        compare();
        assert_int_equal(changes.weight, CHANGE_FINAL);
        assert_non_null(strstr(printed(), "debug-authentication"));
        return 0;
}

ON_FIBER(an_execute_only_area_is_grave_and_write_protection_is_not)
{
        (void)unused;
        load("stm32h75x");
        set(after, "PROT_AREA_A_START=0");
        set(after, "PROT_AREA_A_END=3");
        compare();
        assert_int_equal(changes.weight, CHANGE_GRAVE);
        memcpy(after, before, sizeof(after));
        set(after, "WRPS_A=0x0F");
        compare();
        assert_int_equal(changes.weight, CHANGE_PLAIN);
        return 0;
}

ON_FIBER(trustzone_is_grave_where_only_a_regression_takes_it_back)
{
        (void)unused;
        load("stm32u575");
        set(after, "TZEN=on");
        compare();
        assert_int_equal(changes.weight, CHANGE_GRAVE);
        return 0;
}

ON_FIBER(words_that_name_no_field_or_no_value_are_refused)
{
        (void)unused;
        load("stm32h75x");
        assert_fault(option_change_take(&fields, "RPD=0xBB", after), BAD_VALUE, "did you mean RDP");
        assert_fault(option_change_take(&fields, "RDP", after), BAD_VALUE, "NAME=VALUE");
        assert_fault(option_change_take(&fields, "=1", after), BAD_VALUE, "NAME=VALUE");
        assert_fault(option_change_take(&fields, "RDP=0x100", after), BAD_VALUE, "0 to 0xFF");
        assert_fault(option_change_take(&fields, "RDP=", after), BAD_VALUE, "RDP");
        assert_memory_equal(before, after, sizeof(after));
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plain_field_asks_nothing),
                cmocka_unit_test(shutting_and_opening_a_part_are_grave),
                cmocka_unit_test(level_2_cannot_be_undone),
                cmocka_unit_test(a_product_state_without_a_key_cannot_be_undone),
                cmocka_unit_test(an_execute_only_area_is_grave_and_write_protection_is_not),
                cmocka_unit_test(trustzone_is_grave_where_only_a_regression_takes_it_back),
                cmocka_unit_test(words_that_name_no_field_or_no_value_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
