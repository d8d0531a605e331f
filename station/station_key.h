/*
 * station_key.h - the key that seals licenses at rest, and where it is kept.
 *
 * Either a file, DIRECTORY/station.key, 16 bytes, 0600, made at first use; or a systemd credential
 * named gangway-station-key, which the service manager opens for this process alone
 * ($CREDENTIALS_DIRECTORY, systemd.exec(5) "Credentials") and which systemd-creds(1) can seal to the
 * machine's TPM. A credential goes before a file and is never written to disk by us.
 *
 * The database keeps a check value: another station's key, or a new one in place of a lost one, is
 * noticed before a license is asked for and not when it is needed.
 */
#pragma once

#include "crypto/gcm.h"
#include "station/store.h"

#define STATION_KEY_CREDENTIAL "gangway-station-key"

/* Where the key of a station was found. */
enum station_key_home {
        STATION_KEY_FILE,
        STATION_KEY_CREDENTIAL_ONLY,
        STATION_KEY_CREDENTIAL_AND_FILE, /* a file beside it still holds a key; it is not needed */
};

/* The key of the database in `store`, read or made (waits). The caller wipes it.
 *      -FAULT_NOT_FOUND  neither is there, and licenses are sealed under it
 *      -FAULT_BAD_FILE   wrong length, readable by others, or not this database's key */
int station_key_load(struct store *store, const char *directory,
                     uint8_t ret_key[static GCM_KEY_LENGTH],
                     enum station_key_home *ret_home) MUST_USE;
