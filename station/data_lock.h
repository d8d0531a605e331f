/*
 * data_lock.h - who works with a data directory and its cards: one process at a time.
 *
 * Looking at the ledger and importing licenses need no lock; asking cards does.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

/* Make the directory where it is missing, and lock DIRECTORY/station.lock. The lock is a descriptor
 * above 0; closing it, or the end of the process, gives it up. Never waits.
 *      -FAULT_STORE  another process holds it
 *      -FAULT_SYSTEM, -FAULT_NOT_FOUND  the directory cannot be made or written to */
int data_lock(const char *directory, int *ret_lock) MUST_USE;
