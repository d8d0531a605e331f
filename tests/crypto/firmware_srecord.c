#include "tests/support/test.h"

#include "crypto/firmware.h"

#include <stdio.h>
#include <stdlib.h>

static int add(struct firmware *firmware, const char *text)
{
        return firmware_add_srecord(firmware, "t.s19", text, strlen(text));
}

/* A record from its type and the bytes between count and checksum. */
static const char *record(char type, const char *digits)
{
        static char text[4][600];
        static unsigned turn;
        char *to = text[turn++ % LENGTH_OF(text)];
        uint8_t bytes[256], sum;
        size_t length = strlen(digits) / 2;

        assert_true(hex_decode(digits, bytes, length));
        sum = (uint8_t)(length + 1);
        for (size_t i = 0; i < length; i++)
                sum = (uint8_t)(sum + bytes[i]);
        snprintf(to, sizeof(text[0]), "S%c%02zX%s%02X\n", type, length + 1, digits, (uint8_t)~sum);
        return to;
}

#define END "S9030000FC\n"

/* The example of the Programmer's Reference Manual, appendix C. */
static void the_manuals_example_loads(void **state)
{
        static const char text[] = "S00600004844521B\r\n"
                                   "S1130000285F245F2212226A000424290008237C2A\r\n"
                                   "S11300100002000800082629001853812341001813\r\n"
                                   "S113002041E900084E42234300182342000824A952\r\n"
                                   "S107003000144ED492\r\n"
                                   "S5030004F8\r\n"
                                   "S9030000FC\r\n";
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_int_equal(firmware_add(&firmware, "example.s19", text, sizeof(text) - 1, 0), 0);
        assert_int_equal(firmware.count, 1);
        assert_int_equal(firmware.segments[0].address, 0);
        assert_int_equal(firmware.segments[0].data.length, 0x34);
        assert_int_equal(firmware.segments[0].line, 2);
        assert_int_equal(load_be32(firmware.segments[0].data.data), 0x285F245F);
        assert_int_equal(load_be32(firmware.segments[0].data.data + 0x30), 0x00144ED4);
}

static void addresses_have_16_24_or_32_bits(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        char text[2000];

        (void)state;
        snprintf(text, sizeof(text), "%s%s%sS70508000000F2\n", record('3', "0800000033"),
                 record('2', "12345622"), record('1', "FFFF11"));
        assert_int_equal(add(&firmware, text), 0);
        assert_int_equal(firmware.count, 3);
        assert_int_equal(firmware.segments[0].address, 0xFFFF);
        assert_int_equal(firmware.segments[1].address, 0x123456);
        assert_int_equal(firmware.segments[2].address, 0x08000000);
        assert_int_equal(firmware.segments[2].data.data[0], 0x33);
}

static void a_count_record_of_24_bits_is_checked(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        char text[2000];

        (void)state;
        snprintf(text, sizeof(text), "%s%s" END, record('1', "000011"), record('6', "000001"));
        assert_int_equal(add(&firmware, text), 0);
        snprintf(text, sizeof(text), "%s%s" END, record('1', "100011"), record('6', "000002"));
        assert_fault(add(&firmware, text), BAD_FILE,
                     "t.s19 line 2: it counts 2 data records, wanted 1");
}

static void broken_files_are_refused_with_line_and_reason(void **state)
{
        static const struct {
                const char *line;
                enum fault fault;
                const char *reason;
        } cases[] = {
                { "S104001011DB\n", FAULT_BAD_FILE, "t.s19 line 2: the checksum is DB, wanted DA" },
                { "X104001011DA\n", FAULT_BAD_FILE, "line 2: begins with byte 0x58, wanted 'S'" },
                { "S404001011DA\n", FAULT_BAD_FILE,
                  "line 2: record type byte 0x34, wanted S0 to S3" },
                { "S104001011D\n", FAULT_BAD_FILE, "line 2: 11 characters" },
                { "S105001011DA\n", FAULT_BAD_FILE, "line 2: 4 bytes follow the count, wanted 5" },
                { "S10400Z011DA\n", FAULT_BAD_FILE, "line 2 column 7: wanted two hexadecimal" },
                { "S10200FD\n", FAULT_BAD_FILE,
                  "line 2: count 2 of an S1 record, wanted at least 3" },
                { "S5030002FA\n", FAULT_BAD_FILE, "line 2: it counts 2 data records, wanted 1" },
                { "S504000111E9\n", FAULT_BAD_FILE, "an S5 record with 1 data bytes, wanted none" },
                { "S904000011EA\n", FAULT_BAD_FILE, "an S9 record with 1 data bytes, wanted none" },
                { "S104000011EA\n", FAULT_BAD_VALUE, "overlaps t.s19 line 1" },
                { "S307FFFFFFFF1122C9\n", FAULT_BAD_FILE,
                  "line 2: 2 bytes at 0xFFFFFFFF end above" },
                { END END, FAULT_BAD_FILE, "line 3: text after the end record" },
                { "", FAULT_BAD_FILE, "line 1: the file ends without an S7, S8 or S9 record" },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
                char text[2000];
                int r;

                snprintf(text, sizeof(text), "S104000011EA\n%s%s", cases[i].line,
                         cases[i].line[0] ? END : "");
                r = add(&firmware, text);
                test_assert_fault(r, cases[i].fault, cases[i].reason, __FILE__, __LINE__);
                assert_int_equal(firmware.count, 0);
        }
}

static void a_file_without_data_is_refused(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;

        (void)state;
        assert_fault(add(&firmware, "S00600004844521B\n" END), BAD_FILE, "no firmware bytes");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_manuals_example_loads),
                cmocka_unit_test(addresses_have_16_24_or_32_bits),
                cmocka_unit_test(a_count_record_of_24_bits_is_checked),
                cmocka_unit_test(broken_files_are_refused_with_line_and_reason),
                cmocka_unit_test(a_file_without_data_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
