/*
 * nonces_view.h - uses of nonces for people and for programs. No nonce is shown, only its short name.
 */
#pragma once

#include "station/nonce_list.h"

#include <jansson.h>
#include <stdio.h>

/* A table of the uses of `key`, of all when NULL. */
void nonces_view_print(FILE *out, const struct nonce_list *list, const char *key);

/* An array of the same. Given to the caller. */
json_t *nonces_view_json(const struct nonce_list *list, const char *key);

/* A line for each use from position `from` on that shares an IV with an earlier one. */
void nonces_view_clashes(FILE *out, const struct nonce_list *list, const size_t *clashes,
                         size_t from);

/* Read and check an export (waits). */
int nonces_read(const char *path, struct nonce_list *ret_list) MUST_USE;
