#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int test_on_fiber(enum loop_time time, uint64_t seed, int (*procedure)(void *subject),
                  void *subject)
{
        struct loop_settings settings = { .time = time, .seed = seed };
        struct loop *loop;
        int r;

        assert_int_equal(loop_create(&settings, &loop), 0);
        /* A failed assertion must not jump from a fiber's stack to the runner's. */
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        r = loop_run(loop, "test", procedure, subject);
        unsetenv("CMOCKA_TEST_ABORT");
        loop_destroy(loop);
        return r;
}

const char *test_data(const char *name)
{
        static char path[1024];
        const char *directory = getenv("GANGWAY_DATA");

        snprintf(path, sizeof(path), "%s/%s", directory ? directory : "../shared/data", name);
        if (access(path, R_OK) != 0) {
                printf("# %s is not here\n", path);
                skip();
        }
        return path;
}

static char directory_made[128];

static void remove_directory(void)
{
        char command[sizeof(directory_made) + 16];

        snprintf(command, sizeof(command), "rm -rf '%s'", directory_made);
        if (system(command) != 0)
                perror(command);
}

const char *test_directory(void)
{
        const char *parent = getenv("TMPDIR");

        if (directory_made[0])
                remove_directory();
        else
                atexit(remove_directory);
        snprintf(directory_made, sizeof(directory_made), "%.96s/gangway-test-XXXXXX",
                 parent && parent[0] ? parent : "/tmp");
        assert_non_null(mkdtemp(directory_made));
        return directory_made;
}

void test_assert_fault(int result, enum fault code, const char *text, const char *file, int line)
{
        if (result == -(int)code && (!text || strstr(fault_sentence(result), text)))
                return;
        printf("# %s:%d: got %s: %s\n", file, line, fault_name(result),
               result < 0 ? fault_sentence(result) : "(no fault)");
        _assert_int_equal((unsigned long)(long)result, (unsigned long)-(long)code, file, line);
        fail_msg("the sentence lacks \"%s\"", text);
}
