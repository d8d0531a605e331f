/*
 * hsm_chip.h - the certificate of the chip behind a probe, as `hsm license` needs it.
 */
#pragma once

#include "drivers/rss.h"

/* Open the probe at `path` (NULL: the only one there), attach, check part and profile, ask (waits).
 *      -FAULT_NOT_FOUND, -FAULT_BAD_VALUE  no probe, several; their paths are named
 *      -FAULT_REFERENCE_ONLY  real silicon and a reference profile
 *      otherwise as stlink.h, target.h, rss.h */
int chip_certificate(struct bus *bus, const char *path, const struct family *family,
                     const struct rss_profile *rss, struct certificate *ret_certificate) MUST_USE;
