/*
 * gangway nonces list: every use of a nonce this user's ledger knows.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/key_files.h"
#include "station/commands/nonces_view.h"
#include "station/commands/options.h"

static int read_request(int argc, char **argv, const char **ret_key, bool *ret_json)
{
        const struct argument arguments[] = {
                { "key", "k", .text = ret_key },
                { "json", .flag = ret_json },
                { .instead = "a key is given with -k" },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int run(int argc, char **argv)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        char name[NONCE_KEY_TEXT], path[NONCE_LEDGER_PATH_MAX];
        const char *key_file = NULL;
        bool is_json = false;
        int r;

        r = read_request(argc, argv, &key_file, &is_json);
        if (r >= 0 && key_file)
                r = key_file_name(key_file, name);
        if (r >= 0)
                r = ledger_look(&list, path);
        if (r < 0)
                return r;
        if (is_json)
                return answer_json(nonces_view_json(&list, key_file ? name : NULL), EXIT_OK);
        printf("%s%s\n", path, list.ledger[0] ? "" : " (not made yet)");
        nonces_view_print(stdout, &list, key_file ? name : NULL);
        return EXIT_OK;
}

const struct command nonces_list_command = {
        .words = "nonces list",
        .summary = "print every use of a nonce the ledger knows",
        .help = "usage: gangway nonces list [-k KEY] [--json]\n"
                "\n"
                "Prints the nonce ledger: key by fingerprint, nonce by 8 digits of its hash, IV\n"
                "policy, number of areas, when, which image, where. \"reserved\" is an image that\n"
                "was sealed and never known to be written: its IVs are taken all the same.\n"
                "\n"
                "  -k, --key KEY  only this key's\n"
                "  --json         the same for programs\n"
                "\n"
                "The ledger is $GANGWAY_LEDGER, else $XDG_STATE_HOME/gangway/nonces.db, else\n"
                "~/.local/state/gangway/nonces.db.\n"
                "\n"
                "example: gangway nonces list -k blinky.key.bin\n",
        .run = run,
};
