/*
 * What the procedures do beside a plain install: without a mass erase, with one license for all, and what
 * they leave alone because the image in the part may be whole.
 */
#include "tests/support/spoil.h"
#include "tests/support/test.h"
#include "tests/support/unit.h"

#include "crypto/license_global.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct line *line_of(const char *family, const char *rss)
{
        struct line *line = line_create(1, 1);

        line_family(line, family, rss);
        line->station.settings.bench.boards = 1;
        return line;
}

static void assert_ended(const struct unit *unit, const char *fault, const char *state)
{
        if (unit->has_ended && strcmp(unit->record.fault, fault) == 0 &&
            strcmp(unit->state, state) == 0)
                return;
        fail_msg("%s at \"%s\", %s: %s", unit->record.fault, unit->record.step, unit->state,
                 unit->record.sentence);
}

/* --- SFIA ------------------------------------------------------------------------------------ */

#define NEIGHBOR 0x08004000u /* two sectors behind the image's 13000 bytes, none of its own */

static const char *const without_erase = "retries: 0\nlicense:\n  source: card\n  type: SFIA\n";

/* The line's cards are of type SFI: one more that is not. */
static struct line *line_sfia(const char *family, const char *rss)
{
        struct line *line = line_of(family, rss);
        struct settings_bench *bench = &line->station.settings.bench;
        struct settings_module_card *card = &bench->module_cards[bench->module_card_count++];

        snprintf(card->firmware_id, sizeof(card->firmware_id), "%s", LINE_FIRMWARE_ID);
        snprintf(card->type, sizeof(card->type), "SFIA");
        return line;
}

static const char before[] = "data of an earlier install";

static void with_neighbor(struct simulated_part *part, const struct family *family)
{
        (void)family;
        part_fill_flash(part, NEIGHBOR, before, sizeof(before));
        part_fill_flash(part, 0x08000000 + 12992, before, sizeof(before)); /* in its last sector */
}

static void expect_neighbor(struct simulated_part *part)
{
        assert_string_equal((const char *)part_flash(part, NEIGHBOR), before);
        assert_string_equal((const char *)part_flash(part, 0x08000000 + 12992), before);
}

static void an_sfia_install_leaves_what_is_beside_it(void **state)
{
        struct unit unit = { .line = line_sfia("stm32wba5x", "reference-wba5"),
                             .spoil = with_neighbor,
                             .look = expect_neighbor };

        (void)state;
        unit_run(&unit, without_erase);
        assert_ended(&unit, "", "installed");
        assert_int_equal(unit.line->balance.installed, 1);
        line_destroy(unit.line);
}

/* A word of the image is in use: nothing is erased for it, whatever an attempt before has left. */
static void an_sfia_install_erases_nothing(void **state)
{
        struct unit unit = { .line = line_sfia("stm32wba5x", "reference-wba5"),
                             .spoil = spoil_find("flash in use")->spoil };

        (void)state;
        unit_run(&unit, without_erase);
        assert_ended(&unit, "NOT_BLANK", "used");
        assert_int_equal(unit.line->balance.issued, 0);
        line_destroy(unit.line);
}

/* The regression that would lead back erases what is beside the image: it is left to a person. */
static void an_sfia_install_that_failed_is_not_regressed(void **state)
{
        struct unit unit = { .line = line_sfia("stm32wba5x", "reference-wba5"),
                             .spoil = with_neighbor,
                             .look = expect_neighbor };

        (void)state;
        line_other_key(unit.line);
        unit_run(&unit, without_erase);
        assert_ended(&unit, "BAD_IMAGE", "prepared");
        assert_non_null(strstr(unit.record.sentence, "is left with TZEN 1: the regression that "
                                                     "leads back erases what is beside"));
        line_destroy(unit.line);
}

static int stop_soon(void *context)
{
        struct line *line = context;

        if (fiber_sleep_ns(5 * NS_PER_S) == 0)
                station_stop(&line->station);
        return 0;
}

static void assert_order_refused(struct line *line, const char *more, const char *words)
{
        char *error;

        line_order(line, "A", 1, more);
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, stop_soon, line), 0);
        assert_int_equal(line->counts.attempts, 0);
        error = line_read(line_find(line, "orders/err/A.yaml.err"));
        assert_non_null(error);
        if (!strstr(error, words))
                fail_msg("\"%s\" is not in: %s", words, error);
        free(error);
        line_destroy(line);
}

static void sfia_orders_are_for_families_that_take_it(void **state)
{
        (void)state;
        assert_order_refused(line_sfia("stm32u575", "reference-u5"), without_erase,
                             "STM32U575 takes no SFIA license");
        assert_order_refused(line_sfia("stm32wba5x", "reference-wba5"),
                             "retries: 0\nerase: always\nlicense:\n  source: card\n  type: SFIA\n",
                             "erases nothing");
}

/* --- one license for all --------------------------------------------------------------------- */

static void a_global_license_installs_without_a_card(void **state)
{
        static const char *const files[][2] = { { "stm32h56x", "reference-h5" },
                                                { "stm32h7rs", "reference-h7rs" } };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(files); i++) {
                struct unit unit = { .line = line_of(files[i][0], files[i][1]) };
                uint8_t license[LICENSE_LENGTH];
                char more[400];
                FILE *file;

                license_global_make(unit.line->key, unit.line->nonce, license);
                file = fopen(line_path(unit.line, "global.bin"), "wb");
                assert_non_null(file);
                assert_int_equal(fwrite(license, 1, sizeof(license), file), sizeof(license));
                fclose(file);
                snprintf(more, sizeof(more), "retries: 0\nlicense:\n  source: global\n  file: %s\n",
                         line_path(unit.line, "global.bin"));
                unit_run(&unit, more);
                assert_ended(&unit, "", "installed");
                assert_string_equal(unit.record.license_source, "global");
                assert_int_equal(unit.line->balance.issued, 0);
                line_destroy(unit.line);
        }
}

/* --- an image that may be whole ---------------------------------------------------------------- */

/* Power away and back between the value and the option bytes: found again as it was prepared. */
static void power_returns_late(struct station *station)
{
        unit_power_away(station);
        if (fiber_sleep_ns(6500 * NS_PER_MS) ==
            0) /* the RSS is waited for 5.9 s, the part 1 s more */
                part_power(bench_part(station->bench, 0), clock_now_ns(), true);
}

static void what_may_be_whole_is_not_erased(void **state)
{
        const struct point point = { "install", AS_SHOWN };
        struct unit unit = { .line = line_of("stm32u575", "reference-u5"),
                             .point = &point,
                             .befall = power_returns_late };

        (void)state;
        unit_run(&unit, "retries: 0\n");
        assert_true(unit.was_hit);
        assert_ended(&unit, "NOT_PROVABLE", "partly"); /* all areas, not the option bytes */
        assert_non_null(strstr(unit.record.sentence, "the part is left as it is"));
        line_destroy(unit.line);
}

/* The option bytes have come, then the power dips before they were seen to: the mailbox knows nothing any
 * more, and the part does not lead into the RSS. */
static void power_dips_after_options(struct station *station)
{
        struct simulated_part *part = bench_part(station->bench, 0);

        if (fiber_sleep_ns(360 * NS_PER_MS) == 0) /* 300 of showing, 50 of options */
                unit_power_dips(station);
        part_advance(part, clock_now_ns());
}

static void an_image_that_is_whole_is_not_erased_for_a_value_that_was_missed(void **state)
{
        const struct point point = { "install", AS_SHOWN };
        struct unit unit = { .line = line_of("stm32u575", "reference-u5"),
                             .point = &point,
                             .befall = power_dips_after_options };

        (void)state;
        unit.line->station.settings.bench.speed = 1.0;
        unit_run(&unit, "retries: 0\n");
        assert_true(unit.was_hit);
        assert_ended(&unit, unit.record.fault, "installed");
        assert_true(unit.record.result != RESULT_PASS);
        assert_non_null(strstr(unit.record.sentence, "the part is left as it is"));
        line_destroy(unit.line);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_sfia_install_leaves_what_is_beside_it),
                cmocka_unit_test(an_sfia_install_erases_nothing),
                cmocka_unit_test(an_sfia_install_that_failed_is_not_regressed),
                cmocka_unit_test(sfia_orders_are_for_families_that_take_it),
                cmocka_unit_test(a_global_license_installs_without_a_card),
                cmocka_unit_test(what_may_be_whole_is_not_erased),
                cmocka_unit_test(an_image_that_is_whole_is_not_erased_for_a_value_that_was_missed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
