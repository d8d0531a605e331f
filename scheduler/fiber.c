/*
 * fiber.c - the life of a fiber: spawned, run, cancelled, ended, joined.
 *
 * A fiber is on a list of the living from fiber_spawn() until its procedure returns; then its stack
 * goes back into the pool and only its result, with the sentence of a failure, waits to be joined.
 * How it waits meanwhile is in wait.c, how its stack is switched in stack.c.
 */
#include "scheduler/inside.h"

#include <stdlib.h>

static void living_add(struct loop *loop, struct fiber *fiber)
{
        fiber->prev = loop->last_living;
        if (fiber->prev)
                fiber->prev->next = fiber;
        else
                loop->first_living = fiber;
        loop->last_living = fiber;
}

static void living_remove(struct loop *loop, struct fiber *fiber)
{
        if (fiber->prev)
                fiber->prev->next = fiber->next;
        else
                loop->first_living = fiber->next;
        if (fiber->next)
                fiber->next->prev = fiber->prev;
        else
                loop->last_living = fiber->prev;
}

/* The bottom of a fiber. The loop sees has_ended and takes the stack away. */
static void fiber_main(void *argument)
{
        struct fiber *fiber = argument;

        fiber->result = fiber->procedure(fiber->subject);
        fiber->has_ended = true;
        living_remove(the_loop, fiber);
        if (fiber->joiner)
                wait_end(fiber->joiner, 0);
}

struct fiber *fiber_spawn(const char *name, int (*procedure)(void *subject), void *subject)
{
        struct loop *loop = loop_here();
        struct fiber *fiber = calloc(1, sizeof(*fiber));

        INSIST(fiber);
        fiber->name = name;
        fiber->procedure = procedure;
        fiber->subject = subject;
        fiber->stack = stack_take(fiber_main, fiber);
        living_add(loop, fiber);
        loop_ready(fiber);
        return fiber;
}

int fiber_join(struct fiber *fiber)
{
        struct wait wait = { .what = "the end of", .whom = fiber->name, .descriptor = -1 };
        int result;

        INSIST(fiber != fiber_self());
        INSIST(!fiber->joiner && !fiber->is_detached);
        if (!fiber->has_ended) {
                /* cppcheck-suppress autoVariables ; only until the wait below is over */
                fiber->joiner = &wait;
                (void)wait_begin(&wait, WAIT_FOREVER); /* cannot be given up */
        }
        result = fiber->result;
        if (result < 0)
                fault_take_note(&fiber->note);
        free(fiber);
        return result;
}

void fiber_detach(struct fiber *fiber)
{
        (void)loop_here();
        INSIST(!fiber->joiner && !fiber->is_detached);
        fiber->is_detached = true;
        if (fiber->has_ended && !fiber->stack)
                free(fiber);
}

void fiber_cancel(struct fiber *fiber)
{
        (void)loop_here();
        if (fiber->has_ended)
                return;
        fiber->cancelled = true;
        if (fiber->wait && fiber->wait->give_up)
                fiber->wait->give_up(fiber->wait, -FAULT_CANCELLED);
}

bool fiber_has_ended(const struct fiber *fiber)
{
        return fiber->has_ended;
}

struct fiber *fiber_self(void)
{
        struct fiber *fiber = loop_here()->running;

        INSIST(fiber);
        return fiber;
}

const char *fiber_name(const struct fiber *fiber)
{
        return fiber->name;
}
