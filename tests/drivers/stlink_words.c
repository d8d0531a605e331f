/*
 * stlink_words.c - commands in words, by the layouts of spec/stlink.md.
 */
#include "tests/support/test.h"

#include "drivers/stlink_words.h"

#include <string.h>

static void commands_read_as_the_specification_has_them(void **state)
{
        static const struct {
                uint8_t command[WIRE_COMMAND_LENGTH];
                const char *words;
                enum stlink_class class;
        } cases[] = {
                { { 0xF1, 0x80 }, "GET_VERSION", STLINK_QUERY },
                { { 0xF1, 0x00 }, "GET_VERSION", STLINK_QUERY },
                { { 0xF2, 0x21 }, "DEBUG_EXIT", STLINK_SILENT },
                { { 0xF2, 0x30, 0xA3 }, "ENTER 0xA3", STLINK_STATUS },
                { { 0xF2, 0x08, 0x00, 0x10, 0x03, 0x24, 0x00, 0x18 },
                  "WRITEMEM_32BIT 0x24031000, 6144 bytes",
                  STLINK_WRITE },
                { { 0xF2, 0x07, 0x00, 0x00, 0x00, 0x08, 0x04, 0x00, 0x02 },
                  "READMEM_32BIT 0x08000000 AP 2, 4 bytes",
                  STLINK_READ },
                { { 0xF2, 0x35, 0x0C, 0xED, 0x00, 0xE0, 0x04, 0x00, 0xFA, 0x05 },
                  "WRITEDEBUGREG 0xE000ED0C <- 0x05FA0004",
                  STLINK_STATUS },
                { { 0xF2, 0x36, 0x00, 0x10, 0x00, 0x5C },
                  "READDEBUGREG 0x5C001000",
                  STLINK_STATUS },
                { { 0xF2, 0x46, 0xFF, 0xFF, 0x00, 0x00, 0x1E },
                  "WRITE_DAP_REG DP 0x00 <- 0x0000001E",
                  STLINK_STATUS },
                { { 0xF2, 0x45, 0x01, 0x00, 0xFC }, "READ_DAP_REG AP 1 0xFC", STLINK_STATUS },
                { { 0xF2, 0x61, 0x00, 0x00, 0xC0, 0x5D }, "SET_COM_FREQ 0x5DC0", STLINK_STATUS },
                { { 0xF2, 0x43, 0x1E, 0x03 }, "SWD_SET_FREQ 0x31E", STLINK_STATUS },
                { { 0xF2, 0x99 }, "? F2 99", STLINK_QUERY },
                { { 0x00 }, "? 00 00", STLINK_QUERY },
        };
        char text[64];

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                assert_string_equal(stlink_words_format(cases[i].command, text, sizeof(text)),
                                    cases[i].words);
                assert_int_equal(stlink_words(cases[i].command).class, cases[i].class);
        }
}

/* The longest command fits a line; a short buffer cuts and does not overflow. */
static void any_room_is_room_enough(void **state)
{
        static const uint8_t longest[WIRE_COMMAND_LENGTH] = { 0xF2, 0x50, 0xFF, 0xFF, 0xFF,
                                                              0xFF, 0xFF, 0xFF, 0xFF };
        char text[80], little[8];

        (void)state;
        stlink_words_format(longest, text, sizeof(text));
        assert_string_equal(text, "WRITEMEM_32BIT_NO_ADDR_INC 0xFFFFFFFF AP 255, 65535 bytes");
        assert_string_equal(stlink_words_format(longest, little, sizeof(little)), "WRITEME");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_read_as_the_specification_has_them),
                cmocka_unit_test(any_room_is_room_enough),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
