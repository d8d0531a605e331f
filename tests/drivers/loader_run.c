/*
 * An external loader at work through a whole simulated probe: on the reference loader, which the simulated
 * core can run, and on code it cannot.
 */
#include "tests/drivers/bed.h"
#include "tests/support/loader_file.h"

#include "crypto/otfdec.h"
#include "drivers/loader.h"
#include "drivers/target_core.h"

#define EXTERNAL 0x90000000u
#define OTFDEC   0x5200B800u

struct desk {
        struct bed *bed;
        struct loader loader;
        struct loader_run run;
};

static void desk_load(struct desk *desk, struct loader_file settings)
{
        struct bytes file = loader_file_make(&settings);

        assert_int_equal(loader_parse("reference.stldr", &file, &desk->loader), 0);
}

static struct desk *desk_make(const char *family, struct loader_file settings)
{
        struct desk *desk = calloc(1, sizeof(*desk));

        assert_non_null(desk);
        desk->bed = bed_make_family(family);
        assert_int_equal(target_attach(&desk->bed->target, 24000), 0);
        desk_load(desk, settings);
        return desk;
}

static int desk_start(struct desk *desk)
{
        return loader_start(&desk->bed->target, &desk->loader, &desk->run);
}

static struct desk *desk_running(struct loader_file settings)
{
        struct desk *desk = desk_make("configs/targets/stm32h7a3.conf", settings);

        assert_int_equal(desk_start(desk), 0);
        return desk;
}

static void desk_free(struct desk *desk)
{
        loader_free(&desk->loader);
        bed_free(desk->bed);
        free(desk);
}

static int run(int (*procedure)(void *))
{
        return test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, NULL);
}

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(run(name##_on_fiber), 0);                                         \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

static void fill(uint8_t *data, size_t length)
{
        for (size_t i = 0; i < length; i++)
                data[i] = (uint8_t)(i * 31 + i / 256);
}

/* --- good ---------------------------------------------------------------------------------- */

FIBER_TEST(data_goes_out_and_comes_back)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
        static uint8_t data[100000], found[sizeof(data)];
        uint32_t progress = 0;

        (void)unused;
        fill(data, sizeof(data));
        assert_int_equal(loader_check_blank(&desk->run, EXTERNAL + 100, sizeof(data)), 0);
        assert_int_equal(loader_write(&desk->run, EXTERNAL + 100, data, sizeof(data), &progress),
                         0);
        assert_int_equal(progress, sizeof(data));
        for (size_t i = 0; i < sizeof(data); i += 997)
                assert_int_equal(part_external_byte(desk->bed->part, EXTERNAL + 100 + (uint32_t)i),
                                 data[i]);
        assert_int_equal(part_external_byte(desk->bed->part, EXTERNAL + 99), 0xFF);
        assert_int_equal(part_external_byte(desk->bed->part, EXTERNAL + 100 + sizeof(data)), 0xFF);
        assert_int_equal(target_read(&desk->bed->target, EXTERNAL + 100, found, sizeof(found)), 0);
        assert_memory_equal(found, data, sizeof(data));
        assert_int_equal(loader_finish(&desk->run), 0);
        desk_free(desk);
        return 0;
}

FIBER_TEST(a_loader_without_read_is_checked_through_the_map)
{
        struct desk *desk = desk_running((struct loader_file){
                .functions = 1u << LOADER_INIT | 1u << LOADER_WRITE | 1u << LOADER_SECTOR_ERASE });
        uint8_t data[300];

        (void)unused;
        fill(data, sizeof(data));
        assert_int_equal(desk->loader.entries[LOADER_READ], 0);
        assert_int_equal(loader_write(&desk->run, EXTERNAL, data, sizeof(data), NULL), 0);
        assert_fault(loader_check_blank(&desk->run, EXTERNAL, 512), NOT_BLANK, "0x90000000");
        desk_free(desk);
        return 0;
}

FIBER_TEST(whole_sectors_are_erased)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
        uint8_t data[3 * 4096] = { 0 };
        uint32_t progress = 0;

        (void)unused;
        part_fill_external(desk->bed->part, EXTERNAL, data, sizeof(data));
        assert_int_equal(loader_erase(&desk->run, EXTERNAL + 4095, 2, &progress), 0);
        assert_int_equal(progress, 2);
        assert_int_equal(part_external_byte(desk->bed->part, EXTERNAL), 0xFF);
        assert_int_equal(part_external_byte(desk->bed->part, EXTERNAL + 8191), 0xFF);
        assert_int_equal(part_external_byte(desk->bed->part, EXTERNAL + 8192), 0);
        desk_free(desk);
        return 0;
}

FIBER_TEST(what_was_written_survives_power)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
        uint8_t byte = 0x5A, found;

        (void)unused;
        assert_int_equal(loader_write(&desk->run, EXTERNAL + 5, &byte, 1, NULL), 0);
        bed_power(desk->bed, false);
        bed_power(desk->bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_reattach(&desk->bed->target, 1000), 0);
        assert_fault(target_read(&desk->bed->target, EXTERNAL + 5, &found, 1), TARGET_ACCESS, NULL);
        assert_int_equal(desk_start(desk), 0); /* the controller has to be set up again */
        assert_int_equal(loader_read(&desk->run, EXTERNAL + 5, &found, 1), 0);
        assert_int_equal(found, 0x5A);
        desk_free(desk);
        return 0;
}

/* A page of 150 us is programmed or not: power went after the third of ten. */
FIBER_TEST(power_lost_while_writing_leaves_whole_pages)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
        struct target_call call = { .function = desk->loader.entries[LOADER_WRITE],
                                    .arguments = { EXTERNAL, 2560, 0x24010000, 0 },
                                    .stack = desk->run.stack,
                                    .breakpoint = desk->run.breakpoint,
                                    .timeout_ms = 0 };
        static const uint8_t zeros[2560];
        unsigned written = 0;
        uint32_t result;

        (void)unused;
        assert_int_equal(target_write(&desk->bed->target, 0x24010000, zeros, sizeof(zeros), NULL),
                         0);
        assert_fault(target_core_call(&desk->bed->target, &call, &result), TIMEOUT, "0 ms");
        bed_power(desk->bed, false);
        while (written < 2560 && !part_external_byte(desk->bed->part, EXTERNAL + written))
                written++;
        assert_in_range(written, 256, 2304);
        assert_int_equal(written % 256, 0);
        desk_free(desk);
        return 0;
}

FIBER_TEST(u5_and_l5_program_their_memories_too)
{
        static const struct {
                const char *family;
                uint32_t ram, address;
        } rows[] = { { "configs/targets/stm32u575.conf", 0x20000000, 0x70000000 },
                     { "configs/targets/stm32u575.conf", 0x20000000, 0x90000000 },
                     { "configs/targets/stm32l5.conf", 0x20000000, 0x90000000 },
                     { "configs/targets/stm32h73x.conf", 0x24000000, 0x90000000 },
                     { "configs/targets/stm32h56x.conf", 0x20000000, 0x90000000 } };
        uint8_t data[1000];

        (void)unused;
        fill(data, sizeof(data));
        for (size_t i = 0; i < LENGTH_OF(rows); i++) {
                struct desk *desk = desk_make(
                        rows[i].family,
                        (struct loader_file){ .ram = rows[i].ram, .address = rows[i].address });

                assert_int_equal(desk_start(desk), 0);
                assert_int_equal(
                        loader_write(&desk->run, rows[i].address, data, sizeof(data), NULL), 0);
                desk_free(desk);
        }
        return 0;
}

/* --- bad ----------------------------------------------------------------------------------- */

FIBER_TEST(a_byte_that_was_not_erased_is_found)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
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
        struct desk *desk = desk_make("configs/targets/stm32h7a3.conf", (struct loader_file){ 0 });

        (void)unused;
        part_set_external(desk->bed->part, false);
        assert_fault(desk_start(desk), FLASH, "Init(0x0, 0x0) answered 0");
        desk_free(desk);
        return 0;
}

FIBER_TEST(a_loader_for_another_part_is_refused)
{
        struct desk *desk = desk_make("configs/targets/stm32h7a3.conf",
                                      (struct loader_file){ .ram = 0x60000000 });

        (void)unused;
        assert_fault(desk_start(desk), NO_ROOM, "0x60000000 is not in the RAM of a STM32H7A3");
        desk_free(desk);
        return 0;
}

FIBER_TEST(a_loader_that_fills_its_ram_is_refused)
{
        struct desk *desk = desk_make("configs/targets/stm32h7a3.conf",
                                      (struct loader_file){ .ram = 0x20000000, .zeros = 0x1F000 });

        (void)unused;
        assert_fault(desk_start(desk), NO_ROOM, "leaves 3584 bytes of RAM");
        desk_free(desk);
        return 0;
}

FIBER_TEST(code_that_never_returns_runs_into_its_time_limit)
{
        struct desk *desk = desk_make("configs/targets/stm32h7a3.conf",
                                      (struct loader_file){ .code = 0xE7FE }); /* b . */

        (void)unused;
        assert_fault(desk_start(desk), TIMEOUT, "Init(0x0, 0x0): it did not return within 5000 ms");
        desk_free(desk);
        return 0;
}

FIBER_TEST(a_range_outside_the_memory_is_refused)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
        uint8_t data[2] = { 0 };

        (void)unused;
        assert_fault(loader_write(&desk->run, EXTERNAL + 0xFFFFF, data, 2, NULL), BAD_VALUE,
                     "2 bytes at 0x900FFFFF");
        assert_fault(loader_erase(&desk->run, 0x8FFFFFFF, 2, NULL), BAD_VALUE, "0x8FFFFFFF");
        desk_free(desk);
        return 0;
}

/* Its StorageInfo says 2 MiB, the simulated chip has one. */
FIBER_TEST(what_a_function_refuses_is_named_with_its_address)
{
        struct desk *desk = desk_running((struct loader_file){ .length = 2u << 20 });
        uint8_t data[2] = { 0 };

        (void)unused;
        assert_fault(loader_write(&desk->run, EXTERNAL + 0x100000, data, 2, NULL), FLASH,
                     "Write(0x90100000, 0x10) answered 0");
        assert_fault(loader_erase(&desk->run, EXTERNAL + 0x100000, 2, NULL), FLASH,
                     "SectorErase(0x90100000, 0x90100FFF) answered 0");
        desk_free(desk);
        return 0;
}

FIBER_TEST(power_lost_between_two_functions_is_a_lost_target)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
        uint8_t data[2] = { 0 };

        (void)unused;
        bed_power(desk->bed, false);
        assert_true(target_may_come_back(loader_write(&desk->run, EXTERNAL, data, 2, NULL)));
        desk_free(desk);
        return 0;
}

/* --- through the OTFDEC -------------------------------------------------------------------- */

static const struct otfdec_region cipher = {
        .key = { 0x11223344, 0x55667788, 0x99AABBCC, 0xDDEEFF00 },
        .nonce = { 0xA5A5A5A5, 0xC3C3C3C3 },
        .version = 0x1234,
        .index = 1,
};

static void put(struct desk *desk, uint32_t offset, uint32_t value)
{
        assert_int_equal(target_write_word(&desk->bed->target, OTFDEC + offset, value), 0);
}

static uint32_t get(struct desk *desk, uint32_t offset)
{
        uint32_t value;

        assert_int_equal(target_read_word(&desk->bed->target, OTFDEC + offset, &value), 0);
        return value;
}

/* Region 1 of instance 1, its second 4 KiB page. */
static void set_region(struct desk *desk, uint32_t mode, uint32_t flags)
{
        put(desk, 0x50, mode << 4);
        for (unsigned i = 0; i < 4; i++)
                put(desk, 0x64 + 4 * i, cipher.key[i]);
        put(desk, 0x54, EXTERNAL + 0x1000);
        put(desk, 0x58, EXTERNAL + 0x1FFF);
        put(desk, 0x5C, cipher.nonce[0]);
        put(desk, 0x60, cipher.nonce[1]);
        put(desk, 0x50, (uint32_t)cipher.version << 16 | mode << 4 | flags);
}

static struct desk *desk_with_cipher(uint8_t *plain, size_t length)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
        uint8_t *sealed = malloc(length);

        fill(plain, length);
        otfdec_crypt(&cipher, EXTERNAL, plain, sealed, length);
        assert_int_equal(loader_write(&desk->run, EXTERNAL, sealed, (uint32_t)length, NULL), 0);
        free(sealed);
        return desk;
}

FIBER_TEST(a_region_deciphers_what_lies_in_it_and_nothing_else)
{
        static uint8_t plain[0x3000], seen[sizeof(plain)], wanted[sizeof(plain)];
        struct desk *desk = desk_with_cipher(plain, sizeof(plain));

        (void)unused;
        otfdec_crypt(&cipher, EXTERNAL, plain, wanted, sizeof(plain));
        memcpy(wanted + 0x1000, plain + 0x1000, 0x1000);
        set_region(desk, OTFDEC_DATA, 1);
        assert_int_equal(get(desk, 0x50) >> 8 & 0xFF, otfdec_key_crc(cipher.key));
        assert_int_equal(target_read(&desk->bed->target, EXTERNAL, seen, sizeof(seen)), 0);
        assert_memory_equal(seen, wanted, sizeof(wanted));
        assert_int_equal(target_read(&desk->bed->target, EXTERNAL + 0x1FFD, seen, 7), 0);
        assert_memory_equal(seen, wanted + 0x1FFD, 7);
        desk_free(desk);
        return 0;
}

FIBER_TEST(instructions_are_not_for_the_debugger_and_mode_11_is_not_public)
{
        static uint8_t plain[0x2000], zeros[16];
        struct desk *desk = desk_with_cipher(plain, sizeof(plain));
        uint8_t seen[16];

        (void)unused;
        set_region(desk, OTFDEC_INSTRUCTIONS, 1);
        assert_int_equal(target_read(&desk->bed->target, EXTERNAL + 0x1000, seen, 16), 0);
        assert_memory_equal(seen, zeros, 16);
        assert_int_equal(get(desk, 0x300), 2); /* XONEIF */
        put(desk, 0x304, 2);
        assert_int_equal(get(desk, 0x300), 0);
        set_region(desk, OTFDEC_ENHANCED, 1);
        assert_fault(target_read(&desk->bed->target, EXTERNAL + 0x1000, seen, 16), TARGET_ACCESS,
                     NULL);
        desk_free(desk);
        return 0;
}

FIBER_TEST(a_changed_mode_drops_the_key)
{
        static uint8_t plain[0x2000], zeros[16];
        struct desk *desk = desk_with_cipher(plain, sizeof(plain));
        uint8_t seen[16];

        (void)unused;
        set_region(desk, OTFDEC_DATA, 1);
        put(desk, 0x50, OTFDEC_BOTH << 4 | 1);
        assert_int_equal(get(desk, 0x50) >> 8 & 0xFF, 0);
        assert_int_equal(target_read(&desk->bed->target, EXTERNAL + 0x1000, seen, 16), 0);
        assert_memory_equal(seen, zeros, 16);
        assert_int_equal(get(desk, 0x300), 4); /* KEIF */
        for (unsigned i = 0; i < 4; i++)
                put(desk, 0x64 + 4 * (i ^ 1), cipher.key[i ^ 1]); /* out of order */
        assert_int_equal(get(desk, 0x50) >> 8 & 0xFF, 0);
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(get(desk, 0x64 + 4 * i), 0);
        desk_free(desk);
        return 0;
}

FIBER_TEST(locks_hold_until_a_reset)
{
        struct desk *desk = desk_running((struct loader_file){ 0 });
        uint32_t locked;

        (void)unused;
        set_region(desk, OTFDEC_DATA, 1 | 2);
        locked = get(desk, 0x50);
        assert_int_equal(locked & 7, 7); /* CONFIGLOCK brings KEYLOCK */
        put(desk, 0x50, 0);
        put(desk, 0x54, 0);
        put(desk, 0x5C, 0);
        put(desk, 0x64, 0);
        assert_int_equal(get(desk, 0x50), locked);
        assert_int_equal(get(desk, 0x54), EXTERNAL + 0x1000);
        assert_int_equal(get(desk, 0x5C), cipher.nonce[0]);
        assert_int_equal(target_reset(&desk->bed->target, 1000), 0);
        assert_int_equal(get(desk, 0x50), 0);
        set_region(desk, OTFDEC_DATA, 4); /* KEYLOCK alone */
        put(desk, 0x50, OTFDEC_BOTH << 4 | 1);
        assert_int_equal(get(desk, 0x50) >> 4 & 3, OTFDEC_DATA);
        assert_int_equal(get(desk, 0x50) >> 8 & 0xFF, otfdec_key_crc(cipher.key));
        desk_free(desk);
        return 0;
}

/* Instance 2 serves the second memory, and its counters begin with region 0 again. */
FIBER_TEST(the_second_instance_serves_the_second_memory)
{
        struct desk *desk = desk_running((struct loader_file){ .address = 0x70000000 });
        uint8_t plain[64], sealed[64], seen[64];

        (void)unused;
        fill(plain, sizeof(plain));
        otfdec_crypt(&cipher, 0x70001000, plain, sealed, sizeof(plain));
        assert_int_equal(loader_write(&desk->run, 0x70001000, sealed, sizeof(sealed), NULL), 0);
        put(desk, 0x450, OTFDEC_DATA << 4);
        for (unsigned i = 0; i < 4; i++)
                put(desk, 0x464 + 4 * i, cipher.key[i]);
        put(desk, 0x454, 0x70001000);
        put(desk, 0x458, 0x70001FFF);
        put(desk, 0x45C, cipher.nonce[0]);
        put(desk, 0x460, cipher.nonce[1]);
        put(desk, 0x450, (uint32_t)cipher.version << 16 | OTFDEC_DATA << 4 | 1);
        assert_int_equal(target_read(&desk->bed->target, 0x70001000, seen, sizeof(seen)), 0);
        assert_memory_equal(seen, plain, sizeof(plain));
        desk_free(desk);
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(data_goes_out_and_comes_back),
                cmocka_unit_test(a_loader_without_read_is_checked_through_the_map),
                cmocka_unit_test(whole_sectors_are_erased),
                cmocka_unit_test(what_was_written_survives_power),
                cmocka_unit_test(power_lost_while_writing_leaves_whole_pages),
                cmocka_unit_test(u5_and_l5_program_their_memories_too),
                cmocka_unit_test(a_byte_that_was_not_erased_is_found),
                cmocka_unit_test(a_board_without_the_memory_fails_in_init),
                cmocka_unit_test(a_loader_for_another_part_is_refused),
                cmocka_unit_test(a_loader_that_fills_its_ram_is_refused),
                cmocka_unit_test(code_that_never_returns_runs_into_its_time_limit),
                cmocka_unit_test(a_range_outside_the_memory_is_refused),
                cmocka_unit_test(what_a_function_refuses_is_named_with_its_address),
                cmocka_unit_test(power_lost_between_two_functions_is_a_lost_target),
                cmocka_unit_test(a_region_deciphers_what_lies_in_it_and_nothing_else),
                cmocka_unit_test(instructions_are_not_for_the_debugger_and_mode_11_is_not_public),
                cmocka_unit_test(a_changed_mode_drops_the_key),
                cmocka_unit_test(locks_hold_until_a_reset),
                cmocka_unit_test(the_second_instance_serves_the_second_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
