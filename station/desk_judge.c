/*
 * desk_judge.c - who can serve a request, whether anybody still can, and what a lot will run short of.
 *
 * A request is judged by its own caller, each time a card changes and when a grace ends: a reader
 * has GRACE_NS from its start, or from the loss of its card, in which its requests wait for it. A
 * plan is stricter: it counts on the cards that are in now, for what is begun on hope costs a license
 * of each kind that could be had.
 */
#include "station/desk_parts.h"

#include <stdio.h>
#include <string.h>

const char *desk_card_state(const struct card *card)
{
        switch (card->state) {
        case CARD_ABSENT:
                return "absent";
        case CARD_READY:
                if (!card_is_aside(card))
                        return "ready";
                return card->aside == ASIDE_SLOW ? "slow" : "wrong";
        case CARD_BUSY:
                return "busy";
        case CARD_DEAD:
                return "dead";
        case CARD_EMPTY:
                return "empty";
        case CARD_WRONG:
                return "wrong";
        }
        return "";
}

bool desk_card_matches(const struct card *card, const char *firmware_id, const char *type)
{
        return strcmp(card->info.firmware_id, firmware_id) == 0 &&
               strcmp(card->info.type, type) == 0;
}

/* --- the verdict --------------------------------------------------------------------------- */

/* What the cards without hope would have been for a request. */
struct verdict {
        bool has_dead, has_pulled, has_empty, has_other;
        char names[320]; /* "0102030405060708 empty, ..." */
};

static void verdict_name(struct verdict *verdict, const struct card *card)
{
        size_t length = strlen(verdict->names);

        snprintf(verdict->names + length, sizeof(verdict->names) - length, "%s%s %s",
                 length ? ", " : "", card->info.serial[0] ? card->info.serial : card->reader->name,
                 desk_card_state(card));
        if (card->state == CARD_READY || card->state == CARD_BUSY)
                snprintf(verdict->names + strlen(verdict->names),
                         sizeof(verdict->names) - strlen(verdict->names), " with %s (%s)",
                         card->info.firmware_id, card->info.type);
}

static void verdict_add(struct verdict *verdict, const struct card *card, const char *firmware_id,
                        const char *type)
{
        bool matches = desk_card_matches(card, firmware_id, type);
        bool is_unknown = card->info.firmware_id[0] == '\0';

        verdict_name(verdict, card);
        if (card->state == CARD_DEAD && (matches || is_unknown))
                verdict->has_dead = true;
        else if (card->state == CARD_ABSENT && matches)
                verdict->has_pulled = true;
        else if (card->state == CARD_EMPTY && matches)
                verdict->has_empty = true;
        else if (card->state != CARD_ABSENT)
                verdict->has_other = true;
}

static int verdict_fault(const struct verdict *verdict, const char *id, const char *type)
{
        if (verdict->has_dead)
                return fault(FAULT_CARD_DEAD, "no card for %s (%s) answers any more (%s)", id, type,
                             verdict->names);
        if (verdict->has_empty && !verdict->has_pulled)
                return fault(FAULT_CARD_EMPTY, "no licenses are left for %s (%s) (%s); add a card",
                             id, type, verdict->names);
        if (verdict->has_other && !verdict->has_pulled)
                return fault(FAULT_WRONG_CARD, "no card holds %s (%s) (%s); put the right one in",
                             id, type, verdict->names);
        return fault(FAULT_NO_CARD, "there is no card for %s (%s) (%s); put one in", id, type,
                     verdict->names[0] ? verdict->names : "the station has no reader");
}

/* --- requests ------------------------------------------------------------------------------ */

/* Could this card serve the request, now or within its grace? Sets when that is to be asked again. */
static bool card_gives_hope(const struct card *card, const struct request *request,
                            uint64_t *deadline_ns)
{
        switch (card->state) {
        case CARD_READY:
        case CARD_BUSY:
                return desk_card_matches(card, request->firmware_id, request->type);
        case CARD_ABSENT:
        case CARD_DEAD:
                if (clock_now_ns() >= card->hope_until_ns)
                        return false;
                if (card->hope_until_ns < *deadline_ns)
                        *deadline_ns = card->hope_until_ns;
                return true; /* another card may be put in its place */
        case CARD_EMPTY:
        case CARD_WRONG:
                return false;
        }
        return false;
}

int desk_judge(const struct desk *desk, const struct request *request, uint64_t *ret_deadline_ns)
{
        struct verdict verdict = { 0 };
        bool has_hope = false;

        *ret_deadline_ns = WAIT_FOREVER;
        if (desk->is_closing)
                return fault(FAULT_CANCELLED, "the license desk is closing");
        for (unsigned i = 0; i < desk->card_count; i++) {
                const struct card *card = &desk->cards[i];

                if (card_gives_hope(card, request, ret_deadline_ns))
                        has_hope = true;
                else
                        verdict_add(&verdict, card, request->firmware_id, request->type);
        }
        return has_hope ? 0 : verdict_fault(&verdict, request->firmware_id, request->type);
}

/* --- plans --------------------------------------------------------------------------------- */

struct supply {
        uint64_t left;
        unsigned cards;
        struct verdict verdict;
};

static struct supply supply_of(const struct desk *desk, const struct desk_need *need)
{
        struct supply supply = { 0 };

        for (unsigned i = 0; i < desk->card_count; i++) {
                const struct card *card = &desk->cards[i];
                bool works = card->state == CARD_READY || card->state == CARD_BUSY;

                if (works && desk_card_matches(card, need->firmware_id, need->type)) {
                        supply.left += card->info.counter;
                        supply.cards++;
                } else {
                        verdict_add(&supply.verdict, card, need->firmware_id, need->type);
                }
        }
        return supply;
}

/* What all needs together want of its kind. */
static uint64_t demand_of(const struct desk_need *needs, unsigned count,
                          const struct desk_need *need)
{
        uint64_t sum = 0;

        for (unsigned i = 0; i < count; i++)
                if (strcmp(needs[i].firmware_id, need->firmware_id) == 0 &&
                    strcmp(needs[i].type, need->type) == 0)
                        sum += needs[i].count;
        return sum;
}

int desk_plan(const struct desk *desk, const struct desk_need *needs, unsigned count,
              char ret_sentence[static 256])
{
        char sentence[256] = "";

        for (unsigned i = 0; i < count; i++) {
                const struct desk_need *need = &needs[i];
                struct supply supply = supply_of(desk, need);
                uint64_t demand = demand_of(needs, count, need);
                size_t length = strlen(sentence);

                if (!demand)
                        continue;
                if (!supply.cards)
                        return verdict_fault(&supply.verdict, need->firmware_id, need->type);
                if (supply.left < demand)
                        snprintf(sentence + length, sizeof(sentence) - length,
                                 "%s%llu licenses for %s (%s) are wanted, %llu are left on %u "
                                 "card%s",
                                 length ? "; " : "", (unsigned long long)demand, need->firmware_id,
                                 need->type, (unsigned long long)supply.left, supply.cards,
                                 supply.cards == 1 ? "" : "s");
        }
        memcpy(ret_sentence, sentence, sizeof(sentence));
        return 0;
}
