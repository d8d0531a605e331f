/*
 * Worker pools: results, sentences, order, pinning; in place under virtual time.
 */
#include "tests/support/test.h"

#include "scheduler/fiber.h"
#include "scheduler/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_t loop_thread;

static void really_sleep_ms(long ms)
{
        struct timespec time = { .tv_nsec = ms * 1000000 };

        assert_int_equal(nanosleep(&time, NULL), 0);
}

static struct workers *pool_of(unsigned count)
{
        struct workers *workers;

        assert_int_equal(workers_create("test", count, NULL, &workers), 0);
        return workers;
}

static int square(void *argument)
{
        int *number = argument;

        if (pthread_equal(pthread_self(), loop_thread))
                return -FAULT_SYSTEM;
        return *number * *number;
}

static int run_one(void *subject)
{
        struct workers *workers = pool_of(1);
        int seven = 7;

        (void)subject;
        loop_thread = pthread_self();
        assert_int_equal(workers_count(workers), 1);
        assert_int_equal(workers_run(workers, square, &seven), 49);
        assert_null(workers_destroy(workers));
        assert_null(workers_destroy(NULL));
        return 0;
}

static void a_job_runs_on_a_thread_and_gives_its_result(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, run_one, NULL), 0);
}

static int refuse(void *argument)
{
        return fault(FAULT_BAD_TAG, "area %d", *(int *)argument);
}

static int fail_in_pool(void *subject)
{
        struct workers *workers = pool_of(*(unsigned *)subject);
        int three = 3, r;

        r = workers_run(workers, refuse, &three);
        assert_fault(r, BAD_TAG, "area 3");
        assert_null(workers_destroy(workers));
        return fault_prefix(r, "image");
}

static void a_jobs_sentence_is_handed_over(void **state)
{
        (void)state;
        for (unsigned threads = 0; threads < 3; threads++)
                assert_fault(test_on_fiber(LOOP_TIME_REAL, 1, fail_in_pool, &threads), BAD_TAG,
                             "image: area 3");
}

static int run_in_pool(void *subject)
{
        struct workers *workers = subject;

        for (int i = 0; i < 10; i++)
                assert_int_equal(workers_run(workers, square, &i), i * i);
        return 0;
}

static int run_a_thousand(void *subject)
{
        struct workers *workers = pool_of(3);
        struct fiber *fibers[100];

        (void)subject;
        loop_thread = pthread_self();
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                fibers[i] = fiber_spawn("client", run_in_pool, workers);
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
        assert_null(workers_destroy(workers));
        return 0;
}

static void a_thousand_jobs_of_a_hundred_fibers_all_come_back(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, run_a_thousand, NULL), 0);
}

struct order {
        struct workers *workers;
        int next, number[20];
};

static struct order order;

static int take_number(void *argument)
{
        *(int *)argument = order.next++; /* one thread: no lock needed */
        return 0;
}

static int ask_for_number(void *subject)
{
        return workers_run(order.workers, take_number, subject);
}

static int jobs_in_order(void *subject)
{
        struct fiber *fibers[LENGTH_OF(order.number)];

        (void)subject;
        order.next = 0;
        order.workers = pool_of(1);
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                fibers[i] = fiber_spawn("client", ask_for_number, &order.number[i]);
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                assert_int_equal(order.number[i], i);
        assert_null(workers_destroy(order.workers));
        return 0;
}

static void jobs_are_served_first_come_first_served(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, jobs_in_order, NULL), 0);
}

#define INDICES 1000u
static atomic_uint visits[INDICES];

static int visit(void *argument, size_t index)
{
        const size_t *fail_from = argument;

        atomic_fetch_add(&visits[index], 1);
        if (index >= *fail_from)
                return fault(FAULT_FLASH, "index %zu", index);
        return 0;
}

static int visit_all(void *subject)
{
        struct workers *workers = pool_of(*(unsigned *)subject);
        size_t never = SIZE_MAX, late = 777;
        int r;

        memset(visits, 0, sizeof(visits));
        assert_int_equal(workers_each(workers, INDICES, visit, &never), 0);
        r = workers_each(workers, INDICES, visit, &late);
        assert_fault(r, FLASH, "index 777");
        for (unsigned i = 0; i < INDICES; i++)
                assert_int_equal(visits[i], 2);
        assert_int_equal(workers_each(workers, 0, visit, &never), 0);
        assert_int_equal(workers_each(workers, 1, visit, &never), 0);
        assert_int_equal(visits[0], 3);
        assert_null(workers_destroy(workers));
        return 0;
}

static void each_visits_every_index_once_and_tells_the_lowest_failure(void **state)
{
        (void)state;
        for (unsigned threads = 0; threads < 4; threads++)
                assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, visit_all, &threads), 0);
}

static void each_without_a_pool_runs_in_place_off_any_fiber(void **state)
{
        size_t late = 3;

        (void)state;
        memset(visits, 0, sizeof(visits));
        assert_fault(workers_each(NULL, 5, visit, &late), FLASH, "index 3");
        assert_int_equal(visits[4], 1);
}

static int tell_cpu(void *argument)
{
        (void)argument;
        return sched_getcpu();
}

static int pinned(void *subject)
{
        struct workers *workers;
        cpu_set_t allowed;
        int last = -1, impossible = CPU_SETSIZE - 1;

        (void)subject;
        assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
                if (CPU_ISSET((size_t)cpu, &allowed))
                        last = cpu;
        assert_int_equal(workers_create("pinned", 1, &last, &workers), 0);
        for (unsigned i = 0; i < 20; i++)
                assert_int_equal(workers_run(workers, tell_cpu, NULL), last);
        assert_null(workers_destroy(workers));
        assert_fault(workers_create("pinned", 1, &impossible, &workers), BAD_VALUE, "CPU 1023");
        impossible = 100000;
        assert_fault(workers_create("pinned", 1, &impossible, &workers), BAD_VALUE, "CPU 100000");
        return 0;
}

static void a_pinned_thread_stays_on_its_cpu(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, pinned, NULL), 0);
}

static int tell_mask(void *argument)
{
        sigset_t mask;

        (void)argument;
        assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
        return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
}

static int look_at_masks(void *subject)
{
        struct workers *workers = pool_of(1);
        sigset_t mask;

        (void)subject;
        assert_int_equal(workers_run(workers, tell_mask, NULL), 1);
        assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
        assert_int_equal(sigismember(&mask, SIGTERM), 0);
        assert_null(workers_destroy(workers));
        return 0;
}

static void signals_do_not_reach_the_threads(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, look_at_masks, NULL), 0);
}

static int be_slow(void *argument)
{
        really_sleep_ms(20);
        *(int *)argument = 1;
        return 5;
}

static int wait_for_slow(void *subject)
{
        int is_done = 0;

        assert_int_equal(workers_run(subject, be_slow, &is_done), 5);
        assert_int_equal(is_done, 1);
        /* it is told now, once */
        assert_fault(fiber_yield(), CANCELLED, NULL);
        return fiber_yield();
}

static int cancel_during_job(void *subject)
{
        struct workers *workers = pool_of(1);
        struct fiber *fiber = fiber_spawn("slow", wait_for_slow, workers);

        (void)subject;
        assert_int_equal(fiber_yield(), 0);
        fiber_cancel(fiber);
        assert_int_equal(fiber_yield(), 0);
        assert_false(fiber_has_ended(fiber));
        assert_int_equal(fiber_join(fiber), 0);
        assert_null(workers_destroy(workers));
        return 0;
}

static void a_cancel_waits_for_the_job_and_is_told_later(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, cancel_during_job, NULL), 0);
}

static int only_slow(void *subject)
{
        int is_done;

        return workers_run(subject, be_slow, &is_done);
}

static int destroy_while_running(void *subject)
{
        struct workers *workers = pool_of(1);
        struct fiber *fiber = fiber_spawn("slow", only_slow, workers);

        (void)subject;
        assert_int_equal(fiber_yield(), 0);
        assert_null(workers_destroy(workers));
        assert_int_equal(fiber_join(fiber), 5);
        return 0;
}

static void destroying_a_pool_waits_for_its_jobs(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, destroy_while_running, NULL), 0);
}

static int tell_thread(void *argument)
{
        *(pthread_t *)argument = pthread_self();
        return 0;
}

static int in_place(void *subject)
{
        struct workers *workers = pool_of(2);
        pthread_t thread;
        uint64_t before = clock_now_ns();

        (void)subject;
        assert_int_equal(workers_count(workers), 0);
        assert_int_equal(workers_run(workers, tell_thread, &thread), 0);
        assert_true(pthread_equal(thread, pthread_self()));
        assert_true(clock_now_ns() == before);
        assert_null(workers_destroy(workers));
        return 0;
}

static void under_virtual_time_jobs_run_in_place(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, in_place, NULL), 0);
}

static int count_up(void *subject)
{
        for (unsigned i = 0; i < 10; i++) {
                assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
                ++*(unsigned *)subject;
        }
        return 0;
}

static int others_go_on(void *subject)
{
        struct workers *workers = pool_of(1);
        unsigned count = 0;
        struct fiber *fiber = fiber_spawn("counter", count_up, &count);
        int is_done;

        (void)subject;
        assert_int_equal(workers_run(workers, be_slow, &is_done), 5);
        assert_true(count > 0);
        assert_int_equal(fiber_join(fiber), 0);
        assert_null(workers_destroy(workers));
        return 0;
}

static void other_fibers_go_on_while_a_job_runs(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, others_go_on, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_job_runs_on_a_thread_and_gives_its_result),
                cmocka_unit_test(a_jobs_sentence_is_handed_over),
                cmocka_unit_test(a_thousand_jobs_of_a_hundred_fibers_all_come_back),
                cmocka_unit_test(jobs_are_served_first_come_first_served),
                cmocka_unit_test(each_visits_every_index_once_and_tells_the_lowest_failure),
                cmocka_unit_test(each_without_a_pool_runs_in_place_off_any_fiber),
                cmocka_unit_test(a_pinned_thread_stays_on_its_cpu),
                cmocka_unit_test(signals_do_not_reach_the_threads),
                cmocka_unit_test(a_cancel_waits_for_the_job_and_is_told_later),
                cmocka_unit_test(destroying_a_pool_waits_for_its_jobs),
                cmocka_unit_test(under_virtual_time_jobs_run_in_place),
                cmocka_unit_test(other_fibers_go_on_while_a_job_runs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
