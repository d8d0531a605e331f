/*
 * stlink_words.c - the table of commands, and where in each its address, length and value stand.
 */
#include "drivers/stlink_words.h"

#include "scheduler/bytes.h"

#include <stdio.h>

#define ANY 0x100u /* the second byte says nothing */

/* Where the operands stand. */
enum layout {
        PLAIN,
        MEMORY,   /* address 2, length 6, AP 8 (stlink.md 9.1) */
        WORD_OUT, /* address 2, value 6, AP 10 (8) */
        WORD_IN,  /* address 2, AP 6 (8) */
        DAP_OUT,  /* port 2, register 4, value 6 (7.4) */
        DAP_IN,   /* port 2, register 4 (7.3) */
        BYTE,     /* value 2, one byte */
        HALF,     /* value 2, two bytes */
        WORD_AT_4 /* value 4 (6.3) */
};

static const struct row {
        uint8_t first;
        uint16_t second;
        const char *name;
        enum stlink_class class;
        enum layout layout;
} rows[] = {
        { 0xF1, ANY, "GET_VERSION", STLINK_QUERY, PLAIN },
        { 0xFB, ANY, "GET_VERSION_EX", STLINK_QUERY, PLAIN },
        { 0xF5, ANY, "GET_CURRENT_MODE", STLINK_QUERY, PLAIN },
        { 0xF7, ANY, "GET_TARGET_VOLTAGE", STLINK_QUERY, PLAIN },
        { 0xF3, 0x07, "DFU_EXIT", STLINK_SILENT, PLAIN },
        { 0xF4, 0x01, "SWIM_EXIT", STLINK_SILENT, PLAIN },
        { 0xF2, 0x07, "READMEM_32BIT", STLINK_READ, MEMORY },
        { 0xF2, 0x08, "WRITEMEM_32BIT", STLINK_WRITE, MEMORY },
        { 0xF2, 0x0C, "READMEM_8BIT", STLINK_READ, MEMORY },
        { 0xF2, 0x0D, "WRITEMEM_8BIT", STLINK_WRITE, MEMORY },
        { 0xF2, 0x21, "DEBUG_EXIT", STLINK_SILENT, PLAIN },
        { 0xF2, 0x30, "ENTER", STLINK_STATUS, BYTE },
        { 0xF2, 0x31, "READ_IDCODES", STLINK_STATUS, PLAIN },
        { 0xF2, 0x32, "RESETSYS", STLINK_STATUS, PLAIN },
        { 0xF2, 0x33, "READREG", STLINK_STATUS, BYTE },
        { 0xF2, 0x34, "WRITEREG", STLINK_STATUS, BYTE },
        { 0xF2, 0x35, "WRITEDEBUGREG", STLINK_STATUS, WORD_OUT },
        { 0xF2, 0x36, "READDEBUGREG", STLINK_STATUS, WORD_IN },
        { 0xF2, 0x3A, "READALLREGS", STLINK_STATUS, PLAIN },
        { 0xF2, 0x3B, "GETLASTRWSTATUS", STLINK_STATUS, PLAIN },
        { 0xF2, 0x3C, "DRIVE_NRST", STLINK_STATUS, BYTE },
        { 0xF2, 0x3E, "GETLASTRWSTATUS2", STLINK_STATUS, PLAIN },
        { 0xF2, 0x40, "START_TRACE", STLINK_STATUS, PLAIN },
        { 0xF2, 0x41, "STOP_TRACE", STLINK_STATUS, PLAIN },
        { 0xF2, 0x42, "GET_TRACE_COUNT", STLINK_QUERY, PLAIN },
        { 0xF2, 0x43, "SWD_SET_FREQ", STLINK_STATUS, HALF },
        { 0xF2, 0x44, "JTAG_SET_FREQ", STLINK_STATUS, HALF },
        { 0xF2, 0x45, "READ_DAP_REG", STLINK_STATUS, DAP_IN },
        { 0xF2, 0x46, "WRITE_DAP_REG", STLINK_STATUS, DAP_OUT },
        { 0xF2, 0x47, "READMEM_16BIT", STLINK_READ, MEMORY },
        { 0xF2, 0x48, "WRITEMEM_16BIT", STLINK_WRITE, MEMORY },
        { 0xF2, 0x4B, "INIT_AP", STLINK_STATUS, BYTE },
        { 0xF2, 0x4C, "CLOSE_AP", STLINK_STATUS, BYTE },
        { 0xF2, 0x50, "WRITEMEM_32BIT_NO_ADDR_INC", STLINK_WRITE, MEMORY },
        { 0xF2, 0x51, "RW_MISC_OUT", STLINK_WRITE, PLAIN },
        { 0xF2, 0x52, "RW_MISC_IN", STLINK_READ, PLAIN },
        { 0xF2, 0x53, "RW_MISC_GET_MAX", STLINK_QUERY, PLAIN },
        { 0xF2, 0x54, "READMEM_32BIT_NO_ADDR_INC", STLINK_READ, MEMORY },
        { 0xF2, 0x56, "GET_BOARD_IDENTIFIERS", STLINK_STATUS, PLAIN },
        { 0xF2, 0x61, "SET_COM_FREQ", STLINK_STATUS, WORD_AT_4 },
        { 0xF2, 0x62, "GET_COM_FREQ", STLINK_STATUS, PLAIN },
        { 0xF2, 0x63, "SWITCH_STLINK_FREQ", STLINK_STATUS, BYTE },
};

static const struct row *find(const uint8_t *command)
{
        static const struct row unknown = { 0, 0, "?", STLINK_QUERY, PLAIN };

        for (size_t i = 0; i < LENGTH_OF(rows); i++)
                if (rows[i].first == command[0] &&
                    (rows[i].second == ANY || rows[i].second == command[1]))
                        return &rows[i];
        return &unknown;
}

static void set_value(struct stlink_words *words, uint32_t value)
{
        words->has_value = true;
        words->value = value;
}

static void set_address(struct stlink_words *words, const uint8_t *command, unsigned port_at)
{
        words->has_address = true;
        words->address = load_le32(command + 2);
        words->access_port = command[port_at];
}

/* Port and register of a DAP access: the address is the register, the DP is port 0xFFFF. */
static void set_register(struct stlink_words *words, const uint8_t *command)
{
        words->has_address = true;
        words->access_port = load_le16(command + 2);
        words->address = load_le16(command + 4);
}

struct stlink_words stlink_words(const uint8_t command[static WIRE_COMMAND_LENGTH])
{
        const struct row *row = find(command);
        struct stlink_words words = { .name = row->name, .class = row->class };

        switch (row->layout) {
        case PLAIN:
                break;
        case MEMORY:
                set_address(&words, command, 8);
                words.has_length = true;
                words.length = load_le16(command + 6);
                break;
        case WORD_OUT:
                set_address(&words, command, 10);
                set_value(&words, load_le32(command + 6));
                break;
        case WORD_IN:
                set_address(&words, command, 6);
                break;
        case DAP_OUT:
                set_value(&words, load_le32(command + 6));
                set_register(&words, command);
                break;
        case DAP_IN:
                set_register(&words, command);
                break;
        case BYTE:
                set_value(&words, command[2]);
                break;
        case HALF:
                set_value(&words, load_le16(command + 2));
                break;
        case WORD_AT_4:
                set_value(&words, load_le32(command + 4));
                break;
        }
        return words;
}

static void add_place(const struct stlink_words *words, bool is_register, char *text,
                      size_t capacity)
{
        if (!words->has_address)
                text[0] = '\0';
        else if (is_register && words->access_port == 0xFFFF)
                snprintf(text, capacity, " DP 0x%02X", words->address);
        else if (is_register)
                snprintf(text, capacity, " AP %u 0x%02X", words->access_port, words->address);
        else if (words->access_port)
                snprintf(text, capacity, " 0x%08X AP %u", words->address, words->access_port);
        else
                snprintf(text, capacity, " 0x%08X", words->address);
}

char *stlink_words_format(const uint8_t command[static WIRE_COMMAND_LENGTH], char *text,
                          size_t capacity)
{
        struct stlink_words words = stlink_words(command);
        bool is_register = command[0] == 0xF2 && (command[1] == 0x45 || command[1] == 0x46);
        char place[48], value[24] = "";

        add_place(&words, is_register, place, sizeof(place));
        if (words.name[0] == '?')
                snprintf(value, sizeof(value), " %02X %02X", command[0], command[1]);
        else if (words.has_length)
                snprintf(value, sizeof(value), ", %u bytes", words.length);
        else if (words.has_value && words.has_address)
                snprintf(value, sizeof(value), " <- 0x%08X", words.value);
        else if (words.has_value)
                snprintf(value, sizeof(value), " 0x%X", words.value);
        snprintf(text, capacity, "%s%s%s", words.name, place, value);
        return text;
}
