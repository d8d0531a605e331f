/*
 * Images with external firmware, from the order to the memory outside the part: whole lines in virtual time.
 *
 * What is good (external_image.h) is read back twice: enciphered from the chip, with the key from the part's
 * flash, and in the clear through the part's OTFDEC, programmed as its own firmware would.
 */
#include "tests/support/external_image.h"
#include "tests/support/loader_file.h"
#include "tests/support/test.h"

#include "drivers/family_fields.h"
#include "drivers/loader.h"
#include "drivers/simulated/part.h"
#include "scheduler/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One unit, and what is wrong with it. */
struct unit {
        struct external_image image;
        void (*spoil)(struct simulated_part *part, const struct unit *unit);
        const char *cut_at; /* power goes at this step, after so many milliseconds */
        unsigned cut_after_ms;
        const char *more; /* lines of the order */

        /* what came of it */
        struct line *line;
        bool has_ended;
        struct record record;
        bool is_cipher_good, is_plain_good;
};

/* --- what its own firmware reads ------------------------------------------------------------ */

static uint64_t now;

static void put(struct simulated_part *part, const struct family *family, uint32_t address,
                uint32_t value)
{
        uint8_t word[4];

        store_le32(word, value);
        (void)part_write(part, now, family->access_port, address, word, 4);
}

static void put_register(struct simulated_part *part, const struct family *family, unsigned number,
                         uint32_t value)
{
        put(part, family, 0xE000EDF8, value);
        put(part, family, 0xE000EDF4, 0x10000 | number);
}

/* What firmware does first: set up the controller. Here by Init of the reference loader. */
static void open_controller(struct unit *unit, struct simulated_part *part)
{
        const struct family *family = &unit->line->family;
        uint32_t ram = unit->image.ram ? unit->image.ram : 0x24000000;
        struct bytes file = loader_file_make(
                &(struct loader_file){ .ram = ram, .address = unit->image.external });
        struct loader loader;

        assert_int_equal(loader_parse("x", &file, &loader), 0);
        (void)part_dp_write(part, now, 0, 0x1E);
        (void)part_dp_write(part, now, 4, 0x50000000);
        put(part, family, 0xE000EDF0, 0xA05F0003);
        for (uint32_t i = 0; i < loader.segments[0].length; i += 4)
                put(part, family, ram + i, load_le32(loader.segments[0].data + i));
        put_register(part, family, 15, loader.entries[LOADER_INIT] & ~1u);
        put_register(part, family, 14, (ram + 0x1000) | 1);
        put(part, family, 0xE000EDF0, 0xA05F0001);
        loader_free(&loader);
        now += NS_PER_S;
}

/* And then: program the region, and read. */
static bool check_plain(struct unit *unit, struct simulated_part *part)
{
        const struct family *family = &unit->line->family;
        const uint8_t *key =
                part_flash(part, family_plain_address(family, unit->image.key_address));
        bool is_secure = family_is_trustzone_on(family, part_options(part));
        uint32_t base = family->otfdec_registers + (is_secure ? 0x10000000 : 0) +
                        unit->image.region / 4 * 0x400 + 0x20 + unit->image.region % 4 * 0x30;
        static uint8_t found[EXTERNAL_LENGTH + 1];

        now = clock_now_ns();
        open_controller(unit, part);
        put(part, family, base, unit->image.mode << 4);
        for (unsigned i = 0; i < 4; i++)
                put(part, family, base + 0x14 + 4 * i, load_le32(key + 4 * i));
        put(part, family, base + 4, unit->image.external);
        put(part, family, base + 8, unit->image.external + 0xFFFF);
        put(part, family, base, unit->image.mode << 4 | 1);
        for (uint32_t i = 0; i < EXTERNAL_LENGTH; i++)
                if (part_read(part, now, family->access_port, unit->image.external + i, found + i,
                              1) != PART_OK)
                        return false;
        return memcmp(found, external_image_plain(), EXTERNAL_LENGTH) == 0;
}

/* --- one unit ------------------------------------------------------------------------------ */

static int watch(void *context)
{
        struct unit *unit = context;
        struct station *station = &unit->line->station;
        struct simulated_part *part;

        while (!station->bench || !station->sites || station->sites[0].state != SITE_READY)
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
        if (unit->spoil)
                unit->spoil(bench_part(station->bench, 0), unit);
        if (unit->cut_at && line_wait_step(unit->line, 0, unit->cut_at)) {
                if (fiber_sleep_ns(unit->cut_after_ms * NS_PER_MS) < 0)
                        return 0;
                part = bench_part(station->bench, 0);
                if (part)
                        part_power(part, clock_now_ns(), false);
        }
        while (!station->sites[0].has_result || station->sites[0].state == SITE_BUSY)
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
        unit->record = station->sites[0].install.record;
        part = bench_part(station->bench, 0);
        if (part && part_is_powered(part)) {
                unit->is_cipher_good =
                        external_image_is_in(&unit->image, &unit->line->family, part);
                unit->is_plain_good = check_plain(unit, part);
        }
        unit->has_ended = true;
        station_stop(station);
        return 0;
}

static void run_unit(struct unit *unit)
{
        char more[128];

        unit->line = line_create(1, 1);
        external_image_make(&unit->image, unit->line);
        snprintf(more, sizeof(more), "retries: 0\n%s", unit->more ? unit->more : "");
        external_image_order(unit->line, 2, more); /* so that the first unit does not end it */
        (void)line_run(unit->line, LOOP_TIME_VIRTUAL, 5, watch, unit);
        assert_true(unit->has_ended);
}

static void assert_installed(struct unit unit)
{
        run_unit(&unit);
        if (unit.record.result != RESULT_PASS)
                print_error("%s: %s\n", unit.record.fault, unit.record.sentence);
        assert_int_equal(unit.record.result, RESULT_PASS);
        assert_true(unit.is_cipher_good);
        assert_true(unit.is_plain_good);
        assert_int_equal(unit.line->balance.installed, 1);
        line_destroy(unit.line);
}

static void assert_failed(struct unit unit, const char *fault, const char *sentence, bool is_spent)
{
        run_unit(&unit);
        assert_string_equal(unit.record.fault, fault);
        if (!strstr(unit.record.sentence, sentence))
                print_error("%s\n", unit.record.sentence);
        assert_non_null(strstr(unit.record.sentence, sentence));
        assert_int_equal(unit.line->balance.installed, 0);
        assert_int_equal(unit.line->balance.issued != 0, is_spent);
        line_destroy(unit.line);
}

/* --- good ---------------------------------------------------------------------------------- */

static void an_h7a3_gets_its_external_firmware(void **state)
{
        (void)state;
        assert_installed((struct unit){ .image = external_h7a3 });
        assert_installed((struct unit){ .image = external_h7a3_second });
}

static void an_l5_gets_it_under_a_random_key(void **state)
{
        (void)state;
        assert_installed((struct unit){ .image = external_l5 });
}

static void a_u585_gets_it_behind_its_second_otfdec(void **state)
{
        struct unit unit = { .image = external_u585 };

        (void)state;
        assert_installed(unit);
        unit.image.has_key_area = true;
        assert_installed(unit);
}

static void an_h573_gets_it(void **state)
{
        (void)state;
        assert_installed((struct unit){ .image = external_h573 });
}

static const uint8_t stain[3] = { 0, 0, 0 };

static void spoil_external(struct simulated_part *part, const struct unit *unit)
{
        part_fill_external(part, unit->image.external + EXTERNAL_FIRST_LENGTH + 100, stain,
                           sizeof(stain));
}

static void an_external_flash_that_may_be_erased_is(void **state)
{
        struct unit unit = { .image = external_h7a3 };

        (void)state;
        unit.spoil = spoil_external;
        unit.more = "erase: always\n";
        assert_installed(unit);
}

/* --- bad ----------------------------------------------------------------------------------- */

static void an_external_flash_that_is_not_blank_costs_no_license(void **state)
{
        struct unit unit = { .image = external_h7a3 };

        (void)state;
        unit.spoil = spoil_external;
        assert_failed(unit, "NOT_BLANK", "external memory reads 0x00 at 0x90004E84", false);
}

/* Where they go is sealed; so all of the flash must be blank. */
static void spoil_key_place(struct simulated_part *part, const struct unit *unit)
{
        uint32_t address =
                family_plain_address(&unit->line->family, unit->image.key_address) + 0x1000;

        part_fill_flash(part, address, stain, sizeof(stain));
}

static void where_random_keys_may_go_must_be_blank(void **state)
{
        struct unit unit = { .image = external_l5, .spoil = spoil_key_place };

        (void)state;
        assert_failed(unit, "NOT_BLANK", "the flash at 0x08021000 holds 0x00", false);
        unit.more = "erase: always\n";
        assert_installed(unit);
}

static void take_external(struct simulated_part *part, const struct unit *unit)
{
        (void)unit;
        part_set_external(part, false);
}

static void a_loader_that_fails_costs_no_license(void **state)
{
        struct unit unit = { .image = external_u585 };

        (void)state;
        unit.spoil = take_external;
        assert_failed(unit, "FLASH", "Init(0x0, 0x0) answered 0", false);
}

static void a_region_of_the_other_memory_is_refused(void **state)
{
        struct unit unit = { .image = external_h7a3 };

        (void)state;
        unit.image.region = 4;
        assert_failed(unit, "BAD_IMAGE", "the OTFDEC region is not in front of this memory", true);
}

static void a_mode_that_is_not_public_is_refused(void **state)
{
        struct unit unit = { .image = external_u585 };

        (void)state;
        unit.image.mode = 3;
        assert_failed(unit, "BAD_IMAGE", "its mode is not public", true);
}

static void external_firmware_without_its_key_is_refused(void **state)
{
        struct unit unit = { .image = external_h7a3 };

        (void)state;
        unit.image.has_no_key = true;
        assert_failed(unit, "BAD_IMAGE", "its key is not there", true);
}

/* While the RSS works on each of the three parts, and while the loader is at work between them. */
static void power_lost_between_parts_is_no_pass(void **state)
{
        static const unsigned moments[] = { 10, 48, 52, 56, 80, 112, 116, 120, 150 };
        char parts[4] = "   ";

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(moments); i++) {
                struct unit unit = { .image = external_h7a3 };
                const char *part;

                unit.cut_at = "install";
                unit.cut_after_ms = moments[i];
                run_unit(&unit);
                assert_int_not_equal(unit.record.result, RESULT_PASS);
                assert_string_equal(unit.record.step, "install");
                assert_int_equal(unit.line->balance.installed, 0);
                assert_int_equal(unit.line->balance.issued, 1);
                part = strstr(unit.record.sentence, "part ");
                assert_non_null(part);
                parts[part[5] - '1'] = part[5];
                line_destroy(unit.line);
        }
        assert_string_equal(parts, "123");
}

/* Boards come one after the other into the same place: what one got is not in the next. */
static void the_next_board_has_a_blank_memory(void **state)
{
        struct unit unit = { .image = external_h7a3 };

        (void)state;
        unit.line = line_create(1, 1);
        external_image_make(&unit.image, unit.line);
        external_image_order(unit.line, 3, "retries: 0\n");
        assert_int_equal(line_run(unit.line, LOOP_TIME_VIRTUAL, 5, NULL, NULL), 0);
        assert_int_equal(unit.line->balance.installed, 3);
        assert_int_equal(unit.line->balance.issued, 3);
        line_destroy(unit.line);
}

/* Its debug port is shut then; that it reads in the clear only its own firmware can tell. */
static void an_h573_that_closes_after_its_external_data_gets_it(void **state)
{
        struct unit unit = { .image = external_h573 };

        (void)state;
        unit.image.closes = unit.image.has_options_part = true;
        run_unit(&unit);
        assert_int_equal(unit.record.result, RESULT_PASS);
        assert_true(unit.is_cipher_good);
        assert_false(unit.is_plain_good);
        assert_int_equal(unit.line->balance.installed, 1);
        line_destroy(unit.line);
}

/* An H573 whose option bytes close it goes with the last part, and external data with it. */
static void an_image_that_closes_the_part_too_early_stops_the_line(void **state)
{
        struct unit unit = { .image = external_h573 };

        (void)state;
        unit.image.closes = true;
        assert_failed(unit, "BAD_IMAGE", "part 3 of 3: external flash: the image closed the part",
                      true);
}

/* --- the order ----------------------------------------------------------------------------- */

static int wait_for_answer(void *context)
{
        struct line *line = context;

        while (!line_find(line, "orders/err/X1.yaml.err"))
                if (fiber_sleep_ns(10 * NS_PER_MS) < 0)
                        return 0;
        station_stop(&line->station);
        return 0;
}

static void assert_refused(struct unit unit, const char *loader, const char *sentence)
{
        char more[300] = "", *text;
        const char *path;

        unit.line = line_create(1, 1);
        external_image_make(&unit.image, unit.line);
        if (loader)
                snprintf(more, sizeof(more), "external_loader: %s/%s\n", unit.line->directory,
                         loader);
        line_order(unit.line, "X1", 1, more);
        (void)line_run(unit.line, LOOP_TIME_VIRTUAL, 5, wait_for_answer, unit.line);
        path = line_find(unit.line, "orders/err/X1.yaml.err");
        assert_non_null(path);
        text = line_read(path);
        if (!strstr(text, sentence))
                print_error("%s\n", text);
        assert_non_null(strstr(text, sentence));
        free(text);
        line_destroy(unit.line);
}

static void an_order_without_the_loader_is_refused(void **state)
{
        (void)state;
        assert_refused((struct unit){ .image = external_h7a3 }, NULL,
                       "2 areas for external flash and no external loader is named");
}

static void an_order_with_a_loader_that_is_none_is_refused(void **state)
{
        (void)state;
        assert_refused((struct unit){ .image = external_h7a3 }, "image.sfi", "no ELF magic");
        assert_refused((struct unit){ .image = external_h7a3 }, "nowhere.stldr", "nowhere.stldr");
}

static void an_order_with_the_loader_of_another_memory_is_refused(void **state)
{
        struct unit unit = { .image = external_h7a3 };

        (void)state;
        unit.image.loader_address = 0x70000000;
        assert_refused(unit, "x.stldr", "is for 1048576 bytes at 0x70000000");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_h7a3_gets_its_external_firmware),
                cmocka_unit_test(an_l5_gets_it_under_a_random_key),
                cmocka_unit_test(a_u585_gets_it_behind_its_second_otfdec),
                cmocka_unit_test(an_h573_gets_it),
                cmocka_unit_test(an_external_flash_that_may_be_erased_is),
                cmocka_unit_test(an_external_flash_that_is_not_blank_costs_no_license),
                cmocka_unit_test(where_random_keys_may_go_must_be_blank),
                cmocka_unit_test(a_loader_that_fails_costs_no_license),
                cmocka_unit_test(a_region_of_the_other_memory_is_refused),
                cmocka_unit_test(a_mode_that_is_not_public_is_refused),
                cmocka_unit_test(external_firmware_without_its_key_is_refused),
                cmocka_unit_test(power_lost_between_parts_is_no_pass),
                cmocka_unit_test(the_next_board_has_a_blank_memory),
                cmocka_unit_test(an_h573_that_closes_after_its_external_data_gets_it),
                cmocka_unit_test(an_image_that_closes_the_part_too_early_stops_the_line),
                cmocka_unit_test(an_order_without_the_loader_is_refused),
                cmocka_unit_test(an_order_with_a_loader_that_is_none_is_refused),
                cmocka_unit_test(an_order_with_the_loader_of_another_memory_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
