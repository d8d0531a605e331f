/*
 * recorder.c - into the ring: one entry an exchange, the oldest making room.
 */
#include "drivers/recorder.h"

#include "drivers/recorder_private.h"
#include "scheduler/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX    256u
#define UNIFORM_MIN 64u /* shorter data phases are copied without a look */
#define VALUE_FROM  6u  /* of a command: values of single writes stand there (stlink.md 7.4, 8) */

struct recorder *recorder_create(enum recorder_size size)
{
        struct recorder *recorder = calloc(1, sizeof(*recorder));

        INSIST(recorder);
        recorder->capacity = size == RECORDER_WHOLE ? 16u << 20 : 1u << 20;
        recorder->snap = size == RECORDER_WHOLE ? WIRE_DATA_MAX : 256;
        recorder->buffer = malloc(recorder->capacity);
        INSIST(recorder->buffer);
        return recorder;
}

struct recorder *recorder_destroy(struct recorder *recorder)
{
        if (recorder)
                free(recorder->buffer);
        free(recorder);
        return NULL;
}

void recorder_begin(struct recorder *recorder)
{
        if (!recorder)
                return;
        recorder->head = recorder->tail = recorder->dropped = 0;
}

static void drop_oldest(struct recorder *recorder)
{
        const struct entry *entry = recorder_entry(recorder, recorder->tail);

        recorder->dropped += entry->kind == ENTRY_EXCHANGE;
        recorder->tail += entry->size;
}

static void make_room(struct recorder *recorder, size_t size)
{
        INSIST(size <= recorder->capacity);
        while (recorder->head - recorder->tail + size > recorder->capacity)
                drop_oldest(recorder);
}

/* An entry with room for `kept` bytes behind it, all of its fields zero but the size. */
static struct entry *place(struct recorder *recorder, enum entry_kind kind, size_t kept)
{
        size_t size = (sizeof(struct entry) + kept + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
        size_t to_end = recorder->capacity - recorder->head % recorder->capacity;
        struct entry *entry;

        if (size > to_end) {
                make_room(recorder, to_end);
                entry = recorder_entry(recorder, recorder->head);
                entry->size = (uint32_t)to_end;
                entry->kind = ENTRY_SKIP;
                recorder->head += to_end;
        }
        make_room(recorder, size);
        entry = recorder_entry(recorder, recorder->head);
        *entry = (struct entry){ .size = (uint32_t)size, .kind = (uint8_t)kind };
        recorder->head += size;
        return entry;
}

static void put_text(struct recorder *recorder, enum entry_kind kind, const char *text)
{
        size_t length = strnlen(text, TEXT_MAX - 1);
        struct entry *entry = place(recorder, kind, length);

        entry->length = entry->kept = (uint32_t)length;
        memcpy(entry->data, text, length);
}

void recorder_say(struct recorder *recorder, const char *format, ...)
{
        char text[TEXT_MAX];
        va_list arguments;

        if (!recorder)
                return;
        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        put_text(recorder, ENTRY_TEXT, text);
}

static bool is_uniform(const uint8_t *data, size_t length)
{
        return length >= UNIFORM_MIN && memcmp(data, data + 1, length - 1) == 0;
}

/* The data phase as it may be kept: NULL and uniform where zeros stand for it. */
struct kept {
        const uint8_t *data;
        uint32_t length, kept;
        bool is_uniform;
};

static struct kept look_at(const struct recorder *recorder, const struct wire_exchange *exchange,
                           bool is_secret, int result)
{
        struct kept kept = { .data = exchange->out_length ? exchange->out : exchange->in,
                             .length = (uint32_t)(exchange->out_length + exchange->in_length) };

        if (!exchange->out_length && result < 0) {
                kept.data = NULL; /* an answer that did not come */
        } else if (exchange->out_length && is_secret) {
                kept.data = NULL;
                kept.is_uniform = true;
        } else if (is_uniform(kept.data, kept.length)) {
                kept.is_uniform = true;
                kept.kept = 1;
        } else {
                kept.kept = kept.length < recorder->snap ? kept.length : recorder->snap;
        }
        return kept;
}

void recorder_exchange(struct recorder *recorder, const struct wire *wire,
                       const struct wire_exchange *exchange, uint64_t submitted_ns, int result)
{
        struct kept kept = look_at(recorder, exchange, wire->is_secret, result);
        struct entry *entry = place(recorder, ENTRY_EXCHANGE, kept.is_uniform ? 1 : kept.kept);

        entry->is_in = exchange->in_length > 0;
        entry->is_uniform = kept.is_uniform;
        entry->fault = (uint8_t)(result < 0 ? -result : 0);
        entry->submitted_ns = submitted_ns;
        entry->completed_ns = clock_now_ns();
        entry->length = kept.length;
        entry->kept = kept.is_uniform ? 1 : kept.kept;
        memcpy(entry->command, exchange->command, WIRE_COMMAND_LENGTH);
        if (wire->is_secret && !exchange->out_length)
                memset(entry->command + VALUE_FROM, 0, WIRE_COMMAND_LENGTH - VALUE_FROM);
        if (kept.kept)
                memcpy(entry->data, kept.data, kept.kept);
        else if (kept.is_uniform)
                entry->data[0] = 0;
        recorder->identity = wire->identity;
        if (result < 0)
                put_text(recorder, ENTRY_FAULT, fault_sentence(result));
}

/* --- faults and what the kernel says -------------------------------------------------------- */

static const struct {
        enum fault fault;
        int32_t status;
} statuses[] = {
        { FAULT_NONE, 0 },         { FAULT_UNPLUGGED, -19 }, /* ENODEV: the device was removed */
        { FAULT_TIMEOUT, -2 },     /* ENOENT: killed, as usbfs does with what is discarded */
        { FAULT_PROBE, -32 },      /* EPIPE: stalled */
        { FAULT_CANCELLED, -104 }, /* ECONNRESET: unlinked */
        { FAULT_SYSTEM, -71 },     /* EPROTO; and whatever else there may be */
};

int32_t recorder_status_of(int result)
{
        for (size_t i = 0; i < LENGTH_OF(statuses); i++)
                if (result >= 0 || statuses[i].fault == (enum fault) - result)
                        return statuses[i].status;
        return -71;
}

enum fault recorder_fault_of(int32_t status)
{
        for (size_t i = 0; i < LENGTH_OF(statuses); i++)
                if (statuses[i].status == status)
                        return statuses[i].fault;
        return FAULT_SYSTEM;
}
