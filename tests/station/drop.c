/*
 * The drop folder, in real time with short waits: whatever is put into in/ is answered once.
 */
#include "station/drop.h"

#include "crypto/digest.h"
#include "scheduler/chance.h"
#include "scheduler/fiber.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT "order: A\n"

/* --- the folder, from outside -------------------------------------------------------------- */

static char folder[160];

/* "FOLDER/name", a few at a time. */
static const char *at(const char *name)
{
        static char paths[4][800];
        static unsigned next;

        next = (next + 1) % LENGTH_OF(paths);
        snprintf(paths[next], sizeof(paths[next]), "%s/%s", folder, name);
        return paths[next];
}

static void put(const char *name, const char *text)
{
        FILE *file = fopen(at(name), "w");

        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
}

static bool is_there(const char *name)
{
        struct stat status;

        return lstat(at(name), &status) == 0;
}

/* How many files match, dot files too. */
static size_t count(const char *pattern)
{
        glob_t found;
        size_t matches;

        if (glob(at(pattern), GLOB_PERIOD, NULL, &found) != 0)
                return 0;
        matches = found.gl_pathc;
        globfree(&found);
        return matches;
}

static json_t *answer(const char *name)
{
        json_error_t error;
        json_t *object = json_load_file(at(name), 0, &error);

        if (!object)
                fail_msg("%s: %s", at(name), error.text);
        return object;
}

static void assert_answer(const char *name, const char *code, int line, const char *words)
{
        json_t *object = answer(name);

        assert_string_equal(json_string_value(json_object_get(object, "code")), code);
        assert_int_equal(json_integer_value(json_object_get(object, "line")), line);
        assert_non_null(strstr(json_string_value(json_object_get(object, "sentence")), words));
        assert_true(json_string_length(json_object_get(object, "remedy")) > 10);
        assert_int_equal(json_string_length(json_object_get(object, "time")), 24);
        json_decref(object);
}

/* --- the folder, from inside --------------------------------------------------------------- */

static struct drop *open_drop(void)
{
        struct drop *drop = NULL;

        assert_int_equal(drop_open(folder, 1, &drop), 0);
        return drop;
}

struct folder_reader {
        struct drop *drop;
        struct drop_order *order;
};

static int read_next(void *subject)
{
        struct folder_reader *reader = subject;

        return drop_next(reader->drop, &reader->order);
}

/* The next order within `ms`, else NULL. */
static struct drop_order *next_within(struct drop *drop, unsigned ms)
{
        struct folder_reader reader = { .drop = drop };
        struct fiber *fiber = fiber_spawn("reader", read_next, &reader);
        uint64_t deadline = clock_now_ns() + ms * NS_PER_MS;
        int r;

        while (!fiber_has_ended(fiber) && clock_now_ns() < deadline)
                assert_int_equal(fiber_sleep_ns(5 * NS_PER_MS), 0);
        fiber_cancel(fiber);
        r = fiber_join(fiber);
        assert_true(r == 0 || r == -FAULT_CANCELLED);
        return reader.order;
}

static struct drop_order *next(struct drop *drop)
{
        struct drop_order *order = next_within(drop, 5000);

        assert_non_null(order);
        return order;
}

static void assert_text(const struct drop_order *order, const char *name, const char *text)
{
        assert_string_equal(order->name, name);
        assert_int_equal(order->text->length, strlen(text));
        assert_memory_equal(order->text->data, text, strlen(text));
}

static const struct order accepted = { .id = "A", .digest = { 0xAB, 0xCD } };
static const struct order_error error = { "BAD_VALUE", 3, "it is \xC3\xBC wrong", "make it right" };

/* Run a test's procedure on a fiber, in a fresh folder. */
static void on_fiber_at(enum loop_time time, int (*procedure)(void *subject))
{
        snprintf(folder, sizeof(folder), "%s/orders", test_directory());
        assert_int_equal(test_on_fiber(time, 1, procedure, NULL), 0);
}

static void on_fiber(int (*procedure)(void *subject))
{
        on_fiber_at(LOOP_TIME_REAL, procedure);
}

#define TEST(name)                                                                                 \
        static int name##_procedure(void *subject);                                                \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                on_fiber(name##_procedure);                                                        \
        }                                                                                          \
        static int name##_procedure(void *subject)

/* --- taking -------------------------------------------------------------------------------- */

TEST(an_order_dropped_before_the_start_is_taken)
{
        struct drop *drop;
        struct drop_order *order;

        (void)subject;
        drop = drop_close(open_drop()); /* makes the folders */
        assert_true(is_there("in") && is_there("work") && is_there("done") && is_there("err"));
        put("in/a.yaml", TEXT);
        drop = open_drop();
        assert_string_equal(drop_incoming(drop), at("in"));
        order = next(drop);
        assert_text(order, "a.yaml", TEXT);
        assert_false(order->is_resumed);
        assert_string_equal(order->path, at("work/a.yaml"));
        assert_true(is_there("work/a.yaml"));
        assert_false(is_there("in/a.yaml"));
        assert_int_equal(drop_waiting(drop), 0);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

TEST(an_order_renamed_in_after_the_start_is_taken_soon)
{
        struct drop *drop = open_drop();
        struct drop_order *order;
        uint64_t start;

        (void)subject;
        drop_close(drop);
        assert_int_equal(drop_open(folder, 3600, &drop), 0); /* no scan will help */
        assert_null(next_within(drop, 50));
        start = clock_now_ns();
        put("in/.a.yaml", TEXT);
        assert_int_equal(rename(at("in/.a.yaml"), at("in/a.yaml")), 0);
        order = next(drop);
        assert_text(order, "a.yaml", TEXT);
        assert_true(clock_now_ns() - start >= 200 * NS_PER_MS); /* looked at twice */
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

TEST(an_order_written_in_place_after_the_start_is_taken)
{
        struct drop *drop = open_drop();
        struct drop_order *order;

        (void)subject;
        assert_null(next_within(drop, 50));
        put("in/a.yml", TEXT);
        order = next(drop);
        assert_text(order, "a.yml", TEXT);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

/* Writes a piece every 100 ms under the final name, as no one should. */
static int write_slowly(void *subject)
{
        int file = open(at("in/slow.yaml"), O_WRONLY | O_CREAT | O_EXCL, 0644);

        (void)subject;
        assert_true(file >= 0);
        for (unsigned i = 0; i < 8; i++) {
                assert_int_equal(write(file, "# more\n", 7), 7);
                assert_int_equal(fiber_sleep_ns(100 * NS_PER_MS), 0);
        }
        assert_int_equal(write(file, TEXT, strlen(TEXT)), strlen(TEXT));
        close(file);
        return 0;
}

TEST(a_file_still_being_written_is_left_until_it_rests)
{
        struct drop *drop = open_drop();
        struct fiber *writer = fiber_spawn("writer", write_slowly, NULL);
        struct drop_order *order = next(drop);

        (void)subject;
        assert_true(fiber_has_ended(writer));
        assert_int_equal(fiber_join(writer), 0);
        assert_int_equal(order->text->length, 8 * 7 + strlen(TEXT));
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

/* Never stops writing; runs until it is cancelled. */
static int write_on(void *subject)
{
        int file = open(at("in/endless.yaml"), O_WRONLY | O_CREAT | O_EXCL, 0644), r = 0;

        (void)subject;
        assert_true(file >= 0);
        while (r == 0) {
                assert_int_equal(write(file, "#\n", 2), 2);
                r = fiber_sleep_ns(100 * NS_PER_MS);
        }
        close(file);
        return 0;
}

/* Under virtual time, where half a minute is at hand. */
static int a_file_that_is_never_finished_procedure(void *subject)
{
        struct drop *drop = open_drop();
        struct fiber *writer = fiber_spawn("writer", write_on, NULL);

        (void)subject;
        assert_null(next_within(drop, 29000));
        assert_true(is_there("in/endless.yaml"));
        assert_null(next_within(drop, 2000));
        assert_false(is_there("in/endless.yaml"));
        fiber_cancel(writer);
        assert_int_equal(fiber_join(writer), 0);
        assert_true(is_there("err/endless.yaml"));
        json_t *object = answer("err/endless.yaml.err");
        assert_string_equal(json_string_value(json_object_get(object, "code")), "TIMEOUT");
        assert_true(json_integer_value(json_object_get(object, "line")) > 250);
        assert_non_null(strstr(json_string_value(json_object_get(object, "remedy")), "rename"));
        json_decref(object);
        drop_close(drop);
        return 0;
}

static void a_file_that_is_never_finished_is_rejected_after_half_a_minute(void **state)
{
        (void)state;
        on_fiber_at(LOOP_TIME_VIRTUAL, a_file_that_is_never_finished_procedure);
}

TEST(temporary_names_and_other_files_are_not_looked_at)
{
        static const char *const names[] = { "in/.a.yaml",     "in/a.yaml.tmp",
                                             "in/a.yaml.part", "in/a.yaml.inprogress",
                                             "in/blinky.sfi",  "in/readme.txt",
                                             "in/yaml",        "in/.yaml" };
        struct drop *drop = open_drop();

        (void)subject;
        for (size_t i = 0; i < LENGTH_OF(names); i++)
                put(names[i], TEXT);
        assert_null(next_within(drop, 700));
        for (size_t i = 0; i < LENGTH_OF(names); i++)
                assert_true(is_there(names[i]));
        assert_int_equal(drop_waiting(drop), 0);
        drop_close(drop);
        return 0;
}

TEST(orders_are_taken_in_the_order_of_their_names)
{
        struct drop *drop = open_drop();

        (void)subject;
        put("in/c.yaml", TEXT);
        put("in/A.YAML", TEXT);
        put("in/b.yml", TEXT);
        for (unsigned i = 0; i < 3; i++) {
                static const char *const names[] = { "A.YAML", "b.yml", "c.yaml" };
                struct drop_order *order = next(drop);

                assert_string_equal(order->name, names[i]);
                assert_int_equal(drop_waiting(drop), 2 - i);
                drop_order_free(order);
        }
        drop_close(drop);
        return 0;
}

TEST(a_backlog_is_worked_off_a_thousand_at_a_time)
{
        struct drop *drop = open_drop();
        char name[64];

        (void)subject;
        for (unsigned i = 0; i < 1005; i++) {
                snprintf(name, sizeof(name), "in/%04u.yaml", 1004 - i);
                put(name, TEXT);
        }
        for (unsigned i = 0; i < 1005; i++) {
                struct drop_order *order = next(drop);

                snprintf(name, sizeof(name), "%04u.yaml", i);
                assert_string_equal(order->name, name);
                assert_int_equal(drop_waiting(drop), 1004 - i);
                drop_order_free(order);
        }
        drop_close(drop);
        return 0;
}

TEST(two_readers_of_one_folder_never_both_take_an_order)
{
        struct folder_reader readers[2] = { { .drop = open_drop() }, { .drop = open_drop() } };
        struct fiber *fibers[2];
        unsigned taken = 0;
        char name[64];

        (void)subject;
        for (unsigned round = 0; round < 5; round++) {
                snprintf(name, sizeof(name), "in/%u.yaml", round);
                put(name, TEXT);
                for (unsigned i = 0; i < 2; i++) {
                        readers[i].order = NULL;
                        fibers[i] = fiber_spawn("reader", read_next, &readers[i]);
                }
                assert_int_equal(fiber_sleep_ns(600 * NS_PER_MS), 0);
                for (unsigned i = 0; i < 2; i++) {
                        fiber_cancel(fibers[i]);
                        (void)fiber_join(fibers[i]);
                        taken += readers[i].order != NULL;
                        drop_order_free(readers[i].order);
                }
                assert_int_equal(taken, round + 1);
        }
        assert_int_equal(count("work/*.yaml"), 5);
        assert_int_equal(count("err/*.err"), 0);
        drop_close(readers[0].drop);
        drop_close(readers[1].drop);
        return 0;
}

/* Stopped between claiming and reading, it is in work/ and offered at the next call. */
TEST(an_order_claimed_when_the_reader_is_cancelled_is_offered_again)
{
        unsigned hits = 0;

        (void)subject;
        for (unsigned round = 0; round < 5; round++) {
                struct folder_reader reader = { .drop = open_drop() };
                struct fiber *fiber = fiber_spawn("reader", read_next, &reader);

                put("in/a.yaml", TEXT);
                while (!is_there("work/a.yaml"))
                        assert_int_equal(fiber_yield(), 0);
                fiber_cancel(fiber);
                hits += fiber_join(fiber) == -FAULT_CANCELLED;
                if (!reader.order)
                        reader.order = next(reader.drop);
                assert_text(reader.order, "a.yaml", TEXT);
                assert_int_equal(unlink(reader.order->path), 0);
                drop_order_free(reader.order);
                drop_close(reader.drop);
        }
        assert_true(hits > 0);
        return 0;
}

/* --- starting again ------------------------------------------------------------------------ */

TEST(what_lies_in_work_is_offered_again_first)
{
        struct drop *drop = drop_close(open_drop());
        struct drop_order *order;

        (void)subject;
        put("work/z.yaml", TEXT);
        put("work/b.yaml", "order: B\n");
        put("work/b.yaml.ack", "{}");
        put("in/a.yaml", TEXT);
        drop = open_drop();
        order = next(drop);
        assert_text(order, "b.yaml", "order: B\n");
        assert_true(order->is_resumed);
        assert_int_equal(drop_accept(drop, order, &accepted), 0); /* keeps the earlier answer */
        json_t *object = answer("work/b.yaml.ack");
        assert_int_equal(json_object_size(object), 0);
        json_decref(object);
        drop_order_free(order);
        order = next(drop);
        assert_string_equal(order->name, "z.yaml");
        drop_order_free(order);
        order = next(drop);
        assert_text(order, "a.yaml", TEXT);
        assert_false(order->is_resumed);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

TEST(a_second_station_leaves_the_work_of_the_first_alone)
{
        struct drop *first = open_drop(), *second;
        struct drop_order *order;

        (void)subject;
        put("in/a.yaml", TEXT);
        order = next(first);
        second = open_drop();
        assert_null(next_within(second, 400));
        assert_true(is_there("work/a.yaml"));
        drop_close(second);
        drop_order_free(order); /* the first has died */
        second = open_drop();
        order = next(second);
        assert_true(order->is_resumed);
        drop_order_free(order);
        drop_close(second);
        drop_close(first);
        return 0;
}

TEST(a_name_taken_in_work_gets_a_number)
{
        struct drop *drop = open_drop();
        struct drop_order *first, *second;

        (void)subject;
        put("in/a.yaml", "order: 1\n");
        first = next(drop);
        put("in/a.yaml", "order: 2\n");
        second = next(drop);
        assert_text(second, "a.yaml", "order: 2\n");
        assert_string_equal(second->path, at("work/a-2.yaml"));
        assert_int_equal(drop_accept(drop, second, &accepted), 0);
        assert_true(is_there("work/a-2.yaml.ack"));
        drop_order_free(first);
        drop_order_free(second);
        drop_close(drop);
        return 0;
}

TEST(folders_tidied_away_are_made_again)
{
        struct drop *drop = open_drop();
        struct drop_order *order;

        (void)subject;
        assert_null(next_within(drop, 50));
        assert_int_equal(rmdir(at("in")), 0);
        assert_int_equal(rmdir(at("work")), 0);
        assert_null(next_within(drop, 1300)); /* the slow scan */
        put("in/a.yaml", TEXT);
        order = next(drop);
        assert_text(order, "a.yaml", TEXT);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

/* --- what is no order ---------------------------------------------------------------------- */

/* Put there, answered with .err, and the next good order is taken. */
static void assert_rejected(struct drop *drop, const char *name, const char *code, int line,
                            const char *words)
{
        struct drop_order *order;
        char place[400];

        put("in/zzz.yaml", TEXT);
        order = next(drop);
        assert_string_equal(order->name, "zzz.yaml");
        assert_int_equal(unlink(order->path), 0);
        drop_order_free(order);
        snprintf(place, sizeof(place), "in/%s", name);
        assert_false(is_there(place));
        snprintf(place, sizeof(place), "err/%s", name);
        assert_true(is_there(place));
        snprintf(place, sizeof(place), "err/%s.err", name);
        assert_answer(place, code, line, words);
}

TEST(a_megabyte_of_noise_is_rejected)
{
        static uint8_t noise[1 << 20];
        struct chance chance = chance_fork(1, "noise", 0);
        struct drop *drop = open_drop();
        FILE *file = fopen(at("in/.noise"), "w");
        int lines = 1;

        (void)subject;
        chance_bytes(&chance, noise, sizeof(noise));
        for (unsigned i = 0; i < ORDER_FILE_MAX; i++)
                lines += noise[i] == '\n';
        assert_int_equal(fwrite(noise, 1, sizeof(noise), file), sizeof(noise));
        fclose(file);
        assert_int_equal(rename(at("in/.noise"), at("in/noise.yaml")), 0);
        assert_rejected(drop, "noise.yaml", "TOO_LARGE", lines, "1048576 bytes");
        drop_close(drop);
        return 0;
}

TEST(links_are_rejected_and_not_followed)
{
        struct drop *drop = open_drop();
        char target[64];

        (void)subject;
        put("secret", "order: SECRET\n");
        assert_int_equal(symlink(at("secret"), at("in/link.yaml")), 0);
        assert_int_equal(symlink("nowhere", at("in/dangling.yaml")), 0);
        assert_rejected(drop, "link.yaml", "BAD_FILE", 0, "a symbolic link");
        assert_answer("err/dangling.yaml.err", "BAD_FILE", 0, "a symbolic link");
        assert_int_equal(readlink(at("err/dangling.yaml"), target, sizeof(target)), 7);
        assert_true(is_there("secret"));
        drop_close(drop);
        return 0;
}

TEST(pipes_and_directories_are_rejected_without_waiting)
{
        struct drop *drop = open_drop();

        (void)subject;
        assert_int_equal(mkfifo(at("in/fifo.yaml"), 0644), 0);
        assert_int_equal(mkdir(at("in/directory.yaml"), 0755), 0);
        put("in/directory.yaml/inside.yaml", TEXT);
        assert_rejected(drop, "fifo.yaml", "BAD_FILE", 0, "a named pipe");
        assert_answer("err/directory.yaml.err", "BAD_FILE", 0, "a directory");
        assert_true(is_there("err/directory.yaml/inside.yaml"));
        drop_close(drop);
        return 0;
}

TEST(an_empty_file_is_an_order_with_nothing_in_it)
{
        struct drop *drop = open_drop();
        struct drop_order *order;
        struct order parsed;
        struct order_error why;

        (void)subject;
        put("in/empty.yaml", "");
        order = next(drop);
        assert_int_equal(order->text->length, 0);
        assert_fault(order_parse(order->text->data, 0, "/", &parsed, &why), BAD_VALUE, "empty");
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

/* --- names --------------------------------------------------------------------------------- */

TEST(odd_names_are_answered_under_their_names)
{
        static const char *const names[] = { "with space.yaml", "\xC3\xBC\xE2\x82\xAC.yaml",
                                             "a'b\"c\\.yaml",   "\xE9\xFF.yaml",
                                             "line\nfeed.yaml", "-rf.yaml" };
        struct drop *drop = open_drop();
        char place[300];

        (void)subject;
        for (size_t i = 0; i < LENGTH_OF(names); i++) {
                struct drop_order *order;

                snprintf(place, sizeof(place), "in/%s", names[i]);
                put(place, TEXT);
                order = next(drop);
                assert_text(order, names[i], TEXT);
                assert_int_equal(drop_reject(drop, order, &error), 0);
                drop_order_free(order);
                snprintf(place, sizeof(place), "err/%s", names[i]);
                assert_true(is_there(place));
                snprintf(place, sizeof(place), "err/%s.err", names[i]);
                assert_answer(place, "BAD_VALUE", 3, "\xC3\xBC");
        }
        drop_close(drop);
        return 0;
}

TEST(names_of_255_bytes_are_shortened_and_told_in_the_answer)
{
        struct drop *drop = open_drop();
        struct drop_order *order;
        char name[256], place[300];
        json_t *object;

        (void)subject;
        memset(name, 'n', 250);
        strcpy(name + 250, ".yaml");
        snprintf(place, sizeof(place), "in/%s", name);
        put(place, TEXT);
        order = next(drop);
        assert_string_equal(order->name, name);
        assert_true(strlen(strrchr(order->path, '/')) <= 201);
        assert_int_equal(drop_accept(drop, order, &accepted), 0);
        assert_int_equal(drop_reject(drop, order, &error), 0);
        assert_int_equal(count("work/nnn*"), 0);
        snprintf(place, sizeof(place), "err%s.err", strrchr(order->path, '/'));
        object = answer(place);
        assert_string_equal(json_string_value(json_object_get(object, "file")), name);
        json_decref(object);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

/* --- answers ------------------------------------------------------------------------------- */

TEST(an_accepted_order_is_acknowledged_with_the_hash_of_its_text)
{
        struct drop *drop = open_drop();
        struct drop_order *order;
        json_t *object;

        (void)subject;
        put("in/a.yaml", TEXT);
        order = next(drop);
        assert_int_equal(drop_accept(drop, order, &accepted), 0);
        object = answer("work/a.yaml.ack");
        assert_string_equal(json_string_value(json_object_get(object, "file")), "a.yaml");
        assert_string_equal(json_string_value(json_object_get(object, "order")), "A");
        assert_memory_equal(json_string_value(json_object_get(object, "sha256")), "abcd0000", 8);
        assert_int_equal(json_string_length(json_object_get(object, "sha256")), 64);
        assert_int_equal(json_string_length(json_object_get(object, "accepted")), 24);
        json_decref(object);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

TEST(a_rejected_order_lies_in_err_with_its_answer)
{
        struct drop *drop = open_drop();
        struct drop_order *order;
        json_t *object;

        (void)subject;
        put("in/a.yaml", TEXT);
        order = next(drop);
        assert_int_equal(drop_reject(drop, order, &error), 0);
        object = answer("err/a.yaml.err");
        assert_string_equal(json_string_value(json_object_get(object, "file")), "a.yaml");
        assert_string_equal(json_string_value(json_object_get(object, "sentence")),
                            "it is \xC3\xBC wrong");
        assert_string_equal(json_string_value(json_object_get(object, "remedy")), "make it right");
        json_decref(object);
        assert_answer("err/a.yaml.err", "BAD_VALUE", 3, "wrong");
        assert_true(is_there("err/a.yaml"));
        assert_int_equal(count("work/*.yaml*"), 0);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

TEST(a_sentence_cut_inside_a_character_is_still_an_answer)
{
        struct drop *drop = open_drop();
        struct order_error cut = { .code = "BAD_VALUE", .line = 1, .remedy = "\xE2\x82" };
        struct drop_order *order;

        (void)subject;
        memset(cut.sentence, 'x', sizeof(cut.sentence) - 2);
        cut.sentence[sizeof(cut.sentence) - 2] = (char)0xC3;
        put("in/a.yaml", TEXT);
        order = next(drop);
        assert_int_equal(drop_reject(drop, order, &cut), 0);
        json_decref(answer("err/a.yaml.err"));
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

static char today[16];

static void note_today(void)
{
        time_t now = time(NULL);
        struct tm parts;

        gmtime_r(&now, &parts);
        strftime(today, sizeof(today), "%Y-%m-%d", &parts);
}

static const char *done(const char *name)
{
        static char path[300];

        snprintf(path, sizeof(path), "done/%s/%s", today, name);
        return path;
}

static void make_and_finish(struct drop *drop, const char *json)
{
        struct drop_order *order;

        put("in/a.yaml", TEXT);
        order = next(drop);
        assert_int_equal(drop_accept(drop, order, &accepted), 0);
        assert_int_equal(drop_finish(drop, order,
                                     &(struct drop_result){ .json = json,
                                                            .csv = "unit\n",
                                                            .receipt = "receipt",
                                                            .receipt_length = 7,
                                                            .signature = "sign",
                                                            .signature_length = 4 }),
                         0);
        drop_order_free(order);
}

static void assert_file(const char *name, const char *text)
{
        char found[64] = "";
        FILE *file = fopen(at(name), "r");

        assert_non_null(file);
        assert_int_equal(fread(found, 1, sizeof(found) - 1, file), strlen(text));
        fclose(file);
        assert_string_equal(found, text);
}

TEST(a_finished_order_is_archived_by_day_and_nothing_is_overwritten)
{
        struct drop *drop = open_drop();

        (void)subject;
        note_today();
        make_and_finish(drop, "first");
        assert_file(done("a.yaml"), TEXT);
        assert_file(done("a.yaml.result.json"), "first");
        assert_file(done("a.yaml.units.csv"), "unit\n");
        assert_file(done("a.yaml.receipt"), "receipt");
        assert_file(done("a.yaml.receipt.sig"), "sign");
        assert_true(is_there(done("a.yaml.ack")));
        make_and_finish(drop, "second");
        assert_file(done("a.yaml.result.json"), "first");
        assert_file(done("a-2.yaml.result.json"), "second");
        assert_file(done("a-2.yaml"), TEXT);
        assert_true(is_there(done("a-2.yaml.ack")));
        put(done("a-3.yaml.ack"), "of someone else"); /* one name taken, all go on */
        make_and_finish(drop, "third");
        assert_file(done("a-4.yaml.result.json"), "third");
        assert_file(done("a-4.yaml.units.csv"), "unit\n");
        assert_file(done("a-3.yaml.ack"), "of someone else");
        assert_false(is_there(done("a-3.yaml.result.json")));
        assert_int_equal(count("work/a*") + count("work/.a*"), 0);
        drop_close(drop);
        return 0;
}

TEST(results_may_be_left_out)
{
        struct drop *drop = open_drop();
        struct drop_order *order;

        (void)subject;
        note_today();
        put("in/a.yaml", TEXT);
        order = next(drop);
        assert_int_equal(drop_finish(drop, order, &(struct drop_result){ 0 }), 0);
        assert_true(is_there(done("a.yaml")));
        assert_false(is_there(done("a.yaml.result.json")));
        assert_false(is_there(done("a.yaml.ack")));
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

TEST(a_second_rejection_of_a_name_gets_a_number)
{
        struct drop *drop = open_drop();

        (void)subject;
        for (unsigned i = 0; i < 3; i++) {
                struct drop_order *order;

                put("in/a.b.yaml", TEXT);
                order = next(drop);
                assert_int_equal(drop_reject(drop, order, &error), 0);
                drop_order_free(order);
        }
        assert_true(is_there("err/a.b.yaml.err"));
        assert_true(is_there("err/a.b-2.yaml.err"));
        assert_true(is_there("err/a.b-3.yaml.err"));
        assert_true(is_there("err/a.b-3.yaml"));
        drop_close(drop);
        return 0;
}

/* A crash between the answer and the move: the order is offered again and answered again. */
TEST(an_answer_cut_short_by_a_crash_is_given_again)
{
        struct drop *drop = drop_close(open_drop());
        struct drop_order *order;

        (void)subject;
        put("work/a.yaml", TEXT);
        put("work/.a.yaml.err", "half");
        put("err/a.yaml.err", "{}");
        drop = open_drop();
        order = next(drop);
        assert_int_equal(drop_reject(drop, order, &error), 0);
        drop_order_free(order);
        assert_file("err/a.yaml.err", "{}");
        assert_answer("err/a-2.yaml.err", "BAD_VALUE", 3, "wrong");
        assert_true(is_there("err/a-2.yaml"));
        drop_close(drop);
        return 0;
}

/* --- file systems that are poorer ---------------------------------------------------------- */

/* Let renameat2 fail as NFS lets it, for the rest of this process. */
static void forbid_renameat2(void)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { LENGTH_OF(filter), filter };

        assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static int work_without_renameat2(void *subject)
{
        struct drop *drop = open_drop();
        struct drop_order *first, *second;

        (void)subject;
        note_today();
        forbid_renameat2();
        put("in/a.yaml", "order: 1\n");
        first = next(drop);
        put("in/a.yaml", "order: 2\n");
        second = next(drop);
        assert_string_equal(second->path, at("work/a-2.yaml"));
        assert_file("work/a.yaml", "order: 1\n");
        assert_int_equal(drop_reject(drop, first, &error), 0);
        assert_answer("err/a.yaml.err", "BAD_VALUE", 3, "wrong");
        assert_int_equal(drop_finish(drop, second, &(struct drop_result){ .json = "{}" }), 0);
        assert_file(done("a-2.yaml"), "order: 2\n");
        drop_order_free(first);
        drop_order_free(second);
        drop_close(drop);
        return 0;
}

static void without_noreplace_nothing_is_overwritten_either(void **state)
{
        pid_t child;
        int status;

        (void)state;
        snprintf(folder, sizeof(folder), "%s/orders", test_directory());
        child = fork();
        if (child == 0)
                _exit(test_on_fiber(LOOP_TIME_REAL, 1, work_without_renameat2, NULL));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

/* A user who may read in/ and not rename in it. */
static int claim_without_permission(void *subject)
{
        struct drop *drop;

        (void)subject;
        assert_int_equal(drop_open(folder, 1, &drop), 0);
        assert_null(next_within(drop, 1500)); /* over several scans, said once */
        assert_true(is_there("in/a.yaml"));
        assert_answer("err/a.yaml.err", "SYSTEM", 0, "cannot be claimed");
        assert_int_equal(count("err/a*"), 1);
        drop_close(drop);
        return 0;
}

static void an_order_that_cannot_be_claimed_is_answered_once(void **state)
{
        static const char *const names[] = { "orders", "orders/work", "orders/err", "orders/done",
                                             "orders/in" };
        char directory[128], path[200];
        pid_t child;
        int status;

        (void)state;
        if (getuid() != 0)
                skip();
        snprintf(directory, sizeof(directory), "%s", test_directory());
        assert_int_equal(chmod(directory, 0755), 0);
        snprintf(folder, sizeof(folder), "%s/orders", directory);
        for (size_t i = 0; i < LENGTH_OF(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
                assert_int_equal(mkdir(path, 0755), 0);
                if (strcmp(names[i], "orders/in") != 0)
                        assert_int_equal(chown(path, 65534, 65534), 0);
        }
        put("in/a.yaml", TEXT);
        child = fork();
        if (child == 0) {
                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(1);
                _exit(test_on_fiber(LOOP_TIME_REAL, 1, claim_without_permission, NULL));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

TEST(a_folder_that_cannot_be_made_is_a_fault)
{
        struct drop *drop = NULL;
        char path[400];

        (void)subject;
        snprintf(path, sizeof(path), "%s/missing/orders", folder);
        assert_fault(drop_open(path, 1, &drop), NOT_FOUND, "make its parent");
        memset(path, 'p', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_fault(drop_open(path, 1, &drop), SYSTEM, "shorter");
        assert_null(drop);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_order_dropped_before_the_start_is_taken),
                cmocka_unit_test(an_order_renamed_in_after_the_start_is_taken_soon),
                cmocka_unit_test(an_order_written_in_place_after_the_start_is_taken),
                cmocka_unit_test(a_file_still_being_written_is_left_until_it_rests),
                cmocka_unit_test(a_file_that_is_never_finished_is_rejected_after_half_a_minute),
                cmocka_unit_test(temporary_names_and_other_files_are_not_looked_at),
                cmocka_unit_test(orders_are_taken_in_the_order_of_their_names),
                cmocka_unit_test(a_backlog_is_worked_off_a_thousand_at_a_time),
                cmocka_unit_test(two_readers_of_one_folder_never_both_take_an_order),
                cmocka_unit_test(an_order_claimed_when_the_reader_is_cancelled_is_offered_again),
                cmocka_unit_test(what_lies_in_work_is_offered_again_first),
                cmocka_unit_test(a_second_station_leaves_the_work_of_the_first_alone),
                cmocka_unit_test(a_name_taken_in_work_gets_a_number),
                cmocka_unit_test(folders_tidied_away_are_made_again),
                cmocka_unit_test(a_megabyte_of_noise_is_rejected),
                cmocka_unit_test(links_are_rejected_and_not_followed),
                cmocka_unit_test(pipes_and_directories_are_rejected_without_waiting),
                cmocka_unit_test(an_empty_file_is_an_order_with_nothing_in_it),
                cmocka_unit_test(odd_names_are_answered_under_their_names),
                cmocka_unit_test(names_of_255_bytes_are_shortened_and_told_in_the_answer),
                cmocka_unit_test(an_accepted_order_is_acknowledged_with_the_hash_of_its_text),
                cmocka_unit_test(a_rejected_order_lies_in_err_with_its_answer),
                cmocka_unit_test(a_sentence_cut_inside_a_character_is_still_an_answer),
                cmocka_unit_test(a_finished_order_is_archived_by_day_and_nothing_is_overwritten),
                cmocka_unit_test(results_may_be_left_out),
                cmocka_unit_test(a_second_rejection_of_a_name_gets_a_number),
                cmocka_unit_test(an_answer_cut_short_by_a_crash_is_given_again),
                cmocka_unit_test(without_noreplace_nothing_is_overwritten_either),
                cmocka_unit_test(an_order_that_cannot_be_claimed_is_answered_once),
                cmocka_unit_test(a_folder_that_cannot_be_made_is_a_fault),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
