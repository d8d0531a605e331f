#include "tests/support/test.h"

#include "crypto/curve.h"
#include "crypto/pem.h"
#include "scheduler/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Made with openssl ecparam and pkcs8; the numbers read by openssl pkey -text. */
static const char private_sec1[] =
        "-----BEGIN EC PRIVATE KEY-----\n"
        "MHcCAQEEIIus6wQTlgjdVhB4zQxPYLVigzTlmrP8B51iMEUU+86CoAoGCCqGSM49\n"
        "AwEHoUQDQgAEgM89FGkPGl4/32KMyLhdgIfTSiUhlaBdsw7lMB31LbQXbRLzUamY\n"
        "TyAoGjuEFCaV5EGx9D3nABL445aPfK1NRw==\n"
        "-----END EC PRIVATE KEY-----\n";
static const char private_pkcs8[] =
        "-----BEGIN PRIVATE KEY-----\n"
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgi6zrBBOWCN1WEHjN\n"
        "DE9gtWKDNOWas/wHnWIwRRT7zoKhRANCAASAzz0UaQ8aXj/fYozIuF2Ah9NKJSGV\n"
        "oF2zDuUwHfUttBdtEvNRqZhPICgaO4QUJpXkQbH0PecAEvjjlo98rU1H\n"
        "-----END PRIVATE KEY-----\n";
static const char public_spki[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgM89FGkPGl4/32KMyLhdgIfTSiUh\n"
        "laBdsw7lMB31LbQXbRLzUamYTyAoGjuEFCaV5EGx9D3nABL445aPfK1NRw==\n"
        "-----END PUBLIC KEY-----\n";
static const char private_number[] =
        "8BACEB04139608DD561078CD0C4F60B5628334E59AB3FC079D62304514FBCE82";
static const char public_point[] =
        "80CF3D14690F1A5E3FDF628CC8B85D8087D34A252195A05DB30EE5301DF52DB4"
        "176D12F351A9984F20281A3B84142695E441B1F43DE70012F8E3968F7CAD4D47";

/* Another curve, another kind, and one with a passphrase. */
static const char secp256k1[] = "-----BEGIN PUBLIC KEY-----\n"
                                "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEHryaUy/27D5BsB+fa2kL+w7uxGExf9BU\n"
                                "m2FMPlPKycuir/j74vjpmEipzj5qXtMbDHrzUKSZ9oUy1DiHkQz9XQ==\n"
                                "-----END PUBLIC KEY-----\n";
static const char ed25519[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MCowBQYDK2VwAyEA4/jqlPpgvWu6dZ3SqMIh5ipG4//ZqWR6yj1Cgorzob0=\n"
                              "-----END PUBLIC KEY-----\n";
static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj8XjJV1w0MmwICCAAw\n"
                                "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEIlh3f+GD+67oahmBdLQhZwEgZCY\n"
                                "ZIGbyuO5mDCEERBLhenRD0+LbHB2gnP98XcJHpTbhvgXS3OMCaSEGFvq7JUzIBg6\n"
                                "127Bgqry0g+3+TbJJJO2z2pIyur5gvB6/1l/XGk9Vfr41RK5HdliAzvi9QgJbeIZ\n"
                                "cj0AL1jNJRTxCt9f2m6TFXGDANoT7/lJGUL6uhMGUBE5LNOiDrQCRYwyZ966ZxU=\n"
                                "-----END ENCRYPTED PRIVATE KEY-----\n";

static int parse(const char *text, struct pem_key *ret_key)
{
        return pem_parse("key.pem", text, strlen(text), ret_key);
}

static void assert_point(const struct pem_key *key)
{
        uint8_t point[CURVE_POINT_LENGTH];

        assert_true(hex_decode(public_point, point, sizeof(point)));
        assert_memory_equal(key->public_key, point, sizeof(point));
}

static void a_public_key_of_178_bytes_gives_its_point(void **state)
{
        struct pem_key key;

        (void)state;
        assert_int_equal(strlen(public_spki), 178); /* AN5054 section 2.5.2 */
        assert_int_equal(parse(public_spki, &key), 0);
        assert_false(key.has_private);
        assert_point(&key);
}

static void both_kinds_of_private_key_bring_the_public_one(void **state)
{
        const char *const texts[] = { private_sec1, private_pkcs8 };
        uint8_t number[CURVE_NUMBER_LENGTH];
        struct pem_key key;

        (void)state;
        assert_true(hex_decode(private_number, number, sizeof(number)));
        for (size_t i = 0; i < LENGTH_OF(texts); i++) {
                assert_int_equal(parse(texts[i], &key), 0);
                assert_true(key.has_private);
                assert_point(&key);
                assert_memory_equal(key.private_key, number, sizeof(number));
        }
}

/* Each line end with CR: 182 bytes, which ST's tool refuses. */
static void line_ends_and_comments_do_not_matter(void **state)
{
        char text[512] = "# the OEM key\r\n";
        size_t length = strlen(text);
        struct pem_key key;

        (void)state;
        for (const char *at = public_spki; *at; at++) {
                if (*at == '\n')
                        text[length++] = '\r';
                text[length++] = *at;
        }
        text[length] = '\0';
        assert_int_equal(parse(text, &key), 0);
        assert_point(&key);
}

static void what_is_no_p256_key_is_refused(void **state)
{
        static const struct {
                const char *text, *reason;
        } cases[] = {
                { "", "no readable key" },
                { "-----BEGIN PUBLIC KEY-----\nMFkw\n", "no readable key" },
                { "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
                  "no readable key" },
                { secp256k1, "on another curve" },
                { ed25519, "of another kind" },
                { encrypted, "is encrypted" },
        };
        struct pem_key key = { .has_private = true };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_fault(parse(cases[i].text, &key), BAD_FILE, cases[i].reason);
        assert_true(key.has_private); /* written on success only */
}

static void a_changed_point_is_refused(void **state)
{
        char text[sizeof(public_spki)];
        struct pem_key key;
        unsigned refused = 0;

        (void)state;
        for (unsigned i = 0; i < 20; i++) {
                memcpy(text, public_spki, sizeof(text));
                text[100 + i] = text[100 + i] == 'A' ? 'B' : 'A';
                refused += parse(text, &key) < 0;
        }
        assert_int_equal(refused, 20);
}

static void a_file_too_large_is_refused(void **state)
{
        char *text = calloc(1, PEM_FILE_MAX + 1);
        struct pem_key key;

        (void)state;
        assert_non_null(text);
        assert_fault(pem_parse("key.pem", text, PEM_FILE_MAX + 1, &key), BAD_FILE,
                     "wanted at most 16384");
        free(text);
}

static void der_has_the_bytes_st_writes(void **state)
{
        static const char head[] =
                "308143020100301306072A8648CE3D020106082A8648CE3D0301070429302702"
                "01010420";
        uint8_t public_der[PEM_PUBLIC_DER_LENGTH], private_der[PEM_PRIVATE_DER_LENGTH], wanted[36];
        struct pem_key key;

        (void)state;
        assert_int_equal(parse(private_pkcs8, &key), 0);
        pem_public_der(&key, public_der);
        assert_int_equal(public_der[0], 0x30);
        assert_int_equal(public_der[26], 0x04);
        assert_memory_equal(public_der + 27, key.public_key, 64);
        pem_private_der(&key, private_der);
        assert_true(hex_decode(head, wanted, sizeof(wanted)));
        assert_memory_equal(private_der, wanted, sizeof(wanted));
        assert_memory_equal(private_der + 36, key.private_key, 32);
        assert_int_equal(private_der[68], 0xA1);
        assert_int_equal(private_der[69], 0x44);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_public_key_of_178_bytes_gives_its_point),
                cmocka_unit_test(both_kinds_of_private_key_bring_the_public_one),
                cmocka_unit_test(line_ends_and_comments_do_not_matter),
                cmocka_unit_test(what_is_no_p256_key_is_refused),
                cmocka_unit_test(a_changed_point_is_refused),
                cmocka_unit_test(a_file_too_large_is_refused),
                cmocka_unit_test(der_has_the_bytes_st_writes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
