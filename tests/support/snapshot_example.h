/*
 * snapshot_example.h - a made-up line for tests of the page and for looking at it.
 */
#pragma once

#include "web-status/snapshot.h"

/* Most cards cards_example() makes. */
#define EXAMPLE_CARDS 16u

/* `sites` sites in every state there is, two cards, a lot in full swing. Moves on with `tick`. */
void line_example(struct snapshot *ret_snapshot, unsigned sites, unsigned tick);

/* The same line with 0 to 16 cards, two firmware identifiers and all states, and a lot whose cards
 * run short. */
void cards_example(struct snapshot *snapshot, unsigned cards);

/* Everything at its limit: 128 sites, 32 cards, 9 needs, 16 alarms, every string full of letters that JSON
 * must escape, every number its largest. */
void line_full(struct snapshot *ret_snapshot);
