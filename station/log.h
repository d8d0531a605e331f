/*
 * log.h - the one place that writes the daemon's log: a line an event, on standard output.
 *
 *   2026-11-24T12:34:56.789Z site 3: read the certificate
 *
 * Under virtual time the stamps are virtual, so two runs of one seed give the same text.
 */
#pragma once

#include "scheduler/base.h"

/* `about` is "site 3", "lot DEMO-1", "card 0102..."; control characters are written as '?'. */
void log_line(const char *about, const char *format, ...) PRINTF_LIKE(2, 3);
