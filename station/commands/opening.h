/*
 * opening.h - what a command that opens an image is given: the image, its key and nonce, the part.
 */
#pragma once

#include "crypto/sfi.h"
#include "station/commands/family_find.h"
#include "station/commands/image_opened.h"
#include "station/commands/options.h"

struct opening {
        const char *path, *key_file, *nonce_file;
        struct family_choice choice;
        enum sfi_iv_policy policy;
        bool is_json;
};

enum {
        OPENING_KEY = OPTIONS_KEYS,
        OPENING_NONCE,
        OPENING_IV_POLICY,
        OPENING_FAMILY,
        OPENING_DEVICE,
        OPENING_JSON,
        OPENING_KEYS, /* a command's own begin here */
};

/* The rows they have in a command's table. */
/* clang-format off */
#define OPENING_OPTIONS                                        \
        { "key", "k", true, false, OPENING_KEY },              \
        { "nonce", "n", true, false, OPENING_NONCE },          \
        { "iv-policy", NULL, true, false, OPENING_IV_POLICY }, \
        { "family", NULL, true, false, OPENING_FAMILY },       \
        { "deviceid", "devid", true, false, OPENING_DEVICE },  \
        { "json", NULL, false, false, OPENING_JSON }
/* clang-format on */

/* One of OPENING_OPTIONS, or the image.
 *      -FAULT_BAD_VALUE  no such policy, no number, a second image */
int opening_take(struct opening *opening, int key, const char *value) MUST_USE;

/* -FAULT_BAD_VALUE when image, key or nonce was not given. */
int opening_check(const struct opening *opening) MUST_USE;

static inline bool opening_has_part(const struct opening *opening)
{
        return opening->choice.family || opening->choice.has_device;
}

/* image_open() of it. */
int opening_open(const struct opening *opening, struct opened_image *ret_image) MUST_USE;
