/*
 * ledger.h - every license, from intent to its end. Nothing lost, nothing spent twice on a chip.
 *
 * States of a license, each durable before the next step is taken (write-ahead):
 *   intended -> stored -> offered -> installed
 *           \-> cancelled (the card or server said no: nothing was spent)
 *           \-> lost      (the card's counter went down, no license arrived)
 *   offered -> refused    (the target said no; stays in hand, a person decides)
 * Stored, offered and refused count as in hand: license and chip belong together, the license can
 * be offered again to the same chip without a card.
 *
 * Licenses are keyed by certificate, firmware identifier and type, and sealed at rest with
 * AES-128-GCM under the station key (station_key.h).
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

/* To look only, without the station key: of the functions below ledger_balance, ledger_lost_text,
 * ledger_walk and ledger_walk_cards may be called. Never waits. */
struct ledger *ledger_open_look(struct store *store);

/* Hear what is out of order, one whole sentence a license with chip, card, time, order and site. At
 * once: each intent that is open now, for the station stopped while a card or server was asked, and
 * a key file that a credential has made superfluous. Then
 * whatever a reconciliation finds. `told` runs on the fiber that called (this or ledger_reconcile),
 * after it is on disk, and must not wait; `is_loss`: a license is gone. */
int ledger_listen(struct ledger *ledger,
                  void (*told)(const char *sentence, bool is_loss, void *context),
                  void *context) MUST_USE;

/* Where a license is from. Global ones are bound to no chip and counted by nobody (AN5054 section
 * 9.3.3): they are never in the ledger, the word is for orders and records. */
enum license_source { LICENSE_FROM_CARD, LICENSE_FROM_SERVER, LICENSE_FROM_FILE, LICENSE_GLOBAL };

/* "card", "server", "file", "global" */
const char *license_source_name(enum license_source source);

struct ledger_request {
        const struct certificate *certificate;
        const char *firmware_id;
        const char *type; /* of the license: "SFI", "SFIA", "SMU", "SSP" */
        const char *order;
        const char *site;
};

struct ledger_license {
        int64_t id;
        enum license_source source;
        bool was_in_hand;              /* nobody was asked for it now */
        uint8_t bytes[LICENSE_LENGTH]; /* the owner wipes it */
};

/* A license in hand for this chip, firmware and type: 1 and the license, 0 none. */
int ledger_find(struct ledger *ledger, const struct ledger_request *request,
                struct ledger_license *ret_license) MUST_USE;

/* Before a card is asked: `card` is its serial, `counter` what it showed last. Before a server is
 * asked: NULL, 0; should an earlier question to it be open for this request, that one is taken up
 * again, so that a broken connection never makes two of one.
 *      -FAULT_DUPLICATE  there is one in hand */
int ledger_intend(struct ledger *ledger, const struct ledger_request *request, const char *card,
                  uint32_t counter, int64_t *ret_id) MUST_USE;
/* A license made elsewhere, given as a file: stored at once. The same once more is allowed and
 * changes nothing (`ret_id` is the first's).
 *      -FAULT_DUPLICATE  another license is in hand for this chip, firmware and type */
int ledger_import(struct ledger *ledger, const struct ledger_request *request,
                  const uint8_t license[static LICENSE_LENGTH], int64_t *ret_id) MUST_USE;
/* The card or server answered. */
int ledger_store(struct ledger *ledger, int64_t id,
                 const uint8_t license[static LICENSE_LENGTH]) MUST_USE;
/* It refused and spent nothing. */
int ledger_cancel(struct ledger *ledger, int64_t id, const char *reason) MUST_USE;
/* Before the license goes to the target; and what the target said. */
int ledger_offer(struct ledger *ledger, int64_t id) MUST_USE;
int ledger_settle(struct ledger *ledger, int64_t id, bool is_installed,
                  const char *reason) MUST_USE;

/* A card is in (at start, at insertion, after an error): compare its counter with the ledger. Open
 * intents of that card are closed as cancelled or, where the counter has gone down for them, lost.
 * A difference no intent explains is counted as lost outside (spent by another program).
 * `ret_sentence` (may be empty) names what was found: the first lost one in full, of more their
 * number; each has an event of its own (ledger_listen).
 *      -FAULT_CARD_STATE  not the card that was first seen with this serial: it holds another
 *                         firmware identifier or type, or its counter went up; nothing is changed */
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

/* One license as it stands, for lists and receipts. Texts are borrowed for the call, "" unknown. */
struct ledger_entry {
        int64_t id;
        uint32_t count; /* above 1: licenses spent outside the station */
        const char *state, *source, *type, *firmware_id, *order, *site, *card, *reason;
        const char *fingerprint; /* of the certificate */
        const char *digest;      /* its SHA-256, 64 hexadecimal digits */
        uint32_t counter;        /* of the card, before */
        uint64_t intended_us, stored_us, offered_us, settled_us; /* 0: not */
};

/* Each license of one order (NULL: all), oldest first. `each` runs on the store's thread and must
 * not wait; a fault of it ends the walk and is returned. */
int ledger_walk(struct ledger *ledger, const char *order,
                int (*each)(const struct ledger_entry *entry, void *context),
                void *context) MUST_USE;

struct ledger_card {
        const char *serial, *type, *firmware_id;
        uint32_t maximum, first_counter, last_counter;
        uint64_t first_seen_us, last_seen_us;
};
int ledger_walk_cards(struct ledger *ledger,
                      int (*each)(const struct ledger_card *card, void *context),
                      void *context) MUST_USE;
