/*
 * t0.h - one APDU over T=0, where command and answer cannot both carry data in one exchange.
 *
 * ISO/IEC 7816-3 12.2: a command with data and Le goes out without Le, the card says 61xx and the
 * answer is fetched with GET RESPONSE; 6Cxx asks for the same command with Le xx.
 */
#pragma once

#include "drivers/card.h"

/* Send `length` bytes, get the answer with its status; returns its length or a fault. `answer` has
 * APDU_ANSWER_MAX bytes. */
typedef int t0_exchange(void *context, const uint8_t *command, size_t length, uint8_t *answer);

/* The whole conversation for one APDU. Returns the answer's length.
 *      -FAULT_CARD_DEAD  it does not come to an end, or the parts are too long together */
int t0_transmit(t0_exchange *exchange, void *context, const uint8_t *apdu, size_t length,
                uint8_t ret_answer[static APDU_ANSWER_MAX]) MUST_USE;
