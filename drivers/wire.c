/*
 * wire.c - the seam itself: every call goes to the implementation behind the wire or bus.
 *
 * What is said here holds for all implementations: one data phase at most, never an empty one
 * (stlink.md 3.1 rules 2 and 4: V3 firmware wants a non-empty phase, a 0-byte transfer breaks the
 * link), and a timeout that is never zero.
 */
#include "drivers/wire.h"

#define TIMEOUT_DEFAULT_MS 6000u /* stlink.md 3.4: an xHCI host may stall a bus for 5 s */

int wire_exchange(struct wire *wire, const struct wire_exchange *exchange)
{
        struct wire_exchange whole = *exchange;

        INSIST(!whole.out_length || !whole.in_length);
        INSIST(whole.out_length <= WIRE_DATA_MAX && whole.in_length <= WIRE_DATA_MAX);
        if (!whole.timeout_ms)
                whole.timeout_ms = TIMEOUT_DEFAULT_MS;
        return wire->operations->exchange(wire, &whole);
}

int wire_resync(struct wire *wire)
{
        return wire->operations->resync(wire);
}

int wire_reset(struct wire *wire)
{
        return wire->operations->reset(wire);
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
