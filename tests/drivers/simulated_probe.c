/*
 * The simulated probe at packet level: the worked exchanges of stlink.md 17, sizes, modes,
 * statuses, durations, and what it refuses.
 */
#include "tests/support/part_rig.h"

#include "drivers/simulated/probe.h"

#include <stdlib.h>

#define COMMAND_LENGTH 16u

struct bench_top {
        struct rig rig; /* its own part, powered */
        struct simulated_probe *probe;
        uint64_t now;
        uint8_t answer[70000];
};

static void use_probe(struct bench_top *top, uint16_t product, uint8_t version)
{
        struct probe_settings settings = { .product = product,
                                           .jtag_version = version,
                                           .serial = "003100000000000000000001",
                                           .speed = 1.0 };

        probe_destroy(top->probe);
        top->probe = probe_create(&settings);
        probe_set_part(top->probe, top->rig.part);
}

static int setup(void **state)
{
        struct bench_top *top = calloc(1, sizeof(*top));

        top->rig.store = calloc(1, part_store_length(simulated_family()));
        rig_make_part(&top->rig);
        part_power(top->rig.part, 0, true);
        top->now = 1000 * MS;
        use_probe(top, 0x374F, 15);
        *state = top;
        return 0;
}

static int teardown(void **state)
{
        struct bench_top *top = *state;

        probe_destroy(top->probe);
        part_destroy(top->rig.part);
        free(top->rig.store);
        free(top);
        return 0;
}

/* --- verbs --------------------------------------------------------------------------------- */

static void send_bytes(struct bench_top *top, const void *bytes, size_t length)
{
        top->now = probe_out(top->probe, top->now, bytes, length);
}

static void send(struct bench_top *top, const char *hex)
{
        uint8_t command[COMMAND_LENGTH] = { 0 };
        char digits[2 * COMMAND_LENGTH + 1];
        size_t count = 0;

        for (; *hex && count < 2 * COMMAND_LENGTH; hex++)
                if (*hex != ' ')
                        digits[count++] = *hex;
        digits[count] = '\0';
        assert_true(hex_decode(digits, command, count / 2));
        send_bytes(top, command, sizeof(command));
}

static int receive(struct bench_top *top)
{
        return probe_in(top->probe, top->now, top->answer, sizeof(top->answer) / 512 * 512);
}

/* Send a command, expect an answer of `length` bytes; returns its first byte. */
static unsigned ask(struct bench_top *top, const char *hex, int length)
{
        send(top, hex);
        assert_int_equal(receive(top), length);
        assert_false(probe_take_stall(top->probe));
        return top->answer[0];
}

static void assert_answer(struct bench_top *top, const char *hex, const char *expected)
{
        char found[2 * 128 + 1], wanted[2 * 128 + 1];
        size_t count = 0;
        int length;

        for (; *expected; expected++)
                if (*expected != ' ')
                        wanted[count++] = *expected;
        wanted[count] = '\0';
        send(top, hex);
        length = receive(top);
        assert_in_range(length, 1, 128);
        hex_encode(top->answer, (size_t)length, found);
        assert_string_equal(found, wanted);
}

static void enter(struct bench_top *top)
{
        assert_int_equal(ask(top, "F2 30 A3", 2), 0x80);
        assert_int_equal(ask(top, "F2 4B 00", 2), 0x80);
}

static uint32_t value(const struct bench_top *top)
{
        return load_le32(top->answer + 4);
}

static unsigned last_status(struct bench_top *top)
{
        return ask(top, "F2 3E", 12);
}

static void command_memory(uint8_t *command, uint8_t opcode, uint32_t address, uint16_t length)
{
        memset(command, 0, COMMAND_LENGTH);
        command[0] = 0xF2;
        command[1] = opcode;
        store_le32(command + 2, address);
        store_le16(command + 6, length);
}

static unsigned write_memory(struct bench_top *top, uint8_t opcode, uint32_t address,
                             const void *data, uint16_t length)
{
        uint8_t command[COMMAND_LENGTH];

        command_memory(command, opcode, address, length);
        send_bytes(top, command, sizeof(command));
        send_bytes(top, data, length);
        return last_status(top);
}

static unsigned read_memory(struct bench_top *top, uint8_t opcode, uint32_t address,
                            uint16_t length, void *ret_data)
{
        uint8_t command[COMMAND_LENGTH];
        int expected = length == 1 && opcode == 0x0C ? 2 : length;

        command_memory(command, opcode, address, length);
        send_bytes(top, command, sizeof(command));
        assert_int_equal(receive(top), expected);
        memcpy(ret_data, top->answer, length);
        return last_status(top);
}

static bool is_refused(struct bench_top *top, const char *hex)
{
        send(top, hex);
        assert_int_equal(receive(top), -1);
        return probe_take_stall(top->probe);
}

/* --- identity ------------------------------------------------------------------------------ */

static void a_v3_tells_its_version_in_two_steps(void **state)
{
        struct bench_top *top = *state;

        assert_answer(top, "F1 80", "3000 8304 4F37");
        assert_answer(top, "FB", "03 01 0F 07 05 00 0000 8304 4F37");
        assert_answer(top, "F5", "0100");
}

static void a_v2_1_tells_its_version_in_one(void **state)
{
        struct bench_top *top = *state;

        use_probe(top, 0x374B, 37);
        assert_answer(top, "F1", "295B 8304 4B37"); /* 2, 37, 27 */
        assert_int_equal(ask(top, "FB", 2), 0x42);
        assert_int_equal(ask(top, "F2 62 00", 2), 0x42);
        assert_int_equal(ask(top, "F2 43 01 00", 2), 0x80);
}

static unsigned voltage_mv(struct bench_top *top)
{
        (void)ask(top, "F7", 8);
        return 2400 * load_le32(top->answer + 4) / load_le32(top->answer);
}

static void the_voltage_tells_whether_a_board_is_there(void **state)
{
        struct bench_top *top = *state;

        assert_in_range(voltage_mv(top), 3290, 3310);
        part_power(top->rig.part, top->now, false);
        assert_in_range(voltage_mv(top), 100, 120);
        probe_set_part(top->probe, NULL);
        assert_in_range(voltage_mv(top), 100, 120);
}

static void unknown_opcodes_answer_42(void **state)
{
        static const char *const unknown[] = { "00",    "F0",    "F2 49", "F2 5F",
                                               "F2 01", "F4 00", "FD 00", "F3 01" };
        struct bench_top *top = *state;

        for (size_t i = 0; i < LENGTH_OF(unknown); i++)
                assert_int_equal(ask(top, unknown[i], 2), 0x42);
}

static void commands_illegal_in_the_mode_are_stalled(void **state)
{
        static const char *const session[] = { "F2 31",      "F2 36 00000024",      "F2 4B",
                                               "F2 45 FFFF", "F2 07 00000024 0400", "F2 3E",
                                               "F2 53" };
        struct bench_top *top = *state;

        for (size_t i = 0; i < LENGTH_OF(session); i++)
                assert_true(is_refused(top, session[i]));
        enter(top);
        send(top, "F2 21");
        assert_int_equal(receive(top), -1);
        for (size_t i = 0; i < LENGTH_OF(session); i++)
                assert_true(is_refused(top, session[i]));
}

static void a_command_of_another_length_is_stalled(void **state)
{
        struct bench_top *top = *state;
        const uint8_t bytes[17] = { 0xF1 };

        send_bytes(top, bytes, 10);
        assert_true(probe_take_stall(top->probe));
        assert_false(probe_take_stall(top->probe)); /* told once */
        send_bytes(top, bytes, 17);
        assert_true(probe_take_stall(top->probe));
}

/* --- clock --------------------------------------------------------------------------------- */

static void the_v3_lists_its_clocks_and_takes_the_next_lower(void **state)
{
        struct bench_top *top = *state;

        assert_int_equal(ask(top, "F2 63 01", 8), 0x40);
        assert_int_equal(ask(top, "F2 62 00", 52), 0x80);
        assert_int_equal(value(top), 24000);
        assert_int_equal(top->answer[8], 7);
        assert_answer(top, "F2 61 00 00 40 1F 00 00", "80000000 401F0000");
        assert_answer(top, "F2 61 00 00 3F 1F 00 00", "80000000 E40C0000"); /* 7999: 3300 */
        assert_answer(top, "F2 61 00 00 04 00 00 00", "08000000 E40C0000"); /* 4: below all */
}

/* --- entering ------------------------------------------------------------------------------ */

static void enter_finds_the_debug_port(void **state)
{
        struct bench_top *top = *state;

        enter(top);
        assert_answer(top, "F5", "0200");
        assert_answer(top, "F2 31", "80000000 7724A06B 00000000");
        assert_answer(top, "F2 45 FFFF 0400", "80000000 000000F0");
        assert_answer(top, "F2 45 FFFF 2400", "80000000 41005004"); /* TARGETID, bank 2 */
        assert_answer(top, "F2 45 0000 FC00", "80000000 01007784");
}

static void enter_says_05_without_supply_and_09_when_nothing_answers(void **state)
{
        struct bench_top *top = *state;

        part_reset(top->rig.part, top->now);
        assert_int_equal(ask(top, "F2 30 A3", 2), 0x09);
        part_power(top->rig.part, top->now, false);
        assert_int_equal(ask(top, "F2 30 A3", 2), 0x05);
        probe_set_part(top->probe, NULL);
        assert_int_equal(ask(top, "F2 30 A3", 2), 0x05);
        assert_answer(top, "F5", "0100");                /* still idle */
        assert_int_equal(ask(top, "F2 30 A4", 2), 0x04); /* no JTAG here */
}

static void a_target_lost_in_debug_is_16(void **state)
{
        struct bench_top *top = *state;
        uint8_t data[64];

        enter(top);
        part_power(top->rig.part, top->now, false);
        assert_int_equal(ask(top, "F2 36 00 00 00 24", 8), 0x16);
        assert_int_equal(ask(top, "F2 31", 12), 0x16);
        assert_int_equal(ask(top, "F2 45 FFFF 0000", 8), 0x16);
        assert_int_equal(ask(top, "F2 4B 00", 2), 0x16);
        assert_int_equal(ask(top, "F2 32", 2), 0x16);
        assert_int_equal(read_memory(top, 0x07, RAM, 64, data), 0x16);
        assert_int_equal(write_memory(top, 0x08, RAM, data, 64), 0x16);
}

static void an_access_port_must_be_opened(void **state)
{
        struct bench_top *top = *state;
        uint8_t data[4] = { 0 };

        assert_int_equal(ask(top, "F2 30 A3", 2), 0x80); /* opens AP 0, no other */
        assert_int_equal(ask(top, "F2 36 00 00 00 24", 8), 0x80);
        assert_int_equal(ask(top, "F2 45 0200 0400", 8), 0x1D);
        assert_int_equal(ask(top, "F2 45 0200 FC00", 8), 0x80); /* IDR may be read */
        assert_int_equal(ask(top, "F2 4B 02", 2), 0x80);
        assert_int_equal(ask(top, "F2 45 0200 0400", 8), 0x80);
        assert_int_equal(ask(top, "F2 4C 00", 2), 0x80);
        assert_int_equal(ask(top, "F2 36 00 00 00 24", 8), 0x1D);
        assert_int_equal(read_memory(top, 0x07, RAM, 4, data), 0x1D);
        assert_int_equal(write_memory(top, 0x08, RAM, data, 4), 0x1D);
        assert_int_equal(ask(top, "F2 45 0000 0400", 8), 0x1D);
        assert_int_equal(ask(top, "F2 4B 01", 2), 0x1D); /* not on this part */
        assert_int_equal(ask(top, "F2 4B 09", 2), 0x1D); /* beyond the firmware */
        assert_int_equal(ask(top, "F2 4B FF", 2), 0x1D);
        assert_int_equal(ask(top, "F2 4B 00", 2), 0x80);
        assert_int_equal(ask(top, "F2 30 A3", 2), 0x80); /* ENTER closes the others */
        assert_int_equal(ask(top, "F2 45 0200 0400", 8), 0x1D);
}

static void apb_d_is_reached_through_port_2(void **state)
{
        struct bench_top *top = *state;

        enter(top);
        assert_int_equal(ask(top, "F2 4B 02", 2), 0x80);
        assert_answer(top, "F2 36 00 10 0E E0 02", "80000000 50040320");
        send(top, "F2 3C 00"); /* under NRST too, where AXI is dead */
        (void)receive(top);
        assert_answer(top, "F2 36 00 10 0E E0 02", "80000000 50040320");
        assert_int_equal(ask(top, "F2 36 00 10 00 5C 00", 8), 0x11);
        send(top, "F2 21"); /* leaving lets NRST go */
        top->now += 100 * MS;
        enter(top);
        assert_int_equal(ask(top, "F2 36 00 10 00 5C 00", 8), 0x80);
}

/* --- memory -------------------------------------------------------------------------------- */

static void memory_moves_in_all_widths(void **state)
{
        struct bench_top *top = *state;
        uint8_t data[6144], back[6144];

        enter(top);
        simulated_pattern(data, sizeof(data));
        assert_int_equal(write_memory(top, 0x08, RAM, data, 6144), 0x80);
        assert_int_equal(read_memory(top, 0x07, RAM, 6144, back), 0x80);
        assert_memory_equal(back, data, sizeof(data));
        assert_int_equal(write_memory(top, 0x0D, RAM + 1, "xyz", 3), 0x80);
        assert_int_equal(read_memory(top, 0x0C, RAM, 5, back), 0x80);
        assert_memory_equal(back + 1, "xyz", 3);
        assert_int_equal(back[0], data[0]);
        assert_int_equal(write_memory(top, 0x48, RAM + 2, "AB", 2), 0x80);
        assert_int_equal(read_memory(top, 0x47, RAM + 2, 2, back), 0x80);
        assert_memory_equal(back, "AB", 2);
        assert_int_equal(read_memory(top, 0x0C, RAM + 2, 1, back), 0x80); /* comes as two: Q1 */
        assert_int_equal(back[0], 'A');
}

static void without_increment_all_words_meet_one_address(void **state)
{
        struct bench_top *top = *state;
        uint8_t data[8] = { 1, 0, 0, 0, 2, 0, 0, 0 }, back[8];

        enter(top);
        assert_int_equal(write_memory(top, 0x50, RAM, data, 8), 0x80);
        assert_int_equal(read_memory(top, 0x54, RAM, 8, back), 0x80);
        assert_memory_equal(back, data + 4, 4);
        assert_memory_equal(back + 4, data + 4, 4);
        assert_int_equal(read_memory(top, 0x07, RAM + 4, 4, back), 0x80);
        assert_int_equal(load_le32(back), 0);
}

static void limits_and_alignment_are_kept(void **state)
{
        struct bench_top *top = *state;
        uint8_t data[8192] = { 0 };

        enter(top);
        assert_int_equal(read_memory(top, 0x07, RAM, 6148, data), 0x08);
        assert_int_equal(read_memory(top, 0x0C, RAM, 512, data), 0x80);
        assert_int_equal(read_memory(top, 0x0C, RAM, 513, data), 0x08);
        assert_int_equal(write_memory(top, 0x0D, RAM, data, 513), 0x08);
        assert_int_equal(write_memory(top, 0x08, RAM, data, 8192), 0x80);
        assert_int_equal(read_memory(top, 0x07, RAM + 2, 4, data), 0x0A);
        assert_int_equal(ask(top, "F2 36 02 00 00 24", 8), 0x0A);
        send(top, "F2 08 00 00 00 24 00 00"); /* nothing to write: no data phase follows */
        assert_int_equal(last_status(top), 0x08);
        use_probe(top, 0x374B, 37);
        enter(top);
        assert_int_equal(read_memory(top, 0x0C, RAM, 64, data), 0x80);
        assert_int_equal(read_memory(top, 0x0C, RAM, 65, data), 0x08);
}

static void a_fault_gives_its_address_and_sticks(void **state)
{
        struct bench_top *top = *state;
        uint8_t data[64];

        enter(top);
        assert_int_equal(read_memory(top, 0x07, RAM + 0x7FFF0, 64, data), 0x11);
        assert_int_equal(value(top), RAM + 0x80000);
        assert_int_equal(read_memory(top, 0x07, RAM, 4, data), 0x19);
        assert_int_equal(ask(top, "F2 45 FFFF 0C00", 8), 0x15);
        assert_int_equal(ask(top, "F2 46 FFFF 0000 1E000000", 2), 0x80);
        assert_int_equal(read_memory(top, 0x07, RAM, 4, data), 0x80);
        assert_int_equal(value(top), 0);
}

static void a_busy_bank_is_10_and_comes_back(void **state)
{
        struct bench_top *top = *state;
        uint8_t data[64];

        enter(top);
        part_dp_read(top->rig.part, top->now, 0, (uint32_t *)(void *)data);
        top->rig.now = top->now;
        rig_unlock(&top->rig);
        wr(&top->rig, CR, 0x4 | PSIZE_64 | 0x80);
        assert_int_equal(read_memory(top, 0x07, FLASH, 64, data), 0x10);
        assert_int_equal(ask(top, "F2 36 00 00 00 08", 8), 0x10);
        top->now += 1000 * MS;
        assert_int_equal(read_memory(top, 0x07, FLASH, 64, data), 0x80);
        assert_int_equal(data[0], 0xFF);
}

static void a_flash_word_is_programmed_through_the_probe(void **state)
{
        struct bench_top *top = *state;
        uint8_t data[96];

        enter(top);
        top->rig.now = top->now;
        rig_unlock(&top->rig);
        wr(&top->rig, CR, 0x2 | PSIZE_64);
        simulated_pattern(data, sizeof(data));
        assert_int_equal(write_memory(top, 0x08, FLASH, data, 32), 0x80);
        assert_int_equal(write_memory(top, 0x08, FLASH + 32, data, 32), 0x80); /* 0.3 ms later */
        top->now += 1 * MS;
        part_advance(top->rig.part, top->now);
        assert_memory_equal(part_flash(top->rig.part, FLASH + 32), data, 32);
        /* three words at a time: the second waits in the queue, the third meets a full one */
        assert_int_equal(write_memory(top, 0x08, FLASH + 64, data, 96), 0x10);
}

static void a_list_of_operations_runs_item_by_item(void **state)
{
        struct bench_top *top = *state;
        uint8_t list[20] = { 5, 3, 1, 2 };

        enter(top);
        store_le32(list + 8, 0xE000ED00);
        store_le32(list + 12, RAM);
        store_le32(list + 16, 0x12345678);
        send(top, "F2 51 04");
        send_bytes(top, list, sizeof(list));
        assert_int_equal(ask(top, "F2 52", 32), 0);
        assert_int_equal(load_le32(top->answer + 4), 0x411FC271);
        for (unsigned i = 4; i < 8; i++)
                assert_int_equal(load_le32(top->answer + 4 * i), 0x80);
        assert_int_equal(ask(top, "F2 36 00 00 00 24", 8), 0x80);
        assert_int_equal(value(top), 0x12345678);
        assert_int_equal(ask(top, "F2 53", 2), 1227 & 0xFF);
        assert_true(is_refused(top, "F2 52")); /* results are fetched once */
        assert_true(is_refused(top, "F2 51 00"));
        assert_true(is_refused(top, "F2 51 CC 04")); /* 1228 */
}

static void registers_are_read_and_written(void **state)
{
        struct bench_top *top = *state;

        enter(top);
        assert_int_equal(ask(top, "F2 35 F0 ED 00 E0 03 00 5F A0", 2), 0x80);
        assert_int_equal(ask(top, "F2 36 F0 ED 00 E0", 8), 0x80);
        assert_int_equal(value(top) & 0x30003, 0x30003);
        assert_int_equal(ask(top, "F2 34 04 78 56 34 12", 2), 0x80);
        assert_int_equal(ask(top, "F2 33 04", 8), 0x80);
        assert_int_equal(value(top), 0x12345678);
        assert_int_equal(ask(top, "F2 3A", 88), 0x80);
        assert_int_equal(load_le32(top->answer + 4 + 16), 0x12345678);
}

static void reset_commands_reset(void **state)
{
        static const char *const resets[] = { "F2 32", "F2 3C 02", "F2 3C 00" };
        struct bench_top *top = *state;

        enter(top);
        for (size_t i = 0; i < LENGTH_OF(resets); i++) {
                (void)ask(top, "F2 36 F0 ED 00 E0", 8);
                assert_int_equal(ask(top, resets[i], 2), 0x80);
                if (i == 2)
                        assert_int_equal(ask(top, "F2 3C 01", 2), 0x80);
                top->now += 100 * MS;
                assert_int_equal(ask(top, "F2 36 F0 ED 00 E0", 8), 0x80);
                assert_true(value(top) & 0x02000000);
        }
        assert_int_equal(ask(top, "F2 3C 03", 2), 0x08);
}

/* stlink.md 17.11: the core is caught at its reset vector. */
static void connecting_under_reset_catches_the_core(void **state)
{
        struct bench_top *top = *state;

        assert_int_equal(ask(top, "F2 3C 00", 2), 0x80);
        enter(top);
        assert_int_equal(ask(top, "F2 35 FC ED 00 E0 01 00 00 01", 2), 0x80);
        assert_int_equal(ask(top, "F2 35 F0 ED 00 E0 01 00 5F A0", 2), 0x80);
        assert_int_equal(ask(top, "F2 3C 01", 2), 0x80);
        assert_int_equal(ask(top, "F2 36 F0 ED 00 E0", 8), 0x80);
        assert_true(value(top) & 0x20000);
}

/* --- time and order ------------------------------------------------------------------------ */

static uint64_t duration_of(struct bench_top *top, const char *hex)
{
        uint64_t start = top->now;

        send(top, hex);
        (void)receive(top);
        return (top->now - start) / NS_PER_US;
}

static void a_command_takes_a_turn_round_and_a_block_its_clocks(void **state)
{
        struct bench_top *top = *state;

        assert_in_range(duration_of(top, "F5"), 280, 281);
        enter(top);
        /* 1536 words of 46 clocks at 24 MHz are 2.94 ms, 6 KiB over USB 0.15 ms */
        assert_in_range(duration_of(top, "F2 07 00 00 00 24 00 18"), 3370, 3390);
        (void)ask(top, "F2 61 00 00 E8 03 00 00", 8);
        assert_in_range(duration_of(top, "F2 07 00 00 00 24 00 18"), 71200, 71300);
        use_probe(top, 0x374B, 37);
        assert_in_range(duration_of(top, "F5"), 1000, 1002);
}

static void an_answer_is_not_there_before_its_time(void **state)
{
        struct bench_top *top = *state;
        uint8_t command[COMMAND_LENGTH] = { 0xF5 };
        uint64_t ready = probe_out(top->probe, top->now, command, sizeof(command));

        assert_int_equal(probe_in(top->probe, ready - 1, top->answer, 512), -1);
        assert_int_equal(probe_in(top->probe, ready, top->answer, 512), 2);
        assert_int_equal(probe_in(top->probe, ready, top->answer, 512), -1);
}

static void an_answer_left_behind_comes_first(void **state)
{
        struct bench_top *top = *state;

        send(top, "F7");
        send(top, "F5");
        assert_int_equal(receive(top), 8);
        assert_int_equal(receive(top), 2);
        assert_int_equal(receive(top), -1);
        for (unsigned i = 0; i < 6; i++)
                send(top, i < 5 ? "F7" : "F5");
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(receive(top), 8); /* no more than four wait */
        assert_int_equal(receive(top), 2);
        assert_int_equal(receive(top), -1);
}

/* A buffer of whole packets fetches a long answer in turns; one that is none loses the rest. */
static void long_answers_come_packet_by_packet(void **state)
{
        struct bench_top *top = *state;

        enter(top);
        send(top, "F2 07 00 00 00 24 00 04");
        assert_int_equal(probe_in(top->probe, top->now, top->answer, 512), 512);
        assert_int_equal(probe_in(top->probe, top->now, top->answer, 512), 512);
        assert_int_equal(probe_in(top->probe, top->now, top->answer, 512), -1);
        send(top, "F2 07 00 00 00 24 00 04");
        assert_int_equal(probe_in(top->probe, top->now, top->answer, 4), 4);
        assert_int_equal(probe_in(top->probe, top->now, top->answer, 512), -1);
}

static void a_replug_forgets_everything(void **state)
{
        struct bench_top *top = *state;

        enter(top);
        (void)ask(top, "F2 61 00 00 E8 03 00 00", 8);
        send(top, "F7");
        probe_power_up(top->probe);
        assert_int_equal(receive(top), -1);
        assert_answer(top, "F5", "0100");
        assert_int_equal(ask(top, "F2 62 00", 52), 0x80);
        assert_int_equal(value(top), 24000);
}

/* The certificate through the wire: what the driver does, in raw commands. */
static void the_mailbox_is_seen_through_block_writes(void **state)
{
        struct bench_top *top = *state;
        uint8_t words[48] = { 'G', 'W', 'R', 'S', 1 }, certificate[CERTIFICATE_LENGTH];
        uint32_t box = simulated_rss()->mailbox;
        struct certificate parsed;

        enter(top);
        assert_int_equal(write_memory(top, 0x08, box, words, sizeof(words)), 0x80);
        top->now += 20 * MS;
        assert_int_equal(read_memory(top, 0x07, box + 0x20, 4, words), 0x80);
        assert_memory_equal(words, "DONE", 4);
        assert_int_equal(read_memory(top, 0x07, box + 0x40, CERTIFICATE_LENGTH, certificate), 0x80);
        assert_int_equal(certificate_parse(certificate, sizeof(certificate), NULL, &parsed), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(a_v3_tells_its_version_in_two_steps),
                T(a_v2_1_tells_its_version_in_one),
                T(the_voltage_tells_whether_a_board_is_there),
                T(unknown_opcodes_answer_42),
                T(commands_illegal_in_the_mode_are_stalled),
                T(a_command_of_another_length_is_stalled),
                T(the_v3_lists_its_clocks_and_takes_the_next_lower),
                T(enter_finds_the_debug_port),
                T(enter_says_05_without_supply_and_09_when_nothing_answers),
                T(a_target_lost_in_debug_is_16),
                T(an_access_port_must_be_opened),
                T(apb_d_is_reached_through_port_2),
                T(memory_moves_in_all_widths),
                T(without_increment_all_words_meet_one_address),
                T(limits_and_alignment_are_kept),
                T(a_fault_gives_its_address_and_sticks),
                T(a_busy_bank_is_10_and_comes_back),
                T(a_flash_word_is_programmed_through_the_probe),
                T(a_list_of_operations_runs_item_by_item),
                T(registers_are_read_and_written),
                T(reset_commands_reset),
                T(connecting_under_reset_catches_the_core),
                T(a_command_takes_a_turn_round_and_a_block_its_clocks),
                T(an_answer_is_not_there_before_its_time),
                T(an_answer_left_behind_comes_first),
                T(long_answers_come_packet_by_packet),
                T(a_replug_forgets_everything),
                T(the_mailbox_is_seen_through_block_writes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
