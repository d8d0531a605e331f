/*
 * The station file: every key read, everything else refused with file, line and remedy.
 */
#include "station/settings.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BASE                                                                                       \
        "station = \"line-1\";\n"                                                                  \
        "hardware = \"usb\";\n"                                                                    \
        "orders_directory = \"orders\";\n"                                                         \
        "data_directory = \"/var/lib/gangway\";\n"
#define USB                                                                                        \
        BASE "sites = ( { name = \"a\"; path = \"1-4.2\"; } );\n"                                  \
             "readers = ( 1 );\n"
#define SIMULATED                                                                                  \
        "station = \"line-1\";\n"                                                                  \
        "hardware = \"simulated\";\n"                                                              \
        "orders_directory = \"orders\"; data_directory = \"data\";\n"
#define CARDS "key_file = \"k\"; nonce_file = \"n\"; firmware_id = \"F\";"

static struct settings settings; /* 25 KB, not for a stack */

static int parse(const char *text)
{
        return settings_parse("/etc/gangway/line.conf", text, strlen(text), &settings);
}

static void the_smallest_file_for_real_probes_takes_the_defaults(void **state)
{
        (void)state;
        assert_int_equal(parse(USB), 0);
        assert_string_equal(settings.file, "/etc/gangway/line.conf");
        assert_string_equal(settings.station, "line-1");
        assert_int_equal(settings.hardware, HARDWARE_USB);
        assert_string_equal(settings.orders_directory, "/etc/gangway/orders");
        assert_string_equal(settings.data_directory, "/var/lib/gangway");
        assert_string_equal(settings.family_file, "/etc/gangway/targets/stm32h75x.conf");
        assert_string_equal(settings.rss_profile_file, "/etc/gangway/rss/reference-h7.conf");
        assert_string_equal(settings.card_profile_file, "/etc/gangway/cards/reference.conf");
        assert_int_equal(settings.site_count, 1);
        assert_string_equal(settings.sites[0].path, "1-4.2");
        assert_string_equal(settings.sites[0].serial, "");
        assert_int_equal(settings.reader_count, 1);
        assert_string_equal(settings.readers[0], "1");
        assert_int_equal(settings.workers, 2);
        assert_int_equal(settings.worker_cpus[0], -1);
        assert_int_equal(settings.worker_cpus[1], -1);
        assert_string_equal(settings.web_address, "127.0.0.1:8470");
        assert_int_equal(settings.clock_khz, 8000);
        assert_int_equal(settings.poll_ms, 20);
        assert_int_equal(settings.settle_ms, 50);
        assert_int_equal(settings.minimum_mv, 1500);
        assert_int_equal(settings.scan_s, 5);
        assert_int_equal(settings.license_alarm, 100);
        assert_int_equal(settings.license_hours_alarm, 1);
        assert_int_equal(settings.license_lost_alarm, 1);
        assert_true(settings.license_ratio_alarm == 1.05);
        assert_int_equal(settings.capture, CAPTURE_FAILURES);
        assert_int_equal(settings.capture_mb, 256);
        assert_false(settings.is_virtual_time);
        assert_int_equal(settings.seed, 0);
}

static void every_key_reaches_its_place(void **state)
{
        (void)state;
        assert_int_equal(
                parse(SIMULATED
                      "family_file = \"f\"; rss_profile_file = \"/r\"; card_profile_file = \"c\";\n"
                      "workers = 3; worker_cpus = [ 0, -1, 7 ]; web_address = \"[::1]:0\";\n"
                      "clock_khz = 24000; poll_ms = 5; settle_ms = 0; minimum_mv = 1800;\n"
                      "scan_s = 60; license_alarm = 0; license_hours_alarm = 8;\n"
                      "license_lost_alarm = 3; license_ratio_alarm = 1; virtual_time = true;\n"
                      "capture = \"all\"; capture_mb = 7; seed = "
                      "0xFFFFFFFFFFFFFFFEL;\n"
                      "simulated: { sites = 2; boards = 64; handling_ms = 1; speed = 0.25;\n"
                      "  cards = 4; card_counter = 9; " CARDS
                      "  module_cards = ( { firmware_id = \"STACK_1\"; type = \"SMU\"; } );\n"
                      "  license_ms_low = 3; license_ms_high = 4; directory = \"bench\";\n"
                      "  misfortune = { unplug = 1; late_answer = 2; short_answer = 3;\n"
                      "    bit_flip = 4; weak_word = 5; wrong_license = 6; dead_card = 7;\n"
                      "    protected_part = 8; used_part = 9; wrong_part = 10; boot_pin = 11; };\n"
                      "};\n"),
                0);
        assert_string_equal(settings.family_file, "/etc/gangway/f");
        assert_string_equal(settings.rss_profile_file, "/r");
        assert_string_equal(settings.card_profile_file, "/etc/gangway/c");
        assert_int_equal(settings.workers, 3);
        assert_int_equal(settings.worker_cpus[2], 7);
        assert_string_equal(settings.web_address, "[::1]:0");
        assert_int_equal(settings.clock_khz, 24000);
        assert_int_equal(settings.poll_ms, 5);
        assert_int_equal(settings.settle_ms, 0);
        assert_int_equal(settings.minimum_mv, 1800);
        assert_int_equal(settings.scan_s, 60);
        assert_int_equal(settings.license_alarm, 0);
        assert_int_equal(settings.license_hours_alarm, 8);
        assert_int_equal(settings.license_lost_alarm, 3);
        assert_true(settings.license_ratio_alarm == 1);
        assert_int_equal(settings.capture, CAPTURE_ALL);
        assert_int_equal(settings.capture_mb, 7);
        assert_true(settings.is_virtual_time);
        assert_true(settings.seed == 0xFFFFFFFFFFFFFFFEull);
        assert_int_equal(settings.site_count, 2);
        assert_string_equal(settings.sites[1].name, "2");
        assert_string_equal(settings.sites[1].path, "sim-1");
        assert_int_equal(settings.bench.boards, 64);
        assert_int_equal(settings.bench.handling_ms, 1);
        assert_true(settings.bench.speed == 0.25);
        assert_int_equal(settings.bench.cards, 4);
        assert_int_equal(settings.bench.card_counter, 9);
        assert_int_equal(settings.bench.module_card_count, 1);
        assert_string_equal(settings.bench.module_cards[0].firmware_id, "STACK_1");
        assert_string_equal(settings.bench.module_cards[0].type, "SMU");
        assert_string_equal(settings.bench.key_file, "/etc/gangway/k");
        assert_string_equal(settings.bench.nonce_file, "/etc/gangway/n");
        assert_string_equal(settings.bench.firmware_id, "F");
        assert_int_equal(settings.bench.license_ms_low, 3);
        assert_int_equal(settings.bench.license_ms_high, 4);
        assert_string_equal(settings.bench.directory, "/etc/gangway/bench");
        assert_int_equal(settings.bench.misfortune.unplug, 1);
        assert_int_equal(settings.bench.misfortune.wrong_license, 6);
        assert_int_equal(settings.bench.misfortune.boot_pin, 11);
}

#define TOOL "installer = \"vendor\"; vendor = { program = \"tool/STM32_Programmer_CLI\"; };"

static void the_vendor_installer_is_taken_with_its_program(void **state)
{
        (void)state;
        assert_int_equal(parse(USB), 0);
        assert_int_equal(settings.installer, INSTALLER_NATIVE);
        assert_int_equal(parse(USB "installer = \"native\";"), 0);
        assert_int_equal(settings.installer, INSTALLER_NATIVE);
        assert_int_equal(parse(USB TOOL), 0);
        assert_int_equal(settings.installer, INSTALLER_VENDOR);
        assert_string_equal(settings.vendor.program, "/etc/gangway/tool/STM32_Programmer_CLI");
        assert_string_equal(settings.vendor.rsse_file, "");
        assert_int_equal(settings.vendor.timeout_s, 180);
        assert_int_equal(parse(USB "installer = \"vendor\"; vendor = { program = \"/p\"; "
                                   "rsse_file = \"/r.bin\"; "
                                   "timeout_s = 60; };"),
                         0);
        assert_string_equal(settings.vendor.rsse_file, "/r.bin");
        assert_int_equal(settings.vendor.timeout_s, 60);
}

static void a_vendor_installer_that_cannot_be_is_refused(void **state)
{
        (void)state;
        assert_fault(parse(USB "installer = \"st\";"), BAD_VALUE,
                     "installer is \"st\", wanted \"native\" or \"vendor\"");
        assert_fault(parse(USB "installer = \"vendor\";"), BAD_VALUE, "needs the tool; add vendor");
        assert_fault(parse(USB "vendor = { timeout_s = 60; };"), BAD_VALUE, "program");
        assert_fault(parse(USB
                           "installer = \"vendor\"; vendor = { program = \"/p\"; timeout_s = 1; "
                           "};"),
                     BAD_VALUE, "timeout_s");
        assert_fault(parse(SIMULATED TOOL "virtual_time = true; seed = 1; simulated = { sites = 1; "
                                          "" CARDS " };"),
                     BAD_VALUE, "virtual time cannot wait for a real program");
        assert_int_equal(parse(SIMULATED TOOL "simulated = { sites = 1; " CARDS " };"), 0);
}

#define SERVER                                                                                     \
        "license_server = { url = \"https://h:8443\"; certificate_file = \"s.pem\"; "              \
        "user = \"u\"; };"

static void a_license_server_is_taken_with_its_certificate(void **state)
{
        (void)state;
        assert_int_equal(parse(USB), 0);
        assert_string_equal(settings.license_server.url, "");
        assert_int_equal(parse(USB SERVER), 0);
        assert_string_equal(settings.license_server.url, "https://h:8443");
        assert_string_equal(settings.license_server.certificate_file, "/etc/gangway/s.pem");
        assert_string_equal(settings.license_server.user, "u");
        assert_int_equal(settings.license_server.timeout_ms, 10000);
        assert_int_equal(parse(USB
                               "license_server = { timeout_ms = 250; user = \"line 1 & 2\";\n"
                               "url = \"https://[::1]/gangway//\"; certificate_file = \"/s\"; };"),
                         0);
        assert_string_equal(settings.license_server.url, "https://[::1]/gangway");
        assert_string_equal(settings.license_server.certificate_file, "/s");
        assert_string_equal(settings.license_server.user, "line 1 & 2");
        assert_int_equal(settings.license_server.timeout_ms, 250);
        /* a simulated station may have one, in real time */
        assert_int_equal(parse(SIMULATED SERVER "simulated = { sites = 1; " CARDS " };"), 0);
}

static void an_address_that_is_not_https_is_refused(void **state)
{
        static const char *const bad_urls[] = {
                "http://h:8443",  "HTTPS://h",       "https:/h",           "https:h",
                "h:8443",         "ftp://h",         "file:///etc/passwd", "https://",
                "https:///path",  "https://:8443",   "https://u@h",        "https://u:p@h",
                "https://h:0x10", "https://h:65536", "https://h/?a=b",     "https://h/#f",
                "https://h?",     "https://h h",     "https://[::1",       "https://h/a b",
        };
        char text[1024];

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(bad_urls); i++) {
                snprintf(text, sizeof(text),
                         USB "license_server = { user = \"u\"; certificate_file = \"s\";\n"
                             "url = \"%s\"; };",
                         bad_urls[i]);
                if (parse(text) == 0)
                        fail_msg("%s was taken", bad_urls[i]);
                assert_fault(parse(text), BAD_VALUE, "line.conf:8: url is \"");
                assert_fault(parse(text), BAD_VALUE, bad_urls[i]);
                assert_fault(parse(text), BAD_VALUE, "wanted https:// with a host");
        }
}

static void simulated_sites_may_be_listed_by_name(void **state)
{
        (void)state;
        assert_int_equal(parse(SIMULATED "sites = ( { name = \"left\"; path = \"sim-1\"; },\n"
                                         "          { name = \"right\"; path = \"sim-0\"; } );\n"
                                         "simulated = { " CARDS " };\n"),
                         0);
        assert_int_equal(settings.site_count, 2);
        assert_string_equal(settings.sites[0].name, "left");
        assert_string_equal(settings.sites[0].path, "sim-1");
        assert_int_equal(settings.bench.cards, 2);
        assert_true(settings.bench.speed == 1.0);
}

static void readers_are_named_or_counted(void **state)
{
        (void)state;
        assert_int_equal(parse(BASE "sites = ( { name = \"a\"; path = \"10-1\"; serial = \"00\"; } "
                                    ");\nreaders = ( \"ACS ACR39U 00 00\", 2 );"),
                         0);
        assert_int_equal(settings.reader_count, 2);
        assert_string_equal(settings.readers[0], "ACS ACR39U 00 00");
        assert_string_equal(settings.readers[1], "2");
        assert_string_equal(settings.sites[0].serial, "00");
}

static void a_seed_may_have_all_its_64_bits(void **state)
{
        static const struct {
                const char *text;
                uint64_t seed;
        } cases[] = { { "seed = 7;", 7 },
                      { "seed = 5000000000L;", 5000000000 },
                      { "seed = 999999999999999999L;", 999999999999999999 },
                      { "seed = 0xFFFFFFFF;", 0xFFFFFFFF },
                      { "seed = 0x8000000000000001L;", 0x8000000000000001 } };
        char text[512];

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                snprintf(text, sizeof(text), USB "%s", cases[i].text);
                assert_int_equal(parse(text), 0);
                assert_true(settings.seed == cases[i].seed);
        }
        assert_fault(parse(USB "seed = -7L;"), BAD_VALUE, "from 0");
}

static void the_page_can_be_switched_off(void **state)
{
        (void)state;
        assert_int_equal(parse(USB "web_address = \"\";"), 0);
        assert_string_equal(settings.web_address, "");
}

static void paths_beside_a_file_without_directory_stay_as_they_are(void **state)
{
        (void)state;
        assert_int_equal(settings_parse("line.conf", USB, strlen(USB), &settings), 0);
        assert_string_equal(settings.orders_directory, "orders");
        assert_int_equal(settings_parse("/line.conf", USB, strlen(USB), &settings), 0);
        assert_string_equal(settings.orders_directory, "/orders");
}

/* What is refused, in which line, with which words. */
static const struct {
        const char *text;
        unsigned line;
        const char *words, *remedy;
        enum fault code; /* 0: BAD_VALUE */
} bad[] = {
        /* names */
        { USB "pol_ms = 5;", 7, "no setting \"pol_ms\"", "did you mean \"poll_ms\"?", 0 },
        { USB "colour = \"red\";", 7, "no setting \"colour\"", "gangway.conf names them all", 0 },
        { USB "simulated_time = true;", 7, "no setting \"simulated_time\"", "names them all", 0 },
        { BASE "sites = (\n{ name = \"a\";\npth = \"1-1\"; } );", 7, "no setting \"pth\"",
          "\"path\"", 0 },
        { SIMULATED "simulated = { sites = 1; " CARDS " misfortune = { unplugg = 1; }; };", 4,
          "no setting \"unplugg\"", "\"unplug\"", 0 },
        { USB "poll_ms = 5;\npoll_ms = 6;", 8, "duplicate", "name = value", FAULT_BAD_FILE },
        /* types */
        { USB "poll_ms = \"5\";", 7, "poll_ms is a text", "a whole number", 0 },
        { USB "poll_ms = 5.0;", 7, "poll_ms is a fraction", "a whole number", 0 },
        { USB "virtual_time = 1;", 7, "virtual_time is a whole number", "true or false", 0 },
        { USB "web_address = 8470;", 7, "web_address is a whole number", "double quotes", 0 },
        { USB "workers = [ 1 ];", 7, "workers is an array", "a whole number", 0 },
        { BASE "sites = { name = \"a\"; };", 5, "sites is a group", "a list", 0 },
        { BASE "sites = ( \"1-1\" );", 5, "this element is a text", "a group in braces", 0 },
        { USB "simulated = ( );", 7, "simulated is a list", "a group in braces", 0 },
        { BASE "readers = \"x\";", 5, "readers is a text", "a list", 0 },
        { BASE "readers = ( 1.5 );", 5, "is a fraction", "double quotes", 0 },
        { USB "worker_cpus = [ \"0\" ];", 7, "is a text", "-1", 0 },
        { USB "seed = -1;", 7, "seed is a whole number", "from 0", 0 },
        /* ranges */
        { USB "poll_ms = 0;", 7, "poll_ms is 0", "1 to 60000 milliseconds", 0 },
        { USB "poll_ms = -5;", 7, "poll_ms is -5", "1 to 60000 milliseconds", 0 },
        { USB "clock_khz = 24001;", 7, "clock_khz is 24001", "5 to 24000 kHz", 0 },
        { USB "workers = 4294967298L;", 7, "workers is 4294967298", "0 to 16 threads", 0 },
        { USB "workers = 17;", 7, "workers is 17", "0 to 16", 0 },
        { USB "worker_cpus = [ 0 ];", 7, "1 entries for 2 workers", "-1 for any", 0 },
        { USB "worker_cpus = [ 0, -2 ];", 7, "worker 2 is -2", "-1 for any", 0 },
        { USB "license_ratio_alarm = 0.95;", 7, "license_ratio_alarm is 0.95", "0 for never", 0 },
        { USB "license_ratio_alarm = 10.5;", 7, "license_ratio_alarm is 10.5", "wanted 0 to 10",
          0 },
        { USB "license_hours_alarm = 1001;", 7, "license_hours_alarm is 1001", "0 to 1000 hours",
          0 },
        { USB "license_lost_alarm = -1;", 7, "license_lost_alarm is -1", "0 to 1000000 licenses",
          0 },
        { USB "capture = \"some\";", 7, "capture is \"some\"", "\"failures\", \"all\"", 0 },
        { USB "capture = true;", 7, "capture is", "text", 0 },
        { USB "capture_mb = 1000001;", 7, "capture_mb is 1000001", "0 to 1000000 MiB", 0 },
        { USB "scan_s = 0;", 7, "scan_s is 0", "1 to 3600 seconds", 0 },
        { USB "minimum_mv = 900;", 7, "minimum_mv is 900", "1500 to 5000", 0 },
        { USB "web_address = \"localhost:8470\";", 7, "web_address is \"localhost:8470\"",
          "127.0.0.1:8470", 0 },
        { USB "web_address = \"127.0.0.1:65536\";", 7, "65536", "127.0.0.1:8470", 0 },
        { USB "web_address = \"127.0.0.1\";", 7, "web_address is", "127.0.0.1:8470", 0 },
        { BASE "readers = ( );", 5, "readers has 0 entries", "1 to 32", 0 },
        { BASE "readers = ( 1,\n\"1\" );", 6, "named twice", "each once", 0 },
        { BASE "readers = ( 0 );", 5, "a reader is 0", "1 to 999", 0 },
        { SIMULATED "simulated = { sites = 129; " CARDS " };", 4, "sites is 129", "1 to 128", 0 },
        { SIMULATED "simulated = { sites = 1; speed = 0.0; " CARDS " };", 4, "speed is 0",
          "0.001 to 100", 0 },
        { SIMULATED "simulated = { sites = 1; speed = 1e999; " CARDS " };", 4, "speed is inf",
          "0.001 to 100", 0 },
        { SIMULATED "simulated = { sites = 1; cards = 0; " CARDS " };", 4, "cards is 0", "1 to 32",
          0 },
        { SIMULATED "simulated = { sites = 1; " CARDS
                    " module_cards = ( { firmware_id = \"A\"; type = \"SSP\"; } ); };",
          4, "type is \"SSP\"", "\"SMU\"", 0 },
        { SIMULATED "simulated = { sites = 1; " CARDS
                    " module_cards = ( { firmware_id = \"A\"; } ); };",
          4, "type", "\"SMU\"", 0 },
        { SIMULATED "simulated = { sites = 1; cards = 32; " CARDS
                    " module_cards = ( { firmware_id = \"A\"; type = \"SMU\"; } ); };",
          4, "cards and module_cards are 33", "take fewer", 0 },
        { SIMULATED "simulated = { sites = 1; license_ms_low = 3000; " CARDS " };", 4,
          "license_ms_low is 3000", "swap them", 0 },
        /* numbers libconfig would cut short */
        { USB "workers = 0x100000002;", 7, "0x100000002 is too long", "an L behind", 0 },
        { USB "workers = 4294967298;", 7, "4294967298 is too long", "an L behind", 0 },
        { USB "seed = 2147483648;", 7, "2147483648 is too long", "an L behind", 0 },
        { USB "seed = 12345678901234567890L;", 7, "12345678901234567890L is too long", "18 decimal",
          0 },
        { USB "seed = 0x123456789ABCDEF01L;", 7, "too long", "16 hexadecimal", 0 },
        /* texts */
        { "station = \"line 1\";", 1, "station is \"line 1\"", "31 characters", 0 },
        { "station = \"..\";", 1, "station is \"..\"", "31 characters", 0 },
        { "station = \"abcdefghijklmnopqrstuvwxyz0123456789\";", 1, "station is", "31 characters",
          0 },
        { "station = \"\";", 1, "station is \"\"", "31 characters", 0 },
        { USB "family_file = \"\";", 7, "family_file is \"\"", "a path of 1", 0 },
        { USB "family_file = \"a\\nb\";", 7, "family_file is", "a path of 1", 0 },
        { USB "family_file = \"a\\x00b\";", 7, "\\x", "the character itself", 0 },
        { SIMULATED "simulated = { firmware_id = \"\xC3\xA4\"; };", 4, "firmware_id is",
          "32 characters", 0 },
        /* what is missing */
        { "", 1, "station is missing", "add station", 0 },
        { "station = \"x\";", 1, "hardware is missing", "\"usb\" or \"simulated\"", 0 },
        { BASE "readers = ( 1 );", 2, "there are no sites", "list them", 0 },
        { BASE "sites = ( );", 5, "sites has 0 entries", "1 to 128", 0 },
        { BASE "sites = ( { name = \"a\"; path = \"1-1\"; } );", 2, "no readers",
          "readers = ( 1 );", 0 },
        { BASE "sites = (\n{ name = \"a\"; } );", 6, "path is missing", "USB port path", 0 },
        { SIMULATED, 2, "the group simulated is missing", "sites = 16", 0 },
        { SIMULATED "simulated = { " CARDS " };", 2, "there are no sites", "simulated.sites", 0 },
        { SIMULATED "simulated = { sites = 1; };", 4, "key_file is missing", "16 bytes", 0 },
        /* the license server */
        { USB "license_server = {\nuser = \"u\"; certificate_file = \"s\"; };", 7, "url is missing",
          "https://HOST:PORT", 0 },
        { USB "license_server = { url = \"https://h\"; user = \"u\"; };", 7,
          "certificate_file is missing", "PEM", 0 },
        { USB "license_server = { url = \"https://h\"; certificate_file = \"s\"; };", 7,
          "user is missing", "printable ASCII", 0 },
        { USB "license_server = {\nuser = \"\"; };", 8, "user is \"\"", "63 characters", 0 },
        { USB "license_server = {\nuser = \"\xC3\xA4\"; };", 8, "user is", "printable ASCII", 0 },
        { USB "license_server = {\ncertificate_file = \"\"; };", 8, "certificate_file is \"\"",
          "a path of 1", 0 },
        { USB "license_server = {\ntimeout_ms = 99; };", 8, "timeout_ms is 99",
          "100 to 600000 milliseconds", 0 },
        { USB "license_server = {\ntimeout_s = 9; };", 8, "no setting \"timeout_s\"",
          "\"timeout_ms\"", 0 },
        { USB "license_server = \"https://h\";", 7, "license_server is a text", "a group in braces",
          0 },
        { USB "license_sever = { };", 7, "no setting \"license_sever\"", "\"license_server\"", 0 },
        { SIMULATED "virtual_time = true; seed = 1; simulated = { sites = 1; " CARDS " };\n" SERVER,
          5, "virtual time cannot wait for a real server", "remove license_server", 0 },
        /* what does not go together */
        { USB "simulated = { sites = 1; " CARDS " };", 7, "stands beside hardware", "remove it",
          0 },
        { USB "virtual_time = true; seed = 1;", 7, "virtual time cannot drive real probes",
          "simulated", 0 },
        { SIMULATED "virtual_time = true;\nsimulated = { sites = 1; " CARDS " };", 4,
          "needs a seed", "seed = 1", 0 },
        { SIMULATED "simulated = { sites = 1; " CARDS " };\nreaders = ( 1 );", 5,
          "readers are for real cards", "simulated.cards", 0 },
        { SIMULATED "simulated = { sites = 1; " CARDS
                    " };\nsites = ( { name = \"a\"; path = \"sim-0\"; } );",
          5, "counted in simulated.sites (1)", "keep one", 0 },
        { SIMULATED "simulated = { " CARDS " };\nsites = ( { name = \"a\"; path = \"sim-1\"; } );",
          5, "path of site a is \"sim-1\"", "\"sim-0\" to \"sim-0\"", 0 },
        { SIMULATED "simulated = { " CARDS " };\nsites = ( { name = \"a\"; path = \"1-1\"; } );", 5,
          "path of site a is \"1-1\"", "\"sim-0\"", 0 },
        { "hardware = \"USB\";", 1, "hardware is \"USB\"", "\"usb\" or \"simulated\"", 0 },
        { BASE "readers = ( 1 );\nsites = ( { name = \"a\"; path = \"1-4.\"; } );", 6,
          "path of site a is \"1-4.\"", "USB port path", 0 },
        { BASE "readers = ( 1 );\nsites = ( { name = \"a\"; path = \"sim-0\"; } );", 6,
          "path of site a is \"sim-0\"", "USB port path", 0 },
        { BASE "readers = ( 1 );\nsites = ( { name = \"a\"; path = \"1-1\"; },\n"
               "{ name = \"a\"; path = \"1-2\"; } );",
          7, "the site name \"a\" is used twice", "its own", 0 },
        { BASE "readers = ( 1 );\nsites = ( { name = \"a\"; path = \"1-1\"; },\n"
               "{ name = \"b\"; path = \"1-1\"; } );",
          7, "the path \"1-1\" of site b is that of site a", "one port", 0 },
        { BASE "readers = ( 1 );\nsites = ( { name = \"a\"; path = \"1-1\"; serial = \"S\"; },\n"
               "{ name = \"b\"; path = \"1-2\"; serial = \"S\"; } );",
          7, "the serial \"S\" of site b", "leave it empty", 0 },
        /* forms */
        { USB "poll_ms 5;", 7, "syntax error", "name = value", FAULT_BAD_FILE },
        { BASE "sites = (", 5, "syntax error", "name = value", FAULT_BAD_FILE },
        { USB "family_file = \"abc;\n", 7, "the text that opens here never closes", "double quote",
          0 },
        { USB "family_file = \"abc\\\"", 7, "the text that opens here never closes", "quote", 0 },
        { USB "/* abc\n\n*", 7, "the comment that opens here never closes", "*/", 0 },
        { "# caf\xE9\n", 1, "byte 0xE9 at offset 5 is not UTF-8", "UTF-8", FAULT_BAD_FILE },
        { USB "@include \"/etc/passwd\"", 7, "@include is not followed", "one file", 0 },
        { USB "a = ((((((((((1))))))))));", 7, "nested more than 8 deep", "three levels", 0 },
};

static void bad_files_are_refused_with_line_and_remedy(void **state)
{
        char place[64];
        int r;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(bad); i++) {
                memset(&settings, 0x5A, sizeof(settings));
                r = parse(bad[i].text);
                snprintf(place, sizeof(place), "/etc/gangway/line.conf:%u: ", bad[i].line);
                if (r != -(int)(bad[i].code ? bad[i].code : FAULT_BAD_VALUE) ||
                    strncmp(fault_sentence(r), place, strlen(place)) != 0 ||
                    !strstr(fault_sentence(r), bad[i].words) ||
                    !strstr(fault_sentence(r), bad[i].remedy))
                        fail_msg("case %zu:\n%s\n%s: %s\nwanted line %u, \"%s\", \"%s\"", i,
                                 bad[i].text, fault_name(r), r < 0 ? fault_sentence(r) : "taken",
                                 bad[i].line, bad[i].words, bad[i].remedy);
                assert_int_equal(settings.site_count, 0x5A5A5A5A); /* written only on success */
        }
}

static void comments_and_quotes_hide_brackets_and_numbers(void **state)
{
        (void)state;
        assert_int_equal(parse("# ((((((((((((\n// [[[[[[[[[[[[[ 99999999999999999999\n"
                               "/* {{{{{{{{{{{{{ @include */\n" USB
                               "family_file = \"((((((((((\\\"@99999999999999999999\";\n"),
                         0);
        assert_string_equal(settings.family_file, "/etc/gangway/((((((((((\"@99999999999999999999");
}

static void a_file_too_large_is_refused(void **state)
{
        static char text[SETTINGS_FILE_MAX + 2];

        (void)state;
        memset(text, ' ', sizeof(text) - 1);
        assert_fault(parse(text), TOO_LARGE, "line.conf");
}

static void paths_too_long_are_refused(void **state)
{
        char path[400], text[700];

        (void)state;
        memset(path, 'p', sizeof(path));
        memcpy(path, "/", 1);
        strcpy(path + 240, "/line.conf");
        assert_fault(settings_parse(path, USB, strlen(USB), &settings), BAD_VALUE, "shorter path");
        memset(path + 240, 'p', 30);
        strcpy(path + 270, "/line.conf");
        assert_fault(settings_parse(path, USB, strlen(USB), &settings), BAD_VALUE, "move the file");
        strcpy(path + 250, "");
        snprintf(text, sizeof(text), USB "family_file = \"%s%s\";", path, path);
        assert_fault(parse(text), BAD_VALUE, "family_file is");
}

static int load_from_disk(void *subject)
{
        return settings_load(subject, &settings);
}

static int load(const char *path)
{
        return test_on_fiber(LOOP_TIME_REAL, 1, load_from_disk, (void *)(uintptr_t)path);
}

static int load_what_is_wrong(void *subject)
{
        char path[256];
        FILE *file;

        snprintf(path, sizeof(path), "%s/station.conf", (const char *)subject);
        assert_fault(settings_load(path, &settings), NOT_FOUND, "station.conf");
        file = fopen(path, "w");
        assert_non_null(file);
        fputs("station = \"x\";\nhardwear = 1;\n", file);
        fclose(file);
        assert_fault(settings_load(path, &settings), BAD_VALUE, "station.conf:2: ");
        assert_fault(settings_load(subject, &settings), SYSTEM, subject);
        return 0;
}

static void loading_names_the_file_that_is_missing_or_wrong(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, load_what_is_wrong,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

static void the_examples_that_ship_are_good(void **state)
{
        (void)state;
        assert_int_equal(load("configs/gangway.conf"), 0);
        assert_int_equal(settings.hardware, HARDWARE_USB);
        assert_string_equal(settings.family_file, "configs/targets/stm32h75x.conf");
        assert_int_equal(load("configs/simulated.conf"), 0);
        assert_int_equal(settings.hardware, HARDWARE_SIMULATED);
        assert_int_equal(settings.site_count, 16);
        assert_int_equal(settings.bench.cards, 2);
        assert_string_equal(settings.sites[15].path, "sim-15");
}

/* A group that stands in the example as comments, taken out of them. */
static void parse_example_with(const char *group)
{
        static char text[SETTINGS_FILE_MAX];
        char line[256], first[64];
        FILE *file = fopen("configs/gangway.conf", "r");
        bool is_inside = false;
        size_t length = 0;

        assert_non_null(file);
        snprintf(first, sizeof(first), "# %s = {\n", group);
        while (fgets(line, sizeof(line), file)) {
                const char *from = line;

                is_inside |= !strcmp(line, first);
                if (is_inside)
                        from += 2;
                if (is_inside && !strcmp(from, "};\n"))
                        is_inside = false;
                length += (size_t)snprintf(text + length, sizeof(text) - length, "%s", from);
        }
        fclose(file);
        if (parse(text) != 0)
                fail_msg("%s", fault_sentence(-FAULT_BAD_VALUE));
}

static void the_license_server_of_the_example_is_good(void **state)
{
        (void)state;
        parse_example_with("license_server");
        assert_string_equal(settings.license_server.url, "https://licenses.example:8443");
        assert_string_equal(settings.license_server.certificate_file, "/etc/gangway/licenses.pem");
        assert_int_equal(settings.license_server.timeout_ms, 10000);
}

static void the_tool_of_the_example_is_good(void **state)
{
        (void)state;
        parse_example_with("vendor");
        assert_string_equal(settings.vendor.program,
                            "/opt/stm32cubeprogrammer/bin/STM32_Programmer_CLI");
        assert_int_equal(settings.vendor.timeout_s, 180);
}

/* What the annotated example shows as value is the default, wherever there is one. */
static void the_annotated_example_shows_the_defaults(void **state)
{
        (void)state;
        assert_int_equal(load("configs/gangway.conf"), 0);
        assert_int_equal(settings.workers, 2);
        assert_string_equal(settings.web_address, "127.0.0.1:8470");
        assert_int_equal(settings.clock_khz, 8000);
        assert_int_equal(settings.poll_ms, 20);
        assert_int_equal(settings.settle_ms, 50);
        assert_int_equal(settings.minimum_mv, 1500);
        assert_int_equal(settings.scan_s, 5);
        assert_int_equal(settings.license_alarm, 100);
        assert_int_equal(settings.license_hours_alarm, 1);
        assert_int_equal(settings.license_lost_alarm, 1);
        assert_true(settings.license_ratio_alarm == 1.05);
        assert_int_equal(settings.capture, CAPTURE_FAILURES);
        assert_int_equal(settings.capture_mb, 256);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_smallest_file_for_real_probes_takes_the_defaults),
                cmocka_unit_test(every_key_reaches_its_place),
                cmocka_unit_test(the_vendor_installer_is_taken_with_its_program),
                cmocka_unit_test(a_vendor_installer_that_cannot_be_is_refused),
                cmocka_unit_test(a_license_server_is_taken_with_its_certificate),
                cmocka_unit_test(an_address_that_is_not_https_is_refused),
                cmocka_unit_test(simulated_sites_may_be_listed_by_name),
                cmocka_unit_test(readers_are_named_or_counted),
                cmocka_unit_test(a_seed_may_have_all_its_64_bits),
                cmocka_unit_test(the_page_can_be_switched_off),
                cmocka_unit_test(paths_beside_a_file_without_directory_stay_as_they_are),
                cmocka_unit_test(bad_files_are_refused_with_line_and_remedy),
                cmocka_unit_test(comments_and_quotes_hide_brackets_and_numbers),
                cmocka_unit_test(a_file_too_large_is_refused),
                cmocka_unit_test(paths_too_long_are_refused),
                cmocka_unit_test(loading_names_the_file_that_is_missing_or_wrong),
                cmocka_unit_test(the_examples_that_ship_are_good),
                cmocka_unit_test(the_license_server_of_the_example_is_good),
                cmocka_unit_test(the_tool_of_the_example_is_good),
                cmocka_unit_test(the_annotated_example_shows_the_defaults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
