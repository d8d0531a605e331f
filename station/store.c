/*
 * store.c - group commit, told as a queue at a ferry.
 *
 * A caller joins the pending list. When no ferry is out, the first one in the list leads: it lets
 * the others that are ready join (one yield), takes the whole list and runs it as one job on the
 * store's thread: BEGIN, each member's work inside a savepoint of its own, COMMIT. Callers that
 * come meanwhile form the next batch. Back on the loop the leader tells its companions, hands the
 * lead to the first of the next batch, and returns; so nobody leads twice for others. An fsync is
 * thus paid once a batch: 16 sites cost about as much as one (limits.md, "Web and store").
 *
 * Only the store's thread touches the database. The members live on their callers' stacks, which
 * stay where they are: a call never returns before its batch is done, even when cancelled; the
 * cancel is given back to the fiber and reported at its next wait (the rule of workers.h).
 */
#include "station/store.h"

#include "scheduler/fiber.h"
#include "scheduler/workers.h"
#include "station/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Another process (the `sqlite3` shell, a backup) may hold the lock for a moment. */
#define BUSY_TIMEOUT_MS 5000

#define SENTENCE_MAX 512

/* One caller of store_transact, on its stack. */
struct member {
        struct member *next;
        int (*work)(struct sqlite3 *database, void *argument);
        void *argument;
        int result;
        char sentence[SENTENCE_MAX];
        bool is_done, leads;
        struct waitlist turn;
};

struct store {
        sqlite3 *database; /* the store thread's */
        struct workers *workers;
        char path[512];

        bool is_look;      /* read only, one snapshot: a transaction that never ends */
        bool is_immutable; /* a look at a database that nobody has open */

        struct member *pending, **pending_end;
        bool is_led; /* somebody leads: is about to run a batch, or runs it */
        uint64_t commits, transactions;
};

struct batch {
        const struct store *store;
        sqlite3 *database;
        struct member *members;
};

/* --- speaking SQL -------------------------------------------------------------------------- */

static int store_fault(sqlite3 *database, const char *sql)
{
        const char *path = sqlite3_db_filename(database, "main");

        return fault(FAULT_STORE, "%s: %s (SQLite %d) at \"%.80s\"", path ? path : "the store",
                     sqlite3_errmsg(database), sqlite3_extended_errcode(database), sql);
}

static int execute(sqlite3 *database, const char *sql)
{
        if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
                return store_fault(database, sql);
        return 0;
}

/* One argument of `format` to position `index`. Bound without a copy: the statement ends before
 * the caller's values do. */
static int bind(sqlite3_stmt *statement, int index, char kind, va_list *arguments)
{
        const void *blob;
        size_t length;

        INSIST(kind == 't' || kind == 'i' || kind == 'b');
        switch (kind) {
        case 't':
                return sqlite3_bind_text(statement, index, va_arg(*arguments, const char *), -1,
                                         SQLITE_STATIC);
        case 'i':
                return sqlite3_bind_int64(statement, index, va_arg(*arguments, int64_t));
        default:
                blob = va_arg(*arguments, const void *);
                length = va_arg(*arguments, size_t);
                return sqlite3_bind_blob64(statement, index, blob, length, SQLITE_STATIC);
        }
}

static int step_rows(sqlite3 *database, sqlite3_stmt *statement, const char *sql,
                     int (*row)(struct sqlite3_stmt *, void *), void *context)
{
        int r;

        while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
                r = row ? row(statement, context) : 0;
                if (r < 0)
                        return r;
        }
        return r == SQLITE_DONE ? 0 : store_fault(database, sql);
}

int store_sql(struct sqlite3 *database, int (*row)(struct sqlite3_stmt *, void *), void *context,
              const char *sql, const char *format, ...)
{
        sqlite3_stmt *statement = NULL;
        va_list arguments;
        int r = SQLITE_OK;

        if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
                return store_fault(database, sql);
        INSIST(sqlite3_bind_parameter_count(statement) == (int)strlen(format));
        va_start(arguments, format);
        for (int i = 0; format[i] && r == SQLITE_OK; i++)
                r = bind(statement, i + 1, format[i], &arguments);
        va_end(arguments);
        r = r == SQLITE_OK ? step_rows(database, statement, sql, row, context)
                           : store_fault(database, sql);
        sqlite3_finalize(statement);
        return r;
}

/* --- a batch, on the store's thread -------------------------------------------------------- */

static void member_fail(struct member *member, int result)
{
        member->result = result;
        snprintf(member->sentence, sizeof(member->sentence), "%s", fault_sentence(result));
}

/* Run one member inside its savepoint. Negative only when the transaction itself cannot go on. */
static int member_run(sqlite3 *database, struct member *member)
{
        int r = execute(database, "SAVEPOINT member");

        if (r < 0)
                return r;
        member->result = member->work(database, member->argument);
        if (member->result >= 0)
                return execute(database, "RELEASE member");
        member_fail(member, member->result);
        /* Some failures (a full disk) make SQLite roll back everything by itself. */
        if (sqlite3_get_autocommit(database))
                return fault(FAULT_STORE, "%s", member->sentence);
        return execute(database, "ROLLBACK TO member; RELEASE member");
}

/* A look taken without locks is good only while nobody writes: a log beside the file says that
 * somebody came. */
static int check_look(const struct store *store)
{
        char path[sizeof(store->path) + 8];

        if (!store->is_immutable)
                return 0;
        snprintf(path, sizeof(path), "%s-wal", store->path);
        if (access(path, F_OK) < 0)
                return 0;
        return fault(FAULT_STORE, "%s was opened by another program meanwhile; ask again",
                     store->path);
}

static int members_run(const struct batch *batch)
{
        bool is_look = batch->store->is_look;
        int r = is_look ? 0 : execute(batch->database, "BEGIN IMMEDIATE");

        for (struct member *m = batch->members; m && r >= 0; m = m->next)
                r = member_run(batch->database, m);
        if (r < 0)
                return r;
        return is_look ? check_look(batch->store) : execute(batch->database, "COMMIT");
}

/* The job. Where the batch as a whole fails, so has every member that believed in success. */
static int batch_run(void *argument)
{
        const struct batch *batch = argument;
        char sentence[SENTENCE_MAX];
        int r = members_run(batch);

        if (r >= 0)
                return 0;
        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        if (!batch->store->is_look && !sqlite3_get_autocommit(batch->database))
                (void)execute(batch->database, "ROLLBACK"); /* nothing is left to be said */
        for (struct member *m = batch->members; m; m = m->next) {
                if (m->result >= 0)
                        member_fail(m, fault(FAULT_STORE, "%s", sentence));
        }
        return 0;
}

/* --- the queue, on the loop ---------------------------------------------------------------- */

/* Wait until the batch is done or the lead is ours. True when a cancel came meanwhile. */
static bool member_wait(struct member *member)
{
        bool was_cancelled = false;

        while (!member->is_done && !member->leads) {
                if (waitlist_wait(&member->turn, WAIT_FOREVER) == -FAULT_CANCELLED)
                        was_cancelled = true;
        }
        return was_cancelled;
}

/* Run everything pending as one batch, ours included; then give the lead away. */
static bool store_lead(struct store *store)
{
        bool was_cancelled = fiber_yield() < 0;
        struct batch batch = { store, store->database, store->pending };
        struct member *next;

        store->pending = NULL;
        store->pending_end = &store->pending;
        (void)workers_run(store->workers, batch_run, &batch); /* each member has its own result */
        store->commits++;
        for (struct member *m = batch.members; m; m = next) {
                next = m->next; /* it may be gone once it is awake */
                store->transactions++;
                m->is_done = true;
                waitlist_wake(&m->turn);
        }
        if (store->pending) {
                store->pending->leads = true;
                waitlist_wake(&store->pending->turn);
        } else {
                store->is_led = false;
        }
        return was_cancelled;
}

int store_transact(struct store *store, int (*work)(struct sqlite3 *database, void *argument),
                   void *argument)
{
        struct member member = { .work = work, .argument = argument };
        bool was_cancelled;

        /* the member stays where it is until its batch is done */
        *store->pending_end = &member;     /* cppcheck-suppress autoVariables */
        store->pending_end = &member.next; /* cppcheck-suppress autoVariables */
        member.leads = !store->is_led;
        store->is_led = true;
        was_cancelled = member_wait(&member);
        if (!member.is_done)
                was_cancelled |= store_lead(store);
        if (was_cancelled)
                fiber_cancel(fiber_self());
        if (member.result < 0)
                return fault((enum fault)(-member.result), "%s", member.sentence);
        return member.result;
}

void store_counts(const struct store *store, uint64_t *ret_commits, uint64_t *ret_transactions)
{
        *ret_commits = store->commits;
        *ret_transactions = store->transactions;
}

/* --- opening ------------------------------------------------------------------------------- */

static int read_integer(struct sqlite3_stmt *row, void *context)
{
        *(int64_t *)context = sqlite3_column_int64(row, 0);
        return 0;
}

static int expect_wal(struct sqlite3_stmt *row, void *context)
{
        const char *mode = (const char *)sqlite3_column_text(row, 0);

        if (mode && strcmp(mode, "wal") == 0)
                return 0;
        return fault(FAULT_STORE,
                     "%s: its file system cannot hold a write-ahead log; put the data directory on "
                     "a local disk",
                     (const char *)context);
}

static int expect_ok(struct sqlite3_stmt *row, void *context)
{
        const char *words = (const char *)sqlite3_column_text(row, 0);

        if (words && strcmp(words, "ok") == 0)
                return 0;
        return fault(FAULT_STORE, "%s is damaged: %.200s; restore it from a copy",
                     (const char *)context, words ? words : "no words");
}

/* The file exists with mode 0600 before SQLite sees it; its log and index take the mode over
 * (SQLite copies the database's permissions to them), so no umask is touched. */
static int prepare_file(const char *path)
{
        int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        int r = 0;

        if (descriptor < 0)
                return fault(FAULT_STORE, "%s cannot be opened: %s", path, strerror(errno));
        if (fchmod(descriptor, 0600) < 0)
                r = fault(FAULT_STORE, "%s: its mode cannot be set: %s", path, strerror(errno));
        close(descriptor);
        return r;
}

static int make_tables(sqlite3 *database)
{
        char sql[96];
        int r = execute(database, schema_sql);

        snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 SCHEMA_APPLICATION, SCHEMA_VERSION);
        return r < 0 ? r : execute(database, sql);
}

/* From an earlier version to ours, step by step, in the transaction that opens the file. */
static int migrate(sqlite3 *database, int64_t version)
{
        char sql[64];
        int r = 0;

        for (; version < SCHEMA_VERSION && r >= 0; version++)
                r = execute(database, schema_steps[version - 1]);
        snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", SCHEMA_VERSION);
        return r < 0 ? r : execute(database, sql);
}

/* Make the tables in an empty file; refuse a stranger's file and a later version's. */
static int check_version(struct store *store)
{
        int64_t application = 0, version = 0, tables = 0;
        int r = store_sql(store->database, read_integer, &application, "PRAGMA application_id", "");

        if (r >= 0)
                r = store_sql(store->database, read_integer, &version, "PRAGMA user_version", "");
        if (r >= 0)
                r = store_sql(store->database, read_integer, &tables,
                              "SELECT count(*) FROM sqlite_schema", "");
        if (r < 0)
                return r;
        if (application == 0 && version == 0 && tables == 0 && !store->is_look)
                return make_tables(store->database);
        if (application != SCHEMA_APPLICATION)
                return fault(FAULT_STORE, "%s is not a Gangway database; move it away",
                             store->path);
        if (version < 1 || version > SCHEMA_VERSION)
                return fault(FAULT_STORE,
                             "%s has schema version %lld, this program knows 1 to %d; use the "
                             "Gangway that wrote it, or a later one",
                             store->path, (long long)version, SCHEMA_VERSION);
        if (version == SCHEMA_VERSION)
                return 0;
        if (store->is_look)
                return fault(FAULT_STORE,
                             "%s has schema version %lld, wanted %d; start gangwayd once, which "
                             "brings it up to date",
                             store->path, (long long)version, SCHEMA_VERSION);
        return migrate(store->database, version);
}

static int set_up(struct store *store)
{
        sqlite3 *database = store->database;
        int r;

        (void)sqlite3_busy_timeout(database, BUSY_TIMEOUT_MS);
        r = store_sql(database, expect_ok, store->path, "PRAGMA quick_check(1)", "");
        if (r >= 0)
                r = store_sql(database, expect_wal, store->path, "PRAGMA journal_mode = WAL", "");
        if (r >= 0)
                r = execute(database, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                                      "PRAGMA trusted_schema = OFF; BEGIN IMMEDIATE");
        if (r < 0)
                return r;
        r = check_version(store);
        if (r >= 0)
                return execute(database, "COMMIT");
        (void)sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL); /* the cause is kept */
        return r;
}

static int open_job(void *argument)
{
        struct store *store = argument;
        int r = prepare_file(store->path);

        if (r < 0)
                return r;
        if (sqlite3_open_v2(store->path, &store->database,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                            NULL) != SQLITE_OK)
                return fault(FAULT_STORE, "%s cannot be opened: %s", store->path,
                             store->database ? sqlite3_errmsg(store->database) : "no memory");
        return set_up(store);
}

static int close_job(void *argument)
{
        struct store *store = argument;

        INSIST(sqlite3_close(store->database) == SQLITE_OK); /* no statement is left open */
        return 0;
}

/* --- looking ------------------------------------------------------------------------------- */

/* The path as a URI: '%', '?' and '#' mean something there (sqlite.org/uri.html section 3). */
static void make_uri(const struct store *store, char *uri, size_t capacity)
{
        size_t at = (size_t)snprintf(uri, capacity, "file:");

        for (const char *c = store->path; *c && at + 40 < capacity; c++)
                at += (size_t)snprintf(uri + at, capacity - at, strchr("%?#", *c) ? "%%%02X" : "%c",
                                       *c);
        snprintf(uri + at, capacity - at, "?mode=ro%s", store->is_immutable ? "&immutable=1" : "");
}

/* A database with a log beside it is open somewhere, or was left by a crash: it is read together
 * with the log, under SQLite's locks, which lie in a file that is there already. Without a log
 * SQLite would make one even to read (sqlite.org/wal.html, "Read-Only Databases"), so then the file
 * is taken for immutable, and check_look() sees to it that it was. */
static int look_job(void *argument)
{
        struct store *store = argument;
        char uri[3 * sizeof(store->path) + 64], log[sizeof(store->path) + 8];
        int r;

        if (access(store->path, R_OK) < 0)
                return fault_errno(errno, "%s", store->path);
        snprintf(log, sizeof(log), "%s-wal", store->path);
        store->is_immutable = access(log, F_OK) < 0;
        make_uri(store, uri, sizeof(uri));
        if (sqlite3_open_v2(uri, &store->database,
                            SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                                    SQLITE_OPEN_EXRESCODE,
                            NULL) != SQLITE_OK)
                return fault(FAULT_STORE, "%s cannot be opened: %s", store->path,
                             store->database ? sqlite3_errmsg(store->database) : "no memory");
        (void)sqlite3_busy_timeout(store->database, BUSY_TIMEOUT_MS);
        r = execute(store->database, "PRAGMA trusted_schema = OFF; BEGIN");
        if (r >= 0)
                r = check_version(store); /* the first read: from here on it is one snapshot */
        return r < 0 ? r : check_look(store);
}

/* --- the store ----------------------------------------------------------------------------- */

static int make_directory(const char *directory)
{
        if (mkdir(directory, 0700) < 0 && errno != EEXIST)
                return fault(FAULT_STORE, "%s cannot be made: %s", directory, strerror(errno));
        return 0;
}

static int open_with(const char *directory, int (*job)(void *), bool is_look,
                     struct store **ret_store)
{
        struct store *store = calloc(1, sizeof(*store));
        int r;

        INSIST(store);
        store->pending_end = &store->pending;
        store->is_look = is_look;
        r = snprintf(store->path, sizeof(store->path), "%s/station.db", directory);
        if (r >= (int)sizeof(store->path))
                r = fault(FAULT_STORE, "the name of the data directory is too long: %.100s...",
                          directory);
        else
                r = is_look ? 0 : make_directory(directory);
        if (r >= 0)
                r = workers_create("store", 1, NULL, &store->workers);
        if (r >= 0)
                r = workers_run(store->workers, job, store);
        if (r < 0) {
                store_close(store);
                return r;
        }
        *ret_store = store;
        return 0;
}

int store_open(const char *directory, struct store **ret_store)
{
        return open_with(directory, open_job, false, ret_store);
}

int store_look(const char *directory, struct store **ret_store)
{
        return open_with(directory, look_job, true, ret_store);
}

struct store *store_close(struct store *store)
{
        if (!store)
                return NULL;
        INSIST(!store->is_led && !store->pending);
        if (store->database)
                (void)workers_run(store->workers, close_job, store);
        workers_destroy(store->workers);
        free(store);
        return NULL;
}
