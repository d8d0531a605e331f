/*
 * stlink_status.h - what the probe's status byte means and what to do about it (stlink.md 10).
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

/* May the same command be sent again? */
enum stlink_retry {
        STLINK_DONE,  /* it succeeded */
        STLINK_WAIT,  /* busy: repeat with backoff */
        STLINK_ONCE,  /* repeat once, sticky errors cleared before */
        STLINK_FEW,   /* repeat three times with backoff */
        STLINK_BUS,   /* bus fault: counts as WAIT after a WAIT (Q9), else no */
        STLINK_NEVER, /* no */
};

struct stlink_status {
        uint8_t code;
        const char *name;
        enum fault fault;
        enum stlink_retry retry;
        bool is_sticky; /* leaves sticky flags in the DP: clear them before failing */
};

/* Never NULL: codes that are in no table are "UNKNOWN_STATUS", a fault of the probe. */
const struct stlink_status *stlink_status_find(uint8_t code);
