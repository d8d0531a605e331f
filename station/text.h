/*
 * text.h - words from outside: what may stand in them, and how they are read aloud in a sentence.
 *
 * Used by the readers of orders and station files. Nothing here waits, allocates or fails.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

/* How many bytes from the start are UTF-8 text without control characters (tab, line feed and
 * carriage return may stand); `length` when all are. */
size_t text_clean(const void *text, size_t length);

/* The line, from 1, that the byte at `offset` stands in. */
unsigned text_line(const void *text, size_t offset);

/* One line of clean text, no space at either end, 1 .. capacity - 1 bytes. */
bool text_is_label(const char *text, size_t capacity);

/* A label of printable ASCII only. */
bool text_is_ascii(const char *text, size_t capacity);

/* [A-Za-z0-9._-], not opening with a dot (such names become file names), 1 .. capacity - 1. */
bool text_is_name(const char *text, size_t capacity);

/* The nearest of `count` names, the first at `names`, each `stride` bytes after the other; NULL
 * when none is within two edits (three in long words). */
const char *text_nearest(const char *word, const char *const *names, size_t stride, size_t count);

/* `name` taken from `directory` unless it is absolute; false when it does not fit. */
bool text_resolve(const char *directory, const char *name, char *ret_path,
                  size_t capacity) MUST_USE;

/* A component of `path` is "..". */
bool text_climbs(const char *path);
