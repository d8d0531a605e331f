/*
 * result.h - what a finished lot leaves behind for the MES.
 */
#pragma once

#include "scheduler/base.h"

struct lot;
struct station;

/* The summary as JSON (order, counts, yields with their definitions' names, license balance, lost
 * licenses by name) and one CSV row per attempt (waits). Both given (free).
 *      -FAULT_STORE */
int result_texts(struct station *station, const struct lot *lot, char **ret_json,
                 char **ret_csv) MUST_USE;
