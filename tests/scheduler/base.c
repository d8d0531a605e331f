/*
 * What a broken belief says before it ends the program, and what a header promises by its macros.
 */
#include "tests/support/test.h"

#include "scheduler/fiber.h"
#include "scheduler/workers.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int claim_nonsense(void *subject)
{
        INSIST(subject == (void *)-1);
        return 0;
}

static int claim_nonsense_in_fiber(void *subject)
{
        return fiber_join(fiber_spawn("site 3", claim_nonsense, subject));
}

static int claim_nonsense_in_worker(void *subject)
{
        struct workers *workers;

        assert_int_equal(workers_create("cards", 1, NULL, &workers), 0);
        return workers_run(workers, claim_nonsense, subject);
}

/* Run it in a child, which must abort; what it said. */
static const char *last_words(int (*procedure)(void *subject), bool on_fiber)
{
        static char said[1024];
        int status, report[2];
        ssize_t length;
        pid_t child;

        assert_int_equal(pipe(report), 0);
        child = fork();
        if (child == 0) {
                (void)dup2(report[1], STDERR_FILENO);
                (void)close(report[1]);
                (void)(on_fiber ? test_on_fiber(LOOP_TIME_REAL, 1, procedure, NULL)
                                : procedure(NULL));
                _exit(0);
        }
        (void)close(report[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        length = read(report[0], said, sizeof(said) - 1);
        assert_true(length > 0);
        said[length] = '\0';
        (void)close(report[0]);
        return said;
}

static void a_broken_belief_names_claim_place_and_fiber(void **state)
{
        const char *said = last_words(claim_nonsense_in_fiber, true);

        (void)state;
        assert_non_null(strstr(said, "tests/scheduler/base.c:"));
        assert_non_null(strstr(said, "subject == (void *)-1"));
        assert_non_null(strstr(said, "fiber \"site 3\""));
}

static void off_a_fiber_it_names_the_thread(void **state)
{
        (void)state;
        assert_non_null(strstr(last_words(claim_nonsense_in_worker, true), "thread \"cards0\""));
        assert_non_null(strstr(last_words(claim_nonsense, false), "no fiber, thread \""));
}

struct outer {
        int before;
        char member[3];
        int after;
};

static void a_container_is_found_from_its_member(void **state)
{
        struct outer outer = { 0 };

        (void)state;
        assert_ptr_equal(CONTAINER_OF(&outer.after, struct outer, after), &outer);
        assert_int_equal(LENGTH_OF(outer.member), 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_broken_belief_names_claim_place_and_fiber),
                cmocka_unit_test(off_a_fiber_it_names_the_thread),
                cmocka_unit_test(a_container_is_found_from_its_member),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
