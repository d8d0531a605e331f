/*
 * ledger_report.c - the balance an auditor reads, and the lost ones by name.
 *
 * How `issued` is computed, and why the balance holds at every commit:
 *
 *   a card      issued = first_counter - last_counter, both in table `cards`. last_counter goes
 *               down by one in the transaction that stores a license, and by the difference found
 *               in the transaction that books it as lost; nothing else moves it. So
 *               issued = sum of `count` over that card's stored, offered, installed, refused and
 *               lost rows, at every commit. It is what the card itself showed at the last
 *               reconciliation, less what it has answered since.
 *   everything  the sum over all cards, plus the rows no card has made (`card` NULL: licenses that
 *               were imported), which are issued when they are stored.
 *   an order    what was stored or lost for it. Licenses spent outside the station belong to no
 *               order, so the orders may add up to less than everything.
 *
 * An open intent is counted as `pending` and nowhere else: its card may already have counted down,
 * but the ledger has not, so neither side of the balance includes it. When it ends it moves to
 * stored or lost (both sides go up by one) or to cancelled (neither does).
 */
#include "scheduler/loop.h"
#include "station/ledger_parts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the balance --------------------------------------------------------------------------- */

struct balance {
        const char *order, *card;
        struct ledger_balance sums;
        int64_t without_card; /* stored or lost, no card of ours */
};

static int sums_row(struct sqlite3_stmt *row, void *context)
{
        struct balance *balance = context;

        balance->sums.installed = (uint32_t)sqlite3_column_int64(row, 0);
        balance->sums.in_hand = (uint32_t)sqlite3_column_int64(row, 1);
        balance->sums.lost = (uint32_t)sqlite3_column_int64(row, 2);
        balance->sums.pending = (uint32_t)sqlite3_column_int64(row, 3);
        balance->without_card = sqlite3_column_int64(row, 4);
        return 0;
}

static int issued_row(struct sqlite3_stmt *row, void *context)
{
        struct balance *balance = context;

        balance->sums.issued = (uint32_t)(sqlite3_column_int64(row, 0) + balance->without_card);
        return 0;
}

/* One query for each kind of question, so that each can use its index. */
#define SUMS                                                                                       \
        "SELECT coalesce(sum(CASE state WHEN 'installed' THEN count END), 0), "                    \
        "coalesce(sum(CASE WHEN state IN ('stored', 'offered', 'refused') THEN count END), 0), "   \
        "coalesce(sum(CASE state WHEN 'lost' THEN count END), 0), "                                \
        "coalesce(sum(CASE state WHEN 'intended' THEN count END), 0), "                            \
        "coalesce(sum(CASE WHEN card IS NULL AND state NOT IN ('intended', 'cancelled') "          \
        "THEN count END), 0) FROM licenses "

static int balance_sums(struct sqlite3 *database, struct balance *balance)
{
        if (balance->order && balance->card)
                return store_sql(database, sums_row, balance,
                                 SUMS "WHERE order_id = ? AND card = ?", "tt", balance->order,
                                 balance->card);
        if (balance->order)
                return store_sql(database, sums_row, balance, SUMS "WHERE order_id = ?", "t",
                                 balance->order);
        if (balance->card)
                return store_sql(database, sums_row, balance, SUMS "WHERE card = ?", "t",
                                 balance->card);
        return store_sql(database, sums_row, balance, SUMS, "");
}

static int balance_work(struct sqlite3 *database, void *argument)
{
        struct balance *balance = argument;
        int r = balance_sums(database, balance);

        if (r < 0)
                return r;
        if (balance->order) {
                balance->sums.issued =
                        balance->sums.installed + balance->sums.in_hand + balance->sums.lost;
                return 0;
        }
        if (balance->card)
                return store_sql(database, issued_row, balance,
                                 "SELECT first_counter - last_counter FROM cards WHERE serial = ?",
                                 "t", balance->card);
        return store_sql(database, issued_row, balance,
                         "SELECT coalesce(sum(first_counter - last_counter), 0) FROM cards", "");
}

int ledger_balance(struct ledger *ledger, const char *order, const char *card,
                   struct ledger_balance *ret_balance)
{
        struct balance balance = { .order = order, .card = card };
        int r = store_transact(ledger->store, balance_work, &balance);

        if (r < 0)
                return r;
        *ret_balance = balance.sums;
        return 0;
}

/* --- the lost ones, by name ---------------------------------------------------------------- */

struct lost {
        const char *order;
        FILE *out;
};

static int lost_row(struct sqlite3_stmt *row, void *context)
{
        const struct lost *lost = context;
        const char *order = ledger_text(row, 3), *site = ledger_text(row, 4);
        int64_t count = sqlite3_column_int64(row, 0);
        char when[25];

        fprintf(lost->out, "%s, card %s, order %s, site %s, %s: %s",
                ledger_chip(ledger_text(row, 1)), ledger_text(row, 2), order[0] ? order : "none",
                site[0] ? site : "none",
                clock_iso8601((uint64_t)sqlite3_column_int64(row, 5), when), ledger_text(row, 6));
        if (count > 1)
                fprintf(lost->out, " (%lld licenses)", (long long)count);
        fputc('\n', lost->out);
        return 0;
}

#define LOST                                                                                       \
        "SELECT count, certificate, card, order_id, site, intended_us, reason FROM licenses "      \
        "WHERE state = 'lost' "

static int lost_work(struct sqlite3 *database, void *argument)
{
        const struct lost *lost = argument;

        if (lost->order)
                return store_sql(database, lost_row, argument, LOST "AND order_id = ? ORDER BY id",
                                 "t", lost->order);
        return store_sql(database, lost_row, argument, LOST "ORDER BY id", "");
}

int ledger_lost_text(struct ledger *ledger, const char *order, char **ret_text)
{
        char *lines = NULL;
        size_t length = 0;
        struct lost lost = { .order = order, .out = open_memstream(&lines, &length) };
        int r;

        INSIST(lost.out);
        r = store_transact(ledger->store, lost_work, &lost);
        fclose(lost.out);
        if (r < 0) {
                free(lines);
                return r;
        }
        *ret_text = lines;
        return 0;
}
