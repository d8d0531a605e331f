/*
 * nonce_list.h - every sealing a ledger knows, in its order, bound into one chain.
 *
 * A use is one image that was sealed, or was about to be: under which key (by fingerprint), with
 * which IVs, and what came out. The nonce itself is kept, because only from it can be told which
 * IVs a later image would share, under whatever policy. It is no secret in AES-GCM (SP 800-38D
 * section 8: what counts is that it never comes twice under a key), and says nothing without the
 * key; still the ledger is 0600, and nothing prints more of it than a short hash.
 *
 * A use's link is SHA-256, in hexadecimal, over the link before it and the use's fields: changing,
 * moving or taking away any use but the newest breaks the chain there. When an image was confirmed
 * is told later than when it was reserved, so it is no part of the link; an export covers it.
 */
#pragma once

#include "crypto/digest.h"
#include "station/nonce_range.h"

#define NONCE_KEY_LENGTH 16 /* bytes of a key's fingerprint and of a ledger's id */
#define NONCE_KEY_TEXT   (2 * NONCE_KEY_LENGTH + 1)
#define NONCE_LINK_TEXT  (2 * DIGEST_LENGTH + 1)
#define NONCE_NAME_MAX   192u
#define NONCE_HOST_MAX   65u
#define NONCE_DATE_TEXT  21 /* "2026-07-31T12:00:00Z" */

#define NONCE_USES_MAX 65536u
#define NONCE_SEEN_MAX 4096u
#define NONCE_IVS_MAX  (4u << 20) /* of all uses together, where all are compared with all */

struct nonce_use {
        char key[NONCE_KEY_TEXT]; /* fingerprint */
        struct nonce_range range;
        char digest[NONCE_LINK_TEXT]; /* SHA-256 of the sealed file */
        char name[NONCE_NAME_MAX];    /* of the file, as it was given */
        char host[NONCE_HOST_MAX];
        char origin[NONCE_KEY_TEXT]; /* id of the ledger that recorded it first */
        int64_t reserved_s;          /* calendar seconds, UTC */
        int64_t confirmed_s;         /* -1: reserved only, the file may not exist */
        char link[NONCE_LINK_TEXT];
};

/* "All that `ledger` knew of `key` when it counted `uses` of them is in this list." */
struct nonce_seen {
        char ledger[NONCE_KEY_TEXT];
        char key[NONCE_KEY_TEXT];
        int64_t uses;
};

struct nonce_list {
        char ledger[NONCE_KEY_TEXT]; /* whose list it is */
        struct nonce_use *uses;
        size_t count, capacity;
        struct nonce_seen *seen; /* of other ledgers, or of this one too in an export */
        size_t seen_count, seen_capacity;
};

/* The fingerprint of a key: the first half of SHA-256 over a label and the key. A random key cannot
 * be found from it; one that was made up by a person could be guessed and confirmed. */
void nonce_key_name(const uint8_t key[static GCM_KEY_LENGTH], char ret_name[static NONCE_KEY_TEXT]);

/* A short name of a nonce, for lists: 8 digits of its SHA-256. */
#define NONCE_SHORT_TEXT 9
char *nonce_short(const uint8_t nonce[static SFI_NONCE_LENGTH], char text[static NONCE_SHORT_TEXT]);

/* "0123-4567-89AB-CDEF", the first half of a fingerprint, for people to compare. */
#define NONCE_READ_TEXT 20
char *nonce_key_read(const char name[static NONCE_KEY_TEXT], char text[static NONCE_READ_TEXT]);

/* "2026-07-31T12:00:00Z", and back: false for anything that is not exactly that form. */
char *nonce_date(int64_t calendar_s, char text[static NONCE_DATE_TEXT]);
bool nonce_date_parse(const char *text, int64_t *ret_calendar_s) MUST_USE;

/* Copy a name that may hold anything: cut to fit, everything that is not printable text '?'. */
void nonce_label(const char *from, char *to, size_t capacity);

/* Append a copy. -FAULT_TOO_LARGE */
int nonce_list_add(struct nonce_list *list, const struct nonce_use *use) MUST_USE;
int nonce_list_see(struct nonce_list *list, const struct nonce_seen *seen) MUST_USE;
void nonce_list_free(struct nonce_list *list); /* for CLEANUP */

/* The link of `use` behind `previous`, "" for the first. */
void nonce_use_link(const char *previous, const struct nonce_use *use,
                    char ret_link[static NONCE_LINK_TEXT]);

/* Every link follows from the one before. -FAULT_BAD_TAG names the first that does not */
int nonce_list_check(const struct nonce_list *list) MUST_USE;

/* How many uses of `key` there are; the link of the last (or of the `limit`-th), "" for none. */
int64_t nonce_list_count(const struct nonce_list *list, const char *key, int64_t limit,
                         const char **ret_link);

/* The same key, IVs and content: the use that is there already, or NULL. */
struct nonce_use *nonce_list_find(const struct nonce_list *list, const struct nonce_use *use);

/* -FAULT_DUPLICATE  an earlier image of other content under that key has used one of these IVs:
 *                   its name, date and host, and at which index each uses it */
int nonce_list_admit(const struct nonce_list *list, const struct nonce_use *use) MUST_USE;

/* For each use the position of an earlier one of other content that it shares an IV with, or
 * SIZE_MAX; `ret_clashes` has `count` of them and is given to the caller. Returns how many there
 * are. -FAULT_TOO_LARGE  more IVs than NONCE_IVS_MAX */
int nonce_list_clashes(const struct nonce_list *list, size_t **ret_clashes) MUST_USE;

/* No image of whatever length and policy under `key` with this nonce would meet an earlier one. */
bool nonce_list_is_free(const struct nonce_list *list, const char *key,
                        const uint8_t nonce[static SFI_NONCE_LENGTH]) MUST_USE;

/* Draw nonces until one is free in that sense. -FAULT_SYSTEM  `draw` gives used ones only */
int nonce_list_draw(const struct nonce_list *list, const char *key,
                    int (*draw)(void *context, uint8_t nonce[static SFI_NONCE_LENGTH]),
                    void *context, uint8_t ret_nonce[static SFI_NONCE_LENGTH]) MUST_USE;
