/*
 * lot.c - orders in, lots through, answers out.
 *
 * Intake: claim, parse, load the image, look the order up in the records; answer with .ack or .err at
 * once; queue. Runner: take the first, open its lot, let the sites work until it is full and nothing is
 * in work, write the result files, next. An order found done already is answered again, not made again.
 */
#include "station/lot.h"

#include "scheduler/loop.h"
#include "station/log.h"
#include "station/lot_plan.h"
#include "station/receipt.h"
#include "station/result.h"
#include "station/station.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lot *lot_free(struct lot *lot)
{
        if (!lot)
                return NULL;
        sfi_free(lot->sfi);
        loader_free(&lot->loader);
        drop_order_free(lot->file);
        bytes_wipe_free(&lot->global_license);
        module_files_free(&lot->modules);
        free(lot);
        return NULL;
}

static const char *about(const struct lot *lot)
{
        static char text[ORDER_ID_MAX + 8];

        snprintf(text, sizeof(text), "lot %s", lot->order.id);
        return text;
}

/* --- intake -------------------------------------------------------------------------------- */

/* Is the same order waiting or running already? */
static bool is_known(const struct lots *lots, const char *id)
{
        if (lots->running && strcmp(lots->running->order.id, id) == 0)
                return true;
        for (const struct lot *lot = lots->first_waiting; lot; lot = lot->next)
                if (strcmp(lot->order.id, id) == 0)
                        return true;
        return false;
}

static void error_from_fault(struct order_error *error, int fault, const char *remedy)
{
        *error = (struct order_error){ 0 };
        snprintf(error->code, sizeof(error->code), "%s", fault_name(fault));
        snprintf(error->sentence, sizeof(error->sentence), "%s", fault_sentence(fault));
        snprintf(error->remedy, sizeof(error->remedy), "%s", remedy);
}

/* Everything an order must be before a site may work on it. */
static int check_order(struct station *station, struct lot *lot, bool *ret_done,
                       struct order_error *error)
{
        const struct rss_profile *rss =
                station->settings.installer == INSTALLER_NATIVE ? &station->rss : NULL;
        struct drop_order *file = lot->file;
        char digest[65];
        int r;

        r = order_parse(file->text->data, file->text->length, station->drop_directory, &lot->order,
                        error);
        if (r < 0)
                return r;
        if (is_known(&station->lots, lot->order.id)) {
                r = fault(FAULT_DUPLICATE, "order %s is waiting or running", lot->order.id);
                error_from_fault(error, r, "wait for its result, or give the order a new id");
                return r;
        }
        r = order_load_image(&lot->order, &station->family, rss, station->workers, &lot->sfi,
                             error);
        if (r >= 0)
                r = order_load_loader(&lot->order, lot->sfi, &lot->loader, error);
        if (r >= 0)
                r = order_load_modules(&lot->order, &station->family, rss, lot->sfi, &lot->modules,
                                       error);
        if (r >= 0)
                r = order_load_license(&lot->order, &station->family, rss,
                                       station->license_server != NULL, &lot->global_license,
                                       digest, error);
        if (r < 0)
                return r;
        if (digest[0])
                log_line(about(lot), "global license, SHA-256 %s", digest);
        r = sfi_parts(lot->sfi, lot->parts, LOT_PARTS_MAX);
        if (r < 0) {
                error_from_fault(error, r, "make the image again");
                return r;
        }
        lot->part_count = (unsigned)r;
        r = records_open_lot(station->records, &lot->order, ret_done);
        if (r < 0)
                error_from_fault(error, r, "give the order a new id");
        return r;
}

static void enqueue(struct lots *lots, struct lot *lot)
{
        struct lot **at = &lots->first_waiting;

        while (*at)
                at = &(*at)->next;
        *at = lot;
        lots->waiting++;
        waitlist_wake(&lots->changed);
}

static void take_in(struct station *station, struct drop_order *file)
{
        struct lot *lot = calloc(1, sizeof(*lot));
        struct order_error error = { 0 };
        bool is_done = false;
        int r;

        INSIST(lot);
        lot->file = file;
        r = check_order(station, lot, &is_done, &error);
        if (r < 0) {
                log_line("orders", "%s rejected: %s", file->name, error.sentence);
                if (drop_reject(station->drop, file, &error) < 0)
                        station_alarm(station, "%s", fault_sentence(-FAULT_SYSTEM));
                lot_free(lot);
                station->lots.ended++;
                return;
        }
        r = drop_accept(station->drop, file, &lot->order);
        if (r < 0)
                station_alarm(station, "order %s: %s", lot->order.id, fault_sentence(r));
        log_line(about(lot), "accepted: %u x %s, %u areas in %u parts%s", lot->order.quantity,
                 lot->order.part, lot->sfi->count, lot->part_count,
                 is_done ? ", made already" : "");
        if (is_done)
                lot->is_made_already = true;
        enqueue(&station->lots, lot);
}

static int run_intake(void *subject)
{
        struct station *station = subject;
        struct lots *lots = &station->lots;
        struct drop_order *file;

        for (;;) {
                int r;

                while (lots->waiting >= LOT_ORDERS_MAX)
                        if (waitlist_wait(&lots->changed, WAIT_FOREVER) == -FAULT_CANCELLED)
                                return 0;
                r = drop_next(station->drop, &file);
                if (r == -FAULT_CANCELLED)
                        return 0;
                if (r < 0) {
                        station_alarm(station, "drop folder: %s", fault_sentence(r));
                        if (fiber_sleep_ns(NS_PER_S) < 0)
                                return 0;
                        continue;
                }
                take_in(station, file);
                if (station->is_stopping) /* the answer may have used up the cancel */
                        return 0;
        }
}

/* --- runner -------------------------------------------------------------------------------- */

static bool is_full(const struct lot *lot)
{
        return lot->counts.good >= lot->order.quantity;
}

static int work_through(struct station *station, struct lot *lot)
{
        struct lots *lots = &station->lots;

        while (lot->in_work || (lot->state == LOT_RUNNING && !is_full(lot))) {
                int r = waitlist_wait(&lots->changed, lot_plan(station, lot));

                if (r < 0 && r != -FAULT_TIMEOUT)
                        return r;
        }
        return 0;
}

/* A lot is done without its receipt too: it can be made later (gangway licenses report). */
static void add_receipt(struct station *station, const struct lot *lot, struct bytes *text,
                        uint8_t signature[static SIGNATURE_LENGTH], struct drop_result *result)
{
        int r = receipt_of_lot(station, lot, text, signature);

        if (r < 0) {
                station_alarm(station, "lot %s has no receipt: %s", lot->order.id,
                              fault_sentence(r));
                return;
        }
        result->receipt = text->data;
        result->receipt_length = text->length;
        result->signature = signature;
        result->signature_length = SIGNATURE_LENGTH;
}

/* Result files, then the order leaves work/: from here on it is done for good. */
static int finish_lot(struct station *station, struct lot *lot)
{
        struct bytes receipt CLEANUP(bytes_free) = { 0 };
        uint8_t signature[SIGNATURE_LENGTH];
        char *json = NULL, *csv = NULL;
        int r;

        if (!lot->is_made_already) {
                r = records_close_lot(station->records, lot->order.id);
                if (r < 0)
                        return r;
        }
        r = lot_recount(station, lot);
        if (r < 0)
                return r;
        r = result_texts(station, lot, &json, &csv);
        if (r == 0) {
                struct drop_result result = { .json = json, .csv = csv };

                add_receipt(station, lot, &receipt, signature, &result);
                r = drop_finish(station->drop, lot->file, &result);
        }
        free(json);
        free(csv);
        return r;
}

static void run_lot(struct station *station, struct lot *lot)
{
        struct lots *lots = &station->lots;
        int r;

        lot->state =
                LOT_ENDING; /* it is the running one, but gives no places before it is counted */
        lot_free(lots->last);
        lots->last = NULL;
        lots->running = lot;
        r = lot_recount(station, lot);
        if (r == 0 && !lot->is_made_already)
                lot->state = LOT_RUNNING;
        lot->opened_ns = clock_now_ns();
        if (!lot->is_made_already)
                log_line(about(lot), "started, %u of %u good", lot->counts.good,
                         lot->order.quantity);
        waitlist_wake(&lots->changed);
        station_changed(station);
        if (r == 0)
                r = work_through(station, lot);
        lot->state = LOT_DONE;
        if (r == 0)
                r = finish_lot(station, lot);
        if (r == 0)
                log_line(about(lot), "%s: %u good, %u bad", lot->is_stopped ? "stopped" : "done",
                         lot->counts.good, lot->counts.bad);
        else if (r != -FAULT_CANCELLED)
                station_alarm(station, "lot %s: %s", lot->order.id, fault_sentence(r));
        lots->running = NULL;
        lots->last = lot;
        lots->ended++;
        station_changed(station);
}

static int run_lots(void *subject)
{
        struct station *station = subject;
        struct lots *lots = &station->lots;

        while (!station->is_stopping) {
                struct lot *lot = lots->first_waiting;

                if (!lot) {
                        if (waitlist_wait(&lots->changed, WAIT_FOREVER) == -FAULT_CANCELLED)
                                return 0;
                        continue;
                }
                lots->first_waiting = lot->next;
                lots->waiting--;
                lot->next = NULL;
                run_lot(station, lot);
                waitlist_wake(&lots->changed);
        }
        return 0;
}

void lots_start(struct station *station)
{
        station->lots.runner = fiber_spawn("lots", run_lots, station);
        station->lots.intake = fiber_spawn("orders", run_intake, station);
}

void lots_stop(struct station *station)
{
        struct lots *lots = &station->lots;

        if (!lots->runner)
                return;
        fiber_cancel(lots->intake);
        fiber_cancel(lots->runner);
        fiber_join(lots->intake);
        fiber_join(lots->runner);
        lots->intake = lots->runner = NULL;
        while (lots->first_waiting) {
                struct lot *lot = lots->first_waiting;

                lots->first_waiting = lot->next;
                lot_free(lot);
        }
        lots->last = lot_free(lots->last);
}

/* --- places -------------------------------------------------------------------------------- */

struct lot *lot_take(struct station *station)
{
        struct lot *lot = station->lots.running;

        if (!lot || station->is_stopping || lot->state != LOT_RUNNING || lot->held[0] ||
            lot->counts.good + lot->in_work >= lot->order.quantity)
                return NULL;
        lot->in_work++;
        return lot;
}

void lot_give_back(struct station *station, struct lot *lot)
{
        INSIST(lot->in_work > 0);
        lot->in_work--;
        waitlist_wake(&station->lots.changed);
        station_changed(station);
}

unsigned lot_licenses_at_sites(const struct station *station, const struct lot *lot)
{
        unsigned count = 0;

        for (unsigned i = 0; i < station->settings.site_count; i++) {
                const struct site *site = &station->sites[i];

                if (site->state == SITE_BUSY && site->install.lot == lot &&
                    licenses_are_there(&site->install))
                        count++;
        }
        return count;
}

int lot_recount(struct station *station, struct lot *lot)
{
        int r = records_count(station->records, lot->order.id, &lot->counts);

        if (r == 0)
                r = ledger_balance(station->ledger, lot->order.id, NULL, &lot->balance);
        if (r == 0)
                lot->licenses_in_work =
                        lot_licenses_at_sites(station, lot) * lot_licenses_per_unit(lot);
        if (lot->licenses_in_work > lot->balance.in_hand)
                lot->licenses_in_work = lot->balance.in_hand;
        return r;
}

void lot_hold(struct station *station, const char *sentence)
{
        struct lot *lot = station->lots.running;

        station_alarm(station, "line stopped: %s", sentence);
        if (!lot)
                return;
        snprintf(lot->held, sizeof(lot->held), "%s", sentence);
        lot->is_held_for_cards = false;
}

void lot_release(struct station *station)
{
        struct lot *lot = station->lots.running;

        if (lot && !lot->is_held_for_cards)
                lot->held[0] = '\0';
        waitlist_wake(&station->lots.changed);
}

void lot_end(struct station *station)
{
        struct lot *lot = station->lots.running;

        if (!lot || lot->state != LOT_RUNNING)
                return;
        lot->state = LOT_ENDING;
        lot->is_stopped = true;
        waitlist_wake(&station->lots.changed);
        station_changed(station);
}
