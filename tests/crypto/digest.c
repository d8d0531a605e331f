/* SHA-256 against FIPS 180-4's examples, whole and in pieces. */
#include "tests/support/test.h"

#include "crypto/digest.h"
#include "scheduler/bytes.h"

/* NIST, "Examples with Intermediate Values", SHA-256; the empty one is in FIPS 180-4's test suite.
 */
static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
static const struct {
        const char *message, *digest;
} vectors[] = {
        { "", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855" },
        { "abc", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD" },
        { two_blocks, "248D6A61D20638B8E5C026930C3E6039A33CE45964FF2167F6ECEDD419DB06C1" },
};

static void the_published_examples_come_out(void **state)
{
        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(vectors); i++) {
                uint8_t found[DIGEST_LENGTH];
                char text[2 * DIGEST_LENGTH + 1];

                digest_sha256(vectors[i].message, strlen(vectors[i].message), found);
                assert_string_equal(hex_encode(found, sizeof(found), text), vectors[i].digest);
        }
}

static void pieces_hash_like_the_whole_wherever_they_are_cut(void **state)
{
        const size_t length = strlen(two_blocks);
        uint8_t whole[DIGEST_LENGTH], found[DIGEST_LENGTH];

        (void)state;
        digest_sha256(two_blocks, length, whole);
        for (size_t cut = 0; cut <= length; cut++) {
                const struct piece pieces[] = {
                        { two_blocks, cut },
                        { NULL, 0 },
                        { two_blocks + cut, length - cut },
                };

                digest_sha256_pieces(pieces, LENGTH_OF(pieces), found);
                assert_memory_equal(found, whole, sizeof(found));
        }
        digest_sha256_pieces(NULL, 0, found);
        digest_sha256("", 0, whole);
        assert_memory_equal(found, whole, sizeof(found));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_published_examples_come_out),
                cmocka_unit_test(pieces_hash_like_the_whole_wherever_they_are_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
