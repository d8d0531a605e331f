/*
 * Determinism: under virtual time the same seed gives the same run.
 */
#include "tests/support/test.h"

#include "scheduler/chance.h"
#include "scheduler/fiber.h"
#include "scheduler/file.h"
#include "scheduler/ring.h"
#include "scheduler/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ACTORS 24u
#define STEPS  40u

/* What happened, as a number that depends on every event and their order. */
struct history {
        uint64_t hash;
        unsigned events;
        struct waitlist bell;
        struct workers *workers;
        struct fiber *actors[ACTORS];
        int never; /* an eventfd nobody writes */
        char directory[64];
};

struct actor {
        struct history *history;
        unsigned number;
        struct chance chance;
};

static void happened(struct history *history, unsigned actor, int what)
{
        uint64_t words[] = { clock_now_ns(), actor, (uint64_t)what };
        const uint8_t *bytes = (const uint8_t *)words;

        for (size_t i = 0; i < sizeof(words); i++)
                history->hash = (history->hash ^ bytes[i]) * 0x100000001b3;
        history->events++;
}

static int draw_in_pool(void *argument)
{
        return (int)chance_below(argument, 1000);
}

static int write_own_file(const struct actor *actor)
{
        char path[96];

        (void)snprintf(path, sizeof(path), "%s/%u", actor->history->directory, actor->number);
        return file_write(path, path, strlen(path), 0600);
}

static int act_once(struct actor *actor)
{
        struct history *history = actor->history;

        switch (chance_below(&actor->chance, 7)) {
        case 0:
                return fiber_sleep_ns(chance_below(&actor->chance, 50));
        case 1:
                return fiber_yield();
        case 2:
                waitlist_wake_one(&history->bell);
                return 0;
        case 3:
                return waitlist_wait(&history->bell, chance_below(&actor->chance, 100));
        case 4:
                return workers_run(history->workers, draw_in_pool, &actor->chance);
        case 5:
                return ring_poll(history->never, POLLIN, chance_below(&actor->chance, 60));
        default:
                return write_own_file(actor);
        }
}

static int act(void *subject)
{
        struct actor *actor = subject;
        struct history *history = actor->history;

        for (unsigned i = 0; i < STEPS; i++) {
                unsigned other = (unsigned)chance_below(&actor->chance, ACTORS);

                happened(history, actor->number, act_once(actor));
                if (chance_one_in(&actor->chance, 10))
                        fiber_cancel(history->actors[other]);
        }
        return 0;
}

static int play(void *subject)
{
        struct history *history = subject;
        struct actor actors[ACTORS];

        assert_int_equal(workers_create("play", 2, NULL, &history->workers), 0);
        for (unsigned i = 0; i < ACTORS; i++) {
                actors[i] = (struct actor){ history, i, chance_fork(loop_seed(), "actor", i) };
                history->actors[i] = fiber_spawn("actor", act, &actors[i]);
        }
        for (unsigned i = 0; i < ACTORS; i++) {
                while (!fiber_has_ended(history->actors[i]))
                        assert_int_equal(fiber_sleep_ns(1), 0);
        }
        for (unsigned i = 0; i < ACTORS; i++)
                assert_int_equal(fiber_join(history->actors[i]), 0);
        history->workers = workers_destroy(history->workers);
        return 0;
}

static uint64_t history_of(uint64_t seed)
{
        struct history history = { .hash = 0xcbf29ce484222325, .never = eventfd(0, 0) };

        (void)snprintf(history.directory, sizeof(history.directory), "%s", test_directory());
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, seed, play, &history), 0);
        assert_int_equal(history.events, ACTORS * STEPS);
        (void)close(history.never);
        return history.hash;
}

static void the_same_seed_gives_the_same_run(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 5; seed++) {
                uint64_t first = history_of(seed);

                for (unsigned again = 0; again < 3; again++)
                        assert_true(history_of(seed) == first);
        }
}

static void another_seed_gives_another_run(void **state)
{
        (void)state;
        assert_true(history_of(1) != history_of(2));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_same_seed_gives_the_same_run),
                cmocka_unit_test(another_seed_gives_another_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
