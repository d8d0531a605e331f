/*
 * loop.h - one thread, one io_uring, many fibers, one clock.
 *
 * The program waits in one place only. A fiber that must wait hands a request to the loop and
 * sleeps; when its answer is there the loop goes on with it. There is one loop a process; it
 * belongs to the thread that created it.
 *
 * Time is real (CLOCK_MONOTONIC) or virtual. Virtual time stands still while any fiber can run or
 * any request that works inside the machine is outstanding (ring_read, ring_write, ring_fsync), and
 * jumps to the next deadline otherwise. Requests that wait for the outside (ring_poll) do not hold
 * it. Worker pools run their jobs at once on the loop's own thread under virtual time, so the same
 * seed gives the same sequence of events.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

struct loop;

enum loop_time { LOOP_TIME_REAL, LOOP_TIME_VIRTUAL };

struct loop_settings {
        enum loop_time time;
        uint64_t seed; /* of chance (chance.h); 0 takes one from getrandom, real time only */
        unsigned ring_entries; /* 0: 256 */
};

/* Make the loop of this process. Uses DEFER_TASKRUN and SINGLE_ISSUER where the kernel has them.
 *      -FAULT_SYSTEM  io_uring is not available; the sentence says what to do */
int loop_create(const struct loop_settings *settings, struct loop **ret_loop) MUST_USE;

/* NULL is fine; returns NULL. Every fiber must have ended. */
struct loop *loop_destroy(struct loop *loop);

/* Run `procedure(subject)` as the first fiber. Returns its result when it and every other fiber
 * have ended: whoever spawned the others cancels and joins them. */
int loop_run(struct loop *loop, const char *name, int (*procedure)(void *subject), void *subject);

bool loop_is_virtual(void);

/* The seed in force, to print so that a run can be repeated. */
uint64_t loop_seed(void);

/* Nanoseconds since the loop was made; real or virtual. */
uint64_t clock_now_ns(void);

/* Calendar time in microseconds since 1970, UTC. Virtual time starts at 2026-01-01T00:00:00Z. */
uint64_t clock_calendar_us(void);

/* "2026-11-24T12:34:56.789Z" into `text` of at least 25 characters; returns text. */
char *clock_iso8601(uint64_t calendar_us, char text[static 25]);
