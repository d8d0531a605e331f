/*
 * ledger_list.c - the rows of the ledger one by one, for lists, receipts and cards' tables.
 *
 * A walk is one transaction, so what it shows is the ledger at one commit. The caller's function is
 * run between two steps of the statement, on the store's thread; the texts it is lent live until it
 * returns. Columns that do not know yet are shown as "" and 0.
 */
#include "scheduler/bytes.h"

#include "crypto/digest.h"
#include "station/ledger_parts.h"

#include <sqlite3.h>

struct walk {
        const char *order;
        int (*each)(const struct ledger_entry *entry, void *context);
        int (*each_card)(const struct ledger_card *card, void *context);
        void *context;
};

static uint64_t moment(struct sqlite3_stmt *row, int column)
{
        return (uint64_t)sqlite3_column_int64(row, column); /* NULL reads as 0 */
}

/* 64 digits; "" for licenses spent outside the station, whose chip nobody knows. */
static const char *digest_text(struct sqlite3_stmt *row, int column,
                               char text[static 2 * DIGEST_LENGTH + 1])
{
        text[0] = '\0';
        if (sqlite3_column_bytes(row, column) == DIGEST_LENGTH)
                hex_encode(sqlite3_column_blob(row, column), DIGEST_LENGTH, text);
        return text;
}

/* --- licenses ------------------------------------------------------------------------------ */

#define ENTRIES                                                                                    \
        "SELECT id, count, state, source, type, firmware_id, order_id, site, card, reason, "       \
        "certificate, digest, counter, intended_us, stored_us, offered_us, settled_us "            \
        "FROM licenses "

static int entry_row(struct sqlite3_stmt *row, void *context)
{
        const struct walk *walk = context;
        char digest[2 * DIGEST_LENGTH + 1];
        struct ledger_entry entry = {
                .id = sqlite3_column_int64(row, 0),
                .count = (uint32_t)sqlite3_column_int64(row, 1),
                .state = ledger_text(row, 2),
                .source = ledger_text(row, 3),
                .type = ledger_text(row, 4),
                .firmware_id = ledger_text(row, 5),
                .order = ledger_text(row, 6),
                .site = ledger_text(row, 7),
                .card = ledger_text(row, 8),
                .reason = ledger_text(row, 9),
                .fingerprint = ledger_text(row, 10),
                .digest = digest_text(row, 11, digest),
                .counter = (uint32_t)sqlite3_column_int64(row, 12),
                .intended_us = moment(row, 13),
                .stored_us = moment(row, 14),
                .offered_us = moment(row, 15),
                .settled_us = moment(row, 16),
        };
        int r = walk->each(&entry, walk->context);

        return r < 0 ? r : 0;
}

static int walk_work(struct sqlite3 *database, void *argument)
{
        const struct walk *walk = argument;

        if (walk->order)
                return store_sql(database, entry_row, argument,
                                 ENTRIES "WHERE order_id = ? ORDER BY id", "t", walk->order);
        return store_sql(database, entry_row, argument, ENTRIES "ORDER BY id", "");
}

int ledger_walk(struct ledger *ledger, const char *order,
                int (*each)(const struct ledger_entry *entry, void *context), void *context)
{
        struct walk walk = { .order = order, .each = each, .context = context };

        return store_transact(ledger->store, walk_work, &walk);
}

/* --- cards --------------------------------------------------------------------------------- */

static int card_row(struct sqlite3_stmt *row, void *context)
{
        const struct walk *walk = context;
        struct ledger_card card = {
                .serial = ledger_text(row, 0),
                .type = ledger_text(row, 1),
                .firmware_id = ledger_text(row, 2),
                .maximum = (uint32_t)sqlite3_column_int64(row, 3),
                .first_counter = (uint32_t)sqlite3_column_int64(row, 4),
                .last_counter = (uint32_t)sqlite3_column_int64(row, 5),
                .first_seen_us = moment(row, 6),
                .last_seen_us = moment(row, 7),
        };
        int r = walk->each_card(&card, walk->context);

        return r < 0 ? r : 0;
}

static int walk_cards_work(struct sqlite3 *database, void *argument)
{
        return store_sql(database, card_row, argument,
                         "SELECT serial, type, firmware_id, maximum, first_counter, last_counter, "
                         "first_seen_us, last_seen_us FROM cards ORDER BY first_seen_us, serial",
                         "");
}

int ledger_walk_cards(struct ledger *ledger,
                      int (*each)(const struct ledger_card *card, void *context), void *context)
{
        struct walk walk = { .each_card = each, .context = context };

        return store_transact(ledger->store, walk_cards_work, &walk);
}
