/*
 * ledger_parts.h - what the files of the ledger share; nobody else includes it.
 */
#pragma once

#include "crypto/gcm.h"
#include "station/ledger.h"
#include "station/station_key.h"

#include <sqlite3.h>

struct ledger {
        struct store *store;
        enum station_key_home key_home;
        struct gcm_key *key; /* used on the store's thread only, inside transactions */

        void (*told)(const char *sentence, bool is_loss, void *context); /* NULL: nobody listens */
        void *told_context;
};

/* "A1B2C3", or "an unknown chip" for a license spent outside the station. */
static inline const char *ledger_chip(const char *fingerprint)
{
        return fingerprint && fingerprint[0] ? fingerprint : "an unknown chip";
}

/* A text column; NULL reads as "". Borrowed until the statement goes on. */
static inline const char *ledger_text(struct sqlite3_stmt *row, int column)
{
        const char *value = (const char *)sqlite3_column_text(row, column);

        return value ? value : "";
}
