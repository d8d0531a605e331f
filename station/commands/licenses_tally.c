/*
 * licenses_tally.c - cards and lots by their tables, then two walks over all licenses: one that adds
 * up and finds each card's last license, one that looks at the hour before it.
 */
#include "station/commands/licenses_tally.h"

#include "scheduler/loop.h"
#include "station/receipt.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (3600ull * 1000000)

struct taking {
        struct books *books;
        const char *lot, *card;
        struct tally *tally;
        FILE *lost;
        size_t last_lot; /* licenses of a lot mostly follow each other */
};

static void *grow(void *rows, size_t count, size_t *capacity, size_t size)
{
        if (count < *capacity)
                return rows;
        *capacity = *capacity ? 2 * *capacity : 16;
        rows = realloc(rows, *capacity * size);
        INSIST(rows);
        return rows;
}

/* --- rows ---------------------------------------------------------------------------------- */

static struct tally_card *find_card(struct tally *tally, const char *serial)
{
        for (size_t i = 0; i < tally->card_count; i++)
                if (strcmp(tally->cards[i].serial, serial) == 0)
                        return &tally->cards[i];
        return NULL;
}

static struct tally_lot *add_lot(struct tally *tally, const char *order)
{
        struct tally_lot *lot;

        tally->lots = grow(tally->lots, tally->lot_count, &tally->lot_capacity, sizeof(*lot));
        lot = &tally->lots[tally->lot_count++];
        *lot = (struct tally_lot){ 0 };
        snprintf(lot->order, sizeof(lot->order), "%s", order);
        return lot;
}

static struct tally_lot *find_lot(struct taking *taking, const char *order)
{
        struct tally *tally = taking->tally;

        if (taking->last_lot < tally->lot_count &&
            strcmp(tally->lots[taking->last_lot].order, order) == 0)
                return &tally->lots[taking->last_lot];
        for (size_t i = 0; i < tally->lot_count; i++)
                if (strcmp(tally->lots[i].order, order) == 0) {
                        taking->last_lot = i;
                        return &tally->lots[i];
                }
        taking->last_lot = tally->lot_count;
        return add_lot(tally, order);
}

static int each_card(const struct ledger_card *card, void *context)
{
        struct taking *taking = context;
        struct tally *tally = taking->tally;
        struct tally_card *row;

        if (taking->card && strcmp(card->serial, taking->card) != 0)
                return 0;
        tally->cards = grow(tally->cards, tally->card_count, &tally->card_capacity, sizeof(*row));
        row = &tally->cards[tally->card_count++];
        *row = (struct tally_card){ .maximum = card->maximum, .left = card->last_counter };
        snprintf(row->serial, sizeof(row->serial), "%s", card->serial);
        snprintf(row->type, sizeof(row->type), "%s", card->type);
        snprintf(row->firmware_id, sizeof(row->firmware_id), "%s", card->firmware_id);
        if (!taking->lot)
                row->balance.issued = card->first_counter - card->last_counter;
        return 0;
}

static const char *text(struct sqlite3_stmt *row, int column)
{
        const char *value = (const char *)sqlite3_column_text(row, column);

        return value ? value : "";
}

static int lot_row(struct sqlite3_stmt *row, void *context)
{
        struct taking *taking = context;
        struct tally_lot *lot;

        if (taking->lot && strcmp(text(row, 0), taking->lot) != 0)
                return 0;
        lot = add_lot(taking->tally, text(row, 0));
        snprintf(lot->part, sizeof(lot->part), "%s", text(row, 1));
        snprintf(lot->firmware_id, sizeof(lot->firmware_id), "%s", text(row, 2));
        lot->quantity = (uint32_t)sqlite3_column_int64(row, 3);
        lot->globals = (uint32_t)sqlite3_column_int64(row, 4);
        return 0;
}

static int lots_work(struct sqlite3 *database, void *argument)
{
        return store_sql(database, lot_row, argument,
                         "SELECT order_id, part, firmware_id, quantity, (SELECT count(*) FROM "
                         "attempts a WHERE a.order_id = l.order_id AND a.result = 'pass' AND "
                         "a.license_source = 'global') FROM lots l ORDER BY opened_us, order_id",
                         "");
}

static int count_good(struct taking *taking)
{
        int r = 0;

        for (size_t i = 0; i < taking->tally->lot_count && r >= 0; i++) {
                struct tally_lot *lot = &taking->tally->lots[i];
                struct lot_counts counts = { 0 };

                r = records_count(taking->books->records, lot->order, &counts);
                lot->good = counts.good;
        }
        return r;
}

/* --- licenses ------------------------------------------------------------------------------ */

static void name_lost(struct taking *taking, const struct ledger_entry *entry)
{
        char when[25];

        fprintf(taking->lost, "license %lld for chip %s, card %s, order %s, site %s, %s: %s",
                (long long)entry->id, entry->fingerprint[0] ? entry->fingerprint : "unknown",
                entry->card[0] ? entry->card : "none", entry->order[0] ? entry->order : "none",
                entry->site[0] ? entry->site : "none", clock_iso8601(entry->intended_us, when),
                entry->reason);
        if (entry->count > 1)
                fprintf(taking->lost, " (%u licenses)", entry->count);
        fputc('\n', taking->lost);
}

static unsigned source_of(const char *name)
{
        unsigned source = 0;

        while (source + 1 < TALLY_SOURCES &&
               strcmp(license_source_name((enum license_source)source), name) != 0)
                source++;
        return source;
}

static int count_card(struct taking *taking, const struct ledger_entry *entry)
{
        struct tally_card *card = find_card(taking->tally, entry->card);
        uint32_t issued, ignored = 0;

        if (!card)
                return 0;
        issued = card->balance.issued; /* by its counter, unless a lot is asked for */
        (void)receipt_count(&card->balance, &ignored, entry->state, entry->count);
        if (!taking->lot)
                card->balance.issued = issued;
        if (entry->stored_us > card->newest_us)
                card->newest_us = entry->stored_us;
        return 0;
}

static int each_license(const struct ledger_entry *entry, void *context)
{
        struct taking *taking = context;
        struct tally *tally = taking->tally;
        uint32_t before = tally->total.issued, ignored = 0;
        struct tally_lot *lot;

        if (taking->card && strcmp(entry->card, taking->card) != 0)
                return 0;
        if (!receipt_count(&tally->total, &ignored, entry->state, entry->count))
                return fault(FAULT_STORE, "license %lld is %s, which is no state",
                             (long long)entry->id, entry->state);
        tally->sources[source_of(entry->source)] += tally->total.issued - before;
        lot = find_lot(taking, entry->order);
        (void)receipt_count(&lot->balance, &lot->cancelled, entry->state, entry->count);
        if (strcmp(entry->state, "lost") == 0)
                name_lost(taking, entry);
        return entry->card[0] ? count_card(taking, entry) : 0;
}

/* Those of the last hour before the card's last license, and when the first of them was asked. */
static int each_in_hour(const struct ledger_entry *entry, void *context)
{
        struct taking *taking = context;
        struct tally_card *card = entry->stored_us ? find_card(taking->tally, entry->card) : NULL;

        if (!card || entry->stored_us + HOUR_US <= card->newest_us)
                return 0;
        card->window_count += entry->count;
        if (!card->window_us || entry->intended_us < card->window_us)
                card->window_us = entry->intended_us;
        return 0;
}

double tally_pace(const struct tally_card *card)
{
        uint64_t span_us = card->newest_us - card->window_us;

        if (!card->window_count)
                return 0;
        if (span_us > HOUR_US) /* the first was asked for before the hour began */
                span_us = HOUR_US;
        if (span_us < 1000)
                span_us = 1000;
        return (double)card->window_count * (double)HOUR_US / (double)span_us;
}

/* --- all of it ----------------------------------------------------------------------------- */

static bool is_balanced(const struct ledger_balance *balance)
{
        return balance->issued == balance->installed + balance->in_hand + balance->lost;
}

/* Cards that made nothing for the lot are not of it. */
static void drop_idle_cards(struct tally *tally)
{
        size_t kept = 0;

        for (size_t i = 0; i < tally->card_count; i++) {
                const struct ledger_balance *balance = &tally->cards[i].balance;

                if (balance->issued || balance->pending)
                        tally->cards[kept++] = tally->cards[i];
        }
        tally->card_count = kept;
}

/* Issued is what the cards' counters say where they are asked, so this is no tautology. */
static void settle(struct taking *taking)
{
        struct tally *tally = taking->tally;

        tally->adds_up = true;
        for (size_t i = 0; i < tally->card_count; i++)
                tally->adds_up = tally->adds_up && is_balanced(&tally->cards[i].balance);
        for (size_t i = 0; i < tally->lot_count; i++)
                if (!taking->card)
                        tally->sources[LICENSE_GLOBAL] += tally->lots[i].globals;
        if (taking->lot)
                drop_idle_cards(tally);
}

static int take(struct taking *taking)
{
        struct ledger *ledger = taking->books->ledger;
        int r = ledger_walk_cards(ledger, each_card, taking);

        if (r >= 0 && taking->card && !taking->tally->card_count)
                return fault(FAULT_NOT_FOUND, "station %s has seen no card %.80s",
                             taking->books->settings.station, taking->card);
        if (r >= 0)
                r = store_transact(taking->books->store, lots_work, taking);
        if (r >= 0)
                r = ledger_walk(ledger, taking->lot, each_license, taking);
        if (r >= 0 && taking->lot && !taking->tally->lot_count)
                return fault(FAULT_NOT_FOUND, "station %s has made no lot %.80s",
                             taking->books->settings.station, taking->lot);
        if (r >= 0)
                r = ledger_walk(ledger, NULL, each_in_hour, taking);
        return r < 0 ? r : count_good(taking);
}

int tally_take(struct books *books, const char *lot, const char *card, struct tally *ret_tally)
{
        struct taking taking = { .books = books, .lot = lot, .card = card, .tally = ret_tally };
        size_t length = 0;
        int r;

        *ret_tally = (struct tally){ 0 };
        taking.lost = open_memstream(&ret_tally->lost, &length);
        INSIST(taking.lost);
        r = take(&taking);
        INSIST(fclose(taking.lost) == 0);
        if (r >= 0)
                settle(&taking);
        else
                tally_release(ret_tally);
        return r;
}

void tally_release(struct tally *tally)
{
        free(tally->cards);
        free(tally->lots);
        free(tally->lost);
        *tally = (struct tally){ 0 };
}
