/*
 * loop.c - the one place where the program waits.
 *
 * A turn of the loop: run every fiber that can run, once, in the order they became ready; hand the
 * requests they made to the kernel, all in one system call; take the completions that are there;
 * fire the timers that are due. Completions and timers only make fibers ready, so all code of the
 * station runs in the first part of a turn.
 *
 * When no fiber can run, real time waits in that same system call until the next deadline. Virtual
 * time waits only for requests that hold it, and otherwise jumps to the next deadline. When neither
 * a deadline nor a request is left, nothing can ever happen again: that is a deadlock, and the loop
 * says who waits for what and aborts.
 */
#include "scheduler/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RING_ENTRIES 256u

/* Turns that requests may wait for company while fibers can run: then the last of them to stop
 * hands over everything in the call that waits, one system call instead of two. No more than this,
 * for a device could be working meanwhile. */
#define TURNS_MOST 2u

struct loop *the_loop;

struct loop *loop_here(void)
{
        INSIST(the_loop);
        INSIST(pthread_equal(the_loop->thread, pthread_self()));
        return the_loop;
}

const char *loop_running_name(void)
{
        if (!the_loop || !pthread_equal(the_loop->thread, pthread_self()) || !the_loop->running)
                return NULL;
        return the_loop->running->name;
}

void loop_ready(struct fiber *fiber)
{
        struct loop *loop = the_loop;

        fiber->next_ready = NULL;
        *loop->last_ready = fiber;
        loop->last_ready = &fiber->next_ready;
}

/* --- making and destroying ----------------------------------------------------------------- */

/* The best the kernel knows, best first. Flags came with Linux 6.1, 5.19 and 5.11
 * (io_uring_setup(2), liburing 2.3). TASKRUN_FLAG lets liburing see without a system call that
 * there is work. */
static int ring_create(unsigned entries, struct io_uring *ring)
{
        static const unsigned flags[] = {
                IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER |
                        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
                IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
                0,
        };
        int r = -EINVAL;

        for (unsigned i = 0; i < LENGTH_OF(flags) && r == -EINVAL; i++)
                r = io_uring_queue_init(entries, ring, flags[i]);
        if (r < 0)
                return fault(FAULT_SYSTEM,
                             "io_uring is not available (%s): Linux 5.11 or later is needed, "
                             "kernel.io_uring_disabled must be 0, and a container must allow its "
                             "system calls",
                             strerror(-r));
        /* EXT_ARG: waits with a deadline; NODROP: a full completion queue loses nothing */
        if ((ring->features & IORING_FEAT_EXT_ARG) && (ring->features & IORING_FEAT_NODROP))
                return 0;
        io_uring_queue_exit(ring);
        return fault(FAULT_SYSTEM, "this kernel's io_uring is too old: Linux 5.11 or later is "
                                   "needed");
}

static uint64_t seed_of(const struct loop_settings *settings)
{
        uint64_t seed = settings->seed;

        if (seed == 0 && settings->time == LOOP_TIME_REAL)
                INSIST(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
        return seed;
}

int loop_create(const struct loop_settings *settings, struct loop **ret_loop)
{
        struct loop *loop = calloc(1, sizeof(*loop));
        int r;

        INSIST(loop && !the_loop);
        r = ring_create(settings->ring_entries ? settings->ring_entries : RING_ENTRIES,
                        &loop->ring);
        if (r < 0) {
                free(loop);
                return r;
        }
        loop->thread = pthread_self();
        loop->seed = seed_of(settings);
        loop->start_ns = clock_now_ns();
        loop->is_virtual = settings->time == LOOP_TIME_VIRTUAL;
        loop->last_ready = &loop->first_ready;
        the_loop = loop;
        *ret_loop = loop;
        return 0;
}

struct loop *loop_destroy(struct loop *loop)
{
        if (!loop)
                return NULL;
        INSIST(loop == loop_here());
        INSIST(!loop->running && !loop->first_living);
        INSIST(loop->owed == 0);
        io_uring_queue_exit(&loop->ring);
        timers_finish(&loop->timers);
        stack_drain();
        free(loop);
        the_loop = NULL;
        return NULL;
}

bool loop_is_virtual(void)
{
        return the_loop && the_loop->is_virtual;
}

uint64_t loop_seed(void)
{
        INSIST(the_loop);
        return the_loop->seed;
}

/* --- running fibers ------------------------------------------------------------------------ */

static void fiber_bury(struct fiber *fiber)
{
        stack_give(fiber->stack);
        fiber->stack = NULL;
        if (fiber->is_detached)
                free(fiber);
}

static void fiber_resume(struct loop *loop, struct fiber *fiber)
{
        loop->running = fiber;
        fault_use_note(&fiber->note);
        stack_enter(fiber->stack);
        fault_use_note(NULL);
        loop->running = NULL;
        if (fiber->has_ended)
                fiber_bury(fiber);
}

/* Those that are ready now; who becomes ready meanwhile has the next turn. */
static void run_ready(struct loop *loop)
{
        struct fiber *fiber = loop->first_ready;

        loop->first_ready = NULL;
        loop->last_ready = &loop->first_ready;
        while (fiber) {
                struct fiber *next = fiber->next_ready;

                fiber_resume(loop, fiber);
                fiber = next;
        }
}

/* --- waiting ------------------------------------------------------------------------------- */

static _Noreturn void deadlock(const struct loop *loop)
{
        fprintf(stderr, "deadlock: no deadline and no request is left, and these fibers wait:\n");
        for (const struct fiber *fiber = loop->first_living; fiber; fiber = fiber->next) {
                const struct wait *wait = fiber->wait;

                fprintf(stderr, "  \"%s\" waits for %s", fiber->name, wait->what);
                if (wait->whom)
                        fprintf(stderr, " \"%s\"", wait->whom);
                if (wait->descriptor >= 0)
                        fprintf(stderr, " %d", wait->descriptor);
                fprintf(stderr, "\n");
        }
        insist_failed("some fiber can go on", __FILE__, __LINE__);
}

/* Hand over what was requested, and sleep until a completion or for `limit_ns`. Whatever stopped
 * it (a signal, the time, a full queue), the loop looks again at everything. */
static void kernel_wait(struct loop *loop, uint64_t limit_ns)
{
        struct __kernel_timespec limit = {
                .tv_sec = (long long)(limit_ns / NS_PER_S),
                .tv_nsec = (long long)(limit_ns % NS_PER_S),
        };
        struct io_uring_cqe *completion;

        loop->busy_turns = 0;
        (void)io_uring_submit_and_wait_timeout(&loop->ring, &completion, 1,
                                               limit_ns == WAIT_FOREVER ? NULL : &limit, NULL);
        ring_collect(loop);
}

/* The same without sleeping, and without a system call when there is nothing to do. */
static void kernel_look(struct loop *loop)
{
        loop->busy_turns = 0;
        if (io_uring_sq_ready(&loop->ring) > 0)
                (void)io_uring_submit(&loop->ring);
        if (loop->owed > 0)
                ring_collect(loop);
}

static void wait_real(struct loop *loop)
{
        const struct timer *first = timers_first(&loop->timers);
        uint64_t now = first ? clock_now_ns() : 0;

        if (first && first->deadline_ns <= now) {
                kernel_look(loop);
                return;
        }
        if (!first && loop->owed == 0)
                deadlock(loop);
        kernel_wait(loop, first ? first->deadline_ns - now : WAIT_FOREVER);
}

static void wait_virtual(struct loop *loop)
{
        const struct timer *first;

        if (loop->holding > 0) {
                kernel_wait(loop, WAIT_FOREVER);
                return;
        }
        kernel_look(loop);
        if (loop->first_ready)
                return;
        first = timers_first(&loop->timers);
        if (first) {
                if (first->deadline_ns > loop->virtual_ns)
                        loop->virtual_ns = first->deadline_ns;
                return;
        }
        if (loop->owed == 0)
                deadlock(loop);
        kernel_wait(loop, WAIT_FOREVER);
}

static void look_or_wait(struct loop *loop)
{
        if (loop->first_ready) {
                if (++loop->busy_turns >= TURNS_MOST)
                        kernel_look(loop);
        } else if (loop->is_virtual) {
                wait_virtual(loop);
        } else {
                wait_real(loop);
        }
}

static void loop_turn(struct loop *loop)
{
        run_ready(loop);
        if (!loop->first_living)
                return;
        look_or_wait(loop);
        if (loop->timers.count)
                (void)timers_fire(&loop->timers, clock_now_ns());
}

int loop_run(struct loop *loop, const char *name, int (*procedure)(void *subject), void *subject)
{
        struct fiber *first;
        int result;

        INSIST(loop == loop_here() && !loop->running && !loop->first_living);
        first = fiber_spawn(name, procedure, subject);
        while (loop->first_living)
                loop_turn(loop);
        result = first->result;
        if (result < 0)
                fault_take_note(&first->note);
        free(first);
        return result;
}
