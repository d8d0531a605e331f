/*
 * receipt.h - what a lot did with its licenses, signed, for the OEM who paid for them.
 *
 * Text that the openssl command and a POSIX shell can check (configs/examples/verify-receipt.sh).
 * One record a line:
 *
 *      <64 hexadecimal digits> <a JSON object without line ends>\n
 *
 * The digits are SHA-256, in lower case, over the digits of the line before (64 zeros for the
 * first), a space, and the JSON text. Beside the file FILE lies FILE.sig, the station's Ed25519
 * signature over the whole file, 64 bytes:
 *
 *      openssl pkeyutl -verify -pubin -inkey station.pub -rawin -in FILE -sigfile FILE.sig
 *
 * Records, by their member "record", in this order; members in the order of the writer's format:
 *
 *      receipt  the first: version, station, lot, part, order and image digest, period, public key
 *      license  one issued, or asked for, in this lot, whatever became of it
 *      stock    one issued in another lot or ahead of it, and installed in this one
 *      global   a unit that passed with a global license, which nobody counts
 *      card     each card named above: its counter when the station first and last saw it
 *      balance  the last: issued = installed + in hand + lost, good units, licenses per good unit
 *
 * A receipt holds digests of certificates; no license, key or other secret.
 */
#pragma once

#include "crypto/sign.h"
#include "scheduler/bytes.h"
#include "station/ledger.h"
#include "station/record.h"

#define RECEIPT_VERSION     1
#define RECEIPT_FILE_MAX    (256u << 20)
#define RECEIPT_LINE_MAX    4096u
#define RECEIPT_RECORDS_MAX 500000u
#define RECEIPT_CARDS_MAX   1024u

/* --- writing ------------------------------------------------------------------------------- */

struct receipt_source {
        struct store *store; /* may be a look */
        struct ledger *ledger;
        struct records *records;
        const struct sign_key *key; /* with its private half */
        const char *station;
};

/* The receipt of one lot as it stands, and its signature (waits). The text is given.
 *      -FAULT_NOT_FOUND  no such lot
 *      -FAULT_TOO_LARGE  more records than a reader takes
 *      -FAULT_STORE */
int receipt_make(const struct receipt_source *source, const char *lot, struct bytes *ret_text,
                 uint8_t ret_signature[static SIGNATURE_LENGTH]) MUST_USE;

/* The station's key: DIRECTORY/receipt.key (PKCS#8, 0600) and receipt.pub, made when neither exists
 * (waits). A key is never replaced: what is missing or does not fit is a fault with its remedy.
 *      -FAULT_NOT_FOUND  receipt.pub without its private half
 *      -FAULT_BAD_FILE   not a pair, not Ed25519, or readable by others
 *      -FAULT_SYSTEM */
int receipt_key_load(const char *directory, struct sign_key *ret_key) MUST_USE;

struct station;
struct lot;

/* Of a lot of the running station, under the station's key (waits). Faults as above. */
int receipt_of_lot(struct station *station, const struct lot *lot, struct bytes *ret_text,
                   uint8_t ret_signature[static SIGNATURE_LENGTH]) MUST_USE;

/* --- reading ------------------------------------------------------------------------------- */

struct receipt_facts {
        char station[32], lot[ORDER_ID_MAX + 1], part[64], firmware_id[33];
        char opened[25], closed[25], written[25]; /* "" not */
        uint32_t quantity, good;
        struct ledger_balance balance;
        uint32_t cancelled, stock, globals;
        unsigned records, cards;
        struct sign_key key; /* the public key it names; believe only one you have otherwise */
};

/* Chain, form, and whether the records add up to the balance; ids, cards and a card's counters stand
 * once, and no chip has two licenses of one type and firmware. Not the signature. Pure.
 * `ret_record` is always set: the record, from 1, at which it goes wrong, 0 for none.
 *      -FAULT_BAD_TAG    a record was changed, taken away or put in
 *      -FAULT_BAD_FILE   not a receipt, or beyond the limits above
 *      -FAULT_BAD_VALUE  it was written so, but does not add up */
int receipt_check(const void *text, size_t length, struct receipt_facts *ret_facts,
                  unsigned *ret_record) MUST_USE;

/* --- what both share ----------------------------------------------------------------------- */

#define RECEIPT_HASH_TEXT 65u

/* The digits that open a record's line; `previous` are those of the line before. `ret_hash` may be
 * `previous`. */
void receipt_link(const char previous[static RECEIPT_HASH_TEXT], const char *json, size_t length,
                  char ret_hash[static RECEIPT_HASH_TEXT]);

/* "1.000": licenses issued per good unit; "" without good units. Returns text. */
const char *receipt_ratio(uint32_t issued, uint32_t good, char text[static 16]);

/* Count licenses in this state, "stored" and so on, into `balance` (issued too) or
 * `ret_cancelled`; false when there is no such state. */
bool receipt_count(struct ledger_balance *balance, uint32_t *cancelled, const char *state,
                   uint32_t count);
