/*
 * image_opened.h - an image with its key: every tag checked, every payload in plain.
 */
#pragma once

#include "crypto/digest.h"
#include "crypto/sfi.h"
#include "station/commands/options.h"
#include "station/commands/secrets.h"

struct opened_image {
        struct sfi *sfi;
        struct bytes plain;           /* secret: payloads back to back */
        struct sfi_plain_area *areas; /* sfi->count of them, into `plain` */
        /* image_firmware_digest(); zeroes when no area can hold it */
        uint8_t digest[DIGEST_LENGTH];
};

/* Read, check all tags, decrypt (waits).
 *      -FAULT_BAD_TAG   which unit; nothing is given then */
int image_open(const char *path, const char *key_file, const char *nonce_file,
               enum sfi_iv_policy policy, struct opened_image *ret_image) MUST_USE;

/* For CLEANUP(image_opened_free): wipes. */
void image_opened_free(struct opened_image *image);

/* Pieces that belong together: same type, one behind the other in memory, as cutting makes them. E
 * without its prefix, which is that of the first piece. Areas that are no firmware stand alone. */
struct image_run {
        char type;
        uint32_t address;
        size_t first, count;   /* areas; P and R between the pieces are not counted */
        struct bytes data;     /* secret, joined */
        const uint8_t *prefix; /* E: SFI_EXTERNAL_PREFIX_LENGTH bytes; else NULL */
};

struct image_runs {
        struct image_run *runs;
        size_t count;
};

/* All areas but P and R, sorted by type (F K M O S E C, then others) and address. */
struct image_runs image_runs_make(const struct opened_image *image);
void image_runs_free(struct image_runs *runs);

/* "--iv-policy is ..., wanted ..." when there is no such policy. */
argument_function image_policy_take;
