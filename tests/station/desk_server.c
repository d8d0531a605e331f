/* Licenses from a server and from files: the same books, no license twice. */
#include "tests/station/desk.h"

#include "scheduler/bytes.h"
#include "station/license_server.h"

/* --- a server of a few lines, in place of station/license_server.c --------------------------- */

enum server_answer {
        SERVER_ISSUES,
        SERVER_REFUSES,
        SERVER_BREAKS_OFF, /* after it has issued one */
        SERVER_OTHER_TYPE, /* a license of another type */
};

struct license_server {
        enum server_answer answer;
        uint64_t takes_ns;
        unsigned asked, issued;
        unsigned now, most; /* questions at the same time */
        unsigned closed;
        char firmware_id[33], type[5]; /* of the last question */
};

static void fake_server_init(struct license_server *server)
{
        *server = (struct license_server){ .answer = SERVER_ISSUES };
}

int license_server_open(const struct settings_server *settings, struct license_server **ret_server)
{
        (void)settings;
        *ret_server = calloc(1, sizeof(**ret_server));
        assert_non_null(*ret_server);
        fake_server_init(*ret_server);
        return 0;
}

struct license_server *license_server_close(struct license_server *server)
{
        if (server)
                server->closed++;
        return NULL;
}

static void issue(struct license_server *server, const struct certificate *certificate,
                  const char *type, uint8_t *ret_license)
{
        static const uint8_t key[16] = "key", nonce[12] = "nonce";
        uint8_t entropy[32] = { 0 };

        store_le32(entropy, ++server->issued);
        assert_int_equal(license_issue(certificate, type, key, nonce, entropy, ret_license), 0);
}

int license_server_ask(struct license_server *server, const struct certificate *certificate,
                       const char *firmware_id, const char *type,
                       uint8_t ret_license[static LICENSE_LENGTH])
{
        int r;

        server->asked++;
        server->now++;
        if (server->now > server->most)
                server->most = server->now;
        snprintf(server->firmware_id, sizeof(server->firmware_id), "%s", firmware_id);
        snprintf(server->type, sizeof(server->type), "%s", type);
        r = fiber_sleep_ns(server->takes_ns);
        server->now--;
        assert_int_equal(r, 0);
        switch (server->answer) {
        case SERVER_REFUSES:
                return fault(FAULT_SERVER_REFUSED, "the server said 403");
        case SERVER_BREAKS_OFF:
                server->issued++;
                return fault(FAULT_SERVER, "the connection broke off");
        case SERVER_OTHER_TYPE:
                issue(server, certificate, "SSP", ret_license);
                return 0;
        case SERVER_ISSUES:
                issue(server, certificate, type, ret_license);
                return 0;
        }
        return 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

static struct asker from(struct hall *hall, enum license_source source, unsigned chip)
{
        return (struct asker){ .hall = hall, .source = source, .first_chip = chip, .count = 1 };
}

static struct asker ask_server(struct hall *hall, unsigned chip)
{
        struct asker asker = from(hall, LICENSE_FROM_SERVER, chip);

        assert_int_equal(fiber_join(site(&asker)), 0);
        return asker;
}

static int many(void *subject)
{
        struct license_server server;
        struct hall hall;
        struct asker askers[SITES];
        struct fiber *fibers[SITES];

        hall_init(&hall, subject, 1, 10);
        fake_server_init(&server);
        server.takes_ns = 2 * NS_PER_S;
        hall.server = &server;
        desk_start(&hall);
        for (unsigned i = 0; i < SITES; i++) {
                askers[i] = from(&hall, LICENSE_FROM_SERVER, 1 + i / 2); /* two a chip */
                fibers[i] = site(&askers[i]);
        }
        for (unsigned i = 0; i < SITES; i++) {
                assert_int_equal(fiber_join(fibers[i]), 0);
                assert_int_equal(askers[i].served, 1);
        }
        assert_int_equal(clock_now_ns() / NS_PER_S, 2); /* all at once */
        assert_int_equal(server.asked, SITES / 2);
        assert_int_equal(server.most, SITES / 2);
        assert_string_equal(server.firmware_id, "TEST_1");
        assert_string_equal(server.type, "SFI");
        assert_int_equal(balance(&hall).in_hand, SITES / 2);
        askers[0] = ask_server(&hall, 1);
        assert_int_equal(askers[0].in_hand, 1);
        assert_int_equal(server.asked, SITES / 2);
        assert_int_equal(spent(&hall), 0);
        hall_close(&hall);
        return 0;
}

static void sites_ask_the_server_at_once_and_a_chip_once(void **state)
{
        (void)state;
        on_fiber(many);
}

static int refused(void *subject)
{
        struct license_server server;
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 0, 0);
        fake_server_init(&server);
        server.answer = SERVER_REFUSES;
        hall.server = &server;
        desk_start(&hall);
        asker = ask_server(&hall, 1);
        expect_fault(&asker, FAULT_SERVER_REFUSED, "the server said 403");
        assert_int_equal(balance(&hall).pending, 0);
        assert_int_equal(balance(&hall).issued, 0);
        server.answer = SERVER_ISSUES;
        asker = ask_server(&hall, 1);
        assert_int_equal(asker.served, 1);
        assert_int_equal(balance(&hall).in_hand, 1);
        hall_close(&hall);
        return 0;
}

static void a_refusal_of_the_server_leaves_nothing_open(void **state)
{
        (void)state;
        on_fiber(refused);
}

/* Nobody knows whether one was issued: one intent, however often it is asked. */
static void broken(const char *directory, enum server_answer answer, const char *words)
{
        struct license_server server;
        struct hall hall;
        struct asker asker;

        hall_init(&hall, directory, 0, 0);
        fake_server_init(&server);
        server.answer = answer;
        hall.server = &server;
        desk_start(&hall);
        for (unsigned i = 0; i < 3; i++) {
                asker = ask_server(&hall, 1);
                expect_fault(&asker, FAULT_SERVER, words);
                assert_int_equal(balance(&hall).pending, 1);
        }
        server.answer = SERVER_ISSUES;
        asker = ask_server(&hall, 1);
        assert_int_equal(asker.served, 1);
        assert_int_equal(balance(&hall).pending, 0);
        assert_int_equal(balance(&hall).in_hand, 1);
        hall_close(&hall);
}

static int broken_off(void *subject)
{
        broken(subject, SERVER_BREAKS_OFF, "broke off");
        return 0;
}

static int wrong_type(void *subject)
{
        broken(subject, SERVER_OTHER_TYPE, "something else than a license of type SFI");
        return 0;
}

static void an_open_question_is_taken_up_again(void **state)
{
        (void)state;
        on_fiber(broken_off);
        on_fiber(wrong_type);
}

static int cancelled(void *subject)
{
        struct license_server server;
        struct hall hall;
        struct asker asker = from(&hall, LICENSE_FROM_SERVER, 1);
        struct fiber *fiber;

        hall_init(&hall, subject, 0, 0);
        fake_server_init(&server);
        server.takes_ns = 5 * NS_PER_S;
        hall.server = &server;
        desk_start(&hall);
        fiber = site(&asker);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), 0);
        assert_int_equal(asker.result, -FAULT_CANCELLED);
        assert_int_equal(clock_now_ns() / NS_PER_S, 1);
        assert_null(desk_close(hall.desk)); /* waits for the answer */
        assert_int_equal(clock_now_ns() / NS_PER_S, 5);
        assert_int_equal(balance(&hall).in_hand, 1);
        ledger_close(hall.ledger);
        store_close(hall.store);
        return 0;
}

static void an_answer_on_its_way_is_kept_though_nobody_waits(void **state)
{
        (void)state;
        on_fiber(cancelled);
}

static int without(void *subject)
{
        struct hall hall;
        struct asker asker;

        hall_init(&hall, subject, 1, 10);
        desk_start(&hall);
        asker = ask_server(&hall, 1);
        expect_fault(&asker, FAULT_BAD_VALUE, "the station has no license server");
        assert_int_equal(spent(&hall), 0);
        hall_close(&hall);
        return 0;
}

static void without_a_server_the_question_is_refused(void **state)
{
        (void)state;
        on_fiber(without);
}

static int imported(void *subject)
{
        struct hall hall;
        struct certificate certificate;
        struct ledger_request request = { &certificate, "TEST_1", "SFI", "ORDER-1", "1" };
        struct asker asker;
        uint8_t license[LICENSE_LENGTH] = "SFI.";
        int64_t id;

        hall_init(&hall, subject, 1, 10);
        desk_start(&hall);
        fake_certificate(1, &certificate);
        assert_int_equal(ledger_import(hall.ledger, &request, license, &id), 0);
        asker = from(&hall, LICENSE_FROM_FILE, 1);
        assert_int_equal(fiber_join(site(&asker)), 0);
        assert_int_equal(asker.in_hand, 1);
        asker = from(&hall, LICENSE_FROM_FILE, 2);
        assert_int_equal(fiber_join(site(&asker)), 0);
        expect_fault(&asker, FAULT_NO_LICENSE, "no license of type SFI for TEST_1 and chip");
        assert_int_equal(spent(&hall), 0);
        hall_close(&hall);
        return 0;
}

static void from_files_comes_what_was_imported_and_nothing_else(void **state)
{
        (void)state;
        on_fiber(imported);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sites_ask_the_server_at_once_and_a_chip_once),
                cmocka_unit_test(a_refusal_of_the_server_leaves_nothing_open),
                cmocka_unit_test(an_open_question_is_taken_up_again),
                cmocka_unit_test(an_answer_on_its_way_is_kept_though_nobody_waits),
                cmocka_unit_test(without_a_server_the_question_is_refused),
                cmocka_unit_test(from_files_comes_what_was_imported_and_nothing_else),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
