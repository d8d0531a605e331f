/*
 * capture_exchange.h - the URBs of a capture put together as exchanges with a probe.
 *
 * The probe is the first device that is sent 16 bytes by bulk; other devices, and what is no bulk
 * transfer, are counted and left out. Nothing here waits.
 */
#pragma once

#include "drivers/capture.h"
#include "drivers/wire.h"

struct capture_exchange {
        uint64_t submitted_ns, completed_ns; /* calendar; completed 0: its end is not there */
        uint8_t command[WIRE_COMMAND_LENGTH];
        bool is_in;                 /* the data phase is an answer */
        uint32_t length;            /* of the data phase, 0 without one */
        const uint8_t *data;        /* borrowed from the file */
        uint32_t data_length;       /* kept */
        int32_t status;             /* of the URB that failed, 0 */
        struct piece before, after; /* comments; length 0: none */
};

struct capture_exchanges {
        struct capture_exchange *items; /* owned */
        size_t count;
        size_t others; /* packets that are no part of one */
};

/* Never fails: what cannot be understood is counted in `others`. */
void capture_exchanges(const struct capture *capture, struct capture_exchanges *ret_exchanges);
void capture_exchanges_free(struct capture_exchanges *exchanges);
