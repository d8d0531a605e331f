/*
 * The controllers of simulated parts beyond the H75x, register by register: what is refused, how it
 * shows, when it takes effect. Without the drivers, which must not hide a mistake both make.
 */
#include "tests/support/test.h"

#include "drivers/simulated/part.h"
#include "scheduler/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS    NS_PER_MS
#define KEY_1 0x45670123u
#define KEY_2 0xCDEF89ABu
#define OPT_1 0x08192A3Bu
#define OPT_2 0x4C5D6E7Fu
#define FLASH 0x08000000u

static struct family family;
static struct rss_profile rss;
static struct simulated_part *part;
static void *store;
static uint64_t now;

static void power(bool on)
{
        part_power(part, now, on);
        now += 500 * MS;
        if (!on)
                return;
        assert_int_equal(part_dp_write(part, now, 0x04, 0x50000000), PART_OK);
}

static int load(void *path)
{
        assert_int_equal(rss_profile_load("configs/rss/reference-h7.conf", &rss), 0);
        return family_load(path, &family);
}

static void make(const char *name)
{
        static const uint8_t seed[32] = { 9 };
        char path[64];
        struct part_settings settings = {
                .family = &family, .rss = &rss, .seed = seed, .speed = 1.0
        };

        snprintf(path, sizeof(path), "configs/targets/stm32%s.conf", name);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, load, path), 0);
        store = calloc(1, part_store_length(&family));
        settings.store = store;
        part = part_create(&settings);
        now = 0;
        power(true);
}

static void done(void)
{
        part = part_destroy(part);
        free(store);
}

static enum part_answer try_write(uint32_t address, uint32_t value)
{
        uint8_t bytes[4];

        store_le32(bytes, value);
        return part_write(part, now, family.access_port, address, bytes, 4);
}

static void wr(uint32_t address, uint32_t value)
{
        assert_int_equal(try_write(address, value), PART_OK);
}

static enum part_answer try_read(uint32_t address, uint32_t *ret_value)
{
        uint8_t bytes[4] = { 0 };
        enum part_answer answer = part_read(part, now, family.access_port, address, bytes, 4);

        *ret_value = load_le32(bytes);
        return answer;
}

static uint32_t rd(uint32_t address)
{
        uint32_t value;

        assert_int_equal(try_read(address, &value), PART_OK);
        return value;
}

static void clear_sticky(void)
{
        assert_int_equal(part_dp_write(part, now, 0x00, 0x04), PART_OK);
}

static void assert_faults(enum part_answer answer)
{
        assert_int_equal(answer, PART_FAULT);
        clear_sticky();
}

static uint8_t flash_byte(uint32_t address)
{
        part_advance(part, now);
        return *part_flash(part, address);
}

static void keys(uint32_t reg, uint32_t one, uint32_t two)
{
        wr(reg, one);
        wr(reg, two);
}

static void write_words(uint32_t address, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                wr(address + 4 * i, 0x11111111 * (i + 1));
}

/* --- L4: U575 ------------------------------------------------------------------------------ */

#define L5_KEYR    0x40022008u
#define L5_OPTKEYR 0x40022010u
#define L5_SR      0x40022020u
#define L5_CR      0x40022028u
#define U5_OPTR    0x40022040u
#define SECBOOT    0x4002204Cu
#define WRP1AR     0x40022058u
#define BSY        (1u << 16)
#define STRT       (1u << 16)
#define OPTSTRT    (1u << 17)
#define OBL        (1u << 27)

static void open_options(void)
{
        keys(L5_KEYR, KEY_1, KEY_2);
        keys(L5_OPTKEYR, OPT_1, OPT_2);
}

static void launch(void)
{
        wr(L5_CR, OBL);
        now += 500 * MS;
}

static void change_option(uint32_t reg, uint32_t value)
{
        open_options();
        wr(reg, value);
        wr(L5_CR, OPTSTRT);
        now += 1000 * MS;
        assert_int_equal(rd(L5_SR) & 0x2000, 0);
        launch();
}

/* OPTWERR, and nothing has changed. */
static void assert_option_refused(uint32_t reg, uint32_t value)
{
        uint32_t before = rd(reg);

        open_options();
        wr(reg, value);
        wr(L5_CR, OPTSTRT);
        assert_int_equal(rd(L5_SR) & 0x2000, 0x2000);
        launch();
        assert_int_equal(rd(reg), before);
}

static void u5_programs_whole_words_of_sixteen_bytes(void **state)
{
        uint16_t half = 0x5555;

        (void)state;
        make("u575");
        write_words(FLASH, 1);
        assert_int_equal(rd(L5_SR), 1u << 7); /* PGSERR: locked, no PG */
        wr(L5_SR, 1u << 7);
        assert_int_equal(rd(L5_SR), 0);
        keys(L5_KEYR, KEY_1, KEY_2);
        wr(L5_CR, 1);
        assert_int_equal(part_write(part, now, 0, FLASH, &half, 2), PART_OK);
        assert_int_equal(rd(L5_SR), 1u << 6); /* SIZERR */
        wr(L5_SR, 1u << 6);
        write_words(FLASH, 3);
        assert_int_equal(rd(L5_SR), 1u << 17); /* WDW */
        write_words(FLASH + 32, 1);
        assert_int_equal(rd(L5_SR), 1u << 17 | 1u << 5); /* PGAERR */
        wr(L5_SR, 1u << 5);
        wr(FLASH + 12, 0x44444444);
        assert_int_equal(rd(L5_SR), BSY);
        assert_int_equal(try_write(L5_CR, 0), PART_WAIT);
        now += 117 * NS_PER_US;
        assert_int_equal(rd(L5_SR), BSY);
        now += NS_PER_US;
        assert_int_equal(rd(L5_SR), 1); /* EOP */
        assert_int_equal(rd(FLASH + 8), 0x33333333);
        write_words(FLASH, 4);
        assert_int_equal(rd(L5_SR) & 0xFE, 1u << 3); /* PROGERR: once a word */
        done();
}

static void u5_erases_a_page_a_bank_or_both(void **state)
{
        (void)state;
        make("u575");
        part_fill_flash(part, FLASH + 0x2000, "\x01", 1);
        part_fill_flash(part, 0x08102000, "\x02", 1);
        keys(L5_KEYR, KEY_1, KEY_2);
        wr(L5_CR, 2 | 1 << 3 | 1u << 11 | STRT); /* PER, page 1, BKER */
        now += 2 * MS;
        assert_int_equal(rd(L5_SR), 1);
        assert_int_equal(flash_byte(0x08102000), 0xFF);
        assert_int_equal(flash_byte(FLASH + 0x2000), 0x01);
        wr(L5_CR, 4 | STRT); /* MER1 */
        now += 194 * MS;
        assert_int_equal(rd(L5_SR) & BSY, BSY);
        now += MS;
        assert_int_equal(rd(L5_SR), 1);
        assert_int_equal(flash_byte(FLASH + 0x2000), 0xFF);
        part_fill_flash(part, FLASH, "\x03", 1);
        part_fill_flash(part, 0x081FFFFF, "\x03", 1);
        wr(L5_CR, 4 | 1u << 15 | STRT);          /* MER1, MER2 */
        part_power(part, now + 100 * MS, false); /* cut before its time */
        assert_int_equal(flash_byte(FLASH), 0x03);
        now += 200 * MS;
        power(true);
        keys(L5_KEYR, KEY_1, KEY_2);
        wr(L5_CR, 4 | 1u << 15 | STRT);
        now += 195 * MS;
        assert_int_equal(rd(L5_SR), 1);
        assert_int_equal(flash_byte(FLASH), 0xFF);
        assert_int_equal(flash_byte(0x081FFFFF), 0xFF);
        done();
}

static void u5_option_bytes_wait_for_their_launch(void **state)
{
        (void)state;
        make("u575");
        assert_faults(try_write(L5_OPTKEYR, OPT_1)); /* the outer lock comes first */
        wr(0xE000ED0C, 0x05FA0004);
        now += 500 * MS;
        wr(WRP1AR, 0xFF80FF80); /* locked: ignored */
        assert_int_equal(rd(WRP1AR), 0xFF80FFFF);
        open_options();
        assert_int_equal(rd(L5_CR) >> 30, 0);
        wr(WRP1AR, 0xFF80FF80);
        wr(L5_CR, OPTSTRT);
        assert_int_equal(rd(L5_SR), BSY);
        now += 50 * MS;
        assert_int_equal(rd(L5_SR), 0);
        /* programmed, not in force */
        wr(L5_CR, 2 | STRT);
        now += 2 * MS;
        assert_int_equal(rd(L5_SR), 1);
        wr(L5_SR, 1);
        launch();
        assert_int_equal(rd(L5_CR) >> 30, 3); /* a reset: both locked */
        keys(L5_KEYR, KEY_1, KEY_2);
        wr(L5_CR, 2 | STRT);
        assert_int_equal(rd(L5_SR), 1u << 4); /* WRPERR */
        done();
}

static void u5_power_loads_option_bytes_too_and_a_cut_leaves_them(void **state)
{
        (void)state;
        make("u575");
        open_options();
        wr(WRP1AR, 0xFF80FF80);
        wr(L5_CR, OPTSTRT);
        part_power(part, now + 49 * MS, false);
        power(true);
        assert_int_equal(rd(WRP1AR), 0xFF80FFFF);
        open_options();
        wr(WRP1AR, 0xFF80FF80);
        wr(L5_CR, OPTSTRT);
        now += 50 * MS;
        power(false);
        power(true);
        assert_int_equal(rd(WRP1AR), 0xFF80FF80);
        done();
}

static void u5_locks_open_by_regression_only(void **state)
{
        (void)state;
        make("u575");
        change_option(WRP1AR, 0x7F80FF80); /* page 0, UNLOCK 0 */
        assert_option_refused(WRP1AR, 0xFF80FF80);
        assert_option_refused(WRP1AR, 0x7F80FFFF);
        change_option(SECBOOT, 0x0C00007D);
        assert_option_refused(SECBOOT, 0x0C00007C);
        change_option(U5_OPTR, 0x1FEFF8BB);
        open_options();
        wr(WRP1AR, 0xFF80FFFF);
        wr(SECBOOT, 0x0C00007C);
        wr(U5_OPTR, 0x1FEFF8AA);
        wr(L5_CR, OPTSTRT);
        now += 1000 * MS;
        assert_int_equal(rd(L5_SR) & 0x2000, 0);
        launch();
        assert_int_equal(rd(SECBOOT), 0x0C00007C);
        assert_int_equal(rd(WRP1AR), 0xFF80FFFF);
        done();
}

static void u5_has_a_secure_side_only_with_trustzone(void **state)
{
        uint32_t value;

        (void)state;
        make("u575");
        assert_faults(try_read(0x5002202C, &value));
        assert_faults(try_read(0x0C000000, &value));
        assert_faults(try_read(0x30000000, &value)); /* RAM */
        change_option(U5_OPTR, 0x9FEFF8AA);
        assert_int_equal(rd(0x40022050) & 0x007F007F, 0x007F0000); /* all secure by itself */
        assert_int_equal(rd(0x40022060) & 0x007F007F, 0x007F0000);
        assert_int_equal(rd(0x4002202C), 0); /* SECCR from the other side */
        assert_int_equal(rd(0x5002202C), 0x80000000);
        wr(0x30000000, 0x12345678);
        assert_int_equal(rd(0x20000000), 0x12345678);
        /* a non-secure erase of a secure page */
        part_fill_flash(part, FLASH, "\x07", 1);
        keys(L5_KEYR, KEY_1, KEY_2);
        wr(L5_CR, 2 | STRT);
        assert_int_equal(rd(L5_SR), 1u << 4);
        keys(0x5002200C, KEY_1, KEY_2);
        wr(0x5002202C, 2 | STRT);
        assert_int_equal(rd(0x50022024), BSY);
        assert_int_equal(rd(L5_SR) & BSY, BSY); /* one controller */
        now += 2 * MS;
        assert_int_equal(rd(0x50022024), 1);
        assert_int_equal(flash_byte(FLASH), 0xFF);
        done();
}

/* From level 1 to 0.5 the secure side stays, the other goes. */
static void u5_goes_back_half_way(void **state)
{
        uint32_t value;

        (void)state;
        make("u575");
        open_options();
        wr(0x40022050, 0x00000000); /* SECWM1: page 0 */
        wr(0x40022060, 0x0000007F); /* SECWM2: none */
        wr(U5_OPTR, 0x9FEFF8AA);
        wr(L5_CR, OPTSTRT);
        now += 50 * MS;
        launch();
        change_option(U5_OPTR, 0x9FEFF8BB);
        part_fill_flash(part, FLASH, "\x21", 1);
        part_fill_flash(part, FLASH + 0x2000, "\x22", 1);
        power(false);
        power(true);
        assert_faults(try_read(FLASH + 0x2000, &value));
        change_option(U5_OPTR, 0x9FEFF855);
        assert_int_equal(flash_byte(FLASH), 0x21);
        assert_int_equal(flash_byte(FLASH + 0x2000), 0xFF);
        assert_int_equal(rd(FLASH), 0); /* secure */
        assert_int_equal(rd(FLASH + 0x2000), 0xFFFFFFFF);
        assert_faults(try_read(0x0C000000, &value));
        done();
}

/* --- L4: without TrustZone ----------------------------------------------------------------- */

static void l4_and_wl_refuse_at_their_own_places(void **state)
{
        static const struct {
                const char *name;
                uint32_t base, pcrop_start, pcrop_end, start, end, last;
        } cases[] = {
                { "l462", 0x40022000, 0x24, 0x28, 0x40, 0x8000005F, 0x8000005E },
                { "wl5x", 0x58004000, 0x24, 0x28, 0x04, 0x80000007, 0x80000006 },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                uint32_t base = cases[i].base, value;

                make(cases[i].name);
                for (unsigned round = 0; round < 2; round++) {
                        keys(base + 0x08, KEY_1, KEY_2);
                        keys(base + 0x0C, OPT_1, OPT_2);
                        wr(base + cases[i].pcrop_start, cases[i].start);
                        wr(base + cases[i].pcrop_end, round ? cases[i].last : cases[i].end);
                        wr(base + 0x14, OPTSTRT);
                        now += 50 * MS;
                        assert_int_equal(rd(base + 0x10), round ? 1u << 15 : 0);
                        wr(base + 0x14, OBL);
                        now += 500 * MS;
                }
                value = (uint32_t)(i ? FLASH + 0x1000 : FLASH + 0x200);
                assert_faults(try_read(value, &value));
                assert_int_equal(rd(base + 0x10), 1u << 14); /* RDERR */
                assert_int_equal(rd(FLASH), 0xFFFFFFFF);
                done();
        }
}

/* --- H5 ------------------------------------------------------------------------------------ */

#define H5_REG    0x40022000u
#define H5_KEYR   (H5_REG + 0x04)
#define H5_OPTCR  (H5_REG + 0x1C)
#define H5_SR     (H5_REG + 0x20)
#define H5_CR     (H5_REG + 0x28)
#define H5_CCR    (H5_REG + 0x30)
#define OPTSR_PRG (H5_REG + 0x54)

static void h5_words_sectors_banks(void **state)
{
        (void)state;
        make("h52x");
        keys(H5_KEYR, KEY_1, KEY_2);
        wr(H5_CR, 2);
        write_words(FLASH, 2);
        assert_int_equal(rd(H5_SR), 2); /* WBNE */
        write_words(FLASH + 16, 1);
        assert_int_equal(rd(H5_SR), 2 | 1u << 20); /* INCERR */
        wr(H5_CCR, 1u << 20);
        write_words(FLASH, 1);
        assert_int_equal(rd(H5_SR), 2 | 1u << 19); /* STRBERR */
        wr(H5_CCR, 1u << 19);
        wr(H5_CR, 2 | 1u << 4); /* FW */
        now += 30 * NS_PER_US;
        assert_int_equal(rd(H5_SR), 1u << 16);
        assert_int_equal(rd(FLASH + 4), 0x22222222);
        assert_int_equal(rd(FLASH + 8), 0xFFFFFFFF);
        part_fill_flash(part, 0x08040000 + 31 * 0x2000, "\x01", 1);
        wr(H5_CR, 4 | 31u << 6 | 1u << 31 | 1u << 5); /* CR_SER, sector 31 of bank 2 */
        now += 2 * MS;
        assert_int_equal(flash_byte(0x08040000 + 31 * 0x2000), 0xFF);
        assert_int_equal(flash_byte(FLASH), 0x11);
        part_fill_flash(part, 0x08040000, "\x01", 1);
        wr(H5_CR, 8 | 1u << 5); /* BER, bank 1 */
        now += 4 * MS;
        assert_int_equal(flash_byte(FLASH), 0xFF);
        assert_int_equal(flash_byte(0x08040000), 0x01);
        wr(H5_CR, 1u << 15 | 1u << 5); /* MER */
        now += 4 * MS;
        assert_int_equal(flash_byte(0x08040000), 0xFF);
        wr(H5_CR, 4 | 40u << 6 | 1u << 5); /* there are 32 sectors */
        assert_int_equal(rd(H5_SR) & 1u << 17, 1u << 17);
        done();
}

static void h5_change(uint32_t reg, uint32_t value, bool is_taken)
{
        keys(H5_REG + 0x0C, OPT_1, OPT_2);
        wr(reg, value);
        wr(H5_OPTCR, 2);
        assert_int_equal(rd(H5_SR), is_taken ? 1 : 1u << 23);
        now += 50 * MS;
        assert_int_equal(rd(H5_SR), is_taken ? 0 : 1u << 23);
        wr(H5_CCR, 1u << 23);
        wr(H5_OPTCR, 1);
}

static void h5_states_only_go_on_and_act_at_reset(void **state)
{
        uint32_t idr;

        (void)state;
        make("h56x");
        h5_change(OPTSR_PRG, 0x2D30AAF8, false); /* no state at all */
        h5_change(OPTSR_PRG, 0x2D3017F8, true);
        assert_int_equal(rd(H5_REG + 0x50), 0x2D3017F8);
        h5_change(OPTSR_PRG, 0x2D30EDF8, false);
        wr(OPTSR_PRG, 0x2D3017F8); /* locked: ignored */
        keys(H5_REG + 0x0C, OPT_1, OPT_2);
        wr(OPTSR_PRG, 0x2D3017F8);
        wr(H5_OPTCR, 1);
        h5_change(H5_REG + 0x74, 0xB400007C, false); /* TZEN only while open */
        h5_change(OPTSR_PRG, 0x2D305CF8, false);     /* the refused row is still written */
        h5_change(H5_REG + 0x74, 0xC300007C, true);
        h5_change(OPTSR_PRG, 0x2D305CF8, true);
        assert_int_equal(rd(FLASH), 0xFFFFFFFF); /* not before the reset */
        wr(0xE000ED0C, 0x05FA0004);
        now += 500 * MS;
        assert_int_equal(part_dp_read(part, now, 0x00, &idr), PART_OK);
        assert_int_equal(part_ap_read(part, now, 1, 0xFC, &idr), PART_OK);
        assert_int_equal(idr, 0); /* the access port is gone, the debug port is not */
        assert_int_equal(try_read(FLASH, &idr), PART_FAULT);
        done();
}

/* --- H7A/B, H73x, H7RS --------------------------------------------------------------------- */

#define H7_REG 0x52002000u

static void h7ab_has_its_bits_elsewhere(void **state)
{
        (void)state;
        make("h7a3");
        part_fill_flash(part, 0x08100000 + 100 * 0x2000, "\x01", 1);
        keys(H7_REG + 0x104, KEY_1, KEY_2);
        wr(H7_REG + 0x10C, 4 | 100u << 6 | 1u << 5); /* CR_SER, sector 100, START */
        assert_int_equal(rd(H7_REG + 0x110), 5);     /* BSY, QW */
        assert_int_equal(rd(H7_REG + 0x010), 0);     /* the other bank rests */
        now += 2 * MS;
        assert_int_equal(flash_byte(0x08100000 + 100 * 0x2000), 0xFF);
        wr(H7_REG + 0x10C, 2);
        write_words(0x08100000, 1);
        wr(H7_REG + 0x10C, 2 | 1u << 4); /* FW */
        now += 30 * NS_PER_US;
        assert_int_equal(rd(0x08100000), 0x11111111);
        assert_int_equal(rd(H7_REG + 0x10C), 2); /* no PSIZE */
        done();
}

static void h73x_has_one_bank(void **state)
{
        uint32_t value;

        (void)state;
        make("h73x");
        assert_int_equal(rd(H7_REG + 0x10C), 0); /* a hole */
        assert_faults(try_read(0x08100000, &value));
        keys(H7_REG + 0x04, KEY_1, KEY_2);
        keys(H7_REG + 0x08, OPT_1, OPT_2);
        part_fill_flash(part, FLASH, "\x01", 1);
        wr(H7_REG + 0x18, 0x10); /* OPTCR.MER: not on one bank (targets.md 6.3) */
        now += 20000 * MS;
        assert_int_equal(flash_byte(FLASH), 0x01);
        done();
}

static void h7rs_words_go_one_by_one(void **state)
{
        const uint32_t sr = H7_REG + 0x14, isr = H7_REG + 0x24, optisr = H7_REG + 0x108;

        (void)state;
        make("h7rs");
        keys(H7_REG + 0x04, KEY_1, KEY_2);
        wr(H7_REG + 0x10, 2);
        write_words(FLASH, 4);
        assert_int_equal(rd(sr), 0x15); /* BUSY, QW, IS_PROGRAM */
        now += 30 * NS_PER_US;
        assert_int_equal(rd(sr), 0);
        assert_int_equal(rd(isr), 1u << 16);
        write_words(FLASH, 4);
        assert_int_equal(rd(isr), 1u << 16 | 1u << 18);
        wr(H7_REG + 0x28, 1u << 16 | 1u << 18);
        assert_int_equal(rd(isr), 0);

        keys(H7_REG + 0x100, OPT_1, OPT_2);
        wr(H7_REG + 0x21C, 0xFE); /* WRPSRP without PG_OPT */
        now += 50 * MS;
        assert_int_equal(rd(H7_REG + 0x218), 0xFF);
        wr(H7_REG + 0x104, 2);
        wr(H7_REG + 0x21C, 0xFE);
        assert_int_equal(rd(sr), 0x45); /* BUSY, QW, IS_OPTCHANGE */
        assert_int_equal(try_write(H7_REG + 0x264, 0), PART_WAIT);
        now += 50 * MS;
        assert_int_equal(rd(sr), 0);
        assert_int_equal(rd(H7_REG + 0x218), 0xFE);
        wr(H7_REG + 0x204, 0x51); /* NVSRP */
        assert_int_equal(rd(optisr), 1u << 30);
        wr(H7_REG + 0x10C, 1u << 30);
        assert_int_equal(rd(optisr), 0);
        assert_int_equal(rd(H7_REG + 0x200), 0xB4);
        wr(H7_REG + 0x10, 4 | 1u << 5); /* the sector is protected now */
        assert_int_equal(rd(isr), 1u << 17);
        done();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(u5_programs_whole_words_of_sixteen_bytes),
                cmocka_unit_test(u5_erases_a_page_a_bank_or_both),
                cmocka_unit_test(u5_option_bytes_wait_for_their_launch),
                cmocka_unit_test(u5_power_loads_option_bytes_too_and_a_cut_leaves_them),
                cmocka_unit_test(u5_locks_open_by_regression_only),
                cmocka_unit_test(u5_has_a_secure_side_only_with_trustzone),
                cmocka_unit_test(u5_goes_back_half_way),
                cmocka_unit_test(l4_and_wl_refuse_at_their_own_places),
                cmocka_unit_test(h5_words_sectors_banks),
                cmocka_unit_test(h5_states_only_go_on_and_act_at_reset),
                cmocka_unit_test(h7ab_has_its_bits_elsewhere),
                cmocka_unit_test(h73x_has_one_bank),
                cmocka_unit_test(h7rs_words_go_one_by_one),
        };

        return cmocka_run_group_tests_name("sequences", tests, NULL, NULL);
}
