/*
 * Orders in.
 *
 * drop_next goes round: offer what waits in work/; go through the names of the last scan and claim
 * the first file that has settled; else wait for a notice, the settling time or the slow scan, and
 * scan again. A scan reads names only and keeps the first thousand in order; each file is looked at
 * when its turn comes, so a backlog is worked off without reading the folder for every order.
 *
 * Whether a file has settled is told from two looks of ours at least 200 ms apart that saw the same
 * size, times and inode. File times are never compared with our clock: the folder may be on a
 * server whose clock differs, copies keep old times, and under virtual time ours runs elsewhere (a
 * rehearsal's folder has no writers, there two looks are at hand at once).
 *
 * Claiming is renaming into work/. A claimed file stays locked (flock) while it is worked on, so
 * that another station that starts on the same folder does not take it for a left-over.
 */
#include "station/drop.h"

#include "crypto/digest.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"
#include "station/drop_folder.h"
#include "station/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SETTLE_NS  (200 * NS_PER_MS)
#define RELOOK_NS  (250 * NS_PER_MS)
#define WRITING_NS (30 * NS_PER_S)
#define GAP_NS     (50 * NS_PER_MS) /* between scans, however many notices come */
#define LOOKS_MAX  1000u

static void close_descriptor(int *descriptor)
{
        if (*descriptor >= 0)
                close(*descriptor);
}

static void close_listing(DIR **listing)
{
        if (*listing)
                closedir(*listing);
}

/* --- names --------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *ending)
{
        size_t length = strlen(name), tail = strlen(ending);

        return length > tail && !strcasecmp(name + length - tail, ending);
}

/* Temporary names (.demo.yaml, demo.yaml.tmp) end otherwise or open with a dot. */
static bool is_order_name(const char *name)
{
        return name[0] != '.' && (ends_in(name, ".yaml") || ends_in(name, ".yml"));
}

static void names_free(struct names *names)
{
        for (size_t i = 0; i < names->count; i++)
                free(names->name[i]);
        free(names->name);
        *names = (struct names){ NULL, 0, 0 };
}

/* Insert in order; when there are `limit` already, the last one falls off. */
static void names_insert(struct names *names, const char *name, size_t limit)
{
        size_t at = names->count;

        while (at && strcmp(name, names->name[at - 1]) < 0)
                at--;
        if (names->count == limit) {
                if (at == limit)
                        return;
                free(names->name[--names->count]);
        }
        if (names->count == names->capacity) {
                names->capacity = names->capacity ? 2 * names->capacity : 16;
                names->name = realloc(names->name, names->capacity * sizeof(*names->name));
                INSIST(names->name);
        }
        memmove(names->name + at + 1, names->name + at, (names->count - at) * sizeof(*names->name));
        names->name[at] = strdup(name);
        INSIST(names->name[at]);
        names->count++;
}

/* The first `limit` order names of a directory, sorted; `ret_total` counts all. */
static int names_read(const char *directory, size_t limit, struct names *ret_names,
                      unsigned *ret_total)
{
        CLEANUP(close_listing) DIR *listing = opendir(directory);
        const struct dirent *entry;

        *ret_total = 0;
        if (!listing)
                return fault_errno(errno, "drop folder: cannot read %s", directory);
        while ((errno = 0, entry = readdir(listing))) {
                if (!is_order_name(entry->d_name))
                        continue;
                names_insert(ret_names, entry->d_name, limit);
                ++*ret_total;
        }
        if (errno)
                return fault_errno(errno, "drop folder: cannot read %s", directory);
        return 0;
}

/* A name whose answers' names fit in 255 bytes and tell it from its like. */
static void name_shorten(const char *name, char ret_name[static 256])
{
        uint8_t digest[DIGEST_LENGTH];
        char hex[9];
        size_t kept;

        snprintf(ret_name, 256, "%s", name);
        if (strlen(name) <= DROP_NAME_MAX)
                return;
        digest_sha256(name, strlen(name), digest);
        hex_encode(digest, 4, hex);
        kept = text_clean(name, DROP_NAME_MAX - 16);
        if (kept < DROP_NAME_MAX - 19) /* not text anyway */
                kept = DROP_NAME_MAX - 16;
        snprintf(ret_name + kept, 256 - kept, "~%s.yaml", hex);
}

/* --- open and close ------------------------------------------------------------------------ */

static int folder_make(const char *path)
{
        if (mkdir(path, 0775) < 0 && errno != EEXIST)
                return fault_errno(errno,
                                   "drop folder: cannot make %s; make its parent, writable "
                                   "for the station",
                                   path);
        return 0;
}

/* The four states. One file system, else a move is no longer one step. */
static int folders_make(struct drop *drop)
{
        const char *const states[] = { drop->in, drop->work, drop->done, drop->err };
        struct stat first, status;
        int r = 0;

        for (size_t i = 0; i < LENGTH_OF(states) && r >= 0; i++) {
                r = folder_make(states[i]);
                if (r >= 0 && stat(states[i], &status) < 0)
                        r = fault_errno(errno, "drop folder: %s", states[i]);
                if (i == 0)
                        first = status;
                if (r >= 0 && status.st_dev != first.st_dev)
                        r = fault(FAULT_SYSTEM,
                                  "drop folder: %s is on another file system than %s; keep in, "
                                  "work, done and err on one",
                                  states[i], states[0]);
        }
        return r;
}

static void folders_name(struct drop *drop, const char *directory)
{
        snprintf(drop->in, sizeof(drop->in), "%s/in", directory);
        snprintf(drop->work, sizeof(drop->work), "%s/work", directory);
        snprintf(drop->done, sizeof(drop->done), "%s/done", directory);
        snprintf(drop->err, sizeof(drop->err), "%s/err", directory);
}

int drop_open(const char *directory, unsigned scan_s, struct drop **ret_drop)
{
        struct drop *drop;
        unsigned total;
        int r;

        if (strlen(directory) > DROP_DIRECTORY_MAX)
                return fault(FAULT_SYSTEM,
                             "drop folder: the path %.60s... is longer than %u bytes; "
                             "use a shorter one",
                             directory, DROP_DIRECTORY_MAX);
        drop = calloc(1, sizeof(*drop));
        INSIST(drop);
        drop->scan_s = scan_s;
        drop->notices = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (drop->notices < 0)
                r = fault_errno(errno,
                                "drop folder: no inotify; raise fs.inotify.max_user_instances");
        else
                r = folder_make(directory);
        folders_name(drop, directory);
        if (r >= 0)
                r = folders_make(drop);
        if (r >= 0)
                r = names_read(drop->work, SIZE_MAX, &drop->pending, &total);
        if (r < 0) {
                (void)drop_close(drop);
                return r;
        }
        *ret_drop = drop;
        return 0;
}

static void looks_free(struct look *looks, size_t count)
{
        for (size_t i = 0; i < count; i++)
                free(looks[i].name);
        free(looks);
}

struct drop *drop_close(struct drop *drop)
{
        if (!drop)
                return NULL;
        looks_free(drop->looks, drop->look_count);
        names_free(&drop->pending);
        close_descriptor(&drop->notices);
        free(drop);
        return NULL;
}

const char *drop_incoming(const struct drop *drop)
{
        return drop->in;
}

unsigned drop_waiting(const struct drop *drop)
{
        return drop->waiting;
}

bool drop_is_idle(const struct drop *drop)
{
        return drop->is_listening && !drop->waiting;
}

struct drop_order *drop_order_free(struct drop_order *order)
{
        if (!order)
                return NULL;
        close_descriptor(&order->lock); /* and with it the lock */
        if (order->text)
                bytes_free(order->text);
        free(order->text);
        free(order);
        return NULL;
}

static void free_order(struct drop_order **order)
{
        (void)drop_order_free(*order);
}

/* --- a claimed file ------------------------------------------------------------------------ */

static const char *kind_of(mode_t mode)
{
        return S_ISLNK(mode)    ? "a symbolic link"
               : S_ISDIR(mode)  ? "a directory"
               : S_ISFIFO(mode) ? "a named pipe"
               : S_ISSOCK(mode) ? "a socket"
                                : "a device";
}

/* Say why a claimed file is no order (waits). 0: it is answered. */
static int reject(struct drop *drop, const struct drop_order *order, enum fault code, unsigned line,
                  const char *remedy, const char *sentence)
{
        struct order_error error = { .code = "" };

        (void)order_refuse(&error, code, line, remedy, "%s", sentence);
        return drop_reject(drop, order, &error);
}

/* Open and lock. 1: it is ours; 0: another reader's, or gone; -errno. Never blocks on a pipe that
 * came in since it was looked at. */
static int claim_open(struct drop_order *order)
{
        struct stat opened, named;

        order->lock = open(order->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (order->lock < 0)
                return errno == ENOENT ? 0 : -errno;
        /* Where locks are not to be had (ENOLCK, EBADF on NFS), renaming alone must do. */
        if (flock(order->lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
                return 0;
        /* Another reader may have finished it between our opening and our lock. */
        if (fstat(order->lock, &opened) < 0 || lstat(order->path, &named) < 0)
                return errno == ENOENT ? 0 : -errno;
        return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* Read one byte more than an order may have, to know (waits). */
static int claim_read(struct drop_order *order)
{
        struct bytes *text = malloc(sizeof(*text));
        size_t length = 0;
        ssize_t got = 1;

        INSIST(text);
        *text = bytes_new(ORDER_FILE_MAX + 1);
        order->text = text;
        while (got > 0 && length < text->length) {
                got = ring_read(order->lock, text->data + length, text->length - length,
                                (off_t)length);
                if (got < 0)
                        return (int)got;
                length += (size_t)got;
        }
        text->length = length;
        return 0;
}

/* Take the file up, or answer it (waits). 1: an order for the caller; 0: none. */
static int take(struct drop *drop, struct drop_order *order)
{
        struct stat status;
        char sentence[256];
        int r;

        if (lstat(order->path, &status) < 0)
                return 0; /* another reader took it */
        if (!S_ISREG(status.st_mode)) {
                snprintf(sentence, sizeof(sentence), "it is %s, not a file",
                         kind_of(status.st_mode));
                return reject(drop, order, FAULT_BAD_FILE, 0,
                              "write the order into the folder as a regular file", sentence);
        }
        r = claim_open(order);
        if (r == 0)
                return 0;
        if (r > 0)
                r = claim_read(order);
        else
                r = fault_errno(-r, "it cannot be opened");
        if (r == -FAULT_CANCELLED)
                return r;
        if (r < 0) {
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                return reject(drop, order, FAULT_SYSTEM, 0,
                              "make the file readable for the station and drop it again", sentence);
        }
        if (order->text->length > ORDER_FILE_MAX) {
                snprintf(sentence, sizeof(sentence), "the file has %lld bytes, an order at most %u",
                         (long long)status.st_size, ORDER_FILE_MAX);
                return reject(drop, order, FAULT_TOO_LARGE,
                              text_line(order->text->data, ORDER_FILE_MAX),
                              "an order is a short form; put nothing else into it", sentence);
        }
        return 1;
}

/* A claimed file in work/, called `name` by its writer. 1 with the order; 0. On a failure it is
 * put back among the pending, so that nothing claimed is forgotten. */
static int offer(struct drop *drop, const char *name, const char *work_name, bool is_resumed,
                 struct drop_order **ret_order)
{
        CLEANUP(free_order) struct drop_order *order = calloc(1, sizeof(*order));
        int r;

        INSIST(order);
        order->lock = -1;
        order->is_resumed = is_resumed;
        snprintf(order->name, sizeof(order->name), "%s", name);
        INSIST((size_t)snprintf(order->path, sizeof(order->path), "%s/%s", drop->work, work_name) <
               sizeof(order->path));
        r = take(drop, order);
        if (r < 0)
                names_insert(&drop->pending, work_name, SIZE_MAX);
        if (r <= 0)
                return r;
        *ret_order = order;
        order = NULL;
        return 1;
}

/* --- looking ------------------------------------------------------------------------------- */

/* Nothing about the file has changed between two looks. */
static bool is_same(const struct stat *a, const struct stat *b)
{
        return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mode == b->st_mode &&
               a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
               a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* It cannot be moved (a folder we may not write, a mount point): say so once for this state. */
static int look_refuse(struct drop *drop, struct look *look, int error)
{
        struct order_error refusal = { .code = "" };
        char name[256];

        (void)order_refuse(&refusal, FAULT_SYSTEM, 0,
                           "let the station rename files in the drop folder",
                           "it cannot be claimed: %s", strerror(error));
        look->is_answered = true;
        name_shorten(look->name, name);
        return drop_refuse_in_place(drop, name, &refusal);
}

/* Rename into work/ and take up; under the next number where the name is taken there. */
static int look_claim(struct drop *drop, struct look *look, struct drop_order **ret_order)
{
        char from[DROP_PATH_MAX], to[DROP_PATH_MAX], name[256], numbered[256];
        int r = -EEXIST;

        snprintf(from, sizeof(from), "%s/%s", drop->in, look->name);
        name_shorten(look->name, name);
        for (unsigned number = 1; r == -EEXIST && number < INT_MAX; number++) {
                drop_number(name, number, numbered);
                snprintf(to, sizeof(to), "%s/%s", drop->work, numbered);
                r = drop_move(from, to);
        }
        if (r < 0 && r != -ENOENT)
                return look_refuse(drop, look, -r);
        drop->waiting -= drop->waiting > 0;
        if (r == -ENOENT)
                return 0; /* another reader's */
        return offer(drop, look->name, numbered, false, ret_order);
}

/* Claim it and say that it never came to rest. */
static int look_reject_unfinished(struct drop *drop, struct look *look)
{
        CLEANUP(free_order) struct drop_order *order = NULL;
        int r;

        r = look_claim(drop, look, &order);
        if (r <= 0)
                return r;
        return reject(drop, order, FAULT_TIMEOUT, text_line(order->text->data, order->text->length),
                      "write under a temporary name (.tmp) and rename when it is complete",
                      "the file was still being written after 30 s");
}

/* One file's turn (waits). 1 with an order; 0 not now. */
static int look_at(struct drop *drop, struct look *look, struct drop_order **ret_order)
{
        char path[DROP_PATH_MAX];
        struct stat status;
        uint64_t now = clock_now_ns();

        snprintf(path, sizeof(path), "%s/%s", drop->in, look->name);
        if (lstat(path, &status) < 0) {
                drop->waiting -= drop->waiting > 0;
                return 0;
        }
        if (!look->status.st_mode || look->status.st_ino != status.st_ino)
                look->first_ns = now;
        if (!look->status.st_mode || !is_same(&look->status, &status)) {
                look->status = status;
                look->since_ns = now;
                look->is_answered = false;
        }
        if (look->is_answered)
                return 0;
        if (!S_ISREG(status.st_mode) || now - look->since_ns >= SETTLE_NS)
                return look_claim(drop, look, ret_order);
        if (now - look->first_ns >= WRITING_NS)
                return look_reject_unfinished(drop, look);
        drop->is_unsettled = true;
        return 0;
}

/* What was seen of `name` before; both lists are sorted. */
static struct look look_carry(struct drop *drop, char *name, size_t *at)
{
        struct look look = { .name = name };
        int order = 1;

        while (*at < drop->look_count && (order = strcmp(drop->looks[*at].name, name)) < 0)
                ++*at;
        if (*at < drop->look_count && order == 0) {
                look = drop->looks[*at];
                look.name = name;
        }
        return look;
}

/* Read the names anew. Folders and watch are renewed by path each time: nothing happens while they
 * are there, and the station goes on when someone tidied up or a share was mounted again. */
static int scan(struct drop *drop)
{
        struct names names = { NULL, 0, 0 };
        struct look *looks;
        size_t at = 0;
        int r;

        r = folders_make(drop);
        if (r < 0)
                return r;
        if (inotify_add_watch(drop->notices, drop->in, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) <
            0)
                return fault_errno(errno, "drop folder: cannot watch %s", drop->in);
        r = names_read(drop->in, LOOKS_MAX, &names, &drop->waiting);
        if (r < 0) {
                names_free(&names);
                return r;
        }
        looks = calloc(names.count + 1, sizeof(*looks));
        INSIST(looks);
        for (size_t i = 0; i < names.count; i++)
                looks[i] = look_carry(drop, names.name[i], &at);
        looks_free(drop->looks, drop->look_count);
        drop->looks = looks;
        drop->look_count = names.count;
        free(names.name);
        drop->look_at = 0;
        drop->is_unsettled = false;
        drop->has_scanned = true;
        drop->scanned_ns = clock_now_ns();
        return 0;
}

/* Wait until a scan is worth it (waits). Many notices are one reason to look. */
static int wait_for_change(struct drop *drop)
{
        char notices[4096];
        uint64_t timeout = drop->is_unsettled ? RELOOK_NS : drop->scan_s * NS_PER_S;
        int r;

        drop->is_listening = true;
        r = ring_poll(drop->notices, POLLIN, timeout);
        drop->is_listening = false;
        if (r == -FAULT_TIMEOUT)
                return 0;
        if (r < 0)
                return r;
        r = fiber_sleep_until(drop->scanned_ns + GAP_NS);
        for (unsigned i = 0; i < 64 && read(drop->notices, notices, sizeof(notices)) > 0; i++)
                ;
        return r;
}

/* A name too long for its answers, put into work/ by hand, is shortened there. */
static void pending_shorten(struct drop *drop, char name[static 256])
{
        char from[DROP_PATH_MAX], to[DROP_PATH_MAX], shorter[256];

        name_shorten(name, shorter);
        if (!strcmp(name, shorter))
                return;
        snprintf(from, sizeof(from), "%s/%s", drop->work, name);
        snprintf(to, sizeof(to), "%s/%s", drop->work, shorter);
        if (!drop_move(from, to))
                strcpy(name, shorter);
}

static int next_pending(struct drop *drop, struct drop_order **ret_order)
{
        char name[256];
        int r = 0;

        while (r == 0 && drop->pending.count) {
                snprintf(name, sizeof(name), "%s", drop->pending.name[0]);
                free(drop->pending.name[0]);
                memmove(drop->pending.name, drop->pending.name + 1,
                        --drop->pending.count * sizeof(*drop->pending.name));
                pending_shorten(drop, name);
                r = offer(drop, name, name, true, ret_order);
        }
        return r;
}

int drop_next(struct drop *drop, struct drop_order **ret_order)
{
        int r;

        for (;;) {
                r = next_pending(drop, ret_order);
                while (r == 0 && drop->look_at < drop->look_count)
                        r = look_at(drop, &drop->looks[drop->look_at++], ret_order);
                if (r != 0)
                        return r < 0 ? r : 0;
                if (drop->has_scanned)
                        r = wait_for_change(drop);
                if (r >= 0)
                        r = scan(drop);
                if (r < 0)
                        return r;
        }
}
