/*
 * drop_folder.h - what drop.c (orders in) and drop_answer.c (answers out) share.
 */
#pragma once

#include "scheduler/bytes.h"
#include "station/drop.h"

#include <sys/stat.h>

#define DROP_DIRECTORY_MAX 200u /* of the drop folder's own path */
#define DROP_NAME_MAX      200u /* longer names are shortened, so that answers' names fit in 255 */
#define DROP_PATH_MAX      768u

/* A file in in/ as it looked last, and since when. */
struct look {
        char *name;
        struct stat status;
        uint64_t since_ns; /* looks like this; 0 not looked at yet */
        uint64_t first_ns; /* looked at first */
        bool is_answered;  /* it could not be claimed, and that was said */
};

struct names {
        char **name;
        size_t count, capacity;
};

struct drop {
        char in[256], work[256], done[256], err[256];
        unsigned scan_s;
        int notices; /* inotify */

        struct names pending; /* in work/, to be offered first */

        struct look *looks; /* sorted by name; this pass goes on at `look_at` */
        size_t look_count, look_at;
        bool has_scanned, is_unsettled, is_listening;
        uint64_t scanned_ns;
        unsigned waiting;
};

/* Rename without overwriting, also where the file system has no RENAME_NOREPLACE. -errno. */
int drop_move(const char *from, const char *to) MUST_USE;

/* "demo.yaml" with number 2: "demo-2.yaml"; number 1 leaves it. `ret_name` holds 256. */
void drop_number(const char *name, unsigned number, char ret_name[static 256]);

/* Answer a file that is in in/ and cannot be moved (waits). */
int drop_refuse_in_place(struct drop *drop, const char *name,
                         const struct order_error *error) MUST_USE;
