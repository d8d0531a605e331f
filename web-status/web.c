/*
 * web.c - the built-in page and its small API.
 *
 * web_start makes the listening socket itself (so that a fault names the address, and a slow
 * reader's share of kernel memory is bounded), gives it to libmicrohttpd and spawns one fiber. The
 * daemon has no thread: its epoll descriptor is polled by the ring, MHD_run does what is ready and
 * never waits. Every request goes through request_check first; what is left is a switch over six
 * kinds. Listeners to /events are in events.c.
 *
 * Timeouts of idle connections are the library's, by the kernel's clock. Under virtual time the two
 * clocks do not agree and such a timeout would drag the virtual one along, so there they are looked
 * at only when something else happens.
 */
#include "web-status/web.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"
#include "web-status/address.h"
#include "web-status/events.h"
#include "web-status/page.h"
#include "web-status/request.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX      256u
#define CONNECTION_TIMEOUT_S 30u
/* Of one connection: its headers (8 KiB, request.c) and the response's, then a block of events. */
#define CONNECTION_MEMORY (32u << 10)
/* What the kernel may hold for a reader that does not read; without it up to 4 MiB (tcp(7),
 * tcp_wmem). Inherited by accepted sockets. */
#define SEND_BUFFER (128 << 10)
#define BACKLOG     128

_Static_assert(EVENTS_LISTENERS_MAX + 64 <= CONNECTIONS_MAX, "requests need room too");

struct web {
        struct web_station station;
        struct address address;
        char url[ADDRESS_TEXT_MAX + 16];
        struct MHD_Daemon *daemon;
        int epoll; /* the daemon's */
        bool was_full, is_stopping;
        struct fiber *fiber;
        struct events *events;
        struct page page;
};

/* --- answering ----------------------------------------------------------------------------- */

static const struct {
        const char *name, *value;
} common_headers[] = {
        { "Cache-Control", "no-store" },
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" },
        { "Referrer-Policy", "no-referrer" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
};

/* Send `response` (given; NULL: there was no memory for it, the connection is closed). */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
                              struct MHD_Response *response, const char *type, const char *policy)
{
        enum MHD_Result result;

        if (!response)
                return MHD_NO;
        for (size_t i = 0; i < LENGTH_OF(common_headers); i++)
                (void)MHD_add_response_header(response, common_headers[i].name,
                                              common_headers[i].value);
        (void)MHD_add_response_header(response, "Content-Type", type);
        (void)MHD_add_response_header(response, "Content-Security-Policy",
                                      policy ? policy
                                             : "default-src 'none'; frame-ancestors 'none'");
        result = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return result;
}

/* A line of text; `allow` may be NULL. */
static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text, const char *allow)
{
        char line[640];
        int length = snprintf(line, sizeof(line), "%s\n", text);
        struct MHD_Response *response = MHD_create_response_from_buffer(
                (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1, line,
                MHD_RESPMEM_MUST_COPY);

        if (response && allow)
                (void)MHD_add_response_header(response, "Allow", allow);
        return answer(connection, status, response, "text/plain; charset=utf-8", NULL);
}

static enum MHD_Result answer_page(const struct web *web, struct MHD_Connection *connection)
{
        /* Not written to: the library lacks a const form in this version. */
        struct MHD_Response *response = MHD_create_response_from_buffer(
                web->page.length, (void *)(uintptr_t)web->page.html, MHD_RESPMEM_PERSISTENT);

        return answer(connection, MHD_HTTP_OK, response, "text/html; charset=utf-8",
                      web->page.policy);
}

static enum MHD_Result answer_events(struct web *web, struct MHD_Connection *connection)
{
        struct MHD_Response *response = events_listen(web->events, connection);

        if (!response)
                return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                                   "too many listeners; ask for /status.json instead", NULL);
        return answer(connection, MHD_HTTP_OK, response, "text/event-stream", NULL);
}

static enum MHD_Result answer_act(struct web *web, struct MHD_Connection *connection,
                                  enum web_verb verb, const char *name)
{
        int r = web->station.act(web->station.station, verb, name);

        if (r < 0)
                return answer_text(connection, MHD_HTTP_CONFLICT, fault_sentence(r), NULL);
        events_changed(web->events);
        return answer_text(connection, MHD_HTTP_OK, "done", NULL);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static size_t header_length(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

        return info ? info->header_size : 0;
}

static unsigned check(const struct web *web, struct MHD_Connection *connection, const char *path,
                      const char *method, struct request_answer *ret_answer)
{
        struct request request = {
                .method = method,
                .path = path,
                .host = header(connection, "Host"),
                .origin = header(connection, "Origin"),
                .gangway = header(connection, "X-Gangway"),
                .content_length = header(connection, "Content-Length"),
                .transfer_encoding = header(connection, "Transfer-Encoding"),
                .header_length = header_length(connection),
        };

        return request_check(&web->address, &request, ret_answer);
}

/*
 * MHD_AccessHandlerCallback. Called with the headers alone (`*state` still NULL): there a bad
 * request is refused, before its body is read. Then with pieces of the body, which nobody needs,
 * and a last time at its end: there a good one is answered.
 */
static enum MHD_Result take_request(void *context, struct MHD_Connection *connection,
                                    const char *path, const char *method, const char *version,
                                    const char *body, size_t *body_length, void **state)
{
        static char seen;
        struct web *web = context;
        struct request_answer what;
        unsigned status;

        (void)version;
        (void)body;
        if (*state && *body_length) {
                *body_length = 0;
                return MHD_YES;
        }
        status = check(web, connection, path, method, &what);
        if (status != MHD_HTTP_OK)
                return answer_text(connection, status, what.sentence, what.allow);
        if (!*state) {
                *state = &seen;
                return MHD_YES;
        }
        switch (what.kind) {
        case REQUEST_PAGE:
                return answer_page(web, connection);
        case REQUEST_STATUS:
                return answer(connection, MHD_HTTP_OK, events_status(web->events),
                              "application/json", NULL);
        case REQUEST_EVENTS:
                return answer_events(web, connection);
        case REQUEST_HEALTH:
                return answer_text(connection, MHD_HTTP_OK, "ok", NULL);
        case REQUEST_CLEAR_SITE:
                return answer_act(web, connection, WEB_CLEAR_SITE, what.site);
        case REQUEST_STOP_LOT:
                return answer_act(web, connection, WEB_STOP_LOT, "");
        }
        return MHD_NO;
}

/* UnescapeCallback: paths stay as sent, request.c reads the percent signs itself (a %00 would end
 * the string early, a %2F would look like a path). */
static size_t leave_as_sent(void *context, struct MHD_Connection *connection, char *text)
{
        (void)context;
        (void)connection;
        return strlen(text);
}

/* --- running ------------------------------------------------------------------------------- */

/* How long until the daemon must run though nothing has arrived. */
static uint64_t run_timeout_ns(struct web *web)
{
        MHD_UNSIGNED_LONG_LONG timeout_ms;

        if (MHD_get_timeout(web->daemon, &timeout_ms) != MHD_YES)
                return WAIT_FOREVER;
        if (timeout_ms > 0 && loop_is_virtual())
                return WAIT_FOREVER;
        return timeout_ms * NS_PER_MS;
}

/* A full daemon takes its listening socket out of its epoll set, and puts it back only at the start
 * of its next run (libmicrohttpd 0.9.75, MHD_epoll): with a free place again, give it that run, or
 * those who wait would wait for an unrelated event. */
static void run_once(struct web *web)
{
        const union MHD_DaemonInfo *info;
        bool is_full;

        (void)MHD_run(web->daemon); /* refuses only a daemon that has a thread */
        info = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        is_full = info && info->num_connections >= CONNECTIONS_MAX;
        if (web->was_full && !is_full)
                (void)MHD_run(web->daemon);
        web->was_full = is_full;
}

/* Runs the daemon when something has arrived, when a timeout is over, and after each push to the
 * listeners, which is told by a cancel (events.h). */
static int serve(void *subject)
{
        struct web *web = subject;

        for (;;) {
                uint64_t timeout_ns = run_timeout_ns(web);
                int r = timeout_ns ? ring_poll(web->epoll, POLLIN, timeout_ns) : fiber_yield();

                /* A ring short of memory is no reason to leave the page dark. */
                if (r < 0 && r != -FAULT_TIMEOUT && r != -FAULT_CANCELLED)
                        r = fiber_sleep_ns(NS_PER_S);
                if (r == -FAULT_CANCELLED && web->is_stopping)
                        return 0;
                run_once(web);
        }
}

/* --- starting and stopping ----------------------------------------------------------------- */

static void descriptor_close(int *descriptor)
{
        if (*descriptor >= 0)
                close(*descriptor);
}

static int option_set(int descriptor, int level, int name, int value)
{
        return setsockopt(descriptor, level, name, &value, sizeof(value));
}

/* Listen, and learn the port the kernel chose. */
static int listen_on(struct address *address, int *ret_descriptor)
{
        CLEANUP(descriptor_close) int descriptor = -1;
        struct sockaddr *name = (struct sockaddr *)(void *)&address->socket;
        socklen_t length = sizeof(address->socket);
        char text[ADDRESS_TEXT_MAX];

        descriptor =
                socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (descriptor < 0 || option_set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
            option_set(descriptor, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER) < 0 ||
            (address->socket.ss_family == AF_INET6 &&
             option_set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) ||
            bind(descriptor, name, address->length) < 0 || listen(descriptor, BACKLOG) < 0 ||
            getsockname(descriptor, name, &length) < 0)
                return fault_errno(errno, "web address %s", address_text(address, text));
        address->length = length;
        *ret_descriptor = descriptor;
        descriptor = -1;
        return 0;
}

static int daemon_start(struct web *web, int descriptor)
{
        const union MHD_DaemonInfo *info;

        web->daemon = MHD_start_daemon(
                MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, take_request, web,
                MHD_OPTION_LISTEN_SOCKET, descriptor, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S,
                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, leave_as_sent, NULL,
                MHD_OPTION_END);
        if (!web->daemon)
                /* Some of its ways to fail close the socket and some do not, so neither do we. */
                return fault(FAULT_SYSTEM, "the web server did not start on %s", web->url);
        info = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info)
                return fault(FAULT_SYSTEM, "libmicrohttpd was built without epoll");
        web->epoll = info->epoll_fd;
        return 0;
}

/* Off loopback, the name of the machine is one of ours. */
static void name_take(struct address *address)
{
        if (address_is_loopback(address) ||
            gethostname(address->host_name, sizeof(address->host_name) - 1) < 0)
                address->host_name[0] = '\0';
}

static int open_all(struct web *web, const char *address)
{
        char text[ADDRESS_TEXT_MAX];
        int descriptor = -1, r;

        r = page_open(&web->page);
        if (r < 0)
                return r;
        r = address_parse(address, &web->address);
        if (r < 0)
                return r;
        r = listen_on(&web->address, &descriptor);
        if (r < 0)
                return r;
        name_take(&web->address);
        snprintf(web->url, sizeof(web->url), "http://%s/", address_text(&web->address, text));
        r = daemon_start(web, descriptor);
        if (r < 0)
                return r;
        web->fiber = fiber_spawn("web", serve, web);
        return events_start(&web->station, web->fiber, &web->events);
}

int web_start(const char *address, const struct web_station *station, struct web **ret_web)
{
        struct web *web = calloc(1, sizeof(*web));
        int r;

        if (!web)
                return fault(FAULT_SYSTEM, "no memory for the web server");
        web->station = *station;
        r = open_all(web, address);
        if (r < 0) {
                web_stop(web);
                return r;
        }
        *ret_web = web;
        return 0;
}

const char *web_url(const struct web *web)
{
        return web->url;
}

void web_notify(struct web *web)
{
        events_changed(web->events);
}

struct web *web_stop(struct web *web)
{
        if (!web)
                return NULL;
        web->is_stopping = true;
        if (web->events)
                events_end(web->events);
        if (web->fiber) {
                fiber_cancel(web->fiber);
                (void)fiber_join(web->fiber); /* it only ever ends by being cancelled */
        }
        if (web->daemon) {
                /* The listeners read their end, then the last chunk goes out: two turns. */
                for (unsigned turn = 0; turn < 4; turn++)
                        (void)MHD_run(web->daemon);
                MHD_stop_daemon(web->daemon);
        }
        events_destroy(web->events);
        free(web);
        return NULL;
}
