/* The desk and cards in trouble: dead, pulled, empty, refusing, of the wrong kind. */
#include "tests/station/desk.h"

/* --- cards in trouble ---------------------------------------------------------------------- */

static int one_dies(void *subject)
{
        struct hall hall;
        struct asker askers[SITES];
        struct fiber *fibers[SITES];
        char *text;

        hall_init(&hall, subject, 2, 100);
        hall.cards[0].trouble = FAKE_SILENT_AFTER;
        hall.cards[0].trouble_at = 3;
        desk_start(&hall);
        for (unsigned i = 0; i < SITES; i++) {
                askers[i] = (struct asker){ .hall = &hall, .first_chip = 1 + 2 * i, .count = 2 };
                fibers[i] = site(&askers[i]);
        }
        for (unsigned i = 0; i < SITES; i++) {
                assert_int_equal(fiber_join(fibers[i]), 0);
                assert_int_equal(askers[i].served, 2);
        }
        assert_string_equal(card_shown(&hall, 0).state, "dead");
        assert_string_equal(card_shown(&hall, 1).state, "ready");
        assert_int_equal(balance(&hall).pending, 1); /* only the card can tell */
        assert_int_equal(balance(&hall).in_hand, 2 * SITES);
        hall.cards[0].is_dead = false; /* it comes back */
        IGNORE(fiber_sleep_ns(31 * NS_PER_S));
        assert_string_equal(card_shown(&hall, 0).state, "ready");
        assert_non_null(strstr(card_shown(&hall, 0).sentence, "license"));
        assert_int_equal(balance(&hall).pending, 0);
        assert_int_equal(balance(&hall).lost, 1);
        assert_int_equal(balance(&hall).issued, spent(&hall));
        assert_int_equal(ledger_lost_text(hall.ledger, "ORDER-1", &text), 0);
        assert_non_null(strstr(text, "card 0000000000000010, order ORDER-1, site 1"));
        free(text);
        hall_close(&hall);
        return 0;
}

static void a_card_that_dies_is_set_aside_and_the_others_go_on(void **state)
{
        (void)state;
        on_fiber(one_dies);
}

static int served_in_order(void *subject)
{
        struct hall hall;
        struct asker askers[3];
        struct fiber *fibers[3];

        hall_init(&hall, subject, 2, 100);
        hall.cards[0].trouble = FAKE_SILENT_BEFORE;
        hall.cards[0].trouble_at = 1;
        hall.cards[1].is_absent = true;
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        for (unsigned i = 0; i < 3; i++) {
                askers[i] = (struct asker){ .hall = &hall, .first_chip = 1 + i, .count = 1 };
                fibers[i] = site(&askers[i]);
        }
        IGNORE(fiber_yield());
        fake_card_insert(&hall.cards[1]);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
        /* the first one's card died; it was the next to be served all the same */
        assert_true(askers[0].ended_ns < askers[1].ended_ns);
        assert_true(askers[1].ended_ns < askers[2].ended_ns);
        assert_int_equal(hall.cards[1].licenses, 3);
        hall_close(&hall);
        return 0;
}

static void a_request_of_a_dead_card_goes_back_to_the_head(void **state)
{
        (void)state;
        on_fiber(served_in_order);
}

static int pulled(void *subject)
{
        struct hall hall;
        struct asker asker = { .hall = &hall, .first_chip = 1, .count = 1 };
        struct fiber *fiber;

        hall_init(&hall, subject, 1, 100);
        desk_start(&hall);
        fiber = site(&asker);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        fake_card_pull(&hall.cards[0]); /* in the middle of the license */
        IGNORE(fiber_sleep_ns(3 * NS_PER_S));
        assert_string_equal(card_shown(&hall, 0).state, "absent");
        assert_string_equal(card_shown(&hall, 0).serial, "0000000000000010");
        assert_int_equal(desk_queue(hall.desk), 1);
        fake_card_insert(&hall.cards[0]);
        assert_int_equal(fiber_join(fiber), 0);
        assert_int_equal(asker.served, 1); /* by the same card, within its grace */
        assert_int_equal(balance(&hall).lost, 1);
        assert_int_equal(balance(&hall).in_hand, 1);
        assert_int_equal(balance(&hall).issued, spent(&hall));

        fake_card_pull(&hall.cards[0]); /* while idle: seen at the next look */
        IGNORE(fiber_sleep_ns(8 * NS_PER_S));
        assert_string_equal(card_shown(&hall, 0).state, "absent");
        IGNORE(fiber_sleep_ns(20 * NS_PER_S));
        asker = ask_once(&hall, 2); /* long gone: at once */
        expect_fault(&asker, FAULT_NO_CARD, "0000000000000010 absent");
        assert_true(clock_now_ns() < 40 * NS_PER_S);
        fake_card_insert(&hall.cards[0]);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        asker = ask_once(&hall, 2);
        assert_int_equal(asker.served, 1);
        hall_close(&hall);
        return 0;
}

static void a_card_pulled_and_put_back_serves_again(void **state)
{
        (void)state;
        on_fiber(pulled);
}

static int fatal_chip(void *subject)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 3, 100);
        for (unsigned i = 0; i < 3; i++) {
                hall.cards[i].trouble = FAKE_SILENT_AFTER;
                hall.cards[i].trouble_at = 1;
        }
        desk_start(&hall);
        asker = ask_once(&hall, 1);
        expect_fault(&asker, FAULT_CARD_DEAD, "2 cards failed over this chip");
        assert_int_equal(spent(&hall), 2);
        hall_close(&hall);
        return 0;
}

static void a_chip_that_silences_cards_gets_no_third(void **state)
{
        (void)state;
        on_fiber(fatal_chip);
}

static int garbage(void *subject)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 2, 100);
        hall.cards[0].trouble = FAKE_GARBAGE;
        hall.cards[0].trouble_at = 1;
        desk_start(&hall);
        asker = ask_once(&hall, 1);
        assert_int_equal(asker.served, 1); /* by the other card */
        IGNORE(fiber_sleep_ns(5 * NS_PER_S));
        assert_int_equal(balance(&hall).lost, 1);
        assert_int_equal(balance(&hall).in_hand, 1);
        assert_int_equal(balance(&hall).issued, spent(&hall));
        hall_close(&hall);
        return 0;
}

static void an_answer_that_is_no_license_is_booked_as_lost(void **state)
{
        (void)state;
        on_fiber(garbage);
}

static int emptied(void *subject)
{
        struct hall hall;
        struct asker asker = { .hall = &hall, .first_chip = 1, .count = 5 };

        hall_init(&hall, subject, 2, 2);
        desk_start(&hall);
        assert_int_equal(fiber_join(site(&asker)), 0);
        assert_int_equal(asker.served, 4);
        expect_fault(&asker, FAULT_CARD_EMPTY, "no licenses are left for TEST_1");
        assert_string_equal(card_shown(&hall, 0).state, "empty");
        assert_string_equal(card_shown(&hall, 1).state, "empty");
        assert_int_equal(card_shown(&hall, 0).left, 0);
        assert_int_equal(balance(&hall).pending, 0);
        /* another card is put into the reader */
        fake_card_pull(&hall.cards[0]);
        IGNORE(fiber_sleep_ns(6 * NS_PER_S));
        fake_card_init(&hall.cards[0], 0x77, 50);
        IGNORE(fiber_sleep_ns(10 * NS_PER_S));
        assert_string_equal(card_shown(&hall, 0).state, "ready");
        assert_string_equal(card_shown(&hall, 0).serial, "0000000000000077");
        asker = ask_once(&hall, 5);
        assert_int_equal(asker.served, 1);
        hall_close(&hall);
        return 0;
}

static void empty_cards_are_said_and_a_new_one_is_taken(void **state)
{
        (void)state;
        on_fiber(emptied);
}

static int lying_counter(void *subject)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 2, 10);
        hall.cards[0].trouble = FAKE_STATUS;
        hall.cards[0].trouble_at = 1;
        hall.cards[0].status = 0x6A88;
        desk_start(&hall);
        asker = ask_once(&hall, 1);
        assert_int_equal(asker.served, 1);
        assert_int_equal(hall.cards[0].licenses, 1);
        assert_int_equal(hall.cards[1].licenses, 1);
        assert_int_equal(balance(&hall).pending, 0); /* the intent was cancelled */
        assert_int_equal(balance(&hall).issued, 1);
        hall_close(&hall);
        return 0;
}

static void a_card_that_says_empty_spends_nothing(void **state)
{
        (void)state;
        on_fiber(lying_counter);
}

static int refusing(void *subject)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 1, 10);
        hall.cards[0].trouble = FAKE_STATUS;
        hall.cards[0].trouble_at = 1;
        hall.cards[0].status = 0x6A80;
        desk_start(&hall);
        asker = ask_once(&hall, 1);
        expect_fault(&asker, FAULT_CARD_REFUSED, "certificate refused");
        assert_string_equal(card_shown(&hall, 0).state, "ready");
        assert_int_equal(balance(&hall).pending, 0);
        asker = ask_once(&hall, 2); /* the next chip is served */
        assert_int_equal(asker.served, 1);
        hall.cards[0].trouble_at = 3;
        hall.cards[0].status = 0x6985;
        asker = ask_once(&hall, 3);
        expect_fault(&asker, FAULT_WRONG_CARD, "0000000000000010 wrong");
        assert_int_equal(balance(&hall).pending, 0);
        assert_int_equal(spent(&hall), 1);
        hall_close(&hall);
        return 0;
}

static void a_refusal_spends_nothing_and_names_its_reason(void **state)
{
        (void)state;
        on_fiber(refusing);
}

/* --- cards of the wrong kind --------------------------------------------------------------- */

static int wrong_kinds(void *subject)
{
        struct hall hall;
        struct asker asker;
        static const char *const words[] = { "must be programmed first", "",
                                             "is for the simulator's card" };

        hall_init(&hall, subject, 4, 10);
        hall.cards[0].state = 1;
        memcpy(hall.cards[1].type, "SMU.", 4);
        hall.cards[2].profile.atr[1] ^= 1;
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        for (unsigned i = 0; i < 3; i++) {
                assert_string_equal(card_shown(&hall, i).state, i == 1 ? "ready" : "wrong");
                if (i != 2)
                        assert_non_null(strstr(card_shown(&hall, i).sentence, words[i]));
        }
        assert_string_equal(card_shown(&hall, 1).type, "SMU");
        assert_string_equal(card_shown(&hall, 3).state, "ready");
        asker = ask_once(&hall, 1);
        assert_int_equal(asker.served, 1);
        assert_int_equal(hall.cards[3].licenses, 1);
        asker = (struct asker){
                .hall = &hall, .first_chip = 2, .count = 1, .firmware_id = "TEST_2"
        };
        assert_int_equal(fiber_join(site(&asker)), 0);
        expect_fault(&asker, FAULT_WRONG_CARD, "no card holds TEST_2");
        expect_fault(&asker, FAULT_WRONG_CARD, "0000000000000013 ready with TEST_1 (SFI)");
        assert_true(clock_now_ns() < 10 * NS_PER_S); /* no reason to wait for a grace */
        hall_close(&hall);
        return 0;
}

static void a_card_of_the_wrong_kind_is_never_asked(void **state)
{
        (void)state;
        on_fiber(wrong_kinds);
}

static int twins(void *subject)
{
        struct hall hall;

        hall_init(&hall, subject, 2, 10);
        hall.cards[1].serial = hall.cards[0].serial;
        desk_start(&hall);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        assert_string_equal(card_shown(&hall, 0).state, "ready");
        assert_string_equal(card_shown(&hall, 1).state, "wrong");
        assert_non_null(strstr(card_shown(&hall, 1).sentence, "already in fake reader 16"));
        hall_close(&hall);
        return 0;
}

static void two_cards_with_one_serial_are_not_both_used(void **state)
{
        (void)state;
        on_fiber(twins);
}

static int by_firmware(void *subject)
{
        struct hall hall;
        struct asker one = { .hall = &hall, .first_chip = 1, .count = 4 };
        struct asker two = { .hall = &hall, .first_chip = 1, .count = 4, .firmware_id = "TEST_2" };
        struct fiber *fibers[2];

        hall_init(&hall, subject, 2, 10);
        snprintf(hall.cards[1].firmware_id, sizeof(hall.cards[1].firmware_id), "TEST_2");
        desk_start(&hall);
        fibers[0] = site(&one);
        fibers[1] = site(&two);
        assert_int_equal(fiber_join(fibers[0]), 0);
        assert_int_equal(fiber_join(fibers[1]), 0);
        assert_int_equal(one.served, 4);
        assert_int_equal(two.served, 4);
        assert_int_equal(hall.cards[0].licenses, 4);
        assert_int_equal(hall.cards[1].licenses, 4);
        hall_close(&hall);
        return 0;
}

static void a_request_goes_to_a_card_with_its_firmware(void **state)
{
        (void)state;
        on_fiber(by_firmware);
}

static int no_card_at_all(void *subject)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 2, 10);
        hall.cards[0].is_absent = hall.cards[1].is_absent = true;
        desk_start(&hall);
        asker = ask_once(&hall, 1);
        expect_fault(&asker, FAULT_NO_CARD, "fake reader 16 absent, fake reader 17 absent");
        assert_int_equal(asker.ended_ns / NS_PER_S, 10); /* the grace of fresh readers */
        hall_close(&hall);
        return 0;
}

static int no_reader(void *subject)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 0, 0);
        desk_start(&hall);
        asker = ask_once(&hall, 1);
        expect_fault(&asker, FAULT_NO_CARD, "the station has no reader");
        assert_int_equal(asker.ended_ns, 0);
        hall_close(&hall);
        return 0;
}

static void without_a_card_requests_fail_after_the_grace(void **state)
{
        (void)state;
        on_fiber(no_card_at_all);
        on_fiber(no_reader);
}

static int late_card(void *subject)
{
        struct hall hall;
        struct asker asker = { .hall = &hall, .first_chip = 1, .count = 1 };
        struct fiber *fiber;

        hall_init(&hall, subject, 2, 10);
        snprintf(hall.cards[0].firmware_id, sizeof(hall.cards[0].firmware_id), "OTHER");
        hall.cards[1].is_absent = true;
        desk_start(&hall);
        fiber = site(&asker);
        IGNORE(fiber_sleep_ns(9 * NS_PER_S));
        fake_card_insert(&hall.cards[1]);
        assert_int_equal(fiber_join(fiber), 0);
        assert_int_equal(asker.served, 1);
        assert_true(hall.changes > 0);
        hall_close(&hall);
        return 0;
}

static void a_card_put_in_within_the_grace_serves(void **state)
{
        (void)state;
        on_fiber(late_card);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_card_that_dies_is_set_aside_and_the_others_go_on),
                cmocka_unit_test(a_request_of_a_dead_card_goes_back_to_the_head),
                cmocka_unit_test(a_card_pulled_and_put_back_serves_again),
                cmocka_unit_test(a_chip_that_silences_cards_gets_no_third),
                cmocka_unit_test(an_answer_that_is_no_license_is_booked_as_lost),
                cmocka_unit_test(empty_cards_are_said_and_a_new_one_is_taken),
                cmocka_unit_test(a_card_that_says_empty_spends_nothing),
                cmocka_unit_test(a_refusal_spends_nothing_and_names_its_reason),
                cmocka_unit_test(a_card_of_the_wrong_kind_is_never_asked),
                cmocka_unit_test(two_cards_with_one_serial_are_not_both_used),
                cmocka_unit_test(a_request_goes_to_a_card_with_its_firmware),
                cmocka_unit_test(without_a_card_requests_fail_after_the_grace),
                cmocka_unit_test(a_card_put_in_within_the_grace_serves),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
