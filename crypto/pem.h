/*
 * pem.h - P-256 keys from PEM files, judged by their content.
 *
 * ST's tool wants an OEM public key of exactly 178 bytes (AN5054 section 2.5.2), which is a P-256
 * SubjectPublicKeyInfo with LF line ends; here line ends, comments before the block and the kind of
 * private key (PKCS#8 or SEC 1) do not matter, the curve does.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define PEM_FILE_MAX           (16u << 10)
#define PEM_PUBLIC_DER_LENGTH  91
#define PEM_PRIVATE_DER_LENGTH 70

struct pem_key {
        bool has_private;
        uint8_t public_key[64]; /* x then y, big-endian */
        uint8_t private_key[32];
};

/* Does a block begin in it? Anything else is binary. */
bool pem_is_text(const void *data, size_t length);

/* The first key of the file. A private key brings its public one. `name` is for the sentence.
 *      -FAULT_BAD_FILE  no key, an encrypted one, another curve */
int pem_parse(const char *name, const void *text, size_t length, struct pem_key *ret_key) MUST_USE;

/* For CLEANUP(pem_wipe). */
void pem_wipe(struct pem_key *key);

/* SubjectPublicKeyInfo, as .obk files hold public keys. */
void pem_public_der(const struct pem_key *key, uint8_t ret_der[static PEM_PUBLIC_DER_LENGTH]);

/* PKCS#8 cut before the public key, as .obk files hold private keys (OEMiROT_Config.obk): the outer
 * lengths are lowered, the tag and length of what was cut, A1 44, stay. Wants `has_private`. */
void pem_private_der(const struct pem_key *key, uint8_t ret_der[static PEM_PRIVATE_DER_LENGTH]);
