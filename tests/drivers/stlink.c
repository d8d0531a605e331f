/*
 * A session with an ST-LINK - opening, clock, SWD, single words - over a wire that plays the worked
 * exchanges of spec/stlink.md section 17.
 */
#include "tests/drivers/script.h"

#include "drivers/stlink.h"
#include "drivers/stlink_version.h"

/* --- opening ------------------------------------------------------------------------------- */

static int old_v2(void *unused)
{
        static const struct step steps[] = {
                { "F1 80", NULL, "27 07 83 04 48 37", 0, 0 }, /* 17.1 */
                { "F5", NULL, "01 00", 0, 0 },
        };
        struct script script = SCRIPT(0x3748, steps);
        struct stlink stlink;

        (void)unused;
        assert_fault(stlink_open(&script.wire, &stlink), PROBE_OLD, "V2J28S7");
        script_finished(&script);
        assert_int_equal(script.closes, 1);
        return 0;
}

static void firmware_below_the_floor_is_refused_by_name(void **state)
{
        (void)state;
        assert_int_equal(run(old_v2, NULL), 0);
}

static int v3pwr(void *unused)
{
        static const struct step steps[] = {
                { "F1 80", NULL, "40 00 83 04 57 37", 0, 0 }, /* 17.2 */
                { "FB 80", NULL, "04 00 06 00 02 06 00 00 83 04 57 37", 0, 0 },
                { "F5", NULL, "01 04", 0, 0 },
        };
        struct script script = SCRIPT(0x3757, steps);
        struct stlink stlink;

        (void)unused;
        assert_int_equal(stlink_open(&script.wire, &stlink), 0);
        script_finished(&script);
        assert_string_equal(stlink.version.text, "V4J6B2P6");
        assert_int_equal(stlink.version.product, 0x3757);
        assert_true(stlink.has_frequency_list && stlink.has_csw && stlink.has_init_ap);
        assert_int_equal(script.resyncs, 1); /* drained what a dead process left */
        assert_int_equal(script.closes, 0);
        stlink_close(&stlink);
        assert_int_equal(script.closes, 1);
        stlink_close(&stlink);
        assert_int_equal(script.closes, 1);
        return 0;
}

static void a_v3pwr_is_asked_twice_for_its_version(void **state)
{
        (void)state;
        assert_int_equal(run(v3pwr, NULL), 0);
}

static int left_in_debug(void *unused)
{
        static const struct step steps[] = {
                { "F1 80", NULL, "25 8F 83 04 4B 37", 0, 0 }, /* 2, 22, 15: but not an STM8 */
                { "F5", NULL, "02 00", 0, 0 },
                { "F2 21", NULL, NULL, 0, 0 },
        };
        struct script script = SCRIPT(0x374B, steps);
        struct stlink stlink;

        (void)unused;
        assert_fault(stlink_open(&script.wire, &stlink), PROBE_OLD, "V2J22M15");
        script_finished(&script);
        return 0;
}

static void a_probe_left_in_debug_mode_is_taken_out_of_it(void **state)
{
        (void)state;
        assert_int_equal(run(left_in_debug, NULL), 0);
}

static int left_in_swim(void *unused)
{
        static const struct step steps[] = {
                { "F1 80", NULL, "29 5B 83 04 4B 37", 0, 0 }, /* 2, 37, 27 */
                { "F5", NULL, "03 00", 0, 0 },
                { "F4 01", NULL, NULL, 0, 0 },
        };
        struct script script = SCRIPT(0x374B, steps);
        struct stlink stlink;

        (void)unused;
        assert_int_equal(stlink_open(&script.wire, &stlink), 0);
        script_finished(&script);
        assert_string_equal(stlink.version.text, "V2J37M27");
        assert_false(stlink.has_frequency_list);
        stlink_close(&stlink);
        return 0;
}

static void a_probe_left_in_swim_is_taken_out_of_it(void **state)
{
        (void)state;
        assert_int_equal(run(left_in_swim, NULL), 0);
}

static int stuck_loader(void *unused)
{
        struct step steps[23] = {
                { "F1 80", NULL, "29 5B 83 04 4B 37", 0, 0 },
                { "F5", NULL, "00 01", 0, 0 },
                { "F3 07", NULL, NULL, 0, 0 },
        };
        struct script script = SCRIPT(0x3748, steps);
        struct stlink stlink;
        uint64_t start = clock_now_ns();

        (void)unused;
        for (size_t i = 3; i < LENGTH_OF(steps); i++)
                steps[i] = (struct step){ "F5", NULL, "00 01", 0, 0 };
        assert_fault(stlink_open(&script.wire, &stlink), PROBE_OLD, "firmware loader");
        script_finished(&script);
        assert_int_equal(clock_now_ns() - start, 2 * NS_PER_S);
        return 0;
}

static void a_probe_that_stays_in_its_loader_is_refused_after_two_seconds(void **state)
{
        (void)state;
        assert_int_equal(run(stuck_loader, NULL), 0);
}

static int loader_that_leaves(void *unused)
{
        static const struct step steps[] = {
                { "F1 80", NULL, "30 00 83 04 4D 37", 0, 0 },
                { "FB 80", NULL, "03 00 00 00 00 00 00 00 83 04 4D 37", 0, 0 },
                { "F5", NULL, "00 00", 0, 0 },
                { "F3 07", NULL, NULL, 0, 0 },
                { "F5", NULL, NULL, 0, -FAULT_UNPLUGGED },
        };
        struct script script = SCRIPT(0x374D, steps);
        struct stlink stlink;

        (void)unused;
        assert_fault(stlink_open(&script.wire, &stlink), UNPLUGGED, NULL);
        script_finished(&script);
        assert_int_equal(script.closes, 1);
        return 0;
}

static void a_probe_that_leaves_its_loader_comes_back_as_a_new_device(void **state)
{
        (void)state;
        assert_int_equal(run(loader_that_leaves, NULL), 0);
}

static int silent_version(void *unused)
{
        static const struct step steps[] = {
                { "F1 80", NULL, NULL, 0, -FAULT_TIMEOUT },
                { "F1 80", NULL, NULL, 0, -FAULT_TIMEOUT },
                { "F1 80", NULL, "30 00 83 04 4F 37", 0, 0 },
                { "FB 80", NULL, "03 01 0F 07 05 00 00 00 83 04 4F 37", 0, 0 },
                { "F5", NULL, "01 00", 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink;

        (void)unused;
        assert_int_equal(stlink_open(&script.wire, &stlink), 0);
        script_finished(&script);
        assert_int_equal(script.resets, 1);
        assert_string_equal(stlink.version.text, "V3J15M7B5S1");
        stlink_close(&stlink);
        return 0;
}

static void an_unanswered_version_costs_one_device_reset(void **state)
{
        (void)state;
        assert_int_equal(run(silent_version, NULL), 0);
}

static int dead_probe(void *unused)
{
        static const struct step steps[] = {
                { "F1 80", NULL, NULL, 0, -FAULT_TIMEOUT },
                { "F1 80", NULL, NULL, 0, -FAULT_TIMEOUT },
                { "F1 80", NULL, NULL, 0, -FAULT_TIMEOUT },
                { "F1 80", NULL, NULL, 0, -FAULT_TIMEOUT },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink;

        (void)unused;
        assert_fault(stlink_open(&script.wire, &stlink), TIMEOUT, "the script says so");
        script_finished(&script);
        assert_int_equal(script.resets, 1);
        assert_int_equal(script.closes, 1);
        return 0;
}

static void a_probe_that_never_answers_is_reset_only_once(void **state)
{
        (void)state;
        assert_int_equal(run(dead_probe, NULL), 0);
}

static void versions_are_read_by_product(void **state)
{
        static const struct {
                uint16_t product;
                uint8_t word[2];
                const char *text;
                bool asks_again;
        } cases[] = {
                { 0x3748, { 0x27, 0x07 }, "V2J28S7", false },
                { 0x374B, { 0x29, 0x5B }, "V2J37M27", false },
                { 0x374B, { 0x25, 0x87 }, "V2J0M22S7", false },  /* STM8 Nucleo: x 22, y 7 */
                { 0x3752, { 0x26, 0x4C }, "V2J0M25S12", false }, /* x 25, y 12 */
                { 0x374F, { 0x30, 0x00 }, "V3J0", true },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                uint8_t answer[6] = { cases[i].word[0], cases[i].word[1], 0x83, 0x04 };
                struct stlink_version version;

                assert_int_equal(stlink_version_parse(answer, cases[i].product, &version),
                                 cases[i].asks_again);
                assert_string_equal(version.text, cases[i].text);
                assert_int_equal(version.vendor, 0x0483);
        }
}

static int floors(void *unused)
{
        static const struct {
                uint8_t major, jtag;
                bool is_enough;
        } cases[] = { { 1, 40, false }, { 2, 0, false }, { 2, 31, false }, { 2, 32, true },
                      { 3, 0, false },  { 3, 2, false }, { 3, 3, true },   { 4, 6, true } };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct stlink_version version = { .major = cases[i].major, .jtag = cases[i].jtag };

                assert_int_equal(stlink_version_check(&version, "1-4"),
                                 cases[i].is_enough ? 0 : -FAULT_PROBE_OLD);
        }
        return 0;
}

static void the_floor_is_v2j32_and_v3j3(void **state)
{
        (void)state;
        assert_int_equal(run(floors, NULL), 0);
}

/* --- voltage and clock --------------------------------------------------------------------- */

static int voltages(void *unused)
{
        static const struct step steps[] = {
                { "F7", NULL, "ED 05 00 00 CA 08 00 00", 0, 0 }, /* 5.4 */
                { "F7", NULL, "F1 05 00 00 0B 08 00 00", 0, 0 },
                { "F7", NULL, "55 05 00 00 40 00 00 00", 0, 0 },
                { "F7", NULL, "00 00 00 00 0B 08 00 00", 0, 0 },
                { "F7", NULL, "01 00 00 00 FF FF FF FF", 0, 0 },
        };
        static const unsigned expected[] = { 3559, 3248, 112, 0, 0 };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(expected); i++) {
                unsigned mv = 1;

                assert_int_equal(stlink_voltage_mv(&stlink, &mv), 0);
                assert_int_equal(mv, expected[i]);
        }
        script_finished(&script);
        return 0;
}

static void the_voltage_is_twice_the_second_value_on_the_reference(void **state)
{
        (void)state;
        assert_int_equal(run(voltages, NULL), 0);
}

#define LIST_24M                                                                                   \
        "80 00 00 00 C0 5D 00 00 07 00 00 00"                                                      \
        "C0 5D 00 00 40 1F 00 00 E4 0C 00 00 E8 03 00 00 C8 00 00 00 32 00 00 00 05 00 00 00"

static int clock_v3(void *unused)
{
        static const struct step steps[] = {
                { "F2 63 01", NULL, "40 00 00 00 00 00 00 00", 0, 0 }, /* 17.3 */
                { "F2 62 00", NULL, LIST_24M, 52, 0 },
                { "F2 61 00 00 40 1F 00 00", NULL, "80 00 00 00 40 1F 00 00", 0, 0 },
                /* The prescaler is set once; 9 MHz is not in the list, 8 MHz is below. */
                { "F2 62 00", NULL, LIST_24M, 52, 0 },
                { "F2 61 00 00 40 1F 00 00", NULL, "80 00 00 00 40 1F 00 00", 0, 0 },
                { "F2 62 00", NULL, LIST_24M, 52, 0 },
                { "F2 62 00", NULL, LIST_24M, 52, 0 },
                { "F2 61 00 00 40 1F 00 00", NULL, "80 00 00 00 C0 5D 00 00", 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);

        (void)unused;
        stlink.clock_khz = 0;
        assert_int_equal(stlink_set_clock(&stlink, 8000), 0);
        assert_int_equal(stlink.clock_khz, 8000);
        assert_int_equal(stlink_set_clock(&stlink, 9000), 0);
        assert_fault(stlink_set_clock(&stlink, 4), BAD_VALUE, "4 kHz");
        assert_fault(stlink_set_clock(&stlink, 8000), PROBE, "runs at 24000 kHz");
        script_finished(&script);
        return 0;
}

static void v3_takes_the_highest_listed_clock_not_above_the_request(void **state)
{
        (void)state;
        assert_int_equal(run(clock_v3, NULL), 0);
}

static int clock_v3_refusing(void *unused)
{
        static const struct step steps[] = {
                { "F2 63 01", NULL, "42 00 00 00 00 00 00 00", 0, 0 },
                { "F2 62 00", NULL, LIST_24M, 52, 0 },
                { "F2 61 00 00 E4 0C 00 00", NULL, "80 00 00 00 E4 0C 00 00", 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);

        (void)unused;
        stlink.clock_khz = 0;
        stlink.version.jtag = 9;
        assert_int_equal(stlink_set_clock(&stlink, 24000), 0);
        assert_int_equal(stlink.clock_khz, 3300);
        script_finished(&script);
        return 0;
}

static void v3_before_j10_stays_at_3300_khz(void **state)
{
        (void)state;
        assert_int_equal(run(clock_v3_refusing, NULL), 0);
}

static int clock_v2(void *unused)
{
        static const struct step steps[] = {
                { "F2 43 00 00", NULL, "80 00", 0, 0 }, /* 17.3 */
                { "F2 43 01 00", NULL, "80 00", 0, 0 },
                { "F2 43 1E 03", NULL, "80 00", 0, 0 }, /* 798: 5 kHz */
        };
        struct script script = SCRIPT(0x374B, steps);
        struct stlink stlink = opened(&script);

        (void)unused;
        stlink.has_frequency_list = false;
        stlink.version.major = 2;
        assert_int_equal(stlink_set_clock(&stlink, 24000), 0);
        assert_int_equal(stlink.clock_khz, 4000);
        assert_int_equal(stlink_set_clock(&stlink, 1900), 0);
        assert_int_equal(stlink.clock_khz, 1800);
        assert_int_equal(stlink_set_clock(&stlink, 7), 0);
        assert_int_equal(stlink.clock_khz, 5);
        assert_fault(stlink_set_clock(&stlink, 4), BAD_VALUE, NULL);
        script_finished(&script);
        return 0;
}

static void v2_takes_a_delay_count(void **state)
{
        (void)state;
        assert_int_equal(run(clock_v2, NULL), 0);
}

/* --- SWD, registers, words ----------------------------------------------------------------- */

static int enter(void *unused)
{
        static const struct step steps[] = {
                { "F2 30 A3", NULL, "80 00", 0, 0 }, /* 17.4 */
                { "F2 31", NULL, "80 00 00 00 77 14 A0 2B 00 00 00 00", 0, 0 },
                { "F2 30 A3", NULL, "09 00", 0, 0 }, /* again without leaving: V3J15 */
                { "F2 21", NULL, NULL, 0, 0 },
                { "F2 21", NULL, NULL, 0, 0 }, /* V2 leaves before it enters again */
                { "F2 30 A3", NULL, "80 00", 0, 0 },
                { "F2 31", NULL, "80 00 00 00 77 24 A0 6B 00 00 00 00", 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        uint32_t dpidr;

        (void)unused;
        stlink.is_debugging = false;
        assert_int_equal(stlink_enter(&stlink, &dpidr), 0);
        assert_int_equal(dpidr, 0x2BA01477);
        assert_fault(stlink_enter(&stlink, &dpidr), NO_TARGET, "GET_IDCODE_ERROR");
        assert_true(stlink.is_debugging); /* the probe may be: it must be told to leave */
        assert_int_equal(stlink_exit(&stlink), 0);
        assert_false(stlink.is_debugging);
        stlink.is_debugging = true;
        stlink.version.major = 2;
        assert_int_equal(stlink_enter(&stlink, &dpidr), 0);
        assert_int_equal(dpidr, 0x6BA02477);
        script_finished(&script);
        return 0;
}

static void entering_swd_reads_the_dp_id(void **state)
{
        (void)state;
        assert_int_equal(run(enter, NULL), 0);
}

static int dap(void *unused)
{
        static const struct step steps[] = {
                { "F2 4B 00 00", NULL, "80 00", 0, 0 }, /* 17.5 */
                { "F2 45 00 00 FC 00", NULL, "80 00 00 00 11 00 77 24", 0, 0 },
                { "F2 45 FF FF 04 00", NULL, "80 00 00 00 40 00 00 F0", 0, 0 },
                { "F2 46 FF FF 00 00 1E 00 00 00", NULL, "80 00", 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        uint32_t value;

        (void)unused;
        assert_int_equal(stlink_open_ap(&stlink, 0), 0);
        assert_int_equal(stlink_read_dap(&stlink, 0, 0xFC, &value), 0);
        assert_int_equal(value, 0x24770011);
        assert_int_equal(stlink_read_dap(&stlink, STLINK_DP, 0x04, &value), 0);
        assert_int_equal(value, 0xF0000040);
        assert_int_equal(stlink_clear_errors(&stlink), 0);
        script_finished(&script);
        return 0;
}

static void access_port_and_debug_port_registers(void **state)
{
        (void)state;
        assert_int_equal(run(dap, NULL), 0);
}

static int registers(void *unused)
{
        static const struct step steps[] = {
                { "F2 34 0F 41 00 00 24", NULL, "80 00", 0, 0 }, /* stlink.md 8 */
                { "F2 33 00", NULL, "80 00 00 00 01 00 00 00", 0, 0 },
                { "F2 34 00 04 03 02 01 01", NULL, "80 00", 0, 0 }, /* AP 1 */
                { "F2 33 10 01", NULL, "80 00 00 00 00 00 00 01", 0, 0 },
                { "F2 33 0F", NULL, "1D 00 00 00 00 00 00 00", 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        uint32_t value;

        (void)unused;
        assert_int_equal(stlink_write_register(&stlink, 0, 15, 0x24000041), 0);
        assert_int_equal(stlink_read_register(&stlink, 0, 0, &value), 0);
        assert_int_equal(value, 1);
        assert_int_equal(stlink_write_register(&stlink, 1, 0, 0x01020304), 0);
        assert_int_equal(stlink_read_register(&stlink, 1, 16, &value), 0);
        assert_int_equal(value, 0x01000000);
        assert_fault(stlink_read_register(&stlink, 0, 15, &value), PROBE, "READREG");
        script_finished(&script);
        return 0;
}

static void registers_of_the_core(void **state)
{
        (void)state;
        assert_int_equal(run(registers, NULL), 0);
}

static int words(void *unused)
{
        static const struct step steps[] = {
                { "F2 35 F0 ED 00 E0 03 00 5F A0", NULL, "80 00", 0, 0 }, /* 17.6 */
                { "F2 36 F0 ED 00 E0", NULL, "80 00 00 00 03 00 03 00", 0, 0 },
                { "F2 35 0C ED 00 E0 04 00 FA 05", NULL, "80 00", 0, 0 },
                { "F2 36 0C ED 00 E0", NULL, "80 00 00 00 00 00 05 FA", 0, 0 },
                { "F2 36 00 10 00 5C 01", NULL, "80 00 00 00 50 64 03 20", 0, 0 }, /* AP 1 */
                { "F2 35 FC ED 00 E0 01 00 00 01 01", NULL, "0D 00", 0, 0 },
                { "F2 3C 00", NULL, "80 00", 0, 0 }, /* 17.11 */
                { "F2 3C 01", NULL, "80 00", 0, 0 },
                { "F2 32", NULL, "80 00", 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        uint32_t value;

        (void)unused;
        assert_int_equal(stlink_write_word(&stlink, 0, 0xE000EDF0, 0xA05F0003), 0);
        assert_int_equal(stlink_read_word(&stlink, 0, 0xE000EDF0, &value), 0);
        assert_int_equal(value, 0x00030003);
        assert_int_equal(stlink_write_word(&stlink, 0, 0xE000ED0C, 0x05FA0004), 0);
        assert_int_equal(stlink_read_word(&stlink, 0, 0xE000ED0C, &value), 0);
        assert_int_equal(value, 0xFA050000);
        assert_int_equal(stlink_read_word(&stlink, 1, 0x5C001000, &value), 0);
        assert_int_equal(value, 0x20036450);
        /* A register that does not read back is written all the same. */
        assert_int_equal(stlink_write_word(&stlink, 1, 0xE000EDFC, 0x01000001), 0);
        assert_int_equal(stlink_drive_nrst(&stlink, STLINK_NRST_LOW), 0);
        assert_int_equal(stlink_drive_nrst(&stlink, STLINK_NRST_HIGH), 0);
        assert_int_equal(stlink_reset_target(&stlink), 0);
        script_finished(&script);
        return 0;
}

static void single_words_and_reset_lines(void **state)
{
        (void)state;
        assert_int_equal(run(words, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(versions_are_read_by_product),
                cmocka_unit_test(the_floor_is_v2j32_and_v3j3),
                cmocka_unit_test(firmware_below_the_floor_is_refused_by_name),
                cmocka_unit_test(a_v3pwr_is_asked_twice_for_its_version),
                cmocka_unit_test(a_probe_left_in_debug_mode_is_taken_out_of_it),
                cmocka_unit_test(a_probe_left_in_swim_is_taken_out_of_it),
                cmocka_unit_test(a_probe_that_stays_in_its_loader_is_refused_after_two_seconds),
                cmocka_unit_test(a_probe_that_leaves_its_loader_comes_back_as_a_new_device),
                cmocka_unit_test(an_unanswered_version_costs_one_device_reset),
                cmocka_unit_test(a_probe_that_never_answers_is_reset_only_once),
                cmocka_unit_test(the_voltage_is_twice_the_second_value_on_the_reference),
                cmocka_unit_test(v3_takes_the_highest_listed_clock_not_above_the_request),
                cmocka_unit_test(v3_before_j10_stays_at_3300_khz),
                cmocka_unit_test(v2_takes_a_delay_count),
                cmocka_unit_test(entering_swd_reads_the_dp_id),
                cmocka_unit_test(access_port_and_debug_port_registers),
                cmocka_unit_test(registers_of_the_core),
                cmocka_unit_test(single_words_and_reset_lines),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
