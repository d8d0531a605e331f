/* Ed25519: the vectors of RFC 8032, keys through PEM, and what the openssl command says of ours. */
#include "tests/support/test.h"

#include "crypto/sign.h"
#include "scheduler/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* RFC 8032 section 7.1, test 3. */
static const char private_hex[] =
        "C5AA8DF43F9F837BEDB7442F31DCB7B166D38535076F094B85CE3A2E0B4458F7";
static const char public_hex[] = "FC51CD8E6218A1A38DA47ED00230F0580816ED13BA3303AC5DEB911548908025";
static const uint8_t message[] = { 0xAF, 0x82 };
static const char signature_hex[] =
        "6291D657DEEC24024827E69C3ABE01A30CE548A284743A445E3680D7DB5AC3AC"
        "18FF9B538D16F290AE67F760984DC6594A7C15E9716ED28DC027BECEEA1EC40A";

static struct sign_key rfc_key(void)
{
        struct sign_key key = { .has_private = true };

        assert_true(hex_decode(private_hex, key.private_key, sizeof(key.private_key)));
        assert_true(hex_decode(public_hex, key.public_key, sizeof(key.public_key)));
        return key;
}

static void the_vector_of_rfc_8032_comes_out(void **state)
{
        struct sign_key key = rfc_key();
        uint8_t signature[SIGNATURE_LENGTH], wanted[SIGNATURE_LENGTH];

        (void)state;
        assert_true(hex_decode(signature_hex, wanted, sizeof(wanted)));
        sign_bytes(&key, message, sizeof(message), signature);
        assert_memory_equal(signature, wanted, sizeof(wanted));
        assert_true(sign_verify(&key, message, sizeof(message), signature));
}

static void a_flipped_bit_anywhere_is_refused(void **state)
{
        struct sign_key key = rfc_key(), other = key;
        uint8_t signature[SIGNATURE_LENGTH], changed[sizeof(message)];

        (void)state;
        sign_bytes(&key, message, sizeof(message), signature);
        for (unsigned bit = 0; bit < 8 * SIGNATURE_LENGTH; bit++) {
                signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(sign_verify(&key, message, sizeof(message), signature));
                signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (unsigned bit = 0; bit < 8 * sizeof(message); bit++) {
                memcpy(changed, message, sizeof(message));
                changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(sign_verify(&key, changed, sizeof(changed), signature));
        }
        assert_false(sign_verify(&key, message, 1, signature));
        sign_key_make(&other);
        assert_false(sign_verify(&other, message, sizeof(message), signature));
}

static void two_keys_made_are_different(void **state)
{
        struct sign_key a = { 0 }, b = { 0 };

        (void)state;
        sign_key_make(&a);
        sign_key_make(&b);
        assert_true(a.has_private && b.has_private);
        assert_memory_not_equal(a.private_key, b.private_key, SIGN_KEY_LENGTH);
        assert_memory_not_equal(a.public_key, b.public_key, SIGN_KEY_LENGTH);
}

static void a_key_survives_its_files(void **state)
{
        struct sign_key key = rfc_key(), read = { 0 };
        char text[SIGN_PEM_MAX];

        (void)state;
        sign_private_pem(&key, text);
        assert_int_equal(sign_key_parse("key", text, strlen(text), &read), 0);
        assert_true(read.has_private);
        assert_memory_equal(read.private_key, key.private_key, SIGN_KEY_LENGTH);
        assert_memory_equal(read.public_key, key.public_key, SIGN_KEY_LENGTH);
        sign_public_pem(&key, text);
        assert_null(strstr(text, "PRIVATE"));
        assert_int_equal(sign_key_parse("key", text, strlen(text), &read), 0);
        assert_false(read.has_private);
        assert_memory_equal(read.public_key, key.public_key, SIGN_KEY_LENGTH);
}

/* openssl ecparam -name prime256v1 -genkey | openssl pkey -pubout */
static const char p256[] = "-----BEGIN PUBLIC KEY-----\n"
                           "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgM89FGkPGl4/32KMyLhdgIfTSiUh\n"
                           "laBdsw7lMB31LbQXbRLzUamYTyAoGjuEFCaV5EGx9D3nABL445aPfK1NRw==\n"
                           "-----END PUBLIC KEY-----\n";
static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj8XjJV1w0MmwICCAAw\n"
                                "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEIlh3f+GD+67oahmBdLQhZwEgZCY\n"
                                "ZIGbyuO5mDCEERBLhenRD0+LbHB2gnP98XcJHpTbhvgXS3OMCaSEGFvq7JUzIBg6\n"
                                "127Bgqry0g+3+TbJJJO2z2pIyur5gvB6/1l/XGk9Vfr41RK5HdliAzvi9QgJbeIZ\n"
                                "cj0AL1jNJRTxCt9f2m6TFXGDANoT7/lJGUL6uhMGUBE5LNOiDrQCRYwyZ966ZxU=\n"
                                "-----END ENCRYPTED PRIVATE KEY-----\n";

static void what_is_no_such_key_is_refused_in_words(void **state)
{
        struct sign_key key;

        (void)state;
        assert_fault(sign_key_parse("k.pem", p256, strlen(p256), &key), BAD_FILE, "Ed25519");
        assert_fault(sign_key_parse("k.pem", encrypted, strlen(encrypted), &key), BAD_FILE,
                     "encrypted");
        assert_fault(sign_key_parse("k.pem", "nothing", 7, &key), BAD_FILE, "k.pem");
        assert_fault(sign_key_parse("k.pem", p256, 100000, &key), BAD_FILE, "at most");
}

static void write_file(const char *directory, const char *name, const void *data, size_t length)
{
        char path[256];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
}

static int shell(const char *directory, const char *command)
{
        char line[512];

        snprintf(line, sizeof(line), "cd %s && { %s; } >/dev/null 2>&1", directory, command);
        return system(line);
}

static void the_openssl_command_agrees(void **state)
{
        const char *directory = test_directory();
        struct sign_key key = { 0 };
        char text[SIGN_PEM_MAX], fingerprint[SIGN_FINGERPRINT_MAX], command[320];
        uint8_t signature[SIGNATURE_LENGTH];

        (void)state;
        if (shell(directory, "openssl version") != 0)
                skip();
        sign_key_make(&key);
        sign_public_pem(&key, text);
        write_file(directory, "key.pub", text, strlen(text));
        sign_bytes(&key, "a receipt\n", 10, signature);
        write_file(directory, "text", "a receipt\n", 10);
        write_file(directory, "text.sig", signature, sizeof(signature));
        assert_int_equal(shell(directory, "openssl pkeyutl -verify -pubin -inkey key.pub -rawin "
                                          "-in text -sigfile text.sig"),
                         0);
        write_file(directory, "text", "b receipt\n", 10);
        assert_int_not_equal(shell(directory, "openssl pkeyutl -verify -pubin -inkey key.pub "
                                              "-rawin -in text -sigfile text.sig"),
                             0);
        sign_fingerprint(&key, fingerprint);
        snprintf(command, sizeof(command),
                 "openssl pkey -pubin -in key.pub -outform DER | openssl dgst -sha256 | grep %s",
                 fingerprint);
        assert_int_equal(shell(directory, command), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_vector_of_rfc_8032_comes_out),
                cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
                cmocka_unit_test(two_keys_made_are_different),
                cmocka_unit_test(a_key_survives_its_files),
                cmocka_unit_test(what_is_no_such_key_is_refused_in_words),
                cmocka_unit_test(the_openssl_command_agrees),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
