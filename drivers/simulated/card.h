/*
 * card.h - an STM32HSM card made of memory, speaking the reference command set.
 *
 *   SELECT       00 A4 04 00 Lc AID         9000, else not our card
 *   INFO         80 10 00 00 Le             54 bytes:
 *                   0  1 state   0 ST, 1 OEM (blank), 2 operational
 *                   1  1 version, 1 or 2
 *                   2  4 counter, big-endian; 0 while blank
 *                   6  4 maximum; 0 while blank
 *                  10  4 type, "SFI."
 *                  14 32 firmware id, padded with zeros; none while blank
 *                  46  8 card serial
 *   LICENSE      80 20 00 00 Lc certificate Le
 *                136 bytes; the counter goes down by one before the answer
 *   PERSONALIZE  80 30 00 00 Lc data        once in a card's life (AN5054 section 4.3.5):
 *                   0 16 IV, last 4 bytes zero (AN5054 section 3.1.2)
 *                  16 16 key
 *                  32  4 maximum, big-endian; becomes the counter
 *                  36 32 firmware id, padded with zeros
 *                and for version 2, which version 1 ignores:
 *                  68  8 product id   76  4 flow, "SFI."
 *                  80  4 license version   84  4 security version, big-endian
 *                On 9000 the card is operational; on any other end it is blank as before, or
 *                operational with all of it when the answer was lost.
 *   status       9000 good
 *                6A88 counter at zero
 *                6985 LICENSE: not operational; PERSONALIZE: the card is locked
 *                6A80 certificate or data refused; certificate of a product the card is not for
 *                6A84 PERSONALIZE: more licenses than the card's ceiling
 *                6A82 no such application; 6A86 P1, P2; 6D00 unknown instruction; 6E00 unknown
 *                class; 6700 wrong length; 6581 memory failure
 *
 * It carries the key record in the clear, which ST's tool encrypts on its way to the chip (AN5054
 * section 3.1.2). configs/cards/reference.conf says the same as a profile.
 *
 * Passive: APDU in, answer and duration out. The counter is one word, taken down before the answer
 * exists, as on a real card: whoever is gone by then has lost the license. PERSONALIZE writes all
 * its fields first and the state last, so a card that loses power on the way is still blank.
 */
#pragma once

#include "drivers/simulated/card_memory.h"

struct simulated_card;

struct card_settings {
        const struct card_profile *profile; /* borrowed */
        struct card_memory *memory;         /* borrowed; NULL: its own, made of the next part */

        uint32_t *counter; /* borrowed; may lie in a shared mapping; NULL: in the memory */
        uint32_t maximum;
        uint8_t key[16], nonce[12]; /* copied; wiped at destroy */
        char firmware_id[33];
        enum hsm_state state;
        uint64_t serial;
        unsigned version;                           /* 1 or 2; 0 is 1 */
        char type[5];                               /* "SFIA", "SMU", "SSP"; "" is "SFI" */
        struct hsm_personalization personalization; /* of version 2 */

        unsigned license_ms_low, license_ms_high;
        double speed;
        uint64_t seed; /* of durations and ephemeral keys */
};
struct simulated_card *simulated_card_create(const struct card_settings *settings);
struct simulated_card *simulated_card_destroy(struct simulated_card *card);

/* Its answer to reset; returns its length. */
int simulated_card_atr(uint8_t ret_atr[static ATR_MAX]);

/* One APDU. Returns the answer's length, or -1: dead, nothing comes. `ret_duration_ns` is how long
 * the card takes. */
int simulated_card_apdu(struct simulated_card *card, const void *apdu, size_t length,
                        uint8_t ret_answer[static APDU_ANSWER_MAX], uint64_t *ret_duration_ns);

/* Spoil it, for tests: dead for good; next license for another chip; without power in the middle of
 * the write to its memory after `writes` more, until the next reset; another state. */
void simulated_card_kill(struct simulated_card *card);
void simulated_card_mislicense(struct simulated_card *card);
void simulated_card_cut(struct simulated_card *card, unsigned writes);
void simulated_card_set_state(struct simulated_card *card, enum hsm_state state);
unsigned simulated_card_apdus(const struct simulated_card *card); /* LICENSE commands so far */
