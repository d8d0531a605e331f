/*
 * wire.c - the seam itself: every call goes to the implementation behind the wire or bus.
 *
 * What is said here holds for all implementations: one data phase at most, never an empty one
 * (stlink.md 3.1 rules 2 and 4: V3 firmware wants a non-empty phase, a 0-byte transfer breaks the
 * link), and a timeout that is never zero. The flight recorder listens here, so it hears all of them.
 */
#include "drivers/wire.h"

#include "drivers/recorder.h"
#include "scheduler/loop.h"

#define TIMEOUT_DEFAULT_MS 6000u /* stlink.md 3.4: an xHCI host may stall a bus for 5 s */

int wire_exchange(struct wire *wire, const struct wire_exchange *exchange)
{
        struct wire_exchange whole = *exchange;
        uint64_t submitted_ns;
        int r;

        INSIST(!whole.out_length || !whole.in_length);
        INSIST(whole.out_length <= WIRE_DATA_MAX && whole.in_length <= WIRE_DATA_MAX);
        if (!whole.timeout_ms)
                whole.timeout_ms = TIMEOUT_DEFAULT_MS;
        if (!wire->recorder)
                return wire->operations->exchange(wire, &whole);
        submitted_ns = clock_now_ns();
        r = wire->operations->exchange(wire, &whole);
        recorder_exchange(wire->recorder, wire, &whole, submitted_ns, r);
        return r;
}

int wire_resync(struct wire *wire)
{
        int r = wire->operations->resync(wire);

        recorder_say(wire->recorder, "resync: %s", r < 0 ? fault_name(r) : "done");
        return r;
}

int wire_reset(struct wire *wire)
{
        int r = wire->operations->reset(wire);

        recorder_say(wire->recorder, "reset: %s", r < 0 ? fault_name(r) : "done");
        return r;
}

void wire_record(struct wire *wire, struct recorder *recorder)
{
        wire->recorder = recorder;
}

void wire_conceal(struct wire *wire, bool is_secret)
{
        wire->is_secret = is_secret;
}

struct wire *wire_close(struct wire *wire)
{
        if (wire)
                wire->operations->close(wire);
        return NULL;
}

const struct wire_identity *wire_identity(const struct wire *wire)
{
        return &wire->identity;
}

int bus_open(struct bus *bus, const char *path, struct wire **ret_wire)
{
        return bus->operations->open(bus, path, ret_wire);
}

int bus_wait(struct bus *bus, const char *path, uint64_t timeout_ns)
{
        return bus->operations->wait(bus, path, timeout_ns);
}

int bus_list(struct bus *bus, struct wire_identity *identities, size_t capacity)
{
        return bus->operations->list(bus, identities, capacity);
}

struct bus *bus_close(struct bus *bus)
{
        if (bus)
                bus->operations->close(bus);
        return NULL;
}
