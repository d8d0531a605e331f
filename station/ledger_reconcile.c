/*
 * ledger_reconcile.c - counter against ledger: what became of the licenses nobody got.
 *
 * A card that comes in shows its counter. Each license it has spent since the ledger saw it last
 * belongs to an open intent of that card, the oldest first, and is lost; intents beyond the counter
 * were not spent; a counter below all intents was taken down by somebody else. Everything found is
 * one transaction, and each finding is told in a sentence of its own once that is on disk.
 */
#include "scheduler/loop.h"
#include "station/ledger_parts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How an event's line begins. */
#define LOSS '-'
#define NEWS '+'

/* --- reconciling --------------------------------------------------------------------------- */

struct intent {
        int64_t id;
        char chip[17], order[64], site[16];
        uint64_t intended_us;
};

struct reconcile {
        const struct hsm_info *card;
        int64_t now_us;
        FILE *events;        /* a line each, for whoever listens */
        struct intent first; /* of the lost ones */

        /* the card as the ledger knows it */
        bool is_known;
        char firmware_id[33], type[5];
        int64_t last_counter;
        uint64_t first_seen_us;

        /* its open intents */
        int64_t missing; /* licenses the counter says were spent and the ledger has not */
        int64_t lost, cancelled;
};

static int known_row(struct sqlite3_stmt *row, void *context)
{
        struct reconcile *reconcile = context;

        reconcile->is_known = true;
        snprintf(reconcile->firmware_id, sizeof(reconcile->firmware_id), "%s", ledger_text(row, 0));
        snprintf(reconcile->type, sizeof(reconcile->type), "%s", ledger_text(row, 1));
        reconcile->last_counter = sqlite3_column_int64(row, 2);
        reconcile->first_seen_us = (uint64_t)sqlite3_column_int64(row, 3);
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

/* A card's identifier, type and counter are written once, when it locks (spec/secure-install.md 12), and
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
        if (strcmp(reconcile->type, card->type) != 0)
                return fault(FAULT_CARD_STATE,
                             "card %s is for %s, and was for %s when first seen at %s: another "
                             "card with the same serial, or tampering; put it aside",
                             card->serial, card->type, reconcile->type, since);
        if (reconcile->missing < 0)
                return fault(FAULT_CARD_STATE,
                             "the counter of card %s went up from %lld to %u (first seen at %s): "
                             "another card with the same serial, or tampering; put it aside",
                             card->serial, (long long)reconcile->last_counter, card->counter,
                             since);
        return 0;
}

#define INTENT "id, certificate, order_id, site, intended_us"

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

static void tell_intent(const struct reconcile *reconcile, const struct intent *intent,
                        bool is_lost)
{
        char when[25];

        fprintf(reconcile->events,
                "%clicense %lld for chip %s %s: asked of card %s at %s for order %s, site %s; the "
                "card's counter %s\n",
                is_lost ? LOSS : NEWS, (long long)intent->id, ledger_chip(intent->chip),
                is_lost ? "is lost" : "was not spent", reconcile->card->serial,
                clock_iso8601(intent->intended_us, when), intent->order, intent->site,
                is_lost ? "went down and its answer never arrived" : "had not moved");
}

static int close_intent(struct sqlite3 *database, struct reconcile *reconcile,
                        const struct intent *intent)
{
        bool is_lost = reconcile->lost < reconcile->missing;

        tell_intent(reconcile, intent, is_lost);
        if (is_lost && reconcile->lost++ == 0)
                reconcile->first = *intent;
        reconcile->cancelled += !is_lost;
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
                                  "SELECT " INTENT " FROM licenses WHERE card = ? AND "
                                  "state = 'intended' ORDER BY id LIMIT 1",
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
        char when[25];

        if (outside == 0)
                return 0;
        fprintf(reconcile->events,
                "%c%lld licenses of card %s are lost: spent by another program, found at %s\n",
                LOSS, (long long)outside, card->serial,
                clock_iso8601((uint64_t)reconcile->now_us, when));
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
                          "SELECT firmware_id, type, last_counter, first_seen_us FROM cards "
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
        r = close_intents(database, reconcile);
        if (r >= 0)
                r = book_outside(database, reconcile);
        if (r < 0)
                return r;
        return store_sql(database, NULL, NULL,
                         "UPDATE cards SET last_counter = ?, last_seen_us = ? WHERE serial = ?",
                         "iit", (int64_t)card->counter, reconcile->now_us, card->serial);
}

/* In 255 characters and never cut: a lost one by name, of several the first and their number. Every
 * one of them is an event of its own. */
static void summarize(const struct reconcile *reconcile, char sentence[static 256])
{
        const struct hsm_info *card = reconcile->card;
        const struct intent *first = &reconcile->first;
        char lost[160] = "", outside[48] = "", when[25];

        sentence[0] = '\0';
        clock_iso8601(first->intended_us, when);
        if (reconcile->lost == 1)
                snprintf(lost, sizeof(lost),
                         "; license %lld for chip %s, order %.20s%s, site %.12s, asked at %s: lost",
                         (long long)first->id, ledger_chip(first->chip), first->order,
                         strlen(first->order) > 20 ? "..." : "", first->site, when);
        if (reconcile->lost > 1)
                snprintf(
                        lost, sizeof(lost),
                        "; license %lld for chip %s, asked at %s, and %lld more: lost, see the log",
                        (long long)first->id, ledger_chip(first->chip), when,
                        (long long)reconcile->lost - 1);
        if (reconcile->missing > reconcile->lost)
                snprintf(outside, sizeof(outside), "; %lld lost outside the station",
                         (long long)(reconcile->missing - reconcile->lost));
        if (reconcile->missing > 0)
                snprintf(sentence, 256, "card %s counts %u where the ledger has %lld%s%s",
                         card->serial, card->counter, (long long)reconcile->last_counter, lost,
                         outside);
        else if (reconcile->cancelled > 0)
                snprintf(sentence, 256, "card %s: %lld open intent(s) closed, nothing was spent",
                         card->serial, (long long)reconcile->cancelled);
}

/* To whoever listens, on the loop, once it is on disk. */
static void publish(const struct ledger *ledger, char *events)
{
        char *rest, *event = strtok_r(events, "\n", &rest);

        for (; event && ledger->told; event = strtok_r(NULL, "\n", &rest))
                ledger->told(event + 1, event[0] == LOSS, ledger->told_context);
}

int ledger_reconcile(struct ledger *ledger, const struct hsm_info *card,
                     char ret_sentence[static 256])
{
        char *events = NULL;
        size_t length = 0;
        struct reconcile reconcile = { .card = card,
                                       .now_us = (int64_t)clock_calendar_us(),
                                       .events = open_memstream(&events, &length) };
        int r;

        INSIST(reconcile.events);
        r = store_transact(ledger->store, reconcile_work, &reconcile);
        fclose(reconcile.events);
        if (r >= 0) {
                summarize(&reconcile, ret_sentence);
                publish(ledger, events);
        }
        free(events);
        return r;
}

/* --- what is open at the start ------------------------------------------------------------- */

static int open_row(struct sqlite3_stmt *row, void *context)
{
        struct intent intent;
        const char *card = ledger_text(row, 5);
        char when[25];

        (void)intent_row(row, &intent); /* it has no way to fail */
        fprintf(context,
                "%clicense %lld for chip %s is open: asked of %s%s at %s for order %s, site %s, "
                "and "
                "not answered; %s\n",
                NEWS, (long long)intent.id, ledger_chip(intent.chip),
                card[0] ? "card " : "the license server", card,
                clock_iso8601(intent.intended_us, when), intent.order, intent.site,
                card[0] ? "the card's counter will tell"
                        : "it is asked again under this number when the chip comes back");
        return 0;
}

static int open_work(struct sqlite3 *database, void *argument)
{
        return store_sql(database, open_row, argument,
                         "SELECT " INTENT ", card FROM licenses WHERE state = 'intended' "
                         "ORDER BY id",
                         "");
}

int ledger_listen(struct ledger *ledger,
                  void (*told)(const char *sentence, bool is_loss, void *context), void *context)
{
        char *events = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&events, &length);
        int r;

        INSIST(out);
        if (ledger->key_home == STATION_KEY_CREDENTIAL_AND_FILE)
                fprintf(out,
                        "%cthe station key came as a credential, and station.key still lies in the "
                        "data directory; once a copy is kept elsewhere, shred it\n",
                        NEWS);
        ledger->told = told;
        ledger->told_context = context;
        r = store_transact(ledger->store, open_work, out);
        fclose(out);
        if (r >= 0)
                publish(ledger, events);
        free(events);
        return r;
}
