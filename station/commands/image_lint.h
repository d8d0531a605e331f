/*
 * image_lint.h - what a part will look like after an install, in plain words, before it is done.
 *
 * Looks at the plain areas of an image, so at a plan as well as at an opened file. Which values
 * close a part, and which for good, is data of the family (drivers/option_fields.h).
 */
#pragma once

#include "crypto/sfi.h"
#include "station/commands/family_find.h"

#include <jansson.h>
#include <stdio.h>

enum lint_kind {
        LINT_FACT,
        LINT_WARNING,
        LINT_REFUSAL, /* cannot be undone: wants --allow */
};

struct lint_line {
        enum lint_kind kind;
        char topic[48]; /* "read-out protection" */
        char text[200];
};

struct image_lint {
        struct lint_line *lines;
        size_t count, capacity;
        size_t refusals, warnings;
};

/* Reads the family file once more, for its fields (waits). Areas are borrowed until the return. */
int image_lint_make(const struct chosen_family *chosen, const struct sfi_plain_area *areas,
                    size_t count, struct image_lint *ret_lint) MUST_USE;

void image_lint_print(FILE *out, const struct image_lint *lint);

/* Given to the caller. */
json_t *image_lint_json(const struct image_lint *lint);

/* For CLEANUP(image_lint_free). */
void image_lint_free(struct image_lint *lint);
