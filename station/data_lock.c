/*
 * data_lock.c - two processes that ask cards would both believe the books are theirs.
 */
#include "station/data_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int data_lock(const char *directory, int *ret_lock)
{
        char path[512];
        int lock;

        if (mkdir(directory, 0700) < 0 && errno != EEXIST)
                return fault_errno(errno, "%s", directory);
        if (snprintf(path, sizeof(path), "%s/station.lock", directory) >= (int)sizeof(path))
                return fault(FAULT_STORE, "the name of the data directory is too long: %.100s...",
                             directory);
        lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock < 0)
                return fault_errno(errno, "%s", path);
        if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
                close(lock);
                return fault(FAULT_STORE,
                             "another gangwayd (or gangway licenses ahead) uses %s and its cards; "
                             "stop it, or give this one its own data_directory",
                             directory);
        }
        *ret_lock = lock;
        return 0;
}
