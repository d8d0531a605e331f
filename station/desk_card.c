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
/* A card that did not give a license so often running is not asked again before it was taken out. */
#define FAILURES_MAX 3
/* A card that has said nothing for so long is asked who it is before it is trusted with an intent:
 * one that was pulled meanwhile would leave it open. */
#define FRESH_NS NS_PER_S

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
        return check_serial_is_free(card, info);
}

/* What the books say of it, for whoever looks; it is no reason to stop. */
static void card_count(struct card *card)
{
        struct ledger_balance balance;

        if (ledger_balance(card->desk->ledger, NULL, card->info.serial, &balance) >= 0)
                card->balance = balance;
}

/* Believe what the card says of itself: compare it with the ledger, then show it. */
static int card_accept(struct card *card, const struct hsm_info *info)
{
        char found[256] = "";
        int r = check_usable(card, info);

        if (r < 0)
                return r;
        if (strcmp(card->info.serial, info->serial) != 0)
                card_pace_forget(card);
        card->info = *info;
        card->is_in = true; /* its serial is taken before anybody else can look */
        card->seen_ns = clock_now_ns();
        r = ledger_reconcile(card->desk->ledger, info, found);
        if (r < 0)
                return r;
        card_count(card);
        if (info->counter == 0)
                set_state(card, CARD_EMPTY, found[0] ? found : "no licenses are left on it");
        else if (card->failures < FAILURES_MAX)
                set_state(card, CARD_READY, found);
        else
                set_state(card, CARD_WRONG,
                          "it gave no license several times running; take it out, and put it in "
                          "again to try it once more");
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

/* Is it still the card it was? */
static int card_look(struct card *card)
{
        struct hsm_info info;
        int r = hsm_info(card->reader, card->desk->profile, &info);

        if (r < 0)
                return r;
        card->seen_ns = clock_now_ns();
        return is_same(&info, &card->info) ? 0 : card_accept(card, &info);
}

/* Wait for work; look at the card when it has said nothing for long. */
static int card_idle(struct card *card)
{
        uint64_t now_ns = clock_now_ns(), look_ns = card->seen_ns + LOOK_NS;
        int r = look_ns > now_ns ? waitlist_wait(&card->desk->work, look_ns - now_ns)
                                 : -FAULT_TIMEOUT;

        if (r != -FAULT_TIMEOUT)
                return r;
        r = card_look(card);
        if (r >= 0)
                card_count(card); /* sites have settled licenses meanwhile */
        return r;
}

/* --- serving ------------------------------------------------------------------------------- */

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
                            fault((enum fault)(-result), "%u cards failed over this chip; %s",
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

/* The APDU, and whether its answer is what was asked for. */
static int card_ask(struct card *card, struct request *request)
{
        struct ledger_license *license = &request->license;
        uint64_t start_ns = clock_now_ns();
        char who[32];
        int r = hsm_license(card->reader, card->desk->profile, &request->certificate,
                            license->bytes);

        if (r == -FAULT_CARD_DEAD)
                card->failures++;
        if (r < 0)
                return r;
        card->seen_ns = clock_now_ns();
        snprintf(who, sizeof(who), "card %s", card->info.serial);
        r = desk_check_license(request, license->bytes, FAULT_CARD_DEAD, who);
        if (r < 0) {
                card->failures++;
                card_failed(card, fault_sentence(r));
                return r;
        }
        card_made(card, card->seen_ns - start_ns);
        return 0;
}

/* Write-ahead: intent on disk, the card, license on disk, the answer. */
static int card_spend(struct card *card, struct request *request)
{
        struct desk *desk = card->desk;
        struct ledger_license *license = &request->license;
        char sentence[512];
        int r = ledger_intend(desk->ledger, &request->ledger, card->info.serial, card->info.counter,
                              &license->id);

        if (r < 0) {
                if (r == -FAULT_DUPLICATE)
                        desk_answer_from_ledger(desk, request);
                else
                        desk_answer(desk, request, r);
                set_state(card, CARD_READY, "");
                return 0;
        }
        r = card_ask(card, request);
        if (r < 0)
                return card_sort_out(card, request, r);
        r = desk_keep(desk, license);
        if (r < 0) {
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                desk_answer(desk, request, r);
                return fault((enum fault)(-r), "%s", sentence);
        }
        card_delivered(card, request);
        card_count(card);
        return 0;
}

/* Still there, and still for this request? Else the request goes back: 0, or the fault of the card. */
static int card_make_sure(struct card *card, struct request *request)
{
        char sentence[512];
        int r = clock_now_ns() - card->seen_ns > FRESH_NS ? card_look(card) : 0;

        if (r >= 0 && !card->desk->is_closing &&
            (card->state == CARD_BUSY || card->state == CARD_READY) &&
            desk_card_matches(card, request->firmware_id, request->type))
                return 1;
        snprintf(sentence, sizeof(sentence), "%s", r < 0 ? fault_sentence(r) : "");
        desk_give_back(card->desk, request);
        return r < 0 ? fault((enum fault)(-r), "%s", sentence) : 0;
}

static int card_work(struct card *card, struct request *request)
{
        int r;

        set_state(card, CARD_BUSY, "");
        r = card_make_sure(card, request);
        if (r <= 0)
                return r;
        card->state = CARD_BUSY; /* a look may have found the card to be another one, and ready */
        card->is_spending = true;
        r = card_spend(card, request);
        card->is_spending = false;
        return r;
}

/* Returns the fault that ended it; 0 when the desk closes. `ret_has_served`: it made a license. */
static int card_serve(struct card *card, bool *ret_has_served)
{
        while (!card->desk->is_closing) {
                struct request *request =
                        card->state == CARD_READY ? desk_take(card->desk, card) : NULL;
                uint32_t left = card->info.counter;
                int r = request ? card_work(card, request) : card_idle(card);

                *ret_has_served |= request && r >= 0 && card->info.counter < left;
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
        case -FAULT_SYSTEM: /* no pcscd, or another program holds it */
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

/* What a card that is taken out was blamed for is forgotten. */
static void card_forgive(struct card *card, int result)
{
        if (result == -FAULT_TIMEOUT || (result == -FAULT_NO_CARD && card->state == CARD_WRONG))
                card->failures = 0;
}

/* How long until the reader is looked at again. An empty one at once, for connecting waits for the
 * card; so is one whose card was just pulled: another may follow by the same hand. Where reader or
 * pcscd are away, connecting has waited for them: soon. Else longer each time. */
static uint64_t pause_after(int result, bool has_served, bool *was_pulled, uint64_t *next_ns)
{
        bool is_first_pull = result == -FAULT_NO_CARD && (has_served || !*was_pulled);
        uint64_t pause_ns;

        if (has_served || result == -FAULT_TIMEOUT)
                *next_ns = PAUSE_FIRST_NS;
        *was_pulled = result == -FAULT_NO_CARD;
        if (result == -FAULT_TIMEOUT || is_first_pull)
                return 0;
        if (state_after(result) == CARD_ABSENT)
                return PAUSE_FIRST_NS;
        pause_ns = *next_ns;
        *next_ns = pause_ns < PAUSE_LAST_NS / 2 ? 2 * pause_ns : PAUSE_LAST_NS;
        return pause_ns;
}

int desk_card_procedure(void *subject)
{
        struct card *card = subject;
        uint64_t next_ns = PAUSE_FIRST_NS;
        bool was_pulled = false;

        while (!card->desk->is_closing) {
                bool has_served = false;
                uint64_t pause_ns;
                int r = card_bring_up(card);

                if (r >= 0)
                        r = card_serve(card, &has_served);
                card->is_in = false;
                card_forgive(card, r);
                if (!card->desk->is_closing)
                        card_set_aside(card, r);
                reader_disconnect(card->reader);
                pause_ns = pause_after(r, has_served, &was_pulled, &next_ns);
                if (pause_ns && !card->desk->is_closing)
                        IGNORE(fiber_sleep_ns(pause_ns)); /* only closing cancels it */
        }
        return 0;
}
