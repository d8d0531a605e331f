/*
 * card.h - an STM32HSM card made of memory, speaking the reference command set (hsm.h).
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
        char type[5];                               /* "" is "SFI" */
        struct hsm_personalization personalization; /* of version 2 */

        unsigned license_ms_low, license_ms_high;
        double speed;
        uint64_t seed; /* of durations and ephemeral keys */
};
struct simulated_card *simulated_card_create(const struct card_settings *settings);
struct simulated_card *simulated_card_destroy(struct simulated_card *card);

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
