/*
 * What is written must be what is read: by our own readers, and by eye where the form is short.
 */
#include "tests/support/test.h"

#include "crypto/firmware.h"
#include "crypto/firmware_write.h"

#include <string.h>

static void hex_is_as_the_format_says(void **state)
{
        static const char wanted[] = ":020000040801F1\n"
                                     ":02FFFE00AABB9C\n"
                                     ":020000040802F0\n"
                                     ":01000000CC33\n"
                                     ":00000001FF\n";
        const struct firmware_piece piece = { 0x0801FFFE, "\xAA\xBB\xCC", 3 };
        struct bytes text = firmware_write_hex(&piece, 1);

        (void)state;
        assert_int_equal(text.length, sizeof(wanted) - 1);
        assert_memory_equal(text.data, wanted, text.length);
        bytes_free(&text);
        text = firmware_write_hex(NULL, 0);
        assert_string_equal((const char *)text.data, ":00000001FF\n");
        bytes_free(&text);
}

/* Random pieces, touching ones among them, out and in again. */
static void assert_round_trip(bool is_elf, unsigned seed)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        static uint8_t bytes[70000];
        struct firmware_piece pieces[4];
        struct bytes file = { 0 };
        uint32_t address = seed % 2 ? 0x0800FFF1 : 0;
        size_t used = 0;

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)(i * 31 + seed + (i >> 8));
        for (size_t i = 0; i < LENGTH_OF(pieces); i++) {
                size_t length = 1 + (seed * 7919 + i * 6151) % 17000;

                pieces[i] = (struct firmware_piece){ address, bytes + used, length };
                address += (uint32_t)length + (i == 1 ? 0 : 100 + 0x10000 * (uint32_t)i);
                used += length;
        }
        if (is_elf)
                assert_int_equal(firmware_write_elf(pieces, LENGTH_OF(pieces), &file), 0);
        else
                file = firmware_write_hex(pieces, LENGTH_OF(pieces));
        assert_int_equal(firmware_form(file.data, file.length),
                         is_elf ? FIRMWARE_ELF : FIRMWARE_HEX);
        assert_int_equal(firmware_add(&firmware, "again", file.data, file.length, 0), 0);
        assert_int_equal(firmware.count, 3); /* two of the four touch */
        for (size_t i = 0, at = 0; i < firmware.count; at += firmware.segments[i++].data.length) {
                assert_int_equal(firmware.segments[i].address, pieces[i < 2 ? i : 3].address);
                assert_memory_equal(firmware.segments[i].data.data, bytes + at,
                                    firmware.segments[i].data.length);
        }
        bytes_free(&file);
}

static void hex_comes_back_byte_for_byte(void **state)
{
        (void)state;
        for (unsigned seed = 0; seed < 50; seed++)
                assert_round_trip(false, seed);
}

static void elf_comes_back_byte_for_byte(void **state)
{
        (void)state;
        for (unsigned seed = 0; seed < 50; seed++)
                assert_round_trip(true, seed);
}

static void the_top_of_the_address_space_can_be_written(void **state)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        const struct firmware_piece piece = { 0xFFFFFFF0, "0123456789abcdef", 16 };
        struct bytes text = firmware_write_hex(&piece, 1);

        (void)state;
        assert_int_equal(firmware_add(&firmware, "top", text.data, text.length, 0), 0);
        assert_int_equal(firmware.segments[0].address, 0xFFFFFFF0);
        bytes_free(&text);
}

static void an_elf_of_nothing_is_refused(void **state)
{
        struct bytes file;

        (void)state;
        assert_fault(firmware_write_elf(NULL, 0, &file), TOO_LARGE, "0 segments");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hex_is_as_the_format_says),
                cmocka_unit_test(hex_comes_back_byte_for_byte),
                cmocka_unit_test(elf_comes_back_byte_for_byte),
                cmocka_unit_test(the_top_of_the_address_space_can_be_written),
                cmocka_unit_test(an_elf_of_nothing_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
