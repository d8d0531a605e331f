/*
 * ledger_list.c - every license and every card as they stand, one after the other.
 *
 * A walk is one transaction, so it shows one moment.
 */
#include "crypto/digest.h"
#include "scheduler/bytes.h"
#include "station/ledger_parts.h"

#include <sqlite3.h>

static const char *text(struct sqlite3_stmt *row, int column)
{
        const char *value = (const char *)sqlite3_column_text(row, column);

        return value ? value : "";
}

static uint64_t time_us(struct sqlite3_stmt *row, int column)
{
        return (uint64_t)sqlite3_column_int64(row, column); /* NULL is 0 */
}

struct walk {
        const char *order;
        int (*each)(const struct ledger_entry *entry, void *context);
        int (*each_card)(const struct ledger_card *card, void *context);
        void *context;
};

static int entry_row(struct sqlite3_stmt *row, void *context)
{
        const struct walk *walk = context;
        char digest[2 * DIGEST_LENGTH + 1] = "";
        struct ledger_entry entry = {
                .id = sqlite3_column_int64(row, 0),
                .count = (uint32_t)sqlite3_column_int64(row, 1),
                .state = text(row, 2),
                .source = text(row, 3),
                .type = text(row, 4),
                .firmware_id = text(row, 5),
                .order = text(row, 6),
                .site = text(row, 7),
                .card = text(row, 8),
                .reason = text(row, 9),
                .fingerprint = text(row, 10),
                .digest = digest,
                .counter = (uint32_t)sqlite3_column_int64(row, 12),
                .intended_us = time_us(row, 13),
                .stored_us = time_us(row, 14),
                .offered_us = time_us(row, 15),
                .settled_us = time_us(row, 16),
        };

        if (sqlite3_column_bytes(row, 11) == DIGEST_LENGTH)
                hex_encode(sqlite3_column_blob(row, 11), DIGEST_LENGTH, digest);
        return walk->each(&entry, walk->context);
}

#define ENTRIES                                                                                    \
        "SELECT id, count, state, source, type, firmware_id, order_id, site, card, reason, "       \
        "certificate, digest, counter, intended_us, stored_us, offered_us, settled_us "            \
        "FROM licenses "

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

static int card_row(struct sqlite3_stmt *row, void *context)
{
        const struct walk *walk = context;
        struct ledger_card card = {
                .serial = text(row, 0),
                .type = text(row, 1),
                .firmware_id = text(row, 2),
                .maximum = (uint32_t)sqlite3_column_int64(row, 3),
                .first_counter = (uint32_t)sqlite3_column_int64(row, 4),
                .last_counter = (uint32_t)sqlite3_column_int64(row, 5),
                .first_seen_us = time_us(row, 6),
                .last_seen_us = time_us(row, 7),
        };

        return walk->each_card(&card, walk->context);
}

static int walk_cards_work(struct sqlite3 *database, void *argument)
{
        return store_sql(database, card_row, argument,
                         "SELECT serial, type, firmware_id, maximum, first_counter, last_counter, "
                         "first_seen_us, last_seen_us FROM cards ORDER BY serial",
                         "");
}

int ledger_walk_cards(struct ledger *ledger,
                      int (*each)(const struct ledger_card *card, void *context), void *context)
{
        struct walk walk = { .each_card = each, .context = context };

        return store_transact(ledger->store, walk_cards_work, &walk);
}
