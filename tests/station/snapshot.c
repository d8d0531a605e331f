/*
 * snapshot.c - what the page is told of the licenses of a lot in work, looked at many times a second.
 */
#include "tests/support/line.h"
#include "tests/support/test.h"
#include "web-status/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNITS 12u

static struct snapshot now, again;
static unsigned looks, looks_in_work, looks_short;

/* What must hold at any moment, in the middle of whatever the fibers do. */
static void assert_adds_up(const struct line *line)
{
        const struct snapshot_lot *lot = &now.lot;
        const struct snapshot_need *need = &now.needs[0];
        uint32_t left = 0;

        assert_int_equal(lot->licenses_issued,
                         lot->licenses_installed + lot->licenses_in_hand + lot->licenses_lost);
        assert_true(lot->licenses_in_work <= lot->licenses_in_hand);
        assert_int_equal(lot->licenses_per_unit, 1);
        assert_string_equal(lot->license_source, "card");
        assert_int_equal(lot->licenses_per_good, lot->good ? 1000 : 0); /* no unit fails here */
        for (unsigned i = 0; i < now.card_count; i++) {
                assert_string_equal(now.cards[i].firmware_id, LINE_FIRMWARE_ID);
                left += now.cards[i].left;
        }
        if (!line->station.lots.running)
                return;
        assert_int_equal(now.need_count, 1);
        assert_string_equal(need->firmware_id, LINE_FIRMWARE_ID);
        assert_int_equal(need->left, left);
        assert_true(need->wanted <= UNITS - lot->good);
        looks_in_work += lot->licenses_in_work > 0;
        looks_short += need->wanted > need->left;
}

static void assert_goes_through_json(void)
{
        char *json = snapshot_json(&now);

        assert_non_null(json);
        assert_int_equal(snapshot_parse(json, strlen(json), &again), 0);
        assert_memory_equal(&now, &again, sizeof(now));
        free(json);
}

static int watch(void *context)
{
        struct line *line = context;

        if (!line_wait_step(line, 0, "check the part"))
                return 0;
        do {
                station_fill(&line->station, &now);
                assert_adds_up(line);
                assert_goes_through_json();
                looks++;
        } while (!line->station.is_stopping && fiber_sleep_ns(5 * NS_PER_MS) == 0);
        return 0;
}

static struct line *watched_lot(unsigned counter)
{
        struct line *line = line_create(4, 2);

        looks = looks_in_work = looks_short = 0;
        memset(&now, 0, sizeof(now));
        line->station.settings.bench.card_counter = counter;
        line_order(line, "A", UNITS, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 5, watch, line), 0);
        assert_int_equal(line->counts.good, UNITS);
        assert_true(looks > 20);
        return line;
}

static void licenses_add_up_at_every_look(void **state)
{
        struct line *line = watched_lot(1000);

        (void)state;
        assert_true(looks_in_work > 0);
        assert_int_equal(looks_short, 0);
        assert_int_equal(line->station.alarm_count, 0);
        line_destroy(line);
}

/* Two cards of six for a lot of twelve: the licenses that units in work have already are not wanted
 * once more. */
static void cards_with_just_enough_are_never_short(void **state)
{
        struct line *line = watched_lot(UNITS / 2);

        (void)state;
        assert_int_equal(looks_short, 0);
        line_destroy(line);
}

static void a_card_that_passes_its_limit_is_an_alarm_and_the_lot_goes_on(void **state)
{
        struct line *line = line_create(4, 1);
        unsigned told = 0;

        (void)state;
        line->station.settings.bench.card_counter = 20;
        line->station.settings.license_alarm = 15;
        line_order(line, "A", UNITS, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 5, NULL, NULL), 0);
        for (unsigned i = 0; i < line->station.alarm_count; i++)
                told += strstr(line->station.alarms[i], "has fewer than 15 licenses left") != NULL;
        assert_int_equal(told, 1);
        assert_int_equal(line->counts.good, UNITS);
        line_destroy(line);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(licenses_add_up_at_every_look),
                cmocka_unit_test(cards_with_just_enough_are_never_short),
                cmocka_unit_test(a_card_that_passes_its_limit_is_an_alarm_and_the_lot_goes_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
