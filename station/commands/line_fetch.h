/*
 * line_fetch.h - ask a station for the line at this moment, over HTTP (libcurl).
 */
#pragma once

#include "web-status/snapshot.h"

#include "scheduler/fault.h"

#define LINE_URL_DEFAULT "http://127.0.0.1:8470"

struct line_source;

/* `url` of the station's page, copied. */
int line_source_open(const char *url, struct line_source **ret_source) MUST_USE;

/* NULL is fine; returns NULL. */
struct line_source *line_source_close(struct line_source *source);

/* Ask once; at most five seconds, and nothing else of the process runs meanwhile. `ret_json` (may
 * be NULL) is the text, borrowed until the next call.
 *      -FAULT_TIMEOUT   no station answers there
 *      -FAULT_BAD_FILE  something answers that is no station, or another version */
int line_fetch(struct line_source *source, struct snapshot *ret_snapshot,
               const char **ret_json) MUST_USE;
