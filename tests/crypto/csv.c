#include "tests/support/test.h"

#include "crypto/csv.h"

#include <string.h>

static struct span span(const char *text)
{
        return (struct span){ text, strlen(text) };
}

static void assert_span(struct span found, const char *wanted)
{
        assert_int_equal(found.length, strlen(wanted));
        assert_memory_equal(found.text, wanted, found.length);
}

static void rows_skip_comments_blank_lines_and_the_byte_order_mark(void **state)
{
        static const char text[] = "\xEF\xBB\xBF# head\r\n\r\n  a , b\r\n#c\n\td;e\t\n";
        struct csv csv;
        struct span row;

        (void)state;
        assert_int_equal(csv_open("t", text, sizeof(text) - 1, 100, &csv), 0);
        assert_true(csv_next(&csv, &row));
        assert_span(row, "a , b");
        assert_int_equal(csv.lines.line, 3);
        assert_true(csv_next(&csv, &row));
        assert_span(row, "d;e");
        assert_int_equal(csv.lines.line, 5);
        assert_false(csv_next(&csv, &row));
}

static void long_files_and_zero_bytes_are_refused(void **state)
{
        struct csv csv;

        (void)state;
        assert_fault(csv_open("t", "abcd", 4, 3, &csv), BAD_FILE, "4 bytes, wanted at most 3");
        assert_fault(csv_open("t", "ab\0d", 4, 10, &csv), BAD_FILE, "zero byte at offset 0x2");
        assert_int_equal(csv_open("t", "", 0, 10, &csv), 0);
}

static void cells_are_trimmed_and_unquoted_and_counted(void **state)
{
        struct span cells[2];

        (void)state;
        assert_int_equal(csv_split(span(" \"a b\" ; c ,d"), cells, 2), 3);
        assert_span(cells[0], "a b");
        assert_span(cells[1], "c");
        assert_int_equal(csv_split(span(","), cells, 2), 2);
        assert_span(cells[0], "");
        assert_span(cells[1], "");
        assert_int_equal(csv_split(span("\""), cells, 2), 1);
        assert_span(cells[0], "\"");
}

static void numbers_are_decimal_or_0x_and_fit_32_bits(void **state)
{
        static const char *const bad[] = { "",    "-1",  "0x", "4294967296", "0x100000000",
                                           "1 2", "12a", "0xG" };
        uint32_t number;

        (void)state;
        assert_true(csv_number(span("0xFFFFFFFF"), &number) && number == UINT32_MAX);
        assert_true(csv_number(span("4294967295"), &number) && number == UINT32_MAX);
        assert_true(csv_number(span("010"), &number) && number == 10);
        for (size_t i = 0; i < LENGTH_OF(bad); i++)
                assert_false(csv_number(span(bad[i]), &number));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_skip_comments_blank_lines_and_the_byte_order_mark),
                cmocka_unit_test(long_files_and_zero_bytes_are_refused),
                cmocka_unit_test(cells_are_trimmed_and_unquoted_and_counted),
                cmocka_unit_test(numbers_are_decimal_or_0x_and_fit_32_bits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
