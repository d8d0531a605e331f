/*
 * target_core.h - the core of a target as a tool: halt it, call a function in its RAM, wait.
 *
 * Everything else in this program leaves the core alone (target.h). This is for the code an external
 * loader brings: while it runs, interrupts are masked, and a fault of the core halts it. A target
 * whose core was used is given back by a reset; target_core_release() lets it run before.
 * Every call waits; faults as in stlink.h and those named here.
 */
#pragma once

#include "drivers/target.h"

/* Where the function returns to, and its stack. Both in RAM that the loader leaves alone. */
struct target_call {
        uint32_t function;     /* with or without the Thumb bit */
        uint32_t arguments[4]; /* r0 .. r3 */
        uint32_t stack;        /* first address above it; a multiple of 8 */
        uint32_t breakpoint;   /* holds a BKPT: see target_core_prepare */
        unsigned timeout_ms;
};

/* Halt, and halt again at a fault of the core.
 *      -FAULT_LOCKED  it does not halt: a secure state the debugger may not stop, or no core clock */
int target_core_halt(struct target *target) MUST_USE;

/* Write a BKPT into the word at `address` (a multiple of 4). */
int target_core_prepare(struct target *target, uint32_t address) MUST_USE;

/* Call a function on the halted core and wait until it returns; r0 in `*ret_result`.
 *      -FAULT_TIMEOUT        it did not return: where it is; the core is halted again
 *      -FAULT_TARGET_ACCESS  it stopped elsewhere, by a fault or a breakpoint of its own */
int target_core_call(struct target *target, const struct target_call *call,
                     uint32_t *ret_result) MUST_USE;

/* Let the core run and leave debug. */
int target_core_release(struct target *target) MUST_USE;
