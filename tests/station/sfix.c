/*
 * Images with external firmware, from the order to the memory outside the part: whole lines in virtual time.
 *
 * Each image has firmware, a key for the OTFDEC (a file, or random by a K area), external firmware cut over two
 * parts, and option bytes that leave debug access. What is good is read back twice: enciphered from the chip, with
 * the key from the part's flash, and in the clear through the part's OTFDEC, programmed as its own firmware would.
 *
 * The loader is the reference one, which the simulated part knows; or it is code (tests/rigs/loader) and the part's
 * core executes it.
 */
#include "tests/rigs/parts/core.h"
#include "tests/support/line.h"
#include "tests/support/loader_file.h"
#include "tests/support/sealed.h"
#include "tests/support/test.h"

#include "crypto/digest.h"
#include "crypto/otfdec.h"
#include "drivers/family_fields.h"
#include "drivers/loader.h"
#include "drivers/simulated/part.h"
#include "scheduler/chance.h"
#include "scheduler/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LENGTH  20000u
#define SECOND_LENGTH 5003u
#define LENGTH        (FIRST_LENGTH + SECOND_LENGTH)

/* One unit, and what is wrong with it. */
struct unit {
        const char *family, *rss;
        uint32_t external, region, mode, key_address;
        uint32_t ram; /* of the reference loader; 0: 0x24000000 */
        const char *
                stldr; /* of tests/rigs/loader, for a core that executes; NULL: the reference loader */
        bool has_key_area;
        void (*spoil)(struct simulated_part *part, const struct unit *unit);
        const char *cut_at; /* power goes at this step, after so many milliseconds */
        unsigned cut_after_ms;
        const char *more; /* lines of the order */
        uint32_t loader_address;
        bool has_no_key;
        bool closes; /* the option bytes take debug access: a product state */

        /* what came of it */
        struct line *line;
        bool has_ended;
        struct record record;
        bool is_cipher_good, is_plain_good;
        int plain_fault;
};

static const struct unit h7a3 = { .family = "stm32h7a3",
                                  .rss = "reference-h7",
                                  .external = 0x90000000,
                                  .region = 0,
                                  .mode = 2,
                                  .key_address = 0x081FC000 };
static const struct unit h7a3_second = { .family = "stm32h7a3",
                                         .rss = "reference-h7",
                                         .external = 0x70000000,
                                         .region = 5,
                                         .mode = 1,
                                         .key_address = 0x081FC000 };
/* AN5054 12.3.2 and 13.3.2: regions, modes and key addresses (secure-install.md 6.1). */
static const struct unit l5 = { .family = "stm32l5",
                                .rss = "reference-l5",
                                .external = 0x90000000,
                                .region = 0,
                                .mode = 2,
                                .key_address = 0x0C020000,
                                .ram = 0x20000000,
                                .has_key_area = true };
static const struct unit u585 = { .family = "stm32u575",
                                  .rss = "reference-u5",
                                  .external = 0x70000000,
                                  .region = 4,
                                  .mode = 1,
                                  .key_address = 0x0800A000,
                                  .ram = 0x20000000 };
static const struct unit h573 = { .family = "stm32h56x",
                                  .rss = "reference-h5",
                                  .external = 0x90000000,
                                  .region = 0,
                                  .mode = 2,
                                  .key_address = 0x081FFFF0,
                                  .ram = 0x20000000,
                                  .has_key_area = true };

/* --- the image ----------------------------------------------------------------------------- */

static uint8_t plain[LENGTH];

static void put_prefix(const struct unit *unit, uint8_t *at)
{
        store_le32(at, unit->region);
        store_le32(at + 4, unit->mode);
        store_le32(at + 8, unit->key_address);
}

static void put_options(const struct unit *unit, uint8_t *words)
{
        const struct family *family = &unit->line->family;
        uint32_t options[OPTION_ROWS_MAX];

        for (size_t i = 0; i < family->option_count; i++)
                options[i] = family->options[i].factory;
        if (family->procedure == PROCEDURE_RSS_ROM)
                family_secure(family, options);
        if (unit->closes)
                family_field_set(family_field(family, ROLE_STATE), options, 0x72); /* closed */
        for (size_t i = 0; i < family->option_count; i++)
                store_le32(words + 4 * i, options[i]);
}

static struct bytes seal(const struct unit *unit)
{
        static uint8_t code[4096], key[16], token[32], couples[8], words[OPTION_ROWS_MAX * 4];
        static uint8_t first[12 + FIRST_LENGTH], second[12 + SECOND_LENGTH];
        struct chance chance = chance_fork(3, "external firmware", 0);
        uint32_t token_address = unit->line->family.bank_address[0] + 0x40000;
        struct sfi_plain_area areas[10];
        struct sfi_recipe recipe = { .protocol = 2, .version = 1, .areas = areas };
        size_t n = 0;

        chance_bytes(&chance, plain, sizeof(plain));
        chance_bytes(&chance, code, sizeof(code));
        chance_bytes(&chance, key, sizeof(key));
        put_prefix(unit, first);
        put_prefix(unit, second);
        memcpy(first + 12, plain, FIRST_LENGTH);
        memcpy(second + 12, plain + FIRST_LENGTH, SECOND_LENGTH);
        put_options(unit, words);
        store_le32(couples, sizeof(key));
        store_le32(couples + 4, unit->key_address);
        areas[n++] = (struct sfi_plain_area){ SFI_FIRMWARE, 0x08000000, code, sizeof(code) };
        if (unit->has_key_area)
                areas[n++] = (struct sfi_plain_area){ SFI_KEYS, unit->key_address, couples,
                                                      sizeof(couples) };
        else if (!unit->has_no_key)
                areas[n++] = (struct sfi_plain_area){ SFI_FIRMWARE, unit->key_address, key,
                                                      sizeof(key) };
        areas[n++] = (struct sfi_plain_area){ SFI_PAUSE, token_address, token, sizeof(token) };
        areas[n++] = (struct sfi_plain_area){ SFI_RESUME, token_address, token, sizeof(token) };
        areas[n++] = (struct sfi_plain_area){ SFI_EXTERNAL, unit->external, first, sizeof(first) };
        areas[n++] = (struct sfi_plain_area){ SFI_PAUSE, token_address, token, sizeof(token) };
        areas[n++] = (struct sfi_plain_area){ SFI_RESUME, token_address, token, sizeof(token) };
        areas[n++] = (struct sfi_plain_area){ SFI_EXTERNAL, unit->external + FIRST_LENGTH, second,
                                              sizeof(second) };
        areas[n++] = (struct sfi_plain_area){ SFI_CONFIGURATION, 0, words,
                                              unit->line->family.option_count * 4 };
        recipe.count = n;
        return sealed_file(&recipe, unit->line->key, unit->line->nonce, NULL);
}

static void write_file(const struct line *line, const char *name, const void *data, size_t length)
{
        FILE *file = fopen(line_path(line, name), "wb");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        fclose(file);
}

static struct bytes loader_of(const struct unit *unit)
{
        struct loader_file settings = { .ram = unit->ram,
                                        .address = unit->loader_address ? unit->loader_address
                                                                        : unit->external };
        struct bytes file = { 0 };
        char path[512];

        if (!unit->stldr)
                return loader_file_make(&settings);
        snprintf(path, sizeof(path), "%s/tests/rigs/loader/%s.stldr", getenv("GANGWAY_BUILD"),
                 unit->stldr);
        assert_int_equal(file_read(path, LOADER_FILE_MAX, &file), 0);
        return file;
}

static int prepare(void *subject)
{
        struct unit *unit = subject;
        struct bytes image = seal(unit), loader = loader_of(unit);
        uint8_t digest[DIGEST_LENGTH];
        char text[65];

        digest_sha256(image.data, image.length, digest);
        hex_encode(digest, sizeof(digest), text);
        write_file(unit->line, "image.sfi", image.data, image.length);
        write_file(unit->line, "image.sha256", text, 64);
        write_file(unit->line, "x.stldr", loader.data, loader.length);
        bytes_free(&image);
        bytes_free(&loader);
        return 0;
}

/* --- what is in the memory ------------------------------------------------------------------ */

static bool check_cipher(const struct unit *unit, const struct simulated_part *part)
{
        const uint8_t *key =
                part_flash(part, family_plain_address(&unit->line->family, unit->key_address));
        struct otfdec_region region = { .index = (uint8_t)(unit->region % 4) };
        static uint8_t found[LENGTH], opened[LENGTH];

        for (unsigned i = 0; i < 4; i++)
                region.key[i] = load_le32(key + 4 * i);
        for (uint32_t i = 0; i < LENGTH; i++)
                found[i] = part_external_byte(part, unit->external + i);
        otfdec_crypt(&region, unit->external, found, opened, LENGTH);
        return memcmp(found, plain, LENGTH) != 0 && memcmp(opened, plain, LENGTH) == 0 &&
               part_external_byte(part, unit->external + LENGTH) == 0xFF;
}

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

/* What firmware does first: set up the controller. Here by Init of the loader, in the part's RAM at `ram`. */
static void open_controller(struct unit *unit, struct simulated_part *part)
{
        const struct family *family = &unit->line->family;
        struct bytes file = loader_of(unit);
        struct loader loader;
        const struct loader_segment *code;
        uint32_t ram;

        assert_int_equal(loader_parse("x", &file, &loader), 0);
        code = &loader.segments[loader.segments[0].is_descriptor];
        ram = code->address & ~0xFFFu;
        (void)part_dp_write(part, now, 0, 0x1E);
        (void)part_dp_write(part, now, 4, 0x50000000);
        put(part, family, 0xE000EDF0, 0xA05F0003);
        for (uint32_t i = 0; i < code->length; i += 4)
                put(part, family, code->address + i, load_le32(code->data + i));
        put(part, family, ram + 0x8000, 0xBE00BE00);
        put_register(part, family, 13, ram + 0x8000);
        put_register(part, family, 14, (ram + 0x8000) | 1);
        put_register(part, family, 15, loader.entries[LOADER_INIT] & ~1u);
        put_register(part, family, 16, 0x01000000);
        put(part, family, 0xE000EDF0, 0xA05F0001);
        loader_free(&loader);
        for (unsigned i = 0; i < 100; i++) /* a core catches up by some milliseconds at once */
                part_advance(part, now += 10 * NS_PER_MS);
}

/* And then: program the region, and read. */
static bool check_plain(struct unit *unit, struct simulated_part *part)
{
        const struct family *family = &unit->line->family;
        const uint8_t *key = part_flash(part, family_plain_address(family, unit->key_address));
        bool is_secure = family_is_trustzone_on(family, part_options(part));
        uint32_t base = family->otfdec_registers + (is_secure ? 0x10000000 : 0) +
                        unit->region / 4 * 0x400 + 0x20 + unit->region % 4 * 0x30;
        static uint8_t found[LENGTH + 1];

        now = clock_now_ns();
        open_controller(unit, part);
        put(part, family, base, unit->mode << 4);
        for (unsigned i = 0; i < 4; i++)
                put(part, family, base + 0x14 + 4 * i, load_le32(key + 4 * i));
        put(part, family, base + 4, unit->external);
        put(part, family, base + 8, unit->external + 0xFFFF);
        put(part, family, base, unit->mode << 4 | 1);
        for (uint32_t i = 0; i < LENGTH; i++)
                if (part_read(part, now, family->access_port, unit->external + i, found + i, 1) !=
                    PART_OK)
                        return false;
        return memcmp(found, plain, LENGTH) == 0;
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
                unit->is_cipher_good = check_cipher(unit, part);
                unit->is_plain_good = check_plain(unit, part);
        }
        unit->has_ended = true;
        station_stop(station);
        return 0;
}

static void order(const struct unit *unit, unsigned quantity)
{
        char more[512];

        snprintf(more, sizeof(more), "external_loader: %s/x.stldr\nretries: 0\n%s",
                 unit->line->directory, unit->more ? unit->more : "");
        line_order(unit->line, "X1", quantity, more);
}

static void run_unit(struct unit *unit)
{
        unit->line = line_create(1, 1);
        line_family(unit->line, unit->family, unit->rss);
        if (unit->stldr)
                unit->line->station.settings.bench.engine = &unicorn_engine;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, prepare, unit), 0);
        order(unit, 2); /* so that the first unit does not end it */
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
        assert_installed(h7a3);
        assert_installed(h7a3_second);
}

static void an_l5_gets_it_under_a_random_key(void **state)
{
        (void)state;
        assert_installed(l5);
}

static void a_u585_gets_it_behind_its_second_otfdec(void **state)
{
        struct unit unit = u585;

        (void)state;
        assert_installed(unit);
        unit.has_key_area = true;
        assert_installed(unit);
}

static void an_h573_gets_it(void **state)
{
        (void)state;
        assert_installed(h573);
}

/* The same, with loaders that are code: with eight lines and with one, on either core. */
static void each_of_them_gets_it_by_a_loader_on_its_own_core(void **state)
{
        static const struct {
                const struct unit *unit;
                const char *stldr;
        } rows[] = { { &h7a3, "h7-octal" },
                     { &h7a3_second, "h7-single" },
                     { &l5, "l5" },
                     { &u585, "u5" },
                     { &h573, "h5" } };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(rows); i++) {
                struct unit unit = *rows[i].unit;

                unit.stldr = rows[i].stldr;
                assert_installed(unit);
        }
}

static const uint8_t stain[3] = { 0, 0, 0 };

static void spoil_external(struct simulated_part *part, const struct unit *unit)
{
        part_fill_external(part, unit->external + FIRST_LENGTH + 100, stain, sizeof(stain));
}

static void an_external_flash_that_may_be_erased_is(void **state)
{
        struct unit unit = h7a3;

        (void)state;
        unit.spoil = spoil_external;
        unit.more = "erase: always\n";
        assert_installed(unit);
        unit.stldr = "h7-octal";
        assert_installed(unit);
}

/* --- bad ----------------------------------------------------------------------------------- */

static void an_external_flash_that_is_not_blank_costs_no_license(void **state)
{
        struct unit unit = h7a3;

        (void)state;
        unit.spoil = spoil_external;
        assert_failed(unit, "NOT_BLANK", "external memory reads 0x00 at 0x90004E84", false);
        unit.stldr = "h7-octal";
        assert_failed(unit, "NOT_BLANK", "external memory reads 0x00 at 0x90004E84", false);
}

static void take_external(struct simulated_part *part, const struct unit *unit)
{
        (void)unit;
        part_set_external(part, false);
}

static void a_loader_that_fails_costs_no_license(void **state)
{
        struct unit unit = u585;

        (void)state;
        unit.spoil = take_external;
        assert_failed(unit, "FLASH", "Init(0x0, 0x0) answered 0", false);
        unit.stldr = "u5";
        assert_failed(unit, "FLASH", "Init(0x0, 0x0) answered 0", false);
}

static void protect_external(struct simulated_part *part, const struct unit *unit)
{
        part_protect_external(part, unit->external, 5);
}

/* Blank is all the preflight can see of it; that it takes nothing shows in Write, after the license. */
static void a_write_protected_memory_is_told_with_its_address(void **state)
{
        struct unit unit = h7a3;

        (void)state;
        unit.spoil = protect_external;
        assert_failed(unit, "FLASH", "Write(0x90000000, 0x4E20) answered 0", true);
        unit.stldr = "h7-octal";
        assert_failed(unit, "FLASH", "Write(0x90000000, 0x4E20) answered 0", true);
}

static void a_region_of_the_other_memory_is_refused(void **state)
{
        struct unit unit = h7a3;

        (void)state;
        unit.region = 4;
        assert_failed(unit, "BAD_IMAGE", "the OTFDEC region is not in front of this memory", true);
}

static void a_mode_that_is_not_public_is_refused(void **state)
{
        struct unit unit = u585;

        (void)state;
        unit.mode = 3;
        assert_failed(unit, "BAD_IMAGE", "its mode is not public", true);
}

static void external_firmware_without_its_key_is_refused(void **state)
{
        struct unit unit = h7a3;

        (void)state;
        unit.has_no_key = true;
        assert_failed(unit, "BAD_IMAGE", "its key is not there", true);
}

/* While the RSS works on each of the three parts, and while the loader is at work between them. */
static void lose_power(const char *stldr)
{
        static const unsigned moments[] = { 10, 48, 52, 56, 80, 112, 116, 120, 150 };
        char parts[4] = "   ";

        for (size_t i = 0; i < LENGTH_OF(moments); i++) {
                struct unit unit = h7a3;
                const char *part;

                unit.stldr = stldr;

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

static void power_lost_between_parts_is_no_pass(void **state)
{
        (void)state;
        lose_power(NULL);
        lose_power("h7-octal");
}

/* Boards come one after the other into the same place: what one got is not in the next. */
static void the_next_board_has_a_blank_memory(void **state)
{
        struct unit unit = h7a3;

        (void)state;
        unit.line = line_create(1, 1);
        line_family(unit.line, unit.family, unit.rss);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, prepare, &unit), 0);
        order(&unit, 3);
        assert_int_equal(line_run(unit.line, LOOP_TIME_VIRTUAL, 5, NULL, NULL), 0);
        assert_int_equal(unit.line->balance.installed, 3);
        assert_int_equal(unit.line->balance.issued, 3);
        line_destroy(unit.line);
}

/* An H573 whose option bytes close it goes with the last part, and external data with it. */
static void an_image_that_closes_the_part_too_early_stops_the_line(void **state)
{
        struct unit unit = h573;

        (void)state;
        unit.closes = true;
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
        line_family(unit.line, unit.family, unit.rss);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, prepare, &unit), 0);
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
        assert_refused(h7a3, NULL, "2 areas for external flash and no external loader is named");
}

static void an_order_with_a_loader_that_is_none_is_refused(void **state)
{
        (void)state;
        assert_refused(h7a3, "image.sfi", "no ELF magic");
        assert_refused(h7a3, "nowhere.stldr", "nowhere.stldr");
}

static void an_order_with_the_loader_of_another_memory_is_refused(void **state)
{
        struct unit unit = h7a3;

        (void)state;
        unit.loader_address = 0x70000000;
        assert_refused(unit, "x.stldr", "is for 1048576 bytes at 0x70000000");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_h7a3_gets_its_external_firmware),
                cmocka_unit_test(an_l5_gets_it_under_a_random_key),
                cmocka_unit_test(a_u585_gets_it_behind_its_second_otfdec),
                cmocka_unit_test(an_h573_gets_it),
                cmocka_unit_test(each_of_them_gets_it_by_a_loader_on_its_own_core),
                cmocka_unit_test(an_external_flash_that_may_be_erased_is),
                cmocka_unit_test(an_external_flash_that_is_not_blank_costs_no_license),
                cmocka_unit_test(a_loader_that_fails_costs_no_license),
                cmocka_unit_test(a_write_protected_memory_is_told_with_its_address),
                cmocka_unit_test(a_region_of_the_other_memory_is_refused),
                cmocka_unit_test(a_mode_that_is_not_public_is_refused),
                cmocka_unit_test(external_firmware_without_its_key_is_refused),
                cmocka_unit_test(power_lost_between_parts_is_no_pass),
                cmocka_unit_test(the_next_board_has_a_blank_memory),
                cmocka_unit_test(an_image_that_closes_the_part_too_early_stops_the_line),
                cmocka_unit_test(an_order_without_the_loader_is_refused),
                cmocka_unit_test(an_order_with_a_loader_that_is_none_is_refused),
                cmocka_unit_test(an_order_with_the_loader_of_another_memory_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
