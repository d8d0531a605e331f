/*
 * One SQLite file, opened by short-lived commands, so what matters is that a reservation that was
 * reported is there after a power cut, and that two processes cannot both find a nonce free.
 *
 * Every change is one transaction that opens with BEGIN IMMEDIATE: the file lock is taken before
 * the first look. The journal is the rollback journal, not the write-ahead log: one file to copy,
 * and no shared memory, which a home on a network does not have. With it synchronous is EXTRA, which
 * is FULL and the sync of the directory after the journal is gone; with FULL alone a commit may be
 * undone by a power cut right after it (sqlite.org/pragma.html, "synchronous").
 *
 * All uses are loaded and their chain is checked each time: a ledger is small (thousands of rows),
 * and rows changed by other hands are found at once. Columns hold the texts of an export.
 */
#include "station/nonce_ledger.h"

#include "station/nonce_export.h"
#include "station/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID  0x47574E4C /* "GWNL" */
#define VERSION         1
#define BUSY_TIMEOUT_MS 10000

#define USE_COLUMNS                                                                                \
        "key, nonce, policy, areas, digest, reserved, origin, host, name, confirmed, link"

static const char schema[] =
        "CREATE TABLE ledger (id TEXT NOT NULL, made TEXT NOT NULL);"
        "CREATE TABLE uses (sequence INTEGER PRIMARY KEY, key TEXT NOT NULL, nonce TEXT NOT NULL,"
        "  policy TEXT NOT NULL, areas TEXT NOT NULL, digest TEXT NOT NULL,"
        "  reserved TEXT NOT NULL, origin TEXT NOT NULL, host TEXT NOT NULL, name TEXT NOT NULL,"
        "  confirmed TEXT NOT NULL, link TEXT NOT NULL,"
        "  UNIQUE (key, nonce, policy, areas, digest));"
        "CREATE TABLE seen (ledger TEXT NOT NULL, key TEXT NOT NULL, uses INTEGER NOT NULL,"
        "  PRIMARY KEY (ledger, key));";

struct nonce_ledger {
        sqlite3 *database;
        char id[NONCE_KEY_TEXT];
        char path[NONCE_LEDGER_PATH_MAX];
};

/* --- its place ----------------------------------------------------------------------------- */

static int fit(int length)
{
        if (length < (int)NONCE_LEDGER_PATH_MAX)
                return 0;
        return fault(FAULT_STORE, "the name of the nonce ledger is longer than %u bytes",
                     NONCE_LEDGER_PATH_MAX);
}

int nonce_ledger_place(char ret_path[static NONCE_LEDGER_PATH_MAX])
{
        const char *own = getenv("GANGWAY_LEDGER"), *state = getenv("XDG_STATE_HOME"),
                   *home = getenv("HOME");

        if (own && own[0])
                return fit(snprintf(ret_path, NONCE_LEDGER_PATH_MAX, "%s", own));
        if (state && state[0] == '/') /* a relative one is to be ignored, says the specification */
                return fit(
                        snprintf(ret_path, NONCE_LEDGER_PATH_MAX, "%s/gangway/nonces.db", state));
        if (home && home[0] == '/')
                return fit(snprintf(ret_path, NONCE_LEDGER_PATH_MAX,
                                    "%s/.local/state/gangway/nonces.db", home));
        return fault(FAULT_STORE, "there is no place for the nonce ledger: none of GANGWAY_LEDGER, "
                                  "XDG_STATE_HOME and HOME is set to an absolute path");
}

static void sync_directory(const char *path)
{
        int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (descriptor < 0)
                return;
        (void)fsync(descriptor); /* some file systems refuse; SQLite syncs it again itself */
        (void)close(descriptor);
}

/* Make the directories of the default place that are ours to make: .local/state/gangway and up to
 * two above it. Others must exist: a mistyped GANGWAY_LEDGER is not to start an empty ledger in a
 * new directory. Returns the errno of the first that could not be made, or 0. */
static int make_directories(const char *path)
{
        static const char *const tails[] = { "/.local/state/gangway/nonces.db",
                                             "/gangway/nonces.db" };
        char directory[NONCE_LEDGER_PATH_MAX];
        size_t length = strlen(path), tail = 0;

        for (size_t i = 0; i < LENGTH_OF(tails) && !tail; i++) {
                size_t t = strlen(tails[i]);

                if (length > t && strcmp(path + length - t, tails[i]) == 0)
                        tail = t;
        }
        memcpy(directory, path, length + 1);
        for (size_t at = length - tail + 1; tail && at < length; at++) {
                if (path[at] != '/')
                        continue;
                directory[at] = '\0';
                if (mkdir(directory, 0700) < 0 && errno != EEXIST)
                        return errno;
                directory[at] = '/';
        }
        return 0;
}

static int refuse(const char *path, const char *why)
{
        return fault(FAULT_STORE,
                     "the nonce ledger %s cannot be written (%s), and without it nothing is "
                     "sealed; GANGWAY_LEDGER names another place",
                     path, why);
}

/* A new file exists with its mode before SQLite sees it. What is there already may be anything, so
 * nothing is done to it before it is known for a ledger. */
static int prepare_file(const char *path)
{
        char *slash, directory[NONCE_LEDGER_PATH_MAX];
        int error = make_directories(path), descriptor;
        struct stat found;
        bool is_file;

        if (error)
                return refuse(path, strerror(error));
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        if (descriptor < 0)
                return refuse(path, strerror(errno));
        is_file = fstat(descriptor, &found) == 0 && S_ISREG(found.st_mode);
        (void)close(descriptor); /* nothing was written */
        if (!is_file)
                return refuse(path, "it is not a regular file");
        memcpy(directory, path, strlen(path) + 1);
        slash = strrchr(directory, '/');
        if (slash)
                *slash = '\0';
        sync_directory(slash ? (directory[0] ? directory : "/") : ".");
        return 0;
}

/* --- opening ------------------------------------------------------------------------------- */

static int execute(sqlite3 *database, const char *sql)
{
        return store_sql(database, NULL, NULL, sql, "");
}

static int whole(sqlite3 *database, int (*work)(struct nonce_ledger *, void *),
                 struct nonce_ledger *ledger, void *argument, const char *begin)
{
        int r = execute(database, begin);

        if (r < 0)
                return fault_prefix(r, "the nonce ledger");
        r = work(ledger, argument);
        if (r >= 0) {
                int committed = execute(database, "COMMIT");

                if (committed >= 0)
                        return r;
                r = fault_prefix(committed, "the nonce ledger");
        }
        if (!sqlite3_get_autocommit(database))
                (void)sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL); /* the cause is kept */
        return r;
}

static int to_change(struct nonce_ledger *ledger, int (*work)(struct nonce_ledger *, void *),
                     void *argument)
{
        return whole(ledger->database, work, ledger, argument, "BEGIN IMMEDIATE");
}

static int to_read(struct nonce_ledger *ledger, int (*work)(struct nonce_ledger *, void *),
                   void *argument)
{
        return whole(ledger->database, work, ledger, argument, "BEGIN");
}

static int take_integer(struct sqlite3_stmt *row, void *context)
{
        *(int64_t *)context = sqlite3_column_int64(row, 0);
        return 0;
}

static int take_id(struct sqlite3_stmt *row, void *context)
{
        const char *id = (const char *)sqlite3_column_text(row, 0);

        if (id && strlen(id) == NONCE_KEY_TEXT - 1)
                memcpy(context, id, NONCE_KEY_TEXT);
        return 0;
}

static int make_tables(struct nonce_ledger *ledger)
{
        uint8_t id[NONCE_KEY_LENGTH];
        char text[NONCE_KEY_TEXT], sql[96];

        if (chmod(ledger->path, 0600) < 0) /* an empty file of another mode */
                return fault(FAULT_STORE, "%s: its mode cannot be set: %s", ledger->path,
                             strerror(errno));
        if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
                return fault(FAULT_SYSTEM, "no random bytes for the ledger's id: %s",
                             strerror(errno));
        hex_encode(id, sizeof(id), text);
        for (char *c = text; *c; c++)
                *c |= 0x20; /* lower case */
        snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 APPLICATION_ID, VERSION);
        if (sqlite3_exec(ledger->database, schema, NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(ledger->database, sql, NULL, NULL, NULL) != SQLITE_OK)
                return fault(FAULT_STORE, "%s: its tables cannot be made: %s", ledger->path,
                             sqlite3_errmsg(ledger->database));
        return store_sql(ledger->database, NULL, NULL,
                         "INSERT INTO ledger (id, made) VALUES (?, strftime('%Y-%m-%dT%H:%M:%SZ'))",
                         "t", text);
}

/* Tables in an empty file when `argument` says so; a stranger's file and a later version's are
 * refused. */
static int recognize(struct nonce_ledger *ledger, void *argument)
{
        const bool *may_make = argument;
        int64_t application = 0, version = 0, tables = 0;
        int r = store_sql(ledger->database, take_integer, &application, "PRAGMA application_id",
                          "");

        if (r >= 0)
                r = store_sql(ledger->database, take_integer, &version, "PRAGMA user_version", "");
        if (r >= 0)
                r = store_sql(ledger->database, take_integer, &tables,
                              "SELECT count(*) FROM sqlite_schema", "");
        if (r >= 0 && *may_make && application == 0 && version == 0 && tables == 0) {
                r = make_tables(ledger);
                application = APPLICATION_ID;
                version = VERSION;
        }
        if (r < 0)
                return r;
        if (application != APPLICATION_ID || version != VERSION)
                return fault(FAULT_STORE,
                             "%s is not a nonce ledger this program knows (version %d); move it "
                             "away, or use the Gangway that wrote it",
                             ledger->path, VERSION);
        return store_sql(ledger->database, take_id, ledger->id, "SELECT id FROM ledger", "");
}

static int set_up(struct nonce_ledger *ledger, bool may_make)
{
        int r;

        (void)sqlite3_busy_timeout(ledger->database, BUSY_TIMEOUT_MS);
        if (sqlite3_exec(ledger->database,
                         "PRAGMA trusted_schema = OFF; PRAGMA synchronous = EXTRA", NULL, NULL,
                         NULL) != SQLITE_OK)
                return fault(FAULT_STORE, "%s: %s", ledger->path, sqlite3_errmsg(ledger->database));
        r = may_make ? to_change(ledger, recognize, &may_make)
                     : to_read(ledger, recognize, &may_make);
        if (r >= 0 && !ledger->id[0])
                return fault(FAULT_STORE, "%s has lost its id; put back a copy of it",
                             ledger->path);
        return r;
}

static int open_at(const char *path, bool may_make, struct nonce_ledger **ret_ledger)
{
        struct nonce_ledger *ledger = calloc(1, sizeof(*ledger));
        int r = 0;

        INSIST(ledger);
        snprintf(ledger->path, sizeof(ledger->path), "%s", path);
        if (sqlite3_open_v2(path, &ledger->database,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                            NULL) != SQLITE_OK)
                r = fault(FAULT_STORE, "the nonce ledger %s cannot be opened: %s", path,
                          ledger->database ? sqlite3_errmsg(ledger->database) : "no memory");
        if (r >= 0)
                r = set_up(ledger, may_make);
        if (r < 0) {
                (void)nonce_ledger_close(ledger);
                return r;
        }
        *ret_ledger = ledger;
        return 0;
}

int nonce_ledger_open(const char *path, struct nonce_ledger **ret_ledger)
{
        int r = fit((int)strnlen(path, NONCE_LEDGER_PATH_MAX));

        if (r >= 0)
                r = prepare_file(path);
        return r < 0 ? r : open_at(path, true, ret_ledger);
}

int nonce_ledger_look(const char *path, struct nonce_ledger **ret_ledger)
{
        if (access(path, F_OK) != 0)
                return fault(FAULT_NOT_FOUND,
                             "there is no nonce ledger yet at %s: the first gangway sfi create "
                             "makes it",
                             path);
        return open_at(path, false, ret_ledger);
}

struct nonce_ledger *nonce_ledger_close(struct nonce_ledger *ledger)
{
        if (!ledger)
                return NULL;
        INSIST(sqlite3_close(ledger->database) == SQLITE_OK); /* no statement is left open */
        free(ledger);
        return NULL;
}

void nonce_ledger_release(struct nonce_ledger **ledger)
{
        *ledger = nonce_ledger_close(*ledger);
}

const char *nonce_ledger_path(const struct nonce_ledger *ledger)
{
        return ledger->path;
}

/* --- loading ------------------------------------------------------------------------------- */

static int take_use(struct sqlite3_stmt *row, void *context)
{
        const char *fields[NONCE_USE_FIELDS];
        struct nonce_list *list = context;
        struct nonce_use use;
        char where[48];
        int r;

        for (int i = 0; i < NONCE_USE_FIELDS; i++) {
                fields[i] = (const char *)sqlite3_column_text(row, i);
                if (!fields[i])
                        fields[i] = "";
        }
        snprintf(where, sizeof(where), "use %zu", list->count + 1);
        r = nonce_use_parse(where, fields, &use);
        return r < 0 ? r : nonce_list_add(list, &use);
}

static int take_seen(struct sqlite3_stmt *row, void *context)
{
        struct nonce_seen seen = { .uses = sqlite3_column_int64(row, 2) };

        snprintf(seen.ledger, sizeof(seen.ledger), "%s", (const char *)sqlite3_column_text(row, 0));
        snprintf(seen.key, sizeof(seen.key), "%s", (const char *)sqlite3_column_text(row, 1));
        return nonce_list_see(context, &seen);
}

/* A row nobody here wrote, or a link that does not fit. What SQLite itself says stands as it is. */
static int distrust(const struct nonce_ledger *ledger, int result)
{
        char cause[256];

        if (result != -FAULT_BAD_FILE && result != -FAULT_BAD_TAG)
                return result;
        snprintf(cause, sizeof(cause), "%s", fault_sentence(result));
        return fault(FAULT_STORE,
                     "the nonce ledger %s is damaged or was changed by other hands (%s): put back "
                     "a copy of it",
                     ledger->path, cause);
}

static int load(struct nonce_ledger *ledger, void *argument)
{
        struct nonce_list *list = argument;
        int r;

        memcpy(list->ledger, ledger->id, sizeof(list->ledger));
        r = store_sql(ledger->database, take_use, list,
                      "SELECT " USE_COLUMNS " FROM uses ORDER BY sequence", "");
        if (r >= 0)
                r = nonce_list_check(list);
        if (r >= 0)
                r = store_sql(ledger->database, take_seen, list,
                              "SELECT ledger, key, uses FROM seen ORDER BY ledger, key", "");
        return r < 0 ? distrust(ledger, r) : 0;
}

int nonce_ledger_load(struct nonce_ledger *ledger, struct nonce_list *ret_list)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        int r = to_read(ledger, load, &list);

        if (r < 0)
                return r;
        *ret_list = list;
        list = (struct nonce_list){ 0 };
        return 0;
}

/* --- reserving ----------------------------------------------------------------------------- */

/* Behind the last of `list`, which gets it too. */
static int append(struct nonce_ledger *ledger, struct nonce_list *list, struct nonce_use *use)
{
        const char *previous = list->count ? list->uses[list->count - 1].link : "";
        const char *f[NONCE_USE_FIELDS];
        struct nonce_use_texts texts;
        int r;

        nonce_use_link(previous, use, use->link);
        r = nonce_list_add(list, use);
        if (r < 0)
                return fault_prefix(r, "%s", ledger->path);
        nonce_use_fields(use, &texts, f);
        return store_sql(
                ledger->database, NULL, NULL,
                "INSERT INTO uses (" USE_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                "ttttttttttt", f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10]);
}

struct reservation {
        const char *key_file;
        const struct nonce_memory *memory;
        struct nonce_use *use;
};

static int reserve(struct nonce_ledger *ledger, void *argument)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        const struct reservation *wanted = argument;
        struct nonce_use *use = wanted->use;
        bool is_first;
        const char *link;
        int r;

        r = load(ledger, &list);
        if (r >= 0)
                r = nonce_memory_check(wanted->memory, wanted->key_file, use->key, &list,
                                       ledger->path);
        if (r >= 0)
                r = nonce_list_admit(&list, use);
        if (r < 0)
                return r;
        if (nonce_list_find(&list, use))
                return NONCE_SAME;
        is_first = !wanted->memory->is_there && nonce_list_count(&list, use->key, 1, &link) == 0;
        memcpy(use->origin, ledger->id, sizeof(use->origin));
        use->confirmed_s = -1;
        r = append(ledger, &list, use);
        return r < 0 ? r : is_first ? NONCE_NEW_KEY : NONCE_NEW;
}

int nonce_ledger_reserve(struct nonce_ledger *ledger, const char *key_file,
                         const struct nonce_memory *memory, struct nonce_use *use)
{
        struct reservation wanted = { key_file, memory, use };

        return to_change(ledger, reserve, &wanted);
}

/* --- confirming and remembering ------------------------------------------------------------ */

struct confirmation {
        const struct nonce_use *use;
        int64_t now_s;
};

static int confirm(struct nonce_ledger *ledger, void *argument)
{
        const struct confirmation *confirmation = argument;
        const char *f[NONCE_USE_FIELDS];
        struct nonce_use_texts texts;
        char now[NONCE_DATE_TEXT];

        nonce_use_fields(confirmation->use, &texts, f);
        return store_sql(ledger->database, NULL, NULL,
                         "UPDATE uses SET confirmed = ? WHERE key = ? AND nonce = ? AND policy = ? "
                         "AND areas = ? AND digest = ? AND confirmed = '-'",
                         "tttttt", nonce_date(confirmation->now_s, now), f[0], f[1], f[2], f[3],
                         f[4]);
}

int nonce_ledger_confirm(struct nonce_ledger *ledger, const struct nonce_use *use, int64_t now_s)
{
        struct confirmation confirmation = { use, now_s };

        return to_change(ledger, confirm, &confirmation);
}

struct remembering {
        const char *key_file, *key;
};

static int remember(struct nonce_ledger *ledger, void *argument)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        struct nonce_memory memory = { .is_there = true };
        const struct remembering *remembering = argument;
        const char *link;
        int r;

        r = load(ledger, &list);
        if (r < 0)
                return r;
        memory.images = nonce_list_count(&list, remembering->key, INT64_MAX, &link);
        snprintf(memory.key, sizeof(memory.key), "%s", remembering->key);
        memcpy(memory.ledger, ledger->id, sizeof(memory.ledger));
        snprintf(memory.link, sizeof(memory.link), "%s", link);
        return nonce_memory_write(remembering->key_file, &memory);
}

int nonce_ledger_remember(struct nonce_ledger *ledger, const char *key_file, const char *key)
{
        struct remembering remembering = { key_file, key };

        return to_change(ledger, remember, &remembering);
}

/* --- between machines ---------------------------------------------------------------------- */

static bool has_own_line(const struct nonce_list *list, const char *key)
{
        for (size_t i = 0; i < list->seen_count; i++)
                if (strcmp(list->seen[i].key, key) == 0 &&
                    strcmp(list->seen[i].ledger, list->ledger) == 0)
                        return true;
        return false;
}

/* Lines of this ledger itself are there when an export of it was merged back: older than it is. */
static void drop_own_lines(struct nonce_list *list)
{
        size_t kept = 0;

        for (size_t i = 0; i < list->seen_count; i++)
                if (strcmp(list->seen[i].ledger, list->ledger) != 0)
                        list->seen[kept++] = list->seen[i];
        list->seen_count = kept;
}

int nonce_ledger_load_for_export(struct nonce_ledger *ledger, struct nonce_list *ret_list)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        int r = nonce_ledger_load(ledger, &list);

        drop_own_lines(&list);
        for (size_t i = 0; r >= 0 && i < list.count; i++) {
                struct nonce_seen seen = { 0 };
                const char *link;

                if (has_own_line(&list, list.uses[i].key))
                        continue;
                memcpy(seen.ledger, list.ledger, sizeof(seen.ledger));
                memcpy(seen.key, list.uses[i].key, sizeof(seen.key));
                seen.uses = nonce_list_count(&list, seen.key, INT64_MAX, &link);
                r = nonce_list_see(&list, &seen);
        }
        if (r < 0)
                return r;
        *ret_list = list;
        list = (struct nonce_list){ 0 };
        return 0;
}

struct merging {
        const struct nonce_list *from;
        struct nonce_list *all;
        size_t before;
};

/* A use that was only reserved here and was confirmed there is confirmed. */
static int confirm_too(struct nonce_ledger *ledger, struct nonce_use *known,
                       const struct nonce_use *use)
{
        struct confirmation confirmation = { known, use->confirmed_s };

        if (known->confirmed_s >= 0 || use->confirmed_s < 0)
                return 0;
        known->confirmed_s = use->confirmed_s;
        return confirm(ledger, &confirmation);
}

static int merge(struct nonce_ledger *ledger, void *argument)
{
        struct merging *merging = argument;
        const struct nonce_list *from = merging->from;
        int r = load(ledger, merging->all);

        merging->before = merging->all->count;
        for (size_t i = 0; r >= 0 && i < from->count; i++) {
                struct nonce_use use = from->uses[i];
                struct nonce_use *known = nonce_list_find(merging->all, &use);

                r = known ? confirm_too(ledger, known, &use) : append(ledger, merging->all, &use);
        }
        for (size_t i = 0; r >= 0 && i < from->seen_count; i++)
                r = store_sql(ledger->database, NULL, NULL,
                              "INSERT INTO seen (ledger, key, uses) VALUES (?, ?, ?) "
                              "ON CONFLICT DO UPDATE SET uses = max(uses, excluded.uses)",
                              "tti", from->seen[i].ledger, from->seen[i].key, from->seen[i].uses);
        return r;
}

int nonce_ledger_merge(struct nonce_ledger *ledger, const struct nonce_list *from,
                       struct nonce_list *ret_all, size_t *ret_before)
{
        struct nonce_list all CLEANUP(nonce_list_free) = { 0 };
        struct merging merging = { from, &all, 0 };
        int r = to_change(ledger, merge, &merging);

        if (r < 0)
                return r;
        *ret_before = merging.before;
        *ret_all = all;
        all = (struct nonce_list){ 0 };
        return 0;
}
