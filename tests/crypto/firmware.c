#include "tests/support/test.h"

#include "crypto/firmware.h"

#include <stdio.h>
#include <stdlib.h>

static int add_bin(struct firmware *firmware, const char *name, uint32_t address, size_t length)
{
        struct bytes bytes CLEANUP(bytes_free) = bytes_new(length);

        for (size_t i = 0; i < length; i++)
                bytes.data[i] = (uint8_t)(i + 1);
        return firmware_add_bin(firmware, name, bytes.data, length, address);
}

static void assert_segment(const struct firmware *firmware, size_t index, uint32_t address,
                           size_t length)
{
        assert_true(index < firmware->count);
        assert_int_equal(firmware->segments[index].address, address);
        assert_int_equal(firmware->segments[index].data.length, length);
}

static void segments_of_several_files_are_sorted_by_address(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(add_bin(&firmware, "high.bin", 0x08030000, 8), 0);
        assert_int_equal(add_bin(&firmware, "low.bin", 0x08000000, 4), 0);
        assert_int_equal(add_bin(&firmware, "middle.bin", 0x08010000, 6), 0);
        assert_int_equal(firmware.count, 3);
        assert_segment(&firmware, 0, 0x08000000, 4);
        assert_segment(&firmware, 1, 0x08010000, 6);
        assert_segment(&firmware, 2, 0x08030000, 8);
        assert_string_equal(firmware.names[firmware.segments[0].file], "low.bin");
        assert_string_equal(firmware.names[firmware.segments[2].file], "high.bin");
}

static void an_overlap_names_both_files_and_addresses_and_changes_nothing(void **state)
{
        static const char hex[] = ":020000040800F2\n:04000A0001020304E8\n:00000001FF\n";
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        int r;

        (void)state;
        assert_int_equal(add_bin(&firmware, "one.bin", 0x08000000, 11), 0);
        r = firmware_add(&firmware, "two.hex", hex, sizeof(hex) - 1, 0);
        assert_fault(r, BAD_VALUE, "two.hex line 2 (0x0800000A..0x0800000D)");
        assert_fault(r, BAD_VALUE, "one.bin (0x08000000..0x0800000A)");
        assert_int_equal(firmware.count, 1);
        assert_int_equal(firmware.files, 1);
}

static void one_byte_of_overlap_is_found_at_both_ends(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(add_bin(&firmware, "a", 0x1000, 0x100), 0);
        assert_fault(add_bin(&firmware, "b", 0x0F01, 0x100), BAD_VALUE, "overlaps a ");
        assert_fault(add_bin(&firmware, "b", 0x10FF, 0x100), BAD_VALUE, "overlaps a ");
        assert_fault(add_bin(&firmware, "b", 0x1010, 1), BAD_VALUE, "overlaps a ");
        assert_fault(add_bin(&firmware, "b", 0x0100, 0x4000), BAD_VALUE, "overlaps a ");
        assert_int_equal(add_bin(&firmware, "b", 0x0F00, 0x100), 0);
        assert_int_equal(add_bin(&firmware, "c", 0x1100, 0x100), 0);
}

static void the_last_byte_of_4_gib_can_be_used_and_none_after_it(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_fault(add_bin(&firmware, "a", 0xFFFFFFFE, 3), BAD_FILE, "above 4 GiB");
        assert_int_equal(add_bin(&firmware, "a", 0xFFFFFFFE, 2), 0);
        assert_fault(add_bin(&firmware, "b", 0xFFFFFFFF, 1), BAD_VALUE, "overlaps");
}

static void an_empty_file_is_refused(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_fault(firmware_add(&firmware, "empty.bin", "", 0, 0x08000000), BAD_FILE,
                     "no firmware bytes");
        assert_int_equal(firmware.files, 0);
}

static void the_form_is_told_by_content(void **state)
{
        /* a vector table may hold any byte, and so may a random key that begins with ':' */
        static const uint8_t table[] = { 0x00, 0x00, 0x04, 0x24, 0x9D, 0x02, 0x00, 0x08 };
        static const uint8_t key[] = { ':', '1', '0', 0xFF, 0x80, 0x00 };

        (void)state;
        assert_int_equal(firmware_form(table, sizeof(table)), FIRMWARE_BIN);
        assert_int_equal(firmware_form(key, sizeof(key)), FIRMWARE_BIN);
        assert_int_equal(firmware_form("", 0), FIRMWARE_BIN);
        assert_int_equal(firmware_form("\177ELF", 4), FIRMWARE_ELF);
        assert_int_equal(firmware_form("\r\n:00000001FF\r\n", 15), FIRMWARE_HEX);
        assert_int_equal(firmware_form("S9030000FC\n", 11), FIRMWARE_SRECORD);
        assert_int_equal(firmware_form("Some text", 9), FIRMWARE_BIN);
}

static void small_gaps_are_filled_and_large_ones_kept(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(add_bin(&firmware, "a", 0x1000, 4), 0);
        assert_int_equal(add_bin(&firmware, "b", 0x1014, 4), 0);
        assert_int_equal(add_bin(&firmware, "c", 0x1029, 4), 0);
        assert_int_equal(firmware_merge(&firmware, 16, 0xA5, 1), 0);
        assert_int_equal(firmware.count, 2);
        assert_segment(&firmware, 0, 0x1000, 24);
        assert_segment(&firmware, 1, 0x1029, 4);
        assert_int_equal(firmware.segments[0].data.data[3], 4);
        assert_int_equal(firmware.segments[0].data.data[4], 0xA5);
        assert_int_equal(firmware.segments[0].data.data[19], 0xA5);
        assert_int_equal(firmware.segments[0].data.data[20], 1);
}

static void segments_grow_to_whole_units_at_both_ends(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(add_bin(&firmware, "a", 0x1004, 4), 0);
        assert_int_equal(add_bin(&firmware, "b", 0x2000, 32), 0);
        assert_int_equal(firmware_merge(&firmware, 0, 0xFF, 32), 0);
        assert_int_equal(firmware.count, 2);
        assert_segment(&firmware, 0, 0x1000, 32);
        assert_segment(&firmware, 1, 0x2000, 32);
        assert_int_equal(firmware.segments[0].data.data[3], 0xFF);
        assert_int_equal(firmware.segments[0].data.data[4], 1);
        assert_int_equal(firmware.segments[0].data.data[8], 0xFF);
}

/* A flash word can be programmed once, so it may not be split over two areas. */
static void segments_that_share_a_unit_become_one(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(add_bin(&firmware, "a", 0x1000, 4), 0);
        assert_int_equal(add_bin(&firmware, "b", 0x101C, 8), 0);
        assert_int_equal(firmware_merge(&firmware, 0, 0, 32), 0);
        assert_int_equal(firmware.count, 1);
        assert_segment(&firmware, 0, 0x1000, 64);
        assert_int_equal(firmware.segments[0].data.data[0x1C], 1);
}

static void merging_at_the_end_of_4_gib_does_not_wrap(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(add_bin(&firmware, "a", 0xFFFFFFF1, 3), 0);
        assert_int_equal(firmware_merge(&firmware, 0, 0, 32), 0);
        assert_segment(&firmware, 0, 0xFFFFFFE0, 32);
}

static void filling_a_gap_beyond_the_limit_is_refused(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(add_bin(&firmware, "a", 0, 4), 0);
        assert_int_equal(add_bin(&firmware, "b", 0xF0000000, 4), 0);
        assert_fault(firmware_merge(&firmware, UINT32_MAX, 0, 1), TOO_LARGE, "gaps of 4294967295");
        assert_int_equal(firmware.count, 2);
}

static void too_many_segments_are_refused(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        for (uint32_t i = 0; i < FIRMWARE_SEGMENTS_MAX; i++)
                assert_int_equal(add_bin(&firmware, "a", 2 * i, 1), 0);
        assert_fault(add_bin(&firmware, "b", 0x10000, 1), TOO_LARGE, "more than 4096 segments");
        assert_int_equal(firmware.count, FIRMWARE_SEGMENTS_MAX);
}

static void a_file_that_is_given_is_gone_whether_it_was_good_or_not(void **state)
{
        static const char hex[] = ":04000A0001020304E8\n:00000001FF\n", cut[] = ":04000A00010203";
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct bytes good CLEANUP(bytes_free) = bytes_copy(hex, sizeof(hex) - 1);
        struct bytes bad CLEANUP(bytes_free) = bytes_copy(cut, sizeof(cut) - 1);

        (void)state;
        assert_int_equal(firmware_take(&firmware, "good.hex", &good, 0), 0);
        assert_null(good.data);
        assert_segment(&firmware, 0, 0x0A, 4);
        assert_int_equal(firmware.segments[0].data.data[3], 4);
        assert_fault(firmware_take(&firmware, "bad.hex", &bad, 0), BAD_FILE, "bad.hex line 1");
        assert_null(bad.data);
        assert_int_equal(firmware.count, 1);
}

static void a_bin_becomes_the_segment(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct bytes bin CLEANUP(bytes_free) = bytes_copy("\1\2\3", 3);
        struct bytes high CLEANUP(bytes_free) = bytes_copy("\1\2\3", 3);
        struct bytes over CLEANUP(bytes_free) = bytes_copy("\4", 1);
        struct bytes empty CLEANUP(bytes_free) = bytes_new(0);

        (void)state;
        assert_int_equal(firmware_take(&firmware, "a.bin", &bin, 0x100), 0);
        assert_null(bin.data);
        assert_segment(&firmware, 0, 0x100, 3);
        assert_memory_equal(firmware.segments[0].data.data, "\1\2\3", 4); /* and the spare byte */
        assert_fault(firmware_take(&firmware, "b.bin", &high, 0xFFFFFFFE), BAD_FILE, "4 GiB");
        assert_null(high.data);
        assert_fault(firmware_take(&firmware, "c.bin", &over, 0x102), BAD_VALUE, "a.bin");
        assert_fault(firmware_take(&firmware, "d.bin", &empty, 0), BAD_FILE, "no firmware bytes");
        assert_int_equal(firmware.count, 1);
}

/* Only what must grow is touched: a large firmware is not held twice. */
static void a_segment_that_is_whole_already_keeps_its_bytes(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        const uint8_t *whole;

        (void)state;
        assert_int_equal(add_bin(&firmware, "whole.bin", 0x08000000, 64), 0);
        assert_int_equal(add_bin(&firmware, "short.bin", 0x08001000, 60), 0);
        whole = firmware.segments[0].data.data;
        assert_int_equal(firmware_merge(&firmware, 30, 0xFF, 16), 0);
        assert_segment(&firmware, 0, 0x08000000, 64);
        assert_segment(&firmware, 1, 0x08001000, 64);
        assert_ptr_equal(firmware.segments[0].data.data, whole);
        assert_int_equal(firmware.segments[1].data.data[59], 60);
        assert_int_equal(firmware.segments[1].data.data[60], 0xFF);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(segments_of_several_files_are_sorted_by_address),
                cmocka_unit_test(an_overlap_names_both_files_and_addresses_and_changes_nothing),
                cmocka_unit_test(one_byte_of_overlap_is_found_at_both_ends),
                cmocka_unit_test(the_last_byte_of_4_gib_can_be_used_and_none_after_it),
                cmocka_unit_test(an_empty_file_is_refused),
                cmocka_unit_test(the_form_is_told_by_content),
                cmocka_unit_test(small_gaps_are_filled_and_large_ones_kept),
                cmocka_unit_test(segments_grow_to_whole_units_at_both_ends),
                cmocka_unit_test(segments_that_share_a_unit_become_one),
                cmocka_unit_test(merging_at_the_end_of_4_gib_does_not_wrap),
                cmocka_unit_test(filling_a_gap_beyond_the_limit_is_refused),
                cmocka_unit_test(too_many_segments_are_refused),
                cmocka_unit_test(a_file_that_is_given_is_gone_whether_it_was_good_or_not),
                cmocka_unit_test(a_bin_becomes_the_segment),
                cmocka_unit_test(a_segment_that_is_whole_already_keeps_its_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
