#include "tests/support/test.h"

#include "crypto/license.h"
#include "crypto/license_global.h"
#include "scheduler/bytes.h"

#include <assert.h>
#include <string.h>

static_assert(LICENSE_GLOBAL_LENGTH == LICENSE_LENGTH, "it takes the same way to the target");

static const uint8_t key[GCM_KEY_LENGTH] = { 1, [15] = 16 };
static const uint8_t nonce[GCM_IV_LENGTH] = { 2, [11] = 12 };

static void what_was_made_opens(void **state)
{
        uint8_t license[LICENSE_GLOBAL_LENGTH], got_key[16], got_nonce[12];

        (void)state;
        license_global_make(key, nonce, license);
        assert_true(license_global_is(license, sizeof(license)));
        assert_int_equal(license_global_open(license, got_key, got_nonce), 0);
        assert_memory_equal(got_key, key, sizeof(key));
        assert_memory_equal(got_nonce, nonce, sizeof(nonce));
}

static void it_is_marked_as_reference_and_repeatable(void **state)
{
        uint8_t one[LICENSE_GLOBAL_LENGTH], two[LICENSE_GLOBAL_LENGTH], other[12] = { 3 };

        (void)state;
        license_global_make(key, nonce, one);
        license_global_make(key, nonce, two);
        assert_memory_equal(one, two, sizeof(one));
        assert_memory_equal(one + 16, "GWREFGLB", 8);
        license_global_make(key, other, two);
        assert_memory_not_equal(one + 24, two + 24, 12); /* another record, another IV */
}

static void every_flipped_bit_is_seen(void **state)
{
        uint8_t license[LICENSE_GLOBAL_LENGTH], got_key[16], got_nonce[12];

        (void)state;
        license_global_make(key, nonce, license);
        for (size_t bit = 0; bit < 8 * sizeof(license); bit++) {
                license[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_fault(license_global_open(license, got_key, got_nonce), BAD_LICENSE, NULL);
                license[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
}

/* A chip takes it for no license of its own. */
static void a_license_of_a_chip_is_none(void **state)
{
        uint8_t license[LICENSE_GLOBAL_LENGTH], got_key[16], got_nonce[12];
        uint8_t seed[32] = { 1 }, chip[PRIVATE_KEY_LENGTH], chip_public[64];

        (void)state;
        license_global_make(key, nonce, license);
        license_chip_key(seed, chip, chip_public);
        assert_fault(license_open(license, "SFI", chip, got_key, got_nonce), BAD_LICENSE,
                     "the type is");
        memset(license, 0, sizeof(license));
        memcpy(license, "SFI.", 4);
        assert_false(license_global_is(license, sizeof(license)));
        assert_false(license_global_is(license, sizeof(license) - 1));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_made_opens),
                cmocka_unit_test(it_is_marked_as_reference_and_repeatable),
                cmocka_unit_test(every_flipped_bit_is_seen),
                cmocka_unit_test(a_license_of_a_chip_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
