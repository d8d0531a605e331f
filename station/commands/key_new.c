/*
 * gangway key new: a key and a nonce, made together, that nobody has seen (AN5054 section 2.5.1: 16
 * and 12 bytes).
 *
 * All names are looked at before anything is drawn; each file is made by an open that fails when
 * there is one. The key learns at once which ledger it belongs to.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/key_files.h"
#include "station/commands/options.h"

#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM    1024u
#define DEFAULT_NAME "sfi"

struct request {
        const char *output, *name;
        bool is_json;
};

struct paths {
        char key[PATH_ROOM], nonce[PATH_ROOM], memory[PATH_ROOM];
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "output", "o", .text = &request->output, .what = "place",
                  .needed = "-o DIRECTORY or -o PREFIX" },
                { "name", .text = &request->name },
                { "json", .flag = &request->is_json },
                { .instead = "the place is given with -o" },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0 && !request->output[0])
                return fault(FAULT_BAD_VALUE, "-o is empty, wanted DIRECTORY or PREFIX");
        if (r >= 0 && request->name && (strchr(request->name, '/') || !request->name[0]))
                return fault(FAULT_BAD_VALUE, "--name is %.60s, wanted a file name without a /",
                             request->name);
        return r;
}

/* DIRECTORY/NAME.key.bin where -o is a directory, PREFIX.key.bin where it is not. */
static int find_paths(const struct request *request, struct paths *paths)
{
        char prefix[PATH_ROOM - 32];
        struct stat found;
        bool is_directory = stat(request->output, &found) == 0 && S_ISDIR(found.st_mode);
        int length;

        if (!is_directory && (request->name || request->output[strlen(request->output) - 1] == '/'))
                return fault(FAULT_NOT_FOUND, "%s is not a directory", request->output);
        if (is_directory)
                length = snprintf(prefix, sizeof(prefix), "%s/%s", request->output,
                                  request->name ? request->name : DEFAULT_NAME);
        else
                length = snprintf(prefix, sizeof(prefix), "%s", request->output);
        if (length >= (int)sizeof(prefix))
                return fault(FAULT_BAD_VALUE, "the name is too long: %.60s...", prefix);
        snprintf(paths->key, sizeof(paths->key), "%s.key.bin", prefix);
        snprintf(paths->nonce, sizeof(paths->nonce), "%s.nonce.bin", prefix);
        snprintf(paths->memory, sizeof(paths->memory), "%s.key.bin" NONCE_MEMORY_SUFFIX, prefix);
        return 0;
}

static int check_free(const struct paths *paths)
{
        const char *const all[] = { paths->key, paths->nonce, paths->memory };
        struct stat found;

        for (size_t i = 0; i < LENGTH_OF(all); i++)
                if (lstat(all[i], &found) == 0)
                        return fault(FAULT_DUPLICATE, "%s exists already and is not overwritten",
                                     all[i]);
        return 0;
}

static int make_files(const struct paths *paths, char ret_name[static NONCE_KEY_TEXT])
{
        uint8_t secret[GCM_KEY_LENGTH + SFI_NONCE_LENGTH];
        int r = secret_draw(secret, sizeof(secret));

        if (r >= 0)
                r = secret_write(paths->key, secret, GCM_KEY_LENGTH);
        if (r >= 0) {
                r = secret_write(paths->nonce, secret + GCM_KEY_LENGTH, SFI_NONCE_LENGTH);
                if (r < 0)
                        (void)unlink(paths->key); /* ours, made a moment ago */
        }
        if (r >= 0)
                nonce_key_name(secret, ret_name);
        wipe(secret, sizeof(secret));
        return r;
}

/* Without a ledger the key is as good; the first seal will say what is missing. */
static void remember(const struct paths *paths, const char *name, char *ledger_path)
{
        struct nonce_ledger *ledger CLEANUP(nonce_ledger_release) = NULL;
        int r;

        ledger_path[0] = '\0';
        r = nonce_ledger_place(ledger_path);
        if (r >= 0)
                r = nonce_ledger_open(ledger_path, &ledger);
        if (r >= 0)
                r = nonce_ledger_remember(ledger, paths->key, name);
        if (r < 0)
                fprintf(stderr, "warning: %s\n", fault_sentence(r));
}

static int run(int argc, char **argv)
{
        char name[NONCE_KEY_TEXT], text[NONCE_READ_TEXT], ledger_path[NONCE_LEDGER_PATH_MAX];
        struct request request = { 0 };
        struct paths paths;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = find_paths(&request, &paths);
        if (r >= 0)
                r = check_free(&paths);
        if (r >= 0)
                r = make_files(&paths, name);
        if (r < 0)
                return r;
        remember(&paths, name, ledger_path);
        nonce_key_read(name, text);
        if (request.is_json)
                return answer_json(json_pack("{s:s, s:s, s:s, s:s}", "key_file", paths.key,
                                             "nonce_file", paths.nonce, "fingerprint", text,
                                             "ledger", ledger_path),
                                   EXIT_OK);
        printf("key          %s  %d bytes, mode 0600\n", paths.key, GCM_KEY_LENGTH);
        printf("nonce        %s  %d bytes, mode 0600\n", paths.nonce, SFI_NONCE_LENGTH);
        printf("fingerprint  %s\n", text);
        printf("ledger       %s\n", ledger_path);
        return EXIT_OK;
}

const struct command key_new_command = {
        .words = "key new",
        .summary = "make an AES key and its first nonce",
        .help = "usage: gangway key new -o DIRECTORY|PREFIX [--name NAME] [--json]\n"
                "\n"
                "Makes a random key of 16 bytes and a nonce of 12, mode 0600, as STM32 Trusted\n"
                "Package Creator takes them, and prints the fingerprint of the key. Files that\n"
                "exist are never overwritten. KEY.ledger beside the key remembers the nonce\n"
                "ledger it is used with: keep the two together.\n"
                "\n"
                "  -o, --output DIRECTORY  makes DIRECTORY/sfi.key.bin and sfi.nonce.bin\n"
                "  -o, --output PREFIX     makes PREFIX.key.bin and PREFIX.nonce.bin\n"
                "  --name NAME             in a directory, another name than sfi\n"
                "  --json                  what was made, as JSON\n"
                "\n"
                "The next image under this key wants another nonce: gangway nonce new.\n"
                "\n"
                "example: gangway key new -o /secure/keys --name blinky\n",
        .run = run,
};
