/*
 * unit.h - one board on a rig: a secure install of a small image through our own driver, from finding the probe
 * to the proof that the part is secure.
 */
#pragma once

#include "drivers/rss.h"
#include "drivers/wire.h"

struct unit {
        struct bus *bus;
        const char *path; /* "1-2" */
        size_t length;    /* of its firmware; 0: 20000 bytes */
        struct rss_progress progress;
};

/* Family and profile, once; on a fiber. */
int units_load(void) MUST_USE;
const struct family *units_family(void);

/* All of it (waits); 0 or the fault of whatever went wrong. */
int unit_install(struct unit *unit) MUST_USE;
