/*
 * image_view.h - an image for people and for programs.
 */
#pragma once

#include "crypto/sfi.h"
#include "station/commands/answer.h"

#include <jansson.h>
#include <stdio.h>

/* Every field of header and areas, parts, file digest. */
void image_view_print(FILE *out, const char *name, const struct sfi *sfi);

/* The same as an object. Given to the caller. */
json_t *image_view_json(const char *name, const struct sfi *sfi);

/* SHA-256 in lower case, as sha256sum prints it. */
const char *digest_text(const uint8_t digest[static 32], char text[static 65]);

/* Read and take apart (waits). */
int image_read(const char *path, struct sfi **ret_sfi) MUST_USE;

/* For CLEANUP(image_release). */
void image_release(struct sfi **sfi);
