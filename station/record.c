/*
 * record.c - attempts from opening to closing, and the lots they belong to.
 *
 * An attempt is a row from its first moment; what a crash leaves open is found by its empty result
 * and closed at the next start. Closing is one transaction: the row gets its result, the chain
 * (record_chain.c) gets its line, and the lot's counts (record_counts.c) get the difference this
 * row makes.
 */
#include "scheduler/loop.h"
#include "station/record_parts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const result_names[] = {
        [RESULT_NONE] = "",           [RESULT_PASS] = "pass",
        [RESULT_FAIL] = "fail",       [RESULT_ERROR] = "error",
        [RESULT_ABORTED] = "aborted", [RESULT_NOT_PROVABLE] = "not provable",
};

const char *result_name(enum result result)
{
        INSIST((unsigned)result < LENGTH_OF(result_names));
        return result_names[result];
}

enum result record_result(const char *name)
{
        for (unsigned i = 0; i < LENGTH_OF(result_names); i++) {
                if (strcmp(name, result_names[i]) == 0)
                        return (enum result)i;
        }
        return RESULT_NONE;
}

enum result result_of(int outcome)
{
        if (outcome >= 0)
                return RESULT_PASS;
        switch (fault_blame(outcome)) {
        case BLAME_UNIT:
                return RESULT_FAIL;
        case BLAME_STATION:
                return RESULT_ERROR;
        case BLAME_PERSON:
                return RESULT_ABORTED;
        case BLAME_NOBODY:
                return RESULT_NOT_PROVABLE;
        }
        return RESULT_ERROR;
}

/* --- lots ---------------------------------------------------------------------------------- */

struct lot_step {
        const struct order *order;
        const char *id;
        int64_t now_us;
        bool is_known, is_same, is_done;
};

static int lot_row(struct sqlite3_stmt *row, void *context)
{
        struct lot_step *step = context;

        step->is_known = true;
        step->is_done = sqlite3_column_type(row, 1) != SQLITE_NULL;
        step->is_same = sqlite3_column_bytes(row, 0) == (int)sizeof(step->order->digest) &&
                        memcmp(sqlite3_column_blob(row, 0), step->order->digest,
                               sizeof(step->order->digest)) == 0;
        return 0;
}

static int open_lot_work(struct sqlite3 *database, void *argument)
{
        struct lot_step *step = argument;
        const struct order *order = step->order;
        int r = store_sql(database, lot_row, step,
                          "SELECT digest, closed_us FROM lots WHERE order_id = ?", "t", order->id);

        if (r < 0)
                return r;
        if (step->is_known && !step->is_same)
                return fault(FAULT_DUPLICATE,
                             "order %s exists already with other content; give the new one an "
                             "identifier of its own",
                             order->id);
        if (step->is_known)
                return 0;
        return store_sql(
                database, NULL, NULL,
                "INSERT INTO lots (order_id, digest, part, family, firmware_id, quantity, "
                "due, operator, opened_us, image_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                "tbtttittib", order->id, order->digest, sizeof(order->digest), order->part,
                order->family, order->firmware_id, (int64_t)order->quantity, order->due,
                order->operator_name, step->now_us, order->image_digest,
                sizeof(order->image_digest));
}

int records_open_lot(struct records *records, const struct order *order, bool *ret_done)
{
        struct lot_step step = { .order = order, .now_us = (int64_t)clock_calendar_us() };
        int r = store_transact(records->store, open_lot_work, &step);

        if (r < 0)
                return r;
        *ret_done = step.is_done;
        return 0;
}

static int close_lot_work(struct sqlite3 *database, void *argument)
{
        const struct lot_step *step = argument;

        /* A lot closed before keeps its time: closing twice is no news. */
        return store_sql(database, NULL, NULL,
                         "UPDATE lots SET closed_us = coalesce(closed_us, ?) WHERE order_id = ?",
                         "it", step->now_us, step->id);
}

int records_close_lot(struct records *records, const char *order)
{
        struct lot_step step = { .id = order, .now_us = (int64_t)clock_calendar_us() };
        int r = store_transact(records->store, close_lot_work, &step);

        if (r >= 0)
                records_forget(records, order);
        return r;
}

/* --- opening and identifying --------------------------------------------------------------- */

static int open_attempt_work(struct sqlite3 *database, void *argument)
{
        struct record *record = argument;
        int r = store_sql(
                database, NULL, NULL,
                "INSERT INTO attempts (order_id, site, probe, unit, certificate, attempt, "
                "started_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                "tttttii", record->order, record->site, record->probe, record->unit,
                record->certificate, (int64_t)record->attempt, (int64_t)record->started_us);

        record->id = sqlite3_last_insert_rowid(database);
        return r;
}

int records_open_attempt(struct records *records, struct record *record)
{
        record->started_us = clock_calendar_us();
        return store_transact(records->store, open_attempt_work, record);
}

struct identify {
        struct record *record;
        int64_t before; /* attempts with lower ids count: all, while this one is not open */
        struct unit_history history;
};

static int history_row(struct sqlite3_stmt *row, void *context)
{
        struct identify *identify = context;

        identify->history.attempts = (unsigned)sqlite3_column_int64(row, 0);
        identify->record->attempt = (unsigned)sqlite3_column_int64(row, 1) + 1;
        return 0;
}

static int last_row(struct sqlite3_stmt *row, void *context)
{
        struct identify *identify = context;

        identify->history.last_result = record_result((const char *)sqlite3_column_text(row, 0));
        return 0;
}

static int interrupted_row(struct sqlite3_stmt *row, void *context)
{
        struct identify *identify = context;

        identify->history.was_interrupted = sqlite3_column_int64(row, 0) != 0;
        return 0;
}

/* Something of ours may lie in the unit's flash: an attempt since its last pass was interrupted, or
 * failed after its license had been offered. Not only the last attempt counts: one that failed
 * before it touched the unit left what an earlier one had written. */
static const char interrupted_sql[] =
        "SELECT EXISTS (SELECT 1 FROM attempts a WHERE a.order_id = ?1 AND a.unit = ?2 "
        "AND a.id < ?3 AND a.result NOT IN ('', 'pass') "
        "AND a.id > coalesce((SELECT max(p.id) FROM attempts p WHERE p.order_id = ?1 "
        "    AND p.unit = ?2 AND p.id < ?3 AND p.result = 'pass'), 0) "
        "AND (a.fault = 'INTERRUPTED' OR EXISTS (SELECT 1 FROM licenses l "
        "    WHERE l.certificate = a.certificate AND a.certificate <> '' "
        "    AND l.offered_us BETWEEN a.started_us AND a.ended_us)))";

static int identify_work(struct sqlite3 *database, void *argument)
{
        struct identify *identify = argument;
        struct record *record = identify->record;
        int r = store_sql(database, history_row, identify,
                          "SELECT count(*) FILTER (WHERE result <> ''), "
                          "coalesce(max(attempt), 0) FROM attempts "
                          "WHERE order_id = ? AND unit = ? AND id < ?",
                          "tti", record->order, record->unit, identify->before);

        if (r >= 0)
                r = store_sql(database, last_row, identify,
                              "SELECT result FROM attempts WHERE order_id = ? AND unit = ? "
                              "AND id < ? AND result <> '' ORDER BY id DESC LIMIT 1",
                              "tti", record->order, record->unit, identify->before);
        if (r >= 0)
                r = store_sql(database, interrupted_row, identify, interrupted_sql, "tti",
                              record->order, record->unit, identify->before);
        if (r >= 0 && record->id)
                r = store_sql(database, NULL, NULL,
                              "UPDATE attempts SET unit = ?, certificate = ?, attempt = ? "
                              "WHERE id = ?",
                              "ttii", record->unit, record->certificate, (int64_t)record->attempt,
                              record->id);
        return r;
}

int records_identify(struct records *records, struct record *record,
                     struct unit_history *ret_history)
{
        struct identify identify = { .record = record,
                                     .before = record->id ? record->id : INT64_MAX };
        int r;

        INSIST(record->unit[0]);
        r = store_transact(records->store, identify_work, &identify);
        if (r < 0)
                return r;
        *ret_history = identify.history;
        return 0;
}

/* --- closing ------------------------------------------------------------------------------- */

/* Write the result, chain it, and work out what it changes in the counts. */
static int close_record(struct sqlite3 *database, struct records *records, struct closing *closing)
{
        struct record *record = closing->record;
        struct lot_counts before = { 0 }, after = { 0 };
        int r = counts_of_unit(database, record, &before);

        if (r >= 0)
                r = store_sql(database, NULL, NULL,
                              "UPDATE attempts SET unit = ?, certificate = ?, attempt = ?, "
                              "probe = ?, ended_us = ?, result = ?, fault = ?, step = ?, "
                              "sentence = ?, license_was_in_hand = ?, license_source = ? "
                              "WHERE id = ? AND result = ''",
                              "ttitittttiti", record->unit, record->certificate,
                              (int64_t)record->attempt, record->probe, (int64_t)record->ended_us,
                              result_name(record->result), record->fault, record->step,
                              record->sentence, (int64_t)record->license_was_in_hand,
                              record->license_source, record->id);
        if (r >= 0 && sqlite3_changes(database) != 1)
                r = fault(FAULT_STORE, "attempt %lld is not open", (long long)record->id);
        if (r >= 0)
                r = chain_append(database, records->station, record->id, &closing->sequence);
        if (r >= 0)
                r = counts_of_unit(database, record, &after);
        if (r >= 0)
                closing->difference = counts_subtract(&after, &before);
        return r;
}

static int close_work(struct sqlite3 *database, void *argument)
{
        struct closing *closing = argument;

        return close_record(database, closing->records, closing);
}

int records_close_attempt(struct records *records, struct record *record)
{
        struct closing closing = { .records = records, .record = record };
        int r;

        INSIST(record->id > 0 && record->result != RESULT_NONE);
        record->ended_us = clock_calendar_us();
        r = store_transact(records->store, close_work, &closing);
        if (r < 0)
                return r;
        records_apply(records, &closing);
        return 0;
}

/* --- recovering ---------------------------------------------------------------------------- */

static void copy_text(struct sqlite3_stmt *row, int column, char *text, size_t capacity)
{
        const char *value = (const char *)sqlite3_column_text(row, column);

        snprintf(text, capacity, "%s", value ? value : "");
}

static int open_row(struct sqlite3_stmt *row, void *context)
{
        struct record *record = context;

        record->id = sqlite3_column_int64(row, 0);
        copy_text(row, 1, record->order, sizeof(record->order));
        copy_text(row, 2, record->site, sizeof(record->site));
        copy_text(row, 3, record->probe, sizeof(record->probe));
        copy_text(row, 4, record->unit, sizeof(record->unit));
        copy_text(row, 5, record->certificate, sizeof(record->certificate));
        record->attempt = (unsigned)sqlite3_column_int64(row, 6);
        record->started_us = (uint64_t)sqlite3_column_int64(row, 7);
        return 0;
}

static int recover_work(struct sqlite3 *database, void *argument)
{
        struct closing *closing = argument;
        struct record *record = closing->record;
        int r = store_sql(
                database, open_row, record,
                "SELECT id, order_id, site, probe, unit, certificate, attempt, started_us "
                "FROM attempts WHERE result = '' ORDER BY id LIMIT 1",
                "");

        if (r < 0 || !record->id)
                return r;
        record->result = result_of(-FAULT_INTERRUPTED);
        snprintf(record->fault, sizeof(record->fault), "%s", fault_name(-FAULT_INTERRUPTED));
        snprintf(record->sentence, sizeof(record->sentence),
                 "the station stopped during the attempt; found open at the next start");
        r = close_record(database, closing->records, closing);
        return r < 0 ? r : 1;
}

int records_recover(struct records *records)
{
        int count = 0;

        for (;;) {
                struct record record = { .ended_us = clock_calendar_us() };
                struct closing closing = { .records = records, .record = &record };
                int r = store_transact(records->store, recover_work, &closing);

                if (r < 0)
                        return r;
                if (r == 0)
                        return count;
                records_apply(records, &closing);
                count++;
        }
}

/* --- the room ------------------------------------------------------------------------------ */

int records_open(struct store *store, const char *station, struct records **ret_records)
{
        struct records *records = calloc(1, sizeof(*records));

        INSIST(records);
        records->store = store;
        snprintf(records->station, sizeof(records->station), "%s", station);
        *ret_records = records;
        return 0;
}

struct records *records_close(struct records *records)
{
        free(records);
        return NULL;
}
