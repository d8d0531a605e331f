#include "tests/support/test.h"

#include "station/commands/answer.h"

static void a_name_that_is_not_utf8_is_told_as_such(void **state)
{
        json_t *plain = answer_text("caf\xC3\xA9.sfi"), *other = answer_text("caf\xE9.sfi");

        (void)state;
        assert_string_equal(json_string_value(plain), "caf\xC3\xA9.sfi");
        assert_string_equal(json_string_value(other), "(not UTF-8)");
        json_decref(plain);
        json_decref(other);
}

static void an_answer_that_could_not_be_made_is_a_fault(void **state)
{
        (void)state;
        assert_fault(answer_json(json_pack("{s:s}", "file", "caf\xE9.sfi"), 0), SYSTEM,
                     "a name in it is not UTF-8");
}

static void an_answer_carries_its_exit_code(void **state)
{
        (void)state;
        assert_int_equal(answer_json(json_object(), 1), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_name_that_is_not_utf8_is_told_as_such),
                cmocka_unit_test(an_answer_that_could_not_be_made_is_a_fault),
                cmocka_unit_test(an_answer_carries_its_exit_code),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
