/*
 * firmware_reader.h - what the readers of the four firmware forms share; for crypto/firmware*.c.
 *
 * A reader collects pieces of bytes in the order of the file. Finishing sorts and joins them, looks
 * for overlaps among themselves and with what the container holds, and only then adds them: a
 * failure leaves the container as it was.
 */
#pragma once

#include "crypto/firmware.h"

/* Pieces before sorting and joining; a file in falling order of addresses has many. */
#define FIRMWARE_RUNS_MAX 65536u

/* A record may continue the last run; the bytes lie in the reader's `data` at `offset`. */
struct firmware_run {
        uint32_t address;
        unsigned line;
        size_t offset, length;
};

struct firmware_reader {
        const char *name; /* borrowed */
        const char *unit; /* what `line` counts: "line", "segment", or NULL for nothing */
        uint8_t *data;
        size_t length, capacity;
        struct firmware_run *runs;
        size_t count, runs_capacity;
};

/* Add a piece found at `line` (bytes are copied). It must end at or below 4 GiB.
 *      -FAULT_TOO_LARGE, -FAULT_BAD_FILE */
int firmware_reader_put(struct firmware_reader *reader, unsigned line, uint32_t address,
                        const void *data, size_t length) MUST_USE;

/* All of a BIN file, which lies at `address`. The bytes are given, but on failure; instead of any
 * put. */
int firmware_reader_give(struct firmware_reader *reader, uint32_t address,
                         struct bytes *file) MUST_USE;

/* Collect the pieces of a file of one form: firmware_hex.c, firmware_srecord.c, firmware_elf.c.
 * `data` is borrowed; sets `unit`.
 *      -FAULT_BAD_FILE, -FAULT_TOO_LARGE */
int firmware_read_hex(struct firmware_reader *reader, const void *data, size_t length) MUST_USE;
int firmware_read_srecord(struct firmware_reader *reader, const void *data, size_t length) MUST_USE;
int firmware_read_elf(struct firmware_reader *reader, const void *data, size_t length) MUST_USE;

/* Move what was collected into `firmware`. Nothing collected is a fault. */
int firmware_reader_finish(struct firmware_reader *reader, struct firmware *firmware) MUST_USE;

/* Free an array of segments and their bytes. */
void firmware_segments_free(struct firmware_segment *segments, size_t count);

/* For CLEANUP(firmware_reader_free). */
void firmware_reader_free(struct firmware_reader *reader);

/* The lines of a text file, one after the other. LF and CRLF end a line; spaces at the end of a
 * line are dropped. Zero-initialise but for `at` and `end`. */
struct text_lines {
        const char *at, *end;
        const char *text; /* of the present line, not terminated */
        size_t length;
        unsigned line; /* from 1 */
};

/* Go to the next line that is not blank; false at the end of the file. */
bool text_lines_next(struct text_lines *lines) MUST_USE;

/* Two hexadecimal digits at `text`, or -1. */
int text_hex_byte(const char *text) MUST_USE;
