/*
 * vendor_bench.h - a line that installs by the stand-in of ST's tool, on the simulated bench.
 *
 * The stand-in (vendor_rig.h) prints; it has no probe. What it says it did is done to the simulated part by
 * a fiber here before success is told, so that the station finds afterwards what an install leaves.
 */
#pragma once

#include "tests/support/line.h"

#include <stdbool.h>

/* What an install leaves behind. */
enum leaves {
        LEAVES_CLOSED, /* flash written, SECURITY on, RDP level 1 or a closed product state */
        LEAVES_OPEN,   /* flash written, SECURITY on, else as it came */
        LEAVES_NOTHING,
        LEAVES_UNSECURED, /* flash written, SECURITY as it came */
        LEAVES_RSS_BOOT,  /* as the tool prepares it: TrustZone, RDP 0.5, boot into the RSS */
        LEAVES_ANOTHER,   /* another board is in the site */
        LEAVES_SILENCE,   /* the part has no power any more */
};
extern enum leaves vendor_bench_leaves; /* LEAVES_CLOSED again with each new line */

/* A line with one site and two cards that installs by the stand-in, for family "stm32h75x" when NULL, with an
 * RSSe where that family needs one. XDG_RUNTIME_DIR is set to a folder of its own. */
struct line *vendor_bench_line(const char *family);
void vendor_bench_end(struct line *line);

/* How often a run of the stand-in was seen under way, each time with the station's hands off the probe. */
extern unsigned vendor_bench_seen_running;

/* line_run() in real time. `script` may be NULL. */
int vendor_bench_run(struct line *line, int (*script)(void *context), void *context);

/* The lot ends after its first unit, however that went. */
void vendor_bench_one_unit(struct line *line);

/* One text from the station's database, "" for none; static. */
const char *vendor_bench_ask(const struct line *line, const char *query);

/* Files and folders that are left for the tool. */
unsigned vendor_bench_entries(void);

/* How often `words` stand in `text`. */
unsigned vendor_bench_count(const char *text, const char *words);

/* Until it is so (waits), at most 30 s; fails then. */
void vendor_bench_wait(struct line *line, bool (*is_so)(const struct line *line));
