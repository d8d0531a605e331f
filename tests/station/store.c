/* The store: durable before it returns, grouped under load, one member's failure its own. */
#include "tests/support/test.h"

#include "scheduler/fiber.h"
#include "station/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int number_row(struct sqlite3_stmt *row, void *context)
{
        *(int64_t *)context = sqlite3_column_int64(row, 0);
        return 0;
}

static int put_meta(struct sqlite3 *database, void *argument)
{
        return store_sql(database, NULL, NULL, "INSERT INTO meta (key, value) VALUES (?, 'x')", "t",
                         (const char *)argument);
}

static int count_meta(struct sqlite3 *database, void *argument)
{
        return store_sql(database, number_row, argument, "SELECT count(*) FROM meta", "");
}

static int64_t metas(struct store *store)
{
        int64_t count = -1;

        assert_int_equal(store_transact(store, count_meta, &count), 0);
        return count;
}

static struct store *fresh(const char *directory)
{
        struct store *store;

        assert_int_equal(store_open(directory, &store), 0);
        return store;
}

/* --- opening ------------------------------------------------------------------------------- */

static unsigned mode_of(const char *directory, const char *name)
{
        struct stat status;
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        assert_int_equal(stat(path, &status), 0);
        return status.st_mode & 0777;
}

static int open_and_look(void *subject)
{
        char directory[256];
        struct store *store;

        snprintf(directory, sizeof(directory), "%s/data", (const char *)subject);
        store = fresh(directory);
        assert_int_equal(store_transact(store, put_meta, (void *)(uintptr_t) "kept"), 0);
        assert_int_equal(mode_of(directory, "station.db"), 0600);
        assert_int_equal(mode_of(directory, "station.db-wal"), 0600);
        assert_int_equal(mode_of(directory, "station.db-shm"), 0600);
        assert_null(store_close(store));
        store = fresh(directory);
        assert_int_equal(metas(store), 1);
        assert_null(store_close(store));
        assert_null(store_close(NULL));
        return 0;
}

static void a_store_is_made_private_and_found_again(void **state)
{
        mode_t mask = umask(0);

        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, open_and_look,
                                       (void *)(uintptr_t)test_directory()),
                         0);
        umask(mask);
}

static void run_sql(const char *path, const char *sql)
{
        sqlite3 *database;

        assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static int open_bad(void *subject)
{
        const char *directory = subject;
        struct store *store;
        char path[256], missing[256];
        FILE *file;

        snprintf(path, sizeof(path), "%s/station.db", directory);
        snprintf(missing, sizeof(missing), "%s/no/such", directory);
        assert_fault(store_open(missing, &store), STORE, "no/such cannot be made");

        run_sql(path, "CREATE TABLE recipes (name)");
        assert_fault(store_open(directory, &store), STORE, "not a Gangway database");
        unlink(path);

        store_close(fresh(directory));
        run_sql(path, "PRAGMA user_version = 99");
        assert_fault(store_open(directory, &store), STORE,
                     "schema version 99, this program knows 1 to 2");
        unlink(path);

        file = fopen(path, "w");
        for (int i = 0; i < 5000; i++)
                fputs("no database", file);
        fclose(file);
        assert_fault(store_open(directory, &store), STORE, "file is not a database");
        unlink(path);

        assert_int_equal(symlink("/tmp/elsewhere", path), 0);
        assert_fault(store_open(directory, &store), STORE, "cannot be opened");
        return 0;
}

static void what_is_not_ours_is_refused_by_name(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, open_bad, (void *)(uintptr_t)test_directory()), 0);
}

static int open_damaged(void *subject)
{
        const char *directory = subject;
        struct store *store = fresh(directory);
        char path[256];
        FILE *file;

        store_close(store);
        snprintf(path, sizeof(path), "%s/station.db", directory);
        file = fopen(path, "r+");
        assert_non_null(file);
        fseek(file, 4096 + 100, SEEK_SET);
        for (int i = 0; i < 8192; i++)
                fputc(0xA5, file);
        fclose(file);
        assert_fault(store_open(directory, &store), STORE, "station.db");
        return 0;
}

static void a_damaged_file_is_seen_at_opening(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, open_damaged, (void *)(uintptr_t)test_directory()),
                0);
}

/* --- grouping ------------------------------------------------------------------------------ */

#define FIBERS 32
#define EACH   20

struct crowd {
        struct store *store;
        unsigned index, failures;
};

static int put_number(struct sqlite3 *database, void *argument)
{
        char text[32];

        snprintf(text, sizeof(text), "%u", *(unsigned *)argument);
        return put_meta(database, text);
}

static int one_of_many(void *subject)
{
        struct crowd *crowd = subject;

        for (unsigned i = 0; i < EACH; i++) {
                unsigned number = crowd->index * EACH + i;

                if (store_transact(crowd->store, put_number, &number) < 0)
                        crowd->failures++;
        }
        return 0;
}

static int many(void *subject)
{
        struct store *store = fresh(subject);
        struct crowd crowd[FIBERS];
        struct fiber *fibers[FIBERS];
        uint64_t commits, transactions;

        for (unsigned i = 0; i < FIBERS; i++) {
                crowd[i] = (struct crowd){ store, i, 0 };
                fibers[i] = fiber_spawn("one of many", one_of_many, &crowd[i]);
        }
        for (unsigned i = 0; i < FIBERS; i++) {
                assert_int_equal(fiber_join(fibers[i]), 0);
                assert_int_equal(crowd[i].failures, 0);
        }
        store_counts(store, &commits, &transactions);
        assert_int_equal(transactions, FIBERS * EACH);
        printf("# %u transactions in %u commits\n", (unsigned)transactions, (unsigned)commits);
        /* All that came while one commit ran share the next: about one commit for each of EACH. */
        assert_true(commits < FIBERS * EACH / 4);
        assert_int_equal(metas(store), FIBERS * EACH);
        store_close(store);
        return 0;
}

static void many_fibers_share_few_commits(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, many, (void *)(uintptr_t)test_directory()), 0);
}

static void the_same_holds_under_virtual_time(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_VIRTUAL, 1, many, (void *)(uintptr_t)test_directory()), 0);
}

/* --- failing ------------------------------------------------------------------------------- */

static int put_then_fail(struct sqlite3 *database, void *argument)
{
        int r = put_meta(database, argument);

        return r < 0 ? r : fault(FAULT_DUPLICATE, "the member called %s fails", (char *)argument);
}

struct member {
        struct store *store;
        const char *name;
        int result;
        bool has_own_sentence;
};

/* Names that start with "bad" fail after their insertion. */
static int one_member(void *subject)
{
        struct member *member = subject;
        bool is_bad = strncmp(member->name, "bad", 3) == 0;

        member->result = store_transact(member->store, is_bad ? put_then_fail : put_meta,
                                        (void *)(uintptr_t)member->name);
        member->has_own_sentence =
                member->result < 0 && strstr(fault_sentence(member->result), member->name);
        return 0;
}

static void run_members(struct store *store, struct member *members, unsigned count)
{
        struct fiber *fibers[8];

        for (unsigned i = 0; i < count; i++) {
                members[i].store = store;
                fibers[i] = fiber_spawn(members[i].name, one_member, &members[i]);
        }
        for (unsigned i = 0; i < count; i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
}

static int bad_among_good(void *subject)
{
        struct store *store = fresh(subject);
        struct member members[] = { { .name = "good 1" },
                                    { .name = "bad 1" },
                                    { .name = "good 2" },
                                    { .name = "bad 2" },
                                    { .name = "good 3" } };
        uint64_t commits, transactions;

        run_members(store, members, 5);
        store_counts(store, &commits, &transactions);
        assert_int_equal(commits, 1); /* they were one batch */
        assert_int_equal(transactions, 5);
        for (unsigned i = 0; i < 5; i++) {
                bool is_bad = i % 2;

                assert_int_equal(members[i].result, is_bad ? -FAULT_DUPLICATE : 0);
                assert_int_equal(members[i].has_own_sentence, is_bad);
        }
        assert_int_equal(metas(store), 3);
        store_close(store);
        return 0;
}

static void a_member_that_fails_hurts_nobody_else(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, bad_among_good,
                                       (void *)(uintptr_t)test_directory()),
                         0);
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, bad_among_good,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

/* A deferred foreign key fails at COMMIT, the one place where all members fall together. */
static int break_commit(struct sqlite3 *database, void *argument)
{
        (void)argument;
        assert_int_equal(sqlite3_exec(database, "PRAGMA defer_foreign_keys = ON", NULL, NULL, NULL),
                         SQLITE_OK);
        return store_sql(database, NULL, NULL,
                         "INSERT INTO chain (sequence, attempt, station, previous, hash) "
                         "VALUES (1, 999, '', '', '')",
                         "");
}

static int broken_member(void *subject)
{
        struct member *member = subject;

        member->result = store_transact(member->store, break_commit, NULL);
        return 0;
}

static int commit_fails(void *subject)
{
        struct store *store = fresh(subject);
        struct member good = { store, "good", 0, false }, bad = { store, "breaks", 0, false };
        struct fiber *first = fiber_spawn("good", one_member, &good);
        struct fiber *second = fiber_spawn("breaks", broken_member, &bad);

        assert_int_equal(fiber_join(first), 0);
        assert_int_equal(fiber_join(second), 0);
        assert_int_equal(good.result, -FAULT_STORE);
        assert_int_equal(bad.result, -FAULT_STORE);
        assert_int_equal(metas(store), 0);
        assert_int_equal(store_transact(store, put_meta, (void *)(uintptr_t) "later"), 0);
        assert_int_equal(metas(store), 1);
        store_close(store);
        return 0;
}

static void a_commit_that_fails_fails_every_member(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, commit_fails, (void *)(uintptr_t)test_directory()),
                0);
}

static int bad_sql(void *subject)
{
        struct store *store = fresh(subject);

        assert_int_equal(store_transact(store, put_meta, (void *)(uintptr_t) "twice"), 0);
        assert_fault(store_transact(store, put_meta, (void *)(uintptr_t) "twice"), STORE,
                     "UNIQUE constraint failed: meta.key");
        assert_fault(store_transact(store, put_meta, NULL), STORE, "NOT NULL constraint");
        assert_int_equal(metas(store), 1);
        store_close(store);
        return 0;
}

static void the_sentence_has_sqlites_words(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, bad_sql, (void *)(uintptr_t)test_directory()), 0);
}

/* --- cancelling ---------------------------------------------------------------------------- */

struct cancelled {
        struct store *store;
        int result, next_wait;
};

static int to_be_cancelled(void *subject)
{
        struct cancelled *cancelled = subject;

        cancelled->result = store_transact(cancelled->store, put_meta, (void *)(uintptr_t) "kept");
        cancelled->next_wait = fiber_yield();
        return 0;
}

static int cancel_one(void *subject)
{
        struct cancelled cancelled = { .store = fresh(subject) };
        struct member other = { .store = cancelled.store, .name = "other" };
        struct fiber *leads = fiber_spawn("other", one_member, &other);
        struct fiber *fiber = fiber_spawn("cancelled", to_be_cancelled, &cancelled);

        assert_int_equal(fiber_yield(), 0);
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), 0);
        assert_int_equal(fiber_join(leads), 0);
        assert_int_equal(cancelled.result, 0);
        assert_int_equal(cancelled.next_wait, -FAULT_CANCELLED);
        assert_int_equal(metas(cancelled.store), 2);
        store_close(cancelled.store);
        return 0;
}

static void a_cancelled_caller_still_gets_its_commit(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, cancel_one, (void *)(uintptr_t)test_directory()),
                0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_store_is_made_private_and_found_again),
                cmocka_unit_test(what_is_not_ours_is_refused_by_name),
                cmocka_unit_test(a_damaged_file_is_seen_at_opening),
                cmocka_unit_test(many_fibers_share_few_commits),
                cmocka_unit_test(the_same_holds_under_virtual_time),
                cmocka_unit_test(a_member_that_fails_hurts_nobody_else),
                cmocka_unit_test(a_commit_that_fails_fails_every_member),
                cmocka_unit_test(the_sentence_has_sqlites_words),
                cmocka_unit_test(a_cancelled_caller_still_gets_its_commit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
