/*
 * A part whose core executes: code that our own driver puts into RAM is called, stepped, caught and reset.
 *
 * The code is Thumb, given with its listing, so that no test needs a compiler for Arm.
 */
#include "tests/drivers/bed.h"
#include "tests/rigs/parts/core.h"
#include "tests/support/part_rig.h"

#define CODE       0x24000000u /* AXI SRAM */
#define BUFFER     0x24010000u
#define STACK      0x20002000u /* DTCM */
#define DFSR       0xE000ED30u
#define HALTED     0x00020000u
#define LOCKED_UP  0x00080000u
#define BREAKPOINT (CODE + 0x08u)
#define RCC        0x58024400u
#define PC         15u

static const uint8_t code[] = {
        /* 00 sum:   adds r0, r0, r1; adds r0, r0, r2; adds r0, r0, r3; bx lr */
        0x40,
        0x18,
        0x80,
        0x18,
        0xC0,
        0x18,
        0x70,
        0x47,
        /* 08        bkpt #0; nop */
        0x00,
        0xBE,
        0x00,
        0xBF,
        /* 0C write: r0 address, r1 length, r2 bytes; returns 1, or 0 if the controller shows an error
         *           push {r4, r5, r6, lr}; ldr r3, [pc, #40] (38); movs r4, #0x32; str r4, [r3, #12]: CR,
         *           PG and PSIZE x64 */
        0x70,
        0xB5,
        0x0A,
        0x4B,
        0x32,
        0x24,
        0xDC,
        0x60,
        /* 14 next:  cmp r1, #0; ble 30; movs r5, #8 */
        0x00,
        0x29,
        0x0B,
        0xDD,
        0x08,
        0x25,
        /* 1A copy:  ldm r2!, {r6}; stm r0!, {r6}; subs r5, #1; bne 1a */
        0x40,
        0xCA,
        0x40,
        0xC0,
        0x01,
        0x3D,
        0xFB,
        0xD1,
        /* 22 wait:  ldr r6, [r3, #16]; lsls r4, r6, #29; bmi 22: SR, until QW is 0 */
        0x1E,
        0x69,
        0x74,
        0x07,
        0xFC,
        0xD4,
        /* 28        lsrs r6, r6, #17; bne 34; subs r1, #32; b 14: any error above EOP */
        0x76,
        0x0C,
        0x03,
        0xD1,
        0x20,
        0x39,
        0xF1,
        0xE7,
        /* 30        movs r0, #1; pop {r4, r5, r6, pc} */
        0x01,
        0x20,
        0x70,
        0xBD,
        /* 34        movs r0, #0; pop {r4, r5, r6, pc} */
        0x00,
        0x20,
        0x70,
        0xBD,
        /* 38        the flash registers */
        0x00,
        0x20,
        0x00,
        0x52,
        /* 3C count: odd numbers from 1 to r0. movs r1, #0; movs r2, #0 */
        0x00,
        0x21,
        0x00,
        0x22,
        /* 40 again: lsrs r3, r0, #1; ite cs; addcs r1, r1, #1; addcc r2, r2, #1; subs r0, #1; bne 40 */
        0x43,
        0x08,
        0x2C,
        0xBF,
        0x49,
        0x1C,
        0x52,
        0x1C,
        0x01,
        0x38,
        0xF9,
        0xD1,
        /* 4C        movs r0, r1; bx lr */
        0x08,
        0x00,
        0x70,
        0x47,
        /* 50 loop:  adds r0, #1; b 50 */
        0x01,
        0x30,
        0xFD,
        0xE7,
        /* 54 load:  ldr r0, [r0]; bx lr */
        0x00,
        0x68,
        0x70,
        0x47,
        /* 58 store: str r1, [r0]; bx lr */
        0x01,
        0x60,
        0x70,
        0x47,
};
enum { SUM = 0x00, WRITE = 0x0C, COUNT = 0x3C, LOOP = 0x50, LOAD = 0x54, STORE = 0x58 };

/* --- a debugger ---------------------------------------------------------------------------- */

static uint32_t word_at(struct bed *bed, uint32_t address)
{
        uint32_t value = 0;

        assert_int_equal(target_read_word(&bed->target, address, &value), 0);
        return value;
}

static void put(struct bed *bed, uint32_t address, uint32_t value)
{
        assert_int_equal(target_write_word(&bed->target, address, value), 0);
}

static void set_register(struct bed *bed, unsigned number, uint32_t value)
{
        put(bed, DCRDR, value);
        put(bed, DCRSR, 0x10000 | number);
}

static uint32_t get_register(struct bed *bed, unsigned number)
{
        put(bed, DCRSR, number);
        return word_at(bed, DCRDR);
}

static void halt(struct bed *bed)
{
        put(bed, DHCSR, 0xA05F0003);
        assert_true(word_at(bed, DHCSR) & HALTED);
}

static void resume(struct bed *bed)
{
        put(bed, DFSR, 0x1F);
        put(bed, DHCSR, 0xA05F0001);
}

/* As ST's external loaders are called: arguments in r0 to r3, the return address at a breakpoint. */
static void start(struct bed *bed, uint32_t function, const uint32_t arguments[4])
{
        halt(bed);
        for (unsigned i = 0; i < 4; i++)
                set_register(bed, i, arguments[i]);
        set_register(bed, 13, STACK);
        set_register(bed, 14, BREAKPOINT | 1u);
        set_register(bed, PC, CODE + function);
        set_register(bed, 16, 0x01000000);
        resume(bed);
}

static void wait_until_halted(struct bed *bed)
{
        for (unsigned i = 0; i < 2000 && !(word_at(bed, DHCSR) & HALTED); i++)
                assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        assert_true(word_at(bed, DHCSR) & HALTED);
}

static uint32_t call(struct bed *bed, uint32_t function, uint32_t a, uint32_t b, uint32_t c,
                     uint32_t d)
{
        start(bed, function, (const uint32_t[]){ a, b, c, d });
        wait_until_halted(bed);
        assert_int_equal(get_register(bed, PC), BREAKPOINT);
        return get_register(bed, 0);
}

static struct bed *with_code(void)
{
        struct bed *bed = bed_make_with("configs/targets/stm32h75x.conf", &unicorn_engine);

        assert_int_equal(target_attach(&bed->target, 24000), 0);
        assert_int_equal(target_write(&bed->target, CODE, code, sizeof(code), NULL), 0);
        return bed;
}

static void unlock(struct bed *bed)
{
        put(bed, KEYR, 0x45670123);
        put(bed, KEYR, 0xCDEF89AB);
}

/* --- calls --------------------------------------------------------------------------------- */

static int call_sum(void *unused)
{
        struct bed *bed = with_code();

        (void)unused;
        assert_int_equal(call(bed, SUM, 1, 20, 300, 4000), 4321);
        assert_int_equal(word_at(bed, DFSR) & 0x1F, 2); /* BKPT, and nothing else */
        assert_true(word_at(bed, DHCSR) & 2);           /* C_HALT */
        assert_int_equal(call(bed, SUM, 0xFFFFFFFF, 1, 0, 0), 0);
        bed_free(bed);
        return 0;
}

/* Longer than one look of ours takes, and full of conditional instructions. */
static int call_count(void *unused)
{
        struct bed *bed = with_code();
        uint64_t before = clock_now_ns();

        (void)unused;
        assert_int_equal(call(bed, COUNT, 400001, 0, 0, 0), 200001);
        assert_true(clock_now_ns() - before >= 400001 * 6 * 10ull); /* six halfwords a round */
        bed_free(bed);
        return 0;
}

static int call_changed(void *unused)
{
        struct bed *bed = with_code();

        (void)unused;
        assert_int_equal(call(bed, SUM, 1, 1, 1, 1), 4);
        put(bed, CODE, 0x18801A40); /* subs r0, r0, r1 instead of adds */
        assert_int_equal(call(bed, SUM, 1, 1, 1, 1), 2);
        bed_free(bed);
        return 0;
}

/* --- flash --------------------------------------------------------------------------------- */

enum { PROGRAM_LENGTH = 4096 };

static uint32_t call_write(struct bed *bed, uint32_t address)
{
        static uint8_t bytes[PROGRAM_LENGTH];

        simulated_pattern(bytes, sizeof(bytes));
        assert_int_equal(target_write(&bed->target, BUFFER, bytes, sizeof(bytes), NULL), 0);
        return call(bed, WRITE, address, sizeof(bytes), BUFFER, 0);
}

static bool is_blank(struct bed *bed, uint32_t address)
{
        for (unsigned i = 0; i < PROGRAM_LENGTH; i++)
                if (part_flash(bed->part, address)[i] != 0xFF)
                        return false;
        return true;
}

static int write_flash(void *unused)
{
        uint8_t wanted[PROGRAM_LENGTH];
        struct bed *bed = with_code();
        uint64_t before;

        (void)unused;
        simulated_pattern(wanted, sizeof(wanted));
        unlock(bed);
        before = clock_now_ns();
        assert_int_equal(call_write(bed, FLASH + 0x20000), 1);
        assert_memory_equal(part_flash(bed->part, FLASH + 0x20000), wanted, sizeof(wanted));
        /* each of 128 words took the 100 us of the controller */
        assert_true(clock_now_ns() - before >= 128 * 100 * NS_PER_US);
        assert_int_equal(call_write(bed, FLASH + 0x20000), 0);
        assert_true(word_at(bed, SR) & 1u << 18); /* PGSERR: written twice */
        bed_free(bed);
        return 0;
}

static int write_locked_flash(void *unused)
{
        struct bed *bed = with_code();

        (void)unused;
        assert_int_equal(call_write(bed, FLASH), 0);
        assert_true(word_at(bed, SR) & 1u << 18); /* PGSERR: CR is locked, so PG was not set */
        assert_true(is_blank(bed, FLASH));
        bed_free(bed);
        return 0;
}

static int write_protected_flash(void *unused)
{
        struct bed *bed = with_code();
        uint32_t options[OPTION_ROWS_MAX];

        (void)unused;
        assert_int_equal(target_read_options(&bed->target, options), 0);
        options[5] &= ~2u; /* WPSN1: sector 1 */
        assert_int_equal(target_write_options(&bed->target, options), 0);
        unlock(bed);
        assert_int_equal(call_write(bed, FLASH + 0x20000), 0);
        assert_true(word_at(bed, SR) & 1u << 17); /* WRPERR */
        assert_true(is_blank(bed, FLASH + 0x20000));
        put(bed, CCR, 0x0FEF0000); /* PGSERR stands too: it wrote on after the error */
        assert_int_equal(call_write(bed, FLASH + 0x40000), 1);
        bed_free(bed);
        return 0;
}

/* --- halting ------------------------------------------------------------------------------- */

static int step_through(void *unused)
{
        struct bed *bed = with_code();

        (void)unused;
        start(bed, LOOP, (const uint32_t[4]){ 0 });
        halt(bed);
        set_register(bed, 0, 7);
        set_register(bed, PC, CODE + LOOP);
        put(bed, DHCSR, 0xA05F0005);
        assert_true(word_at(bed, DHCSR) & HALTED);
        assert_int_equal(get_register(bed, 0), 8);
        assert_int_equal(get_register(bed, PC), CODE + LOOP + 2);
        put(bed, DHCSR, 0xA05F0005);
        assert_int_equal(get_register(bed, 0), 8);
        assert_int_equal(get_register(bed, PC), CODE + LOOP);
        bed_free(bed);
        return 0;
}

/* A halfword a cycle of 16 ns: some 310000 rounds in 10 ms. */
static int run_on(void *unused)
{
        struct bed *bed = with_code();
        uint32_t rounds;

        (void)unused;
        start(bed, LOOP, (const uint32_t[4]){ 0 });
        assert_int_equal(fiber_sleep_ns(10 * NS_PER_MS), 0);
        assert_false(word_at(bed, DHCSR) & HALTED);
        halt(bed);
        rounds = get_register(bed, 0);
        assert_in_range(rounds, 300000, 400000);
        assert_in_range(get_register(bed, PC), CODE + LOOP, CODE + LOOP + 2);
        assert_int_equal(fiber_sleep_ns(10 * NS_PER_MS), 0);
        assert_int_equal(get_register(bed, 0), rounds);
        resume(bed);
        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        halt(bed);
        assert_true(get_register(bed, 0) > rounds);
        bed_free(bed);
        return 0;
}

static int fault_and_lock_up(void *unused)
{
        struct bed *bed = with_code();

        (void)unused;
        start(bed, LOAD, (const uint32_t[]){ 0x60000000, 0, 0, 0 });
        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        assert_true(word_at(bed, DHCSR) & LOCKED_UP);
        assert_int_equal(call(bed, SUM, 1, 2, 3, 4), 10); /* a debugger gets it out of there */
        put(bed, DEMCR, 0x01000400);                      /* VC_HARDERR */
        start(bed, STORE, (const uint32_t[]){ 0x5FFFFF00, 0, 0, 0 });
        wait_until_halted(bed);
        assert_true(word_at(bed, DFSR) & 8); /* VCATCH */
        assert_int_equal(get_register(bed, PC) & ~3u, CODE + STORE);
        bed_free(bed);
        return 0;
}

static int read_registers(void *unused)
{
        struct bed *bed = with_code();

        (void)unused;
        assert_int_equal(call(bed, LOAD, 0x5C001000, 0, 0, 0) & 0xFFF, 0x450); /* DBGMCU */
        assert_int_equal(call(bed, LOAD, 0x1FF1E880, 0, 0, 0) & 0xFFFF, 2048); /* flash size */
        (void)call(bed, STORE, RCC + 0xD8, 0x00000003, 0, 0);
        assert_int_equal(word_at(bed, RCC + 0xD8), 3);
        bed_free(bed);
        return 0;
}

/* --- reset --------------------------------------------------------------------------------- */

static int reset_itself(void *unused)
{
        struct bed *bed = with_code();

        (void)unused;
        put(bed, RCC + 0xD8, 3);
        start(bed, STORE, (const uint32_t[]){ AIRCR, 0x05FA0004, 0, 0 });
        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        assert_int_equal(target_reattach(&bed->target, 1000), 0);
        assert_true(word_at(bed, DHCSR) & 1u << 25); /* S_RESET_ST */
        assert_int_equal(word_at(bed, RCC + 0xD8), 0);
        assert_int_equal(target_check_boot(&bed->target), 0); /* in the boot loader again */
        bed_free(bed);
        return 0;
}

/* From its vectors a program in flash starts; where there is none the core locks up. */
static int run_from_flash(void *unused)
{
        struct bed *bed = with_code();
        uint8_t program[12] = { 0x00, 0x20, 0x00, 0x20, 0x09, 0x00, 0x00, 0x08 };

        (void)unused;
        part_set_boot_pin(bed->part, false);
        assert_int_equal(target_reset(&bed->target, 1000), 0);
        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        assert_true(word_at(bed, DHCSR) & LOCKED_UP);
        memcpy(program + 8, code + LOOP, 4);
        part_fill_flash(bed->part, FLASH, program, sizeof(program));
        assert_int_equal(target_reset(&bed->target, 1000), 0);
        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        halt(bed);
        assert_in_range(get_register(bed, PC), FLASH + 8, FLASH + 10);
        assert_true(get_register(bed, 0) > 1000);
        assert_int_equal(get_register(bed, 13), 0x20002000);
        assert_int_equal(get_register(bed, 17), 0x20002000); /* MSP is SP */
        bed_free(bed);
        return 0;
}

/* Level 1: no flash for whoever runs under a debugger. */
static int read_shut_flash(void *unused)
{
        struct bed *bed = bed_make_with("configs/targets/stm32h75x.conf", &unicorn_engine);

        (void)unused;
        part_set_protection(bed->part, 0x55);
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_attach(&bed->target, 24000), 0);
        assert_int_equal(target_write(&bed->target, CODE, code, sizeof(code), NULL), 0);
        start(bed, LOAD, (const uint32_t[]){ FLASH, 0, 0, 0 });
        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        assert_true(word_at(bed, DHCSR) & LOCKED_UP);
        bed_free(bed);
        return 0;
}

#define CORE_TEST(name, procedure)                                                                 \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, NULL), 0);         \
        }

CORE_TEST(a_function_in_ram_is_called_and_returns_to_a_breakpoint, call_sum)
CORE_TEST(a_long_function_takes_its_time_and_keeps_its_flags, call_count)
CORE_TEST(code_that_a_debugger_changed_is_executed_as_it_is_now, call_changed)
CORE_TEST(a_loader_in_ram_writes_flash_word_by_word, write_flash)
CORE_TEST(a_loader_meets_a_locked_controller, write_locked_flash)
CORE_TEST(a_loader_meets_a_protected_sector, write_protected_flash)
CORE_TEST(a_step_is_one_instruction, step_through)
CORE_TEST(a_core_runs_until_it_is_halted, run_on)
CORE_TEST(a_bus_fault_locks_up_or_is_caught, fault_and_lock_up)
CORE_TEST(code_sees_the_registers_a_debugger_sees, read_registers)
CORE_TEST(a_core_may_reset_its_part, reset_itself)
CORE_TEST(a_program_in_flash_starts_at_reset, run_from_flash)
CORE_TEST(at_level_1_code_in_ram_cannot_read_flash, read_shut_flash)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_function_in_ram_is_called_and_returns_to_a_breakpoint),
                cmocka_unit_test(a_long_function_takes_its_time_and_keeps_its_flags),
                cmocka_unit_test(code_that_a_debugger_changed_is_executed_as_it_is_now),
                cmocka_unit_test(a_loader_in_ram_writes_flash_word_by_word),
                cmocka_unit_test(a_loader_meets_a_locked_controller),
                cmocka_unit_test(a_loader_meets_a_protected_sector),
                cmocka_unit_test(a_step_is_one_instruction),
                cmocka_unit_test(a_core_runs_until_it_is_halted),
                cmocka_unit_test(a_bus_fault_locks_up_or_is_caught),
                cmocka_unit_test(code_sees_the_registers_a_debugger_sees),
                cmocka_unit_test(a_core_may_reset_its_part),
                cmocka_unit_test(a_program_in_flash_starts_at_reset),
                cmocka_unit_test(at_level_1_code_in_ram_cannot_read_flash),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
