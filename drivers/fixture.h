/*
 * fixture.h - what holds the board: is told how the unit fares, as lamps and handler lines are.
 *
 * Boards are detected through the probe (target voltage), the same for a person and a handler. A
 * fixture without lines is NULL.
 */
#pragma once

#include "scheduler/base.h"

enum fixture_signal { FIXTURE_READY, FIXTURE_BUSY, FIXTURE_PASS, FIXTURE_FAIL };

struct fixture {
        void (*signal)(struct fixture *, enum fixture_signal);
};

/* Never waits. */
static inline void fixture_signal(struct fixture *fixture, enum fixture_signal signal)
{
        if (fixture)
                fixture->signal(fixture, signal);
}
