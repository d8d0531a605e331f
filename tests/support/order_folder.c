#include "tests/support/order_folder.h"

#include "scheduler/fiber.h"
#include "tests/support/test.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- the folder, from outside -------------------------------------------------------------- */

char folder[160];

const char *folder_path(const char *name)
{
        static char paths[4][800];
        static unsigned next;

        next = (next + 1) % LENGTH_OF(paths);
        snprintf(paths[next], sizeof(paths[next]), "%s/%s", folder, name);
        return paths[next];
}

void folder_put(const char *name, const char *text)
{
        FILE *file = fopen(folder_path(name), "w");

        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
}

bool folder_has(const char *name)
{
        struct stat status;

        return lstat(folder_path(name), &status) == 0;
}

size_t folder_count(const char *pattern)
{
        glob_t found;
        size_t matches;

        if (glob(folder_path(pattern), GLOB_PERIOD, NULL, &found) != 0)
                return 0;
        matches = found.gl_pathc;
        globfree(&found);
        return matches;
}

json_t *folder_answer(const char *name)
{
        json_error_t error;
        json_t *object = json_load_file(folder_path(name), 0, &error);

        if (!object)
                fail_msg("%s: %s", folder_path(name), error.text);
        return object;
}

void assert_answer(const char *name, const char *code, int line, const char *words)
{
        json_t *object = folder_answer(name);

        assert_string_equal(json_string_value(json_object_get(object, "code")), code);
        assert_int_equal(json_integer_value(json_object_get(object, "line")), line);
        assert_non_null(strstr(json_string_value(json_object_get(object, "sentence")), words));
        assert_true(json_string_length(json_object_get(object, "remedy")) > 10);
        assert_int_equal(json_string_length(json_object_get(object, "time")), 24);
        json_decref(object);
}

/* --- the folder, from inside --------------------------------------------------------------- */

struct drop *folder_open(void)
{
        struct drop *drop = NULL;

        assert_int_equal(drop_open(folder, 1, &drop), 0);
        return drop;
}

int folder_read(void *subject)
{
        struct folder_reader *reader = subject;

        return drop_next(reader->drop, &reader->order);
}

struct drop_order *folder_next_within(struct drop *drop, unsigned ms)
{
        struct folder_reader reader = { .drop = drop };
        struct fiber *fiber = fiber_spawn("reader", folder_read, &reader);
        uint64_t deadline = clock_now_ns() + ms * NS_PER_MS;
        int r;

        while (!fiber_has_ended(fiber) && clock_now_ns() < deadline)
                assert_int_equal(fiber_sleep_ns(5 * NS_PER_MS), 0);
        fiber_cancel(fiber);
        r = fiber_join(fiber);
        assert_true(r == 0 || r == -FAULT_CANCELLED);
        return reader.order;
}

struct drop_order *folder_next(struct drop *drop)
{
        struct drop_order *order = folder_next_within(drop, 5000);

        assert_non_null(order);
        return order;
}

void assert_order_text(const struct drop_order *order, const char *name, const char *text)
{
        assert_string_equal(order->name, name);
        assert_int_equal(order->text->length, strlen(text));
        assert_memory_equal(order->text->data, text, strlen(text));
}

const struct order folder_accepted = { .id = "A", .digest = { 0xAB, 0xCD } };
const struct order_error folder_error = { "BAD_VALUE", 3, "it is \xC3\xBC wrong", "make it right" };

void folder_test_at(enum loop_time time, int (*procedure)(void *subject))
{
        snprintf(folder, sizeof(folder), "%s/orders", test_directory());
        assert_int_equal(test_on_fiber(time, 1, procedure, NULL), 0);
}

void folder_test(int (*procedure)(void *subject))
{
        folder_test_at(LOOP_TIME_REAL, procedure);
}
