/* The desk and the simulator's cards: 16 sites, real durations, misfortune by seed. */
#include "tests/support/fake_card.h" /* for its certificates */
#include "tests/support/test.h"

#include "drivers/simulated/bench.h"
#include "drivers/simulated/card.h"
#include "scheduler/chance.h"
#include "station/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SITES 16
#define EACH  6
#define CARDS 4

static struct family family;
static struct rss_profile rss;
static struct card_profile profile;

struct hall {
        struct bench *bench;
        struct store *store;
        struct ledger *ledger;
        struct desk *desk;
        unsigned cards, served, failed;
        uint32_t at_start;
};

static void hall_open(struct hall *hall, const char *directory, unsigned cards, uint32_t count,
                      struct misfortune misfortune)
{
        struct bench_card_settings card = { .counter = count,
                                            .key = "sixteen key byte",
                                            .nonce = "twelve nonce",
                                            .firmware_id = "TEST_1",
                                            .state = HSM_STATE_OPERATIONAL,
                                            .license_ms_low = 1000,
                                            .license_ms_high = 2000 };
        struct bench_card_settings all[CARDS] = { card, card, card, card };
        struct bench_settings settings = { .seed = loop_seed(),
                                           .family = &family,
                                           .rss = &rss,
                                           .card_profile = &profile,
                                           .sites = 1,
                                           .cards = all,
                                           .card_count = cards,
                                           .speed = 1.0,
                                           .misfortune = misfortune };
        struct reader *readers[CARDS];

        *hall = (struct hall){ .cards = cards, .at_start = cards * count };
        assert_int_equal(family_load("configs/targets/stm32h75x.conf", &family), 0);
        assert_int_equal(rss_profile_load("configs/rss/reference-h7.conf", &rss), 0);
        assert_int_equal(card_profile_load("configs/cards/reference.conf", &profile), 0);
        assert_int_equal(bench_create(&settings, &hall->bench), 0);
        for (unsigned i = 0; i < cards; i++)
                readers[i] = bench_reader(hall->bench, i);
        assert_int_equal(store_open(directory, &hall->store), 0);
        assert_int_equal(ledger_open(hall->store, directory, &hall->ledger), 0);
        assert_int_equal(desk_open(&(struct desk_settings){ .ledger = hall->ledger,
                                                            .profile = &profile,
                                                            .readers = readers,
                                                            .reader_count = cards },
                                   &hall->desk),
                         0);
}

static void hall_close(struct hall *hall)
{
        desk_close(hall->desk);
        ledger_close(hall->ledger);
        store_close(hall->store);
        bench_destroy(hall->bench);
}

struct asker {
        struct hall *hall;
        unsigned index;
};

static int ask(void *subject)
{
        struct asker *asker = subject;

        for (unsigned i = 0; i < EACH; i++) {
                struct certificate certificate;
                struct ledger_request request = { &certificate, "TEST_1", "SFI", "ORDER-1", "1" };
                struct ledger_license license;
                int r;

                fake_certificate(1 + asker->index * EACH + i, &certificate);
                r = desk_license(asker->hall->desk, &request, LICENSE_FROM_CARD, &license);
                asker->hall->served += r >= 0;
                asker->hall->failed += r < 0;
        }
        return 0;
}

static void crowd(struct hall *hall)
{
        struct asker askers[SITES];
        struct fiber *fibers[SITES];

        for (unsigned i = 0; i < SITES; i++) {
                askers[i] = (struct asker){ hall, i };
                fibers[i] = fiber_spawn("site", ask, &askers[i]);
        }
        for (unsigned i = 0; i < SITES; i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
}

static struct ledger_balance balance(struct hall *hall)
{
        struct ledger_balance found;

        assert_int_equal(ledger_balance(hall->ledger, NULL, NULL, &found), 0);
        assert_int_equal(found.issued, found.installed + found.in_hand + found.lost);
        return found;
}

static void on_fiber(int (*procedure)(void *), uint64_t seed)
{
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, seed, procedure,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

static int good_day(void *subject)
{
        struct hall hall;
        uint64_t start_ns;
        unsigned made = 0;

        hall_open(&hall, subject, CARDS, 200, (struct misfortune){ 0 });
        IGNORE(fiber_sleep_ns(NS_PER_S));
        start_ns = clock_now_ns();
        crowd(&hall);
        for (unsigned i = 0; i < CARDS; i++)
                made += simulated_card_apdus(bench_card(hall.bench, i));
        printf("# %u licenses by %u cards in %.1f s\n", made, CARDS,
               (double)(clock_now_ns() - start_ns) / 1e9);
        assert_int_equal(hall.served, SITES * EACH);
        assert_int_equal(made, SITES * EACH);
        assert_int_equal(balance(&hall).issued, SITES * EACH);
        /* 96 licenses of 1.5 s on average on 4 cards, and the last one alone */
        assert_true(clock_now_ns() - start_ns < 40 * NS_PER_S);
        hall_close(&hall);
        return 0;
}

static void four_simulated_cards_serve_sixteen_sites(void **state)
{
        (void)state;
        on_fiber(good_day, 1);
}

/* Cards die and are put in again alive by nobody: the lot ends when the last is dead, and the
 * licenses they took with them stay pending, one a card at most. */
static int dying(void *subject)
{
        struct hall hall;
        struct ledger_balance found;

        hall_open(&hall, subject, CARDS, 200, (struct misfortune){ .dead_card = 12 });
        crowd(&hall);
        found = balance(&hall);
        printf("# served %u, failed %u, in hand %u, pending %u\n", hall.served, hall.failed,
               found.in_hand, found.pending);
        assert_int_equal(hall.served + hall.failed, SITES * EACH);
        assert_true(hall.served > 0);
        assert_int_equal(found.in_hand, hall.served);
        assert_true(found.pending <= CARDS);
        hall_close(&hall);
        return 0;
}

static void cards_that_die_take_one_license_each_at_most(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 5; seed++)
                on_fiber(dying, seed);
}

struct hand {
        struct hall *hall;
        struct chance chance;
        bool is_over;
};

/* A hand that pulls cards at random moments and puts them back. */
static int pull_and_insert(void *subject)
{
        struct hand *hand = subject;

        while (!hand->is_over) {
                unsigned card = (unsigned)chance_below(&hand->chance, hand->hall->cards);

                IGNORE(fiber_sleep_ns(chance_between(&hand->chance, 1, 4000) * NS_PER_MS));
                bench_card_remove(hand->hall->bench, card);
                IGNORE(fiber_sleep_ns(chance_between(&hand->chance, 1, 3000) * NS_PER_MS));
                bench_card_insert(hand->hall->bench, card);
        }
        return 0;
}

static uint32_t lines(const char *text)
{
        uint32_t count = 0;

        for (; *text; text++)
                count += *text == '\n';
        return count;
}

static int pulled(void *subject)
{
        struct hall hall;
        struct hand hand = { .hall = &hall, .chance = chance_fork(loop_seed(), "hand", 0) };
        struct ledger_balance found;
        struct desk_card cards[CARDS];
        struct fiber *fiber;
        uint32_t left = 0;
        char *text;

        hall_open(&hall, subject, 2, 400, (struct misfortune){ 0 });
        fiber = fiber_spawn("hand", pull_and_insert, &hand);
        crowd(&hall);
        hand.is_over = true;
        assert_int_equal(fiber_join(fiber), 0);
        IGNORE(fiber_sleep_ns(60 * NS_PER_S)); /* all cards are back and reconciled */
        assert_int_equal(desk_cards(hall.desk, cards, CARDS), 2);
        for (unsigned i = 0; i < 2; i++) {
                assert_string_equal(cards[i].state, "ready");
                left += cards[i].left;
        }
        found = balance(&hall);
        printf("# served %u, failed %u, lost %u\n", hall.served, hall.failed, found.lost);
        assert_int_equal(hall.failed, 0); /* a pulled card is not the chip's fault */
        assert_int_equal(found.issued, hall.at_start - left);
        assert_int_equal(found.in_hand, hall.served);
        assert_int_equal(found.pending, 0);
        assert_int_equal(ledger_lost_text(hall.ledger, "ORDER-1", &text), 0);
        assert_int_equal(lines(text), found.lost);
        free(text);
        hall_close(&hall);
        return 0;
}

static void cards_pulled_at_any_moment_leave_a_true_balance(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 5; seed++)
                on_fiber(pulled, seed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(four_simulated_cards_serve_sixteen_sites),
                cmocka_unit_test(cards_that_die_take_one_license_each_at_most),
                cmocka_unit_test(cards_pulled_at_any_moment_leave_a_true_balance),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
