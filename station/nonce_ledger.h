/*
 * nonce_ledger.h - the guard against using a nonce twice: every sealing on this machine, on disk.
 *
 *      reserve   the IVs and the content's digest, durable before the image leaves memory
 *      write     the image
 *      confirm   it was written
 *
 * A crash in between leaves the reservation: it goes on to block other content, and lets the same
 * content pass. Two processes reserve one after the other, so exactly one of two wins. There is no
 * key in it, only fingerprints (nonce_list.h says why the nonces are there); mode 0600.
 *
 * Results: 0 or a number; -FAULT_STORE when it cannot be read, written or trusted, with what to do.
 * Calls block for the time of a small transaction; nothing else runs in the command meanwhile.
 */
#pragma once

#include "station/nonce_list.h"
#include "station/nonce_memory.h"

#define NONCE_LEDGER_PATH_MAX 1024u

struct nonce_ledger;

/* Where it is: $GANGWAY_LEDGER, else $XDG_STATE_HOME/gangway/nonces.db, else
 * $HOME/.local/state/gangway/nonces.db (XDG Base Directory Specification 0.8). */
int nonce_ledger_place(char ret_path[static NONCE_LEDGER_PATH_MAX]) MUST_USE;

/* Open to seal: made where it is missing, the last directories of the default place too. */
int nonce_ledger_open(const char *path, struct nonce_ledger **ret_ledger) MUST_USE;

/* Open to look at; a file that may not be written will do. -FAULT_NOT_FOUND */
int nonce_ledger_look(const char *path, struct nonce_ledger **ret_ledger) MUST_USE;

struct nonce_ledger *nonce_ledger_close(struct nonce_ledger *ledger); /* NULL is fine */
void nonce_ledger_release(struct nonce_ledger **ledger);              /* for CLEANUP */

const char *nonce_ledger_path(const struct nonce_ledger *ledger);

/* All of it, its chain checked. `ret_list` is for nonce_list_free(). */
int nonce_ledger_load(struct nonce_ledger *ledger, struct nonce_list *ret_list) MUST_USE;

/* The same, and with lines of "seen" for its own keys: for nonce_export_text(). */
int nonce_ledger_load_for_export(struct nonce_ledger *ledger, struct nonce_list *ret_list) MUST_USE;

enum nonce_admission {
        NONCE_NEW,     /* recorded */
        NONCE_NEW_KEY, /* recorded, the first of its key, and the key remembers no ledger */
        NONCE_SAME,    /* the same content was sealed before */
};

/* Admit `use` and record it; on return it is on disk. `use->origin` and `link` are filled in.
 * `memory` is what the key file `key_file` remembers.
 *      -FAULT_DUPLICATE  an IV was used by other content; names it (nonce_list_admit)
 *      -FAULT_STORE, -FAULT_BAD_FILE  the ledger is not the one the key remembers */
int nonce_ledger_reserve(struct nonce_ledger *ledger, const char *key_file,
                         const struct nonce_memory *memory, struct nonce_use *use) MUST_USE;

/* The image of `use` is written. A second time changes nothing. */
int nonce_ledger_confirm(struct nonce_ledger *ledger, const struct nonce_use *use,
                         int64_t now_s) MUST_USE;

/* Write to the key's memory what the ledger knows of it now (waits). Two processes do so one after
 * the other, so the memory never goes back. */
int nonce_ledger_remember(struct nonce_ledger *ledger, const char *key_file,
                          const char *key) MUST_USE;

/* Take over all of `from` that is not there yet, clashes too: they have happened. `ret_all` is the
 * ledger afterwards, for nonce_list_clashes(); the uses from `ret_before` on are new. */
int nonce_ledger_merge(struct nonce_ledger *ledger, const struct nonce_list *from,
                       struct nonce_list *ret_all, size_t *ret_before) MUST_USE;
