/*
 * Another program: its lines, its end, its limits, and what is left of it (nothing). All in real time,
 * for another program has no other.
 */
#include "tests/support/test.h"

#include "scheduler/fiber.h"
#include "scheduler/process.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
        const char *script;
        uint64_t limit_ns, grace_ns;
        size_t output_max;
        const char *directory;
        const char *expected; /* a line after which the fiber is cancelled */
        unsigned cancels;

        char text[8192]; /* lines, each with "|" behind it */
        size_t length, lines;
        bool has_seen_expected;
        struct process_end end;
        int result;
        char sentence[512];
};

static void keep_line(void *subject, const char *text, size_t length)
{
        struct run *run = subject;

        assert_int_equal(strlen(text), length);
        assert_true(length <= PROCESS_LINE_MAX);
        run->lines++;
        if (run->length + length + 2 < sizeof(run->text)) {
                memcpy(run->text + run->length, text, length);
                run->length += length;
                run->text[run->length++] = '|';
        }
        if (run->expected && strcmp(run->expected, text) == 0)
                run->has_seen_expected = true;
}

static int run_script(void *subject)
{
        struct run *run = subject;
        const char *const arguments[] = { "sh", "-c", run->script, NULL };
        const char *const environment[] = { "PATH=/usr/bin:/bin", "NAME=value", NULL };
        struct process_order order = {
                .program = "/bin/sh",
                .arguments = arguments,
                .environment = environment,
                .directory = run->directory,
                .limit_ns = run->limit_ns ? run->limit_ns : 20 * NS_PER_S,
                .grace_ns = run->grace_ns,
                .output_max = run->output_max,
                .line = keep_line,
                .subject = run,
        };

        run->result = process_run(&order, &run->end);
        snprintf(run->sentence, sizeof(run->sentence), "%s", fault_sentence(run->result));
        return 0;
}

/* Cancels the run as often as it is told, once its line has come. */
static int run_and_cancel(void *subject)
{
        struct run *run = subject;
        struct fiber *fiber = fiber_spawn("run", run_script, run);

        while (!run->has_seen_expected)
                assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        for (unsigned i = 0; i < run->cancels; i++) {
                fiber_cancel(fiber);
                assert_int_equal(fiber_sleep_ns(20 * NS_PER_MS), 0);
        }
        return fiber_join(fiber);
}

static unsigned open_descriptors(void)
{
        DIR *directory = opendir("/proc/self/fd");
        unsigned count = 0;

        assert_non_null(directory);
        while (readdir(directory))
                count++;
        closedir(directory);
        return count;
}

/* Runs it, and holds it to leave neither a child nor a descriptor. */
static void run(struct run *run)
{
        unsigned before = open_descriptors();

        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, run->cancels ? run_and_cancel : run_script, run),
                0);
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
}

/* Is a process of this number still about? A corpse that init has not collected yet does not count. */
static bool is_alive(pid_t number)
{
        char path[64], state = 'Z';
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/stat", number);
        file = fopen(path, "r");
        if (!file)
                return false;
        assert_int_equal(fscanf(file, "%*d %*s %c", &state), 1);
        fclose(file);
        return state != 'Z' && state != 'X';
}

static void assert_gone(const char *number)
{
        pid_t pid = (pid_t)strtol(number, NULL, 10);

        assert_true(pid > 1);
        for (int i = 0; i < 1000 && is_alive(pid); i++)
                usleep(1000);
        assert_false(is_alive(pid));
}

static void lines_of_both_outputs_come_in_their_order(void **state)
{
        struct run it = { .script = "echo one; echo two >&2; printf '\\n\\nthree\\rfour'; exit 7" };

        (void)state;
        run(&it);
        assert_int_equal(it.result, 0);
        assert_string_equal(it.text, "one|two|three|four|");
        assert_true(it.end.was_started && !it.end.was_killed);
        assert_int_equal(it.end.code, 7);
        assert_int_equal(it.end.output, 20);
}

static void nothing_is_inherited_but_what_is_named(void **state)
{
        const char *directory = test_directory();
        struct run it = {
                .script =
                        "env | grep -v '^_=\\|^PWD=\\|^OLDPWD=\\|^SHLVL=' | sort; pwd; "
                        "ls /proc/self/fd | wc -l; readlink /proc/self/fd/0; "
                        "grep SigBlk /proc/self/status | tr -d '\\t'; kill -PIPE $$; echo ignored",
                .directory = directory
        };
        char expected[256];

        (void)state;
        signal(SIGPIPE, SIG_IGN);
        setenv("GANGWAY_SECRET", "not for others", 1);
        run(&it);
        signal(SIGPIPE, SIG_DFL);
        unsetenv("GANGWAY_SECRET");
        /* 0, 1, 2, and the one ls reads the folder with */
        snprintf(expected, sizeof(expected),
                 "NAME=value|PATH=/usr/bin:/bin|%s|4|/dev/null|"
                 "SigBlk:0000000000000000|",
                 directory);
        assert_string_equal(it.text, expected);
        assert_int_equal(it.end.code, SIGPIPE);
}

static void a_long_line_is_cut_and_the_next_is_whole(void **state)
{
        struct run it = { .script = "head -c 5000 /dev/zero | tr '\\0' x; echo; echo next" };

        (void)state;
        run(&it);
        assert_int_equal(it.result, 0);
        assert_int_equal(it.lines, 2);
        assert_int_equal(it.length, PROCESS_LINE_MAX + 1 + strlen("next|"));
        assert_string_equal(it.text + PROCESS_LINE_MAX, "|next|");
}

static void zero_bytes_become_spaces(void **state)
{
        struct run it = { .script = "printf 'a\\0b\\n'" };

        (void)state;
        run(&it);
        assert_string_equal(it.text, "a b|");
}

static void a_flood_ends_the_program(void **state)
{
        struct run it = { .script = "exec yes 'more and more'", .output_max = 100000 };

        (void)state;
        run(&it);
        assert_int_equal(it.result, -FAULT_TOO_LARGE);
        assert_non_null(strstr(it.sentence, "printed more than"));
        assert_true(it.end.was_killed);
        assert_int_equal(it.end.code, SIGTERM);
}

static void a_flood_that_ignores_sigterm_is_killed(void **state)
{
        struct run it = { .script = "trap '' TERM; yes 'more and more'",
                          .output_max = 100000,
                          .grace_ns = 50 * NS_PER_MS };

        (void)state;
        run(&it);
        assert_int_equal(it.result, -FAULT_TOO_LARGE);
        assert_true(it.end.was_killed);
        assert_int_equal(it.end.code, SIGKILL);
}

static void a_hang_ends_at_its_limit_and_its_last_words_are_heard(void **state)
{
        struct run it = { .script = "trap 'echo asked to go; exit 3' TERM; echo here; "
                                    "while :; do sleep 0.01; done",
                          .limit_ns = 300 * NS_PER_MS };

        (void)state;
        run(&it);
        assert_int_equal(it.result, -FAULT_TIMEOUT);
        assert_string_equal(it.sentence, "/bin/sh did not end within 0.3 s and was stopped");
        /* the shell may also say what became of its sleep */
        assert_ptr_equal(strstr(it.text, "here|"), it.text);
        assert_non_null(strstr(it.text, "asked to go|"));
        assert_false(it.end.was_killed);
        assert_int_equal(it.end.code, 3);
}

static void who_ignores_sigterm_gets_sigkill(void **state)
{
        struct run it = { .script = "trap '' TERM; echo here; while :; do sleep 0.01; done",
                          .limit_ns = 200 * NS_PER_MS,
                          .grace_ns = 100 * NS_PER_MS };

        (void)state;
        run(&it);
        assert_int_equal(it.result, -FAULT_TIMEOUT);
        assert_true(it.end.was_killed);
        assert_int_equal(it.end.code, SIGKILL);
}

static void a_cancel_ends_the_program_and_is_told(void **state)
{
        struct run it = { .script = "echo here; exec sleep 100", .expected = "here", .cancels = 1 };

        (void)state;
        run(&it);
        assert_int_equal(it.result, -FAULT_CANCELLED);
        assert_true(it.end.was_killed);
        assert_int_equal(it.end.code, SIGTERM);
}

/* The grace would be longer than the test runner waits. */
static void a_second_cancel_skips_the_grace(void **state)
{
        struct run it = { .script = "trap '' TERM; echo here; while :; do sleep 0.01; done",
                          .expected = "here",
                          .cancels = 2,
                          .grace_ns = 3600 * NS_PER_S };

        (void)state;
        run(&it);
        assert_int_equal(it.result, -FAULT_CANCELLED);
        assert_int_equal(it.end.code, SIGKILL);
}

static void a_crash_is_an_end_by_signal(void **state)
{
        struct run it = { .script = "echo before; kill -SEGV $$; echo after" };

        (void)state;
        run(&it);
        assert_int_equal(it.result, 0);
        assert_string_equal(it.text, "before|");
        assert_true(it.end.was_killed);
        assert_int_equal(it.end.code, SIGSEGV);
}

/* They hold the pipe open and would live on; neither is waited for nor left behind. */
static void grandchildren_end_with_the_program(void **state)
{
        struct run it = { .script = "sleep 1000 & echo $!; (trap '' TERM HUP; exec sleep 1000) & "
                                    "echo $!; exit 0" };
        char *second;

        (void)state;
        run(&it);
        assert_int_equal(it.result, 0);
        assert_int_equal(it.end.code, 0);
        assert_int_equal(it.lines, 2);
        second = strchr(it.text, '|') + 1;
        assert_gone(it.text);
        assert_gone(second);
}

static void closing_its_output_is_not_its_end(void **state)
{
        struct run it = { .script = "echo last; exec >&- 2>&-; sleep 0.1; exit 4" };

        (void)state;
        run(&it);
        assert_int_equal(it.result, 0);
        assert_string_equal(it.text, "last|");
        assert_int_equal(it.end.code, 4);
}

static int run_nothing(void *subject)
{
        const char *const arguments[] = { "nothing", NULL }, *const environment[] = { NULL };
        struct process_order order = { .program = subject,
                                       .arguments = arguments,
                                       .environment = environment,
                                       .line = keep_line,
                                       .limit_ns = WAIT_FOREVER };
        struct process_end end = { .was_started = true };
        int r = process_run(&order, &end);

        assert_false(end.was_started);
        return r;
}

/* A daemon that is killed must not leave somebody behind who goes on programming. */
static void the_program_dies_with_who_started_it(void **state)
{
        static struct run it = { .script = "exec >/dev/null 2>&1; trap '' HUP TERM; "
                                           "echo $$ >number.new; mv number.new number; "
                                           "exec sleep 60" };
        char path[300], number[16];
        pid_t daemon;
        FILE *file;

        (void)state;
        it.directory = test_directory();
        snprintf(path, sizeof(path), "%s/number", it.directory);
        daemon = fork();
        assert_true(daemon >= 0);
        if (daemon == 0) {
                run(&it);
                _exit(0);
        }
        while (access(path, R_OK) != 0)
                usleep(1000);
        file = fopen(path, "r");
        assert_non_null(file);
        assert_non_null(fgets(number, sizeof(number), file));
        fclose(file);
        assert_int_equal(kill((pid_t)atol(number), 0), 0);
        assert_int_equal(kill(daemon, SIGKILL), 0);
        assert_int_equal(waitpid(daemon, NULL, 0), daemon);
        assert_gone(number);
}

static void what_cannot_be_started_is_named(void **state)
{
        char missing[] = "/nowhere/program", folder[] = "/tmp";

        (void)state;
        assert_fault(test_on_fiber(LOOP_TIME_REAL, 0, run_nothing, missing), NOT_FOUND,
                     "starting /nowhere/program");
        assert_fault(test_on_fiber(LOOP_TIME_REAL, 0, run_nothing, folder), SYSTEM,
                     "starting /tmp");
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void under_virtual_time_no_program_runs(void **state)
{
        char program[] = "/bin/true";

        (void)state;
        assert_fault(test_on_fiber(LOOP_TIME_VIRTUAL, 1, run_nothing, program), BAD_VALUE,
                     "virtual time");
}

/* --- side by side -------------------------------------------------------------------------- */

static int run_two(void *subject)
{
        struct run *runs = subject;
        struct fiber *first = fiber_spawn("first", run_script, &runs[0]);
        struct fiber *second = fiber_spawn("second", run_script, &runs[1]);

        assert_int_equal(fiber_join(first), 0);
        return fiber_join(second);
}

/* The second is asked for its number by the first, through a file: they must run at the same time. */
static void two_programs_run_side_by_side(void **state)
{
        static struct run runs[2];
        const char *directory = test_directory();

        (void)state;
        runs[0] = (struct run){ .script = "while ! test -e there; do sleep 0.01; done; echo one",
                                .directory = directory };
        runs[1] =
                (struct run){ .script = "sleep 0.05; : >there; echo two", .directory = directory };
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, run_two, runs), 0);
        assert_string_equal(runs[0].text, "one|");
        assert_string_equal(runs[1].text, "two|");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_of_both_outputs_come_in_their_order),
                cmocka_unit_test(nothing_is_inherited_but_what_is_named),
                cmocka_unit_test(a_long_line_is_cut_and_the_next_is_whole),
                cmocka_unit_test(zero_bytes_become_spaces),
                cmocka_unit_test(a_flood_ends_the_program),
                cmocka_unit_test(a_flood_that_ignores_sigterm_is_killed),
                cmocka_unit_test(a_hang_ends_at_its_limit_and_its_last_words_are_heard),
                cmocka_unit_test(who_ignores_sigterm_gets_sigkill),
                cmocka_unit_test(a_cancel_ends_the_program_and_is_told),
                cmocka_unit_test(a_second_cancel_skips_the_grace),
                cmocka_unit_test(a_crash_is_an_end_by_signal),
                cmocka_unit_test(grandchildren_end_with_the_program),
                cmocka_unit_test(closing_its_output_is_not_its_end),
                cmocka_unit_test(the_program_dies_with_who_started_it),
                cmocka_unit_test(what_cannot_be_started_is_named),
                cmocka_unit_test(under_virtual_time_no_program_runs),
                cmocka_unit_test(two_programs_run_side_by_side),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
