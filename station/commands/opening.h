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

/* Rows of a command for them. */
/* clang-format off */
#define OPENING_ARGUMENTS(opening)                                                 \
        { .what = "image", .text = &(opening)->path, .needed = "FILE" },           \
        { "key", "k", .text = &(opening)->key_file, .needed = "-k FILE" },         \
        { "nonce", "n", .text = &(opening)->nonce_file, .needed = "-n FILE" },     \
        { "iv-policy", .take = image_policy_take, .context = &(opening)->policy }, \
        { "json", .flag = &(opening)->is_json },                                   \
        FAMILY_ARGUMENTS(&(opening)->choice)
/* clang-format on */

static inline bool opening_has_part(const struct opening *opening)
{
        return opening->choice.family || opening->choice.has_device;
}

/* image_open() of it. */
int opening_open(const struct opening *opening, struct opened_image *ret_image) MUST_USE;
