/*
 * A whole line that installs by the vendor's tool: simulated bench, real child processes, real time.
 * The stand-in (tests/rigs/fake_programmer.py) installs nothing, but what it says decides.
 */
#include "tests/support/sealed.h"
#include "tests/support/test.h"
#include "tests/support/vendor_bench.h"
#include "tests/support/vendor_rig.h"

#include "crypto/digest.h"
#include "crypto/sfi.h"
#include "drivers/simulated/bench.h"
#include "scheduler/fiber.h"
#include "station/ledger.h"
#include "station/settings.h"
#include "station/vendor_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct line *line;
static char runtime[300];

static int set_up(void **state)
{
        (void)state;
        line = vendor_bench_line(NULL);
        snprintf(runtime, sizeof(runtime), "%s", getenv("XDG_RUNTIME_DIR"));
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        vendor_bench_end(line);
        return 0;
}

static unsigned sites(unsigned count)
{
        struct settings *settings = &line->station.settings;

        settings->site_count = count;
        for (unsigned i = 0; i < count; i++) {
                snprintf(settings->sites[i].name, sizeof(settings->sites[i].name), "%u", i + 1);
                snprintf(settings->sites[i].path, sizeof(settings->sites[i].path), "sim-%u", i);
        }
        return count;
}

/* --- what is left behind: the books ---------------------------------------------------------- */

static const char *ask(const char *query)
{
        return vendor_bench_ask(line, query);
}

/* No license, certificate or image lies about any more. */
static void assert_nothing_left(void)
{
        assert_int_equal(vendor_bench_entries(), 0);
}

static unsigned count(const char *text, const char *words)
{
        return vendor_bench_count(text, words);
}

static void run_line(void)
{
        assert_int_equal(vendor_bench_run(line, NULL, NULL), 0);
}

/* --- lots that are made ---------------------------------------------------------------------- */

static void a_lot_of_eight_is_made_on_four_sites(void **state)
{
        char *calls;

        (void)state;
        sites(4);
        line_order(line, "VENDOR-8", 8, "");
        run_line();
        assert_string_equal(ask("SELECT count(*) FROM attempts WHERE result = 'pass'"), "8");
        assert_string_equal(ask("SELECT count(DISTINCT certificate) FROM attempts"), "8");
        assert_string_equal(ask("SELECT count(*) FROM attempts WHERE result != 'pass'"), "0");
        assert_string_equal(ask("SELECT count(*) FROM licenses WHERE state = 'installed'"), "8");
        assert_string_equal(ask("SELECT count(*) FROM licenses WHERE state != 'installed'"), "0");
        assert_non_null(line_find(line, "orders/done/*/VENDOR-8.yaml.result.json"));
        calls = vendor_rig_calls();
        /* identify, certificate, install */
        assert_int_equal(count(calls, "\n"), 24);
        assert_int_equal(count(calls, "\"-sfi\""), 8);
        assert_int_equal(count(calls, "\"length\": 136"), 8);
        assert_int_equal(count(calls, "\"mode\": \"0o600\", \"folder_mode\": \"0o700\""), 16);
        free(calls);
        assert_nothing_left();
}

static void the_image_and_the_license_are_the_checked_ones(void **state)
{
        char *calls, *digest, expected[128];

        (void)state;
        line_order(line, "VENDOR-1", 1, "");
        run_line();
        calls = vendor_rig_calls();
        digest = line_read(line_path(line, "image.sha256"));
        for (char *c = digest; *c; c++)
                if (*c >= 'A' && *c <= 'F')
                        *c = (char)(*c + 'a' - 'A');
        snprintf(expected, sizeof(expected), "\"image\": {\"sha256\": \"%.64s\"", digest);
        assert_non_null(strstr(calls, expected));
        free(digest);
        free(calls);
}

/* Figures 59 and 65 and the L5 as ST's tool prints them; the RSSe is given where it is set. */
static void an_rsse_is_given_to_the_tool(void **state)
{
        struct settings *settings = &line->station.settings;
        char *calls;

        (void)state;
        vendor_rig_scenario(NULL, "good-l5");
        vendor_rig_file("device", "h7");
        vendor_rig_file("enc_signed_RSSe_sfi.bin", "RSSe");
        snprintf(settings->vendor.rsse_file, sizeof(settings->vendor.rsse_file),
                 "%s/tool/enc_signed_RSSe_sfi.bin", line->directory);
        line_order(line, "RSSE", 1, "");
        run_line();
        assert_string_equal(ask("SELECT result FROM attempts"), "pass");
        calls = vendor_rig_calls();
        assert_int_equal(count(calls, "\"-rsse\""), 1);
        free(calls);
}

/* Flash by its secure alias, as TrustZone images name it; no option bytes. */
static int seal_for_u5(void *subject)
{
        static uint8_t code[8192];
        const struct sfi_plain_area area = { SFI_FIRMWARE, 0x0C000000, code, sizeof(code) };
        const struct sfi_recipe recipe = {
                .protocol = 2, .version = 1, .areas = &area, .count = 1
        };
        struct bytes file = sealed_file(&recipe, line->key, line->nonce, NULL);
        uint8_t digest[DIGEST_LENGTH];
        FILE *out = fopen(line_path(line, "u5.sfi"), "wb");

        assert_non_null(out);
        assert_int_equal(fwrite(file.data, 1, file.length, out), file.length);
        assert_int_equal(fclose(out), 0);
        digest_sha256(file.data, file.length, digest);
        hex_encode(digest, sizeof(digest), subject);
        bytes_free(&file);
        return 0;
}

/* A family our own procedures cannot install on: no SECURITY bit, an RSSe. */
static void a_lot_of_a_family_with_an_rsse_is_made(void **state)
{
        struct settings *settings = &line->station.settings;
        char digest[2 * DIGEST_LENGTH + 1], order[512];

        (void)state;
        sites(2);
        snprintf(settings->family_file, sizeof(settings->family_file), "%s",
                 "configs/targets/stm32u575.conf");
        vendor_rig_scenario(NULL, "good-u5");
        vendor_rig_file("device", "u575");
        vendor_rig_file("product", "48202001"); /* what the simulated cards are for */
        vendor_rig_file("enc_signed_RSSe_sfi.bin", "RSSe");
        snprintf(settings->vendor.rsse_file, sizeof(settings->vendor.rsse_file),
                 "%s/tool/enc_signed_RSSe_sfi.bin", line->directory);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, seal_for_u5, digest), 0);
        snprintf(order, sizeof(order),
                 "order: U5\npart: STM32U585AI\nfamily: STM32U575\nquantity: 3\n"
                 "image:\n  file: %s/u5.sfi\n  sha256: %s\nfirmware_id: %s\n",
                 line->directory, digest, LINE_FIRMWARE_ID);
        line->orders = 1; /* whose books are read afterwards */
        snprintf(line->order, sizeof(line->order), "U5");
        line_drop(line, "U5.yaml", order, strlen(order));
        run_line();
        assert_string_equal(ask("SELECT count(*) FROM attempts WHERE result = 'pass'"), "3");
        assert_string_equal(ask("SELECT count(*) FROM licenses WHERE state = 'installed'"), "3");
        assert_nothing_left();
}

/* --- units that fail ------------------------------------------------------------------------- */

static void wait_for(bool (*is_so)(const struct line *line))
{
        vendor_bench_wait(line, is_so);
}

static void run_one_unit(void)
{
        line_order(line, "BAD", 4, "retries: 0\n");
        vendor_bench_one_unit(line);
}

struct bad_end {
        const char *scenario, *fault, *step, *sentence, *license;
};

static const struct bad_end bad_ends[] = {
        { "license-invalid", "BAD_LICENSE", "install", "License is invalid", "refused" },
        { "security-fail", "RSS", "install", "SECURITY State Fail", "offered" },
        { "rss-failed", "RSS", "activate security", "0xF5F5F5F5", "offered" },
        { "crash", "NOT_PROVABLE", "install", "signal 11", "offered" },
        { "says-nothing", "NOT_PROVABLE", "install", "did not report success", "offered" },
        { "flood", "NOT_PROVABLE", "install", "printed more than", "offered" },
        { "short-certificate", "BAD_CERTIFICATE", "read the certificate", "60 bytes", "" },
        { "no-security", "OPTION_BYTES", "activate security", "Activating security Failure",
          "offered" },
        { "no-probe", "PROBE", "check the part", "No debug probe detected", "" },
        { "no-target", "NO_TARGET", "check the part", "No STM32 target found", "" },
};

static void each_bad_end_has_its_fault_and_keeps_its_license(void **state)
{
        for (size_t i = 0; i < LENGTH_OF(bad_ends); i++) {
                const struct bad_end *bad = &bad_ends[i];

                if (i > 0)
                        set_up(state);
                vendor_rig_scenario(NULL, bad->scenario);
                vendor_rig_file("device", "h7");
                run_one_unit();
                printf("# %s: %s\n", bad->scenario, ask("SELECT sentence FROM attempts"));
                assert_string_equal(ask("SELECT fault FROM attempts"), bad->fault);
                assert_string_equal(ask("SELECT step FROM attempts"), bad->step);
                assert_non_null(strstr(ask("SELECT sentence FROM attempts"), bad->sentence));
                assert_string_equal(ask("SELECT state FROM licenses"), bad->license);
                assert_nothing_left();
                if (i + 1 < LENGTH_OF(bad_ends))
                        tear_down(state);
        }
}

static void a_hang_ends_and_proves_nothing(void **state)
{
        (void)state;
        vendor_rig_scenario(NULL, "hang");
        line->station.settings.vendor.timeout_s = 3;
        run_one_unit();
        assert_string_equal(ask("SELECT fault FROM attempts"), "NOT_PROVABLE");
        assert_non_null(strstr(ask("SELECT sentence FROM attempts"), "did not end within 3.0 s"));
        assert_non_null(strstr(ask("SELECT sentence FROM attempts"), "may be changed"));
        assert_string_equal(ask("SELECT state FROM licenses"), "offered");
        assert_nothing_left();
}

static void another_device_than_ours_is_refused_before_a_license(void **state)
{
        (void)state;
        vendor_rig_file("device", "u5");
        run_one_unit();
        assert_string_equal(ask("SELECT fault FROM attempts"), "WRONG_PART");
        assert_string_equal(ask("SELECT count(*) FROM licenses"), "0");
}

/* The license that is in hand is given to the tool again, and no card is asked twice. */
static void a_retry_uses_the_license_in_hand(void **state)
{
        char *calls;

        (void)state;
        vendor_rig_scenario(NULL, "security-fail");
        line_order(line, "RETRY", 1, "retries: 1\n");
        vendor_bench_one_unit(line);
        calls = vendor_rig_calls();
        assert_true(count(calls, "\"-sfi\"") >= 1);
        assert_string_equal(ask("SELECT count(*) FROM licenses"), "1");
        free(calls);
}

/* --- the probe ------------------------------------------------------------------------------- */

static bool is_installing(const struct line *its)
{
        const struct site *site = its->station.sites;

        return site && site->install.step && strcmp(site->install.step, "install") == 0;
}

static bool is_absent(const struct line *its)
{
        return its->station.sites[0].state == SITE_ABSENT;
}

static int unplug_in_install(void *context)
{
        (void)context;
        wait_for(is_installing);
        bench_unplug(line->station.bench, 0);
        wait_for(is_absent);
        vendor_rig_scenario(NULL, "good-h7");
        bench_plug(line->station.bench, 0);
        return 0;
}

/* The tool here never notices; the station does, ends it, and goes on with the license in hand. */
static void unplugging_ends_the_tool_and_the_unit(void **state)
{
        (void)state;
        vendor_rig_scenario(NULL, "hang");
        line_order(line, "UNPLUG", 1, "retries: 2\n");
        assert_int_equal(vendor_bench_run(line, unplug_in_install, NULL), 0);
        assert_string_equal(ask("SELECT fault FROM attempts ORDER BY id"), "UNPLUGGED");
        assert_string_equal(ask("SELECT result FROM attempts ORDER BY id DESC"), "pass");
        assert_string_equal(ask("SELECT count(*) FROM licenses"), "1");
        assert_string_equal(ask("SELECT state FROM licenses"), "installed");
        assert_nothing_left();
}

static int stop_twice_in_install(void *context)
{
        (void)context;
        wait_for(is_installing);
        station_stop(&line->station);
        IGNORE(fiber_sleep_ns(100 * NS_PER_MS));
        assert_true(is_installing(line)); /* the first waits for the install */
        station_stop(&line->station);
        return 0;
}

static void a_second_stop_ends_the_tool_too(void **state)
{
        (void)state;
        vendor_rig_scenario(NULL, "hang");
        line_order(line, "STOP", 1, "");
        assert_int_equal(vendor_bench_run(line, stop_twice_in_install, NULL), 0);
        assert_string_equal(ask("SELECT result FROM attempts"), "aborted");
        assert_string_equal(ask("SELECT state FROM licenses"), "offered");
        assert_nothing_left();
}

/* Two sites, two children: one hangs, the other makes its units meanwhile. */
static int stop_when_others_are_done(void *context)
{
        (void)context;
        wait_for(is_installing);
        while (line->station.sites[1].passed < 2)
                assert_int_equal(fiber_sleep_ns(10 * NS_PER_MS), 0);
        assert_true(is_installing(line));
        station_stop(&line->station);
        station_stop(&line->station);
        return 0;
}

static int give_first_site_trouble(void *context)
{
        while (!line->station.sites || !line->station.sites[0].probe.wire)
                assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        vendor_rig_scenario(wire_identity(line->station.sites[0].probe.wire)->serial, "hang");
        return stop_when_others_are_done(context);
}

static void a_site_that_hangs_does_not_hold_up_the_others(void **state)
{
        (void)state;
        sites(2);
        line_order(line, "SIDE", 8, "");
        assert_int_equal(vendor_bench_run(line, give_first_site_trouble, NULL), 0);
        assert_string_equal(ask("SELECT count(*) >= 2 FROM attempts WHERE result = 'pass'"), "1");
        assert_string_equal(ask("SELECT count(*) FROM attempts WHERE result = 'aborted' AND "
                                "site = '1'"),
                            "1");
}

/* --- refused before a unit ------------------------------------------------------------------- */

static void an_rsse_family_without_one_does_not_start(void **state)
{
        struct settings *settings = &line->station.settings;
        char *calls;

        (void)state;
        snprintf(settings->family_file, sizeof(settings->family_file), "%s",
                 "configs/targets/stm32u575.conf");
        line_order(line, "NONE", 1, "");
        assert_fault(vendor_bench_run(line, NULL, NULL), BAD_VALUE,
                     "STM32U575 is installed through an RSSe; set vendor.rsse_file");
        calls = vendor_rig_calls();
        assert_string_equal(calls, "");
        free(calls);
}

static void a_tool_that_is_not_there_does_not_start(void **state)
{
        struct settings *settings = &line->station.settings;

        (void)state;
        snprintf(settings->vendor.program, sizeof(settings->vendor.program), "%s",
                 "/opt/nowhere/STM32_Programmer_CLI");
        line_order(line, "NONE", 1, "");
        assert_fault(vendor_bench_run(line, NULL, NULL), NOT_FOUND,
                     "vendor.program of the station file: /opt/nowhere/STM32_Programmer_CLI");
}

/* --- private folders ------------------------------------------------------------------------- */

/* As after a crash: the folder is there, and nobody works in it. */
static int leave_a_license(void *subject)
{
        const struct piece piece = { "license", 7 };
        char directory[VENDOR_PATH_MAX], path[VENDOR_PATH_MAX];

        assert_int_equal(vendor_files_make(subject, directory), 0);
        assert_ptr_equal(strstr(directory, runtime), directory);
        return vendor_files_put(directory, "license.bin", &piece, path);
}

static void what_a_crash_left_goes_at_the_next_start(void **state)
{
        char data[300];

        (void)state;
        snprintf(data, sizeof(data), "%s", line_path(line, "data"));
        assert_int_equal(mkdir(data, 0700), 0);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, leave_a_license, data), 0);
        assert_true(vendor_bench_entries() > 0);
        line->station.settings.installer = INSTALLER_NATIVE; /* whoever installs now */
        line_order(line, "AFTER", 1, "");
        run_line();
        assert_nothing_left();
}

/* In /dev/shm anybody may have made it first. */
static void a_folder_of_somebody_else_is_passed_by(void **state)
{
        char data[300], directory[VENDOR_PATH_MAX], first[VENDOR_PATH_MAX];
        struct stat status;

        (void)state;
        snprintf(data, sizeof(data), "%s", line_path(line, "data"));
        assert_int_equal(mkdir(data, 0700), 0);
        assert_int_equal(vendor_files_make(data, directory), 0);
        assert_int_equal(stat(directory, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0700);
        snprintf(first, sizeof(first), "%s", directory);
        *strrchr(first, '/') = '\0';
        assert_int_equal(vendor_files_remove(directory), 0);
        assert_string_equal(directory, "");
        /* open to others, and then a link to somewhere else */
        assert_int_equal(mkdir(first, 0755), 0);
        assert_int_equal(vendor_files_make(data, directory), 0);
        assert_ptr_not_equal(strstr(directory, runtime), directory);
        assert_int_equal(vendor_files_remove(directory), 0);
        assert_int_equal(rmdir(first), 0);
        assert_int_equal(symlink("/tmp", first), 0);
        assert_int_equal(vendor_files_make(data, directory), 0);
        assert_ptr_not_equal(strstr(directory, runtime), directory);
        assert_int_equal(vendor_files_remove(directory), 0);
        assert_int_equal(unlink(first), 0);
}

#define ON_A_LINE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON_A_LINE(a_lot_of_eight_is_made_on_four_sites),
                ON_A_LINE(the_image_and_the_license_are_the_checked_ones),
                ON_A_LINE(an_rsse_is_given_to_the_tool),
                ON_A_LINE(a_lot_of_a_family_with_an_rsse_is_made),
                ON_A_LINE(each_bad_end_has_its_fault_and_keeps_its_license),
                ON_A_LINE(a_hang_ends_and_proves_nothing),
                ON_A_LINE(another_device_than_ours_is_refused_before_a_license),
                ON_A_LINE(a_retry_uses_the_license_in_hand),
                ON_A_LINE(unplugging_ends_the_tool_and_the_unit),
                ON_A_LINE(a_second_stop_ends_the_tool_too),
                ON_A_LINE(a_site_that_hangs_does_not_hold_up_the_others),
                ON_A_LINE(an_rsse_family_without_one_does_not_start),
                ON_A_LINE(a_tool_that_is_not_there_does_not_start),
                ON_A_LINE(what_a_crash_left_goes_at_the_next_start),
                ON_A_LINE(a_folder_of_somebody_else_is_passed_by),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
