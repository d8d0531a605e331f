/*
 * Time: real and virtual, and its text.
 */
#include "tests/support/test.h"

#include "scheduler/fiber.h"

#include <time.h>

#define DAY_NS (24 * 3600 * NS_PER_S)

static uint64_t wall_ns(clockid_t id)
{
        struct timespec now;

        assert_int_equal(clock_gettime(id, &now), 0);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int sleep_really(void *subject)
{
        uint64_t before = clock_now_ns(), wall = wall_ns(CLOCK_MONOTONIC);

        (void)subject;
        assert_false(loop_is_virtual());
        assert_true(before < 10 * NS_PER_S);
        assert_int_equal(fiber_sleep_ns(3 * NS_PER_MS), 0);
        assert_true(wall_ns(CLOCK_MONOTONIC) - wall >= 3 * NS_PER_MS);
        assert_true(clock_now_ns() - before >= 3 * NS_PER_MS);
        /* a deadline that has passed still lets the others run */
        assert_int_equal(fiber_sleep_until(0), 0);
        return 0;
}

static void real_time_passes_by_itself(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, sleep_really, NULL), 0);
}

static int look_at_calendar(void *subject)
{
        uint64_t us = clock_calendar_us(), wall = wall_ns(CLOCK_REALTIME) / 1000;

        (void)subject;
        assert_true(wall >= us && wall - us < 10000000);
        return 0;
}

static void the_real_calendar_is_the_systems(void **state)
{
        (void)state;
        assert_int_equal(look_at_calendar(NULL), 0); /* a tool without a loop */
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, look_at_calendar, NULL), 0);
}

static int sleep_a_day(void *subject)
{
        char text[25];

        (void)subject;
        assert_true(loop_is_virtual());
        assert_true(loop_seed() == 99);
        assert_true(clock_now_ns() == 0);
        assert_string_equal(clock_iso8601(clock_calendar_us(), text), "2026-01-01T00:00:00.000Z");
        assert_int_equal(fiber_sleep_ns(DAY_NS), 0);
        assert_true(clock_now_ns() == DAY_NS);
        assert_string_equal(clock_iso8601(clock_calendar_us(), text), "2026-01-02T00:00:00.000Z");
        assert_int_equal(fiber_sleep_until(DAY_NS + 1500 * NS_PER_US), 0);
        assert_string_equal(clock_iso8601(clock_calendar_us(), text), "2026-01-02T00:00:00.001Z");
        return 0;
}

static void a_virtual_day_takes_no_time(void **state)
{
        uint64_t before = wall_ns(CLOCK_MONOTONIC);

        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 99, sleep_a_day, NULL), 0);
        assert_true(wall_ns(CLOCK_MONOTONIC) - before < 2 * NS_PER_S); /* a busy machine's worth */
}

static int yield_often(void *subject)
{
        uint64_t now = clock_now_ns();

        (void)subject;
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(fiber_yield(), 0);
                assert_true(clock_now_ns() == now);
        }
        return 0;
}

static int yield_beside_a_sleeper(void *subject)
{
        struct fiber *fiber = fiber_spawn("yields", yield_often, NULL);

        (void)subject;
        assert_int_equal(fiber_sleep_ns(1), 0);
        assert_true(fiber_has_ended(fiber));
        return fiber_join(fiber);
}

static void virtual_time_stands_still_while_a_fiber_can_run(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, yield_beside_a_sleeper, NULL), 0);
}

struct sleeper {
        uint64_t deadline_ns;
        unsigned place;
};

static unsigned next_place;

static int sleep_and_take_place(void *subject)
{
        struct sleeper *sleeper = subject;

        assert_int_equal(fiber_sleep_until(sleeper->deadline_ns), 0);
        assert_true(clock_now_ns() == sleeper->deadline_ns);
        sleeper->place = next_place++;
        return 0;
}

static int sleep_in_any_order(void *subject)
{
        /* rank by deadline, then by the order they were set */
        static struct sleeper sleepers[] = { { 50, 0 }, { 10, 0 }, { 50, 0 }, { 30, 0 }, { 10, 0 },
                                             { 50, 0 }, { 20, 0 }, { 10, 0 }, { 60, 0 } };
        static const unsigned expected[] = { 5, 0, 6, 4, 1, 7, 3, 2, 8 };
        struct fiber *fibers[LENGTH_OF(sleepers)];

        (void)subject;
        next_place = 0;
        for (unsigned i = 0; i < LENGTH_OF(sleepers); i++)
                fibers[i] = fiber_spawn("sleeper", sleep_and_take_place, &sleepers[i]);
        for (unsigned i = 0; i < LENGTH_OF(sleepers); i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
        for (unsigned i = 0; i < LENGTH_OF(sleepers); i++)
                assert_int_equal(sleepers[i].place, expected[i]);
        return 0;
}

static void equal_deadlines_fire_in_the_order_they_were_set(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, sleep_in_any_order, NULL), 0);
}

static void times_are_written_as_iso8601(void **state)
{
        static const struct {
                uint64_t us;
                const char *text;
        } cases[] = {
                { 0, "1970-01-01T00:00:00.000Z" },
                { 999, "1970-01-01T00:00:00.000Z" },
                { 1000, "1970-01-01T00:00:00.001Z" },
                { 951782399999999, "2000-02-28T23:59:59.999Z" },
                { 951782400000000, "2000-02-29T00:00:00.000Z" },
                { 1795523696789000, "2026-11-24T12:34:56.789Z" },
                { 253402300799999000, "9999-12-31T23:59:59.999Z" },
                { UINT64_MAX, "9999-12-31T23:59:59.999Z" },
        };
        char text[25];

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(cases); i++)
                assert_string_equal(clock_iso8601(cases[i].us, text), cases[i].text);
}

static void a_seed_is_drawn_when_none_is_given(void **state)
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL };
        uint64_t seeds[2];
        struct loop *loop;

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(loop_create(&settings, &loop), 0);
                seeds[i] = loop_seed();
                assert_null(loop_destroy(loop));
        }
        assert_true(seeds[0] != seeds[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(real_time_passes_by_itself),
                cmocka_unit_test(the_real_calendar_is_the_systems),
                cmocka_unit_test(a_virtual_day_takes_no_time),
                cmocka_unit_test(virtual_time_stands_still_while_a_fiber_can_run),
                cmocka_unit_test(equal_deadlines_fire_in_the_order_they_were_set),
                cmocka_unit_test(times_are_written_as_iso8601),
                cmocka_unit_test(a_seed_is_drawn_when_none_is_given),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
