/*
 * apdu.h - the bytes said to a card and the bytes it answers, by its profile; nothing here waits.
 *
 * Answers come from outside: every one is checked whole - status, length, each field - before a
 * field of it is believed.
 */
#pragma once

#include "drivers/hsm.h"

struct apdu {
        uint8_t bytes[APDU_MAX];
        size_t length;
};

/* What the station puts into templates. Borrowed. */
struct apdu_values {
        const uint8_t *certificate;        /* LICENSE: CERTIFICATE_LENGTH bytes */
        const struct hsm_program *program; /* PERSONALIZE */
};

/* What answers told. The owner wipes it: it may hold a license. */
struct apdu_facts {
        struct hsm_info info;
        bool is_blank; /* an exchange of INFO said that a blank card has none of its facts */
        uint8_t license[LICENSE_LENGTH];
};

/* The exchanges of a command in this profile; 0: it has none. */
unsigned apdu_count(const struct card_profile *profile, enum card_command command);
unsigned apdu_timeout_ms(const struct card_profile *profile, enum card_command command,
                         unsigned number);

/* false: all that the exchange would send is in [ ] and the program has no personalization. */
bool apdu_is_wanted(const struct card_profile *profile, enum card_command command, unsigned number,
                    const struct apdu_values *values);

/* The command of exchange `number`, from 0. `values` may be NULL where the command takes none. It
 * may hold key and nonce: the caller wipes it. */
void apdu_build(const struct card_profile *profile, enum card_command command, unsigned number,
                const struct apdu_values *values, struct apdu *ret_apdu);

/* The answer to exchange `number`, status last; its fields go to `facts`, all or none. The caller
 * wipes `answer` too. From the second exchange of LICENSE and PERSONALIZE on, the profile's table for
 * all commands promises nothing: the first may have done it.
 *      -FAULT_CARD_EMPTY, -FAULT_CARD_STATE, -FAULT_CARD_REFUSED
 *                       by its status: LICENSE spent and PERSONALIZE burned nothing
 *      -FAULT_CARD_DEAD a status that says nothing sure, another length, or not well formed: the
 *                       sentence says what; a license may have been spent, a card burned */
int apdu_read(const struct card_profile *profile, enum card_command command, unsigned number,
              const uint8_t *answer, size_t length, struct apdu_facts *facts) MUST_USE;

/* After the last exchange of INFO: do its facts agree?
 *      -FAULT_CARD_DEAD  a counter above its maximum, operational without a firmware identifier, or
 *                        with facts that only a blank card lacks */
int apdu_check_info(const struct card_profile *profile, const struct apdu_facts *facts) MUST_USE;
