#include "station/commands/key_files.h"

#include "station/commands/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to 256 bytes come whole, whatever signals arrive (getrandom(2)). */
int secret_draw(void *secret, size_t length)
{
        INSIST(length <= 256);
        if (getrandom(secret, length, 0) == (ssize_t)length)
                return 0;
        return fault_errno(errno, "the kernel gives no random bytes");
}

/* Not file_write(): that replaces what is there. A few bytes, so not through the ring either. */
int secret_write(const char *path, const void *secret, size_t length)
{
        int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        bool is_written;
        int error;

        if (descriptor < 0 && errno == EEXIST)
                return fault(FAULT_DUPLICATE, "%s exists already and is not overwritten", path);
        if (descriptor < 0)
                return fault_errno(errno, "%s", path);
        is_written = fchmod(descriptor, 0600) == 0 &&
                     write(descriptor, secret, length) == (ssize_t)length && fsync(descriptor) == 0;
        error = errno;
        is_written = close(descriptor) == 0 && is_written;
        if (is_written)
                return 0;
        (void)unlink(path); /* half a secret is none */
        return fault_errno(error, "%s", path);
}

int key_file_name(const char *path, char ret_name[static NONCE_KEY_TEXT])
{
        uint8_t key[GCM_KEY_LENGTH];
        int r = secrets_read_exactly("key", path, key, sizeof(key));

        if (r >= 0)
                nonce_key_name(key, ret_name);
        wipe(key, sizeof(key));
        return r;
}

int ledger_look(struct nonce_list *ret_list, char ret_path[static NONCE_LEDGER_PATH_MAX])
{
        struct nonce_ledger *ledger CLEANUP(nonce_ledger_release) = NULL;
        int r;

        *ret_list = (struct nonce_list){ 0 };
        r = nonce_ledger_place(ret_path);
        if (r < 0)
                return r;
        r = nonce_ledger_look(ret_path, &ledger);
        if (r == -FAULT_NOT_FOUND)
                return 0;
        return r < 0 ? r : nonce_ledger_load(ledger, ret_list);
}
