/*
 * urb.h - transfers handed to the rig's "kernel" by one open of a device node: submitted, completed, reaped,
 * discarded. URB memory is taken from the caller with process_vm_readv, as the kernel would.
 *
 * The caller holds the rig's lock. Results are 0 or -errno as usbfs gives them.
 */
#pragma once

#include "tests/rigs/parts/device.h"

#include <linux/usbdevice_fs.h>
#include <sys/types.h>

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

/* A transfer handed to the "kernel": where it lies in the caller, and our copy of its data. */
struct urb {
        struct urb *next;
        uint64_t address;
        pid_t owner;
        uint8_t *data;
        int status, actual;
        struct usbdevfs_urb image; /* last: it has an array without a length */
};

/* One open of a device node. */
struct opened {
        struct opened *next;
        struct device *device;
        struct urb *pending, *completed;
        struct fuse_pollhandle *poller;
        uint32_t claimed;
};

int copy_in(pid_t pid, uint64_t address, void *to, size_t length);
int copy_out(pid_t pid, uint64_t address, const void *from, size_t length);

/* `may_claim`: nobody else holds the interface. */
int urb_submit(struct opened *opened, pid_t pid, uint64_t address, bool may_claim);
int urb_discard(struct opened *opened, uint64_t address);
int urb_reap(struct opened *opened, uint64_t pointer);

/* Move what can move; a NAKed transfer holds up those behind it on its own endpoint only. */
void urb_pump(struct opened *opened);
/* The device is gone: everything pending ends. */
void urb_shut_down(struct opened *opened);
/* The node is closed: nobody will reap. */
void urb_forget(struct opened *opened);
