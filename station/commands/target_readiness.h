/*
 * target_readiness.h - may this part take an install now? Each condition with what was measured and
 * wanted, for whoever stands before the board; what a station checks of a unit is in install.c.
 *
 * The conditions of spec/secure-install.md section 13.7 (AN5054, by family), as one table; which of
 * them a family has follows from its file. Only reads: nothing of the part changes. A condition that
 * nothing public lets us measure says so and neither holds nor fails.
 */
#pragma once

#include "drivers/rss.h"
#include "drivers/target.h"

#define READINESS_LINES_MAX 20u

enum readiness_answer {
        READINESS_OK,
        READINESS_NO,
        READINESS_UNKNOWN, /* cannot be told over SWD */
};

struct readiness_line {
        const char *name;   /* "flash erased" */
        const char *source; /* "AN5054 section 4.3.6" */
        enum readiness_answer answer;
        char measured[160], wanted[96];
};

struct readiness {
        struct readiness_line lines[READINESS_LINES_MAX];
        size_t count;
};

struct readiness_request {
        struct target *target; /* attached; borrowed as the rest */
        const struct target_identity *identity;
        const uint32_t *options;       /* as target_read_options gives them */
        const struct rss_profile *rss; /* NULL: there is none for the family */
        const char *rsse;              /* path of the RSSe that will be used; NULL: none */
        bool is_external;              /* an SFIx install */
        struct family_range range;     /* only this must be blank (SFIA); length 0: all flash */
};

/* Measure all that apply (waits; reads the flash, seconds on the larger parts). The first byte that
 * is not blank, or an area that cannot be read, makes a line of the table; only a connection that
 * broke is a fault of the call. */
int readiness_measure(const struct readiness_request *request,
                      struct readiness *ret_readiness) MUST_USE;

/* Does every condition hold, unknown ones left aside? */
bool readiness_holds(const struct readiness *readiness);

/* "ok", "no", "unknown". */
const char *readiness_word(enum readiness_answer answer);

/* Is the flash this part really has blank (waits)? Its size register counts, not the family's
 * largest: smaller parts of a two-bank line halve the banks.
 *      -FAULT_NOT_BLANK  names the first address */
int readiness_check_blank(struct target *target, const struct target_identity *identity) MUST_USE;
