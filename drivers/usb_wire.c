/*
 * usb_wire.c - the bytes to one probe, as libusb's asynchronous transfers.
 *
 * An exchange is one or two transfers (lanes). They are submitted together, which saves a turn on
 * the bus: the probe NAKs the data phase until it is ready (stlink.md 3.3). Then the fiber waits
 * until both have been reaped by the bus's fiber. When one fails, the time is over or the fiber is
 * cancelled, whatever is still under way is discarded, and is still waited for: until its
 * completion arrives the buffer belongs to the kernel, and it may lie on this very stack.
 *
 * Time comes from our own clock; libusb is given no timeouts.
 */
#include "drivers/usb_wire.h"

#include "drivers/usb.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/workers.h"

#include <libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LANES             2u
#define DESCRIPTOR_STRING 3u   /* USB 2.0 table 9-5 */
#define DESCRIPTOR_MAX    255u /* its length is one byte */
#define CONTROL_TIMEOUT   1000u
#define PACKET_MAX        1024u /* the largest wMaxPacketSize of a bulk endpoint */
#define DRAIN_MS          2u
#define DRAIN_READS       256u
#define RESET_TRIES       20u

struct usb_wire;

struct lane {
        struct usb_wire *wire;
        struct libusb_transfer *transfer;
        bool is_pending;
};

struct usb_wire {
        struct wire base; /* first */
        struct usb_share *share;
        const struct usb_product *product;
        libusb_device_handle *handle;
        bool is_claimed;
        bool is_stalled; /* an endpoint halted since the last resync */
        uint16_t out_packet, in_packet;
        struct lane lanes[LANES];
        struct waitlist settled;
        uint8_t *bounce; /* where an answer goes that does not fill whole packets */
};

static struct usb_wire *usb_wire_of(struct wire *wire)
{
        return CONTAINER_OF(wire, struct usb_wire, base);
}

int usb_fault(int error, const char *path, const char *doing)
{
        switch (error) {
        case LIBUSB_ERROR_NO_DEVICE:
        case LIBUSB_ERROR_NOT_FOUND:
                return fault(FAULT_UNPLUGGED, "%s: the probe is gone (%s)", path, doing);
        case LIBUSB_ERROR_BUSY:
                return fault(FAULT_PROBE_BUSY,
                             "%s: another program holds the probe (%s); end debuggers, "
                             "STM32CubeProgrammer and its ST-LINK server",
                             path, doing);
        case LIBUSB_ERROR_ACCESS:
                return fault(FAULT_SYSTEM,
                             "%s: no permission for the probe's device node (%s); install a udev "
                             "rule for vendor 0483",
                             path, doing);
        default:
                return fault(FAULT_PROBE, "%s: %s: %s", path, doing, libusb_error_name(error));
        }
}

/* --- one or two transfers ------------------------------------------------------------------ */

/* Runs inside libusb_handle_events, so on the bus's fiber; must not wait. */
static void LIBUSB_CALL lane_completed(struct libusb_transfer *transfer)
{
        struct lane *lane = transfer->user_data;

        lane->is_pending = false;
        waitlist_wake(&lane->wire->settled);
}

static bool lane_is_broken(const struct lane *lane)
{
        return !lane->is_pending && lane->transfer->status != LIBUSB_TRANSFER_COMPLETED;
}

static void lane_fill(struct usb_wire *wire, unsigned lane, uint8_t endpoint, uint8_t *data,
                      size_t length)
{
        libusb_fill_bulk_transfer(wire->lanes[lane].transfer, wire->handle, endpoint, data,
                                  (int)length, lane_completed, &wire->lanes[lane], 0);
}

static bool lanes_pending(const struct usb_wire *wire, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                if (wire->lanes[i].is_pending)
                        return true;
        return false;
}

static bool lanes_broken(const struct usb_wire *wire, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                if (lane_is_broken(&wire->lanes[i]))
                        return true;
        return false;
}

static int lanes_submit(struct usb_wire *wire, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                int error = libusb_submit_transfer(wire->lanes[i].transfer);

                if (error)
                        return usb_fault(error, wire->base.identity.path, "submit");
                wire->lanes[i].is_pending = true;
        }
        return 0;
}

/* Discard what is under way, the last first: a data phase must not overtake its command. Returns
 * -FAULT_CANCELLED when the cancel arrives here, for it is told only once. */
static int lanes_reap(struct usb_wire *wire, unsigned count)
{
        int r = 0;

        for (unsigned i = count; i-- > 0;)
                if (wire->lanes[i].is_pending)
                        (void)libusb_cancel_transfer(wire->lanes[i].transfer); /* ended already */
        while (lanes_pending(wire, count))
                if (waitlist_wait(&wire->settled, WAIT_FOREVER) == -FAULT_CANCELLED)
                        r = -FAULT_CANCELLED;
        return r;
}

/* What a lane that ended by itself says. The names are libusb's, the meanings stlink.md 3.4. */
static int lane_judge(struct usb_wire *wire, const struct lane *lane)
{
        const char *path = wire->base.identity.path;
        unsigned endpoint = lane->transfer->endpoint;

        switch (lane->transfer->status) {
        case LIBUSB_TRANSFER_COMPLETED:
        case LIBUSB_TRANSFER_CANCELLED:
                return 0;
        case LIBUSB_TRANSFER_STALL:
                wire->is_stalled = true;
                return fault(FAULT_PROBE,
                             "%s: the probe stalled endpoint %02X: command unknown in this mode",
                             path, endpoint);
        case LIBUSB_TRANSFER_OVERFLOW:
                return fault(FAULT_PROBE, "%s: endpoint %02X sent more than a packet", path,
                             endpoint);
        case LIBUSB_TRANSFER_NO_DEVICE:
                return fault(FAULT_UNPLUGGED, "%s: the probe was unplugged", path);
        case LIBUSB_TRANSFER_ERROR:
        case LIBUSB_TRANSFER_TIMED_OUT:
        default:
                return fault(FAULT_UNPLUGGED,
                             "%s: transfer error on endpoint %02X: the probe was pulled, crashed "
                             "or browned out",
                             path, endpoint);
        }
}

/* Submit the first `count` lanes and wait until none is left with the kernel (waits). */
static int lanes_run(struct usb_wire *wire, unsigned count, unsigned timeout_ms)
{
        uint64_t deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
        int r, cancelled;

        for (unsigned i = 0; i < count; i++) {
                wire->lanes[i].is_pending = false;
                wire->lanes[i].transfer->status = LIBUSB_TRANSFER_COMPLETED;
        }
        r = lanes_submit(wire, count);
        while (!r && lanes_pending(wire, count) && !lanes_broken(wire, count)) {
                uint64_t now_ns = clock_now_ns();

                r = waitlist_wait(&wire->settled, deadline_ns > now_ns ? deadline_ns - now_ns : 1);
        }
        if (!lanes_pending(wire, count) && r == -FAULT_TIMEOUT)
                r = 0; /* the answer came with the deadline */
        cancelled = lanes_reap(wire, count);
        for (unsigned i = 0; i < count && (!r || r == -FAULT_TIMEOUT); i++) {
                int judged = lane_judge(wire, &wire->lanes[i]);

                r = judged < 0 ? judged : r;
        }
        if (r == -FAULT_TIMEOUT)
                r = fault(FAULT_TIMEOUT, "%s: no answer within %u ms", wire->base.identity.path,
                          timeout_ms);
        return cancelled ? cancelled : r;
}

/* --- the operations of the seam ------------------------------------------------------------ */

static int exchange_lengths(struct usb_wire *wire, const struct wire_exchange *exchange)
{
        const char *path = wire->base.identity.path;
        size_t sent = (size_t)wire->lanes[0].transfer->actual_length;
        size_t moved = (size_t)wire->lanes[1].transfer->actual_length;
        size_t wanted = exchange->out_length ? exchange->out_length : exchange->in_length;

        if (sent != WIRE_COMMAND_LENGTH)
                return fault(FAULT_PROBE, "%s: %zu of 16 command bytes were taken", path, sent);
        if (wanted && moved != wanted)
                return fault(FAULT_PROBE, "%s: command %02X %02X: %zu bytes %s, expected %zu", path,
                             exchange->command[0], exchange->command[1], moved,
                             exchange->out_length ? "taken" : "came back", wanted);
        return 0;
}

static int usb_exchange(struct wire *base, const struct wire_exchange *exchange)
{
        struct usb_wire *wire = usb_wire_of(base);
        size_t rounded = usb_round_up(exchange->in_length, wire->in_packet);
        uint8_t *in = rounded == exchange->in_length ? exchange->in : wire->bounce;
        uint8_t command[WIRE_COMMAND_LENGTH];
        unsigned count = 1;
        int r;

        INSIST(wire->is_claimed);
        memcpy(command, exchange->command, sizeof(command));
        lane_fill(wire, 0, wire->product->out, command, sizeof(command));
        /* libusb's type has no const; an OUT buffer is only read. */
        if (exchange->out_length)
                lane_fill(wire, count++, wire->product->out, (uint8_t *)(uintptr_t)exchange->out,
                          exchange->out_length);
        else if (exchange->in_length)
                lane_fill(wire, count++, wire->product->in, in, rounded);
        r = lanes_run(wire, count, exchange->timeout_ms);
        if (r < 0)
                return r;
        r = exchange_lengths(wire, exchange);
        if (r < 0)
                return r;
        if (in == wire->bounce && exchange->in_length)
                memcpy(exchange->in, wire->bounce, exchange->in_length);
        return 0;
}

static int job_clear_halt(void *argument)
{
        struct usb_wire *wire = argument;
        int error = libusb_clear_halt(wire->handle, wire->product->in);

        if (!error)
                error = libusb_clear_halt(wire->handle, wire->product->out);
        return error ? usb_fault(error, wire->base.identity.path, "clear halt") : 0;
}

/* Read and throw away until nothing comes (stlink.md 3.5). */
static int drain(struct usb_wire *wire)
{
        for (unsigned i = 0; i < DRAIN_READS; i++) {
                int r;

                lane_fill(wire, 0, wire->product->in, wire->bounce,
                          usb_round_up(PACKET_MAX, wire->in_packet));
                r = lanes_run(wire, 1, DRAIN_MS);
                if (r == -FAULT_TIMEOUT)
                        return 0;
                if (r < 0)
                        return r;
        }
        return fault(FAULT_PROBE, "%s: the probe sends without end", wire->base.identity.path);
}

static int usb_resync(struct wire *base)
{
        struct usb_wire *wire = usb_wire_of(base);

        if (wire->is_stalled) {
                int r = workers_run(wire->share->blocking, job_clear_halt, wire);

                if (r < 0)
                        return r;
                wire->is_stalled = false;
        }
        return drain(wire);
}

/* The reset ladder's second and third rung (stlink.md 3.4): reset, on BUSY wait 50 ms and repeat.
 */
static int job_reset(void *argument)
{
        struct usb_wire *wire = argument;

        return libusb_reset_device(wire->handle);
}

static int usb_reset(struct wire *base)
{
        struct usb_wire *wire = usb_wire_of(base);
        int error = LIBUSB_ERROR_BUSY;

        for (unsigned i = 0; i < RESET_TRIES && error == LIBUSB_ERROR_BUSY; i++) {
                error = workers_run(wire->share->blocking, job_reset, wire);
                if (error == LIBUSB_ERROR_BUSY) {
                        int r = fiber_sleep_ns(50 * NS_PER_MS);

                        if (r < 0)
                                return r;
                }
        }
        if (error)
                return usb_fault(error, wire->base.identity.path, "reset");
        wire->is_stalled = false;
        return drain(wire);
}

static void usb_close(struct wire *base)
{
        struct usb_wire *wire = usb_wire_of(base);

        if (wire->is_claimed) /* after an unplug it fails, and does not matter */
                (void)libusb_release_interface(wire->handle, 0);
        for (unsigned i = 0; i < LANES; i++) {
                INSIST(!wire->lanes[i].is_pending);
                libusb_free_transfer(wire->lanes[i].transfer);
        }
        if (wire->handle)
                libusb_close(wire->handle);
        wire->share->wires--;
        free(wire->bounce);
        free(wire);
}

static const struct wire_operations usb_wire_operations = {
        .exchange = usb_exchange,
        .resync = usb_resync,
        .reset = usb_reset,
        .close = usb_close,
};

/* --- opening ------------------------------------------------------------------------------- */

/* Fetch string descriptor `index` as it is (waits); returns its length, 0 where there is none: some
 * probes stall the request (stlink.md 2). */
static int read_string(struct usb_wire *wire, uint8_t index, uint16_t language,
                       uint8_t descriptor[static DESCRIPTOR_MAX])
{
        uint8_t buffer[LIBUSB_CONTROL_SETUP_SIZE + DESCRIPTOR_MAX];
        struct libusb_transfer *transfer = wire->lanes[0].transfer;
        int r;

        libusb_fill_control_setup(buffer, LIBUSB_ENDPOINT_IN, LIBUSB_REQUEST_GET_DESCRIPTOR,
                                  (uint16_t)(DESCRIPTOR_STRING << 8 | index), language,
                                  DESCRIPTOR_MAX);
        libusb_fill_control_transfer(transfer, wire->handle, buffer, lane_completed,
                                     &wire->lanes[0], 0);
        r = lanes_run(wire, 1, CONTROL_TIMEOUT);
        wire->is_stalled = false; /* endpoint 0 clears itself */
        if (r == -FAULT_UNPLUGGED || r == -FAULT_CANCELLED)
                return r;
        if (r < 0)
                return 0;
        memcpy(descriptor, buffer + LIBUSB_CONTROL_SETUP_SIZE, (size_t)transfer->actual_length);
        return transfer->actual_length;
}

/* Raw, never libusb_get_string_descriptor_ascii: it makes distinct probes look alike. */
static int read_serial(struct usb_wire *wire, uint8_t index)
{
        uint8_t descriptor[DESCRIPTOR_MAX] = { 0 };
        int r;

        if (!index)
                return 0;
        r = read_string(wire, 0, 0, descriptor);
        if (r < 0)
                return r;
        r = read_string(wire, index, r >= 4 ? load_le16(descriptor + 2) : 0x0409, descriptor);
        if (r < 0)
                return r;
        usb_serial_decode(descriptor, (size_t)r, wire->base.identity.serial);
        return 0;
}

int usb_wire_create(struct usb_share *share, struct libusb_device *device,
                    const struct usb_product *product, const char *path, struct wire **ret_wire)
{
        struct usb_wire *wire = calloc(1, sizeof(*wire));
        struct libusb_device_descriptor descriptor;
        int r, error;

        INSIST(wire);
        share->wires++;
        wire->base.operations = &usb_wire_operations;
        wire->base.identity.product = product->product;
        snprintf(wire->base.identity.path, sizeof(wire->base.identity.path), "%s", path);
        wire->share = share;
        wire->product = product;
        wire->bounce = malloc(WIRE_DATA_MAX + PACKET_MAX);
        INSIST(wire->bounce);
        for (unsigned i = 0; i < LANES; i++) {
                wire->lanes[i] = (struct lane){ wire, libusb_alloc_transfer(0), false };
                INSIST(wire->lanes[i].transfer);
        }
        error = libusb_get_device_descriptor(device, &descriptor);
        if (!error)
                error = libusb_open(device, &wire->handle);
        r = error ? usb_fault(error, path, "open") : read_serial(wire, descriptor.iSerialNumber);
        if (r < 0) {
                wire_close(&wire->base);
                return r;
        }
        *ret_wire = &wire->base;
        return 0;
}

/* The table says which endpoints (stlink.md 1.2), the descriptor how large their packets are: a V3
 * behind a full-speed hub has 64 bytes instead of 512. */
static void find_packets(struct usb_wire *wire, const struct libusb_config_descriptor *config)
{
        const struct libusb_interface_descriptor *setting;

        if (!config->bNumInterfaces || !config->interface[0].num_altsetting)
                return;
        setting = &config->interface[0].altsetting[0];
        for (unsigned i = 0; i < setting->bNumEndpoints; i++) {
                const struct libusb_endpoint_descriptor *endpoint = &setting->endpoint[i];
                uint16_t packet = endpoint->wMaxPacketSize & 0x7FF;

                if (endpoint->bEndpointAddress == wire->product->out)
                        wire->out_packet = packet;
                if (endpoint->bEndpointAddress == wire->product->in)
                        wire->in_packet = packet;
        }
}

static int look_up_endpoints(struct usb_wire *wire)
{
        const char *path = wire->base.identity.path;
        struct libusb_config_descriptor *config;
        int error = libusb_get_active_config_descriptor(libusb_get_device(wire->handle), &config);

        if (error)
                return usb_fault(error, path, "read the configuration");
        find_packets(wire, config);
        libusb_free_config_descriptor(config);
        if (!wire->out_packet || !wire->in_packet || wire->in_packet > PACKET_MAX)
                return fault(FAULT_PROBE,
                             "%s: interface 0 of product %04X lacks endpoints %02X and %02X", path,
                             wire->product->product, wire->product->out, wire->product->in);
        return 0;
}

int usb_wire_claim(struct wire *base)
{
        struct usb_wire *wire = usb_wire_of(base);
        const char *path = wire->base.identity.path;
        int configuration = 0, error, r;

        /* Setting a configuration that is set already re-binds every function (stlink.md 1.3). */
        error = libusb_get_configuration(wire->handle, &configuration);
        if (!error && configuration != 1)
                error = libusb_set_configuration(wire->handle, 1);
        if (error)
                return usb_fault(error, path, "configure");
        r = look_up_endpoints(wire);
        if (r < 0)
                return r;
        error = libusb_claim_interface(wire->handle, 0);
        if (error)
                return usb_fault(error, path, "claim interface 0");
        wire->is_claimed = true;
        return 0;
}
