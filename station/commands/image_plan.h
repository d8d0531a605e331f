/*
 * image_plan.h - from firmware and option bytes to the list of areas of an image.
 *
 * Firmware areas by rising address, the option bytes last (spec/secure-install.md 2.3). When the
 * image does not fit the RAM it is cut into parts with pairs of pause and resume areas between them
 * (spec 6.3, 6.4: a working rule, the vendor's arithmetic is not public).
 */
#pragma once

#include "crypto/firmware.h"
#include "crypto/sfi.h"
#include "drivers/family.h"

#define IMAGE_PAUSE_LENGTH 32u /* payload of P and R in protocol 2 (spec 2.4) */

struct image_rules {
        const struct family *family;
        uint16_t protocol;   /* 1 or 2 */
        uint8_t padding;     /* of gaps and tails */
        uint32_t ram_length; /* 0: one part, whatever its length */
        bool has_token;
        uint32_t token; /* address of the continuation token */
};

/* Areas borrow their bytes from the firmware and the option bytes they were made of. */
struct image_plan {
        struct sfi_plain_area *areas;
        size_t count, capacity;
        size_t parts;
        uint64_t largest_part; /* bytes: image header, area headers, payloads */
};

/* `firmware` is merged and padded in place; `options` may be empty.
 *      -FAULT_BAD_VALUE  an area not in flash, token missing or in the way
 *      -FAULT_NO_ROOM    an area that may not be cut does not fit the RAM */
int image_plan_make(const struct image_rules *rules, struct firmware *firmware,
                    const struct bytes *options, struct image_plan *ret_plan) MUST_USE;

/* For CLEANUP(image_plan_free). */
void image_plan_free(struct image_plan *plan);
