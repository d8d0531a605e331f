/*
 * hsm_card.h - which card a command speaks to: the options that choose it, one session with it.
 *
 *      struct hsm_card card CLEANUP(hsm_card_close) = { 0 };
 *      r = hsm_card_open(&choice, &card);
 *      ... hsm_license(card.reader, &card.profile, ...) ...
 *      return hsm_card_answer("hsm license", r);
 */
#pragma once

#include "drivers/hsm.h"
#include "station/commands/options.h"

struct card_choice {
        const char *slot, *reader, *file, *profile;
};

/* Takes the programmer's words slot=N and protocol=static (secure-install.md section 14.2).
 *      -FAULT_BAD_VALUE  a protocol that nobody has */
argument_function card_choice_word;

/* Rows of a command for them. -i is the creator's spelling (AN5054 section 4.3.5). */
/* clang-format off */
#define CARD_ARGUMENTS(choice)                     \
        { "slot", "i", .text = &(choice)->slot },  \
        { "reader", .text = &(choice)->reader },   \
        { "card", .text = &(choice)->file },       \
        { "profile", .text = &(choice)->profile }, \
        { .take = card_choice_word, .context = (choice) }
/* clang-format on */

#define CARD_HELP                                                                                  \
        "  -i, --slot N        reader by number, as ST counts them from 1 (default 1)\n"           \
        "  --reader NAME       reader by its PC/SC name\n"                                         \
        "  --card FILE         a SIMULATED card in FILE (gangway hsm blank makes one)\n"           \
        "  --profile FILE      card profile (default configs/cards/reference.conf)\n"

struct hsm_card {
        struct card_profile profile;
        struct reader *reader; /* NULL: none */
        struct hsm_info info;  /* what it said when it was opened */
        bool is_simulated;     /* a file, or a card that speaks the reference command set */
};

/* Find the reader, connect, ask who it is (waits). Faults as pcsc_reader_open and hsm_open. */
int hsm_card_open(const struct card_choice *choice, struct hsm_card *ret_card) MUST_USE;

/* For CLEANUP (waits). */
void hsm_card_close(struct hsm_card *card);

/* "SIMULATED card, ..." where it is one. */
void hsm_card_mark(const struct hsm_card *card);

/* The exit code of a command: a card's refusal is the answer no, a card that does not answer is
 * unreachable. The sentence is printed here, before closing the card can leave another. */
int hsm_card_answer(const char *words, int r);
