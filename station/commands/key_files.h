/*
 * key_files.h - making secret files, and what commands about keys and nonces ask of the ledger.
 */
#pragma once

#include "station/nonce_ledger.h"

/* Random bytes from the kernel (getrandom). -FAULT_SYSTEM */
int secret_draw(void *secret, size_t length) MUST_USE;

/* Write a new file, 0600, on disk when it returns; one that exists is never touched.
 *      -FAULT_DUPLICATE  there is one already */
int secret_write(const char *path, const void *secret, size_t length) MUST_USE;

/* The fingerprint of the key in `path` (waits). */
int key_file_name(const char *path, char ret_name[static NONCE_KEY_TEXT]) MUST_USE;

/* Load the ledger of this user; where there is none, an empty list with an empty id and the place
 * it would have. */
int ledger_look(struct nonce_list *ret_list, char ret_path[static NONCE_LEDGER_PATH_MAX]) MUST_USE;
