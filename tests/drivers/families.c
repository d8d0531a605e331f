/*
 * Every family through a whole simulated probe: the same questions, the answers of its data sheet.
 *
 * The numbers here are spelled out again and not taken from the family files, which are under test
 * too. One family a test, all in virtual time.
 */
#include "tests/drivers/bed.h"

#include <stdio.h>

/* How far a family can be driven back and forth. */
enum way { WAY_RDP, WAY_TRUSTZONE, WAY_STATE, WAY_RSSLIB };

struct facts {
        const char *file, *name;
        uint32_t dpidr, device_id, cpuid;
        unsigned access_port, flash_kib, sector, word;
        uint32_t bank_2; /* 0: one bank */
        uint32_t key, option_key;
        unsigned bor_low; /* BOR_LEV in the first row; two bits are enough */
        unsigned bor_row;
        /* write protection of the first sector of the last bank: a row and its value */
        unsigned protect_row;
        uint32_t protect_value;
        const char *protect_sentence;
        enum way way;
        bool resets; /* option bytes are loaded by a reset */
};

#define M4      0x410FC241
#define M7      0x411FC271
#define M33     0x410FD214
#define H7_KEYS 0x52002004, 0x52002008
#define L5_KEYS 0x40022008, 0x40022010
#define H5_KEYS 0x40022004, 0x4002200C

static const struct facts all[] = {
        { "h75x", "STM32H75x", 0x6BA02477, 0x450, M7, 0, 2048, 0x20000, 32, 0x08100000, H7_KEYS, 2,
          0, 6, 0xFE, "sectors of bank 2", WAY_RDP, false },
        { "h7a3", "STM32H7A3", 0x6BA02477, 0x480, M7, 0, 2048, 0x2000, 16, 0x08100000, H7_KEYS, 2,
          0, 6, 0xFFFFFFFE, "sectors of bank 2", WAY_RDP, false },
        { "h73x", "STM32H73x", 0x6BA02477, 0x483, M7, 0, 1024, 0x20000, 32, 0, H7_KEYS, 2, 0, 5,
          0xFE, "sectors of bank 1", WAY_RDP, false },
        { "l462", "STM32L462", 0x2BA01477, 0x462, M4, 0, 512, 0x800, 8, 0, 0x40022008, 0x4002200C,
          8, 0, 3, 0x00000000, "0x08000000 to 0x080007FF", WAY_RDP, true },
        { "wl5x", "STM32WL5x", 0x6BA02477, 0x497, M4, 0, 256, 0x800, 8, 0, 0x58004008, 0x5800400C,
          9, 0, 3, 0x00000000, "0x08000000 to 0x080007FF", WAY_RDP, true },
        { "l5", "STM32L5", 0x0BE12477, 0x472, M33, 0, 512, 0x800, 8, 0x08040000, L5_KEYS, 8, 0, 10,
          0xFF80FF80, "0x08040000 to 0x080407FF", WAY_TRUSTZONE, true },
        { "u535", "STM32U535", 0x0BE12477, 0x455, M33, 0, 512, 0x2000, 16, 0x08040000, L5_KEYS, 8,
          0, 10, 0xFFE0FFE0, "0x08040000 to 0x08041FFF", WAY_TRUSTZONE, true },
        { "u575", "STM32U575", 0x0BE12477, 0x482, M33, 0, 2048, 0x2000, 16, 0x08100000, L5_KEYS, 8,
          0, 10, 0xFF80FF80, "0x08100000 to 0x08101FFF", WAY_TRUSTZONE, true },
        { "u59x", "STM32U59x", 0x0BE12477, 0x481, M33, 0, 4096, 0x2000, 16, 0x08200000, L5_KEYS, 8,
          0, 10, 0xFF00FF00, "0x08200000 to 0x08201FFF", WAY_TRUSTZONE, true },
        { "u5fx", "STM32U5Fx", 0x0BE12477, 0x476, M33, 0, 4096, 0x2000, 16, 0x08200000, L5_KEYS, 8,
          0, 10, 0xFF00FF00, "0x08200000 to 0x08201FFF", WAY_TRUSTZONE, true },
        { "wba5x", "STM32WBA5x", 0x6BA02477, 0x492, M33, 1, 1024, 0x2000, 16, 0, L5_KEYS, 8, 0, 6,
          0xFF80FF80, "0x08000000 to 0x08001FFF", WAY_TRUSTZONE, true },
        { "wba6x", "STM32WBA6x", 0x6BA02477, 0x4B0, M33, 1, 2048, 0x2000, 16, 0x08100000, L5_KEYS,
          8, 0, 10, 0xFF80FF80, "0x08100000 to 0x08101FFF", WAY_TRUSTZONE, true },
        { "h56x", "STM32H56x", 0x6BA02477, 0x484, M33, 1, 2048, 0x2000, 16, 0x08100000, H5_KEYS, 0,
          0, 12, 0xFFFFFFFE, "sectors of bank 2", WAY_STATE, false },
        { "h52x", "STM32H52x", 0x6BA02477, 0x478, M33, 1, 512, 0x2000, 16, 0x08040000, H5_KEYS, 0,
          0, 12, 0xFFFFFFFE, "sectors of bank 2", WAY_STATE, false },
        { "h503", "STM32H503", 0x6BA02477, 0x474, M33, 1, 128, 0x2000, 16, 0x08010000, H5_KEYS, 0,
          0, 7, 0xFFFFFFFE, "sectors of bank 2", WAY_STATE, false },
        { "h7rs", "STM32H7RS", 0x6BA02477, 0x485, M7, 1, 64, 0x2000, 16, 0, 0x52002004, 0x52002100,
          2, 6, 3, 0xFE, "sectors of bank 1", WAY_RSSLIB, false },
};

static const struct facts *facts;
static struct bed *bed;

static struct target *target(void)
{
        return &bed->target;
}

static void read_options(uint32_t *ret_values)
{
        assert_int_equal(target_read_options(target(), ret_values), 0);
}

/* Another power-on, and attached again. */
static void power_cycle(void)
{
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_int_equal(target_attach(target(), 24000), 0);
}

static uint32_t first_address(void) /* of the last bank */
{
        return facts->bank_2 ? facts->bank_2 : 0x08000000;
}

/* --- who it is ----------------------------------------------------------------------------- */

static void it_tells_who_it_is(void)
{
        struct target_identity identity;
        struct family other = bed->family;
        uint32_t cpuid;

        assert_string_equal(bed->family.name, facts->name);
        assert_int_equal(bed->family.access_port, facts->access_port);
        assert_int_equal(target_identify(target(), &identity), 0);
        assert_int_equal(identity.dpidr, facts->dpidr);
        assert_int_equal(identity.device_id, facts->device_id);
        assert_int_equal(identity.revision, bed->family.revision);
        assert_int_equal(identity.flash_kib, facts->flash_kib);
        assert_int_equal(strlen(identity.unique_id_text), 24);
        assert_true(identity.unique_id[0] && identity.unique_id[1] && identity.unique_id[2]);
        assert_int_equal(target_read_word(target(), 0xE000ED00, &cpuid), 0);
        assert_int_equal(cpuid, facts->cpuid);
        assert_int_equal(target_check_boot(target()), 0);

        other.device_id = 0x123;
        snprintf(other.name, sizeof(other.name), "STM32other");
        bed->target.family = &other;
        assert_fault(target_identify(target(), &identity), WRONG_PART, "a STM32other has 0x123");
        other.dpidr = 0x12345678;
        assert_fault(target_attach(target(), 24000), WRONG_PART, "a STM32other has 0x12345678");
        bed->target.family = &bed->family;
        assert_int_equal(target_attach(target(), 24000), 0);
}

/* --- option bytes -------------------------------------------------------------------------- */

static void options_read_as_from_the_factory(void)
{
        uint32_t values[OPTION_ROWS_MAX];

        read_options(values);
        for (size_t i = 0; i < bed->family.option_count; i++)
                if (bed->family.options[i].current)
                        assert_int_equal(values[i], bed->family.options[i].factory);
        assert_int_equal(check_unprotected(target(), values), 0);
        assert_true(family_is_open(&bed->family, values));
}

static void a_field_is_written_and_read_back(void)
{
        uint32_t values[OPTION_ROWS_MAX], again[OPTION_ROWS_MAX], dhcsr;
        uint64_t start = clock_now_ns();
        unsigned commands;

        read_options(values);
        assert_int_equal(target_read_word(target(), 0xE000EDF0, &dhcsr), 0); /* clears S_RESET_ST */
        values[facts->bor_row] ^= 1u << facts->bor_low;
        assert_int_equal(target_write_options(target(), values), 0);
        assert_true(clock_now_ns() - start >= bed->family.option_program_ms * NS_PER_MS);
        read_options(again);
        assert_memory_equal(values, again, bed->family.option_count * sizeof(values[0]));
        assert_int_equal(target_read_word(target(), 0xE000EDF0, &dhcsr), 0);
        assert_int_equal(dhcsr >> 25 & 1, facts->resets);

        commands = bed->commands; /* a second time there is nothing to do but look */
        assert_int_equal(target_write_options(target(), values), 0);
        assert_true(bed->commands - commands <= bed->family.option_count);
        power_cycle();
        read_options(again);
        assert_memory_equal(values, again, bed->family.option_count * sizeof(values[0]));
}

static void wrong_keys_lock_until_the_next_reset(void)
{
        uint32_t values[OPTION_ROWS_MAX];

        assert_fault(target_write_word(target(), facts->key, 0x4567FFFF), TARGET_ACCESS, NULL);
        assert_true(target_erase(target(), 0x08000000, 1, NULL) < 0);
        assert_int_equal(target_reset(target(), 1000), 0);
        assert_int_equal(target_erase(target(), 0x08000000, 1, NULL), 0);

        /* the second key first */
        assert_fault(target_write_word(target(), facts->option_key, 0x4C5D6E7F), TARGET_ACCESS,
                     NULL);
        read_options(values);
        values[facts->bor_row] ^= 1u << facts->bor_low;
        assert_true(target_write_options(target(), values) < 0);
        assert_int_equal(target_reset(target(), 1000), 0);
        assert_int_equal(target_write_options(target(), values), 0);
}

/* --- flash --------------------------------------------------------------------------------- */

static void erase_ends_at_the_borders_of_banks(void)
{
        uint32_t end = first_address() - 1, progress = 0;
        const uint32_t bank = facts->flash_kib * 1024 / (facts->bank_2 ? 2 : 1);
        uint32_t last = first_address() + bank - 1;

        part_fill_flash(bed->part, last, "\x00", 1);
        part_fill_flash(bed->part, first_address(), "\x3C", 1);
        part_fill_flash(bed->part, first_address() + facts->sector, "\x5A", 1);
        if (facts->bank_2)
                part_fill_flash(bed->part, end, "\xC3", 1);
        assert_fault(target_check_blank(target(), first_address(), 16), NOT_BLANK, "holds 0x3C");
        assert_int_equal(target_erase(target(), first_address(), 1, &progress), 0);
        assert_int_equal(progress, facts->sector);
        assert_int_equal(target_check_blank(target(), first_address(), facts->sector), 0);
        assert_fault(target_check_blank(target(), first_address(), facts->sector + 1), NOT_BLANK,
                     "holds 0x5A");
        if (facts->bank_2) {
                assert_fault(target_check_blank(target(), end, 2), NOT_BLANK, "holds 0xC3");
                part_fill_flash(bed->part, first_address(), "\x3C", 1);
                assert_int_equal(target_erase(target(), end, 2, NULL), 0);
                assert_int_equal(target_check_blank(target(), end, 2), 0);
        }
        assert_int_equal(target_erase(target(), last, 1, NULL), 0);
        assert_int_equal(target_check_blank(target(), last, 1), 0);
        assert_int_equal(*part_flash(bed->part, first_address() + facts->sector), 0x5A);
        assert_int_equal(target_erase(target(), first_address() + facts->sector, 1, NULL), 0);
        assert_fault(target_erase(target(), last, 2, NULL), BAD_VALUE, "in no flash bank");
}

static void a_word_is_programmed_once(void)
{
        uint32_t at = first_address() + facts->sector - facts->word, progress = 0;
        uint8_t data[64], back[64];

        for (unsigned i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(i * 5 + 1);
        /* across a sector's end */
        assert_int_equal(target_program(target(), at, data, 2 * facts->word, &progress), 0);
        assert_int_equal(progress, 2 * facts->word);
        assert_int_equal(target_read(target(), at, back, 2 * facts->word), 0);
        assert_memory_equal(data, back, 2 * facts->word);
        assert_fault(target_program(target(), at, data + 1, facts->word, NULL), FLASH,
                     "programming 0x");
        assert_int_equal(target_read(target(), at, back, facts->word), 0);
        assert_memory_equal(data, back, facts->word);
        assert_fault(target_program(target(), at + 4, data, facts->word, NULL), BAD_VALUE,
                     "whole flash words");
        assert_int_equal(target_erase(target(), at, 2 * facts->word, NULL), 0);
}

static void protected_sectors_are_named_and_kept(void)
{
        uint32_t values[OPTION_ROWS_MAX], virgin[OPTION_ROWS_MAX];
        uint8_t word[32] = { 1 };

        part_fill_flash(bed->part, first_address(), "\x11", 1);
        read_options(virgin);
        memcpy(values, virgin, sizeof(values));
        values[facts->protect_row] = facts->protect_value;
        assert_int_equal(target_write_options(target(), values), 0);
        read_options(values);
        assert_fault(check_unprotected(target(), values), PROTECTED, facts->protect_sentence);
        assert_fault(target_erase(target(), first_address(), 1, NULL), PROTECTED,
                     "is write-protected");
        assert_fault(
                target_program(target(), first_address() + facts->word, word, facts->word, NULL),
                PROTECTED, "is write-protected");
        assert_int_equal(*part_flash(bed->part, first_address()), 0x11);
        assert_int_equal(target_write_options(target(), virgin), 0);
        assert_int_equal(target_erase(target(), first_address(), 1, NULL), 0);
}

/* --- levels and states --------------------------------------------------------------------- */

static void set_field(enum field_role role, uint32_t value, int result, const char *sentence)
{
        uint32_t values[OPTION_ROWS_MAX];

        read_options(values);
        family_field_set(family_field(&bed->family, role), values, value);
        if (result == 0)
                assert_int_equal(target_write_options(target(), values), 0);
        else
                test_assert_fault(target_write_options(target(), values), (enum fault) - result,
                                  sentence, __FILE__, __LINE__);
}

static void level_1_shuts_and_the_way_back_erases(void)
{
        uint32_t values[OPTION_ROWS_MAX], word;

        part_fill_flash(bed->part, 0x08000000, "\x42", 1);
        part_fill_flash(bed->part, first_address() + facts->sector, "\x42", 1);
        set_field(ROLE_READOUT, 0xBB, 0, NULL);
        assert_int_equal(target_read_word(target(), 0x08000000, &word), 0); /* not yet */
        power_cycle();
        assert_fault(target_read_word(target(), 0x08000000, &word), TARGET_ACCESS, NULL);
        assert_int_equal(target_read_word(target(), bed->family.ram_address, &word), 0);
        read_options(values);
        assert_int_equal(family_protection(&bed->family, values), 0xBB);
        assert_false(family_is_open(&bed->family, values));

        set_field(ROLE_READOUT, 0xAA, 0, NULL);
        assert_int_equal(target_check_blank(target(), 0x08000000, 64), 0);
        assert_int_equal(target_check_blank(target(), first_address() + facts->sector, 64), 0);
        read_options(values);
        assert_true(family_is_open(&bed->family, values));
}

static void level_2_is_the_end(void)
{
        struct target_identity identity;

        set_field(ROLE_READOUT, 0xCC, 0, NULL);
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_fault(target_attach(target(), 24000), NO_TARGET, NULL);
        assert_true(target_identify(target(), &identity) < 0);
}

/* TrustZone on makes all flash secure; its side is served through the secure alias and registers;
 * off goes with a regression only. */
static void trustzone_has_two_sides(void)
{
        const uint32_t ns = 0x08000000, s = 0x0C000000;
        uint32_t values[OPTION_ROWS_MAX], word;
        uint8_t data[32] = { 0x12, 0x34, 0x56, 0x78, 0x9A };

        assert_fault(target_read_word(target(), s, &word), TARGET_ACCESS, NULL);
        set_field(ROLE_READOUT, 0x55, -FAULT_OPTION_BYTES, "refused"); /* wants TrustZone */
        assert_int_equal(target_reset(target(), 1000), 0);
        set_field(ROLE_TRUSTZONE, 1, 0, NULL);
        read_options(values);
        assert_fault(check_unprotected(target(), values), PROTECTED, "secure flash");

        assert_int_equal(target_erase(target(), ns, 1, NULL), 0);
        assert_int_equal(target_program(target(), s, data, facts->word, NULL), 0);
        assert_int_equal(target_read_word(target(), s, &word), 0);
        assert_int_equal(word, 0x78563412);
        assert_int_equal(target_read_word(target(), ns, &word), 0);
        assert_int_equal(word, 0); /* the other side sees zeros */
        assert_fault(target_program(target(), s, data + 1, facts->word, NULL), FLASH, NULL);
        assert_int_equal(target_erase(target(), s, 1, NULL), 0);
        assert_int_equal(target_check_blank(target(), s, 64), 0);

        set_field(ROLE_TRUSTZONE, 0, -FAULT_OPTION_BYTES, "refused");
        assert_int_equal(target_reset(target(), 1000), 0);
        part_fill_flash(bed->part, ns, "\x66", 1);
        set_field(ROLE_READOUT, 0x55, 0, NULL);
        power_cycle();
        assert_fault(target_read_word(target(), s, &word), TARGET_ACCESS, NULL);
        assert_int_equal(target_read_word(target(), ns, &word), 0);
        assert_int_equal(word, 0);

        read_options(values);
        family_field_set(family_field(&bed->family, ROLE_READOUT), values, 0xAA);
        family_field_set(family_field(&bed->family, ROLE_TRUSTZONE), values, 0);
        assert_int_equal(target_write_options(target(), values), 0);
        assert_int_equal(target_check_blank(target(), ns, 64), 0);
        read_options(values);
        assert_true(family_is_open(&bed->family, values));
        assert_int_equal(check_unprotected(target(), values), 0);
}

/* TZEN of the H5 is a byte, and the watermark says which sectors are secure. */
static void h5_trustzone_has_two_sides(void)
{
        const uint32_t ns = 0x08000000, s = 0x0C000000, sector = facts->sector;
        uint32_t values[OPTION_ROWS_MAX], word;
        uint8_t data[16] = { 0x12, 0x34, 0x56, 0x78, 0x9A };

        read_options(values);
        family_field_set(family_field(&bed->family, ROLE_TRUSTZONE), values, 0xB4);
        values[7] = 0x00000000; /* SECWM1: sector 0 */
        assert_int_equal(target_write_options(target(), values), 0);
        assert_fault(check_unprotected(target(), values), PROTECTED, "secure flash");
        assert_int_equal(target_program(target(), s, data, 16, NULL), 0);
        assert_int_equal(target_program(target(), ns + sector, data, 16, NULL), 0);
        assert_int_equal(target_read_word(target(), s, &word), 0);
        assert_int_equal(word, 0x78563412);
        assert_int_equal(target_read_word(target(), ns, &word), 0);
        assert_int_equal(word, 0);
        assert_int_equal(target_read_word(target(), ns + sector, &word), 0);
        assert_int_equal(word, 0x78563412);
        assert_int_equal(target_read_word(target(), s + sector, &word), 0);
        assert_int_equal(word, 0);
        assert_int_equal(target_erase(target(), ns, 2 * sector, NULL), 0);
        assert_int_equal(*part_flash(bed->part, ns), 0xFF);
        assert_int_equal(*part_flash(bed->part, ns + sector), 0xFF);
        family_field_set(family_field(&bed->family, ROLE_TRUSTZONE), values, 0xC3);
        values[7] = 0x00000001;
        assert_int_equal(target_write_options(target(), values), 0);
        assert_int_equal(check_unprotected(target(), values), 0);
}

/* Forward only, and a closed state ends with debug access gone. */
static void product_states_go_forward(void)
{
        uint32_t values[OPTION_ROWS_MAX];

        set_field(ROLE_STATE, 0x9A, -FAULT_OPTION_BYTES, "OPTCHANGEERR");
        set_field(ROLE_STATE, 0x17, 0, NULL);
        read_options(values);
        assert_false(family_is_open(&bed->family, values));
        set_field(ROLE_STATE, 0xED, -FAULT_OPTION_BYTES, "OPTCHANGEERR");
        if (bed->family.secure_alias) /* what was refused does not come along with the next */
                set_field(ROLE_TRUSTZONE, 0xB4, -FAULT_OPTION_BYTES, "OPTCHANGEERR");
        read_options(values);
        values[0] ^= 1;
        assert_int_equal(target_write_options(target(), values), 0);
        set_field(ROLE_STATE, 0x72, -FAULT_TARGET_LOST, "did not come back");
        bed_power(bed, false);
        bed_power(bed, true);
        assert_int_equal(fiber_sleep_ns(500 * NS_PER_MS), 0);
        assert_true(target_attach(target(), 24000) < 0 ||
                    target_read_word(target(), 0xE000ED00, values) < 0);
}

static void some_words_change_through_rsslib_only(void)
{
        uint32_t values[OPTION_ROWS_MAX];

        read_options(values);
        values[0] = 0x51;
        assert_fault(target_write_options(target(), values), OPTION_BYTES,
                     "refused option row NVSR");
        read_options(values);
        assert_int_equal(values[0], 0xB4);
        values[1] ^= 0xFF;
        assert_fault(target_write_options(target(), values), OPTION_BYTES, "row ROTSR");
        read_options(values);
        values[5] = 7; /* EPOCHSR */
        values[7] ^= 0x100;
        assert_int_equal(target_write_options(target(), values), 0);
}

static void it_goes_its_way(void)
{
        switch (facts->way) {
        case WAY_RDP:
                level_1_shuts_and_the_way_back_erases();
                level_2_is_the_end();
                break;
        case WAY_TRUSTZONE:
                trustzone_has_two_sides();
                level_1_shuts_and_the_way_back_erases();
                level_2_is_the_end();
                break;
        case WAY_STATE:
                if (bed->family.secure_alias)
                        h5_trustzone_has_two_sides();
                product_states_go_forward();
                break;
        case WAY_RSSLIB:
                some_words_change_through_rsslib_only();
                break;
        }
}

/* --- areas that only grow ------------------------------------------------------------------ */

static int pcrop(void *unused)
{
        static const struct {
                const char *file;
                unsigned start_row, end_row;
                uint32_t start, end, bigger_start, off_start, off_end;
                const char *refusal;
        } cases[] = {
                { "h7a3", 1, 1, 0x80020001, 0x80020001, 0x80020000, 0x800000FF, 0x800000FF,
                  "OPTCHANGEERR" },
                { "h73x", 1, 1, 0x80020001, 0x80020001, 0x80020000, 0x800000FF, 0x800000FF,
                  "OPTCHANGEERR" },
                { "l462", 1, 2, 0x40, 0x8000005F, 0x20, 0xFFFF, 0x80000000, "SR 0x" },
                { "wl5x", 1, 2, 0x04, 0x80000005, 0x03, 0xFF, 0x80000000, "SR 0x" },
        };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                uint32_t values[OPTION_ROWS_MAX], word;
                char path[64];

                snprintf(path, sizeof(path), "configs/targets/stm32%s.conf", cases[i].file);
                bed = bed_make_family(path);
                assert_int_equal(target_attach(target(), 24000), 0);
                read_options(values);
                values[cases[i].start_row] = cases[i].start;
                values[cases[i].end_row] = cases[i].end;
                assert_int_equal(target_write_options(target(), values), 0);
                assert_fault(check_unprotected(target(), values), PROTECTED, "PCROP area");
                assert_fault(target_read_word(target(), 0x08000200 + (i == 3 ? 0xF00 : 0), &word),
                             TARGET_ACCESS, NULL);
                if (cases[i].start_row == cases[i].end_row)
                        values[1] = cases[i].bigger_start;
                else
                        values[cases[i].start_row] = cases[i].bigger_start;
                assert_int_equal(target_write_options(target(), values), 0);
                values[cases[i].start_row] = cases[i].off_start;
                values[cases[i].end_row] = cases[i].off_end;
                assert_fault(target_write_options(target(), values), OPTION_BYTES,
                             cases[i].refusal);
                assert_int_equal(target_reset(target(), 1000), 0);
                /* and goes with a regression from level 1 */
                set_field(ROLE_READOUT, 0xBB, 0, NULL);
                power_cycle();
                family_field_set(family_field(&bed->family, ROLE_READOUT), values, 0xAA);
                assert_int_equal(target_write_options(target(), values), 0);
                read_options(values);
                assert_int_equal(check_unprotected(target(), values), 0);
                bed_free(bed);
        }
        return 0;
}

static void execute_only_areas_grow_and_go_by_regression(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, pcrop, NULL), 0);
}

/* --- one family ---------------------------------------------------------------------------- */

static int whole_family(void *unused)
{
        char path[64];

        (void)unused;
        snprintf(path, sizeof(path), "configs/targets/stm32%s.conf", facts->file);
        bed = bed_make_family(path);
        assert_int_equal(target_attach(target(), 24000), 0);
        it_tells_who_it_is();
        options_read_as_from_the_factory();
        a_field_is_written_and_read_back();
        wrong_keys_lock_until_the_next_reset();
        erase_ends_at_the_borders_of_banks();
        a_word_is_programmed_once();
        protected_sectors_are_named_and_kept();
        it_goes_its_way();
        bed_free(bed);
        return 0;
}

static void answers_as_its_data_sheet_says(void **state)
{
        facts = *state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, whole_family, NULL), 0);
}

int main(void)
{
        struct CMUnitTest tests[LENGTH_OF(all) + 1];
        static char names[LENGTH_OF(all)][64];

        for (size_t i = 0; i < LENGTH_OF(all); i++) {
                union {
                        const struct facts *from;
                        void *to;
                } state = { &all[i] };

                snprintf(names[i], sizeof(names[i]), "%s_answers_as_its_data_sheet_says",
                         all[i].name);
                tests[i] = (struct CMUnitTest){ names[i], answers_as_its_data_sheet_says, NULL,
                                                NULL, state.to };
        }
        tests[LENGTH_OF(all)] =
                (struct CMUnitTest)cmocka_unit_test(execute_only_areas_grow_and_go_by_regression);
        return cmocka_run_group_tests_name("families", tests, NULL, NULL);
}
