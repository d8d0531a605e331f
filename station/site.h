/*
 * site.h - one place on the fixture: a probe, a board that comes and goes, a result to be seen.
 *
 * A site's life is the table in site.c; its fiber serves it in a straight line: probe, board, place
 * in a lot, attempts, result, board out. What it does to the unit is install.c.
 */
#pragma once

#include "drivers/fixture.h"
#include "drivers/recorder.h"
#include "drivers/stlink.h"
#include "scheduler/fiber.h"
#include "station/install.h"
#include "station/record.h"
#include "station/settings.h"

enum site_state {
        SITE_NEVER,   /* not a state: what the table does not allow */
        SITE_ABSENT,  /* no probe at the site's port */
        SITE_EMPTY,   /* probe, no board */
        SITE_READY,   /* board in, no place in a lot yet */
        SITE_BUSY,    /* attempt running */
        SITE_SHOWING, /* result shown until the board leaves */
        SITE_BLOCKED, /* a person must look and clear */
        SITE_STATES
};

enum site_event {
        SITE_PLUGGED,
        SITE_UNPLUGGED,
        SITE_BOARD_IN,
        SITE_BOARD_OUT,
        SITE_TAKEN, /* a place in a lot */
        SITE_FINISHED,
        SITE_HELD,
        SITE_CLEARED,
        SITE_EVENTS
};

struct site {
        struct station *station;
        const struct settings_site *settings;
        struct fixture *fixture; /* NULL: no lamps, no handler */
        struct fiber *fiber;
        enum site_state state;
        struct stlink probe;
        struct recorder *recorder; /* of what passes its wires; NULL: none wanted */
        struct install install;    /* the running or last attempt */
        bool has_result;           /* install.record holds a result to show */
        struct waitlist cleared;
        bool is_told_to_stop;
        uint32_t passed, failed, errors; /* in the lot `counted_order` */
        char counted_order[ORDER_ID_MAX + 1];
        uint64_t board_seen_ns;    /* when the board in it was first noticed */
        uint64_t longest_start_ns; /* longest time from board ready and lot open to first step */
};

const char *site_state_name(enum site_state state);

/* Open the probe at the site's port into site->probe (waits): for the site's own fiber, after another
 * program had it. On failure it is closed. Faults of bus_open(), stlink_open(); -FAULT_PROBE for
 * another serial than the station file wants. */
int site_open_probe(struct site *site) MUST_USE;

/* Start the fiber of a zeroed site. */
void site_start(struct site *site, struct station *station, const struct settings_site *settings,
                struct fixture *fixture);

/* Stop: aborts a unit before the point of no return; with `at_once` any unit. Told once: a second time
 * would cut short how the part is put back. Never waits; join the fiber afterwards. */
void site_stop(struct site *site, bool at_once);

/* A person has looked. -FAULT_BAD_VALUE when it is not blocked. Never waits. */
int site_clear(struct site *site) MUST_USE;
