/*
 * A probe that answers anything. The first byte picks a whole opening (even) or a probe past it
 * (odd); then each exchange takes one byte that says how it fares and as many bytes as it asks for.
 * When the input ends the probe is unplugged. A session over it must end, and never crash.
 */
#include "tests/support/fuzz.h"

#include "drivers/stlink.h"
#include "scheduler/loop.h"

#include <string.h>

#define EXCHANGES_MAX 100000u

struct liar {
        struct wire wire; /* first */
        const uint8_t *data;
        size_t length, at;
        unsigned exchanges;
        bool is_opening;
};

static int lie(struct wire *wire, const struct wire_exchange *exchange)
{
        struct liar *liar = CONTAINER_OF(wire, struct liar, wire);
        uint8_t fate;

        INSIST(liar->exchanges++ < EXCHANGES_MAX);
        if (liar->at >= liar->length)
                return fault(FAULT_UNPLUGGED, "the input ended");
        fate = liar->data[liar->at++];
        if (fate == 0xFF)
                return fault(FAULT_TIMEOUT, "late");
        if (fate == 0xFE)
                return fault(FAULT_PROBE, "short");
        if (fate == 0xFD)
                return fault(FAULT_CANCELLED, "cancelled");
        for (size_t i = 0; i < exchange->in_length; i++)
                ((uint8_t *)exchange->in)[i] = liar->at < liar->length ? liar->data[liar->at++] : 0;
        return 0;
}

static int nothing(struct wire *wire)
{
        (void)wire;
        return 0;
}

static void closed(struct wire *wire)
{
        (void)wire;
}

static const struct wire_operations liar_operations = {
        .exchange = lie,
        .resync = nothing,
        .reset = nothing,
        .close = closed,
};

/* Every call whatever the one before has said: a result only has to be one. */
static int session(void *subject)
{
        struct liar *liar = subject;
        struct stlink stlink = { .wire = &liar->wire,
                                 .version = { .major = 3, .jtag = 15 },
                                 .has_csw = true,
                                 .has_init_ap = true,
                                 .has_frequency_list = true };
        uint8_t data[70] = { 0 };
        uint32_t value = 0, progress = 0;
        unsigned mv = 0;
        int r = liar->is_opening ? stlink_open(&liar->wire, &stlink) : 0;

        if (r < 0)
                return 0;
        INSIST(strnlen(stlink.version.text, 32) < 32);
        r = stlink_voltage_mv(&stlink, &mv);
        r = stlink_set_clock(&stlink, 8000);
        INSIST(r < 0 || (stlink.clock_khz && stlink.clock_khz <= 8000));
        r = stlink_enter(&stlink, &value);
        r = stlink_open_ap(&stlink, 0);
        r = stlink_read_dap(&stlink, 0, 0xFC, &value);
        r = stlink_read_word(&stlink, 0, 0x20000000, &value);
        r = stlink_read_memory(&stlink, 0, 0, 0x20000003, data, 67);
        r = stlink_write_memory(&stlink, 0, 0, 0x20000001, data, 70, &progress);
        INSIST(r < 0 || progress == 70);
        stlink_close(&stlink);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static struct loop *loop;
        struct loop_settings settings = { .time = LOOP_TIME_VIRTUAL, .seed = 1 };
        struct liar liar = { .wire = { .operations = &liar_operations,
                                       .identity = { .product = 0x374F, .path = "1-1" } },
                             .data = data,
                             .length = length,
                             .at = 1,
                             .is_opening = !length || data[0] % 2 == 0 };

        if (!loop) {
                int r = loop_create(&settings, &loop);

                INSIST(!r);
        }
        return loop_run(loop, "fuzz", session, &liar);
}
