/*
 * key_areas.h - the .kcsv file and the K area: where the part fills in random keys (AN5054 2.3).
 *
 * One couple a line, size first, then the address in internal flash. The K area holds the couples
 * as little-endian words in the order of the file. AN5054 shows the rows and explains them with
 * other numbers; the order is that of the rows. '#' lines are comments, as in .mcsv files (the
 * vendor's comment syntax here is not public).
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#define KEY_AREAS_MAX         256u
#define KEY_AREA_ENTRY_LENGTH 8u
#define KEY_AREAS_FILE_MAX    (64u << 10)
#define KEY_AREA_LENGTH_MAX   4096u /* a bound of ours: 256 keys of 128 bits */

struct key_area {
        uint32_t length, address;
        unsigned line; /* of the file; 0 when decoded from an area */
};

struct key_areas {
        struct key_area areas[KEY_AREAS_MAX];
        size_t count;
};

/*      -FAULT_BAD_FILE   names file, line and what was wanted
 *      -FAULT_BAD_VALUE  two couples overlap: both lines are named */
int key_areas_parse(const char *name, const void *text, size_t length,
                    struct key_areas *ret_areas) MUST_USE;

/* The payload of the K area, given to the caller. */
struct bytes key_areas_encode(const struct key_areas *areas);

/* The payload of a K area back into couples; nothing but its length is checked.
 *      -FAULT_BAD_FILE */
int key_areas_decode(const void *payload, size_t length, struct key_areas *ret_areas) MUST_USE;
