/*
 * web.h - the built-in page and its small API (libmicrohttpd, its epoll descriptor on the ring).
 *
 *   GET  /              the page; no external assets
 *   GET  /status.json   the snapshot
 *   GET  /events        server-sent events, one snapshot at each change, at most 10 a second, and
 *                       after 2 s without one, so that a dead station can be told from a quiet one
 *   GET  /health        "ok"
 *   POST /sites/NAME/clear   release a blocked site       (verb WEB_CLEAR_SITE)
 *   POST /lot/stop           finish units in work, end    (verb WEB_STOP_LOT)
 *
 * Loopback unless configured. POST needs the header "X-Gangway: 1" and a Host and Origin of the
 * server itself, so that no foreign page can press a button. Limits: 256 connections, 8 KiB of
 * headers, 1 KiB of body.
 */
#pragma once

#include "web-status/snapshot.h"

#include "scheduler/fault.h"

enum web_verb { WEB_CLEAR_SITE, WEB_STOP_LOT };

/* The station's side. `fill` writes the present state; `act` does a verb and returns 0, or a fault
 * whose sentence the caller gets (409). Neither waits. */
struct web_station {
        void *station;
        void (*fill)(void *station, struct snapshot *ret_snapshot);
        int (*act)(void *station, enum web_verb verb, const char *name);
};

struct web;

/* Listen on `address` ("127.0.0.1:8470", "[::1]:0"); port 0 takes a free one. Starts its fiber.
 *      -FAULT_SYSTEM   address in use, named
 *      -FAULT_BAD_VALUE */
int web_start(const char *address, const struct web_station *station,
              struct web **ret_web) MUST_USE;

/* "http://127.0.0.1:8470/" */
const char *web_url(const struct web *web);

/* The state has changed: push to the listeners soon. Never waits; cheap without listeners. */
void web_notify(struct web *web);

/* End the listeners and the fiber (waits). NULL is fine; returns NULL. */
struct web *web_stop(struct web *web);

/* The snapshot as JSON text (jansson), for /status.json, /events and `gangway status --json`. */
char *snapshot_json(const struct snapshot *snapshot);

/* And back, for the command; limits and types checked.
 *      -FAULT_BAD_FILE */
int snapshot_parse(const char *json, size_t length, struct snapshot *ret_snapshot) MUST_USE;
