/*
 * The drop folder, in real time with short waits: whatever is put into in/ is taken once, in whole.
 */
#include "tests/support/order_folder.h"

#include "scheduler/chance.h"
#include "scheduler/fiber.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- taking -------------------------------------------------------------------------------- */

FOLDER_TEST(an_order_dropped_before_the_start_is_taken)
{
        struct drop *drop;
        struct drop_order *order;

        (void)subject;
        drop = drop_close(folder_open()); /* makes the folders */
        assert_true(folder_has("in") && folder_has("work") && folder_has("done") &&
                    folder_has("err"));
        folder_put("in/a.yaml", FOLDER_TEXT);
        drop = folder_open();
        assert_string_equal(drop_incoming(drop), folder_path("in"));
        order = folder_next(drop);
        assert_order_text(order, "a.yaml", FOLDER_TEXT);
        assert_false(order->is_resumed);
        assert_string_equal(order->path, folder_path("work/a.yaml"));
        assert_true(folder_has("work/a.yaml"));
        assert_false(folder_has("in/a.yaml"));
        assert_int_equal(drop_waiting(drop), 0);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

FOLDER_TEST(an_order_renamed_in_after_the_start_is_taken_soon)
{
        struct drop *drop = folder_open();
        struct drop_order *order;
        uint64_t start;

        (void)subject;
        drop_close(drop);
        assert_int_equal(drop_open(folder, 3600, &drop), 0); /* no scan will help */
        assert_null(folder_next_within(drop, 50));
        start = clock_now_ns();
        folder_put("in/.a.yaml", FOLDER_TEXT);
        assert_int_equal(rename(folder_path("in/.a.yaml"), folder_path("in/a.yaml")), 0);
        order = folder_next(drop);
        assert_order_text(order, "a.yaml", FOLDER_TEXT);
        assert_true(clock_now_ns() - start >= 200 * NS_PER_MS); /* looked at twice */
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

FOLDER_TEST(an_order_written_in_place_after_the_start_is_taken)
{
        struct drop *drop = folder_open();
        struct drop_order *order;

        (void)subject;
        assert_null(folder_next_within(drop, 50));
        folder_put("in/a.yml", FOLDER_TEXT);
        order = folder_next(drop);
        assert_order_text(order, "a.yml", FOLDER_TEXT);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

/* Writes a piece every 100 ms under the final name, as no one should. */
static int write_slowly(void *subject)
{
        int file = open(folder_path("in/slow.yaml"), O_WRONLY | O_CREAT | O_EXCL, 0644);

        (void)subject;
        assert_true(file >= 0);
        for (unsigned i = 0; i < 8; i++) {
                assert_int_equal(write(file, "# more\n", 7), 7);
                assert_int_equal(fiber_sleep_ns(100 * NS_PER_MS), 0);
        }
        assert_int_equal(write(file, FOLDER_TEXT, strlen(FOLDER_TEXT)), strlen(FOLDER_TEXT));
        close(file);
        return 0;
}

FOLDER_TEST(a_file_still_being_written_is_left_until_it_rests)
{
        struct drop *drop = folder_open();
        struct fiber *writer = fiber_spawn("writer", write_slowly, NULL);
        struct drop_order *order = folder_next(drop);

        (void)subject;
        assert_true(fiber_has_ended(writer));
        assert_int_equal(fiber_join(writer), 0);
        assert_int_equal(order->text->length, 8 * 7 + strlen(FOLDER_TEXT));
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

/* Never stops writing; runs until it is cancelled. */
static int write_on(void *subject)
{
        int file = open(folder_path("in/endless.yaml"), O_WRONLY | O_CREAT | O_EXCL, 0644), r = 0;

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
        struct drop *drop = folder_open();
        struct fiber *writer = fiber_spawn("writer", write_on, NULL);

        (void)subject;
        assert_null(folder_next_within(drop, 29000));
        assert_true(folder_has("in/endless.yaml"));
        assert_null(folder_next_within(drop, 2000));
        assert_false(folder_has("in/endless.yaml"));
        fiber_cancel(writer);
        assert_int_equal(fiber_join(writer), 0);
        assert_true(folder_has("err/endless.yaml"));
        json_t *object = folder_answer("err/endless.yaml.err");
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
        folder_test_at(LOOP_TIME_VIRTUAL, a_file_that_is_never_finished_procedure);
}

FOLDER_TEST(temporary_names_and_other_files_are_not_looked_at)
{
        static const char *const names[] = { "in/.a.yaml",     "in/a.yaml.tmp",
                                             "in/a.yaml.part", "in/a.yaml.inprogress",
                                             "in/blinky.sfi",  "in/readme.txt",
                                             "in/yaml",        "in/.yaml" };
        struct drop *drop = folder_open();

        (void)subject;
        for (size_t i = 0; i < LENGTH_OF(names); i++)
                folder_put(names[i], FOLDER_TEXT);
        assert_null(folder_next_within(drop, 700));
        for (size_t i = 0; i < LENGTH_OF(names); i++)
                assert_true(folder_has(names[i]));
        assert_int_equal(drop_waiting(drop), 0);
        drop_close(drop);
        return 0;
}

FOLDER_TEST(orders_are_taken_in_the_order_of_their_names)
{
        struct drop *drop = folder_open();

        (void)subject;
        folder_put("in/c.yaml", FOLDER_TEXT);
        folder_put("in/A.YAML", FOLDER_TEXT);
        folder_put("in/b.yml", FOLDER_TEXT);
        for (unsigned i = 0; i < 3; i++) {
                static const char *const names[] = { "A.YAML", "b.yml", "c.yaml" };
                struct drop_order *order = folder_next(drop);

                assert_string_equal(order->name, names[i]);
                assert_int_equal(drop_waiting(drop), 2 - i);
                drop_order_free(order);
        }
        drop_close(drop);
        return 0;
}

FOLDER_TEST(a_backlog_is_worked_off_a_thousand_at_a_time)
{
        struct drop *drop = folder_open();
        char name[64];

        (void)subject;
        for (unsigned i = 0; i < 1005; i++) {
                snprintf(name, sizeof(name), "in/%04u.yaml", 1004 - i);
                folder_put(name, FOLDER_TEXT);
        }
        for (unsigned i = 0; i < 1005; i++) {
                struct drop_order *order = folder_next(drop);

                snprintf(name, sizeof(name), "%04u.yaml", i);
                assert_string_equal(order->name, name);
                assert_int_equal(drop_waiting(drop), 1004 - i);
                drop_order_free(order);
        }
        drop_close(drop);
        return 0;
}

FOLDER_TEST(two_readers_of_one_folder_never_both_take_an_order)
{
        struct folder_reader readers[2] = { { .drop = folder_open() }, { .drop = folder_open() } };
        struct fiber *fibers[2];
        unsigned taken = 0;
        char name[64];

        (void)subject;
        for (unsigned round = 0; round < 5; round++) {
                snprintf(name, sizeof(name), "in/%u.yaml", round);
                folder_put(name, FOLDER_TEXT);
                for (unsigned i = 0; i < 2; i++) {
                        readers[i].order = NULL;
                        fibers[i] = fiber_spawn("reader", folder_read, &readers[i]);
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
        assert_int_equal(folder_count("work/*.yaml"), 5);
        assert_int_equal(folder_count("err/*.err"), 0);
        drop_close(readers[0].drop);
        drop_close(readers[1].drop);
        return 0;
}

/* Stopped between claiming and reading, it is in work/ and offered at the next call. */
FOLDER_TEST(an_order_claimed_when_the_reader_is_cancelled_is_offered_again)
{
        unsigned hits = 0;

        (void)subject;
        for (unsigned round = 0; round < 5; round++) {
                struct folder_reader reader = { .drop = folder_open() };
                struct fiber *fiber = fiber_spawn("reader", folder_read, &reader);

                folder_put("in/a.yaml", FOLDER_TEXT);
                while (!folder_has("work/a.yaml"))
                        assert_int_equal(fiber_yield(), 0);
                fiber_cancel(fiber);
                hits += fiber_join(fiber) == -FAULT_CANCELLED;
                if (!reader.order)
                        reader.order = folder_next(reader.drop);
                assert_order_text(reader.order, "a.yaml", FOLDER_TEXT);
                assert_int_equal(unlink(reader.order->path), 0);
                drop_order_free(reader.order);
                drop_close(reader.drop);
        }
        assert_true(hits > 0);
        return 0;
}

/* --- starting again ------------------------------------------------------------------------ */

FOLDER_TEST(what_lies_in_work_is_offered_again_first)
{
        struct drop *drop = drop_close(folder_open());
        struct drop_order *order;

        (void)subject;
        folder_put("work/z.yaml", FOLDER_TEXT);
        folder_put("work/b.yaml", "order: B\n");
        folder_put("work/b.yaml.ack", "{}");
        folder_put("in/a.yaml", FOLDER_TEXT);
        drop = folder_open();
        order = folder_next(drop);
        assert_order_text(order, "b.yaml", "order: B\n");
        assert_true(order->is_resumed);
        assert_int_equal(drop_accept(drop, order, &folder_accepted),
                         0); /* keeps the earlier answer */
        json_t *object = folder_answer("work/b.yaml.ack");
        assert_int_equal(json_object_size(object), 0);
        json_decref(object);
        drop_order_free(order);
        order = folder_next(drop);
        assert_string_equal(order->name, "z.yaml");
        drop_order_free(order);
        order = folder_next(drop);
        assert_order_text(order, "a.yaml", FOLDER_TEXT);
        assert_false(order->is_resumed);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

FOLDER_TEST(a_second_station_leaves_the_work_of_the_first_alone)
{
        struct drop *first = folder_open(), *second;
        struct drop_order *order;

        (void)subject;
        folder_put("in/a.yaml", FOLDER_TEXT);
        order = folder_next(first);
        second = folder_open();
        assert_null(folder_next_within(second, 400));
        assert_true(folder_has("work/a.yaml"));
        drop_close(second);
        drop_order_free(order); /* the first has died */
        second = folder_open();
        order = folder_next(second);
        assert_true(order->is_resumed);
        drop_order_free(order);
        drop_close(second);
        drop_close(first);
        return 0;
}

FOLDER_TEST(a_name_taken_in_work_gets_a_number)
{
        struct drop *drop = folder_open();
        struct drop_order *first, *second;

        (void)subject;
        folder_put("in/a.yaml", "order: 1\n");
        first = folder_next(drop);
        folder_put("in/a.yaml", "order: 2\n");
        second = folder_next(drop);
        assert_order_text(second, "a.yaml", "order: 2\n");
        assert_string_equal(second->path, folder_path("work/a-2.yaml"));
        assert_int_equal(drop_accept(drop, second, &folder_accepted), 0);
        assert_true(folder_has("work/a-2.yaml.ack"));
        drop_order_free(first);
        drop_order_free(second);
        drop_close(drop);
        return 0;
}

FOLDER_TEST(folders_tidied_away_are_made_again)
{
        struct drop *drop = folder_open();
        struct drop_order *order;

        (void)subject;
        assert_null(folder_next_within(drop, 50));
        assert_int_equal(rmdir(folder_path("in")), 0);
        assert_int_equal(rmdir(folder_path("work")), 0);
        assert_null(folder_next_within(drop, 1300)); /* the slow scan */
        folder_put("in/a.yaml", FOLDER_TEXT);
        order = folder_next(drop);
        assert_order_text(order, "a.yaml", FOLDER_TEXT);
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

        folder_put("in/zzz.yaml", FOLDER_TEXT);
        order = folder_next(drop);
        assert_string_equal(order->name, "zzz.yaml");
        assert_int_equal(unlink(order->path), 0);
        drop_order_free(order);
        snprintf(place, sizeof(place), "in/%s", name);
        assert_false(folder_has(place));
        snprintf(place, sizeof(place), "err/%s", name);
        assert_true(folder_has(place));
        snprintf(place, sizeof(place), "err/%s.err", name);
        assert_answer(place, code, line, words);
}

FOLDER_TEST(a_megabyte_of_noise_is_rejected)
{
        static uint8_t noise[1 << 20];
        struct chance chance = chance_fork(1, "noise", 0);
        struct drop *drop = folder_open();
        FILE *file = fopen(folder_path("in/.noise"), "w");
        int lines = 1;

        (void)subject;
        chance_bytes(&chance, noise, sizeof(noise));
        for (unsigned i = 0; i < ORDER_FILE_MAX; i++)
                lines += noise[i] == '\n';
        assert_int_equal(fwrite(noise, 1, sizeof(noise), file), sizeof(noise));
        fclose(file);
        assert_int_equal(rename(folder_path("in/.noise"), folder_path("in/noise.yaml")), 0);
        assert_rejected(drop, "noise.yaml", "TOO_LARGE", lines, "1048576 bytes");
        drop_close(drop);
        return 0;
}

FOLDER_TEST(links_are_rejected_and_not_followed)
{
        struct drop *drop = folder_open();
        char target[64];

        (void)subject;
        folder_put("secret", "order: SECRET\n");
        assert_int_equal(symlink(folder_path("secret"), folder_path("in/link.yaml")), 0);
        assert_int_equal(symlink("nowhere", folder_path("in/dangling.yaml")), 0);
        assert_rejected(drop, "link.yaml", "BAD_FILE", 0, "a symbolic link");
        assert_answer("err/dangling.yaml.err", "BAD_FILE", 0, "a symbolic link");
        assert_int_equal(readlink(folder_path("err/dangling.yaml"), target, sizeof(target)), 7);
        assert_true(folder_has("secret"));
        drop_close(drop);
        return 0;
}

FOLDER_TEST(pipes_and_directories_are_rejected_without_waiting)
{
        struct drop *drop = folder_open();

        (void)subject;
        assert_int_equal(mkfifo(folder_path("in/fifo.yaml"), 0644), 0);
        assert_int_equal(mkdir(folder_path("in/directory.yaml"), 0755), 0);
        folder_put("in/directory.yaml/inside.yaml", FOLDER_TEXT);
        assert_rejected(drop, "fifo.yaml", "BAD_FILE", 0, "a named pipe");
        assert_answer("err/directory.yaml.err", "BAD_FILE", 0, "a directory");
        assert_true(folder_has("err/directory.yaml/inside.yaml"));
        drop_close(drop);
        return 0;
}

FOLDER_TEST(an_empty_file_is_an_order_with_nothing_in_it)
{
        struct drop *drop = folder_open();
        struct drop_order *order;
        struct order parsed;
        struct order_error why;

        (void)subject;
        folder_put("in/empty.yaml", "");
        order = folder_next(drop);
        assert_int_equal(order->text->length, 0);
        assert_fault(order_parse(order->text->data, 0, "/", &parsed, &why), BAD_VALUE, "empty");
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

/* --- names --------------------------------------------------------------------------------- */

FOLDER_TEST(odd_names_are_answered_under_their_names)
{
        static const char *const names[] = { "with space.yaml", "\xC3\xBC\xE2\x82\xAC.yaml",
                                             "a'b\"c\\.yaml",   "\xE9\xFF.yaml",
                                             "line\nfeed.yaml", "-rf.yaml" };
        struct drop *drop = folder_open();
        char place[300];

        (void)subject;
        for (size_t i = 0; i < LENGTH_OF(names); i++) {
                struct drop_order *order;

                snprintf(place, sizeof(place), "in/%s", names[i]);
                folder_put(place, FOLDER_TEXT);
                order = folder_next(drop);
                assert_order_text(order, names[i], FOLDER_TEXT);
                assert_int_equal(drop_reject(drop, order, &folder_error), 0);
                drop_order_free(order);
                snprintf(place, sizeof(place), "err/%s", names[i]);
                assert_true(folder_has(place));
                snprintf(place, sizeof(place), "err/%s.err", names[i]);
                assert_answer(place, "BAD_VALUE", 3, "\xC3\xBC");
        }
        drop_close(drop);
        return 0;
}

FOLDER_TEST(names_of_255_bytes_are_shortened_and_told_in_the_answer)
{
        struct drop *drop = folder_open();
        struct drop_order *order;
        char name[256], place[300];
        json_t *object;

        (void)subject;
        memset(name, 'n', 250);
        strcpy(name + 250, ".yaml");
        snprintf(place, sizeof(place), "in/%s", name);
        folder_put(place, FOLDER_TEXT);
        order = folder_next(drop);
        assert_string_equal(order->name, name);
        assert_true(strlen(strrchr(order->path, '/')) <= 201);
        assert_int_equal(drop_accept(drop, order, &folder_accepted), 0);
        assert_int_equal(drop_reject(drop, order, &folder_error), 0);
        assert_int_equal(folder_count("work/nnn*"), 0);
        snprintf(place, sizeof(place), "err%s.err", strrchr(order->path, '/'));
        object = folder_answer(place);
        assert_string_equal(json_string_value(json_object_get(object, "file")), name);
        json_decref(object);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}
/* A user who may read in/ and not rename in it. */
static int claim_without_permission(void *subject)
{
        struct drop *drop;

        (void)subject;
        assert_int_equal(drop_open(folder, 1, &drop), 0);
        assert_null(folder_next_within(drop, 1500)); /* over several scans, said once */
        assert_true(folder_has("in/a.yaml"));
        assert_answer("err/a.yaml.err", "SYSTEM", 0, "cannot be claimed");
        assert_int_equal(folder_count("err/a*"), 1);
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
        folder_put("in/a.yaml", FOLDER_TEXT);
        child = fork();
        if (child == 0) {
                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(1);
                _exit(test_on_fiber(LOOP_TIME_REAL, 1, claim_without_permission, NULL));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

FOLDER_TEST(a_folder_that_cannot_be_made_is_a_fault)
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
                cmocka_unit_test(an_order_that_cannot_be_claimed_is_answered_once),
                cmocka_unit_test(a_folder_that_cannot_be_made_is_a_fault),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
