/*
 * hsm.h - what is said to an STM32HSM card: who are you, how many are left, give me a license.
 *
 * The APDUs of the real card are not public: a card profile (configs/cards/NAME.conf) holds AID,
 * instruction bytes and time limits. `reference` is our own command set:
 *
 *   SELECT     00 A4 04 00 Lc AID             9000, else not our card
 *   INFO       80 10 00 00 Le                 state(1) version(1) counter(4, big-endian)
 *                                             maximum(4) type(4, "SFI.") firmware id(32,
 * zero-padded) card serial(8) LICENSE 1  80 20 00 00 Lc certificate     136 bytes; counter goes
 * down by one before the answer status     9000 good; 6A88 counter at zero; 6985 not operational;
 * 6A80 certificate refused; 6D00 unknown instruction; 6700 wrong length; 6581 memory failure states
 * 0 ST, 1 OEM, 2 operational
 *
 * A reference profile is used only on a card whose ATR is the profile's (the simulator's card).
 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/license.h"
#include "drivers/card.h"
#include "drivers/rss.h"

enum hsm_state { HSM_STATE_ST, HSM_STATE_OEM, HSM_STATE_OPERATIONAL, HSM_STATE_UNKNOWN };

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
