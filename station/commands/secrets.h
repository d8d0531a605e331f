/*
 * secrets.h - key and nonce files of the OEM (AN5054 section 2.5.1): 16 and 12 bytes, binary.
 */
#pragma once

#include "crypto/sfi.h"

struct secrets {
        uint8_t key[GCM_KEY_LENGTH];
        uint8_t nonce[SFI_NONCE_LENGTH];
};

/* Read both (waits). A file that others can read is used, with a warning on stderr.
 *      -FAULT_BAD_FILE  wrong length, found and wanted */
int secrets_read(const char *key_file, const char *nonce_file,
                 struct secrets *ret_secrets) MUST_USE;

/* A secret file of at most 4096 bytes (waits), with the same warning. The caller wipes. `what` is
 * for sentences. */
int secrets_read_file(const char *what, const char *path, struct bytes *ret_bytes) MUST_USE;

/* The same, of exactly `wanted` bytes.
 *      -FAULT_BAD_FILE  wrong length, found and wanted */
int secrets_read_exactly(const char *what, const char *path, uint8_t *ret_secret,
                         size_t wanted) MUST_USE;

/* For CLEANUP(secrets_wipe). */
void secrets_wipe(struct secrets *secrets);
