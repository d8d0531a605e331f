#include "tests/support/test.h"

#include "crypto/key_areas.h"

#include <stdio.h>
#include <string.h>

static int parse(const char *text, struct key_areas *areas)
{
        return key_areas_parse("keys.kcsv", text, strlen(text), areas);
}

static void an5054s_example_gives_its_two_areas_in_the_order_of_its_rows(void **state)
{
        static const uint8_t wanted[] = {
                0x10, 0, 0, 0, 0, 0, 2, 0x0C, 0x10, 0, 0, 0, 0x60, 0, 0, 8
        };
        struct bytes payload;
        struct key_areas areas, again;

        (void)state;
        assert_int_equal(parse("0x00000010, 0x0C020000\n0x00000010, 0x08000060\n", &areas), 0);
        assert_int_equal(areas.count, 2);
        assert_int_equal(areas.areas[0].length, 0x10);
        assert_int_equal(areas.areas[0].address, 0x0C020000);
        assert_int_equal(areas.areas[1].line, 2);
        payload = key_areas_encode(&areas);
        assert_int_equal(payload.length, sizeof(wanted));
        assert_memory_equal(payload.data, wanted, sizeof(wanted));
        assert_int_equal(key_areas_decode(payload.data, payload.length, &again), 0);
        assert_int_equal(again.count, 2);
        assert_int_equal(again.areas[1].address, 0x08000060);
        assert_int_equal(again.areas[1].length, 0x10);
        bytes_free(&payload);
}

static void comments_and_semicolons_are_taken(void **state)
{
        struct key_areas areas;

        (void)state;
        assert_int_equal(parse("# size, address\r\n\r\n128;134283264\r\n", &areas), 0);
        assert_int_equal(areas.count, 1);
        assert_int_equal(areas.areas[0].length, 128);
        assert_int_equal(areas.areas[0].line, 3);
}

static void bad_rows_are_named_by_line(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                { "", "no rows" },
                { "# nothing\n", "no rows" },
                { "0x10\n", "line 1: 1 columns" },
                { "0x10,0x08000000,1\n", "line 1: 3 columns" },
                { "#\n0x10,here\n", "line 2: not two 32-bit numbers" },
                { "0,0x08000000\n", "line 1: the size is 0x0" },
                { "0x0C020000,0x10\n", "the size stands first" }, /* columns the wrong way round */
                { "0x20,0xFFFFFFF0\n", "go beyond" },
        };
        struct key_areas areas;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_fault(parse(cases[i].text, &areas), BAD_FILE, cases[i].sentence);
}

static void overlapping_keys_are_refused_with_both_lines(void **state)
{
        struct key_areas areas;

        (void)state;
        assert_fault(parse("0x20,0x08000000\n0x10,0x08000010\n", &areas), BAD_VALUE,
                     "line 1 (0x08000000, 0x20 bytes) and line 2 (0x08000010, 0x10 bytes)");
        assert_fault(parse("0x10,0x08000010\n0x20,0x08000000\n", &areas), BAD_VALUE, "overlap");
        assert_int_equal(parse("0x10,0x08000000\n0x10,0x08000010\n", &areas), 0);
}

static void at_most_256_areas_are_taken(void **state)
{
        static char text[300 * 24];
        struct key_areas areas;
        size_t used = 0;

        (void)state;
        for (unsigned i = 0; i < KEY_AREAS_MAX; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "16,%u\n", i * 16);
        assert_int_equal(parse(text, &areas), 0);
        assert_int_equal(areas.count, KEY_AREAS_MAX);
        snprintf(text + used, sizeof(text) - used, "16,%u\n", KEY_AREAS_MAX * 16);
        assert_fault(parse(text, &areas), BAD_FILE, "line 257: more than 256");
}

static void a_payload_that_is_no_couples_is_refused(void **state)
{
        uint8_t payload[(KEY_AREAS_MAX + 1) * 8] = { 0 };
        struct key_areas areas;

        (void)state;
        assert_fault(key_areas_decode(payload, 12, &areas), BAD_FILE, "12 bytes");
        assert_fault(key_areas_decode(payload, sizeof(payload), &areas), BAD_FILE, "at most 256");
        assert_int_equal(key_areas_decode(payload, 0, &areas), 0);
        assert_int_equal(areas.count, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an5054s_example_gives_its_two_areas_in_the_order_of_its_rows),
                cmocka_unit_test(comments_and_semicolons_are_taken),
                cmocka_unit_test(bad_rows_are_named_by_line),
                cmocka_unit_test(overlapping_keys_are_refused_with_both_lines),
                cmocka_unit_test(at_most_256_areas_are_taken),
                cmocka_unit_test(a_payload_that_is_no_couples_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
