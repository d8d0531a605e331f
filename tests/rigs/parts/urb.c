#include "tests/rigs/parts/urb.h"

#include "scheduler/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum { URB_MAX = 16 << 20 };

int copy_in(pid_t pid, uint64_t address, void *to, size_t length)
{
        struct iovec ours = { to, length }, theirs = { (void *)(uintptr_t)address, length };

        return !length || process_vm_readv(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)length
                       ? 0
                       : -EFAULT;
}

int copy_out(pid_t pid, uint64_t address, const void *from, size_t length)
{
        struct iovec ours = { (void *)(uintptr_t)from, length },
                     theirs = { (void *)(uintptr_t)address, length };

        return !length || process_vm_writev(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)length
                       ? 0
                       : -EFAULT;
}

static struct urb *urb_free(struct urb *urb)
{
        struct urb *next = urb->next;

        free(urb->data);
        free(urb);
        return next;
}

/* --- transfers (the lock is held) ---------------------------------------------------------- */

static void notify(struct opened *opened)
{
        if (!opened->poller)
                return;
        fuse_lowlevel_notify_poll(opened->poller);
        fuse_pollhandle_destroy(opened->poller);
        opened->poller = NULL;
}

static void complete(struct opened *opened, struct urb *urb, int result)
{
        struct urb **at = &opened->completed;

        urb->status = result < 0 ? result : 0;
        urb->actual = result < 0 ? 0 : result;
        urb->next = NULL;
        while (*at)
                at = &(*at)->next;
        *at = urb;
        notify(opened);
}

static int try_transfer(struct device *device, const struct urb *urb)
{
        size_t length = (size_t)urb->image.buffer_length;

        if (urb->image.type == USBDEVFS_URB_TYPE_CONTROL)
                return device_control(device, urb->data, urb->data + 8, load_le16(urb->data + 6));
        if (urb->image.endpoint & 0x80)
                return device_in(device, now_ns(), urb->image.endpoint, urb->data, length);
        return device_out(device, now_ns(), urb->data, length);
}

void urb_pump(struct opened *opened)
{
        uint32_t stuck = 0;

        for (struct urb **at = &opened->pending; *at;) {
                struct urb *urb = *at;
                unsigned endpoint = urb->image.endpoint;
                uint32_t bit = 1u << ((endpoint & 15) + (endpoint & 0x80 ? 16 : 0));
                int result = stuck & bit ? -EAGAIN : try_transfer(opened->device, urb);

                if (result == -EAGAIN) {
                        stuck |= bit;
                        at = &urb->next;
                        continue;
                }
                *at = urb->next;
                complete(opened, urb, result);
        }
}

int urb_submit(struct opened *opened, pid_t pid, uint64_t address, bool may_claim)
{
        struct urb *urb = calloc(1, sizeof(*urb)), **at = &opened->pending;
        bool is_control, is_in;
        int r = copy_in(pid, address, &urb->image, sizeof(urb->image));

        urb->address = address;
        urb->owner = pid;
        is_control = urb->image.type == USBDEVFS_URB_TYPE_CONTROL;
        is_in = urb->image.endpoint & 0x80;
        if (r == 0 && urb->image.buffer_length < 0)
                r = -EINVAL;
        if (r == 0 && urb->image.buffer_length > URB_MAX)
                r = -ENOMEM; /* usbfs_memory_mb */
        if (r == 0 && !is_control && !device_has_endpoint(opened->device, urb->image.endpoint))
                r = -ENOENT;
        if (r == 0 && !is_control && !may_claim)
                r = -EBUSY;
        if (r == 0) {
                urb->data = malloc((size_t)urb->image.buffer_length + 8);
                if (is_control || !is_in)
                        r = copy_in(pid, (uintptr_t)urb->image.buffer, urb->data,
                                    (size_t)urb->image.buffer_length);
        }
        if (r < 0) {
                urb_free(urb);
                return r;
        }
        opened->claimed |= is_control ? 0 : 1; /* usbfs claims by itself */
        while (*at)
                at = &(*at)->next;
        *at = urb;
        urb_pump(opened);
        return 0;
}

int urb_discard(struct opened *opened, uint64_t address)
{
        struct urb **at = &opened->pending, *urb;

        while (*at && (*at)->address != address)
                at = &(*at)->next;
        if (!*at)
                return -EINVAL;
        urb = *at;
        *at = urb->next;
        complete(opened, urb, -ENOENT);
        return 0;
}

int urb_reap(struct opened *opened, uint64_t pointer)
{
        struct urb *urb = opened->completed;
        bool is_control, is_in;
        size_t skip;
        int r = 0;

        if (!urb)
                return opened->device->is_gone ? -ENODEV : -EAGAIN;
        opened->completed = urb->next;
        is_control = urb->image.type == USBDEVFS_URB_TYPE_CONTROL;
        is_in = is_control ? urb->data[0] & 0x80 : urb->image.endpoint & 0x80;
        skip = is_control ? 8 : 0;
        if (is_in)
                r = copy_out(urb->owner, (uintptr_t)urb->image.buffer + skip, urb->data + skip,
                             (size_t)urb->actual);
        if (r == 0)
                r = copy_out(urb->owner, urb->address + offsetof(struct usbdevfs_urb, status),
                             &urb->status, sizeof(urb->status));
        if (r == 0)
                r = copy_out(urb->owner,
                             urb->address + offsetof(struct usbdevfs_urb, actual_length),
                             &urb->actual, sizeof(urb->actual));
        if (r == 0)
                r = copy_out(urb->owner, pointer, &urb->address, sizeof(urb->address));
        urb_free(urb);
        return r;
}

void urb_shut_down(struct opened *opened)
{
        while (opened->pending) {
                struct urb *urb = opened->pending;

                opened->pending = urb->next;
                complete(opened, urb, -ESHUTDOWN);
                if (urb->image.endpoint == opened->device->arrived_on)
                        urb->actual = (int)opened->device->arrived;
        }
        notify(opened);
}

void urb_forget(struct opened *opened)
{
        while (opened->pending)
                opened->pending = urb_free(opened->pending);
        while (opened->completed)
                opened->completed = urb_free(opened->completed);
}
