/*
 * ssp_files.h - the files the ssp commands share: .ssp, OEM public key, key, nonce.
 */
#pragma once

#include "crypto/ssp.h"
#include "station/commands/image_view.h"
#include "station/commands/secrets.h"

/* Read and take apart (waits). */
int ssp_files_image(const char *path, struct ssp *ret_ssp) MUST_USE;

/* The raw point of a PEM file (waits). */
int ssp_files_public_key(const char *path, uint8_t ret_key[static SSP_KEY_LENGTH]) MUST_USE;

/* Key of 16 bytes, nonce of 12, or of 16 whose last 4 are zero (waits). */
int ssp_files_secrets(const char *key_path, const char *nonce_path,
                      struct secrets *ret_secrets) MUST_USE;

/* Every field. */
void ssp_print(FILE *out, const char *name, const struct ssp *ssp);
json_t *ssp_json(const char *name, const struct ssp *ssp);
