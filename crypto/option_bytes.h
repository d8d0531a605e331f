/*
 * option_bytes.h - the option-byte CSV of an image (AN5054 section 2.5.1, figure 15).
 *
 * Two columns, register name and value, one row a register, in the family's fixed order. The C area
 * holds the values only, as little-endian words. '#' lines and blank lines are comments; separator
 * comma or semicolon; values 0x or decimal.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#define OPTION_ROWS_MAX 32u

struct option_row {
        char name[24];
        uint32_t value;
};

struct option_bytes {
        struct option_row rows[OPTION_ROWS_MAX];
        size_t count;
};

/*      -FAULT_BAD_FILE  names file, line, and what was wanted */
int option_bytes_parse(const char *name, const void *text, size_t length,
                       struct option_bytes *ret_option_bytes) MUST_USE;

/* Compare names and order with the family's rows.
 *      -FAULT_BAD_VALUE  names the row, found and wanted */
int option_bytes_check(const struct option_bytes *option_bytes, const char *const *names,
                       size_t count) MUST_USE;
