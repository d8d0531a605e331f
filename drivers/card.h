/*
 * card.h - APDUs to the card in one reader.
 *
 * drivers/pcsc.c implements it with PC/SC, one thread a reader; drivers/simulated/card.c with a
 * card made of memory. One reader belongs to one fiber. Calls marked (waits) suspend it.
 *      -FAULT_NO_CARD     the card was taken out, the reader unplugged, or pcscd has gone
 *      -FAULT_CARD_DEAD   no answer, or a protocol error the reader reported
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define APDU_MAX        261u /* short APDU: header 4, Lc 1, data 255, Le 1 */
#define APDU_ANSWER_MAX 258u /* data 256, status 2 */
#define ATR_MAX         33u

struct reader;

/* Wait for a card and open a session on it, exclusively (waits). Returns the ATR's length.
 *      -FAULT_TIMEOUT after `timeout_ns` without a card; -FAULT_CANCELLED */
int reader_connect(struct reader *reader, uint64_t timeout_ns,
                   uint8_t ret_atr[static ATR_MAX]) MUST_USE;

/* Send one APDU, get its answer with the two status bytes at the end (waits). Returns its length.
 */
int reader_transmit(struct reader *reader, const void *apdu, size_t length,
                    uint8_t ret_answer[static APDU_ANSWER_MAX]) MUST_USE;

/* End the session, leaving the card powered unless it is in doubt; safe without one (waits). */
void reader_disconnect(struct reader *reader);

/* As PC/SC names it, "ACS ACR39U 00 00"; "virtual card 1". */
const char *reader_name(const struct reader *reader);

/* NULL is fine; returns NULL (waits). */
struct reader *reader_close(struct reader *reader);

/* For implementations only; embedded as first member. */
struct reader {
        const struct reader_operations *operations;
        char name[128];
        bool is_simulated;
};
struct reader_operations {
        int (*connect)(struct reader *, uint64_t timeout_ns, uint8_t *ret_atr);
        int (*transmit)(struct reader *, const void *apdu, size_t length, uint8_t *ret_answer);
        void (*disconnect)(struct reader *);
        void (*close)(struct reader *);
};
