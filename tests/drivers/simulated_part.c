/*
 * The simulated part by itself, time in hand: what it does, and everything it refuses.
 */
#include "tests/support/simulated.h"

#include "drivers/simulated/part.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#define MS           NS_PER_MS
#define FLASH        0x08000000u
#define BANK_2       0x08100000u
#define RAM          0x24000000u
#define REG          0x52002000u
#define KEYR         (REG + 0x04)
#define OPTKEYR      (REG + 0x08)
#define CR           (REG + 0x0C)
#define SR           (REG + 0x10)
#define CCR          (REG + 0x14)
#define OPTCR        (REG + 0x18)
#define OPTSR_CUR    (REG + 0x1C)
#define OPTSR_PRG    (REG + 0x20)
#define OPTCCR       (REG + 0x24)
#define PRAR_PRG     (REG + 0x2C)
#define WPSN_PRG     (REG + 0x3C)
#define AIRCR        0xE000ED0Cu
#define DHCSR        0xE000EDF0u
#define DCRSR        0xE000EDF4u
#define DCRDR        0xE000EDF8u
#define DEMCR        0xE000EDFCu
#define PCSR         0xE000101Cu
#define PSIZE_64     0x30u
#define CHANGE_ERROR (1u << 30)
#define DONE         0x454E4F44u
#define RUNNING      0x52554E52u

struct rig {
        struct simulated_part *part;
        uint8_t *store;
        uint64_t now;
};

static const uint8_t seed_bytes[32] = { 9, 8, 7 };

static void make_part(struct rig *rig)
{
        const struct part_settings settings = { .family = simulated_family(),
                                                .rss = simulated_rss(),
                                                .store = rig->store,
                                                .seed = seed_bytes,
                                                .speed = 1.0 };

        rig->part = part_create(&settings);
}

/* ENTER of the probe: clear errors, ask for debug power. */
static void enter(struct rig *rig)
{
        uint32_t value = 0;

        assert_int_equal(part_dp_write(rig->part, rig->now, 0, 0x1E), PART_OK);
        assert_int_equal(part_dp_write(rig->part, rig->now, 4, 0x50000000), PART_OK);
        assert_int_equal(part_dp_read(rig->part, rig->now, 4, &value), PART_OK);
        assert_int_equal(value, 0xF0000000);
}

static void power_up(struct rig *rig)
{
        part_power(rig->part, rig->now, true);
        rig->now += 100 * MS;
        enter(rig);
}

static void power_cycle(struct rig *rig)
{
        part_power(rig->part, rig->now, false);
        power_up(rig);
}

static int setup(void **state)
{
        struct rig *rig = calloc(1, sizeof(*rig));

        rig->store = calloc(1, part_store_length(simulated_family()));
        rig->now = 1000;
        make_part(rig);
        power_up(rig);
        *state = rig;
        return 0;
}

static int teardown(void **state)
{
        struct rig *rig = *state;

        part_destroy(rig->part);
        free(rig->store);
        free(rig);
        return 0;
}

static enum part_answer try_read(struct rig *rig, uint32_t address, uint32_t *ret_value)
{
        uint8_t word[4];
        enum part_answer answer = part_read(rig->part, rig->now, 0, address, word, 4);

        *ret_value = load_le32(word);
        return answer;
}

static enum part_answer try_write(struct rig *rig, uint32_t address, uint32_t value)
{
        uint8_t word[4];

        store_le32(word, value);
        return part_write(rig->part, rig->now, 0, address, word, 4);
}

static uint32_t rd(struct rig *rig, uint32_t address)
{
        uint32_t value;

        assert_int_equal(try_read(rig, address, &value), PART_OK);
        return value;
}

static void wr(struct rig *rig, uint32_t address, uint32_t value)
{
        assert_int_equal(try_write(rig, address, value), PART_OK);
}

static void assert_read_faults(struct rig *rig, uint32_t address)
{
        uint32_t value;

        assert_int_equal(try_read(rig, address, &value), PART_FAULT);
        part_dp_write(rig->part, rig->now, 0, 0x1E);
}

static void assert_write_faults(struct rig *rig, uint32_t address, uint32_t value)
{
        assert_int_equal(try_write(rig, address, value), PART_FAULT);
        part_dp_write(rig->part, rig->now, 0, 0x1E);
}

static bool is_silent(struct rig *rig)
{
        uint32_t value;

        return part_dp_read(rig->part, rig->now, 0, &value) == PART_SILENT;
}

/* --- debug port
 * ------------------------------------------------------------------------------------- */

static void without_power_nothing_answers(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        part_power(rig->part, rig->now, false);
        assert_true(is_silent(rig));
        assert_int_equal(try_read(rig, RAM, &value), PART_SILENT);
        assert_int_equal(try_write(rig, RAM, 0), PART_SILENT);
        assert_int_equal(part_ap_read(rig->part, rig->now, 0, 0xFC, &value), PART_SILENT);
        assert_int_equal(part_ap_write(rig->part, rig->now, 0, 4, 0), PART_SILENT);
        assert_int_equal(part_dp_write(rig->part, rig->now, 0, 0), PART_SILENT);
}

static void a_part_that_boots_answers_when_it_is_up(void **state)
{
        struct rig *rig = *state;
        uint64_t start = rig->now;

        part_power(rig->part, start, false);
        part_power(rig->part, start, true);
        rig->now = start + simulated_family()->reset_ms * MS - 1;
        assert_true(is_silent(rig));
        rig->now++;
        assert_false(is_silent(rig));
}

static void the_debug_port_names_itself(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        assert_int_equal(part_dp_read(rig->part, rig->now, 0, &value), PART_OK);
        assert_int_equal(value, simulated_family()->dpidr);
        assert_int_equal(part_dp_read(rig->part, rig->now, 0x24, &value), PART_OK);
        assert_int_equal(value, 0x04500041);
        assert_int_equal(part_dp_read(rig->part, rig->now, 0x44, &value), PART_FAULT);
}

static void accesses_fault_until_debug_power_is_asked_for(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        part_dp_write(rig->part, rig->now, 4, 0);
        assert_int_equal(try_read(rig, RAM, &value), PART_FAULT);
        enter(rig);
        assert_int_equal(try_read(rig, RAM, &value), PART_OK);
}

static void a_fault_sticks_until_it_is_cleared(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        assert_int_equal(try_read(rig, 0x60000000, &value), PART_FAULT);
        assert_int_equal(try_read(rig, RAM, &value), PART_FAULT);
        assert_int_equal(part_dp_read(rig->part, rig->now, 0x0C, &value), PART_FAULT);
        assert_int_equal(part_ap_read(rig->part, rig->now, 0, 0xFC, &value), PART_FAULT);
        assert_int_equal(part_dp_read(rig->part, rig->now, 4, &value), PART_OK);
        assert_true(value & 0x20);
        part_dp_write(rig->part, rig->now, 0, 0x04);
        assert_int_equal(try_read(rig, RAM, &value), PART_OK);
}

static void access_ports_that_are_not_there_read_zero(void **state)
{
        struct rig *rig = *state;
        uint32_t value = 1;

        assert_int_equal(part_ap_read(rig->part, rig->now, 0, 0xFC, &value), PART_OK);
        assert_int_equal(value, 0x84770001);
        assert_int_equal(part_ap_read(rig->part, rig->now, 2, 0xFC, &value), PART_OK);
        assert_int_equal(value, 0x54770002);
        for (unsigned ap = 1; ap < 256; ap += ap == 1 ? 2 : 1) {
                assert_int_equal(part_ap_read(rig->part, rig->now, ap, 0xFC, &value), PART_OK);
                assert_int_equal(value, 0);
        }
        assert_int_equal(part_read(rig->part, rig->now, 1, RAM, &value, 4), PART_FAULT);
}

static void memory_through_tar_and_drw_steps_inside_a_kilobyte(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        part_ap_write(rig->part, rig->now, 0, 0x00, 0x03000012); /* 32 bit, increment */
        part_ap_write(rig->part, rig->now, 0, 0x04, RAM + 0x3F8);
        for (uint32_t i = 1; i <= 3; i++)
                assert_int_equal(part_ap_write(rig->part, rig->now, 0, 0x0C, i), PART_OK);
        assert_int_equal(rd(rig, RAM + 0x3F8), 1);
        assert_int_equal(rd(rig, RAM + 0x3FC), 2);
        assert_int_equal(rd(rig, RAM), 3); /* TAR wrapped */
        part_ap_write(rig->part, rig->now, 0, 0x04, RAM + 0x3F0);
        assert_int_equal(part_ap_read(rig->part, rig->now, 0, 0x18, &value), PART_OK); /* BD2 */
        assert_int_equal(value, 1);
}

static void narrow_accesses_use_their_byte_lanes_and_packed_ones_are_refused(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        wr(rig, RAM, 0x44332211);
        part_ap_write(rig->part, rig->now, 0, 0x00, 0x03000020); /* 8 bit, packed */
        part_ap_read(rig->part, rig->now, 0, 0x00, &value);
        assert_int_equal(value & 0x37, 0);
        part_ap_write(rig->part, rig->now, 0, 0x04, RAM + 2);
        part_ap_read(rig->part, rig->now, 0, 0x0C, &value);
        assert_int_equal(value, 0x00330000);
        part_ap_write(rig->part, rig->now, 0, 0x0C, 0xFFEEFFFF);
        assert_int_equal(rd(rig, RAM), 0x44EE2211);
}

/* --- memory map
 * --------------------------------------------------------------------------------------- */

static void the_memory_map_is_that_of_the_h75x(void **state)
{
        static const uint32_t ends[] = { 0x00000000, 0x0000FFFC, 0x20000000, 0x2001FFFC,
                                         0x24000000, 0x2407FFFC, 0x30000000, 0x30047FFC,
                                         0x38000000, 0x3800FFFC, 0x38800000, 0x38800FFC };
        static const uint32_t holes[] = { 0x00010000, 0x07FFFFFC, 0x08200000, 0x20020000,
                                          0x24080000, 0x30048000, 0x38010000, 0x38801000,
                                          0x1FEFFFFC, 0x1FF20000, 0x40000000, 0x52003000,
                                          0x60000000, 0xE0010000, 0xFFFFFFFC };
        struct rig *rig = *state;

        for (size_t i = 0; i < LENGTH_OF(ends); i++)
                wr(rig, ends[i], 0x5EED0000 + (uint32_t)i);
        for (size_t i = 0; i < LENGTH_OF(ends); i++)
                assert_int_equal(rd(rig, ends[i]), 0x5EED0000 + i);
        for (size_t i = 0; i < LENGTH_OF(holes); i++) {
                assert_read_faults(rig, holes[i]);
                assert_write_faults(rig, holes[i], 0);
        }
}

static void unaligned_and_narrow_register_accesses_fault(void **state)
{
        struct rig *rig = *state;
        uint8_t byte = 0;

        assert_read_faults(rig, RAM + 2);
        assert_int_equal(part_write(rig->part, rig->now, 0, CR, &byte, 1), PART_FAULT);
}

static void system_memory_holds_unique_id_size_and_marker(void **state)
{
        struct rig *rig = *state;
        const struct rss_profile *rss = simulated_rss();
        uint8_t text[sizeof(rss->marker)];
        size_t length = strlen(rss->marker);

        assert_int_not_equal(rd(rig, 0x1FF1E800), UINT32_MAX);
        assert_int_equal(rd(rig, 0x1FF1E880), 0xFFFF0800); /* 2048 KiB */
        for (size_t i = 0; i < length; i++)
                assert_int_equal(part_read(rig->part, rig->now, 0,
                                           rss->marker_address + (uint32_t)i, text + i, 1),
                                 PART_OK);
        assert_memory_equal(text, rss->marker, length);
        assert_write_faults(rig, 0x1FF1E800, 0);
}

static void the_device_id_shows_on_both_ports(void **state)
{
        struct rig *rig = *state;
        uint8_t word[4];

        assert_int_equal(rd(rig, 0x5C001000), 0x20030450);
        assert_int_equal(part_read(rig->part, rig->now, 2, 0xE00E1000, word, 4), PART_OK);
        assert_int_equal(load_le32(word), 0x20030450);
        part_set_device_id(rig->part, 0x483);
        assert_int_equal(rd(rig, 0x5C001000), 0x20030483);
        assert_int_equal(part_read(rig->part, rig->now, 2, RAM, word, 4), PART_FAULT);
}

static void under_reset_only_core_and_apb_d_answer(void **state)
{
        struct rig *rig = *state;
        uint8_t word[4];

        part_hold_reset(rig->part, rig->now, true);
        assert_false(is_silent(rig));
        assert_read_faults(rig, 0x5C001000);
        assert_read_faults(rig, RAM);
        assert_int_equal(rd(rig, 0xE000ED00), 0x411FC271);
        assert_int_equal(part_read(rig->part, rig->now, 2, 0xE00E1000, word, 4), PART_OK);
        part_hold_reset(rig->part, rig->now, false);
        assert_true(is_silent(rig));
        rig->now += 10 * MS;
        assert_int_equal(rd(rig, 0x5C001000), 0x20030450);
}

/* --- core
 * ---------------------------------------------------------------------------------------------- */

static void the_core_halts_steps_and_keeps_registers(void **state)
{
        struct rig *rig = *state;
        uint32_t pc;

        wr(rig, DHCSR, 0x00000003); /* without the key: nothing */
        assert_false(rd(rig, DHCSR) & 0x20000);
        wr(rig, DHCSR, 0xA05F0003);
        assert_true(rd(rig, DHCSR) & 0x20000);
        wr(rig, DCRDR, 0xCAFE);
        wr(rig, DCRSR, 0x10003);
        wr(rig, DCRSR, 15);
        pc = rd(rig, DCRDR);
        wr(rig, DHCSR, 0xA05F000D);
        wr(rig, DCRSR, 15);
        assert_int_equal(rd(rig, DCRDR), pc + 2);
        wr(rig, DCRSR, 3);
        assert_int_equal(rd(rig, DCRDR), 0xCAFE);
        wr(rig, DHCSR, 0xA05F0001);
        assert_false(rd(rig, DHCSR) & 0x20000);
}

static void a_reset_shows_once_in_dhcsr_and_keeps_ram(void **state)
{
        struct rig *rig = *state;

        (void)rd(rig, DHCSR);
        assert_false(rd(rig, DHCSR) & 0x02000000);
        wr(rig, RAM, 0x1234);
        wr(rig, AIRCR, 0x00000004); /* without the key */
        assert_false(is_silent(rig));
        wr(rig, AIRCR, 0x05FA0004);
        assert_true(is_silent(rig));
        rig->now += 10 * MS;
        assert_true(rd(rig, DHCSR) & 0x02000000);
        assert_false(rd(rig, DHCSR) & 0x02000000);
        assert_int_equal(rd(rig, RAM), 0x1234);
        power_cycle(rig);
        assert_int_equal(rd(rig, RAM), 0);
}

static void vector_catch_holds_the_core_at_reset(void **state)
{
        struct rig *rig = *state;

        wr(rig, DEMCR, 0x01000001);
        wr(rig, DHCSR, 0xA05F0001);
        wr(rig, AIRCR, 0x05FA0004);
        assert_false(is_silent(rig));
        assert_true(rd(rig, DHCSR) & 0x20000);
        assert_int_equal(rd(rig, 0xE000ED30), 8); /* DFSR.VCATCH */
}

static void the_sampled_counter_follows_the_boot_pin(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(rd(rig, PCSR), 0); /* DWT is off */
        wr(rig, DEMCR, 0x01000000);
        assert_in_range(rd(rig, PCSR), 0x1FF00000, 0x1FF1FFFF);
        wr(rig, DHCSR, 0xA05F0003);
        assert_int_equal(rd(rig, PCSR), UINT32_MAX);
        part_set_boot_pin(rig->part, false);
        power_cycle(rig);
        wr(rig, DEMCR, 0x01000000);
        assert_in_range(rd(rig, PCSR), FLASH, FLASH + 0x1FFFFF);
}

/* --- flash
 * -----------------------------------------------------------------------------------------------
 */

static void unlock(struct rig *rig)
{
        wr(rig, KEYR, 0x45670123);
        wr(rig, KEYR, 0xCDEF89AB);
        assert_false(rd(rig, CR) & 1);
}

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
        unlock(rig);
        assert_write_faults(rig, KEYR, 0x45670123); /* unlocked already */
}

static void a_locked_control_register_ignores_writes(void **state)
{
        struct rig *rig = *state;

        wr(rig, CR, 0x2);
        assert_false(rd(rig, CR) & 2);
        unlock(rig);
        wr(rig, CR, 0x2);
        assert_true(rd(rig, CR) & 2);
        wr(rig, CR, 0x1);
        assert_true(rd(rig, CR) & 1);
}

static void a_word_takes_its_time_and_stands_after_it(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0x100);
        assert_int_equal(rd(rig, SR) & 5, 5); /* QW, BSY */
        rig->now += 99 * NS_PER_US;
        assert_int_equal(try_read(rig, FLASH, &value), PART_WAIT);
        assert_int_equal(try_write(rig, FLASH + 32, 0), PART_WAIT);
        assert_int_equal(try_write(rig, CR, 0), PART_WAIT);
        assert_int_equal(rd(rig, BANK_2), UINT32_MAX); /* the other bank reads on */
        assert_int_equal(part_flash(rig->part, FLASH)[0], 0xFF);
        rig->now += 1 * NS_PER_US;
        assert_int_equal(rd(rig, SR) & 5, 0);
        assert_int_equal(rd(rig, FLASH + 28), 0x107);
}

static void narrow_parallelism_is_slower(void **state)
{
        struct rig *rig = *state;

        unlock(rig);
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

        unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        write_word(rig, FLASH, 0);
        rig->now += 99 * NS_PER_US;
        power_cycle(rig);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void a_part_of_a_word_waits_for_force_write(void **state)
{
        struct rig *rig = *state;

        unlock(rig);
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

        unlock(rig);
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

        unlock(rig);
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

        unlock(rig);
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

        unlock(rig);
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
        unlock(rig);
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
        unlock(rig);
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
        unlock(rig);
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

        unlock(rig);
        wr(rig, CR, 0x2 | 0x4 | PSIZE_64 | 0x80);
        assert_int_equal(rd(rig, SR), 1u << 18);
}

/* --- option bytes
 * ------------------------------------------------------------------------------------------ */

static void unlock_options(struct rig *rig)
{
        if (!(rd(rig, OPTCR) & 1))
                return;
        wr(rig, OPTKEYR, 0x08192A3B);
        wr(rig, OPTKEYR, 0x4C5D6E7F);
}

static void start_options(struct rig *rig)
{
        wr(rig, OPTCCR, CHANGE_ERROR);
        wr(rig, OPTCR, 2);
}

static void set_option(struct rig *rig, uint32_t address, uint32_t value)
{
        unlock_options(rig);
        wr(rig, address, value);
        start_options(rig);
        rig->now += 20000 * MS;
        part_advance(rig->part, rig->now);
}

static uint32_t optsr(struct rig *rig)
{
        return rd(rig, OPTSR_CUR);
}

static void options_change_after_their_time(void **state)
{
        struct rig *rig = *state;
        uint32_t before = optsr(rig);

        wr(rig, OPTSR_PRG, before | TARGET_SECURITY); /* locked: ignored */
        assert_int_equal(rd(rig, OPTSR_PRG), before);
        wr(rig, OPTCR, 2);
        assert_int_equal(optsr(rig), before);
        unlock_options(rig);
        wr(rig, OPTSR_PRG, before | TARGET_SECURITY);
        start_options(rig);
        rig->now += 299 * MS;
        assert_int_equal(optsr(rig), before | 1); /* OPT_BUSY */
        assert_int_equal(try_write(rig, OPTSR_PRG, 0), PART_WAIT);
        rig->now += 1 * MS;
        assert_int_equal(optsr(rig), before | TARGET_SECURITY);
}

static void a_power_cut_while_options_are_written_changes_nothing(void **state)
{
        struct rig *rig = *state;
        uint32_t before = optsr(rig);

        unlock_options(rig);
        wr(rig, OPTSR_PRG, before | TARGET_SECURITY);
        start_options(rig);
        rig->now += 299 * MS;
        power_cycle(rig);
        assert_int_equal(optsr(rig), before);
}

static void a_wrong_option_key_faults_until_reset(void **state)
{
        struct rig *rig = *state;

        assert_write_faults(rig, OPTKEYR, 0x4C5D6E7F);
        assert_write_faults(rig, OPTKEYR, 0x08192A3B);
        assert_true(rd(rig, OPTCR) & 1);
        part_reset(rig->part, rig->now);
        rig->now += 10 * MS;
        unlock_options(rig);
        assert_false(rd(rig, OPTCR) & 1);
}

static void reserved_bits_do_not_change(void **state)
{
        struct rig *rig = *state;
        uint32_t mask = simulated_family()->options[0].mask, before = optsr(rig);

        set_option(rig, OPTSR_PRG, before ^ ~mask);
        assert_int_equal(optsr(rig), before);
}

static void a_protected_sector_takes_no_write_and_no_erase(void **state)
{
        struct rig *rig = *state;

        set_option(rig, WPSN_PRG, 0xFD); /* sector 1 */
        unlock(rig);
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

        set_option(rig, PRAR_PRG, 0x00010000); /* bytes 0 to 0x1FF */
        assert_read_faults(rig, FLASH + 0x1FC);
        assert_int_equal(rd(rig, SR), 1u << 23);
        assert_int_equal(rd(rig, FLASH + 0x200), UINT32_MAX);
        wr(rig, CCR, UINT32_MAX);
        unlock(rig);
        wr(rig, CR, 0x2 | PSIZE_64);
        wr(rig, FLASH, 0);
        assert_int_equal(rd(rig, SR), 1u << 17);
}

static void a_secure_area_is_unreadable(void **state)
{
        struct rig *rig = *state;

        set_option(rig, REG + 0x134, 0x00010000);
        assert_read_faults(rig, BANK_2);
        assert_int_equal(rd(rig, REG + 0x110), 1u << 24);
}

static void assert_change_refused(struct rig *rig, uint32_t address, uint32_t value)
{
        uint32_t before = optsr(rig);

        set_option(rig, address, value);
        assert_int_equal(optsr(rig), before | CHANGE_ERROR);
        wr(rig, OPTCCR, CHANGE_ERROR);
        assert_int_equal(optsr(rig), before);
        wr(rig, address, rd(rig, address - 4)); /* what is wanted is what is */
}

static void security_stays_while_an_area_is_protected(void **state)
{
        struct rig *rig = *state;

        set_option(rig, OPTSR_PRG, optsr(rig) | TARGET_SECURITY);
        set_option(rig, OPTSR_PRG, optsr(rig) & ~TARGET_SECURITY); /* none: may go */
        assert_false(optsr(rig) & TARGET_SECURITY);
        set_option(rig, OPTSR_PRG, optsr(rig) | TARGET_SECURITY);
        set_option(rig, PRAR_PRG, 0x00010000);
        assert_change_refused(rig, OPTSR_PRG, optsr(rig) & ~TARGET_SECURITY);
}

static void a_pcrop_area_grows_but_does_not_shrink(void **state)
{
        struct rig *rig = *state;

        set_option(rig, PRAR_PRG, 0x00030001);
        assert_change_refused(rig, PRAR_PRG, 0x000000FF);
        assert_change_refused(rig, PRAR_PRG, 0x00030002);
        set_option(rig, PRAR_PRG, 0x00040000);
        assert_int_equal(rd(rig, REG + 0x28), 0x00040000);
}

static void level_1_shuts_flash_and_backup_after_power_on(void **state)
{
        struct rig *rig = *state;

        set_option(rig, OPTSR_PRG, (optsr(rig) & ~0xFF00u) | 0x5500);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        part_reset(rig->part, rig->now);
        rig->now += 10 * MS;
        assert_int_equal(rd(rig, FLASH), UINT32_MAX); /* a reset is not enough */
        power_cycle(rig);
        assert_read_faults(rig, FLASH);
        assert_read_faults(rig, 0x38800000);
        assert_write_faults(rig, FLASH, 0);
        assert_int_equal(rd(rig, RAM), 0); /* RAM and registers stay open */
        assert_int_equal(optsr(rig) >> 8 & 0xFF, 0x55);
}

static void going_back_to_level_0_erases_everything(void **state)
{
        struct rig *rig = *state;
        const uint8_t junk[32] = { 0 };

        part_fill_flash(rig->part, FLASH, junk, sizeof(junk));
        part_fill_flash(rig->part, BANK_2 + 0x80000, junk, sizeof(junk));
        part_set_protection(rig->part, 0xBB);
        unlock_options(rig);
        wr(rig, OPTSR_PRG, (optsr(rig) & ~0xFF00u) | 0xAA00);
        start_options(rig);
        rig->now += 8299 * MS;
        assert_true(optsr(rig) & 1);
        assert_int_equal(part_flash(rig->part, FLASH)[0], 0);
        rig->now += 1 * MS;
        assert_false(optsr(rig) & 1);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        assert_int_equal(rd(rig, BANK_2 + 0x80000), UINT32_MAX);
}

static void a_regression_clears_pcrop_when_its_flag_says_so(void **state)
{
        struct rig *rig = *state;

        set_option(rig, PRAR_PRG, 0x00010000);
        part_set_protection(rig->part, 0xBB);
        unlock_options(rig);
        wr(rig, PRAR_PRG, 0x800000FF);
        set_option(rig, OPTSR_PRG, (optsr(rig) & ~0xFF00u) | 0xAA00);
        assert_false(optsr(rig) & CHANGE_ERROR);
        assert_int_equal(rd(rig, REG + 0x28), 0x800000FF);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void level_2_is_final(void **state)
{
        struct rig *rig = *state;

        set_option(rig, OPTSR_PRG, (optsr(rig) & ~0xFF00u) | 0xCC00);
        assert_change_refused(rig, OPTSR_PRG, (optsr(rig) & ~0xFF00u) | 0xAA00);
        assert_change_refused(rig, WPSN_PRG, 0xFE);
        set_option(rig, OPTSR_PRG, optsr(rig) | 1u << 31); /* the swap bit may change */
        assert_true(optsr(rig) & 1u << 31);
        part_power(rig->part, rig->now, false);
        part_power(rig->part, rig->now, true);
        rig->now += 1000 * MS;
        assert_true(is_silent(rig));
}

static void the_store_outlives_the_part(void **state)
{
        struct rig *rig = *state;
        uint32_t unique_id = rd(rig, 0x1FF1E800);
        const uint8_t junk[32] = { 0x11 };

        part_fill_flash(rig->part, FLASH, junk, sizeof(junk));
        rig->part = part_destroy(rig->part);
        make_part(rig);
        power_up(rig);
        assert_int_equal(rd(rig, FLASH), 0x11);
        assert_int_equal(rd(rig, 0x1FF1E800), unique_id);
        rig->part = part_destroy(rig->part);
        memset(rig->store, 0, 8); /* a half-made one has no magic word */
        make_part(rig);
        power_up(rig);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        assert_int_equal(rd(rig, 0x1FF1E800), unique_id); /* same seed, same part */
}

/* --- ROM and RSS
 * ------------------------------------------------------------------------------------------- */

static uint32_t box(uint32_t offset)
{
        return simulated_rss()->mailbox + offset;
}

static void post(struct rig *rig, uint32_t command)
{
        wr(rig, box(0x20), 0);
        wr(rig, box(0x24), 0x99);
        wr(rig, box(0), 0x53525747);
        wr(rig, box(4), command);
}

static void put(struct rig *rig, uint32_t address, const void *data, size_t length)
{
        for (size_t i = 0; i < length; i++)
                assert_int_equal(part_write(rig->part, rig->now, 0, address + (uint32_t)i,
                                            (const uint8_t *)data + i, 1),
                                 PART_OK);
}

static void ask_certificate(struct rig *rig, uint8_t ret_certificate[CERTIFICATE_LENGTH])
{
        post(rig, 1);
        rig->now += 20 * MS;
        assert_int_equal(rd(rig, box(0x20)), DONE);
        assert_int_equal(rd(rig, box(0x24)), RSS_OK);
        for (uint32_t i = 0; i < CERTIFICATE_LENGTH; i++)
                part_read(rig->part, rig->now, 0, box(0x40 + i), ret_certificate + i, 1);
}

static void the_rom_answers_with_a_certificate(void **state)
{
        struct rig *rig = *state;
        uint8_t first[CERTIFICATE_LENGTH], second[CERTIFICATE_LENGTH];
        struct certificate certificate;

        post(rig, 1);
        rig->now += 19 * MS;
        assert_int_equal(rd(rig, box(0x20)), 0);
        ask_certificate(rig, first);
        assert_int_equal(certificate_parse(first, sizeof(first), simulated_family()->product_id,
                                           &certificate),
                         0);
        power_cycle(rig);
        ask_certificate(rig, second);
        assert_memory_equal(first, second, sizeof(first));
}

/* DER of the 64 bytes r, s: what OpenSSL wants to see. */
static size_t signature_der(const uint8_t *raw, uint8_t *der)
{
        ECDSA_SIG *signature = ECDSA_SIG_new();
        unsigned char *out = der;
        int length;

        ECDSA_SIG_set0(signature, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
        length = i2d_ECDSA_SIG(signature, &out);
        ECDSA_SIG_free(signature);
        return (size_t)length;
}

static EVP_PKEY *st_public_key(void)
{
        EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
        BIGNUM *key = BN_bin2bn((const uint8_t *)"Gangway simulated ST key no. one", 32, NULL);
        EC_POINT *point = EC_POINT_new(group);
        uint8_t encoded[65];
        char curve[] = "prime256v1";
        OSSL_PARAM parameters[3];
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        EVP_PKEY *pkey = NULL;

        EC_POINT_mul(group, point, key, NULL, NULL, NULL);
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, encoded, 65, NULL);
        parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
        parameters[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded, 65);
        parameters[2] = OSSL_PARAM_construct_end();
        assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
        assert_int_equal(EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters), 1);
        EVP_PKEY_CTX_free(context);
        EC_POINT_free(point);
        BN_free(key);
        EC_GROUP_free(group);
        return pkey;
}

static void openssl_verifies_the_certificate(void **state)
{
        struct rig *rig = *state;
        uint8_t certificate[CERTIFICATE_LENGTH], der[80];
        EVP_PKEY *key = st_public_key();
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t length;

        ask_certificate(rig, certificate);
        length = signature_der(certificate + 72, der);
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key);
        assert_int_equal(EVP_DigestVerify(context, der, length, certificate, 72), 1);
        certificate[20] ^= 1;
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key);
        assert_int_equal(EVP_DigestVerify(context, der, length, certificate, 72), 0);
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
}

static void the_rom_does_not_answer_when_it_does_not_run(void **state)
{
        struct rig *rig = *state;

        wr(rig, DHCSR, 0xA05F0003);
        post(rig, 1);
        rig->now += 1000 * MS;
        assert_int_equal(rd(rig, box(0x20)), 0);
        wr(rig, DHCSR, 0xA05F0001); /* running again, it finds the command */
        rig->now += 20 * MS;
        assert_int_equal(rd(rig, box(0x20)), DONE);
        part_set_boot_pin(rig->part, false);
        power_cycle(rig);
        post(rig, 1);
        rig->now += 1000 * MS;
        assert_int_equal(rd(rig, box(0x20)), 0);
}

static void the_rom_refuses_what_it_does_not_know(void **state)
{
        struct rig *rig = *state;

        post(rig, 77);
        rig->now += 20 * MS;
        assert_int_equal(rd(rig, box(0x20)), DONE);
        assert_int_equal(rd(rig, box(0x24)), RSS_ERROR_COMMAND);
        wr(rig, box(0x20), 0);
        wr(rig, box(0), 0x12345678); /* not the magic word */
        wr(rig, box(4), 1);
        rig->now += 1000 * MS;
        assert_int_equal(rd(rig, box(0x20)), 0);
}

/* --- install
 * ------------------------------------------------------------------------------------------------
 */

static void prepare(struct rig *rig)
{
        set_option(rig, OPTSR_PRG, optsr(rig) | TARGET_SECURITY | TARGET_ST_RAM_SIZE_3);
}

/* License, header and areas [first, first + count) into RAM, mailbox filled, command posted. */
static void load_part(struct rig *rig, const struct bytes *file, unsigned first, unsigned count,
                      bool is_last)
{
        const struct rss_profile *rss = simulated_rss();
        uint8_t certificate[CERTIFICATE_LENGTH], license[LICENSE_LENGTH];
        struct sfi *sfi;
        uint32_t length = 0;

        ask_certificate(rig, certificate);
        simulated_license(certificate, license);
        assert_int_equal(sfi_parse("test", bytes_copy(file->data, file->length), &sfi), 0);
        for (unsigned i = first; i < first + count; i++)
                length += SFI_AREA_HEADER_LENGTH + sfi->areas[i].length;
        put(rig, rss->license, license, sizeof(license));
        put(rig, rss->header, file->data, SFI_HEADER_LENGTH);
        put(rig, rss->areas, sfi->areas[first].header, length);
        wr(rig, box(8), length);
        wr(rig, box(0xC), count);
        wr(rig, box(0x10), is_last);
        post(rig, 2);
        sfi_free(sfi);
}

/* Reset, let it run, and read the complete value. */
static uint32_t run(struct rig *rig)
{
        part_reset(rig->part, rig->now);
        rig->now += 60000 * MS;
        enter(rig);
        assert_int_equal(rd(rig, box(0x20)), DONE);
        return rd(rig, box(0x24));
}

static uint32_t install(struct rig *rig, const struct bytes *file)
{
        load_part(rig, file, 0, load_le16(file->data + 10), true);
        return run(rig);
}

static uint32_t install_areas(struct rig *rig, const struct sfi_plain_area *areas, size_t count)
{
        struct bytes file = simulated_image(areas, count);
        uint32_t code;

        prepare(rig);
        code = install(rig, &file);
        bytes_free(&file);
        return code;
}

static const uint8_t blob[64] = { 1, 2, 3, 4 };

static void an_image_is_installed(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 844);
        uint8_t expected[864];

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        part_reset(rig->part, rig->now);
        rig->now += 200 * MS;
        assert_true(is_silent(rig)); /* while the RSS works */
        rig->now += 1000 * MS;
        enter(rig);
        assert_int_equal(rd(rig, box(0x20)), DONE);
        assert_int_equal(rd(rig, box(0x24)), RSS_OK);
        assert_int_equal(rd(rig, box(0x28)), 2);
        memset(expected, 0xFF, sizeof(expected));
        simulated_pattern(expected, 844);
        assert_memory_equal(part_flash(rig->part, FLASH), expected, sizeof(expected));
        assert_int_equal(rd(rig, box(4)), 0);                   /* taken once */
        assert_int_equal(rd(rig, simulated_rss()->license), 0); /* and not left behind */
        part_reset(rig->part, rig->now);
        rig->now += 1000 * MS;
        assert_false(is_silent(rig));
        bytes_free(&file);
}

/* The C area of ST's own example: level 1, SECURITY off (secure-install.md 4). */
static void the_option_bytes_of_the_image_stand_at_the_end(void **state)
{
        struct rig *rig = *state;
        static const uint32_t values[] = { 0x13DE00F8, 0x81000200, 0x81000200,
                                           0x81000200, 0x81000200, 0x000000FF,
                                           0x000000FF, 0x1FF10800, 0x10000810 };
        uint8_t words[sizeof(values)];

        for (size_t i = 0; i < LENGTH_OF(values); i++)
                store_le32(words + 4 * i, values[i]);
        assert_int_equal(install_areas(rig,
                                       (struct sfi_plain_area[]){ { 'F', FLASH, blob, 64 },
                                                                  { 'C', 0, words, 36 } },
                                       2),
                         RSS_OK);
        assert_int_equal(optsr(rig) & simulated_family()->options[0].mask,
                         0x13DE00F8 & simulated_family()->options[0].mask);
        assert_int_equal(rd(rig, REG + 0x40), 0x1FF10800);
        power_cycle(rig);
        assert_read_faults(rig, FLASH);
}

static void a_power_cut_leaves_the_words_whose_time_had_come(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 3200); /* 100 words */
        uint64_t start;

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        start = rig->now;
        part_reset(rig->part, start);
        /* boot 5 + 50, license 60, header 1, decryption 6.4 ms: the first word is due at 122.5 */
        part_power(rig->part, start + 122 * MS + 400 * NS_PER_US + 37 * 100 * NS_PER_US, false);
        for (uint32_t i = 0; i < 100; i++) {
                uint8_t expected[3200];

                simulated_pattern(expected, sizeof(expected));
                if (i >= 37)
                        memset(expected, 0xFF, sizeof(expected));
                assert_memory_equal(part_flash(rig->part, FLASH + 32 * i), expected + 32 * i, 32);
        }
        rig->now = start + 1000 * MS;
        power_up(rig);
        assert_int_equal(rd(rig, box(0x20)), 0); /* RAM is gone, nobody says it worked */
        assert_int_equal(install(rig, &file), RSS_ERROR_NOT_BLANK);
        bytes_free(&file);
}

static void without_security_or_ram_the_rss_refuses(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);

        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        set_option(rig, OPTSR_PRG, optsr(rig) | TARGET_SECURITY);
        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        prepare(rig);
        set_option(rig, PRAR_PRG + 0x100, 0x00010000);
        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        bytes_free(&file);
}

static void with_read_out_protection_the_rss_refuses(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);

        prepare(rig);
        part_set_protection(rig->part, 0x55);
        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        bytes_free(&file);
}

static void with_the_boot_pin_low_nothing_is_installed(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        part_set_boot_pin(rig->part, false);
        part_reset(rig->part, rig->now);
        rig->now += 60000 * MS;
        enter(rig);
        assert_int_equal(rd(rig, box(0x20)), 0);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        bytes_free(&file);
}

static void a_license_for_another_chip_is_refused(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);
        const uint8_t other_seed[32] = { 66 };
        uint8_t certificate[CERTIFICATE_LENGTH], license[LICENSE_LENGTH], private_key[32];

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        for (uint32_t i = 0; i < CERTIFICATE_LENGTH; i++)
                part_read(rig->part, rig->now, 0, box(0x40 + i), certificate + i, 1);
        license_chip_key(other_seed, private_key, certificate + 8);
        simulated_license(certificate, license);
        put(rig, simulated_rss()->license, license, sizeof(license));
        assert_int_equal(run(rig), RSS_ERROR_LICENSE);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        bytes_free(&file);
}

static uint32_t install_changed(struct rig *rig, size_t offset)
{
        struct bytes file = simulated_small_image(FLASH, 64);
        uint32_t code;

        prepare(rig);
        file.data[offset] ^= 1;
        code = install(rig, &file);
        bytes_free(&file);
        return code;
}

static void a_changed_header_is_refused(void **state)
{
        assert_int_equal(install_changed(*state, 12), RSS_ERROR_HEADER); /* its tag */
}

static void a_changed_area_is_refused(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(install_changed(rig, 28 + 30 + 5), RSS_ERROR_AREA); /* its payload */
        assert_int_equal(rd(rig, box(0x28)), 1);
        assert_int_equal(install_changed(rig, 28 + 10), RSS_ERROR_AREA); /* its address */
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void overlapping_areas_are_refused(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(install_areas(rig,
                                       (struct sfi_plain_area[]){ { 'F', FLASH, blob, 64 },
                                                                  { 'F', FLASH + 32, blob, 64 } },
                                       2),
                         RSS_ERROR_OVERLAP);
        assert_int_equal(rd(rig, box(0x28)), 2);
        assert_int_equal(rd(rig, FLASH), 0x04030201); /* the first one stands */
}

static void an_area_outside_flash_is_refused(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'F', RAM, blob, 64 }, 1),
                         RSS_ERROR_RANGE);
        assert_int_equal(
                install_areas(rig, &(struct sfi_plain_area){ 'F', 0x081FFFE0, blob, 64 }, 1),
                RSS_ERROR_RANGE);
        assert_int_equal(
                install_areas(rig, &(struct sfi_plain_area){ 'E', 0x90000000, blob, 64 }, 1),
                RSS_ERROR_RANGE);
}

static void an_area_on_written_flash_is_refused(void **state)
{
        struct rig *rig = *state;

        part_fill_flash(rig->part, FLASH + 32, blob, 1);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'F', FLASH, blob, 64 }, 1),
                         RSS_ERROR_NOT_BLANK);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void a_weak_word_ends_the_install(void **state)
{
        struct rig *rig = *state;

        part_set_weak_word(rig->part, FLASH + 32);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'F', FLASH, blob, 64 }, 1),
                         RSS_ERROR_FLASH);
        assert_int_equal(rd(rig, FLASH), 0x04030201);
}

static void option_bytes_that_may_not_change_are_refused(void **state)
{
        struct rig *rig = *state;
        uint32_t values[OPTION_ROWS_MAX];
        uint8_t words[36];

        simulated_options(values);
        values[0] &= ~TARGET_SECURITY;
        values[1] = 0x00010000; /* PCROP wants security (AN5054 section 3.3.1) */
        for (size_t i = 0; i < 9; i++)
                store_le32(words + 4 * i, values[i]);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'C', 0, words, 36 }, 1),
                         RSS_ERROR_OPTION);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'C', 0, words, 32 }, 1),
                         RSS_ERROR_OPTION); /* a row is missing */
        assert_true(optsr(rig) & TARGET_SECURITY);
}

static void lists_that_do_not_fit_are_refused(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);
        static const struct {
                uint32_t offset, value;
        } cases[] = { { 8, 0 },          { 8, 29 },  { 8, 90 },
                      { 8, UINT32_MAX }, { 0xC, 0 }, { 0xC, UINT32_MAX } };

        prepare(rig);
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                load_part(rig, &file, 0, 2, true);
                wr(rig, box(cases[i].offset), cases[i].value);
                assert_int_equal(run(rig), RSS_ERROR_COMMAND);
                power_cycle(rig);
        }
        bytes_free(&file);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'K', FLASH, blob, 8 }, 1),
                         RSS_ERROR_COMMAND); /* a letter it does not know */
}

static struct bytes two_part_image(void)
{
        return simulated_image((struct sfi_plain_area[]){ { 'F', FLASH, blob, 64 },
                                                          { 'P', 0x081FF000, NULL, 0 },
                                                          { 'R', 0x081FF000, NULL, 0 },
                                                          { 'F', FLASH + 64, blob, 64 } },
                               4);
}

static void two_parts_make_a_whole_even_over_a_power_cut(void **state)
{
        struct rig *rig = *state;
        struct bytes file = two_part_image();

        prepare(rig);
        load_part(rig, &file, 0, 2, false);
        assert_int_equal(run(rig), RSS_OK);
        power_cycle(rig);
        load_part(rig, &file, 2, 2, true);
        assert_int_equal(run(rig), RSS_OK);
        assert_memory_equal(part_flash(rig->part, FLASH + 64), blob, 64);
        bytes_free(&file);
}

static void parts_out_of_order_are_refused(void **state)
{
        struct rig *rig = *state;
        struct bytes file = two_part_image();

        prepare(rig);
        load_part(rig, &file, 2, 2, true); /* the second first */
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        load_part(rig, &file, 0, 1, false); /* no P at its end */
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        load_part(rig, &file, 0, 2, false);
        assert_int_equal(run(rig), RSS_OK);
        load_part(rig, &file, 3, 1, true); /* R left out */
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        load_part(rig, &file, 2, 2, true);
        assert_int_equal(run(rig), RSS_OK);
        load_part(rig, &file, 2, 2, true); /* once more */
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        bytes_free(&file);
}

static void a_first_part_that_claims_to_be_the_last_is_refused(void **state)
{
        struct rig *rig = *state;
        struct bytes file = two_part_image();

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        assert_int_equal(rd(rig, box(0x28)), 2);
        bytes_free(&file);
}

static void a_part_of_another_image_does_not_continue_this_one(void **state)
{
        struct rig *rig = *state;
        struct bytes file = two_part_image();
        struct bytes other =
                simulated_image((struct sfi_plain_area[]){ { 'F', FLASH, blob, 64 },
                                                           { 'P', 0x081FF000, NULL, 0 },
                                                           { 'R', 0x081FF000, NULL, 0 },
                                                           { 'F', FLASH + 64, blob, 32 },
                                                           { 'F', FLASH + 96, blob, 32 } },
                                5);

        prepare(rig);
        load_part(rig, &file, 0, 2, false);
        assert_int_equal(run(rig), RSS_OK);
        load_part(rig, &other, 2, 3, true);
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        bytes_free(&file);
        bytes_free(&other);
}

static void a_reset_ends_a_running_install(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 3200);

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        part_reset(rig->part, rig->now);
        rig->now += 100 * MS;
        part_reset(rig->part, rig->now);
        rig->now += 60000 * MS;
        enter(rig);
        assert_int_equal(rd(rig, box(0x20)), RUNNING); /* and nobody will ever say done */
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        bytes_free(&file);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(without_power_nothing_answers),
                T(a_part_that_boots_answers_when_it_is_up),
                T(the_debug_port_names_itself),
                T(accesses_fault_until_debug_power_is_asked_for),
                T(a_fault_sticks_until_it_is_cleared),
                T(access_ports_that_are_not_there_read_zero),
                T(memory_through_tar_and_drw_steps_inside_a_kilobyte),
                T(narrow_accesses_use_their_byte_lanes_and_packed_ones_are_refused),
                T(the_memory_map_is_that_of_the_h75x),
                T(unaligned_and_narrow_register_accesses_fault),
                T(system_memory_holds_unique_id_size_and_marker),
                T(the_device_id_shows_on_both_ports),
                T(under_reset_only_core_and_apb_d_answer),
                T(the_core_halts_steps_and_keeps_registers),
                T(a_reset_shows_once_in_dhcsr_and_keeps_ram),
                T(vector_catch_holds_the_core_at_reset),
                T(the_sampled_counter_follows_the_boot_pin),
                T(a_fresh_part_is_erased),
                T(a_wrong_key_faults_and_locks_until_reset),
                T(a_locked_control_register_ignores_writes),
                T(a_word_takes_its_time_and_stands_after_it),
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
                T(the_rom_answers_with_a_certificate),
                T(openssl_verifies_the_certificate),
                T(the_rom_does_not_answer_when_it_does_not_run),
                T(the_rom_refuses_what_it_does_not_know),
                T(an_image_is_installed),
                T(the_option_bytes_of_the_image_stand_at_the_end),
                T(a_power_cut_leaves_the_words_whose_time_had_come),
                T(without_security_or_ram_the_rss_refuses),
                T(with_read_out_protection_the_rss_refuses),
                T(with_the_boot_pin_low_nothing_is_installed),
                T(a_license_for_another_chip_is_refused),
                T(a_changed_header_is_refused),
                T(a_changed_area_is_refused),
                T(overlapping_areas_are_refused),
                T(an_area_outside_flash_is_refused),
                T(an_area_on_written_flash_is_refused),
                T(a_weak_word_ends_the_install),
                T(option_bytes_that_may_not_change_are_refused),
                T(lists_that_do_not_fit_are_refused),
                T(two_parts_make_a_whole_even_over_a_power_cut),
                T(parts_out_of_order_are_refused),
                T(a_first_part_that_claims_to_be_the_last_is_refused),
                T(a_part_of_another_image_does_not_continue_this_one),
                T(a_reset_ends_a_running_install),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
