/*
 * script.h - a wire that plays a script: what the probe must be told, byte for byte, and what it
 * answers. Written as in spec/stlink.md section 17: hexadecimal, commands padded with zeros.
 */
#pragma once

#include "tests/support/test.h"

#include "drivers/stlink.h"
#include "scheduler/bytes.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct step {
        const char *command; /* "F2 30 A3" */
        const char *out;     /* data that must follow; NULL: none */
        const char *in;      /* the answer; NULL: none is asked for */
        size_t length;       /* of `out` or `in`, where the text is its beginning; rest zero */
        int fault;           /* the exchange fails with this instead */
};

struct script {
        struct wire wire; /* first */
        const struct step *steps;
        size_t count, at;
        unsigned resyncs, resets, closes;
        unsigned timeout_ms; /* of the last exchange */
        int resync_fault;
};

static inline size_t script_bytes(const char *text, uint8_t *bytes, size_t capacity)
{
        size_t length = 0;

        for (; text && *text; text++) {
                char pair[3] = { text[0], text[1], '\0' };

                if (isspace((unsigned char)*text))
                        continue;
                assert_true(length < capacity);
                assert_true(hex_decode(pair, &bytes[length], 1));
                length++;
                text++;
        }
        return length;
}

static inline void script_expect(const struct script *script, const char *what, const void *found,
                                 size_t found_length, const void *wanted, size_t wanted_length)
{
        if (found_length == wanted_length && memcmp(found, wanted, wanted_length) == 0)
                return;
        printf("# step %zu: %s: %zu bytes", script->at + 1, what, found_length);
        for (size_t i = 0; i < found_length && i < 32; i++)
                printf(" %02X", ((const uint8_t *)found)[i]);
        printf(", expected %zu bytes", wanted_length);
        for (size_t i = 0; i < wanted_length && i < 32; i++)
                printf(" %02X", ((const uint8_t *)wanted)[i]);
        printf("\n");
        fail();
}

static inline int script_exchange(struct wire *wire, const struct wire_exchange *exchange)
{
        struct script *script = CONTAINER_OF(wire, struct script, wire);
        const struct step *step = &script->steps[script->at];
        static uint8_t data[WIRE_DATA_MAX];
        uint8_t command[WIRE_COMMAND_LENGTH] = { 0 };
        size_t length;

        if (script->at == script->count) {
                printf("# after the script: command %02X %02X\n", exchange->command[0],
                       exchange->command[1]);
                fail();
        }
        script->timeout_ms = exchange->timeout_ms;
        script_bytes(step->command, command, sizeof(command));
        script_expect(script, "command", exchange->command, sizeof(command), command,
                      sizeof(command));
        memset(data, 0, sizeof(data));
        length = script_bytes(step->out ? step->out : step->in, data, sizeof(data));
        if (step->length)
                length = step->length;
        if (step->out)
                script_expect(script, "data", exchange->out, exchange->out_length, data, length);
        else
                assert_int_equal(exchange->out_length, 0);
        if (!step->fault && exchange->in_length != (step->in ? length : 0)) {
                printf("# step %zu: %zu bytes asked for, the script has %zu\n", script->at + 1,
                       exchange->in_length, length);
                fail();
        }
        script->at++;
        if (step->fault)
                return fault((enum fault) - step->fault, "the script says so");
        if (step->in)
                memcpy(exchange->in, data, length);
        return 0;
}

static inline int script_resync(struct wire *wire)
{
        struct script *script = CONTAINER_OF(wire, struct script, wire);

        script->resyncs++;
        return script->resync_fault ? fault((enum fault) - script->resync_fault, "resync") : 0;
}

static inline int script_reset(struct wire *wire)
{
        CONTAINER_OF(wire, struct script, wire)->resets++;
        return 0;
}

static inline void script_close(struct wire *wire)
{
        CONTAINER_OF(wire, struct script, wire)->closes++;
}

static const struct wire_operations script_operations = {
        .exchange = script_exchange,
        .resync = script_resync,
        .reset = script_reset,
        .close = script_close,
};

#define SCRIPT(product_, steps_)                                                                   \
        {                                                                                          \
                .wire = { .operations = &script_operations,                                        \
                          .identity = { .product = product_, .path = "1-4" } },                    \
                .steps = steps_, .count = LENGTH_OF(steps_)                                        \
        }

static inline void script_finished(const struct script *script)
{
        assert_int_equal(script->at, script->count);
}

static inline int run(int (*procedure)(void *), void *subject)
{
        return test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, subject);
}

/* A probe past its opening: V3J15 in debug mode. */
static inline struct stlink opened(struct script *script)
{
        return (struct stlink){ .wire = &script->wire,
                                .version = { .major = 3, .jtag = 15 },
                                .has_csw = true,
                                .has_init_ap = true,
                                .has_frequency_list = true,
                                .clock_khz = 8000,
                                .is_debugging = true };
}
