/*
 * External loaders as code: the station's driver calls them, a core executes them, on the registers of an
 * OCTOSPI with a NOR flash behind it.
 *
 * The loaders are ours, tests/rigs/loader, compiled for the part; what is claimed of them is what
 * loader_run.c claims of the reference loader, as far as that can be. One test takes the file in
 * GANGWAY_STLDR, with the family in GANGWAY_STLDR_FAMILY, for a loader somebody else built.
 */
#include "tests/drivers/bed.h"
#include "tests/rigs/parts/core.h"

#include "drivers/loader.h"
#include "drivers/target_core.h"

#include <stdio.h>

#define EXTERNAL 0x90000000u
#define SPIN     0xE7FEE7FEu /* b . */
#define UNKNOWN  0xDE00DE00u /* udf #0 */

struct kind {
        const char *file, *family;
        uint32_t address;
};

static const struct kind octal = { "h7-octal", "stm32h7a3", EXTERNAL };
static const struct kind kinds[] = {
        { "h7-octal", "stm32h7a3", EXTERNAL },    { "h7-octal", "stm32h73x", EXTERNAL },
        { "h7-single", "stm32h73x", 0x70000000 }, { "l5", "stm32l5", EXTERNAL },
        { "u5", "stm32u575", 0x70000000 },        { "h5", "stm32h56x", EXTERNAL },
};

struct desk {
        struct bed *bed;
        struct loader loader;
        struct loader_run run;
};

static void check_well(int result, int line)
{
        if (result < 0)
                print_error("line %d: %s\n", line, fault_sentence(result));
        assert_int_equal(result, 0);
}
#define assert_well(result) check_well((result), __LINE__)

static struct desk *desk_with(const char *path, const char *family)
{
        struct desk *desk = calloc(1, sizeof(*desk));
        char config[128];

        assert_non_null(desk);
        snprintf(config, sizeof(config), "configs/targets/%s.conf", family);
        desk->bed = bed_make_with(config, &unicorn_engine);
        assert_int_equal(target_attach(&desk->bed->target, 24000), 0);
        assert_well(loader_load(path, &desk->loader));
        return desk;
}

static struct desk *desk_make(const struct kind *kind)
{
        char path[512];

        snprintf(path, sizeof(path), "%s/tests/rigs/loader/%s.stldr", getenv("GANGWAY_BUILD"),
                 kind->file);
        return desk_with(path, kind->family);
}

static int desk_start(struct desk *desk)
{
        return loader_start(&desk->bed->target, &desk->loader, &desk->run);
}

static struct desk *desk_running(const struct kind *kind)
{
        struct desk *desk = desk_make(kind);

        assert_well(desk_start(desk));
        return desk;
}

static void desk_free(struct desk *desk)
{
        loader_free(&desk->loader);
        bed_free(desk->bed);
        free(desk);
}

/* Other code at the entry of a function, so that it does something else than it should. */
static void desk_break(struct desk *desk, enum loader_function function, uint32_t code)
{
        uint32_t entry = desk->loader.entries[function] & ~1u;
        const struct loader_segment *segment = desk->loader.segments;

        while (entry - segment->address >= segment->length)
                segment++;
        store_le32(desk->loader.file.data + (segment->data - desk->loader.file.data) +
                           (entry - segment->address),
                   code);
}

/* A function the station does not call, as it would call one; r0. */
static uint32_t desk_call(struct desk *desk, enum loader_function function,
                          const uint32_t arguments[4])
{
        struct target_call call = { .function = desk->loader.entries[function],
                                    .stack = desk->run.stack,
                                    .breakpoint = desk->run.breakpoint,
                                    .timeout_ms = 10000 };
        uint32_t result = 0;

        memcpy(call.arguments, arguments, sizeof(call.arguments));
        assert_well(target_core_call(&desk->bed->target, &call, &result));
        return result;
}

static void fill(uint8_t *data, size_t length)
{
        for (size_t i = 0; i < length; i++)
                data[i] = (uint8_t)(i * 31 + i / 256);
}

static uint8_t byte_at(const struct desk *desk, uint32_t address)
{
        return part_external_byte(desk->bed->part, address);
}

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_on_fiber, NULL), 0);   \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

/* --- good ---------------------------------------------------------------------------------- */

/* In and out, misaligned at both ends, and nothing beside it. */
static void go_round(struct desk *desk, uint32_t address)
{
        static uint8_t data[20001], found[sizeof(data)];
        uint32_t progress = 0;

        fill(data, sizeof(data));
        assert_well(loader_check_blank(&desk->run, address, sizeof(data)));
        assert_well(loader_write(&desk->run, address, data, sizeof(data), &progress));
        assert_int_equal(progress, sizeof(data));
        for (size_t i = 0; i < sizeof(data); i++)
                assert_int_equal(byte_at(desk, address + (uint32_t)i), data[i]);
        assert_int_equal(byte_at(desk, address - 1), 0xFF);
        assert_int_equal(byte_at(desk, address + sizeof(data)), 0xFF);
        assert_well(loader_read(&desk->run, address, found, sizeof(found)));
        assert_memory_equal(found, data, sizeof(data));
}

FIBER_TEST(every_kind_of_part_programs_its_memory_by_code_on_its_core)
{
        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
                struct desk *desk = desk_running(&kinds[i]);

                go_round(desk, kinds[i].address + 101);
                go_round(desk, kinds[i].address + 0x10000);
                assert_well(loader_finish(&desk->run));
                desk_free(desk);
        }
        return 0;
}

/* Where it has them: MassErase erases, and Verify tells equal from different, whatever its answers are. */
static void call_the_rest(struct desk *desk, uint32_t address)
{
        const uint32_t *entries = desk->loader.entries;
        const uint32_t verify[] = { address, desk->run.buffer, 64, 0 };
        uint8_t data[256], zero = 0;
        uint32_t equal = 0;

        fill(data, sizeof(data));
        assert_well(loader_write(&desk->run, address, data, sizeof(data), NULL));
        assert_well(target_write(&desk->bed->target, desk->run.buffer, data, sizeof(data), NULL));
        if (entries[LOADER_VERIFY])
                equal = desk_call(desk, LOADER_VERIFY, verify);
        part_fill_external(desk->bed->part, address + 77, &zero, 1);
        if (entries[LOADER_VERIFY])
                assert_int_not_equal(desk_call(desk, LOADER_VERIFY, verify), equal);
        if (!entries[LOADER_MASS_ERASE])
                return;
        assert_int_equal(desk_call(desk, LOADER_MASS_ERASE, (uint32_t[4]){ 0 }), 1);
        assert_int_equal(byte_at(desk, address + 77), 0xFF);
        assert_int_equal(byte_at(desk, address + 0x10000), 0xFF);
}

FIBER_TEST(a_real_loader)
{
        const char *path = getenv("GANGWAY_STLDR"), *family = getenv("GANGWAY_STLDR_FAMILY");
        struct desk *desk;
        uint32_t address;

        (void)unused;
        desk = desk_with(path, family ? family : "stm32h7a3");
        assert_well(desk_start(desk));
        address = desk->loader.storage.address;
        go_round(desk, address + 101);
        go_round(desk, address + 0x10000);
        assert_well(loader_erase(&desk->run, address, 100, NULL));
        assert_int_equal(byte_at(desk, address + 101), 0xFF);
        go_round(desk, address + 101);
        call_the_rest(desk, address + 0x20000);
        assert_well(loader_finish(&desk->run));
        desk_free(desk);
        return 0;
}

static void a_loader_that_somebody_else_built_does_it_too(void **state)
{
        if (!getenv("GANGWAY_STLDR"))
                skip();
        a_real_loader(state);
}

FIBER_TEST(a_loader_without_read_is_checked_through_the_map)
{
        struct desk *desk = desk_make(&octal);
        uint8_t data[300], found[sizeof(data)];

        (void)unused;
        desk->loader.entries[LOADER_READ] = 0;
        assert_well(desk_start(desk));
        fill(data, sizeof(data));
        assert_well(loader_write(&desk->run, EXTERNAL + 1, data, sizeof(data), NULL));
        assert_well(target_read(&desk->bed->target, EXTERNAL + 1, found, sizeof(found)));
        assert_memory_equal(found, data, sizeof(data));
        assert_fault(loader_check_blank(&desk->run, EXTERNAL, 512), NOT_BLANK, "0x90000001");
        assert_well(loader_erase(&desk->run, EXTERNAL, 512, NULL)); /* leaves it unmapped */
        assert_fault(target_read(&desk->bed->target, EXTERNAL, found, 4), TARGET_ACCESS, NULL);
        assert_well(loader_check_blank(&desk->run, EXTERNAL, 512));
        desk_free(desk);
        return 0;
}

FIBER_TEST(whole_sectors_are_erased)
{
        struct desk *desk = desk_running(&octal);
        uint8_t data[3 * 4096] = { 0 };
        uint32_t progress = 0;

        (void)unused;
        part_fill_external(desk->bed->part, EXTERNAL, data, sizeof(data));
        assert_well(loader_erase(&desk->run, EXTERNAL + 4095, 2, &progress));
        assert_int_equal(progress, 2);
        assert_int_equal(byte_at(desk, EXTERNAL), 0xFF);
        assert_int_equal(byte_at(desk, EXTERNAL + 8191), 0xFF);
        assert_int_equal(byte_at(desk, EXTERNAL + 8192), 0);
        desk_free(desk);
        return 0;
}

/* MassErase, and Verify as ST's answers: 0 for what is equal, else where it is not. */
FIBER_TEST(the_functions_that_the_station_leaves_out_work_too)
{
        struct desk *desk = desk_running(&octal);
        uint32_t buffer = desk->run.buffer;
        uint8_t data[256], zero = 0;

        (void)unused;
        fill(data, sizeof(data));
        assert_well(loader_write(&desk->run, EXTERNAL + 256, data, sizeof(data), NULL));
        assert_well(target_write(&desk->bed->target, buffer, data, sizeof(data), NULL));
        assert_int_equal(desk_call(desk, LOADER_VERIFY,
                                   (uint32_t[4]){ EXTERNAL + 256, buffer, sizeof(data) / 4, 0 }),
                         0);
        part_fill_external(desk->bed->part, EXTERNAL + 256 + 77, &zero, 1);
        assert_int_equal(desk_call(desk, LOADER_VERIFY,
                                   (uint32_t[4]){ EXTERNAL + 256, buffer, sizeof(data) / 4, 0 }),
                         EXTERNAL + 256 + 77);
        assert_int_equal(desk_call(desk, LOADER_MASS_ERASE, (uint32_t[4]){ 0 }), 1);
        for (uint32_t i = 0; i < 1u << 20; i++)
                assert_int_equal(byte_at(desk, EXTERNAL + i), 0xFF);
        desk_free(desk);
        return 0;
}

FIBER_TEST(what_was_written_survives_power)
{
        struct desk *desk = desk_running(&octal);
        uint8_t byte = 0x5A, found;

        (void)unused;
        assert_well(loader_write(&desk->run, EXTERNAL + 5, &byte, 1, NULL));
        bed_power(desk->bed, false);
        bed_power(desk->bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_reattach(&desk->bed->target, 1000), 0);
        assert_fault(target_read(&desk->bed->target, EXTERNAL + 5, &found, 1), TARGET_ACCESS, NULL);
        assert_well(desk_start(desk));
        assert_well(loader_read(&desk->run, EXTERNAL + 5, &found, 1));
        assert_int_equal(found, 0x5A);
        desk_free(desk);
        return 0;
}

/* A reset of the part leaves the chip in its eight-line mode, and Init finds it there. */
FIBER_TEST(a_chip_left_in_its_octal_mode_is_found_again)
{
        struct desk *desk = desk_running(&octal);

        (void)unused;
        assert_int_equal(target_reset(&desk->bed->target, 1000), 0);
        assert_well(desk_start(desk));
        go_round(desk, EXTERNAL + 3);
        desk_free(desk);
        return 0;
}

/* Twenty pages of 150 us; power goes after a millisecond. */
FIBER_TEST(power_lost_while_writing_leaves_whole_pages)
{
        struct desk *desk = desk_running(&octal);
        struct target_call call = { .function = desk->loader.entries[LOADER_WRITE],
                                    .arguments = { EXTERNAL, 5120, desk->run.buffer, 0 },
                                    .stack = desk->run.stack,
                                    .breakpoint = desk->run.breakpoint,
                                    .timeout_ms = 1 };
        static const uint8_t zeros[5120];
        unsigned written = 0;
        uint32_t result;

        (void)unused;
        assert_well(target_write(&desk->bed->target, desk->run.buffer, zeros, sizeof(zeros), NULL));
        assert_fault(target_core_call(&desk->bed->target, &call, &result), TIMEOUT, "1 ms");
        bed_power(desk->bed, false);
        while (written < 5120 && !byte_at(desk, EXTERNAL + written))
                written++;
        assert_in_range(written, 256, 4864);
        assert_int_equal(written % 256, 0);
        assert_int_equal(byte_at(desk, EXTERNAL + written), 0xFF);
        desk_free(desk);
        return 0;
}

/* --- bad ----------------------------------------------------------------------------------- */

FIBER_TEST(a_byte_that_was_not_erased_is_found)
{
        struct desk *desk = desk_running(&octal);
        uint8_t spot = 0xFE, data[4] = { 0xFF, 0xFF, 0x01, 0x00 };

        (void)unused;
        part_fill_external(desk->bed->part, EXTERNAL + 0x12346, &spot, 1);
        assert_fault(loader_check_blank(&desk->run, EXTERNAL, 0x20000), NOT_BLANK,
                     "0xFE at 0x90012346, wanted 0xFF");
        assert_fault(loader_write(&desk->run, EXTERNAL + 0x12344, data, 4, NULL), FLASH,
                     "0x00 at 0x90012346, wanted 0x01");
        desk_free(desk);
        return 0;
}

FIBER_TEST(a_board_without_the_memory_fails_in_init)
{
        struct desk *desk = desk_make(&octal);

        (void)unused;
        part_set_external(desk->bed->part, false);
        assert_fault(desk_start(desk), FLASH, "Init(0x0, 0x0) answered 0");
        desk_free(desk);
        return 0;
}

/* Nobody pulls the status lines down, so it reads busy for ever. */
FIBER_TEST(a_chip_that_goes_away_later_ends_at_the_time_limit)
{
        struct desk *desk = desk_running(&octal);
        struct target_call call = { .function = desk->loader.entries[LOADER_WRITE],
                                    .arguments = { EXTERNAL, 16, desk->run.buffer, 0 },
                                    .stack = desk->run.stack,
                                    .breakpoint = desk->run.breakpoint,
                                    .timeout_ms = 20 };
        uint32_t result;

        (void)unused;
        part_set_external(desk->bed->part, false);
        assert_fault(target_core_call(&desk->bed->target, &call, &result), TIMEOUT,
                     "it did not return within 20 ms and was at 0x2400");
        desk_free(desk);
        return 0;
}

/* The last block is protected, the one before is not. */
FIBER_TEST(a_write_protected_block_stays_as_it_is_and_is_told)
{
        struct desk *desk = desk_running(&octal);
        uint8_t byte = 0x12;

        (void)unused;
        part_protect_external(desk->bed->part, EXTERNAL, 1);
        assert_well(loader_write(&desk->run, EXTERNAL + 0xEFFFF, &byte, 1, NULL));
        assert_fault(loader_write(&desk->run, EXTERNAL + 0xF0000, &byte, 1, NULL), FLASH,
                     "Write(0x900F0000, 0x10) answered 0");
        assert_fault(loader_erase(&desk->run, EXTERNAL + 0xF0000, 1, NULL), FLASH,
                     "SectorErase(0x900F0000, 0x900F0FFF) answered 0");
        assert_int_equal(byte_at(desk, EXTERNAL + 0xF0000), 0xFF);
        assert_int_equal(desk_call(desk, LOADER_MASS_ERASE, (uint32_t[4]){ 0 }), 0);
        assert_int_equal(byte_at(desk, EXTERNAL + 0xEFFFF), 0x12);
        desk_free(desk);
        return 0;
}

/* A U5's reaches for a controller that an H7 has not. */
FIBER_TEST(a_loader_for_another_part_faults_and_is_told_where)
{
        static const struct kind wrong = { "u5", "stm32h7a3", EXTERNAL };
        struct desk *desk = desk_make(&wrong);

        (void)unused;
        assert_fault(desk_start(desk), TARGET_ACCESS, "Init(0x0, 0x0): it stopped at 0x2000");
        desk_free(desk);
        return 0;
}

FIBER_TEST(code_that_never_returns_runs_into_its_time_limit)
{
        struct desk *desk = desk_make(&octal);
        char sentence[100];

        (void)unused;
        desk_break(desk, LOADER_INIT, SPIN);
        snprintf(sentence, sizeof(sentence),
                 "Init(0x0, 0x0): it did not return within 5000 ms and was at 0x%08X",
                 desk->loader.entries[LOADER_INIT] & ~1u);
        assert_fault(desk_start(desk), TIMEOUT, sentence);
        desk_free(desk);
        return 0;
}

FIBER_TEST(code_that_faults_is_told_with_its_address_and_the_part_goes_on)
{
        static const struct {
                uint32_t code;
                const char *why;
        } rows[] = { { UNKNOWN, "the core took a fault" },
                     { 0xBE01BE01, "a breakpoint of its own" } };
        uint8_t byte = 0, found;

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(rows); i++) {
                struct desk *desk = desk_make(&octal);
                char sentence[200];

                desk_break(desk, LOADER_WRITE, rows[i].code);
                assert_well(desk_start(desk));
                snprintf(sentence, sizeof(sentence),
                         "Write(0x90000010, 0x10): it stopped at 0x%08X and not at its return to "
                         "0x%08X: %s",
                         desk->loader.entries[LOADER_WRITE] & ~1u, desk->run.breakpoint,
                         rows[i].why);
                assert_fault(loader_write(&desk->run, EXTERNAL + 16, &byte, 1, NULL), TARGET_ACCESS,
                             sentence);
                assert_well(loader_read(&desk->run, EXTERNAL + 16, &found, 1));
                assert_int_equal(found, 0xFF);
                desk_free(desk);
        }
        return 0;
}

FIBER_TEST(a_range_outside_the_memory_is_refused)
{
        struct desk *desk = desk_running(&octal);
        uint8_t data[2] = { 0 };

        (void)unused;
        assert_fault(loader_write(&desk->run, EXTERNAL + 0xFFFFF, data, 2, NULL), BAD_VALUE,
                     "2 bytes at 0x900FFFFF");
        assert_fault(loader_erase(&desk->run, 0x8FFFFFFF, 2, NULL), BAD_VALUE, "0x8FFFFFFF");
        assert_well(loader_write(&desk->run, EXTERNAL + 0xFFFFF, data, 1, NULL));
        desk_free(desk);
        return 0;
}

/* Its StorageInfo says 2 MiB, the loader knows of one. */
FIBER_TEST(what_a_function_refuses_is_named_with_its_address)
{
        struct desk *desk = desk_make(&octal);
        uint8_t data[2] = { 0 };

        (void)unused;
        desk->loader.storage.length *= 2;
        desk->loader.storage.groups[0].count *= 2;
        assert_well(desk_start(desk));
        assert_fault(loader_write(&desk->run, EXTERNAL + 0x100000, data, 2, NULL), FLASH,
                     "Write(0x90100000, 0x10) answered 0");
        assert_fault(loader_erase(&desk->run, EXTERNAL + 0x100000, 2, NULL), FLASH,
                     "SectorErase(0x90100000, 0x90100FFF) answered 0");
        desk_free(desk);
        return 0;
}

FIBER_TEST(power_lost_between_two_functions_is_a_lost_target)
{
        struct desk *desk = desk_running(&octal);
        uint8_t data[2] = { 0 };

        (void)unused;
        bed_power(desk->bed, false);
        assert_true(target_may_come_back(loader_write(&desk->run, EXTERNAL, data, 2, NULL)));
        desk_free(desk);
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_kind_of_part_programs_its_memory_by_code_on_its_core),
                cmocka_unit_test(a_loader_without_read_is_checked_through_the_map),
                cmocka_unit_test(whole_sectors_are_erased),
                cmocka_unit_test(the_functions_that_the_station_leaves_out_work_too),
                cmocka_unit_test(what_was_written_survives_power),
                cmocka_unit_test(a_chip_left_in_its_octal_mode_is_found_again),
                cmocka_unit_test(power_lost_while_writing_leaves_whole_pages),
                cmocka_unit_test(a_byte_that_was_not_erased_is_found),
                cmocka_unit_test(a_board_without_the_memory_fails_in_init),
                cmocka_unit_test(a_chip_that_goes_away_later_ends_at_the_time_limit),
                cmocka_unit_test(a_write_protected_block_stays_as_it_is_and_is_told),
                cmocka_unit_test(a_loader_for_another_part_faults_and_is_told_where),
                cmocka_unit_test(code_that_never_returns_runs_into_its_time_limit),
                cmocka_unit_test(code_that_faults_is_told_with_its_address_and_the_part_goes_on),
                cmocka_unit_test(a_range_outside_the_memory_is_refused),
                cmocka_unit_test(what_a_function_refuses_is_named_with_its_address),
                cmocka_unit_test(power_lost_between_two_functions_is_a_lost_target),
                cmocka_unit_test(a_loader_that_somebody_else_built_does_it_too),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
