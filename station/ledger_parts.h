/*
 * ledger_parts.h - what ledger.c and ledger_report.c share; nobody else includes it.
 */
#pragma once

#include "crypto/gcm.h"
#include "station/ledger.h"

struct ledger {
        struct store *store;
        struct gcm_key *key; /* used on the store's thread only, inside transactions */
};

/* "A1B2C3", or "an unknown chip" for a license spent outside the station. */
static inline const char *ledger_chip(const char *fingerprint)
{
        return fingerprint && fingerprint[0] ? fingerprint : "an unknown chip";
}
