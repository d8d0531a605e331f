/*
 * preflight.h - what must hold before an install, measured on one part (secure-install.md 13.7).
 *
 * The family's file names its conditions; each is looked at in the same way on every family and
 * becomes a line: what was measured, what was wanted, and the fault it would be. The station stops at
 * the first that does not hold; `gangway target info` shows all. Only reads: nothing of the part
 * changes, but DEMCR.TRCENA while the core's program counter is sampled.
 */
#pragma once

#include "drivers/rss.h"
#include "drivers/target.h"

struct preflight_line {
        const char *condition; /* "read-out protection" */
        char measured[160], wanted[48];
        enum fault fault;   /* FAULT_NONE: it holds */
        char sentence[300]; /* of the fault: both values, and what to do */
};

#define PREFLIGHT_LINES (CONDITIONS + 1)

struct preflight {
        struct preflight_line lines[PREFLIGHT_LINES];
        size_t count;
};

/* Look at each condition of the family, then whether `rss` may be used on this part (NULL: not asked)
 * (waits). `options` are those target_read_options gave. What cannot be measured is a line whose
 * fault is that of the access.
 *      -FAULT_UNPLUGGED, -FAULT_CANCELLED  the lines so far are there */
int preflight_look(struct target *target, const uint32_t *options, const struct rss_profile *rss,
                   struct preflight *ret_preflight) MUST_USE;

/* The same until the first condition that does not hold; its fault, with its sentence. */
int preflight_check(struct target *target, const uint32_t *options,
                    const struct rss_profile *rss) MUST_USE;
