/*
 * lot_plan.h - what a lot still wants of the cards, and whether they have it.
 *
 * A lot does not begin before every kind of license it takes from cards can be had, and no unit of it
 * starts while one of them cannot: a license of one kind is worth nothing without the others.
 */
#pragma once

#include "station/lot.h"

struct station;

/* Look at the cards that are in: hold the lot or let it go on, and tell once what will run short.
 * Never waits. Returns when to look again, in nanoseconds from now. */
uint64_t lot_plan(struct station *station, struct lot *lot);
