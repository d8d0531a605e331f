/*
 * target_option_steps.h - how each of the four sequences programs option bytes (targets.md 6.4).
 *
 * For target_options.c. Every step waits; faults as target_write_options names them.
 */
#pragma once

#include "drivers/target.h"

struct option_steps {
        /* Open the option registers; nothing is done when they are open. */
        int (*unlock)(struct target *target);
        /* Write the rows that differ, start, wait for the end, see that the part took them. */
        int (*program)(struct target *target, const uint32_t *found, const uint32_t *wanted);
        int (*lock)(struct target *target);
        /* Load what was programmed: the part resets and is reached again within `deadline_ms`.
         * NULL: it is in force already. */
        int (*load)(struct target *target, unsigned deadline_ms);
        bool resets_boot; /* boot, TrustZone and product state want a reset of their own */
};

const struct option_steps *option_steps(const struct family *family);

/* Must the row be written? Looks only at bits that read back what was written. */
bool option_row_differs(const struct family_option *row, uint32_t found, uint32_t wanted);
