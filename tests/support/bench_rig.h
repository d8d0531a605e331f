/*
 * bench_rig.h - a bench and the real driver above it: what its tests share.
 */
#pragma once

#include "tests/support/simulated.h"

#include "drivers/simulated/bench.h"
#include "drivers/target.h"

/* Settings of a bench with `sites` sites, no handler, one card of 100 licenses, full speed. */
struct bench_settings bench_rig_settings(unsigned sites);

/* One whole unit through the shipped driver: open the probe, attach, identify, prepare,
 * certificate, license from card 0 (NULL reader: made here), install every part, close. Waits. */
int bench_rig_install(struct bench *bench, unsigned site, struct reader *reader,
                      const struct sfi *sfi);

/* The image that tests install: one F area of `length` bytes at 0x08000000, one C area. */
struct sfi *bench_rig_image(size_t length);

/* Does the flash in `site` hold that image's firmware? */
bool bench_rig_is_installed(struct bench *bench, unsigned site, size_t length);

/* A station of the smallest kind: wait for a board in `site`, install it, tell the fixture, wait
 * until it is gone, and again. `note` hears of every attempt. Ends with -FAULT_CANCELLED. */
struct bench_rig_station {
        struct bench *bench;
        unsigned site;
        const struct sfi *sfi;
        void (*note)(struct bench_rig_station *, const char *unique_id, int result);
        void *context;
};
int bench_rig_station(void *station);
