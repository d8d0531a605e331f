/*
 * lot.h - the lot in work: which image, how many are wanted, how many are good.
 *
 * Two fibers: intake claims orders from the drop folder, checks and answers them at once and queues
 * the good ones; the runner makes one lot after the other. Sites take a place in the running lot for
 * each unit and give it back with the result; a lot is full while good units and units in work
 * together reach its quantity, so a bad unit makes room for another.
 */
#pragma once

#include "crypto/sfi.h"
#include "drivers/loader.h"
#include "scheduler/fiber.h"
#include "station/drop.h"
#include "station/ledger.h"
#include "station/order.h"
#include "station/record.h"

#define LOT_PARTS_MAX  64u
#define LOT_ORDERS_MAX 100u /* accepted and waiting; further ones stay in the drop folder */

enum lot_state { LOT_RUNNING, LOT_ENDING, LOT_DONE };

struct lot {
        struct lot *next; /* in the queue */
        struct order order;
        struct drop_order *file;
        struct sfi *sfi;
        struct loader loader; /* of the memory outside; zeroed: the image has nothing for one */
        struct sfi_part parts[LOT_PARTS_MAX];
        unsigned part_count;

        enum lot_state state;
        bool is_stopped;          /* ended by a person before its quantity */
        bool is_made_already;     /* an earlier run finished it: answer again only */
        struct lot_counts counts; /* as recorded */
        struct ledger_balance balance;
        uint32_t licenses_in_work; /* of those in hand: of units that have no result yet */
        uint32_t in_work;
        uint64_t opened_ns; /* when it last began to give places, loop clock */
        char held[160];     /* why no unit may start: a fault that stops the line, a card; "" */
        bool is_held_for_cards, is_shortage_told; /* lot_plan.c */
        char lack_told[256];                      /* the alarm that stands; "" */
        uint64_t lack_since_ns;                   /* 0: the cards can serve */
        struct bytes global_license;              /* where the order names one; wiped */
        struct module_files modules;              /* where it names a list of them */
};

struct lots {
        struct lot *running; /* NULL: none */
        struct lot *last;    /* the one before, for the page; NULL at first */
        struct lot *first_waiting;
        unsigned waiting;
        struct waitlist changed; /* woken when a site may have to look again */
        struct fiber *intake, *runner;
        unsigned ended; /* orders done or rejected in this run */
};

struct station;

/* Start both fibers. */
void lots_start(struct station *station);

/* Cancel and join them (waits). */
void lots_stop(struct station *station);

/* A place for one unit now, or NULL. A place taken must be given back. Neither waits. */
struct lot *lot_take(struct station *station);
void lot_give_back(struct station *station, struct lot *lot);

/* A unit's result is recorded: count units and licenses again (waits). */
int lot_recount(struct station *station, struct lot *lot) MUST_USE;

/* Units in work that have their license already. Never waits. */
unsigned lot_licenses_at_sites(const struct station *station, const struct lot *lot);

/* A fault that no unit can overcome: nothing starts until released. */
void lot_hold(struct station *station, const char *sentence);
void lot_release(struct station *station);

/* Units in work finish, then the lot ends as it is. */
void lot_end(struct station *station);
