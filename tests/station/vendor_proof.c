/*
 * After the vendor's tool: what the part says against its word, who holds the probe, and what becomes of it
 * all when the station dies.
 */
#include "tests/support/test.h"
#include "tests/support/vendor_bench.h"
#include "tests/support/vendor_rig.h"

#include "station/ledger.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct line *line;

static const char *ask(const char *query)
{
        return vendor_bench_ask(line, query);
}

/* --- evidence ------------------------------------------------------------------------------ */

static const struct {
        const char *family;
        enum leaves leaves;
        const char *sentence; /* of a unit that is not provable; NULL: it passes */
} ends[] = {
        { "stm32h75x", LEAVES_CLOSED, NULL },
        { "stm32h75x", LEAVES_OPEN, NULL },
        { "stm32h75x", LEAVES_NOTHING, "SECURITY reads 0" },
        { "stm32h75x", LEAVES_UNSECURED, "SECURITY reads 0" },
        { "stm32h75x", LEAVES_ANOTHER, "answers, before it was" },
        { "stm32h75x", LEAVES_SILENCE, NULL },
        { "stm32u575", LEAVES_CLOSED, NULL },
        { "stm32u575", LEAVES_OPEN, NULL },
        { "stm32u575", LEAVES_NOTHING, "the flash the image is for is erased" },
        { "stm32u575", LEAVES_RSS_BOOT, "the image's option bytes did not come" },
        { "stm32wl5x", LEAVES_NOTHING, "the flash the image is for is erased" },
        { "stm32h56x", LEAVES_CLOSED, NULL },
        { "stm32h56x", LEAVES_OPEN, NULL },
        { "stm32h56x", LEAVES_NOTHING, "the flash the image is for is erased" },
        { "stm32h56x", LEAVES_ANOTHER, "answers, before it was" },
        { "stm32h7rs", LEAVES_CLOSED, NULL },
        { "stm32h7rs", LEAVES_NOTHING, "the flash the image is for is erased" },
};

/* The tool says the same each time: success. */
static void a_part_that_contradicts_the_tool_is_not_provable(void **state)
{
        (void)state;
        for (size_t i = 0; i < LENGTH_OF(ends); i++) {
                line = vendor_bench_line(ends[i].family);
                vendor_bench_leaves = ends[i].leaves;
                vendor_rig_scenario(NULL, line->family.needs_rsse ? "good-u5" : "good-h7");
                line_order(line, "PROOF", 4, "retries: 0\n");
                vendor_bench_one_unit(line);
                printf("# %s, %d: %s\n", ends[i].family, ends[i].leaves,
                       ask("SELECT result || ' ' || sentence FROM attempts"));
                assert_string_equal(ask("SELECT fault FROM attempts ORDER BY id"),
                                    ends[i].sentence ? "NOT_PROVABLE" : "");
                if (ends[i].sentence)
                        assert_non_null(strstr(ask("SELECT sentence FROM attempts ORDER BY id"),
                                               ends[i].sentence));
                assert_string_equal(ask("SELECT state FROM licenses ORDER BY id"),
                                    ends[i].sentence ? "offered" : "installed");
                assert_int_equal(vendor_bench_entries(), 0);
                vendor_bench_end(line);
        }
}

/* --- one hand at a time -------------------------------------------------------------------- */

/* Each look at the sites holds the station to it (vendor_bench.c). */
static void the_probe_is_in_one_hand_at_a_time(void **state)
{
        (void)state;
        line = vendor_bench_line(NULL);
        line_order(line, "HANDS", 3, "");
        assert_int_equal(vendor_bench_run(line, NULL, NULL), 0);
        assert_string_equal(ask("SELECT count(*) FROM attempts WHERE result = 'pass'"), "3");
        /* three runs of 30 ms and more for each unit, looked at every 5 ms */
        assert_true(vendor_bench_seen_running >= 9);
        vendor_bench_end(line);
}

/* --- a daemon that is killed ------------------------------------------------------------------ */

static bool has_file(const char *name)
{
        return access(line_path(line, name), F_OK) == 0;
}

static bool has_begun(void)
{
        char *calls = vendor_rig_calls();
        bool has = strstr(calls, "\"-sfi\"") != NULL;

        free(calls);
        return has;
}

static bool is_changed(void)
{
        return has_file("tool/changed");
}

/* The stand-in's number, from its last call. */
static pid_t last_runner(void)
{
        char *calls = vendor_rig_calls(), *at = calls, *last = NULL;
        pid_t runner;

        while ((at = strstr(at, "\"pid\": "))) {
                at += strlen("\"pid\": ");
                last = at;
        }
        assert_non_null(last);
        runner = (pid_t)strtol(last, NULL, 10);
        free(calls);
        return runner;
}

/* A corpse that init has not collected yet does not count. */
static bool is_alive(pid_t number)
{
        char path[64], state = 'Z';
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/stat", number);
        file = fopen(path, "r");
        if (!file)
                return false;
        if (fscanf(file, "%*d %*s %c", &state) != 1)
                state = 'Z';
        fclose(file);
        return state != 'Z' && state != 'X';
}

/* Another process is the daemon; it is killed once `is_time`, and then the tool must be gone too. */
static void kill_a_daemon(bool (*is_time)(void))
{
        pid_t daemon, runner;

        fflush(stdout);
        daemon = fork();
        assert_true(daemon >= 0);
        if (daemon == 0) {
                IGNORE(vendor_bench_run(line, NULL, NULL));
                _exit(0);
        }
        for (int i = 0; i < 6000 && !is_time(); i++)
                usleep(5000);
        assert_true(is_time());
        runner = last_runner();
        assert_true(is_alive(runner));
        assert_int_equal(kill(daemon, SIGKILL), 0);
        assert_int_equal(waitpid(daemon, NULL, 0), daemon);
        for (int i = 0; i < 2000 && is_alive(runner); i++)
                usleep(1000);
        assert_false(is_alive(runner));
}

static void begin_with_lasting_boards(const char *scenario)
{
        struct settings *settings;

        line = vendor_bench_line(NULL);
        settings = &line->station.settings;
        snprintf(settings->bench.directory, sizeof(settings->bench.directory), "%s/bench",
                 line->directory);
        assert_int_equal(mkdir(settings->bench.directory, 0700), 0);
        vendor_rig_scenario(NULL, scenario);
        line_order(line, "KILLED", 1, "retries: 1\n");
}

/* Nothing was changed yet: the same part, the same license, and it passes. */
static void the_tool_dies_with_the_station_and_the_unit_is_tried_again(void **state)
{
        (void)state;
        begin_with_lasting_boards("hang");
        kill_a_daemon(has_begun);
        assert_true(vendor_bench_entries() > 0); /* a license lies there until the next start */
        vendor_rig_scenario(NULL, "good-h7");
        assert_int_equal(vendor_bench_run(line, NULL, NULL), 0);
        assert_string_equal(ask("SELECT fault FROM attempts ORDER BY id"), "INTERRUPTED");
        assert_string_equal(ask("SELECT result FROM attempts ORDER BY id DESC"), "pass");
        assert_string_equal(ask("SELECT count(DISTINCT unit) FROM attempts"), "1");
        assert_string_equal(ask("SELECT count(*) FROM licenses"), "1");
        assert_string_equal(ask("SELECT state FROM licenses"), "installed");
        assert_int_equal(vendor_bench_entries(), 0);
        vendor_bench_end(line);
}

/* The tool had closed the part, and nobody heard it say so. */
static void a_part_closed_behind_a_killed_station_is_not_provable(void **state)
{
        (void)state;
        begin_with_lasting_boards("hang-changed");
        kill_a_daemon(is_changed);
        vendor_rig_scenario(NULL, "good-h7");
        vendor_bench_one_unit(line);
        assert_string_equal(ask("SELECT fault FROM attempts ORDER BY id"), "INTERRUPTED");
        assert_string_equal(ask("SELECT fault FROM attempts ORDER BY id LIMIT 1 OFFSET 1"),
                            "NOT_PROVABLE");
        assert_non_null(strstr(ask("SELECT sentence FROM attempts ORDER BY id LIMIT 1 OFFSET 1"),
                               "closed (RDP 0xBB) after an interrupted install"));
        assert_string_equal(ask("SELECT state FROM licenses"), "offered");
        vendor_bench_end(line);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_part_that_contradicts_the_tool_is_not_provable),
                cmocka_unit_test(the_probe_is_in_one_hand_at_a_time),
                cmocka_unit_test(the_tool_dies_with_the_station_and_the_unit_is_tried_again),
                cmocka_unit_test(a_part_closed_behind_a_killed_station_is_not_provable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
