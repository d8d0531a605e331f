/*
 * usbfs.c - simulated ST-LINKs as USB devices for real programs: usbfs served by FUSE.
 *
 *      usbfs PROBES -- command [arguments]
 *
 * In private mount and network namespaces stand a FUSE file system on /dev/bus/usb, a made-up /sys and
 * real netlink uevents (parts/tree.c); behind the device nodes are the simulator's probes and parts
 * (parts/device.c). The command meets real descriptors: libusb, libudev, poll and io_uring are the real
 * ones. The ioctl handler takes URB memory from the caller with process_vm_readv, as the kernel would.
 * RIG_PID is set for the command: SIGUSR1 to it unplugs the first probe, SIGUSR2 plugs it in again.
 *
 * It proves protocol and life cycle, not kernel limits, packets on the wire or permissions. Needs root
 * and /dev/fuse. Exit code: the command's, or 125 when the rig itself cannot be set up.
 */
#define FUSE_USE_VERSION 314

#include "scheduler/loop.h"
#include "tests/rigs/parts/device.h"
#include "tests/rigs/parts/tree.h"

#include <errno.h>
#include <fuse3/fuse_lowlevel.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEVICES_MAX = 240, RIG_FAILED = 125, URB_MAX = 16 << 20 };

/* A transfer handed to the "kernel": where it lies in the caller, and our copy of its data. */
struct urb {
        struct urb *next;
        struct usbdevfs_urb image;
        uint64_t address;
        pid_t owner;
        uint8_t *data;
        int status, actual;
};

/* One open of a device node. */
struct opened {
        struct opened *next;
        struct device *device;
        struct urb *pending, *completed;
        struct fuse_pollhandle *poller;
        uint32_t claimed;
};

static struct device *devices[DEVICES_MAX];
static unsigned device_count;
static struct opened *all_opened;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of the above */
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;   /* something was submitted */

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int copy_in(pid_t pid, uint64_t address, void *to, size_t length)
{
        struct iovec ours = { to, length }, theirs = { (void *)(uintptr_t)address, length };

        return !length || process_vm_readv(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)length
                       ? 0
                       : -EFAULT;
}

static int copy_out(pid_t pid, uint64_t address, const void *from, size_t length)
{
        struct iovec ours = { (void *)(uintptr_t)from, length },
                     theirs = { (void *)(uintptr_t)address, length };

        return !length || process_vm_writev(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)length
                       ? 0
                       : -EFAULT;
}

/* --- the file system ----------------------------------------------------------------------- */

enum { INODE_BUS = 1000, INODE_DEVICE = 100000 };

static void fill_attributes(fuse_ino_t inode, struct stat *status)
{
        bool is_directory = inode < INODE_DEVICE;

        memset(status, 0, sizeof(*status));
        status->st_ino = inode;
        status->st_mode = is_directory ? S_IFDIR | 0755 : S_IFREG | 0666;
        status->st_nlink = is_directory ? 2 : 1;
        status->st_size = is_directory ? 0 : 4096;
}

static void do_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
        struct stat status;

        (void)info;
        fill_attributes(inode, &status);
        fuse_reply_attr(request, &status, 0);
}

static void do_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
        struct fuse_entry_param entry = { 0 };
        int number = atoi(name);

        pthread_mutex_lock(&lock);
        for (unsigned i = 0; i < device_count && !entry.ino; i++) {
                if (devices[i]->is_gone)
                        continue;
                if (parent == FUSE_ROOT_ID && devices[i]->bus == number)
                        entry.ino = INODE_BUS + (fuse_ino_t)number;
                else if (parent == INODE_BUS + (fuse_ino_t)devices[i]->bus &&
                         devices[i]->address == number)
                        entry.ino = INODE_DEVICE + i;
        }
        pthread_mutex_unlock(&lock);
        if (!entry.ino || strlen(name) != 3) {
                fuse_reply_err(request, ENOENT);
                return;
        }
        fill_attributes(entry.ino, &entry.attr);
        fuse_reply_entry(request, &entry);
}

/* The next name of a directory after `offset`, as FUSE counts them. */
static bool list_entry(fuse_ino_t inode, off_t offset, char name[16], fuse_ino_t *ret_inode)
{
        off_t position = 0;
        int last_bus = 0;

        for (unsigned i = 0; i < device_count; i++) {
                const struct device *device = devices[i];

                if (device->is_gone)
                        continue;
                if (inode == FUSE_ROOT_ID && device->bus == last_bus)
                        continue;
                if (inode != FUSE_ROOT_ID && inode != INODE_BUS + (fuse_ino_t)device->bus)
                        continue;
                last_bus = device->bus;
                if (position++ < offset)
                        continue;
                snprintf(name, 16, "%03d", inode == FUSE_ROOT_ID ? device->bus : device->address);
                *ret_inode = inode == FUSE_ROOT_ID ? INODE_BUS + (fuse_ino_t)device->bus
                                                   : INODE_DEVICE + i;
                return true;
        }
        return false;
}

static void do_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                       struct fuse_file_info *info)
{
        char *buffer = malloc(size), name[16];
        size_t used = 0;
        fuse_ino_t child;

        (void)info;
        pthread_mutex_lock(&lock);
        while (list_entry(inode, offset, name, &child)) {
                struct stat status;
                size_t length;

                fill_attributes(child, &status);
                length = fuse_add_direntry(request, buffer + used, size - used, name, &status,
                                           offset + 1);
                if (length > size - used)
                        break;
                used += length;
                offset++;
        }
        pthread_mutex_unlock(&lock);
        fuse_reply_buf(request, buffer, used);
        free(buffer);
}

static void do_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
        struct opened *opened;
        struct device *device = devices[inode - INODE_DEVICE];

        if (device->is_gone) {
                fuse_reply_err(request, ENODEV);
                return;
        }
        opened = calloc(1, sizeof(*opened));
        opened->device = device;
        pthread_mutex_lock(&lock);
        opened->next = all_opened;
        all_opened = opened;
        pthread_mutex_unlock(&lock);
        info->fh = (uintptr_t)opened;
        info->direct_io = 1;
        fuse_reply_open(request, info);
}

static struct urb *urb_free(struct urb *urb)
{
        struct urb *next = urb->next;

        free(urb->data);
        free(urb);
        return next;
}

static void do_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
        struct opened *opened = (struct opened *)(uintptr_t)info->fh, **at = &all_opened;

        (void)inode;
        pthread_mutex_lock(&lock);
        while (*at != opened)
                at = &(*at)->next;
        *at = opened->next;
        if (opened->poller)
                fuse_pollhandle_destroy(opened->poller);
        while (opened->pending)
                opened->pending = urb_free(opened->pending);
        while (opened->completed)
                opened->completed = urb_free(opened->completed);
        pthread_mutex_unlock(&lock);
        free(opened);
        fuse_reply_err(request, 0);
}

static void do_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
        const struct device *device = devices[inode - INODE_DEVICE];
        size_t start = (size_t)offset, length = device->descriptors_length;

        (void)info;
        if (device->is_gone) {
                fuse_reply_err(request, ENODEV);
                return;
        }
        if (start > length)
                start = length;
        fuse_reply_buf(request, (const char *)device->descriptors + start,
                       size < length - start ? size : length - start);
}

static void do_poll(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info,
                    struct fuse_pollhandle *handle)
{
        struct opened *opened = (struct opened *)(uintptr_t)info->fh;
        unsigned events = 0;

        (void)inode;
        pthread_mutex_lock(&lock);
        if (handle) {
                if (opened->poller)
                        fuse_pollhandle_destroy(opened->poller);
                opened->poller = handle;
        }
        if (opened->completed)
                events |= POLLOUT | POLLWRNORM;
        if (opened->device->is_gone)
                events |= POLLERR | POLLHUP;
        pthread_mutex_unlock(&lock);
        fuse_reply_poll(request, events);
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

/* Move what can move; a NAKed transfer holds up those behind it on its own endpoint only. */
static void pump(struct opened *opened)
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

/* Wakes up when a probe has finished thinking. */
static void *run_pump(void *unused)
{
        (void)unused;
        pthread_mutex_lock(&lock);
        for (;;) {
                uint64_t wake_ns = now_ns() + NS_PER_S;
                struct timespec when;

                for (struct opened *o = all_opened; o; o = o->next) {
                        uint64_t ready_ns;

                        if (o->device->is_gone || !o->pending)
                                continue;
                        pump(o);
                        ready_ns = device_wake_ns(o->device, now_ns());
                        if (o->pending && ready_ns < wake_ns)
                                wake_ns = ready_ns;
                }
                when = (struct timespec){ (time_t)(wake_ns / NS_PER_S),
                                          (long)(wake_ns % NS_PER_S) };
                pthread_cond_timedwait(&work, &lock, &when);
        }
        return NULL;
}

static int submit(struct opened *opened, pid_t pid, uint64_t address)
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
        pump(opened);
        pthread_cond_signal(&work);
        return 0;
}

static int discard(struct opened *opened, uint64_t address)
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

static int reap(struct opened *opened, uint64_t pointer)
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

/* --- ioctls (the lock is held) ------------------------------------------------------------- */

static int claim(struct opened *opened, pid_t pid, uint64_t address, bool is_release)
{
        uint32_t number;
        int r = copy_in(pid, address, &number, sizeof(number)); /* _IOR: FUSE passes no input */

        if (r < 0)
                return r;
        if (number != 0)
                return -ENOENT;
        if (is_release) {
                opened->claimed = 0;
                return 0;
        }
        for (const struct opened *o = all_opened; o; o = o->next)
                if (o != opened && o->device == opened->device && o->claimed)
                        return -EBUSY;
        opened->claimed = 1;
        return 0;
}

static int control(struct opened *opened, pid_t pid, const struct usbdevfs_ctrltransfer *transfer)
{
        const uint8_t setup[8] = { transfer->bRequestType,     transfer->bRequest,
                                   (uint8_t)transfer->wValue,  (uint8_t)(transfer->wValue >> 8),
                                   (uint8_t)transfer->wIndex,  (uint8_t)(transfer->wIndex >> 8),
                                   (uint8_t)transfer->wLength, (uint8_t)(transfer->wLength >> 8) };
        uint8_t data[4096];
        bool is_in = setup[0] & 0x80;
        int r = 0;

        if (transfer->wLength > sizeof(data))
                return -EINVAL;
        if (!is_in)
                r = copy_in(pid, (uintptr_t)transfer->data, data, transfer->wLength);
        if (r == 0)
                r = device_control(opened->device, setup, data, transfer->wLength);
        if (r > 0 && is_in && copy_out(pid, (uintptr_t)transfer->data, data, (size_t)r) < 0)
                return -EFAULT;
        return r;
}

static int set_configuration(const struct opened *opened, pid_t pid, uint64_t address)
{
        int32_t number;

        if (copy_in(pid, address, &number, sizeof(number)) < 0)
                return -EFAULT;
        return opened->claimed ? -EBUSY : number == 1 ? 0 : -EINVAL;
}

static int set_interface(pid_t pid, uint64_t address)
{
        struct usbdevfs_setinterface set;

        if (copy_in(pid, address, &set, sizeof(set)) < 0)
                return -EFAULT;
        return set.interface == 0 && set.altsetting == 0 ? 0 : -EINVAL;
}

static int clear_halt(const struct opened *opened, pid_t pid, uint64_t address)
{
        uint32_t endpoint;

        if (copy_in(pid, address, &endpoint, sizeof(endpoint)) < 0)
                return -EFAULT;
        return device_has_endpoint(opened->device, (uint8_t)endpoint) ? 0 : -ENOENT;
}

static int perform_ioctl(struct opened *opened, unsigned command, pid_t pid, uint64_t address,
                         const void *in)
{
        struct device *device = opened->device;

        if (device->is_gone && command != (unsigned)USBDEVFS_REAPURBNDELAY &&
            command != (unsigned)USBDEVFS_REAPURB)
                return -ENODEV;
        switch (command) {
        case (unsigned)USBDEVFS_GET_SPEED:
                return 3; /* high */
        case (unsigned)USBDEVFS_CLAIMINTERFACE:
                return claim(opened, pid, address, false);
        case (unsigned)USBDEVFS_RELEASEINTERFACE:
                return claim(opened, pid, address, true);
        case (unsigned)USBDEVFS_SETCONFIGURATION:
                return set_configuration(opened, pid, address);
        case (unsigned)USBDEVFS_SETINTERFACE:
                return set_interface(pid, address);
        case (unsigned)USBDEVFS_CLEAR_HALT:
                return clear_halt(opened, pid, address);
        case (unsigned)USBDEVFS_RESET:
                probe_power_up(device->probe);
                device->answer_length = device->answer_taken = 0;
                return 0;
        case (unsigned)USBDEVFS_GETDRIVER:
        case (unsigned)USBDEVFS_IOCTL:
                return -ENODATA; /* no kernel driver on interface 0 */
        case (unsigned)USBDEVFS_CONTROL:
                return control(opened, pid, in);
        case (unsigned)USBDEVFS_SUBMITURB:
                return submit(opened, pid, address);
        case (unsigned)USBDEVFS_DISCARDURB:
                return discard(opened, address);
        case (unsigned)USBDEVFS_REAPURB:
        case (unsigned)USBDEVFS_REAPURBNDELAY:
                return reap(opened, address);
        default:
                return -ENOTTY;
        }
}

static void do_ioctl(fuse_req_t request, fuse_ino_t inode, unsigned command, void *argument,
                     struct fuse_file_info *info, unsigned flags, const void *in, size_t in_size,
                     size_t out_size)
{
        static const uint32_t capabilities = USBDEVFS_CAP_ZERO_PACKET |
                                             USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                                             USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
        struct opened *opened = (struct opened *)(uintptr_t)info->fh;
        int r;

        (void)inode;
        (void)flags;
        (void)in_size;
        (void)out_size;
        if (command == (unsigned)USBDEVFS_GET_CAPABILITIES) {
                fuse_reply_ioctl(request, 0, &capabilities, sizeof(capabilities));
                return;
        }
        pthread_mutex_lock(&lock);
        r = perform_ioctl(opened, command, fuse_req_ctx(request)->pid, (uintptr_t)argument, in);
        pthread_mutex_unlock(&lock);
        if (r < 0)
                fuse_reply_err(request, -r);
        else
                fuse_reply_ioctl(request, r, NULL, 0);
}

static const struct fuse_lowlevel_ops operations = {
        .getattr = do_getattr,
        .lookup = do_lookup,
        .readdir = do_readdir,
        .open = do_open,
        .release = do_release,
        .read = do_read,
        .poll = do_poll,
        .ioctl = do_ioctl,
};

/* --- plugging ------------------------------------------------------------------------------ */

static void unplug(struct device *device)
{
        pthread_mutex_lock(&lock);
        device->is_gone = true;
        for (struct opened *o = all_opened; o; o = o->next) {
                if (o->device != device)
                        continue;
                while (o->pending) {
                        struct urb *urb = o->pending;

                        o->pending = urb->next;
                        complete(o, urb, -ESHUTDOWN);
                }
                notify(o);
        }
        pthread_mutex_unlock(&lock);
        tree_remove(device);
}

/* As hubs do, the device comes back under a new address. */
static void plug(struct device *device)
{
        pthread_mutex_lock(&lock);
        device->is_gone = false;
        device->address += 100;
        device->busy_until_ns = 0;
        device->answer_length = device->answer_taken = 0;
        probe_power_up(device->probe);
        pthread_mutex_unlock(&lock);
        tree_add(device);
}

/* --- the rig ------------------------------------------------------------------------------- */

struct profiles {
        struct family family;
        struct rss_profile rss;
};

static int load_profiles(void *subject)
{
        struct profiles *profiles = subject;
        int r = family_load("configs/targets/stm32h75x.conf", &profiles->family);

        if (r == 0)
                r = rss_profile_load("configs/rss/reference-h7.conf", &profiles->rss);
        if (r < 0)
                fprintf(stderr, "usbfs rig: %s\n", fault_sentence(r));
        return r;
}

static int load_on_loop(struct profiles *profiles)
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;
        int r = loop_create(&settings, &loop);

        if (r < 0)
                return r;
        r = loop_run(loop, "profiles", load_profiles, profiles);
        loop_destroy(loop);
        return r;
}

static void *serve(void *session)
{
        fuse_session_loop(session);
        return NULL;
}

static struct fuse_session *mount_usbfs(void)
{
        char name[] = "usbfs", option[] = "-oallow_other,default_permissions";
        char *words[] = { name, option, NULL };
        struct fuse_args arguments = FUSE_ARGS_INIT(2, words);
        struct fuse_session *session =
                fuse_session_new(&arguments, &operations, sizeof(operations), NULL);

        (void)mkdir("/dev/bus", 0755);
        (void)mkdir("/dev/bus/usb", 0755);
        if (!session || fuse_session_mount(session, "/dev/bus/usb") != 0)
                return NULL;
        return session;
}

static pid_t start_command(char **command)
{
        pid_t parent = getpid(), child = fork();
        char text[16];
        sigset_t none;

        if (child != 0)
                return child;
        snprintf(text, sizeof(text), "%d", parent);
        setenv("RIG_PID", text, 1);
        setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1); /* libudev refuses a /sys that is no sysfs */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
}

/* Until the command ends: plug and unplug on demand. */
static int attend(pid_t child, const sigset_t *signals)
{
        int status, number;

        for (;;) {
                struct timespec second = { 1, 0 };

                if (waitpid(child, &status, WNOHANG) == child)
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                number = sigtimedwait(signals, NULL, &second);
                if (number == SIGUSR1 && !devices[0]->is_gone)
                        unplug(devices[0]);
                if (number == SIGUSR2 && devices[0]->is_gone)
                        plug(devices[0]);
        }
}

int main(int argc, char **argv)
{
        static struct profiles profiles;
        unsigned wanted = argc > 3 ? (unsigned)atoi(argv[1]) : 0;
        struct fuse_session *session;
        pthread_condattr_t monotonic;
        pthread_t server, pumper;
        sigset_t signals;
        int code;

        if (!wanted || wanted > DEVICES_MAX || strcmp(argv[2], "--") != 0) {
                fprintf(stderr, "usage: usbfs PROBES -- command\n");
                return 2;
        }
        if (load_on_loop(&profiles) < 0 || tree_enter() < 0 || !(session = mount_usbfs()))
                return RIG_FAILED;
        sigemptyset(&signals);
        sigaddset(&signals, SIGUSR1);
        sigaddset(&signals, SIGUSR2);
        sigaddset(&signals, SIGCHLD);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&work, &monotonic);
        pthread_create(&server, NULL, serve, session);
        pthread_create(&pumper, NULL, run_pump, NULL);
        for (unsigned i = 0; i < wanted; i++) {
                devices[i] = device_create(i, &profiles.family, &profiles.rss);
                pthread_mutex_lock(&lock);
                device_count++;
                pthread_mutex_unlock(&lock);
                tree_add(devices[i]);
        }
        code = attend(start_command(argv + 3), &signals);
        fuse_session_unmount(session);
        _exit(code);
}
