/*
 * store.h - the one database of the station (SQLite, WAL, synchronous=FULL), on its own thread.
 *
 * Callers hand over a function that speaks SQL; calls that arrive while a commit runs share the
 * next one (group commit): the first waiting fiber leads, the others follow. A function that fails
 * is rolled back to its savepoint and does not hurt its companions.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

struct sqlite3;
struct store;

/* Open or make DIRECTORY/station.db, 0600; check its integrity and version, make the tables
 * (waits). -FAULT_STORE  names the file and SQLite's words */
int store_open(const char *directory, struct store **ret_store) MUST_USE;
struct store *store_close(struct store *store);

/* Open DIRECTORY/station.db to look at it only, from any process, while gangwayd runs or not
 * (waits). It shows the database as it stands at this call; what is written later is not seen.
 * Creates nothing, changes nothing: `work` that writes fails. store_close ends it.
 *      -FAULT_NOT_FOUND  no database there
 *      -FAULT_STORE      not ours, of another version, or gangwayd was started meanwhile: ask again */
int store_look(const char *directory, struct store **ret_store) MUST_USE;

/* Run `work` inside a transaction and return when it is on disk (waits). `work` runs on the store's
 * thread: it touches `argument` and the database only, never waits, and returns 0 or a fault. */
int store_transact(struct store *store, int (*work)(struct sqlite3 *database, void *argument),
                   void *argument) MUST_USE;

/* Helpers for `work`: run one statement with text/integer/blob arguments by a format string of
 * 't' (const char *), 'i' (int64_t), 'b' (const void *, size_t). Rows go to `row` (may be NULL).
 *      -FAULT_STORE */
struct sqlite3_stmt;
int store_sql(struct sqlite3 *database, int (*row)(struct sqlite3_stmt *, void *), void *context,
              const char *sql, const char *format, ...) MUST_USE;

/* Commits and transactions so far, to show how they group. */
void store_counts(const struct store *store, uint64_t *ret_commits, uint64_t *ret_transactions);
