/*
 * target_spelling.h - ST's way to write a verb: `gangway target -c port=SWD mode=HOTPLUG -gc FILE`.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#define SPELLING_WORDS_MAX 96

/* Turn ST's words into ours. `argv[1]` is "target" and `argv[2]` an option: the verb among them (-gc,
 * -dsecurity, -setdefaultob, -ob, -r8 -r16 -r32 -u, -w, -e, -rst, -rdu, -l, and debugauth=1 and =2) moves to the front with
 * what belongs to it. `ret_argv` holds SPELLING_WORDS_MAX pointers, borrowed from `argv` and constants;
 * it ends in NULL. Returns how many words, 0: there is no verb of ST's.
 *      -FAULT_BAD_VALUE  two verbs in one line, or more words than fit */
int target_spelling(int argc, char **argv, char **ret_argv) MUST_USE;
