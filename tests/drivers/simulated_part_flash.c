/*
 * Flash and option bytes of the simulated part: what they do, and everything they refuse.
 */
#include "tests/support/h75x.h"
#include "tests/support/part_rig.h"

/* --- flash --------------------------------------------------------------------------------- */

static void write_word(struct rig *rig, uint32_t address, uint32_t first)
{
        for (uint32_t i = 0; i < 8; i++)
                wr(rig, address + 4 * i, first + i);
}

static void a_fresh_part_is_erased(void **state)
{
        struct rig *rig = *state;

        for (uint32_t i = 0; i < 0x200000; i++)
                if (part_flash(rig->part, FLASH)[i] != 0xFF)
                        fail_msg("offset 0x%X is 0x%02X", i, part_flash(rig->part, FLASH)[i]);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void a_wrong_key_faults_and_locks_until_reset(void **state)
{
        struct rig *rig = *state;

        wr(rig, KEYR, 0x45670123);
        assert_write_faults(rig, KEYR, 0x45670123);
        assert_write_faults(rig, KEYR, 0xCDEF89AB);
        assert_true(rd(rig, CR) & 1);
        part_reset(rig->part, rig->now);
        rig->now += 10 * MS;
        rig_unlock(rig);
        assert_write_faults(rig, KEYR, 0x45670123); /* unlocked already */
}

static void a_locked_control_register_ignores_writes(void **state)
{
        struct rig *rig = *state;

        wr(rig, CR, 0x2);
        assert_false(rd(rig, CR) & 2);
        rig_unlock(rig);
        wr(rig, CR, 0x2);
        assert_true(rd(rig, CR) & 2);
        wr(rig, CR, 0x1);
        assert_true(rd(rig, CR) & 1);
}

static void a_word_takes_its_time_and_stands_after_it(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0x100);
        assert_int_equal(rd(rig, SR) & 5, 5); /* QW, BSY */
        rig->now += 99 * NS_PER_US;
        assert_int_equal(rig_try_read(rig, FLASH, &value), PART_WAIT);
        assert_int_equal(rig_try_write(rig, CR, 0), PART_WAIT);
        assert_int_equal(rd(rig, BANK_2), UINT32_MAX); /* the other bank reads on */
        assert_int_equal(part_flash(rig->part, FLASH)[0], 0xFF);
        rig->now += 1 * NS_PER_US;
        assert_int_equal(rd(rig, SR) & 5, 0);
        assert_int_equal(rd(rig, FLASH + 28), 0x107);
}

static void a_second_word_is_taken_while_one_is_programmed_and_a_third_waits(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0x100);
        write_word(rig, FLASH + 32, 0x200);
        assert_int_equal(rig_try_write(rig, FLASH + 64, 0), PART_WAIT);
        rig->now += 100 * NS_PER_US;
        assert_int_equal(rd(rig, SR) & 5, 5);
        write_word(rig, FLASH + 64, 0x300);
        assert_int_equal(part_flash(rig->part, FLASH)[28], 0x07);
        assert_int_equal(part_flash(rig->part, FLASH + 32)[0], 0xFF);
        rig->now += 200 * NS_PER_US;
        assert_int_equal(rd(rig, SR) & 5, 0);
        assert_int_equal(rd(rig, FLASH + 32 + 28), 0x207);
        assert_int_equal(rd(rig, FLASH + 64 + 28), 0x307);
}

static void a_word_that_waits_is_lost_with_power_and_may_not_be_the_one_at_work(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0x100);
        write_word(rig, FLASH, 0x200);
        assert_true(rd(rig, SR) & 1u << 18); /* PGSERR */
        wr(rig, CCR, 1u << 18);
        write_word(rig, FLASH + 32, 0x300);
        rig->now += 199 * NS_PER_US;
        rig_power_cycle(rig);
        assert_int_equal(rd(rig, FLASH + 28), 0x107);
        assert_int_equal(rd(rig, FLASH + 32), UINT32_MAX);
}

static void narrow_parallelism_is_slower(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2); /* x8: 290 us */
        write_word(rig, FLASH, 1);
        rig->now += 289 * NS_PER_US;
        assert_true(rd(rig, SR) & 4);
        rig->now += 1 * NS_PER_US;
        assert_false(rd(rig, SR) & 4);
}

static void a_power_cut_before_the_time_leaves_the_word_erased(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0);
        rig->now += 99 * NS_PER_US;
        rig_power_cycle(rig);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void a_part_of_a_word_waits_for_force_write(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        wr(rig, FLASH, 0xABCD);
        rig->now += 10 * MS;
        assert_int_equal(rd(rig, SR) & 7, 2); /* WBNE */
        wr(rig, CR, 0x2 | PSIZE_64 | 0x40);
        rig->now += 1 * MS;
        assert_int_equal(rd(rig, FLASH), 0xABCD);
        assert_int_equal(rd(rig, FLASH + 4), UINT32_MAX);
}

static void writing_without_pg_is_a_sequence_error(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, FLASH, 0);
        assert_int_equal(rd(rig, SR), 1u << 18);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0); /* the error was not cleared: refused as well */
        rig->now += 1 * MS;
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        wr(rig, CCR, 1u << 18);
        write_word(rig, FLASH, 0);
        rig->now += 1 * MS;
        assert_int_equal(rd(rig, FLASH + 4), 1);
}

static void a_word_can_be_written_once(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0x10);
        rig->now += 1 * MS;
        write_word(rig, FLASH, 0x20);
        rig->now += 1 * MS;
        assert_true(rd(rig, SR) & 1u << 18);
        assert_int_equal(rd(rig, FLASH), 0x10);
        wr(rig, CCR, 1u << 18);
        for (uint32_t i = 0; i < 8; i++)
                wr(rig, FLASH + 4 * i, 0);
        rig->now += 1 * MS;
        assert_int_equal(rd(rig, FLASH), 0); /* all zeros pass */
}

/* A word of all ones reads as erased and is written all the same. */
static void ones_count_as_written_too(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        for (uint32_t i = 0; i < 8; i++)
                wr(rig, FLASH + 4 * i, UINT32_MAX);
        rig->now += 1 * MS;
        write_word(rig, FLASH, 0x20);
        assert_true(rd(rig, SR) & 1u << 18);
}

static void a_byte_twice_is_a_strobe_error_and_another_word_an_inconsistency(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        wr(rig, FLASH, 1);
        wr(rig, FLASH, 1);
        assert_true(rd(rig, SR) & 1u << 19);
        wr(rig, CCR, 1u << 19);
        wr(rig, FLASH + 32, 1);
        assert_true(rd(rig, SR) & 1u << 21);
}

static void a_weak_word_does_not_take(void **state)
{
        struct rig *rig = *state;

        part_set_weak_word(rig->part, FLASH + 0x25);
        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0);
        rig->now += 1 * MS;
        write_word(rig, FLASH + 0x20, 0);
        rig->now += 1 * MS;
        assert_int_equal(rd(rig, FLASH), 0);
        assert_int_equal(rd(rig, FLASH + 0x20), 0x10);
        assert_int_equal(rd(rig, SR) & 0xFE0000, 0); /* the controller does not notice */
}

static void a_sector_erase_takes_a_second_and_one_sector(void **state)
{
        struct rig *rig = *state;
        const uint8_t junk[64] = { 0 };

        part_fill_flash(rig->part, FLASH + 0x20000, junk, sizeof(junk));
        part_fill_flash(rig->part, FLASH + 0x40000, junk, sizeof(junk));
        rig_unlock(rig);
        wr(rig, CR, 0x4 | PSIZE_64 | 1 << 8 | 0x80);
        rig->now += 999 * MS;
        assert_true(rd(rig, SR) & 4);
        rig->now += 1 * MS;
        assert_false(rd(rig, SR) & 4);
        assert_int_equal(rd(rig, FLASH + 0x20000), UINT32_MAX);
        assert_int_equal(rd(rig, FLASH + 0x40000), 0);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH + 0x20000, 7); /* and may be written again */
        assert_int_equal(rd(rig, SR) & 1u << 18, 0);
}

static void bank_and_mass_erase_take_all(void **state)
{
        struct rig *rig = *state;
        const uint8_t junk[64] = { 0 };

        part_fill_flash(rig->part, FLASH + 0xE0000, junk, sizeof(junk));
        part_fill_flash(rig->part, BANK_2, junk, sizeof(junk));
        rig_unlock(rig);
        wr(rig, CR, 0x8 | PSIZE_64 | 0x80);
        rig->now += 8000 * MS;
        assert_int_equal(rd(rig, FLASH + 0xE0000), UINT32_MAX);
        assert_int_equal(rd(rig, BANK_2), 0);
        wr(rig, REG + 0x104, 0x45670123);
        wr(rig, REG + 0x104, 0xCDEF89AB);
        wr(rig, OPTKEYR, 0x08192A3B);
        wr(rig, OPTKEYR, 0x4C5D6E7F);
        wr(rig, OPTCR, 0x10);
        rig->now += 8000 * MS;
        assert_int_equal(rd(rig, BANK_2), UINT32_MAX);
}

static void an_erase_with_pg_set_is_refused(void **state)
{
        struct rig *rig = *state;

        rig_unlock(rig);
        wr(rig, CR, 0x2 | 0x4 | PSIZE_64 | 0x80);
        assert_int_equal(rd(rig, SR), 1u << 18);
}

/* --- option bytes -------------------------------------------------------------------------- */

static void options_change_after_their_time(void **state)
{
        struct rig *rig = *state;
        uint32_t before = rig_optsr(rig);

        wr(rig, OPTSR_PRG, before | H75X_SECURITY); /* locked: ignored */
        assert_int_equal(rd(rig, OPTSR_PRG), before);
        wr(rig, OPTCR, 2);
        assert_int_equal(rig_optsr(rig), before);
        rig_unlock_options(rig);
        wr(rig, OPTSR_PRG, before | H75X_SECURITY);
        rig_start_options(rig);
        rig->now += 299 * MS;
        assert_int_equal(rig_optsr(rig), before | 1); /* OPT_BUSY */
        assert_int_equal(rig_try_write(rig, OPTSR_PRG, 0), PART_WAIT);
        rig->now += 1 * MS;
        assert_int_equal(rig_optsr(rig), before | H75X_SECURITY);
}

static void a_power_cut_while_options_are_written_changes_nothing(void **state)
{
        struct rig *rig = *state;
        uint32_t before = rig_optsr(rig);

        rig_unlock_options(rig);
        wr(rig, OPTSR_PRG, before | H75X_SECURITY);
        rig_start_options(rig);
        rig->now += 299 * MS;
        rig_power_cycle(rig);
        assert_int_equal(rig_optsr(rig), before);
}

static void a_wrong_option_key_faults_until_reset(void **state)
{
        struct rig *rig = *state;

        assert_write_faults(rig, OPTKEYR, 0x4C5D6E7F);
        assert_write_faults(rig, OPTKEYR, 0x08192A3B);
        assert_true(rd(rig, OPTCR) & 1);
        part_reset(rig->part, rig->now);
        rig->now += 10 * MS;
        rig_unlock_options(rig);
        assert_false(rd(rig, OPTCR) & 1);
}

static void reserved_bits_do_not_change(void **state)
{
        struct rig *rig = *state;
        uint32_t mask = simulated_family()->options[0].mask, before = rig_optsr(rig);

        rig_set_option(rig, OPTSR_PRG, before ^ ~mask);
        assert_int_equal(rig_optsr(rig), before);
}

static void a_protected_sector_takes_no_write_and_no_erase(void **state)
{
        struct rig *rig = *state;

        rig_set_option(rig, WPSN_PRG, 0xFD); /* sector 1 */
        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        wr(rig, FLASH + 0x20000, 0);
        assert_int_equal(rd(rig, SR), 1u << 17);
        wr(rig, CCR, 1u << 17);
        wr(rig, CR, 0x4 | PSIZE_64 | 1 << 8);
        wr(rig, CR, 0x4 | PSIZE_64 | 1 << 8 | 0x80);
        assert_int_equal(rd(rig, SR), 1u << 17);
        wr(rig, CCR, 1u << 17);
        wr(rig, CR, 0x8 | PSIZE_64 | 0x80);
        assert_int_equal(rd(rig, SR), 1u << 17);
        wr(rig, CCR, 1u << 17);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 3); /* the one beside it does */
        rig->now += 1 * MS;
        assert_int_equal(rd(rig, FLASH), 3);
}

static void a_pcrop_area_takes_no_write_and_no_read(void **state)
{
        struct rig *rig = *state;

        rig_set_option(rig, PRAR_PRG, 0x00010000); /* bytes 0 to 0x1FF */
        assert_read_faults(rig, FLASH + 0x1FC);
        assert_int_equal(rd(rig, SR), 1u << 23);
        assert_int_equal(rd(rig, FLASH + 0x200), UINT32_MAX);
        wr(rig, CCR, UINT32_MAX);
        rig_unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        wr(rig, FLASH, 0);
        assert_int_equal(rd(rig, SR), 1u << 17);
}

static void a_secure_area_is_unreadable(void **state)
{
        struct rig *rig = *state;

        rig_set_option(rig, REG + 0x134, 0x00010000);
        assert_read_faults(rig, BANK_2);
        assert_int_equal(rd(rig, REG + 0x110), 1u << 24);
}

static void assert_change_refused(struct rig *rig, uint32_t address, uint32_t value)
{
        uint32_t before = rig_optsr(rig);

        rig_set_option(rig, address, value);
        assert_int_equal(rig_optsr(rig), before | CHANGE_ERROR);
        wr(rig, OPTCCR, CHANGE_ERROR);
        assert_int_equal(rig_optsr(rig), before);
        wr(rig, address, rd(rig, address - 4)); /* what is wanted is what is */
}

static void security_stays_while_an_area_is_protected(void **state)
{
        struct rig *rig = *state;

        rig_set_option(rig, OPTSR_PRG, rig_optsr(rig) | H75X_SECURITY);
        rig_set_option(rig, OPTSR_PRG, rig_optsr(rig) & ~H75X_SECURITY); /* none: may go */
        assert_false(rig_optsr(rig) & H75X_SECURITY);
        rig_set_option(rig, OPTSR_PRG, rig_optsr(rig) | H75X_SECURITY);
        rig_set_option(rig, PRAR_PRG, 0x00010000);
        assert_change_refused(rig, OPTSR_PRG, rig_optsr(rig) & ~H75X_SECURITY);
}

static void a_pcrop_area_grows_but_does_not_shrink(void **state)
{
        struct rig *rig = *state;

        rig_set_option(rig, PRAR_PRG, 0x00030001);
        assert_change_refused(rig, PRAR_PRG, 0x000000FF);
        assert_change_refused(rig, PRAR_PRG, 0x00030002);
        rig_set_option(rig, PRAR_PRG, 0x00040000);
        assert_int_equal(rd(rig, REG + 0x28), 0x00040000);
}

static void level_1_shuts_flash_and_backup_after_power_on(void **state)
{
        struct rig *rig = *state;

        rig_set_option(rig, OPTSR_PRG, (rig_optsr(rig) & ~0xFF00u) | 0x5500);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        part_reset(rig->part, rig->now);
        rig->now += 10 * MS;
        assert_int_equal(rd(rig, FLASH), UINT32_MAX); /* a reset is not enough */
        rig_power_cycle(rig);
        assert_read_faults(rig, FLASH);
        assert_read_faults(rig, 0x38800000);
        assert_write_faults(rig, FLASH, 0);
        assert_int_equal(rd(rig, RAM), 0); /* RAM and registers stay open */
        assert_int_equal(rig_optsr(rig) >> 8 & 0xFF, 0x55);
}

static void going_back_to_level_0_erases_everything(void **state)
{
        struct rig *rig = *state;
        const uint8_t junk[32] = { 0 };

        part_fill_flash(rig->part, FLASH, junk, sizeof(junk));
        part_fill_flash(rig->part, BANK_2 + 0x80000, junk, sizeof(junk));
        part_set_protection(rig->part, 0xBB);
        rig_unlock_options(rig);
        wr(rig, OPTSR_PRG, (rig_optsr(rig) & ~0xFF00u) | 0xAA00);
        rig_start_options(rig);
        rig->now += 8299 * MS;
        assert_true(rig_optsr(rig) & 1);
        assert_int_equal(part_flash(rig->part, FLASH)[0], 0);
        rig->now += 1 * MS;
        assert_false(rig_optsr(rig) & 1);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        assert_int_equal(rd(rig, BANK_2 + 0x80000), UINT32_MAX);
}

static void a_regression_clears_pcrop_when_its_flag_says_so(void **state)
{
        struct rig *rig = *state;

        rig_set_option(rig, PRAR_PRG, 0x00010000);
        part_set_protection(rig->part, 0xBB);
        rig_unlock_options(rig);
        wr(rig, PRAR_PRG, 0x800000FF);
        rig_set_option(rig, OPTSR_PRG, (rig_optsr(rig) & ~0xFF00u) | 0xAA00);
        assert_false(rig_optsr(rig) & CHANGE_ERROR);
        assert_int_equal(rd(rig, REG + 0x28), 0x800000FF);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void level_2_is_final(void **state)
{
        struct rig *rig = *state;

        rig_set_option(rig, OPTSR_PRG, (rig_optsr(rig) & ~0xFF00u) | 0xCC00);
        assert_change_refused(rig, OPTSR_PRG, (rig_optsr(rig) & ~0xFF00u) | 0xAA00);
        assert_change_refused(rig, WPSN_PRG, 0xFE);
        rig_set_option(rig, OPTSR_PRG, rig_optsr(rig) | 1u << 31); /* the swap bit may change */
        assert_true(rig_optsr(rig) & 1u << 31);
        part_power(rig->part, rig->now, false);
        part_power(rig->part, rig->now, true);
        rig->now += 1000 * MS;
        assert_true(rig_is_silent(rig));
}

static void the_store_outlives_the_part(void **state)
{
        struct rig *rig = *state;
        uint32_t unique_id = rd(rig, 0x1FF1E800);
        const uint8_t junk[32] = { 0x11 };

        part_fill_flash(rig->part, FLASH, junk, sizeof(junk));
        rig->part = part_destroy(rig->part);
        rig_make_part(rig);
        rig_power_up(rig);
        assert_int_equal(rd(rig, FLASH), 0x11);
        assert_int_equal(rd(rig, 0x1FF1E800), unique_id);
        rig->part = part_destroy(rig->part);
        memset(rig->store, 0, 8); /* a half-made one has no magic word */
        rig_make_part(rig);
        rig_power_up(rig);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        assert_int_equal(rd(rig, 0x1FF1E800), unique_id); /* same seed, same part */
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(a_fresh_part_is_erased),
                T(a_wrong_key_faults_and_locks_until_reset),
                T(a_locked_control_register_ignores_writes),
                T(a_word_takes_its_time_and_stands_after_it),
                T(a_second_word_is_taken_while_one_is_programmed_and_a_third_waits),
                T(a_word_that_waits_is_lost_with_power_and_may_not_be_the_one_at_work),
                T(narrow_parallelism_is_slower),
                T(a_power_cut_before_the_time_leaves_the_word_erased),
                T(a_part_of_a_word_waits_for_force_write),
                T(writing_without_pg_is_a_sequence_error),
                T(a_word_can_be_written_once),
                T(ones_count_as_written_too),
                T(a_byte_twice_is_a_strobe_error_and_another_word_an_inconsistency),
                T(a_weak_word_does_not_take),
                T(a_sector_erase_takes_a_second_and_one_sector),
                T(bank_and_mass_erase_take_all),
                T(an_erase_with_pg_set_is_refused),
                T(options_change_after_their_time),
                T(a_power_cut_while_options_are_written_changes_nothing),
                T(a_wrong_option_key_faults_until_reset),
                T(reserved_bits_do_not_change),
                T(a_protected_sector_takes_no_write_and_no_erase),
                T(a_pcrop_area_takes_no_write_and_no_read),
                T(a_secure_area_is_unreadable),
                T(security_stays_while_an_area_is_protected),
                T(a_pcrop_area_grows_but_does_not_shrink),
                T(level_1_shuts_flash_and_backup_after_power_on),
                T(going_back_to_level_0_erases_everything),
                T(a_regression_clears_pcrop_when_its_flag_says_so),
                T(level_2_is_final),
                T(the_store_outlives_the_part),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
