/*
 * gangway ssp create: seal the secrets of an STM32MP1 (AN5054 sections 2.5.2 and 14.3).
 *
 * Sealed in memory, the nonce taken in the ledger, the file written, the use confirmed.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/options.h"
#include "station/commands/sealing.h"
#include "station/commands/ssp_files.h"

#include <string.h>

#define IMAGE_MODE 0644u /* sealed: not secret */

struct request {
        uint32_t unlock, relock;
        bool is_json;
        const char *blob, *public_key, *key, *nonce, *output, *no_ledger;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "rma_unlock", "ru", .number = &request->unlock, .most = SSP_RMA_MAX,
                  .what = "RMA unlock password", .needed = "-ru 0..0x7FFF" },
                { "rma_relock", "rr", .number = &request->relock, .most = SSP_RMA_MAX,
                  .what = "RMA relock password", .needed = "-rr 0..0x7FFF" },
                { "blob", "b", .text = &request->blob, .what = "secrets (148 bytes)",
                  .needed = "-b FILE" },
                { "pubk", "pk", .text = &request->public_key, .what = "OEM public key",
                  .needed = "-pk FILE.pem" },
                { "key", "k", .text = &request->key, .needed = "-k FILE" },
                { "nonce", "n", .text = &request->nonce, .needed = "-n FILE" },
                { "out", "o", .text = &request->output, .what = "output", .needed = "-o FILE.ssp" },
                { "json", .flag = &request->is_json },
                { "no-ledger", .text = &request->no_ledger },
                { .instead = "secrets are given with -b" },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        size_t length = request->output ? strlen(request->output) : 0;

        if (r >= 0 && (length < 5 || strcmp(request->output + length - 4, ".ssp") != 0))
                return fault(FAULT_BAD_VALUE,
                             "the output is %.80s, wanted a name that ends in .ssp",
                             request->output);
        return r;
}

/* An .ssp takes one IV, the nonce itself: no areas. Under one key it shares the ledger with images. */
static int seal(const struct request *request, struct sealing *sealing, struct bytes *ret_file)
{
        struct secrets secrets CLEANUP(secrets_wipe) = { 0 };
        uint8_t public_key[SSP_KEY_LENGTH], blob[SSP_SECRET_LENGTH], digest[DIGEST_LENGTH];
        int r;

        r = ssp_files_public_key(request->public_key, public_key);
        if (r >= 0)
                r = ssp_files_secrets(request->key, request->nonce, &secrets);
        if (r >= 0)
                r = secrets_read_exactly("secrets", request->blob, blob, sizeof(blob));
        if (r < 0)
                return r;
        *ret_file = bytes_new(SSP_LENGTH);
        ssp_seal(secrets.key, secrets.nonce, public_key,
                 ssp_rma_word(request->unlock, request->relock), blob, ret_file->data);
        wipe(blob, sizeof(blob));
        digest_sha256(ret_file->data, ret_file->length, digest);
        return sealing_reserve(sealing, secrets.key, secrets.nonce, SFI_IV_BIG_ENDIAN, 0, digest);
}

static int show_result(const struct request *request)
{
        struct ssp ssp;
        int r = ssp_files_image(request->output, &ssp); /* what was written, read again */

        if (r < 0)
                return r;
        if (request->is_json)
                return answer_json(ssp_json(request->output, &ssp), EXIT_OK);
        printf("SSP generation SUCCESS\n");
        ssp_print(stdout, request->output, &ssp);
        return EXIT_OK;
}

static int run(int argc, char **argv)
{
        struct request request = { 0 };
        struct sealing sealing CLEANUP(sealing_close) = { 0 };
        struct bytes file CLEANUP(bytes_free) = { 0 };
        int r;

        r = read_request(argc, argv, &request);
        if (r < 0)
                return r;
        sealing.key_file = request.key;
        sealing.output = request.output;
        sealing.no_ledger = request.no_ledger;
        r = seal(&request, &sealing, &file);
        if (r >= 0)
                r = file_write(request.output, file.data, file.length, IMAGE_MODE);
        if (r >= 0)
                r = sealing_confirm(&sealing);
        return r < 0 ? r : show_result(&request);
}

const struct command ssp_create_command = {
        .words = "ssp create",
        .summary = "seal the secrets of an STM32MP1",
        .help = "usage: gangway ssp create -ru UNLOCK -rr RELOCK -b SECRETS -pk PUBLIC.pem -k KEY\n"
                "                          -n NONCE -o OUT.ssp\n"
                "\n"
                "  -ru, --rma_unlock NUMBER  RMA unlock password, 0 to 0x7FFF, any base\n"
                "  -rr, --rma_relock NUMBER  RMA relock password, 0 to 0x7FFF, any base\n"
                "  -b, --blob FILE           secrets, exactly 148 bytes: OTP words 59 to 95\n"
                "  -pk, --pubk FILE.pem      OEM public key on P-256; line ends do not matter\n"
                "  -k, --key FILE            AES-128 key, exactly 16 bytes\n"
                "  -n, --nonce FILE          nonce of 12 bytes, or 16 whose last 4 are zero\n"
                "  -o, --out FILE.ssp        244 bytes, written in one step\n"
                "  --json                    what was made, as JSON\n"
                "  --no-ledger " SEALING_OVERRIDE "  no guard against reuse\n"
                "\n"
                "Passwords on a command line are seen by everyone on the machine (ps).\n"
                "\n"
                "example: gangway ssp create -ru 0x312 -rr 0xECA -b secrets.bin -pk oem.pem \\\n"
                "                 -k key.bin -n nonce.bin -o out.ssp\n",
        .run = run,
};
