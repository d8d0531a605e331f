/*
 * receipt.c - from ledger and records to lines.
 *
 * The licenses are walked first and the cards last: should the station go on meanwhile, a card has
 * counted down for every license that is named, never for fewer. The balance is added up from the
 * very records that were written, so a receipt agrees with itself whenever it is made. It is one
 * moment of the database when the store is a look, or when the lot has ended.
 *
 * Lines are written as their records come, each under the hash of the one before.
 */
#include "station/receipt.h"

#include "crypto/digest.h"
#include "scheduler/loop.h"
#include "station/station.h"
#include "station/text.h"

#include <ctype.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A receipt on its way. */
struct draft {
        const struct receipt_source *source;
        const char *lot;
        FILE *out;
        char hash[RECEIPT_HASH_TEXT];
        unsigned records;

        struct ledger_balance balance; /* of the licenses written */
        uint32_t cancelled, stock, globals;
        char (*cards)[17]; /* serials that licenses named, each once */
        unsigned card_count, card_capacity;
        int64_t *stock_ids; /* ascending */
        size_t stock_count, stock_capacity;

        /* the lot's row */
        bool is_known;
        char part[64], family[64], firmware_id[33], order_digest[2 * DIGEST_LENGTH + 1],
                image_digest[2 * DIGEST_LENGTH + 1];
        int64_t quantity;
        uint64_t opened_us, closed_us;
};

/* --- words --------------------------------------------------------------------------------- */

static void lower(char *text)
{
        for (; *text; text++)
                *text = (char)tolower((unsigned char)*text);
}

void receipt_link(const char previous[static RECEIPT_HASH_TEXT], const char *json, size_t length,
                  char ret_hash[static RECEIPT_HASH_TEXT])
{
        const struct piece pieces[] = { { previous, RECEIPT_HASH_TEXT - 1 },
                                        { " ", 1 },
                                        { json, length } };
        uint8_t digest[DIGEST_LENGTH];

        digest_sha256_pieces(pieces, LENGTH_OF(pieces), digest);
        hex_encode(digest, sizeof(digest), ret_hash);
        lower(ret_hash);
}

const char *receipt_ratio(uint32_t issued, uint32_t good, char text[static 16])
{
        text[0] = '\0';
        if (good)
                snprintf(text, 16, "%.3f", (double)issued / good);
        return text;
}

bool receipt_count(struct ledger_balance *balance, uint32_t *cancelled, const char *state,
                   uint32_t count)
{
        if (strcmp(state, "intended") == 0)
                balance->pending += count;
        else if (strcmp(state, "cancelled") == 0)
                *cancelled += count;
        else if (strcmp(state, "installed") == 0)
                balance->installed += count;
        else if (strcmp(state, "lost") == 0)
                balance->lost += count;
        else if (strcmp(state, "stored") == 0 || strcmp(state, "offered") == 0 ||
                 strcmp(state, "refused") == 0)
                balance->in_hand += count;
        else
                return false;
        balance->issued = balance->installed + balance->in_hand + balance->lost;
        return true;
}

static const char *moment(uint64_t us, char text[static 25])
{
        text[0] = '\0';
        return us ? clock_iso8601(us, text) : text;
}

/* Sentences come from anywhere; JSON wants UTF-8, and a line has a limit. */
static json_t *clean(const char *sentence)
{
        char text[512];
        size_t length = (size_t)snprintf(text, sizeof(text), "%.500s", sentence), at = 0;

        while ((at += text_clean(text + at, length - at)) < length)
                text[at] = '?';
        return json_stringn(text, length);
}

/* --- lines --------------------------------------------------------------------------------- */

/* Write one record (given). */
static int put(struct draft *draft, json_t *record)
{
        char *json = json_dumps(record, JSON_COMPACT | JSON_ENSURE_ASCII);
        size_t length;
        int r = 0;

        INSIST(record && json);
        json_decref(record);
        length = strlen(json);
        if (++draft->records > RECEIPT_RECORDS_MAX ||
            length + RECEIPT_HASH_TEXT + 1 > RECEIPT_LINE_MAX)
                r = fault(FAULT_TOO_LARGE,
                          "the receipt of lot %s would have more than %u records, or one longer "
                          "than %u bytes",
                          draft->lot, RECEIPT_RECORDS_MAX, RECEIPT_LINE_MAX);
        receipt_link(draft->hash, json, length, draft->hash);
        fprintf(draft->out, "%s %s\n", draft->hash, json);
        free(json);
        return r;
}

static int put_header(struct draft *draft)
{
        const struct receipt_source *source = draft->source;
        char key[2 * SIGN_KEY_LENGTH + 1];
        char opened[25], closed[25], written[25];

        hex_encode(source->key->public_key, SIGN_KEY_LENGTH, key);
        lower(key);
        return put(draft, json_pack("{s:s,s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:s,s:s,s:s}",
                                    "record", "receipt", "version", RECEIPT_VERSION, "station",
                                    source->station, "lot", draft->lot, "part", draft->part,
                                    "family", draft->family, "firmware_id", draft->firmware_id,
                                    "order_sha256", draft->order_digest, "image_sha256",
                                    draft->image_digest, "quantity", (json_int_t)draft->quantity,
                                    "opened", moment(draft->opened_us, opened), "closed",
                                    moment(draft->closed_us, closed), "written",
                                    moment(clock_calendar_us(), written), "public_key", key));
}

static void note_card(struct draft *draft, const char *serial)
{
        for (unsigned i = 0; i < draft->card_count; i++)
                if (strcmp(draft->cards[i], serial) == 0)
                        return;
        if (draft->card_count == draft->card_capacity) {
                draft->card_capacity = draft->card_capacity ? 2 * draft->card_capacity : 8;
                draft->cards = realloc(draft->cards, draft->card_capacity * sizeof(*draft->cards));
                INSIST(draft->cards);
        }
        snprintf(draft->cards[draft->card_count++], sizeof(*draft->cards), "%s", serial);
}

static int put_license(struct draft *draft, const char *record, const struct ledger_entry *entry)
{
        char digest[2 * DIGEST_LENGTH + 1], asked[25], stored[25], offered[25], settled[25];

        snprintf(digest, sizeof(digest), "%s", entry->digest);
        lower(digest);
        if (entry->card[0])
                note_card(draft, entry->card);
        return put(draft,
                   json_pack("{s:s,s:I,s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:s,"
                             "s:o}",
                             "record", record, "id", (json_int_t)entry->id, "state", entry->state,
                             "count", (json_int_t)entry->count, "source", entry->source, "type",
                             entry->type, "firmware_id", entry->firmware_id, "certificate_sha256",
                             digest, "card", entry->card, "counter", (json_int_t)entry->counter,
                             "order", entry->order, "site", entry->site, "asked",
                             moment(entry->intended_us, asked), "stored",
                             moment(entry->stored_us, stored), "offered",
                             moment(entry->offered_us, offered), "settled",
                             moment(entry->settled_us, settled), "reason", clean(entry->reason)));
}

static int each_license(const struct ledger_entry *entry, void *context)
{
        struct draft *draft = context;

        if (!receipt_count(&draft->balance, &draft->cancelled, entry->state, entry->count))
                return fault(FAULT_STORE, "license %lld is %s, which is no state",
                             (long long)entry->id, entry->state);
        return put_license(draft, "license", entry);
}

/* --- from stock ---------------------------------------------------------------------------- */

static int stock_row(struct sqlite3_stmt *row, void *context)
{
        struct draft *draft = context;

        if (draft->stock_count == draft->stock_capacity) {
                draft->stock_capacity = draft->stock_capacity ? 2 * draft->stock_capacity : 64;
                draft->stock_ids =
                        realloc(draft->stock_ids, draft->stock_capacity * sizeof(int64_t));
                INSIST(draft->stock_ids);
        }
        draft->stock_ids[draft->stock_count++] = sqlite3_column_int64(row, 0);
        return 0;
}

/* Licenses of other lots, or of none, that were in hand before a unit of this lot was worked on and
 * were settled as installed then or later. */
static int find_stock(struct sqlite3 *database, void *argument)
{
        const struct draft *draft = argument;

        return store_sql(database, stock_row, argument,
                         "SELECT DISTINCT l.id FROM attempts a JOIN licenses l "
                         "ON l.certificate = a.certificate WHERE a.order_id = ?1 "
                         "AND a.result = 'pass' AND a.certificate <> '' AND l.order_id <> ?1 "
                         "AND l.state = 'installed' AND l.stored_us <= a.ended_us "
                         "AND l.settled_us >= a.started_us ORDER BY l.id",
                         "t", draft->lot);
}

static int compare_ids(const void *a, const void *b)
{
        int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

        return left < right ? -1 : left > right;
}

static int each_stock(const struct ledger_entry *entry, void *context)
{
        struct draft *draft = context;

        if (!bsearch(&entry->id, draft->stock_ids, draft->stock_count, sizeof(int64_t),
                     compare_ids))
                return 0;
        draft->stock += entry->count;
        return put_license(draft, "stock", entry);
}

static int put_stock(struct draft *draft)
{
        int r = store_transact(draft->source->store, find_stock, draft);

        if (r < 0 || !draft->stock_count)
                return r;
        return ledger_walk(draft->source->ledger, NULL, each_stock, draft);
}

/* --- global ones, cards, balance ----------------------------------------------------------- */

static const char *text(struct sqlite3_stmt *row, int column)
{
        const char *value = (const char *)sqlite3_column_text(row, column);

        return value ? value : "";
}

static int global_row(struct sqlite3_stmt *row, void *context)
{
        struct draft *draft = context;
        char ended[25];

        draft->globals++;
        return put(draft, json_pack("{s:s,s:I,s:s,s:s,s:s,s:s}", "record", "global", "attempt",
                                    (json_int_t)sqlite3_column_int64(row, 0), "unit", text(row, 1),
                                    "certificate", text(row, 2), "site", text(row, 3), "ended",
                                    moment((uint64_t)sqlite3_column_int64(row, 4), ended)));
}

static int put_globals(struct sqlite3 *database, void *argument)
{
        const struct draft *draft = argument;

        return store_sql(database, global_row, argument,
                         "SELECT id, unit, certificate, site, ended_us FROM attempts "
                         "WHERE order_id = ? AND license_source = 'global' AND result = 'pass' "
                         "ORDER BY id",
                         "t", draft->lot);
}

static int each_card(const struct ledger_card *card, void *context)
{
        struct draft *draft = context;
        char first[25], last[25];
        bool is_named = false;

        for (unsigned i = 0; i < draft->card_count && !is_named; i++)
                is_named = strcmp(draft->cards[i], card->serial) == 0;
        if (!is_named)
                return 0;
        return put(draft, json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:s,s:s}", "record", "card",
                                    "serial", card->serial, "type", card->type, "firmware_id",
                                    card->firmware_id, "maximum", (json_int_t)card->maximum,
                                    "counter_first", (json_int_t)card->first_counter,
                                    "counter_last", (json_int_t)card->last_counter, "first_seen",
                                    moment(card->first_seen_us, first), "last_seen",
                                    moment(card->last_seen_us, last)));
}

static int put_balance(struct draft *draft, uint32_t good)
{
        const struct ledger_balance *balance = &draft->balance;
        char ratio[16];

        return put(draft, json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "record",
                                    "balance", "issued", (json_int_t)balance->issued, "installed",
                                    (json_int_t)balance->installed, "in_hand",
                                    (json_int_t)balance->in_hand, "lost", (json_int_t)balance->lost,
                                    "pending", (json_int_t)balance->pending, "cancelled",
                                    (json_int_t)draft->cancelled, "stock", (json_int_t)draft->stock,
                                    "global", (json_int_t)draft->globals, "good_units",
                                    (json_int_t)good, "licenses_per_good_unit",
                                    receipt_ratio(balance->issued, good, ratio)));
}

/* --- all of it ----------------------------------------------------------------------------- */

static int lot_row(struct sqlite3_stmt *row, void *context)
{
        struct draft *draft = context;

        draft->is_known = true;
        if (sqlite3_column_bytes(row, 0) == DIGEST_LENGTH)
                hex_encode(sqlite3_column_blob(row, 0), DIGEST_LENGTH, draft->order_digest);
        lower(draft->order_digest);
        if (sqlite3_column_bytes(row, 7) == DIGEST_LENGTH)
                hex_encode(sqlite3_column_blob(row, 7), DIGEST_LENGTH, draft->image_digest);
        lower(draft->image_digest);
        snprintf(draft->part, sizeof(draft->part), "%s", text(row, 1));
        snprintf(draft->family, sizeof(draft->family), "%s", text(row, 2));
        snprintf(draft->firmware_id, sizeof(draft->firmware_id), "%s", text(row, 3));
        draft->quantity = sqlite3_column_int64(row, 4);
        draft->opened_us = (uint64_t)sqlite3_column_int64(row, 5);
        draft->closed_us = (uint64_t)sqlite3_column_int64(row, 6);
        return 0;
}

static int find_lot(struct sqlite3 *database, void *argument)
{
        const struct draft *draft = argument;

        return store_sql(
                database, lot_row, argument,
                "SELECT digest, part, family, firmware_id, quantity, opened_us, closed_us, "
                "image_digest "
                "FROM lots WHERE order_id = ?",
                "t", draft->lot);
}

static int write_records(struct draft *draft)
{
        const struct receipt_source *source = draft->source;
        struct lot_counts counts = { 0 };
        int r = store_transact(source->store, find_lot, draft);

        if (r >= 0 && !draft->is_known)
                return fault(
                        FAULT_NOT_FOUND,
                        "station %s has made no lot %.64s; gangway licenses lists those it has",
                        source->station, draft->lot);
        if (r >= 0)
                r = put_header(draft);
        if (r >= 0)
                r = ledger_walk(source->ledger, draft->lot, each_license, draft);
        if (r >= 0)
                r = put_stock(draft);
        if (r >= 0)
                r = store_transact(source->store, put_globals, draft);
        if (r >= 0)
                r = ledger_walk_cards(source->ledger, each_card, draft);
        if (r >= 0)
                r = records_count(source->records, draft->lot, &counts);
        return r < 0 ? r : put_balance(draft, counts.good);
}

int receipt_make(const struct receipt_source *source, const char *lot, struct bytes *ret_text,
                 uint8_t ret_signature[static SIGNATURE_LENGTH])
{
        struct draft draft = { .source = source, .lot = lot };
        char *lines = NULL;
        size_t length = 0;
        int r;

        memset(draft.hash, '0', RECEIPT_HASH_TEXT - 1);
        draft.out = open_memstream(&lines, &length);
        INSIST(draft.out);
        r = write_records(&draft);
        INSIST(fclose(draft.out) == 0);
        free(draft.cards);
        free(draft.stock_ids);
        if (r < 0) {
                free(lines);
                return r;
        }
        sign_bytes(source->key, lines, length, ret_signature);
        *ret_text = (struct bytes){ (uint8_t *)lines, length };
        return 0;
}

int receipt_of_lot(struct station *station, const struct lot *lot, struct bytes *ret_text,
                   uint8_t ret_signature[static SIGNATURE_LENGTH])
{
        struct sign_key key CLEANUP(sign_key_wipe) = { 0 };
        int r = receipt_key_load(station->settings.data_directory, &key);

        if (r < 0)
                return r;
        return receipt_make(&(struct receipt_source){ .store = station->store,
                                                      .ledger = station->ledger,
                                                      .records = station->records,
                                                      .key = &key,
                                                      .station = station->settings.station },
                            lot->order.id, ret_text, ret_signature);
}
