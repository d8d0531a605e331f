/*
 * option_view.h - a family's option bytes row by row and field by field.
 */
#pragma once

#include "crypto/option_bytes.h"
#include "station/commands/family_find.h"

#include <jansson.h>
#include <stdio.h>

/* Every row, its fields, their values and what they mean. */
void option_view_print(FILE *out, const struct family *family, const struct option_fields *fields,
                       const struct option_bytes *rows);

/* The same as an object. Given to the caller. */
json_t *option_view_json(const struct family *family, const struct option_fields *fields,
                         const struct option_bytes *rows);

/* What is public about the order of the rows, in a sentence. */
const char *option_rows_words(const struct family *family);
