/*
 * station.h - everything one gangwayd holds, in one struct, and its life.
 *
 * The main fiber opens the parts in the order they stand here and closes them in reverse. Beside it
 * run: one fiber a site (site.c), one that takes in orders and one that runs lots (lot.c), the desk's
 * one a reader, the page's and the bus's. They share this struct; after a wait look again.
 */
#pragma once

#include "drivers/rsse.h"
#include "drivers/simulated/bench.h"
#include "drivers/wire.h"
#include "scheduler/fiber.h"
#include "scheduler/workers.h"
#include "station/captures.h"
#include "station/desk.h"
#include "station/drop.h"
#include "station/ledger.h"
#include "station/license_alarms.h"
#include "station/license_server.h"
#include "station/lot.h"
#include "station/record.h"
#include "station/settings.h"
#include "station/site.h"
#include "station/store.h"
#include "web-status/web.h"

#define STATION_ALARMS_MAX SNAPSHOT_ALARMS_MAX

struct station {
        struct settings settings;
        struct family family;
        struct rss_profile rss;
        struct rsse rsse; /* empty where the family needs none */
        struct card_profile card_profile;

        int lock;                /* of the data directory; 0: not held */
        struct workers *workers; /* for images: hashing, taking apart */
        struct store *store;
        struct ledger *ledger;
        struct records *records;
        struct captures captures;
        struct bench *bench; /* NULL on real hardware */
        struct bus *bus;
        struct license_server *license_server; /* NULL: the station file names none */
        struct desk *desk;
        struct drop *drop;
        char drop_directory[300]; /* where orders and the files they name are put: orders/in */
        struct web *web;          /* NULL without a page */

        struct site *sites; /* settings.site_count of them */
        struct lots lots;

        char alarms[STATION_ALARMS_MAX][160]; /* newest last */
        unsigned alarm_count;
        struct license_alarms license_alarms; /* those of them that end by themselves */

        bool is_stopping;    /* no unit starts any more */
        bool exit_when_done; /* stop by itself once orders have ended and the drop folder holds none */
        int outcome;         /* what station_run returns */
};

/* Start, run until station_stop() or, with exit_when_done, until all orders are done; then stop
 * cleanly: units not yet past the point of no return are aborted, the others are finished (waits).
 * Call on the loop's first fiber. */
int station_run(struct station *station) MUST_USE;

/* Ask it to stop. The second time units in install are cancelled too. Never waits. */
void station_stop(struct station *station);

/* Something a person should see: kept for the page and logged. */
void station_alarm(struct station *station, const char *format, ...) PRINTF_LIKE(2, 3);

/* What it says is over: taken off the page, logged. `text` as it was told. */
void station_alarm_end(struct station *station, const char *text);

/* The page's and the command's picture of now (station/snapshot.c). Never waits. */
void station_fill(void *station, struct snapshot *ret_snapshot);

/* What the page's buttons do. Never waits. */
int station_act(void *station, enum web_verb verb, const char *name);

/* Tell the page that something changed; cheap. */
void station_changed(void *station);
