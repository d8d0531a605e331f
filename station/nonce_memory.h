/*
 * nonce_memory.h - what a key file remembers of its ledger: KEY.ledger, beside it, 0600.
 *
 * It names the ledger in which the key was used last, how many of its images that ledger had seen,
 * and the link of the last. A ledger that was deleted, moved away or put back to an older state
 * does not fit the memory any more, and the next seal is refused. It holds nothing secret.
 *
 *      gangway-key-memory 1
 *      key FINGERPRINT
 *      ledger ID
 *      images NUMBER
 *      link LINK, or - for no image
 */
#pragma once

#include "station/nonce_list.h"

#define NONCE_MEMORY_SUFFIX ".ledger"
#define NONCE_MEMORY_MAX    1024u

struct nonce_memory {
        bool is_there; /* false: the key has none */
        char key[NONCE_KEY_TEXT];
        char ledger[NONCE_KEY_TEXT];
        int64_t images;
        char link[NONCE_LINK_TEXT]; /* "" for no image */
};

/* Take apart the file's bytes. -FAULT_BAD_FILE */
int nonce_memory_parse(const char *name, const void *data, size_t length,
                       struct nonce_memory *ret_memory) MUST_USE;

/* Read what is beside `key_file`; a missing file is no failure (waits). */
int nonce_memory_read(const char *key_file, struct nonce_memory *ret_memory) MUST_USE;

/* Replace it (waits). */
int nonce_memory_write(const char *key_file, const struct nonce_memory *memory) MUST_USE;

/* Does `list`, the ledger at `path`, still know all that the memory of `key_file`, which has the
 * fingerprint `key`, has seen?
 *      -FAULT_STORE  it does not: deleted, another one, or rolled back; and what to do
 *      -FAULT_BAD_FILE  the memory is another key's */
int nonce_memory_check(const struct nonce_memory *memory, const char *key_file, const char *key,
                       const struct nonce_list *list, const char *path) MUST_USE;
