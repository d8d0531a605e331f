/*
 * licenses_tally.h - the ledger added up: by card, by lot, by where licenses are from.
 */
#pragma once

#include "station/commands/books.h"

#include <stdio.h>

struct tally_card {
        char serial[17], type[5], firmware_id[33];
        uint32_t maximum, left;
        struct ledger_balance balance; /* issued: what its counter says */
        uint64_t newest_us;            /* its last license */
        uint64_t window_us;            /* when the first license of its last hour was asked for */
        uint32_t window_count;         /* licenses in it */
};

struct tally_lot {
        char order[ORDER_ID_MAX + 1]; /* "" of no lot */
        char part[64], firmware_id[33];
        uint32_t quantity, good, globals;
        uint32_t cancelled;
        struct ledger_balance balance;
};

#define TALLY_SOURCES 4u /* as enum license_source */

struct tally {
        struct tally_card *cards;
        size_t card_count, card_capacity;
        struct tally_lot *lots; /* oldest first */
        size_t lot_count, lot_capacity;
        uint32_t sources[TALLY_SOURCES]; /* issued; global: installed */
        struct ledger_balance total;
        char *lost; /* a line each, oldest first */
        bool adds_up;
};

/* Add up what is of this lot and this card (NULL: all; waits).
 *      -FAULT_NOT_FOUND  no such lot, no such card
 *      -FAULT_STORE */
int tally_take(struct books *books, const char *lot, const char *card,
               struct tally *ret_tally) MUST_USE;

/* For CLEANUP. */
void tally_release(struct tally *tally);

/* Licenses an hour over the card's last hour of work; 0: it made none. */
double tally_pace(const struct tally_card *card);
