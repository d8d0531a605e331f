/*
 * recorder_private.h - the ring, for recorder.c and recorder_export.c.
 *
 * Offsets only grow; the place in the buffer is the offset modulo its capacity. An entry never
 * wraps: what is left before the end of the buffer is filled with an ENTRY_SKIP.
 */
#pragma once

#include "drivers/recorder.h"

#define ENTRY_ALIGN 8u

enum entry_kind {
        ENTRY_SKIP,     /* `size` and `kind` only */
        ENTRY_EXCHANGE, /* data phase behind it */
        ENTRY_TEXT,     /* about what follows */
        ENTRY_FAULT,    /* the sentence of the exchange before it */
};

struct entry {
        uint32_t size; /* with what follows it, a multiple of ENTRY_ALIGN */
        uint8_t kind;
        bool is_in;      /* the data phase is an answer */
        bool is_uniform; /* one byte kept stands for all */
        uint8_t fault;   /* 0: good */
        uint64_t submitted_ns, completed_ns;
        uint32_t length, kept; /* of the data phase, or of the text */
        uint8_t command[WIRE_COMMAND_LENGTH];
        uint8_t data[];
};

struct recorder {
        uint8_t *buffer;
        size_t capacity;
        uint32_t snap;
        uint64_t head, tail; /* where the next goes, where the oldest is */
        uint64_t dropped;    /* exchanges overwritten since recorder_begin */
        struct wire_identity identity;
};

static inline struct entry *recorder_entry(const struct recorder *recorder, uint64_t offset)
{
        return (struct entry *)(void *)(recorder->buffer + offset % recorder->capacity);
}
