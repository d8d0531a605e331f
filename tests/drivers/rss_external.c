/*
 * The list of external data a part leaves in RAM, held against the image.
 */
#include "tests/support/test.h"

#include "drivers/rss_external.h"

#include <stdlib.h>

static struct sfi_area areas[] = {
        { .type = SFI_RESUME, .index = 5 },
        { .type = SFI_EXTERNAL, .index = 6, .address = 0x90000000, .length = 12 + 20 },
        { .type = SFI_EXTERNAL, .index = 7, .address = 0x90000014, .length = 12 + 16 },
        { .type = SFI_PAUSE, .index = 8 },
};
static const struct sfi sfi = { .count = LENGTH_OF(areas), .areas = areas };
static const struct sfi_part part = { .count = LENGTH_OF(areas) };

/* 16 + 32 bytes, then 16 + 16. */
static struct bytes make_list(void)
{
        struct bytes list = bytes_new(80);

        for (unsigned i = 0; i < 80; i++)
                list.data[i] = (uint8_t)i;
        store_le32(list.data, 6);
        store_le32(list.data + 4, 0x90000000);
        store_le32(list.data + 8, 20);
        store_le32(list.data + 48, 7);
        store_le32(list.data + 52, 0x90000014);
        store_le32(list.data + 56, 16);
        return list;
}

static int parse(struct bytes list, struct rss_externals *ret)
{
        return rss_externals_parse(&list, &sfi, &part, ret);
}

static void a_list_of_two_areas_is_taken_apart(void **state)
{
        struct rss_externals CLEANUP(rss_externals_free) externals = { 0 };

        (void)state;
        assert_int_equal(parse(make_list(), &externals), 0);
        assert_int_equal(externals.count, 2);
        assert_int_equal(externals.areas[0].index, 6);
        assert_int_equal(externals.areas[0].address, 0x90000000);
        assert_int_equal(externals.areas[0].length, 20);
        assert_int_equal(externals.areas[0].data[0], 16);
        assert_int_equal(externals.areas[1].index, 7);
        assert_int_equal(externals.areas[1].data[15], 79);
}

static void a_list_that_is_not_of_this_part_is_refused(void **state)
{
        static const struct {
                size_t at;
                uint32_t value;
                const char *sentence;
        } rows[] = { { 0, 7, "has area 7" },
                     { 4, 0x08000000, "20 bytes at 0x08000000, wanted area 6" },
                     { 8, 21, "21 bytes" },
                     { 8, 0xFFFFFFF4, "4294967284 bytes" },
                     { 48, 6, "has area 6" } };
        struct rss_externals externals;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(rows); i++) {
                struct bytes list = make_list();

                store_le32(list.data + rows[i].at, rows[i].value);
                assert_fault(parse(list, &externals), RSS, rows[i].sentence);
        }
}

static void a_list_cut_off_or_too_long_is_refused(void **state)
{
        struct rss_externals externals;

        (void)state;
        for (size_t length = 0; length < 80; length++) {
                struct bytes list = make_list();

                list.length = length;
                assert_fault(parse(list, &externals), RSS, "ends");
        }
        struct bytes list = make_list();

        bytes_grow(&list, 96);
        assert_fault(parse(list, &externals), RSS, "has 96 bytes, its 2 areas need 80");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_list_of_two_areas_is_taken_apart),
                cmocka_unit_test(a_list_that_is_not_of_this_part_is_refused),
                cmocka_unit_test(a_list_cut_off_or_too_long_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
