#include "tests/support/test.h"

#include "crypto/option_bytes.h"

#include <stdio.h>
#include <string.h>

static const char *const h7_names[] = {
        "FOPTSR_PRG",  "FPRAR_PRG_A", "FPRAR_PRG_B", "FSCAR_PRG_A", "FSCAR_PRG_B",
        "FWPSN_PRG_A", "FWPSN_PRG_B", "FBOOT7_PRG",  "RESERVED",
};

/* AN5054 figure 15 */
static const char figure_15[] = "FOPTSR_PRG,0x1026AAD0\n"
                                "FPRAR_PRG_A,0x81000200\n"
                                "FPRAR_PRG_B,0x81000200\n"
                                "FSCAR_PRG_A,0x81000200\n"
                                "FSCAR_PRG_B,0x81000200\n"
                                "FWPSN_PRG_A,0xFFFFFFFF\n"
                                "FWPSN_PRG_B,0xFFFFFFFF\n"
                                "FBOOT7_PRG,0x24000800\n"
                                "RESERVED,0x10000810\n";

static int parse(const char *text, struct option_bytes *ret_rows)
{
        return option_bytes_parse("ob.csv", text, strlen(text), ret_rows);
}

static void the_application_notes_example_has_nine_rows(void **state)
{
        struct option_bytes rows;

        (void)state;
        assert_int_equal(parse(figure_15, &rows), 0);
        assert_int_equal(rows.count, 9);
        assert_string_equal(rows.rows[0].name, "FOPTSR_PRG");
        assert_int_equal(rows.rows[0].value, 0x1026AAD0);
        assert_int_equal(rows.rows[8].value, 0x10000810);
        assert_int_equal(option_bytes_check(&rows, h7_names, LENGTH_OF(h7_names)), 0);
}

static void what_spreadsheets_write_is_taken(void **state)
{
        struct option_bytes rows;

        (void)state;
        assert_int_equal(parse("\xEF\xBB\xBF# comment\r\n\r\n  A_1 ; 0XfF \r\nB,4294967295", &rows),
                         0);
        assert_int_equal(rows.count, 2);
        assert_string_equal(rows.rows[0].name, "A_1");
        assert_int_equal(rows.rows[0].value, 255);
        assert_int_equal(rows.rows[1].value, UINT32_MAX);
}

static void broken_rows_are_refused_with_file_and_line(void **state)
{
        static const struct {
                const char *text, *reason;
        } cases[] = {
                { "", "ob.csv: no rows" },
                { "# only\n", "ob.csv: no rows" },
                { "A,1\nB\n", "ob.csv line 2: 1 column" },
                { "A,1\n\nB,\n", "ob.csv line 3: the value of B" },
                { "A,0x\n", "line 1: the value of A is no 32-bit number" },
                { "A,0x0x1\n", "line 1: the value of A" },
                { "A,-1\n", "line 1: the value of A" },
                { "A,0x100000000\n", "line 1: the value of A" },
                { "A,99999999999999999999999999\n", "line 1: the value of A" },
                { "A,1,2\n", "line 1: 3 columns" },
                { "A,12ab\n", "line 1: the value of A" },
                { ",1\n", "line 1: a register name of 0 characters" },
                { "ABCDEFGHIJKLMNOPQRSTUVWX,1\n", "line 1: a register name of 24 characters" },
                { "A B,1\n", "line 1: byte 0x20 in the register name" },
        };
        struct option_bytes rows = { .count = 77 };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                assert_fault(parse(cases[i].text, &rows), BAD_FILE, cases[i].reason);
                assert_int_equal(rows.count, 77);
        }
}

static void too_many_rows_are_refused(void **state)
{
        struct option_bytes rows;
        char text[512] = "";

        (void)state;
        for (unsigned i = 0; i < OPTION_ROWS_MAX; i++)
                strcat(text, "R,1\n");
        assert_int_equal(parse(text, &rows), 0);
        strcat(text, "R,1\n");
        assert_fault(parse(text, &rows), BAD_FILE, "line 33: more than 32 rows");
}

static void names_and_order_must_be_the_familys(void **state)
{
        struct option_bytes rows;

        (void)state;
        assert_int_equal(parse(figure_15, &rows), 0);
        strcpy(rows.rows[1].name, "FPRAR_PRG_B");
        assert_fault(option_bytes_check(&rows, h7_names, LENGTH_OF(h7_names)), BAD_VALUE,
                     "row 2 is FPRAR_PRG_B, wanted FPRAR_PRG_A");
        assert_int_equal(parse(figure_15, &rows), 0);
        rows.count = 8;
        assert_fault(option_bytes_check(&rows, h7_names, LENGTH_OF(h7_names)), BAD_VALUE,
                     "RESERVED is missing");
        assert_int_equal(parse(figure_15, &rows), 0);
        assert_fault(option_bytes_check(&rows, h7_names, 8), BAD_VALUE,
                     "row 9 is RESERVED, wanted only 8 rows");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_application_notes_example_has_nine_rows),
                cmocka_unit_test(what_spreadsheets_write_is_taken),
                cmocka_unit_test(broken_rows_are_refused_with_file_and_line),
                cmocka_unit_test(too_many_rows_are_refused),
                cmocka_unit_test(names_and_order_must_be_the_familys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
