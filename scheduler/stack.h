/*
 * stack.h - stacks, and the switch between the loop's and a fiber's.
 *
 * The lowest thing in the room: it knows nothing of fibers, waits or the ring. All calls come from
 * one thread. Nobody outside the scheduler includes it (the bench does, to measure it).
 */
#pragma once

#include <stddef.h>

#define STACK_LENGTH (256u * 1024u)

struct stack;

/* A stack on which entry(argument) will run; from the pool, or fresh. Aborts without memory. */
struct stack *stack_take(void (*entry)(void *argument), void *argument);

/* From the loop: go on with it until it leaves or its entry returns. */
void stack_enter(struct stack *stack);

/* From the stack itself: back to the loop. */
void stack_leave(struct stack *stack);

/* Its entry has returned: into the pool. */
void stack_give(struct stack *stack);

/* Unmap what is in the pool. */
void stack_drain(void);

/* "setjmp" or "swapcontext", whichever was built. */
extern const char *const stack_mechanism;
