/*
 * gangway nonces merge: take over what another machine's ledger knows.
 *
 * Clashes are taken over too: both images exist, and neither's IVs may come again. They are printed
 * and the exit code says no.
 */
#include "station/commands/command.h"

#include "station/commands/nonces_view.h"
#include "station/commands/options.h"
#include "station/nonce_ledger.h"

#include <stdlib.h>

static int read_request(int argc, char **argv, const char **ret_path, bool *ret_json)
{
        const struct argument arguments[] = {
                { .what = "export", .text = ret_path, .needed = "FILE" },
                { "json", .flag = ret_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int merge(const struct nonce_list *from, struct nonce_list *ret_all, size_t *ret_before,
                 char path[static NONCE_LEDGER_PATH_MAX])
{
        struct nonce_ledger *ledger CLEANUP(nonce_ledger_release) = NULL;
        int r = nonce_ledger_place(path);

        if (r >= 0)
                r = nonce_ledger_open(path, &ledger);
        return r < 0 ? r : nonce_ledger_merge(ledger, from, ret_all, ret_before);
}

static void print(const char *path, const char *file, const struct nonce_list *from,
                  const struct nonce_list *all, size_t before, bool is_json, int clashes)
{
        size_t added = all->count - before;

        if (is_json)
                printf("{ \"added\": %zu, \"known\": %zu, \"clashes\": %d }\n", added,
                       from->count - added, clashes);
        else
                printf("%s: %zu of %zu uses taken over from %s, the others were known\n", path,
                       added, from->count, file);
}

static int run(int argc, char **argv)
{
        struct nonce_list from CLEANUP(nonce_list_free) = { 0 };
        struct nonce_list all CLEANUP(nonce_list_free) = { 0 };
        char path[NONCE_LEDGER_PATH_MAX];
        const char *file = NULL;
        size_t before, *clashes;
        bool is_json = false;
        int r;

        r = read_request(argc, argv, &file, &is_json);
        if (r >= 0)
                r = nonces_read(file, &from);
        if (r >= 0)
                r = merge(&from, &all, &before, path);
        if (r >= 0)
                r = nonce_list_clashes(&all, &clashes);
        if (r < 0)
                return r;
        print(path, file, &from, &all, before, is_json, r);
        nonces_view_clashes(stderr, &all, clashes, 0);
        free(clashes);
        return r ? EXIT_NO : EXIT_OK;
}

const struct command nonces_merge_command = {
        .words = "nonces merge",
        .summary = "take over another machine's ledger",
        .help = "usage: gangway nonces merge FILE [--json]\n"
                "\n"
                "Adds to the ledger every use in FILE, made by gangway nonces export on another\n"
                "machine or from a ledger that was lost. From then on a key that was used there\n"
                "can be used here. Where both machines have used an IV for different images it\n"
                "says so and exits with 1: such images should not be shipped, or only one.\n"
                "\n"
                "  --json  the counts as JSON; clashes go to stderr as text\n"
                "\n"
                "example: gangway nonces merge nonces-of-the-other-room.txt\n",
        .run = run,
};
