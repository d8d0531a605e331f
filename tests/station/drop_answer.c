/*
 * Answers of the drop folder: what was taken is acknowledged or rejected once, and archived by day; nothing
 * is overwritten.
 */
#include "tests/support/order_folder.h"

#include "tests/support/test.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static void assert_file(const char *name, const char *text)
{
        char found[64] = "";
        FILE *file = fopen(folder_path(name), "r");

        assert_non_null(file);
        assert_int_equal(fread(found, 1, sizeof(found) - 1, file), strlen(text));
        fclose(file);
        assert_string_equal(found, text);
}

/* --- answers ------------------------------------------------------------------------------- */

FOLDER_TEST(an_accepted_order_is_acknowledged_with_the_hash_of_its_text)
{
        struct drop *drop = folder_open();
        struct drop_order *order;
        json_t *object;

        (void)subject;
        folder_put("in/a.yaml", FOLDER_TEXT);
        order = folder_next(drop);
        assert_int_equal(drop_accept(drop, order, &folder_accepted), 0);
        object = folder_answer("work/a.yaml.ack");
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

FOLDER_TEST(a_rejected_order_lies_in_err_with_its_answer)
{
        struct drop *drop = folder_open();
        struct drop_order *order;
        json_t *object;

        (void)subject;
        folder_put("in/a.yaml", FOLDER_TEXT);
        order = folder_next(drop);
        assert_int_equal(drop_reject(drop, order, &folder_error), 0);
        object = folder_answer("err/a.yaml.err");
        assert_string_equal(json_string_value(json_object_get(object, "file")), "a.yaml");
        assert_string_equal(json_string_value(json_object_get(object, "sentence")),
                            "it is \xC3\xBC wrong");
        assert_string_equal(json_string_value(json_object_get(object, "remedy")), "make it right");
        json_decref(object);
        assert_answer("err/a.yaml.err", "BAD_VALUE", 3, "wrong");
        assert_true(folder_has("err/a.yaml"));
        assert_int_equal(folder_count("work/*.yaml*"), 0);
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

FOLDER_TEST(a_sentence_cut_inside_a_character_is_still_an_answer)
{
        struct drop *drop = folder_open();
        struct order_error cut = { .code = "BAD_VALUE", .line = 1, .remedy = "\xE2\x82" };
        struct drop_order *order;

        (void)subject;
        memset(cut.sentence, 'x', sizeof(cut.sentence) - 2);
        cut.sentence[sizeof(cut.sentence) - 2] = (char)0xC3;
        folder_put("in/a.yaml", FOLDER_TEXT);
        order = folder_next(drop);
        assert_int_equal(drop_reject(drop, order, &cut), 0);
        json_decref(folder_answer("err/a.yaml.err"));
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

static void make_and_finish(struct drop *drop, const char *json)
{
        struct drop_order *order;

        folder_put("in/a.yaml", FOLDER_TEXT);
        order = folder_next(drop);
        assert_int_equal(drop_accept(drop, order, &folder_accepted), 0);
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

FOLDER_TEST(a_finished_order_is_archived_by_day_and_nothing_is_overwritten)
{
        struct drop *drop = folder_open();

        (void)subject;
        note_today();
        make_and_finish(drop, "first");
        assert_file(done("a.yaml"), FOLDER_TEXT);
        assert_file(done("a.yaml.result.json"), "first");
        assert_file(done("a.yaml.units.csv"), "unit\n");
        assert_file(done("a.yaml.receipt"), "receipt");
        assert_file(done("a.yaml.receipt.sig"), "sign");
        assert_true(folder_has(done("a.yaml.ack")));
        make_and_finish(drop, "second");
        assert_file(done("a.yaml.result.json"), "first");
        assert_file(done("a-2.yaml.result.json"), "second");
        assert_file(done("a-2.yaml"), FOLDER_TEXT);
        assert_true(folder_has(done("a-2.yaml.ack")));
        folder_put(done("a-3.yaml.ack"), "of someone else"); /* one name taken, all go on */
        make_and_finish(drop, "third");
        assert_file(done("a-4.yaml.result.json"), "third");
        assert_file(done("a-4.yaml.units.csv"), "unit\n");
        assert_file(done("a-3.yaml.ack"), "of someone else");
        assert_false(folder_has(done("a-3.yaml.result.json")));
        assert_int_equal(folder_count("work/a*") + folder_count("work/.a*"), 0);
        drop_close(drop);
        return 0;
}

FOLDER_TEST(results_may_be_left_out)
{
        struct drop *drop = folder_open();
        struct drop_order *order;

        (void)subject;
        note_today();
        folder_put("in/a.yaml", FOLDER_TEXT);
        order = folder_next(drop);
        assert_int_equal(drop_finish(drop, order, &(struct drop_result){ 0 }), 0);
        assert_true(folder_has(done("a.yaml")));
        assert_false(folder_has(done("a.yaml.result.json")));
        assert_false(folder_has(done("a.yaml.ack")));
        drop_order_free(order);
        drop_close(drop);
        return 0;
}

FOLDER_TEST(a_second_rejection_of_a_name_gets_a_number)
{
        struct drop *drop = folder_open();

        (void)subject;
        for (unsigned i = 0; i < 3; i++) {
                struct drop_order *order;

                folder_put("in/a.b.yaml", FOLDER_TEXT);
                order = folder_next(drop);
                assert_int_equal(drop_reject(drop, order, &folder_error), 0);
                drop_order_free(order);
        }
        assert_true(folder_has("err/a.b.yaml.err"));
        assert_true(folder_has("err/a.b-2.yaml.err"));
        assert_true(folder_has("err/a.b-3.yaml.err"));
        assert_true(folder_has("err/a.b-3.yaml"));
        drop_close(drop);
        return 0;
}

/* A crash between the answer and the move: the order is offered again and answered again. */
FOLDER_TEST(an_answer_cut_short_by_a_crash_is_given_again)
{
        struct drop *drop = drop_close(folder_open());
        struct drop_order *order;

        (void)subject;
        folder_put("work/a.yaml", FOLDER_TEXT);
        folder_put("work/.a.yaml.err", "half");
        folder_put("err/a.yaml.err", "{}");
        drop = folder_open();
        order = folder_next(drop);
        assert_int_equal(drop_reject(drop, order, &folder_error), 0);
        drop_order_free(order);
        assert_file("err/a.yaml.err", "{}");
        assert_answer("err/a-2.yaml.err", "BAD_VALUE", 3, "wrong");
        assert_true(folder_has("err/a-2.yaml"));
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
        struct drop *drop = folder_open();
        struct drop_order *first, *second;

        (void)subject;
        note_today();
        forbid_renameat2();
        folder_put("in/a.yaml", "order: 1\n");
        first = folder_next(drop);
        folder_put("in/a.yaml", "order: 2\n");
        second = folder_next(drop);
        assert_string_equal(second->path, folder_path("work/a-2.yaml"));
        assert_file("work/a.yaml", "order: 1\n");
        assert_int_equal(drop_reject(drop, first, &folder_error), 0);
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_accepted_order_is_acknowledged_with_the_hash_of_its_text),
                cmocka_unit_test(a_rejected_order_lies_in_err_with_its_answer),
                cmocka_unit_test(a_sentence_cut_inside_a_character_is_still_an_answer),
                cmocka_unit_test(a_finished_order_is_archived_by_day_and_nothing_is_overwritten),
                cmocka_unit_test(results_may_be_left_out),
                cmocka_unit_test(a_second_rejection_of_a_name_gets_a_number),
                cmocka_unit_test(an_answer_cut_short_by_a_crash_is_given_again),
                cmocka_unit_test(without_noreplace_nothing_is_overwritten_either),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
