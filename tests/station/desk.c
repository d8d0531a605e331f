/* The desk: first come, first served, no card idle while work waits, no license twice. */
#include "tests/station/desk.h"

/* --- throughput ---------------------------------------------------------------------------- */

/* 16 sites, `cards` cards of 1.5 s: the cards' own limit, less the 0.98 that issue 4 asks for. */
static void crowd(const char *directory, unsigned cards)
{
        struct hall hall;
        struct asker askers[SITES];
        struct fiber *fibers[SITES];
        uint64_t start_ns, limit_ns;
        unsigned total = SITES * 5;

        hall_init(&hall, directory, cards, 200);
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S)); /* cards are up */
        start_ns = clock_now_ns();
        for (unsigned i = 0; i < SITES; i++) {
                askers[i] = (struct asker){ .hall = &hall, .first_chip = 1 + i * 5, .count = 5 };
                fibers[i] = site(&askers[i]);
        }
        IGNORE(fiber_sleep_ns(NS_PER_MS));
        assert_int_equal(desk_queue(hall.desk), SITES - cards);
        assert_string_equal(card_shown(&hall, 0).state, "busy");
        for (unsigned i = 0; i < SITES; i++) {
                assert_int_equal(fiber_join(fibers[i]), 0);
                assert_int_equal(askers[i].result, 0);
                assert_int_equal(askers[i].in_hand, 0);
        }
        limit_ns = total / cards * 1500 * NS_PER_MS;
        printf("# %u cards: %u licenses in %.3f s, limit %.3f s\n", cards, total,
               (double)(clock_now_ns() - start_ns) / 1e9, (double)limit_ns / 1e9);
        assert_true((double)limit_ns >= 0.98 * (double)(clock_now_ns() - start_ns));
        for (unsigned i = 0; i < cards; i++)
                assert_int_equal(hall.cards[i].licenses, total / cards);
        assert_int_equal(spent(&hall), total);
        assert_int_equal(balance(&hall).in_hand, total);
        assert_int_equal(desk_queue(hall.desk), 0);
        hall_close(&hall);
}

static int crowd_of_one(void *subject)
{
        crowd(subject, 1);
        return 0;
}

static int crowd_of_two(void *subject)
{
        crowd(subject, 2);
        return 0;
}

static int crowd_of_four(void *subject)
{
        crowd(subject, 4);
        return 0;
}

static void sixteen_sites_keep_every_card_busy(void **state)
{
        (void)state;
        on_fiber(crowd_of_one);
        on_fiber(crowd_of_two);
        on_fiber(crowd_of_four);
}

/* --- no license twice ---------------------------------------------------------------------- */

static int same_chip(void *subject)
{
        struct hall hall;
        struct asker askers[3];
        struct fiber *fibers[3];

        hall_init(&hall, subject, 2, 10);
        desk_start(&hall);
        for (unsigned i = 0; i < 3; i++) {
                askers[i] = (struct asker){ .hall = &hall, .first_chip = 1, .count = 1 };
                fibers[i] = site(&askers[i]);
        }
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(fiber_join(fibers[i]), 0);
                assert_int_equal(askers[i].served, 1);
        }
        assert_int_equal(spent(&hall), 1);
        askers[0] = ask_once(&hall, 1);
        assert_int_equal(askers[0].in_hand, 1);
        assert_int_equal(spent(&hall), 1);
        hall_close(&hall);
        return 0;
}

static void a_chip_asked_for_twice_costs_one_license(void **state)
{
        (void)state;
        on_fiber(same_chip);
}

static int cancelled_in_queue(void *subject)
{
        struct hall hall;
        struct asker first = { .hall = &hall, .first_chip = 1, .count = 1 };
        struct asker second = { .hall = &hall, .first_chip = 2, .count = 1 };
        struct fiber *fibers[2];

        hall_init(&hall, subject, 1, 10);
        desk_start(&hall);
        fibers[0] = site(&first);
        fibers[1] = site(&second);
        IGNORE(fiber_sleep_ns(500 * NS_PER_MS));
        assert_int_equal(desk_queue(hall.desk), 1);
        fiber_cancel(fibers[1]);
        assert_int_equal(fiber_join(fibers[1]), 0);
        assert_int_equal(second.result, -FAULT_CANCELLED);
        assert_int_equal(desk_queue(hall.desk), 0);
        assert_int_equal(fiber_join(fibers[0]), 0);
        assert_int_equal(first.served, 1);
        IGNORE(fiber_sleep_ns(10 * NS_PER_S));
        assert_int_equal(spent(&hall), 1);
        hall_close(&hall);
        return 0;
}

static void a_cancel_in_the_queue_leaves_it(void **state)
{
        (void)state;
        on_fiber(cancelled_in_queue);
}

static int cancelled_in_flight(void *subject)
{
        struct hall hall;
        struct asker asker = { .hall = &hall, .first_chip = 1, .count = 1 };
        struct fiber *fiber;

        hall_init(&hall, subject, 1, 10);
        desk_start(&hall);
        fiber = site(&asker);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), 0);
        assert_int_equal(asker.result, -FAULT_CANCELLED);
        assert_true(clock_now_ns() < 1100 * NS_PER_MS);
        assert_int_equal(balance(&hall).pending, 1);
        asker = ask_once(&hall, 1); /* the same chip again waits for the license on its way */
        assert_int_equal(asker.served, 1);
        assert_int_equal(spent(&hall), 1);
        assert_int_equal(balance(&hall).in_hand, 1);
        hall_close(&hall);
        return 0;
}

static void a_license_being_made_is_kept_though_nobody_waits(void **state)
{
        (void)state;
        on_fiber(cancelled_in_flight);
}

static int closed_in_flight(void *subject)
{
        struct hall hall;
        struct asker askers[2] = { { .hall = &hall, .first_chip = 1, .count = 1 },
                                   { .hall = &hall, .first_chip = 2, .count = 1 } };
        struct fiber *fibers[2];

        hall_init(&hall, subject, 1, 10);
        desk_start(&hall);
        fibers[0] = site(&askers[0]);
        fibers[1] = site(&askers[1]);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        assert_null(desk_close(hall.desk));
        assert_int_equal(fiber_join(fibers[0]), 0);
        assert_int_equal(fiber_join(fibers[1]), 0);
        assert_int_equal(askers[0].served, 1); /* its license arrived and was stored */
        expect_fault(&askers[1], FAULT_CANCELLED, "closing");
        assert_int_equal(spent(&hall), 1);
        assert_int_equal(balance(&hall).in_hand, 1);
        assert_int_equal(hall.cards[0].closed, 1);
        ledger_close(hall.ledger);
        store_close(hall.store);
        return 0;
}

static void closing_waits_for_the_license_on_its_way(void **state)
{
        (void)state;
        on_fiber(closed_in_flight);
}

/* --- real time, real store thread ---------------------------------------------------------- */

static int in_real_time(void *subject)
{
        struct hall hall;
        struct asker askers[SITES];
        struct fiber *fibers[SITES];

        hall_init(&hall, subject, 4, 200);
        for (unsigned i = 0; i < 4; i++) {
                hall.cards[i].license_ns = 5 * NS_PER_MS;
                hall.cards[i].info_ns = NS_PER_MS;
        }
        desk_start(&hall);
        for (unsigned i = 0; i < SITES; i++) {
                askers[i] = (struct asker){ .hall = &hall, .first_chip = 1 + 5 * i, .count = 5 };
                fibers[i] = site(&askers[i]);
        }
        for (unsigned i = 0; i < SITES; i++) {
                assert_int_equal(fiber_join(fibers[i]), 0);
                assert_int_equal(askers[i].served, 5);
        }
        assert_int_equal(spent(&hall), SITES * 5);
        assert_int_equal(balance(&hall).in_hand, SITES * 5);
        hall_close(&hall);
        return 0;
}

static void the_same_holds_in_real_time(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, in_real_time, (void *)(uintptr_t)test_directory()),
                0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sixteen_sites_keep_every_card_busy),
                cmocka_unit_test(a_chip_asked_for_twice_costs_one_license),
                cmocka_unit_test(a_cancel_in_the_queue_leaves_it),
                cmocka_unit_test(a_license_being_made_is_kept_though_nobody_waits),
                cmocka_unit_test(closing_waits_for_the_license_on_its_way),
                cmocka_unit_test(the_same_holds_in_real_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
