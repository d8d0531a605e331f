/*
 * usb_wire.h - one probe behind libusb: what usb.c opens and then hands out as a struct wire.
 */
#pragma once

#include "drivers/usb_identity.h"
#include "drivers/wire.h"

struct libusb_device;
struct workers;

/* What the wires of one bus share. */
struct usb_share {
        struct workers
                *blocking; /* one thread for the two calls libusb has only as blocking ones */
        unsigned wires;    /* open now */
};

/* Open `device` and read its serial (waits); nothing is claimed yet. The open itself and the cached
 * descriptors are read in place, a few milliseconds at plug time.
 *      -FAULT_UNPLUGGED, -FAULT_SYSTEM (no permission), -FAULT_PROBE */
int usb_wire_create(struct usb_share *share, struct libusb_device *device,
                    const struct usb_product *product, const char *path,
                    struct wire **ret_wire) MUST_USE;

/* Claim interface 0 and look up its endpoints; now exchanges work.
 *      -FAULT_PROBE_BUSY  another program holds it */
int usb_wire_claim(struct wire *wire) MUST_USE;

/* What libusb's `error` is to us. `doing` goes into the sentence. */
int usb_fault(int error, const char *path, const char *doing) MUST_USE;
