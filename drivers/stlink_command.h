/*
 * stlink_command.h - one command to the probe, its status, and how often it is repeated.
 *
 * For stlink.c and stlink_memory.c only. Both calls wait.
 */
#pragma once

#include "drivers/stlink.h"

/* A command of class S, R or W (stlink.md 3.2). */
struct stlink_command {
        struct wire_exchange exchange;
        const char *name; /* "READMEM_32BIT", for the sentence */
        bool is_bulk;     /* class R or W: its status is asked for afterwards */
        bool has_address; /* of the target, for the sentence */
        uint32_t address;
};

/* Class Q and N: no status. A query that got no answer is asked once more after a resync. */
int stlink_query(struct stlink *stlink, const struct wire_exchange *exchange) MUST_USE;

/* Class S, R, W: repeated as its status asks (stlink.md 10, 11 Q9), command, data and status as a
 * whole. For class S the reply lies in exchange.in, status first. */
int stlink_perform(struct stlink *stlink, struct stlink_command *command) MUST_USE;

/* How long to wait for `length` bytes of data at the clock in force (stlink.md 3.4). */
unsigned stlink_timeout_ms(const struct stlink *stlink, size_t length);
