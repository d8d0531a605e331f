/*
 * gangway nonces export: the ledger as a file, for an auditor or for another machine.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/options.h"
#include "station/nonce_export.h"
#include "station/nonce_ledger.h"

#include <stdio.h>
#include <stdlib.h>

#define EXPORT_MODE 0600u /* the nonces are in it: no secret, and nobody's business */

static int read_request(int argc, char **argv, const char **ret_output, bool *ret_json)
{
        const struct argument arguments[] = {
                { "output", "o", .text = ret_output, .what = "file", .needed = "-o FILE" },
                { "json", .flag = ret_json },
                { .instead = "the file is given with -o" },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int load(struct nonce_list *list)
{
        struct nonce_ledger *ledger CLEANUP(nonce_ledger_release) = NULL;
        char path[NONCE_LEDGER_PATH_MAX];
        int r = nonce_ledger_place(path);

        if (r >= 0)
                r = nonce_ledger_look(path, &ledger);
        return r < 0 ? r : nonce_ledger_load_for_export(ledger, list);
}

static struct bytes json_text(const struct nonce_list *list)
{
        json_t *object = nonce_export_json(list);
        char *text = object ? json_dumps(object, JSON_INDENT(1)) : NULL;

        json_decref(object);
        return (struct bytes){ (uint8_t *)text, text ? strlen(text) : 0 };
}

static int run(int argc, char **argv)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        struct bytes text CLEANUP(bytes_free) = { 0 };
        const char *output = NULL;
        bool is_json = false;
        int r;

        r = read_request(argc, argv, &output, &is_json);
        if (r >= 0)
                r = load(&list);
        if (r < 0)
                return r;
        text = is_json ? json_text(&list) : nonce_export_text(&list);
        if (!text.data)
                return fault(FAULT_SYSTEM, "no memory for the export");
        r = file_write(output, text.data, text.length, EXPORT_MODE);
        if (r < 0)
                return r;
        printf("%s: %zu use%s of ledger %.8s...\n", output, list.count, list.count == 1 ? "" : "s",
               list.ledger);
        printf("last link: %s\n", list.count ? list.uses[list.count - 1].link : "-");
        return EXIT_OK;
}

const struct command nonces_export_command = {
        .words = "nonces export",
        .summary = "write the ledger to a file for an auditor or another machine",
        .help = "usage: gangway nonces export [--json] -o FILE\n"
                "\n"
                "Writes every use of a nonce, each bound by SHA-256 to all before it, to a text\n"
                "file with one use a line. gangway nonces verify proves it, gangway nonces merge\n"
                "takes it over on another machine. It holds nonces and no key; mode 0600. The\n"
                "last link, kept elsewhere, proves later that nothing was taken from the end.\n"
                "\n"
                "  -o, --output FILE  the export\n"
                "  --json             as JSON, with the same fields\n"
                "\n"
                "example: gangway nonces export -o nonces-2026-07.txt\n",
        .run = run,
};
