#include "station/nonce_memory.h"

#include "scheduler/file.h"
#include "station/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_ROOM 4096u

/* Written by one format and read by taking that format's words apart; then written again and
 * compared, so that exactly the files we write are read. */
static int form(const struct nonce_memory *memory, char *text, size_t capacity)
{
        return snprintf(text, capacity,
                        "gangway-key-memory 1\nkey %s\nledger %s\nimages %lld\nlink %s\n",
                        memory->key, memory->ledger, (long long)memory->images,
                        memory->link[0] ? memory->link : "-");
}

int nonce_memory_parse(const char *name, const void *data, size_t length,
                       struct nonce_memory *ret_memory)
{
        struct nonce_memory memory = { .is_there = true };
        char text[NONCE_MEMORY_MAX + 1], again[NONCE_MEMORY_MAX], images[11] = "";
        bool is_good = length <= NONCE_MEMORY_MAX && !memchr(data, 0, length);

        if (is_good) {
                memcpy(text, data, length);
                text[length] = '\0';
                is_good = sscanf(text,
                                 "gangway-key-memory 1\nkey %32[0-9a-f]\nledger %32[0-9a-f]\n"
                                 "images %10[0-9]\nlink %64[-0-9a-f]",
                                 memory.key, memory.ledger, images, memory.link) == 4;
                memory.images = strtoll(images, NULL, 10);
                if (strcmp(memory.link, "-") == 0)
                        memory.link[0] = '\0';
        }
        if (!is_good || form(&memory, again, sizeof(again)) != (int)length ||
            memcmp(again, text, length) != 0 || strlen(memory.key) != NONCE_KEY_TEXT - 1 ||
            strlen(memory.ledger) != NONCE_KEY_TEXT - 1 ||
            strlen(memory.link) != (memory.images ? NONCE_LINK_TEXT - 1 : 0))
                return fault(FAULT_BAD_FILE,
                             "%s is damaged: it is written by Gangway alone and tells whether the "
                             "ledger is the one this key was used with; put back a copy of it",
                             name);
        *ret_memory = memory;
        return 0;
}

static int path_of(const char *key_file, char path[static PATH_ROOM])
{
        if (snprintf(path, PATH_ROOM, "%s" NONCE_MEMORY_SUFFIX, key_file) < (int)PATH_ROOM)
                return 0;
        return fault(FAULT_BAD_VALUE, "the key file's name is too long: %.60s...", key_file);
}

int nonce_memory_read(const char *key_file, struct nonce_memory *ret_memory)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        char path[PATH_ROOM];
        int r;

        *ret_memory = (struct nonce_memory){ 0 };
        r = path_of(key_file, path);
        if (r < 0)
                return r;
        r = file_read(path, NONCE_MEMORY_MAX, &file);
        if (r == -FAULT_NOT_FOUND)
                return 0;
        return r < 0 ? r : nonce_memory_parse(path, file.data, file.length, ret_memory);
}

int nonce_memory_write(const char *key_file, const struct nonce_memory *memory)
{
        char path[PATH_ROOM], text[NONCE_MEMORY_MAX];
        int r;

        r = path_of(key_file, path);
        if (r < 0)
                return r;
        r = form(memory, text, sizeof(text));
        INSIST(r > 0 && r < (int)sizeof(text));
        return file_write(path, text, (size_t)r, 0600);
}

/* --- does the ledger fit? ------------------------------------------------------------------ */

/* A merged export said that it had all `memory` speaks of. */
static bool was_merged(const struct nonce_memory *memory, const struct nonce_list *list)
{
        for (size_t i = 0; i < list->seen_count; i++) {
                const struct nonce_seen *seen = &list->seen[i];

                if (strcmp(seen->ledger, memory->ledger) == 0 &&
                    strcmp(seen->key, memory->key) == 0 && seen->uses >= memory->images)
                        return true;
        }
        return false;
}

static int check_own(const struct nonce_memory *memory, const char *key_file,
                     const struct nonce_list *list, const char *path)
{
        const char *link;
        int64_t known = nonce_list_count(list, memory->key, memory->images, &link);

        if (known == memory->images && strcmp(link, memory->link) == 0)
                return 0;
        return fault(FAULT_STORE,
                     "the nonce ledger %s was put back to an older state: %s" NONCE_MEMORY_SUFFIX
                     " remembers %lld sealed, the ledger has %s; bring back the newer one, or "
                     "merge an export of it (gangway nonces merge), or make a new key",
                     path, key_file, (long long)memory->images,
                     known < memory->images ? "fewer" : "others");
}

int nonce_memory_check(const struct nonce_memory *memory, const char *key_file, const char *key,
                       const struct nonce_list *list, const char *path)
{
        if (!memory->is_there)
                return 0;
        if (strcmp(memory->key, key) != 0)
                return fault(FAULT_BAD_FILE,
                             "%s" NONCE_MEMORY_SUFFIX " is of key %.8s..., %s is key %.8s...: one "
                             "of the two was replaced; move the .ledger file back to its key",
                             key_file, memory->key, key_file, key);
        if (memory->images == 0 || was_merged(memory, list))
                return 0;
        if (strcmp(memory->ledger, list->ledger) == 0)
                return check_own(memory, key_file, list, path);
        return fault(FAULT_STORE,
                     "the key %s has sealed %lld image%s by ledger %.8s..., and %s is another "
                     "(%.8s...) that does not know of it: was the ledger deleted or moved? Bring "
                     "it back, or merge an export of it (gangway nonces merge), or make a new key",
                     key_file, (long long)memory->images, memory->images == 1 ? "" : "s",
                     memory->ledger, path, list->ledger);
}
