/*
 * firmware.h - firmware files: BIN, Intel HEX, Motorola S-record, ELF.
 *
 * What comes out is the same for all: segments of bytes at addresses, sorted, never overlapping.
 * Limits: file 64 MiB, 4096 segments, 64 MiB of payload.
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#define FIRMWARE_FILE_MAX     (64u << 20)
#define FIRMWARE_SEGMENTS_MAX 4096u

struct firmware_segment {
        uint32_t address;
        struct bytes data;
        unsigned file;    /* which of the files added it, from 0 */
        unsigned line;    /* where it begins: line of a text file, segment number of an ELF */
        const char *unit; /* what `line` counts: "line", "segment"; NULL: BIN, line is 0 */
};

struct firmware {
        struct firmware_segment *segments;
        size_t count;
        const char **names; /* of the files added */
        unsigned files;
};

/* Start empty; zero-initialised is the same. */
#define FIRMWARE_EMPTY                                                                             \
        {                                                                                          \
                0                                                                                  \
        }

enum firmware_form { FIRMWARE_BIN, FIRMWARE_HEX, FIRMWARE_SRECORD, FIRMWARE_ELF };

/* What firmware_add will take it for: a caller must know when an address is needed. */
enum firmware_form firmware_form(const void *data, size_t length);

/* Read `data` (borrowed) into `firmware` by its form: ELF by magic, ':' or 'S' lines by content,
 * anything else is BIN and lies at `bin_address`. `name` is copied. Touching records become one
 * segment.
 *      -FAULT_BAD_FILE   names file, line (or offset), and what was wanted
 *      -FAULT_BAD_VALUE  overlaps an earlier segment: names both files, lines and addresses
 *      -FAULT_TOO_LARGE
 * On failure `firmware` is unchanged. */
int firmware_add(struct firmware *firmware, const char *name, const void *data, size_t length,
                 uint32_t bin_address) MUST_USE;

/* The same with the file's bytes given (also on failure): those of a BIN become the segment, others are
 * wiped and freed as soon as they are read, before segments are made of them. So a BIN is never held
 * twice, nothing three times. */
int firmware_take(struct firmware *firmware, const char *name, struct bytes *file,
                  uint32_t bin_address) MUST_USE;

/* One form each, same rules; firmware_add calls these. */
int firmware_add_bin(struct firmware *, const char *name, const void *data, size_t length,
                     uint32_t address) MUST_USE;
int firmware_add_hex(struct firmware *, const char *name, const void *data, size_t length) MUST_USE;
int firmware_add_srecord(struct firmware *, const char *name, const void *data,
                         size_t length) MUST_USE;
int firmware_add_elf(struct firmware *, const char *name, const void *data, size_t length) MUST_USE;

/* Fill gaps of at most `gap` bytes between neighbours with `padding` so that they merge, and bring
 * both ends of every segment, and so its length, out to a multiple of `unit` the same way (1:
 * leave); segments that share a unit merge. On failure `firmware` is unchanged.
 *      -FAULT_TOO_LARGE */
int firmware_merge(struct firmware *firmware, uint32_t gap, uint8_t padding,
                   uint32_t unit) MUST_USE;

/* For CLEANUP(firmware_free). */
void firmware_free(struct firmware *firmware);
