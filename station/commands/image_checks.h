/*
 * image_checks.h - do the files of an image fit together and the part?
 */
#pragma once

#include "station/commands/image_inputs.h"

#include <stdbool.h>

struct image_token {
        bool is_given;
        uint32_t address; /* of the continuation token */
};

/* Internal firmware, modules and keys lie in flash; external firmware lies behind the OTFDEC of its
 * region; no two files want the same bytes, through whichever alias; regions do not share a page.
 *      -FAULT_BAD_VALUE  names both files, segments and addresses */
int image_check(const struct family *family, const struct image_inputs *inputs,
                const struct image_token *token) MUST_USE;

/* Once more after the firmware was padded: padding must not reach into keys, modules or the token.
 *      -FAULT_BAD_VALUE */
int image_check_padded(const struct family *family, const struct image_inputs *inputs,
                       const struct image_token *token) MUST_USE;
