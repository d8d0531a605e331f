/*
 * kill.c - gangwayd killed with SIGKILL at 50 seeded moments, restarted each time.
 *
 * The bench lives in mapped files, so boards and cards survive as silicon would. At the end no attempt
 * is missing or doubled, the record chain holds, and every license that left a card is installed, in
 * hand, or lost with its name.
 */
#include "tests/support/line.h"
#include "tests/support/test.h"

#include "scheduler/chance.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 50, UNITS = 400, SITES = 16, CARDS = 2, COUNTER = 5000 };

static void write_station_file(const struct line *line)
{
        char directory[512];
        FILE *file = fopen(line_path(line, "gangway.conf"), "w");

        assert_non_null(getcwd(directory, sizeof(directory)));
        assert_non_null(file);
        fprintf(file,
                "station = \"kill\"; hardware = \"simulated\"; web_address = \"\";\n"
                "family_file = \"%s/configs/targets/stm32h75x.conf\";\n"
                "rss_profile_file = \"%s/configs/rss/reference-h7.conf\";\n"
                "card_profile_file = \"%s/configs/cards/reference.conf\";\n"
                "orders_directory = \"orders\"; data_directory = \"data\";\n"
                "clock_khz = 24000; settle_ms = 5; poll_ms = 5;\n"
                "simulated = { sites = %d; cards = %d; card_counter = %d; key_file = \"key.bin\";\n"
                "  nonce_file = \"nonce.bin\"; firmware_id = \"%s\"; handling_ms = 100;\n"
                "  speed = 0.02; directory = \"bench\"; };\n",
                directory, directory, directory, SITES, CARDS, COUNTER, LINE_FIRMWARE_ID);
        fclose(file);
        assert_int_equal(mkdir(line_path(line, "bench"), 0700), 0);
}

static pid_t start_daemon(const struct line *line)
{
        const char *build = getenv("GANGWAY_BUILD");
        char program[512], config[512];
        pid_t child;

        snprintf(program, sizeof(program), "%s/gangwayd", build ? build : "build");
        snprintf(config, sizeof(config), "%s", line_path(line, "gangway.conf"));
        fflush(stdout);
        child = fork();
        if (child == 0) {
                if (!freopen(line_path(line, "log"), "a", stdout) ||
                    !freopen(line_path(line, "log"), "a", stderr))
                        _exit(126);
                execl(program, program, "--config", config, "--exit-when-done", "--seed", "5",
                      NULL);
                _exit(127);
        }
        assert_true(child > 0);
        return child;
}

static void sleep_us(uint64_t us)
{
        struct timespec duration = { (time_t)(us / 1000000), (long)(us % 1000000 * 1000) };

        nanosleep(&duration, NULL);
}

/* 1 finished by itself, 0 killed. */
static int run_and_kill(const struct line *line, uint64_t after_us)
{
        pid_t child = start_daemon(line);
        int status;

        sleep_us(after_us);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
                fail_msg("gangwayd ended with %d, see its log", WEXITSTATUS(status));
        return WIFEXITED(status);
}

static void run_to_the_end(const struct line *line)
{
        pid_t child = start_daemon(line);
        int status;

        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                char *log = line_read(line_path(line, "log"));

                fail_msg("gangwayd ended with %x; its log ends:\n%s", status,
                         log + (strlen(log) > 3000 ? strlen(log) - 3000 : 0));
        }
}

/* What the books say, read on a loop of their own. */
struct books {
        const struct line *line;
        struct lot_counts counts;
        struct ledger_balance order, all, cards;
        int chained;
        char *lost;
};

static int read_books(void *subject)
{
        struct books *books = subject;
        char directory[512];
        struct store *store;
        struct ledger *ledger;
        struct records *records;

        snprintf(directory, sizeof(directory), "%s", line_path(books->line, "data"));
        assert_int_equal(store_open(directory, &store), 0);
        assert_int_equal(ledger_open(store, directory, &ledger), 0);
        assert_int_equal(records_open(store, "kill", &records), 0);
        books->chained = records_verify(records);
        assert_int_equal(records_count(records, "KILL", &books->counts), 0);
        assert_int_equal(ledger_balance(ledger, "KILL", NULL, &books->order), 0);
        assert_int_equal(ledger_balance(ledger, NULL, NULL, &books->all), 0);
        assert_int_equal(ledger_lost_text(ledger, NULL, &books->lost), 0);
        records_close(records);
        ledger_close(ledger);
        store_close(store);
        return 0;
}

static unsigned count_lines(const char *text)
{
        unsigned lines = 0;

        for (const char *c = text; *c; c++)
                lines += *c == '\n' || (c[1] == '\0' && *c != '\n');
        return lines;
}

static int64_t ask(const struct line *line, const char *sql)
{
        sqlite3_stmt *statement;
        sqlite3 *database;
        int64_t value;

        assert_int_equal(sqlite3_open_v2(line_path(line, "data/station.db"), &database,
                                         SQLITE_OPEN_READONLY, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        value = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(database);
        return value;
}

static void check_books(const struct line *line)
{
        struct books books = { .line = line };

        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, read_books, &books), 0);
        printf("# %u attempts, %u good; licenses issued %u = installed %u + in hand %u + lost %u\n",
               books.counts.attempts, books.counts.good, books.all.issued, books.all.installed,
               books.all.in_hand, books.all.lost);
        assert_int_equal(books.counts.good, UNITS);
        assert_int_equal(books.all.issued,
                         books.all.installed + books.all.in_hand + books.all.lost);
        assert_int_equal(books.all.pending, 0);
        assert_int_equal(books.order.issued,
                         books.order.installed + books.order.in_hand + books.order.lost);
        /* each lost one is named, and no more than the one in flight per card was lost at a kill */
        assert_int_equal(count_lines(books.lost), books.all.lost);
        assert_true(books.all.lost <= KILLS * CARDS);
        free(books.lost);
        /* the chain covers every attempt, and all are closed */
        assert_int_equal(books.chained, ask(line, "SELECT count(*) FROM attempts"));
        /* no unit passed twice, no attempt number was given twice */
        assert_int_equal(
                ask(line, "SELECT count(*) FROM (SELECT unit FROM attempts WHERE result = 'pass' "
                          "GROUP BY unit HAVING count(*) > 1)"),
                0);
        assert_int_equal(ask(line,
                             "SELECT count(*) FROM (SELECT unit FROM attempts WHERE unit != '' "
                             "GROUP BY unit, attempt HAVING count(*) > 1)"),
                         0);
        /* no chip ever cost two licenses that arrived */
        assert_int_equal(
                ask(line, "SELECT count(*) FROM (SELECT digest FROM licenses WHERE sealed IS NOT "
                          "NULL GROUP BY digest HAVING count(*) > 1)"),
                0);
}

static void fifty_kills_lose_no_record_and_no_license_unnamed(void **state)
{
        struct line *line = line_create(SITES, CARDS);
        struct chance chance = chance_fork(2026, "kill", 0);
        unsigned kills = 0;

        (void)state;
        write_station_file(line);
        line_order(line, "KILL", UNITS, "retries: 3\nerase: interrupted\n");
        for (; kills < KILLS; kills++)
                if (run_and_kill(line, chance_between(&chance, 20000, 350000)))
                        fail_msg("the lot was done after %u kills: too few units", kills);
        run_to_the_end(line);
        check_books(line);
        line_destroy(line);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fifty_kills_lose_no_record_and_no_license_unnamed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
