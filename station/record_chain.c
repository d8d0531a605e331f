/*
 * record_chain.c - closed attempts, each bound to all that were closed before it.
 *
 * A link's hash is SHA-256, in hexadecimal, over the previous link's hash and the canonical text of
 * its record, both followed by a newline. The first link's previous hash is 64 zeros. The text is
 * the record's fields in fixed order, each followed by a tab; tabs, newlines and backslashes inside
 * a field are escaped, so different records never have the same text. Changing, moving, adding or
 * taking away any record but the newest ones breaks the chain at that place; that none was cut off
 * at the end is for a receipt kept elsewhere to prove (issue 4).
 */
#include "crypto/digest.h"
#include "scheduler/bytes.h"
#include "station/record_parts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Links checked in one transaction, so that a long chain does not hold up the sites. */
#define VERIFY_SLICE 500

#define HASH_TEXT (2 * DIGEST_LENGTH)

static const char genesis[HASH_TEXT + 1] =
        "0000000000000000000000000000000000000000000000000000000000000000";

/* The canonical fields, in order. */
#define FIELDS                                                                                     \
        "a.id, a.order_id, a.site, a.probe, a.unit, a.certificate, a.attempt, a.started_us, "      \
        "a.ended_us, a.result, a.fault, a.step, a.sentence, a.license_was_in_hand, "               \
        "a.license_source"

struct link {
        const char *station;
        char hash[HASH_TEXT + 1]; /* in: of the previous link; out: of this one */
        bool is_found;
};

static void put_field(FILE *out, const char *value)
{
        for (const char *c = value ? value : ""; *c; c++) {
                switch (*c) {
                case '\t':
                        fputs("\\t", out);
                        break;
                case '\n':
                        fputs("\\n", out);
                        break;
                case '\\':
                        fputs("\\\\", out);
                        break;
                default:
                        fputc(*c, out);
                }
        }
        fputc('\t', out);
}

/* `row` has the canonical fields from `first` on. The last one is left out where it says nothing: the
 * attempts of schema version 1 had none, and their links must stay what they are. */
static void link_hash(struct link *link, struct sqlite3_stmt *row, int first)
{
        uint8_t digest[DIGEST_LENGTH];
        char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        int last = sqlite3_column_count(row) - 1;
        const char *source = (const char *)sqlite3_column_text(row, last);

        INSIST(out);
        fprintf(out, "%s\n", link->hash);
        put_field(out, link->station);
        for (int i = first; i < last; i++)
                put_field(out, (const char *)sqlite3_column_text(row, i));
        if (source && source[0])
                put_field(out, source);
        fputc('\n', out);
        fclose(out);
        digest_sha256(text, length, digest);
        hex_encode(digest, sizeof(digest), link->hash);
        free(text);
        link->is_found = true;
}

/* --- appending ----------------------------------------------------------------------------- */

struct tail {
        int64_t sequence;
        char hash[HASH_TEXT + 1];
};

static int tail_row(struct sqlite3_stmt *row, void *context)
{
        struct tail *tail = context;

        tail->sequence = sqlite3_column_int64(row, 0);
        snprintf(tail->hash, sizeof(tail->hash), "%s", (const char *)sqlite3_column_text(row, 1));
        return 0;
}

static int append_row(struct sqlite3_stmt *row, void *context)
{
        link_hash(context, row, 0);
        return 0;
}

int chain_append(struct sqlite3 *database, const char *station, int64_t attempt,
                 int64_t *ret_sequence)
{
        struct link link = { .station = station };
        struct tail tail = { 0 };
        int r;

        memcpy(tail.hash, genesis, sizeof(tail.hash));
        r = store_sql(database, tail_row, &tail,
                      "SELECT sequence, hash FROM chain ORDER BY sequence DESC LIMIT 1", "");
        if (r < 0)
                return r;
        memcpy(link.hash, tail.hash, sizeof(link.hash));
        r = store_sql(database, append_row, &link,
                      "SELECT " FIELDS " FROM attempts a WHERE a.id = ?", "i", attempt);
        if (r < 0)
                return r;
        INSIST(link.is_found);
        *ret_sequence = tail.sequence + 1;
        return store_sql(database, NULL, NULL,
                         "INSERT INTO chain (sequence, attempt, station, previous, hash) "
                         "VALUES (?, ?, ?, ?, ?)",
                         "iittt", *ret_sequence, attempt, station, tail.hash, link.hash);
}

/* --- verifying ----------------------------------------------------------------------------- */

struct verify {
        struct tail tail; /* of what fits so far */
        int in_slice;
};

static int broken(int64_t sequence, int64_t attempt, const char *why)
{
        return fault(FAULT_BAD_TAG, "record %lld of the chain (attempt %lld) does not fit: %s",
                     (long long)sequence, (long long)attempt, why);
}

/* Columns: sequence, attempt, station, previous, hash, then the canonical fields. */
static int verify_row(struct sqlite3_stmt *row, void *context)
{
        struct verify *verify = context;
        int64_t sequence = sqlite3_column_int64(row, 0), attempt = sqlite3_column_int64(row, 1);
        const char *previous = (const char *)sqlite3_column_text(row, 3);
        const char *hash = (const char *)sqlite3_column_text(row, 4);
        struct link link = { .station = (const char *)sqlite3_column_text(row, 2) };

        if (sequence != verify->tail.sequence + 1)
                return broken(verify->tail.sequence + 1, attempt, "it is missing");
        if (sqlite3_column_type(row, 5) == SQLITE_NULL)
                return broken(sequence, attempt, "its attempt is missing");
        if (!previous || strcmp(previous, verify->tail.hash) != 0)
                return broken(sequence, attempt, "it names another record before it");
        memcpy(link.hash, verify->tail.hash, sizeof(link.hash));
        link_hash(&link, row, 5);
        if (!hash || strcmp(hash, link.hash) != 0)
                return broken(sequence, attempt, "its contents were changed");
        verify->tail.sequence = sequence;
        memcpy(verify->tail.hash, link.hash, sizeof(verify->tail.hash));
        verify->in_slice++;
        return 0;
}

static int verify_work(struct sqlite3 *database, void *argument)
{
        struct verify *verify = argument;

        verify->in_slice = 0;
        return store_sql(database, verify_row, verify,
                         "SELECT sequence, chain.attempt, chain.station, previous, hash, " FIELDS
                         " FROM chain LEFT JOIN attempts a ON a.id = chain.attempt "
                         "WHERE sequence > ? ORDER BY sequence LIMIT ?",
                         "ii", verify->tail.sequence, (int64_t)VERIFY_SLICE);
}

static int unchained_row(struct sqlite3_stmt *row, void *context)
{
        (void)context;
        return fault(FAULT_BAD_TAG, "attempt %lld is closed and not in the chain",
                     (long long)sqlite3_column_int64(row, 0));
}

/* A closed attempt outside the chain was added by other hands. */
static int unchained_work(struct sqlite3 *database, void *argument)
{
        (void)argument;
        return store_sql(database, unchained_row, NULL,
                         "SELECT id FROM attempts WHERE result <> '' AND id NOT IN "
                         "(SELECT attempt FROM chain) ORDER BY id LIMIT 1",
                         "");
}

int records_verify(struct records *records)
{
        struct verify verify = { 0 };
        int r;

        memcpy(verify.tail.hash, genesis, sizeof(verify.tail.hash));
        do {
                r = store_transact(records->store, verify_work, &verify);
        } while (r >= 0 && verify.in_slice == VERIFY_SLICE);
        if (r >= 0)
                r = store_transact(records->store, unchained_work, NULL);
        return r < 0 ? r : (int)verify.tail.sequence;
}
