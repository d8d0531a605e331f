/*
 * events.c - the snapshot as text, shared by all who look, and those who keep listening.
 *
 * A frame is one snapshot as a server-sent event ("data: JSON", empty line), counted by reference.
 * The fiber sleeps until the state has changed or two seconds have passed, takes a fresh frame,
 * hands it to every listener and wakes those whose connection is suspended, then rests 100 ms.
 * libmicrohttpd asks listener_read for bytes whenever the socket has room; with nothing left to say
 * the connection is suspended there, which takes it out of the daemon's epoll set until
 * MHD_resume_connection (microhttpd.h, MHD_ContentReaderCallback and MHD_suspend_connection).
 *
 * Only the loop's thread comes here, so there are no locks. MHD_run never waits inside, so the
 * fiber never meets the daemon half-way through a callback.
 */
#include "web-status/events.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdlib.h>
#include <string.h>

#define PUSH_INTERVAL_NS (100 * NS_PER_MS)
#define BEAT_NS          (2 * NS_PER_S)

static const char frame_head[] = "data: ", frame_tail[] = "\n\n";

struct frame {
        unsigned references;
        size_t length;
        char text[];
};

struct listener {
        struct events *events;
        struct MHD_Connection *connection;
        struct listener *previous, *next;
        struct frame *sending; /* `sent` bytes of it are gone; NULL between frames */
        size_t sent;
        struct frame *pending; /* the newest after it; NULL when there is none */
        bool is_suspended;
};

struct events {
        struct web_station station;
        struct fiber *fiber, *server;
        struct waitlist changed;
        bool push_wanted; /* a change the listeners have not been given */
        bool is_ending;

        struct frame *frame; /* the newest; NULL before anyone looked */
        uint64_t frame_ns;
        bool frame_is_stale; /* the state has changed since */

        struct listener *first;
        unsigned listener_count;
};

/* --- frames -------------------------------------------------------------------------------- */

static struct frame *frame_hold(struct frame *frame)
{
        frame->references++;
        return frame;
}

static struct frame *frame_release(struct frame *frame)
{
        if (frame && --frame->references == 0)
                free(frame);
        return NULL;
}

static char *state_json(const struct web_station *station)
{
        struct snapshot *snapshot = calloc(1, sizeof(*snapshot)); /* 50 KiB: not for a stack */
        char *json = NULL;

        if (snapshot) {
                station->fill(station->station, snapshot);
                json = snapshot_json(snapshot);
        }
        free(snapshot);
        return json;
}

/* NULL without memory. */
static struct frame *frame_create(const struct web_station *station)
{
        char *json = state_json(station);
        size_t length = json ? strlen(json) : 0;
        struct frame *frame =
                json ? malloc(sizeof(*frame) + sizeof(frame_head) + length + sizeof(frame_tail))
                     : NULL;

        if (frame) {
                frame->references = 1;
                frame->length = sizeof(frame_head) - 1 + length + sizeof(frame_tail) - 1;
                memcpy(frame->text, frame_head, sizeof(frame_head) - 1);
                memcpy(frame->text + sizeof(frame_head) - 1, json, length);
                memcpy(frame->text + sizeof(frame_head) - 1 + length, frame_tail,
                       sizeof(frame_tail));
        }
        free(json);
        return frame;
}

/* The newest frame, made afresh when it no longer is; borrowed, NULL without memory. */
static struct frame *frame_newest(struct events *events)
{
        uint64_t now_ns = clock_now_ns();
        struct frame *frame;

        if (events->frame && !events->frame_is_stale &&
            now_ns - events->frame_ns < PUSH_INTERVAL_NS)
                return events->frame;
        frame = frame_create(&events->station);
        if (!frame)
                return events->frame;
        frame_release(events->frame);
        events->frame = frame;
        events->frame_ns = now_ns;
        events->frame_is_stale = false;
        return frame;
}

/* --- listeners ----------------------------------------------------------------------------- */

static void listener_resume(struct listener *listener)
{
        if (!listener->is_suspended)
                return;
        listener->is_suspended = false;
        MHD_resume_connection(listener->connection);
}

static void listener_give(struct listener *listener, struct frame *frame)
{
        frame_release(listener->pending);
        listener->pending = frame_hold(frame);
        listener_resume(listener);
}

/* MHD_ContentReaderCallback: the next bytes. */
static ssize_t listener_read(void *context, uint64_t position, char *buffer, size_t capacity)
{
        struct listener *listener = context;
        size_t length;

        (void)position; /* of the whole stream: we know better where we are */
        if (!listener->sending) {
                listener->sending = listener->pending;
                listener->pending = NULL;
                listener->sent = 0;
        }
        if (!listener->sending) {
                if (listener->events->is_ending)
                        return MHD_CONTENT_READER_END_OF_STREAM;
                listener->is_suspended = true;
                MHD_suspend_connection(listener->connection);
                return 0;
        }
        length = listener->sending->length - listener->sent;
        if (length > capacity)
                length = capacity;
        memcpy(buffer, listener->sending->text + listener->sent, length);
        listener->sent += length;
        if (listener->sent == listener->sending->length)
                listener->sending = frame_release(listener->sending);
        return (ssize_t)length;
}

/* MHD_ContentReaderFreeCallback: the connection has ended, however it did. */
static void listener_free(void *context)
{
        struct listener *listener = context;
        struct events *events = listener->events;

        if (listener->previous)
                listener->previous->next = listener->next;
        else
                events->first = listener->next;
        if (listener->next)
                listener->next->previous = listener->previous;
        events->listener_count--;
        frame_release(listener->sending);
        frame_release(listener->pending);
        free(listener);
}

static void listener_join(struct listener *listener, struct events *events, struct frame *frame)
{
        listener->events = events;
        listener->pending = frame_hold(frame);
        listener->next = events->first;
        if (events->first)
                events->first->previous = listener;
        events->first = listener;
        if (events->listener_count++ == 0) {
                /* The first: it has just been given all there is, and the fiber must learn that
                 * someone now waits for its beat. */
                events->push_wanted = false;
                waitlist_wake(&events->changed);
        }
}

struct MHD_Response *events_listen(struct events *events, struct MHD_Connection *connection)
{
        /* Asked for bytes in blocks of this size at most; the connection's pool decides. */
        const size_t block = 16u << 10;
        struct frame *frame = frame_newest(events);
        struct MHD_Response *response;
        struct listener *listener;

        if (!frame || events->listener_count >= EVENTS_LISTENERS_MAX)
                return NULL;
        listener = calloc(1, sizeof(*listener));
        if (!listener)
                return NULL;
        listener->connection = connection;
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, block, listener_read,
                                                     listener, listener_free);
        if (!response) {
                free(listener);
                return NULL;
        }
        listener_join(listener, events, frame);
        return response;
}

static void status_free(void *frame)
{
        frame_release(frame);
}

struct MHD_Response *events_status(struct events *events)
{
        struct frame *frame = frame_newest(events);
        struct MHD_Response *response;

        if (!frame)
                return NULL;
        response = MHD_create_response_from_buffer_with_free_callback_cls(
                frame->length - (sizeof(frame_head) - 1) - (sizeof(frame_tail) - 1),
                frame->text + sizeof(frame_head) - 1, status_free, frame);
        if (response)
                frame_hold(frame);
        return response;
}

/* --- pushing ------------------------------------------------------------------------------- */

/* 0 when a push is due; -FAULT_CANCELLED. Without listeners nothing is due. Under virtual time
 * there is no beat: it would drag the clock along while a browser is looking. */
static int push_wait(struct events *events)
{
        while (!events->push_wanted || !events->first) {
                bool has_beat = events->first && !loop_is_virtual();
                int r = waitlist_wait(&events->changed, has_beat ? BEAT_NS : WAIT_FOREVER);

                if (r == -FAULT_TIMEOUT)
                        return 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int push(void *subject)
{
        struct events *events = subject;

        for (;;) {
                struct frame *frame;

                if (push_wait(events) < 0)
                        return 0;
                events->push_wanted = false;
                frame = frame_newest(events);
                for (struct listener *l = frame ? events->first : NULL; l; l = l->next)
                        listener_give(l, frame);
                /* A resumed connection makes no descriptor ready (libmicrohttpd 0.9.75 has no
                 * wake-up channel without a thread of its own), so end the server's poll. */
                fiber_cancel(events->server);
                if (fiber_sleep_ns(PUSH_INTERVAL_NS) < 0)
                        return 0;
        }
}

void events_changed(struct events *events)
{
        events->frame_is_stale = true;
        events->push_wanted = true;
        if (events->first)
                waitlist_wake(&events->changed);
}

int events_start(const struct web_station *station, struct fiber *server,
                 struct events **ret_events)
{
        struct events *events = calloc(1, sizeof(*events));

        if (!events)
                return fault(FAULT_SYSTEM, "no memory for the listeners of the page");
        events->station = *station;
        events->server = server;
        events->fiber = fiber_spawn("web events", push, events);
        *ret_events = events;
        return 0;
}

void events_end(struct events *events)
{
        events->is_ending = true;
        if (events->fiber) {
                fiber_cancel(events->fiber);
                (void)fiber_join(events->fiber); /* it only ever ends by being cancelled */
                events->fiber = NULL;
        }
        for (struct listener *l = events->first; l; l = l->next) {
                l->pending = frame_release(l->pending);
                listener_resume(l);
        }
}

struct events *events_destroy(struct events *events)
{
        if (!events)
                return NULL;
        if (events->fiber)
                events_end(events);
        INSIST(!events->first); /* the daemon was stopped and has let go of them */
        frame_release(events->frame);
        free(events);
        return NULL;
}
