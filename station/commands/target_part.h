/*
 * target_part.h - what the verbs do to a part, in pieces they share.
 */
#pragma once

#include "crypto/option_bytes.h"
#include "drivers/rss.h"
#include "station/commands/target_session.h"

/* The RSS profile: as family_rss, with the RSSe that was named by -rsse (waits).
 *      -FAULT_BAD_VALUE  the family takes no RSSe */
int target_part_rss(const struct target_session *session, struct rss_profile *ret_rss) MUST_USE;

/* Named rows for option_view.h. */
void target_part_rows(const struct target_session *session, const uint32_t *options,
                      struct option_bytes *ret_rows);

/* What can be done with the part from here, a sentence each. */
void target_part_say_ways(const struct target_session *session, const uint32_t *options);

/* Can read-out protection or product state never be taken back (level 2)? */
bool target_part_is_final(const struct target_session *session, const uint32_t *options);

/* Factory values in every bit that is kept. */
void target_part_factory(const struct family *family, uint32_t *ret_options);

/* How many rows are not at their factory value. */
unsigned target_part_off_factory(const struct family *family, const uint32_t *options);

/* Erase whatever sectors are not blank, of the flash there is, and look at those again (waits).
 * `ret_erased` counts them.
 *      -FAULT_PROTECTED, -FAULT_FLASH, -FAULT_NOT_BLANK */
int target_part_blank(struct target_session *session, unsigned *ret_erased) MUST_USE;
