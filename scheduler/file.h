/*
 * file.h - whole files, in and out.
 *
 * Small metadata calls (open, stat, rename) are made directly: they are cheaper than a trip through
 * the ring (measured 3 times); data and fsync go through the ring (waits). Works only on a fiber.
 */
#pragma once

#include "scheduler/bytes.h"

/* Read all of `path`, at most `limit` bytes (waits). Refuses anything but a regular file.
 *      -FAULT_NOT_FOUND, -FAULT_TOO_LARGE, -FAULT_SYSTEM; the sentence names the file */
int file_read(const char *path, size_t limit, struct bytes *ret_bytes) MUST_USE;

/* Replace `path` in one step (waits): written beside it under a temporary name that starts with a
 * dot, fsynced, renamed, directory fsynced. `mode` is exact, 0600 for anything secret. */
int file_write(const char *path, const void *data, size_t length, unsigned mode) MUST_USE;

/* The same from `count` pieces, gathered as they are written: no copy of the whole is made. Pieces may
 * be empty, and there may be any number of them. */
int file_write_pieces(const char *path, const struct piece *pieces, size_t count,
                      unsigned mode) MUST_USE;
