/* The desk and cards that work, but slowly or wrongly: left alone while others can serve. */
#include "tests/station/desk.h"

/* `count` sites at once, `each` chips a site. */
static void crowd(struct hall *hall, unsigned first_chip, unsigned count, unsigned each)
{
        struct asker askers[SITES];
        struct fiber *fibers[SITES];

        for (unsigned i = 0; i < count; i++) {
                askers[i] = (struct asker){ .hall = hall,
                                            .first_chip = first_chip + i * each,
                                            .count = each };
                fibers[i] = site(&askers[i]);
        }
        for (unsigned i = 0; i < count; i++) {
                assert_int_equal(fiber_join(fibers[i]), 0);
                assert_int_equal(askers[i].served, each);
        }
}

static int slow(void *subject)
{
        struct hall hall;
        uint64_t start_ns;

        hall_init(&hall, subject, 3, 200);
        hall.cards[2].license_ns = 6 * NS_PER_S;
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        start_ns = clock_now_ns();
        crowd(&hall, 1, 8, 5);
        assert_int_equal(hall.cards[2].licenses, 1);
        assert_string_equal(card_shown(&hall, 2).state, "slow");
        assert_non_null(strstr(card_shown(&hall, 2).sentence,
                               "a license took 6.0 s, other cards for TEST_1 take 1.5 s"));
        /* 39 licenses of 1.5 s on two cards: the queue did not wait for the slow one */
        assert_true(clock_now_ns() - start_ns <= 30 * NS_PER_S);

        IGNORE(fiber_sleep_ns(61 * NS_PER_S)); /* it is tried again, and is slow still */
        assert_string_equal(card_shown(&hall, 2).state, "ready");
        crowd(&hall, 100, 8, 5);
        assert_int_equal(hall.cards[2].licenses, 2);
        IGNORE(fiber_sleep_ns(61 * NS_PER_S));
        assert_string_equal(card_shown(&hall, 2).state, "slow"); /* for longer this time */
        IGNORE(fiber_sleep_ns(60 * NS_PER_S));
        hall.cards[2].license_ns = 1500 * NS_PER_MS; /* recovered */
        crowd(&hall, 200, 8, 5);
        assert_string_equal(card_shown(&hall, 2).state, "ready");
        assert_true(hall.cards[2].licenses > 10);
        hall_close(&hall);
        return 0;
}

static void a_slow_card_is_left_alone_while_others_serve(void **state)
{
        (void)state;
        on_fiber(slow);
}

static int slow_and_last(void *subject)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 2, 200);
        hall.cards[1].license_ns = 6 * NS_PER_S;
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        crowd(&hall, 1, 4, 2);
        assert_string_equal(card_shown(&hall, 1).state, "slow");
        fake_card_pull(&hall.cards[0]);
        IGNORE(fiber_sleep_ns(6 * NS_PER_S)); /* seen at the next look */
        asker = ask_once(&hall, 50);
        assert_int_equal(asker.served, 1);
        assert_int_equal(hall.cards[1].licenses, 2);
        hall_close(&hall);
        return 0;
}

static void a_slow_card_serves_when_it_is_the_last(void **state)
{
        (void)state;
        on_fiber(slow_and_last);
}

/* The better card is pulled while a request waits for it: nobody has to come along to wake the other. */
static int slow_and_waited_for(void *subject)
{
        struct hall hall;
        struct asker askers[2] = { { .hall = &hall, .first_chip = 50, .count = 1 },
                                   { .hall = &hall, .first_chip = 51, .count = 1 } };
        struct fiber *fibers[2];

        hall_init(&hall, subject, 2, 200);
        hall.cards[1].license_ns = 6 * NS_PER_S;
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        crowd(&hall, 1, 4, 2);
        fibers[0] = site(&askers[0]);
        fibers[1] = site(&askers[1]);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        assert_int_equal(desk_queue(hall.desk), 1);
        assert_int_equal(hall.cards[1].licenses, 1);
        fake_card_pull(&hall.cards[0]);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(fiber_join(fibers[i]), 0);
                assert_int_equal(askers[i].served, 1);
        }
        assert_int_equal(hall.cards[1].licenses, 3);
        hall_close(&hall);
        return 0;
}

static void a_slow_card_takes_over_when_the_better_one_goes(void **state)
{
        (void)state;
        on_fiber(slow_and_waited_for);
}

static int other_type(void *subject)
{
        struct hall hall;

        hall_init(&hall, subject, 2, 200);
        hall.cards[0].trouble = FAKE_OTHER_TYPE;
        hall.cards[0].trouble_at = 1;
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        crowd(&hall, 1, 8, 2);
        assert_int_equal(hall.cards[0].licenses, 1);
        assert_string_equal(card_shown(&hall, 0).state, "wrong");
        assert_non_null(
                strstr(card_shown(&hall, 0).sentence, "something else than a license of type SFI"));
        assert_int_equal(balance(&hall).lost, 1);
        assert_int_equal(balance(&hall).in_hand, 16);
        assert_int_equal(balance(&hall).issued, spent(&hall));
        IGNORE(fiber_sleep_ns(60 * NS_PER_S));
        assert_string_equal(card_shown(&hall, 0).state, "ready");
        hall_close(&hall);
        return 0;
}

static void a_license_of_another_type_sets_its_card_aside(void **state)
{
        (void)state;
        on_fiber(other_type);
}

/* However long it is asked: three licenses are lost and no more, until somebody has touched it. */
static void always_wrong(const char *directory, enum fake_trouble trouble)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, directory, 1, 200);
        hall.cards[0].trouble = trouble;
        hall.cards[0].is_always = true;
        desk_start(&hall);
        for (unsigned chip = 1; chip <= 5; chip++) {
                asker = ask_once(&hall, chip);
                assert_int_equal(asker.served, 0);
                IGNORE(fiber_sleep_ns(20 * NS_PER_S));
        }
        assert_int_equal(spent(&hall), 3);
        assert_string_equal(card_shown(&hall, 0).state, "wrong");
        assert_non_null(strstr(card_shown(&hall, 0).sentence, "take it out"));
        assert_int_equal(balance(&hall).lost, 3);
        expect_fault(&asker, FAULT_WRONG_CARD, "0000000000000010 wrong");
        fake_card_pull(&hall.cards[0]);
        IGNORE(fiber_sleep_ns(6 * NS_PER_S));
        hall.cards[0].is_always = false;
        fake_card_insert(&hall.cards[0]);
        asker = ask_once(&hall, 9);
        assert_int_equal(asker.served, 1);
        hall_close(&hall);
}

static int always_garbage(void *subject)
{
        always_wrong(subject, FAKE_GARBAGE);
        return 0;
}

static int always_short(void *subject)
{
        always_wrong(subject, FAKE_SHORT);
        return 0;
}

static void a_card_that_never_gives_a_license_costs_three(void **state)
{
        (void)state;
        on_fiber(always_garbage);
        on_fiber(always_short);
}

/* --- hot swap ------------------------------------------------------------------------------ */

/* Another card in the same reader. */
static void swap(struct fake_card *card)
{
        card->serial = 0x99;
        card->own_counter = card->maximum = 50;
        card->licenses = 0;
        fake_card_insert(card);
}

static int swap_while_busy(void *subject)
{
        struct hall hall;
        struct asker asker = { .hall = &hall, .first_chip = 1, .count = 3 };
        struct fiber *fiber;

        hall_init(&hall, subject, 1, 100);
        desk_start(&hall);
        fiber = site(&asker);
        IGNORE(fiber_sleep_ns(2 * NS_PER_S)); /* in its second license */
        fake_card_pull(&hall.cards[0]);
        IGNORE(fiber_sleep_ns(2 * NS_PER_S));
        swap(&hall.cards[0]);
        IGNORE(fiber_sleep_ns(100 * NS_PER_MS));
        assert_string_equal(card_shown(&hall, 0).state, "busy"); /* at once */
        assert_string_equal(card_shown(&hall, 0).serial, "0000000000000099");
        assert_int_equal(fiber_join(fiber), 0);
        assert_int_equal(asker.served, 3);
        assert_int_equal(hall.cards[0].licenses, 2);
        assert_int_equal(balance(&hall).pending, 1); /* of the card that was pulled */
        assert_int_equal(card_shown(&hall, 0).balance.issued, 2);
        hall_close(&hall);
        return 0;
}

static int swap_while_idle(void *subject)
{
        struct hall hall;
        struct asker asker;
        uint64_t start_ns;

        hall_init(&hall, subject, 1, 100);
        desk_start(&hall);
        asker = ask_once(&hall, 1);
        IGNORE(fiber_sleep_ns(2 * NS_PER_S));
        fake_card_pull(&hall.cards[0]);
        swap(&hall.cards[0]);
        start_ns = clock_now_ns();
        asker = ask_once(&hall, 2);
        assert_int_equal(asker.served, 1);
        assert_true(clock_now_ns() - start_ns <
                    1700 * NS_PER_MS); /* the license itself has 1.5 s */
        assert_int_equal(hall.cards[0].licenses, 1);
        assert_int_equal(balance(&hall).pending, 0); /* no intent was laid on the old one */
        assert_int_equal(card_shown(&hall, 0).per_hour, 3600 / 1.5);
        hall_close(&hall);
        return 0;
}

static void another_card_in_the_same_reader_serves_at_once(void **state)
{
        (void)state;
        on_fiber(swap_while_busy);
        on_fiber(swap_while_idle);
}

/* --- figures ------------------------------------------------------------------------------- */

static int figures(void *subject)
{
        struct hall hall;
        struct asker asker = { .hall = &hall, .first_chip = 1, .count = 40 };
        struct desk_card shown;

        hall_init(&hall, subject, 1, 100);
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        shown = card_shown(&hall, 0);
        assert_int_equal(shown.per_hour, 0);
        assert_int_equal(shown.dry_us, 0);
        assert_string_equal(shown.type, "SFI");
        assert_int_equal(fiber_join(site(&asker)), 0);
        shown = card_shown(&hall, 0);
        assert_int_equal(shown.per_hour, 2400);
        assert_int_equal(shown.left, 60);
        assert_int_equal((shown.dry_us - clock_calendar_us()) / 1000000, 90);
        assert_int_equal(shown.balance.issued, 40);
        assert_int_equal(shown.balance.in_hand, 40);
        IGNORE(fiber_sleep_ns(29 * 60 * NS_PER_S)); /* 40 in the last half hour */
        shown = card_shown(&hall, 0);
        assert_true(shown.per_hour >= 79 && shown.per_hour <= 81);
        IGNORE(fiber_sleep_ns(31 * 60 * NS_PER_S)); /* none in the last hour */
        shown = card_shown(&hall, 0);
        assert_int_equal(shown.per_hour, 0);
        assert_int_equal(shown.dry_us, 0);
        hall_close(&hall);
        return 0;
}

static void a_card_shows_its_pace_and_when_it_runs_dry(void **state)
{
        (void)state;
        on_fiber(figures);
}

static int settled(void *subject)
{
        struct hall hall;
        struct certificate certificate;
        struct ledger_request request = { &certificate, "TEST_1", "SFI", "ORDER-1", "1" };
        struct ledger_license license;

        hall_init(&hall, subject, 1, 100);
        desk_start(&hall);
        fake_certificate(1, &certificate);
        assert_int_equal(desk_license(hall.desk, &request, LICENSE_FROM_CARD, &license), 0);
        assert_int_equal(ledger_offer(hall.ledger, license.id), 0);
        assert_int_equal(ledger_settle(hall.ledger, license.id, true, "installed"), 0);
        IGNORE(fiber_sleep_ns(6 * NS_PER_S));
        assert_int_equal(card_shown(&hall, 0).balance.installed, 1);
        assert_int_equal(card_shown(&hall, 0).balance.in_hand, 0);
        hall_close(&hall);
        return 0;
}

static void the_balance_of_an_idle_card_follows_its_licenses(void **state)
{
        (void)state;
        on_fiber(settled);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_slow_card_is_left_alone_while_others_serve),
                cmocka_unit_test(a_slow_card_serves_when_it_is_the_last),
                cmocka_unit_test(a_slow_card_takes_over_when_the_better_one_goes),
                cmocka_unit_test(a_license_of_another_type_sets_its_card_aside),
                cmocka_unit_test(a_card_that_never_gives_a_license_costs_three),
                cmocka_unit_test(another_card_in_the_same_reader_serves_at_once),
                cmocka_unit_test(a_card_shows_its_pace_and_when_it_runs_dry),
                cmocka_unit_test(the_balance_of_an_idle_card_follows_its_licenses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
