/*
 * device.h - one ST-LINK on the rig's bus: USB descriptors around the simulated probe and its part.
 *
 * Passive; the caller holds the rig's lock. Results are lengths or -errno as usbfs gives them; -EAGAIN
 * is a NAK: ask again at device_wake_ns().
 */
#pragma once

#include "drivers/simulated/probe.h"

#include <stdbool.h>

struct device {
        int bus, address;
        char name[16]; /* "1-3", as in sysfs */
        char sys[128]; /* its directory below /sys */
        bool is_gone;
        struct simulated_probe *probe;
        struct simulated_part *part;
        void *store;
        uint8_t descriptors[64]; /* device and configuration, as in sysfs */
        size_t descriptors_length;
        unsigned packet; /* largest bulk packet */
        uint64_t busy_until_ns;
        uint8_t answer[65536];
        size_t answer_length, answer_taken;
};

/* Number `index` from 0 gets its own serial and part. */
struct device *device_create(unsigned index, const struct family *family,
                             const struct rss_profile *rss);

int device_control(struct device *device, const uint8_t setup[8], uint8_t *data, size_t length);
bool device_has_endpoint(const struct device *device, uint8_t endpoint);
int device_out(struct device *device, uint64_t now_ns, const void *data, size_t length);
int device_in(struct device *device, uint64_t now_ns, uint8_t endpoint, void *data,
              size_t capacity);

/* When a NAKed transfer is worth another try; UINT64_MAX: not before something is sent. */
uint64_t device_wake_ns(const struct device *device, uint64_t now_ns);
