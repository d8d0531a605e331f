/*
 * rss_external.h - what a part left in RAM for the memory outside: its E areas, enciphered for the OTFDEC.
 *
 * REFERENCE, as the rest of the protocol (rss.h). The list begins at the profile's `areas`; an entry is
 *
 *      + 0x00  index of the area       + 0x04  address in the external memory
 *      + 0x08  length                  + 0x0C  0
 *      + 0x10  that many bytes, padded to a multiple of 16
 *
 * Ciphertext is no secret; the key never leaves the part.
 */
#pragma once

#include "drivers/rss.h"

#define RSS_AT_EXTERNALS       0x30u /* in the mailbox */
#define RSS_AT_EXTERNAL_LENGTH 0x34u
#define RSS_EXTERNAL_HEADER    16u

struct rss_external {
        uint32_t index, address, length;
        const uint8_t *data; /* in the list */
};

struct rss_externals {
        struct bytes list; /* owned */
        struct rss_external *areas;
        unsigned count;
};

/* Has the part any E areas? Never waits. */
bool rss_has_external(const struct sfi *sfi, const struct sfi_part *part);

/* Fetch the list of `part`, which rss_install_part() has just put in (waits).
 *      -FAULT_RSS  it does not name the part's E areas, each once, in their order and whole */
int rss_read_externals(struct target *target, const struct rss_profile *profile,
                       const struct sfi *sfi, const struct sfi_part *part,
                       struct rss_externals *ret_externals) MUST_USE;

/* Take a list apart; `list` is given, freed on failure too. Never waits. */
int rss_externals_parse(struct bytes *list, const struct sfi *sfi, const struct sfi_part *part,
                        struct rss_externals *ret_externals) MUST_USE;

/* For CLEANUP(rss_externals_free); safe on a zeroed one. */
void rss_externals_free(struct rss_externals *externals);
