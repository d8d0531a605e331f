/*
 * file.c - whole files, in and out.
 *
 * Reading trusts no size it was told: it reads until the end, and one byte over the limit refuses
 * the file. Writing goes to a hidden file beside the target, and the rename is the moment at which
 * the new content exists; whatever fails before it leaves the old one untouched and no rest.
 */
#include "scheduler/file.h"

#include "scheduler/fault.h"
#include "scheduler/inside.h"
#include "scheduler/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is read at first from a file that says it is empty, as those of /proc do. */
#define FIRST_PART 4096u

/* Of the target's name in the hidden one; NAME_MAX is 255. */
#define NAME_PART 200

/* Pieces handed to the kernel at once: 4 KiB of the fiber's stack; IOV_MAX would be 16. */
#define BATCH 256u

static void close_descriptor(const int *descriptor)
{
        if (*descriptor >= 0)
                (void)close(*descriptor); /* only read, or fsynced before: nothing can be lost */
}

static void free_text(char **text)
{
        free(*text);
}

/* --- reading ------------------------------------------------------------------------------- */

/* O_NONBLOCK keeps the open of a FIFO from waiting for a writer; a regular file must not keep it,
 * or some file systems answer EAGAIN. */
static int open_regular(const char *path, struct stat *ret_status)
{
        int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        if (descriptor < 0)
                return fault_errno(errno, "%s", path);
        if (fstat(descriptor, ret_status) < 0 || fcntl(descriptor, F_SETFL, O_RDONLY) < 0) {
                int error = errno;

                close(descriptor);
                return fault_errno(error, "%s", path);
        }
        if (S_ISREG(ret_status->st_mode))
                return descriptor;
        close(descriptor);
        return fault(FAULT_SYSTEM, "%s: it is not a regular file", path);
}

/* A file that grows meanwhile is read as far as it has grown. */
static void make_room(struct bytes *bytes, size_t limit)
{
        size_t capacity = bytes->length;
        struct bytes larger;

        capacity = capacity > limit / 2 ? limit + 1 : 2 * capacity;
        larger = bytes_new(capacity);
        memcpy(larger.data, bytes->data, bytes->length);
        bytes_wipe_free(bytes);
        *bytes = larger;
}

/* `bytes->length` is the capacity until the end is found. One byte more than the limit, so that
 * the end is seen, or what lies beyond. */
static int read_to_end(int descriptor, const char *path, size_t limit, struct bytes *bytes)
{
        size_t length = 0;

        for (;;) {
                ssize_t r = ring_read(descriptor, bytes->data + length, bytes->length - length,
                                      (off_t)length);

                if (r < 0)
                        return fault_prefix((int)r, "%s", path);
                if (r == 0)
                        break;
                length += (size_t)r;
                if (length > limit)
                        return fault(FAULT_TOO_LARGE, "%s: it has more than the %zu bytes allowed",
                                     path, limit);
                if (length == bytes->length)
                        make_room(bytes, limit);
        }
        bytes->length = length;
        return 0;
}

int file_read(const char *path, size_t limit, struct bytes *ret_bytes)
{
        struct bytes bytes CLEANUP(bytes_wipe_free) = { 0 };
        int descriptor CLEANUP(close_descriptor) = -1;
        struct stat status;
        int r;

        INSIST(limit < SIZE_MAX / 2);
        descriptor = open_regular(path, &status);
        if (descriptor < 0)
                return descriptor;
        if ((uintmax_t)status.st_size > limit)
                return fault(FAULT_TOO_LARGE, "%s: it has %jd bytes, at most %zu are allowed", path,
                             (intmax_t)status.st_size, limit);
        bytes = bytes_new(status.st_size > 0   ? (size_t)status.st_size + 1
                          : limit < FIRST_PART ? limit + 1
                                               : FIRST_PART);
        r = read_to_end(descriptor, path, limit, &bytes);
        if (r < 0)
                return r;
        *ret_bytes = bytes;
        bytes = (struct bytes){ 0 };
        return 0;
}

/* --- writing ------------------------------------------------------------------------------- */

static char *directory_of(const char *path)
{
        const char *slash = strrchr(path, '/');
        char *directory = !slash          ? strdup(".")
                          : slash == path ? strdup("/")
                                          : strndup(path, (size_t)(slash - path));

        INSIST(directory);
        return directory;
}

/* Makes ".NAME.PID-NUMBER" beside `path`; a name left over from a crash is passed by. */
static int create_hidden(const char *path, const char *directory, char **ret_hidden)
{
        static unsigned number;
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;

        for (;;) {
                char *hidden;
                int descriptor;

                INSIST(asprintf(&hidden, "%s/.%.*s.%d-%u", directory, NAME_PART, name,
                                (int)getpid(), number++) > 0);
                descriptor =
                        open(hidden, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (descriptor >= 0) {
                        *ret_hidden = hidden;
                        return descriptor;
                }
                free(hidden);
                if (errno != EEXIST)
                        return fault_errno(errno, "%s: making a file in %s", path, directory);
        }
}

/* What is still to be written. */
struct rest {
        const struct piece *pieces;
        size_t count;
        size_t done; /* bytes of the first piece that are written */
};

/* As many of the next pieces as fit; 0: nothing is left. */
static unsigned rest_gather(const struct rest *rest, struct iovec vectors[static BATCH])
{
        size_t done = rest->done;
        unsigned count = 0;

        for (size_t i = 0; i < rest->count && count < BATCH; i++) {
                const struct piece *piece = &rest->pieces[i];

                if (piece->length > done) /* the kernel only reads it */
                        vectors[count++] = (struct iovec){ (uint8_t *)(uintptr_t)piece->data + done,
                                                           piece->length - done };
                done = 0;
        }
        return count;
}

static void rest_advance(struct rest *rest, size_t written)
{
        rest->done += written;
        while (rest->count && rest->done >= rest->pieces->length) {
                rest->done -= rest->pieces->length;
                rest->pieces++;
                rest->count--;
        }
}

/* The kernel may write less than it was given, and end inside a piece. */
static int write_all(int descriptor, struct rest rest)
{
        struct iovec vectors[BATCH];
        off_t offset = 0;
        unsigned count;

        while ((count = rest_gather(&rest, vectors)) > 0) {
                ssize_t r = ring_write_vectors(descriptor, vectors, count, offset);

                if (r < 0)
                        return (int)r;
                offset += r;
                rest_advance(&rest, (size_t)r);
        }
        return 0;
}

static int fill_and_sync(int descriptor, const struct rest *rest, unsigned mode)
{
        int r;

        if (fchmod(descriptor, (mode_t)mode) < 0)
                return fault_errno(errno, "setting mode %04o", mode);
        r = write_all(descriptor, *rest);
        if (r < 0)
                return r;
        return ring_fsync(descriptor);
}

/* The rename itself lasts only when the directory is on disk. The new content is visible by now, so
 * a cancel must not make it look as if nothing had happened. */
static int sync_directory(const char *directory)
{
        int descriptor CLEANUP(close_descriptor) =
                open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (descriptor < 0)
                return fault_errno(errno, "opening %s", directory);
        return ring_fsync_firmly(descriptor);
}

int file_write_pieces(const char *path, const struct piece *pieces, size_t count, unsigned mode)
{
        const struct rest rest = { .pieces = pieces, .count = count };
        char *directory CLEANUP(free_text) = directory_of(path);
        char *hidden CLEANUP(free_text) = NULL;
        int descriptor CLEANUP(close_descriptor) = create_hidden(path, directory, &hidden);
        int r;

        if (descriptor < 0)
                return descriptor;
        r = fill_and_sync(descriptor, &rest, mode);
        if (r == 0 && rename(hidden, path) < 0)
                r = fault_errno(errno, "renaming %s", hidden);
        if (r < 0) {
                (void)unlink(hidden); /* the first failure is the one to tell */
                return fault_prefix(r, "%s", path);
        }
        return fault_prefix(sync_directory(directory), "%s", path);
}

int file_write(const char *path, const void *data, size_t length, unsigned mode)
{
        return file_write_pieces(path, &(struct piece){ data, length }, 1, mode);
}
