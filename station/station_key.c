/*
 * station_key.c - one key, from a credential or a file, held against the database's check value.
 *
 * A new key is on disk, its directory too, before its check value is: a power cut between the two
 * leaves a key without a check value, which the next start takes up.
 */
#include "station/station_key.h"

#include "crypto/digest.h"
#include "scheduler/file.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the check value ----------------------------------------------------------------------- */

struct key_check {
        char expected[2 * 8 + 1]; /* "" when the database has none */
        char actual[2 * 8 + 1];
};

static int found_check(struct sqlite3_stmt *row, void *context)
{
        struct key_check *check = context;

        snprintf(check->expected, sizeof(check->expected), "%s",
                 (const char *)sqlite3_column_text(row, 0));
        return 0;
}

static int read_check_work(struct sqlite3 *database, void *argument)
{
        return store_sql(database, found_check, argument,
                         "SELECT value FROM meta WHERE key = 'station key check'", "");
}

static int write_check_work(struct sqlite3 *database, void *argument)
{
        const struct key_check *check = argument;

        return store_sql(database, NULL, NULL,
                         "INSERT OR IGNORE INTO meta (key, value) VALUES ('station key check', ?)",
                         "t", check->actual);
}

static void check_value(const uint8_t key[static GCM_KEY_LENGTH], char text[static 17])
{
        static const char label[] = "gangway station key check";
        const struct piece pieces[] = { { label, sizeof(label) - 1 }, { key, GCM_KEY_LENGTH } };
        uint8_t digest[DIGEST_LENGTH];

        digest_sha256_pieces(pieces, LENGTH_OF(pieces), digest);
        hex_encode(digest, 8, text);
}

/* --- reading ------------------------------------------------------------------------------- */

static int read_key(const char *path, uint8_t key[static GCM_KEY_LENGTH])
{
        CLEANUP(bytes_wipe_free) struct bytes bytes = { 0 };
        int r = file_read(path, GCM_KEY_LENGTH + 1, &bytes);

        if (r < 0 && r != -FAULT_TOO_LARGE)
                return r;
        if (r < 0 || bytes.length != GCM_KEY_LENGTH)
                return fault(FAULT_BAD_FILE, "%s must have exactly %d bytes; restore it", path,
                             GCM_KEY_LENGTH);
        memcpy(key, bytes.data, GCM_KEY_LENGTH);
        return 0;
}

/* Who may read a credential is the service manager's affair: it lies in memory that is not swapped,
 * for this service's user alone, by mode or by an access list that shows as a group's right. */
static int read_credential(uint8_t key[static GCM_KEY_LENGTH])
{
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        char path[512];

        if (!directory || !directory[0])
                return fault(FAULT_NOT_FOUND, "no credentials were given");
        if (snprintf(path, sizeof(path), "%s/" STATION_KEY_CREDENTIAL, directory) >=
            (int)sizeof(path))
                return fault(FAULT_BAD_VALUE, "CREDENTIALS_DIRECTORY is too long");
        return read_key(path, key);
}

static int read_file(const char *path, uint8_t key[static GCM_KEY_LENGTH])
{
        struct stat status;
        int r = read_key(path, key);

        if (r < 0)
                return r;
        if (stat(path, &status) < 0)
                return fault_errno(errno, "%s", path);
        if (status.st_mode & 077)
                return fault(FAULT_BAD_FILE, "%s may be read by others (mode %04o); chmod 600 %s",
                             path, status.st_mode & 07777, path);
        return 0;
}

/* Not the scheduler's chance, which is not for secrets (chance.h), but the kernel's. */
static int make_file(const char *path, uint8_t key[static GCM_KEY_LENGTH])
{
        if (getrandom(key, GCM_KEY_LENGTH, 0) != GCM_KEY_LENGTH)
                return fault_errno(errno, "getrandom");
        return file_write(path, key, GCM_KEY_LENGTH, 0600);
}

/* Found in the one place or the other, or made in the file where `may_make`. */
static int find_key(const char *path, bool may_make, uint8_t key[static GCM_KEY_LENGTH],
                    enum station_key_home *ret_home)
{
        int r = read_credential(key);

        if (r != -FAULT_NOT_FOUND) {
                *ret_home = access(path, F_OK) == 0 ? STATION_KEY_CREDENTIAL_AND_FILE
                                                    : STATION_KEY_CREDENTIAL_ONLY;
                return r;
        }
        *ret_home = STATION_KEY_FILE;
        r = read_file(path, key);
        if (r == -FAULT_NOT_FOUND && may_make)
                return make_file(path, key);
        if (r == -FAULT_NOT_FOUND)
                return fault(
                        FAULT_NOT_FOUND,
                        "%s is missing, there is no credential " STATION_KEY_CREDENTIAL
                        ", and the licenses in hand are sealed under it; restore it from a copy",
                        path);
        return r;
}

/* --- the key of a database ----------------------------------------------------------------- */

static int hold_against(struct store *store, struct key_check *check, const char *path,
                        const uint8_t key[static GCM_KEY_LENGTH], enum station_key_home home)
{
        check_value(key, check->actual);
        if (!check->expected[0])
                return store_transact(store, write_check_work, check);
        if (strcmp(check->expected, check->actual) == 0)
                return 0;
        return fault(FAULT_BAD_FILE, "%s is not the key of this database; restore the right one",
                     home == STATION_KEY_FILE ? path : "the credential " STATION_KEY_CREDENTIAL);
}

int station_key_load(struct store *store, const char *directory,
                     uint8_t ret_key[static GCM_KEY_LENGTH], enum station_key_home *ret_home)
{
        struct key_check check = { 0 };
        uint8_t key[GCM_KEY_LENGTH] = { 0 };
        char path[512];
        int r;

        if (snprintf(path, sizeof(path), "%s/station.key", directory) >= (int)sizeof(path))
                return fault(FAULT_BAD_VALUE, "the name of the data directory is too long");
        r = store_transact(store, read_check_work, &check);
        if (r >= 0)
                r = find_key(path, !check.expected[0], key, ret_home);
        if (r >= 0)
                r = hold_against(store, &check, path, key, *ret_home);
        if (r >= 0)
                memcpy(ret_key, key, sizeof(key));
        wipe(key, sizeof(key));
        return r < 0 ? r : 0;
}
