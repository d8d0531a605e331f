/*
 * Answers of the drop folder.
 *
 * An answer is written whole into work/ under a dot name that is ours alone, because the claimed
 * order's name is, and then moved to its place together with the order. The order moves last: until
 * then it lies in work/ and a restart offers it again, so a crash can repeat an answer but never
 * lose one. All files of one order keep one name; where any of them is taken, all go on to the next
 * number.
 */
#include "station/drop_folder.h"

#include "scheduler/bytes.h"
#include "scheduler/file.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"
#include "station/text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBER_MAX 100000u /* of files with one name in one directory */

/* A file to be placed: where it is now, and what follows the order's name there. */
struct item {
        char path[DROP_PATH_MAX];
        const char *suffix;
        bool is_optional;
};

static void close_descriptor(int *descriptor)
{
        if (*descriptor >= 0)
                close(*descriptor);
}

/* --- moving -------------------------------------------------------------------------------- */

/* NFS has no RENAME_NOREPLACE: take the name with an empty file of our own and rename over it. */
static int move_reserved(const char *from, const char *to)
{
        int reserved = open(to, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600), error = 0;

        if (reserved < 0)
                return -errno;
        close(reserved);
        if (rename(from, to) < 0) {
                error = errno;
                unlink(to);
        }
        return -error;
}

int drop_move(const char *from, const char *to)
{
        if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
                return 0;
        return errno == EINVAL ? move_reserved(from, to) : -errno;
}

void drop_number(const char *name, unsigned number, char ret_name[static 256])
{
        const char *dot = strrchr(name, '.');
        int stem = dot && dot > name ? (int)(dot - name) : (int)strlen(name);

        if (number < 2)
                snprintf(ret_name, 256, "%s", name);
        else
                snprintf(ret_name, 256, "%.*s-%u%s", stem, name, number, name + stem);
}

static int sync_directory(const char *path)
{
        CLEANUP(close_descriptor) int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (directory < 0)
                return fault_errno(errno, "drop folder: %s", path);
        return ring_fsync(directory);
}

/* Move all items to one number; -EEXIST when one of the names is taken. */
static int place_at(const char *directory, const char *name, struct item *items, size_t count)
{
        char to[DROP_PATH_MAX];
        int r;

        for (size_t i = 0; i < count; i++) {
                struct item *item = &items[i];

                if (!item->path[0])
                        continue;
                if ((size_t)snprintf(to, sizeof(to), "%s/%s%s", directory, name, item->suffix) >=
                    sizeof(to))
                        return -ENAMETOOLONG;
                r = drop_move(item->path, to);
                if (r == -ENOENT && item->is_optional)
                        item->path[0] = '\0';
                else if (r < 0)
                        return r;
                else
                        memcpy(item->path, to, sizeof(to));
        }
        return 0;
}

/* Put the items into `directory` under the first number at which none of them is taken (waits). */
static int place(const char *directory, const char *name, struct item *items, size_t count)
{
        char numbered[256];
        int r = -EEXIST;

        for (unsigned number = 1; r == -EEXIST && number <= NUMBER_MAX; number++) {
                drop_number(name, number, numbered);
                r = place_at(directory, numbered, items, count);
        }
        if (r < 0)
                return fault_errno(-r, "drop folder: cannot move %s into %s", name, directory);
        return sync_directory(directory);
}

/* --- what is said -------------------------------------------------------------------------- */

/* JSON wants UTF-8; names and cut sentences may hold other bytes. */
static json_t *json_text(const char *text)
{
        CLEANUP(bytes_free) struct bytes copy = bytes_copy(text, strlen(text));
        size_t at = 0;

        while ((at += text_clean(copy.data + at, copy.length - at)) < copy.length)
                copy.data[at] = '?';
        return json_stringn((const char *)copy.data, copy.length);
}

static json_t *json_now(void)
{
        char now[25];

        return json_string(clock_iso8601(clock_calendar_us(), now));
}

/* Write an answer's object to `path` and free it (waits). */
static int write_json(const char *path, json_t *object)
{
        char *text = json_dumps(object, JSON_INDENT(2));
        int r;

        INSIST(text);
        json_decref(object);
        r = file_write(path, text, strlen(text), 0644);
        free(text);
        return r;
}

static int write_error(const char *path, const char *name, const struct order_error *error)
{
        json_t *object = json_pack("{s:o, s:s, s:i, s:o, s:o, s:o}", "file", json_text(name),
                                   "code", error->code, "line", (int)error->line, "sentence",
                                   json_text(error->sentence), "remedy", json_text(error->remedy),
                                   "time", json_now());

        INSIST(object);
        return write_json(path, object);
}

/* The claimed order's own name in work/. */
static const char *work_name(const struct drop_order *order)
{
        return strrchr(order->path, '/') + 1;
}

static struct item item_at(const char *suffix, bool is_optional, const char *directory,
                           const char *dot, const struct drop_order *order)
{
        struct item item = { .suffix = suffix, .is_optional = is_optional };

        INSIST((size_t)snprintf(item.path, sizeof(item.path), "%s/%s%s%s", directory, dot,
                                work_name(order), suffix) < sizeof(item.path));
        return item;
}

/* --- the answers --------------------------------------------------------------------------- */

int drop_accept(struct drop *drop, const struct drop_order *order, const struct order *accepted)
{
        struct item ack = item_at(".ack", false, drop->work, "", order);
        char digest[2 * sizeof(accepted->digest) + 1];
        json_t *object;

        if (order->is_resumed && !access(ack.path, F_OK))
                return 0; /* said by an earlier run, with its time */
        hex_encode(accepted->digest, sizeof(accepted->digest), digest);
        for (char *c = digest; *c; c++) /* as sha256sum prints it */
                *c |= *c >= 'A' ? 0x20 : 0;
        object = json_pack("{s:o, s:s, s:s, s:o}", "file", json_text(order->name), "order",
                           accepted->id, "sha256", digest, "accepted", json_now());
        INSIST(object);
        return write_json(ack.path, object);
}

int drop_reject(struct drop *drop, const struct drop_order *order, const struct order_error *error)
{
        struct item items[] = {
                item_at(".err", false, drop->work, ".", order),
                item_at(".ack", true, drop->work, "", order),
                item_at("", false, drop->work, "", order),
        };
        int r;

        r = write_error(items[0].path, order->name, error);
        if (r < 0)
                return r;
        return place(drop->err, work_name(order), items, LENGTH_OF(items));
}

int drop_refuse_in_place(struct drop *drop, const char *name, const struct order_error *error)
{
        struct item item = { .suffix = ".err" };
        int r;

        INSIST((size_t)snprintf(item.path, sizeof(item.path), "%s/.in-place.%d.err", drop->work,
                                getpid()) < sizeof(item.path));
        r = write_error(item.path, name, error);
        if (r < 0)
                return r;
        return place(drop->err, name, &item, 1);
}

/* done/2026-11-24, made when it is the first of the day. */
static int done_today(const struct drop *drop, char ret_path[static DROP_PATH_MAX])
{
        char now[25];

        clock_iso8601(clock_calendar_us(), now);
        snprintf(ret_path, DROP_PATH_MAX, "%s/%.10s", drop->done, now);
        if (mkdir(ret_path, 0775) < 0 && errno != EEXIST)
                return fault_errno(errno, "drop folder: cannot make %s", ret_path);
        return sync_directory(drop->done);
}

/* Write a result beside the order; without one there is nothing to place. */
static int write_result(struct item *item, const void *data, size_t length)
{
        if (data)
                return file_write(item->path, data, length, 0644);
        item->path[0] = '\0';
        return 0;
}

int drop_finish(struct drop *drop, const struct drop_order *order, const struct drop_result *result)
{
        struct item items[] = {
                item_at(".result.json", false, drop->work, ".", order),
                item_at(".units.csv", false, drop->work, ".", order),
                item_at(".receipt", false, drop->work, ".", order),
                item_at(".receipt.sig", false, drop->work, ".", order),
                item_at(".ack", true, drop->work, "", order),
                item_at("", false, drop->work, "", order),
        };
        const char *json = result->json, *csv = result->csv;
        char directory[DROP_PATH_MAX];
        int r;

        r = done_today(drop, directory);
        if (r >= 0)
                r = write_result(&items[0], json, json ? strlen(json) : 0);
        if (r >= 0)
                r = write_result(&items[1], csv, csv ? strlen(csv) : 0);
        if (r >= 0)
                r = write_result(&items[2], result->receipt, result->receipt_length);
        if (r >= 0)
                r = write_result(&items[3], result->signature, result->signature_length);
        if (r < 0)
                return r;
        return place(directory, work_name(order), items, LENGTH_OF(items));
}
