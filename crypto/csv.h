/*
 * csv.h - rows of the small text tables an image is made of: option bytes, .kcsv, .mcsv.
 *
 * Comma or semicolon, '#' lines are comments, blank lines are nothing, a byte-order mark and CRLF
 * are taken. Nothing is copied: spans point into the text. Nothing here waits or allocates.
 */
#pragma once

#include "crypto/firmware_reader.h"

#include <stdbool.h>

struct span {
        const char *text; /* not terminated */
        size_t length;
};

struct csv {
        struct text_lines lines;
};

/*      -FAULT_BAD_FILE  longer than `maximum`, or a zero byte in it */
int csv_open(const char *name, const void *text, size_t length, size_t maximum,
             struct csv *ret_csv) MUST_USE;

/* The next row that is no comment; csv->lines.line is its line. False at the end. */
bool csv_next(struct csv *csv, struct span *ret_row) MUST_USE;

/* Cells of a row, trimmed, quotes around one taken off. Returns how many there are, which may be
 * more than `capacity`: the rest is not kept. */
size_t csv_split(struct span row, struct span *cells, size_t capacity);

/* Decimal, or hexadecimal after 0x, at most 32 bits; no sign, no sloppy tail. */
bool csv_number(struct span cell, uint32_t *ret_number) MUST_USE;
