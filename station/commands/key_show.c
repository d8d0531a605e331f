/*
 * gangway key show: which key a file holds, and what the ledger knows of it.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/key_files.h"
#include "station/commands/nonces_view.h"
#include "station/commands/options.h"

struct view {
        const char *key_file, *memory; /* what the key's memory says of the ledger */
        char name[NONCE_KEY_TEXT], fingerprint[NONCE_READ_TEXT], path[NONCE_LEDGER_PATH_MAX];
        struct nonce_list list;
        int64_t images, nonces;
        bool is_trusted;
};

static int read_request(int argc, char **argv, const char **ret_key, bool *ret_json)
{
        const struct argument arguments[] = {
                { "key", "k", .text = ret_key },
                { .what = "key", .text = ret_key, .needed = "KEY" },
                { "json", .flag = ret_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int64_t count_nonces(const struct nonce_list *list, const char *key)
{
        int64_t count = 0;

        for (size_t i = 0; i < list->count; i++) {
                const struct nonce_use *use = &list->uses[i];
                bool is_new = strcmp(use->key, key) == 0;

                for (size_t k = 0; is_new && k < i; k++)
                        is_new = strcmp(list->uses[k].key, key) != 0 ||
                                 memcmp(list->uses[k].range.nonce, use->range.nonce,
                                        SFI_NONCE_LENGTH) != 0;
                count += is_new;
        }
        return count;
}

static int look(struct view *view)
{
        struct nonce_memory memory = { 0 };
        const char *link;
        int r;

        r = key_file_name(view->key_file, view->name);
        if (r >= 0)
                r = nonce_memory_read(view->key_file, &memory);
        if (r >= 0)
                r = ledger_look(&view->list, view->path);
        if (r < 0)
                return r;
        nonce_key_read(view->name, view->fingerprint);
        view->images = nonce_list_count(&view->list, view->name, INT64_MAX, &link);
        view->nonces = count_nonces(&view->list, view->name);
        r = nonce_memory_check(&memory, view->key_file, view->name, &view->list, view->path);
        view->is_trusted = r >= 0;
        view->memory = r < 0             ? fault_sentence(r)
                       : memory.is_there ? "fits this ledger"
                                         : "none yet (no .ledger file)";
        return 0;
}

static int print_json(const struct view *view)
{
        return answer_json(json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:s, s:o}", "fingerprint",
                                     view->fingerprint, "ledger", view->path, "ledger_id",
                                     view->list.ledger, "images", (json_int_t)view->images,
                                     "nonces", (json_int_t)view->nonces, "memory_fits",
                                     view->is_trusted, "memory", view->memory, "uses",
                                     nonces_view_json(&view->list, view->name)),
                           0);
}

static void print_text(const struct view *view)
{
        printf("fingerprint  %s\n", view->fingerprint);
        printf("ledger       %s%s\n", view->path, view->list.ledger[0] ? "" : " (not made yet)");
        printf("memory       %s\n", view->memory);
        printf("images       %lld, by %lld nonce%s\n", (long long)view->images,
               (long long)view->nonces, view->nonces == 1 ? "" : "s");
        if (!view->images)
                return;
        printf("\n");
        nonces_view_print(stdout, &view->list, view->name);
}

static int run(int argc, char **argv)
{
        struct view view = { 0 };
        bool is_json = false;
        int r;

        r = read_request(argc, argv, &view.key_file, &is_json);
        if (r >= 0)
                r = look(&view);
        if (r >= 0 && is_json)
                r = print_json(&view);
        else if (r >= 0)
                print_text(&view);
        nonce_list_free(&view.list);
        return r < 0 ? r : view.is_trusted ? EXIT_OK : EXIT_NO;
}

const struct command key_show_command = {
        .words = "key show",
        .summary = "print the fingerprint of a key and where it was used",
        .help = "usage: gangway key show KEY [--json]\n"
                "\n"
                "Prints the fingerprint of the key file, what the nonce ledger knows of it (how\n"
                "many images, by which nonces, when, where) and whether the ledger is the one\n"
                "the key remembers. Neither the key nor a nonce is shown: a nonce by 8 digits\n"
                "of its hash. Exits with 1 when the ledger was deleted or put back.\n"
                "\n"
                "  -k, --key KEY  the same as KEY alone\n"
                "  --json         the same for programs\n"
                "\n"
                "example: gangway key show /secure/keys/blinky.key.bin\n",
        .run = run,
};
