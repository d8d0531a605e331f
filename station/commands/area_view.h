/*
 * area_view.h - what stands in the payload of an opened area, for people and for programs.
 */
#pragma once

#include "station/commands/family_find.h"
#include "station/commands/image_opened.h"

#include <jansson.h>
#include <stdio.h>

/* Lines that are indented under the area. `family` names the option bytes; NULL: row numbers. */
void area_view_print(FILE *out, const struct opened_image *image, size_t position,
                     const struct family *family);

/* The same as an object, with the SHA-256 of the payload. Given to the caller. */
json_t *area_view_json(const struct opened_image *image, size_t position,
                       const struct family *family);

/* The name of option-byte row `row` (from 0) where a family with `rows` rows is known, else "ROW1". */
const char *area_row_name(const struct family *family, size_t rows, size_t row,
                          char text[static 24]);
