/*
 * snapshot.c - the station as the page and the command see it; copies only, never waits.
 */
#include "scheduler/loop.h"
#include "station/station.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static uint32_t tenths(uint32_t part, uint32_t whole)
{
        return whole ? (uint32_t)(1000ull * part / whole) : 0;
}

static uint32_t per_hour(uint32_t units, uint64_t us)
{
        return us ? (uint32_t)(3600ull * 1000000 * units / us) : 0;
}

static const char *lot_state_name(const struct lot *lot)
{
        switch (lot->state) {
        case LOT_RUNNING:
                return lot->held[0] ? "held" : "running";
        case LOT_ENDING:
                return "stopping";
        case LOT_DONE:
                return lot->is_stopped ? "stopped" : "done";
        }
        return "";
}

static void fill_lot_licenses(const struct lot *lot, struct snapshot_lot *to)
{
        snprintf(to->license_source, sizeof(to->license_source), "%s",
                 license_source_name(lot->order.license.source));
        snprintf(to->license_type, sizeof(to->license_type), "%s", lot->order.license.type);
        to->licenses_issued = lot->balance.issued;
        to->licenses_installed = lot->balance.installed;
        to->licenses_in_hand = lot->balance.in_hand;
        to->licenses_lost = lot->balance.lost;
        to->licenses_in_work = lot->licenses_in_work;
        to->licenses_pending = lot->balance.pending;
        to->licenses_per_unit = lot_licenses_per_unit(lot);
        to->licenses_per_good = lot_licenses_per_good(lot);
}

static void fill_lot(const struct station *station, const struct lot *lot, struct snapshot_lot *to)
{
        const struct lot_counts *counts = &lot->counts;
        uint64_t end_us =
                lot->state == LOT_DONE && counts->ended_us ? counts->ended_us : clock_calendar_us();
        const char *name = strrchr(lot->order.image_file, '/');

        snprintf(to->order, sizeof(to->order), "%s", lot->order.id);
        snprintf(to->part, sizeof(to->part), "%s", lot->order.part);
        snprintf(to->image, sizeof(to->image), "%.63s", name ? name + 1 : lot->order.image_file);
        snprintf(to->state, sizeof(to->state), "%s", lot_state_name(lot));
        to->quantity = lot->order.quantity;
        to->good = counts->good;
        to->bad = counts->bad;
        to->errors = counts->errors + counts->aborted + counts->not_provable;
        to->entered = counts->entered;
        to->retried = counts->retried;
        to->in_work = lot->in_work;
        to->first_pass_yield = tenths(counts->first_pass, counts->entered);
        to->final_yield = tenths(counts->good, counts->entered);
        if (counts->started_us && end_us > counts->started_us)
                to->units_per_hour = per_hour(counts->good, end_us - counts->started_us);
        /* as if every site worked all the time */
        to->units_per_hour_busy =
                per_hour(counts->good * station->settings.site_count, counts->busy_us);
        to->started_ms = counts->started_us / 1000;
        to->ended_ms = lot->state == LOT_DONE ? counts->ended_us / 1000 : 0;
        fill_lot_licenses(lot, to);
}

static void fill_site(const struct site *site, struct snapshot_site *to)
{
        const struct install *install = &site->install;
        const struct record *record = &install->record;
        bool is_busy = site->state == SITE_BUSY;

        snprintf(to->name, sizeof(to->name), "%s", site->settings->name);
        snprintf(to->state, sizeof(to->state), "%s", site_state_name(site->state));
        snprintf(to->unit, sizeof(to->unit), "%s", record->unit);
        to->attempt = record->attempt;
        if (is_busy) {
                snprintf(to->step, sizeof(to->step), "%s", install->step);
                to->progress = install_progress(install);
                to->elapsed_ms = (unsigned)((clock_now_ns() - install->started_ns) / NS_PER_MS);
        } else if (site->has_result) {
                snprintf(to->result, sizeof(to->result), "%s", result_name(record->result));
                snprintf(to->step, sizeof(to->step), "%s", record->step);
                snprintf(to->fault, sizeof(to->fault), "%s", record->fault);
                snprintf(to->sentence, sizeof(to->sentence), "%.159s", record->sentence);
        }
        to->needs_person = site->state == SITE_BLOCKED;
        to->passed = site->passed;
        to->failed = site->failed;
        to->errors = site->errors;
}

static void fill_card(const struct desk_card *card, struct snapshot_card *to)
{
        snprintf(to->serial, sizeof(to->serial), "%.16s", card->serial);
        snprintf(to->reader, sizeof(to->reader), "%.63s", card->reader);
        snprintf(to->firmware_id, sizeof(to->firmware_id), "%.32s", card->firmware_id);
        snprintf(to->type, sizeof(to->type), "%.4s", card->type);
        snprintf(to->state, sizeof(to->state), "%.15s", card->state);
        snprintf(to->sentence, sizeof(to->sentence), "%.159s", card->sentence);
        to->left = card->left;
        to->maximum = card->maximum;
        to->per_hour = card->per_hour;
        to->dry_ms = card->dry_us / 1000;
        to->issued = card->balance.issued;
        to->installed = card->balance.installed;
        to->in_hand = card->balance.in_hand;
        to->lost = card->balance.lost;
}

static void fill_cards(const struct station *station, struct snapshot *to)
{
        struct desk_card cards[SNAPSHOT_CARDS_MAX];

        to->card_count = desk_cards(station->desk, cards, SNAPSHOT_CARDS_MAX);
        for (unsigned i = 0; i < to->card_count; i++)
                fill_card(&cards[i], &to->cards[i]);
        to->cards[0].queue = desk_queue(station->desk); /* one queue for all: shown once */
}

/* A card or an order that does not name a type fits any. */
static bool fits(const char *type, const char *wanted)
{
        return !type[0] || !wanted[0] || strcmp(type, wanted) == 0;
}

/* What the cards that serve have left of it. */
static uint32_t left_for(const struct snapshot *line, const struct snapshot_need *need)
{
        uint32_t left = 0;

        for (unsigned i = 0; i < line->card_count; i++) {
                const struct snapshot_card *card = &line->cards[i];

                bool serves = strcmp(card->state, "ready") == 0 ||
                              strcmp(card->state, "busy") == 0 || strcmp(card->state, "slow") == 0;

                if (serves && strcmp(card->firmware_id, need->firmware_id) == 0 &&
                    fits(card->type, need->type))
                        left += card->left;
        }
        return left;
}

/* Two of one kind draw on the same cards and are told as one. */
static void add_need(struct snapshot *to, const char *firmware_id, const char *type,
                     uint32_t wanted)
{
        struct snapshot_need *need = to->needs;
        const struct snapshot_need *end = need + to->need_count;

        while (need < end &&
               (strcmp(need->firmware_id, firmware_id) != 0 || strcmp(need->type, type) != 0))
                need++;
        need->wanted += wanted;
        if (need < end)
                return;
        to->need_count++;
        snprintf(need->firmware_id, sizeof(need->firmware_id), "%.32s", firmware_id);
        snprintf(need->type, sizeof(need->type), "%.4s", type);
        need->left = left_for(to, need);
}

/* Units to go that have no license yet need one of each kind; what a server or files give is not
 * counted beforehand. */
static void fill_needs(const struct station *station, const struct lot *lot, struct snapshot *to)
{
        const struct order *order = &lot->order;
        uint32_t done = lot->counts.good + lot_licenses_at_sites(station, lot);
        uint32_t wanted = order->quantity > done ? order->quantity - done : 0;

        if (order->license.source == LICENSE_FROM_CARD)
                add_need(to, order->firmware_id, order->license.type, wanted);
        for (unsigned i = 0; i < order->module_count; i++)
                add_need(to, order->modules[i].firmware_id, order->modules[i].type, wanted);
}

void station_fill(void *subject, struct snapshot *to)
{
        const struct station *station = subject;
        const struct lot *lot = station->lots.running ? station->lots.running : station->lots.last;

        memset(to, 0, sizeof(*to));
        memcpy(to->station, station->settings.station, sizeof(to->station));
        snprintf(to->version, sizeof(to->version), "%s", GANGWAY_VERSION);
        to->now_ms = clock_calendar_us() / 1000;
        to->is_simulated = station->bench != NULL;
        to->is_stopping = station->is_stopping;
        if (lot)
                fill_lot(station, lot, &to->lot);
        to->orders_waiting =
                station->lots.waiting + (station->drop ? drop_waiting(station->drop) : 0);
        to->site_count = station->settings.site_count;
        for (unsigned i = 0; i < to->site_count; i++)
                fill_site(&station->sites[i], &to->sites[i]);
        if (station->desk)
                fill_cards(station, to);
        if (station->lots.running)
                fill_needs(station, station->lots.running, to);
        memcpy(to->alarms, station->alarms, sizeof(to->alarms));
        to->alarm_count = station->alarm_count;
}
