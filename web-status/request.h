/*
 * request.h - is this a request we answer, and which?
 *
 * Pure: no sockets and no HTTP library, so that a fuzzer can play the stranger.
 */
#pragma once

#include "web-status/address.h"

#include "web-status/snapshot.h"

enum request_kind {
        REQUEST_PAGE,
        REQUEST_STATUS,
        REQUEST_EVENTS,
        REQUEST_HEALTH,
        REQUEST_CLEAR_SITE,
        REQUEST_STOP_LOT,
};

/* What arrived, borrowed; a header that did not arrive is NULL. `path` is as sent, still with its
 * percent signs, without the query. */
struct request {
        const char *method, *path;
        const char *host, *origin, *gangway, *content_length, *transfer_encoding;
        size_t header_length;
};

struct request_answer {
        enum request_kind kind;                                  /* when 200 */
        char site[sizeof(((struct snapshot_site *)NULL)->name)]; /* of REQUEST_CLEAR_SITE */
        const char *allow;                                       /* when 405: "GET, HEAD" */
        const char *sentence; /* when not 200: why, for the caller */
};

/* 200 and the kind, or the HTTP status to refuse with: 400, 403, 404, 405, 411, 413, 431. */
unsigned request_check(const struct address *server, const struct request *request,
                       struct request_answer *ret_answer) MUST_USE;
