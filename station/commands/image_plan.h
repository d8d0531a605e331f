/*
 * image_plan.h - from what was read to the list of areas of an image.
 *
 * Order: firmware by rising address, random keys, modules, the reference areas, external firmware,
 * option bytes last. F before M before C is ST's (spec/secure-install.md 2.3); that keys come before
 * what they decipher, and external firmware behind all that is internal, is a choice of ours, for
 * no image with E or K areas is public.
 *
 * When the image does not fit the RAM it is cut into parts with pairs of pause and resume areas
 * between them (spec 6.3, 6.4: a working rule, the vendor's arithmetic is not public).
 */
#pragma once

#include "crypto/digest.h"
#include "crypto/sfi.h"
#include "station/commands/image_checks.h"

#define IMAGE_PAUSE_LENGTH DIGEST_LENGTH /* payload of P and R in protocol 2 (spec 2.4) */

struct image_rules {
        const struct family *family;
        uint16_t protocol;   /* 1 or 2 */
        uint8_t padding;     /* of gaps and tails */
        uint32_t ram_length; /* 0: one part, whatever its length */
        struct image_token token;
        bool always_parts; /* at least one pair of P and R; with external firmware there always is */
        bool has_hash;     /* -hash 1 */
};

/* Areas borrow their bytes from the inputs, or from the plan itself; no two share any, so that they can
 * be sealed where they lie. */
struct image_plan {
        struct sfi_plain_area *areas;
        size_t count, capacity;
        struct bytes *owned; /* payloads that are in no input as such */
        size_t owned_count, owned_capacity;
        size_t parts;
        uint64_t largest_part; /* bytes: image header, area headers, payloads */
};

/* `inputs` are checked (image_check), and their firmware is merged and padded in place. External
 * firmware goes over to the plan, and its segments are empty then: a large one is never held twice.
 *      -FAULT_BAD_VALUE  an area not in flash, overlaps, token missing or in the way
 *      -FAULT_NO_ROOM    an area that may not be cut does not fit the RAM */
int image_plan_make(const struct image_rules *rules, struct image_inputs *inputs,
                    struct image_plan *ret_plan) MUST_USE;

/* The digest of the firmware for -hash 1, a *reference* choice: AN5054 section 4.3.8 says that the
 * creator hashes the firmware and puts the digest into the image, not how nor where. Here: SHA-256
 * over the payloads of all F and E areas in the order of the image, E without its prefix; it stands
 * in the payload of every P and R, which are 32 bytes long in ST's logs and otherwise zero here. */
void image_firmware_digest(const struct sfi_plain_area *areas, size_t count,
                           uint8_t ret_digest[static DIGEST_LENGTH]);

/* For CLEANUP(image_plan_free). */
void image_plan_free(struct image_plan *plan);
