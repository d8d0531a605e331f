/*
 * sfi_seal.h - sealing into memory that is already there. Internal to crypto and the bench, which
 * must tell the cipher's time from that of fresh pages.
 */
#pragma once

#include "crypto/sfi.h"

/* Bytes of the image, or a fault when the recipe is not one. */
int sfi_seal_length(const struct sfi_recipe *recipe, size_t *ret_length) MUST_USE;

/* Write all of the image to `out`, which has room for sfi_seal_length() bytes (waits). */
int sfi_seal_into(const struct sfi_recipe *recipe, const uint8_t key[static GCM_KEY_LENGTH],
                  const uint8_t nonce[static SFI_NONCE_LENGTH], struct workers *workers,
                  uint8_t *out) MUST_USE;
