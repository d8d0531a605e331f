/*
 * The ST-LINK protocol against a wire that plays the worked exchanges of spec/stlink.md section 17.
 */
#include "tests/drivers/script.h"

#include "drivers/stlink.h"
#include "drivers/stlink_status.h"
#include "drivers/stlink_version.h"
#include "scheduler/fiber.h"

static int run(int (*procedure)(void *), void *subject)
{
        return test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, subject);
}

/* A probe past its opening: V3J15 in debug mode. */
static struct stlink opened(struct script *script)
{
        return (struct stlink){ .wire = &script->wire,
                                .version = { .major = 3, .jtag = 15 },
                                .has_csw = true,
                                .has_init_ap = true,
                                .has_frequency_list = true,
                                .clock_khz = 8000,
                                .is_debugging = true };
}

/* --- opening
 * ---------------------------------------------------------------------------------------- */

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

/* --- voltage and clock
 * -------------------------------------------------------------------------------- */

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

/* --- SWD, registers, words
 * ---------------------------------------------------------------------------- */

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

/* --- memory
 * --------------------------------------------------------------------------------------------- */

#define GOOD "80 00 00 00 AA BB CC DD EE FF 00 11"

static int blocks(void *unused)
{
        static const struct step steps[] = {
                { "F2 07 00 00 00 20 20 00", NULL, "01 02 03", 32, 0 }, /* 17.7 */
                { "F2 3E", NULL, GOOD, 0, 0 },
                { "F2 07 00 00 00 20 20 00 01 00 00 23", NULL, "01", 32, 0 },
                { "F2 3E", NULL, GOOD, 0, 0 },
                { "F2 08 00 00 00 20 00 04", "5A", NULL, 1024, 0 }, /* 17.8 */
                { "F2 3E", NULL, GOOD, 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        uint8_t data[1024] = { 0 };
        uint32_t progress = 7;

        (void)unused;
        assert_int_equal(stlink_read_memory(&stlink, 0, 0, 0x20000000, data, 32), 0);
        assert_int_equal(data[2], 3);
        assert_int_equal(stlink_read_memory(&stlink, 1, 0x23000000, 0x20000000, data, 32), 0);
        memset(data, 0, sizeof(data));
        data[0] = 0x5A;
        assert_int_equal(stlink_write_memory(&stlink, 0, 0, 0x20000000, data, 1024, &progress), 0);
        assert_int_equal(progress, 7 + 1024);
        script_finished(&script);
        return 0;
}

static void blocks_are_followed_by_their_status(void **state)
{
        (void)state;
        assert_int_equal(run(blocks, NULL), 0);
}

/* A wire with 64 KiB of memory at 0x24000000 that writes down every command it is given. */
struct ram {
        struct wire wire; /* first */
        uint8_t bytes[65536];
        char log[1024];
};

static int ram_exchange(struct wire *wire, const struct wire_exchange *exchange)
{
        struct ram *ram = CONTAINER_OF(wire, struct ram, wire);
        uint32_t offset = load_le32(exchange->command + 2) - 0x24000000;
        uint16_t length = load_le16(exchange->command + 6);
        size_t logged = strlen(ram->log);

        if (exchange->command[1] == 0x3E) {
                memset(exchange->in, 0, exchange->in_length);
                *(uint8_t *)exchange->in = 0x80;
                return 0;
        }
        snprintf(ram->log + logged, sizeof(ram->log) - logged, "%02X:%X+%u ", exchange->command[1],
                 offset, length);
        assert_true(offset + length <= sizeof(ram->bytes));
        if (exchange->in_length)
                memcpy(exchange->in, ram->bytes + offset, exchange->in_length);
        if (exchange->out_length)
                memcpy(ram->bytes + offset, exchange->out, exchange->out_length);
        assert_int_equal(exchange->out_length ? exchange->out_length : exchange->in_length,
                         length == 1 && exchange->in_length ? 2 : length);
        return 0;
}

static const struct wire_operations ram_operations = { .exchange = ram_exchange };

static int pieces(void *unused)
{
        static const struct {
                uint32_t offset;
                size_t length;
                const char *reads, *writes;
        } cases[] = {
                { 0, 0, "", "" },
                { 0, 1, "0C:0+1 ", "0D:0+1 " },
                { 3, 1, "0C:3+1 ", "0D:3+1 " },
                { 2, 1, "0C:2+1 ", "0D:2+1 " },
                { 1, 3, "0C:1+3 ", "0D:1+3 " },
                { 0, 4, "07:0+4 ", "08:0+4 " },
                { 3, 2, "0C:3+1 0C:4+1 ", "0D:3+1 0D:4+1 " },
                { 1, 10, "0C:1+3 07:4+4 0C:8+3 ", "0D:1+3 08:4+4 0D:8+3 " },
                { 0x3FE, 8, "0C:3FE+2 07:400+4 0C:404+2 ", "0D:3FE+2 08:400+4 0D:404+2 " },
                { 0, 6144, "07:0+6144 ", "08:0+6144 " },
                { 0, 6145, "07:0+6144 0C:1800+1 ", "08:0+6144 0D:1800+1 " },
                { 2, 12300, "0C:2+2 07:4+6144 07:1804+6144 07:3004+8 0C:300C+2 ",
                  "0D:2+2 08:4+6144 08:1804+6144 08:3004+8 0D:300C+2 " },
        };
        static struct ram ram = { .wire = { .operations = &ram_operations } };
        static uint8_t data[16384];
        struct script none = { 0 };
        struct stlink stlink = opened(&none);

        (void)unused;
        stlink.wire = &ram.wire;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                uint32_t address = 0x24000000 + cases[i].offset;
                size_t length = cases[i].length;
                uint32_t progress = 0;

                for (size_t j = 0; j < length; j++)
                        data[j] = (uint8_t)(j * 7 + i + 1);
                memset(ram.bytes, 0, sizeof(ram.bytes));
                ram.log[0] = '\0';
                assert_int_equal(
                        stlink_write_memory(&stlink, 0, 0, address, data, length, &progress), 0);
                assert_string_equal(ram.log, cases[i].writes);
                assert_int_equal(progress, length);
                assert_memory_equal(ram.bytes + cases[i].offset, data, length);
                assert_int_equal(ram.bytes[cases[i].offset + length], 0);
                memset(data, 0xEE, sizeof(data));
                ram.log[0] = '\0';
                assert_int_equal(stlink_read_memory(&stlink, 0, 0, address, data, length), 0);
                assert_string_equal(ram.log, cases[i].reads);
                assert_memory_equal(ram.bytes + cases[i].offset, data, length);
                assert_int_equal(data[length], 0xEE);
        }
        assert_fault(stlink_read_memory(&stlink, 0, 0, 0xFFFFFFF0, data, 17), BAD_VALUE,
                     "17 bytes");
        return 0;
}

static void blocks_are_cut_into_bytes_and_words(void **state)
{
        (void)state;
        assert_int_equal(run(pieces, NULL), 0);
}

static int slow_clock(void *unused)
{
        static const struct step steps[] = {
                { "F2 07 00 00 00 20 00 18", NULL, "00", 6144, 0 },
                { "F2 3E", NULL, GOOD, 0, 0 },
                { "F2 07 00 00 00 20 04 00", NULL, NULL, 4, -FAULT_TIMEOUT },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        static uint8_t data[6144];

        (void)unused;
        stlink.clock_khz = 5;
        assert_int_equal(stlink_read_memory(&stlink, 0, 0, 0x20000000, data, 6144), 0);
        stlink.clock_khz = 5;
        assert_fault(stlink_read_memory(&stlink, 0, 0, 0x20000000, data, 4), TIMEOUT, NULL);
        /* 6000 ms and three times one word of 46 clocks at 5 kHz (3.4) */
        assert_int_equal(script.timeout_ms, 6000 + 3 * 9);
        assert_int_equal(script.resyncs, 1);
        script_finished(&script);
        return 0;
}

static void slow_clocks_get_more_time_and_a_lost_answer_a_resync(void **state)
{
        (void)state;
        assert_int_equal(run(slow_clock, NULL), 0);
}

/* --- status
 * --------------------------------------------------------------------------------------------- */

#define READ                                                                                       \
        {                                                                                          \
                "F2 07 00 00 10 20 04 00", NULL, "11 22 33 44", 0, 0                               \
        }
#define WRITE                                                                                      \
        {                                                                                          \
                "F2 08 00 00 10 20 04 00", "11 22 33 44", NULL, 0, 0                               \
        }
#define CLEAR                                                                                      \
        {                                                                                          \
                "F2 46 FF FF 00 00 1E", NULL, "80 00", 0, 0                                        \
        }
#define STATUS(code, address)                                                                      \
        {                                                                                          \
                "F2 3E", NULL, code " 00 00 00 " address " 00 00 00 00", 0, 0                      \
        }

static int read_four(struct stlink *stlink)
{
        uint8_t data[4];

        return stlink_read_memory(stlink, 0, 0, 0x20100000, data, 4);
}

static int write_four(struct stlink *stlink)
{
        return stlink_write_memory(stlink, 0, 0, 0x20100000, "\x11\x22\x33\x44", 4, NULL);
}

static int waits(void *unused)
{
        static const struct step steps[] = {
                /* command, data and status are repeated as a whole */
                WRITE,
                STATUS("10", "00 00 00 00"),
                WRITE,
                STATUS("14", "00 00 00 00"),
                WRITE,
                STATUS("80", "00 00 00 00"),
                /* Q9: busy first, then faults, then good: still busy */
                READ,
                STATUS("10", "00 00 00 00"),
                READ,
                STATUS("11", "00 00 10 20"),
                READ,
                STATUS("11", "00 00 10 20"),
                READ,
                STATUS("80", "00 00 00 00"),
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        uint64_t start = clock_now_ns();

        (void)unused;
        assert_int_equal(write_four(&stlink), 0);
        assert_int_equal(clock_now_ns() - start, 1500 * NS_PER_US);
        start = clock_now_ns();
        assert_int_equal(read_four(&stlink), 0);
        assert_int_equal(clock_now_ns() - start, 3500 * NS_PER_US);
        script_finished(&script);
        return 0;
}

static void wait_repeats_command_data_and_status(void **state)
{
        (void)state;
        assert_int_equal(run(waits, NULL), 0);
}

static int faults(void *unused)
{
        static const struct step steps[] = {
                READ,
                STATUS("11", "00 00 10 20"),
                CLEAR, /* 17.9 */
                READ,
                STATUS("1D", "00 00 00 00"),
                READ,
                STATUS("13", "00 00 00 00"),
                CLEAR,
                READ,
                STATUS("80", "00 00 00 00"),
                READ,
                STATUS("13", "00 00 00 00"),
                CLEAR,
                READ,
                STATUS("13", "00 00 00 00"),
                CLEAR,
                READ,
                STATUS("16", "00 00 00 00"),
                READ,
                STATUS("77", "00 00 00 00"),
                READ,
                { "F2 3E", NULL, "80 01 00 00 00 00 00 00 00 00 00 00", 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);

        (void)unused;
        assert_fault(read_four(&stlink), TARGET_ACCESS,
                     "READMEM_32BIT at 0x20100000: status 11 SWD_AP_FAULT at 0x20100000");
        assert_fault(read_four(&stlink), PROBE, "BAD_AP");
        assert_int_equal(read_four(&stlink), 0);
        assert_fault(read_four(&stlink), PROBE, "SWD_AP_PARITY_ERROR");
        assert_fault(read_four(&stlink), TARGET_LOST, "SWD_DP_ERROR");
        assert_fault(read_four(&stlink), PROBE, "status 77 UNKNOWN_STATUS");
        assert_fault(read_four(&stlink), PROBE, "status 180 UNKNOWN_STATUS");
        script_finished(&script);
        return 0;
}

static void faults_are_cleared_and_told_with_their_address(void **state)
{
        (void)state;
        assert_int_equal(run(faults, NULL), 0);
}

static int busy_forever(void *unused)
{
        struct step steps[80];
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        uint64_t start = clock_now_ns(), took;

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(steps); i += 2) {
                steps[i] = (struct step)READ;
                steps[i + 1] = (struct step)STATUS("10", "00 00 00 00");
        }
        /* 0.5, 1 ... 64 ms, then 64 ms each, until the next pause would pass 2 s */
        steps[2 * 38] = (struct step)CLEAR;
        assert_fault(read_four(&stlink), TARGET_ACCESS, "after 2 s of WAIT");
        took = clock_now_ns() - start;
        assert_true(took > 1900 * NS_PER_MS && took <= 2000 * NS_PER_MS);
        assert_int_equal(script.at, 2 * 38 + 1);
        return 0;
}

static void a_target_busy_for_two_seconds_is_given_up(void **state)
{
        (void)state;
        assert_int_equal(run(busy_forever, NULL), 0);
}

static void every_status_has_its_name_and_fault(void **state)
{
        static const struct {
                uint8_t code;
                const char *name;
                enum fault fault;
        } rows[] = {
                { 0x80, "OK", FAULT_NONE },
                { 0x0D, "WRITE_VERIF_ERROR", FAULT_NONE },
                { 0x05, "NO_DEVICE_CONNECTED", FAULT_NO_TARGET },
                { 0x09, "GET_IDCODE_ERROR", FAULT_NO_TARGET },
                { 0x0B, "DBG_POWER_ERROR", FAULT_TARGET_LOST },
                { 0x15, "SWD_DP_FAULT", FAULT_TARGET_LOST },
                { 0x16, "SWD_DP_ERROR", FAULT_TARGET_LOST },
                { 0x11, "SWD_AP_FAULT", FAULT_TARGET_ACCESS },
                { 0x0C, "WRITE_ERROR", FAULT_TARGET_ACCESS },
                { 0x19, "SWD_AP_STICKY_ERROR", FAULT_TARGET_ACCESS },
                { 0x1D, "BAD_AP", FAULT_PROBE },
                { 0x42, "UNKNOWN_CMD", FAULT_PROBE },
                { 0x81, "DEBUG_FAULT", FAULT_TARGET_ACCESS },
                { 0x00, "SWIM_OK", FAULT_PROBE },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(rows); i++) {
                assert_string_equal(stlink_status_name(rows[i].code), rows[i].name);
                assert_int_equal(stlink_status_find(rows[i].code)->fault, rows[i].fault);
        }
        /* Only success has no fault, whatever byte comes. */
        for (unsigned code = 0; code <= 0xFF; code++) {
                const struct stlink_status *status = stlink_status_find((uint8_t)code);

                assert_non_null(status->name);
                assert_int_equal(status->fault == FAULT_NONE, status->retry == STLINK_DONE);
        }
}

/* --- trouble on the wire
 * -------------------------------------------------------------------------------- */

static int unplugged(void *unused)
{
        static const struct step steps[] = {
                READ,
                { "F2 3E", NULL, NULL, 0, -FAULT_UNPLUGGED },
                { "F2 21", NULL, NULL, 0, -FAULT_UNPLUGGED },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script), zeroed = { 0 };

        (void)unused;
        assert_fault(read_four(&stlink), UNPLUGGED, "READMEM_32BIT");
        assert_int_equal(script.resyncs, 0);
        stlink_close(&stlink);
        stlink_close(&zeroed);
        assert_int_equal(script.closes, 1);
        script_finished(&script);
        return 0;
}

static void an_unplugged_probe_is_not_resynced_but_closed(void **state)
{
        (void)state;
        assert_int_equal(run(unplugged, NULL), 0);
}

static int cancelled_exit(void *unused)
{
        static const struct step steps[] = {
                { "F2 21", NULL, NULL, 0, -FAULT_CANCELLED },
                { "F2 21", NULL, NULL, 0, 0 },
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);

        (void)unused;
        stlink_close(&stlink);
        assert_int_equal(script.closes, 1);
        assert_int_equal(script.resyncs, 1);
        script_finished(&script);
        return 0;
}

static void a_cancel_does_not_keep_the_probe_in_debug_mode(void **state)
{
        (void)state;
        assert_int_equal(run(cancelled_exit, NULL), 0);
}

static int busy_reader(void *subject)
{
        return read_four(subject);
}

static int cancel_in_wait(void *unused)
{
        static const struct step steps[] = {
                READ,
                STATUS("10", "00 00 00 00"),
                READ,
                STATUS("80", "00 00 00 00"),
        };
        struct script script = SCRIPT(0x374F, steps);
        struct stlink stlink = opened(&script);
        struct fiber *fiber = fiber_spawn("reader", busy_reader, &stlink);

        (void)unused;
        assert_int_equal(fiber_yield(), 0);
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), -FAULT_CANCELLED);
        assert_int_equal(read_four(&stlink), 0);
        script_finished(&script);
        return 0;
}

static void a_cancel_ends_the_backoff_and_leaves_the_probe_usable(void **state)
{
        (void)state;
        assert_int_equal(run(cancel_in_wait, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_status_has_its_name_and_fault),
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
                cmocka_unit_test(single_words_and_reset_lines),
                cmocka_unit_test(blocks_are_followed_by_their_status),
                cmocka_unit_test(blocks_are_cut_into_bytes_and_words),
                cmocka_unit_test(slow_clocks_get_more_time_and_a_lost_answer_a_resync),
                cmocka_unit_test(wait_repeats_command_data_and_status),
                cmocka_unit_test(faults_are_cleared_and_told_with_their_address),
                cmocka_unit_test(a_target_busy_for_two_seconds_is_given_up),
                cmocka_unit_test(an_unplugged_probe_is_not_resynced_but_closed),
                cmocka_unit_test(a_cancel_does_not_keep_the_probe_in_debug_mode),
                cmocka_unit_test(a_cancel_ends_the_backoff_and_leaves_the_probe_usable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
