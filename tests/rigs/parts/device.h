/*
 * device.h - one device on the rig's bus, of whatever kind: descriptors and standard requests here, the rest
 * in the file of its kind (stlink.c, ccid.c).
 *
 * Passive; the caller holds the rig's lock. Results are lengths or -errno as usbfs gives them; -EAGAIN
 * is a NAK: ask again at device_wake_ns().
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

struct device;

uint64_t now_ns(void); /* the rig's time: CLOCK_MONOTONIC */

/* A row of the table in device.c. */
struct device_kind {
        const char *name; /* on the rig's command line */
        const char *manufacturer, *product, *interface;
        const uint8_t *descriptors; /* device and configuration, as in sysfs */
        size_t descriptors_length;
        unsigned mbit; /* 480, 12 */

        /* Once, on a fiber, before the first is created; 0 or a fault. NULL: nothing to do. */
        int (*load)(void);
        /* Fills model and serial. */
        void (*create)(struct device *device, unsigned index);
        void (*power_up)(struct device *device);
        int (*out)(struct device *device, uint64_t now_ns, const void *data, size_t length);
        int (*in)(struct device *device, uint64_t now_ns, uint8_t endpoint, void *data,
                  size_t capacity);
        uint64_t (*wake_ns)(struct device *device, uint64_t now_ns);
        /* What a test wants of it (control.h). NULL: deaf. */
        int (*tell)(struct device *device, uint64_t now_ns, const char *words);
};

const struct device_kind *device_kind_find(const char *name);

struct device {
        const struct device_kind *kind;
        void *model;
        int bus, address;
        char name[16];   /* "1-3", as in sysfs */
        char sys[128];   /* its directory below /sys */
        char serial[64]; /* "": it has none */
        bool is_gone;
        bool is_falling;    /* the model wants to be unplugged now: the rig does it */
        size_t arrived;     /* bytes of its last transfer that came before it fell */
        uint8_t arrived_on; /* over this endpoint */
};

/* Number `index` from 0 of the whole bus. */
struct device *device_create(const struct device_kind *kind, unsigned index);

int device_control(struct device *device, const uint8_t setup[8], uint8_t *data, size_t length);
bool device_has_endpoint(const struct device *device, uint8_t endpoint);
int device_out(struct device *device, uint64_t now_ns, const void *data, size_t length);
int device_in(struct device *device, uint64_t now_ns, uint8_t endpoint, void *data,
              size_t capacity);

/* When a NAKed transfer is worth another try; UINT64_MAX: not before something is sent. */
uint64_t device_wake_ns(struct device *device, uint64_t now_ns);

/* Descriptor fields that sysfs repeats. */
unsigned device_vendor(const struct device *device);
unsigned device_product(const struct device *device);
const uint8_t *device_interface(const struct device *device); /* USB 2.0 table 9-12 */

/* An answer taken in whole packets, as the host controller sees it: a short one ends the transfer, and a
 * packet that does not fit is an overflow. Moves `taken` on. */
int device_give_packets(const uint8_t *answer, size_t length, size_t *taken, unsigned packet,
                        void *data, size_t capacity);
