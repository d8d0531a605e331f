/*
 * ledger_report.c - counter against ledger, and the balance an auditor reads.
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

/* --- reconciling --------------------------------------------------------------------------- */

struct reconcile {
        const struct hsm_info *card;
        int64_t now_us;
        char *sentence; /* 256 characters */

        /* the card as the ledger knows it */
        bool is_known;
        char firmware_id[33];
        int64_t last_counter;
        uint64_t first_seen_us;

        /* its open intents */
        int64_t missing; /* licenses the counter says were spent and the ledger has not */
        int64_t lost, cancelled;
};

/* Append to the sentence; what does not fit is cut. */
static void PRINTF_LIKE(2, 3) say(struct reconcile *reconcile, const char *format, ...)
{
        size_t length = strlen(reconcile->sentence);
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(reconcile->sentence + length, 256 - length, format, arguments);
        va_end(arguments);
}

static int known_row(struct sqlite3_stmt *row, void *context)
{
        struct reconcile *reconcile = context;

        reconcile->is_known = true;
        snprintf(reconcile->firmware_id, sizeof(reconcile->firmware_id), "%s", ledger_text(row, 0));
        reconcile->last_counter = sqlite3_column_int64(row, 1);
        reconcile->first_seen_us = (uint64_t)sqlite3_column_int64(row, 2);
        return 0;
}

static int meet_card(struct sqlite3 *database, const struct reconcile *reconcile)
{
        const struct hsm_info *card = reconcile->card;

        return store_sql(database, NULL, NULL,
                         "INSERT INTO cards (serial, firmware_id, type, maximum, first_counter, "
                         "last_counter, first_seen_us, last_seen_us) "
                         "VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?6)",
                         "tttiii", card->serial, card->firmware_id, card->type,
                         (int64_t)card->maximum, (int64_t)card->counter, reconcile->now_us);
}

/* A card's identifier and counter are written once, when it locks (spec/secure-install.md 12), and
 * the counter only goes down. Anything else is not the card we met. */
static int check_same_card(const struct reconcile *reconcile)
{
        const struct hsm_info *card = reconcile->card;
        char since[25];

        clock_iso8601(reconcile->first_seen_us, since);
        if (strcmp(reconcile->firmware_id, card->firmware_id) != 0)
                return fault(FAULT_CARD_STATE,
                             "card %s holds %s, and held %s when first seen at %s: another card "
                             "with the same serial, or tampering; put it aside",
                             card->serial, card->firmware_id, reconcile->firmware_id, since);
        if (reconcile->missing < 0)
                return fault(FAULT_CARD_STATE,
                             "the counter of card %s went up from %lld to %u (first seen at %s): "
                             "another card with the same serial, or tampering; put it aside",
                             card->serial, (long long)reconcile->last_counter, card->counter,
                             since);
        return 0;
}

struct intent {
        int64_t id;
        char chip[17], order[64], site[16];
        uint64_t intended_us;
};

static int intent_row(struct sqlite3_stmt *row, void *context)
{
        struct intent *intent = context;

        intent->id = sqlite3_column_int64(row, 0);
        snprintf(intent->chip, sizeof(intent->chip), "%s", ledger_text(row, 1));
        snprintf(intent->order, sizeof(intent->order), "%s", ledger_text(row, 2));
        snprintf(intent->site, sizeof(intent->site), "%s", ledger_text(row, 3));
        intent->intended_us = (uint64_t)sqlite3_column_int64(row, 4);
        return 0;
}

static int close_intent(struct sqlite3 *database, struct reconcile *reconcile,
                        const struct intent *intent)
{
        bool is_lost = reconcile->lost < reconcile->missing;
        char when[25];

        if (!is_lost) {
                reconcile->cancelled++;
        } else {
                reconcile->lost++;
                say(reconcile, "; license %lld for chip %s, order %s, site %s, asked at %s: lost",
                    (long long)intent->id, ledger_chip(intent->chip), intent->order, intent->site,
                    clock_iso8601(intent->intended_us, when));
        }
        return store_sql(database, NULL, NULL,
                         "UPDATE licenses SET state = ?, reason = ?, settled_us = ? WHERE id = ?",
                         "ttii", is_lost ? "lost" : "cancelled",
                         is_lost ? "the card counted down and its answer never arrived"
                                 : "the card's counter had not moved",
                         reconcile->now_us, intent->id);
}

/* A card is asked one thing at a time, and reconciled after every failure, so there is one open
 * intent at most. Should there be more than the counter explains, the oldest are taken for lost:
 * they reached the card first. */
static int close_intents(struct sqlite3 *database, struct reconcile *reconcile)
{
        for (;;) {
                struct intent intent = { 0 };
                int r = store_sql(database, intent_row, &intent,
                                  "SELECT id, certificate, order_id, site, intended_us "
                                  "FROM licenses WHERE card = ? AND state = 'intended' "
                                  "ORDER BY id LIMIT 1",
                                  "t", reconcile->card->serial);

                if (r < 0 || !intent.id)
                        return r;
                r = close_intent(database, reconcile, &intent);
                if (r < 0)
                        return r;
        }
}

static int book_outside(struct sqlite3 *database, struct reconcile *reconcile)
{
        const struct hsm_info *card = reconcile->card;
        int64_t outside = reconcile->missing - reconcile->lost;

        if (outside == 0)
                return 0;
        say(reconcile, "; %lld lost outside the station: spent by another program",
            (long long)outside);
        return store_sql(database, NULL, NULL,
                         "INSERT INTO licenses (state, count, certificate, firmware_id, type, "
                         "order_id, site, card, counter, reason, intended_us, settled_us) "
                         "VALUES ('lost', ?1, '', ?2, ?3, '', '', ?4, ?5, "
                         "'spent outside the station', ?6, ?6)",
                         "itttii", outside, card->firmware_id, card->type, card->serial,
                         reconcile->last_counter, reconcile->now_us);
}

static int reconcile_work(struct sqlite3 *database, void *argument)
{
        struct reconcile *reconcile = argument;
        const struct hsm_info *card = reconcile->card;
        int r = store_sql(database, known_row, reconcile,
                          "SELECT firmware_id, last_counter, first_seen_us FROM cards "
                          "WHERE serial = ?",
                          "t", card->serial);

        if (r < 0)
                return r;
        if (!reconcile->is_known)
                return meet_card(database, reconcile);
        reconcile->missing = reconcile->last_counter - (int64_t)card->counter;
        r = check_same_card(reconcile);
        if (r < 0)
                return r;
        if (reconcile->missing > 0)
                say(reconcile, "card %s counts %u where the ledger has %lld", card->serial,
                    card->counter, (long long)reconcile->last_counter);
        r = close_intents(database, reconcile);
        if (r >= 0)
                r = book_outside(database, reconcile);
        if (r < 0)
                return r;
        if (reconcile->missing == 0 && reconcile->cancelled > 0)
                say(reconcile, "card %s: %lld open intent(s) closed, nothing was spent",
                    card->serial, (long long)reconcile->cancelled);
        return store_sql(database, NULL, NULL,
                         "UPDATE cards SET last_counter = ?, last_seen_us = ? WHERE serial = ?",
                         "iit", (int64_t)card->counter, reconcile->now_us, card->serial);
}

int ledger_reconcile(struct ledger *ledger, const struct hsm_info *card,
                     char ret_sentence[static 256])
{
        char sentence[256] = "";
        struct reconcile reconcile = { .card = card,
                                       .now_us = (int64_t)clock_calendar_us(),
                                       .sentence = sentence };
        int r = store_transact(ledger->store, reconcile_work, &reconcile);

        if (r < 0)
                return r;
        memcpy(ret_sentence, sentence, sizeof(sentence));
        return 0;
}

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
