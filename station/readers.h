/*
 * readers.h - the readers a station file names, real or simulated, for whoever opens a desk.
 */
#pragma once

#include "drivers/card.h"
#include "drivers/simulated/bench.h"
#include "station/settings.h"

/* The simulated bench of the station file; `sites` 0 for its cards alone. The profiles are borrowed
 * for the bench's life. Call on a fiber (waits).
 *      -FAULT_NOT_FOUND, -FAULT_BAD_VALUE  key or nonce of the cards
 *      -FAULT_SYSTEM */
int readers_open_bench(const struct settings *settings, const struct family *family,
                       const struct rss_profile *rss, const struct card_profile *profile,
                       unsigned sites, struct bench **ret_bench) MUST_USE;

/* All readers: of `bench`, or by PC/SC when it is NULL (waits). They are given; on failure none is
 * left open. Returns how many. Faults as pcsc_reader_open. */
int readers_open(const struct settings *settings, struct bench *bench,
                 struct reader *ret_readers[static SETTINGS_READERS_MAX]) MUST_USE;
