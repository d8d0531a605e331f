/*
 * request.c - which requests are answered, and under which names.
 */
#include "web-status/request.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static struct address bound(const char *text)
{
        struct address address;

        assert_int_equal(address_parse(text, &address), 0);
        return address;
}

static void addresses_are_numbers_with_a_port(void **state)
{
        static const char *const good[][2] = {
                { "127.0.0.1:8470", "127.0.0.1:8470" }, { "[::1]:0", "[::1]:0" },
                { "localhost:80", "127.0.0.1:80" },     { "0.0.0.0:65535", "0.0.0.0:65535" },
                { "[0:0::0:1]:7", "[::1]:7" },
        };
        static const char *const bad[] = {
                "",          "127.0.0.1",   "127.0.0.1:",       "127.0.0.1:65536", "127.0.0.1:-1",
                "::1:80",    "[::1]",       "[::1:80",          "[]:80",           ":80",
                "1.2.3:80",  "station3:80", "127.0.0.1:80/x",   "[127.0.0.1]:80",  "127.0.0.1: 80",
                "[::1]x:80", "1:2:3",       "127.0.0.1:000080",
        };
        char text[ADDRESS_TEXT_MAX];
        struct address address;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(good); i++) {
                address = bound(good[i][0]);
                assert_string_equal(address_text(&address, text), good[i][1]);
        }
        for (size_t i = 0; i < LENGTH_OF(bad); i++)
                assert_fault(address_parse(bad[i], &address), BAD_VALUE, "web address");
}

static void only_our_own_names_are_ours(void **state)
{
        static const struct {
                const char *bound, *host_name, *authority;
                bool is_ours;
        } cases[] = {
                { "127.0.0.1:8470", "", "127.0.0.1:8470", true },
                { "127.0.0.1:8470", "", "localhost:8470", true },
                { "127.0.0.1:8470", "", "LOCALHOST:8470", true },
                { "127.0.0.1:8470", "", "127.0.0.1:8471", false },
                { "127.0.0.1:8470", "", "127.0.0.1", false },
                { "127.0.0.1:8470", "", "127.0.0.2:8470", false },
                { "127.0.0.1:8470", "", "evil.example:8470", false },
                { "127.0.0.1:8470", "", "localhost.evil.example:8470", false },
                { "127.0.0.1:8470", "", "127.0.0.1.nip.io:8470", false },
                { "127.0.0.1:8470", "", "user@localhost:8470", false },
                { "127.0.0.1:8470", "", "[::1]:8470", false },
                { "127.0.0.1:8470", "", "", false },
                { "127.0.0.1:8470", "", ":8470", false },
                { "127.0.0.1:80", "", "127.0.0.1", true },
                { "[::1]:8470", "", "[::1]:8470", true },
                { "[::1]:8470", "", "[0:0:0:0:0:0:0:1]:8470", true },
                { "[::1]:8470", "", "localhost:8470", true },
                { "[::1]:8470", "", "[localhost]:8470", false },
                { "192.168.7.3:8470", "station3", "192.168.7.3:8470", true },
                { "192.168.7.3:8470", "station3", "Station3:8470", true },
                { "192.168.7.3:8470", "station3", "station3.evil.example:8470", false },
                { "192.168.7.3:8470", "station3", "192.168.7.4:8470", false },
                { "0.0.0.0:8470", "station3", "192.168.7.4:8470", true },
                { "0.0.0.0:8470", "station3", "evil.example:8470", false },
                { "[::]:8470", "station3", "[fe80::1]:8470", true },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct address address = bound(cases[i].bound);

                snprintf(address.host_name, sizeof(address.host_name), "%s", cases[i].host_name);
                if (address_is_named(&address, cases[i].authority) != cases[i].is_ours)
                        fail_msg("bound to %s, asked for \"%s\"", cases[i].bound,
                                 cases[i].authority);
        }
}

#define HERE "127.0.0.1:8470"

static void each_request_gets_its_status(void **state)
{
        static const struct {
                const char *method, *path, *host, *origin, *gangway, *length, *encoding;
                unsigned status, kind;
        } cases[] = {
                { "GET", "/", HERE, NULL, NULL, NULL, NULL, 200, REQUEST_PAGE },
                { "HEAD", "/", HERE, NULL, NULL, NULL, NULL, 200, REQUEST_PAGE },
                { "GET", "/status.json", HERE, NULL, NULL, NULL, NULL, 200, REQUEST_STATUS },
                { "GET", "/events", HERE, NULL, NULL, NULL, NULL, 200, REQUEST_EVENTS },
                { "GET", "/health", HERE, NULL, NULL, NULL, NULL, 200, REQUEST_HEALTH },
                { "POST", "/lot/stop", HERE, NULL, "1", NULL, NULL, 200, REQUEST_STOP_LOT },
                { "POST", "/lot/stop", HERE, "http://" HERE, "1", "0", NULL, 200,
                  REQUEST_STOP_LOT },
                { "POST", "/sites/3/clear", HERE, NULL, "1", "1024", NULL, 200,
                  REQUEST_CLEAR_SITE },
                { "GET", "/", NULL, NULL, NULL, NULL, NULL, 400, 0 },
                { "GET", "/", "evil.example:8470", NULL, NULL, NULL, NULL, 403, 0 },
                { "GET", "/", HERE, "http://evil.example", NULL, NULL, NULL, 403, 0 },
                { "GET", "/", HERE, "null", NULL, NULL, NULL, 403, 0 },
                { "GET", "/", HERE, "https://" HERE, NULL, NULL, NULL, 403, 0 },
                { "GET", "/", HERE, "http://localhost:8470", NULL, NULL, NULL, 403, 0 },
                { "GET", "/nothing", HERE, NULL, NULL, NULL, NULL, 404, 0 },
                { "GET", "", HERE, NULL, NULL, NULL, NULL, 404, 0 },
                { "GET", "//", HERE, NULL, NULL, NULL, NULL, 404, 0 },
                { "GET", "/health/", HERE, NULL, NULL, NULL, NULL, 404, 0 },
                { "POST", "/", HERE, NULL, "1", NULL, NULL, 405, 0 },
                { "OPTIONS", "/lot/stop", HERE, NULL, NULL, NULL, NULL, 405, 0 },
                { "GET", "/lot/stop", HERE, NULL, "1", NULL, NULL, 405, 0 },
                { "get", "/", HERE, NULL, NULL, NULL, NULL, 405, 0 },
                { "POST", "/lot/stop", HERE, NULL, NULL, NULL, NULL, 403, 0 },
                { "POST", "/lot/stop", HERE, NULL, "yes", NULL, NULL, 403, 0 },
                { "POST", "/lot/stop", HERE, NULL, "1", "1025", NULL, 413, 0 },
                { "POST", "/lot/stop", HERE, NULL, "1", "99999999999999999999999", NULL, 413, 0 },
                { "POST", "/lot/stop", HERE, NULL, "1", "-1", NULL, 400, 0 },
                { "POST", "/lot/stop", HERE, NULL, "1", "", NULL, 400, 0 },
                { "POST", "/lot/stop", HERE, NULL, "1", NULL, "chunked", 411, 0 },
        };
        struct address server = bound(HERE);

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct request request = { .method = cases[i].method,
                                           .path = cases[i].path,
                                           .host = cases[i].host,
                                           .origin = cases[i].origin,
                                           .gangway = cases[i].gangway,
                                           .content_length = cases[i].length,
                                           .transfer_encoding = cases[i].encoding };
                struct request_answer answer;
                unsigned status = request_check(&server, &request, &answer);

                if (status != cases[i].status)
                        fail_msg("case %zu: %s %s got %u, not %u", i, cases[i].method,
                                 cases[i].path, status, cases[i].status);
                if (status == 200)
                        assert_int_equal(answer.kind, cases[i].kind);
                else
                        assert_non_null(answer.sentence);
                assert_true((status == 405) == (answer.allow != NULL));
        }
}

static void names_of_sites_are_decoded_with_care(void **state)
{
        static const struct {
                const char *path, *site; /* NULL: not found */
        } cases[] = {
                { "/sites/1/clear", "1" },
                { "/sites/left%203/clear", "left 3" },
                { "/sites/A-1.b_2/clear", "A-1.b_2" },
                { "/sites/123456789012345/clear", "123456789012345" },
                { "/sites/1234567890123456/clear", NULL },
                { "/sites//clear", NULL },
                { "/sites/clear", NULL },
                { "/sites/1/clear/", NULL },
                { "/sites/1/2/clear", NULL },
                { "/sites/1%2F2/clear", NULL },
                { "/sites/1%00/clear", NULL },
                { "/sites/%0a/clear", NULL },
                { "/sites/%/clear", NULL },
                { "/sites/%4/clear", NULL },
                { "/sites/%4x/clear", NULL },
                { "/sites/\xc3\xbc/clear", NULL },
                { "/sites/%c3%bc/clear", NULL },
        };
        struct address server = bound(HERE);

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct request request = {
                        .method = "POST", .path = cases[i].path, .host = HERE, .gangway = "1"
                };
                struct request_answer answer;

                assert_int_equal(request_check(&server, &request, &answer),
                                 cases[i].site ? 200 : 404);
                if (cases[i].site)
                        assert_string_equal(answer.site, cases[i].site);
        }
}

static void long_headers_are_refused_first(void **state)
{
        struct address server = bound(HERE);
        struct request request = { .method = "GET", .path = "/", .header_length = 8192 };
        struct request_answer answer;

        (void)state;
        assert_int_equal(request_check(&server, &request, &answer), 400);
        request.header_length = 8193;
        assert_int_equal(request_check(&server, &request, &answer), 431);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(addresses_are_numbers_with_a_port),
                cmocka_unit_test(only_our_own_names_are_ours),
                cmocka_unit_test(each_request_gets_its_status),
                cmocka_unit_test(names_of_sites_are_decoded_with_care),
                cmocka_unit_test(long_headers_are_refused_first),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
