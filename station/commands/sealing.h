/*
 * sealing.h - every command that seals goes through the nonce ledger with these three calls.
 *
 *      struct sealing sealing CLEANUP(sealing_close) = { .key_file = ..., .output = ... };
 *      r = sealing_reserve(&sealing, key, nonce, policy, areas, digest);
 *      ... write the file ...
 *      r = sealing_confirm(&sealing);
 */
#pragma once

#include "scheduler/bytes.h"
#include "station/nonce_ledger.h"

/* What --no-ledger must be given, word for word. */
#define SEALING_OVERRIDE "i-know-nonces-must-never-repeat"

struct sealing {
        const char *key_file;
        const char *output;    /* the file's name, for the ledger */
        const char *no_ledger; /* value of --no-ledger, NULL: not given */
        struct nonce_ledger *ledger;
        struct nonce_use use;
};

/* `digest` is the SHA-256 of the sealed file, which is still in memory; on return its IVs are taken,
 * durably (waits). Notes and warnings go to stderr.
 *      -FAULT_DUPLICATE  an IV was used by other content
 *      -FAULT_STORE      no ledger, or not the one the key remembers
 *      -FAULT_BAD_VALUE  --no-ledger has another value */
int sealing_reserve(struct sealing *sealing, const uint8_t key[static GCM_KEY_LENGTH],
                    const uint8_t nonce[static SFI_NONCE_LENGTH], enum sfi_iv_policy policy,
                    size_t areas, const uint8_t digest[static DIGEST_LENGTH]) MUST_USE;

/* The file is written. */
int sealing_confirm(struct sealing *sealing) MUST_USE;

/* For CLEANUP; what was reserved stays reserved. */
void sealing_close(struct sealing *sealing);
