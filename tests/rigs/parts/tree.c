#include "tests/rigs/parts/tree.h"

#include "scheduler/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- namespaces ---------------------------------------------------------------------------- */

static void make_path(const char *path)
{
        char part[256];

        snprintf(part, sizeof(part), "%s", path);
        for (char *c = part + 1; *c; c++)
                if (*c == '/') {
                        *c = '\0';
                        (void)mkdir(part, 0755);
                        *c = '/';
                }
        (void)mkdir(part, 0755);
}

static int raise_loopback(void)
{
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int r = descriptor < 0 ? -1 : ioctl(descriptor, SIOCSIFFLAGS, &request);

        close(descriptor);
        return r;
}

static int mount_tree(void)
{
        make_path("/run/rig-sys");
        if (mount("/sys", "/run/rig-sys", NULL, MS_BIND | MS_REC, NULL) < 0 ||
            mount("rig-sys", "/sys", "tmpfs", 0, "mode=755") < 0)
                return -1;
        make_path("/sys/devices/system");
        make_path("/sys/class");
        make_path("/sys/bus/usb/devices");
        make_path("/sys/dev/char");
        make_path("/run/udev");
        if (mount("/run/rig-sys/devices/system", "/sys/devices/system", NULL, MS_BIND | MS_REC,
                  NULL) < 0)
                return -1;
        return mount("rig-udev", "/run/udev", "tmpfs", 0, "mode=755");
}

static void put(const char *directory, const char *name, const void *data, size_t length)
{
        char path[256];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "wb");
        INSIST(file && fwrite(data, 1, length, file) == length);
        fclose(file);
}

static void put_text(const char *directory, const char *name, const char *format, ...)
        PRINTF_LIKE(3, 4);
static void put_text(const char *directory, const char *name, const char *format, ...)
{
        char text[512];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        put(directory, name, text, strlen(text));
}

int tree_enter(void)
{
        if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || raise_loopback() < 0 ||
            mount_tree() < 0) {
                int error = errno;

                fprintf(stderr, "usbfs rig: no private /sys and /dev here: %s\n", strerror(error));
                return -error;
        }
        make_path("/run/udev/data");
        put("/run/udev", "control", "", 0); /* libudev takes this for a running udevd */
        return 0;
}

/* --- uevents ------------------------------------------------------------------------------- */

/* MurmurHash2 of a subsystem or device type: libudev's socket filters compare it. */
static uint32_t filter_hash(const char *text)
{
        const uint32_t multiplier = 0x5bd1e995;
        uint32_t length = (uint32_t)strlen(text), hash = length;
        const char *at = text;

        for (; length >= 4; at += 4, length -= 4) {
                uint32_t word = load_le32(at) * multiplier;

                word = (word ^ word >> 24) * multiplier;
                hash = hash * multiplier ^ word;
        }
        for (uint32_t i = length; i-- > 0;)
                hash ^= (uint32_t)(uint8_t)at[i] << 8 * i;
        if (length)
                hash *= multiplier;
        hash = (hash ^ hash >> 13) * multiplier;
        return hash ^ hash >> 15;
}

struct properties {
        char text[1024];
        size_t length;
};

static void add_property(struct properties *properties, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_property(struct properties *properties, const char *format, ...)
{
        va_list arguments;
        int length;

        va_start(arguments, format);
        length = vsnprintf(properties->text + properties->length,
                           sizeof(properties->text) - properties->length, format, arguments);
        va_end(arguments);
        properties->length += (size_t)length + 1;
}

static int minor_number(const struct device *device)
{
        return (device->bus - 1) * 128 + device->address - 1;
}

/* The message udevd sends to its listeners (group 2): a header libudev filters on, then KEY=VALUE. */
static void send_message(const struct properties *properties, const char *type)
{
        struct {
                char prefix[8];
                uint32_t magic, header_size, offset, length, subsystem, type, tags_high, tags_low;
        } header = { "libudev",
                     htonl(0xfeedcafe),
                     sizeof(header),
                     sizeof(header),
                     (uint32_t)properties->length,
                     htonl(filter_hash("usb")),
                     htonl(filter_hash(type)),
                     0,
                     0 };
        struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 2 };
        struct iovec pieces[2] = { { &header, sizeof(header) },
                                   { (void *)(uintptr_t)properties->text, properties->length } };
        struct msghdr message = {
                .msg_name = &group, .msg_namelen = sizeof(group), .msg_iov = pieces, .msg_iovlen = 2
        };
        int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

        if (sendmsg(descriptor, &message, 0) < 0 && errno != ECONNREFUSED)
                perror("usbfs rig: uevent");
        close(descriptor);
}

static void tell(const struct device *device, const char *action, bool is_interface)
{
        static unsigned sequence = 1000;
        const char *type = is_interface ? "usb_interface" : "usb_device";
        const char *path = device->sys + strlen("/sys");
        struct properties properties = { .length = 0 };

        add_property(&properties, "ACTION=%s", action);
        if (is_interface)
                add_property(&properties, "DEVPATH=%s/%s:1.0", path, device->name);
        else
                add_property(&properties, "DEVPATH=%s", path);
        add_property(&properties, "SUBSYSTEM=usb");
        add_property(&properties, "DEVTYPE=%s", type);
        if (!is_interface)
                add_property(&properties, "DEVNAME=/dev/bus/usb/%03d/%03d", device->bus,
                             device->address);
        add_property(&properties, "BUSNUM=%03d", device->bus);
        add_property(&properties, "DEVNUM=%03d", device->address);
        add_property(&properties, "SEQNUM=%u", sequence++);
        add_property(&properties, "MAJOR=189");
        add_property(&properties, "MINOR=%d", minor_number(device));
        add_property(&properties, "PRODUCT=%x/%x/100", device_vendor(device),
                     device_product(device));
        send_message(&properties, type);
}

/* --- the tree ------------------------------------------------------------------------------ */

static void link_to(const char *target, const char *format, ...) PRINTF_LIKE(2, 3);
static void link_to(const char *target, const char *format, ...)
{
        char path[256];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(path, sizeof(path), format, arguments);
        va_end(arguments);
        if (symlink(target, path) < 0)
                perror(path);
}

static void add_interface(const struct device *device)
{
        const uint8_t *interface = device_interface(device);
        char directory[192], target[256];

        snprintf(directory, sizeof(directory), "%s/%s:1.0", device->sys, device->name);
        make_path(directory);
        put_text(directory, "bInterfaceNumber", "%02x\n", interface[2]);
        put_text(directory, "bAlternateSetting", " %u\n", interface[3]);
        put_text(directory, "bNumEndpoints", "%02x\n", interface[4]);
        put_text(directory, "bInterfaceClass", "%02x\n", interface[5]);
        put_text(directory, "bInterfaceSubClass", "%02x\n", interface[6]);
        put_text(directory, "bInterfaceProtocol", "%02x\n", interface[7]);
        put_text(directory, "uevent",
                 "DEVTYPE=usb_interface\nPRODUCT=%x/%x/100\nINTERFACE=%u/%u/%u\n",
                 device_vendor(device), device_product(device), interface[5], interface[6],
                 interface[7]);
        link_to("../../../../../bus/usb", "%s/subsystem", directory);
        snprintf(target, sizeof(target), "../../..%s", directory + strlen("/sys"));
        link_to(target, "/sys/bus/usb/devices/%s:1.0", device->name);
}

static void put_attributes(const struct device *device)
{
        const struct device_kind *kind = device->kind;
        const char *sys = device->sys;

        put_text(sys, "busnum", "%d\n", device->bus);
        put_text(sys, "devnum", "%d\n", device->address);
        put_text(sys, "idVendor", "%04x\n", device_vendor(device));
        put_text(sys, "idProduct", "%04x\n", device_product(device));
        put_text(sys, "speed", "%u\n", kind->mbit);
        put_text(sys, "bConfigurationValue", "1\n");
        put_text(sys, "bNumInterfaces", " 1\n");
        put_text(sys, "bDeviceClass", "%02x\n", kind->descriptors[4]);
        put_text(sys, "maxchild", "0\n");
        if (device->serial[0])
                put_text(sys, "serial", "%s\n", device->serial);
        put_text(sys, "product", "%s\n", kind->product);
        put_text(sys, "manufacturer", "%s\n", kind->manufacturer);
        put(sys, "descriptors", kind->descriptors, kind->descriptors_length);
        put_text(sys, "dev", "189:%d\n", minor_number(device));
        put_text(sys, "uevent",
                 "MAJOR=189\nMINOR=%d\nDEVNAME=bus/usb/%03d/%03d\nDEVTYPE=usb_device\nDRIVER=usb\n"
                 "PRODUCT=%x/%x/100\nBUSNUM=%03d\nDEVNUM=%03d\n",
                 minor_number(device), device->bus, device->address, device_vendor(device),
                 device_product(device), device->bus, device->address);
}

void tree_add(struct device *device)
{
        const char *sys = device->sys;
        char target[256];

        snprintf(device->sys, sizeof(device->sys), "/sys/devices/pci0000:00/usb%d/%s", device->bus,
                 device->name);
        make_path(sys);
        put_attributes(device);
        link_to("../../../../bus/usb", "%s/subsystem", sys);
        snprintf(target, sizeof(target), "../../..%s", sys + strlen("/sys"));
        link_to(target, "/sys/bus/usb/devices/%s", device->name);
        snprintf(target, sizeof(target), "../..%s", sys + strlen("/sys"));
        link_to(target, "/sys/dev/char/189:%d", minor_number(device));
        add_interface(device);
        tell(device, "add", false);
        tell(device, "add", true);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
        (void)status;
        (void)type;
        (void)where;
        return remove(path);
}

void tree_remove(struct device *device)
{
        char path[128];

        snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s", device->name);
        (void)unlink(path);
        snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s:1.0", device->name);
        (void)unlink(path);
        snprintf(path, sizeof(path), "/sys/dev/char/189:%d", minor_number(device));
        (void)unlink(path);
        (void)nftw(device->sys, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        tell(device, "remove", true);
        tell(device, "remove", false);
}
