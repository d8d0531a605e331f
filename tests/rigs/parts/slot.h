/*
 * slot.h - a reference card in the slot of a rig's reader, and how it is taken away.
 *
 * Passive: vpcd_card.c and ccid.c ask what becomes of an APDU and take the time themselves. A yank is armed
 * beforehand and happens at the next license, at the byte that was named:
 *      command N   N bytes of the command have reached the card: it has done nothing
 *      work        the command is complete, the answer not yet there: the license is spent
 *      answer N    N bytes of the answer have left: all of them, and the license has arrived
 * What a test says in words (slot_tell):
 *      out, in                    the card, by hand
 *      yank command N, yank work, yank answer N
 *      kill                       no answer to anything any more, nor to a reset
 *      counter N                  set its counter
 *      spent                      licenses its counter went down for since the start
 */
#pragma once

#include "drivers/hsm.h"

enum yank { YANK_NONE, YANK_COMMAND, YANK_WORK, YANK_ANSWER };

struct simulated_card;
struct slot {
        const struct card_profile *profile;
        struct simulated_card *card;
        uint64_t serial;
        double speed;
        uint32_t counter, spent;
        bool is_in, is_dead, is_blank;
        enum yank yank;
        size_t yank_at;
};

/* Card `serial` with `count` licenses for TEST_1, in the slot; 0: a blank one of version 2. Durations times
 * `speed`. The profile is borrowed. */
void slot_make(struct slot *slot, const struct card_profile *profile, uint64_t serial,
               uint32_t count, double speed);

/* How much of a command of `length` bytes the card gets to see: less than that, and it is out then. */
size_t slot_command_reaches(const struct slot *slot, size_t length);

struct slot_exchange {
        uint8_t answer[APDU_ANSWER_MAX];
        size_t length;        /* of what comes of it; 0: nothing */
        uint64_t duration_ns; /* until the answer comes, or the card goes */
        bool is_pulled;       /* afterwards the card is out: the caller says slot_pull() then */
        bool is_whole;        /* the answer has come to its end */
};
void slot_begin(struct slot *slot, const uint8_t *apdu, size_t length,
                struct slot_exchange *ret_exchange);

void slot_pull(struct slot *slot);
void slot_reset(struct slot *slot); /* a new power-up */

/* A number that was asked for, 0 for done, -1: not understood. */
int slot_tell(struct slot *slot, const char *words);
