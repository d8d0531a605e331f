/*
 * receipt_key.c - the key a station signs its receipts with: made once, kept for good.
 *
 * The private half is written under another name and linked to its own, which fails where there is
 * one: of two processes that make a key at once, one wins, and the other reads the winner's.
 */
#include "station/receipt.h"

#include "crypto/pem.h"
#include "scheduler/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_HERE 512u

struct paths {
        char private_half[PATH_MAX_HERE], public_half[PATH_MAX_HERE];
};

static int make_paths(const char *directory, struct paths *ret_paths)
{
        int length = snprintf(ret_paths->private_half, PATH_MAX_HERE, "%s/receipt.key", directory);

        snprintf(ret_paths->public_half, PATH_MAX_HERE, "%s/receipt.pub", directory);
        if (length >= (int)PATH_MAX_HERE)
                return fault(FAULT_BAD_VALUE, "the name of the data directory is too long");
        return 0;
}

static int write_public(const struct paths *paths, const struct sign_key *key)
{
        char text[SIGN_PEM_MAX];

        sign_public_pem(key, text);
        return file_write(paths->public_half, text, strlen(text), 0644);
}

/* 0 also when another process was first. */
static int make_key(const char *directory, const struct paths *paths)
{
        struct sign_key key CLEANUP(sign_key_wipe) = { 0 };
        char text[SIGN_PEM_MAX], fresh[PATH_MAX_HERE + 16];
        int r;

        if (access(paths->public_half, F_OK) == 0)
                return fault(FAULT_NOT_FOUND,
                             "%s is missing, and %s is its public half; restore it from a copy, or "
                             "move the public half away for a new pair, which the OEM must be "
                             "given",
                             paths->private_half, paths->public_half);
        if (mkdir(directory, 0700) < 0 && errno != EEXIST)
                return fault_errno(errno, "%s", directory);
        sign_key_make(&key);
        sign_private_pem(&key, text);
        snprintf(fresh, sizeof(fresh), "%s.%d", paths->private_half, (int)getpid());
        r = file_write(fresh, text, strlen(text), 0600);
        wipe(text, sizeof(text));
        if (r < 0)
                return r;
        if (link(fresh, paths->private_half) < 0 && errno != EEXIST)
                r = fault_errno(errno, "%s", paths->private_half);
        (void)unlink(fresh); /* the key has its own name now, or is not wanted */
        return r;
}

static int read_private(const struct paths *paths, struct sign_key *key)
{
        struct bytes text CLEANUP(bytes_wipe_free) = { 0 };
        const char *path = paths->private_half;
        struct stat status;
        int r = file_read(path, PEM_FILE_MAX, &text);

        if (r < 0)
                return r;
        if (stat(path, &status) < 0)
                return fault_errno(errno, "%s", path);
        if (status.st_mode & 077)
                return fault(FAULT_BAD_FILE, "%s may be read by others (mode %04o); chmod 600 %s",
                             path, status.st_mode & 07777, path);
        r = sign_key_parse(path, text.data, text.length, key);
        if (r >= 0 && !key->has_private)
                return fault(FAULT_BAD_FILE,
                             "%s holds a public key, wanted the private one; restore it from a "
                             "copy",
                             path);
        return r;
}

/* The public half is there for people; it must be of this pair. */
static int check_public(const struct paths *paths, const struct sign_key *key)
{
        struct bytes text CLEANUP(bytes_free) = { 0 };
        struct sign_key public = { 0 };
        int r = file_read(paths->public_half, PEM_FILE_MAX, &text);

        if (r == -FAULT_NOT_FOUND)
                return write_public(paths, key);
        if (r >= 0)
                r = sign_key_parse(paths->public_half, text.data, text.length, &public);
        if (r < 0)
                return r;
        if (memcmp(public.public_key, key->public_key, sizeof(key->public_key)) == 0)
                return 0;
        return fault(FAULT_BAD_FILE,
                     "%s is not the public half of %s: one of them was replaced; restore the pair "
                     "the OEM knows from a copy",
                     paths->public_half, paths->private_half);
}

int receipt_key_load(const char *directory, struct sign_key *ret_key)
{
        struct sign_key key CLEANUP(sign_key_wipe) = { 0 };
        struct paths paths = { .private_half = "" };
        int r = make_paths(directory, &paths);

        if (r < 0)
                return r;
        r = read_private(&paths, &key);
        if (r == -FAULT_NOT_FOUND) {
                r = make_key(directory, &paths);
                if (r >= 0)
                        r = read_private(&paths, &key);
        }
        if (r >= 0)
                r = check_public(&paths, &key);
        if (r >= 0)
                *ret_key = key;
        return r;
}
