/*
 * site.c - the life of a site: a table of what may follow what, and the fiber that walks it.
 */
#include "station/site.h"

#include "scheduler/loop.h"
#include "station/log.h"
#include "station/lot.h"
#include "station/station.h"

#include <stdio.h>
#include <string.h>

#define AGAIN_NS    (2 * NS_PER_S)  /* between looks at a probe that does not do */
#define SETTLING_NS (5 * NS_PER_MS) /* between looks at a board that has just come */

/* The whole life of a site on one screen. What is not written here cannot happen. */
static const enum site_state after[SITE_STATES][SITE_EVENTS] = {
        [SITE_ABSENT] = { [SITE_PLUGGED] = SITE_EMPTY },
        [SITE_EMPTY] = { [SITE_BOARD_IN] = SITE_READY, [SITE_UNPLUGGED] = SITE_ABSENT },
        [SITE_READY] = { [SITE_TAKEN] = SITE_BUSY,
                         [SITE_BOARD_OUT] = SITE_EMPTY,
                         [SITE_UNPLUGGED] = SITE_ABSENT },
        [SITE_BUSY] = { [SITE_FINISHED] = SITE_SHOWING,
                        [SITE_HELD] = SITE_BLOCKED,
                        [SITE_UNPLUGGED] = SITE_ABSENT },
        [SITE_SHOWING] = { [SITE_BOARD_OUT] = SITE_EMPTY, [SITE_UNPLUGGED] = SITE_ABSENT },
        [SITE_BLOCKED] = { [SITE_CLEARED] = SITE_SHOWING },
};

const char *site_state_name(enum site_state state)
{
        static const char *const names[SITE_STATES] = {
                [SITE_NEVER] = "",          [SITE_ABSENT] = "absent", [SITE_EMPTY] = "empty",
                [SITE_READY] = "ready",     [SITE_BUSY] = "busy",     [SITE_SHOWING] = "showing",
                [SITE_BLOCKED] = "blocked",
        };

        return names[state];
}

static void happened(struct site *site, enum site_event event)
{
        enum site_state next = after[site->state][event];

        INSIST(next != SITE_NEVER);
        site->state = next;
        station_changed(site->station);
}

static const char *about(const struct site *site)
{
        static char text[32];

        snprintf(text, sizeof(text), "site %s", site->settings->name);
        return text;
}

/* --- probe and board ----------------------------------------------------------------------- */

static int check_serial(struct site *site, const struct wire_identity *identity)
{
        if (!site->settings->serial[0] || strcmp(site->settings->serial, identity->serial) == 0)
                return 0;
        return fault(FAULT_PROBE, "probe %s is at %s, the station file wants %s", identity->serial,
                     identity->path, site->settings->serial);
}

int site_open_probe(struct site *site)
{
        struct wire *wire;
        int r;

        r = bus_open(site->station->bus, site->settings->path, &wire);
        if (r < 0)
                return r;
        wire_record(wire, site->recorder);
        r = stlink_open(wire, &site->probe);
        if (r < 0)
                return r;
        r = check_serial(site, wire_identity(site->probe.wire));
        if (r < 0)
                stlink_close(&site->probe);
        return r;
}

/* Until a usable probe is at the site's port. A probe that does not do is tried again every 2 s. */
static int wait_for_probe(struct site *site)
{
        bool was_told = false;
        int r;

        while ((r = site_open_probe(site)) < 0) {
                if (r == -FAULT_CANCELLED)
                        return r;
                if (!was_told && r != -FAULT_UNPLUGGED)
                        station_alarm(site->station, "site %s: %s", site->settings->name,
                                      fault_sentence(r));
                was_told = true;
                r = r == -FAULT_UNPLUGGED
                            ? bus_wait(site->station->bus, site->settings->path, AGAIN_NS)
                            : fiber_sleep_ns(AGAIN_NS);
                if (r == -FAULT_CANCELLED)
                        return r;
        }
        return 0;
}

static int see_board(struct site *site, bool *ret_is_in)
{
        unsigned mv;
        int r = stlink_voltage_mv(&site->probe, &mv);

        if (r == 0)
                *ret_is_in = mv >= site->station->settings.minimum_mv;
        return r;
}

/* Until a board is in and has been for the settling time: contacts bounce. */
static int wait_for_board(struct site *site)
{
        const struct settings *settings = &site->station->settings;
        uint64_t since = 0;
        bool is_in = false;
        int r;

        for (;;) {
                r = see_board(site, &is_in);
                if (r < 0)
                        return r;
                if (!is_in)
                        since = 0;
                else if (!since)
                        since = clock_now_ns();
                if (since && clock_now_ns() - since >= settings->settle_ms * NS_PER_MS)
                        break;
                r = fiber_sleep_ns(since ? SETTLING_NS : settings->poll_ms * NS_PER_MS);
                if (r < 0)
                        return r;
        }
        site->board_seen_ns = since;
        return 0;
}

/* Until it is out. One look without supply is enough: what bounces back in must settle anew, and a unit
 * that is known is not worked on twice. */
static int wait_for_removal(struct site *site)
{
        bool is_in = true;
        int r;

        for (;;) {
                r = see_board(site, &is_in);
                if (r < 0 || !is_in)
                        return r;
                r = fiber_sleep_ns(site->station->settings.poll_ms * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}

/* --- units --------------------------------------------------------------------------------- */

/* A place in a lot, or NULL when the board was taken out meanwhile. */
static int wait_for_place(struct site *site, struct lot **ret_lot)
{
        struct station *station = site->station;
        bool is_in;
        int r;

        while (!(*ret_lot = lot_take(station))) {
                r = waitlist_wait(&station->lots.changed, 100 * NS_PER_MS);
                if (r < 0 && r != -FAULT_TIMEOUT)
                        return r;
                r = see_board(site, &is_in);
                if (r < 0)
                        return r;
                if (!is_in)
                        return 0;
        }
        return 0;
}

static void count_result(struct site *site, const struct lot *lot)
{
        if (strcmp(site->counted_order, lot->order.id) != 0) {
                memcpy(site->counted_order, lot->order.id, sizeof(site->counted_order));
                site->passed = site->failed = site->errors = 0;
        }
        switch (site->install.record.result) {
        case RESULT_PASS:
                site->passed++;
                break;
        case RESULT_FAIL:
                site->failed++;
                break;
        case RESULT_ERROR:
        case RESULT_ABORTED:
        case RESULT_NOT_PROVABLE:
                site->errors++;
                break;
        case RESULT_NONE:
                break;
        }
}

/* The board was finished in this order before (it stayed in the site over a restart, or came again). */
static bool is_finished_unit(const struct install *install, const struct lot *lot)
{
        const struct unit_history *history = &install->history;

        if (history->last_result == RESULT_PASS)
                return true;
        return history->attempts > lot->order.retries;
}

static bool may_retry(const struct site *site, const struct lot *lot, int outcome,
                      unsigned attempts)
{
        return outcome < 0 && fault_disposition(outcome) == RETRY_UNIT &&
               outcome != -FAULT_CANCELLED && outcome != -FAULT_UNPLUGGED &&
               attempts <= lot->order.retries && !site->station->is_stopping && site->probe.wire;
}

/* From a board ready, or a lot open for it, whichever was later, to the first step. */
static void note_start(struct site *site, const struct lot *lot)
{
        struct bench *bench = site->station->bench;
        unsigned index = (unsigned)(site - site->station->sites);
        uint64_t from_ns = bench ? bench_ready_ns(bench, index) : site->board_seen_ns;
        uint64_t now_ns = clock_now_ns();

        if (from_ns < lot->opened_ns)
                from_ns = lot->opened_ns;
        if (now_ns - from_ns > site->longest_start_ns)
                site->longest_start_ns = now_ns - from_ns;
}

/* All attempts on the board in the site. Returns the last outcome. */
static int work_on_unit(struct site *site, struct lot *lot)
{
        struct install *install = &site->install;
        unsigned attempts = 0;
        int identified, outcome;

        note_start(site, lot);
        do {
                identified = install_identify(install, site->station, site, lot);
                if (identified == 0 && attempts == 0 && is_finished_unit(install, lot)) {
                        install->record.result = install->history.last_result;
                        install->step = "";
                        log_line(about(site), "unit %s was finished before: %s",
                                 install->record.unit, result_name(install->record.result));
                        return 0;
                }
                outcome = install_attempt(install, identified);
                attempts = install->record.attempt ? install->record.attempt : attempts + 1;
                count_result(site, lot);
                site->has_result = true;
                if (lot_recount(site->station, lot) < 0)
                        return -FAULT_STORE;
        } while (may_retry(site, lot, outcome, attempts));
        return outcome;
}

/* What the fault table says about the line and the site. */
static void act_on_fault(struct site *site, int outcome)
{
        const char *sentence = site->install.record.sentence;

        if (outcome == -FAULT_UNPLUGGED || outcome == -FAULT_CANCELLED)
                return;
        switch (fault_disposition(outcome)) {
        case RETRY_UNIT:
        case REJECT_UNIT:
                happened(site, SITE_FINISHED);
                return;
        case STOP_LINE:
                lot_hold(site->station, sentence);
                happened(site, SITE_HELD);
                return;
        case HOLD_UNIT:
                station_alarm(site->station, "site %s: %s", site->settings->name, sentence);
                happened(site, SITE_HELD);
                return;
        }
}

static int wait_until_cleared(struct site *site)
{
        while (site->state == SITE_BLOCKED) {
                int r = waitlist_wait(&site->cleared, WAIT_FOREVER);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* One board, from its coming to its going. */
static int serve_board(struct site *site)
{
        struct lot *lot;
        int r, outcome;

        r = wait_for_board(site);
        if (r < 0)
                return r;
        happened(site, SITE_BOARD_IN);
        r = wait_for_place(site, &lot);
        if (r < 0)
                return r;
        if (!lot) {
                happened(site, SITE_BOARD_OUT);
                return 0;
        }
        happened(site, SITE_TAKEN);
        fixture_signal(site->fixture, FIXTURE_BUSY);
        outcome = work_on_unit(site, lot);
        lot_give_back(site->station, lot);
        if (outcome == -FAULT_UNPLUGGED || outcome == -FAULT_CANCELLED)
                return outcome;
        site->has_result = true;
        if (!site->probe.wire)
                return fault(FAULT_UNPLUGGED, "the probe did not come back from the vendor's tool");
        if (outcome == 0)
                happened(site, SITE_FINISHED);
        else
                act_on_fault(site, outcome);
        fixture_signal(site->fixture,
                       site->install.record.result == RESULT_PASS ? FIXTURE_PASS : FIXTURE_FAIL);
        r = wait_until_cleared(site);
        if (r < 0)
                return r;
        r = wait_for_removal(site);
        if (r < 0)
                return r;
        site->has_result = true; /* stays until the next unit is in this site */
        happened(site, SITE_BOARD_OUT);
        fixture_signal(site->fixture, FIXTURE_READY);
        return 0;
}

static int serve_site(void *subject)
{
        struct site *site = subject;
        int r = 0;

        while (r != -FAULT_CANCELLED) {
                r = wait_for_probe(site);
                if (r < 0)
                        break;
                happened(site, SITE_PLUGGED);
                log_line(about(site), "probe %s, %s", wire_identity(site->probe.wire)->serial,
                         site->probe.version.text);
                fixture_signal(site->fixture, FIXTURE_READY);
                while ((r = serve_board(site)) == 0)
                        ;
                if (r != -FAULT_CANCELLED)
                        station_alarm(site->station, "site %s: %s", site->settings->name,
                                      fault_sentence(r));
                stlink_close(&site->probe);
                if (site->state != SITE_ABSENT && r != -FAULT_CANCELLED)
                        happened(site, SITE_UNPLUGGED);
        }
        return 0;
}

void site_start(struct site *site, struct station *station, const struct settings_site *settings,
                struct fixture *fixture)
{
        site->station = station;
        site->settings = settings;
        site->fixture = fixture;
        site->state = SITE_ABSENT;
        site->install.step = "";
        site->recorder = captures_recorder(&station->captures);
        site->fiber = fiber_spawn(settings->name, serve_site, site);
}

void site_stop(struct site *site, bool at_once)
{
        bool is_in_install = site->state == SITE_BUSY && site->install.is_past_return;

        if (at_once || (!is_in_install && !site->is_told_to_stop)) {
                site->is_told_to_stop = true;
                fiber_cancel(site->fiber);
        }
}

int site_clear(struct site *site)
{
        if (site->state != SITE_BLOCKED)
                return fault(FAULT_BAD_VALUE, "site %s is not blocked", site->settings->name);
        happened(site, SITE_CLEARED);
        lot_release(site->station);
        waitlist_wake(&site->cleared);
        return 0;
}
