/* Which of pcscd's readers a name means. */
#include "tests/support/test.h"

#include "drivers/pcsc_name.h"
#include "scheduler/bytes.h"

#include <string.h>

static const char three[] = "ACS ACR39U ICC Reader 00 00\0ACS ACR39U ICC Reader 01 00\0"
                            "Gemalto PC Twin Reader (7A) 00 00\0";

static void a_name_is_whole_a_start_or_a_slot(void **state)
{
        static const struct {
                const char *wanted, *found;
        } cases[] = {
                { "1", "ACS ACR39U ICC Reader 00 00" },
                { "3", "Gemalto PC Twin Reader (7A) 00 00" },
                { "Gem", "Gemalto PC Twin Reader (7A) 00 00" },
                { "ACS ACR39U ICC Reader 01 00", "ACS ACR39U ICC Reader 01 00" },
                { "ACS", NULL }, /* two of them */
                { "0", NULL },
                { "4", NULL },
                { "18446744073709551617", NULL },
                { "-1", NULL },
                { "", NULL },
                { "PC Twin", NULL },
        };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(cases); i++) {
                const char *found = pcsc_name_find(three, cases[i].wanted);

                if (cases[i].found)
                        assert_string_equal(found, cases[i].found);
                else
                        assert_null(found);
        }
        assert_null(pcsc_name_find("", "1"));
        assert_null(pcsc_name_match(three, "1"));
        assert_string_equal(pcsc_name_match("1\0", "1"), "1");
}

static void one_model_differs_in_its_number_only(void **state)
{
        static const struct {
                const char *a, *b;
                bool is_same;
        } cases[] = {
                { "ACS ACR39U 00 00", "ACS ACR39U 0A 00", true },
                { "ACS ACR39U 00 00", "ACS ACR39U 00 01", false }, /* another slot */
                { "Twin (7A) 00 00", "Twin (7B) 00 00", false },   /* another serial number */
                { "ACS ACR39U 00 00", "ACS ACR38U 00 00", false },
                { "ACS ACR39U 00 00", "ACS ACR39 00 00", false },
                { "ACS ACR39U", "ACS ACR39U", false }, /* no number to differ in */
                { "ACS ACR39U zz 00", "ACS ACR39U zz 00", false },
                { " 00 00", " 01 00", false },
                { "", "", false },
        };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(cases); i++)
                assert_int_equal(pcsc_name_is_same_model(cases[i].a, cases[i].b), cases[i].is_same);
}

static void those_present_are_listed_and_cut(void **state)
{
        char text[64];

        (void)state;
        pcsc_name_list("", text, sizeof(text));
        assert_string_equal(text, "none, plug one in");
        pcsc_name_list("A 00 00\0B 00 00\0", text, sizeof(text));
        assert_string_equal(text, "\"A 00 00\", \"B 00 00\"");
        pcsc_name_list(three, text, sizeof(text));
        assert_int_equal(strlen(text), sizeof(text) - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_name_is_whole_a_start_or_a_slot),
                cmocka_unit_test(one_model_differs_in_its_number_only),
                cmocka_unit_test(those_present_are_listed_and_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
