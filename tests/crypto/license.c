/* The reference license between card and chip, and against the construction license.h documents,
 * done by hand with EVP's ECDH, plain SHA-256 and gcm.h. */
#include "tests/support/test.h"

#include "crypto/digest.h"
#include "crypto/license.h"
#include "scheduler/chance.h"

#include <openssl/evp.h>
#include <openssl/params.h>

#include <time.h>

static const uint8_t key[GCM_KEY_LENGTH] = "sixteen key byte";
static const uint8_t nonce[SFI_NONCE_LENGTH] = "twelve nonce";

struct chip {
        uint8_t secret[PRIVATE_KEY_LENGTH];
        struct certificate certificate;
};

static struct chip chip_make(uint8_t number)
{
        uint8_t seed[32], bytes[CERTIFICATE_LENGTH];
        struct chip chip;

        memset(seed, number, sizeof(seed));
        memset(bytes, 1, sizeof(bytes));
        memcpy(bytes, "45002001", 8);
        license_chip_key(seed, chip.secret, bytes + 8);
        assert_int_equal(certificate_parse(bytes, sizeof(bytes), "45002001", &chip.certificate), 0);
        return chip;
}

static void issue(const struct chip *chip, uint8_t entropy, uint8_t *license)
{
        uint8_t bytes[32];

        memset(bytes, entropy, sizeof(bytes));
        assert_int_equal(license_issue(&chip->certificate, "SFI", key, nonce, bytes, license), 0);
}

static void a_chip_opens_its_own_license(void **state)
{
        uint8_t license[LICENSE_LENGTH], k[GCM_KEY_LENGTH], n[SFI_NONCE_LENGTH];

        (void)state;
        for (unsigned i = 0; i < 256; i++) {
                struct chip chip = chip_make((uint8_t)i);

                issue(&chip, (uint8_t)(255 - i), license);
                assert_int_equal(license_open(license, "SFI", chip.secret, k, n), 0);
                assert_memory_equal(k, key, sizeof(k));
                assert_memory_equal(n, nonce, sizeof(n));
        }
}

static void the_open_fields_stand_where_the_public_license_has_them(void **state)
{
        static const uint8_t fixed[24] = { 'S', 'F', 'I', '.', [8] = 1 };
        struct chip chip = chip_make(3), ephemeral = chip_make(4);
        uint8_t license[LICENSE_LENGTH];

        (void)state;
        issue(&chip, 4, license);
        assert_memory_equal(license, fixed, sizeof(fixed));
        /* the same seed, the same key pair: entropy is all that makes the ephemeral key */
        assert_memory_equal(license + 24, ephemeral.certificate.bytes + 8, 64);
}

static void the_same_entropy_gives_the_same_license_and_no_other(void **state)
{
        struct chip chip = chip_make(1);
        uint8_t one[LICENSE_LENGTH], two[LICENSE_LENGTH];

        (void)state;
        issue(&chip, 9, one);
        issue(&chip, 9, two);
        assert_memory_equal(one, two, sizeof(one));
        issue(&chip, 10, two);
        assert_memory_not_equal(one + 24, two + 24, 64);
        assert_memory_not_equal(one + 88, two + 88, 32);
        assert_memory_not_equal(one + 120, two + 120, 16);
}

static void another_chip_is_refused(void **state)
{
        struct chip mine = chip_make(1), other = chip_make(2);
        uint8_t license[LICENSE_LENGTH], k[GCM_KEY_LENGTH], n[SFI_NONCE_LENGTH];
        uint8_t untouched[GCM_KEY_LENGTH];

        (void)state;
        memset(k, 0x77, sizeof(k));
        memset(untouched, 0x77, sizeof(untouched));
        issue(&mine, 5, license);
        assert_fault(license_open(license, "SFI", other.secret, k, n), BAD_LICENSE, "another chip");
        assert_memory_equal(k, untouched, sizeof(k));
}

static void any_changed_bit_is_refused(void **state)
{
        struct chip chip = chip_make(1);
        uint8_t license[LICENSE_LENGTH], k[GCM_KEY_LENGTH], n[SFI_NONCE_LENGTH];

        (void)state;
        issue(&chip, 6, license);
        for (unsigned bit = 0; bit < 8 * LICENSE_LENGTH; bit++) {
                license[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_fault(license_open(license, "SFI", chip.secret, k, n), BAD_LICENSE, NULL);
                license[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(license_open(license, "SFI", chip.secret, k, n), 0);
}

static void wrong_open_fields_are_named(void **state)
{
        struct chip chip = chip_make(1);
        uint8_t license[LICENSE_LENGTH], k[GCM_KEY_LENGTH], n[SFI_NONCE_LENGTH];

        (void)state;
        issue(&chip, 6, license);
        license[1] = 'S'; /* "SSI." */
        assert_fault(license_open(license, "SFI", chip.secret, k, n), BAD_LICENSE, "5353492E");
        license[1] = 'F';
        license[5] = 1;
        assert_fault(license_open(license, "SFI", chip.secret, k, n), BAD_LICENSE,
                     "session 0x00000100");
        license[5] = 0;
        license[8] = 2;
        assert_fault(license_open(license, "SFI", chip.secret, k, n), BAD_LICENSE, "version is 2");
        license[8] = 1;
        license[24] ^= 1;
        assert_fault(license_open(license, "SFI", chip.secret, k, n), BAD_LICENSE, "not a point");
}

static void a_certificate_without_a_point_gets_no_license(void **state)
{
        struct chip chip = chip_make(1);
        uint8_t license[LICENSE_LENGTH], entropy[32] = { 1 };

        (void)state;
        chip.certificate.bytes[71] ^= 1;
        assert_fault(license_issue(&chip.certificate, "SFI", key, nonce, entropy, license),
                     BAD_CERTIFICATE, "P-256");
}

/* (seed mod (n-1)) + 1 at its edges; the order n as in FIPS 186-4 D.1.2.3. */
static void seeds_become_private_keys_in_range(void **state)
{
        static const struct {
                const char *seed, *wanted;
        } edges[] = {
                { "0000000000000000000000000000000000000000000000000000000000000000",
                  "0000000000000000000000000000000000000000000000000000000000000001" },
                { "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC63254F",
                  "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550" },
                { "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550",
                  "0000000000000000000000000000000000000000000000000000000000000001" },
                { "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
                  "0000000000000000000000000000000000000000000000000000000000000002" },
                { "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
                  "00000000FFFFFFFF00000000000000004319055258E8617B0C46353D039CDAB0" },
        };
        /* the base point, for the private key 1 (the same source) */
        static const char base[] =
                "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
                "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";
        uint8_t seed[32], private_key[32], public_key[64];
        char text[129];

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(edges); i++) {
                assert_true(hex_decode(edges[i].seed, seed, 32));
                license_chip_key(seed, private_key, public_key);
                assert_string_equal(hex_encode(private_key, 32, text), edges[i].wanted);
        }
        memset(seed, 0, sizeof(seed));
        license_chip_key(seed, private_key, public_key);
        assert_string_equal(hex_encode(public_key, 64, text), base);
}

/* A P-256 key for EVP: public point, and the private number unless NULL. */
static EVP_PKEY *evp_key(const uint8_t *public_key, const uint8_t *private_key)
{
        uint8_t encoded[65] = { 4 }, native[32] = { 0 };
        char group[] = "P-256";
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        EVP_PKEY *made = NULL;
        OSSL_PARAM parameters[] = {
                OSSL_PARAM_construct_utf8_string("group", group, 0),
                OSSL_PARAM_construct_octet_string("pub", encoded, sizeof(encoded)),
                OSSL_PARAM_construct_end(),
                OSSL_PARAM_construct_end(),
        };

        memcpy(encoded + 1, public_key, 64);
        for (unsigned i = 0; private_key && i < 32; i++)
                native[i] = private_key[31 - i]; /* numbers are in the machine's order there */
        if (private_key)
                parameters[2] = OSSL_PARAM_construct_BN("priv", native, sizeof(native));
        assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
        assert_int_equal(EVP_PKEY_fromdata(context, &made,
                                           private_key ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                                           parameters),
                         1);
        EVP_PKEY_CTX_free(context);
        return made;
}

/* Z from EVP's own ECDH rather than the curve file's. */
static void evp_shared_secret(const struct chip *chip, const uint8_t *theirs, uint8_t *ret_z)
{
        EVP_PKEY *own = evp_key(chip->certificate.bytes + 8, chip->secret);
        EVP_PKEY *peer = evp_key(theirs, NULL);
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, NULL);
        size_t length = 32;

        assert_int_equal(EVP_PKEY_derive_init(context), 1);
        assert_int_equal(EVP_PKEY_derive_set_peer(context, peer), 1);
        assert_int_equal(EVP_PKEY_derive(context, ret_z, &length), 1);
        assert_int_equal(length, 32);
        EVP_PKEY_CTX_free(context);
        EVP_PKEY_free(own);
        EVP_PKEY_free(peer);
}

/* The key of the record, its IV, and the AAD, rebuilt with digest.h alone: SHA-256(Z, 1), (Z, 2).
 */
struct by_hand {
        uint8_t k[64];
        uint8_t aad[120];
};

static struct by_hand derive_by_hand(const struct chip *chip, const uint8_t *license)
{
        static const uint8_t counters[2][4] = { { 0, 0, 0, 1 }, { 0, 0, 0, 2 } };
        struct by_hand hand;
        uint8_t z[32];

        evp_shared_secret(chip, license + 24, z);
        for (unsigned i = 0; i < 2; i++) {
                const struct piece pieces[] = { { z, 32 }, { counters[i], 4 } };

                digest_sha256_pieces(pieces, 2, hand.k + 32 * i);
        }
        memcpy(hand.aad, license, 88);
        memcpy(hand.aad + 88, hand.k + 32, 32);
        return hand;
}

static void the_documented_construction_opens_it_by_hand(void **state)
{
        struct chip chip = chip_make(8);
        uint8_t license[LICENSE_LENGTH], record[32];
        struct by_hand hand;
        struct gcm_key *cipher;

        (void)state;
        issue(&chip, 7, license);
        hand = derive_by_hand(&chip, license);
        cipher = gcm_key_create(hand.k);
        assert_int_equal(gcm_open(cipher, hand.k + 16, hand.aad, sizeof(hand.aad), license + 88,
                                  record, sizeof(record), license + 120),
                         0);
        gcm_key_destroy(cipher);
        assert_memory_equal(record, nonce, 12);
        assert_memory_equal(record + 12, "\0\0\0\0", 4);
        assert_memory_equal(record + 16, key, 16);
}

/* A card that sets the last four bytes of the IV breaks AN5054 section 3.1.2. */
static void a_record_with_a_long_iv_is_refused(void **state)
{
        struct chip chip = chip_make(8);
        uint8_t license[LICENSE_LENGTH], record[32];
        uint8_t found_key[GCM_KEY_LENGTH], found_nonce[SFI_NONCE_LENGTH];
        struct by_hand hand;
        struct gcm_key *cipher;

        (void)state;
        issue(&chip, 7, license);
        hand = derive_by_hand(&chip, license);
        memset(record, 0x11, sizeof(record));
        cipher = gcm_key_create(hand.k);
        gcm_seal(cipher, hand.k + 16, hand.aad, sizeof(hand.aad), record, license + 88,
                 sizeof(record), license + 120);
        gcm_key_destroy(cipher);
        assert_fault(license_open(license, "SFI", chip.secret, found_key, found_nonce), BAD_LICENSE,
                     "last 4 bytes");
}

static void a_thousand_licenses_are_issued_and_opened(void **state)
{
        struct chip chip = chip_make(1);
        struct chance chance = chance_fork(3, "license", 0);
        uint8_t license[LICENSE_LENGTH], entropy[32], k[GCM_KEY_LENGTH], n[SFI_NONCE_LENGTH];
        struct timespec start, end;

        (void)state;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (unsigned i = 0; i < 1000; i++) {
                chance_bytes(&chance, entropy, sizeof(entropy));
                assert_int_equal(
                        license_issue(&chip.certificate, "SFI", key, nonce, entropy, license), 0);
                assert_int_equal(license_open(license, "SFI", chip.secret, k, n), 0);
                assert_memory_equal(k, key, sizeof(k));
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        print_message("# issued and opened in %.0f ms\n",
                      (double)(end.tv_sec - start.tv_sec) * 1e3 +
                              (double)(end.tv_nsec - start.tv_nsec) / 1e6);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_chip_opens_its_own_license),
                cmocka_unit_test(the_open_fields_stand_where_the_public_license_has_them),
                cmocka_unit_test(the_same_entropy_gives_the_same_license_and_no_other),
                cmocka_unit_test(another_chip_is_refused),
                cmocka_unit_test(any_changed_bit_is_refused),
                cmocka_unit_test(wrong_open_fields_are_named),
                cmocka_unit_test(a_certificate_without_a_point_gets_no_license),
                cmocka_unit_test(seeds_become_private_keys_in_range),
                cmocka_unit_test(the_documented_construction_opens_it_by_hand),
                cmocka_unit_test(a_record_with_a_long_iv_is_refused),
                cmocka_unit_test(a_thousand_licenses_are_issued_and_opened),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
