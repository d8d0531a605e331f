/*
 * Waiting: lists, deadlines, and a cancel in every kind of wait.
 */
#include "tests/support/test.h"

#include "scheduler/fiber.h"
#include "scheduler/ring.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char trace[256];

static void trace_add(const char *what)
{
        assert_true(strlen(trace) + strlen(what) < sizeof(trace));
        strcat(trace, what);
}

/* --- waitlists ----------------------------------------------------------------------------- */

static int wait_and_say(void *subject)
{
        assert_int_equal(waitlist_wait(subject, WAIT_FOREVER), 0);
        trace_add(fiber_name(fiber_self()));
        return 0;
}

static int wake_in_order(void *subject)
{
        static const char *const names[] = { "a", "b", "c", "d" };
        struct waitlist list = { 0 };

        (void)subject;
        trace[0] = '\0';
        waitlist_wake(&list);
        waitlist_wake_one(&list);
        for (unsigned i = 0; i < LENGTH_OF(names); i++)
                fiber_detach(fiber_spawn(names[i], wait_and_say, &list));
        assert_int_equal(fiber_yield(), 0);
        waitlist_wake_one(&list);
        trace_add("(");
        assert_int_equal(fiber_yield(), 0);
        trace_add(")");
        waitlist_wake(&list);
        assert_null(list.first);
        assert_int_equal(fiber_yield(), 0);
        return 0;
}

static void waiters_are_woken_in_the_order_they_came(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, wake_in_order, NULL), 0);
        assert_string_equal(trace, "(a)bcd");
}

static int time_out(void *subject)
{
        struct waitlist list = { 0 };

        (void)subject;
        assert_fault(waitlist_wait(&list, 5 * NS_PER_MS), TIMEOUT, "no answer in time");
        assert_true(clock_now_ns() == 5 * NS_PER_MS);
        assert_null(list.first);
        assert_fault(waitlist_wait(&list, 0), TIMEOUT, NULL);
        assert_true(clock_now_ns() == 5 * NS_PER_MS);
        return 0;
}

static void a_wait_ends_with_its_timeout(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, time_out, NULL), 0);
}

static int wait_10_ms(void *subject)
{
        return waitlist_wait(subject, 10 * NS_PER_MS);
}

static int middle_one_times_out(void *subject)
{
        struct waitlist list = { 0 };
        struct fiber *a = fiber_spawn("a", wait_and_say, &list), *b, *c;

        (void)subject;
        trace[0] = '\0';
        b = fiber_spawn("b", wait_10_ms, &list);
        c = fiber_spawn("c", wait_and_say, &list);
        assert_int_equal(fiber_sleep_ns(20 * NS_PER_MS), 0);
        assert_fault(fiber_join(b), TIMEOUT, NULL);
        waitlist_wake(&list);
        return fiber_join(a) + fiber_join(c);
}

static void a_timeout_leaves_the_other_waiters_in_the_list(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, middle_one_times_out, NULL), 0);
        assert_string_equal(trace, "ac");
}

static int woken_in_time(void *subject)
{
        struct waitlist list = { 0 };
        struct fiber *fiber = fiber_spawn("in time", wait_10_ms, &list);

        (void)subject;
        assert_int_equal(fiber_sleep_ns(9 * NS_PER_MS), 0);
        waitlist_wake(&list);
        assert_int_equal(fiber_join(fiber), 0);
        /* its timer is gone: time goes on without it */
        assert_int_equal(fiber_sleep_ns(9 * NS_PER_MS), 0);
        assert_true(clock_now_ns() == 18 * NS_PER_MS);
        return 0;
}

static void a_waiter_woken_in_time_has_no_timer_left(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, woken_in_time, NULL), 0);
}

/* --- cancel, in every kind of wait --------------------------------------------------------- */

struct scene {
        int pipe[2];
        struct waitlist list;
        int (*wait)(struct scene *scene);
};

static int scene_sleep(struct scene *scene)
{
        (void)scene;
        return fiber_sleep_ns(3600 * NS_PER_S);
}

static int scene_sleep_for_ever(struct scene *scene)
{
        (void)scene;
        return fiber_sleep_until(WAIT_FOREVER);
}

static int scene_waitlist(struct scene *scene)
{
        return waitlist_wait(&scene->list, WAIT_FOREVER);
}

static int scene_waitlist_with_timeout(struct scene *scene)
{
        return waitlist_wait(&scene->list, 3600 * NS_PER_S);
}

static int scene_read(struct scene *scene)
{
        char byte[64];

        return (int)ring_read(scene->pipe[0], byte, sizeof(byte), -1);
}

static int scene_write(struct scene *scene)
{
        static const char much[256 * 1024]; /* more than any pipe holds */
        int written = 0;

        while (written >= 0)
                written = (int)ring_write(scene->pipe[1], much, sizeof(much), -1);
        return written;
}

static int scene_poll(struct scene *scene)
{
        return ring_poll(scene->pipe[0], POLLIN, WAIT_FOREVER);
}

static int scene_poll_with_timeout(struct scene *scene)
{
        return ring_poll(scene->pipe[0], POLLIN, 3600 * NS_PER_S);
}

static int scene_nonblocking_read(struct scene *scene)
{
        assert_int_equal(fcntl(scene->pipe[0], F_SETFL, O_NONBLOCK), 0);
        return scene_read(scene);
}

static int scene_yields(struct scene *scene)
{
        int r = 0;

        (void)scene;
        while (r == 0)
                r = fiber_yield();
        return r;
}

/* What every procedure does: wait, be cancelled once, then wait again while cleaning up. */
static int wait_be_cancelled_clean_up(void *subject)
{
        struct scene *scene = subject;
        int r = scene->wait(scene);

        assert_fault(r, CANCELLED, "the procedure was cancelled");
        assert_int_equal(fiber_sleep_ns(1000), 0);
        assert_int_equal(fiber_yield(), 0);
        assert_fault(waitlist_wait(&scene->list, 1000), TIMEOUT, NULL);
        return r;
}

static void scene_cancel(struct scene *scene, bool is_started, unsigned times)
{
        struct fiber *fiber = fiber_spawn("cancelled", wait_be_cancelled_clean_up, scene);

        for (unsigned i = 0; is_started && i < 3; i++)
                assert_int_equal(fiber_yield(), 0);
        for (unsigned i = 0; i < times; i++)
                fiber_cancel(fiber);
        assert_fault(fiber_join(fiber), CANCELLED, NULL);
}

static int play_scene(void *subject)
{
        struct scene *scene = subject;

        assert_int_equal(pipe(scene->pipe), 0);
        scene_cancel(scene, true, 1);
        scene_cancel(scene, true, 2); /* twice before it is told: told once */
        scene_cancel(scene, false, 1);
        assert_null(scene->list.first);
        (void)close(scene->pipe[0]);
        (void)close(scene->pipe[1]);
        return 0;
}

static void every_wait_can_be_cancelled_and_waiting_works_again(void **state)
{
        static int (*const waits[])(struct scene * scene) = {
                scene_sleep,
                scene_sleep_for_ever,
                scene_waitlist,
                scene_read,
                scene_write,
                scene_waitlist_with_timeout,
                scene_poll,
                scene_poll_with_timeout,
                scene_nonblocking_read,
                scene_yields,
        };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(waits); i++) {
                struct scene real = { .wait = waits[i] }, virtual = { .wait = waits[i] };

                assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, play_scene, &real), 0);
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, play_scene, &virtual), 0);
        }
}

static int wait_twice(void *subject)
{
        int r = waitlist_wait(subject, WAIT_FOREVER);

        if (r < 0)
                return 1;
        return waitlist_wait(subject, WAIT_FOREVER) == -FAULT_CANCELLED ? 2 : 3;
}

static int cancel_one_that_was_woken(void *subject)
{
        struct waitlist list = { 0 };
        struct fiber *fiber = fiber_spawn("woken", wait_twice, &list);

        (void)subject;
        assert_int_equal(fiber_yield(), 0);
        waitlist_wake(&list);
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), 2);
        return 0;
}

static void a_wake_before_the_cancel_is_not_lost(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, cancel_one_that_was_woken, NULL), 0);
}

static int end_at_once(void *subject)
{
        (void)subject;
        return 4;
}

static int cancel_ended(void *subject)
{
        struct fiber *fiber = fiber_spawn("ended", end_at_once, NULL);

        (void)subject;
        assert_int_equal(fiber_yield(), 0);
        fiber_cancel(fiber);
        return fiber_join(fiber);
}

static void cancelling_an_ended_fiber_does_nothing(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, cancel_ended, NULL), 4);
}

static int cancel_oneself(void *subject)
{
        (void)subject;
        fiber_cancel(fiber_self());
        assert_fault(fiber_sleep_ns(1), CANCELLED, NULL);
        return fiber_sleep_ns(1);
}

static void a_fiber_may_cancel_itself(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, cancel_oneself, NULL), 0);
}

static int sleep_5_ms(void *subject)
{
        (void)subject;
        return fiber_sleep_ns(5 * NS_PER_MS);
}

static int join_then_sleep(void *subject)
{
        assert_int_equal(fiber_join(subject), 0);
        assert_true(clock_now_ns() == 5 * NS_PER_MS);
        assert_fault(fiber_sleep_ns(1), CANCELLED, NULL);
        return 0;
}

static int cancel_a_joiner(void *subject)
{
        struct fiber *sleeper = fiber_spawn("sleeper", sleep_5_ms, NULL);
        struct fiber *joiner = fiber_spawn("joiner", join_then_sleep, sleeper);

        (void)subject;
        assert_int_equal(fiber_yield(), 0);
        fiber_cancel(joiner);
        return fiber_join(joiner);
}

static void a_join_is_not_cancelled_but_the_next_wait_is(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, cancel_a_joiner, NULL), 0);
}

/* --- nothing left to happen ---------------------------------------------------------------- */

static int wait_for_nobody(void *subject)
{
        struct waitlist list = { 0 };

        (void)subject;
        return waitlist_wait(&list, WAIT_FOREVER);
}

static int join_one_who_waits_for_nobody(void *subject)
{
        (void)subject;
        return fiber_join(fiber_spawn("lonely", wait_for_nobody, NULL));
}

static void a_deadlock_names_every_fiber_and_what_it_waits_for(void **state)
{
        (void)state;
        for (int time = LOOP_TIME_REAL; time <= LOOP_TIME_VIRTUAL; time++) {
                char said[1024];
                int status, report[2];
                pid_t child;
                ssize_t length;

                assert_int_equal(pipe(report), 0);
                child = fork();
                if (child == 0) {
                        (void)dup2(report[1], STDERR_FILENO);
                        (void)close(report[1]);
                        (void)test_on_fiber((enum loop_time)time, 1, join_one_who_waits_for_nobody,
                                            NULL);
                        _exit(0);
                }
                (void)close(report[1]);
                assert_int_equal(waitpid(child, &status, 0), child);
                length = read(report[0], said, sizeof(said) - 1);
                assert_true(length > 0);
                said[length] = '\0';
                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
                assert_non_null(strstr(said, "deadlock"));
                assert_non_null(strstr(said, "\"test\" waits for the end of \"lonely\""));
                assert_non_null(strstr(said, "\"lonely\" waits for a waitlist"));
                (void)close(report[0]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(waiters_are_woken_in_the_order_they_came),
                cmocka_unit_test(a_wait_ends_with_its_timeout),
                cmocka_unit_test(a_timeout_leaves_the_other_waiters_in_the_list),
                cmocka_unit_test(a_waiter_woken_in_time_has_no_timer_left),
                cmocka_unit_test(every_wait_can_be_cancelled_and_waiting_works_again),
                cmocka_unit_test(a_wake_before_the_cancel_is_not_lost),
                cmocka_unit_test(cancelling_an_ended_fiber_does_nothing),
                cmocka_unit_test(a_fiber_may_cancel_itself),
                cmocka_unit_test(a_join_is_not_cancelled_but_the_next_wait_is),
                cmocka_unit_test(a_deadlock_names_every_fiber_and_what_it_waits_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
