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
        to->licenses_issued = lot->balance.issued;
        to->licenses_installed = lot->balance.installed;
        to->licenses_in_hand = lot->balance.in_hand;
        to->licenses_lost = lot->balance.lost;
        to->started_ms = counts->started_us / 1000;
        to->ended_ms = lot->state == LOT_DONE ? counts->ended_us / 1000 : 0;
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

static void fill_cards(const struct station *station, struct snapshot *to)
{
        struct desk_card cards[SNAPSHOT_CARDS_MAX];
        unsigned count = desk_cards(station->desk, cards, SNAPSHOT_CARDS_MAX);

        for (unsigned i = 0; i < count; i++) {
                struct snapshot_card *card = &to->cards[i];

                memcpy(card->serial, cards[i].serial, sizeof(card->serial));
                snprintf(card->reader, sizeof(card->reader), "%.63s", cards[i].reader);
                memcpy(card->firmware_id, cards[i].firmware_id, sizeof(card->firmware_id));
                memcpy(card->state, cards[i].state, sizeof(card->state));
                card->left = cards[i].left;
                card->maximum = cards[i].maximum;
                card->queue = i ? 0 : desk_queue(station->desk); /* one queue for all: shown once */
        }
        to->card_count = count;
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
        memcpy(to->alarms, station->alarms, sizeof(to->alarms));
        to->alarm_count = station->alarm_count;
}
