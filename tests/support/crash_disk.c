/*
 * crash_disk.c - a disk for SQLite that forgets what was not synced.
 *
 * A VFS above SQLite's own. Of the database and its log each open file is held in memory as the
 * program sees it, with the list of writes since the last sync; a sync carries them out below, in
 * order. The disk below is taken to be honest: once synced, a write stays. Locks and the shared
 * index go straight through: the index is made anew from the log by the first connection
 * (sqlite.org/walformat.html, section 2.1), so it need not survive.
 */
#include "tests/support/crash.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX   (4u << 20)
#define WRITES_MAX 512u

struct write {
        sqlite3_int64 offset;
        int length; /* -1: truncate to offset */
        void *bytes;
};

struct disk_file {
        sqlite3_file base;
        struct disk_file *next; /* of the held ones */
        const char *name;       /* "db", "log" */
        uint8_t *image;         /* NULL: not held, all goes through */
        sqlite3_int64 length;
        struct write writes[WRITES_MAX];
        unsigned count;
        sqlite3_file *below;
};

static sqlite3_vfs disk, *under;
static struct disk_file *held;

static struct disk_file *of(sqlite3_file *file)
{
        return (struct disk_file *)file;
}

/* --- writes ahead of their sync ------------------------------------------------------------ */

static void carry_out(struct disk_file *file, const struct write *write, bool in_half)
{
        sqlite3_file *below = file->below;
        int length = in_half ? write->length / 2 : write->length;

        if (write->length < 0)
                INSIST(below->pMethods->xTruncate(below, write->offset) == SQLITE_OK);
        else if (length > 0)
                INSIST(below->pMethods->xWrite(below, write->bytes, length, write->offset) ==
                       SQLITE_OK);
}

static void forget(struct disk_file *file)
{
        for (unsigned i = 0; i < file->count; i++)
                free(file->writes[i].bytes);
        file->count = 0;
}

static void carry_out_all(struct disk_file *file)
{
        for (unsigned i = 0; i < file->count; i++)
                carry_out(file, &file->writes[i], false);
        forget(file);
}

static void remember(struct disk_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
        struct write *write = &file->writes[file->count++];

        INSIST(file->count <= WRITES_MAX);
        *write = (struct write){ .offset = offset, .length = length };
        if (length > 0) {
                write->bytes = malloc((size_t)length);
                INSIST(write->bytes);
                memcpy(write->bytes, bytes, (size_t)length);
        }
}

bool crash_disk_has_unsynced(void)
{
        for (const struct disk_file *file = held; file; file = file->next)
                if (file->count > 0)
                        return true;
        return false;
}

void crash_disk_leave(enum crash_power power)
{
        for (struct disk_file *file = held; file; file = file->next) {
                for (unsigned i = 0; i < file->count; i++) {
                        bool is_there = power == POWER_STAYS || power == POWER_LOST_MIDST ||
                                        (power == POWER_LOST_SOME && i % 2 == 1);

                        if (is_there)
                                carry_out(file, &file->writes[i], power == POWER_LOST_MIDST);
                }
        }
}

/* --- the methods of a held file ------------------------------------------------------------ */

static int disk_close(sqlite3_file *handle)
{
        struct disk_file *file = of(handle);

        if (file->image) {
                carry_out_all(file);
                for (struct disk_file **link = &held; *link; link = &(*link)->next)
                        if (*link == file) {
                                *link = file->next;
                                break;
                        }
                free(file->image);
        }
        return file->below->pMethods->xClose(file->below);
}

static int disk_read(sqlite3_file *handle, void *bytes, int length, sqlite3_int64 offset)
{
        struct disk_file *file = of(handle);
        sqlite3_int64 there = file->length - offset;

        if (!file->image)
                return file->below->pMethods->xRead(file->below, bytes, length, offset);
        if (there >= length) {
                memcpy(bytes, file->image + offset, (size_t)length);
                return SQLITE_OK;
        }
        memset(bytes, 0, (size_t)length);
        if (there > 0)
                memcpy(bytes, file->image + offset, (size_t)there);
        return SQLITE_IOERR_SHORT_READ;
}

static int disk_write(sqlite3_file *handle, const void *bytes, int length, sqlite3_int64 offset)
{
        struct disk_file *file = of(handle);

        if (!file->image)
                return file->below->pMethods->xWrite(file->below, bytes, length, offset);
        INSIST(offset + length <= FILE_MAX);
        remember(file, bytes, length, offset);
        memcpy(file->image + offset, bytes, (size_t)length);
        if (offset + length > file->length)
                file->length = offset + length;
        crash_point("write of %d to the %s", length, file->name);
        return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *handle, sqlite3_int64 length)
{
        struct disk_file *file = of(handle);

        if (!file->image)
                return file->below->pMethods->xTruncate(file->below, length);
        remember(file, NULL, -1, length);
        if (length < file->length)
                memset(file->image + length, 0, (size_t)(file->length - length));
        file->length = length;
        crash_point("write: the %s made shorter", file->name);
        return SQLITE_OK;
}

static int disk_sync(sqlite3_file *handle, int flags)
{
        struct disk_file *file = of(handle);

        if (!file->image)
                return file->below->pMethods->xSync(file->below, flags);
        carry_out_all(file);
        crash_point("write: the %s synced", file->name);
        return SQLITE_OK;
}

static int disk_size(sqlite3_file *handle, sqlite3_int64 *ret_length)
{
        struct disk_file *file = of(handle);

        if (!file->image)
                return file->below->pMethods->xFileSize(file->below, ret_length);
        *ret_length = file->length;
        return SQLITE_OK;
}

/* --- what goes through --------------------------------------------------------------------- */

#define BELOW(file) of(file)->below->pMethods

static int pass_lock(sqlite3_file *file, int kind)
{
        return BELOW(file)->xLock(of(file)->below, kind);
}
static int pass_unlock(sqlite3_file *file, int kind)
{
        return BELOW(file)->xUnlock(of(file)->below, kind);
}
static int pass_check_lock(sqlite3_file *file, int *ret_is_locked)
{
        return BELOW(file)->xCheckReservedLock(of(file)->below, ret_is_locked);
}
static int pass_control(sqlite3_file *file, int operation, void *argument)
{
        return BELOW(file)->xFileControl(of(file)->below, operation, argument);
}
static int pass_sector(sqlite3_file *file)
{
        return BELOW(file)->xSectorSize(of(file)->below);
}
static int pass_traits(sqlite3_file *file)
{
        /* no promise beyond the plainest disk's: SQLite must not count on atomic or ordered writes */
        (void)file;
        return 0;
}
static int pass_map(sqlite3_file *file, int page, int length, int extend, void volatile **ret_map)
{
        return BELOW(file)->xShmMap(of(file)->below, page, length, extend, ret_map);
}
static int pass_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
        return BELOW(file)->xShmLock(of(file)->below, offset, count, flags);
}
static void pass_barrier(sqlite3_file *file)
{
        BELOW(file)->xShmBarrier(of(file)->below);
}
static int pass_unmap(sqlite3_file *file, int remove)
{
        return BELOW(file)->xShmUnmap(of(file)->below, remove);
}

static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = disk_close,
        .xRead = disk_read,
        .xWrite = disk_write,
        .xTruncate = disk_truncate,
        .xSync = disk_sync,
        .xFileSize = disk_size,
        .xLock = pass_lock,
        .xUnlock = pass_unlock,
        .xCheckReservedLock = pass_check_lock,
        .xFileControl = pass_control,
        .xSectorSize = pass_sector,
        .xDeviceCharacteristics = pass_traits,
        .xShmMap = pass_map,
        .xShmLock = pass_shm_lock,
        .xShmBarrier = pass_barrier,
        .xShmUnmap = pass_unmap,
};

/* --- opening ------------------------------------------------------------------------------- */

static void hold(struct disk_file *file, const char *name)
{
        sqlite3_file *below = file->below;

        file->name = name;
        file->image = calloc(1, FILE_MAX);
        INSIST(file->image);
        INSIST(below->pMethods->xFileSize(below, &file->length) == SQLITE_OK);
        INSIST(file->length <= FILE_MAX);
        if (file->length > 0)
                INSIST(below->pMethods->xRead(below, file->image, (int)file->length, 0) ==
                       SQLITE_OK);
        file->next = held;
        held = file;
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *handle, int flags,
                     int *ret_flags)
{
        struct disk_file *file = of(handle);
        int r;

        (void)vfs;
        memset(file, 0, sizeof(*file));
        file->below = (sqlite3_file *)(file + 1);
        r = under->xOpen(under, name, file->below, flags, ret_flags);
        /* without methods SQLite does not close the file (sqlite.org/c3ref/io_methods.html) */
        if (r != SQLITE_OK)
                return r;
        file->base.pMethods = &methods;
        if (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))
                hold(file, flags & SQLITE_OPEN_WAL ? "log" : "database");
        return SQLITE_OK;
}

void crash_disk_install(void)
{
        under = sqlite3_vfs_find(NULL);
        disk = *under; /* names, clock, chance, deletion: its own */
        disk.zName = "crash";
        disk.szOsFile = (int)sizeof(struct disk_file) + under->szOsFile;
        disk.xOpen = disk_open;
        INSIST(sqlite3_vfs_register(&disk, 1) == SQLITE_OK);
}
