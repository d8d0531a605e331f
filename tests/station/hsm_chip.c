/* The certificate of the chip at a probe, as `gangway hsm license` reads it, on the bench. */
#include "tests/support/bench_rig.h"
#include "tests/support/test.h"

#include "drivers/simulated/bench.h"
#include "scheduler/fiber.h"
#include "station/commands/hsm_chip.h"

#include <string.h>

static int read_chips(void *subject)
{
        struct bench_settings settings = bench_rig_settings(2);
        struct rss_profile other = *simulated_rss();
        struct family another = *simulated_family();
        struct certificate first, second;
        uint8_t license[LICENSE_LENGTH];
        struct reader *reader;
        struct bench *bench;

        (void)subject;
        assert_int_equal(bench_create(&settings, &bench), 0);
        bench_insert(bench, 0);
        bench_insert(bench, 1);
        assert_int_equal(fiber_sleep_ns(NS_PER_S), 0);
        assert_fault(chip_certificate(bench_bus(bench), NULL, simulated_family(), simulated_rss(),
                                      &first),
                     BAD_VALUE, "2 probes are plugged in: choose one with --path, of sim-0 sim-1");
        assert_int_equal(chip_certificate(bench_bus(bench), "sim-1", simulated_family(),
                                          simulated_rss(), &first),
                         0);
        bench_unplug(bench, 1);
        assert_int_equal(chip_certificate(bench_bus(bench), NULL, simulated_family(),
                                          simulated_rss(), &second),
                         0);
        assert_string_equal(first.product_id, "45002001");
        assert_string_not_equal(first.fingerprint, second.fingerprint);
        /* and the bench's card, of version 2 for this product, takes it */
        reader = bench_reader(bench, 0);
        assert_int_equal(hsm_open(reader, simulated_card_conf(), NS_PER_S), 0);
        assert_int_equal(hsm_license(reader, simulated_card_conf(), &second, license), 0);
        reader_close(reader);

        strcpy(other.marker, "SOMETHING ELSE");
        assert_int_equal(
                chip_certificate(bench_bus(bench), "sim-0", simulated_family(), &other, &first),
                -FAULT_REFERENCE_ONLY);
        another.device_id = 0x480;
        assert_int_equal(
                chip_certificate(bench_bus(bench), "sim-0", &another, simulated_rss(), &first),
                -FAULT_WRONG_PART);
        bench_unplug(bench, 0);
        assert_fault(chip_certificate(bench_bus(bench), NULL, simulated_family(), simulated_rss(),
                                      &first),
                     NOT_FOUND, "no ST-LINK probe");
        bench_destroy(bench);
        return 0;
}

static void a_certificate_is_read_from_the_chosen_or_only_probe(void **state)
{
        (void)state;
        (void)simulated_family(); /* loads on a loop of its own */
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, read_chips, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_certificate_is_read_from_the_chosen_or_only_probe),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
