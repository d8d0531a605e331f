/*
 * gangway ssp verify: does the tag match, and, where asked, are the secrets and the OEM key these?
 *
 * What was decrypted is compared here and wiped; it is never shown.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/options.h"
#include "station/commands/ssp_files.h"

struct request {
        const char *path, *key, *nonce, *blob, *public_key;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "file", .text = &request->path, .needed = "FILE.ssp" },
                { "key", "k", .text = &request->key, .needed = "-k FILE" },
                { "nonce", "n", .text = &request->nonce, .needed = "-n FILE" },
                { "blob", "b", .text = &request->blob },
                { "pubk", "pk", .text = &request->public_key },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int compare_blob(const char *path, const struct ssp *ssp,
                        const uint8_t plain[static SSP_PLAIN_LENGTH])
{
        uint8_t blob[SSP_SECRET_LENGTH];
        bool is_same;
        int r = secrets_read_exactly("secrets", path, blob, sizeof(blob));

        if (r < 0)
                return r;
        is_same = ssp->secret_length == SSP_PLAIN_LENGTH &&
                  equal_secret(blob, plain + SSP_PLAIN_LENGTH - SSP_SECRET_LENGTH, sizeof(blob));
        wipe(blob, sizeof(blob));
        printf("  secrets: %s %s\n", is_same ? "those of" : "NOT those of", path);
        return is_same ? EXIT_OK : EXIT_NO;
}

static int compare_public_key(const char *path, const struct ssp *ssp)
{
        uint8_t key[SSP_KEY_LENGTH];
        bool is_same;
        int r = ssp_files_public_key(path, key);

        if (r < 0)
                return r;
        is_same = memcmp(key, ssp->public_key, sizeof(key)) == 0;
        printf("  OEM public key: %s %s\n", is_same ? "that of" : "NOT that of", path);
        return is_same ? EXIT_OK : EXIT_NO;
}

static int judge(const struct request *request, const struct ssp *ssp,
                 const uint8_t plain[static SSP_PLAIN_LENGTH])
{
        int secrets = EXIT_OK, key = EXIT_OK;

        if (request->blob)
                secrets = compare_blob(request->blob, ssp, plain);
        if (secrets >= 0 && request->public_key)
                key = compare_public_key(request->public_key, ssp);
        return secrets == EXIT_OK ? key : key < 0 ? key : secrets;
}

static int run(int argc, char **argv)
{
        struct secrets secrets CLEANUP(secrets_wipe) = { 0 };
        uint8_t plain[SSP_PLAIN_LENGTH];
        struct request request = { 0 };
        struct ssp ssp;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = ssp_files_image(request.path, &ssp);
        if (r >= 0)
                r = ssp_files_secrets(request.key, request.nonce, &secrets);
        if (r < 0)
                return r;
        r = ssp_open(&ssp, secrets.key, secrets.nonce, plain);
        if (r < 0) {
                printf("%s: NOT verified: %s\n", request.path, fault_sentence(r));
                return EXIT_NO;
        }
        printf("%s: verified, %u bytes of secrets\n", request.path, ssp.secret_length);
        r = judge(&request, &ssp, plain);
        wipe(plain, sizeof(plain));
        return r;
}

const struct command ssp_verify_command = {
        .words = "ssp verify",
        .summary = "prove an .ssp with its key",
        .help = "usage: gangway ssp verify FILE.ssp -k KEY -n NONCE [-b SECRETS] [-pk PUBLIC.pem]\n"
                "\n"
                "Checks the tag with key and nonce; exit code 1 when it does not match.\n"
                "\n"
                "  -k, --key FILE        AES-128 key, exactly 16 bytes\n"
                "  -n, --nonce FILE      nonce of 12 bytes, or 16 whose last 4 are zero\n"
                "  -b, --blob FILE       are the secrets these 148 bytes? (1 when not)\n"
                "  -pk, --pubk FILE.pem  is the OEM public key this one? (1 when not)\n"
                "\n"
                "example: gangway ssp verify out.ssp -k key.bin -n nonce.bin -b secrets.bin\n",
        .run = run,
};
