/*
 * The virtual handler and what survives a SIGKILL, with the smallest station above.
 */
#include "tests/support/bench_rig.h"

#include "crypto/digest.h"
#include "drivers/simulated/bench_private.h"
#include "drivers/simulated/part.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS        NS_PER_MS
#define IMAGE     844u
#define SITES     3u
#define NOTES_MAX 400u

struct note {
        uint64_t time_ns;
        unsigned site;
        char unique_id[25];
        int result;
};

/* A run of some boards over some sites, and what was seen. */
struct run {
        struct bench_settings settings;
        struct bench *bench;
        uint64_t limit_ns;
        struct note notes[NOTES_MAX];
        unsigned count;
        int log; /* descriptor; attempts go there too */
};

static void take_note(struct bench_rig_station *station, const char *unique_id, int result)
{
        struct run *run = station->context;
        struct note *note = &run->notes[run->count];

        assert_in_range(run->count, 0, NOTES_MAX - 1);
        memset(note, 0, sizeof(*note));
        note->time_ns = clock_now_ns();
        note->site = station->site;
        note->result = result;
        snprintf(note->unique_id, sizeof(note->unique_id), "%s", unique_id);
        run->count++;
        if (run->log > 0 && unique_id[0])
                dprintf(run->log, "%s %d\n", unique_id, result);
}

static bool all_sites_are_empty(struct bench *bench, unsigned sites)
{
        for (unsigned i = 0; i < sites; i++)
                if (bench_part(bench, i))
                        return false;
        return bench_boards_left(bench) == 0;
}

/* Stations on all sites until every board has been through. */
static int serve(void *subject)
{
        struct run *run = subject;
        struct bench_rig_station stations[16];
        struct fiber *fibers[16];
        struct sfi *sfi = bench_rig_image(IMAGE);
        unsigned sites = run->settings.sites;
        int r = 0;

        assert_int_equal(bench_create(&run->settings, &run->bench), 0);
        for (unsigned i = 0; i < sites; i++) {
                stations[i] = (struct bench_rig_station){ run->bench, i, sfi, take_note, run };
                fibers[i] = fiber_spawn("station", bench_rig_station, &stations[i]);
        }
        while (!r && !all_sites_are_empty(run->bench, sites) && clock_now_ns() < run->limit_ns)
                r = fiber_sleep_ns(10 * MS);
        for (unsigned i = 0; i < sites; i++)
                fiber_cancel(fibers[i]);
        for (unsigned i = 0; i < sites; i++)
                assert_int_equal(fiber_join(fibers[i]), -FAULT_CANCELLED);
        r = all_sites_are_empty(run->bench, sites) ? 0 : -1;
        sfi_free(sfi);
        run->bench = bench_destroy(run->bench);
        return r;
}

static struct run *new_run(unsigned sites, unsigned boards)
{
        struct run *run = calloc(1, sizeof(*run));

        run->settings = bench_rig_settings(sites);
        run->settings.boards = boards;
        run->settings.handling_ms = 500;
        run->settings.has_handler = true;
        run->limit_ns = 3600 * NS_PER_S;
        return run;
}

static void run_it(struct run *run)
{
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, run->settings.seed, serve, run), 0);
}

static unsigned good_notes(const struct run *run)
{
        unsigned good = 0;

        for (unsigned i = 0; i < run->count; i++)
                good += run->notes[i].result >= 0;
        return good;
}

static unsigned distinct_boards(const struct run *run)
{
        unsigned distinct = 0;

        for (unsigned i = 0; i < run->count; i++) {
                unsigned j = 0;

                while (j < i && strcmp(run->notes[i].unique_id, run->notes[j].unique_id) != 0)
                        j++;
                distinct += j == i && run->notes[i].unique_id[0];
        }
        return distinct;
}

static void every_board_goes_through_once(void **state)
{
        struct run *run = new_run(SITES, 10);

        (void)state;
        run_it(run);
        assert_int_equal(run->count, 10);
        assert_int_equal(good_notes(run), 10);
        assert_int_equal(distinct_boards(run), 10);
        free(run);
}

/* Even with no time between boards the station sees each leave. */
static void a_handler_at_full_speed_loses_no_board(void **state)
{
        struct run *run = new_run(SITES, 10);

        (void)state;
        run->settings.handling_ms = 0;
        run_it(run);
        assert_int_equal(run->count, 10);
        assert_int_equal(distinct_boards(run), 10);
        free(run);
}

static void fallen_cables_are_put_back(void **state)
{
        struct run *run = new_run(SITES, 40);
        unsigned unplugged = 0;

        (void)state;
        run->settings.misfortune.unplug = 2;
        run_it(run);
        for (unsigned i = 0; i < run->count; i++)
                unplugged += run->notes[i].result == -FAULT_UNPLUGGED;
        assert_int_equal(run->count, 40);
        assert_in_range(unplugged, 3, 30);
        assert_int_equal(good_notes(run) + unplugged, 40);
        free(run);
}

static void the_same_seed_gives_the_same_run(void **state)
{
        struct run *first = new_run(SITES, 30), *second = new_run(SITES, 30);
        struct run *other = new_run(SITES, 30);
        const struct misfortune misfortune = { .unplug = 7,
                                               .late_answer = 400,
                                               .short_answer = 400,
                                               .bit_flip = 500,
                                               .weak_word = 8,
                                               .protected_part = 9,
                                               .used_part = 9,
                                               .wrong_part = 9,
                                               .boot_pin = 9 };

        (void)state;
        first->settings.misfortune = second->settings.misfortune = misfortune;
        other->settings.misfortune = misfortune;
        other->settings.seed = 43;
        run_it(first);
        run_it(second);
        run_it(other);
        assert_int_equal(first->count, second->count);
        assert_memory_equal(first->notes, second->notes, first->count * sizeof(struct note));
        assert_in_range(good_notes(first), 1, 29);
        assert_memory_not_equal(first->notes, other->notes, sizeof(struct note));
        free(first);
        free(second);
        free(other);
}

static int body_ready(void *subject)
{
        struct bench_settings settings = bench_rig_settings(2);
        struct bench *bench;

        (void)subject;
        settings.has_handler = true;
        settings.handling_ms = 500;
        settings.boards = 1;
        settings.speed = 0.5;
        assert_int_equal(bench_create(&settings, &bench), 0);
        assert_int_equal(bench_boards_left(bench), 1);
        assert_int_equal(bench_ready_ns(bench, 0), 0);
        assert_int_equal(fiber_sleep_ns(300 * MS), 0);
        assert_int_equal(bench_boards_left(bench), 0);
        assert_int_equal(bench_ready_ns(bench, 0), 250 * MS);
        assert_int_equal(bench_ready_ns(bench, 1), 0); /* none left for that one */
        fixture_signal(bench_fixture(bench, 0), FIXTURE_BUSY);
        assert_int_equal(fiber_sleep_ns(300 * MS), 0);
        assert_non_null(bench_part(bench, 0)); /* busy is no verdict */
        fixture_signal(bench_fixture(bench, 0), FIXTURE_FAIL);
        assert_int_equal(fiber_sleep_ns(300 * MS), 0);
        assert_null(bench_part(bench, 0));
        assert_int_equal(bench_ready_ns(bench, 0), 0);
        bench_destroy(bench);
        return 0;
}

static void a_board_is_ready_when_it_has_power(void **state)
{
        (void)state;
        (void)simulated_family();
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, body_ready, NULL), 0);
}

static int body_endless(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench;

        (void)subject;
        assert_int_equal(bench_create(&settings, &bench), 0);
        assert_int_equal(bench_boards_left(bench), UINT_MAX);
        for (unsigned i = 0; i < 5; i++)
                bench_insert(bench, 0);
        assert_int_equal(bench_boards_left(bench), UINT_MAX);
        bench_remove(bench, 0);
        bench_remove(bench, 0);
        assert_null(bench_part(bench, 0));
        bench_destroy(bench);
        return 0;
}

static void without_a_number_boards_never_end(void **state)
{
        (void)state;
        (void)simulated_family();
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, body_endless, NULL), 0);
}

/* --- what survives ------------------------------------------------------------------------- */

static int kill_later(void *subject)
{
        if (fiber_sleep_ns(*(uint64_t *)subject) == 0)
                kill(getpid(), SIGKILL);
        return 0;
}

struct doomed {
        struct run *run;
        uint64_t delay_ns;
};

static int serve_doomed(void *subject)
{
        struct doomed *doomed = subject;
        struct fiber *fiber = fiber_spawn("kill", kill_later, &doomed->delay_ns);
        int r;

        r = serve(doomed->run);
        fiber_cancel(fiber);
        fiber_detach(fiber);
        return r;
}

/* One life of the process, at most so long. True when all boards were through before its end. */
static bool live(struct run *run, uint64_t delay_ns, const char *log)
{
        struct doomed doomed = { run, delay_ns };
        int status;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
                struct loop_settings settings = { .time = LOOP_TIME_VIRTUAL, .seed = 9 };
                struct loop *loop;

                run->log = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
                if (loop_create(&settings, &loop) < 0)
                        _exit(2);
                setenv("CMOCKA_TEST_ABORT", "1", 1);
                _exit(loop_run(loop, "child", serve_doomed, &doomed) == 0 ? 0 : 3);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFSIGNALED(status)) {
                assert_int_equal(WTERMSIG(status), SIGKILL);
                return false;
        }
        assert_int_equal(WEXITSTATUS(status), 0);
        return true;
}

static unsigned read_log(const char *path, struct run *run)
{
        FILE *file = fopen(path, "r");
        struct note *note = run->notes;

        assert_non_null(file);
        while (run->count < NOTES_MAX &&
               fscanf(file, "%24s %d", note[run->count].unique_id, &note[run->count].result) == 2)
                run->count++;
        fclose(file);
        return run->count;
}

/* Killed again and again, at another moment each time, the bench still puts every board in: each
 * unique id is seen, the count of fresh boards comes out even, and a board that had passed is not
 * seen again, for the handler took it out while the station was dead. */
static void a_killed_bench_comes_back_with_its_boards(void **state)
{
        struct run *run = new_run(SITES, 12);
        char directory[64], log[128];
        unsigned lives = 1;

        (void)state;
        snprintf(directory, sizeof(directory), "%s", test_directory());
        snprintf(log, sizeof(log), "%s/log", directory);
        run->settings.directory = directory;
        while (!live(run, (100 + 137 * (lives % 29)) * MS, log))
                assert_in_range(++lives, 1, 300);
        read_log(log, run);
        printf("# %u lives, %u attempts\n", lives, run->count);
        assert_in_range(lives, 5, 300);
        assert_int_equal(distinct_boards(run), 12);
        for (unsigned i = 0; i < run->count; i++)
                for (unsigned j = 0; j < i; j++)
                        if (run->notes[j].result >= 0)
                                assert_string_not_equal(run->notes[i].unique_id,
                                                        run->notes[j].unique_id);
        free(run);
}

static int body_restart(void *subject)
{
        struct bench_settings settings = bench_rig_settings(2);
        struct bench *bench;
        struct hsm_info info;
        struct certificate certificate;
        struct reader *reader;
        uint32_t options;
        uint8_t bytes[CERTIFICATE_LENGTH], license[LICENSE_LENGTH], private_key[32],
                seed[32] = { 1 };
        const uint8_t junk[32] = { 7 };
        char serial[17];

        settings.directory = subject;
        settings.boards = 5;
        assert_int_equal(bench_create(&settings, &bench), 0);
        bench_insert(bench, 1);
        part_fill_flash(bench_part(bench, 1), 0x08000000, junk, sizeof(junk));
        options = part_options(bench_part(bench, 1))[0];
        memcpy(bytes, "45002001", 8);
        license_chip_key(seed, private_key, bytes + 8);
        memset(bytes + 72, 0x55, 64);
        assert_int_equal(certificate_parse(bytes, sizeof(bytes), NULL, &certificate), 0);
        reader = bench_reader(bench, 0);
        assert_int_equal(hsm_open(reader, simulated_card_conf(), WAIT_FOREVER), 0);
        assert_int_equal(hsm_license(reader, simulated_card_conf(), &certificate, license), 0);
        assert_int_equal(hsm_info(reader, simulated_card_conf(), &info), 0);
        snprintf(serial, sizeof(serial), "%s", info.serial);
        reader_close(reader);
        bench_destroy(bench);

        assert_int_equal(bench_create(&settings, &bench), 0);
        assert_null(bench_part(bench, 0));
        assert_non_null(bench_part(bench, 1));
        assert_memory_equal(part_flash(bench_part(bench, 1), 0x08000000), junk, sizeof(junk));
        assert_int_equal(part_options(bench_part(bench, 1))[0], options);
        assert_int_equal(bench_boards_left(bench), 4);
        reader = bench_reader(bench, 0);
        assert_int_equal(hsm_open(reader, simulated_card_conf(), WAIT_FOREVER), 0);
        assert_int_equal(hsm_info(reader, simulated_card_conf(), &info), 0);
        assert_int_equal(info.counter, 99);
        assert_int_equal(info.maximum, 100);
        assert_string_equal(info.serial, serial);
        reader_close(reader);
        bench_destroy(bench);

        settings.directory = "/nonexistent/bench";
        assert_int_not_equal(bench_create(&settings, &bench), 0);
        return 0;
}

static void a_restart_finds_boards_and_cards_as_they_were(void **state)
{
        char directory[64];

        (void)state;
        (void)simulated_family();
        snprintf(directory, sizeof(directory), "%s", test_directory());
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, body_restart, directory), 0);
}

/* Put the site's file into the state a kill between two writes leaves. */
static void leave_half_taken(const char *directory, uint64_t number, uint64_t boards_used)
{
        struct bench_state state;
        struct board board;
        char path[128];
        int descriptor;

        snprintf(path, sizeof(path), "%s/bench.state", directory);
        descriptor = open(path, O_RDWR);
        assert_int_equal(read(descriptor, &state, sizeof(state)), sizeof(state));
        state.boards_used = boards_used;
        assert_int_equal(pwrite(descriptor, &state, sizeof(state), 0), sizeof(state));
        close(descriptor);
        snprintf(path, sizeof(path), "%s/site-0.board", directory);
        descriptor = open(path, O_RDWR);
        assert_int_equal(read(descriptor, &board, sizeof(board)), sizeof(board));
        board.state = BOARD_TAKEN;
        board.number = number;
        assert_int_equal(pwrite(descriptor, &board, sizeof(board), 0), sizeof(board));
        close(descriptor);
}

static int body_half_taken(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench;
        const uint8_t junk[32] = { 7 };

        settings.directory = subject;
        settings.boards = 5;
        assert_int_equal(bench_create(&settings, &bench), 0);
        bench_insert(bench, 0);
        part_fill_flash(bench_part(bench, 0), 0x08000000, junk, sizeof(junk));
        bench_destroy(bench);

        leave_half_taken(subject, 2, 1); /* the count had not moved: not taken */
        assert_int_equal(bench_create(&settings, &bench), 0);
        assert_null(bench_part(bench, 0));
        assert_int_equal(bench_boards_left(bench), 4);
        bench_destroy(bench);

        leave_half_taken(subject, 2, 2); /* it had: taken, and made now */
        assert_int_equal(bench_create(&settings, &bench), 0);
        assert_non_null(bench_part(bench, 0));
        assert_int_equal(part_flash(bench_part(bench, 0), 0x08000000)[0], 0xFF);
        assert_int_equal(bench_boards_left(bench), 3);
        bench_destroy(bench);
        return 0;
}

static void a_board_half_taken_is_finished_or_left(void **state)
{
        char directory[64];

        (void)state;
        (void)simulated_family();
        snprintf(directory, sizeof(directory), "%s", test_directory());
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, body_half_taken, directory), 0);
}

/* Boards in and out without end: the child is killed somewhere in it. */
static int body_churn(void *subject)
{
        struct bench_settings settings = bench_rig_settings(2);
        const uint8_t junk[32] = { 7 };
        struct bench *bench;

        settings.directory = subject;
        if (bench_create(&settings, &bench) < 0)
                return -1;
        for (unsigned i = 0;; i = (i + 1) % 2) {
                if (bench_part(bench, i))
                        part_fill_flash(bench_part(bench, i), 0x08000000, junk, sizeof(junk));
                bench_insert(bench, i);
        }
}

static void churn_and_kill(char *directory, unsigned microseconds)
{
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
                struct loop_settings settings = { .time = LOOP_TIME_VIRTUAL, .seed = 9 };
                struct loop *loop;

                if (loop_create(&settings, &loop) == 0)
                        (void)loop_run(loop, "child", body_churn, directory);
                _exit(2);
        }
        usleep(microseconds);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
}

static int body_after_churn(void *subject)
{
        struct bench_settings settings = bench_rig_settings(2);
        struct bench *bench;

        settings.directory = subject;
        assert_int_equal(bench_create(&settings, &bench), 0);
        for (unsigned i = 0; i < 2; i++) {
                struct simulated_part *part = bench_part(bench, i);

                if (!part)
                        continue;
                assert_true(part_options(part)[0] == simulated_family()->options[0].factory);
                for (uint32_t j = 32; j < 0x200000; j += 4093)
                        assert_int_equal(part_flash(part, 0x08000000 + j)[0], 0xFF);
        }
        bench_destroy(bench);
        return 0;
}

/* Wherever the kill falls, no half-made part is ever taken for a whole one. */
static void a_kill_at_any_instruction_leaves_whole_parts(void **state)
{
        char directory[64];

        (void)state;
        (void)simulated_family();
        snprintf(directory, sizeof(directory), "%s", test_directory());
        for (unsigned i = 0; i < 25; i++) {
                churn_and_kill(directory, 1000 + 761 * i);
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, body_after_churn, directory),
                                 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_board_goes_through_once),
                cmocka_unit_test(a_handler_at_full_speed_loses_no_board),
                cmocka_unit_test(fallen_cables_are_put_back),
                cmocka_unit_test(the_same_seed_gives_the_same_run),
                cmocka_unit_test(a_board_is_ready_when_it_has_power),
                cmocka_unit_test(without_a_number_boards_never_end),
                cmocka_unit_test(a_restart_finds_boards_and_cards_as_they_were),
                cmocka_unit_test(a_board_half_taken_is_finished_or_left),
                cmocka_unit_test(a_killed_bench_comes_back_with_its_boards),
                cmocka_unit_test(a_kill_at_any_instruction_leaves_whole_parts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
