/*
 * answer.h - the answer of a command for programs (--json): an object on standard output.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <jansson.h>

/* Print `object` (given), indented, and return `exit_code`.
 *      -FAULT_SYSTEM  there is none: a text in it is not UTF-8, or memory ran out */
int answer_json(json_t *object, int exit_code) MUST_USE;

/* `text` as a value (given to the caller): names of files need not be UTF-8, JSON must be. */
json_t *answer_text(const char *text);
