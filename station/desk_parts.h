/*
 * desk_parts.h - what the files of the desk share; nobody else includes it.
 *
 * desk.c the queue, desk_judge.c who can serve it, desk_card.c the fiber of one reader, desk_pace.c
 * how fast its card is and whether it is set aside, desk_server.c questions to the license server.
 */
#pragma once

#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "station/desk.h"
#include "station/order.h"

/* How long requests wait for a reader that was just started, or whose card was just lost. */
#define GRACE_NS (10 * NS_PER_S)

enum card_state { CARD_ABSENT, CARD_READY, CARD_BUSY, CARD_DEAD, CARD_EMPTY, CARD_WRONG };

/* One chip, one firmware identifier, one type; shared by all who ask for them. */
struct request {
        struct desk *desk;
        struct request *next, *next_queued;
        struct certificate certificate;
        char firmware_id[33], type[5], order[ORDER_ID_MAX + 1], site[16];
        struct ledger_request ledger; /* points at the five above */
        unsigned waiters;
        unsigned deaths;                     /* cards that failed over it */
        bool is_queued, is_at_work, is_done; /* at work: in a card or asked of the server */
        struct waitlist answered;            /* or something to judge it by has changed */

        int result;
        char sentence[512];
        struct ledger_license license;
};

/* What a card made in the last hour, a place a minute, and how long it takes. */
#define PACE_MINUTES 60u
struct pace {
        uint64_t first_ns; /* when it began its first license; 0: none yet */
        uint64_t minute;   /* the newest place, minutes of the loop clock */
        uint16_t made[PACE_MINUTES];
        uint64_t average_ns; /* of the last few */
};

/* Why a card that works is left alone while others can serve. */
enum aside { ASIDE_NOT, ASIDE_SLOW, ASIDE_WRONG };

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
        uint64_t seen_ns;       /* its last good answer */

        struct pace pace;
        enum aside aside;
        uint64_t aside_until_ns, aside_pause_ns;
        char aside_sentence[160];
        unsigned failures; /* licenses it did not give, one after the other */
        struct ledger_balance balance;
};

struct desk {
        struct ledger *ledger;
        const struct card_profile *profile;
        struct license_server *server;
        void (*changed)(void *context);
        void *changed_context;

        struct card *cards;
        unsigned card_count;

        struct request *requests; /* all of them */
        struct request *queue, *queue_last;
        unsigned queue_length;
        struct waitlist work; /* idle cards */

        unsigned callers; /* inside desk_license, and questions to the server */
        struct waitlist callers_gone;
        bool is_closing;
};

/* The fiber of one reader (desk_card.c). */
int desk_card_procedure(void *subject);

/* The first request in the queue that is for this card; now in it. NULL: none. */
struct request *desk_take(struct desk *desk, const struct card *card);

/* Back to the head of the queue, or gone when nobody waits any more. */
void desk_give_back(struct desk *desk, struct request *request);

/* Done, with a license (0) or the fault last reported here. The request may be gone afterwards. */
void desk_answer(struct desk *desk, struct request *request, int result);

/* The ledger has a license for this chip already: it was stored after the caller had looked. */
void desk_answer_from_ledger(struct desk *desk, struct request *request);

/* A license that cannot be written down is paid for: it is tried several times (waits). */
int desk_keep(struct desk *desk, const struct ledger_license *license) MUST_USE;

void desk_dequeue(struct desk *desk, struct request *request);

/* A card has changed: tell the owner, let waiting requests be judged again. */
void desk_changed(struct desk *desk);

/* A caller's view of the desk must not outlive it: desk_close waits for the last one. */
void desk_leave(struct desk *desk);

/* What can be seen of a license without the chip's key: its type and version. `who` answered.
 *      -code */
int desk_check_license(const struct request *request, const uint8_t license[static LICENSE_LENGTH],
                       enum fault code, const char *who) MUST_USE;

/* Put the question to the license server on a fiber of its own (desk_server.c). */
void desk_question(struct desk *desk, struct request *request);

/* --- desk_judge.c ---------------------------------------------------------------------------- */

bool desk_card_matches(const struct card *card, const char *firmware_id, const char *type);

/* 0 while a card can serve it or may soon, and until when that stands; else the fault. */
int desk_judge(const struct desk *desk, const struct request *request,
               uint64_t *ret_deadline_ns) MUST_USE;

/* "ready", "slow", ... as desk.h lists them. */
const char *desk_card_state(const struct card *card);

/* --- desk_pace.c ----------------------------------------------------------------------------- */

/* It made a license that took so long. Sets it aside when that was slow. */
void card_made(struct card *card, uint64_t took_ns);

/* It gave something else than a license. */
void card_failed(struct card *card, const char *sentence);

/* Another card is in the reader. */
void card_pace_forget(struct card *card);

bool card_is_aside(const struct card *card);
/* Is another one of its kind there that is not set aside? */
bool card_has_better(const struct card *card);

uint32_t card_per_hour(const struct card *card);
