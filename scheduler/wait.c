/*
 * wait.c - how a fiber stops and is woken: the one mechanism under sleeps, lists, requests and
 * jobs.
 *
 * wait_begin() notes with the fiber what it waits for and leaves its stack. Whoever ends the wait
 * calls wait_end(), which puts the fiber at the end of the ready queue. In between a deadline or a
 * cancel may ask to give it up; the wait knows how, and still ends in wait_end(), exactly once.
 *
 * A cancel is a flag of the fiber. It is told, and taken down, by the first wait that starts or
 * ends under it with -FAULT_CANCELLED. A wait that was already over when the cancel came keeps its
 * result, for it may be data; the next wait tells.
 */
#include "scheduler/inside.h"

static void deadline_came(struct timer *timer)
{
        struct wait *wait = CONTAINER_OF(timer, struct wait, timer);

        wait->give_up(wait, -FAULT_TIMEOUT);
}

int wait_begin(struct wait *wait, uint64_t deadline_ns)
{
        struct loop *loop = loop_here();
        struct fiber *fiber = loop->running;

        INSIST(fiber);
        wait->fiber = fiber;
        wait->outcome = 0;
        if (deadline_ns != WAIT_FOREVER) {
                INSIST(wait->give_up);
                wait->timer.fire = deadline_came;
                timer_set(&loop->timers, &wait->timer, deadline_ns);
        }
        fiber->wait = wait;
        stack_leave(fiber->stack);
        /* Only now is it told: a second cancel before this moment asks for nothing more. */
        if (wait->outcome == -FAULT_CANCELLED)
                fiber->cancelled = false;
        return wait->outcome;
}

void wait_end(struct wait *wait, int outcome)
{
        struct fiber *fiber = wait->fiber;

        INSIST(fiber->wait == wait);
        timer_stop(&the_loop->timers, &wait->timer);
        wait->outcome = outcome;
        fiber->wait = NULL;
        loop_ready(fiber);
}

bool wait_is_cancelled(void)
{
        struct fiber *fiber = fiber_self();
        bool is_cancelled = fiber->cancelled;

        fiber->cancelled = false;
        return is_cancelled;
}

int wait_result(int outcome)
{
        return outcome < 0 ? fault((enum fault) - outcome, "") : 0;
}

uint64_t wait_deadline(uint64_t duration_ns)
{
        uint64_t now;

        if (duration_ns == WAIT_FOREVER)
                return WAIT_FOREVER;
        now = clock_now_ns();
        return duration_ns < WAIT_FOREVER - now ? now + duration_ns : WAIT_FOREVER;
}

void wait_turn(void)
{
        struct fiber *fiber = fiber_self();

        loop_ready(fiber);
        stack_leave(fiber->stack);
}

int fiber_yield(void)
{
        if (wait_is_cancelled())
                return wait_result(-FAULT_CANCELLED);
        wait_turn();
        return 0;
}

int fiber_sleep_ns(uint64_t duration_ns)
{
        return fiber_sleep_until(wait_deadline(duration_ns));
}

int fiber_sleep_until(uint64_t deadline_ns)
{
        struct wait wait = { .what = "a sleep", .descriptor = -1, .give_up = wait_end };
        int r;

        if (wait_is_cancelled())
                return wait_result(-FAULT_CANCELLED);
        r = wait_begin(&wait, deadline_ns);
        return r == -FAULT_TIMEOUT ? 0 : wait_result(r);
}

/* --- waitlists ----------------------------------------------------------------------------- */

/* Lives on the stack of the fiber that waits. The list is a ring, so first->prev is its last. */
struct waiter {
        struct wait wait;
        struct waitlist *list;
        struct waiter *prev, *next;
};

static void list_append(struct waitlist *list, struct waiter *waiter)
{
        struct waiter *first = list->first;

        waiter->list = list;
        if (!first) {
                waiter->prev = waiter->next = waiter;
                list->first = waiter;
                return;
        }
        waiter->next = first;
        waiter->prev = first->prev;
        first->prev->next = waiter;
        first->prev = waiter;
}

static void list_remove(struct waiter *waiter)
{
        struct waitlist *list = waiter->list;

        waiter->prev->next = waiter->next;
        waiter->next->prev = waiter->prev;
        if (list->first == waiter)
                list->first = waiter->next == waiter ? NULL : waiter->next;
}

static void waiter_end(struct waiter *waiter, int outcome)
{
        list_remove(waiter);
        wait_end(&waiter->wait, outcome);
}

static void waiter_give_up(struct wait *wait, int why)
{
        waiter_end(CONTAINER_OF(wait, struct waiter, wait), why);
}

int waitlist_wait(struct waitlist *list, uint64_t timeout_ns)
{
        struct waiter waiter = {
                .wait = { .what = "a waitlist", .descriptor = -1, .give_up = waiter_give_up },
        };

        if (wait_is_cancelled())
                return wait_result(-FAULT_CANCELLED);
        list_append(list, &waiter);
        return wait_result(wait_begin(&waiter.wait, wait_deadline(timeout_ns)));
}

void waitlist_wake_one(struct waitlist *list)
{
        (void)loop_here();
        if (list->first)
                waiter_end(list->first, 0);
}

void waitlist_wake(struct waitlist *list)
{
        (void)loop_here();
        while (list->first)
                waiter_end(list->first, 0);
}
