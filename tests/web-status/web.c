/*
 * web.c - the server as a browser, a script and a stranger meet it: real sockets on loopback.
 *
 * Client and server are fibers of one loop; the client connects (which the kernel completes by
 * itself), then waits through the ring while the server works.
 */
#include "web-status/web.h"

#include "scheduler/fiber.h"
#include "scheduler/ring.h"
#include "tests/support/snapshot_example.h"
#include "tests/support/test.h"
#include "web-status/events.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS (10 * NS_PER_S)

/* --- the station's side -------------------------------------------------------------------- */

static struct {
        struct snapshot snapshot;
        unsigned filled;
        enum web_verb verb;
        char name[32];
        unsigned acted;
} line;

static void fill(void *station, struct snapshot *ret_snapshot)
{
        assert_ptr_equal(station, &line);
        line.filled++;
        *ret_snapshot = line.snapshot;
}

static int act(void *station, enum web_verb verb, const char *name)
{
        assert_ptr_equal(station, &line);
        line.acted++;
        line.verb = verb;
        snprintf(line.name, sizeof(line.name), "%s", name);
        if (strcmp(name, "9") == 0)
                return fault(FAULT_BAD_VALUE, "site 9 is not blocked");
        return 0;
}

static struct web *web;

static void start(unsigned sites)
{
        const struct web_station station = { .station = &line, .fill = fill, .act = act };

        memset(&line, 0, sizeof(line));
        line_example(&line.snapshot, sites, 0);
        if (web_start("127.0.0.1:0", &station, &web) < 0)
                fail_msg("%s", fault_sentence(-1));
}

static void stop(void)
{
        web = web_stop(web);
        assert_null(web);
}

/* --- the client's side --------------------------------------------------------------------- */

static unsigned port(void)
{
        return (unsigned)atoi(strrchr(web_url(web), ':') + 1);
}

static int dial_with(int receive_buffer)
{
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port()),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(descriptor >= 0);
        if (receive_buffer)
                setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                           sizeof(receive_buffer));
        assert_int_equal(connect(descriptor, (struct sockaddr *)&to, sizeof(to)), 0);
        return descriptor;
}

static int dial(void)
{
        return dial_with(0);
}

static void say(int descriptor, const char *text)
{
        size_t length = strlen(text);

        /* An answer may come, and the connection end, before all is said. */
        while (length) {
                ssize_t n = send(descriptor, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0) {
                        if (ring_poll(descriptor, POLLOUT, NS_PER_S) < 0)
                                return;
                        if (send(descriptor, "", 0, MSG_NOSIGNAL) < 0)
                                return;
                        continue;
                }
                text += n;
                length -= (size_t)n;
        }
}

/* Up to `capacity` bytes; 0 at the end (or a reset, which is an end too). */
static size_t hear_within(int descriptor, char *text, size_t capacity, uint64_t timeout_ns)
{
        ssize_t n;
        int r = ring_poll(descriptor, POLLIN, timeout_ns);

        if (r == -FAULT_TIMEOUT)
                fail_msg("the server is silent");
        assert_true(r > 0);
        n = recv(descriptor, text, capacity, 0);
        return n > 0 ? (size_t)n : 0;
}

/* All that comes until the connection ends; closes it. */
static char *hear_all(int descriptor)
{
        static char text[512 << 10];
        size_t length = 0, n;

        while ((n = hear_within(descriptor, text + length, sizeof(text) - 1 - length,
                                PATIENCE_NS)) > 0)
                length += n;
        text[length] = '\0';
        close(descriptor);
        return text;
}

/* Ask with this first line and further header lines; the whole answer. HERE stands for our Host. */
static char *ask_with(const char *first, const char *headers)
{
        char request[1024];
        int descriptor = dial();

        snprintf(request, sizeof(request),
                 "%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n%s\r\n", first, port(),
                 headers);
        say(descriptor, request);
        return hear_all(descriptor);
}

static char *ask(const char *first)
{
        return ask_with(first, "");
}

static void assert_status(const char *answer, unsigned status)
{
        char wanted[32];

        snprintf(wanted, sizeof(wanted), "HTTP/1.1 %u ", status);
        if (strncmp(answer, wanted, strlen(wanted)) != 0)
                fail_msg("wanted %s, got %.60s", wanted, answer);
}

static void assert_holds(const char *answer, const char *text)
{
        if (!strstr(answer, text))
                fail_msg("no \"%s\" in:\n%.900s", text, answer);
}

static const char *body(const char *answer)
{
        const char *end = strstr(answer, "\r\n\r\n");

        assert_non_null(end);
        return end + 4;
}

/* A listener: reads the stream, takes the chunks apart, keeps the last whole event. */
struct listener {
        int descriptor;
        char raw[64 << 10];
        size_t raw_length;
        char text[256 << 10]; /* without chunk marks, from the first event not yet taken */
        size_t length;
        bool is_past_head, has_ended;
};

static struct listener *listen_with(int receive_buffer)
{
        struct listener *listener = calloc(1, sizeof(*listener));
        char request[128];

        listener->descriptor = dial_with(receive_buffer);
        snprintf(request, sizeof(request), "GET /events HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                 port());
        say(listener->descriptor, request);
        return listener;
}

static struct listener *hang_up(struct listener *listener)
{
        close(listener->descriptor);
        free(listener);
        return NULL;
}

static void consume(struct listener *listener, size_t length)
{
        listener->raw_length -= length;
        memmove(listener->raw, listener->raw + length, listener->raw_length);
}

/* One whole chunk from raw to text; false when there is none yet. */
static bool unpack(struct listener *listener)
{
        const char *line_end;
        size_t length, head;

        listener->raw[listener->raw_length] = '\0';
        if (!listener->is_past_head) {
                const char *end = strstr(listener->raw, "\r\n\r\n");

                if (!end)
                        return false;
                assert_status(listener->raw, 200);
                assert_holds(listener->raw, "Content-Type: text/event-stream");
                consume(listener, (size_t)(end + 4 - listener->raw));
                listener->is_past_head = true;
                return true;
        }
        line_end = strstr(listener->raw, "\r\n");
        if (!line_end)
                return false;
        length = strtoul(listener->raw, NULL, 16);
        head = (size_t)(line_end + 2 - listener->raw);
        if (listener->raw_length < head + length + 2)
                return false;
        if (length == 0)
                listener->has_ended = true;
        assert_true(listener->length + length < sizeof(listener->text));
        memcpy(listener->text + listener->length, listener->raw + head, length);
        listener->length += length;
        listener->text[listener->length] = '\0';
        consume(listener, head + length + 2);
        return !listener->has_ended;
}

/* The next event into `ret_snapshot`; false when the stream has ended. */
static bool next_event(struct listener *listener, struct snapshot *ret_snapshot)
{
        char *end;
        size_t n;

        while (!(end = strstr(listener->text, "\n\n"))) {
                if (unpack(listener))
                        continue;
                if (listener->has_ended)
                        return false;
                n = hear_within(listener->descriptor, listener->raw + listener->raw_length,
                                sizeof(listener->raw) - 1 - listener->raw_length, PATIENCE_NS);
                assert_true(n > 0); /* an orderly end has a last chunk */
                listener->raw_length += n;
        }
        assert_memory_equal(listener->text, "data: ", 6);
        assert_int_equal(snapshot_parse(listener->text + 6, (size_t)(end - listener->text) - 6,
                                        ret_snapshot),
                         0);
        listener->length -= (size_t)(end + 2 - listener->text);
        memmove(listener->text, end + 2, listener->length + 1);
        return true;
}

static struct snapshot got;

/* --- what it does -------------------------------------------------------------------------- */

/* Run the function on a fiber with a server that shows 16 sites; it must leave nothing behind. */
#define ON_LINE(name)                                                                              \
        static int name##_body(void *subject);                                                     \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, name##_body, NULL), 0);          \
        }                                                                                          \
        static int name##_body(void *subject __attribute__((unused)))

ON_LINE(the_page_comes_whole_and_may_run_only_its_own_script)
{
        char *answer;

        start(16);
        answer = ask("GET /");
        assert_status(answer, 200);
        assert_holds(answer, "Content-Type: text/html; charset=utf-8\r\n");
        assert_holds(answer, "Content-Security-Policy: default-src 'none'; script-src 'sha256-");
        assert_holds(answer, "frame-ancestors 'none'");
        assert_holds(answer, "X-Content-Type-Options: nosniff\r\n");
        assert_memory_equal(body(answer), "<!doctype html>", 15);
        assert_string_equal(answer + strlen(answer) - 8, "</html>\n");
        assert_null(strstr(answer, "innerHTML"));
        assert_null(strstr(body(answer), " onclick="));
        stop();
        return 0;
}

ON_LINE(status_json_is_the_snapshot)
{
        const char *answer;

        start(16);
        answer = ask("GET /status.json");
        assert_status(answer, 200);
        assert_holds(answer, "Content-Type: application/json\r\n");
        assert_holds(answer, "Cache-Control: no-store\r\n");
        assert_int_equal(snapshot_parse(body(answer), strlen(body(answer)), &got), 0);
        assert_memory_equal(&got, &line.snapshot, sizeof(got));
        stop();
        return 0;
}

ON_LINE(status_json_follows_a_change_at_once)
{
        const char *answer;

        start(1);
        for (unsigned i = 0; i < 3; i++) {
                line.snapshot.lot.good = 1000 + i;
                web_notify(web);
                answer = ask("GET /status.json");
                assert_int_equal(snapshot_parse(body(answer), strlen(body(answer)), &got), 0);
                assert_int_equal(got.lot.good, 1000 + i);
        }
        stop();
        return 0;
}

/* However many ask, the station is not asked more than ten times a second for what stands still. */
ON_LINE(many_readers_share_one_look_at_the_station)
{
        uint64_t began_ns = clock_now_ns();

        start(1);
        for (unsigned i = 0; i < 40; i++)
                assert_status(ask("GET /status.json"), 200);
        assert_true(line.filled <= 1 + (clock_now_ns() - began_ns) / (100 * NS_PER_MS));
        stop();
        return 0;
}

ON_LINE(health_says_ok)
{
        const char *answer;

        start(1);
        answer = ask("GET /health");
        assert_status(answer, 200);
        assert_string_equal(body(answer), "ok\n");
        answer = ask("HEAD /health");
        assert_status(answer, 200);
        assert_string_equal(body(answer), "");
        stop();
        return 0;
}

ON_LINE(a_blocked_site_is_cleared_by_name)
{
        const char *answer;

        start(1);
        answer = ask_with("POST /sites/left%207/clear", "X-Gangway: 1\r\nContent-Length: 0\r\n");
        assert_status(answer, 200);
        assert_int_equal(line.acted, 1);
        assert_int_equal(line.verb, WEB_CLEAR_SITE);
        assert_string_equal(line.name, "left 7");
        stop();
        return 0;
}

ON_LINE(a_refused_verb_answers_with_the_sentence)
{
        const char *answer;

        start(1);
        answer = ask_with("POST /sites/9/clear", "X-Gangway: 1\r\n");
        assert_status(answer, 409);
        assert_string_equal(body(answer), "site 9 is not blocked\n");
        stop();
        return 0;
}

ON_LINE(the_lot_is_stopped_once_though_the_request_has_a_body)
{
        start(1);
        assert_status(ask_with("POST /lot/stop", "X-Gangway: 1\r\nContent-Length: 5\r\n\r\nhello"),
                      200);
        assert_int_equal(line.acted, 1);
        assert_int_equal(line.verb, WEB_STOP_LOT);
        stop();
        return 0;
}

/* None of these may reach the station. */
ON_LINE(strangers_and_mistakes_are_refused)
{
        static const struct {
                const char *first, *headers;
                unsigned status;
        } cases[] = {
                { "POST /lot/stop", "", 403 },
                { "POST /lot/stop", "X-Gangway: 2\r\n", 403 },
                { "POST /lot/stop", "X-Gangway: 1\r\nOrigin: http://evil.example\r\n", 403 },
                { "POST /lot/stop", "X-Gangway: 1\r\nOrigin: null\r\n", 403 },
                { "POST /lot/stop", "X-Gangway: 1\r\nContent-Length: 1025\r\n", 413 },
                { "POST /lot/stop", "X-Gangway: 1\r\nTransfer-Encoding: chunked\r\n", 411 },
                { "GET /lot/stop", "X-Gangway: 1\r\n", 405 },
                { "DELETE /status.json", "", 405 },
                { "OPTIONS /lot/stop", "Access-Control-Request-Method: POST\r\n", 405 },
                { "GET /events", "Origin: http://evil.example\r\n", 403 },
                { "GET /secret", "", 404 },
                { "GET /sites/1%00/clear", "", 404 },
                { "GET /../etc/passwd", "", 404 },
        };

        start(1);
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_status(ask_with(cases[i].first, cases[i].headers), cases[i].status);
        assert_holds(ask("PUT /status.json"), "Allow: GET, HEAD\r\n");
        assert_holds(ask("GET /lot/stop"), "Allow: POST\r\n");
        assert_int_equal(line.acted, 0);
        stop();
        return 0;
}

static char *ask_host(const char *host)
{
        char request[256];
        int descriptor = dial();

        snprintf(request, sizeof(request), "GET /health HTTP/1.1\r\n%sConnection: close\r\n\r\n",
                 host);
        say(descriptor, request);
        return hear_all(descriptor);
}

ON_LINE(a_foreign_name_for_us_is_refused)
{
        char host[64];

        start(1);
        snprintf(host, sizeof(host), "Host: evil.example:%u\r\n", port());
        assert_status(ask_host(host), 403);
        snprintf(host, sizeof(host), "Host: localhost:%u\r\n", port() - 1);
        assert_status(ask_host(host), 403);
        assert_status(ask_host("Host: localhost\r\n"), 403);
        assert_status(ask_host(""), 400);
        snprintf(host, sizeof(host), "Host: localhost:%u\r\n", port());
        assert_status(ask_host(host), 200);
        stop();
        return 0;
}

static char *ask_long(size_t header_length)
{
        char *request = calloc(1, header_length + 256);
        int descriptor = dial(), n;
        char *answer;

        n = sprintf(
                request,
                "GET /health HTTP/1.1\r\nHost: localhost:%u\r\nConnection: close\r\nX: ", port());
        memset(request + n, 'x', header_length);
        strcat(request, "\r\n\r\n");
        say(descriptor, request);
        free(request);
        answer = hear_all(descriptor);
        return answer;
}

ON_LINE(headers_of_8_kib_pass_and_longer_ones_do_not)
{
        start(1);
        assert_status(ask_long(8000), 200);
        assert_status(ask_long(8200), 431);
        assert_status(ask_long(20000), 431);
        /* Far beyond, the library itself stops reading: an answer or a reset, and it goes on. */
        (void)ask_long(200000);
        assert_status(ask("GET /health"), 200);
        stop();
        return 0;
}

ON_LINE(noise_ends_only_its_own_connection)
{
        int noisy, silent, half;

        start(1);
        noisy = dial();
        silent = dial();
        half = dial();
        say(noisy, "\x16\x03\x01\x02\x01\xff\xfe garbage\r\n\r\n\r\n");
        say(half, "GET /health HTTP/1.1\r\nHo");
        assert_status(ask("GET /health"), 200);
        (void)hear_all(noisy);
        close(silent);
        close(half);
        assert_status(ask("GET /health"), 200);
        stop();
        return 0;
}

/* Of 300 connections 256 are served; the others wait and get their turn as places become free. */
ON_LINE(three_hundred_connections_are_too_many_and_all_get_their_turn)
{
        int descriptors[300];
        char request[128], text[1024];

        start(1);
        snprintf(request, sizeof(request), "GET /health HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                 port());
        for (unsigned i = 0; i < LENGTH_OF(descriptors); i++) {
                descriptors[i] = dial();
                say(descriptors[i], request);
                if (i % 50 == 0)
                        assert_int_equal(fiber_sleep_ns(20 * NS_PER_MS), 0);
        }
        for (unsigned i = 0; i < 256; i++)
                assert_true(hear_within(descriptors[i], text, sizeof(text), PATIENCE_NS) > 0);
        for (unsigned i = 256; i < LENGTH_OF(descriptors); i++)
                assert_int_equal(ring_poll(descriptors[i], POLLIN, NS_PER_MS), -FAULT_TIMEOUT);
        for (unsigned i = 0; i < 256; i++)
                close(descriptors[i]);
        for (unsigned i = 256; i < LENGTH_OF(descriptors); i++) {
                assert_true(hear_within(descriptors[i], text, sizeof(text), PATIENCE_NS) > 0);
                assert_status(text, 200);
                close(descriptors[i]);
        }
        stop();
        return 0;
}

ON_LINE(a_listener_gets_the_state_at_once_and_every_change)
{
        struct listener *listener;

        start(16);
        listener = listen_with(0);
        assert_true(next_event(listener, &got));
        assert_memory_equal(&got, &line.snapshot, sizeof(got));
        for (unsigned i = 0; i < 3; i++) {
                line.snapshot.lot.good = 500 + i;
                web_notify(web);
                assert_true(next_event(listener, &got));
                assert_int_equal(got.lot.good, 500 + i);
        }
        hang_up(listener);
        stop();
        return 0;
}

ON_LINE(a_change_is_pushed_within_200_ms_and_at_most_ten_times_a_second)
{
        struct listener *listener;
        uint64_t began_ns;
        unsigned events = 0;

        start(16);
        listener = listen_with(0);
        assert_true(next_event(listener, &got));
        began_ns = clock_now_ns();
        do {
                line.snapshot.lot.good++;
                web_notify(web);
                while (ring_poll(listener->descriptor, POLLIN, 5 * NS_PER_MS) > 0) {
                        assert_true(next_event(listener, &got));
                        events++;
                }
        } while (clock_now_ns() - began_ns < NS_PER_S);
        assert_in_range(events, 4, 11); /* ten on a machine that is not busy otherwise */
        /* The last change is not forgotten by the throttle. */
        while (got.lot.good != line.snapshot.lot.good)
                assert_true(next_event(listener, &got));
        hang_up(listener);
        stop();
        return 0;
}

ON_LINE(a_quiet_line_still_says_so_every_two_seconds)
{
        struct listener *listener;
        uint64_t began_ns;

        start(16);
        listener = listen_with(0);
        assert_true(next_event(listener, &got));
        began_ns = clock_now_ns();
        assert_true(next_event(listener, &got));
        assert_in_range((clock_now_ns() - began_ns) / NS_PER_MS, 1500, 4500);
        hang_up(listener);
        stop();
        return 0;
}

/* A full line is 100 KiB a snapshot; the reader that does not read holds two of them at most. */
ON_LINE(a_slow_reader_stalls_nobody_and_skips_to_the_newest)
{
        struct listener *slow, *quick;
        size_t held;
        uint32_t first, events = 0;

        start(16);
        line_full(&line.snapshot);
        slow = listen_with(4096);
        quick = listen_with(0);
        assert_true(next_event(quick, &got));
        held = mallinfo2().uordblks;
        for (unsigned i = 1; i <= 25; i++) {
                line.snapshot.lot.good = i;
                web_notify(web);
                do
                        assert_true(next_event(quick, &got));
                while (got.lot.good != i);
        }
        assert_true(mallinfo2().uordblks < held + (400u << 10));
        /* Now it reads: what was under way, then the newest, and nothing of what lay between. */
        assert_true(next_event(slow, &got));
        first = got.lot.good;
        do {
                assert_true(next_event(slow, &got));
                events++;
        } while (got.lot.good != 25);
        assert_true(first != 25);
        assert_in_range(events, 1, 4);
        hang_up(slow);
        hang_up(quick);
        stop();
        return 0;
}

ON_LINE(listeners_beyond_their_limit_are_told_so)
{
        static struct listener *listeners[EVENTS_LISTENERS_MAX];
        const char *answer;

        start(1);
        for (unsigned i = 0; i < EVENTS_LISTENERS_MAX; i++) {
                listeners[i] = listen_with(0);
                assert_true(next_event(listeners[i], &got));
        }
        answer = ask("GET /events");
        assert_status(answer, 503);
        assert_holds(body(answer), "too many listeners");
        assert_status(ask("GET /status.json"), 200);
        /* Those who hang up are noticed at the next push, and make room. */
        for (unsigned i = 0; i < EVENTS_LISTENERS_MAX; i++)
                listeners[i] = hang_up(listeners[i]);
        for (unsigned i = 0; i < 3; i++) {
                web_notify(web);
                assert_int_equal(fiber_sleep_ns(150 * NS_PER_MS), 0);
        }
        listeners[0] = listen_with(0);
        assert_true(next_event(listeners[0], &got));
        listeners[0] = hang_up(listeners[0]);
        stop();
        return 0;
}

ON_LINE(stopping_ends_open_streams_in_order)
{
        struct listener *idle, *slow;

        start(16);
        line_full(&line.snapshot);
        idle = listen_with(0);
        slow = listen_with(4096);
        assert_true(next_event(idle, &got));
        web_notify(web);
        assert_true(next_event(idle, &got));
        stop();
        assert_false(next_event(idle, &got));
        assert_true(idle->has_ended);
        hang_up(idle);
        hang_up(slow);
        return 0;
}

ON_LINE(stopping_at_once_and_stopping_nothing_are_fine)
{
        start(1);
        stop();
        assert_null(web_stop(NULL));
        start(1);
        web_notify(web);
        close(dial());
        stop();
        return 0;
}

ON_LINE(an_address_in_use_is_named)
{
        const struct web_station station = { .station = &line, .fill = fill, .act = act };
        struct web *second = NULL;
        char address[64];

        start(1);
        snprintf(address, sizeof(address), "127.0.0.1:%u", port());
        assert_fault(web_start(address, &station, &second), SYSTEM, address);
        assert_fault(web_start("eth0:80", &station, &second), BAD_VALUE, "eth0:80");
        assert_null(second);
        stop();
        return 0;
}

/* A rehearsal in virtual time may have a page: a listener must not drag the clock along. */
static int under_virtual_time(void *subject)
{
        struct listener *listener;
        uint64_t began_ns = clock_now_ns();

        (void)subject;
        start(1);
        listener = listen_with(0);
        assert_true(next_event(listener, &got));
        line.snapshot.lot.good = 7;
        web_notify(web);
        assert_true(next_event(listener, &got));
        assert_int_equal(got.lot.good, 7);
        assert_true(clock_now_ns() - began_ns <= 3 * PATIENCE_NS);
        hang_up(listener);
        stop();
        return 0;
}

static void the_page_works_under_virtual_time(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, under_virtual_time, NULL), 0);
}

/* --- the same server for a browser (page.py), or for a person: `web serve SITES CARDS` ----- */

static int act_for_browser(void *station, enum web_verb verb, const char *name)
{
        (void)station;
        printf("%s %s\n", verb == WEB_CLEAR_SITE ? "clear" : "stop", name);
        fflush(stdout);
        if (verb == WEB_STOP_LOT)
                snprintf(line.snapshot.lot.state, sizeof(line.snapshot.lot.state), "stopping");
        for (unsigned i = 0; i < line.snapshot.site_count; i++) {
                struct snapshot_site *site = &line.snapshot.sites[i];

                if (verb != WEB_CLEAR_SITE || strcmp(site->name, name) != 0)
                        continue;
                if (i > 16)
                        return fault(FAULT_BAD_VALUE, "the board is still in site %s", name);
                site->needs_person = false;
                snprintf(site->state, sizeof(site->state), "empty");
                memset(site->result, 0, sizeof(site->result));
        }
        return 0;
}

/* 0 sites: the full line, with every string that could hurt. Without a number of cards there are
 * two. Ends with its input. */
static int serve_browser(void *arguments)
{
        const struct web_station station = { .station = &line,
                                             .fill = fill,
                                             .act = act_for_browser };
        char *const *words = arguments;
        unsigned count = (unsigned)atoi(words[0]);
        char byte;
        int r;

        if (count)
                line_example(&line.snapshot, count, 0);
        else
                line_full(&line.snapshot);
        if (words[1])
                cards_example(&line.snapshot, (unsigned)atoi(words[1]));
        r = web_start("127.0.0.1:0", &station, &web);
        if (r < 0)
                return r;
        printf("%s\n", web_url(web));
        fflush(stdout);
        do {
                static struct snapshot next;

                /* Time goes on, and the bars with it. */
                if (count) {
                        line_example(&next, count, (unsigned)(clock_now_ns() / (100 * NS_PER_MS)));
                        line.snapshot.now_ms = next.now_ms;
                        for (unsigned i = 0; i < count; i++)
                                line.snapshot.sites[i].progress = next.sites[i].progress;
                        web_notify(web);
                }
                r = ring_poll(STDIN_FILENO, POLLIN, 500 * NS_PER_MS);
        } while (r == -FAULT_TIMEOUT || (r > 0 && read(STDIN_FILENO, &byte, 1) == 1));
        stop();
        return 0;
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(health_says_ok),
                cmocka_unit_test(the_page_comes_whole_and_may_run_only_its_own_script),
                cmocka_unit_test(status_json_is_the_snapshot),
                cmocka_unit_test(status_json_follows_a_change_at_once),
                cmocka_unit_test(many_readers_share_one_look_at_the_station),
                cmocka_unit_test(a_blocked_site_is_cleared_by_name),
                cmocka_unit_test(a_refused_verb_answers_with_the_sentence),
                cmocka_unit_test(the_lot_is_stopped_once_though_the_request_has_a_body),
                cmocka_unit_test(strangers_and_mistakes_are_refused),
                cmocka_unit_test(a_foreign_name_for_us_is_refused),
                cmocka_unit_test(headers_of_8_kib_pass_and_longer_ones_do_not),
                cmocka_unit_test(noise_ends_only_its_own_connection),
                cmocka_unit_test(three_hundred_connections_are_too_many_and_all_get_their_turn),
                cmocka_unit_test(a_listener_gets_the_state_at_once_and_every_change),
                cmocka_unit_test(a_change_is_pushed_within_200_ms_and_at_most_ten_times_a_second),
                cmocka_unit_test(a_quiet_line_still_says_so_every_two_seconds),
                cmocka_unit_test(a_slow_reader_stalls_nobody_and_skips_to_the_newest),
                cmocka_unit_test(listeners_beyond_their_limit_are_told_so),
                cmocka_unit_test(stopping_ends_open_streams_in_order),
                cmocka_unit_test(stopping_at_once_and_stopping_nothing_are_fine),
                cmocka_unit_test(an_address_in_use_is_named),
                cmocka_unit_test(the_page_works_under_virtual_time),
        };

        if (argc >= 3 && strcmp(argv[1], "serve") == 0)
                return test_on_fiber(LOOP_TIME_REAL, 1, serve_browser, argv + 2);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
