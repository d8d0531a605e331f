/*
 * usbfs.c - simulated devices as USB devices for real programs: usbfs served by FUSE.
 *
 *      usbfs [KIND=]COUNT [...] -- command [arguments]
 *
 * In private mount and network namespaces stand a FUSE file system on /dev/bus/usb, a made-up /sys and
 * real netlink uevents (parts/tree.c); behind the device nodes are devices of the kinds in parts/device.c:
 * "4" is four ST-LINKs, "ccid=4" four card readers. The command meets real descriptors: libusb, libudev, poll
 * and io_uring are the real ones. The ioctl handler takes URB memory from the caller with process_vm_readv, as
 * the kernel would (parts/urb.c). At the socket RIG_CONTROL, where that is given, any device can be unplugged,
 * plugged in again and told to do what it can do (parts/control.h).
 *
 * It proves protocol and life cycle, not kernel limits, packets on the wire or permissions. Needs root
 * and /dev/fuse. Exit code: the command's, or 125 when the rig itself cannot be set up.
 */
#include "tests/rigs/parts/control.h"
#include "tests/rigs/parts/orders.h"
#include "tests/rigs/parts/tree.h"
#include "tests/rigs/parts/urb.h"

#include <errno.h>
#include <linux/usb/ch9.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RIG_FAILED = 125 };

static struct device *devices[DEVICES_MAX];
static unsigned device_count;
static struct opened *all_opened;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of the above */
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;   /* something was submitted */

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
        urb_forget(opened);
        pthread_mutex_unlock(&lock);
        free(opened);
        fuse_reply_err(request, 0);
}

static void do_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
        const struct device *device = devices[inode - INODE_DEVICE];
        size_t start = (size_t)offset, length = device->kind->descriptors_length;

        (void)info;
        if (device->is_gone) {
                fuse_reply_err(request, ENODEV);
                return;
        }
        if (start > length)
                start = length;
        fuse_reply_buf(request, (const char *)device->kind->descriptors + start,
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

/* --- time passes --------------------------------------------------------------------------- */

static void unplug(struct device *device);

/* A device whose model has pulled its own plug; NULL: none. */
static struct device *falling_device(void)
{
        for (unsigned i = 0; i < device_count; i++)
                if (devices[i]->is_falling && !devices[i]->is_gone)
                        return devices[i];
        return NULL;
}

/* Move what can move everywhere; when to look again. */
static uint64_t pump_all(void)
{
        uint64_t wake_ns = now_ns() + NS_PER_S;

        for (struct opened *o = all_opened; o; o = o->next) {
                uint64_t ready_ns;

                if (o->device->is_gone || !o->pending)
                        continue;
                urb_pump(o);
                ready_ns = device_wake_ns(o->device, now_ns());
                if (o->pending && ready_ns < wake_ns)
                        wake_ns = ready_ns;
        }
        return wake_ns;
}

/* Wakes up when a device has finished thinking. */
static void *run_pump(void *unused)
{
        (void)unused;
        pthread_mutex_lock(&lock);
        for (;;) {
                uint64_t wake_ns = pump_all();
                struct timespec when = { (time_t)(wake_ns / NS_PER_S), (long)(wake_ns % NS_PER_S) };
                struct device *falling = falling_device();

                if (falling) {
                        pthread_mutex_unlock(&lock);
                        unplug(falling);
                        pthread_mutex_lock(&lock);
                        continue;
                }
                pthread_cond_timedwait(&work, &lock, &when);
        }
        return NULL;
}

/* --- ioctls (the lock is held) ------------------------------------------------------------- */

/* Does nobody but this one hold the interface? */
static bool may_claim(const struct opened *opened)
{
        for (const struct opened *o = all_opened; o; o = o->next)
                if (o != opened && o->device == opened->device && o->claimed)
                        return false;
        return true;
}

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
        if (!may_claim(opened))
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
        if (opened->claimed || !may_claim(opened))
                return -EBUSY; /* by whomever */
        return number == 1 ? 0 : -EINVAL;
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
        if (!device_has_endpoint(opened->device, (uint8_t)endpoint))
                return -ENOENT;
        return may_claim(opened) ? 0 : -EBUSY;
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
                return device->kind->mbit == 480 ? USB_SPEED_HIGH : USB_SPEED_FULL;
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
                device->kind->power_up(device);
                return 0;
        case (unsigned)USBDEVFS_GETDRIVER:
        case (unsigned)USBDEVFS_IOCTL:
                return -ENODATA; /* no kernel driver on interface 0 */
        case (unsigned)USBDEVFS_CONTROL:
                return control(opened, pid, in);
        case (unsigned)USBDEVFS_SUBMITURB:
                pthread_cond_signal(&work);
                return urb_submit(opened, pid, address, may_claim(opened));
        case (unsigned)USBDEVFS_DISCARDURB:
                return urb_discard(opened, address);
        case (unsigned)USBDEVFS_REAPURB:
        case (unsigned)USBDEVFS_REAPURBNDELAY:
                return urb_reap(opened, address);
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
        device->is_falling = false;
        for (struct opened *o = all_opened; o; o = o->next) {
                if (o->device == device)
                        urb_shut_down(o);
        }
        pthread_mutex_unlock(&lock);
        tree_remove(device);
}

/* As hubs do, the device comes back under a new address. */
static void plug(struct device *device)
{
        pthread_mutex_lock(&lock);
        device->is_gone = false;
        device->arrived = 0;
        device->arrived_on = 0;
        device->address += 100;
        if (device->address > 247) /* 127 on a real bus; numbers that nothing else here has */
                device->address -= 240;
        device->kind->power_up(device);
        pthread_mutex_unlock(&lock);
        tree_add(device);
}

/* --- the rig ------------------------------------------------------------------------------- */

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
        pid_t child = fork();
        sigset_t none;

        if (child != 0)
                return child;
        setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1); /* libudev refuses a /sys that is no sysfs */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
}

/* What a test says (control.h): plugging is done here, the rest is the device's. */
static int tell(unsigned index, const char *words)
{
        struct device *device = index < device_count ? devices[index] : NULL;
        int r = -1;

        if (!device)
                return -1;
        if (strcmp(words, "unplug") == 0 || strcmp(words, "plug") == 0) {
                bool is_wanted = words[0] == 'p';

                if (is_wanted && device->is_gone)
                        plug(device);
                else if (!is_wanted && !device->is_gone)
                        unplug(device);
                return 0;
        }
        pthread_mutex_lock(&lock);
        if (device->kind->tell)
                r = device->kind->tell(device, now_ns(), words);
        pthread_cond_signal(&work); /* it may have something to tell */
        pthread_mutex_unlock(&lock);
        return r;
}

/* Until the command ends. */
static int attend(pid_t child, const sigset_t *signals)
{
        int status;

        for (;;) {
                struct timespec second = { 1, 0 };
                pid_t ended;

                /* in a namespace of its own the rig is everybody's last parent */
                while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
                        if (ended == child)
                                return WIFEXITED(status) ? WEXITSTATUS(status)
                                                         : 128 + WTERMSIG(status);
                (void)sigtimedwait(signals, NULL, &second); /* awake when a child ends */
        }
}

static void block_signals(sigset_t *signals)
{
        sigemptyset(signals);
        sigaddset(signals, SIGCHLD);
        sigprocmask(SIG_BLOCK, signals, NULL);
}

static void start_threads(struct fuse_session *session)
{
        pthread_condattr_t monotonic;
        pthread_t server, pumper;

        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&work, &monotonic);
        pthread_create(&server, NULL, serve, session);
        pthread_create(&pumper, NULL, run_pump, NULL);
}

static void plug_in(const struct order *order)
{
        for (unsigned i = 0; i < order->count; i++) {
                struct device *device = device_create(order->kind, device_count);

                pthread_mutex_lock(&lock);
                devices[device_count++] = device;
                pthread_mutex_unlock(&lock);
                tree_add(device);
        }
}

int main(int argc, char **argv)
{
        struct order orders[ORDERS_MAX];
        const char *control = getenv("RIG_CONTROL");
        unsigned count;
        int command = orders_parse(argc, argv, orders, &count), code;
        struct fuse_session *session;
        sigset_t signals;

        if (!command) {
                fprintf(stderr, "usage: usbfs [KIND=]COUNT [...] -- command\n");
                return 2;
        }
        if (orders_load(orders, count) < 0 || tree_enter() < 0 || !(session = mount_usbfs()))
                return RIG_FAILED;
        block_signals(&signals);
        if (control && control_serve(control, tell) < 0)
                return RIG_FAILED;
        start_threads(session);
        for (unsigned i = 0; i < count; i++)
                plug_in(&orders[i]);
        code = attend(start_command(argv + command), &signals);
        fuse_session_unmount(session);
        _exit(code);
}
