/*
 * usb_identity.h - which USB devices are ST-LINKs, where they sit and what they are called.
 *
 * Pure: no function here waits or talks to a device.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

#define USB_VENDOR_ST 0x0483u

/* One row of stlink.md 1.1 and 1.2. */
struct usb_product {
        uint16_t product;
        const char *name;
        bool is_loader;  /* only firmware updates are spoken there */
        uint8_t out, in; /* endpoint addresses of commands and of replies */
};

/* NULL: not an ST-LINK we can drive. ST-LINK/V1 (3744) is left out, it speaks another protocol. */
const struct usb_product *usb_product_find(uint16_t vendor, uint16_t product);

/* "3-1.4": bus, then the ports down the hubs, as Linux names devices in sysfs. A device without
 * ports is a root hub: "3-0". Cut to what fits; ports are at most 7 deep by the standard. */
char *usb_path_format(uint8_t bus, const uint8_t *ports, size_t count, char text[static 64]);

/* An IN buffer of at least `length` bytes that no full packet can overflow (stlink.md 3.1 rule 5).
 */
size_t usb_round_up(size_t length, size_t packet);
