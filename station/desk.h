/*
 * desk.h - the license desk: sites ask, cards answer, first come, first served.
 *
 * One fiber a reader: connect, read who the card is, reconcile with the ledger, then serve. A
 * request goes to any ready card with its firmware identifier, the one that will be free first. A
 * card that dies or is pulled is set aside, its request goes back to the head of the queue, and the
 * others go on. No card is asked before the caller has a certificate, and none when the ledger
 * holds a license for the chip.
 */
#pragma once

#include "station/ledger.h"

struct desk;

struct desk_card {
        char serial[17];
        char reader[128];
        char firmware_id[33];
        char state[16];     /* "absent", "ready", "busy", "dead", "empty", "wrong" */
        char sentence[160]; /* why, when not ready */
        uint32_t left, maximum;
        bool is_simulated;
};

/* `readers` (given, closed by desk_close) are served by `count` fibers. `changed` (may be NULL) is
 * called with `context` after each change of a card; it must not wait. Call on a fiber. */
int desk_open(struct ledger *ledger, const struct card_profile *profile, struct reader **readers,
              unsigned count, void (*changed)(void *context), void *context,
              struct desk **ret_desk) MUST_USE;

/* Lets licenses in the cards arrive and be stored, then ends the fibers (waits). Returns NULL. */
struct desk *desk_close(struct desk *desk);

/* A license for this chip: from the ledger when one is in hand, else from a card (waits). On
 * success it is stored durably. A cancel leaves the queue; a license already being made is stored
 * all the same. The caller wipes. -FAULT_WRONG_CARD   cards are there, none with this firmware
 * identifier -FAULT_CARD_EMPTY   those with it have none left -FAULT_NO_CARD, -FAULT_CARD_DEAD none
 * is left that answers -FAULT_STORE */
struct desk_license {
        int64_t id;       /* in the ledger */
        bool was_in_hand; /* no card was asked */
        uint8_t license[LICENSE_LENGTH];
};
int desk_license(struct desk *desk, const struct ledger_request *request,
                 struct desk_license *ret_license) MUST_USE;

/* Never waits. */
unsigned desk_cards(const struct desk *desk, struct desk_card *cards, unsigned capacity);
unsigned desk_queue(const struct desk *desk);
