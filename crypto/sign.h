/*
 * sign.h - Ed25519 (RFC 8032): what a station signs, and what anybody with `openssl pkeyutl` checks.
 *
 * A key is 32 bytes, a signature 64, over the message itself (no digest before it). Files are PEM:
 * PKCS#8 for the private key, SubjectPublicKeyInfo for the public one (RFC 8410).
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define SIGN_KEY_LENGTH      32
#define SIGNATURE_LENGTH     64
#define SIGN_PEM_MAX         256u /* of what is written here, with the NUL */
#define SIGN_FINGERPRINT_MAX 65u

struct sign_key {
        bool has_private;
        uint8_t public_key[SIGN_KEY_LENGTH];
        uint8_t private_key[SIGN_KEY_LENGTH];
};

/* A new pair, by OpenSSL's generator. The owner wipes. */
void sign_key_make(struct sign_key *ret_key);

/* The first key of a PEM text; a private key brings its public one. `name` is for the sentence.
 *      -FAULT_BAD_FILE  no key, an encrypted one, another kind */
int sign_key_parse(const char *name, const void *text, size_t length,
                   struct sign_key *ret_key) MUST_USE;

/* For CLEANUP(sign_key_wipe). */
void sign_key_wipe(struct sign_key *key);

/* As PEM texts. The private one wants `has_private`; the caller wipes it. */
void sign_private_pem(const struct sign_key *key, char ret_text[static SIGN_PEM_MAX]);
void sign_public_pem(const struct sign_key *key, char ret_text[static SIGN_PEM_MAX]);

/* SHA-256 of the SubjectPublicKeyInfo, lower case: what
 * `openssl pkey -pubin -in FILE -outform DER | openssl dgst -sha256` prints. */
void sign_fingerprint(const struct sign_key *key, char ret_text[static SIGN_FINGERPRINT_MAX]);

/* Wants `has_private`. The same message gives the same signature. */
void sign_bytes(const struct sign_key *key, const void *data, size_t length,
                uint8_t ret_signature[static SIGNATURE_LENGTH]);

bool sign_verify(const struct sign_key *key, const void *data, size_t length,
                 const uint8_t signature[static SIGNATURE_LENGTH]) MUST_USE;
