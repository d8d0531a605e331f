/*
 * rss_mailbox.h - words of the reference mailbox (rss.h), for rss.c and rsse.c.
 */
#pragma once

#include "drivers/rss.h"

#define RSS_AT_MAGIC       0x00u
#define RSS_AT_COMMAND     0x04u
#define RSS_AT_LENGTH      0x08u
#define RSS_AT_COUNT       0x0Cu
#define RSS_AT_LAST        0x10u
#define RSS_AT_MODULES     0x14u
#define RSS_AT_STATE       0x20u
#define RSS_AT_VALUE       0x24u
#define RSS_AT_AREA        0x28u
#define RSS_AT_REASON      0x2Cu
#define RSS_AT_CERTIFICATE 0x40u

struct rss_command {
        uint32_t command, length, count;
        bool is_last;
        uint32_t modules;
};

/* Answer words to zero, arguments, the command word last (waits). */
int rss_post(struct target *target, const struct rss_profile *profile,
             const struct rss_command *command) MUST_USE;

int rss_get(struct target *target, const struct rss_profile *profile, uint32_t at,
            uint32_t *ret_value) MUST_USE;

/* What a complete value means. `sfi` NULL: no area to name. */
int rss_judge(uint32_t value, uint32_t area_index, const struct sfi *sfi) MUST_USE;

/* The value itself, or the reason an RSSe gave for its 0xF5F5F5F5; of its 0xEAEAEAEA RSS_OK. Any
 * other value is given back, and in no table. */
uint32_t rss_plain_value(const struct rss_profile *profile, uint32_t value, uint32_t reason);

/* Reset into the RSS. The access that resets may end in an error; what comes later will show. */
int rss_reset_into(struct target *target) MUST_USE;
