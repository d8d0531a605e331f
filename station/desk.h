/*
 * desk.h - the license desk: sites ask, cards answer, first come, first served.
 *
 * One fiber a reader: connect, read who the card is, reconcile with the ledger, then serve. A
 * request goes to any ready card with its firmware identifier and type, the one that will be free
 * first. A card that dies or is pulled is set aside, its request goes back to the head of the queue,
 * and the others go on. One that is much slower than the others of its kind, or answered with
 * something else than a license of its type, is left alone for a while, as long as others can serve.
 * No card is asked before the caller has a certificate, and none when the ledger holds a license for
 * the chip.
 */
#pragma once

#include "station/ledger.h"

struct desk;

struct desk_card {
        char serial[17];
        char reader[128];
        char firmware_id[33];
        char state[16];     /* "absent", "ready", "busy", "slow", "dead", "empty", "wrong" */
        char sentence[160]; /* why, when not ready */
        char type[5];       /* of its licenses */
        uint32_t left, maximum;
        uint32_t per_hour; /* licenses an hour at its pace of the last hour; 0 none made yet */
        uint64_t dry_us;   /* calendar time when it will be empty at that pace; 0 not known */
        struct ledger_balance balance;
        bool is_simulated;
};

struct license_server;
struct desk_settings {
        struct ledger *ledger;              /* borrowed, all but the readers */
        const struct card_profile *profile; /* of all cards */
        struct reader **readers;            /* given: closed by desk_close; the array is borrowed */
        unsigned reader_count;              /* one fiber each */
        struct license_server *server;      /* NULL: none */
        void (*changed)(void *context); /* after each change of a card; must not wait; or NULL */
        void *context;
};

/* Call on a fiber. */
int desk_open(const struct desk_settings *settings, struct desk **ret_desk) MUST_USE;

/* Lets licenses in the cards arrive and be stored, then ends the fibers (waits). Returns NULL. */
struct desk *desk_close(struct desk *desk);

/* A license for this chip: one that is in hand, wherever it is from, else from `source` (waits). On
 * success it is stored durably. A cancel leaves the queue; a license already being made is stored
 * all the same. The caller wipes.
 *      from a card:
 *      -FAULT_WRONG_CARD   cards are there, none with this firmware identifier and type
 *      -FAULT_CARD_EMPTY   those with it have none left
 *      -FAULT_NO_CARD, -FAULT_CARD_DEAD  none is left that answers
 *      from a server:
 *      -FAULT_SERVER, -FAULT_SERVER_REFUSED; -FAULT_BAD_VALUE the station has none
 *      from a file:
 *      -FAULT_NO_LICENSE   none was imported for this chip
 *      from any:
 *      -FAULT_STORE */
int desk_license(struct desk *desk, const struct ledger_request *request,
                 enum license_source source, struct ledger_license *ret_license) MUST_USE;

/* What an order will want of the cards. */
struct desk_need {
        const char *firmware_id, *type;
        uint32_t count;
};

/* Before a lot is begun: can the cards that are here make all of this? Never waits. 0 when they can
 * begin; `ret_sentence` then names what will run short, "" nothing.
 *      -FAULT_WRONG_CARD, -FAULT_CARD_EMPTY, -FAULT_NO_CARD, -FAULT_CARD_DEAD  as desk_license */
int desk_plan(const struct desk *desk, const struct desk_need *needs, unsigned count,
              char ret_sentence[static 256]) MUST_USE;

/* Never waits. */
unsigned desk_cards(const struct desk *desk, struct desk_card *cards, unsigned capacity);
unsigned desk_queue(const struct desk *desk);
