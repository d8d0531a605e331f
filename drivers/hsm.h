/*
 * hsm.h - what is said to an STM32HSM card: who are you, how many are left, take these secrets for
 * good, give me a license.
 *
 * The APDUs of the real card are not public: a card profile (configs/cards/NAME.conf) holds AID,
 * instruction bytes and time limits. `reference` is our own command set:
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
 *                6D00 unknown instruction; 6700 wrong length; 6581 memory failure
 *
 * The reference command set carries the key record in the clear: only the simulator's card speaks
 * it. ST's tool encrypts it on its way to the chip (AN5054 section 3.1.2).
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
#include "drivers/rss.h"

#define CARD_TYPES_MAX    8u
#define CARD_PRODUCTS_MAX 16u
#define FIRMWARE_ID_MAX   32u

enum hsm_state { HSM_STATE_ST, HSM_STATE_OEM, HSM_STATE_OPERATIONAL, HSM_STATE_UNKNOWN };

/* The most licenses a card of this type can be given. */
struct card_ceiling {
        char type[5]; /* "SFI" */
        uint32_t maximum;
};

struct card_profile {
        char name[32];
        enum profile_source source;
        char gap[160];
        uint8_t atr[ATR_MAX];
        size_t atr_length;
        uint8_t aid[16];
        size_t aid_length;
        uint8_t class_byte, instruction_info, instruction_license;
        unsigned timeout_ms;
        /* The rest may be absent from a profile: such cards are read, not programmed. */
        bool can_personalize;
        uint8_t instruction_personalize;
        struct card_ceiling ceilings[CARD_TYPES_MAX];
        size_t ceiling_count;
        char version_1_products[CARD_PRODUCTS_MAX][PRODUCT_ID_LENGTH + 1];
        size_t version_1_count; /* 0: not known, nothing is refused for it */
};

struct hsm_info {
        enum hsm_state state;
        unsigned version; /* 1 or 2 */
        uint32_t counter; /* licenses left */
        uint32_t maximum;
        char type[5]; /* "SFI" */
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

/* -FAULT_BAD_FILE (waits) */
int card_profile_load(const char *path, struct card_profile *ret_profile) MUST_USE;

/* Connect and select (waits).
 *      -FAULT_TIMEOUT without a card; -FAULT_REFERENCE_ONLY other ATR; -FAULT_CARD_REFUSED */
int hsm_open(struct reader *reader, const struct card_profile *profile,
             uint64_t timeout_ns) MUST_USE;

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
