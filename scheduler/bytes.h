/*
 * bytes.h - owned byte buffers, byte order, wiping.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>
#include <string.h>

/* A buffer with one owner. {NULL, 0} is empty and valid. */
struct bytes {
        uint8_t *data;
        size_t length;
};

/* Bytes of somebody else. What is given as a row of pieces is meant one behind the other, without
 * being copied together first. */
struct piece {
        const void *data;
        size_t length;
};

/* A zeroed buffer of `length` bytes (one spare zero byte follows it); a large one asks for huge pages.
 * Aborts when memory is out. */
struct bytes bytes_new(size_t length);

/* A copy of `length` bytes. */
struct bytes bytes_copy(const void *data, size_t length);

/* Grow to `length`; what is new is zeroed, the spare byte too. A large buffer is moved by its pages, so
 * that it never exists twice; the old place is not wiped. Aborts when memory is out. */
void bytes_grow(struct bytes *bytes, size_t length);

/* Free and empty; safe on an empty one. For CLEANUP(bytes_free). */
void bytes_free(struct bytes *bytes);

/* The same, wiping the contents first: for keys, nonces, licenses. */
void bytes_wipe_free(struct bytes *bytes);

/* Overwrite so that the compiler cannot leave it out. */
void wipe(void *data, size_t length);

/* Secrets will pass through this process: no core dump, no debugger of another user. First in main. */
void secrets_stay_inside(void);

/* Equal in constant time: for tags and secrets. */
bool equal_secret(const void *a, const void *b, size_t length) MUST_USE;

/* Upper-case hexadecimal into `text` of at least 2 * length + 1 characters; returns text. */
char *hex_encode(const void *data, size_t length, char *text);

/* Exactly 2 * length hexadecimal digits into `data`; false when `text` is anything else. */
bool hex_decode(const char *text, void *data, size_t length) MUST_USE;

static inline uint16_t load_le16(const void *from)
{
        const uint8_t *b = from;

        return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t load_le32(const void *from)
{
        const uint8_t *b = from;

        return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline void store_le16(void *to, uint16_t value)
{
        uint8_t *b = to;

        b[0] = (uint8_t)value;
        b[1] = (uint8_t)(value >> 8);
}

static inline void store_le32(void *to, uint32_t value)
{
        uint8_t *b = to;

        for (unsigned i = 0; i < 4; i++)
                b[i] = (uint8_t)(value >> 8 * i);
}

static inline uint16_t load_be16(const void *from)
{
        const uint8_t *b = from;

        return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t load_be32(const void *from)
{
        const uint8_t *b = from;

        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

static inline void store_be32(void *to, uint32_t value)
{
        uint8_t *b = to;

        for (unsigned i = 0; i < 4; i++)
                b[3 - i] = (uint8_t)(value >> 8 * i);
}
