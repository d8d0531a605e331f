/*
 * license_alarms.c - a look at cards and lot, and what it says is told once.
 *
 * Each look judges every alarm there can be: over its limit it is raised, once raised it stands until
 * the figure is back by a tenth or so. What no look confirms any more - the card was changed, another
 * lot came - is over. A card that is low says so alone: that it will soon be dry is no news then.
 *
 * The licenses per good unit of a running lot are taken low to raise the alarm (without the licenses
 * of units in work) and high to end it (with them), so that it does not follow every unit.
 */
#include "station/license_alarms.h"

#include "station/lot.h"
#include "station/station.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define US_PER_HOUR 3600000000ull

/* Below so many good units one license more is chance. */
#define RATIO_UNITS 20u

/* --- figures ------------------------------------------------------------------------------- */

unsigned lot_licenses_per_unit(const struct lot *lot)
{
        return (lot->order.license.source == LICENSE_GLOBAL ? 0 : 1) + lot->order.module_count;
}

static uint32_t thousandths(uint32_t licenses, uint32_t units)
{
        uint64_t ratio = units ? (1000ull * licenses + units / 2) / units : 0;

        return ratio < UINT32_MAX ? (uint32_t)ratio : UINT32_MAX;
}

uint32_t lot_licenses_per_good(const struct lot *lot)
{
        uint32_t issued = lot->balance.issued, in_work = lot->licenses_in_work;

        return thousandths(issued > in_work ? issued - in_work : 0, lot->counts.good);
}

/* --- raising and ending -------------------------------------------------------------------- */

static int find(const struct license_alarms *alarms, enum license_alarm kind, const char *about)
{
        for (unsigned i = 0; i < alarms->count; i++)
                if (alarms->standing[i].kind == kind &&
                    strcmp(alarms->standing[i].about, about) == 0)
                        return (int)i;
        return -1;
}

/* It stands: new when `is_over`, still when it was raised before and `is_near`. */
static void judge(struct station *station, enum license_alarm kind, const char *about, bool is_over,
                  bool is_near, const char *format, ...) PRINTF_LIKE(6, 7);
static void judge(struct station *station, enum license_alarm kind, const char *about, bool is_over,
                  bool is_near, const char *format, ...)
{
        struct license_alarms *alarms = &station->license_alarms;
        int at = find(alarms, kind, about);
        va_list arguments;

        if (at >= 0) {
                alarms->standing[at].is_confirmed |= is_over || is_near;
                return;
        }
        if (!is_over || alarms->count == LICENSE_ALARMS_MAX)
                return;
        at = (int)alarms->count++;
        alarms->standing[at].kind = kind;
        alarms->standing[at].is_confirmed = true;
        snprintf(alarms->standing[at].about, sizeof(alarms->standing[at].about), "%s", about);
        va_start(arguments, format);
        vsnprintf(alarms->standing[at].text, sizeof(alarms->standing[at].text), format, arguments);
        va_end(arguments);
        station_alarm(station, "%s", alarms->standing[at].text);
}

static void forget_confirmations(struct license_alarms *alarms)
{
        for (unsigned i = 0; i < alarms->count; i++)
                alarms->standing[i].is_confirmed = false;
}

static void end_unconfirmed(struct station *station)
{
        struct license_alarms *alarms = &station->license_alarms;
        unsigned kept = 0;

        for (unsigned i = 0; i < alarms->count; i++) {
                if (alarms->standing[i].is_confirmed)
                        alarms->standing[kept++] = alarms->standing[i];
                else
                        station_alarm_end(station, alarms->standing[i].text);
        }
        alarms->count = kept;
}

/* --- looking ------------------------------------------------------------------------------- */

/* Only a card that serves raises an alarm; one that was pulled keeps those it had until another
 * takes its place in the reader. */
static bool serves(const struct desk_card *card)
{
        static const char *const states[] = { "ready", "busy", "empty", "slow" };

        for (size_t i = 0; i < LENGTH_OF(states); i++)
                if (strcmp(card->state, states[i]) == 0)
                        return true;
        return false;
}

static void look_at_card(struct station *station, const struct desk_card *card, uint64_t now_us)
{
        const struct settings *limits = &station->settings;
        uint32_t low = limits->license_alarm, hours = limits->license_hours_alarm;
        uint64_t dry_in_us = card->dry_us > now_us ? card->dry_us - now_us : 0;

        judge(station, ALARM_CARD_LOW, card->serial, serves(card) && card->left < low,
              card->left <= low + low / 10,
              "card %s has fewer than %u licenses left: have another with %s ready", card->serial,
              low, card->firmware_id);
        if (find(&station->license_alarms, ALARM_CARD_LOW, card->serial) >= 0 || !card->dry_us)
                return;
        judge(station, ALARM_CARD_DRY, card->serial,
              serves(card) && dry_in_us < hours * US_PER_HOUR,
              dry_in_us <= hours * (US_PER_HOUR + US_PER_HOUR / 10),
              "card %s runs dry within %u h at its pace: have another with %s ready", card->serial,
              hours, card->firmware_id);
}

static void look_at_losses(struct station *station, const struct lot *lot)
{
        uint32_t limit = station->settings.license_lost_alarm;
        bool is_over = limit && lot->balance.lost >= limit;
        char many[32] = "a license";

        if (limit > 1)
                snprintf(many, sizeof(many), "%u licenses", limit);
        judge(station, ALARM_LOT_LOST, lot->order.id, is_over, is_over,
              "lot %s lost %s%s: gangway licenses names chip, card and time; look at that reader",
              lot->order.id, many, limit > 1 ? " or more" : "");
}

static void look_at_ratio(struct station *station, const struct lot *lot)
{
        /* of what a unit needs; half a thousandth is nothing that can be counted */
        uint32_t limit = (uint32_t)(1000 * station->settings.license_ratio_alarm + 0.5);
        uint32_t needs = lot_licenses_per_unit(lot), good = lot->counts.good;
        uint32_t end = limit - (limit > 1000 ? (limit - 1000) / 10 : 0);
        bool is_sure = good >= RATIO_UNITS || (lot->state == LOT_DONE && good);

        if (!limit || !needs)
                return;
        judge(station, ALARM_LOT_RATIO, lot->order.id,
              is_sure && lot_licenses_per_good(lot) > needs * limit,
              thousandths(lot->balance.issued, good) > needs * end,
              "lot %s takes more than %u.%03u licenses a good unit: stop it and see why units fail "
              "after their license",
              lot->order.id, needs * limit / 1000, needs * limit % 1000);
}

void license_alarms_look(struct station *station, const struct desk_card *cards,
                         unsigned card_count, const struct lot *lot, uint64_t now_us)
{
        forget_confirmations(&station->license_alarms);
        for (unsigned i = 0; i < card_count; i++)
                if (cards[i].serial[0])
                        look_at_card(station, &cards[i], now_us);
        if (lot && !lot->is_made_already) {
                look_at_losses(station, lot);
                look_at_ratio(station, lot);
        }
        end_unconfirmed(station);
}
