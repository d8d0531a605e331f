/*
 * gcm.h - AES-128-GCM with 96-bit IVs and 16-byte tags, by the fastest engine this machine has.
 *
 * OpenSSL always works; intel-ipsec-mb (loaded at run time when present) is several times faster on
 * processors with VAES. The engine is chosen once, by measurement, at the first use.
 * A key belongs to one thread at a time: it holds the engine's context, and only the IV changes.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define GCM_KEY_LENGTH 16
#define GCM_IV_LENGTH  12
#define GCM_TAG_LENGTH 16

struct gcm_key;

/* Name of the engine in use: "ipsec-mb AVX512-VAES", "openssl 3.0.15". */
const char *gcm_engine_name(void);

/* Force an engine by its first word, for tests and the bench, or NULL for the measured choice.
 *      -FAULT_NOT_FOUND  not on this machine */
int gcm_engine_select(const char *name) MUST_USE;

/* Expand a key. Never fails: running out of memory aborts. */
struct gcm_key *gcm_key_create(const uint8_t key[static GCM_KEY_LENGTH]);

/* Wipes and frees; NULL is fine; returns NULL. */
struct gcm_key *gcm_key_destroy(struct gcm_key *key);

/* Encrypt `length` bytes (0 is allowed) from `in` to `out`, which may be the same place. */
void gcm_seal(struct gcm_key *key, const uint8_t iv[static GCM_IV_LENGTH], const void *aad,
              size_t aad_length, const void *in, void *out, size_t length,
              uint8_t ret_tag[static GCM_TAG_LENGTH]);

/* Decrypt and check. On -FAULT_BAD_TAG `out` has been wiped. */
int gcm_open(struct gcm_key *key, const uint8_t iv[static GCM_IV_LENGTH], const void *aad,
             size_t aad_length, const void *in, void *out, size_t length,
             const uint8_t tag[static GCM_TAG_LENGTH]) MUST_USE;

/* GHASH_H(aad, ciphertext) with its length block, without the key: tag = ghash XOR E_K(J0).
 * Proves tags of images whose hash key H is known (spec/secure-install.md 3.2). */
void gcm_ghash(const uint8_t hash_key[static 16], const void *aad, size_t aad_length,
               const void *ciphertext, size_t length, uint8_t ret_hash[static 16]);
