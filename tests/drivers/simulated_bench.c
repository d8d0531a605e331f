/*
 * The bench in virtual time: the cable, the reader, the handler, misfortune, and what the shipped
 * driver makes of them.
 */
#include "tests/support/bench_rig.h"

#include "drivers/simulated/card.h"
#include "drivers/simulated/part.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS    NS_PER_MS
#define IMAGE 844u /* bytes of firmware */

/* Run a test's body on a fiber; its INSISTs and cmocka's assertions end the program. */
static void in_virtual_time(int (*procedure)(void *subject))
{
        (void)simulated_family(); /* loads need a loop of their own, before this one */
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 7, procedure, NULL), 0);
}

static struct bench *make_bench(const struct bench_settings *settings)
{
        struct bench *bench;

        assert_int_equal(bench_create(settings, &bench), 0);
        return bench;
}

static struct wire *open_wire(struct bench *bench)
{
        struct wire *wire;

        assert_int_equal(bus_open(bench_bus(bench), "sim-0", &wire), 0);
        return wire;
}

static int exchange(struct wire *wire, uint8_t a, uint8_t b, uint8_t c, void *answer, size_t length)
{
        struct wire_exchange exchange = { .command = { a, b, c },
                                          .in = answer,
                                          .in_length = length };

        return wire_exchange(wire, &exchange);
}

/* --- bus and wire -------------------------------------------------------------------------- */

static int body_bus(void *subject)
{
        struct bench_settings settings = bench_rig_settings(3);
        struct bench *bench = make_bench(&settings);
        struct wire_identity identities[4];
        struct wire *wire = open_wire(bench), *second;

        (void)subject;
        assert_int_equal(bus_list(bench_bus(bench), identities, 4), 3);
        assert_string_equal(identities[1].path, "sim-1");
        assert_int_equal(identities[1].product, 0x374F);
        assert_true(identities[1].is_simulated);
        assert_int_equal(strlen(identities[1].serial), 24);
        assert_string_not_equal(identities[1].serial, identities[2].serial);
        assert_int_equal(bus_list(bench_bus(bench), identities, 2), 2);
        assert_fault(bus_open(bench_bus(bench), "sim-0", &second), PROBE_BUSY, "sim-0");
        assert_fault(bus_open(bench_bus(bench), "sim-3", &second), UNPLUGGED, "sim-3");
        assert_fault(bus_open(bench_bus(bench), "sim-00", &second), UNPLUGGED, NULL);
        assert_fault(bus_open(bench_bus(bench), "1-4.2", &second), UNPLUGGED, NULL);
        wire = wire_close(wire);
        wire = open_wire(bench); /* closed, it may be opened again */
        wire_close(wire);
        bench_unplug(bench, 1);
        assert_int_equal(bus_list(bench_bus(bench), identities, 4), 2);
        assert_string_equal(identities[1].path, "sim-2");
        bench_destroy(bench);
        return 0;
}

static void the_bus_shows_one_probe_a_site(void **state)
{
        (void)state;
        in_virtual_time(body_bus);
}

static int plug_later(void *subject)
{
        assert_int_equal(fiber_sleep_ns(500 * MS), 0);
        bench_plug(subject, 0);
        return 0;
}

static int body_wait(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct bus *bus = bench_bus(bench);
        struct fiber *fiber;
        uint64_t start;

        (void)subject;
        assert_int_equal(bus_wait(bus, "sim-0", 0), 0); /* there already */
        bench_unplug(bench, 0);
        start = clock_now_ns();
        assert_int_equal(bus_wait(bus, "sim-0", 100 * MS), -FAULT_TIMEOUT);
        assert_int_equal(clock_now_ns() - start, 100 * MS);
        assert_int_equal(bus_wait(bus, "sim-9", 100 * MS), -FAULT_TIMEOUT);
        fiber = fiber_spawn("plug", plug_later, bench);
        assert_int_equal(bus_wait(bus, "sim-0", WAIT_FOREVER), 0);
        assert_int_equal(clock_now_ns() - start, 700 * MS);
        assert_int_equal(fiber_join(fiber), 0);
        bench_destroy(bench);
        return 0;
}

static void a_replug_ends_the_wait_for_it(void **state)
{
        (void)state;
        in_virtual_time(body_wait);
}

static int body_exchange(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct wire *wire = open_wire(bench);
        uint8_t answer[8];
        uint64_t start = clock_now_ns();

        (void)subject;
        assert_int_equal(exchange(wire, 0xF5, 0, 0, answer, 2), 0);
        assert_int_equal(answer[0], 1);
        assert_in_range(clock_now_ns() - start, 280 * NS_PER_US, 281 * NS_PER_US);
        assert_fault(exchange(wire, 0xF5, 0, 0, answer, 8), PROBE, "answered 2 bytes");
        assert_fault(exchange(wire, 0xF7, 0, 0, answer, 2), PROBE, "answered 8 bytes");
        assert_fault(exchange(wire, 0xF2, 0x31, 0, answer, 8), PROBE, "stalled");
        start = clock_now_ns();
        assert_fault(exchange(wire, 0xF3, 0x07, 0, answer, 2), TIMEOUT, "6000 ms");
        assert_int_equal(wire_resync(wire), 0);
        assert_int_equal(exchange(wire, 0xF5, 0, 0, answer, 2), 0);
        assert_int_equal(wire_reset(wire), 0);
        assert_int_equal(exchange(wire, 0xF5, 0, 0, answer, 2), 0);
        wire_close(wire);
        assert_true(bench_cost_ns(bench) > 0);
        bench_destroy(bench);
        return 0;
}

static void exchanges_take_their_time_and_fail_by_name(void **state)
{
        (void)state;
        in_virtual_time(body_exchange);
}

static int unplug_later(void *subject)
{
        assert_int_equal(fiber_sleep_ns(100 * NS_PER_US), 0);
        bench_unplug(subject, 0);
        return 0;
}

static int body_unplug_sleeper(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct wire *wire = open_wire(bench), *next;
        struct fiber *fiber = fiber_spawn("unplug", unplug_later, bench);
        uint8_t answer[2];
        uint64_t start = clock_now_ns();

        (void)subject;
        assert_fault(exchange(wire, 0xF5, 0, 0, answer, 2), UNPLUGGED, "sim-0");
        assert_int_equal(clock_now_ns() - start, 100 * NS_PER_US);
        assert_fault(exchange(wire, 0xF5, 0, 0, answer, 2), UNPLUGGED, NULL);
        assert_fault(wire_resync(wire), UNPLUGGED, NULL);
        assert_fault(wire_reset(wire), UNPLUGGED, NULL);
        bench_plug(bench, 0);
        assert_fault(exchange(wire, 0xF5, 0, 0, answer, 2), UNPLUGGED, NULL); /* gone for good */
        next = open_wire(bench); /* the new one does not wait for the old */
        assert_int_equal(exchange(next, 0xF5, 0, 0, answer, 2), 0);
        wire_close(wire);
        assert_int_equal(exchange(next, 0xF5, 0, 0, answer, 2), 0);
        wire_close(next);
        assert_int_equal(fiber_join(fiber), 0);
        bench_destroy(bench);
        return 0;
}

static void an_unplug_wakes_whoever_sleeps_on_the_wire(void **state)
{
        (void)state;
        in_virtual_time(body_unplug_sleeper);
}

static int body_unplug_packets(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        uint8_t answer[2];

        (void)subject;
        for (unsigned packets = 0; packets < 5; packets++) {
                struct wire *wire;
                unsigned good = 0;

                bench_plug(bench, 0);
                wire = open_wire(bench);
                bench_unplug_after(bench, 0, packets);
                while (exchange(wire, 0xF5, 0, 0, answer, 2) == 0)
                        good++;
                assert_int_equal(good, packets / 2); /* command and answer */
                wire_close(wire);
        }
        bench_destroy(bench);
        return 0;
}

static void the_cable_comes_out_between_any_two_packets(void **state)
{
        (void)state;
        in_virtual_time(body_unplug_packets);
}

static int long_exchange(void *subject)
{
        uint8_t answer[2];

        return exchange(subject, 0xF3, 0x07, 0, answer, 2);
}

static int body_cancel(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct wire *wire = open_wire(bench);
        struct fiber *fiber = fiber_spawn("long", long_exchange, wire);
        uint8_t answer[2];

        (void)subject;
        assert_int_equal(fiber_sleep_ns(100 * NS_PER_US), 0);
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), -FAULT_CANCELLED);
        assert_int_equal(wire_resync(wire), 0);
        assert_int_equal(exchange(wire, 0xF5, 0, 0, answer, 2), 0);
        wire_close(wire);
        bench_destroy(bench);
        return 0;
}

static void a_cancelled_exchange_leaves_the_wire_usable(void **state)
{
        (void)state;
        in_virtual_time(body_cancel);
}

/* --- misfortune on the wire ---------------------------------------------------------------- */

static int body_late(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench;
        struct wire *wire;
        uint8_t answer[8];
        uint64_t start = clock_now_ns();

        (void)subject;
        settings.misfortune.late_answer = 1;
        bench = make_bench(&settings);
        wire = open_wire(bench);
        assert_fault(exchange(wire, 0xF7, 0, 0, answer, 8), TIMEOUT, NULL);
        assert_int_equal(clock_now_ns() - start, 6000 * MS);
        wire_close(wire);
        bench_destroy(bench);

        settings.misfortune.late_answer = 2; /* every other one */
        bench = make_bench(&settings);
        wire = open_wire(bench);
        while (exchange(wire, 0xF7, 0, 0, answer, 8) == 0)
                ;
        /* out of step: the next command is answered by the last one's answer */
        assert_int_not_equal(exchange(wire, 0xF5, 0, 0, answer, 2), 0);
        assert_int_equal(wire_resync(wire), 0);
        while (exchange(wire, 0xF5, 0, 0, answer, 2) != 0)
                assert_int_equal(wire_resync(wire), 0);
        assert_int_equal(answer[0], 1);
        wire_close(wire);
        bench_destroy(bench);
        return 0;
}

static void a_late_answer_puts_the_wire_out_of_step(void **state)
{
        (void)state;
        in_virtual_time(body_late);
}

static unsigned bits_between(const uint8_t *a, const uint8_t *b, size_t length)
{
        unsigned bits = 0;

        for (size_t i = 0; i < length; i++)
                bits += (unsigned)__builtin_popcount((unsigned)(a[i] ^ b[i]));
        return bits;
}

static int body_short_and_flip(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench;
        struct wire *wire;
        uint8_t good[8], answer[8];

        (void)subject;
        bench = make_bench(&settings);
        wire = open_wire(bench);
        assert_int_equal(exchange(wire, 0xF7, 0, 0, good, 8), 0);
        wire_close(wire);
        bench_destroy(bench);

        settings.misfortune.short_answer = 1;
        bench = make_bench(&settings);
        wire = open_wire(bench);
        assert_fault(exchange(wire, 0xF7, 0, 0, answer, 8), PROBE, "answered 4 bytes");
        wire_close(wire);
        bench_destroy(bench);

        settings.misfortune = (struct misfortune){ .bit_flip = 1 };
        bench = make_bench(&settings);
        wire = open_wire(bench);
        assert_int_equal(exchange(wire, 0xF7, 0, 0, answer, 8), 0);
        assert_int_equal(bits_between(good, answer, 8), 1);
        wire_close(wire);
        bench_destroy(bench);
        return 0;
}

static void short_answers_and_flipped_bits_happen_by_seed(void **state)
{
        (void)state;
        in_virtual_time(body_short_and_flip);
}

/* --- boards that arrive spoiled ------------------------------------------------------------ */

struct spoiled {
        struct misfortune misfortune;
        enum fault fault;
};

static int body_spoiled(void *subject)
{
        static const struct spoiled cases[] = {
                { { .used_part = 1 }, FAULT_NOT_BLANK },
                { { .wrong_part = 1 }, FAULT_WRONG_PART },
                { { .boot_pin = 1 }, FAULT_BOOT_PIN },
                { { .protected_part = 1 }, FAULT_TARGET_ACCESS },
        };
        struct sfi *sfi = bench_rig_image(IMAGE);

        (void)subject;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct bench_settings settings = bench_rig_settings(1);
                struct bench *bench;
                int r;

                settings.misfortune = cases[i].misfortune;
                bench = make_bench(&settings);
                bench_insert(bench, 0);
                assert_int_equal(fiber_sleep_ns(100 * MS), 0);
                r = bench_rig_install(bench, 0, NULL, sfi);
                if (r != -(int)cases[i].fault)
                        fail_msg("case %zu: %s: %s", i, fault_name(r), fault_sentence(r));
                bench_destroy(bench);
        }
        sfi_free(sfi);
        return 0;
}

static void spoiled_boards_fail_by_their_defect(void **state)
{
        (void)state;
        in_virtual_time(body_spoiled);
}

/* --- whole installs with the shipped driver ------------------------------------------------ */

static int body_install(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct reader *reader = bench_reader(bench, 0);
        struct sfi *sfi = bench_rig_image(IMAGE);
        int r;

        (void)subject;
        assert_int_equal(hsm_open(reader, simulated_card_conf(), WAIT_FOREVER), 0);
        bench_insert(bench, 0);
        assert_int_equal(fiber_sleep_ns(100 * MS), 0);
        r = bench_rig_install(bench, 0, reader, sfi);
        if (r < 0)
                fail_msg("%s: %s", fault_name(r), fault_sentence(r));
        assert_true(bench_rig_is_installed(bench, 0, IMAGE));
        assert_int_equal(simulated_card_apdus(bench_card(bench, 0)), 1);
        reader_disconnect(reader);
        reader_close(reader);
        sfi_free(sfi);
        bench_destroy(bench);
        return 0;
}

static void the_driver_installs_a_unit(void **state)
{
        (void)state;
        in_virtual_time(body_install);
}

/* ST's own image is sealed with a key we do not have: the part must say so. */
static int body_foreign_image(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct sfi *sfi = bench_rig_image(IMAGE);

        (void)subject;
        sfi->file.data[12] ^= 1; /* header tag */
        bench_insert(bench, 0);
        assert_int_equal(fiber_sleep_ns(100 * MS), 0);
        assert_fault(bench_rig_install(bench, 0, NULL, sfi), BAD_IMAGE, NULL);
        assert_false(bench_rig_is_installed(bench, 0, IMAGE));
        sfi_free(sfi);
        bench_destroy(bench);
        return 0;
}

static void an_image_with_another_key_is_refused_by_the_part(void **state)
{
        (void)state;
        in_virtual_time(body_foreign_image);
}

/* How many packets one install is, by the number after which it is not cut any more. */
static bool survives_unplug(struct sfi *sfi, unsigned packets)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        int r;

        bench_insert(bench, 0);
        assert_int_equal(fiber_sleep_ns(100 * MS), 0);
        bench_unplug_after(bench, 0, packets);
        r = bench_rig_install(bench, 0, NULL, sfi);
        if (r < 0 && r != -FAULT_UNPLUGGED)
                fail_msg("packet %u: %s: %s", packets, fault_name(r), fault_sentence(r));
        if (r < 0) {
                struct wire *wire;

                /* nothing is left behind: plugged again, the probe is as new */
                bench_plug(bench, 0);
                wire = open_wire(bench);
                wire_close(wire);
        }
        bench_destroy(bench);
        return r >= 0;
}

static int body_unplug_everywhere(void *subject)
{
        struct sfi *sfi = bench_rig_image(IMAGE);
        unsigned packets = 0;

        (void)subject;
        while (!survives_unplug(sfi, packets))
                packets++;
        printf("# an install is %u packets, each was the last one once\n", packets);
        assert_in_range(packets, 100, 5000);
        sfi_free(sfi);
        return 0;
}

static void unplugged_between_any_two_packets_the_install_ends_as_unplugged(void **state)
{
        (void)state;
        in_virtual_time(body_unplug_everywhere);
}

/* Cut the power in the middle of the RSS, every 20 ms of the install; never a pass, and afterwards
 * flash holds a front part of the image and nothing else. */
static bool survives_power_cut(struct sfi *sfi, uint64_t delay_ns);

struct cut {
        struct bench *bench;
        uint64_t delay_ns;
};

static int cut_later(void *subject)
{
        struct cut *cut = subject;
        struct simulated_part *part;

        if (fiber_sleep_ns(cut->delay_ns) < 0)
                return 0;
        part = bench_part(cut->bench, 0);
        part_power(part, clock_now_ns(), false);
        return 0;
}

static void assert_front_part(struct bench *bench)
{
        const uint8_t *flash = part_flash(bench_part(bench, 0), 0x08000000);
        uint8_t expected[IMAGE];
        bool is_erased = false;

        simulated_pattern(expected, sizeof(expected));
        for (size_t i = 0; i + 32 <= IMAGE; i += 32) {
                if (!is_erased && memcmp(flash + i, expected + i, 32) == 0)
                        continue;
                is_erased = true;
                for (size_t j = 0; j < 32; j++)
                        assert_int_equal(flash[i + j], 0xFF);
        }
}

static bool survives_power_cut(struct sfi *sfi, uint64_t delay_ns)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct cut cut = { bench, delay_ns };
        struct fiber *fiber;
        int r;

        bench_insert(bench, 0);
        assert_int_equal(fiber_sleep_ns(100 * MS), 0);
        fiber = fiber_spawn("cut", cut_later, &cut);
        r = bench_rig_install(bench, 0, NULL, sfi);
        fiber_cancel(fiber);
        (void)fiber_join(fiber);
        assert_front_part(bench);
        if (r >= 0)
                assert_true(bench_rig_is_installed(bench, 0, IMAGE));
        bench_destroy(bench);
        return r >= 0;
}

static int body_power_cuts(void *subject)
{
        struct sfi *sfi = bench_rig_image(IMAGE);
        uint64_t delay_ns = 0;

        (void)subject;
        while (!survives_power_cut(sfi, delay_ns))
                delay_ns += 3 * MS;
        printf("# an install without its license takes %u ms\n", (unsigned)(delay_ns / MS));
        assert_in_range(delay_ns, 500 * MS, 10000 * MS);
        sfi_free(sfi);
        return 0;
}

static void a_power_cut_anywhere_never_looks_like_success(void **state)
{
        (void)state;
        in_virtual_time(body_power_cuts);
}

/* --- readers ------------------------------------------------------------------------------- */

static int pull_later(void *subject)
{
        struct cut *cut = subject;

        assert_int_equal(fiber_sleep_ns(cut->delay_ns), 0);
        bench_card_remove(cut->bench, 0);
        return 0;
}

static int some_certificate(struct certificate *certificate)
{
        const uint8_t seed[32] = { 3 };
        uint8_t bytes[CERTIFICATE_LENGTH], private_key[PRIVATE_KEY_LENGTH];

        memcpy(bytes, "45002001", 8);
        license_chip_key(seed, private_key, bytes + 8);
        memset(bytes + 72, 0x55, 64);
        return certificate_parse(bytes, sizeof(bytes), NULL, certificate);
}

/* Pull the card `delay_ns` into a license; returns what the counter lost. */
static unsigned pull_in_license(uint64_t delay_ns, int *ret_result)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct reader *reader = bench_reader(bench, 0);
        struct certificate certificate;
        struct hsm_info before, after;
        struct cut cut = { bench, delay_ns };
        struct fiber *fiber;
        uint8_t license[LICENSE_LENGTH];

        assert_int_equal(some_certificate(&certificate), 0);
        assert_int_equal(hsm_open(reader, simulated_card_conf(), WAIT_FOREVER), 0);
        assert_int_equal(hsm_info(reader, simulated_card_conf(), &before), 0);
        fiber = fiber_spawn("pull", pull_later, &cut);
        *ret_result = hsm_license(reader, simulated_card_conf(), &certificate, license);
        assert_int_equal(fiber_join(fiber), 0);
        reader_disconnect(reader);
        bench_card_insert(bench, 0);
        assert_int_equal(hsm_open(reader, simulated_card_conf(), WAIT_FOREVER), 0);
        assert_int_equal(hsm_info(reader, simulated_card_conf(), &after), 0);
        reader_close(reader);
        bench_destroy(bench);
        return before.counter - after.counter;
}

static int body_pull(void *subject)
{
        int r;

        (void)subject;
        assert_int_equal(pull_in_license(100 * MS, &r), 0);
        assert_int_equal(r, -FAULT_NO_CARD);
        assert_int_equal(pull_in_license(999 * MS, &r), r < 0); /* past half, or through */
        assert_int_equal(pull_in_license(3000 * MS, &r), 1);
        assert_int_equal(r, 0);
        return 0;
}

static void a_card_pulled_late_has_spent_its_license(void **state)
{
        (void)state;
        in_virtual_time(body_pull);
}

static int insert_later(void *subject)
{
        assert_int_equal(fiber_sleep_ns(300 * MS), 0);
        bench_card_insert(subject, 0);
        return 0;
}

static int body_connect(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct bench *bench = make_bench(&settings);
        struct reader *reader = bench_reader(bench, 0);
        uint8_t atr[ATR_MAX], answer[APDU_ANSWER_MAX], select[] = { 0, 0xA4, 4, 0 };
        struct fiber *fiber;

        (void)subject;
        assert_string_equal(reader_name(reader), "virtual card 1");
        assert_true(reader->is_simulated);
        assert_fault(reader_transmit(reader, select, 4, answer), NO_CARD, NULL); /* no session */
        bench_card_remove(bench, 0);
        assert_fault(reader_connect(reader, 100 * MS, atr), TIMEOUT, "virtual card 1");
        fiber = fiber_spawn("insert", insert_later, bench);
        assert_int_equal(reader_connect(reader, WAIT_FOREVER, atr),
                         simulated_card_conf()->atr_length);
        assert_int_equal(fiber_join(fiber), 0);
        assert_memory_equal(atr, simulated_card_conf()->atr, simulated_card_conf()->atr_length);
        bench_card_remove(bench, 0);
        bench_card_insert(bench, 0); /* the session ended with the card that left */
        assert_fault(reader_transmit(reader, select, 4, answer), NO_CARD, NULL);
        reader_close(reader);
        bench_destroy(bench);
        return 0;
}

static void a_reader_waits_for_its_card(void **state)
{
        (void)state;
        in_virtual_time(body_connect);
}

static int body_dead_card(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct certificate certificate;
        uint8_t license[LICENSE_LENGTH];
        unsigned spent = 0;

        (void)subject;
        assert_int_equal(some_certificate(&certificate), 0);
        settings.misfortune.dead_card = 1;
        for (settings.seed = 1; settings.seed <= 8; settings.seed++) {
                struct bench *bench = make_bench(&settings);
                struct reader *reader = bench_reader(bench, 0);
                uint64_t start;

                assert_int_equal(hsm_open(reader, simulated_card_conf(), WAIT_FOREVER), 0);
                start = clock_now_ns();
                assert_fault(hsm_license(reader, simulated_card_conf(), &certificate, license),
                             CARD_DEAD, NULL);
                assert_in_range(clock_now_ns() - start, 8000 * MS, 10000 * MS);
                assert_fault(hsm_license(reader, simulated_card_conf(), &certificate, license),
                             CARD_DEAD, NULL);
                spent += simulated_card_apdus(bench_card(bench, 0));
                reader_close(reader);
                bench_destroy(bench);
        }
        assert_in_range(spent, 1, 7); /* some die before the counter moves, some after */
        return 0;
}

static void a_dead_card_is_found_out_by_its_time_limit(void **state)
{
        (void)state;
        in_virtual_time(body_dead_card);
}

static int body_wrong_license(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct sfi *sfi = bench_rig_image(IMAGE);
        struct bench *bench;
        struct reader *reader;

        (void)subject;
        settings.misfortune.wrong_license = 1;
        bench = make_bench(&settings);
        reader = bench_reader(bench, 0);
        assert_int_equal(hsm_open(reader, simulated_card_conf(), WAIT_FOREVER), 0);
        bench_insert(bench, 0);
        assert_int_equal(fiber_sleep_ns(100 * MS), 0);
        assert_fault(bench_rig_install(bench, 0, reader, sfi), BAD_LICENSE, NULL);
        reader_close(reader);
        bench_destroy(bench);
        sfi_free(sfi);
        return 0;
}

static void a_license_for_another_chip_is_refused_by_the_part(void **state)
{
        (void)state;
        in_virtual_time(body_wrong_license);
}

static int body_weak_word(void *subject)
{
        struct bench_settings settings = bench_rig_settings(1);
        struct sfi *sfi = bench_rig_image(32 * 256); /* as far as weak words lie */
        struct bench *bench;

        (void)subject;
        settings.misfortune.weak_word = 1;
        bench = make_bench(&settings);
        bench_insert(bench, 0);
        assert_int_equal(fiber_sleep_ns(100 * MS), 0);
        assert_fault(bench_rig_install(bench, 0, NULL, sfi), FLASH, NULL);
        bench_destroy(bench);
        sfi_free(sfi);
        return 0;
}

static void a_weak_word_is_found_by_the_rss(void **state)
{
        (void)state;
        in_virtual_time(body_weak_word);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(the_bus_shows_one_probe_a_site),
                T(a_replug_ends_the_wait_for_it),
                T(exchanges_take_their_time_and_fail_by_name),
                T(an_unplug_wakes_whoever_sleeps_on_the_wire),
                T(the_cable_comes_out_between_any_two_packets),
                T(a_cancelled_exchange_leaves_the_wire_usable),
                T(a_late_answer_puts_the_wire_out_of_step),
                T(short_answers_and_flipped_bits_happen_by_seed),
                T(a_reader_waits_for_its_card),
                T(a_card_pulled_late_has_spent_its_license),
                T(a_dead_card_is_found_out_by_its_time_limit),
                T(the_driver_installs_a_unit),
                T(an_image_with_another_key_is_refused_by_the_part),
                T(a_license_for_another_chip_is_refused_by_the_part),
                T(a_weak_word_is_found_by_the_rss),
                T(spoiled_boards_fail_by_their_defect),
                T(unplugged_between_any_two_packets_the_install_ends_as_unplugged),
                T(a_power_cut_anywhere_never_looks_like_success),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
