/*
 * gangway nonce new: a nonce for a key that is there already, from which an image of any length and
 * by any IV policy can be sealed without meeting an IV of an earlier one.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/key_files.h"
#include "station/commands/options.h"

struct request {
        const char *key_file, *output;
        bool is_json;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "key", "k", .text = &request->key_file, .needed = "-k KEY" },
                { "output", "o", .text = &request->output, .needed = "-o FILE" },
                { "json", .flag = &request->is_json },
                { .instead = "the file is given with -o" },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int draw(void *context, uint8_t nonce[static SFI_NONCE_LENGTH])
{
        (void)context;
        return secret_draw(nonce, SFI_NONCE_LENGTH);
}

/* A ledger the key does not trust cannot say that a nonce is free. */
static int make(const struct request *request, const char *key, const struct nonce_list *list,
                const char *path)
{
        uint8_t nonce[SFI_NONCE_LENGTH];
        struct nonce_memory memory = { 0 };
        int r;

        r = nonce_memory_read(request->key_file, &memory);
        if (r >= 0)
                r = nonce_memory_check(&memory, request->key_file, key, list, path);
        if (r >= 0)
                r = nonce_list_draw(list, key, draw, NULL, nonce);
        if (r >= 0)
                r = secret_write(request->output, nonce, sizeof(nonce));
        wipe(nonce, sizeof(nonce));
        return r;
}

static int run(int argc, char **argv)
{
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        char key[NONCE_KEY_TEXT], text[NONCE_READ_TEXT], path[NONCE_LEDGER_PATH_MAX];
        struct request request = { 0 };
        const char *link;
        long long images;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = key_file_name(request.key_file, key);
        if (r >= 0)
                r = ledger_look(&list, path);
        if (r >= 0)
                r = make(&request, key, &list, path);
        if (r < 0)
                return r;
        images = nonce_list_count(&list, key, INT64_MAX, &link);
        nonce_key_read(key, text);
        if (request.is_json)
                return answer_json(json_pack("{s:s, s:s, s:I}", "nonce_file", request.output,
                                             "fingerprint", text, "images", images),
                                   EXIT_OK);
        printf("nonce  %s  %d bytes, mode 0600\n", request.output, SFI_NONCE_LENGTH);
        printf("key    %s, %lld image%s before; none of their IVs is in the nonce's range\n", text,
               images, images == 1 ? "" : "s");
        return EXIT_OK;
}

const struct command nonce_new_command = {
        .words = "nonce new",
        .summary = "make a fresh nonce for a key",
        .help = "usage: gangway nonce new -k KEY -o FILE [--json]\n"
                "\n"
                "Makes a random nonce of 12 bytes, mode 0600, so that an image of any number of\n"
                "areas and by any --iv-policy meets no IV of an earlier image under the key. A\n"
                "file that exists is never overwritten.\n"
                "\n"
                "  -k, --key KEY      the AES key, 16 bytes\n"
                "  -o, --output FILE  the nonce\n"
                "  --json             what was made, as JSON\n"
                "\n"
                "example: gangway nonce new -k blinky.key.bin -o blinky-1.1.nonce.bin\n",
        .run = run,
};
