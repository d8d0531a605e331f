/*
 * Reaching, reading and preparing one STM32H75x made of memory, through a whole simulated probe.
 */
#include "tests/drivers/bed.h"
#include "tests/support/h75x.h"

#include <stdio.h>

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

/* --- identity ------------------------------------------------------------------------------ */

FIBER_TEST(a_part_tells_who_it_is)
{
        struct bed *bed = bed_attached();
        struct target_identity identity;
        char text[25];

        (void)unused;
        assert_int_equal(bed->stlink.clock_khz, 24000);
        assert_int_equal(target_identify(&bed->target, &identity), 0);
        assert_int_equal(identity.dpidr, 0x6BA02477);
        assert_int_equal(identity.device_id, 0x450);
        assert_int_equal(identity.flash_kib, 2048);
        assert_true(identity.unique_id[0] && identity.unique_id[1] && identity.unique_id[2]);
        snprintf(text, sizeof(text), "%08X%08X%08X", identity.unique_id[2], identity.unique_id[1],
                 identity.unique_id[0]);
        assert_string_equal(identity.unique_id_text, text);
        bed_free(bed);
        return 0;
}

FIBER_TEST(another_device_id_is_named_with_the_wanted_one)
{
        struct bed *bed = bed_attached();
        struct target_identity identity;

        (void)unused;
        part_set_device_id(bed->part, 0x483);
        assert_fault(target_identify(&bed->target, &identity), WRONG_PART, "0x483");
        assert_non_null(strstr(fault_sentence(-FAULT_WRONG_PART), "0x450"));
        bed_free(bed);
        return 0;
}

FIBER_TEST(another_debug_port_is_refused_at_attach)
{
        struct bed *bed = bed_make();
        struct family other = bed->family;

        (void)unused;
        other.dpidr = 0x2BA01477;
        bed->target.family = &other;
        assert_fault(target_attach(&bed->target, 8000), WRONG_PART, "0x6BA02477");
        bed_free(bed);
        return 0;
}

FIBER_TEST(without_a_board_nothing_answers)
{
        struct bed *bed = bed_make();
        unsigned mv;

        (void)unused;
        assert_int_equal(stlink_voltage_mv(&bed->stlink, &mv), 0);
        assert_in_range(mv, 3200, 3400);
        bed_power(bed, false);
        assert_int_equal(stlink_voltage_mv(&bed->stlink, &mv), 0);
        assert_in_range(mv, 0, 500);
        assert_fault(target_attach(&bed->target, 8000), NO_TARGET, NULL);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_attach(&bed->target, 8000), 0);
        assert_int_equal(bed->stlink.clock_khz, 8000);
        bed_free(bed);
        return 0;
}

FIBER_TEST(memory_is_written_and_read_at_ragged_addresses)
{
        struct bed *bed = bed_attached();
        static uint8_t data[20000], back[20000];
        uint32_t progress = 0;

        (void)unused;
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(i * i >> 3);
        assert_int_equal(target_write(&bed->target, 0x24000003, data, sizeof(data) - 2, &progress),
                         0);
        assert_int_equal(progress, sizeof(data) - 2);
        assert_int_equal(target_read(&bed->target, 0x24000003, back, sizeof(data) - 2), 0);
        assert_memory_equal(data, back, sizeof(data) - 2);
        assert_fault(target_read(&bed->target, 0x60000000, back, 16), TARGET_ACCESS,
                     "at 0x60000000");
        /* and the sticky error does not stand in the way of the next */
        assert_int_equal(target_read(&bed->target, 0x24000003, back, 1), 0);
        bed_free(bed);
        return 0;
}

/* --- option bytes -------------------------------------------------------------------------- */

FIBER_TEST(option_bytes_are_written_once_and_read_back)
{
        struct bed *bed = bed_attached();
        uint32_t values[OPTION_ROWS_MAX], again[OPTION_ROWS_MAX];
        uint64_t start;
        unsigned commands;

        (void)unused;
        assert_int_equal(target_read_options(&bed->target, values), 0);
        assert_int_equal(family_protection(&bed->family, values), 0xAA);
        assert_false(family_is_secure(&bed->family, values));
        assert_int_equal(values[7], 0x1FF00800);
        assert_int_equal(values[8], 0); /* RESERVED is not kept */

        values[0] |= H75X_SECURITY | H75X_ST_RAM_SIZE_3;
        start = clock_now_ns();
        assert_int_equal(target_write_options(&bed->target, values), 0);
        assert_true(clock_now_ns() - start >= 300 * NS_PER_MS);
        assert_int_equal(target_read_options(&bed->target, again), 0);
        assert_true(family_is_secure(&bed->family, again));
        assert_int_equal(again[0] & H75X_ST_RAM_SIZE_3, H75X_ST_RAM_SIZE_3);

        /* A second time nothing is programmed: nine rows less one are read, no more. */
        start = clock_now_ns();
        commands = bed->commands;
        values[0] |= 1u << 28; /* reserved, and reads as it likes */
        values[8] = 0x10000810;
        assert_int_equal(target_write_options(&bed->target, values), 0);
        assert_int_equal(bed->commands - commands, 8);
        assert_true(clock_now_ns() - start < 10 * NS_PER_MS);
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_refused_change_of_option_bytes_is_told_and_locked_again)
{
        struct bed *bed = bed_attached();
        uint32_t values[OPTION_ROWS_MAX], control;

        (void)unused;
        assert_int_equal(target_read_options(&bed->target, values), 0);
        values[0] |= H75X_SECURITY;
        values[3] = 0x00100000; /* a secure area: start 0, end 0x10 */
        assert_int_equal(target_write_options(&bed->target, values), 0);
        assert_fault(check_unprotected(&bed->target, values), PROTECTED, "FSCAR_PRG_A");
        values[3] = 0x000000FF; /* away with it, without a regression */
        assert_fault(target_write_options(&bed->target, values), OPTION_BYTES, "OPTCHANGEERR");
        assert_int_equal(target_read_word(&bed->target, 0x52002018, &control), 0);
        assert_int_equal(control & 1, 1);
        bed_free(bed);
        return 0;
}

FIBER_TEST(registers_that_are_unlocked_already_get_no_second_keys)
{
        struct bed *bed = bed_attached();
        uint32_t values[OPTION_ROWS_MAX];

        (void)unused;
        /* a second pair of keys would fault the bus and lock both until the next reset */
        assert_int_equal(target_write_word(&bed->target, 0x52002008, 0x08192A3B), 0);
        assert_int_equal(target_write_word(&bed->target, 0x52002008, 0x4C5D6E7F), 0);
        assert_int_equal(target_write_word(&bed->target, 0x52002004, 0x45670123), 0);
        assert_int_equal(target_write_word(&bed->target, 0x52002004, 0xCDEF89AB), 0);
        assert_int_equal(target_read_options(&bed->target, values), 0);
        values[0] |= H75X_SECURITY;
        assert_int_equal(target_write_options(&bed->target, values), 0);
        assert_int_equal(target_erase(&bed->target, 0x08000000, 4, NULL), 0);
        bed_free(bed);
        return 0;
}

FIBER_TEST(protected_areas_are_named_with_their_bounds)
{
        static const struct {
                unsigned row;
                uint32_t value;
                const char *sentence; /* NULL: not protected */
        } cases[] = {
                { 1, 0x000000FF, NULL },
                { 1, 0x81000200, NULL }, /* AN5054 figure 15 */
                { 1, 0x00020001, "PCROP area: 0x08000100 to 0x080002FF" },
                { 2, 0x00020001, "PCROP area: 0x08100100 to 0x081002FF" },
                { 1, 0x00050005, "PCROP area" },
                { 3, 0x80FF0000, "secure area: 0x08000000 to 0x0800FFFF" },
                { 4, 0x00000000, "secure area: 0x08100000" },
                { 5, 0x000000FE, "write protection: sectors of bank 1" },
                { 6, 0x0000007F, "write protection: sectors of bank 2" },
                { 6, 0xFFFFFFFF, NULL },
        };
        struct bed *bed = bed_attached();

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                uint32_t values[OPTION_ROWS_MAX];

                for (size_t row = 0; row < bed->family.option_count; row++)
                        values[row] = bed->family.options[row].factory;
                values[cases[i].row] = cases[i].value;
                if (cases[i].sentence)
                        assert_fault(check_unprotected(&bed->target, values), PROTECTED,
                                     cases[i].sentence);
                else
                        assert_int_equal(check_unprotected(&bed->target, values), 0);
        }
        bed_free(bed);
        return 0;
}

FIBER_TEST(read_out_protection_shows_in_the_option_bytes)
{
        struct bed *bed = bed_make();
        uint32_t values[OPTION_ROWS_MAX];

        (void)unused;
        part_set_protection(bed->part, 0x00);
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_attach(&bed->target, 8000), 0);
        assert_int_equal(target_read_options(&bed->target, values), 0);
        assert_int_not_equal(family_protection(&bed->family, values), 0xAA);
        bed_free(bed);
        return 0;
}

/* --- flash --------------------------------------------------------------------------------- */

FIBER_TEST(one_byte_that_is_not_erased_is_found_and_erased)
{
        struct bed *bed = bed_attached();
        uint32_t progress = 0;
        uint64_t start;

        (void)unused;
        assert_int_equal(target_check_blank(&bed->target, 0x08000000, 0x60000), 0);
        part_fill_flash(bed->part, 0x08021805, "\x7F", 1);
        part_fill_flash(bed->part, 0x081FFFFF, "\x00", 1);
        assert_fault(target_check_blank(&bed->target, 0x08000000, 0x60000), NOT_BLANK,
                     "0x08021805 holds 0x7F");
        assert_int_equal(target_check_blank(&bed->target, 0x08021806, 100), 0);

        start = clock_now_ns();
        assert_int_equal(target_erase(&bed->target, 0x08021805, 1, &progress), 0);
        assert_int_equal(progress, 0x20000);
        assert_true(clock_now_ns() - start >= NS_PER_S);
        assert_int_equal(target_check_blank(&bed->target, 0x08000000, 0x60000), 0);
        assert_int_equal(*part_flash(bed->part, 0x08021805), 0xFF);

        /* Across the banks: the last sector of the first, both of the second that are touched. */
        progress = 0;
        part_fill_flash(bed->part, 0x080FFFF0, "\x00", 1);
        assert_int_equal(target_erase(&bed->target, 0x080FFFF0, 0x100010, &progress), 0);
        assert_int_equal(progress, 9 * 0x20000);
        assert_int_equal(*part_flash(bed->part, 0x081FFFFF), 0xFF);
        assert_int_equal(*part_flash(bed->part, 0x080FFFF0), 0xFF);
        bed_free(bed);
        return 0;
}

FIBER_TEST(write_protected_sectors_are_not_erased)
{
        struct bed *bed = bed_attached();
        uint32_t values[OPTION_ROWS_MAX], control;

        (void)unused;
        part_fill_flash(bed->part, 0x08020000, "\x00", 1);
        assert_int_equal(target_read_options(&bed->target, values), 0);
        values[5] = 0xFD;
        assert_int_equal(target_write_options(&bed->target, values), 0);
        assert_fault(target_erase(&bed->target, 0x08020000, 4, NULL), PROTECTED,
                     "sector 0x08020000");
        assert_int_equal(*part_flash(bed->part, 0x08020000), 0x00);
        assert_int_equal(target_read_word(&bed->target, 0x5200200C, &control), 0);
        assert_int_equal(control & 1, 1); /* locked again */
        assert_int_equal(target_erase(&bed->target, 0x08040000, 4, NULL), 0);
        assert_fault(target_erase(&bed->target, 0x08200000, 4, NULL), BAD_VALUE, "no flash bank");
        assert_fault(target_erase(&bed->target, 0x081FFFFC, 8, NULL), BAD_VALUE, "0x08200000");
        bed_free(bed);
        return 0;
}

/* --- where the core runs, reset ------------------------------------------------------------ */

FIBER_TEST(a_high_boot_pin_shows_without_halting_the_core)
{
        struct bed *bed = bed_attached();
        uint32_t dhcsr;

        (void)unused;
        assert_int_equal(target_check_boot(&bed->target), 0);
        assert_int_equal(target_read_word(&bed->target, 0xE000EDF0, &dhcsr), 0);
        assert_int_equal(dhcsr & 0x20000, 0); /* S_HALT */
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_low_boot_pin_is_named_with_the_address_seen)
{
        struct bed *bed = bed_attached();

        (void)unused;
        part_set_boot_pin(bed->part, false);
        assert_int_equal(target_reset(&bed->target, 1000), 0);
        assert_fault(target_check_boot(&bed->target), BOOT_PIN, "the core runs at 0x08");
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_halted_core_proves_nothing)
{
        struct bed *bed = bed_attached();

        (void)unused;
        assert_int_equal(target_write_word(&bed->target, 0xE000EDF0, 0xA05F0003), 0);
        assert_fault(target_check_boot(&bed->target), BOOT_PIN, "halted");
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_reset_target_comes_back)
{
        struct bed *bed = bed_attached();
        uint32_t value;

        (void)unused;
        assert_int_equal(target_write_word(&bed->target, 0x24000000, 0x12345678), 0);
        assert_int_equal(target_reset(&bed->target, 1000), 0);
        assert_int_equal(target_read_word(&bed->target, 0x24000000, &value), 0);
        assert_int_equal(value, 0x12345678); /* SRAM keeps through a system reset */
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_target_that_is_gone_does_not_come_back)
{
        struct bed *bed = bed_attached();
        uint64_t start = clock_now_ns(), took;

        (void)unused;
        bed_power(bed, false);
        assert_fault(target_reset(&bed->target, 1000), TARGET_LOST, "within 1000 ms");
        took = clock_now_ns() - start;
        assert_in_range(took, 900 * NS_PER_MS, 1300 * NS_PER_MS);
        bed_free(bed);
        return 0;
}

static int reattach(void *subject)
{
        struct bed *bed = subject;

        return target_reattach(&bed->target, 60000);
}

FIBER_TEST(waiting_for_a_target_can_be_cancelled)
{
        struct bed *bed = bed_attached();
        struct fiber *fiber;

        (void)unused;
        bed_power(bed, false);
        fiber = fiber_spawn("reattach", reattach, bed);
        assert_int_equal(fiber_sleep_ns(2 * NS_PER_S), 0);
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), -FAULT_CANCELLED);
        bed_power(bed, true);
        assert_int_equal(target_reattach(&bed->target, 1000), 0);
        bed_free(bed);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_part_tells_who_it_is),
                cmocka_unit_test(another_device_id_is_named_with_the_wanted_one),
                cmocka_unit_test(another_debug_port_is_refused_at_attach),
                cmocka_unit_test(without_a_board_nothing_answers),
                cmocka_unit_test(memory_is_written_and_read_at_ragged_addresses),
                cmocka_unit_test(option_bytes_are_written_once_and_read_back),
                cmocka_unit_test(a_refused_change_of_option_bytes_is_told_and_locked_again),
                cmocka_unit_test(registers_that_are_unlocked_already_get_no_second_keys),
                cmocka_unit_test(protected_areas_are_named_with_their_bounds),
                cmocka_unit_test(read_out_protection_shows_in_the_option_bytes),
                cmocka_unit_test(one_byte_that_is_not_erased_is_found_and_erased),
                cmocka_unit_test(write_protected_sectors_are_not_erased),
                cmocka_unit_test(a_high_boot_pin_shows_without_halting_the_core),
                cmocka_unit_test(a_low_boot_pin_is_named_with_the_address_seen),
                cmocka_unit_test(a_halted_core_proves_nothing),
                cmocka_unit_test(a_reset_target_comes_back),
                cmocka_unit_test(a_target_that_is_gone_does_not_come_back),
                cmocka_unit_test(waiting_for_a_target_can_be_cancelled),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
