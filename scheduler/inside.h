/*
 * inside.h - what the scheduler's own files share. Nobody outside this room includes it.
 *
 * Four nouns. A note holds the sentence of the last fault. A timer is one entry of the loop's heap.
 * A wait is why a fiber does not run, and how to give that up. A request is a wait for the kernel.
 * All four live where their user lives (a fiber, its stack, a pool): the loop owns no memory for
 * them and allocates nothing while it runs, save when the heap grows.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/stack.h"

#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>

/* --- notes (fault.c) ----------------------------------------------------------------------- */

#define SENTENCE_CAPACITY 512

struct note {
        int code;                         /* of enum fault; 0: nothing was reported */
        char sentence[SENTENCE_CAPACITY]; /* "": the table's own stands */
};

/* From now on faults of this thread go to `note`; NULL: to the thread's own. Borrowed. */
void fault_use_note(struct note *note);

/* Make `note` the current one's contents: a failure is handed over with its sentence. */
void fault_take_note(const struct note *note);

/* The note in use, never NULL. */
struct note *fault_current_note(void);

/* --- timers (timer.c) ---------------------------------------------------------------------- */

struct timer {
        uint64_t deadline_ns;
        uint64_t order;  /* equal deadlines fire in the order they were set */
        size_t position; /* in the heap, from 1; 0: not set */
        void (*fire)(struct timer *timer);
};

struct timers {
        struct timer **heap; /* the earliest is heap[1] */
        size_t count, capacity;
        uint64_t order;
};

void timer_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns);
void timer_stop(struct timers *timers, struct timer *timer); /* not set: nothing happens */
const struct timer *timers_first(const struct timers *timers);
/* Fire what is due at `now_ns`, in order; how many. */
size_t timers_fire(struct timers *timers, uint64_t now_ns);
void timers_finish(struct timers *timers);

/* --- waits (wait.c) ------------------------------------------------------------------------ */

struct wait {
        const char *what; /* "the end of", for whoever reads a deadlock report */
        const char *whom; /* a name that completes it, or NULL */
        int descriptor;   /* or this number, when it is not -1 */

        /* Stop waiting because of `why` (-FAULT_TIMEOUT or -FAULT_CANCELLED): ends in wait_end(),
         * at once or when the kernel lets go. NULL: this wait cannot be given up. */
        void (*give_up)(struct wait *wait, int why);

        struct fiber *fiber;
        struct timer timer;
        int outcome; /* 0, -FAULT_TIMEOUT or -FAULT_CANCELLED */
};

/* Suspend the running fiber until wait_end(); returns the outcome, without a sentence. */
int wait_begin(struct wait *wait, uint64_t deadline_ns);

/* Make its fiber ready. Not from inside that fiber. */
void wait_end(struct wait *wait, int outcome);

/* Has the running fiber been cancelled and not been told? Tells it: the caller must return it. */
bool wait_is_cancelled(void);

/* Give an outcome its sentence: 0 stays 0. */
int wait_result(int outcome);

/* Go to the end of the queue, deaf to cancels. */
void wait_turn(void);

/* now + duration, without overflow; WAIT_FOREVER stays. */
uint64_t wait_deadline(uint64_t duration_ns);

/* --- fibers (fiber.c) ---------------------------------------------------------------------- */

struct fiber {
        const char *name;
        int (*procedure)(void *subject);
        void *subject;

        struct stack *stack;       /* NULL once it has ended */
        struct fiber *next_ready;  /* in the queue of those that can run */
        struct fiber *prev, *next; /* among the living, in the order they were spawned */
        struct wait *wait;         /* NULL while it runs or can run */
        bool cancelled;            /* and not yet told */
        bool has_ended, is_detached;
        struct wait *joiner;
        int result;
        struct note note;
};

/* --- the loop (loop.c) --------------------------------------------------------------------- */

struct loop {
        struct io_uring ring;
        pthread_t thread;
        bool is_virtual;
        uint64_t seed;
        uint64_t start_ns;   /* real: CLOCK_MONOTONIC when it was made */
        uint64_t virtual_ns; /* virtual: now */

        struct fiber *running; /* NULL while the loop itself runs */
        struct fiber *first_ready, **last_ready;
        struct fiber *first_living, *last_living;
        unsigned busy_turns; /* since the kernel was last looked at */
        struct timers timers;
        unsigned owed;    /* completions the kernel owes us */
        unsigned holding; /* requests that hold virtual time */
};

/* The loop of this process, NULL before loop_create. */
extern struct loop *the_loop;

/* The loop, having made sure that the caller is on its thread. */
struct loop *loop_here(void);

/* Let it run after those that can run already. */
void loop_ready(struct fiber *fiber);

/* The name of the running fiber; NULL outside of one. */
const char *loop_running_name(void);

/* --- requests (ring.c) --------------------------------------------------------------------- */

struct request {
        struct wait wait;
        void (*done)(struct request *request); /* all answers are there */
        int result;
        int why;          /* it was given up for this; 0: it was not */
        unsigned answers; /* the kernel still owes: its own, and that of a cancel */
        bool holds;       /* virtual time stands still for it */
};

/* An entry to fill in; submits when the queue is full, so it never fails. */
struct io_uring_sqe *ring_entry(struct loop *loop);

/* Hand `request` over with its filled entry; `request->done` is called by the loop. */
void ring_hand_over(struct loop *loop, struct request *request, struct io_uring_sqe *entry);

/* Take the completions that are there. */
void ring_collect(struct loop *loop);

/* Like ring_fsync, but a cancel is told later: for a step that must not be left half done. */
int ring_fsync_firmly(int descriptor) MUST_USE;
