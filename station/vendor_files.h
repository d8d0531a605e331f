/*
 * vendor_files.h - the private folder in which one run of the vendor's tool finds its files.
 *
 * A license must be a file for the tool, so it lies open on a file system for as long as the tool runs:
 * in memory where there is one of (XDG_RUNTIME_DIR, else /dev/shm), else under the data directory;
 * 0600, in a folder of 0700 that belongs to this station alone. The folder goes when the run is over,
 * however it ended, and what a crash left behind goes at the next start.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#define VENDOR_PATH_MAX 448u
#define VENDOR_NAME_MAX 100u /* of a file in it */

/* At start, before any run: remove what an earlier process with this data directory left, which it
 * holds the lock of. Says how many folders there were. Never waits. */
unsigned vendor_files_sweep(const char *data_directory);

/* Make a folder; its path in `ret_directory`. Never waits.
 *      -FAULT_SYSTEM  none of the three places will do; says why */
int vendor_files_make(const char *data_directory,
                      char ret_directory[static VENDOR_PATH_MAX]) MUST_USE;

/* Put a file into it, 0600 (waits); its path in `ret_path`. */
int vendor_files_put(const char *directory, const char *name, const struct piece *piece,
                     char ret_path[static VENDOR_PATH_MAX]) MUST_USE;

/* Overwrite and remove all there is in it, and itself. "" is fine; empties `directory`. Never waits.
 *      -FAULT_SYSTEM  something is left; its name is told */
int vendor_files_remove(char directory[static VENDOR_PATH_MAX]) MUST_USE;
