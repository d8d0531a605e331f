#include "tests/support/bench_rig.h"

#include "drivers/family_fields.h"
#include "drivers/simulated/part.h"
#include "scheduler/fiber.h"

#include <stdio.h>
#include <stdlib.h>

#define FLASH_START 0x08000000u
#define DEADLINE_MS 2000u
#define CLOCK_KHZ   24000u
#define PARTS_MAX   8u

static struct bench_card_settings card = {
        .counter = 100,
        .firmware_id = "blinky",
        .state = HSM_STATE_OPERATIONAL,
        .license_ms_low = 1000,
        .license_ms_high = 2000,
};

struct bench_settings bench_rig_settings(unsigned sites)
{
        memcpy(card.key, simulated_key, sizeof(card.key));
        memcpy(card.nonce, simulated_nonce, sizeof(card.nonce));
        return (struct bench_settings){
                .seed = 42,
                .family = simulated_family(),
                .rss = simulated_rss(),
                .card_profile = simulated_card_conf(),
                .sites = sites,
                .cards = &card,
                .card_count = 1,
                .speed = 1.0,
        };
}

static int prepare(struct target *target)
{
        uint32_t options[OPTION_ROWS_MAX];
        int r = target_read_options(target, options);

        if (r < 0)
                return r;
        family_secure(target->family, options);
        r = target_write_options(target, options);
        return r < 0 ? r : target_reset(target, DEADLINE_MS);
}

static int get_license(struct reader *reader, const struct certificate *certificate,
                       uint8_t *ret_license)
{
        if (reader)
                return hsm_license(reader, simulated_card_conf(), certificate, ret_license);
        simulated_license(certificate->bytes, ret_license);
        return 0;
}

static int install_parts(struct target *target, const struct sfi *sfi, const uint8_t *license)
{
        struct sfi_part parts[PARTS_MAX];
        struct rss_progress progress = { 0 };
        int count = sfi_parts(sfi, parts, PARTS_MAX);

        if (count < 0)
                return count;
        for (int i = 0; i < count; i++) {
                int r = rss_install_part(target, simulated_rss(), sfi, &parts[i], i + 1 == count,
                                         license, 1, &progress);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int install_target(struct target *target, struct reader *reader, const struct sfi *sfi,
                          struct target_identity *identity)
{
        struct certificate certificate;
        uint8_t license[LICENSE_LENGTH];
        int r = target_attach(target, CLOCK_KHZ);

        if (!r)
                r = target_identify(target, identity);
        if (!r)
                r = rss_check_allowed(target, simulated_rss());
        if (!r)
                r = target_check_boot(target);
        if (!r)
                r = target_check_blank(target, FLASH_START, 0x1000);
        if (!r)
                r = rss_read_certificate(target, simulated_rss(), &certificate);
        if (!r)
                r = get_license(reader, &certificate, license);
        if (!r)
                r = prepare(target);
        return r < 0 ? r : install_parts(target, sfi, license);
}

int bench_rig_install(struct bench *bench, unsigned site, struct reader *reader,
                      const struct sfi *sfi)
{
        struct stlink probe = { 0 };
        struct target target = { .probe = &probe, .family = simulated_family() };
        struct target_identity identity;
        struct wire *wire;
        char path[32];
        int r;

        snprintf(path, sizeof(path), "sim-%u", site);
        r = bus_open(bench_bus(bench), path, &wire);
        if (!r)
                r = stlink_open(wire, &probe);
        if (r < 0)
                return r;
        r = install_target(&target, reader, sfi, &identity);
        stlink_close(&probe);
        return r;
}

/* --- the smallest station ------------------------------------------------------------------ */

#define POLL_MS   20u
#define SETTLE_MS 100u
#define BOARD_MV  3000u

/* Until a board is there, or gone. */
static int await_board(struct stlink *probe, bool wanted)
{
        for (;;) {
                unsigned mv;
                int r = stlink_voltage_mv(probe, &mv);

                if (r < 0 && r != -FAULT_PROBE && r != -FAULT_TIMEOUT)
                        return r;
                if (r >= 0 && (mv >= BOARD_MV) == wanted)
                        return 0;
                r = fiber_sleep_ns(POLL_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}

static int serve_board(struct bench_rig_station *station, struct stlink *probe)
{
        struct target target = { .probe = probe, .family = simulated_family() };
        struct target_identity identity = { 0 };
        struct fixture *fixture = bench_fixture(station->bench, station->site);
        int r = await_board(probe, true), result;

        if (!r)
                r = fiber_sleep_ns(SETTLE_MS * NS_PER_MS);
        if (r < 0)
                return r;
        fixture_signal(fixture, FIXTURE_BUSY);
        result = install_target(&target, NULL, station->sfi, &identity);
        if (result == -FAULT_CANCELLED)
                return result;
        station->note(station, identity.unique_id_text, result);
        fixture_signal(fixture, result < 0 ? FIXTURE_FAIL : FIXTURE_PASS);
        return result == -FAULT_UNPLUGGED ? result : await_board(probe, false);
}

int bench_rig_station(void *subject)
{
        struct bench_rig_station *station = subject;
        struct bus *bus = bench_bus(station->bench);
        char path[32];

        snprintf(path, sizeof(path), "sim-%u", station->site);
        for (;;) {
                struct stlink probe = { 0 };
                struct wire *wire;
                int r = bus_wait(bus, path, WAIT_FOREVER);

                if (r < 0)
                        return r;
                r = bus_open(bus, path, &wire);
                if (!r)
                        r = stlink_open(wire, &probe);
                while (!r)
                        r = serve_board(station, &probe);
                stlink_close(&probe);
                if (r == -FAULT_CANCELLED)
                        return r;
        }
}

struct sfi *bench_rig_image(size_t length)
{
        struct sfi *sfi;

        assert_int_equal(sfi_parse("test", simulated_small_image(FLASH_START, length), &sfi), 0);
        return sfi;
}

bool bench_rig_is_installed(struct bench *bench, unsigned site, size_t length)
{
        struct simulated_part *part = bench_part(bench, site);
        uint8_t *expected = malloc(length);
        bool is_same;

        simulated_pattern(expected, length);
        is_same = part && memcmp(part_flash(part, FLASH_START), expected, length) == 0;
        free(expected);
        return is_same;
}
