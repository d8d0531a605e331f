/*
 * line_view.h - the line as `gangway status` and `gangway watch` show it. One place for both.
 */
#pragma once

#include "station/commands/screen.h"
#include "web-status/snapshot.h"

/* Lot, counts, licenses, sites, cards, alarms, in about `height` lines; sites and cards beyond that
 * are counted, not shown. */
void line_view_print(const struct screen *screen, FILE *to, const struct snapshot *snapshot,
                     unsigned height);

/* The yield table and the license balance of the lot. */
void line_view_yield(const struct screen *screen, FILE *to, const struct snapshot *snapshot);

/* issued = installed + in hand + lost */
bool line_view_adds_up(const struct snapshot_lot *lot);

/* "PASS", "FAIL", "ERROR", "ABORTED", "NOT PROVABLE" for a result as the snapshot names it; "" for
 * none. */
const char *line_view_word(const char *result);
enum tone line_view_tone(const char *result);

/* "12 good, 1 bad, 51 to go of 64, 13 licenses issued = ..." on one line, without its end. */
void line_view_progress(const struct snapshot *snapshot, char *text, size_t capacity);
