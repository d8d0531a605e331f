/*
 * Licenses over HTTPS from a real server, good and bad (fake_license_server.py): each way to go
 * wrong with its fault and its sentence, and what reached the server of it.
 */
#include "station/license_server.h"

#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/file.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[128];
static pid_t child;
static int child_input = -1;

static uint8_t chip_secret[PRIVATE_KEY_LENGTH];
static struct certificate chip;
static uint8_t key[GCM_KEY_LENGTH], nonce[SFI_NONCE_LENGTH]; /* of the server's card */

/* --- the server ---------------------------------------------------------------------------- */

static const char *in_directory(const char *name)
{
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        return path;
}

static void read_secret(const char *name, void *data, size_t length)
{
        FILE *file = fopen(in_directory(name), "rb");

        assert_non_null(file);
        assert_int_equal(fread(data, 1, length, file), length);
        fclose(file);
}

static void child_begin(void)
{
        char gangway[512];
        const char *build = getenv("GANGWAY_BUILD");
        int ends[2];

        snprintf(gangway, sizeof(gangway), "%s/gangway", build ? build : "build");
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                dup2(ends[0], STDIN_FILENO);
                execlp("python3", "python3", "tests/station/fake_license_server.py", directory,
                       gangway, NULL);
                _exit(127);
        }
        close(ends[0]);
        child_input = ends[1];
}

static void chip_make(void)
{
        uint8_t seed[32], bytes[CERTIFICATE_LENGTH];

        memset(seed, 7, sizeof(seed));
        memset(bytes, 1, sizeof(bytes));
        memcpy(bytes, "45002001", 8);
        license_chip_key(seed, chip_secret, bytes + 8);
        assert_int_equal(certificate_parse(bytes, sizeof(bytes), "45002001", &chip), 0);
}

static int server_begin(void **state)
{
        const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

        (void)state;
        snprintf(directory, sizeof(directory), "%s", test_directory());
        chip_make();
        child_begin();
        while (access(in_directory("ports"), R_OK) != 0) {
                if (waitpid(child, NULL, WNOHANG) == child)
                        return -1;
                nanosleep(&pause, NULL);
        }
        read_secret("key.bin", key, sizeof(key));
        read_secret("nonce.bin", nonce, sizeof(nonce));
        return 0;
}

static int server_end(void **state)
{
        (void)state;
        close(child_input);
        return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static unsigned port(const char *name)
{
        FILE *file = fopen(in_directory("ports"), "r");
        char found[32];
        unsigned number;

        assert_non_null(file);
        while (fscanf(file, "%31s %u", found, &number) == 2)
                if (!strcmp(found, name)) {
                        fclose(file);
                        return number;
                }
        fail_msg("the server has no port %s", name);
        return 0;
}

/* Lines of the server's list that hold `text`. */
static unsigned requests(const char *text)
{
        FILE *file = fopen(in_directory("requests"), "r");
        char line[1024];
        unsigned count = 0;

        assert_non_null(file);
        while (fgets(line, sizeof(line), file))
                count += strstr(line, text) != NULL;
        fclose(file);
        return count;
}

static void forget_requests(void)
{
        assert_int_equal(truncate(in_directory("requests"), 0), 0);
}

/* --- asking -------------------------------------------------------------------------------- */

static struct settings_server settings_for(const char *port_name, const char *certificate)
{
        struct settings_server settings = { .user = "line 1&x=/?", .timeout_ms = 60000 };

        snprintf(settings.url, sizeof(settings.url), "https://localhost:%u", port(port_name));
        snprintf(settings.certificate_file, sizeof(settings.certificate_file), "%s/%s.pem",
                 directory, certificate);
        return settings;
}

static void assert_opens(const uint8_t license[static LICENSE_LENGTH])
{
        uint8_t k[GCM_KEY_LENGTH], n[SFI_NONCE_LENGTH];

        assert_int_equal(license_open(license, "SFI", chip_secret, k, n), 0);
        assert_memory_equal(k, key, sizeof(k));
        assert_memory_equal(n, nonce, sizeof(n));
}

/* One question to a server of its own: the answer must open, or nothing was written. */
struct question {
        struct settings_server settings;
        const char *firmware_id, *type;
};

static int ask_once(void *subject)
{
        const struct question *question = subject;
        uint8_t license[LICENSE_LENGTH], untouched[LICENSE_LENGTH];
        struct license_server *server;
        int r;

        memset(license, 0x5A, sizeof(license));
        memset(untouched, 0x5A, sizeof(untouched));
        r = license_server_open(&question->settings, &server);
        if (r < 0)
                return r;
        r = license_server_ask(server, &chip, question->firmware_id, question->type, license);
        if (r == 0)
                assert_opens(license);
        else
                assert_memory_equal(license, untouched, sizeof(license));
        assert_null(license_server_close(server));
        return r;
}

static int ask_with(struct settings_server settings, const char *firmware_id, const char *type)
{
        struct question question = { settings, firmware_id, type };

        forget_requests();
        return test_on_fiber(LOOP_TIME_REAL, 1, ask_once, &question);
}

static int ask(const char *firmware_id)
{
        return ask_with(settings_for("good", "good"), firmware_id, "SFI");
}

/* --- licenses ------------------------------------------------------------------------------ */

static void a_license_comes_and_opens_on_its_chip(void **state)
{
        (void)state;
        assert_int_equal(ask("BLINKY_1"), 0);
        assert_int_equal(requests("good POST /fw/sfi/BLINKY_1/get/license?user="), 1);
        assert_int_equal(requests("license"), 1);
        assert_int_equal(ask("CHUNKS"), 0);
        assert_int_equal(ask("SLOW"), 0);
}

static void identifier_and_user_are_escaped(void **state)
{
        (void)state;
        assert_int_equal(ask("A/B ?&#%+"), 0);
        assert_int_equal(requests("/fw/sfi/A%2FB%20%3F%26%23%25%2B/get/license?user="
                                  "line%201%26x%3D%2F%3F \"line 1&x=/?\" license"),
                         1);
}

static void identifiers_that_would_climb_in_the_path_are_refused(void **state)
{
        (void)state;
        assert_fault(ask(""), BAD_VALUE, "identifier \"\"");
        assert_fault(ask("."), BAD_VALUE, "identifier \".\"");
        assert_fault(ask(".."), BAD_VALUE, "identifier \"..\"");
        assert_int_equal(requests("POST"), 0);
        assert_int_equal(ask("..."), 0);
}

static void the_type_stands_in_the_address_and_in_the_license(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        assert_int_equal(ask_with(settings, "X", "SFIA"), 0); /* "SFI." is right for it */
        assert_int_equal(requests("/fw/sfia/X/get/license"), 1);
        assert_fault(ask_with(settings, "X", "SMU"), SERVER, "type 5346492E in hexadecimal");
        assert_int_equal(requests("/fw/smu/X/get/license"), 1);
        assert_fault(ask("TYPE"), SERVER, "type 5353502E in hexadecimal, asked was SFI");
        assert_fault(ask("VERSION"), SERVER, "license of version 2, known is 1");
}

static int ask_smu(void *subject)
{
        uint8_t license[LICENSE_LENGTH];
        struct license_server *server;

        assert_int_equal(license_server_open(subject, &server), 0);
        assert_int_equal(license_server_ask(server, &chip, "SMU_TYPE", "SMU", license), 0);
        assert_memory_equal(license, "SMU.", 4);
        return license_server_close(server) != NULL;
}

static void a_module_has_licenses_of_its_own_type(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, ask_smu, &settings), 0);
}

/* --- refusals and answers that are none ---------------------------------------------------- */

static void a_refusal_is_told_in_the_servers_words(void **state)
{
        int r = ask("REFUSE");
        const char *marks;

        (void)state;
        assert_fault(r, SERVER_REFUSED, "license server https://localhost:");
        assert_fault(r, SERVER_REFUSED,
                     "it refused with status 403: the quota of line-1 [2Jis used up !!!!");
        marks = strchr(fault_sentence(r), '!');
        assert_int_equal(strspn(marks, "!"), strlen(marks));
        assert_int_equal(strlen(marks), 120 - strlen("the quota of line-1 [2Jis used up "));
        r = ask("UNKNOWN");
        assert_fault(r, SERVER_REFUSED, "status 404");
        assert_string_equal(strstr(fault_sentence(r), "status 404"), "status 404");
        assert_fault(ask("REFUSE_CUT"), SERVER_REFUSED, "status 409: this chip has its lic");
}

static void a_server_in_trouble_may_have_issued(void **state)
{
        (void)state;
        assert_fault(ask("BROKEN"), SERVER, "status 500, wanted 200 with a license; it may have");
        assert_fault(ask("BROKEN"), SERVER, "<html><h1>Internal error");
        assert_fault(ask("EMPTY"), SERVER, "status 204, wanted 200");
}

static void a_redirect_is_not_followed(void **state)
{
        (void)state;
        assert_fault(ask("REDIRECT"), SERVER, "status 302, a redirect, and none is followed");
        assert_int_equal(requests("POST"), 1);
        assert_fault(ask("AWAY"), SERVER, "status 307, a redirect");
        assert_int_equal(requests("POST"), 1);
        assert_int_equal(requests("ELSEWHERE"), 0);
}

static void answers_of_another_length_are_no_license(void **state)
{
        (void)state;
        assert_fault(ask("LONG"), SERVER, "it answered 137 bytes, a license has 136");
        assert_fault(ask("SHORT"), SERVER, "it answered 135 bytes, a license has 136");
        assert_fault(ask("ENDLESS"), SERVER, "it answered more than 4096 bytes");
        assert_fault(ask("PAGE"), SERVER, "type 3C68746D in hexadecimal");
        assert_fault(ask("HEADERS"), SERVER, "may have been issued");
}

static void a_connection_cut_is_not_tried_again(void **state)
{
        static const char *const ways[] = { "CUT", "CUT_EARLY", "CUT_OPEN" };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(ways); i++) {
                assert_fault(ask(ways[i]), SERVER, " may have been issued");
                assert_int_equal(requests("POST"), 1);
        }
}

static void a_server_that_hangs_ends_the_call(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        settings.timeout_ms = 700;
        assert_fault(ask_with(settings, "HANG", "SFI"), SERVER,
                     "no answer in time, timeout_ms is 700");
        assert_fault(ask_with(settings, "DRIP", "SFI"), SERVER, "a license may have been issued");
        settings = settings_for("silent", "good");
        settings.timeout_ms = 300;
        assert_fault(ask_with(settings, "X", "SFI"), SERVER, "; nothing was asked");
}

/* --- who is believed ----------------------------------------------------------------------- */

static void assert_not_believed(const char *port_name, const char *certificate, const char *why)
{
        int r = ask_with(settings_for(port_name, certificate), "BLINKY_1", "SFI");

        if (r != -FAULT_SERVER || !strstr(fault_sentence(r), why) ||
            !strstr(fault_sentence(r), "nothing was asked"))
                fail_msg("port %s, pinned %s: %s: %s", port_name, certificate, fault_name(r),
                         fault_sentence(r));
        assert_int_equal(requests("POST"), 0);
}

static void nobody_but_the_pinned_certificate_is_believed(void **state)
{
        static const char why[] = "does not prove to be the server of certificate_file";

        (void)state;
        assert_not_believed("other", "good", why);
        assert_not_believed("good", "other", why);
        assert_not_believed("name", "name", why); /* the certificate, but of another host */
        assert_not_believed("old", "old", why);
        /* not even what the pinned one has signed, or a new one for its key */
        assert_not_believed("renewed", "good", why);
        assert_not_believed("signed", "authority", why);
        assert_not_believed("child", "good", why);
        assert_not_believed("plain", "good", "the connection failed");
}

static void a_certificate_that_an_authority_signed_can_be_pinned(void **state)
{
        (void)state;
        assert_int_equal(ask_with(settings_for("signed", "signed"), "X", "SFI"), 0);
        assert_int_equal(ask_with(settings_for("renewed", "renewed"), "X", "SFI"), 0);
}

static void tls_is_1_2_or_later(void **state)
{
        (void)state;
        assert_int_equal(ask_with(settings_for("tls12", "good"), "X", "SFI"), 0);
        assert_not_believed("tls11", "good", "the connection failed");
}

static void nobody_home_is_told(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        snprintf(settings.url, sizeof(settings.url), "https://localhost:1");
        assert_fault(ask_with(settings, "X", "SFI"), SERVER, "it cannot be reached");
        snprintf(settings.url, sizeof(settings.url), "https://no-such-host.invalid");
        settings.timeout_ms = 5000;
        assert_fault(ask_with(settings, "X", "SFI"), SERVER, "nothing was asked");
}

static void proxies_of_the_environment_have_no_say(void **state)
{
        int r;

        (void)state;
        setenv("https_proxy", "http://localhost:1", 1);
        setenv("ALL_PROXY", "http://localhost:1", 1);
        r = ask("BLINKY_1");
        unsetenv("https_proxy");
        unsetenv("ALL_PROXY");
        assert_int_equal(r, 0);
}

static void no_key_of_a_connection_is_written_anywhere(void **state)
{
        (void)state;
        setenv("SSLKEYLOGFILE", in_directory("keys"), 1);
        assert_int_equal(ask("BLINKY_1"), 0);
        assert_int_not_equal(access(in_directory("keys"), F_OK), 0);
}

/* --- several ------------------------------------------------------------------------------- */

struct asker {
        struct license_server *server;
        const char *firmware_id;
        uint8_t license[LICENSE_LENGTH];
        int later; /* of the wait after the license */
};

static int asker_run(void *subject)
{
        struct asker *asker = subject;
        int r = license_server_ask(asker->server, &chip, asker->firmware_id, "SFI", asker->license);

        asker->later = fiber_yield();
        return r;
}

static int ask_sixteen(void *subject)
{
        static struct asker askers[16];
        struct fiber *fibers[LENGTH_OF(askers)];
        struct license_server *server;

        assert_int_equal(license_server_open(subject, &server), 0);
        for (unsigned i = 0; i < LENGTH_OF(askers); i++) {
                askers[i] = (struct asker){ server, "BLINKY_1", { 0 }, 0 };
                fibers[i] = fiber_spawn("asker", asker_run, &askers[i]);
        }
        for (unsigned i = 0; i < LENGTH_OF(askers); i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
        for (unsigned i = 0; i < LENGTH_OF(askers); i++) {
                assert_opens(askers[i].license);
                for (unsigned j = 0; j < i; j++)
                        assert_memory_not_equal(askers[i].license, askers[j].license,
                                                LICENSE_LENGTH);
        }
        return license_server_close(server) != NULL;
}

static void sixteen_at_once_get_sixteen_licenses(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        forget_requests();
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, ask_sixteen, &settings), 0);
        assert_int_equal(requests("license\n"), 16);
}

/* Nothing of one call is left for the next: cookie, answer, fault. */
static int ask_in_turn(void *subject)
{
        static const struct {
                const char *firmware_id;
                int result;
        } turns[] = { { "COOKIE", 0 },
                      { "COOKIE", 0 },
                      { "REFUSE", -FAULT_SERVER_REFUSED },
                      { "X", 0 },
                      { "CUT", -FAULT_SERVER },
                      { "EMPTY", -FAULT_SERVER },
                      { "COOKIE", 0 },
                      { "CUT_EARLY", -FAULT_SERVER },
                      { "UNKNOWN", -FAULT_SERVER_REFUSED },
                      { "X", 0 } };
        uint8_t license[LICENSE_LENGTH];
        struct license_server *server;

        assert_int_equal(license_server_open(subject, &server), 0);
        for (unsigned i = 0; i < LENGTH_OF(turns); i++) {
                int r = license_server_ask(server, &chip, turns[i].firmware_id, "SFI", license);

                if (r != turns[i].result)
                        fail_msg("turn %u: %s: %s", i, fault_name(r), fault_sentence(r));
        }
        return license_server_close(server) != NULL;
}

static void one_call_leaves_nothing_for_the_next(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        forget_requests();
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, ask_in_turn, &settings), 0);
        assert_int_equal(requests("POST"), 10);
}

static int cancel_one(void *subject)
{
        struct asker asker = { .firmware_id = "SLOW" };
        struct fiber *fiber;

        assert_int_equal(license_server_open(subject, &asker.server), 0);
        fiber = fiber_spawn("asker", asker_run, &asker);
        assert_int_equal(fiber_yield(), 0);
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), 0);
        assert_opens(asker.license);
        assert_int_equal(asker.later, -FAULT_CANCELLED);
        return license_server_close(asker.server) != NULL;
}

static void a_cancel_does_not_throw_away_the_license(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, cancel_one, &settings), 0);
}

static int close_early(void *subject)
{
        static struct asker askers[12];
        struct fiber *fibers[LENGTH_OF(askers)];
        struct license_server *server;
        unsigned made = 0, left = 0;
        int r;

        assert_int_equal(license_server_open(subject, &server), 0);
        for (unsigned i = 0; i < LENGTH_OF(askers); i++) {
                askers[i] = (struct asker){ server, "SLOW", { 0 }, 0 };
                fibers[i] = fiber_spawn("asker", asker_run, &askers[i]);
        }
        while (requests("SLOW\n") == 0)
                assert_int_equal(fiber_sleep_ns(5 * NS_PER_MS), 0);
        assert_null(license_server_close(server));
        for (unsigned i = 0; i < LENGTH_OF(askers); i++) {
                r = fiber_join(fibers[i]);
                made += r == 0;
                left += r == -FAULT_CANCELLED && strstr(fault_sentence(r), "nothing was asked");
        }
        assert_true(made >= 1 && left >= 1);
        assert_int_equal(made + left, LENGTH_OF(askers));
        assert_int_equal(requests("SLOW\n"), made);
        return 0;
}

static void closing_lets_calls_end_and_makes_no_more(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        forget_requests();
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, close_early, &settings), 0);
}

/* --- opening ------------------------------------------------------------------------------- */

static int open_only(void *subject)
{
        struct license_server *server;
        int r = license_server_open(subject, &server);

        if (r == 0)
                assert_null(license_server_close(server));
        return r;
}

static void write_certificate(const char *name, const char *first, const char *second)
{
        char command[1024];

        snprintf(command, sizeof(command), "cd %s && cat %s %s >%s.pem", directory, first, second,
                 name);
        assert_int_equal(system(command), 0);
}

static int open_pinned(const char *certificate)
{
        struct settings_server settings = settings_for("good", certificate);

        return test_on_fiber(LOOP_TIME_REAL, 1, open_only, &settings);
}

static void what_cannot_be_pinned_is_refused_at_once(void **state)
{
        (void)state;
        assert_fault(open_pinned("nowhere"), NOT_FOUND, "certificate_file of the license server: ");
        write_certificate("none", "key.bin", "");
        assert_fault(open_pinned("none"), BAD_FILE, "there is no PEM certificate in it");
        write_certificate("two", "good.pem", "other.pem");
        assert_fault(open_pinned("two"), BAD_FILE, "more than one certificate");
        write_certificate("secret", "good.pem", "good.key");
        assert_fault(open_pinned("secret"), BAD_FILE, "there is a private key in it");
        write_certificate("large", "/dev/null", "/dev/zero | head -c 20000");
        assert_fault(open_pinned("large"), TOO_LARGE, "large.pem");
        write_certificate("words", "requests", "good.pem");
        assert_int_equal(open_pinned("words"), 0);
        assert_null(license_server_close(NULL));
}

static void virtual_time_has_no_server(void **state)
{
        struct settings_server settings = settings_for("good", "good");

        (void)state;
        assert_fault(test_on_fiber(LOOP_TIME_VIRTUAL, 1, open_only, &settings), BAD_VALUE,
                     "virtual time");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_license_comes_and_opens_on_its_chip),
                cmocka_unit_test(identifier_and_user_are_escaped),
                cmocka_unit_test(identifiers_that_would_climb_in_the_path_are_refused),
                cmocka_unit_test(the_type_stands_in_the_address_and_in_the_license),
                cmocka_unit_test(a_module_has_licenses_of_its_own_type),
                cmocka_unit_test(a_refusal_is_told_in_the_servers_words),
                cmocka_unit_test(a_server_in_trouble_may_have_issued),
                cmocka_unit_test(a_redirect_is_not_followed),
                cmocka_unit_test(answers_of_another_length_are_no_license),
                cmocka_unit_test(a_connection_cut_is_not_tried_again),
                cmocka_unit_test(a_server_that_hangs_ends_the_call),
                cmocka_unit_test(nobody_but_the_pinned_certificate_is_believed),
                cmocka_unit_test(a_certificate_that_an_authority_signed_can_be_pinned),
                cmocka_unit_test(tls_is_1_2_or_later),
                cmocka_unit_test(nobody_home_is_told),
                cmocka_unit_test(proxies_of_the_environment_have_no_say),
                cmocka_unit_test(no_key_of_a_connection_is_written_anywhere),
                cmocka_unit_test(sixteen_at_once_get_sixteen_licenses),
                cmocka_unit_test(one_call_leaves_nothing_for_the_next),
                cmocka_unit_test(a_cancel_does_not_throw_away_the_license),
                cmocka_unit_test(closing_lets_calls_end_and_makes_no_more),
                cmocka_unit_test(what_cannot_be_pinned_is_refused_at_once),
                cmocka_unit_test(virtual_time_has_no_server),
        };

        return cmocka_run_group_tests(tests, server_begin, server_end);
}
