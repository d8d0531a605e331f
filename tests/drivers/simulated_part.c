/*
 * The simulated part by itself: debug port, memory map, core.
 */
#include "tests/support/part_rig.h"

/* --- debug port ---------------------------------------------------------------------------- */

static void without_power_nothing_answers(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        part_power(rig->part, rig->now, false);
        assert_true(rig_is_silent(rig));
        assert_int_equal(rig_try_read(rig, RAM, &value), PART_SILENT);
        assert_int_equal(rig_try_write(rig, RAM, 0), PART_SILENT);
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
        assert_true(rig_is_silent(rig));
        rig->now++;
        assert_false(rig_is_silent(rig));
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
        assert_int_equal(rig_try_read(rig, RAM, &value), PART_FAULT);
        rig_enter(rig);
        assert_int_equal(rig_try_read(rig, RAM, &value), PART_OK);
}

static void a_fault_sticks_until_it_is_cleared(void **state)
{
        struct rig *rig = *state;
        uint32_t value;

        assert_int_equal(rig_try_read(rig, 0x60000000, &value), PART_FAULT);
        assert_int_equal(rig_try_read(rig, RAM, &value), PART_FAULT);
        assert_int_equal(part_dp_read(rig->part, rig->now, 0x0C, &value), PART_FAULT);
        assert_int_equal(part_ap_read(rig->part, rig->now, 0, 0xFC, &value), PART_FAULT);
        assert_int_equal(part_dp_read(rig->part, rig->now, 4, &value), PART_OK);
        assert_true(value & 0x20);
        part_dp_write(rig->part, rig->now, 0, 0x04);
        assert_int_equal(rig_try_read(rig, RAM, &value), PART_OK);
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

/* --- memory map ---------------------------------------------------------------------------- */

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
        assert_false(rig_is_silent(rig));
        assert_read_faults(rig, 0x5C001000);
        assert_read_faults(rig, RAM);
        assert_int_equal(rd(rig, 0xE000ED00), 0x411FC271);
        assert_int_equal(part_read(rig->part, rig->now, 2, 0xE00E1000, word, 4), PART_OK);
        part_hold_reset(rig->part, rig->now, false);
        assert_true(rig_is_silent(rig));
        rig->now += 10 * MS;
        assert_int_equal(rd(rig, 0x5C001000), 0x20030450);
}

/* --- core ---------------------------------------------------------------------------------- */

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
        assert_false(rig_is_silent(rig));
        wr(rig, AIRCR, 0x05FA0004);
        assert_true(rig_is_silent(rig));
        rig->now += 10 * MS;
        assert_true(rd(rig, DHCSR) & 0x02000000);
        assert_false(rd(rig, DHCSR) & 0x02000000);
        assert_int_equal(rd(rig, RAM), 0x1234);
        rig_power_cycle(rig);
        assert_int_equal(rd(rig, RAM), 0);
}

static void vector_catch_holds_the_core_at_reset(void **state)
{
        struct rig *rig = *state;

        wr(rig, DEMCR, 0x01000001);
        wr(rig, DHCSR, 0xA05F0001);
        wr(rig, AIRCR, 0x05FA0004);
        assert_false(rig_is_silent(rig));
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
        rig_power_cycle(rig);
        wr(rig, DEMCR, 0x01000000);
        assert_in_range(rd(rig, PCSR), FLASH, FLASH + 0x1FFFFF);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
