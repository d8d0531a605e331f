/*
 * Ranges of IVs: a table, and brute force over nonces that are about to carry.
 */
#include "tests/support/test.h"

#include "scheduler/chance.h"
#include "station/nonce_range.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BE       SFI_IV_BIG_ENDIAN
#define LAST_LE  SFI_IV_LAST_WORD_LE
#define FIRST_LE SFI_IV_FIRST_WORD_LE
#define LAST_BE  SFI_IV_LAST_WORD_BE

static struct nonce_range range_of(const char *hex, enum sfi_iv_policy policy, uint32_t areas)
{
        struct nonce_range range = { .policy = policy, .areas = areas };

        assert_true(hex_decode(hex, range.nonce, sizeof(range.nonce)));
        return range;
}

/* --- ranges -------------------------------------------------------------------------------- */

/* The whole sets, compared one by one. */
static bool brute_force(const struct nonce_range *a, const struct nonce_range *b)
{
        uint8_t left[GCM_IV_LENGTH], right[GCM_IV_LENGTH];

        for (uint32_t i = 0; i <= a->areas; i++) {
                sfi_iv(a->nonce, i, a->policy, left);
                for (uint32_t k = 0; k <= b->areas; k++) {
                        sfi_iv(b->nonce, k, b->policy, right);
                        if (memcmp(left, right, sizeof(left)) == 0)
                                return true;
                }
        }
        return false;
}

/* What is reported must be true: the IVs at the two indexes are the same. */
static void assert_indexes(const struct nonce_range *a, const struct nonce_range *b, uint32_t i,
                           uint32_t k)
{
        uint8_t left[GCM_IV_LENGTH], right[GCM_IV_LENGTH];

        assert_true(i <= a->areas && k <= b->areas);
        sfi_iv(a->nonce, i, a->policy, left);
        sfi_iv(b->nonce, k, b->policy, right);
        assert_memory_equal(left, right, sizeof(left));
}

static void ranges_meet_where_the_table_says(void **state)
{
        static const struct {
                const char *a;
                enum sfi_iv_policy policy_a;
                uint32_t areas_a;
                const char *b;
                enum sfi_iv_policy policy_b;
                uint32_t areas_b;
                int index_a, index_b; /* -1: they do not meet */
        } cases[] = {
                /* the same nonce shares the header's IV whatever the policies */
                { "000000000000000000000010", BE, 3, "000000000000000000000010", BE, 1, 0, 0 },
                { "000000000000000000000010", BE, 3, "000000000000000000000010", FIRST_LE, 1, 0,
                  0 },
                /* one after the other, and one too near */
                { "000000000000000000000010", BE, 3, "000000000000000000000014", BE, 9, -1, -1 },
                { "000000000000000000000010", BE, 4, "000000000000000000000014", BE, 9, 4, 0 },
                { "000000000000000000000010", BE, 3, "00000000000000000000000D", BE, 2, -1, -1 },
                { "000000000000000000000010", BE, 3, "00000000000000000000000D", BE, 3, 0, 3 },
                /* the carry of the big-endian number runs through all 96 bits and around */
                { "00000000FFFFFFFFFFFFFFFF", BE, 1, "000000010000000000000000", BE, 0, 1, 0 },
                { "FFFFFFFFFFFFFFFFFFFFFFFE", BE, 2, "000000000000000000000000", BE, 5, 2, 0 },
                { "FFFFFFFFFFFFFFFFFFFFFFFE", BE, 1, "000000000000000000000000", BE, 5, -1, -1 },
                /* a word wraps within itself and leaves its neighbours alone */
                { "0000000000000000FFFFFFFF", LAST_BE, 1, "000000000000000000000000", LAST_BE, 0, 1,
                  0 },
                { "0000000000000000FFFFFFFF", LAST_BE, 1, "000000000000000100000000", LAST_BE, 0,
                  -1, -1 },
                { "0000000000000000FFFFFFFF", LAST_LE, 1, "000000000000000000000000", LAST_LE, 0, 1,
                  0 },
                { "FFFFFFFF0000000000000000", FIRST_LE, 2, "000000000000000000000000", FIRST_LE, 0,
                  1, 0 },
                { "FEFFFFFF0000000000000000", FIRST_LE, 2, "000000000000000000000000", FIRST_LE, 0,
                  2, 0 },
                /* little-endian neighbours */
                { "0000000000000000FF000000", LAST_LE, 1, "000000000000000000010000", LAST_LE, 0, 1,
                  0 },
                { "FF0000000000000000000007", FIRST_LE, 1, "000100000000000000000007", FIRST_LE, 0,
                  1, 0 },
                { "FF0000000000000000000007", FIRST_LE, 1, "000100000000000000000008", FIRST_LE, 0,
                  -1, -1 },
                /* across policies: without a carry big-endian and last-word-be count alike */
                { "0000000000000000000000F0", BE, 9, "0000000000000000000000F8", LAST_BE, 9, 8, 0 },
                { "00000000000000FFFFFFFFFF", BE, 2, "0000000000000100000000FF", LAST_LE, 0, -1,
                  -1 },
                { "00000000000000FFFFFFFFFF", BE, 2, "000000000000010000000001", LAST_LE, 0, 2, 0 },
                { "00000000000000FFFFFFFFFF", BE, 1, "FFFFFFFF0000010000000000", FIRST_LE, 1, 1,
                  1 },
                { "000000000000000000000001", LAST_BE, 255, "000000000000000000000002", LAST_LE, 1,
                  1, 0 },
                { "050000000000000000000009", FIRST_LE, 4, "080000000000000000000004", LAST_BE, 6,
                  3, 5 },
                { "050000000000000000000009", FIRST_LE, 2, "080000000000000000000004", LAST_BE, 6,
                  -1, -1 },
                /* the longest there are, end to end */
                { "000000000000000000000000", BE, 65535, "000000000000000000010000", BE, 65535, -1,
                  -1 },
                { "000000000000000000000000", BE, 65535, "00000000000000000000FFFF", BE, 65535,
                  65535, 0 },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct nonce_range a = range_of(cases[i].a, cases[i].policy_a, cases[i].areas_a);
                struct nonce_range b = range_of(cases[i].b, cases[i].policy_b, cases[i].areas_b);
                uint32_t x = 99, y = 99;
                bool meets = nonce_range_meet(&a, &b, &x, &y);

                if (meets != (cases[i].index_a >= 0))
                        fail_msg("row %zu: %s", i, meets ? "they meet" : "they do not meet");
                if (!meets)
                        continue;
                assert_int_equal(x, cases[i].index_a);
                assert_int_equal(y, cases[i].index_b);
                assert_indexes(&a, &b, x, y);
                assert_true(nonce_range_meet(&b, &a, &y, &x));
                assert_indexes(&a, &b, x, y);
        }
}

/* A nonce of bytes that are about to carry, or have just, near another in each way of counting. */
static void hard_nonce(struct chance *chance, uint8_t nonce[static 12])
{
        static const uint8_t edges[] = { 0x00, 0x00, 0xFF, 0xFF, 0x01, 0xFE };

        for (size_t i = 0; i < 12; i++)
                nonce[i] = edges[chance_below(chance, sizeof(edges))];
        if (chance_one_in(chance, 2))
                memset(nonce + chance_below(chance, 3) * 4, chance_one_in(chance, 2) ? 0xFF : 0, 4);
}

static void ranges_agree_with_brute_force(void **state)
{
        struct chance chance = chance_fork(3, "ranges", 0);
        unsigned met = 0, apart = 0;

        (void)state;
        for (unsigned i = 0; i < 40000; i++) {
                struct nonce_range a = { .policy = (enum sfi_iv_policy)chance_below(&chance, 4),
                                         .areas = (uint32_t)chance_below(&chance, 12) };
                struct nonce_range b = { .policy = (enum sfi_iv_policy)chance_below(&chance, 4),
                                         .areas = (uint32_t)chance_below(&chance, 12) };
                uint32_t x, y;

                hard_nonce(&chance, a.nonce);
                sfi_iv(a.nonce, (uint32_t)chance_below(&chance, 14),
                       (enum sfi_iv_policy)chance_below(&chance, 4), b.nonce);
                if (chance_one_in(&chance, 3)) /* counted back: b before a */
                        sfi_iv(b.nonce, UINT32_MAX - (uint32_t)chance_below(&chance, 24), LAST_BE,
                               b.nonce);
                assert_int_equal(nonce_range_meet(&a, &b, &x, &y), brute_force(&a, &b));
                if (nonce_range_meet(&a, &b, &x, &y)) {
                        assert_indexes(&a, &b, x, y);
                        met++;
                } else {
                        apart++;
                }
        }
        assert_true(met > 4000 && apart > 4000); /* both are tried in earnest */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ranges_meet_where_the_table_says),
                cmocka_unit_test(ranges_agree_with_brute_force),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
