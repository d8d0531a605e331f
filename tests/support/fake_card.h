/*
 * fake_card.h - a reader and card of a few lines, told what to do wrong and when.
 *
 * It speaks the reference command set (drivers/hsm.h) so that the code above the reader seam can be
 * brought into any trouble at an exact place. The simulator's card is drivers/simulated/card.h.
 */
#pragma once

#include "drivers/hsm.h"
#include "scheduler/fiber.h"

/* What happens at the LICENSE command with this number (from 1). */
enum fake_trouble {
        FAKE_GOOD,
        FAKE_SILENT_BEFORE, /* dead for good, nothing spent */
        FAKE_SILENT_AFTER,  /* dead for good, the counter has gone down */
        FAKE_HANGS,         /* no answer ever, until cancelled; the counter has gone down */
        FAKE_STATUS,        /* answers `status`, nothing spent */
        FAKE_GARBAGE,       /* a license record with a wrong type; spent */
        FAKE_SHORT,         /* a byte less than a license; spent */
        FAKE_OTHER_TYPE,    /* a license of type SSP; spent */
        FAKE_SLOW,          /* four times as long */
};

struct fake_card {
        struct reader reader; /* first */
        struct {
                uint8_t atr[ATR_MAX];
                size_t atr_length;
        } profile;         /* what it is, whatever it is spoken to with */
        uint32_t *counter; /* borrowed; may lie in a shared mapping */
        uint32_t maximum;
        uint64_t serial;
        char type[5], firmware_id[33];
        uint8_t state;
        uint64_t license_ns, info_ns;
        bool is_absent, is_dead;

        enum fake_trouble trouble;
        unsigned trouble_at; /* LICENSE number, 0 never */
        bool is_always;      /* the trouble comes every time */
        uint16_t status;
        uint16_t burn_status; /* of PERSONALIZE: 0 good, 1 silent for good, else this one */

        unsigned licenses, connects, others, burns; /* commands met */
        bool is_connected;
        unsigned closed;
        struct waitlist insertion;

        uint32_t own_counter;
};

/* An operational SFI card with `count` licenses for "TEST_1"; a license takes 1.5 s. */
void fake_card_init(struct fake_card *card, uint64_t serial, uint32_t count);

void fake_card_pull(struct fake_card *card);
void fake_card_insert(struct fake_card *card);

/* The profile of every fake card. */
const struct card_profile *fake_profile(void);

/* A well-formed certificate of chip `number`, 1 .. 65535. */
void fake_certificate(unsigned number, struct certificate *ret_certificate);
