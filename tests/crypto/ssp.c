#include "tests/support/test.h"

#include "crypto/curve.h"
#include "crypto/ssp.h"
#include "scheduler/bytes.h"

/* Here the layout; tests/station/gangway_ssp.sh opens what the command sealed with a GCM of its
 * own, over the openssl command. */
static const uint8_t key[GCM_KEY_LENGTH] = { 1, 2, 3 };
static const uint8_t nonce[GCM_IV_LENGTH] = { 9, 8, 7 };

static void make(uint8_t file[static SSP_LENGTH], uint8_t secrets[static SSP_SECRET_LENGTH])
{
        static const uint8_t private_key[CURVE_NUMBER_LENGTH] = { [31] = 5 };
        uint8_t public_key[SSP_KEY_LENGTH];

        for (unsigned i = 0; i < SSP_SECRET_LENGTH; i++)
                secrets[i] = (uint8_t)(i * 7);
        curve_public_key(private_key, public_key);
        ssp_seal(key, nonce, public_key, ssp_rma_word(0x312, 0xECA), secrets, file);
}

static void a_payload_has_the_layout_of_table_2(void **state)
{
        uint8_t file[SSP_LENGTH], secrets[SSP_SECRET_LENGTH];
        struct ssp ssp;

        (void)state;
        make(file, secrets);
        assert_memory_equal(file, "SSPP\1\0\0\0", 8);
        assert_int_equal(load_le32(file + 72), 152);
        assert_int_equal(ssp_parse("a.ssp", file, sizeof(file), &ssp), 0);
        assert_int_equal(ssp.version, 1);
        assert_int_equal(ssp.secret_length, 152);
        assert_memory_equal(ssp.public_key, file + 8, 64);
        assert_memory_equal(ssp.tag, file + 76, 16);
}

static void what_was_sealed_opens_with_the_rma_word_first(void **state)
{
        uint8_t file[SSP_LENGTH], secrets[SSP_SECRET_LENGTH], plain[SSP_PLAIN_LENGTH];
        struct ssp ssp;

        (void)state;
        make(file, secrets);
        assert_int_equal(ssp_parse("a.ssp", file, sizeof(file), &ssp), 0);
        assert_int_equal(ssp_open(&ssp, key, nonce, plain), 0);
        assert_int_equal(load_le32(plain), 0xECAu << 15 | 0x312);
        assert_memory_equal(plain + 4, secrets, sizeof(secrets));
}

static void every_flipped_bit_is_seen(void **state)
{
        uint8_t file[SSP_LENGTH], secrets[SSP_SECRET_LENGTH], plain[SSP_PLAIN_LENGTH];
        struct ssp ssp;

        (void)state;
        make(file, secrets);
        for (size_t bit = 0; bit < 8 * sizeof(file); bit++) {
                file[bit / 8] ^= (uint8_t)(1u << bit % 8);
                if (ssp_parse("a.ssp", file, sizeof(file), &ssp) == 0)
                        assert_fault(ssp_open(&ssp, key, nonce, plain), BAD_TAG, "another key");
                file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
}

static void another_key_or_nonce_opens_nothing(void **state)
{
        static const uint8_t other[16] = { 1, 2, 4 };
        uint8_t file[SSP_LENGTH], secrets[SSP_SECRET_LENGTH], plain[SSP_PLAIN_LENGTH];
        struct ssp ssp;

        (void)state;
        make(file, secrets);
        assert_int_equal(ssp_parse("a.ssp", file, sizeof(file), &ssp), 0);
        assert_fault(ssp_open(&ssp, other, nonce, plain), BAD_TAG, NULL);
        assert_fault(ssp_open(&ssp, key, other, plain), BAD_TAG, NULL);
        for (size_t i = 0; i < sizeof(plain); i++)
                assert_int_equal(plain[i], 0);
}

static void broken_files_are_refused(void **state)
{
        static const struct {
                size_t offset;
                uint8_t value;
                const char *reason;
        } cases[] = {
                { 0, 'X', "offset 0: found" },
                { 4, 2, "offset 4: protocol version 2" },
                { 72, 156, "offset 72: 156 bytes of secrets" },
                { 72, 0, "offset 72: 0 bytes of secrets" },
                { 72, 150, "offset 72: 150 bytes of secrets" },
                { 75, 1, "bytes of secrets, wanted words of at most 152" },
                { 8, 0xFF, "offset 8: the OEM public key is not a point" },
        };
        uint8_t file[SSP_LENGTH + 1] = { 0 }, secrets[SSP_SECRET_LENGTH];
        struct ssp ssp = { .version = 77 };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                make(file, secrets);
                file[cases[i].offset] = cases[i].value;
                assert_fault(ssp_parse("a.ssp", file, SSP_LENGTH, &ssp), BAD_FILE, cases[i].reason);
        }
        make(file, secrets);
        assert_fault(ssp_parse("a.ssp", file, SSP_LENGTH - 1, &ssp), BAD_FILE, "243 bytes");
        assert_fault(ssp_parse("a.ssp", file, SSP_LENGTH + 1, &ssp), BAD_FILE, "245 bytes");
        assert_int_equal(ssp.version, 77);
}

static void a_nonce_file_has_12_bytes_or_16_with_4_zeros(void **state)
{
        uint8_t file[17] = { 1, 2, 3, [11] = 12 }, got[GCM_IV_LENGTH];

        (void)state;
        assert_int_equal(ssp_nonce("n", file, 12, got), 0);
        assert_memory_equal(got, file, 12);
        assert_int_equal(ssp_nonce("n", file, 16, got), 0);
        assert_fault(ssp_nonce("n", file, 11, got), BAD_FILE, "has 11 bytes");
        assert_fault(ssp_nonce("n", file, 13, got), BAD_FILE, "has 13 bytes");
        assert_fault(ssp_nonce("n", file, 17, got), BAD_FILE, "has 17 bytes");
        for (unsigned i = 12; i < 16; i++) {
                file[i] = 1;
                assert_fault(ssp_nonce("n", file, 16, got), BAD_FILE, "are not zero");
                file[i] = 0;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_payload_has_the_layout_of_table_2),
                cmocka_unit_test(what_was_sealed_opens_with_the_rma_word_first),
                cmocka_unit_test(every_flipped_bit_is_seen),
                cmocka_unit_test(another_key_or_nonce_opens_nothing),
                cmocka_unit_test(broken_files_are_refused),
                cmocka_unit_test(a_nonce_file_has_12_bytes_or_16_with_4_zeros),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
