/*
 * license.h - the license of the reference protocol: 136 bytes, in the shape of the public SSP
 * license (TF-A boot_api.h; CubeH7 RSS.h shows the same record for MCUs).
 *
 *   0  4 type              4  4 session id 0        8  4 license version 1
 *  12  4 minimum security version 0                16  8 reserved 0
 *  24 64 ephemeral public key, x then y            88 32 encrypted IV (16) and key (16)
 * 120 16 tag
 *
 * The type is what the card was made for, filled up with dots: "SFI.", "SFIA" (an install without mass
 * erase, AN5054 section 8), "SMU." (a module), "SSP.". Nothing else differs.
 *
 * REFERENCE: the license of MCUs is not public. ECIES on P-256; Z = x of the shared point;
 * K = X9.63 KDF with SHA-256, 32-bit counter from 1, no shared info, 64 bytes: AES key K[0..15], IV
 * K[16..27], token K[32..63]; AES-128-GCM over the 32-byte key record with AAD = license bytes
 * 0..87 then the token.
 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/gcm.h"
#include "crypto/sfi.h"

#define LICENSE_LENGTH     136
#define PRIVATE_KEY_LENGTH 32

/* The chip's own key pair, for the simulator: a P-256 private key from 32 seed bytes (reduced to
 * 1..n-1) and its public point. */
void license_chip_key(const uint8_t seed[static 32], uint8_t ret_private[static PRIVATE_KEY_LENGTH],
                      uint8_t ret_public[static 64]);

/* "SFIA" of a license's first four bytes; false when they are none of the four types. */
bool license_type(const uint8_t field[static 4], char ret_type[static 5]);

/* What the card does: bind key and nonce to the chip of `certificate`. `type` is one of the four,
 * without dots. `entropy` makes the ephemeral key; the same entropy must never be used twice outside
 * a simulation. The caller wipes.
 *      -FAULT_BAD_CERTIFICATE */
int license_issue(const struct certificate *certificate, const char *type,
                  const uint8_t key[static GCM_KEY_LENGTH],
                  const uint8_t nonce[static SFI_NONCE_LENGTH], const uint8_t entropy[static 32],
                  uint8_t ret_license[static LICENSE_LENGTH]) MUST_USE;

/* What the chip does. `type` is the one it takes, NULL any of the four.
 *      -FAULT_BAD_LICENSE  wrong type or version, not for this chip, or changed */
int license_open(const uint8_t license[static LICENSE_LENGTH], const char *type,
                 const uint8_t private_key[static PRIVATE_KEY_LENGTH],
                 uint8_t ret_key[static GCM_KEY_LENGTH],
                 uint8_t ret_nonce[static SFI_NONCE_LENGTH]) MUST_USE;
