/*
 * usb_driver.c - our own driver through real libusb: find, open, install, lose, find again.
 *
 * Four probes at 1-1 to 1-4, on the usbfs rig (usbfs 4 -- usb_driver) or in a guest of QEMU (usbredir.c).
 * RIG_CONTROL tells whom to ask for plugging.
 */
#include "tests/rigs/parts/control.h"
#include "tests/rigs/parts/unit.h"
#include "tests/support/test.h"

#include "drivers/target.h"
#include "drivers/usb.h"
#include "scheduler/fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 4 };

static void ask_rig(const char *words)
{
        const char *path = getenv("RIG_CONTROL");

        assert_non_null(path);
        assert_int_equal(control_ask(path, 0, words), 0);
}

static int on_bus(int (*procedure)(struct bus *bus))
{
        struct bus *bus;
        int r;

        assert_int_equal(units_load(), 0);
        assert_int_equal(usb_bus_open(&bus), 0);
        r = procedure(bus);
        bus_close(bus);
        return r;
}

static int list_probes(struct bus *bus)
{
        struct wire_identity found[16];
        int count = bus_list(bus, found, LENGTH_OF(found));

        assert_int_equal(count, PROBES);
        for (int i = 0; i < count; i++) {
                assert_int_equal(found[i].product, 0x374F);
                assert_false(found[i].is_simulated);
        }
        return 0;
}

static int open_twice(struct bus *bus)
{
        struct wire *first, *second;

        assert_int_equal(bus_open(bus, "1-1", &first), 0);
        assert_string_equal(wire_identity(first)->path, "1-1");
        assert_int_equal(strlen(wire_identity(first)->serial), 24);
        assert_int_equal(bus_open(bus, "1-1", &second), -FAULT_PROBE_BUSY);
        wire_close(first);
        assert_int_equal(bus_open(bus, "1-9", &second), -FAULT_UNPLUGGED);
        return 0;
}

static int install_unit(struct bus *bus)
{
        struct unit unit = { .bus = bus, .path = "1-2" };
        int r = unit_install(&unit);

        if (r < 0)
                fail_msg("%s", fault_sentence(r));
        assert_int_equal(unit.progress.bytes_sent, unit.progress.bytes_total);
        return 0;
}

static int pull_soon(void *unused)
{
        (void)unused;
        (void)fiber_sleep_ns(30 * NS_PER_MS);
        ask_rig("unplug");
        return 0;
}

/* Memory is read for as long as the cable holds. */
static int lose_probe(struct bus *bus)
{
        struct stlink probe = { 0 };
        struct target target = { .probe = &probe, .family = units_family() };
        struct fiber *hand;
        static uint8_t memory[60000];
        struct wire *wire;
        int r;

        assert_int_equal(bus_open(bus, "1-1", &wire), 0);
        assert_int_equal(stlink_open(wire, &probe), 0);
        assert_int_equal(target_attach(&target, 24000), 0);
        hand = fiber_spawn("hand", pull_soon, NULL);
        do
                r = target_read(&target, 0x24000000, memory, sizeof(memory));
        while (r >= 0);
        assert_int_equal(r, -FAULT_UNPLUGGED);
        stlink_close(&probe);
        fiber_join(hand);
        assert_int_equal(bus_open(bus, "1-1", &wire), -FAULT_UNPLUGGED);
        ask_rig("plug");
        do
                r = bus_wait(bus, "1-1", 5 * NS_PER_S);
        while (r == 0 && bus_open(bus, "1-1", &wire) < 0);
        assert_int_equal(r, 0);
        wire_close(wire);
        return 0;
}

static int run(void *procedure)
{
        return on_bus(*(int (**)(struct bus *))procedure);
}

#define ON_BUS(procedure)                                                                          \
        do {                                                                                       \
                int (*chosen)(struct bus *) = procedure;                                           \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, run, &chosen), 0);               \
        } while (0)

static void all_probes_are_listed_by_port_path(void **state)
{
        ON_BUS(list_probes);
}

static void a_probe_held_by_one_is_busy_for_another(void **state)
{
        ON_BUS(open_twice);
}

static void a_unit_is_installed_through_libusb(void **state)
{
        ON_BUS(install_unit);
}

static void a_cable_pulled_in_mid_transfer_is_seen_and_a_replug_found(void **state)
{
        ON_BUS(lose_probe);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_probes_are_listed_by_port_path),
                cmocka_unit_test(a_probe_held_by_one_is_busy_for_another),
                cmocka_unit_test(a_unit_is_installed_through_libusb),
                cmocka_unit_test(a_cable_pulled_in_mid_transfer_is_seen_and_a_replug_found),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
