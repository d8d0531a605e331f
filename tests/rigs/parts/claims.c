/*
 * The list: a desk with eight readers serves lots of 32 licenses while cards are pulled at every stage of an
 * exchange, readers are unplugged in the middle of one, pcscd is restarted, a card runs empty and one dies.
 * Each time the lot must be served whole by the cards that remain; what became of each card is looked at; and
 * when all are back the ledger must say just what the cards themselves have counted.
 */
#include "tests/rigs/parts/claims.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "tests/rigs/parts/lot.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH    2u
#define LOT     (LOT_SITES * EACH)
#define TRIES   400
#define LOOK_NS (50 * NS_PER_MS)

static unsigned tests, failures;

struct line {
        const struct card_rig *rig;
        struct store *store;
        struct ledger *ledger;
        struct desk *desk;
        unsigned served; /* licenses that reached a site */
};

void claim(bool is_true, const char *what, int result)
{
        printf("%sok %u - %s\n", is_true ? "" : "not ", ++tests, what);
        if (!is_true) {
                failures++;
                printf("# %s: %s\n", fault_name(result), fault_sentence(result));
        }
        fflush(stdout);
}

unsigned claims_failed(void)
{
        return failures;
}

/* --- looking ------------------------------------------------------------------------------- */

static struct desk_card card_at(const struct line *line, unsigned index)
{
        struct desk_card cards[READERS_MAX] = { 0 };

        INSIST(desk_cards(line->desk, cards, READERS_MAX) == line->rig->count);
        return cards[index];
}

/* Wait for one of the states, "dead absent"; what it is in the end. */
static struct desk_card wait_for_state(const struct line *line, unsigned index, const char *states)
{
        struct desk_card card = card_at(line, index);

        for (unsigned i = 0; i < TRIES && !strstr(states, card.state); i++) {
                IGNORE(fiber_sleep_ns(LOOK_NS)); /* nobody cancels us */
                card = card_at(line, index);
        }
        return card;
}

static bool all_are_ready(const struct line *line)
{
        bool is_true = true;

        for (unsigned i = 0; i < line->rig->count; i++) {
                struct desk_card card = wait_for_state(line, i, "ready empty");

                if (strcmp(card.state, "ready") != 0 && strcmp(card.state, "empty") != 0) {
                        printf("# %s: %s (%s)\n", card.reader, card.state, card.sentence);
                        is_true = false;
                }
        }
        return is_true;
}

static void claim_state(const struct line *line, unsigned index, const char *states,
                        const char *words, const char *what)
{
        struct desk_card card = wait_for_state(line, index, states);
        bool is_true = strstr(states, card.state) && strstr(card.sentence, words);

        claim(is_true, what, 0);
        printf("# %s is %s: %s\n", card.reader, card.state, card.sentence);
}

/* What the cards say of themselves, past every reader. */
static unsigned spent_by_cards(const struct line *line)
{
        unsigned spent = 0;

        for (unsigned i = 0; i < line->rig->count; i++)
                spent += (unsigned)line->rig->tell(i, "spent");
        return spent;
}

/* `pending`: intents on cards that have not been read since. */
static void claim_balance(const struct line *line, unsigned pending, const char *what)
{
        unsigned spent = spent_by_cards(line);
        struct ledger_balance balance = { 0 };
        int r = ledger_balance(line->ledger, NULL, NULL, &balance);

        claim(r == 0 && balance.pending == pending && balance.issued == spent &&
                      balance.issued == balance.installed + balance.in_hand + balance.lost &&
                      balance.installed + balance.in_hand == line->served,
              what, r);
        printf("# cards spent %u; issued %u = installed %u + in hand %u + lost %u; pending %u, "
               "served "
               "%u\n",
               spent, balance.issued, balance.installed, balance.in_hand, balance.lost,
               balance.pending, line->served);
}

static void claim_lot(struct line *line, struct lot_run *run, const char *what)
{
        unsigned served = lot_finish(run);

        line->served += served;
        claim(served == LOT, what, 0);
}

/* --- cards pulled at every stage ----------------------------------------------------------- */

static const struct stage {
        const char *words, *name;
        bool is_lost; /* spent, and nothing arrived */
} stages[] = {
        { "yank command 0", "a card pulled before the command is absent", false },
        { "yank command 3", "a card pulled within the header is absent", false },
        { "yank command 100", "a card pulled within the certificate is absent", false },
        { "yank work", "a card pulled at its work is absent", true },
        { "yank answer 0", "a card pulled before its answer is absent", true },
        { "yank answer 1", "a card pulled after a byte of its answer is absent", true },
        { "yank answer 137", "a card pulled a byte before the end is absent", true },
        { "yank answer 138", "a card pulled after the last byte is absent", false },
};

static unsigned lost_on(const struct line *line, const char *serial)
{
        struct ledger_balance balance = { 0 };

        return ledger_balance(line->ledger, NULL, serial, &balance) < 0 ? 9999 : balance.lost;
}

/* Four stages at a time, on the cards from the second on; the rest of the cards go on. */
static void pull_cards(struct line *line, const struct stage *four)
{
        unsigned lost[4];
        struct lot_run *run;

        for (unsigned i = 0; i < 4; i++) {
                lost[i] = lost_on(line, card_at(line, 1 + i).serial);
                line->rig->tell(1 + i, four[i].words);
        }
        run = lot_start(line->desk, line->ledger, EACH);
        claim_lot(line, run, "the lot goes on when four cards are pulled");
        for (unsigned i = 0; i < 4; i++)
                claim_state(line, 1 + i, "absent", "", four[i].name);
        for (unsigned i = 0; i < 4; i++)
                line->rig->tell(1 + i, "in");
        claim(all_are_ready(line), "put back they are ready again", 0);
        for (unsigned i = 0; i < 4; i++) {
                unsigned now = lost_on(line, card_at(line, 1 + i).serial);
                char what[96];

                snprintf(what, sizeof(what), "%s after %s",
                         four[i].is_lost ? "a license is lost" : "none is lost", four[i].words);
                claim(now == lost[i] + four[i].is_lost, what, 0);
        }
        claim_balance(line, 0, "and the balance is true");
}

/* --- readers unplugged --------------------------------------------------------------------- */

static const struct {
        const char *words, *name;
} falls[] = {
        { "fall command", "a reader unplugged before the command is absent" },
        { "fall work", "a reader unplugged while its card works is absent" },
        { "fall answer 70", "a reader unplugged within the answer is absent" },
};

static void unplug_readers(struct line *line)
{
        struct lot_run *run;

        for (unsigned i = 0; i < 3; i++)
                line->rig->tell(1 + i, falls[i].words);
        run = lot_start(line->desk, line->ledger, EACH);
        IGNORE(fiber_sleep_ns(100 * NS_PER_MS)); /* nobody cancels us */
        line->rig->tell(4, "unplug");
        claim_lot(line, run, "the lot goes on when four readers are unplugged");
        for (unsigned i = 0; i < 3; i++)
                claim_state(line, 1 + i, "absent", "plugged", falls[i].name);
        claim_state(line, 4, "absent", "plugged", "and one unplugged by chance");
        for (unsigned i = 4; i >= 1; i--) /* in another order: pcscd numbers them anew */
                line->rig->tell(i, "plug");
        claim(all_are_ready(line), "plugged in again in another order they are ready", 0);
        claim_balance(line, 0, "and the balance is true");
}

static void take_time(struct line *line)
{
        int before = line->rig->tell(5, "extensions");
        struct lot_run *run;

        line->rig->tell(5, "busy 800");
        run = lot_start(line->desk, line->ledger, EACH);
        claim_lot(line, run, "a card that takes its time is waited for");
        claim(line->rig->tell(5, "extensions") >= before + 2, "its reader asked for more time", 0);
}

/* --- the rest ------------------------------------------------------------------------------ */

static void restart(struct line *line)
{
        struct lot_run *run = lot_start(line->desk, line->ledger, EACH);

        IGNORE(fiber_sleep_ns(100 * NS_PER_MS)); /* nobody cancels us */
        line->rig->restart();
        claim_lot(line, run, "a lot outlives a restart of pcscd");
        claim(all_are_ready(line), "afterwards every card is ready", 0);
        claim_balance(line, 0, "and the balance is true");
}

static void fall_silent(struct line *line)
{
        struct lot_run *run;

        line->rig->tell(2, "kill");
        run = lot_start(line->desk, line->ledger, EACH);
        claim_lot(line, run, "the lot goes on without a dead card");
        claim_state(line, 2, "dead", line->rig->dead_words, "the dead card is set aside");
}

static void open_line(struct line *line, const struct card_rig *rig)
{
        const char *directory = test_directory();
        struct reader *readers[READERS_MAX];
        int r = 0;

        line->rig = rig;
        for (unsigned i = 0; i < rig->count && r == 0; i++)
                r = rig->open(i, &readers[i]);
        if (r == 0)
                r = store_open(directory, &line->store);
        if (r == 0)
                r = ledger_open(line->store, directory, &line->ledger);
        if (r == 0)
                r = desk_open(&(struct desk_settings){ .ledger = line->ledger,
                                                       .profile = rig->profile,
                                                       .readers = readers,
                                                       .reader_count = rig->count },
                              &line->desk);
        if (r < 0) {
                printf("Bail out! %s: %s\n", rig->name, fault_sentence(r));
                exit(1);
        }
}

void claims_run(const struct card_rig *rig)
{
        struct line line = { 0 };

        open_line(&line, rig);
        claim(all_are_ready(&line), "every card is ready", 0);
        claim_lot(&line, lot_start(line.desk, line.ledger, EACH), "a lot of 32 is served");
        claim_state(&line, 0, "empty", "no licenses are left",
                    "the card with one license is empty");
        pull_cards(&line, stages);
        pull_cards(&line, stages + 4);
        if (rig->can_unplug) {
                take_time(&line);
                unplug_readers(&line);
        }
        if (rig->restart)
                restart(&line);
        fall_silent(&line);
        line.desk = desk_close(line.desk);
        claim_balance(&line, 1, "in the end cards and ledger agree, but for the dead one's last");
        ledger_close(line.ledger);
        store_close(line.store);
}
