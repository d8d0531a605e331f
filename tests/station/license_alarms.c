/*
 * license_alarms.c - when an alarm about licenses is told, how often, and when it is over.
 */
#include "station/license_alarms.h"

#include "station/station.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define HOUR_US 3600000000ull
#define NOW_US  (1795610655ull * 1000000)

static struct station station;
static struct lot lot;
static struct desk_card cards[2];

/* Two cards with plenty left and a lot of 64 in full swing, without a flaw. */
static int set_up(void **state)
{
        (void)state;
        memset(&station, 0, sizeof(station));
        memset(&lot, 0, sizeof(lot));
        memset(cards, 0, sizeof(cards));
        station.settings.license_alarm = 100;
        station.settings.license_hours_alarm = 2;
        station.settings.license_lost_alarm = 1;
        station.settings.license_ratio_alarm = 1.05;
        for (unsigned i = 0; i < 2; i++) {
                snprintf(cards[i].serial, sizeof(cards[i].serial), "CARD%u", i + 1);
                snprintf(cards[i].firmware_id, sizeof(cards[i].firmware_id), "BLINKY_1");
                snprintf(cards[i].state, sizeof(cards[i].state), "ready");
                cards[i].left = 4000;
        }
        snprintf(lot.order.id, sizeof(lot.order.id), "LOT-1");
        lot.order.quantity = 64;
        lot.counts.good = 32;
        lot.balance = (struct ledger_balance){ .issued = 32, .installed = 32 };
        return 0;
}

static void look(void)
{
        license_alarms_look(&station, cards, LENGTH_OF(cards), &lot, NOW_US);
}

/* Looked at twice, as nothing may be told again; `text` opens the only alarm, NULL: there is none. */
#define assert_alarm(text) assert_alarm_at(text, __FILE__, __LINE__)
static void assert_alarm_at(const char *text, const char *file, int line)
{
        look();
        look();
        if (station.alarm_count != (text ? 1 : 0))
                fail_msg("%s:%d: %u alarms: %s", file, line, station.alarm_count,
                         station.alarms[0]);
        if (text && strncmp(station.alarms[0], text, strlen(text)) != 0)
                fail_msg("%s:%d: %s, wanted %s", file, line, station.alarms[0], text);
        assert_int_equal(station.license_alarms.count, station.alarm_count);
}

static void a_good_line_is_quiet(void **state)
{
        (void)state;
        assert_alarm(NULL);
}

static void a_card_below_its_limit_is_told_once_with_what_to_do(void **state)
{
        (void)state;
        cards[1].left = 100;
        assert_alarm(NULL);
        cards[1].left = 99;
        assert_alarm(
                "card CARD2 has fewer than 100 licenses left: have another with BLINKY_1 ready");
        cards[1].left = 12;
        assert_alarm("card CARD2 has fewer than 100");
}

static void a_low_card_that_is_changed_ends_its_alarm(void **state)
{
        (void)state;
        cards[1].left = 99;
        look();
        snprintf(cards[1].state, sizeof(cards[1].state), "absent"); /* it may come back */
        assert_alarm("card CARD2");
        snprintf(cards[1].serial, sizeof(cards[1].serial), "CARD3");
        snprintf(cards[1].state, sizeof(cards[1].state), "ready");
        cards[1].left = 4000;
        assert_alarm(NULL);
}

static void a_card_moved_to_another_reader_is_told_once(void **state)
{
        (void)state;
        cards[0].left = cards[1].left = 99;
        snprintf(cards[0].serial, sizeof(cards[0].serial), "CARD2");
        snprintf(cards[0].state, sizeof(cards[0].state), "absent");
        assert_alarm("card CARD2");
}

static void a_card_that_does_not_serve_raises_none(void **state)
{
        static const char *const states[] = { "absent", "dead", "wrong" };

        (void)state;
        cards[1].left = 0;
        cards[1].dry_us = NOW_US;
        for (size_t i = 0; i < LENGTH_OF(states); i++) {
                snprintf(cards[1].state, sizeof(cards[1].state), "%s", states[i]);
                assert_alarm(NULL);
        }
}

static void an_empty_reader_without_a_card_ever_is_no_card(void **state)
{
        (void)state;
        memset(&cards[1], 0, sizeof(cards[1]));
        snprintf(cards[1].state, sizeof(cards[1].state), "ready");
        assert_alarm(NULL);
}

static void the_hours_to_a_dry_card_have_room_to_wander(void **state)
{
        (void)state;
        cards[0].dry_us = NOW_US + 2 * HOUR_US;
        assert_alarm(NULL);
        cards[0].dry_us -= 1;
        assert_alarm(
                "card CARD1 runs dry within 2 h at its pace: have another with BLINKY_1 ready");
        cards[0].dry_us = NOW_US + 2 * HOUR_US + HOUR_US / 5;
        assert_alarm("card CARD1 runs dry");
        cards[0].dry_us += 1;
        assert_alarm(NULL);
        cards[0].dry_us = NOW_US - 5;
        assert_alarm("card CARD1 runs dry");
        cards[0].dry_us = 0; /* no pace any more */
        assert_alarm(NULL);
}

static void a_low_card_says_so_in_place_of_the_hours(void **state)
{
        (void)state;
        cards[0].dry_us = NOW_US + HOUR_US;
        assert_alarm("card CARD1 runs dry");
        cards[0].left = 99;
        assert_alarm("card CARD1 has fewer than 100");
}

static void the_first_lost_license_is_an_alarm(void **state)
{
        (void)state;
        lot.balance.issued++;
        lot.balance.lost++;
        assert_alarm("lot LOT-1 lost a license: gangway licenses names chip, card and time");
        lot.balance.lost = 3;
        assert_alarm("lot LOT-1 lost a license");
}

static void losses_below_their_limit_are_none(void **state)
{
        (void)state;
        station.settings.license_lost_alarm = 3;
        station.settings.license_ratio_alarm = 0;
        lot.balance.lost = 2;
        assert_alarm(NULL);
        lot.balance.lost = 3;
        assert_alarm("lot LOT-1 lost 3 licenses or more: ");
}

static void alarms_of_a_lot_end_when_the_next_begins(void **state)
{
        (void)state;
        lot.balance.lost = 1;
        assert_alarm("lot LOT-1 lost");
        snprintf(lot.order.id, sizeof(lot.order.id), "LOT-2");
        assert_alarm("lot LOT-2 lost");
        license_alarms_look(&station, cards, LENGTH_OF(cards), NULL, NOW_US);
        assert_int_equal(station.alarm_count, 0);
}

static void licenses_of_units_in_work_are_not_wasted(void **state)
{
        (void)state;
        lot.balance.in_hand = lot.licenses_in_work = 16;
        lot.balance.issued = 48;
        assert_int_equal(lot_licenses_per_good(&lot), 1000);
        assert_alarm(NULL);
        lot.balance.in_hand = 18; /* two of units that failed */
        lot.balance.issued = 50;
        assert_int_equal(lot_licenses_per_good(&lot), 1063);
        assert_alarm("lot LOT-1 takes more than 1.050 licenses a good unit: stop it and see why");
}

static void the_ratio_is_judged_from_twenty_good_units_on_or_at_the_end(void **state)
{
        (void)state;
        lot.counts.good = lot.balance.installed = 19;
        lot.balance.issued = 25;
        assert_alarm(NULL);
        lot.state = LOT_DONE;
        assert_alarm("lot LOT-1 takes more than");
        lot.counts.good = lot.balance.installed = 0; /* ended without a good unit: no ratio */
        assert_int_equal(lot_licenses_per_good(&lot), 0);
        assert_alarm(NULL);
        lot.state = LOT_RUNNING;
        lot.counts.good = 20;
        assert_alarm("lot LOT-1 takes more than");
}

/* 1.055, then with 16 in work that a late count takes for done. */
static void the_ratio_does_not_follow_every_unit(void **state)
{
        (void)state;
        lot.counts.good = 36;
        lot.balance.issued = 38;
        assert_alarm("lot LOT-1 takes");
        lot.balance.issued = 54;
        lot.balance.in_hand = lot.licenses_in_work = 18;
        assert_alarm("lot LOT-1 takes");
        lot.balance.in_hand = lot.licenses_in_work = 0;
        lot.counts.good = 60;
        lot.balance.issued = 62;
        assert_alarm(NULL);
}

static void an_order_with_modules_has_as_many_times_the_target(void **state)
{
        (void)state;
        lot.order.module_count = 2;
        lot.balance.issued = 96;
        assert_int_equal(lot_licenses_per_unit(&lot), 3);
        assert_int_equal(lot_licenses_per_good(&lot), 3000);
        assert_alarm(NULL);
        lot.balance.issued = 101;
        assert_alarm("lot LOT-1 takes more than 3.150 licenses a good unit");
}

static void a_global_license_is_counted_by_nobody(void **state)
{
        (void)state;
        lot.order.license.source = LICENSE_GLOBAL;
        lot.balance.issued = 99;
        assert_int_equal(lot_licenses_per_unit(&lot), 0);
        assert_alarm(NULL);
}

static void zero_is_never(void **state)
{
        (void)state;
        station.settings.license_alarm = station.settings.license_hours_alarm = 0;
        station.settings.license_lost_alarm = 0;
        station.settings.license_ratio_alarm = 0;
        cards[0].left = 0;
        cards[1].dry_us = NOW_US;
        lot.balance.lost = lot.balance.issued = 1000;
        assert_alarm(NULL);
}

static void other_alarms_stay_when_one_ends(void **state)
{
        (void)state;
        station_alarm(&station, "site 4: a board is stuck");
        cards[1].left = 99;
        look();
        station_alarm(&station, "site 5: a board is stuck");
        assert_int_equal(station.alarm_count, 3);
        cards[1].left = 4000;
        look();
        assert_int_equal(station.alarm_count, 2);
        assert_string_equal(station.alarms[0], "site 4: a board is stuck");
        assert_string_equal(station.alarms[1], "site 5: a board is stuck");
}

static void the_largest_figures_are_no_trouble(void **state)
{
        (void)state;
        lot.balance.issued = lot.balance.lost = lot.counts.good = UINT32_MAX;
        cards[0].dry_us = UINT64_MAX;
        cards[0].left = UINT32_MAX;
        memset(lot.order.id, 'X', sizeof(lot.order.id) - 1);
        look();
        look();
        assert_int_equal(station.alarm_count, 1);
        lot.counts.good = 1;
        assert_true(lot_licenses_per_good(&lot) == UINT32_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(a_good_line_is_quiet, set_up),
                cmocka_unit_test_setup(a_card_below_its_limit_is_told_once_with_what_to_do, set_up),
                cmocka_unit_test_setup(a_low_card_that_is_changed_ends_its_alarm, set_up),
                cmocka_unit_test_setup(a_card_moved_to_another_reader_is_told_once, set_up),
                cmocka_unit_test_setup(a_card_that_does_not_serve_raises_none, set_up),
                cmocka_unit_test_setup(an_empty_reader_without_a_card_ever_is_no_card, set_up),
                cmocka_unit_test_setup(the_hours_to_a_dry_card_have_room_to_wander, set_up),
                cmocka_unit_test_setup(a_low_card_says_so_in_place_of_the_hours, set_up),
                cmocka_unit_test_setup(the_first_lost_license_is_an_alarm, set_up),
                cmocka_unit_test_setup(losses_below_their_limit_are_none, set_up),
                cmocka_unit_test_setup(alarms_of_a_lot_end_when_the_next_begins, set_up),
                cmocka_unit_test_setup(licenses_of_units_in_work_are_not_wasted, set_up),
                cmocka_unit_test_setup(the_ratio_is_judged_from_twenty_good_units_on_or_at_the_end,
                                       set_up),
                cmocka_unit_test_setup(the_ratio_does_not_follow_every_unit, set_up),
                cmocka_unit_test_setup(an_order_with_modules_has_as_many_times_the_target, set_up),
                cmocka_unit_test_setup(a_global_license_is_counted_by_nobody, set_up),
                cmocka_unit_test_setup(zero_is_never, set_up),
                cmocka_unit_test_setup(other_alarms_stay_when_one_ends, set_up),
                cmocka_unit_test_setup(the_largest_figures_are_no_trouble, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
