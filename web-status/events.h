/*
 * events.h - the snapshot as text, shared by all who look, and those who keep listening.
 *
 * The station is asked for its state when someone looks and something has changed or 100 ms have
 * passed; everyone who looks meanwhile shares that text. A listener holds at most the text it is
 * being sent and the newest one: a slow reader skips states, it never queues them. A push goes out
 * 100 ms after the last one at the soonest, and after 2 s at the latest, so that a page can tell
 * a quiet line from a dead one.
 *
 * Listeners are HTTP connections, suspended while there is nothing to send.
 */
#pragma once

#include "web-status/web.h"

#include <microhttpd.h>

/* The rest of the connections (web.c) stays free for requests. */
#define EVENTS_LISTENERS_MAX 192u

struct events;

/* `station` is copied. Starts the fiber that pushes. `server` is the fiber that runs the daemon: it
 * is cancelled once after each push, as the call to run it again. Without memory -FAULT_SYSTEM. */
struct fiber;
int events_start(const struct web_station *station, struct fiber *server,
                 struct events **ret_events) MUST_USE;

/* Something has changed: push soon. Never waits. */
void events_changed(struct events *events);

/* A response with the present snapshot as JSON; NULL without memory. Never waits. */
struct MHD_Response *events_status(struct events *events);

/* A response that does not end, for this connection, which becomes a listener until its end; NULL
 * when there are EVENTS_LISTENERS_MAX or no memory. Never waits. */
struct MHD_Response *events_listen(struct events *events, struct MHD_Connection *connection);

/* End the fiber and wake every listener to its end (waits). The daemon must run once more for them
 * to hear it, and be stopped before events_destroy. */
void events_end(struct events *events);

/* NULL is fine; returns NULL. */
struct events *events_destroy(struct events *events);
