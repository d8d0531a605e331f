/*
 * fiber.h - procedures that wait: straight lines on a stack of their own.
 *
 * A fiber runs until it waits; nothing else of the loop's thread runs meanwhile, so there are no
 * locks, but after a wait look again at anything shared. Functions that wait are marked (waits).
 *
 * Cancel: fiber_cancel() makes the present or next wait of that fiber return -FAULT_CANCELLED,
 * once. Afterwards waiting works again, so the procedure can leave by its usual error path and put
 * its device back. A request the kernel or a worker still holds is always waited for first.
 *
 * Every stack is 256 KiB, guarded by a page, pooled. Fibers never change thread.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

struct fiber;

/* Start `procedure(subject)`; it first runs when the caller waits. `name` and `subject` are
 * borrowed until it ends. The handle must be given to fiber_join or fiber_detach once. */
struct fiber *fiber_spawn(const char *name, int (*procedure)(void *subject),
                          void *subject) MUST_USE;

/* Wait for its end (waits); returns its result, with the sentence of a failure, and frees it.
 * The wait itself is not cancelled: a pending cancel of the caller is reported at its next other
 * wait. */
int fiber_join(struct fiber *fiber);

/* Let it free itself when it ends. */
void fiber_detach(struct fiber *fiber);

/* See above. Cancelling a fiber that has ended does nothing. */
void fiber_cancel(struct fiber *fiber);

/* Has it ended? A joined fiber must not be asked. */
bool fiber_has_ended(const struct fiber *fiber);

/* The running fiber, never NULL inside one. */
struct fiber *fiber_self(void);
const char *fiber_name(const struct fiber *fiber);

/* Sleep (waits). 0, or -FAULT_CANCELLED. */
int fiber_sleep_ns(uint64_t duration_ns);
int fiber_sleep_until(uint64_t deadline_ns);

/* Let every other ready fiber run once (waits). 0, or -FAULT_CANCELLED. */
int fiber_yield(void);

/*
 * A list of fibers waiting for one condition. Zero-initialised is empty. It holds no memory of its
 * own; it must outlive its waiters.
 */
struct waitlist {
        struct waiter *first;
};

#define WAIT_FOREVER UINT64_MAX

/* Wait to be woken (waits). 0; -FAULT_TIMEOUT after `timeout_ns`; -FAULT_CANCELLED. Use in a loop
 * that looks at the condition again. */
int waitlist_wait(struct waitlist *list, uint64_t timeout_ns) MUST_USE;

/* Wake all, in the order they came. Never waits. */
void waitlist_wake(struct waitlist *list);

/* Wake the one that came first. */
void waitlist_wake_one(struct waitlist *list);
