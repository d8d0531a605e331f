/*
 * ring.h - waiting for the kernel.
 *
 * Each call hands one request to the ring and waits for its completion. Buffers stay untouched by
 * anyone else until the call returns, which is never before the kernel is done, even after a
 * cancel. A failure is -FAULT_SYSTEM (or what fault_errno makes of it) or -FAULT_CANCELLED.
 */
#pragma once

#include "scheduler/base.h"

#include <sys/types.h>
#include <sys/uio.h>

/* Up to `length` bytes (waits). Returns how many; 0 is the end. `offset` -1: the file's position.
 */
ssize_t ring_read(int descriptor, void *buffer, size_t length, off_t offset) MUST_USE;
ssize_t ring_write(int descriptor, const void *buffer, size_t length, off_t offset) MUST_USE;

/* The same for `count` vectors (at most IOV_MAX), one behind the other. What is written may end inside
 * one. The vectors too are the kernel's until the call returns. */
ssize_t ring_write_vectors(int descriptor, const struct iovec *vectors, unsigned count,
                           off_t offset) MUST_USE;

int ring_fsync(int descriptor) MUST_USE;

/* Wait until one of `events` (POLLIN ...) holds (waits). Returns the events; -FAULT_TIMEOUT after
 * `timeout_ns` (WAIT_FOREVER: never). One-shot. Does not hold virtual time. */
int ring_poll(int descriptor, unsigned events, uint64_t timeout_ns) MUST_USE;
