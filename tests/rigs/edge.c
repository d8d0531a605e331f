/*
 * edge.c - the edges of usbfs that our driver leans on, asked through libusb: one line an answer, no verdict.
 *
 *      edge >answers
 *
 * Run on the usbfs rig and in a guest of QEMU (usbredir.c), where a real kernel answers: the lines must be the
 * same (tests/drivers/qemu_rig.sh). One ST-LINK at port 1-1; RIG_CONTROL tells whom to ask for plugging.
 * Exit code 1: there is no such probe.
 */
#include "scheduler/base.h"
#include "tests/rigs/parts/control.h"

#include <libusb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUT = 0x01, IN = 0x81, TRACE = 0x82, TIMEOUT_MS = 2000, SOON_MS = 100, PACKET = 512 };

static libusb_context *context;
static libusb_device_handle *probe;
static uint8_t buffer[65536];
static int moved; /* by the last bulk() */

/* Interface 0, debug mode and memory commands of stlink.md 9.1, 5.2. */
static const uint8_t get_voltage[16] = { 0xF7 }; /* answers 8 bytes */
static const uint8_t enter_swd[16] = { 0xF2, 0x30, 0xA3 };
static const uint8_t read_1024[16] = { 0xF2, 0x07, 0, 0, 0, 0x24, 0, 4 };
static const uint8_t write_512[16] = { 0xF2, 0x08, 0, 0, 0, 0x24, 0, 2 };
static const uint8_t last_status[16] = { 0xF2, 0x3E }; /* answers 12 bytes */

/* --- asking -------------------------------------------------------------------------------- */

static void answer(const char *what, int result)
{
        printf("%s: %s", what, result < 0 ? libusb_error_name(result) : "ok");
        if (result > 0)
                printf(" %d", result);
        printf("\n");
}

static int bulk_for(libusb_device_handle *handle, uint8_t endpoint, int length, unsigned timeout_ms)
{
        moved = 0;
        return libusb_bulk_transfer(handle, endpoint, buffer, length, &moved, timeout_ms);
}

static int bulk(uint8_t endpoint, int length)
{
        return bulk_for(probe, endpoint, length, TIMEOUT_MS);
}

static void answer_bulk(const char *what, int result)
{
        printf("%s: %s, %d bytes\n", what, result < 0 ? libusb_error_name(result) : "ok", moved);
}

static int command(const uint8_t bytes[static 16])
{
        memcpy(buffer, bytes, 16);
        return bulk(OUT, 16);
}

/* An asynchronous transfer, its end awaited. */
struct flight {
        struct libusb_transfer *transfer;
        int has_ended;
};

static void LIBUSB_CALL land(struct libusb_transfer *transfer)
{
        *(int *)transfer->user_data = 1;
}

/* A refused one is freed. */
static int take_off(struct flight *flight, uint8_t endpoint, uint8_t *data, int length,
                    unsigned timeout_ms)
{
        int r;

        flight->has_ended = 0;
        flight->transfer = libusb_alloc_transfer(0);
        INSIST(flight->transfer);
        libusb_fill_bulk_transfer(flight->transfer, probe, endpoint, data, length, land,
                                  &flight->has_ended, timeout_ms);
        r = libusb_submit_transfer(flight->transfer);
        if (r < 0)
                libusb_free_transfer(flight->transfer);
        return r;
}

static const char *status_name(enum libusb_transfer_status status)
{
        static const char *const names[] = { "COMPLETED", "ERROR",     "TIMED_OUT", "CANCELLED",
                                             "STALL",     "NO_DEVICE", "OVERFLOW" };

        return (unsigned)status < LENGTH_OF(names) ? names[status] : "unknown";
}

static void answer_flight(const char *what, struct flight *flight)
{
        while (!flight->has_ended)
                libusb_handle_events_completed(context, &flight->has_ended);
        printf("%s: %s, %d bytes\n", what, status_name(flight->transfer->status),
               flight->transfer->actual_length);
        libusb_free_transfer(flight->transfer);
}

/* The probe at port 1-1, opened in a context; NULL: none. */
static libusb_device_handle *open_probe(libusb_context *in)
{
        libusb_device **devices;
        libusb_device_handle *handle = NULL;
        ssize_t count = libusb_get_device_list(in, &devices);

        for (ssize_t i = 0; i < count && !handle; i++)
                if (libusb_get_bus_number(devices[i]) == 1 &&
                    libusb_get_port_number(devices[i]) == 1 && libusb_open(devices[i], &handle) < 0)
                        handle = NULL;
        libusb_free_device_list(devices, 1);
        return handle;
}

static bool is_listed(libusb_context *in)
{
        libusb_device **devices;
        ssize_t count = libusb_get_device_list(in, &devices);
        bool found = false;

        for (ssize_t i = 0; i < count; i++)
                found |= libusb_get_bus_number(devices[i]) == 1 &&
                         libusb_get_port_number(devices[i]) == 1;
        libusb_free_device_list(devices, 1);
        return found;
}

/* A kernel tells that a device is gone a moment after it has ended the transfers; in between a claim may still
 * succeed. */
static bool wait_for_nobody(libusb_context *in)
{
        for (unsigned i = 0; i < 200 && is_listed(in); i++)
                usleep(10000);
        return !is_listed(in);
}

static libusb_device_handle *wait_for_probe(libusb_context *in)
{
        libusb_device_handle *handle = NULL;

        for (unsigned i = 0; i < 200 && !handle; i++) {
                if (i > 0)
                        usleep(50000);
                handle = open_probe(in);
        }
        return handle;
}

/* --- the list ------------------------------------------------------------------------------ */

static void identity(void)
{
        int configuration = -1;

        answer("get configuration", libusb_get_configuration(probe, &configuration));
        printf("configuration: %d\n", configuration);
        printf("speed: %d\n", libusb_get_device_speed(libusb_get_device(probe)));
        printf("packet of 81: %d\n", libusb_get_max_packet_size(libusb_get_device(probe), IN));
        answer("kernel driver on interface 0", libusb_kernel_driver_active(probe, 0));
        answer("serial, 255 bytes asked",
               libusb_get_string_descriptor(probe, 3, 0x0409, buffer, 255));
        answer("serial, 4 bytes asked", libusb_get_string_descriptor(probe, 3, 0x0409, buffer, 4));
        answer("string 9, absent", libusb_get_string_descriptor(probe, 9, 0x0409, buffer, 255));
        answer("vendor request",
               libusb_control_transfer(probe, 0xC0, 0x55, 0, 0, buffer, 8, TIMEOUT_MS));
        answer("vendor request without data",
               libusb_control_transfer(probe, 0x40, 0x55, 0, 0, NULL, 0, TIMEOUT_MS));
}

static void claims(void)
{
        libusb_context *other;
        libusb_device_handle *second;

        answer_bulk("OUT without a claim", command(get_voltage));
        answer_bulk("IN without a claim", bulk(IN, 64));
        answer("claim 0", libusb_claim_interface(probe, 0));
        answer("claim 0 again", libusb_claim_interface(probe, 0));
        answer("claim 5, absent", libusb_claim_interface(probe, 5));
        if (libusb_init(&other) < 0)
                return;
        second = open_probe(other);
        answer("second handle: claim 0", libusb_claim_interface(second, 0));
        memcpy(buffer, get_voltage, 16);
        answer_bulk("second handle: OUT", bulk_for(second, OUT, 16, SOON_MS));
        answer("second handle: set configuration 1", libusb_set_configuration(second, 1));
        answer("second handle: clear halt", libusb_clear_halt(second, IN));
        libusb_close(second);
        answer_bulk("first handle still: OUT", command(get_voltage));
        answer_bulk("first handle still: IN", bulk(IN, 64));
        answer("release 0", libusb_release_interface(probe, 0));
        second = open_probe(other);
        answer("released: second handle claims 0", libusb_claim_interface(second, 0));
        answer("claim 0 meanwhile", libusb_claim_interface(probe, 0));
        libusb_close(second);
        libusb_exit(other);
        answer("closed by the other: claim 0", libusb_claim_interface(probe, 0));
}

static void settings(void)
{
        answer("alternate setting 0", libusb_set_interface_alt_setting(probe, 0, 0));
        answer("alternate setting 3, absent", libusb_set_interface_alt_setting(probe, 0, 3));
        answer("set configuration 1 while claimed", libusb_set_configuration(probe, 1));
        answer("set configuration 7 while claimed", libusb_set_configuration(probe, 7));
        answer("clear halt 81", libusb_clear_halt(probe, IN));
        answer("clear halt 01", libusb_clear_halt(probe, OUT));
        answer("clear halt 85, absent", libusb_clear_halt(probe, 0x85));
        answer_bulk("OUT to 05, absent", bulk(0x05, 16));
        answer_bulk("IN from 85, absent", bulk(0x85, 16));
        answer_bulk("IN from 83, absent", bulk(0x83, 16));
}

static void lengths(void)
{
        answer_bulk("OUT of a command", command(get_voltage));
        answer_bulk("IN 4 of 8 bytes", bulk(IN, 4));
        answer_bulk("IN again, nothing there", bulk_for(probe, IN, 64, SOON_MS));
        (void)command(get_voltage);
        answer_bulk("IN 8 of 8 bytes", bulk(IN, 8));
        (void)command(get_voltage);
        answer_bulk("IN 64, 8 bytes come", bulk(IN, 64));
        (void)command(get_voltage);
        answer_bulk("IN 512, 8 bytes come", bulk(IN, PACKET));
        (void)command(get_voltage);
        answer_bulk("IN 60000, 8 bytes come", bulk(IN, 60000));
        answer_bulk("enter debug mode", command(enter_swd));
        answer_bulk("its status", bulk(IN, 64));
        answer_bulk("read 1024 bytes", command(read_1024));
        answer_bulk("IN 512 of 1024", bulk(IN, PACKET));
        answer_bulk("IN the other 512", bulk(IN, PACKET));
        (void)command(read_1024);
        answer_bulk("IN 1024 of 1024", bulk(IN, 2 * PACKET));
        (void)command(read_1024);
        answer_bulk("IN 4096, 1024 come, no empty packet", bulk_for(probe, IN, 4096, SOON_MS));
        (void)command(read_1024);
        answer_bulk("IN 700 of 1024", bulk(IN, 700));
        answer_bulk("IN again, nothing there", bulk_for(probe, IN, 512, SOON_MS));
        answer_bulk("write 512 bytes", command(write_512));
        answer_bulk("OUT of 512 bytes", bulk(OUT, PACKET));
        answer_bulk("ask for its status", command(last_status));
        answer_bulk("its status", bulk(IN, 64));
        printf("status %02X\n", buffer[0]);
        answer_bulk("IN of 0 bytes, nothing there", bulk_for(probe, IN, 0, SOON_MS));
}

static void halts(void)
{
        answer_bulk("OUT of 15 bytes, which the probe refuses", bulk(OUT, 15));
        answer_bulk("IN after it", bulk(IN, 64));
        answer("clear halt 81", libusb_clear_halt(probe, IN));
        answer_bulk("OUT after it", command(get_voltage));
        answer_bulk("IN after it", bulk(IN, 64));
        answer_bulk("OUT of 0 bytes", bulk(OUT, 0));
        answer_bulk("IN after it", bulk_for(probe, IN, 64, SOON_MS));
        answer("clear halt 81", libusb_clear_halt(probe, IN));
        answer_bulk("OUT after it", command(get_voltage));
        answer_bulk("IN after it", bulk(IN, 64));
}

/* Two on one endpoint are cancelled both, the last first, as our driver does. Of two, only the first: not asked
 * here, for the xHCI of QEMU 7.2 then never goes on with the second, which is nobody's answer but QEMU's. */
static void flights(void)
{
        static uint8_t first[64], second[64], voltage[16] = { 0xF7 };
        struct flight one, two;

        answer("submit IN", take_off(&one, IN, first, 64, 0));
        answer("submit it twice", libusb_submit_transfer(one.transfer));
        answer("cancel", libusb_cancel_transfer(one.transfer));
        answer_flight("cancelled", &one);
        answer_bulk("OUT after a cancel", command(get_voltage));
        answer_bulk("IN after a cancel", bulk(IN, 64));
        answer("submit IN", take_off(&one, IN, first, 64, 0));
        answer("submit IN behind it", take_off(&two, IN, second, 64, 0));
        answer("cancel the second", libusb_cancel_transfer(two.transfer));
        answer("cancel the first", libusb_cancel_transfer(one.transfer));
        answer_flight("the second", &two);
        answer_flight("the first", &one);
        answer("submit OUT of a command", take_off(&one, OUT, voltage, 16, 0));
        answer("submit IN of its answer", take_off(&two, IN, second, 64, 0));
        answer_flight("the command", &one);
        answer_flight("the answer", &two);
        answer("submit IN", take_off(&one, IN, first, 64, 0));
        (void)command(get_voltage);
        while (!one.has_ended)
                libusb_handle_events_completed(context, &one.has_ended);
        answer("cancel it when it has ended", libusb_cancel_transfer(one.transfer));
        answer_flight("ended", &one);
        answer("submit IN for 50 ms", take_off(&one, IN, first, 64, 50));
        answer_flight("timed out", &one);
}

/* Within the 16 MiB that usbfs gives to all transfers together (usbfs_memory_mb), and beyond. */
static void sizes(void)
{
        uint8_t *large = malloc(20 << 20), *lent;
        struct flight flight;
        int r;

        INSIST(large);
        r = take_off(&flight, TRACE, large, 8 << 20, SOON_MS);
        answer("submit IN of 8 MiB", r);
        if (r == 0)
                answer_flight("timed out", &flight);
        r = take_off(&flight, TRACE, large, 20 << 20, SOON_MS);
        answer("submit IN of 20 MiB", r);
        if (r == 0)
                answer_flight("timed out", &flight);
        free(large);
        lent = libusb_dev_mem_alloc(probe, 4096);
        answer("memory of the kernel's for transfers", lent ? 0 : LIBUSB_ERROR_NOT_SUPPORTED);
        if (lent)
                (void)libusb_dev_mem_free(probe, lent, 4096);
}

static void resets(void)
{
        answer("reset", libusb_reset_device(probe));
        answer_bulk("OUT after a reset", command(get_voltage));
        answer_bulk("IN after a reset", bulk(IN, 64));
        answer("release 0", libusb_release_interface(probe, 0));
        answer("set configuration 1, not claimed", libusb_set_configuration(probe, 1));
        answer("claim 0", libusb_claim_interface(probe, 0));
}

static void unplugging(void)
{
        static uint8_t data[64];
        const char *rig = getenv("RIG_CONTROL");
        struct flight flight;

        INSIST(rig);
        answer("submit IN", take_off(&flight, IN, data, 64, 0));
        answer("pull the plug", control_ask(rig, 0, "unplug"));
        answer_flight("the transfer", &flight);
        printf("nobody at port 1: %s\n", wait_for_nobody(context) ? "true" : "false");
        answer_bulk("OUT", command(get_voltage));
        answer("claim 0", libusb_claim_interface(probe, 0));
        answer("release 0", libusb_release_interface(probe, 0));
        answer("clear halt", libusb_clear_halt(probe, IN));
        answer("reset", libusb_reset_device(probe));
        answer("vendor request",
               libusb_control_transfer(probe, 0xC0, 0x55, 0, 0, buffer, 8, TIMEOUT_MS));
        libusb_close(probe);
        answer("plug it in", control_ask(rig, 0, "plug"));
        probe = wait_for_probe(context);
        printf("back at port 1: %s\n", probe ? "true" : "false");
        if (!probe)
                return;
        answer("claim 0", libusb_claim_interface(probe, 0));
        answer_bulk("OUT", command(get_voltage));
        answer_bulk("IN", bulk(IN, 64));
        libusb_close(probe);
}

int main(void)
{
        static const struct {
                const char *name;
                void (*run)(void);
        } chapters[] = {
                { "identity", identity }, { "claims", claims }, { "settings", settings },
                { "lengths", lengths },   { "halts", halts },   { "flights", flights },
                { "sizes", sizes },       { "resets", resets }, { "unplugging", unplugging },
        };

        if (libusb_init(&context) < 0)
                return 1;
        probe = wait_for_probe(context);
        if (!probe) {
                fprintf(stderr, "edge: no probe at port 1-1\n");
                return 1;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        for (unsigned i = 0; i < LENGTH_OF(chapters); i++) {
                printf("[%s]\n", chapters[i].name);
                chapters[i].run();
        }
        libusb_exit(context);
        return 0;
}
