/*
 * ssp.h - the .ssp payload of STM32MP1, 244 bytes (AN5054 section 2.4, table 2; TF-A boot_api.h).
 *
 *   0  4 "SSPP"              4  4 protocol version 1     8 64 OEM public key, x then y
 *  72  4 secret size, 152   76 16 tag                   92 152 encrypted secrets
 *
 * AES-128-GCM; AAD is the first 76 bytes; the plaintext is the RMA word, then the 148-byte secret
 * file of OTP words 59 to 95. Numbers are little-endian.
 */
#pragma once

#include "crypto/gcm.h"

#include <stdbool.h>

#define SSP_LENGTH        244
#define SSP_KEY_LENGTH    64
#define SSP_SECRET_LENGTH 148 /* OTP words 59 to 95 */
#define SSP_PLAIN_LENGTH  152 /* the RMA word (OTP word 56) before them */
#define SSP_RMA_MAX       0x7FFFu
#define SSP_NONCE_MAX     16 /* of its file: 12, or 16 with 4 zeros */

struct ssp {
        uint32_t version, secret_length;
        uint8_t public_key[SSP_KEY_LENGTH];
        uint8_t key_hash[32]; /* SHA-256 of it: what the chip burns (OTP words 24 to 31) */
        uint8_t tag[GCM_TAG_LENGTH];
        uint8_t bytes[SSP_LENGTH];
};

/*      -FAULT_BAD_FILE  names file, offset, found and wanted */
int ssp_parse(const char *name, const void *file, size_t length, struct ssp *ret_ssp) MUST_USE;

/* Unlock password in bits 14..0, relock in 29..15 (TF-A masks 30 bits). */
uint32_t ssp_rma_word(uint32_t unlock, uint32_t relock);

/* Take the nonce of a file of 12 bytes, or of 16 whose last 4 are zero: AN5054 says 16 in section
 * 2.5.2 and 12 in 2.6.3, and section 3.1.2 that 96 bits count.
 *      -FAULT_BAD_FILE */
int ssp_nonce(const char *name, const void *file, size_t length,
              uint8_t ret_nonce[static GCM_IV_LENGTH]) MUST_USE;

/* `public_key` is a point of P-256 already. */
void ssp_seal(const uint8_t key[static GCM_KEY_LENGTH], const uint8_t nonce[static GCM_IV_LENGTH],
              const uint8_t public_key[static SSP_KEY_LENGTH], uint32_t rma_word,
              const uint8_t secrets[static SSP_SECRET_LENGTH], uint8_t ret_file[static SSP_LENGTH]);

/* Decrypt and check; the first `secret_length` bytes count. The caller wipes.
 *      -FAULT_BAD_TAG */
int ssp_open(const struct ssp *ssp, const uint8_t key[static GCM_KEY_LENGTH],
             const uint8_t nonce[static GCM_IV_LENGTH],
             uint8_t ret_plain[static SSP_PLAIN_LENGTH]) MUST_USE;
