/*
 * The table of faults and the sentences they leave.
 */
#include "tests/support/test.h"

#include "scheduler/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void a_fault_returns_its_negative_code_and_keeps_the_sentence(void **state)
{
        int r = fault(FAULT_LOCKED, "protection level is %u, expected %u", 2u, 0u);

        (void)state;
        assert_int_equal(r, -(int)FAULT_LOCKED);
        assert_string_equal(fault_sentence(r), "protection level is 2, expected 0");
        assert_string_equal(fault_name(r), "LOCKED");
        assert_int_equal(fault_disposition(r), REJECT_UNIT);
        assert_int_equal(fault_blame(r), BLAME_UNIT);
}

static void an_empty_format_leaves_the_tables_sentence(void **state)
{
        int r = fault(FAULT_TIMEOUT, "");

        (void)state;
        assert_string_equal(fault_sentence(r), "no answer in time");
        assert_string_equal(fault_sentence(fault_prefix(r, "probe %d", 3)),
                            "probe 3: no answer in time");
}

static void a_sentence_belongs_to_its_code_only(void **state)
{
        (void)state;
        IGNORE(fault(FAULT_LOCKED, "of another"));
        assert_string_equal(fault_sentence(-FAULT_TIMEOUT), "no answer in time");
        assert_string_equal(fault_sentence(-FAULT_LOCKED), "of another");
        assert_string_equal(fault_name(0), "NONE");
        assert_string_equal(fault_name(12), "NONE");
}

static void a_sentence_may_be_made_from_the_one_before(void **state)
{
        int r = fault(FAULT_LOCKED, "level %d", 1);

        (void)state;
        r = fault(FAULT_TARGET_ACCESS, "first (%s), then worse", fault_sentence(r));
        assert_string_equal(fault_sentence(r), "first (level 1), then worse");
        assert_int_equal(fault_prefix(r, "again (%s)", fault_sentence(r)), r);
        assert_string_equal(fault_sentence(r),
                            "again (first (level 1), then worse): first (level 1), then worse");
}

static void prefixes_pile_up_and_leave_success_alone(void **state)
{
        int r = fault(FAULT_FLASH, "word 0x%x", 0x8000000);

        (void)state;
        r = fault_prefix(r, "area %d", 2);
        r = fault_prefix(r, "site 1");
        assert_string_equal(fault_sentence(r), "site 1: area 2: word 0x8000000");
        assert_int_equal(fault_prefix(5, "not used"), 5);
        assert_string_equal(fault_sentence(r), "site 1: area 2: word 0x8000000");
}

static void a_long_sentence_is_cut_at_511_characters(void **state)
{
        char many[600];
        int r;

        (void)state;
        memset(many, 'x', sizeof(many) - 1);
        many[sizeof(many) - 1] = '\0';
        r = fault(FAULT_BAD_FILE, "%s", many);
        assert_int_equal(strlen(fault_sentence(r)), 511);
        r = fault_prefix(r, "a prefix");
        assert_int_equal(strlen(fault_sentence(r)), 511);
        assert_memory_equal(fault_sentence(r), "a prefix: xxx", 13);
        r = fault_prefix(r, "%s", many);
        assert_int_equal(strlen(fault_sentence(r)), 511);
        r = fault_errno(EIO, "%s", many);
        assert_int_equal(strlen(fault_sentence(r)), 511);
        r = fault(FAULT_BAD_FILE, "%.509s", many);
        assert_int_equal(strlen(fault_sentence(fault_prefix(r, "y"))), 511);
}

static void errno_is_translated_where_it_enters(void **state)
{
        (void)state;
        assert_fault(fault_errno(ENOENT, "order.yaml"), NOT_FOUND,
                     "order.yaml: No such file or directory");
        assert_fault(fault_errno(ENODEV, "probe"), UNPLUGGED, "probe: No such device");
        assert_fault(fault_errno(EIO, "disk"), SYSTEM, "disk: Input/output error");
        assert_fault(fault_errno(-EIO, ""), SYSTEM, "Input/output error");
        assert_fault(fault_errno(100000, "odd"), SYSTEM, "odd: error 100000");
}

static void a_sentence_is_one_line_of_utf8_whatever_came_in(void **state)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "two\nlines\tand \x1b[31m", "two?lines?and ?[31m" },
                { "sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x94\x91",
                  "sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x94\x91" },
                { "cut \xe2\x82", "cut ??" },
                { "alone \xbf \xff", "alone ? ?" },
                { "overlong \xc0\xaf \xe0\x80\x80 \xf0\x80\x80\x80", "overlong ?? ??? ????" },
                { "surrogate \xed\xa0\x80", "surrogate ???" },
                { "too high \xf4\x90\x80\x80", "too high ????" },
                { "c1 \xc2\x85", "c1 ??" },
                { "del \x7f", "del ?" },
        };
        char many[600];

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(cases); i++)
                assert_string_equal(fault_sentence(fault(FAULT_BAD_FILE, "%s", cases[i].in)),
                                    cases[i].out);
        /* the cut itself goes through the middle of a character */
        for (unsigned i = 0; i + 2 < sizeof(many); i += 2)
                memcpy(many + i, "\xc3\xb6", 2);
        many[598] = '\0';
        assert_string_equal(fault_sentence(fault(FAULT_BAD_FILE, "%s", many)) + 508, "\xc3\xb6?");
}

static void every_fault_has_a_name_and_a_sentence(void **state)
{
        (void)state;
        for (int code = 1; code < FAULT_COUNT; code++) {
                assert_true(strlen(fault_name(-code)) > 2);
                assert_true(strlen(fault_sentence(-code)) > 5);
                assert_true(fault_disposition(-code) <= STOP_LINE);
                assert_true(fault_blame(-code) <= BLAME_NOBODY);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_fault_returns_its_negative_code_and_keeps_the_sentence),
                cmocka_unit_test(an_empty_format_leaves_the_tables_sentence),
                cmocka_unit_test(a_sentence_belongs_to_its_code_only),
                cmocka_unit_test(a_sentence_may_be_made_from_the_one_before),
                cmocka_unit_test(prefixes_pile_up_and_leave_success_alone),
                cmocka_unit_test(a_long_sentence_is_cut_at_511_characters),
                cmocka_unit_test(errno_is_translated_where_it_enters),
                cmocka_unit_test(a_sentence_is_one_line_of_utf8_whatever_came_in),
                cmocka_unit_test(every_fault_has_a_name_and_a_sentence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
