/*
 * The table of kinds, and what all devices have in common: strings, descriptors, the standard requests of
 * USB 2.0 table 9-3, endpoints as the configuration descriptor lists them.
 */
#include "tests/rigs/parts/device.h"

#include "scheduler/bytes.h"
#include "tests/rigs/parts/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEVICE_DESCRIPTOR = 1, CONFIGURATION = 2, STRING = 3, INTERFACE = 4, ENDPOINT = 5 };
enum { DEVICE_LENGTH = 18, DEVICES_A_BUS = 120 };

uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

const struct device_kind *device_kind_find(const char *name)
{
        static const struct device_kind *const kinds[] = { &stlink_kind, &stlink_l4_kind,
                                                           &ccid_kind };

        for (unsigned i = 0; i < LENGTH_OF(kinds); i++)
                if (strcmp(kinds[i]->name, name) == 0)
                        return kinds[i];
        return NULL;
}

struct device *device_create(const struct device_kind *kind, unsigned index)
{
        struct device *device = calloc(1, sizeof(*device));

        INSIST(device);
        device->kind = kind;
        device->bus = 1 + (int)index / DEVICES_A_BUS;
        device->address = 2 + (int)index % DEVICES_A_BUS;
        snprintf(device->name, sizeof(device->name), "%d-%u", device->bus,
                 1 + index % DEVICES_A_BUS);
        kind->create(device, index);
        return device;
}

/* --- descriptors --------------------------------------------------------------------------- */

unsigned device_vendor(const struct device *device)
{
        return load_le16(device->kind->descriptors + 8);
}

unsigned device_product(const struct device *device)
{
        return load_le16(device->kind->descriptors + 10);
}

/* The next descriptor of a type after `at`; NULL: no more. */
static const uint8_t *next_descriptor(const struct device *device, const uint8_t *at, unsigned type)
{
        const uint8_t *end = device->kind->descriptors + device->kind->descriptors_length;

        for (at += at[0]; at < end; at += at[0])
                if (at[1] == type)
                        return at;
        return NULL;
}

const uint8_t *device_interface(const struct device *device)
{
        return next_descriptor(device, device->kind->descriptors, INTERFACE);
}

bool device_has_endpoint(const struct device *device, uint8_t endpoint)
{
        const uint8_t *at = device->kind->descriptors;

        while ((at = next_descriptor(device, at, ENDPOINT)))
                if (at[2] == endpoint)
                        return true;
        return false;
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
        descriptor[1] = STRING;
        for (size_t i = 0; i < length; i++)
                descriptor[2 + 2 * i] = (uint8_t)text[i];
        return give(to, room, descriptor, descriptor[0]);
}

/* Strings 1 to 4 are maker, product, serial and interface in every kind. */
static int give_descriptor(const struct device *device, unsigned type, unsigned index,
                           uint8_t *data, size_t length)
{
        static const uint8_t languages[4] = { 4, STRING, 0x09, 0x04 };
        const struct device_kind *kind = device->kind;

        if (type == DEVICE_DESCRIPTOR)
                return give(data, length, kind->descriptors, DEVICE_LENGTH);
        if (type == CONFIGURATION)
                return give(data, length, kind->descriptors + DEVICE_LENGTH,
                            kind->descriptors_length - DEVICE_LENGTH);
        if (type != STRING)
                return -EPIPE;
        switch (index) {
        case 0:
                return give(data, length, languages, sizeof(languages));
        case 1:
                return give_string(data, length, kind->manufacturer);
        case 2:
                return give_string(data, length, kind->product);
        case 3:
                return give_string(data, length, device->serial);
        case 4:
                return give_string(data, length, kind->interface);
        default:
                return -EPIPE;
        }
}

/* --- transfers ----------------------------------------------------------------------------- */

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

int device_out(struct device *device, uint64_t now_ns, const void *data, size_t length)
{
        return device->kind->out(device, now_ns, data, length);
}

int device_in(struct device *device, uint64_t now_ns, uint8_t endpoint, void *data, size_t capacity)
{
        return device->kind->in(device, now_ns, endpoint, data, capacity);
}

uint64_t device_wake_ns(struct device *device, uint64_t now_ns)
{
        return device->kind->wake_ns(device, now_ns);
}

int device_give_packets(const uint8_t *answer, size_t length, size_t *taken, unsigned packet,
                        void *data, size_t capacity)
{
        size_t left = length - *taken, given = left < capacity ? left : capacity;

        if (left > capacity && capacity % packet) {
                *taken = length;
                return -EOVERFLOW;
        }
        memcpy(data, answer + *taken, given);
        *taken += given;
        return (int)given;
}
