/*
 * desk_card.c - one reader's fiber: bring the card up, serve until it fails, set it aside, again.
 *
 * Between the intent and the license on disk the fiber is `is_spending` and nobody cancels it. What
 * a failure means for the request, the intent and the card is one switch, in card_sort_out().
 */
#include "scheduler/bytes.h"
#include "station/desk_parts.h"

#include <stdio.h>
#include <string.h>

/* How long one look for a card takes before its reader is asked anew. */
#define INSERTION_NS (5 * NS_PER_S)
/* An idle card is asked who it is this often, to notice that it was pulled, refilled or changed. */
#define LOOK_NS        (5 * NS_PER_S)
#define PAUSE_FIRST_NS NS_PER_S
#define PAUSE_LAST_NS  (30 * NS_PER_S)
/* A chip whose license made so many cards fall silent gets no other. */
#define DEATHS_MAX 2
/* A license that cannot be written down is paid for: try that often, a second apart. */
#define KEEP_TRIES 3

/* The record of license.h. */
#define LICENSE_TYPE    0
#define LICENSE_VERSION 8

static void set_state(struct card *card, enum card_state state, const char *sentence)
{
        bool was_away = card->state == CARD_ABSENT || card->state == CARD_DEAD;

        if ((state == CARD_ABSENT || state == CARD_DEAD) && !was_away)
                card->hope_until_ns = clock_now_ns() + GRACE_NS;
        card->state = state;
        snprintf(card->sentence, sizeof(card->sentence), "%.159s", sentence);
        desk_changed(card->desk);
}

/* --- bringing up --------------------------------------------------------------------------- */

/* Two cards with one serial would make one counter out of two. */
static int check_serial_is_free(const struct card *card, const struct hsm_info *info)
{
        for (unsigned i = 0; i < card->desk->card_count; i++) {
                const struct card *other = &card->desk->cards[i];

                if (other == card || !other->is_in || strcmp(other->info.serial, info->serial) != 0)
                        continue;
                return fault(FAULT_WRONG_CARD, "card %s is already in %s", info->serial,
                             reader_name(other->reader));
        }
        return 0;
}

static int check_usable(const struct card *card, const struct hsm_info *info)
{
        static const char *const states[] = { "blank (ST)", "not personalized (OEM)", "operational",
                                              "in an unknown state" };

        if (info->state != HSM_STATE_OPERATIONAL)
                return fault(FAULT_CARD_STATE, "card %s is %s; it must be programmed first",
                             info->serial, states[info->state]);
        if (strcmp(info->type, "SFI") != 0)
                return fault(FAULT_WRONG_CARD, "card %s is for %s, an install needs SFI",
                             info->serial, info->type);
        return check_serial_is_free(card, info);
}

/* Believe what the card says of itself: compare it with the ledger, then show it. */
static int card_accept(struct card *card, const struct hsm_info *info)
{
        char found[256] = "";
        int r = check_usable(card, info);

        if (r < 0)
                return r;
        card->info = *info;
        card->is_in = true; /* its serial is taken before anybody else can look */
        r = ledger_reconcile(card->desk->ledger, info, found);
        if (r < 0)
                return r;
        set_state(card, info->counter > 0 ? CARD_READY : CARD_EMPTY,
                  info->counter > 0 || found[0] ? found : "no licenses are left on it");
        return 0;
}

static int card_bring_up(struct card *card)
{
        struct hsm_info info;
        int r = hsm_open(card->reader, card->desk->profile, INSERTION_NS);

        if (r < 0)
                return r;
        r = hsm_info(card->reader, card->desk->profile, &info);
        return r < 0 ? r : card_accept(card, &info);
}

static bool is_same(const struct hsm_info *a, const struct hsm_info *b)
{
        return a->state == b->state && a->counter == b->counter && a->maximum == b->maximum &&
               strcmp(a->serial, b->serial) == 0 && strcmp(a->type, b->type) == 0 &&
               strcmp(a->firmware_id, b->firmware_id) == 0;
}

/* Wait for work; look at the card when none comes. */
static int card_idle(struct card *card)
{
        struct hsm_info info;
        int r = waitlist_wait(&card->desk->work, LOOK_NS);

        if (r != -FAULT_TIMEOUT)
                return r;
        r = hsm_info(card->reader, card->desk->profile, &info);
        if (r < 0)
                return r;
        return is_same(&info, &card->info) ? 0 : card_accept(card, &info);
}

/* --- serving ------------------------------------------------------------------------------- */

/* What can be seen of a license without the chip's key. */
static int check_license(const struct card *card, const uint8_t license[static LICENSE_LENGTH])
{
        if (memcmp(license + LICENSE_TYPE, "SFI.", 4) != 0)
                return fault(FAULT_CARD_DEAD,
                             "card %s answered with something else than an SFI "
                             "license",
                             card->info.serial);
        if (load_le32(license + LICENSE_VERSION) != 1)
                return fault(FAULT_CARD_DEAD,
                             "card %s answered with license version %u, known is 1",
                             card->info.serial, load_le32(license + LICENSE_VERSION));
        return 0;
}

static int keep_license(struct card *card, const struct ledger_license *license)
{
        int r = ledger_store(card->desk->ledger, license->id, license->bytes);

        for (int tries = 1; r < 0 && tries < KEEP_TRIES; tries++) {
                if (fiber_sleep_ns(NS_PER_S) < 0)
                        continue; /* nothing is worth more than the license */
                r = ledger_store(card->desk->ledger, license->id, license->bytes);
        }
        return r;
}

/* The license is on disk. */
static void card_delivered(struct card *card, struct request *request)
{
        card->info.counter--;
        desk_answer(card->desk, request, 0);
        if (card->info.counter > 0)
                set_state(card, CARD_READY, "");
        else
                set_state(card, CARD_EMPTY, "no licenses are left on it");
}

/* No license, and perhaps one lost: the card must show its counter before it is asked again. A card
 * that was pulled says nothing about the chip, one that fell silent might. */
static void request_after_death(struct card *card, struct request *request, int result,
                                const char *sentence)
{
        if (result != -FAULT_NO_CARD)
                request->deaths++;
        if (request->deaths < DEATHS_MAX)
                desk_give_back(card->desk, request);
        else
                desk_answer(card->desk, request,
                            fault((enum fault)(-result), "%u cards fell silent over this chip; %s",
                                  request->deaths, sentence));
}

/* The card said no, or nothing. Returns 0 when it can go on, else the fault that sets it aside. */
static int card_sort_out(struct card *card, struct request *request, int result)
{
        struct desk *desk = card->desk;
        int64_t id = request->license.id;
        char sentence[512];

        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(result));
        switch (result) {
        case -FAULT_CARD_EMPTY:
                /* should the cancel fail, the next reconciling closes the intent */
                if (ledger_cancel(desk->ledger, id, sentence) < 0)
                        result = -FAULT_STORE;
                card->info.counter = 0;
                desk_give_back(desk, request);
                set_state(card, CARD_EMPTY, sentence);
                return result == -FAULT_STORE ? result : 0;
        case -FAULT_CARD_STATE:
                IGNORE(ledger_cancel(desk->ledger, id, sentence)); /* as above; it is set aside */
                desk_give_back(desk, request);
                break;
        case -FAULT_CARD_REFUSED:
                if (ledger_cancel(desk->ledger, id, sentence) < 0)
                        result = -FAULT_STORE;
                desk_answer(desk, request, fault(FAULT_CARD_REFUSED, "%s", sentence));
                set_state(card, CARD_READY, "");
                return result == -FAULT_STORE ? result : 0;
        default:
                request_after_death(card, request, result, sentence);
        }
        return fault((enum fault)(-result), "%s", sentence);
}

/* The ledger has a license for this chip already: it was stored after the caller had looked. */
static void answer_from_ledger(struct card *card, struct request *request)
{
        struct ledger_license *license = &request->license;
        int r = ledger_find(card->desk->ledger, &request->ledger, license);

        if (r == 0)
                r = fault(FAULT_STORE, "the ledger has a license and does not find it");
        desk_answer(card->desk, request, r < 0 ? r : 0);
}

/* Write-ahead: intent on disk, the card, license on disk, the answer. */
static int card_spend(struct card *card, struct request *request)
{
        struct desk *desk = card->desk;
        struct ledger_license *license = &request->license;
        int r = ledger_intend(desk->ledger, &request->ledger, card->info.serial, card->info.counter,
                              &license->id);

        if (r < 0) {
                if (r == -FAULT_DUPLICATE)
                        answer_from_ledger(card, request);
                else
                        desk_answer(desk, request, r);
                set_state(card, CARD_READY, "");
                return 0;
        }
        r = hsm_license(card->reader, desk->profile, &request->certificate, license->bytes);
        if (r >= 0)
                r = check_license(card, license->bytes);
        if (r < 0)
                return card_sort_out(card, request, r);
        r = keep_license(card, license);
        if (r < 0) {
                char sentence[512];

                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                desk_answer(desk, request, r);
                return fault((enum fault)(-r), "%s", sentence);
        }
        card_delivered(card, request);
        return 0;
}

/* Returns the fault that ended it; 0 when the desk closes. `ret_has_served`: it made a license. */
static int card_serve(struct card *card, bool *ret_has_served)
{
        while (!card->desk->is_closing) {
                struct request *request = card->state == CARD_READY
                                                  ? desk_take(card->desk, card->info.firmware_id)
                                                  : NULL;
                uint32_t left = card->info.counter;
                int r;

                if (!request) {
                        r = card_idle(card);
                } else {
                        set_state(card, CARD_BUSY, "");
                        card->is_spending = true;
                        r = card_spend(card, request);
                        card->is_spending = false;
                        *ret_has_served |= r >= 0 && card->info.counter < left;
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- setting aside ------------------------------------------------------------------------- */

static enum card_state state_after(int result)
{
        switch (result) {
        case -FAULT_TIMEOUT:
        case -FAULT_NO_CARD:
                return CARD_ABSENT;
        case -FAULT_REFERENCE_ONLY:
        case -FAULT_CARD_REFUSED:
        case -FAULT_CARD_STATE:
        case -FAULT_WRONG_CARD:
                return CARD_WRONG;
        default:
                return CARD_DEAD;
        }
}

/* What it said last is kept: it may be the same card that comes back. */
static void card_set_aside(struct card *card, int result)
{
        enum card_state state = state_after(result);
        const char *sentence =
                result == -FAULT_TIMEOUT ? "no card in the reader" : fault_sentence(result);

        if (state == card->state &&
            strncmp(sentence, card->sentence, sizeof(card->sentence) - 1) == 0)
                return;
        set_state(card, state, sentence);
}

int desk_card_procedure(void *subject)
{
        struct card *card = subject;
        uint64_t pause_ns = PAUSE_FIRST_NS;

        while (!card->desk->is_closing) {
                bool has_served = false;
                int r = card_bring_up(card);

                if (r >= 0)
                        r = card_serve(card, &has_served);
                card->is_in = false;
                if (!card->desk->is_closing)
                        card_set_aside(card, r);
                reader_disconnect(card->reader);
                /* An empty reader is looked at again at once: connecting waits for the card. */
                if (has_served || r == -FAULT_TIMEOUT)
                        pause_ns = PAUSE_FIRST_NS;
                if (r == -FAULT_TIMEOUT || card->desk->is_closing)
                        continue;
                if (fiber_sleep_ns(pause_ns) < 0)
                        continue; /* only closing cancels a card's fiber */
                pause_ns = pause_ns < PAUSE_LAST_NS / 2 ? 2 * pause_ns : PAUSE_LAST_NS;
        }
        return 0;
}
