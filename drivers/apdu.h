/*
 * apdu.h - the bytes said to an STM32HSM card and the bytes it answers; nothing here waits.
 *
 * The command set is hsm.h's; a card profile gives class, instructions and AID. Answers come from
 * outside: every one is checked whole before a field of it is believed.
 */
#pragma once

#include "drivers/hsm.h"

struct apdu {
        uint8_t bytes[APDU_MAX];
        size_t length;
};

struct apdu apdu_select(const struct card_profile *profile);
struct apdu apdu_info(const struct card_profile *profile);
struct apdu apdu_license(const struct card_profile *profile,
                         const uint8_t certificate[static CERTIFICATE_LENGTH]);

/* Holds key and nonce: the caller wipes it. */
void apdu_personalize(const struct card_profile *profile, const struct hsm_program *program,
                      struct apdu *ret_apdu);

/* SELECT's answer.
 *      -FAULT_CARD_REFUSED  not our card */
int apdu_parse_select(const uint8_t *answer, size_t length) MUST_USE;

/* INFO's answer: texts are printable ASCII padded with zeros, the counter is not above its maximum.
 *      -FAULT_CARD_REFUSED  by its status
 *      -FAULT_CARD_DEAD     not an answer to INFO; the sentence says what was wrong with it */
int apdu_parse_info(const uint8_t *answer, size_t length, struct hsm_info *ret_info) MUST_USE;

/* LICENSE's answer. The caller wipes `answer` too.
 *      -FAULT_CARD_EMPTY, -FAULT_CARD_STATE, -FAULT_CARD_REFUSED  nothing was spent
 *      -FAULT_CARD_DEAD  a license may have been spent: memory failure, unknown status, wrong
 *                        length */
int apdu_parse_license(const uint8_t *answer, size_t length,
                       uint8_t ret_license[static LICENSE_LENGTH]) MUST_USE;

/* PERSONALIZE's answer.
 *      -FAULT_CARD_STATE    the card is locked; nothing was burned
 *      -FAULT_CARD_REFUSED  data, ceiling, length; nothing was burned
 *      -FAULT_CARD_DEAD     it may have been burned */
int apdu_parse_personalize(const uint8_t *answer, size_t length) MUST_USE;
