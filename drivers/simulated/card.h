/*
 * card.h - an STM32HSM card made of memory, speaking the reference command set (hsm.h).
 *
 * Passive: APDU in, answer and duration out. The counter is one word, taken down before the answer
 * exists, as on a real card: whoever is gone by then has lost the license.
 */
#pragma once

#include "drivers/hsm.h"

struct simulated_card;

struct card_settings {
        const struct card_profile *profile; /* borrowed */
        uint32_t *counter;                  /* borrowed; may lie in a shared mapping */
        uint32_t maximum;
        uint8_t key[16], nonce[12]; /* copied; wiped at destroy */
        char firmware_id[33];
        enum hsm_state state;
        uint64_t serial;
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

/* Spoil it, for tests: dead for good; next license for another chip; stop after so many APDUs. */
void simulated_card_kill(struct simulated_card *card);
void simulated_card_mislicense(struct simulated_card *card);
void simulated_card_set_state(struct simulated_card *card, enum hsm_state state);
unsigned simulated_card_apdus(const struct simulated_card *card); /* LICENSE commands so far */
