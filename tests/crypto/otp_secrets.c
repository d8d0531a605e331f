#include "tests/support/test.h"

#include "crypto/otp_secrets.h"

#include <string.h>

static int read_csv(const char *text, struct otp_secrets *secrets)
{
        *secrets = (struct otp_secrets){ 0 };
        return otp_secrets_read_csv("otp.csv", text, strlen(text), secrets);
}

static void rows_give_successive_words(void **state)
{
        struct otp_secrets secrets;

        (void)state;
        assert_int_equal(
                read_csv("# two rows\r\n\r\n 300 , 0x1 , 2,0XfF\n0x10,4294967295", &secrets), 0);
        assert_int_equal(secrets.count, 4);
        assert_int_equal(secrets.values[300], 1);
        assert_int_equal(secrets.values[301], 2);
        assert_int_equal(secrets.values[302], 255);
        assert_int_equal(secrets.values[16], UINT32_MAX);
        assert_false(secrets.is_given[303]);
        assert_int_equal(otp_secrets_check(&secrets), 0);
}

static void words_of_others_and_broken_rows_are_refused(void **state)
{
        static const struct {
                const char *text;
                enum fault code;
                const char *reason;
        } cases[] = {
                { "384,1", FAULT_BAD_VALUE, "line 1: OTP word 384, wanted 0 to 383" },
                { "383,1,2", FAULT_BAD_VALUE, "OTP word 384" },
                { "4294967295,1,2", FAULT_BAD_VALUE, "OTP word 4294967295" },
                { "\n0,1", FAULT_BAD_VALUE, "line 2: OTP word 0 is the check word" },
                { "1,1", FAULT_BAD_VALUE, "is the close" },
                { "4,1", FAULT_BAD_VALUE, "is the ECIES retry count" },
                { "3,1,2", FAULT_BAD_VALUE, "is the ECIES retry count" },
                { "7,1", FAULT_BAD_VALUE, "is the unique id" },
                { "9,1", FAULT_BAD_VALUE, "is the part number" },
                { "102,1", FAULT_BAD_VALUE, "is the revision" },
                { "122,1", FAULT_BAD_VALUE, "is the package" },
                { "300,1\n299,2,3", FAULT_BAD_VALUE, "line 2: OTP word 300 is given twice" },
                { "300", FAULT_BAD_FILE, "line 1: wanted OTP word, comma, value" },
                { "300,", FAULT_BAD_FILE, "line 1: wanted OTP word" },
                { "x,1", FAULT_BAD_FILE, "line 1: wanted OTP word" },
                { "300,0x100000000", FAULT_BAD_FILE, "the value of OTP word 300" },
                { "300,1f", FAULT_BAD_FILE, "the value of OTP word 300" },
                { "300,1,-2", FAULT_BAD_FILE, "the value of OTP word 301" },
                { "300,1 2", FAULT_BAD_FILE, "the value of OTP word 300" },
        };
        struct otp_secrets secrets;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                test_assert_fault(read_csv(cases[i].text, &secrets), cases[i].code, cases[i].reason,
                                  __FILE__, __LINE__);
}

static void hashes_and_keys_are_whole_or_absent(void **state)
{
        struct otp_secrets secrets;

        (void)state;
        assert_int_equal(read_csv("144,1,2,3,4,5,6,7", &secrets), 0);
        assert_fault(otp_secrets_check(&secrets), BAD_VALUE,
                     "OTP word 151 is missing: the public key hash (PKH) is words 144 to 151");
        assert_int_equal(read_csv("261,2,3,4,5,6,7,8", &secrets), 0);
        assert_fault(otp_secrets_check(&secrets), BAD_VALUE, "OTP word 260 is missing");
        assert_int_equal(read_csv("144,1,2,3,4,5,6,7,8\n260,1,2,3,4,5,6,7,8", &secrets), 0);
        assert_int_equal(otp_secrets_check(&secrets), 0);
        assert_int_equal(read_csv("# none", &secrets), 0);
        assert_fault(otp_secrets_check(&secrets), BAD_VALUE, "no OTP words");
}

static void what_is_built_is_read_and_every_flipped_bit_seen(void **state)
{
        struct otp_secrets secrets, got;
        struct bytes file;

        (void)state;
        assert_int_equal(read_csv("300,7,8\n2,5", &secrets), 0);
        file = otp_secrets_build(&secrets);
        assert_int_equal(file.length, 16 + 3 * 8 + 32);
        assert_int_equal(otp_secrets_parse("s", file.data, file.length, &got), 0);
        assert_memory_equal(&got, &secrets, sizeof(got));
        for (size_t bit = 0; bit < 8 * file.length; bit++) {
                file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_fault(otp_secrets_parse("s", file.data, file.length, &got), BAD_FILE, NULL);
                file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t length = 0; length < file.length; length++)
                assert_fault(otp_secrets_parse("s", file.data, length, &got), BAD_FILE, NULL);
        bytes_free(&file);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_give_successive_words),
                cmocka_unit_test(words_of_others_and_broken_rows_are_refused),
                cmocka_unit_test(hashes_and_keys_are_whole_or_absent),
                cmocka_unit_test(what_is_built_is_read_and_every_flipped_bit_seen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
