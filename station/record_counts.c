/*
 * record_counts.c - the counts of a lot, by the definitions of factory.md, "Metrics".
 *
 * One query defines them, over a whole order or over one unit of it. A page asks several times a
 * second, so the counts of an order are worked out once and then moved along: each closing takes
 * its unit's counts before and after itself in the same transaction, and the difference is added.
 * A closing carries its place in the chain, so one that was already in when the whole was counted
 * is not added twice, in whatever order the fibers wake.
 *
 *   entered     units with at least one pass or fail; a unit is its unique identifier
 *   good, bad   by the last such result
 *   first_pass  a single attempt, and it passed: a retried unit never counts
 *   retried     two or more attempts, of whatever result
 *
 * An attempt that never read its unit's identifier cannot be joined to another one. It counts as a
 * unit of its own: a board that does not answer has entered and is bad. Attempts the station died
 * in count as errors, but not as busy time, for nobody knows when they ended.
 */
#include "station/record_parts.h"

#include <sqlite3.h>
#include <string.h>

/* `closed` follows: SELECT * FROM attempts WHERE ... */
#define COUNTS                                                                                     \
        ", units AS (SELECT count(*) AS attempts, "                                                \
        "    min(id) AS first_id, max(id) FILTER (WHERE result IN ('pass', 'fail')) AS last_id "   \
        "    FROM closed GROUP BY CASE unit WHEN '' THEN '#' || id ELSE unit END) "                \
        "SELECT (SELECT count(last_id) FROM units), "                                              \
        "(SELECT count(*) FROM units JOIN closed ON id = last_id WHERE result = 'pass'), "         \
        "(SELECT count(*) FROM units JOIN closed ON id = last_id WHERE result = 'fail'), "         \
        "(SELECT count(*) FROM units JOIN closed ON id = first_id "                                \
        "    WHERE result = 'pass' AND attempts = 1), "                                            \
        "(SELECT count(*) FROM units WHERE attempts > 1), "                                        \
        "count(*), count(*) FILTER (WHERE result = 'error'), "                                     \
        "count(*) FILTER (WHERE result = 'aborted'), "                                             \
        "count(*) FILTER (WHERE result = 'not provable'), "                                        \
        "coalesce(sum(ended_us - started_us) FILTER (WHERE fault <> 'INTERRUPTED'), 0) "           \
        "FROM closed"

static uint32_t number(struct sqlite3_stmt *row, int column)
{
        return (uint32_t)sqlite3_column_int64(row, column);
}

static int counts_row(struct sqlite3_stmt *row, void *context)
{
        struct lot_counts *counts = context;

        counts->entered = number(row, 0);
        counts->good = number(row, 1);
        counts->bad = number(row, 2);
        counts->first_pass = number(row, 3);
        counts->retried = number(row, 4);
        counts->attempts = number(row, 5);
        counts->errors = number(row, 6);
        counts->aborted = number(row, 7);
        counts->not_provable = number(row, 8);
        counts->busy_us = (uint64_t)sqlite3_column_int64(row, 9);
        return 0;
}

int counts_of_unit(struct sqlite3 *database, const struct record *record,
                   struct lot_counts *ret_counts)
{
        if (!record->unit[0])
                return store_sql(database, counts_row, ret_counts,
                                 "WITH closed AS (SELECT * FROM attempts "
                                 "WHERE id = ? AND result <> '')" COUNTS,
                                 "i", record->id);
        return store_sql(database, counts_row, ret_counts,
                         "WITH closed AS (SELECT * FROM attempts "
                         "WHERE order_id = ? AND unit = ? AND result <> '')" COUNTS,
                         "tt", record->order, record->unit);
}

struct counts_difference counts_subtract(const struct lot_counts *after,
                                         const struct lot_counts *before)
{
#define MINUS(field) .field = (int64_t)after->field - (int64_t)before->field
        return (struct counts_difference){
                MINUS(entered),  MINUS(good),   MINUS(bad),     MINUS(first_pass),   MINUS(retried),
                MINUS(attempts), MINUS(errors), MINUS(aborted), MINUS(not_provable), MINUS(busy_us),
        };
#undef MINUS
}

static void counts_add(struct lot_counts *counts, const struct counts_difference *difference)
{
#define PLUS(field) counts->field = (uint32_t)((int64_t)counts->field + difference->field)
        PLUS(entered);
        PLUS(good);
        PLUS(bad);
        PLUS(first_pass);
        PLUS(retried);
        PLUS(attempts);
        PLUS(errors);
        PLUS(aborted);
        PLUS(not_provable);
#undef PLUS
        counts->busy_us = (uint64_t)((int64_t)counts->busy_us + difference->busy_us);
}

/* --- kept counts --------------------------------------------------------------------------- */

static struct kept_counts *find_kept(struct records *records, const char *order)
{
        for (unsigned i = 0; i < COUNTS_KEPT; i++) {
                if (strcmp(records->kept[i].order, order) == 0)
                        return &records->kept[i];
        }
        return NULL;
}

void records_apply(struct records *records, const struct closing *closing)
{
        struct kept_counts *kept = find_kept(records, closing->record->order);

        if (closing->sequence > records->applied)
                records->applied = closing->sequence;
        if (kept && closing->sequence > kept->sequence)
                counts_add(&kept->counts, &closing->difference);
}

void records_forget(struct records *records, const char *order)
{
        struct kept_counts *kept = find_kept(records, order);

        if (kept)
                kept->order[0] = '\0';
}

static int sequence_row(struct sqlite3_stmt *row, void *context)
{
        *(int64_t *)context = sqlite3_column_int64(row, 0);
        return 0;
}

static int times_row(struct sqlite3_stmt *row, void *context)
{
        struct lot_counts *counts = context;

        counts->started_us = (uint64_t)sqlite3_column_int64(row, 0);
        counts->ended_us = (uint64_t)sqlite3_column_int64(row, 1);
        return 0;
}

static int count_work(struct sqlite3 *database, void *argument)
{
        struct kept_counts *kept = argument;
        int r = store_sql(database, sequence_row, &kept->sequence,
                          "SELECT coalesce(max(sequence), 0) FROM chain", "");

        if (r >= 0)
                r = store_sql(database, counts_row, &kept->counts,
                              "WITH closed AS (SELECT * FROM attempts "
                              "WHERE order_id = ? AND result <> '')" COUNTS,
                              "t", kept->order);
        if (r >= 0)
                r = store_sql(database, times_row, &kept->counts,
                              "SELECT opened_us, closed_us FROM lots WHERE order_id = ?", "t",
                              kept->order);
        return r;
}

/* The oldest place is given up. Not kept when a later closing has been told already: it would be
 * missing for good. */
static void keep(struct records *records, const struct kept_counts *counted)
{
        if (counted->order[0] && counted->sequence >= records->applied &&
            !find_kept(records, counted->order))
                records->kept[records->next_kept++ % COUNTS_KEPT] = *counted;
}

int records_count(struct records *records, const char *order, struct lot_counts *ret_counts)
{
        const struct kept_counts *kept = order[0] ? find_kept(records, order) : NULL;
        struct kept_counts counted = { 0 };
        int r;

        if (kept) {
                *ret_counts = kept->counts;
                return 0;
        }
        strncpy(counted.order, order, sizeof(counted.order) - 1);
        r = store_transact(records->store, count_work, &counted);
        if (r < 0)
                return r;
        keep(records, &counted);
        *ret_counts = counted.counts;
        return 0;
}
