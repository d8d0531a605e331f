/*
 * usb.c - the real bus.
 *
 * libusb owns a handful of descriptors: its timer, its event pipe, one of usbfs per open probe.
 * They are gathered in one epoll descriptor, which the bus's fiber polls through the ring, one-shot
 * and re-armed. When something is ready the fiber lets libusb handle events until nothing is left,
 * since libusb reaps a limited number of transfers a call. Completions run inside that call and do
 * nothing but wake the fiber that waits for them.
 *
 * Plugging is told by libusb's hotplug callback, which wakes whoever is in bus_wait(); where libusb
 * cannot tell, the list is looked at twice a second.
 */
#include "drivers/usb.h"

#include "drivers/usb_identity.h"
#include "drivers/usb_wire.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"
#include "scheduler/workers.h"

#include <errno.h>
#include <libusb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RELIST_MS 500u
#define SETTLE_MS                                                                                  \
        20u /* udev sets the node's owner after the kernel's event; nor may a caller spin */
#define DRY_ROUNDS 64u
#define PORTS_MAX  7u /* USB 2.0 4.1.1: tiers below the root */

struct usb_bus {
        struct bus base; /* first */
        struct usb_share share;
        libusb_context *context;
        int descriptors; /* epoll of everything libusb waits for */
        struct fiber *server;
        bool has_hotplug;
        libusb_hotplug_callback_handle hotplug;
        struct waitlist changed; /* something came or went */
};

static struct usb_bus *usb_bus_of(struct bus *bus)
{
        return CONTAINER_OF(bus, struct usb_bus, base);
}

/* --- libusb's descriptors ------------------------------------------------------------------ */

static void LIBUSB_CALL descriptor_added(int descriptor, short events, void *user_data)
{
        struct usb_bus *bus = user_data;
        struct epoll_event event = { .events = (uint32_t)events, .data.fd = descriptor };

        /* There already: it was in the first list. Anything else shows as timeouts. */
        (void)epoll_ctl(bus->descriptors, EPOLL_CTL_ADD, descriptor, &event);
}

static void LIBUSB_CALL descriptor_removed(int descriptor, void *user_data)
{
        struct usb_bus *bus = user_data;

        (void)epoll_ctl(bus->descriptors, EPOLL_CTL_DEL, descriptor, NULL); /* closed already */
}

static int descriptors_gather(struct usb_bus *bus)
{
        const struct libusb_pollfd **list;

        bus->descriptors = epoll_create1(EPOLL_CLOEXEC);
        if (bus->descriptors < 0)
                return fault_errno(errno, "epoll_create1");
        libusb_set_pollfd_notifiers(bus->context, descriptor_added, descriptor_removed, bus);
        list = libusb_get_pollfds(bus->context);
        if (!list)
                return fault(FAULT_SYSTEM, "libusb does not say which descriptors it waits for");
        for (size_t i = 0; list[i]; i++)
                descriptor_added(list[i]->fd, list[i]->events, bus);
        libusb_free_pollfds(list);
        return 0;
}

static void handle_events(struct usb_bus *bus)
{
        struct epoll_event event;

        for (unsigned i = 0; i < DRY_ROUNDS; i++) {
                struct timeval now = { 0, 0 };

                /* Its own failures show in the transfers concerned. */
                (void)libusb_handle_events_timeout_completed(bus->context, &now, NULL);
                if (epoll_wait(bus->descriptors, &event, 1, 0) <= 0)
                        return;
        }
}

/* The bus's fiber. Ends by cancel only: transfers under way could never be reaped without it. */
static int serve(void *subject)
{
        struct usb_bus *bus = subject;

        for (;;) {
                int r = ring_poll(bus->descriptors, POLLIN, WAIT_FOREVER);

                if (r < 0 && r != -FAULT_CANCELLED)
                        r = fiber_sleep_ns(10 * NS_PER_MS); /* out of memory, say; try again */
                if (r == -FAULT_CANCELLED)
                        return 0;
                handle_events(bus);
        }
}

static int LIBUSB_CALL hotplugged(libusb_context *context, libusb_device *device,
                                  libusb_hotplug_event event, void *user_data)
{
        struct usb_bus *bus = user_data;

        (void)context;
        (void)device;
        (void)event;
        waitlist_wake(&bus->changed);
        return 0;
}

/* --- devices ------------------------------------------------------------------------------- */

static char *device_path(libusb_device *device, char text[static 64])
{
        uint8_t ports[PORTS_MAX] = { 0 };
        int count = libusb_get_port_numbers(device, ports, sizeof(ports));

        return usb_path_format(libusb_get_bus_number(device), ports, count > 0 ? (size_t)count : 0,
                               text);
}

/* The device at `path` with a reference, and the row of the table it is; NULL row: not a probe. */
static libusb_device *device_at(struct usb_bus *bus, const char *path,
                                const struct usb_product **ret_product,
                                struct libusb_device_descriptor *ret_descriptor)
{
        libusb_device **list, *found = NULL;
        ssize_t count = libusb_get_device_list(bus->context, &list);

        for (ssize_t i = 0; i < count && !found; i++) {
                char text[64];

                if (strcmp(device_path(list[i], text), path) != 0 ||
                    libusb_get_device_descriptor(list[i], ret_descriptor))
                        continue;
                found = libusb_ref_device(list[i]);
                *ret_product =
                        usb_product_find(ret_descriptor->idVendor, ret_descriptor->idProduct);
        }
        if (count >= 0)
                libusb_free_device_list(list, 1);
        return found;
}

static int usb_bus_open_wire(struct bus *base, const char *path, struct wire **ret_wire)
{
        struct usb_bus *bus = usb_bus_of(base);
        struct libusb_device_descriptor descriptor;
        const struct usb_product *product = NULL;
        libusb_device *device = device_at(bus, path, &product, &descriptor);
        struct wire *wire = NULL;
        int r;

        if (!device)
                return fault(FAULT_UNPLUGGED, "no probe at USB port %s", path);
        if (!product)
                r = fault(FAULT_UNPLUGGED, "USB port %s holds %04x:%04x, which is not an ST-LINK",
                          path, descriptor.idVendor, descriptor.idProduct);
        else
                r = usb_wire_create(&bus->share, device, product, path, &wire);
        libusb_unref_device(device);
        if (r < 0)
                return r;
        r = usb_wire_claim(wire);
        if (r < 0) {
                wire_close(wire);
                return r;
        }
        *ret_wire = wire;
        return 0;
}

static bool is_plugged(struct usb_bus *bus, const char *path)
{
        struct libusb_device_descriptor descriptor;
        const struct usb_product *product = NULL;
        libusb_device *device = device_at(bus, path, &product, &descriptor);

        if (device)
                libusb_unref_device(device);
        return device && product;
}

static int usb_bus_wait(struct bus *base, const char *path, uint64_t timeout_ns)
{
        struct usb_bus *bus = usb_bus_of(base);
        uint64_t now_ns = clock_now_ns();
        uint64_t deadline_ns =
                timeout_ns < WAIT_FOREVER - now_ns ? now_ns + timeout_ns : WAIT_FOREVER;

        while (!is_plugged(bus, path)) {
                uint64_t left_ns, step_ns;
                int r;

                now_ns = clock_now_ns();
                if (now_ns >= deadline_ns)
                        return fault(FAULT_TIMEOUT, "no probe came to USB port %s", path);
                left_ns = deadline_ns == WAIT_FOREVER ? WAIT_FOREVER : deadline_ns - now_ns;
                step_ns = RELIST_MS * NS_PER_MS;
                if (bus->has_hotplug || left_ns < step_ns)
                        step_ns = left_ns;
                r = waitlist_wait(&bus->changed, step_ns);
                if (r < 0 && r != -FAULT_TIMEOUT)
                        return r;
        }
        return fiber_sleep_ns(SETTLE_MS * NS_PER_MS);
}

/* The identity of one device (waits). A probe that may not be opened is listed without a serial. */
static int identify(struct usb_bus *bus, libusb_device *device, const struct usb_product *product,
                    struct wire_identity *identity)
{
        struct wire *wire;
        int r;

        *identity = (struct wire_identity){ .product = product->product };
        device_path(device, identity->path);
        r = usb_wire_create(&bus->share, device, product, identity->path, &wire);
        if (r == -FAULT_CANCELLED)
                return r;
        if (r < 0)
                return 0;
        *identity = *wire_identity(wire);
        wire_close(wire);
        return 0;
}

static int usb_bus_list(struct bus *base, struct wire_identity *identities, size_t capacity)
{
        struct usb_bus *bus = usb_bus_of(base);
        libusb_device **list;
        ssize_t count = libusb_get_device_list(bus->context, &list);
        size_t found = 0;
        int r = 0;

        if (count < 0)
                return usb_fault((int)count, "USB", "list devices");
        for (ssize_t i = 0; i < count && found < capacity && !r; i++) {
                struct libusb_device_descriptor descriptor;
                const struct usb_product *product;

                if (libusb_get_device_descriptor(list[i], &descriptor))
                        continue;
                product = usb_product_find(descriptor.idVendor, descriptor.idProduct);
                if (product)
                        r = identify(bus, list[i], product, &identities[found++]);
        }
        libusb_free_device_list(list, 1);
        return r < 0 ? r : (int)found;
}

/* --- life ---------------------------------------------------------------------------------- */

static void usb_bus_close(struct bus *base)
{
        struct usb_bus *bus = usb_bus_of(base);

        INSIST(!bus->share.wires);
        INSIST(!bus->changed.first);
        if (bus->server) {
                fiber_cancel(bus->server);
                (void)fiber_join(bus->server); /* ends with 0 */
        }
        if (bus->has_hotplug)
                libusb_hotplug_deregister_callback(bus->context, bus->hotplug);
        bus->share.blocking = workers_destroy(bus->share.blocking);
        if (bus->context) {
                libusb_set_pollfd_notifiers(bus->context, NULL, NULL, NULL);
                libusb_exit(bus->context);
        }
        if (bus->descriptors >= 0)
                close(bus->descriptors);
        free(bus);
}

static const struct bus_operations usb_bus_operations = {
        .open = usb_bus_open_wire,
        .wait = usb_bus_wait,
        .list = usb_bus_list,
        .close = usb_bus_close,
};

static int bus_start(struct usb_bus *bus)
{
        int events = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
        int error, r;

        error = libusb_init(&bus->context);
        if (error)
                return usb_fault(error, "USB", "start libusb");
        r = descriptors_gather(bus);
        if (r < 0)
                return r;
        r = workers_create("usb", 1, NULL, &bus->share.blocking);
        if (r < 0)
                return r;
        if (libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG))
                bus->has_hotplug = !libusb_hotplug_register_callback(
                        bus->context, events, 0, USB_VENDOR_ST, LIBUSB_HOTPLUG_MATCH_ANY,
                        LIBUSB_HOTPLUG_MATCH_ANY, hotplugged, bus, &bus->hotplug);
        bus->server = fiber_spawn("usb", serve, bus);
        return 0;
}

int usb_bus_open(struct bus **ret_bus)
{
        struct usb_bus *bus;
        int r;

        if (loop_is_virtual())
                return fault(FAULT_SYSTEM, "real probes do not live in virtual time");
        bus = calloc(1, sizeof(*bus));
        INSIST(bus);
        bus->base.operations = &usb_bus_operations;
        bus->descriptors = -1;
        r = bus_start(bus);
        if (r < 0) {
                usb_bus_close(&bus->base);
                return r;
        }
        *ret_bus = &bus->base;
        return 0;
}
