/*
 * The virtual handler: one fiber a site puts a board in, waits for the lamp, takes it out.
 *
 * It stands beside the station, as a pick-and-place machine does: it knows the verdict only from
 * the fixture's lines, and it remembers it (in the site's file) when the station dies. When a cable
 * came out by misfortune it is also the person who puts it back.
 */
#include "drivers/simulated/bench_private.h"
#include "drivers/simulated/probe_private.h"

#include "scheduler/fault.h"
#include "scheduler/loop.h"

#define HOLD_NS    (200 * NS_PER_MS) /* the lamp is seen before the board leaves */
#define PERSON_NS  (3 * NS_PER_S)    /* until somebody sees the cable on the floor */
#define EMPTY_NS   (1 * NS_PER_S)    /* longest wait for the station to see an empty site */
#define EMPTY_LOOK (5 * NS_PER_MS)

void fixture_take_signal(struct fixture *fixture, enum fixture_signal signal)
{
        struct site *site = CONTAINER_OF(fixture, struct site, fixture);

        if (!site->part || (signal != FIXTURE_PASS && signal != FIXTURE_FAIL))
                return;
        site->board->verdict = signal;
        waitlist_wake(&site->handler_changed);
}

/* A hand is slower than a station's poll: no board goes in before the site was seen empty, or the
 * station would take the next unit for the last one. */
static int wait_until_seen_empty(struct site *site)
{
        uint64_t look_ns = bench_scaled(site->bench, EMPTY_LOOK);
        uint64_t limit_ns = clock_now_ns() + bench_scaled(site->bench, EMPTY_NS);

        while (!probe_has_seen_empty(site->probe) && clock_now_ns() < limit_ns) {
                int r = fiber_sleep_ns(look_ns > NS_PER_MS ? look_ns : NS_PER_MS);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* 0: none left. */
static int put_board_in(struct site *site)
{
        uint64_t handling_ns = site->bench->settings.handling_ms * NS_PER_MS;
        int r = fiber_sleep_ns(bench_scaled(site->bench, handling_ns));

        if (r >= 0 && site->ready_ns != 0)
                r = wait_until_seen_empty(site);
        if (r < 0)
                return r;
        if (!site->part && !site_take_board(site))
                return 0;
        site_power_board(site, true);
        return 1;
}

/* Put a fallen cable back, after the time it takes to be seen. */
static int mend_cable(struct site *site)
{
        int r = fiber_sleep_ns(bench_scaled(site->bench, PERSON_NS));

        if (r >= 0)
                site_plug(site);
        return r;
}

static int wait_for_verdict(struct site *site)
{
        while (site->part && site->board->verdict == 0) {
                int r;

                if (!site->is_plugged && site->is_accident)
                        r = mend_cable(site);
                else
                        r = waitlist_wait(&site->handler_changed, WAIT_FOREVER);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int take_board_out(struct site *site)
{
        int r = fiber_sleep_ns(bench_scaled(site->bench, HOLD_NS));

        if (r < 0)
                return r;
        site_remove_board(site);
        return !site->is_plugged && site->is_accident ? mend_cable(site) : 0;
}

static int handle(void *subject)
{
        struct site *site = subject;
        int r;

        for (;;) {
                r = site->part && part_is_powered(site->part) ? 1 : put_board_in(site);
                if (r <= 0)
                        return r;
                r = wait_for_verdict(site);
                if (r >= 0 && site->part)
                        r = take_board_out(site);
                if (r < 0)
                        return r;
        }
}

void handler_start(struct site *site)
{
        site->handler = fiber_spawn("handler", handle, site);
}

void handler_stop(struct site *site)
{
        if (!site->handler)
                return;
        fiber_cancel(site->handler);
        (void)fiber_join(site->handler); /* cancelled, or out of boards: both fine */
        site->handler = NULL;
}
