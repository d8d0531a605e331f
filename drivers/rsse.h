/*
 * rsse.h - the RSS extension a family needs: a file, chosen by the die, loaded into the part's RAM.
 *
 * ST delivers one for each die, encrypted and signed; its header is not public (targets.md 13 row 6).
 * ST's tool goes on silently without one and leaves a U5 with its option bytes changed
 * (secure-install.md 13.7), so a station that needs one does not start without.
 *
 * The simulator runs a reference RSSe of our own, made by configs/rss/make-reference-rsse:
 *   0  "GWRSSE01"    8  u32 device id    12  u32 version    16  u32 length of the file
 *   20  zeros to 32; any bytes; in the end 32 bytes SHA-256 of all before
 */
#pragma once

#include "drivers/rss.h"
#include "scheduler/bytes.h"

#define RSSE_FILE_MAX (1u << 20)
#define RSSE_OVERHEAD 64u /* header and digest of a reference RSSe */

struct rsse {
        struct bytes file;
        uint16_t device_id; /* of a reference RSSe; 0: not known */
        uint32_t version;   /* likewise */
};

/* Take a reference RSSe apart; `name` is for sentences. Copies.
 *      -FAULT_BAD_FILE */
int rsse_parse(const char *name, const void *data, size_t length, struct rsse *ret_rsse) MUST_USE;

/* Read the one the profile names for the family's die (waits). A reference profile takes only a
 * reference RSSe, and that must be for this die. `ret_rsse` stays empty where the family needs none.
 *      -FAULT_NOT_FOUND  the profile names none, or the file is not there
 *      -FAULT_BAD_VALUE  it is for another die; both are named
 *      -FAULT_BAD_FILE, -FAULT_TOO_LARGE */
int rsse_load(const struct rss_profile *profile, const struct family *family,
              struct rsse *ret_rsse) MUST_USE;

void rsse_free(struct rsse *rsse);

/* Put it into RAM, start it by a reset, wait until it says that it runs, and be attached again
 * (waits). `progress`: bytes written; may be NULL.
 *      -FAULT_RSS         it says that it does not: status 0xF5F5F5F5 and why
 *      -FAULT_RSS_SILENT  it says nothing */
int rsse_start(struct target *target, const struct rss_profile *profile, const struct rsse *rsse,
               uint32_t *progress) MUST_USE;
