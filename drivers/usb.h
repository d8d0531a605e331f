/*
 * usb.h - the real bus: libusb-1.0, asynchronous transfers only.
 *
 * libusb's descriptors (transfers, its timerfd, hotplug) are polled through the ring by one fiber
 * of the bus, with a re-armed one-shot poll since libusb reaps a limited number of transfers a
 * call. A probe is known by its USB port path; the serial is only cross-checked (two probes may
 * report the same one).
 */
#pragma once

#include "drivers/wire.h"

/* Start libusb and the fiber that serves it. Call on a fiber. bus_close() ends both (waits).
 *      -FAULT_SYSTEM */
int usb_bus_open(struct bus **ret_bus) MUST_USE;

/* Decode a raw iSerialNumber string descriptor (stlink.md section 2): 50 bytes hold 24 hex
 * characters, 26 hold the defective 12 raw bytes; anything else gives "". */
void usb_serial_decode(const uint8_t *descriptor, size_t length, char ret_serial[static 64]);
