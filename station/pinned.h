/*
 * pinned.h - the one certificate of a server that is believed.
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#define PINNED_FILE_MAX (16u << 10)

struct pinned {
        struct bytes pem;  /* of this certificate alone */
        char key_hash[64]; /* "sha256//" and the base64 SHA-256 of its SubjectPublicKeyInfo, as
                              CURLOPT_PINNEDPUBLICKEY wants it */
};

/* Read a PEM text that holds one certificate and no private key; words around the block are fine.
 * `name` is for the sentence. Whether it is still valid is seen when it is used.
 *      -FAULT_BAD_FILE */
int pinned_parse(const char *name, const void *text, size_t length,
                 struct pinned *ret_pinned) MUST_USE;

/* The same from a file (waits).
 *      -FAULT_NOT_FOUND, -FAULT_TOO_LARGE, -FAULT_SYSTEM, -FAULT_BAD_FILE */
int pinned_load(const char *path, struct pinned *ret_pinned) MUST_USE;

/* For CLEANUP(pinned_free). */
void pinned_free(struct pinned *pinned);
