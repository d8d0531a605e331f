/*
 * Bus and wires of a bench: packets go straight to the probe, the caller sleeps as long as it says.
 *
 * A command, its data and its answer count as one packet each, and a cable may come out before any
 * of them or while the caller sleeps: the call then ends with -FAULT_UNPLUGGED at once, and what
 * the probe had been told by then has happened. An answer that is not fetched stays with the probe,
 * so the next exchange finds the wrong one until wire_resync() has drained it.
 */
#include "drivers/simulated/bench_private.h"

#include "drivers/wire.h"
#include "scheduler/fault.h"
#include "scheduler/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX   512u
#define DRAIN_NS     (1 * NS_PER_MS)   /* stlink.md 3.5 */
#define USB_RESET_NS (200 * NS_PER_MS) /* our estimate: re-enumeration of a V3 */

struct bench_wire {
        struct wire wire;
        struct site *site;
        bool is_gone;
        uint8_t scratch[WIRE_DATA_MAX + PACKET_MAX];
};

static struct bench_wire *wire_of(struct wire *wire)
{
        return CONTAINER_OF(wire, struct bench_wire, wire);
}

static int gone(const struct bench_wire *wire)
{
        return fault(FAULT_UNPLUGGED, "the probe at %s was unplugged", wire->wire.identity.path);
}

/* One packet passes, unless the cable comes out before it. */
static int pass_packet(struct bench_wire *wire)
{
        struct site *site = wire->site;

        if (!wire->is_gone && site->unplug_in > 0 && --site->unplug_in == 0)
                site_unplug(site);
        return wire->is_gone ? gone(wire) : 0;
}

/* Until `deadline_ns` or the cable is out. */
static int sleep_until(struct bench_wire *wire, uint64_t deadline_ns)
{
        for (;;) {
                uint64_t now_ns = clock_now_ns();
                int r;

                if (wire->is_gone)
                        return gone(wire);
                if (now_ns >= deadline_ns)
                        return 0;
                r = waitlist_wait(&wire->site->wire_changed, deadline_ns - now_ns);
                if (r == -FAULT_CANCELLED)
                        return r;
        }
}

static int stalled(struct bench_wire *wire)
{
        return fault(FAULT_PROBE, "the probe at %s stalled: it does not take that command now",
                     wire->wire.identity.path);
}

static int late(struct bench_wire *wire, const struct wire_exchange *exchange)
{
        return fault(FAULT_TIMEOUT, "the probe at %s gave no answer to %02X %02X within %u ms",
                     wire->wire.identity.path, exchange->command[0], exchange->command[1],
                     exchange->timeout_ms);
}

/* --- out ----------------------------------------------------------------------------------- */

/* Give the probe one transfer; `*time_ns` moves to when it is done with it. */
static int put(struct bench_wire *wire, uint64_t *time_ns, const void *data, size_t length)
{
        struct site *site = wire->site;
        uint64_t entered;
        int r = pass_packet(wire);

        if (r < 0)
                return r;
        entered = bench_enter();
        *time_ns = probe_out(site->probe, *time_ns, data, length);
        bench_leave(site->bench, entered);
        return probe_take_stall(site->probe) ? stalled(wire) : 0;
}

static int put_data(struct bench_wire *wire, uint64_t *time_ns,
                    const struct wire_exchange *exchange, bool is_flipped)
{
        const void *data = exchange->out;

        if (exchange->out_length == 0)
                return 0;
        if (is_flipped) {
                memcpy(wire->scratch, exchange->out, exchange->out_length);
                misfortune_flip(wire->site, wire->scratch, exchange->out_length);
                data = wire->scratch;
        }
        return put(wire, time_ns, data, exchange->out_length);
}

/* --- in ------------------------------------------------------------------------------------ */

static int take(struct bench_wire *wire, size_t wanted)
{
        size_t capacity = (wanted + PACKET_MAX - 1) / PACKET_MAX * PACKET_MAX; /* stlink.md 3.1 */
        uint64_t entered = bench_enter();
        int length = probe_in(wire->site->probe, clock_now_ns(), wire->scratch, capacity);

        bench_leave(wire->site->bench, entered);
        return length;
}

static int take_answer(struct bench_wire *wire, const struct wire_exchange *exchange,
                       enum misfortune_exchange misfortune)
{
        int length, r;

        if (exchange->in_length == 0)
                return 0;
        r = pass_packet(wire);
        if (r < 0)
                return r;
        length = take(wire, exchange->in_length);
        if (length < 0)
                return late(wire, exchange);
        if (misfortune == EXCHANGE_SHORT)
                length /= 2;
        if ((size_t)length != exchange->in_length)
                return fault(FAULT_PROBE,
                             "the probe at %s answered %d bytes to %02X %02X, expected %zu",
                             wire->wire.identity.path, length, exchange->command[0],
                             exchange->command[1], exchange->in_length);
        if (misfortune == EXCHANGE_FLIP && exchange->out_length == 0)
                misfortune_flip(wire->site, wire->scratch, exchange->in_length);
        memcpy(exchange->in, wire->scratch, exchange->in_length);
        return 0;
}

/* Nothing to fetch, or it comes after the time is up: both look the same from here. */
static int await_answer(struct bench_wire *wire, const struct wire_exchange *exchange,
                        uint64_t start_ns, uint64_t ready_ns, enum misfortune_exchange misfortune)
{
        uint64_t deadline_ns = start_ns + exchange->timeout_ms * NS_PER_MS;
        bool is_late = misfortune == EXCHANGE_LATE || ready_ns > deadline_ns;
        int r = sleep_until(wire, is_late ? deadline_ns : ready_ns);

        if (r < 0)
                return r;
        return is_late ? late(wire, exchange) : take_answer(wire, exchange, misfortune);
}

static int bench_exchange(struct wire *base, const struct wire_exchange *exchange)
{
        struct bench_wire *wire = wire_of(base);
        bool has_answer = exchange->in_length > 0, has_data = has_answer || exchange->out_length;
        enum misfortune_exchange misfortune;
        uint64_t start_ns = clock_now_ns(), time_ns = start_ns;
        int r;

        if (wire->is_gone)
                return gone(wire);
        misfortune = has_data ? misfortune_of_exchange(wire->site, has_answer) : EXCHANGE_GOOD;
        r = put(wire, &time_ns, exchange->command, WIRE_COMMAND_LENGTH);
        if (r >= 0)
                r = put_data(wire, &time_ns, exchange, misfortune == EXCHANGE_FLIP);
        if (r < 0)
                return r;
        return await_answer(wire, exchange, start_ns, time_ns, misfortune);
}

static int bench_resync(struct wire *base)
{
        struct bench_wire *wire = wire_of(base);
        int r;

        do {
                r = sleep_until(wire, clock_now_ns() + bench_scaled(wire->site->bench, DRAIN_NS));
                if (r < 0)
                        return r;
        } while (take(wire, WIRE_DATA_MAX) >= 0);
        (void)probe_take_stall(wire->site->probe); /* clears the halt */
        return 0;
}

static int bench_reset(struct wire *base)
{
        struct bench_wire *wire = wire_of(base);
        int r = pass_packet(wire);

        if (r < 0)
                return r;
        probe_power_up(wire->site->probe);
        return sleep_until(wire, clock_now_ns() + bench_scaled(wire->site->bench, USB_RESET_NS));
}

static void bench_close(struct wire *base)
{
        struct bench_wire *wire = wire_of(base);

        if (wire->site->wire == wire)
                wire->site->wire = NULL;
        wire->site->wires--;
        free(wire);
}

static const struct wire_operations operations = {
        .exchange = bench_exchange,
        .resync = bench_resync,
        .reset = bench_reset,
        .close = bench_close,
};

/* --- bus ----------------------------------------------------------------------------------- */

static void identify(const struct site *site, struct wire_identity *identity)
{
        *identity = (struct wire_identity){ .product = probe_product(site->probe),
                                            .is_simulated = true };
        snprintf(identity->serial, sizeof(identity->serial), "%s", probe_serial(site->probe));
        snprintf(identity->path, sizeof(identity->path), "sim-%u", site->number);
}

/* "sim-0" and no other spelling; NULL: no such place on this bench. */
static struct site *find_site(struct bus *bus, const char *path)
{
        struct bench *bench = CONTAINER_OF(bus, struct bench, bus);
        char name[32];

        for (unsigned i = 0; i < bench->settings.sites; i++) {
                snprintf(name, sizeof(name), "sim-%u", i);
                if (strcmp(name, path) == 0)
                        return &bench->sites[i];
        }
        return NULL;
}

static int bus_open_wire(struct bus *bus, const char *path, struct wire **ret_wire)
{
        struct site *site = find_site(bus, path);
        struct bench_wire *wire;

        if (!site || !site->is_plugged)
                return fault(FAULT_UNPLUGGED, "no probe at %s", path);
        if (site->wire)
                return fault(FAULT_PROBE_BUSY, "the probe at %s is open already", path);
        wire = calloc(1, sizeof(*wire));
        INSIST(wire);
        wire->wire.operations = &operations;
        wire->site = site;
        identify(site, &wire->wire.identity);
        site->wire = wire;
        site->wires++;
        *ret_wire = &wire->wire;
        return 0;
}

/* A path that is not on this bench is waited for like an empty port. */
static int bus_wait_plug(struct bus *bus, const char *path, uint64_t timeout_ns)
{
        struct site *site = find_site(bus, path);
        struct waitlist nobody = { 0 };

        if (site && site->is_plugged)
                return 0;
        return waitlist_wait(site ? &site->plug_changed : &nobody, timeout_ns);
}

static int bus_list_wires(struct bus *bus, struct wire_identity *identities, size_t capacity)
{
        struct bench *bench = CONTAINER_OF(bus, struct bench, bus);
        size_t count = 0;

        for (unsigned i = 0; i < bench->settings.sites && count < capacity; i++)
                if (bench->sites[i].is_plugged)
                        identify(&bench->sites[i], &identities[count++]);
        return (int)count;
}

/* The bus lives and dies with its bench. */
static void bus_close_nothing(struct bus *bus)
{
        (void)bus;
}

const struct bus_operations bench_bus_operations = {
        .open = bus_open_wire,
        .wait = bus_wait_plug,
        .list = bus_list_wires,
        .close = bus_close_nothing,
};

/* --- the cable ----------------------------------------------------------------------------- */

void site_unplug(struct site *site)
{
        if (!site->is_plugged)
                return;
        site->is_plugged = false;
        site->unplug_in = 0;
        probe_power_up(site->probe); /* its memory is gone, its pins are let go */
        if (site->wire)
                site->wire->is_gone = true;
        site->wire = NULL;
        waitlist_wake(&site->wire_changed);
        waitlist_wake(&site->handler_changed);
}

void site_plug(struct site *site)
{
        if (site->is_plugged)
                return;
        site->is_plugged = true;
        site->is_accident = false;
        probe_power_up(site->probe);
        waitlist_wake(&site->plug_changed);
}
