/*
 * wire.h - the bytes between the station and one ST-LINK probe.
 *
 * The lowest thing we can honestly imitate: below is the kernel, above every line is ours.
 * drivers/usb.c implements it with libusb's asynchronous transfers, drivers/simulated/ with a probe
 * and a target made of memory. One wire belongs to one fiber. Calls marked (waits) suspend it.
 *
 * Results: 0 or a length; on failure a negative fault:
 *      -FAULT_UNPLUGGED   gone for good; only wire_close() makes sense now
 *      -FAULT_TIMEOUT     no answer in time; the wire is out of step, see wire_resync()
 *      -FAULT_PROBE       the probe stalled the endpoint or answered short
 *      -FAULT_CANCELLED   told once per cancel, then calls work again, for the clean-up
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define WIRE_COMMAND_LENGTH 16
#define WIRE_DATA_MAX       65536u

struct wire;

/* One command with at most one data phase (stlink.md 3.1): `out` or `in`, never both. Buffers are
 * borrowed until the call returns. */
struct wire_exchange {
        uint8_t command[WIRE_COMMAND_LENGTH];
        const void *out;
        size_t out_length;
        void *in;
        size_t in_length;
        unsigned timeout_ms; /* of the whole exchange; 0 is 6000 (stlink.md 3.4) */
};

/* Do it (waits): command and data phase are submitted together. Exactly in_length bytes come back,
 * fewer are -FAULT_PROBE. */
int wire_exchange(struct wire *wire, const struct wire_exchange *exchange) MUST_USE;

/* Get back into step (waits): clear halts, read and discard until nothing comes (stlink.md 3.5). */
int wire_resync(struct wire *wire) MUST_USE;

/* Reset the device behind the wire (waits). The last resort: a probe with mass storage drops its
 * disk. The wire stays usable when this returns 0. */
int wire_reset(struct wire *wire) MUST_USE;

/* Close and free; NULL is fine. Returns NULL: wire = wire_close(wire). */
struct wire *wire_close(struct wire *wire);

/* What is known of the device without a command. */
struct wire_identity {
        uint16_t product;  /* USB product id, 0x374F */
        char serial[64];   /* decoded by stlink.md 2; "" where the probe has none */
        char path[64];     /* "1-4.2": USB bus and port path */
        bool is_simulated; /* made of memory in this process */
};
const struct wire_identity *wire_identity(const struct wire *wire);

/* From now on every exchange is told to `recorder` (borrowed; NULL: to nobody). */
struct recorder;
void wire_record(struct wire *wire, struct recorder *recorder);

/* What is written until this is taken back is a secret: the recorder keeps its length, not its bytes,
 * and of commands without data not what stands behind their address. Answers are kept. */
void wire_conceal(struct wire *wire, bool is_secret);

/*
 * The bus: where wires come from. Real: libusb with hotplug. Simulated: the bench.
 */
struct bus;

/* Open the probe at `path` (waits).
 *      -FAULT_UNPLUGGED   nothing there now; see bus_wait()
 *      -FAULT_PROBE_BUSY  another program holds interface 0 */
int bus_open(struct bus *bus, const char *path, struct wire **ret_wire) MUST_USE;

/* Wait until something may be plugged at `path` (waits). 0, -FAULT_TIMEOUT, -FAULT_CANCELLED. */
int bus_wait(struct bus *bus, const char *path, uint64_t timeout_ns) MUST_USE;

/* Every probe there is now: up to `capacity` identities; returns how many. */
int bus_list(struct bus *bus, struct wire_identity *identities, size_t capacity) MUST_USE;

struct bus *bus_close(struct bus *bus);

/* For implementations only. Each embeds these as its first member. */
struct wire {
        const struct wire_operations *operations;
        struct wire_identity identity;
        struct recorder *recorder; /* NULL: nobody listens */
        bool is_secret;
};
struct wire_operations {
        int (*exchange)(struct wire *, const struct wire_exchange *);
        int (*resync)(struct wire *);
        int (*reset)(struct wire *);
        void (*close)(struct wire *);
};
struct bus {
        const struct bus_operations *operations;
};
struct bus_operations {
        int (*open)(struct bus *, const char *path, struct wire **ret_wire);
        int (*wait)(struct bus *, const char *path, uint64_t timeout_ns);
        int (*list)(struct bus *, struct wire_identity *identities, size_t capacity);
        void (*close)(struct bus *);
};
