/*
 * drop.h - the drop folder: orders in, answers out (factory.md; states are directories).
 *
 *   in/    writers put orders here under a temporary name and rename; names that start with a dot
 * or end in .tmp, .inprogress, .part are not looked at; *.yaml and *.yml are orders, files they
 *          name may lie beside them
 *   work/  claimed by renaming: whoever renames owns it
 *   done/YYYY-MM-DD/  finished, with NAME.ack and NAME.result.json and NAME.units.csv
 *   err/   rejected, with NAME.err (code, line, sentence, remedy, time)
 *
 * Answers are also left beside the claimed order (.ack in work/, .err in err/). Nothing is deleted.
 * inotify gives speed, a slow scan gives certainty; the folder is scanned at start, and what lies
 * in work/ from an earlier run is offered again first. A file younger than its last change by less
 * than 200 ms is left for the next look. At most 1000 files are looked at in one scan.
 */
#pragma once

#include "station/order.h"

struct drop;

/* Make the folders, start watching (waits).
 *      -FAULT_SYSTEM */
int drop_open(const char *directory, unsigned scan_s, struct drop **ret_drop) MUST_USE;
struct drop *drop_close(struct drop *drop);

/* A claimed order file. */
struct drop_order {
        char name[256];     /* "demo.yaml" */
        char path[512];     /* in work/ */
        bool is_resumed;    /* it was in work/ at start */
        struct bytes *text; /* owned; see drop_order_free */
};

/* Wait for the next order and claim it (waits). -FAULT_CANCELLED; never fails for a bad file: a
 * file that cannot be read is answered with .err and skipped. */
int drop_next(struct drop *drop, struct drop_order **ret_order) MUST_USE;

/* Answers (wait). Each writes its file under a temporary name and renames. */
int drop_accept(struct drop *drop, const struct drop_order *order,
                const struct order *accepted) MUST_USE;
int drop_reject(struct drop *drop, const struct drop_order *order,
                const struct order_error *error) MUST_USE;

/* Move the finished order and its answers to done/DATE/, adding result texts (borrowed). */
int drop_finish(struct drop *drop, const struct drop_order *order, const char *result_json,
                const char *units_csv) MUST_USE;

struct drop_order *drop_order_free(struct drop_order *order);

/* Orders seen in in/ and not yet claimed. */
unsigned drop_waiting(const struct drop *drop);
