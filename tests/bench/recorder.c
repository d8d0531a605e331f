/*
 * recorder.c - what the flight recorder adds to an exchange: the same wire with and without it, in turn.
 *
 * The wire below answers at once, so the figures are the recorder's own; an exchange over USB takes some
 * 250 us and more (stlink.md 12.1).
 */
#include "drivers/recorder.h"
#include "scheduler/loop.h"

#include <stdio.h>
#include <time.h>

#define EXCHANGES 200000u
#define ROUNDS    7u

static int at_once(struct wire *wire, const struct wire_exchange *exchange)
{
        (void)wire;
        (void)exchange;
        return 0;
}

static const struct wire_operations operations = { .exchange = at_once };

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Nanoseconds an exchange, the best of the rounds. */
static double measure(struct wire *wire, struct recorder *recorder,
                      const struct wire_exchange *exchange)
{
        double best = 1e9;

        wire_record(wire, recorder);
        for (unsigned round = 0; round < ROUNDS; round++) {
                uint64_t start_ns = now_ns();
                double each;

                for (unsigned i = 0; i < EXCHANGES; i++)
                        IGNORE(wire_exchange(wire, exchange)); /* it cannot fail */
                each = (double)(now_ns() - start_ns) / EXCHANGES;
                best = each < best ? each : best;
        }
        return best;
}

static void compare(struct wire *wire, struct recorder *recorder, const char *name,
                    const struct wire_exchange *exchange)
{
        double without = measure(wire, NULL, exchange);
        double with = measure(wire, recorder, exchange);

        printf("recorder: %-34s %6.1f ns more an exchange (%.1f without)\n", name, with - without,
               without);
}

static int run(void *subject)
{
        static uint8_t data[6144], blank[6144], reply[8];
        struct wire wire = { .operations = &operations };
        struct recorder *lately = recorder_create(RECORDER_LATELY),
                        *whole = recorder_create(RECORDER_WHOLE);
        struct wire_exchange word = { .in = reply, .in_length = sizeof(reply) };
        struct wire_exchange block = { .out = data, .out_length = sizeof(data) };
        struct wire_exchange empty = { .in = blank, .in_length = sizeof(blank) };

        (void)subject;
        for (size_t i = 0; i < sizeof(data); i++) {
                data[i] = (uint8_t)(i * 31);
                blank[i] = 0xFF;
        }
        compare(&wire, lately, "a word", &word);
        compare(&wire, lately, "6 KiB written", &block);
        compare(&wire, lately, "6 KiB of blank flash read", &empty);
        compare(&wire, whole, "6 KiB written, capture = \"all\"", &block);
        recorder_destroy(lately);
        recorder_destroy(whole);
        return 0;
}

int main(void)
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;
        int r = loop_create(&settings, &loop);

        if (r < 0) {
                fprintf(stderr, "recorder: %s\n", fault_sentence(r));
                return 1;
        }
        r = loop_run(loop, "bench", run, NULL);
        loop_destroy(loop);
        return r;
}
