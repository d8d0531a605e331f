/*
 * snapshot_example.h - a made-up line for tests of the page and for looking at it.
 */
#pragma once

#include "web-status/snapshot.h"

/* `sites` sites in every state there is, two cards, a lot in full swing. Moves on with `tick`. */
void line_example(struct snapshot *ret_snapshot, unsigned sites, unsigned tick);

/* Everything at its limit: 128 sites, 32 cards, 16 alarms, every string full of letters that JSON
 * must escape, every number its largest. */
void line_full(struct snapshot *ret_snapshot);
