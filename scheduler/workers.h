/*
 * workers.h - pinned threads for work that would hold up the loop.
 *
 * The only threads of Gangway: pools for AES-GCM (as many as the station file says), the store (one
 * thread), each card reader (one thread) and calls to a license server (four). A job owns what it was
 * given until it returns; its completion enters the ring. Work under about 15 us is cheaper done in
 * place.
 *
 * A pool of 0 threads, and every pool under virtual time, runs its jobs at once in the caller.
 */
#pragma once

#include "scheduler/base.h"

struct workers;

/* `cpus[i]` pins thread i; NULL or -1 leaves it to the kernel. Signals are blocked in the threads.
 */
int workers_create(const char *name, unsigned count, const int *cpus,
                   struct workers **ret_workers) MUST_USE;

/* Waits for running jobs, joins the threads, frees. NULL is fine; returns NULL. */
struct workers *workers_destroy(struct workers *workers);

/* Threads in the pool (0 runs in place). */
unsigned workers_count(const struct workers *workers);

/* Run one job on some thread (waits); first come, first served. Returns the job's result and takes
 * over its fault sentence. A job cannot be cancelled: a cancel of the caller is reported later. */
int workers_run(struct workers *workers, int (*job)(void *argument), void *argument);

/* Run job(argument, 0 .. count - 1), spread over all threads (waits). Each index once. Returns the
 * failure with the lowest index, or 0. `workers` NULL runs in place. */
int workers_each(struct workers *workers, size_t count, int (*job)(void *argument, size_t index),
                 void *argument);
