/*
 * stlink_words.h - the 16 bytes of a command in words: "WRITEMEM_32BIT 6144 bytes at 0x24031000".
 *
 * For captures, ours and those of other programs. Pure: nothing here waits or talks to a probe.
 */
#pragma once

#include "drivers/wire.h"

/* stlink.md 3.2 */
enum stlink_class {
        STLINK_QUERY,  /* an answer without a status */
        STLINK_STATUS, /* the answer opens with the status */
        STLINK_READ,   /* data in; the status is asked for next */
        STLINK_WRITE,  /* data out; likewise */
        STLINK_SILENT, /* no answer */
};

struct stlink_words {
        const char *name; /* "WRITEMEM_32BIT"; "?" for what is in no table */
        enum stlink_class class;
        bool has_address, has_length, has_value;
        uint32_t address, length, value;
        unsigned access_port; /* with an address of the target */
};

/* What a command says. What is in no table is a query named "?". */
struct stlink_words stlink_words(const uint8_t command[static WIRE_COMMAND_LENGTH]);

/* The same as a line into `text`; returns text. */
char *stlink_words_format(const uint8_t command[static WIRE_COMMAND_LENGTH], char *text,
                          size_t capacity);
