/*
 * ledger.h - every license, from intent to its end. Nothing lost, nothing spent twice on a chip.
 *
 * States of a license, each durable before the next step is taken (write-ahead):
 *   intended -> stored -> offered -> installed
 *           \-> cancelled (the card said no: nothing was spent)
 *           \-> lost      (the card's counter went down, no license arrived)
 *   offered -> refused    (the target said no; stays in hand, a person decides)
 * Stored, offered and refused count as in hand: license and chip belong together, the license can
 * be offered again to the same chip without a card.
 *
 * Licenses are keyed by certificate and firmware identifier and sealed at rest with AES-128-GCM
 * under the station key (DIRECTORY/station.key, 0600, made at first use).
 *
 * Every function waits for the store unless it says not.
 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/license.h"
#include "drivers/hsm.h"
#include "station/store.h"

struct ledger;

int ledger_open(struct store *store, const char *directory, struct ledger **ret_ledger) MUST_USE;
struct ledger *ledger_close(struct ledger *ledger);

struct ledger_request {
        const struct certificate *certificate;
        const char *firmware_id;
        const char *order;
        const char *site;
};

/* A license in hand for this chip and firmware: 1 and the license, 0 none. */
int ledger_find(struct ledger *ledger, const struct ledger_request *request, int64_t *ret_id,
                uint8_t ret_license[static LICENSE_LENGTH]) MUST_USE;

/* Before the card is asked. `card` is its serial, `counter` what it showed last. */
int ledger_intend(struct ledger *ledger, const struct ledger_request *request, const char *card,
                  uint32_t counter, int64_t *ret_id) MUST_USE;
/* The card answered. */
int ledger_store(struct ledger *ledger, int64_t id,
                 const uint8_t license[static LICENSE_LENGTH]) MUST_USE;
/* The card refused and spent nothing. */
int ledger_cancel(struct ledger *ledger, int64_t id, const char *reason) MUST_USE;
/* Before the license goes to the target; and what the target said. */
int ledger_offer(struct ledger *ledger, int64_t id) MUST_USE;
int ledger_settle(struct ledger *ledger, int64_t id, bool is_installed,
                  const char *reason) MUST_USE;

/* A card is in (at start, at insertion, after an error): compare its counter with the ledger. Open
 * intents of that card are closed as cancelled or, where the counter has gone down for them, lost.
 * A difference no intent explains is counted as lost outside (spent by another program).
 * `ret_sentence` (may be empty) names what was found. */
int ledger_reconcile(struct ledger *ledger, const struct hsm_info *card,
                     char ret_sentence[static 256]) MUST_USE;

/* issued = installed + in_hand + lost, always; issued is what the cards' counters say, first sight
 * minus now, for cards; what was stored or lost for an order. */
struct ledger_balance {
        uint32_t issued, installed, in_hand, lost, pending; /* pending: intents still open */
};

/* Of one order, one card, or everything (both NULL). */
int ledger_balance(struct ledger *ledger, const char *order, const char *card,
                   struct ledger_balance *ret_balance) MUST_USE;

/* One line per lost license, "\n"-separated, oldest first: certificate fingerprint, card, order,
 * site, time, why. Given to the caller (free). */
int ledger_lost_text(struct ledger *ledger, const char *order, char **ret_text) MUST_USE;
