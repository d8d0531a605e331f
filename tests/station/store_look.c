/* Looking at a store from outside: one moment of it, and not a byte changed, whoever has it open. */
#include "tests/support/test.h"

#include "crypto/digest.h"
#include "scheduler/file.h"
#include "station/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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

static void put(struct store *store, const char *key)
{
        assert_int_equal(store_transact(store, put_meta, (void *)(uintptr_t)key), 0);
}

/* Which files there are, and what is in all but the -shm, which is scratch. */
struct picture {
        uint8_t digests[2][DIGEST_LENGTH];
        bool has[3];
};

static struct picture take_picture(const char *directory)
{
        static const char *const names[] = { "station.db", "station.db-wal", "station.db-shm" };
        struct picture picture = { 0 };
        char path[512];

        for (unsigned i = 0; i < LENGTH_OF(names); i++) {
                struct bytes bytes CLEANUP(bytes_free) = { 0 };

                snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
                picture.has[i] = access(path, F_OK) == 0;
                if (!picture.has[i] || i == 2)
                        continue;
                assert_int_equal(file_read(path, 1 << 24, &bytes), 0);
                digest_sha256(bytes.data, bytes.length, picture.digests[i]);
        }
        return picture;
}

/* Look, check that `wanted` rows are seen and that nothing may be written, close. */
static void look(const char *directory, int64_t wanted)
{
        struct picture before = take_picture(directory), after;
        struct store *seen;

        assert_int_equal(store_look(directory, &seen), 0);
        assert_int_equal(metas(seen), wanted);
        assert_fault(store_transact(seen, put_meta, (void *)(uintptr_t) "never"), STORE,
                     "readonly");
        assert_int_equal(metas(seen), wanted);
        assert_null(store_close(seen));
        after = take_picture(directory);
        assert_memory_equal(&before, &after, sizeof(before));
}

static int look_open_and_closed(void *subject)
{
        const char *directory = subject;
        struct store *store;

        assert_int_equal(store_open(directory, &store), 0);
        put(store, "one");
        look(directory, 1); /* open: with its log */
        put(store, "two");
        look(directory, 2);
        assert_null(store_close(store));
        look(directory, 2); /* closed: the file alone */
        assert_int_equal(store_open(directory, &store), 0);
        put(store, "three");
        assert_null(store_close(store));
        look(directory, 3);
        return 0;
}

static void looking_changes_nothing_and_leaves_nothing(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, look_open_and_closed,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

static int look_while_written(void *subject)
{
        const char *directory = subject;
        struct store *store, *seen;

        assert_int_equal(store_open(directory, &store), 0);
        put(store, "one");
        assert_int_equal(store_look(directory, &seen), 0);
        put(store, "two");
        assert_int_equal(metas(seen), 1); /* as it stood */
        put(store, "three");
        assert_int_equal(metas(seen), 1);
        assert_int_equal(metas(store), 3);
        assert_null(store_close(seen));
        assert_null(store_close(store));
        return 0;
}

static void a_look_is_one_moment_while_the_station_writes_on(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, look_while_written,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

static int look_then_open(void *subject)
{
        const char *directory = subject;
        struct store *store, *seen;
        int64_t count;

        assert_int_equal(store_open(directory, &store), 0);
        assert_null(store_close(store));
        assert_int_equal(store_look(directory, &seen), 0);
        assert_int_equal(store_open(directory, &store), 0);
        put(store, "one");
        assert_fault(store_transact(seen, count_meta, &count), STORE, "ask again");
        assert_null(store_close(seen));
        assert_null(store_close(store));
        return 0;
}

static void a_look_without_locks_notices_who_came_meanwhile(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, look_then_open,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

static int write_and_die(void *subject)
{
        struct store *store;

        if (store_open(subject, &store) < 0 ||
            store_transact(store, put_meta, (void *)(uintptr_t) "one") < 0)
                _exit(1);
        _exit(0); /* nothing is closed: the log stays */
}

static int look_after_death(void *subject)
{
        look(subject, 1);
        return 0;
}

static void what_a_crash_left_in_the_log_is_seen(void **state)
{
        const char *directory = test_directory();
        pid_t child = fork();
        int status;

        (void)state;
        if (child == 0)
                _exit(test_on_fiber(LOOP_TIME_REAL, 0, write_and_die,
                                    (void *)(uintptr_t)directory));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, look_after_death, (void *)(uintptr_t)directory),
                0);
}

static void run_sql(const char *path, const char *sql)
{
        sqlite3 *database;

        assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(database);
}

static int look_at_others(void *subject)
{
        const char *directory = subject;
        char path[512], odd[512];
        struct store *store, *seen;

        assert_fault(store_look(directory, &seen), NOT_FOUND, "station.db");
        assert_fault(store_look("/nowhere", &seen), NOT_FOUND, "/nowhere");
        snprintf(path, sizeof(path), "%s/station.db", directory);
        run_sql(path, "CREATE TABLE other (x)");
        assert_fault(store_look(directory, &seen), STORE, "not a Gangway database");
        unlink(path);
        assert_int_equal(store_open(directory, &store), 0);
        assert_null(store_close(store));
        run_sql(path, "PRAGMA user_version = 1");
        assert_fault(store_look(directory, &seen), STORE, "start gangwayd once");
        run_sql(path, "PRAGMA user_version = 99");
        assert_fault(store_look(directory, &seen), STORE, "schema version 99");
        snprintf(odd, sizeof(odd), "%s/a?b%%20#c d", directory);
        assert_int_equal(store_open(odd, &store), 0);
        put(store, "one");
        look(odd, 1);
        assert_null(store_close(store));
        look(odd, 1);
        return 0;
}

static void what_cannot_be_looked_at_is_said(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, look_at_others,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(looking_changes_nothing_and_leaves_nothing),
                cmocka_unit_test(a_look_is_one_moment_while_the_station_writes_on),
                cmocka_unit_test(a_look_without_locks_notices_who_came_meanwhile),
                cmocka_unit_test(what_a_crash_left_in_the_log_is_seen),
                cmocka_unit_test(what_cannot_be_looked_at_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
