/*
 * bench_private.h - what the files of one bench share.
 *
 *      bench.c        made, destroyed, the verbs for tests
 *      bench_files.c  what survives: boards, cards, the count of boards
 *      bench_wire.c   bus and wires
 *      bench_reader.c readers
 *      handler.c      the fiber that puts boards in and takes them out; the fixture
 *      misfortune.c   what goes wrong, by seed
 */
#pragma once

#include "drivers/simulated/bench.h"
#include "drivers/simulated/card_private.h"
#include "drivers/simulated/part.h"
#include "drivers/simulated/probe.h"

#include "scheduler/chance.h"
#include "scheduler/fiber.h"

#include <stdbool.h>

/* One file a site, `site-N.board`: who is in it, then the part's store. */
enum board_state { BOARD_NONE, BOARD_TAKEN, BOARD_IN };
struct board {
        uint32_t magic;
        uint32_t state;   /* enum board_state */
        uint64_t number;  /* which board of all, from 1 */
        uint32_t verdict; /* enum fixture_signal given to it; 0: none yet */
};
#define BOARD_STORE_OFFSET 4096u

struct bench_state {
        uint32_t magic;
        uint64_t boards_used;
};

struct card_state {
        uint32_t magic;
        uint32_t counter, maximum;
        uint64_t serial;
};

/* A file mapped shared, or plain memory that ends with the bench. */
struct mapping {
        void *memory;
        size_t length;
};

struct bench_wire;

struct site {
        struct fixture fixture; /* first: the fixture finds its site by address */
        struct bench *bench;
        unsigned number;
        struct simulated_probe *probe;
        struct simulated_part *part; /* NULL: no board in it */
        struct mapping file;
        struct board *board;

        bool is_plugged;
        unsigned unplug_in; /* packets until the cable comes out; 0: not planned */
        bool is_accident;   /* the cable came out by misfortune: somebody puts it back */
        struct bench_wire *wire;
        unsigned wires;                  /* not closed yet, gone ones too */
        struct waitlist wire_changed;    /* a sleeper on the wire looks again */
        struct waitlist plug_changed;    /* bus_wait */
        struct waitlist handler_changed; /* verdict, accident */

        struct fiber *handler;
        uint64_t ready_ns;
        struct chance exchanges;
};

struct bench_card {
        struct bench *bench;
        unsigned number;
        struct simulated_card *card;
        struct mapping file;
        struct card_state *state;
        bool is_in;
        unsigned insertions; /* a session knows by it whether its card was ever away */
        unsigned pull_in;    /* bytes still to pass and one, then it comes out; 0: stays */
        unsigned flip_in;    /* bit of the next answer and one; 0: none */
        struct waitlist changed;
        struct chance chance;
};

struct bench {
        struct bus bus; /* first: the bus finds its bench by address */
        struct bench_settings settings;
        struct mapping state_file;
        struct bench_state *state;
        struct site *sites;
        struct bench_card *cards;
        uint64_t cost_ns;
};

/* bench.c */
uint64_t bench_scaled(const struct bench *bench, uint64_t duration_ns);
uint64_t bench_enter(void);
void bench_leave(struct bench *bench, uint64_t entered);
void site_unplug(struct site *site);
void site_plug(struct site *site);
bool site_take_board(struct site *site); /* false: none left */
void site_power_board(struct site *site, bool on);
void site_remove_board(struct site *site);

/* bench_files.c */
int mapping_open(const char *directory, const char *name, size_t length,
                 struct mapping *ret_mapping) MUST_USE;
void mapping_close(struct mapping *mapping);
int bench_files_open(struct bench *bench) MUST_USE;
void bench_files_close(struct bench *bench);

/* bench_wire.c */
extern const struct bus_operations bench_bus_operations;

/* handler.c */
void handler_start(struct site *site);
void handler_stop(struct site *site);
void fixture_take_signal(struct fixture *fixture, enum fixture_signal signal);

/* misfortune.c */
void misfortune_spoil_board(struct site *site);
void misfortune_plan_unplug(struct site *site);
enum misfortune_exchange { EXCHANGE_GOOD, EXCHANGE_LATE, EXCHANGE_SHORT, EXCHANGE_FLIP };
enum misfortune_exchange misfortune_of_exchange(struct site *site, bool has_answer);
void misfortune_flip(struct site *site, void *data, size_t length);
enum misfortune_license { LICENSE_GOOD, LICENSE_WRONG, LICENSE_DEAD_BEFORE, LICENSE_DEAD_AFTER };
enum misfortune_license misfortune_of_license(struct bench_card *card);
