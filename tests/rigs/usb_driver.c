/*
 * usb_driver.c - our own driver through real libusb on the usbfs rig: find, open, install, lose, find again.
 *
 * Run it as the rig's command: usbfs 4 -- usb_driver. RIG_PID tells whom to ask for plugging.
 */
#include "tests/support/h75x.h"
#include "tests/support/sealed.h"
#include "tests/support/test.h"

#include "crypto/license.h"
#include "drivers/family_fields.h"
#include "drivers/rss.h"
#include "drivers/target.h"
#include "drivers/usb.h"
#include "scheduler/fiber.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 4 };

static struct family family;
static struct rss_profile rss;
static const uint8_t key[16] = "a key for tests", nonce[12] = "a nonce here";

static void ask_rig(int number)
{
        const char *pid = getenv("RIG_PID");

        assert_non_null(pid);
        assert_int_equal(kill(atoi(pid), number), 0);
}

static int on_bus(int (*procedure)(struct bus *bus))
{
        struct bus *bus;
        int r;

        assert_int_equal(family_load("configs/targets/stm32h75x.conf", &family), 0);
        assert_int_equal(rss_profile_load("configs/rss/reference-h7.conf", &rss), 0);
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

/* A sealed image of two areas and the nine option words. */
static struct sfi *make_image(void)
{
        static uint8_t code[20000], words[36];
        static const uint32_t rows[] = { 0x1026AAD0, 0x81000200, 0x81000200, 0x81000200, 0x81000200,
                                         0xFFFFFFFF, 0xFFFFFFFF, 0x24000800, 0x10000810 };
        const struct sfi_plain_area areas[] = {
                { SFI_FIRMWARE, 0x08000000, code, sizeof(code) / 32 * 32 },
                { SFI_CONFIGURATION, 0, words, sizeof(words) },
        };
        struct sfi_recipe recipe = { .protocol = 2, .areas = areas, .count = 2 };
        struct bytes file;
        struct sfi *sfi;

        for (size_t i = 0; i < sizeof(code); i++)
                code[i] = (uint8_t)(i * 7);
        for (unsigned i = 0; i < LENGTH_OF(rows); i++)
                store_le32(words + 4 * i, rows[i]);
        file = sealed_file(&recipe, key, nonce, NULL);
        assert_int_equal(sfi_parse("test.sfi", file, &sfi), 0);
        return sfi;
}

static int install_unit(struct bus *bus)
{
        struct stlink probe = { 0 };
        struct target target = { .probe = &probe, .family = &family };
        struct target_identity identity;
        struct certificate certificate;
        struct rss_progress progress = { 0 };
        uint32_t options[OPTION_ROWS_MAX];
        uint8_t license[LICENSE_LENGTH], entropy[32] = { 1 };
        struct sfi *sfi = make_image();
        struct sfi_part parts[4];
        struct wire *wire;
        unsigned mv;

        assert_int_equal(bus_open(bus, "1-2", &wire), 0);
        assert_int_equal(stlink_open(wire, &probe), 0);
        assert_int_equal(stlink_voltage_mv(&probe, &mv), 0);
        assert_in_range(mv, 3000, 3600);
        assert_int_equal(target_attach(&target, 24000), 0);
        assert_int_equal(target_identify(&target, &identity), 0);
        assert_int_equal(identity.device_id, 0x450);
        assert_int_equal(target_check_boot(&target), 0);
        assert_int_equal(rss_check_allowed(&target, &rss), 0);
        assert_int_equal(target_read_options(&target, options), 0);
        assert_int_equal(rss_read_certificate(&target, &rss, &certificate), 0);
        options[0] |= H75X_SECURITY | H75X_ST_RAM_SIZE_3;
        assert_int_equal(target_write_options(&target, options), 0);
        assert_int_equal(license_issue(&certificate, "SFI", key, nonce, entropy, license), 0);
        assert_int_equal(sfi_parts(sfi, parts, LENGTH_OF(parts)), 1);
        assert_int_equal(
                rss_install_part(&target, &rss, sfi, &parts[0], true, license, 1, &progress), 0);
        assert_int_equal(target_read_options(&target, options), 0);
        assert_true(family_is_secure(target.family, options));
        stlink_close(&probe);
        sfi_free(sfi);
        return 0;
}

static int pull_soon(void *unused)
{
        (void)unused;
        (void)fiber_sleep_ns(30 * NS_PER_MS);
        ask_rig(SIGUSR1);
        return 0;
}

/* Memory is read for as long as the cable holds. */
static int lose_probe(struct bus *bus)
{
        struct stlink probe = { 0 };
        struct target target = { .probe = &probe, .family = &family };
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
        ask_rig(SIGUSR2);
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
