/*
 * record_parts.h - what record.c, record_chain.c, record_counts.c and record_csv.c share; nobody
 * else includes it. Functions that take a database run on the store's thread.
 */
#pragma once

#include "station/record.h"

/* Counts of the orders asked about last, kept up to date by every closing. */
#define COUNTS_KEPT 8

struct kept_counts {
        char order[ORDER_ID_MAX + 1]; /* "" free */
        struct lot_counts counts;
        int64_t sequence; /* closings up to this one are in */
};

struct records {
        struct store *store;
        char station[32];
        struct kept_counts kept[COUNTS_KEPT];
        unsigned next_kept;
        int64_t applied; /* the last closing told to record_counts.c */
};

/* What one closing changes. Signed, since a retry can take a unit out of a count. */
struct counts_difference {
        int64_t entered, good, bad, first_pass, retried, attempts, errors, aborted, not_provable;
        int64_t busy_us;
};

struct closing {
        struct records *records;
        struct record *record;
        int64_t sequence; /* in the chain */
        struct counts_difference difference;
};

/* RESULT_NONE for a name that is none. */
enum result record_result(const char *name);

/* The counts of one record's unit alone. */
int counts_of_unit(struct sqlite3 *database, const struct record *record,
                   struct lot_counts *ret_counts) MUST_USE;
struct counts_difference counts_subtract(const struct lot_counts *after,
                                         const struct lot_counts *before);

/* After the commit, on the loop: add the difference where it is not in yet. */
void records_apply(struct records *records, const struct closing *closing);
/* The order's counts are asked anew next time. */
void records_forget(struct records *records, const char *order);

/* Append the closed attempt to the chain. */
int chain_append(struct sqlite3 *database, const char *station, int64_t attempt,
                 int64_t *ret_sequence) MUST_USE;
