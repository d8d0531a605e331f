/*
 * gangway nonces verify: an auditor's questions to an export - is it whole, and was any IV used
 * twice? Without a file, the same of this user's ledger.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/key_files.h"
#include "station/commands/nonces_view.h"
#include "station/commands/options.h"

#include <stdlib.h>

struct request {
        const char *path, *after;
        bool is_json;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "export", .text = &request->path },
                { "after", .text = &request->after },
                { "json", .flag = &request->is_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

/* The earlier export is the beginning of this one. */
static int check_after(const char *name, const struct nonce_list *list, const char *after)
{
        struct nonce_list earlier CLEANUP(nonce_list_free) = { 0 };
        int r = nonces_read(after, &earlier);

        if (r < 0)
                return r;
        if (strcmp(earlier.ledger, list->ledger) != 0)
                return fault(FAULT_BAD_VALUE, "%s is of ledger %.8s..., %s of %.8s...", after,
                             earlier.ledger, name, list->ledger);
        if (earlier.count > list->count ||
            (earlier.count &&
             strcmp(earlier.uses[earlier.count - 1].link, list->uses[earlier.count - 1].link) != 0))
                return fault(FAULT_BAD_TAG,
                             "%s does not go on from %s: uses were taken away or changed since",
                             name, after);
        return 0;
}

static int load(const struct request *request, struct nonce_list *list,
                char name[static NONCE_LEDGER_PATH_MAX])
{
        int r;

        if (request->path) {
                snprintf(name, NONCE_LEDGER_PATH_MAX, "%s", request->path);
                r = nonces_read(request->path, list);
        } else {
                r = ledger_look(list, name);
        }
        if (r >= 0 && request->after)
                r = check_after(name, list, request->after);
        return r;
}

static int answer(const struct request *request, const struct nonce_list *list, const char *name)
{
        const char *last = list->count ? list->uses[list->count - 1].link : "-";
        size_t *clashes;
        int r = nonce_list_clashes(list, &clashes);
        int code = r ? EXIT_NO : EXIT_OK;

        if (r < 0)
                return r;
        if (!request->is_json) {
                printf("%s: %zu use%s, every link holds%s\n", name, list->count,
                       list->count == 1 ? "" : "s",
                       request->after ? ", and it goes on from the earlier one" : "");
                printf("last link: %s\n", last);
                if (r == 0)
                        printf("no IV was used twice for different images\n");
                nonces_view_clashes(stdout, list, clashes, 0);
        } else {
                code = answer_json(json_pack("{s:b, s:I, s:i, s:s, s:s}", "verified", r == 0,
                                             "uses", (json_int_t)list->count, "clashes", r,
                                             "ledger", list->ledger, "last_link", last),
                                   code);
        }
        free(clashes);
        return code;
}

static int run(int argc, char **argv)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        char name[NONCE_LEDGER_PATH_MAX];
        struct request request = { 0 };
        int r;

        r = read_request(argc, argv, &request);
        if (r < 0)
                return r;
        r = load(&request, &list, name);
        if (r == -FAULT_BAD_TAG) { /* the answer, not a mistake in the question */
                fprintf(stderr, "gangway nonces verify: %s\n", fault_sentence(r));
                return EXIT_NO;
        }
        return r < 0 ? r : answer(&request, &list, name);
}

const struct command nonces_verify_command = {
        .words = "nonces verify",
        .summary = "prove an export: whole, unchanged, no IV used twice",
        .help = "usage: gangway nonces verify [FILE] [--after EARLIER] [--json]\n"
                "\n"
                "Checks every link and the digest of an export, text or JSON, and computes all\n"
                "IVs of all images anew: no two images of different content under one key may\n"
                "share one. Without FILE the ledger itself is checked. No key is needed.\n"
                "\n"
                "  --after EARLIER  an earlier export that must be the beginning of this one\n"
                "  --json           the answer as JSON\n"
                "\n"
                "Exits with 1 when it was changed or an IV was used twice.\n"
                "\n"
                "example: gangway nonces verify nonces-2026-07.txt --after nonces-2026-06.txt\n",
        .run = run,
};
