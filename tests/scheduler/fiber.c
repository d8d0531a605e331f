/*
 * Fibers: spawned, run in order, joined, detached; their stacks.
 */
#include "tests/support/test.h"

#include "scheduler/fiber.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char trace[256];

static void trace_add(const char *what)
{
        assert_true(strlen(trace) + strlen(what) < sizeof(trace));
        strcat(trace, what);
}

static int return_number(void *subject)
{
        return *(int *)subject;
}

static int spawn_and_join(void *subject)
{
        int forty_two = 42;
        struct fiber *fiber = fiber_spawn("number", return_number, &forty_two);

        (void)subject;
        assert_false(fiber_has_ended(fiber));
        assert_string_equal(fiber_name(fiber), "number");
        assert_int_equal(fiber_join(fiber), 42);
        return 7;
}

static void a_joined_fiber_gives_its_result(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, spawn_and_join, NULL), 7);
}

static int join_one_that_ended(void *subject)
{
        int five = 5;
        struct fiber *fiber = fiber_spawn("early", return_number, &five);

        (void)subject;
        assert_int_equal(fiber_yield(), 0);
        assert_true(fiber_has_ended(fiber));
        assert_int_equal(fiber_join(fiber), 5);
        return 0;
}

static void a_fiber_that_ended_long_ago_can_be_joined(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, join_one_that_ended, NULL), 0);
}

static int fail_with_sentence(void *subject)
{
        return fault(FAULT_LOCKED, "level is %d", *(int *)subject);
}

static int join_failing(void *subject)
{
        int level = 2;
        struct fiber *fiber = fiber_spawn("failing", fail_with_sentence, &level);
        int r;

        (void)subject;
        r = fiber_join(fiber);
        assert_fault(r, LOCKED, "level is 2");
        return fault_prefix(r, "site 4");
}

static void a_sentence_travels_through_join_and_run(void **state)
{
        (void)state;
        assert_fault(test_on_fiber(LOOP_TIME_REAL, 1, join_failing, NULL), LOCKED,
                     "site 4: level is 2");
}

static int keep_own_sentence(void *subject)
{
        int level = *(int *)subject;
        int r = fault(FAULT_LOCKED, "level is %d", level);

        assert_int_equal(fiber_yield(), 0);
        assert_fault(r, LOCKED, level == 1 ? "level is 1" : "level is 2");
        return 0;
}

static int two_failures_at_once(void *subject)
{
        int one = 1, two = 2;
        struct fiber *a = fiber_spawn("a", keep_own_sentence, &one);
        struct fiber *b = fiber_spawn("b", keep_own_sentence, &two);

        (void)subject;
        return fiber_join(a) + fiber_join(b);
}

static void each_fiber_has_its_own_sentence(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, two_failures_at_once, NULL), 0);
}

static int say_name_three_times(void *subject)
{
        (void)subject;
        for (unsigned i = 0; i < 3; i++) {
                trace_add(fiber_name(fiber_self()));
                assert_int_equal(fiber_yield(), 0);
        }
        return 0;
}

static int three_in_turn(void *subject)
{
        (void)subject;
        trace[0] = '\0';
        fiber_detach(fiber_spawn("a", say_name_three_times, NULL));
        fiber_detach(fiber_spawn("b", say_name_three_times, NULL));
        fiber_detach(fiber_spawn("c", say_name_three_times, NULL));
        trace_add("(");
        assert_int_equal(fiber_yield(), 0);
        trace_add(")");
        return 0;
}

static void ready_fibers_run_in_the_order_they_became_ready(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, three_in_turn, NULL), 0);
        assert_string_equal(trace, "(abc)abcabc");
}

static int detach_after_end(void *subject)
{
        int zero = 0;
        struct fiber *fiber = fiber_spawn("early", return_number, &zero);

        (void)subject;
        assert_int_equal(fiber_yield(), 0);
        fiber_detach(fiber);
        return 0;
}

static void a_fiber_that_ended_can_be_detached(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, detach_after_end, NULL), 0);
}

static int sleep_and_count(void *subject)
{
        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        ++*(unsigned *)subject;
        return 0;
}

static int leave_others_behind(void *subject)
{
        for (unsigned i = 0; i < 5; i++)
                fiber_detach(fiber_spawn("left behind", sleep_and_count, subject));
        return 3;
}

static void the_loop_runs_until_every_fiber_has_ended(void **state)
{
        unsigned count = 0;

        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, leave_others_behind, &count), 3);
        assert_int_equal(count, 5);
}

#define MANY 1000u

static int spawn_a_thousand(void *subject)
{
        static struct fiber *fibers[MANY];
        unsigned count = 0;

        for (unsigned round = 0; round < 2; round++) {
                for (unsigned i = 0; i < MANY; i++)
                        fibers[i] = fiber_spawn("one of many", sleep_and_count, &count);
                for (unsigned i = 0; i < MANY; i++)
                        assert_int_equal(fiber_join(fibers[i]), 0);
        }
        *(unsigned *)subject = count;
        return 0;
}

static void a_thousand_fibers_live_at_once(void **state)
{
        unsigned count = 0;

        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, spawn_a_thousand, &count), 0);
        assert_int_equal(count, 2 * MANY);
}

/* About 1 KiB of frame a level, filled so that nothing is optimised away; yields at the bottom. */
static unsigned descend(unsigned levels)
{
        volatile unsigned char frame[1024];
        unsigned sum = 0;

        for (unsigned i = 0; i < sizeof(frame); i++)
                frame[i] = (unsigned char)levels;
        if (levels > 0)
                sum = descend(levels - 1);
        else
                assert_int_equal(fiber_yield(), 0);
        for (unsigned i = 0; i < sizeof(frame); i += 512)
                sum += frame[i];
        return sum;
}

static int descend_deeply(void *subject)
{
        (void)subject;
        return (int)descend(100);
}

static int descend_on_two_stacks(void *subject)
{
        struct fiber *a = fiber_spawn("deep", descend_deeply, NULL);
        struct fiber *b = fiber_spawn("deep too", descend_deeply, NULL);
        int expected = 0;

        (void)subject;
        for (int i = 0; i <= 100; i++)
                expected += 2 * i;
        assert_int_equal(fiber_join(a), expected);
        assert_int_equal(fiber_join(b), expected);
        return 0;
}

static void deep_recursion_keeps_its_frames_across_waits(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, descend_on_two_stacks, NULL), 0);
}

static int descend_too_deeply(void *subject)
{
        (void)subject;
        return (int)descend(100000);
}

/* Run it in a child, which must die; its status. */
static int die_in_child(int (*procedure)(void *subject))
{
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
                struct loop_settings settings = { .time = LOOP_TIME_REAL, .seed = 1 };
                struct loop *loop;

                signal(SIGSEGV, SIG_DFL);
                (void)close(STDERR_FILENO);
                if (loop_create(&settings, &loop) < 0)
                        _exit(0);
                (void)loop_run(loop, "child", procedure, NULL);
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        return status;
}

static void a_stack_that_overflows_hits_its_guard_page(void **state)
{
        int status = die_in_child(descend_too_deeply);

        (void)state;
        /* a sanitizer reports the signal and exits instead */
        assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV : WEXITSTATUS(status) != 0);
}

static int join_itself(void *subject)
{
        (void)subject;
        return fiber_join(fiber_self());
}

static void joining_oneself_is_a_mistake_that_aborts(void **state)
{
        int status = die_in_child(join_itself);

        (void)state;
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void waiting_outside_of_a_fiber_aborts(void **state)
{
        pid_t child = fork();
        int status;

        (void)state;
        if (child == 0) {
                struct loop_settings settings = { .time = LOOP_TIME_REAL, .seed = 1 };
                struct loop *loop;

                (void)close(STDERR_FILENO);
                if (loop_create(&settings, &loop) == 0)
                        (void)fiber_yield();
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int run_twice(void *subject)
{
        ++*(int *)subject;
        return fiber_yield();
}

static void a_loop_can_run_again(void **state)
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL, .seed = 1 };
        struct loop *loop;
        int count = 0;

        (void)state;
        assert_int_equal(loop_create(&settings, &loop), 0);
        assert_int_equal(loop_run(loop, "first", run_twice, &count), 0);
        assert_int_equal(loop_run(loop, "second", run_twice, &count), 0);
        assert_null(loop_destroy(loop));
        assert_null(loop_destroy(NULL));
        assert_int_equal(count, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_joined_fiber_gives_its_result),
                cmocka_unit_test(a_fiber_that_ended_long_ago_can_be_joined),
                cmocka_unit_test(a_sentence_travels_through_join_and_run),
                cmocka_unit_test(each_fiber_has_its_own_sentence),
                cmocka_unit_test(ready_fibers_run_in_the_order_they_became_ready),
                cmocka_unit_test(a_fiber_that_ended_can_be_detached),
                cmocka_unit_test(the_loop_runs_until_every_fiber_has_ended),
                cmocka_unit_test(a_thousand_fibers_live_at_once),
                cmocka_unit_test(deep_recursion_keeps_its_frames_across_waits),
                cmocka_unit_test(a_stack_that_overflows_hits_its_guard_page),
                cmocka_unit_test(joining_oneself_is_a_mistake_that_aborts),
                cmocka_unit_test(waiting_outside_of_a_fiber_aborts),
                cmocka_unit_test(a_loop_can_run_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
