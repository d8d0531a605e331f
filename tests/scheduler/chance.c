/*
 * Chance: pinned, independent, within its ranges.
 */
#include "tests/support/test.h"

#include "scheduler/chance.h"

#include <string.h>

/* From the authors' own state {1, 2, 3, 4}: the first numbers of xoshiro256** as their reference
 * code at prng.di.unimi.it prints them. */
static void the_generator_is_xoshiro256starstar(void **state)
{
        static const uint64_t expected[] = { 11520, 0, 1509978240, 1215971899390074240 };
        struct chance chance = { { 1, 2, 3, 4 } };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(expected); i++)
                assert_true(chance_u64(&chance) == expected[i]);
}

/* What a seed printed by an old release means must not change. */
static void a_seed_means_the_same_for_ever(void **state)
{
        static const uint64_t expected[] = { 0x41c2893cecf3fb3, 0x41bd6ddc3f2d5ce1,
                                             0x17b7c49856409efb, 0xf7cb6450b6fa75c9 };
        struct chance chance = chance_fork(20260101, "site", 3);

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(expected); i++)
                assert_true(chance_u64(&chance) == expected[i]);
}

static void forks_differ_by_seed_label_and_number(void **state)
{
        struct chance forks[] = {
                chance_fork(1, "site", 0),   chance_fork(2, "site", 0), chance_fork(1, "site", 1),
                chance_fork(1, "reader", 0), chance_fork(0, "site", 1), chance_fork(1, "", 0),
        };
        uint64_t first[LENGTH_OF(forks)];

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(forks); i++) {
                first[i] = chance_u64(&forks[i]);
                for (unsigned j = 0; j < i; j++)
                        assert_true(first[i] != first[j]);
        }
}

static void a_fork_does_not_depend_on_what_another_drew(void **state)
{
        struct chance a = chance_fork(5, "site", 1), b = chance_fork(5, "site", 2);
        uint64_t expected = chance_u64(&b);

        (void)state;
        for (unsigned i = 0; i < 100; i++)
                (void)chance_u64(&a);
        b = chance_fork(5, "site", 2);
        assert_true(chance_u64(&b) == expected);
}

static void draws_stay_in_their_range_and_reach_its_ends(void **state)
{
        struct chance chance = chance_fork(7, "range", 0);
        unsigned below[6] = { 0 }, between[3] = { 0 };

        (void)state;
        for (unsigned i = 0; i < 6000; i++) {
                uint64_t a = chance_below(&chance, 6), b = chance_between(&chance, 10, 12);

                assert_true(a < 6 && b >= 10 && b <= 12);
                below[a]++;
                between[b - 10]++;
        }
        /* 1000 and 2000 expected; six standard deviations are 173 and 219 */
        for (unsigned i = 0; i < 6; i++)
                assert_true(below[i] > 827 && below[i] < 1173);
        for (unsigned i = 0; i < 3; i++)
                assert_true(between[i] > 1781 && between[i] < 2219);
        assert_true(chance_below(&chance, 1) == 0);
        assert_true(chance_between(&chance, 9, 9) == 9);
        (void)chance_between(&chance, 0, UINT64_MAX);
        assert_true(chance_below(&chance, UINT64_MAX) < UINT64_MAX);
}

static void one_in_none_never_happens_and_one_in_one_always(void **state)
{
        struct chance chance = chance_fork(7, "one in", 0);
        unsigned hits = 0;

        (void)state;
        for (unsigned i = 0; i < 4000; i++) {
                assert_false(chance_one_in(&chance, 0));
                assert_true(chance_one_in(&chance, 1));
                hits += chance_one_in(&chance, 4);
        }
        /* 1000 expected; six standard deviations are 164 */
        assert_true(hits > 836 && hits < 1164);
}

static void bytes_are_those_of_the_numbers_and_no_more(void **state)
{
        struct chance a = chance_fork(9, "bytes", 0), b = a;
        uint8_t bytes[14];

        (void)state;
        memset(bytes, 0xee, sizeof(bytes));
        chance_bytes(&a, bytes, 13);
        for (unsigned word = 0; word < 2; word++) {
                uint64_t drawn = chance_u64(&b);

                for (unsigned i = 0; i < 8 && 8 * word + i < 13; i++)
                        assert_int_equal(bytes[8 * word + i], (uint8_t)(drawn >> 8 * i));
        }
        assert_int_equal(bytes[13], 0xee);
        chance_bytes(&a, bytes, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_generator_is_xoshiro256starstar),
                cmocka_unit_test(a_seed_means_the_same_for_ever),
                cmocka_unit_test(forks_differ_by_seed_label_and_number),
                cmocka_unit_test(a_fork_does_not_depend_on_what_another_drew),
                cmocka_unit_test(draws_stay_in_their_range_and_reach_its_ends),
                cmocka_unit_test(one_in_none_never_happens_and_one_in_one_always),
                cmocka_unit_test(bytes_are_those_of_the_numbers_and_no_more),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
