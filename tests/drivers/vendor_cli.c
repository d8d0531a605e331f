/*
 * Runs of the vendor's tool, played by tests/rigs/fake_programmer.py in real time: it prints what the
 * real one prints, well and badly, and ends as it may end.
 */
#include "tests/support/test.h"
#include "tests/support/vendor_rig.h"

#include "drivers/vendor_cli.h"
#include "scheduler/fiber.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE  "003300184741500820383733"
#define SECOND "002F003F3137510539383538"

static char directory[128], image[192], license[192], rsse[192], certificate[192];

struct run {
        struct vendor_cli cli;
        struct vendor_install install;
        enum vendor_action action;
        bool cancel_in_install;
        bool is_in_install;
        struct vendor_output output;
        unsigned told, last_progress;
};

static void write_text(const char *path, const char *text)
{
        int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

        assert_true(descriptor >= 0);
        assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
        assert_int_equal(close(descriptor), 0);
}

static void hear(void *context, const struct vendor_output *output)
{
        struct run *run = context;

        assert_true(output->progress >= run->last_progress && output->progress <= 1000);
        run->last_progress = output->progress;
        run->is_in_install = output->phase >= VENDOR_WRITING;
        run->told++;
}

static struct run prepare(const char *scenario)
{
        struct run run = { .action = VENDOR_INSTALL };

        snprintf(directory, sizeof(directory), "%s", test_directory());
        snprintf(image, sizeof(image), "%s/image.sfi", directory);
        snprintf(license, sizeof(license), "%s/license.bin", directory);
        snprintf(rsse, sizeof(rsse), "%s/enc_signed_RSSe_sfi.bin", directory);
        snprintf(certificate, sizeof(certificate), "%s/certificate.bin", directory);
        write_text(image, "SFI image");
        write_text(license, "license");
        write_text(rsse, "RSSe");
        run.cli = (struct vendor_cli){ .program = vendor_rig(directory),
                                       .directory = directory,
                                       .serial = PROBE,
                                       .clock_khz = 24000,
                                       .limit_ns = 30 * NS_PER_S,
                                       .heard = hear };
        run.install = (struct vendor_install){ .image = image, .license = license };
        vendor_rig_scenario(NULL, scenario);
        return run;
}

static int do_run(void *subject)
{
        struct run *run = subject;

        run->cli.context = run;
        switch (run->action) {
        case VENDOR_IDENTIFY:
                return vendor_identify(&run->cli, &run->output);
        case VENDOR_GET_CERTIFICATE:
                return vendor_get_certificate(&run->cli, certificate, &run->output);
        case VENDOR_INSTALL:
                return vendor_install(&run->cli, &run->install, &run->output);
        }
        return -1;
}

static int do_run_and_cancel(void *subject)
{
        struct run *run = subject;
        struct fiber *fiber = fiber_spawn("run", do_run, run);

        while (!run->is_in_install)
                assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        fiber_cancel(fiber);
        return fiber_join(fiber);
}

static int run(struct run *run)
{
        return test_on_fiber(LOOP_TIME_REAL, 0, run->cancel_in_install ? do_run_and_cancel : do_run,
                             run);
}

/* --- arguments ----------------------------------------------------------------------------- */

static void assert_arguments(const struct vendor_arguments *arguments, const char *expected)
{
        char text[1024] = "";

        for (unsigned i = 0; i < arguments->count; i++) {
                strcat(text, i ? " " : "");
                strcat(text, arguments->list[i]);
        }
        assert_string_equal(text, expected);
        assert_null(arguments->list[arguments->count]);
}

static void arguments_are_those_of_the_application_note(void **state)
{
        struct vendor_cli cli = { .program = "/opt/STM32_Programmer_CLI", .serial = "0033" };
        struct vendor_install files = { .image = "/d/out.sfi", .license = "/d/license.bin" };
        struct vendor_arguments arguments;

        (void)state;
        assert_int_equal(vendor_arguments(&cli, VENDOR_IDENTIFY, NULL, NULL, &arguments), 0);
        assert_arguments(&arguments, "/opt/STM32_Programmer_CLI -c port=SWD sn=0033 mode=HOTPLUG");
        cli.clock_khz = 8000;
        cli.access_port = 1;
        assert_int_equal(
                vendor_arguments(&cli, VENDOR_GET_CERTIFICATE, "/d/c.bin", NULL, &arguments), 0);
        assert_arguments(&arguments, "/opt/STM32_Programmer_CLI -c port=SWD sn=0033 mode=HOTPLUG "
                                     "freq=8000 ap=1 -gc /d/c.bin");
        cli.clock_khz = cli.access_port = 0;
        assert_int_equal(vendor_arguments(&cli, VENDOR_INSTALL, NULL, &files, &arguments), 0);
        assert_arguments(&arguments,
                         "/opt/STM32_Programmer_CLI -c port=SWD sn=0033 mode=HOTPLUG -sfi "
                         "protocol=static /d/out.sfi hsm=0 /d/license.bin");
        files.rsse = "/r/rsse.bin";
        files.loader = "/l/x.stldr";
        files.modules = "/m/x.mcsv";
        assert_int_equal(vendor_arguments(&cli, VENDOR_INSTALL, NULL, &files, &arguments), 0);
        assert_arguments(&arguments,
                         "/opt/STM32_Programmer_CLI -c port=SWD sn=0033 mode=HOTPLUG -sfi "
                         "protocol=static /d/out.sfi hsm=0 /d/license.bin -rsse /r/rsse.bin -el "
                         "/l/x.stldr -mcsv /m/x.mcsv");
}

static void what_the_tool_could_mistake_is_refused(void **state)
{
        struct vendor_cli cli = { .program = "/p", .serial = "" };
        struct vendor_install files = { .image = "-dsecurity", .license = "/d/license.bin" };
        struct vendor_arguments arguments;

        (void)state;
        assert_fault(vendor_arguments(&cli, VENDOR_IDENTIFY, NULL, NULL, &arguments), PROBE,
                     "no serial number");
        cli.serial = "0033 -e all";
        assert_fault(vendor_arguments(&cli, VENDOR_IDENTIFY, NULL, NULL, &arguments), PROBE,
                     "cannot be given");
        cli.serial = "0033";
        assert_fault(vendor_arguments(&cli, VENDOR_INSTALL, NULL, &files, &arguments), BAD_VALUE,
                     "the image \"-dsecurity\" is not an absolute path");
        files.image = "/d/out.sfi";
        files.rsse = "slot=1";
        assert_fault(vendor_arguments(&cli, VENDOR_INSTALL, NULL, &files, &arguments), BAD_VALUE,
                     "RSSe");
        assert_fault(vendor_arguments(&cli, VENDOR_GET_CERTIFICATE, "c.bin", NULL, &arguments),
                     BAD_VALUE, "certificate");
}

/* --- runs that do -------------------------------------------------------------------------- */

static void the_part_is_identified(void **state)
{
        struct run it = prepare("good-h7");

        (void)state;
        it.action = VENDOR_IDENTIFY;
        assert_int_equal(run(&it), 0);
        assert_int_equal(it.output.device_id, 0x450);
        assert_int_equal(it.output.flash_kib, 2048);
        assert_int_equal(it.output.voltage_mv, 3280);
        assert_string_equal(it.output.serial, PROBE);
}

static void the_certificate_comes_as_a_file(void **state)
{
        struct run it = prepare("good-h7");
        struct stat status;

        (void)state;
        it.action = VENDOR_GET_CERTIFICATE;
        assert_int_equal(run(&it), 0);
        assert_int_equal(stat(certificate, &status), 0);
        assert_int_equal(status.st_size, 136);
}

static void an_h7_is_installed_in_three_parts(void **state)
{
        struct run it = prepare("good-h7-3");
        char *calls;

        (void)state;
        it.cli.parts = 3;
        assert_int_equal(run(&it), 0);
        assert_int_equal(it.output.part, 3);
        assert_int_equal(it.output.progress, 1000);
        assert_int_equal(it.output.percent, 100);
        assert_true(it.output.could_not_verify && !it.output.lost_debug);
        calls = vendor_rig_calls();
        assert_non_null(strstr(calls, "\"freq=24000\", \"-sfi\", \"protocol=static\""));
        assert_non_null(strstr(calls, "[\"HOME\", \"LC_ALL\", \"PATH\", \"TMPDIR\"]"));
        free(calls);
}

static void families_with_an_rsse_are_installed(void **state)
{
        static const char *const scenarios[] = { "good-l5", "good-u5", "good-h7rs" };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(scenarios); i++) {
                struct run it = prepare(scenarios[i]);

                it.install.rsse = rsse;
                assert_int_equal(run(&it), 0);
                assert_true(it.output.says_success);
                assert_int_equal(it.output.lost_debug, i == 2);
        }
}

/* Both must be under way at once: each holds the other's folder open for its whole time. */
static int do_two(void *subject)
{
        struct run *runs = subject;
        struct fiber *first = fiber_spawn("first", do_run, &runs[0]);
        struct fiber *second = fiber_spawn("second", do_run, &runs[1]);
        int r = fiber_join(first);

        /* while the other hangs */
        assert_int_equal(runs[0].output.phase, VENDOR_FINISHED);
        assert_false(fiber_has_ended(second));
        fiber_cancel(second);
        assert_int_equal(fiber_join(second), -FAULT_CANCELLED);
        return r;
}

static void two_probes_are_served_at_once(void **state)
{
        static struct run runs[2];

        (void)state;
        runs[0] = prepare("good-h7");
        runs[1] = runs[0];
        runs[1].cli.serial = SECOND;
        vendor_rig_scenario(SECOND, "hang");
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, do_two, runs), 0);
        assert_string_equal(runs[1].output.serial, SECOND);
        assert_true(runs[1].output.phase == VENDOR_AT_WORK);
}

/* --- runs that do not ---------------------------------------------------------------------- */

static void bad_ends_are_told_apart(void **state)
{
        static const struct {
                const char *scenario;
                enum fault fault;
                const char *sentence;
        } cases[] = {
                { "license-invalid", FAULT_BAD_LICENSE, "License is invalid" },
                { "security-fail", FAULT_RSS, "SECURITY State Fail" },
                { "rss-failed", FAULT_RSS, "returned value = 0xF5F5F5F5" },
                { "not-supported", FAULT_WRONG_PART, "not supported for the current device" },
                { "crash", FAULT_NOT_PROVABLE, "signal 11" },
                { "probe-lost", FAULT_NOT_PROVABLE, "DEV_USB_COMM_ERR" },
                { "no-probe", FAULT_PROBE, "No debug probe detected" },
                { "no-target", FAULT_NO_TARGET, "No STM32 target found" },
                { "flood", FAULT_NOT_PROVABLE, "printed more than 1048576 bytes in the middle" },
                { "says-nothing", FAULT_NOT_PROVABLE, "did not report success" },
                { "bad-exit", FAULT_NOT_PROVABLE, "exit code is 3" },
                { "unknown-error", FAULT_NOT_PROVABLE, "never heard of" },
                /* without an RSSe the tool goes on, and leaves the part damaged (log: U599) */
                { "good-u5", FAULT_OPTION_BYTES, "no active configuration" },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct run it = prepare(cases[i].scenario);

                test_assert_fault(run(&it), cases[i].fault, cases[i].sentence, __FILE__, __LINE__);
        }
}

static void a_tool_that_hangs_in_an_install_proves_nothing(void **state)
{
        struct run it = prepare("hang");

        (void)state;
        it.cli.limit_ns = 3 * NS_PER_S;
        assert_fault(run(&it), NOT_PROVABLE,
                     "did not end within 3.0 s and was stopped in the middle");
}

static void a_tool_that_is_cancelled_ends(void **state)
{
        struct run it = prepare("hang");

        (void)state;
        it.cancel_in_install = true;
        assert_int_equal(run(&it), -FAULT_CANCELLED);
}

static void a_program_that_is_not_there_is_named(void **state)
{
        struct run it = prepare("good-h7");

        (void)state;
        it.cli.program = "/opt/nowhere/STM32_Programmer_CLI";
        assert_fault(run(&it), NOT_FOUND, "starting /opt/nowhere/STM32_Programmer_CLI");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(arguments_are_those_of_the_application_note),
                cmocka_unit_test(what_the_tool_could_mistake_is_refused),
                cmocka_unit_test(the_part_is_identified),
                cmocka_unit_test(the_certificate_comes_as_a_file),
                cmocka_unit_test(an_h7_is_installed_in_three_parts),
                cmocka_unit_test(families_with_an_rsse_are_installed),
                cmocka_unit_test(two_probes_are_served_at_once),
                cmocka_unit_test(bad_ends_are_told_apart),
                cmocka_unit_test(a_tool_that_hangs_in_an_install_proves_nothing),
                cmocka_unit_test(a_tool_that_is_cancelled_ends),
                cmocka_unit_test(a_program_that_is_not_there_is_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
