/*
 * gangway obk show: what an .obk file is, and whether it is consistent; no key is needed.
 *
 * A debug-authentication record holds only the hash of its root key or password; with --key it is
 * compared with a key file's.
 */
#include "station/commands/command.h"

#include "crypto/pem.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/obk_view.h"
#include "station/commands/options.h"

#include <string.h>

struct request {
        const char *path, *key_path;
        bool is_json;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "file", .text = &request->path, .needed = "FILE" },
                { "key", "k", .text = &request->key_path },
                { "json", .flag = &request->is_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

/* EXIT_OK when the record is of this root key. */
static int compare_key(const char *key_path, const struct obk_facts *facts, bool is_json)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        struct pem_key key CLEANUP(pem_wipe) = { 0 };
        uint8_t digest[DIGEST_LENGTH];
        bool is_same;
        int r = file_read(key_path, PEM_FILE_MAX, &file);

        if (r >= 0)
                r = pem_parse(key_path, file.data, file.length, &key);
        if (r < 0)
                return r;
        digest_sha256(key.public_key, sizeof(key.public_key), digest);
        is_same = memcmp(digest, facts->credential, sizeof(digest)) == 0;
        if (!is_json)
                printf("  root key                  %s %s\n",
                       is_same ? "is that of" : "is NOT that of", key_path);
        return is_same ? EXIT_OK : EXIT_NO;
}

static int run(int argc, char **argv)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        struct request request = { 0 };
        struct obk_facts facts;
        struct obk obk;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = file_read(request.path, OBK_FILE_MAX, &file);
        if (r >= 0)
                r = obk_parse(request.path, file.data, file.length, &obk);
        if (r < 0)
                return r;
        if (!request.is_json)
                obk_view_print(stdout, request.path, &obk);
        else if ((r = answer_json(obk_view_json(request.path, &obk), EXIT_OK)) < 0)
                return r;
        obk_examine(&obk, &facts);
        if (facts.problem[0])
                return EXIT_NO;
        return request.key_path ? compare_key(request.key_path, &facts, request.is_json) : EXIT_OK;
}

const struct command obk_show_command = {
        .words = "obk show",
        .summary = "decode and check an .obk file",
        .help = "usage: gangway obk show FILE.obk [--key ROOT.pem] [--json]\n"
                "\n"
                "Prints destination (H5: offset in the OB-key area; H7RS: HDPL and slot), kind,\n"
                "hash, and for debug authentication the record: hash of root key or password,\n"
                "permission mask, lock. Exit code 1 when hash, record or lock is wrong.\n"
                "\n"
                "  -k, --key FILE  is the record's root key this one? (1 when not)\n"
                "  --json          the same for programs; numbers are decimal\n"
                "\n"
                "example: gangway obk show DA/Binary/DA_Config.obk --key DA/Keys/key_1_root.pem\n",
        .run = run,
};
