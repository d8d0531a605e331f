/* What gcm.h promises, for every engine of this machine. */
#include "tests/support/test.h"

#include "crypto/gcm.h"
#include "scheduler/bytes.h"
#include "scheduler/chance.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const engines[] = { "openssl", "ipsec-mb" };

/* The test cases 1 to 4 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B,
 * which NIST SP 800-38D points to; H and GHASH as printed there. */
struct vector {
        const char *key, *iv, *aad, *plain, *cipher, *tag, *hash_key, *hash;
};

#define PLAIN_60                                                                                   \
        "D9313225F88406E5A55909C5AFF5269A86A7A9531534F7DA2E4C303D8A318A72"                         \
        "1C3C0C95956809532FCF0E2449A6B525B16AEDF5AA0DE657BA637B39"
#define CIPHER_60                                                                                  \
        "42831EC2217774244B7221B784D0D49CE3AA212F2C02A4E035C17E2329ACA12E"                         \
        "21D514B25466931C7D8F6A5AAC84AA051BA30B396A0AAC973D58E091"

static const struct vector vectors[] = {
        { .key = "00000000000000000000000000000000",
          .iv = "000000000000000000000000",
          .aad = "",
          .plain = "",
          .cipher = "",
          .tag = "58E2FCCEFA7E3061367F1D57A4E7455A",
          .hash_key = "66E94BD4EF8A2C3B884CFA59CA342B2E",
          .hash = "00000000000000000000000000000000" },
        { .key = "00000000000000000000000000000000",
          .iv = "000000000000000000000000",
          .aad = "",
          .plain = "00000000000000000000000000000000",
          .cipher = "0388DACE60B6A392F328C2B971B2FE78",
          .tag = "AB6E47D42CEC13BDF53A67B21257BDDF",
          .hash_key = "66E94BD4EF8A2C3B884CFA59CA342B2E",
          .hash = "F38CBB1AD69223DCC3457AE5B6B0F885" },
        { .key = "FEFFE9928665731C6D6A8F9467308308",
          .iv = "CAFEBABEFACEDBADDECAF888",
          .aad = "",
          .plain = PLAIN_60 "1AAFD255",
          .cipher = CIPHER_60 "473F5985",
          .tag = "4D5C2AF327CD64A62CF35ABD2BA6FAB4",
          .hash_key = "B83B533708BF535D0AA6E52980D53B78",
          .hash = "7F1B32B81B820D02614F8895AC1D4EAC" },
        { .key = "FEFFE9928665731C6D6A8F9467308308",
          .iv = "CAFEBABEFACEDBADDECAF888",
          .aad = "FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2",
          .plain = PLAIN_60,
          .cipher = CIPHER_60,
          .tag = "5BC94FBC3221A5DB94FAE95AE7121A47",
          .hash_key = "B83B533708BF535D0AA6E52980D53B78",
          .hash = "698E57F70E6ECC7FD9463B7260A9AE5F" },
};

static struct bytes from_hex(const char *text)
{
        struct bytes bytes = bytes_new(strlen(text) / 2);

        assert_true(hex_decode(text, bytes.data, bytes.length));
        return bytes;
}

static void check_vector(const struct vector *vector)
{
        CLEANUP(bytes_free) struct bytes key = from_hex(vector->key);
        CLEANUP(bytes_free) struct bytes iv = from_hex(vector->iv);
        CLEANUP(bytes_free) struct bytes aad = from_hex(vector->aad);
        CLEANUP(bytes_free) struct bytes plain = from_hex(vector->plain);
        CLEANUP(bytes_free) struct bytes cipher = from_hex(vector->cipher);
        CLEANUP(bytes_free) struct bytes tag = from_hex(vector->tag);
        struct gcm_key *k = gcm_key_create(key.data);
        uint8_t out[64], found[GCM_TAG_LENGTH];

        gcm_seal(k, iv.data, aad.data, aad.length, plain.data, out, plain.length, found);
        assert_memory_equal(out, cipher.data, cipher.length);
        assert_memory_equal(found, tag.data, tag.length);
        assert_int_equal(gcm_open(k, iv.data, aad.data, aad.length, cipher.data, out, cipher.length,
                                  tag.data),
                         0);
        assert_memory_equal(out, plain.data, plain.length);
        assert_null(gcm_key_destroy(k));
}

/* Run a check for each engine here; OpenSSL must be, the other may be missing. */
static void with_each_engine(void (*check)(void))
{
        for (unsigned i = 0; i < LENGTH_OF(engines); i++) {
                int r = gcm_engine_select(engines[i]);

                if (r < 0) {
                        assert_string_equal(engines[i], "ipsec-mb");
                        print_message("# %s\n", fault_sentence(r));
                        continue;
                }
                assert_memory_equal(gcm_engine_name(), engines[i], strlen(engines[i]));
                check();
        }
        assert_int_equal(gcm_engine_select(NULL), 0);
}

static void check_vectors(void)
{
        for (unsigned i = 0; i < LENGTH_OF(vectors); i++)
                check_vector(&vectors[i]);
}

static void published_vectors_come_out(void **state)
{
        (void)state;
        with_each_engine(check_vectors);
}

static void ghash_alone_gives_the_published_values(void **state)
{
        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(vectors); i++) {
                CLEANUP(bytes_free) struct bytes hash_key = from_hex(vectors[i].hash_key);
                CLEANUP(bytes_free) struct bytes aad = from_hex(vectors[i].aad);
                CLEANUP(bytes_free) struct bytes cipher = from_hex(vectors[i].cipher);
                CLEANUP(bytes_free) struct bytes wanted = from_hex(vectors[i].hash);
                uint8_t found[16];

                gcm_ghash(hash_key.data, aad.data, aad.length, cipher.data, cipher.length, found);
                assert_memory_equal(found, wanted.data, 16);
        }
}

/* tag = ghash XOR E_K(J0): the mask of one message is that of any other under the same IV, and the
 * hash key is E_K(0), which the counter block of an all-zero message shows for J0 = 0. */
static void ghash_agrees_with_the_engines_on_odd_lengths(void **state)
{
        static const uint8_t key[GCM_KEY_LENGTH] = { 0 }, iv[GCM_IV_LENGTH] = { 0 };
        struct gcm_key *k = gcm_key_create(key);
        struct chance chance = chance_fork(1, "ghash", 0);
        uint8_t hash_key[16], mask[16], tag[16], hash[16], data[200], aad[60];

        (void)state;
        assert_true(hex_decode(vectors[0].hash_key, hash_key, 16));
        gcm_seal(k, iv, NULL, 0, NULL, NULL, 0, mask);
        for (unsigned round = 0; round < 200; round++) {
                size_t length = (size_t)chance_below(&chance, sizeof(data) + 1);
                size_t aad_length = (size_t)chance_below(&chance, sizeof(aad) + 1);

                chance_bytes(&chance, data, sizeof(data));
                chance_bytes(&chance, aad, sizeof(aad));
                gcm_seal(k, iv, aad, aad_length, data, data, length, tag);
                gcm_ghash(hash_key, aad, aad_length, data, length, hash);
                for (unsigned i = 0; i < 16; i++)
                        hash[i] ^= mask[i];
                assert_memory_equal(hash, tag, 16);
        }
        gcm_key_destroy(k);
}

/* One message of every alignment and many lengths through both engines, apart and in place. */
static void both_engines_agree_on_random_messages(void **state)
{
        enum { ROOM = 5000 };
        static uint8_t plain[ROOM + 64], one[ROOM + 64], two[ROOM + 64];
        struct chance chance = chance_fork(2, "engines", 0);
        uint8_t secret[GCM_KEY_LENGTH], iv[GCM_IV_LENGTH], aad[40];
        uint8_t tag_one[GCM_TAG_LENGTH], tag_two[GCM_TAG_LENGTH];

        (void)state;
        if (gcm_engine_select("ipsec-mb") < 0) {
                print_message("# only one engine on this machine\n");
                skip();
        }
        for (unsigned round = 0; round < 500; round++) {
                size_t length = (size_t)chance_below(&chance, ROOM), at = round % 64;
                size_t aad_length = (size_t)chance_below(&chance, sizeof(aad) + 1);
                struct gcm_key *k1, *k2;

                chance_bytes(&chance, secret, sizeof(secret));
                chance_bytes(&chance, iv, sizeof(iv));
                chance_bytes(&chance, aad, sizeof(aad));
                chance_bytes(&chance, plain, sizeof(plain));
                assert_int_equal(gcm_engine_select("openssl"), 0);
                k1 = gcm_key_create(secret);
                assert_int_equal(gcm_engine_select("ipsec-mb"), 0);
                k2 = gcm_key_create(secret);
                gcm_seal(k1, iv, aad, aad_length, plain + at, one + 3, length, tag_one);
                memcpy(two + at, plain + at, length);
                gcm_seal(k2, iv, aad, aad_length, two + at, two + at, length, tag_two);
                assert_memory_equal(one + 3, two + at, length);
                assert_memory_equal(tag_one, tag_two, GCM_TAG_LENGTH);
                assert_int_equal(
                        gcm_open(k1, iv, aad, aad_length, two + at, two + at, length, tag_two), 0);
                assert_memory_equal(two + at, plain + at, length);
                assert_int_equal(
                        gcm_open(k2, iv, aad, aad_length, one + 3, one + 3, length, tag_one), 0);
                assert_memory_equal(one + 3, plain + at, length);
                gcm_key_destroy(k1);
                gcm_key_destroy(k2);
        }
        assert_int_equal(gcm_engine_select(NULL), 0);
}

static void check_bad_tags(void)
{
        static const uint8_t secret[GCM_KEY_LENGTH] = "0123456789abcdef";
        static const uint8_t zeroes[100];
        uint8_t iv[GCM_IV_LENGTH] = { 7 }, aad[14] = { 9 }, tag[GCM_TAG_LENGTH];
        uint8_t plain[100], cipher[100], out[100];
        struct gcm_key *k = gcm_key_create(secret);

        memset(plain, 'p', sizeof(plain));
        gcm_seal(k, iv, aad, sizeof(aad), plain, cipher, sizeof(cipher), tag);
        for (unsigned bit = 0; bit < 8 * GCM_TAG_LENGTH; bit++) {
                tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
                memset(out, 'x', sizeof(out));
                assert_fault(gcm_open(k, iv, aad, sizeof(aad), cipher, out, sizeof(out), tag),
                             BAD_TAG, "100 bytes");
                assert_memory_equal(out, zeroes, sizeof(out));
                tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        aad[13] ^= 1;
        assert_fault(gcm_open(k, iv, aad, sizeof(aad), cipher, out, sizeof(out), tag), BAD_TAG,
                     NULL);
        aad[13] ^= 1;
        assert_fault(gcm_open(k, iv, aad, sizeof(aad) - 1, cipher, out, sizeof(out), tag), BAD_TAG,
                     NULL);
        iv[11] ^= 1;
        assert_fault(gcm_open(k, iv, aad, sizeof(aad), cipher, out, sizeof(out), tag), BAD_TAG,
                     NULL);
        iv[11] ^= 1;
        cipher[99] ^= 0x80;
        assert_fault(gcm_open(k, iv, aad, sizeof(aad), cipher, cipher, sizeof(cipher), tag),
                     BAD_TAG, NULL);
        assert_memory_equal(cipher, zeroes, sizeof(cipher));
        /* the key is not disturbed by any of this */
        gcm_seal(k, iv, aad, sizeof(aad), plain, cipher, sizeof(cipher), tag);
        assert_int_equal(gcm_open(k, iv, aad, sizeof(aad), cipher, out, sizeof(out), tag), 0);
        assert_memory_equal(out, plain, sizeof(out));
        gcm_key_destroy(k);
}

static void a_bad_tag_leaves_no_plaintext(void **state)
{
        (void)state;
        with_each_engine(check_bad_tags);
}

static void an_unknown_engine_is_refused_and_changes_nothing(void **state)
{
        const char *before;

        (void)state;
        assert_int_equal(gcm_engine_select("openssl"), 0);
        before = gcm_engine_name();
        assert_fault(gcm_engine_select("magic"), NOT_FOUND, "\"magic\"");
        assert_fault(gcm_engine_select(""), NOT_FOUND, NULL);
        assert_fault(gcm_engine_select("opens"), NOT_FOUND, NULL);
        assert_ptr_equal(gcm_engine_name(), before);
        assert_int_equal(gcm_engine_select(NULL), 0);
        assert_null(gcm_key_destroy(NULL));
}

static void *first_use(void *name)
{
        static const uint8_t secret[GCM_KEY_LENGTH];
        static const uint8_t iv[GCM_IV_LENGTH];
        struct gcm_key *k = gcm_key_create(secret);
        uint8_t tag[GCM_TAG_LENGTH];

        gcm_seal(k, iv, NULL, 0, NULL, NULL, 0, tag);
        gcm_key_destroy(k);
        *(const char **)name = gcm_engine_name();
        return NULL;
}

/* Runs first in this program, so the threads race for the choice. */
static void the_first_use_may_be_on_many_threads(void **state)
{
        pthread_t threads[4];
        const char *found[LENGTH_OF(threads)];

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, first_use, &found[i]), 0);
        for (unsigned i = 0; i < LENGTH_OF(threads); i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (unsigned i = 0; i < LENGTH_OF(threads); i++)
                assert_ptr_equal(found[i], gcm_engine_name());
        print_message("# the engine here is %s\n", gcm_engine_name());
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_first_use_may_be_on_many_threads),
                cmocka_unit_test(published_vectors_come_out),
                cmocka_unit_test(ghash_alone_gives_the_published_values),
                cmocka_unit_test(ghash_agrees_with_the_engines_on_odd_lengths),
                cmocka_unit_test(both_engines_agree_on_random_messages),
                cmocka_unit_test(a_bad_tag_leaves_no_plaintext),
                cmocka_unit_test(an_unknown_engine_is_refused_and_changes_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
