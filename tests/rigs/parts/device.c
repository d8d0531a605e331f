#include "tests/rigs/parts/device.h"

#include "scheduler/bytes.h"
#include "scheduler/chance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VENDOR = 0x0483, PRODUCT = 0x374F, HIGH_SPEED_PACKET = 512 };
enum { OUT_ENDPOINT = 0x01, IN_ENDPOINT = 0x81, TRACE_ENDPOINT = 0x82 };

/* USB 2.0 table 9-8 to 9-13; the debug interface alone (stlink.md 1.2). */
static void make_descriptors(struct device *device)
{
        static const uint8_t about_device[18] = { 18, 1, 0x00, 0x02, 0xEF, 2, 1, 64, 0,
                                                  0,  0, 0,    0x00, 0x01, 1, 2, 3,  1 };
        static const uint8_t configuration[39] = {
                9,    2,    39,
                0,    1,    1,
                0,    0x80, 250, /* one interface, configuration 1, 500 mA */
                9,    4,    0,
                0,    3,    0xFF,
                0xFF, 0xFF, 4, /* interface 0 */
                7,    5,    IN_ENDPOINT,
                2,    0x00, 0x02,
                0, /* bulk, 512 */
                7,    5,    OUT_ENDPOINT,
                2,    0x00, 0x02,
                0, /* bulk, 512 */
                7,    5,    TRACE_ENDPOINT,
                2,    0x00, 0x02,
                0, /* bulk, 512 */
        };

        memcpy(device->descriptors, about_device, sizeof(about_device));
        store_le16(device->descriptors + 8, VENDOR);
        store_le16(device->descriptors + 10, PRODUCT);
        memcpy(device->descriptors + sizeof(about_device), configuration, sizeof(configuration));
        device->descriptors_length = sizeof(about_device) + sizeof(configuration);
        device->packet = HIGH_SPEED_PACKET;
}

struct device *device_create(unsigned index, const struct family *family,
                             const struct rss_profile *rss)
{
        struct device *device = calloc(1, sizeof(*device));
        struct chance chance = chance_fork(1, "rig board", index);
        struct probe_settings probe = { .product = PRODUCT, .jtag_version = 15, .speed = 1.0 };
        uint8_t seed[32];
        struct part_settings part = { .family = family, .rss = rss, .seed = seed, .speed = 1.0 };

        INSIST(device);
        device->bus = 1 + (int)index / 120;
        device->address = 2 + (int)index % 120;
        snprintf(device->name, sizeof(device->name), "%d-%u", device->bus, 1 + index % 120);
        make_descriptors(device);
        chance_bytes(&chance, seed, sizeof(seed));
        snprintf(probe.serial, sizeof(probe.serial), "0030%020X", 0xABC000 + index);
        device->probe = probe_create(&probe);
        part.store = device->store = calloc(1, part_store_length(family));
        INSIST(device->store);
        device->part = part_create(&part);
        part_set_boot_pin(device->part, true);
        part_power(device->part, 0, true);
        probe_set_part(device->probe, device->part);
        probe_power_up(device->probe);
        return device;
}

static int give(uint8_t *to, size_t room, const void *from, size_t length)
{
        if (length > room)
                length = room;
        memcpy(to, from, length);
        return (int)length;
}

static int give_string(uint8_t *to, size_t room, const char *text)
{
        uint8_t descriptor[2 + 2 * 64] = { 0 };
        size_t length = strlen(text);

        descriptor[0] = (uint8_t)(2 + 2 * length);
        descriptor[1] = 3;
        for (size_t i = 0; i < length; i++)
                descriptor[2 + 2 * i] = (uint8_t)text[i];
        return give(to, room, descriptor, descriptor[0]);
}

static int give_descriptor(const struct device *device, unsigned type, unsigned index,
                           uint8_t *data, size_t length)
{
        static const uint8_t languages[4] = { 4, 3, 0x09, 0x04 };

        if (type == 1)
                return give(data, length, device->descriptors, 18);
        if (type == 2)
                return give(data, length, device->descriptors + 18,
                            device->descriptors_length - 18);
        if (type != 3)
                return -EPIPE;
        switch (index) {
        case 0:
                return give(data, length, languages, sizeof(languages));
        case 1:
                return give_string(data, length, "STMicroelectronics");
        case 2:
                return give_string(data, length, "STLINK-V3");
        case 3:
                return give_string(data, length, probe_serial(device->probe));
        case 4:
                return give_string(data, length, "ST-Link Debug");
        default:
                return -EPIPE;
        }
}

/* The standard requests a client makes (USB 2.0 table 9-3); others are stalled. */
int device_control(struct device *device, const uint8_t setup[8], uint8_t *data, size_t length)
{
        if (setup[0] & 0x60)
                return -EPIPE;
        switch (setup[1]) {
        case 0: /* GET_STATUS */
                memset(data, 0, length < 2 ? length : 2);
                return length < 2 ? (int)length : 2;
        case 1:  /* CLEAR_FEATURE */
        case 9:  /* SET_CONFIGURATION */
        case 11: /* SET_INTERFACE */
                return 0;
        case 6:
                return give_descriptor(device, setup[3], setup[2], data, length);
        case 8:
                return give(data, length, "\1", 1);
        case 10:
                return give(data, length, "\0", 1);
        default:
                return -EPIPE;
        }
}

bool device_has_endpoint(const struct device *device, uint8_t endpoint)
{
        (void)device;
        return endpoint == OUT_ENDPOINT || endpoint == IN_ENDPOINT || endpoint == TRACE_ENDPOINT;
}

int device_out(struct device *device, uint64_t now_ns, const void *data, size_t length)
{
        if (now_ns < device->busy_until_ns)
                return -EAGAIN;
        device->answer_length = device->answer_taken = 0;
        device->busy_until_ns = probe_out(device->probe, now_ns, data, length);
        return (int)length;
}

/* As the host controller sees it: whole packets, a short one ends the transfer, and a packet that does
 * not fit is an overflow. */
int device_in(struct device *device, uint64_t now_ns, uint8_t endpoint, void *data, size_t capacity)
{
        size_t left, length;

        if (endpoint != IN_ENDPOINT || now_ns < device->busy_until_ns)
                return -EAGAIN;
        if (device->answer_taken == device->answer_length) {
                int got = probe_in(device->probe, now_ns, device->answer, sizeof(device->answer));

                if (probe_take_stall(device->probe))
                        return -EPIPE;
                if (got < 0)
                        return -EAGAIN;
                device->answer_length = (size_t)got;
                device->answer_taken = 0;
        }
        left = device->answer_length - device->answer_taken;
        length = left < capacity ? left : capacity;
        if (left > capacity && capacity % device->packet) {
                device->answer_taken = device->answer_length;
                return -EOVERFLOW;
        }
        memcpy(data, device->answer + device->answer_taken, length);
        device->answer_taken += length;
        return (int)length;
}

uint64_t device_wake_ns(const struct device *device, uint64_t now_ns)
{
        return device->busy_until_ns > now_ns ? device->busy_until_ns : UINT64_MAX;
}
