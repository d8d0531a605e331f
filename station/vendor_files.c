/*
 * vendor_files.c - private folders for the vendor's tool: where, how, and gone again.
 *
 * PLACE/gangway-vendor-HASH belongs to the station whose data directory has that hash; each run has a
 * folder of its own in it. /dev/shm is open to all, so the first must be ours and a real folder.
 */
#include "station/vendor_files.h"

#include "crypto/digest.h"
#include "scheduler/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACES 3u
#define DEPTH  16 /* descriptors of nftw(3): the tool makes shallow folders */
#define OVER   4096u

/* The folder of this station in the place of that number: false when there is no such place. */
static bool folder_at(const char *data_directory, unsigned place, char folder[VENDOR_PATH_MAX])
{
        const char *const places[PLACES] = { getenv("XDG_RUNTIME_DIR"), "/dev/shm",
                                             data_directory };
        char real[4096], hash[2 * DIGEST_LENGTH + 1];
        uint8_t digest[DIGEST_LENGTH];
        int length;

        if (!places[place] || places[place][0] != '/')
                return false;
        if (!realpath(data_directory, real))
                return false;
        digest_sha256(real, strlen(real), digest);
        hex_encode(digest, sizeof(digest), hash);
        length = snprintf(folder, VENDOR_PATH_MAX, "%s/gangway-vendor-%.16s", places[place], hash);
        return length > 0 && length < (int)(VENDOR_PATH_MAX - VENDOR_NAME_MAX - 16);
}

/* --- removing ------------------------------------------------------------------------------ */

/* In memory it makes no difference; under the data directory the next file may take the same blocks. */
static void overwrite(const char *path, off_t length)
{
        static const uint8_t zeros[OVER];
        int descriptor = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

        for (off_t at = 0; descriptor >= 0 && at < length; at += OVER)
                if (pwrite(descriptor, zeros,
                           length - at < (off_t)OVER ? (size_t)(length - at) : OVER, at) < 0)
                        break; /* it is removed all the same */
        if (descriptor >= 0)
                close(descriptor);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
        (void)where;
        if (kind == FTW_F && S_ISREG(status->st_mode))
                overwrite(path, status->st_size);
        return remove(path);
}

static int remove_tree(const char *path)
{
        return nftw(path, remove_entry, DEPTH, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

int vendor_files_remove(char directory[static VENDOR_PATH_MAX])
{
        char *slash = strrchr(directory, '/');
        int r = 0;

        if (!slash)
                return 0;
        if (remove_tree(directory) != 0)
                r = fault_errno(errno, "removing %s, where the vendor's tool had its files",
                                directory);
        *slash = '\0';
        IGNORE(rmdir(directory)); /* the other sites may have theirs in it */
        directory[0] = '\0';
        return r;
}

/* Is it a folder of ours, that nobody else can look into or put things in? */
static bool is_ours(const char *folder)
{
        struct stat status;

        return lstat(folder, &status) == 0 && S_ISDIR(status.st_mode) &&
               status.st_uid == geteuid() && (status.st_mode & 077) == 0;
}

static unsigned count_entries(const char *folder)
{
        DIR *directory = opendir(folder);
        struct dirent *entry;
        unsigned count = 0;

        if (!directory)
                return 0;
        while ((entry = readdir(directory)))
                count += entry->d_name[0] != '.';
        closedir(directory);
        return count;
}

unsigned vendor_files_sweep(const char *data_directory)
{
        char folder[VENDOR_PATH_MAX];
        unsigned count = 0;

        for (unsigned place = 0; place < PLACES; place++)
                if (folder_at(data_directory, place, folder) && is_ours(folder)) {
                        count += count_entries(folder);
                        IGNORE(remove_tree(folder)); /* what stays is tried again next time */
                }
        return count;
}

/* --- making -------------------------------------------------------------------------------- */

int vendor_files_make(const char *data_directory, char ret_directory[static VENDOR_PATH_MAX])
{
        char folder[VENDOR_PATH_MAX];
        int error = ENOENT;

        for (unsigned place = 0; place < PLACES; place++) {
                if (!folder_at(data_directory, place, folder))
                        continue;
                if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
                        error = errno;
                        continue;
                }
                if (!is_ours(folder)) {
                        error = EPERM; /* somebody else made it: the next place */
                        continue;
                }
                strcat(folder, "/run-XXXXXX");
                if (mkdtemp(folder)) {
                        memcpy(ret_directory, folder, VENDOR_PATH_MAX);
                        return 0;
                }
                error = errno;
        }
        return fault(FAULT_SYSTEM,
                     "no private folder for the vendor's tool in $XDG_RUNTIME_DIR, /dev/shm or %s: "
                     "%s; make one of them writable for the station",
                     data_directory, strerror(error));
}

int vendor_files_put(const char *directory, const char *name, const struct piece *piece,
                     char ret_path[static VENDOR_PATH_MAX])
{
        int length = snprintf(ret_path, VENDOR_PATH_MAX, "%s/%s", directory, name);

        INSIST(length > 0 && length < (int)VENDOR_PATH_MAX);
        return file_write(ret_path, piece->data, piece->length, 0600);
}
