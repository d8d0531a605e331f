/*
 * pool.h - threads for one pass over much memory: one pinned to each CPU.
 */
#pragma once

#include "scheduler/workers.h"

/* One thread on each CPU this program may run on; where that is one, a pool that works in place. */
int pool_create(struct workers **ret_pool) MUST_USE;

/* For CLEANUP(pool_destroy) (waits). */
void pool_destroy(struct workers **pool);
