/*
 * What can be said of USB without a device: product ids, paths, serials. The transfers themselves
 * run on the usbfs rig (tests/rigs).
 */
#include "tests/support/test.h"

#include "drivers/usb.h"
#include "drivers/usb_identity.h"
#include "drivers/usb_wire.h"

#include <libusb.h>
#include <stdio.h>
#include <string.h>

/* A string descriptor whose code units are the characters of `text`. */
static size_t descriptor_of(const char *text, uint8_t *descriptor)
{
        size_t count = strlen(text);

        descriptor[0] = (uint8_t)(2 + 2 * count);
        descriptor[1] = 3;
        for (size_t i = 0; i < count; i++) {
                descriptor[2 + 2 * i] = (uint8_t)text[i];
                descriptor[3 + 2 * i] = 0;
        }
        return descriptor[0];
}

static void good_serials_are_24_hexadecimal_digits(void **state)
{
        static const struct {
                const char *text, *serial;
        } cases[] = {
                { "066EFF373535503457062922", "066EFF373535503457062922" },
                { "005100313137511039383538", "005100313137511039383538" },
                { "00510031313751103938353f", "00510031313751103938353F" },
                { "00510031313751103938353G", "" },
                { "", "" },
                { "0051003131375110393835", "" },
                { "00510031313751103938353800", "" },
        };
        uint8_t descriptor[255];

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                char serial[64] = "left over";

                usb_serial_decode(descriptor, descriptor_of(cases[i].text, descriptor), serial);
                assert_string_equal(serial, cases[i].serial);
        }
}

static void twelve_raw_bytes_become_hexadecimal(void **state)
{
        /* stlink.md 2, from OpenOCD@4b4389a2d */
        static const uint8_t worked[] = { 0x1A, 0x03, 0x57, 0x00, 0xFF, 0x00, 0x72, 0x00, 0x06,
                                          0x00, 0x72, 0x00, 0x65, 0x00, 0x57, 0x00, 0x57, 0x00,
                                          0x42, 0x00, 0x13, 0x00, 0x20, 0x00, 0x67, 0x00 };
        uint8_t descriptor[255];
        char serial[64];

        (void)state;
        usb_serial_decode(worked, sizeof(worked), serial);
        assert_string_equal(serial, "57FF72067265575742132067");
        /* Clones share this one; it must come out as it always has. */
        usb_serial_decode(descriptor, descriptor_of("000000000001", descriptor), serial);
        assert_string_equal(serial, "303030303030303030303031");
}

static void descriptors_that_lie_give_no_serial(void **state)
{
        uint8_t descriptor[255];
        size_t length = descriptor_of("066EFF373535503457062922", descriptor);
        char serial[64];

        (void)state;
        for (size_t cut = 0; cut < length; cut++) {
                usb_serial_decode(descriptor, cut, serial);
                assert_string_equal(serial, "");
        }
        descriptor[1] = 2;
        usb_serial_decode(descriptor, length, serial);
        assert_string_equal(serial, "");
        descriptor[1] = 3;
        descriptor[3] = 1; /* not ASCII */
        usb_serial_decode(descriptor, length, serial);
        assert_string_equal(serial, "");
}

static void paths_are_written_as_linux_does(void **state)
{
        static const uint8_t ports[] = { 4, 2, 15, 7, 1, 255, 255 };
        char text[64];

        (void)state;
        assert_string_equal(usb_path_format(1, ports, 1, text), "1-4");
        assert_string_equal(usb_path_format(1, ports, 2, text), "1-4.2");
        assert_string_equal(usb_path_format(255, ports, 7, text), "255-4.2.15.7.1.255.255");
        assert_string_equal(usb_path_format(3, ports, 0, text), "3-0");
}

static void only_probes_we_can_drive_are_known(void **state)
{
        (void)state;
        assert_non_null(usb_product_find(0x0483, 0x374F));
        assert_int_equal(usb_product_find(0x0483, 0x374B)->out, 0x01);
        assert_int_equal(usb_product_find(0x0483, 0x3748)->out, 0x02);
        assert_true(usb_product_find(0x0483, 0x374D)->is_loader);
        assert_true(usb_product_find(0x0483, 0x3755)->is_loader);
        assert_false(usb_product_find(0x0483, 0x3748)->is_loader);
        assert_null(usb_product_find(0x0483, 0x3744)); /* V1 */
        assert_null(usb_product_find(0x0483, 0xDF11)); /* ROM DFU */
        assert_null(usb_product_find(0x0483, 0x5740)); /* ST's generic serial port */
        assert_null(usb_product_find(0x1D50, 0x374F));
}

static void answers_get_whole_packets(void **state)
{
        (void)state;
        assert_int_equal(usb_round_up(1, 64), 64);
        assert_int_equal(usb_round_up(64, 64), 64);
        assert_int_equal(usb_round_up(65, 64), 128);
        assert_int_equal(usb_round_up(6144, 512), 6144);
        assert_int_equal(usb_round_up(12, 512), 512);
        assert_int_equal(usb_round_up(0, 512), 0);
}

static int errors(void *unused)
{
        (void)unused;
        assert_fault(usb_fault(LIBUSB_ERROR_NO_DEVICE, "1-4", "open"), UNPLUGGED, "1-4");
        assert_fault(usb_fault(LIBUSB_ERROR_BUSY, "1-4", "claim"), PROBE_BUSY, "another program");
        assert_fault(usb_fault(LIBUSB_ERROR_ACCESS, "1-4", "open"), SYSTEM, "udev");
        assert_fault(usb_fault(LIBUSB_ERROR_IO, "1-4", "open"), PROBE, "LIBUSB_ERROR_IO");
        return 0;
}

static void libusb_errors_become_faults(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, errors, NULL), 0);
}

static int empty_bus(void *unused)
{
        struct wire_identity identities[4];
        struct wire *wire;
        struct bus *bus;
        int r = usb_bus_open(&bus);

        (void)unused;
        if (r < 0) { /* a container without /dev/bus/usb */
                printf("# %s\n", fault_sentence(r));
                return r;
        }
        assert_true(bus_list(bus, identities, 4) >= 0);
        assert_fault(bus_open(bus, "250-7.7", &wire), UNPLUGGED, "250-7.7");
        assert_int_equal(bus_wait(bus, "250-7.7", 30 * NS_PER_MS), -FAULT_TIMEOUT);
        assert_null(bus_close(bus));
        return 0;
}

static void a_bus_opens_waits_and_closes_without_a_probe(void **state)
{
        int r;

        (void)state;
        r = test_on_fiber(LOOP_TIME_REAL, 1, empty_bus, NULL);
        if (r < 0) {
                printf("# libusb does not start here\n");
                skip();
        }
}

static int virtual_bus(void *unused)
{
        struct bus *bus;

        (void)unused;
        assert_fault(usb_bus_open(&bus), SYSTEM, "virtual time");
        return 0;
}

static void real_probes_do_not_live_in_virtual_time(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, virtual_bus, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_serials_are_24_hexadecimal_digits),
                cmocka_unit_test(twelve_raw_bytes_become_hexadecimal),
                cmocka_unit_test(descriptors_that_lie_give_no_serial),
                cmocka_unit_test(paths_are_written_as_linux_does),
                cmocka_unit_test(only_probes_we_can_drive_are_known),
                cmocka_unit_test(answers_get_whole_packets),
                cmocka_unit_test(libusb_errors_become_faults),
                cmocka_unit_test(a_bus_opens_waits_and_closes_without_a_probe),
                cmocka_unit_test(real_probes_do_not_live_in_virtual_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
