/*
 * Certificates, chains, tokens and password files of debug authentication. The chains are made here;
 * ST's own (STM32CubeH5 and STM32CubeH7RS, ROT_Provisioning/DA/Certificates/cert_leaf_chain.b64) are read
 * when the shared data has them, as tests/README.md says.
 */
#include "tests/support/test.h"

#include "crypto/adac.h"
#include "crypto/digest.h"
#include "crypto/obk_recipe.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (ADAC_TLV_LENGTH + ADAC_CERTIFICATE_LENGTH)

struct maker {
        uint8_t private_key[3][CURVE_NUMBER_LENGTH];
        struct adac_certificate made[3];
        uint8_t file[3 * PIECE];
};
static struct maker maker;

/* Keys from fixed seeds, a chain of root, intermediate and leaf with the mask ST's examples have. */
static int make_chain(void **state)
{
        (void)state;
        memset(&maker, 0, sizeof(maker));
        for (unsigned i = 0; i < 3; i++) {
                struct adac_certificate *made = &maker.made[i];
                uint8_t seed[CURVE_NUMBER_LENGTH] = { 7, (uint8_t)i };

                curve_private_key(seed, maker.private_key[i]);
                curve_public_key(maker.private_key[i], made->public_key);
                made->role = (enum adac_role)(i + 1);
                made->usage = 1;
                store_le16(made->permissions, 0x5077);
                adac_certificate_make(made, maker.private_key[i ? i - 1 : 0]);
                memcpy(maker.file + i * PIECE, made->bytes, PIECE);
        }
        return 0;
}

static int parse(const void *file, size_t length, struct adac_chain *ret_chain)
{
        return adac_chain_parse("chain.b64", file, length, ret_chain);
}

static void a_chain_is_read_and_proven(void **state)
{
        struct adac_chain chain;
        uint8_t all[ADAC_PERMISSION_LENGTH];
        char text[40];

        (void)state;
        assert_int_equal(parse(maker.file, sizeof(maker.file), &chain), 0);
        assert_int_equal(chain.count, 3);
        assert_int_equal(chain.certificates[2].role, ADAC_LEAF);
        assert_memory_equal(chain.certificates[2].public_key, maker.made[2].public_key, 64);
        assert_memory_equal(chain.certificates[1].bytes, maker.made[1].bytes, PIECE);
        adac_chain_permissions(&chain, all);
        assert_string_equal(adac_permission_text(all, text), "0x5077");
}

static void base64_in_lines_is_the_same_chain(void **state)
{
        char text[2 * sizeof(maker.file)], lines[2 * sizeof(text)], *end = lines;
        struct adac_chain chain;
        int length = EVP_EncodeBlock((unsigned char *)text, maker.file, sizeof(maker.file));

        (void)state;
        assert_int_equal(parse(text, (size_t)length, &chain), 0);
        assert_int_equal(chain.count, 3);
        for (int i = 0; i < length; i += 64)
                end += sprintf(end, "%.64s\r\n", text + i);
        assert_int_equal(parse(lines, (size_t)(end - lines), &chain), 0);
        assert_int_equal(chain.count, 3);
        assert_fault(parse(text, (size_t)length - 1, &chain), BAD_FILE, "is it cut");
        text[20] = '!';
        assert_fault(parse(text, (size_t)length, &chain), BAD_FILE, "offset 20: found 0x21");
}

/* Every field that is looked at, once wrong. */
static void each_wrong_field_is_named(void **state)
{
        static const struct {
                size_t offset;
                uint8_t value;
                const char *sentence;
        } cases[] = {
                { 0, 0, NULL }, /* as it is: good */
                { 2, 2, "wanted a certificate: 0x0201" },
                { 4, 0xD5, "of 213 bytes, wanted a certificate" },
                { 8, 2, "offset 8: the version is 0x2" },
                { 10, 2, "the signature type is 0x2" },
                { 11, 2, "the key type is 0x2" },
                { 12, 4, "the role is 0x4" },
                { 12, 3, "a chain begins with its root" },
                { 14, 1, "the reserved field" },
                { 20, 1, "the length of extensions is 0x1" },
                { 60, 0xFF, "no point of P-256" },
                { 124, 1, "the digest of no extensions" },
                { 44, 0xFF, "certificate 1 is not signed by its own key" },
                { 156, 0, "certificate 1 is not signed by its own key" },
        };
        struct adac_chain chain;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                uint8_t kept = maker.file[cases[i].offset];
                int r;

                if (cases[i].sentence)
                        maker.file[cases[i].offset] =
                                (uint8_t)(cases[i].value == kept ? ~kept : cases[i].value);
                r = parse(maker.file, sizeof(maker.file), &chain);
                if (cases[i].sentence)
                        assert_fault(r, BAD_FILE, cases[i].sentence);
                else
                        assert_int_equal(r, 0);
                maker.file[cases[i].offset] = kept;
        }
}

static void certificates_out_of_order_are_refused(void **state)
{
        uint8_t swapped[3 * PIECE];
        struct adac_chain chain;

        (void)state;
        memcpy(swapped, maker.file, PIECE);
        memcpy(swapped + PIECE, maker.made[2].bytes, PIECE);
        memcpy(swapped + 2 * PIECE, maker.made[1].bytes, PIECE);
        assert_fault(parse(swapped, sizeof(swapped), &chain), BAD_FILE,
                     "certificate 2 is not signed by the one before it");
        memcpy(swapped + PIECE, maker.made[0].bytes, PIECE);
        assert_fault(parse(swapped, sizeof(swapped), &chain), BAD_FILE,
                     "a certificate of role 1 follows one of role 1");
}

static void a_chain_has_limits(void **state)
{
        struct bytes long_one = bytes_new(9 * PIECE);
        struct adac_certificate link = maker.made[1];
        struct adac_chain chain;

        (void)state;
        memcpy(long_one.data, maker.file, PIECE);
        for (unsigned i = 1; i < 9; i++) { /* intermediates of one key, each by the one before */
                memcpy(link.public_key, maker.made[0].public_key, 64);
                adac_certificate_make(&link, maker.private_key[0]);
                memcpy(long_one.data + i * PIECE, link.bytes, PIECE);
        }
        assert_int_equal(parse(long_one.data, 8 * PIECE, &chain), 0);
        assert_int_equal(chain.count, 8);
        assert_fault(parse(long_one.data, 9 * PIECE, &chain), BAD_FILE, "more than 8 certificates");
        assert_fault(parse(long_one.data, 0, &chain), BAD_FILE, "0 bytes");
        assert_fault(parse(long_one.data, ADAC_FILE_MAX + 1, &chain), BAD_FILE,
                     "a certificate chain has 1 to 8192");
        for (size_t cut = 1; cut < 2 * PIECE; cut += 13)
                if (cut != PIECE)
                        assert_fault(parse(maker.file, cut, &chain), BAD_FILE, "chain.b64");
        bytes_free(&long_one);
}

static void a_token_is_signed_over_the_challenge(void **state)
{
        uint8_t challenge[ADAC_CHALLENGE_LENGTH] = "thirty-two bytes from the part.";
        uint8_t mask[16] = { 0 };
        uint8_t token[ADAC_TLV_LENGTH + ADAC_TOKEN_LENGTH];
        const struct piece parts[] = { { token + 8, 56 }, { challenge, sizeof(challenge) } };

        (void)state;
        adac_permission_add(mask, ADAC_FULL_REGRESSION);
        adac_token_make(maker.private_key[2], challenge, mask, token);
        assert_int_equal(load_le32(token), 0x02000000);
        assert_int_equal(load_le32(token + 4), 120);
        assert_int_equal(load_le32(token + 8), 0x00010001);
        assert_int_equal(load_le32(token + 16), 0x4000);
        assert_true(ecdsa_verify(maker.made[2].public_key, parts, 2, token + 64));
        challenge[31] ^= 1;
        assert_false(ecdsa_verify(maker.made[2].public_key, parts, 2, token + 64));
        challenge[31] ^= 1;
        assert_false(ecdsa_verify(maker.made[1].public_key, parts, 2, token + 64));
}

static void signatures_are_refused_without_a_crash(void **state)
{
        uint8_t signature[ECDSA_LENGTH] = { 0 }, key[CURVE_POINT_LENGTH] = { 0 };
        const struct piece part = { "text", 4 };

        (void)state;
        assert_false(ecdsa_verify(maker.made[0].public_key, &part, 1, signature));
        memset(signature, 0xFF, sizeof(signature));
        assert_false(ecdsa_verify(maker.made[0].public_key, &part, 1, signature));
        assert_false(ecdsa_verify(key, &part, 1, signature));
        ecdsa_sign(maker.private_key[0], &part, 1, signature);
        assert_true(ecdsa_verify(maker.made[0].public_key, &part, 1, signature));
}

static void a_password_file_is_what_is_sent(void **state)
{
        struct bytes file = obk_password_file("hello"), sent = { 0 };

        (void)state;
        assert_int_equal(adac_password_parse("password.bin", file.data, file.length, &sent), 0);
        assert_int_equal(sent.length, 16); /* whole words */
        assert_memory_equal(sent.data, file.data, file.length);
        bytes_wipe_free(&sent);
        assert_fault(adac_password_parse("password.bin", file.data, file.length - 1, &sent),
                     BAD_FILE, "gangway obk create");
        file.data[0] = 1;
        assert_fault(adac_password_parse("password.bin", file.data, file.length, &sent), BAD_FILE,
                     "do not begin with 0x80000000");
        bytes_wipe_free(&file);
        file = obk_password_file("abc");
        assert_fault(adac_password_parse("password.bin", file.data, file.length, &sent), BAD_FILE,
                     "a password of 3 bytes, parts take 4 to 16");
        bytes_wipe_free(&file);
        file = obk_password_file("0123456789abcdefg");
        assert_fault(adac_password_parse("password.bin", file.data, file.length, &sent), BAD_FILE,
                     "a password of 17 bytes");
        bytes_wipe_free(&file);
}

static void permissions_have_numbers_and_names(void **state)
{
        uint8_t mask[16] = { 0x07, 0x50, [15] = 0x80 };
        char text[40];

        (void)state;
        assert_true(adac_permission_has(mask, 14));
        assert_true(adac_permission_has(mask, 127));
        assert_false(adac_permission_has(mask, 13));
        assert_false(adac_permission_has(mask, 128));
        assert_string_equal(adac_permission_name(14), "full regression");
        assert_null(adac_permission_name(127));
        assert_string_equal(adac_permission_text(mask, text), "0x80000000000000000000000000005007");
        memset(mask, 0, sizeof(mask));
        assert_string_equal(adac_permission_text(mask, text), "0x0");
}

/* ST's own: read, proven, and made again byte for byte up to each signature. */
static void a_chain_of_st_is_understood(void **state)
{
        const char *path = test_data("obk/DA/Certificates/cert_leaf_chain.b64");
        FILE *file = fopen(path, "rb");
        struct adac_chain chain;
        char text[4096];
        size_t length;

        (void)state;
        assert_non_null(file);
        length = fread(text, 1, sizeof(text), file);
        fclose(file);
        assert_int_equal(parse(text, length, &chain), 0);
        assert_int_equal(chain.count, 3);
        for (size_t i = 0; i < chain.count; i++) {
                struct adac_certificate again = chain.certificates[i];

                adac_certificate_make(&again, maker.private_key[0]);
                assert_memory_equal(again.bytes, chain.certificates[i].bytes, PIECE - 64);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_chain_is_read_and_proven),
                cmocka_unit_test(base64_in_lines_is_the_same_chain),
                cmocka_unit_test(each_wrong_field_is_named),
                cmocka_unit_test(certificates_out_of_order_are_refused),
                cmocka_unit_test(a_chain_has_limits),
                cmocka_unit_test(a_token_is_signed_over_the_challenge),
                cmocka_unit_test(signatures_are_refused_without_a_crash),
                cmocka_unit_test(a_password_file_is_what_is_sent),
                cmocka_unit_test(permissions_have_numbers_and_names),
                cmocka_unit_test(a_chain_of_st_is_understood),
        };

        return cmocka_run_group_tests(tests, make_chain, NULL);
}
