/*
 * crash.h - numbered points at which a process dies, and the disk that goes with it.
 *
 * A procedure that is deterministic (virtual time) passes the same points in the same order in each
 * run. Run it once to the end to count them, then once for each: there the process is killed with
 * SIGKILL, from inside and without another word. Points stand at every SQL statement of every
 * connection (before it, and after it), at every write and sync of database and log, and wherever a
 * test calls crash_point().
 *
 * The disk holds back what was written and not synced. A kill leaves all of it (the kernel has it);
 * a power cut leaves what SQLite's promise allows: none, some, or torn writes.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

#define CRASH_POINTS_MAX 4096u

enum crash_power {
        POWER_STAYS,      /* a kill: all that was written is there */
        POWER_LOST,       /* nothing unsynced is there */
        POWER_LOST_SOME,  /* every second unsynced write is there, the later ones */
        POWER_LOST_MIDST, /* the first half of every unsynced write is there */
        POWER_KINDS,
};

/* Lies in memory shared with the parent, zeroed before a run. */
struct crash {
        unsigned at; /* die at this point, from 1; 0: never */
        enum crash_power power;

        unsigned reached; /* points passed so far; all of them when the run ended by itself */
        char where[96];   /* of the point it died at */
        bool has_unsynced[CRASH_POINTS_MAX + 1]; /* a power cut would make a difference there */
        bool mark;                               /* the test sets it as it likes */
        bool is_marked[CRASH_POINTS_MAX + 1];    /* passed while it was set */
        char kinds[CRASH_POINTS_MAX + 1][12];    /* how each point's name begins */
};

/* From here on this process has points; once, in the child. Installs the disk under SQLite and the
 * points at statements. `checkpoint_pages`: how long the log grows before it is worked in. */
void crash_install(struct crash *crash, int checkpoint_pages);

/* Pass a point. Its name says where: "card 0: LICENSE done, answer not sent". */
void crash_point(const char *format, ...) PRINTF_LIKE(1, 2);

/* For crash.c, from crash_disk.c. */
void crash_disk_install(void);
bool crash_disk_has_unsynced(void);
void crash_disk_leave(enum crash_power power);
