/*
 * A lot and the cards it needs: held before a unit is touched, released when they are there.
 */
#include "tests/support/line.h"
#include "tests/support/test.h"

#include "drivers/simulated/card.h"
#include "station/lot_plan.h"

#include <stdio.h>
#include <string.h>

#define MODULE "modules:\n  - { firmware_id: STACK_1, type: SMU }\n"

static bool has_alarm(const struct line *line, const char *words)
{
        for (unsigned i = 0; i < line->station.alarm_count; i++)
                if (strstr(line->station.alarms[i], words))
                        return true;
        return false;
}

static unsigned licenses_made(struct line *line)
{
        unsigned sum = 0;

        for (unsigned i = 0; i < line->station.settings.bench.cards + line->modules; i++)
                sum += simulated_card_apdus(bench_card(line->station.bench, i));
        return sum;
}

static void wait_for_bench(struct line *line)
{
        while (!line->station.bench)
                assert_int_equal(fiber_yield(), 0);
}

static bool was_held, was_told, was_quiet;

static int put_the_card_in_late(void *context)
{
        struct line *line = context;
        const struct lot *lot;

        wait_for_bench(line);
        bench_card_remove(line->station.bench, 1); /* the module's */
        if (fiber_sleep_ns(30 * NS_PER_S) < 0)
                return 0;
        lot = line->station.lots.running;
        was_held = lot && strstr(lot->held, "no card holds STACK_1 (SMU)");
        was_told = has_alarm(line, "lot A waits for cards: no card holds STACK_1 (SMU)");
        was_quiet = lot && lot->counts.attempts == 0 && licenses_made(line) == 0;
        bench_card_insert(line->station.bench, 1);
        return 0;
}

static void a_lot_waits_for_the_card_of_its_module(void **state)
{
        struct line *line = line_create(2, 1);

        (void)state;
        line_module(line, "STACK_1", "SMU");
        line_order(line, "A", 4, MODULE);
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, put_the_card_in_late, line), 0);
        assert_true(was_held);
        assert_true(was_told);
        assert_true(was_quiet);
        assert_int_equal(line->counts.good, 4);
        assert_int_equal(line->counts.errors, 0);
        assert_int_equal(line->balance.installed, 8);
        line_destroy(line);
}

static int wait_for_shortage(void *context)
{
        struct line *line = context;
        const struct lots *lots = &line->station.lots;

        wait_for_bench(line);
        if (fiber_sleep_ns(NS_PER_S) < 0)
                return 0;
        was_told = has_alarm(line, "8 licenses for STACK_1 (SMU) are wanted, 5 are left on 1 card");
        while (!lots->running || !lots->running->is_held_for_cards)
                if (fiber_sleep_ns(10 * NS_PER_MS) < 0)
                        return 0;
        was_held = strstr(lots->running->held, "no licenses are left for STACK_1 (SMU)");
        if (fiber_sleep_ns(60 * NS_PER_S) < 0)
                return 0;
        was_quiet = licenses_made(line) == 10; /* five of each: none of the image's for nothing */
        station_stop(&line->station);
        return 0;
}

static void what_will_run_short_is_told_and_ends_the_lot_cleanly(void **state)
{
        struct line *line = line_create(1, 2);

        (void)state;
        line_module(line, "STACK_1", "SMU");
        line->station.settings.bench.card_counter = 5;
        line_order(line, "A", 8, MODULE);
        was_told = was_held = was_quiet = false;
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, wait_for_shortage, line), 0);
        assert_true(was_told);
        assert_true(was_held);
        assert_true(was_quiet);
        assert_int_equal(line->counts.good, 5);
        assert_int_equal(line->counts.errors, 0);
        line_destroy(line);
}

/* Its only card is pulled in mid-lot for a moment: nobody needs to know. */
static int pull_for_a_moment(void *context)
{
        struct line *line = context;

        if (!line_wait_step(line, 0, "install"))
                return 0;
        bench_card_remove(line->station.bench, 0);
        if (fiber_sleep_ns(3 * NS_PER_S) < 0)
                return 0;
        was_quiet = !has_alarm(line, "waits for cards");
        bench_card_insert(line->station.bench, 0);
        return 0;
}

static void a_card_that_comes_back_soon_holds_no_lot(void **state)
{
        struct line *line = line_create(2, 1);

        (void)state;
        line_order(line, "A", 6, "");
        was_quiet = false;
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, pull_for_a_moment, line), 0);
        assert_true(was_quiet);
        assert_int_equal(line->counts.good, 6);
        line_destroy(line);
}

/* A lot whose card was changed for another in mid-lot goes on with that one. */
static int take_the_card_for_long(void *context)
{
        struct line *line = context;

        if (!line_wait_step(line, 0, "install"))
                return 0;
        bench_card_remove(line->station.bench, 0);
        if (fiber_sleep_ns(60 * NS_PER_S) < 0)
                return 0;
        was_held = line->station.lots.running && line->station.lots.running->held[0];
        bench_card_insert(line->station.bench, 0);
        if (fiber_sleep_ns(2 * NS_PER_S) < 0)
                return 0;
        if (line->station.sites[0].state == SITE_BLOCKED) { /* in work when the grace ended */
                assert_int_equal(site_clear(&line->station.sites[0]), 0);
                bench_remove(line->station.bench, 0);
        }
        return 0;
}

static void a_lot_in_mid_work_goes_on_when_its_card_is_back(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        line_order(line, "A", 4, "");
        was_held = false;
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, take_the_card_for_long, line), 0);
        assert_true(was_held);
        assert_int_equal(line->counts.good, 4);
        line_destroy(line);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_lot_waits_for_the_card_of_its_module),
                cmocka_unit_test(what_will_run_short_is_told_and_ends_the_lot_cleanly),
                cmocka_unit_test(a_card_that_comes_back_soon_holds_no_lot),
                cmocka_unit_test(a_lot_in_mid_work_goes_on_when_its_card_is_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
