/*
 * whole.c - whole lots on the simulated bench, in virtual time: what an order, a supervisor and an OEM
 * may rely on.
 */
#include "tests/support/h75x.h"
#include "tests/support/line.h"
#include "tests/support/test.h"

#include "drivers/simulated/card.h"
#include "drivers/simulated/part.h"
#include "scheduler/chance.h"
#include "station/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void assert_balanced(const struct line *line)
{
        const struct ledger_balance *b = &line->balance;

        assert_int_equal(b->issued, b->installed + b->in_hand + b->lost);
}

/* The result file of a finished order holds this text. */
static void assert_result_has(const struct line *line, const char *order, const char *text)
{
        char pattern[160];
        char *result;

        snprintf(pattern, sizeof(pattern), "orders/done/*/%s.yaml.result.json", order);
        result = line_read(line_find(line, pattern));
        assert_non_null(result);
        if (!strstr(result, text))
                fail_msg("%s lacks %s:\n%s", pattern, text, result);
        free(result);
}

static void a_lot_is_made_answered_and_archived(void **state)
{
        struct line *line = line_create(4, 2);

        (void)state;
        line_order(line, "LOT-1", 16, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, NULL, NULL), 0);
        assert_int_equal(line->counts.good, 16);
        assert_int_equal(line->counts.first_pass, 16);
        assert_int_equal(line->balance.installed, 16);
        assert_balanced(line);
        assert_non_null(line_find(line, "orders/done/*/LOT-1.yaml"));
        assert_non_null(line_find(line, "orders/done/*/LOT-1.yaml.ack"));
        assert_non_null(line_find(line, "orders/done/*/LOT-1.yaml.units.csv"));
        assert_result_has(line, "LOT-1", "\"good\": 16");
        line_destroy(line);
}

static void two_orders_are_made_one_after_the_other(void **state)
{
        struct line *line = line_create(4, 1);

        (void)state;
        line_order(line, "A", 3, "");
        line_order(line, "B", 5, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, NULL, NULL), 0);
        assert_result_has(line, "A", "\"good\": 3");
        assert_result_has(line, "B", "\"good\": 5");
        line_destroy(line);
}

static void the_same_order_dropped_again_is_answered_and_not_made_twice(void **state)
{
        struct line *line = line_create(2, 1);

        (void)state;
        line_order(line, "A", 3, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, NULL, NULL), 0);
        line_order(line, "A", 3, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 2, NULL, NULL), 0);
        assert_int_equal(line->counts.good, 3);
        assert_int_equal(line->balance.issued, 3);
        line_destroy(line);
}

/* --- cables -------------------------------------------------------------------------------- */

static int unplug_site_5_in_install(void *context)
{
        struct line *line = context;

        if (line_wait_step(line, 5, "install"))
                bench_unplug_after(line->station.bench, 5, 20);
        return 0;
}

static void unplugging_one_of_sixteen_fails_that_unit_alone(void **state)
{
        struct line *line = line_create(16, 4);

        (void)state;
        line_order(line, "A", 45, "retries: 0\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 3, unplug_site_5_in_install, line), 0);
        assert_int_equal(line->counts.good, 45);
        assert_int_equal(line->counts.errors, 1);
        assert_int_equal(line->counts.bad, 0);
        assert_int_equal(line->counts.attempts, 46);
        assert_int_equal(line->balance.in_hand, 1); /* it belongs to the chip on site 6 */
        assert_balanced(line);
        line_destroy(line);
}

static int unplug_and_plug_site_0(void *context)
{
        struct line *line = context;

        if (line_wait_step(line, 0, "install"))
                bench_unplug(line->station.bench, 0);
        (void)fiber_sleep_ns(2 * NS_PER_S);
        bench_plug(line->station.bench, 0);
        return 0;
}

static void a_replugged_probe_retries_with_the_license_in_hand(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        line_order(line, "A", 2, "retries: 1\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 3, unplug_and_plug_site_0, line), 0);
        assert_int_equal(line->counts.good, 2);
        assert_int_equal(line->counts.retried, 1);
        assert_int_equal(line->balance.issued, 2);
        assert_int_equal(line->balance.installed, 2);
        line_destroy(line);
}

/* --- misfortune ---------------------------------------------------------------------------- */

/* Parts a preflight must refuse cost no license. */
static void refused_parts_cost_no_license(void **state)
{
        struct line *line = line_create(8, 2);

        (void)state;
        line->station.settings.bench.misfortune = (struct misfortune){
                .protected_part = 6, .used_part = 6, .wrong_part = 6, .boot_pin = 6
        };
        line_order(line, "A", 40, "retries: 0\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 5, NULL, NULL), 0);
        assert_int_equal(line->counts.good, 40);
        assert_true(line->counts.bad > 4);
        assert_int_equal(line->balance.issued, 40);
        assert_int_equal(line->balance.installed, 40);
        line_destroy(line);
}

static void a_weak_flash_word_fails_the_unit_and_the_lot_goes_on(void **state)
{
        struct line *line = line_create(4, 2);

        (void)state;
        line->station.settings.bench.misfortune.weak_word = 4;
        line_order(line, "A", 20, "retries: 0\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 5, NULL, NULL), 0);
        assert_int_equal(line->counts.good, 20);
        assert_balanced(line);
        line_destroy(line);
}

static void disturbed_wires_cost_attempts_and_no_truth(void **state)
{
        struct line *line = line_create(4, 2);

        (void)state;
        line->station.settings.bench.misfortune =
                (struct misfortune){ .late_answer = 3000, .short_answer = 3000, .bit_flip = 3000 };
        line_order(line, "A", 20, "retries: 5\nerase: always\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 6, NULL, NULL), 0);
        assert_int_equal(line->counts.good, 20);
        assert_balanced(line);
        line_destroy(line);
}

static int kill_card_0(void *context)
{
        struct line *line = context;

        if (line_wait_step(line, 0, "obtain the license"))
                simulated_card_kill(bench_card(line->station.bench, 0));
        return 0;
}

static void a_dead_card_is_set_aside_and_the_other_serves_the_lot(void **state)
{
        struct line *line = line_create(4, 2);

        (void)state;
        line_order(line, "A", 12, "retries: 2\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 7, kill_card_0, line), 0);
        assert_int_equal(line->counts.good, 12);
        assert_balanced(line);
        line_destroy(line);
}

static int stop_when_held(void *context)
{
        struct line *line = context;

        while (fiber_sleep_ns(100 * NS_PER_MS) == 0)
                if (line->station.lots.running && line->station.lots.running->held[0]) {
                        lot_end(&line->station);
                        return 0;
                }
        return 0;
}

static void a_card_at_zero_stops_the_line_and_says_so(void **state)
{
        struct line *line = line_create(2, 1);

        (void)state;
        line->station.settings.bench.card_counter = 5;
        line_order(line, "A", 8, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 7, stop_when_held, line), 0);
        assert_int_equal(line->counts.good, 5);
        assert_result_has(line, "A", "\"state\": \"stopped\"");
        assert_balanced(line);
        line_destroy(line);
}

static int mislicense_then_clear(void *context)
{
        struct line *line = context;
        const struct site *site;

        if (!line_wait_step(line, 0, "check the part"))
                return 0;
        simulated_card_mislicense(bench_card(line->station.bench, 0));
        site = &line->station.sites[0];
        while (site->state != SITE_BLOCKED)
                if (fiber_sleep_ns(10 * NS_PER_MS) < 0)
                        return 0;
        assert_string_equal(site->install.record.fault, "BAD_LICENSE");
        assert_int_equal(station_act(&line->station, WEB_CLEAR_SITE, "1"), 0);
        assert_fault(station_act(&line->station, WEB_CLEAR_SITE, "1"), BAD_VALUE, "not blocked");
        assert_fault(station_act(&line->station, WEB_CLEAR_SITE, "99"), NOT_FOUND, "no site 99");
        return 0;
}

static void a_license_for_another_chip_blocks_the_site_until_a_person_clears_it(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        line_order(line, "A", 3, "retries: 2\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 7, mislicense_then_clear, line), 0);
        assert_int_equal(line->counts.good, 3);
        assert_int_equal(line->counts.errors, 1);
        assert_int_equal(line->balance.in_hand, 1); /* refused: a person decides */
        assert_balanced(line);
        line_destroy(line);
}

/* --- stopping ------------------------------------------------------------------------------ */

static const char *stop_at;  /* the step of site 0 at which the station is told to stop */
static uint32_t option_left; /* OPTSR of the part in site 0 when its attempt was over */

static int stop_in_step(void *context)
{
        struct line *line = context;
        const struct site *site;

        if (!line_wait_step(line, 0, stop_at))
                return 0;
        site = &line->station.sites[0];
        station_stop(&line->station);
        while (site->install.record.result == RESULT_NONE)
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
        option_left = part_options(bench_part(line->station.bench, 0))[0];
        return 0;
}

static void stopping_before_the_license_is_offered_gives_the_part_back_as_it_came(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        stop_at = "obtain the license";
        option_left = UINT32_MAX;
        line_order(line, "A", 3, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 7, stop_in_step, line), 0);
        assert_int_equal(line->counts.aborted, 1);
        assert_int_equal(line->counts.good, 0);
        assert_int_equal(option_left & H75X_SECURITY, 0);
        assert_int_equal(line->balance.issued, 1); /* the card was at it: stored, not lost */
        assert_int_equal(line->balance.in_hand, 1);
        line_destroy(line);
}

static void stopping_in_the_install_finishes_the_unit(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        stop_at = "install";
        line_order(line, "A", 3, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 7, stop_in_step, line), 0);
        assert_int_equal(line->counts.good, 1);
        assert_int_equal(line->counts.attempts, 1);
        /* and the order waits in work/ for the next start */
        assert_non_null(line_find(line, "orders/work/A.yaml"));
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 8, NULL, NULL), 0);
        assert_int_equal(line->counts.good, 3);
        line_destroy(line);
}

/* --- bad input ----------------------------------------------------------------------------- */

static void bad_orders_are_answered_and_the_station_goes_on(void **state)
{
        struct line *line = line_create(2, 1);
        static const char unknown[] = "order: U\ncolour: red\n";
        static uint8_t noise[1 << 20];
        static const char *const rejected[] = { "missing", "hash", "unknown", "noise" };
        struct chance chance = chance_fork(9, "noise", 0);
        char text[512];

        (void)state;
        chance_bytes(&chance, noise, sizeof(noise));
        line_drop(line, "noise.yaml", noise, sizeof(noise));
        line_drop(line, "unknown.yaml", unknown, strlen(unknown));
        snprintf(
                text, sizeof(text),
                "order: M\npart: X\nfamily: STM32H75x\nquantity: 1\nimage:\n  file: not-there.sfi\n"
                "  sha256: %064d\nfirmware_id: X\n",
                0);
        line_drop(line, "missing.yaml", text, strlen(text));
        snprintf(text, sizeof(text),
                 "order: H\npart: X\nfamily: STM32H75x\nquantity: 1\nimage:\n  file: %s/image.sfi\n"
                 "  sha256: %064d\nfirmware_id: X\n",
                 line->directory, 0);
        line_drop(line, "hash.yaml", text, strlen(text));
        line_order(line, "GOOD", 2, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, NULL, NULL), 0);
        for (unsigned i = 0; i < LENGTH_OF(rejected); i++) {
                char *answer;

                snprintf(text, sizeof(text), "orders/err/%s.yaml.err", rejected[i]);
                answer = line_read(line_find(line, text));
                assert_non_null(answer);
                assert_non_null(strstr(answer, "remedy"));
                free(answer);
        }
        assert_result_has(line, "GOOD", "\"good\": 2");
        line_destroy(line);
}

/* --- two of them --------------------------------------------------------------------------- */

static int run_second(void *context)
{
        static struct line second;
        struct line *line = context;

        if (!line_wait_step(line, 0, "install"))
                return 0;
        second.station.settings = line->station.settings;
        assert_fault(station_run(&second.station), STORE, "another gangwayd");
        return 0;
}

static void a_second_daemon_on_the_same_data_is_refused(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        line_order(line, "A", 1, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, run_second, line), 0);
        assert_int_equal(line->counts.good, 1);
        line_destroy(line);
}

/* --- determinism --------------------------------------------------------------------------- */

/* The log of a whole lot, made in a process of its own. */
static char *log_of_lot(uint64_t seed, unsigned sites, unsigned cards, unsigned quantity)
{
        char path[] = "/tmp/gangway-log-XXXXXX";
        int descriptor = mkstemp(path), status;
        pid_t child;
        char *text;

        assert_true(descriptor >= 0);
        fflush(stdout);
        child = fork();
        if (child == 0) {
                struct line *line = line_create(sites, cards);

                dup2(descriptor, STDOUT_FILENO);
                line->station.settings.bench.misfortune =
                        (struct misfortune){ .weak_word = 20, .used_part = 20, .bit_flip = 20000 };
                line_order(line, "A", quantity, "retries: 2\n");
                status = line_run(line, LOOP_TIME_VIRTUAL, seed, NULL, NULL);
                status = status || line->counts.good != quantity ||
                         line->balance.issued != line->balance.installed + line->balance.in_hand +
                                                         line->balance.lost;
                line_destroy(line);
                fflush(stdout);
                _exit(status != 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        close(descriptor);
        text = line_read(path);
        unlink(path);
        return text;
}

static void the_same_seed_gives_the_same_events(void **state)
{
        char *first = log_of_lot(42, 8, 2, 40), *second = log_of_lot(42, 8, 2, 40);
        char *other = log_of_lot(43, 8, 2, 40);

        (void)state;
        assert_true(strlen(first) > 10000);
        assert_string_equal(first, second);
        assert_string_not_equal(first, other);
        free(first);
        free(second);
        free(other);
}

static void a_thousand_units_on_sixteen_sites_come_out_right(void **state)
{
        uint64_t start_ns, ns;
        struct timespec now;
        char *text;

        (void)state;
        clock_gettime(CLOCK_MONOTONIC, &now);
        start_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
        text = log_of_lot(1, 16, 4, 1000);
        clock_gettime(CLOCK_MONOTONIC, &now);
        ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec - start_ns;
        printf("# 1000 units: %.1f s of wall time\n", (double)ns / 1e9);
        free(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_lot_is_made_answered_and_archived),
                cmocka_unit_test(two_orders_are_made_one_after_the_other),
                cmocka_unit_test(the_same_order_dropped_again_is_answered_and_not_made_twice),
                cmocka_unit_test(unplugging_one_of_sixteen_fails_that_unit_alone),
                cmocka_unit_test(a_replugged_probe_retries_with_the_license_in_hand),
                cmocka_unit_test(refused_parts_cost_no_license),
                cmocka_unit_test(a_weak_flash_word_fails_the_unit_and_the_lot_goes_on),
                cmocka_unit_test(disturbed_wires_cost_attempts_and_no_truth),
                cmocka_unit_test(a_dead_card_is_set_aside_and_the_other_serves_the_lot),
                cmocka_unit_test(a_card_at_zero_stops_the_line_and_says_so),
                cmocka_unit_test(
                        a_license_for_another_chip_blocks_the_site_until_a_person_clears_it),
                cmocka_unit_test(
                        stopping_before_the_license_is_offered_gives_the_part_back_as_it_came),
                cmocka_unit_test(stopping_in_the_install_finishes_the_unit),
                cmocka_unit_test(bad_orders_are_answered_and_the_station_goes_on),
                cmocka_unit_test(a_second_daemon_on_the_same_data_is_refused),
                cmocka_unit_test(the_same_seed_gives_the_same_events),
                cmocka_unit_test(a_thousand_units_on_sixteen_sites_come_out_right),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
