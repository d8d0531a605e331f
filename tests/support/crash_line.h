/*
 * crash_line.h - a small line whose cards outlive its process, and the audit of what it left; for
 * tests that kill it. Desk, ledger, store, two cards of the simulator, three sites, nine chips, of
 * which one has its license from a file and one from a server.
 *
 * It passes crash_point()s in five phases of every exchange with a card and after every step of a
 * site. Under virtual time each run is the same.
 */
#pragma once

#include "tests/support/crash.h"

#include "station/ledger.h"

#define CARDS   2u
#define CHIPS   9u
#define COUNTER 50u

/* Of an exchange, in order. */
enum phase { BEFORE, GOING, ACTED, COMING, ARRIVED, PHASES };
extern const char *const phases[PHASES];

/* What a site has been told of a chip: a promise the ledger has to keep. */
enum progress { ASKED, GOT, OFFERED, WAS_REFUSED, SETTLED };

/* What lies in shared memory: all that outlives the station's process. */
struct world {
        struct crash crash;
        char directory[128];
        bool has_hold;
        enum phase hold; /* the second card's first license is held there */
        unsigned run;    /* counts processes: no two licenses are alike */

        uint32_t counters[CARDS];
        unsigned made[CARDS][CHIPS + 1]; /* licenses, whatever became of them */
        enum progress progress[CHIPS + 1];
        uint8_t license[CHIPS + 1][LICENSE_LENGTH]; /* as the site got it */
        int64_t question;                           /* the server's, as the ledger numbered it */
        unsigned lost;                              /* as the audit found it */
};

/* The one this process is about. */
extern struct world *world;

/* Once, before anything else. */
void crash_line_init(void);

/* Procedures of a process: the whole line from opening to closing; */
int crash_line_run(void *subject);

/* and the one that comes after: what was promised is kept, the cards are reconciled, each license a
 * card has made is found under its chip, every chip asks again and none is given a second one. */
int crash_line_after(void *subject);

/* By the cards' own count. */
unsigned crash_line_made(void);
