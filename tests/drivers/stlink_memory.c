/*
 * Blocks of memory, status codes and trouble on the wire; a wire plays the exchanges of
 * spec/stlink.md sections 9, 10, 11 and 17.
 */
#include "tests/drivers/script.h"

#include "drivers/stlink_status.h"
#include "scheduler/fiber.h"

/* --- memory -------------------------------------------------------------------------------- */

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

/* --- status -------------------------------------------------------------------------------- */

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

/* --- trouble on the wire ------------------------------------------------------------------- */

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
