#include "station/commands/secrets.h"

#include "scheduler/file.h"

#include <stdio.h>
#include <sys/stat.h>

/* More than any secret, so that the sentence can tell the length of a wrong file. */
#define SECRET_FILE_MAX 4096u

static void warn_if_open(const char *what, const char *path)
{
        struct stat found;

        if (stat(path, &found) == 0 && (found.st_mode & (S_IRWXG | S_IRWXO)))
                fprintf(stderr,
                        "warning: the %s file %s can be read by others (mode %04o): chmod "
                        "600 %s\n",
                        what, path, found.st_mode & 07777u, path);
}

int secrets_read_file(const char *what, const char *path, struct bytes *ret_bytes)
{
        int r = file_read(path, SECRET_FILE_MAX, ret_bytes);

        if (r < 0)
                return fault_prefix(r, "the %s", what);
        warn_if_open(what, path);
        return 0;
}

int secrets_read_exactly(const char *what, const char *path, uint8_t *ret_secret, size_t wanted)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        int r;

        r = secrets_read_file(what, path, &file);
        if (r < 0)
                return r;
        if (file.length != wanted)
                return fault(FAULT_BAD_FILE, "the %s file %s has %zu bytes, wanted exactly %zu",
                             what, path, file.length, wanted);
        memcpy(ret_secret, file.data, wanted);
        return 0;
}

int secrets_read(const char *key_file, const char *nonce_file, struct secrets *ret_secrets)
{
        int r;

        r = secrets_read_exactly("key", key_file, ret_secrets->key, sizeof(ret_secrets->key));
        if (r < 0)
                return r;
        return secrets_read_exactly("nonce", nonce_file, ret_secrets->nonce,
                                    sizeof(ret_secrets->nonce));
}

void secrets_wipe(struct secrets *secrets)
{
        wipe(secrets, sizeof(*secrets));
}
