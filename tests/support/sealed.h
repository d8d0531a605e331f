/*
 * sealed.h - sealed images in one buffer, for tests that go on with the file.
 */
#pragma once

#include "crypto/sfi.h"

/* The pieces copied together, given to the caller. */
struct bytes sealed_join(const struct sfi_sealed *sealed);

/* sfi_seal() on copies of the payloads: the recipe may be used again, and its areas may share bytes.
 * It must be one of an image. The file is given to the caller. */
struct bytes sealed_file(const struct sfi_recipe *recipe, const uint8_t key[static GCM_KEY_LENGTH],
                         const uint8_t nonce[static SFI_NONCE_LENGTH], struct workers *workers);
