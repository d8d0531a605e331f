/*
 * chance.h - the one source of chance.
 *
 * Streams are forked by label from the loop's seed, so what one site draws does not depend on what
 * another draws first: the same seed gives the same run. The generator (SplitMix64, xoshiro256**)
 * is not for secrets.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

struct chance {
        uint64_t state[4];
};

/* The stream named `label`, number `index`, of `seed`. */
struct chance chance_fork(uint64_t seed, const char *label, uint64_t index);

uint64_t chance_u64(struct chance *chance);

/* Uniform in 0 .. limit - 1; limit is above 0. */
uint64_t chance_below(struct chance *chance, uint64_t limit);

/* Uniform in low .. high, both included. */
uint64_t chance_between(struct chance *chance, uint64_t low, uint64_t high);

/* True once in `one_in` times; never when 0. */
bool chance_one_in(struct chance *chance, uint64_t one_in);

void chance_bytes(struct chance *chance, void *data, size_t length);
