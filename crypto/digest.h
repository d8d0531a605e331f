/*
 * digest.h - SHA-256 (OpenSSL).
 */
#pragma once

#include "scheduler/bytes.h"

#define DIGEST_LENGTH 32

void digest_sha256(const void *data, size_t length, uint8_t ret_digest[static DIGEST_LENGTH]);

/* One hash over several pieces, in order. */
void digest_sha256_pieces(const struct piece *pieces, size_t count,
                          uint8_t ret_digest[static DIGEST_LENGTH]);
