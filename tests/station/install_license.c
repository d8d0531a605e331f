/*
 * Units that need several licenses, or none from a card: whole lots on the simulated bench.
 */
#include "tests/support/line.h"
#include "tests/support/test.h"

#include "crypto/license_global.h"
#include "drivers/simulated/card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_MODULES                                                                                \
        "modules:\n"                                                                               \
        "  - { firmware_id: STACK_1, type: SMU }\n"                                                \
        "  - { firmware_id: STACK_2, type: SFI }\n"

static struct line *line_with_modules(unsigned sites, unsigned cards)
{
        struct line *line = line_create(sites, cards);

        line_module(line, "STACK_1", "SMU");
        line_module(line, "STACK_2", "SFI");
        return line;
}

/* The text of a file of the line holds this. */
static void assert_file_has(const struct line *line, const char *pattern, const char *text)
{
        char *read = line_read(line_find(line, pattern));

        assert_non_null(read);
        if (!strstr(read, text))
                fail_msg("%s lacks %s:\n%s", pattern, text, read);
        free(read);
}

static unsigned made_by_card(struct line *line, unsigned card)
{
        return simulated_card_apdus(bench_card(line->station.bench, card));
}

/* Until a unit has failed and its site waits for a person; then stop. */
static int stop_when_blocked(void *context)
{
        struct line *line = context;

        while (!line->station.sites || line->station.sites[0].state != SITE_BLOCKED)
                if (fiber_sleep_ns(10 * NS_PER_MS) < 0)
                        return 0;
        station_stop(&line->station);
        return 0;
}

/* --- modules ------------------------------------------------------------------------------- */

static void a_unit_takes_a_license_for_each_module(void **state)
{
        struct line *line = line_with_modules(4, 2);

        (void)state;
        line_order(line, "A", 8, TWO_MODULES);
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, NULL, NULL), 0);
        assert_int_equal(line->counts.good, 8);
        assert_int_equal(line->counts.errors, 0);
        assert_int_equal(line->balance.issued, 24);
        assert_int_equal(line->balance.installed, 24);
        assert_file_has(line, "orders/done/*/A.yaml.units.csv", ",no,card\r\n");
        line_destroy(line);
}

static int mislicense_the_module(void *context)
{
        struct line *line = context;

        while (!line->station.bench)
                if (fiber_yield() < 0)
                        return 0;
        simulated_card_mislicense(bench_card(line->station.bench, 1));
        return stop_when_blocked(context);
}

static void a_module_license_that_is_refused_is_the_only_one_refused(void **state)
{
        struct line *line = line_with_modules(1, 1);

        (void)state;
        line_order(line, "A", 1, TWO_MODULES);
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, mislicense_the_module, line), 0);
        assert_int_equal(line->counts.good, 0);
        assert_int_equal(line->counts.errors, 1);
        assert_int_equal(line->balance.issued, 3);
        assert_int_equal(line->balance.in_hand, 3); /* one of them refused: a person decides */
        assert_int_equal(line->refused, 1);
        line_destroy(line);
}

static void an_order_without_the_modules_of_its_image_is_rejected(void **state)
{
        struct line *line = line_with_modules(1, 1);

        (void)state;
        line_order(line, "A", 1, "");
        line_order(line, "B", 1, TWO_MODULES);
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, NULL, NULL), 0);
        assert_file_has(line, "orders/err/A.yaml.err", "2 modules");
        assert_int_equal(line->counts.good, 1);
        line_destroy(line);
}

/* --- global -------------------------------------------------------------------------------- */

static void write_global_license(struct line *line)
{
        uint8_t license[LICENSE_LENGTH];
        FILE *file = fopen(line_path(line, "any.bin"), "wb");

        assert_non_null(file);
        license_global_make(line->key, line->nonce, license);
        assert_int_equal(fwrite(license, 1, sizeof(license), file), sizeof(license));
        fclose(file);
}

/* A profile like the reference, of a family that takes a global license. */
static void take_global(struct line *line)
{
        char *text = line_read("configs/rss/reference-h7.conf"), *key;
        FILE *file = fopen(line_path(line, "rss.conf"), "w");

        assert_non_null(text);
        assert_non_null(file);
        key = strstr(text, "takes_global = false");
        assert_non_null(key);
        memcpy(key, "takes_global = true ", 20);
        fputs(text, file);
        fclose(file);
        free(text);
        snprintf(line->station.settings.rss_profile_file,
                 sizeof(line->station.settings.rss_profile_file), "%s",
                 line_path(line, "rss.conf"));
}

static void global_order(struct line *line, const char *id, unsigned quantity, const char *more)
{
        char text[512];

        snprintf(text, sizeof(text), "license: { source: global, file: %s }\n%s",
                 line_path(line, "any.bin"), more);
        line_order(line, id, quantity, text);
}

static unsigned asked_of_cards;

static int note_cards(void *context)
{
        struct line *line = context;

        for (;;) {
                if (line->station.bench && line->station.desk)
                        asked_of_cards = made_by_card(line, 0);
                if (fiber_sleep_ns(10 * NS_PER_MS) < 0)
                        return 0;
        }
}

static void a_global_license_needs_no_card_and_no_book(void **state)
{
        struct line *line = line_create(2, 1);

        (void)state;
        take_global(line);
        write_global_license(line);
        global_order(line, "A", 6, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, note_cards, line), 0);
        assert_int_equal(line->counts.good, 6);
        assert_int_equal(line->balance.issued, 0);
        assert_int_equal(asked_of_cards, 0);
        assert_file_has(line, "orders/done/*/A.yaml.units.csv", ",yes,global\r\n");
        line_destroy(line);
}

static void modules_beside_a_global_license_are_from_cards(void **state)
{
        struct line *line = line_with_modules(2, 1);

        (void)state;
        take_global(line);
        write_global_license(line);
        global_order(line, "A", 3, TWO_MODULES);
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, note_cards, line), 0);
        assert_int_equal(line->counts.good, 3);
        assert_int_equal(line->balance.installed, 6);
        assert_int_equal(asked_of_cards, 0); /* of the image's card */
        assert_file_has(line, "orders/done/*/A.yaml.units.csv", ",no,global\r\n");
        line_destroy(line);
}

static void a_global_license_is_rejected_where_the_family_takes_none(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        write_global_license(line);
        global_order(line, "A", 1, "");
        line_order(line, "B", 1, "");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, NULL, NULL), 0);
        assert_file_has(line, "orders/err/A.yaml.err", "takes no global license");
        assert_int_equal(line->counts.good, 1);
        line_destroy(line);
}

/* --- files --------------------------------------------------------------------------------- */

static void an_order_of_files_asks_no_card(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        line_order(line, "A", 1, "license: { source: file }\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, stop_when_blocked, line), 0);
        assert_int_equal(line->counts.good, 0);
        assert_int_equal(line->counts.errors, 1);
        assert_int_equal(line->balance.issued, 0);
        assert_int_equal(line->balance.pending, 0);
        line_destroy(line);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_unit_takes_a_license_for_each_module),
                cmocka_unit_test(a_module_license_that_is_refused_is_the_only_one_refused),
                cmocka_unit_test(an_order_without_the_modules_of_its_image_is_rejected),
                cmocka_unit_test(a_global_license_needs_no_card_and_no_book),
                cmocka_unit_test(modules_beside_a_global_license_are_from_cards),
                cmocka_unit_test(a_global_license_is_rejected_where_the_family_takes_none),
                cmocka_unit_test(an_order_of_files_asks_no_card),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
