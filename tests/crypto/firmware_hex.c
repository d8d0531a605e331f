#include "tests/support/test.h"

#include "crypto/firmware.h"

#include <stdio.h>
#include <stdlib.h>

static int add(struct firmware *firmware, const char *text)
{
        return firmware_add_hex(firmware, "t.hex", text, strlen(text));
}

/* A record from its bytes without checksum. */
static const char *record(const char *digits)
{
        static char text[4][600];
        static unsigned turn;
        char *to = text[turn++ % LENGTH_OF(text)];
        uint8_t bytes[260], sum = 0;
        size_t length = strlen(digits) / 2;

        assert_true(hex_decode(digits, bytes, length));
        for (size_t i = 0; i < length; i++)
                sum = (uint8_t)(sum - bytes[i]);
        snprintf(to, sizeof(text[0]), ":%s%02X\n", digits, sum);
        return to;
}

#define END ":00000001FF\n"

static void assert_bytes(const struct firmware *firmware, size_t index, uint32_t address,
                         const char *digits)
{
        uint8_t wanted[64];
        size_t length = strlen(digits) / 2;

        assert_true(index < firmware->count);
        assert_int_equal(firmware->segments[index].address, address);
        assert_int_equal(firmware->segments[index].data.length, length);
        assert_true(hex_decode(digits, wanted, length));
        assert_memory_equal(firmware->segments[index].data.data, wanted, length);
}

static struct bytes read_whole(const char *path)
{
        struct bytes bytes = bytes_new(1 << 20);
        FILE *file = fopen(path, "rb");

        assert_non_null(file);
        bytes.length = fread(bytes.data, 1, bytes.length, file);
        fclose(file);
        return bytes;
}

static void st_example_gives_one_segment_of_116_bytes(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct bytes file CLEANUP(bytes_free) = read_whole(test_data("FIR_data.hex"));

        (void)state;
        assert_int_equal(firmware_add(&firmware, "FIR_data.hex", file.data, file.length, 0), 0);
        assert_int_equal(firmware.count, 1);
        assert_int_equal(firmware.segments[0].address, 0x08084000);
        assert_int_equal(firmware.segments[0].data.length, 116);
        assert_int_equal(firmware.segments[0].line, 2);
        assert_int_equal(load_le32(firmware.segments[0].data.data), 0xBAEEE1B9);
}

static void st_test_image_loads_whole(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct bytes file CLEANUP(bytes_free) = read_whole(test_data("tests.hex"));
        size_t total = 0;

        (void)state;
        assert_int_equal(firmware_add(&firmware, "tests.hex", file.data, file.length, 0), 0);
        for (size_t i = 0; i < firmware.count; i++)
                total += firmware.segments[i].data.length;
        assert_int_equal(firmware.count, 1);
        assert_int_equal(firmware.segments[0].address, 0x08000000);
        assert_int_equal(total, 0x37C8);
        assert_int_equal(load_le32(firmware.segments[0].data.data),
                         0x24020400); /* stack in AXI SRAM */
}

static void crlf_lower_case_and_blank_lines_are_taken(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(
                add(&firmware, "\r\n:0200000400ab4f\r\n:02001000beef41 \r\n" END "\r\n\r\n"), 0);
        assert_bytes(&firmware, 0, 0x00AB0010, "BEEF");
        assert_int_equal(firmware.segments[0].line, 3);
}

static void records_out_of_order_are_sorted_and_joined(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        char text[2000];

        (void)state;
        snprintf(text, sizeof(text), "%s%s%s" END, record("02000400CCDD"), record("02000000AABB"),
                 record("02000200BBCC"));
        /* the middle one continues neither neighbour in the file */
        assert_int_equal(add(&firmware, text), 0);
        assert_int_equal(firmware.count, 1);
        assert_int_equal(firmware.segments[0].address, 0);
        assert_int_equal(firmware.segments[0].data.length, 6);
        assert_memory_equal(firmware.segments[0].data.data, "\xAA\xBB\xBB\xCC\xCC\xDD", 6);
}

/* Specification: type 02, (base + (offset + i) mod 64 KiB); type 04, (base + offset + i) mod 4 GiB.
 */
static void the_offset_wraps_within_a_segment(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        char text[2000];

        (void)state;
        snprintf(text, sizeof(text), "%s%s" END, record("020000021000"),
                 record("04FFFE0001020304"));
        assert_int_equal(add(&firmware, text), 0);
        assert_int_equal(firmware.count, 2);
        assert_bytes(&firmware, 0, 0x10000, "0304");
        assert_bytes(&firmware, 1, 0x1FFFE, "0102");
}

static void the_address_runs_on_over_64_kib_after_a_linear_base(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        char text[2000];

        (void)state;
        snprintf(text, sizeof(text), "%s%s" END, record("020000040800"),
                 record("04FFFE0001020304"));
        assert_int_equal(add(&firmware, text), 0);
        assert_int_equal(firmware.count, 1);
        assert_bytes(&firmware, 0, 0x0800FFFE, "01020304");
}

static void the_address_wraps_at_4_gib_after_a_linear_base(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        char text[2000];

        (void)state;
        snprintf(text, sizeof(text), "%s%s" END, record("02000004FFFF"),
                 record("04FFFE0001020304"));
        assert_int_equal(add(&firmware, text), 0);
        assert_int_equal(firmware.count, 2);
        assert_bytes(&firmware, 0, 0, "0304");
        assert_bytes(&firmware, 1, 0xFFFFFFFE, "0102");
}

static void a_linear_base_ends_a_segment_base(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        char text[2000];

        (void)state;
        snprintf(text, sizeof(text), "%s%s%s%s" END, record("02000002F000"), record("0100000011"),
                 record("020000040001"), record("0100000022"));
        assert_int_equal(add(&firmware, text), 0);
        assert_bytes(&firmware, 0, 0x00010000, "22");
        assert_bytes(&firmware, 1, 0x000F0000, "11");
}

static void start_addresses_are_checked_and_left_out(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        char text[2000];

        (void)state;
        snprintf(text, sizeof(text), "%s%s%s" END, record("0400000300003800"),
                 record("0400000508000289"), record("0100000011"));
        assert_int_equal(add(&firmware, text), 0);
        assert_int_equal(firmware.count, 1);
        assert_bytes(&firmware, 0, 0, "11");
}

static void broken_files_are_refused_with_line_and_reason(void **state)
{
        static const struct {
                const char *digits; /* of a record, or a whole line */
                enum fault fault;
                const char *reason;
        } cases[] = {
                { ":0100000011EF\n", FAULT_BAD_FILE,
                  "t.hex line 2: the checksum is EF, wanted EE" },
                { "0100000011EE\n", FAULT_BAD_FILE, "line 2: begins with byte 0x30, wanted ':'" },
                { ":0100000011E\n", FAULT_BAD_FILE, "line 2: 11 characters after ':'" },
                { ":0100\n", FAULT_BAD_FILE, "line 2: 4 characters after ':'" },
                { ":0200000011EE\n", FAULT_BAD_FILE,
                  "line 2: the record has 1 data bytes, wanted 2" },
                { ":01000000G1EE\n", FAULT_BAD_FILE, "line 2 column 10: wanted two hexadecimal" },
                { "0100000611", FAULT_BAD_FILE, "line 2: record type 06, wanted 00 to 05" },
                { "0100000411", FAULT_BAD_FILE, "type 04 with 1 data bytes, wanted 2" },
                { "020001040800", FAULT_BAD_FILE, "type 04 with offset 0001, wanted 0000" },
                { "0100000111", FAULT_BAD_FILE, "type 01 with 1 data bytes, wanted 0" },
                { "030000030000FF", FAULT_BAD_FILE, "type 03 with 3 data bytes, wanted 4" },
                { "02000000AABB", FAULT_BAD_VALUE,
                  "overlaps t.hex line 1 (0x00000000..0x00000000)" },
                { END ":00000001FF\n", FAULT_BAD_FILE,
                  "line 3: text after the end-of-file record" },
                { "", FAULT_BAD_FILE, "line 1: the file ends without an end-of-file record" },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
                const char *digits = cases[i].digits;
                bool is_line = !digits[0] || strchr(digits, '\n');
                char text[2000];
                int r;

                snprintf(text, sizeof(text), ":0100000011EE\n%s%s",
                         is_line ? digits : record(digits), digits[0] ? END : "");
                r = add(&firmware, text);
                test_assert_fault(r, cases[i].fault, cases[i].reason, __FILE__, __LINE__);
                assert_int_equal(firmware.count, 0);
        }
}

static void a_line_of_any_length_is_answered(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct bytes text CLEANUP(bytes_free) = bytes_new(1 << 20);

        (void)state;
        memset(text.data, '0', text.length);
        text.data[0] = ':';
        assert_fault(firmware_add_hex(&firmware, "t.hex", text.data, text.length - 1), BAD_FILE,
                     "line 1: 1048574 characters");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(st_example_gives_one_segment_of_116_bytes),
                cmocka_unit_test(st_test_image_loads_whole),
                cmocka_unit_test(crlf_lower_case_and_blank_lines_are_taken),
                cmocka_unit_test(records_out_of_order_are_sorted_and_joined),
                cmocka_unit_test(the_offset_wraps_within_a_segment),
                cmocka_unit_test(the_address_runs_on_over_64_kib_after_a_linear_base),
                cmocka_unit_test(the_address_wraps_at_4_gib_after_a_linear_base),
                cmocka_unit_test(a_linear_base_ends_a_segment_base),
                cmocka_unit_test(start_addresses_are_checked_and_left_out),
                cmocka_unit_test(broken_files_are_refused_with_line_and_reason),
                cmocka_unit_test(a_line_of_any_length_is_answered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
