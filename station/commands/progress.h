/*
 * progress.h - a line on the terminal about work that takes its time.
 *
 * Nothing is shown unless stderr is a terminal and the work has gone on for half a second; the line
 * is erased when it ends. Words about what was done belong to the command.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

struct progress {
        const char *what; /* "sealing app.sfi": borrowed until the next or the end */
        size_t length;    /* of what is worked on; 0: not known */
        uint64_t began_ns;
        bool is_shown;
        struct fiber *fiber; /* NULL: no terminal */
};

/* From here on `progress` must stay where it is. */
void progress_begin(struct progress *progress, const char *what);

/* What is done next. */
void progress_next(struct progress *progress, const char *what, size_t length);

/* For CLEANUP(progress_end): erases the line (waits). A second call does nothing. */
void progress_end(struct progress *progress);
