/*
 * preflight.h - what must hold before an install, measured on one part (secure-install.md 13.7).
 *
 * One table of conditions, each measured in one way: the station asks before every install and stops
 * at the first that does not hold; `gangway target info` looks at all, and at some more that matter to
 * whoever stands before a board. Only reads: nothing of the part changes, but DEMCR.TRCENA while the
 * core's program counter is sampled.
 */
#pragma once

#include "drivers/rss.h"
#include "drivers/target.h"

#define PREFLIGHT_LINES_MAX 20u

struct preflight_request {
        struct target *target;         /* attached; borrowed, as the rest */
        const uint32_t *options;       /* as target_read_options gave them */
        uint32_t conditions;           /* 1 << enum family_condition each: the family's, or fewer */
        const struct rss_profile *rss; /* may it be used on this part? NULL: not asked */
        bool is_external;              /* the image has areas for memory outside the part (SFIx) */
        const struct target_identity *identity; /* of preflight_look */
};

enum preflight_answer {
        PREFLIGHT_HOLDS,
        PREFLIGHT_FAILS,
        PREFLIGHT_UNKNOWN, /* cannot be told over SWD: neither holds nor fails */
};

struct preflight_line {
        const char *name;   /* "PCROP area", as faults say it too */
        const char *source; /* "AN5054 section 4.3.6" */
        enum preflight_answer answer;
        char measured[320], wanted[96];
        enum fault fault;   /* FAULT_NONE unless it fails */
        const char *remedy; /* NULL: none, or `measured` says it */
};

struct preflight {
        struct preflight_line lines[PREFLIGHT_LINES_MAX];
        size_t count;
};

/* The first condition that does not hold: its fault, with both values and the remedy (waits). What
 * cannot be told is passed over.
 *      otherwise what the connection says */
int preflight_check(const struct preflight_request *request) MUST_USE;

/* All of them, a line each, and what an install does not ask: the way in, the RSSe, the services
 * firmware, the whole flash (waits; seconds on the larger parts). What the part refuses to show does
 * not hold. A connection that broke is a fault; the lines before it are there. */
int preflight_look(const struct preflight_request *request,
                   struct preflight *ret_preflight) MUST_USE;

/* Does every condition hold, unknown ones left aside? */
bool preflight_holds(const struct preflight *preflight);

/* "ok", "no", "unknown". */
const char *preflight_word(enum preflight_answer answer);
