/*
 * claims.h - what a station owes its licenses, whatever happens to cards and readers: one list, for every rig.
 *
 * A rig is some readers with reference cards in them, and somebody who pulls them: the bench made of memory,
 * vsmartcard (rig E), CCID readers (rig F). Prints TAP. Call on a fiber.
 */
#pragma once

#include "drivers/hsm.h"

struct card_rig {
        const char *name;
        unsigned count; /* readers, at least 8; the card in the first has one license */
        const struct card_profile *profile;

        int (*open)(unsigned index, struct reader **ret_reader);
        /* Words of slot.h; "unplug", "plug" and the words of ccid.c where it can. */
        int (*tell)(unsigned index, const char *words);
        bool can_unplug;
        void (*restart)(void);  /* pcscd; NULL: there is none */
        const char *dead_words; /* in the sentence about a card that fell silent */
};

void claims_run(const struct card_rig *rig);

/* One claim, one line. `result` is shown when the claim is false. */
void claim(bool is_true, const char *what, int result);
unsigned claims_failed(void);
