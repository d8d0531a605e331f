/*
 * tree.h - what libudev and libusb look at beside the device nodes: a made-up /sys, and uevents.
 *
 * Everything happens in the rig's own mount and network namespace; nothing is left behind.
 */
#pragma once

#include "tests/rigs/parts/device.h"

/* Enter private namespaces and lay the empty tree: tmpfs on /sys (the real /sys/devices/system bound
 * in) and on /run/udev, loopback up. Needs root. 0, or -errno with a line on stderr. */
int tree_enter(void);

/* Make a device's directories and links and tell the listeners; and the reverse. */
void tree_add(struct device *device);
void tree_remove(struct device *device);
