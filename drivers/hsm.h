/*
 * hsm.h - what is said to an STM32HSM card: who are you, how many are left, take these secrets for
 * good, give me a license.
 *
 * The APDUs of the real card are not public. What is said and how answers are read is data, a card
 * profile (configs/cards/NAME.conf, drivers/card_profile.h); `reference` is our own command set,
 * which only the simulator's card speaks (drivers/simulated/card.h).
 *
 * Version 1 issues licenses for a fixed list of products and ignores a personalization; version 2
 * needs one and issues licenses for its product only (AN5054 sections 4.3.4, 4.3.5).
 *
 * A reference profile is used only on a card whose ATR is the profile's (the simulator's card).
 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/license.h"
#include "drivers/card.h"
#include "drivers/card_profile.h"
#include "drivers/rss.h"

#define FIRMWARE_ID_MAX 32u

enum hsm_state { HSM_STATE_ST, HSM_STATE_OEM, HSM_STATE_OPERATIONAL, HSM_STATE_UNKNOWN };

struct hsm_info {
        enum hsm_state state;
        unsigned version; /* 1 or 2 */
        uint32_t counter; /* licenses left */
        uint32_t maximum; /* 0: the profile does not tell, or the card is blank */
        char type[5];     /* "SFI", "SFIA", "SMU", "SSP" */
        char firmware_id[33];
        char serial[17]; /* hexadecimal; names the card in ledger and page */
};

/* Which product a version-2 card is for. */
struct hsm_personalization {
        char product_id[PRODUCT_ID_LENGTH + 1]; /* "49202013" */
        char flow[5];                           /* "SFIA" */
        uint32_t license_version, security_version;
};

/* All that is burned into a card. Holds secrets: the owner wipes it. */
struct hsm_program {
        uint8_t key[GCM_KEY_LENGTH], nonce[SFI_NONCE_LENGTH];
        uint32_t maximum;
        char firmware_id[FIRMWARE_ID_MAX + 1]; /* printable ASCII */
        bool is_personalized;
        struct hsm_personalization personalization;
};

/* Connect and select (waits).
 *      -FAULT_TIMEOUT without a card; -FAULT_REFERENCE_ONLY other ATR; -FAULT_CARD_REFUSED */
int hsm_open(struct reader *reader, const struct card_profile *profile,
             uint64_t timeout_ns) MUST_USE;

/* What the card tells of itself (waits). All of it was checked, or nothing is believed. What cannot
 * be known from one answer: a counter, maximum, serial or name that is another one and well formed.
 *      -FAULT_CARD_REFUSED, -FAULT_NO_CARD, -FAULT_CARD_DEAD */
int hsm_info(struct reader *reader, const struct card_profile *profile,
             struct hsm_info *ret_info) MUST_USE;

/* Spend one license on the chip of `certificate` (waits, 1-2 s on a card).
 *      -FAULT_CARD_EMPTY, -FAULT_CARD_STATE, -FAULT_CARD_REFUSED: nothing was spent
 *      -FAULT_NO_CARD, -FAULT_CARD_DEAD: it may have been; only the counter can tell */
int hsm_license(struct reader *reader, const struct card_profile *profile,
                const struct certificate *certificate,
                uint8_t ret_license[static LICENSE_LENGTH]) MUST_USE;

/* "OPERATIONAL_STATE": ST's names (CubeProgrammer_API.h). */
const char *hsm_state_name(enum hsm_state state);

/* May a card of `info` issue licenses for this product? What a version-2 card is for only the card
 * knows. Never waits.
 *      -FAULT_CARD_REFUSED  version 1 and not in its list */
int hsm_check_product(const struct card_profile *profile, const struct hsm_info *info,
                      const char *product_id) MUST_USE;

/* Can `program` be burned into the card of `info`? Never waits.
 *      -FAULT_CARD_STATE    it is locked, or not in OEM_STATE
 *      -FAULT_BAD_VALUE     above the ceiling, no personalization for version 2
 *      -FAULT_CARD_REFUSED  the profile knows no way */
int hsm_check_program(const struct card_profile *profile, const struct hsm_info *info,
                      const struct hsm_program *program) MUST_USE;

/* Burn it, once and for good (waits). hsm_check_program() was asked before.
 *      -FAULT_CARD_STATE, -FAULT_CARD_REFUSED: nothing was burned
 *      -FAULT_NO_CARD, -FAULT_CARD_DEAD: the card is blank as before or programmed whole; hsm_info
 *                                       tells which */
int hsm_personalize(struct reader *reader, const struct card_profile *profile,
                    const struct hsm_program *program) MUST_USE;
