/*
 * captures.c - the folder of captures, and its limit.
 *
 * How much there is, is counted once at the start and then kept. Only when a new file passes the
 * limit is the folder listed: the oldest are deleted until a tenth is free, so that a line where
 * everything fails does not list it at every unit.
 */
#include "station/captures.h"

#include "scheduler/file.h"
#include "scheduler/loop.h"
#include "station/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".pcapng"
#define MIB    (1024ull * 1024)

struct kept_file {
        char path[600];
        uint64_t length;
        struct timespec made;
};

struct listing {
        struct kept_file *files;
        size_t count, capacity;
        uint64_t total;
};

/* --- what is there ------------------------------------------------------------------------- */

static void list_file(struct listing *listing, const char *directory, const char *name)
{
        struct kept_file file;
        struct stat status;
        size_t length = strlen(name), suffix = strlen(SUFFIX);

        if (length <= suffix || strcmp(name + length - suffix, SUFFIX) != 0)
                return;
        if ((size_t)snprintf(file.path, sizeof(file.path), "%s/%s", directory, name) >=
            sizeof(file.path))
                return;
        if (lstat(file.path, &status) < 0 || !S_ISREG(status.st_mode))
                return;
        file.length = (uint64_t)status.st_size;
        file.made = status.st_mtim;
        if (listing->count == listing->capacity) {
                listing->capacity = listing->capacity ? 2 * listing->capacity : 64;
                listing->files =
                        realloc(listing->files, listing->capacity * sizeof(*listing->files));
                INSIST(listing->files);
        }
        listing->files[listing->count++] = file;
        listing->total += file.length;
}

static void list_order(struct listing *listing, const char *directory, const char *order)
{
        char path[520];
        const struct dirent *entry;
        DIR *folder;

        snprintf(path, sizeof(path), "%s/%s", directory, order);
        folder = opendir(path);
        while (folder && (entry = readdir(folder)))
                list_file(listing, path, entry->d_name);
        if (folder)
                closedir(folder);
}

/* Every capture below `directory`; given. */
static struct listing list(const char *directory)
{
        struct listing listing = { 0 };
        const struct dirent *entry;
        DIR *folder = opendir(directory);

        while (folder && (entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        list_order(&listing, directory, entry->d_name);
        if (folder)
                closedir(folder);
        return listing;
}

static int compare_age(const void *a, const void *b)
{
        const struct kept_file *one = a, *other = b;

        if (one->made.tv_sec != other->made.tv_sec)
                return one->made.tv_sec < other->made.tv_sec ? -1 : 1;
        if (one->made.tv_nsec != other->made.tv_nsec)
                return one->made.tv_nsec < other->made.tv_nsec ? -1 : 1;
        return strcmp(one->path, other->path);
}

static void delete_file(struct kept_file *file)
{
        if (unlink(file->path) < 0)
                return;
        *strrchr(file->path, '/') = '\0';
        IGNORE(rmdir(file->path)); /* the order's folder, when this was its last */
}

static void make_room(struct captures *captures, uint64_t length)
{
        uint64_t wanted = captures->limit - captures->limit / 10, freed = 0;
        struct listing listing = list(captures->directory);
        size_t deleted = 0;

        if (listing.count)
                qsort(listing.files, listing.count, sizeof(*listing.files), compare_age);
        captures->total = listing.total;
        while (deleted < listing.count && captures->total + length > wanted) {
                delete_file(&listing.files[deleted]);
                captures->total -= listing.files[deleted].length;
                freed += listing.files[deleted++].length;
        }
        free(listing.files);
        if (deleted)
                log_line("captures", "the %zu oldest were deleted, %llu KiB, to keep to capture_mb",
                         deleted, (unsigned long long)(freed >> 10));
}

/* --- a new one ----------------------------------------------------------------------------- */

void captures_open(struct captures *captures, const struct settings *settings)
{
        struct listing listing;

        *captures =
                (struct captures){ .rule = settings->capture_mb ? settings->capture : CAPTURE_NONE,
                                   .limit = settings->capture_mb * MIB };
        snprintf(captures->directory, sizeof(captures->directory), "%.240s/captures",
                 settings->data_directory);
        listing = list(captures->directory);
        captures->total = listing.total;
        free(listing.files);
}

struct recorder *captures_recorder(const struct captures *captures)
{
        if (captures->rule == CAPTURE_NONE)
                return NULL;
        return recorder_create(captures->rule == CAPTURE_ALL ? RECORDER_WHOLE : RECORDER_LATELY);
}

static int make_directory(const char *path)
{
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return fault_errno(errno, "%s", path);
        return 0;
}

/* "ORDER/UNIT-ATTEMPT-20261124T123456789Z.pcapng": no colon, for shells and other systems. A unit that
 * was never read goes by its site, "unread.SITE". */
static void name_file(const struct record *record, char *name, size_t capacity)
{
        char stamp[25], plain[25];
        size_t length = 0;

        clock_iso8601(record->ended_us ? record->ended_us : clock_calendar_us(), stamp);
        for (const char *c = stamp; *c; c++)
                if (*c != '-' && *c != ':' && *c != '.')
                        plain[length++] = *c;
        plain[length] = '\0';
        snprintf(name, capacity, "%s/%s%s-%u-%s" SUFFIX, record->order,
                 record->unit[0] ? "" : "unread.", record->unit[0] ? record->unit : record->site,
                 record->attempt, plain);
}

static void describe(const struct record *record, const char *hardware, struct capture_about *about)
{
        *about = (struct capture_about){ 0 };
        snprintf(about->comment, sizeof(about->comment),
                 "order %s, unit %s, attempt %u, site %s\n%s%s%s%s%s%s%s", record->order,
                 record->unit[0] ? record->unit : "never read", record->attempt, record->site,
                 result_name(record->result), record->fault[0] ? " " : "", record->fault,
                 record->fault[0] ? " at " : "", record->fault[0] ? record->step : "",
                 record->fault[0] ? ": " : "", record->sentence);
        snprintf(about->interface, sizeof(about->interface), "site %s", record->site);
        snprintf(about->hardware, sizeof(about->hardware), "%s", hardware);
}

static int write_file(struct captures *captures, const char *name, const struct bytes *file)
{
        char path[256 + CAPTURE_NAME_MAX + 1], *slash;
        int r = make_directory(captures->directory);

        snprintf(path, sizeof(path), "%s/%s", captures->directory, name);
        slash = strrchr(path, '/');
        *slash = '\0';
        if (r == 0)
                r = make_directory(path);
        *slash = '/';
        if (r == 0)
                r = file_write(path, file->data, file->length, 0600);
        if (r == 0)
                captures->total += file->length;
        return r;
}

int captures_keep(struct captures *captures, const struct recorder *recorder,
                  const struct record *record, const char *hardware, char *ret_name)
{
        CLEANUP(bytes_free) struct bytes file = { 0 };
        char end[400] = "", name[CAPTURE_NAME_MAX];
        struct capture_about about;
        int r;

        ret_name[0] = '\0';
        if (!recorder || (captures->rule == CAPTURE_FAILURES && record->result == RESULT_PASS))
                return 0;
        describe(record, hardware, &about);
        snprintf(end, sizeof(end), "%s%s%s%s%s", result_name(record->result),
                 record->fault[0] ? " " : "", record->fault, record->fault[0] ? ": " : "",
                 record->sentence);
        IGNORE(recorder_export(recorder, &about, end, &file));
        if (file.length > captures->limit)
                return fault(FAULT_TOO_LARGE,
                             "the capture of %zu bytes is larger than capture_mb allows; raise it",
                             file.length);
        if (captures->total + file.length > captures->limit)
                make_room(captures, file.length);
        name_file(record, name, sizeof(name));
        r = write_file(captures, name, &file);
        if (r < 0)
                return r;
        memcpy(ret_name, name, sizeof(name));
        return 0;
}
