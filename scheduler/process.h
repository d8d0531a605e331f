/*
 * process.h - one run of another program: started, read line by line, timed, ended.
 *
 * The fiber that calls process_run() waits until the program and everything it started are gone.
 * Nothing is inherited but what is named here: descriptors 0 (/dev/null), 1 and 2 (one pipe to us),
 * the given directory, the given environment, default signals. The program leads a process group of
 * its own, so that what it starts ends with it; only what leaves that group by setsid(2) escapes.
 * When this process dies, however it dies, the kernel kills the program (not what the program started,
 * which hears of it when it next writes: nobody reads its output any more).
 *
 * Real time only: under virtual time another program's pace would decide what happens, so
 * process_run() refuses. Tests of what uses it run in real time with short pauses.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define PROCESS_LINE_MAX 1024u /* bytes of a line that are kept; the rest of it is dropped */

struct process_order {
        const char *program;            /* a path, not looked for in PATH */
        const char *const *arguments;   /* from argv[0] on, NULL at the end */
        const char *const *environment; /* "NAME=value", NULL at the end */
        const char *directory;          /* to work in; NULL: ours */
        uint64_t limit_ns;              /* for the whole run; WAIT_FOREVER never */
        uint64_t grace_ns;              /* between SIGTERM and SIGKILL; 0 is two seconds */
        size_t output_max;              /* bytes of output at most; 0 is 4 MiB */

        /* One line of standard output or error, in the order they came, without its end ("\n" or "\r",
         * as progress bars use it); empty lines are left out. NUL-terminated, and may hold any other
         * byte; borrowed until it returns. Must not wait. */
        void (*line)(void *subject, const char *text, size_t length);
        void *subject;
};

struct process_end {
        bool was_started;
        bool was_killed; /* by a signal, ours or another's */
        int code;        /* exit code, or the number of the signal */
        size_t output;   /* bytes that came */
        uint64_t took_ns;
};

/* Run it to its end (waits). All of `order` is borrowed. 0 when it ended by itself, whatever its exit
 * code; `ret_end` is filled in every case. Otherwise the program was ended first (SIGTERM to its group,
 * after the grace SIGKILL) and its last words were still delivered:
 *      -FAULT_NOT_FOUND, -FAULT_SYSTEM  it could not be started
 *      -FAULT_TIMEOUT                   the limit passed
 *      -FAULT_CANCELLED                 the fiber was cancelled; a second cancel skips the grace
 *      -FAULT_TOO_LARGE                 more output than allowed
 *      -FAULT_BAD_VALUE                 under virtual time */
int process_run(const struct process_order *order, struct process_end *ret_end) MUST_USE;
