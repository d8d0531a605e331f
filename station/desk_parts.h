/*
 * desk_parts.h - what desk.c (the queue) and desk_card.c (the fiber of one reader) share; nobody
 * else includes it.
 */
#pragma once

#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "station/desk.h"
#include "station/order.h"

/* How long requests wait for a reader that was just started, or whose card was just lost. */
#define GRACE_NS (10 * NS_PER_S)

enum card_state { CARD_ABSENT, CARD_READY, CARD_BUSY, CARD_DEAD, CARD_EMPTY, CARD_WRONG };

/* One chip and one firmware identifier; shared by all who ask for them. */
struct request {
        struct request *next, *next_queued;
        struct certificate certificate;
        char firmware_id[33], type[5], order[ORDER_ID_MAX + 1], site[16];
        struct ledger_request ledger; /* points at the five above */
        unsigned waiters;
        unsigned deaths; /* cards that fell silent over it */
        bool is_queued, is_in_card, is_done;
        struct waitlist answered; /* or something to judge it by has changed */

        int result;
        char sentence[512];
        struct ledger_license license;
};

struct card {
        struct desk *desk;
        struct reader *reader;
        struct fiber *fiber;
        enum card_state state;
        struct hsm_info info; /* what it said last; kept while it is away */
        char sentence[160];
        bool is_in;             /* info is of the card that is in the reader now */
        uint64_t hope_until_ns; /* absent or dead: its requests wait for it so long */
        bool is_spending;       /* between intent and license on disk */
};

struct desk {
        struct ledger *ledger;
        const struct card_profile *profile;
        void (*changed)(void *context);
        void *changed_context;

        struct card *cards;
        unsigned card_count;

        struct request *requests; /* all of them */
        struct request *queue, *queue_last;
        unsigned queue_length;
        struct waitlist work; /* idle cards */

        unsigned callers; /* inside desk_license */
        struct waitlist callers_gone;
        bool is_closing;
};

/* The fiber of one reader (desk_card.c). */
int desk_card_procedure(void *subject);

/* The first request in the queue for this firmware; now in the card. NULL: none. */
struct request *desk_take(struct desk *desk, const char *firmware_id);

/* Back to the head of the queue, or gone when nobody waits any more. */
void desk_give_back(struct desk *desk, struct request *request);

/* Done, with a license (0) or the fault last reported here. The request may be gone afterwards. */
void desk_answer(struct desk *desk, struct request *request, int result);

void desk_dequeue(struct desk *desk, struct request *request);

/* A card has changed: tell the owner, let waiting requests be judged again. */
void desk_changed(struct desk *desk);

const char *desk_state_name(enum card_state state);
