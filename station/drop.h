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
 * NAME is the whole name of the order file: demo.yaml.ack. Answers are also left beside the claimed
 * order (.ack in work/). Nothing is deleted or overwritten: where NAME is taken in work/,
 * done/DATE/ or err/, the order and its answers become demo-2.yaml, and a name longer than 200
 * bytes is shortened; the answers tell the name the writer gave. Only orders move, images stay in
 * in/.
 *
 * inotify gives speed, a slow scan gives certainty; the folder is scanned at start, and what lies
 * in work/ from an earlier run is offered again first, unless another reader holds it. A file is
 * claimed once it has looked the same for 200 ms by the loop's clock, and rejected when it is still
 * being written after 30 s. At most 1000 files are looked at in one scan.
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
        char name[256];     /* "demo.yaml", as the writer called it */
        char path[512];     /* in work/; its own name may be shorter or counted, "demo-2.yaml" */
        bool is_resumed;    /* it was in work/ at start */
        struct bytes *text; /* owned; see drop_order_free */
        int lock;           /* drop.c's: the claimed file, locked while it is ours */
};

/* Wait for the next order and claim it (waits). Never fails for a bad file: a file that cannot be
 * read is answered with .err and skipped. What was claimed when it failed is offered again.
 *      -FAULT_CANCELLED
 *      -FAULT_SYSTEM     the folder itself cannot be read or written */
int drop_next(struct drop *drop, struct drop_order **ret_order) MUST_USE;

/* Answers (wait). Each writes its file under a temporary name and renames. */
int drop_accept(struct drop *drop, const struct drop_order *order,
                const struct order *accepted) MUST_USE;
int drop_reject(struct drop *drop, const struct drop_order *order,
                const struct order_error *error) MUST_USE;

/* What a finished order is answered with, each beside it under its name and a suffix; NULL leaves
 * one out. */
struct drop_result {
        const char *json, *csv;          /* .result.json, .units.csv */
        const void *receipt, *signature; /* .receipt, .receipt.sig */
        size_t receipt_length, signature_length;
};

/* Move the finished order and its answers to done/DATE/, adding the results (borrowed). */
int drop_finish(struct drop *drop, const struct drop_order *order,
                const struct drop_result *result) MUST_USE;

struct drop_order *drop_order_free(struct drop_order *order);

/* DIRECTORY/in, which the relative names in an order are taken from. Borrowed. */
const char *drop_incoming(const struct drop *drop);

/* Orders seen in in/ and not yet claimed. */
unsigned drop_waiting(const struct drop *drop);

/* All that was seen has been taken up, and whoever called drop_next for more waits. */
bool drop_is_idle(const struct drop *drop);
