/*
 * The controller of the memory outside a part and the NOR flash behind it, register by register: a debugger
 * does what a loader's code would. Loaders that do it are in loader_core.c.
 */
#include "tests/drivers/bed.h"

#define EXTERNAL 0x90000000u
#define OCTOSPI  0x52005000u
#define CR       0x00u
#define DCR1     0x08u
#define SR       0x20u
#define FCR      0x24u
#define DLR      0x40u
#define AR       0x48u
#define DR       0x50u
#define PSMKR    0x80u
#define PSMAR    0x88u
#define CCR      0x100u
#define TCR      0x108u
#define IR       0x110u

#define ADDRESS3 0x2100u /* on one line */
#define ADDRESS4 0x3100u
#define DATA     0x01000000u
#define WRITES   0x00000000u
#define READS    0x10000000u
#define POLLS    0x20400000u /* with APMS */
#define MAPS     0x30000000u
#define TEF      0x01u
#define TCF      0x02u
#define FTF      0x04u
#define SMF      0x08u
#define BUSY     0x20u
#define WIP      0x01u
#define WEL      0x02u

#define OCTAL       0x20003C1Cu /* IMODE, IDTR, ISIZE, ADMODE, ADDTR, ADSIZE; DQSE */
#define OCTAL_DATA  0x0C000000u
#define MACRONIX    0x01000000u
#define OTHER_LINES 0x00000003u

static bool write_at(struct bed *bed, uint32_t address, uint32_t value, unsigned width)
{
        uint8_t bytes[4];

        (void)part_dp_write(bed->part, clock_now_ns(), 0, 0x1E); /* ABORT: an error before */
        store_le32(bytes, value);
        return part_write(bed->part, clock_now_ns(), 0, address, bytes, width) == PART_OK;
}

static void put(struct bed *bed, uint32_t offset, uint32_t value)
{
        assert_true(write_at(bed, OCTOSPI + offset, value, 4));
}

static uint32_t take(struct bed *bed, uint32_t offset, unsigned width)
{
        uint8_t bytes[4] = { 0 };

        (void)part_dp_write(bed->part, clock_now_ns(), 0, 0x1E);
        assert_int_equal(part_read(bed->part, clock_now_ns(), 0, OCTOSPI + offset, bytes, width),
                         PART_OK);
        return load_le32(bytes);
}

static uint32_t get(struct bed *bed, uint32_t offset)
{
        return take(bed, offset, 4);
}

static void command(struct bed *bed, uint32_t function, uint32_t ccr, uint32_t instruction,
                    uint32_t address, uint32_t length)
{
        put(bed, FCR, 0x1F);
        put(bed, CR, 1 | function);
        put(bed, DLR, length - 1);
        put(bed, CCR, ccr);
        put(bed, IR, instruction);
        if (ccr & 0x700)
                put(bed, AR, address);
}

static void order(struct bed *bed, uint32_t instruction)
{
        command(bed, WRITES, 1, instruction, 0, 0);
        assert_int_equal(get(bed, SR) & (TCF | BUSY), TCF);
}

static uint8_t register_of(struct bed *bed, uint32_t instruction)
{
        command(bed, READS, 1 | DATA, instruction, 0, 1);
        return (uint8_t)take(bed, DR, 1);
}

static void program(struct bed *bed, uint32_t address, const uint8_t *data, uint32_t length)
{
        command(bed, WRITES, 1 | ADDRESS4 | DATA, 0x12, address, length);
        for (uint32_t i = 0; i < length; i++)
                assert_true(write_at(bed, OCTOSPI + DR, data[i], 1));
}

static void sleep_us(struct bed *bed, unsigned us)
{
        assert_int_equal(fiber_sleep_ns(us * NS_PER_US), 0);
        part_advance(bed->part, clock_now_ns());
}

static struct bed *with_controller(void)
{
        struct bed *bed = bed_make_family("configs/targets/stm32h7a3.conf");

        assert_int_equal(target_attach(&bed->target, 24000), 0);
        put(bed, DCR1, MACRONIX | 19u << 16);
        put(bed, CR, 1);
        return bed;
}

static uint8_t at(const struct bed *bed, uint32_t offset)
{
        return part_external_byte(bed->part, EXTERNAL + offset);
}

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_on_fiber, NULL), 0);   \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

/* --- the controller ------------------------------------------------------------------------ */

FIBER_TEST(a_read_fills_the_fifo_and_ends_with_its_last_byte)
{
        struct bed *bed = with_controller();
        uint8_t data[40];

        (void)unused;
        for (uint8_t i = 0; i < sizeof(data); i++)
                data[i] = i;
        part_fill_external(bed->part, EXTERNAL + 0x100, data, sizeof(data));
        command(bed, READS, 1 | ADDRESS4 | DATA, 0x13, 0x100, sizeof(data));
        assert_int_equal(get(bed, SR), 32u << 8 | BUSY | FTF); /* eight are still to come */
        assert_int_equal(get(bed, DR), 0x03020100);
        assert_int_equal(take(bed, DR, 1), 4);
        assert_int_equal(take(bed, DR, 2), 0x0605);
        assert_int_equal(take(bed, DR, 1), 7);
        assert_int_equal(get(bed, SR), 32u << 8 | BUSY | FTF | TCF);
        for (unsigned i = 0; i < 8; i++)
                (void)get(bed, DR);
        assert_int_equal(get(bed, SR), TCF);
        put(bed, FCR, TCF);
        assert_int_equal(get(bed, SR), 0);
        bed_free(bed);
        return 0;
}

FIBER_TEST(nothing_goes_out_while_it_is_disabled_or_busy)
{
        struct bed *bed = with_controller();

        (void)unused;
        put(bed, CR, 0);
        put(bed, CCR, 1);
        put(bed, IR, 0x06);
        assert_int_equal(get(bed, SR), 0);
        assert_int_equal(register_of(bed, 0x05), 0);
        command(bed, READS, 1 | DATA, 0x9F, 0, 3);
        put(bed, CCR, 1);
        put(bed, CR, 1 | WRITES); /* FMODE stays as it was */
        assert_int_equal(get(bed, CR), 1 | READS);
        put(bed, IR, 0x06);
        put(bed, CR, 3); /* ABORT */
        assert_int_equal(get(bed, SR) & (BUSY | TCF), TCF);
        assert_int_equal(register_of(bed, 0x05), 0);
        bed_free(bed);
        return 0;
}

FIBER_TEST(an_address_beyond_the_device_is_an_error)
{
        struct bed *bed = with_controller();

        (void)unused;
        command(bed, READS, 1 | ADDRESS4 | DATA, 0x13, 0xFFFF0, 16);
        assert_int_equal(get(bed, SR) & (TEF | BUSY), BUSY);
        put(bed, CR, 3);
        command(bed, READS, 1 | ADDRESS4 | DATA, 0x13, 0xFFFF0, 17);
        assert_int_equal(get(bed, SR) & (TEF | BUSY), TEF);
        put(bed, FCR, TEF);
        assert_int_equal(get(bed, SR) & TEF, 0);
        bed_free(bed);
        return 0;
}

FIBER_TEST(polling_ends_when_the_chip_is_ready)
{
        struct bed *bed = with_controller();

        (void)unused;
        put(bed, PSMKR, WEL);
        put(bed, PSMAR, WEL);
        command(bed, POLLS, 1 | DATA, 0x05, 0, 1);
        assert_int_equal(get(bed, SR) & (SMF | BUSY), BUSY);
        put(bed, CR, 3 | POLLS);
        order(bed, 0x06);
        command(bed, POLLS, 1 | DATA, 0x05, 0, 1);
        assert_int_equal(get(bed, SR) & (SMF | BUSY), SMF);
        command(bed, WRITES, 1 | ADDRESS4, 0x21, 0x1000, 0);
        put(bed, PSMKR, WIP);
        put(bed, PSMAR, 0);
        command(bed, POLLS, 1 | DATA, 0x05, 0, 1);
        sleep_us(bed, 24000);
        assert_int_equal(get(bed, SR) & (SMF | BUSY), BUSY);
        sleep_us(bed, 2000); /* a sector takes 25 ms */
        assert_int_equal(get(bed, SR) & (SMF | BUSY), SMF);
        bed_free(bed);
        return 0;
}

FIBER_TEST(the_memory_is_mapped_in_its_mode_only)
{
        struct bed *bed = with_controller();
        uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7 }, found[sizeof(data)];

        (void)unused;
        part_fill_external(bed->part, EXTERNAL + 0x21, data, sizeof(data));
        assert_fault(target_read(&bed->target, EXTERNAL, found, 4), TARGET_ACCESS, NULL);
        command(bed, MAPS, 1 | ADDRESS3 | DATA, 0x03, 0, 1);
        assert_int_equal(target_read(&bed->target, EXTERNAL + 0x21, found, sizeof(found)), 0);
        assert_memory_equal(found, data, sizeof(data));
        assert_int_equal(get(bed, SR) & BUSY, BUSY);
        assert_fault(target_read(&bed->target, EXTERNAL + 0x100000, found, 4), TARGET_ACCESS, NULL);
        assert_false(write_at(bed, EXTERNAL, 0, 4)); /* writing so is not modelled */
        put(bed, CR, 3 | MAPS);
        put(bed, CR, 1);
        assert_fault(target_read(&bed->target, EXTERNAL, found, 4), TARGET_ACCESS, NULL);
        bed_free(bed);
        return 0;
}

FIBER_TEST(registers_take_whole_words_where_they_are)
{
        struct bed *bed = with_controller();
        uint8_t word[4];

        (void)unused;
        assert_false(write_at(bed, OCTOSPI + CCR, 1, 1));
        assert_true(write_at(bed, OCTOSPI + 0x5000 + CR, 1, 4)); /* OCTOSPI2 */
        assert_false(write_at(bed, OCTOSPI + 0x400, 1, 4));
        bed_free(bed);
        bed = bed_make_family("configs/targets/stm32h75x.conf"); /* has none */
        assert_int_equal(target_attach(&bed->target, 24000), 0);
        assert_int_equal(part_read(bed->part, clock_now_ns(), 0, OCTOSPI, word, 4), PART_FAULT);
        bed_free(bed);
        return 0;
}

/* --- the chip ------------------------------------------------------------------------------ */

FIBER_TEST(the_chip_says_who_it_is)
{
        struct bed *bed = with_controller();

        (void)unused;
        command(bed, READS, 1 | DATA, 0x9F, 0, 3);
        assert_int_equal(get(bed, DR), 0x3A85C2);
        part_set_external(bed->part, false);
        command(bed, READS, 1 | DATA, 0x9F, 0, 3);
        assert_int_equal(get(bed, DR), 0xFFFFFF);
        bed_free(bed);
        return 0;
}

FIBER_TEST(nothing_changes_without_write_enable)
{
        struct bed *bed = with_controller();
        uint8_t zero = 0;

        (void)unused;
        program(bed, 5, &zero, 1);
        assert_int_equal(register_of(bed, 0x05), 0);
        sleep_us(bed, 1000);
        assert_int_equal(at(bed, 5), 0xFF);
        order(bed, 0x06);
        assert_int_equal(register_of(bed, 0x05), WEL);
        order(bed, 0x04);
        program(bed, 5, &zero, 1);
        sleep_us(bed, 1000);
        assert_int_equal(at(bed, 5), 0xFF);
        part_fill_external(bed->part, EXTERNAL, &zero, 1);
        command(bed, WRITES, 1 | ADDRESS4, 0x21, 0, 0);
        sleep_us(bed, 50000);
        assert_int_equal(at(bed, 0), 0);
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_page_takes_its_time_and_only_status_is_answered_meanwhile)
{
        struct bed *bed = with_controller();
        uint8_t data = 0xA5;

        (void)unused;
        order(bed, 0x06);
        program(bed, 9, &data, 1);
        assert_int_equal(register_of(bed, 0x05), WIP | WEL);
        command(bed, READS, 1 | DATA, 0x9F, 0, 1);
        assert_int_equal(take(bed, DR, 1), 0xFF);
        order(bed, 0x04); /* not heard */
        assert_int_equal(at(bed, 9), 0xFF);
        sleep_us(bed, 140);
        assert_int_equal(register_of(bed, 0x05), WIP | WEL);
        sleep_us(bed, 20);
        assert_int_equal(register_of(bed, 0x05), 0);
        assert_int_equal(at(bed, 9), 0xA5);
        bed_free(bed);
        return 0;
}

FIBER_TEST(ones_become_zeros_and_never_back)
{
        struct bed *bed = with_controller();
        uint8_t first = 0xF0, second = 0x3C;

        (void)unused;
        order(bed, 0x06);
        program(bed, 0, &first, 1);
        sleep_us(bed, 200);
        order(bed, 0x06);
        program(bed, 0, &second, 1);
        sleep_us(bed, 200);
        assert_int_equal(at(bed, 0), 0x30);
        bed_free(bed);
        return 0;
}

/* Beyond its end a page goes on at its beginning; of more than a page the last bytes stay. */
FIBER_TEST(a_page_wraps)
{
        struct bed *bed = with_controller();
        uint8_t data[260];

        (void)unused;
        for (unsigned i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(i < 256 ? i : 0x40 + i);
        order(bed, 0x06);
        program(bed, 0x1FE, data, 4);
        sleep_us(bed, 200);
        assert_int_equal(at(bed, 0x1FE), 0);
        assert_int_equal(at(bed, 0x1FF), 1);
        assert_int_equal(at(bed, 0x100), 2);
        assert_int_equal(at(bed, 0x101), 3);
        assert_int_equal(at(bed, 0x200), 0xFF);
        order(bed, 0x06);
        program(bed, 0x300, data, sizeof(data));
        sleep_us(bed, 200);
        assert_int_equal(at(bed, 0x300), 0x40);
        assert_int_equal(at(bed, 0x304), 4);
        assert_int_equal(at(bed, 0x3FF), 0xFF);
        bed_free(bed);
        return 0;
}

FIBER_TEST(sectors_blocks_and_the_chip_are_erased_each_in_its_time)
{
        static const struct {
                uint32_t instruction, ccr, from, length;
                unsigned ms;
        } rows[] = { { 0x20, 1 | ADDRESS3, 0x21000, 0x1000, 25 },
                     { 0xDC, 1 | ADDRESS4, 0x20000, 0x10000, 220 },
                     { 0xC7, 1, 0, 0x100000, 3520 } };
        static uint8_t zeros[0x100000];

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(rows); i++) {
                struct bed *bed = with_controller();

                part_fill_external(bed->part, EXTERNAL, zeros, sizeof(zeros));
                order(bed, 0x06);
                command(bed, WRITES, rows[i].ccr, rows[i].instruction, 0x21234, 0);
                sleep_us(bed, rows[i].ms * 1000 - 1000);
                assert_int_equal(register_of(bed, 0x05), WIP | WEL);
                assert_int_equal(at(bed, rows[i].from), 0);
                sleep_us(bed, 2000);
                assert_int_equal(register_of(bed, 0x05), 0);
                assert_int_equal(at(bed, rows[i].from), 0xFF);
                assert_int_equal(at(bed, rows[i].from + rows[i].length - 1), 0xFF);
                if (rows[i].from) {
                        assert_int_equal(at(bed, rows[i].from - 1), 0);
                        assert_int_equal(at(bed, rows[i].from + rows[i].length), 0);
                }
                bed_free(bed);
        }
        return 0;
}

/* BP 1 protects the last block, for good: it is there after power. */
FIBER_TEST(a_protected_block_refuses_and_says_so)
{
        struct bed *bed = with_controller();
        uint8_t protection = 1 << 2, zero = 0;

        (void)unused;
        order(bed, 0x06);
        command(bed, WRITES, 1 | DATA, 0x01, 0, 1);
        assert_true(write_at(bed, OCTOSPI + DR, protection, 1));
        sleep_us(bed, 11000);
        assert_int_equal(register_of(bed, 0x05), protection);
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_reattach(&bed->target, 1000), 0);
        put(bed, DCR1, 19u << 16);
        assert_int_equal(register_of(bed, 0x05), protection);
        order(bed, 0x06);
        program(bed, 0xF0000, &zero, 1);
        assert_int_equal(register_of(bed, 0x05), protection); /* WEL is gone, too */
        assert_int_equal(register_of(bed, 0x2B), 0x20);       /* P_FAIL */
        order(bed, 0x06);
        command(bed, WRITES, 1, 0x60, 0, 0);
        assert_int_equal(register_of(bed, 0x2B), 0x40); /* E_FAIL */
        order(bed, 0x06);
        program(bed, 0xEFFFF, &zero, 1);
        sleep_us(bed, 200);
        assert_int_equal(register_of(bed, 0x2B), 0);
        assert_int_equal(at(bed, 0xEFFFF), 0);
        assert_int_equal(at(bed, 0xF0000), 0xFF);
        bed_free(bed);
        return 0;
}

FIBER_TEST(three_bytes_of_address_or_four_as_the_chip_was_told)
{
        struct bed *bed = with_controller();
        uint8_t byte = 0x77;

        (void)unused;
        part_fill_external(bed->part, EXTERNAL + 0x10, &byte, 1);
        command(bed, READS, 1 | ADDRESS4 | DATA, 0x03, 0x10, 1);
        assert_int_equal(take(bed, DR, 1), 0xFF);
        command(bed, READS, 1 | ADDRESS3 | DATA, 0x03, 0x10, 1);
        assert_int_equal(take(bed, DR, 1), 0x77);
        order(bed, 0xB7);
        command(bed, READS, 1 | ADDRESS4 | DATA, 0x03, 0x10, 1);
        assert_int_equal(take(bed, DR, 1), 0x77);
        order(bed, 0xE9);
        command(bed, READS, 1 | ADDRESS4 | DATA, 0x03, 0x10, 1);
        assert_int_equal(take(bed, DR, 1), 0xFF);
        command(bed, READS, 1 | ADDRESS3 | DATA, 0x0B, 0x10, 1); /* without its dummy cycles */
        assert_int_equal(take(bed, DR, 1), 0xFF);
        put(bed, TCR, 8);
        command(bed, READS, 1 | ADDRESS3 | DATA, 0x0B, 0x10, 1);
        assert_int_equal(take(bed, DR, 1), 0x77);
        bed_free(bed);
        return 0;
}

static void go_octal(struct bed *bed)
{
        order(bed, 0x06);
        command(bed, WRITES, 1 | ADDRESS4 | DATA, 0x72, 0, 1);
        assert_true(write_at(bed, OCTOSPI + DR, 2, 1));
}

static uint16_t octal_read(struct bed *bed, uint32_t address, unsigned dummy)
{
        put(bed, TCR, dummy);
        command(bed, READS, OCTAL | OCTAL_DATA, 0xEE11, address, 2);
        return (uint16_t)take(bed, DR, 2);
}

FIBER_TEST(on_eight_lines_it_hears_nothing_but_its_own_mode)
{
        struct bed *bed = with_controller();
        uint8_t pair[] = { 0x11, 0x22 };

        (void)unused;
        part_fill_external(bed->part, EXTERNAL + 0x40, pair, 2);
        go_octal(bed);
        assert_int_equal(register_of(bed, 0x05), 0xFF);
        assert_int_equal(octal_read(bed, 0x40, 20), 0x2211);
        assert_int_equal(octal_read(bed, 0x40, 18), 0xFFFF); /* CR2 says 20 cycles */
        assert_int_equal(octal_read(bed, 0x41, 20), 0x2211); /* pairs only */
        put(bed, DCR1, 19u << 16);
        assert_int_equal(octal_read(bed, 0x40, 20), 0x1122); /* not the Macronix order */
        put(bed, DCR1, MACRONIX | 19u << 16);
        command(bed, READS, OCTAL | OCTAL_DATA, 0xEE12, 0x40, 2); /* not its complement */
        assert_int_equal(take(bed, DR, 2), 0xFFFF);
        command(bed, READS, (OCTAL | OCTAL_DATA) ^ OTHER_LINES, 0xEE11, 0x40, 2);
        assert_int_equal(take(bed, DR, 2), 0xFFFF);
        bed_free(bed);
        return 0;
}

FIBER_TEST(its_mode_outlives_a_reset_of_the_part_and_not_its_own)
{
        struct bed *bed = with_controller();

        (void)unused;
        go_octal(bed);
        assert_int_equal(target_reset(&bed->target, 1000), 0);
        put(bed, DCR1, MACRONIX | 19u << 16);
        assert_int_equal(register_of(bed, 0x05), 0xFF);
        put(bed, CR, 1);
        put(bed, CCR, OCTAL & ~0x3F00u);
        put(bed, IR, 0x9966); /* reset without its enable */
        assert_int_equal(register_of(bed, 0x05), 0xFF);
        put(bed, CR, 1);
        put(bed, CCR, OCTAL & ~0x3F00u);
        put(bed, IR, 0x6699);
        put(bed, IR, 0x9966);
        assert_int_equal(register_of(bed, 0x05), 0);
        go_octal(bed);
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_reattach(&bed->target, 1000), 0);
        assert_int_equal(register_of(bed, 0x05), 0);
        bed_free(bed);
        return 0;
}

FIBER_TEST(work_goes_with_power_and_stays_with_a_reset)
{
        (void)unused;
        for (unsigned i = 0; i < 2; i++) {
                struct bed *bed = with_controller();
                uint8_t zero = 0;

                order(bed, 0x06);
                program(bed, 0, &zero, 1);
                sleep_us(bed, 100);
                if (i) {
                        bed_power(bed, false);
                        sleep_us(bed, 1000);
                        bed_power(bed, true);
                } else {
                        part_reset(bed->part, clock_now_ns());
                }
                sleep_us(bed, 1000);
                part_advance(bed->part, clock_now_ns());
                assert_int_equal(at(bed, 0), i ? 0xFF : 0);
                bed_free(bed);
        }
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_read_fills_the_fifo_and_ends_with_its_last_byte),
                cmocka_unit_test(nothing_goes_out_while_it_is_disabled_or_busy),
                cmocka_unit_test(an_address_beyond_the_device_is_an_error),
                cmocka_unit_test(polling_ends_when_the_chip_is_ready),
                cmocka_unit_test(the_memory_is_mapped_in_its_mode_only),
                cmocka_unit_test(registers_take_whole_words_where_they_are),
                cmocka_unit_test(the_chip_says_who_it_is),
                cmocka_unit_test(nothing_changes_without_write_enable),
                cmocka_unit_test(a_page_takes_its_time_and_only_status_is_answered_meanwhile),
                cmocka_unit_test(ones_become_zeros_and_never_back),
                cmocka_unit_test(a_page_wraps),
                cmocka_unit_test(sectors_blocks_and_the_chip_are_erased_each_in_its_time),
                cmocka_unit_test(a_protected_block_refuses_and_says_so),
                cmocka_unit_test(three_bytes_of_address_or_four_as_the_chip_was_told),
                cmocka_unit_test(on_eight_lines_it_hears_nothing_but_its_own_mode),
                cmocka_unit_test(its_mode_outlives_a_reset_of_the_part_and_not_its_own),
                cmocka_unit_test(work_goes_with_power_and_stays_with_a_reset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
