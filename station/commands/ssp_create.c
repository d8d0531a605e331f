/*
 * gangway ssp create: seal the secrets of an STM32MP1 (AN5054 sections 2.5.2 and 14.3).
 *
 * Sealed in memory, the nonce taken in the ledger, the file written, the use confirmed.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/options.h"
#include "station/commands/sealing.h"
#include "station/commands/ssp_files.h"

#include <string.h>

#define IMAGE_MODE 0644u /* sealed: not secret */

enum {
        KEY_UNLOCK = OPTIONS_KEYS,
        KEY_RELOCK,
        KEY_BLOB,
        KEY_PUBLIC_KEY,
        KEY_KEY,
        KEY_NONCE,
        KEY_OUTPUT,
        KEY_JSON,
        KEY_NO_LEDGER,
};

static const struct option_name names[] = {
        { "rma_unlock", "ru", true, false, KEY_UNLOCK },
        { "rma_relock", "rr", true, false, KEY_RELOCK },
        { "blob", "b", true, false, KEY_BLOB },
        { "pubk", "pk", true, false, KEY_PUBLIC_KEY },
        { "key", "k", true, false, KEY_KEY },
        { "nonce", "n", true, false, KEY_NONCE },
        { "out", "o", true, false, KEY_OUTPUT },
        { "json", NULL, false, false, KEY_JSON },
        { "no-ledger", NULL, true, false, KEY_NO_LEDGER },
};

struct request {
        uint32_t unlock, relock;
        bool has_unlock, has_relock, is_json;
        const char *blob, *public_key, *key, *nonce, *output, *no_ledger;
};

static int take_option(struct request *request, const struct options *options, int key)
{
        const char *value = options->value;

        switch (key) {
        case KEY_UNLOCK:
                request->has_unlock = true;
                return options_number("--rma_unlock", value, SSP_RMA_MAX, &request->unlock);
        case KEY_RELOCK:
                request->has_relock = true;
                return options_number("--rma_relock", value, SSP_RMA_MAX, &request->relock);
        case KEY_BLOB:
                request->blob = value;
                return 0;
        case KEY_PUBLIC_KEY:
                request->public_key = value;
                return 0;
        case KEY_KEY:
                request->key = value;
                return 0;
        case KEY_NONCE:
                request->nonce = value;
                return 0;
        case KEY_OUTPUT:
                request->output = value;
                return 0;
        case KEY_JSON:
                request->is_json = true;
                return 0;
        case KEY_NO_LEDGER:
                request->no_ledger = value;
                return 0;
        default:
                return fault(FAULT_BAD_VALUE, "%.60s: secrets are given with -b", value);
        }
}

static int check_request(const struct request *request)
{
        size_t length = request->output ? strlen(request->output) : 0;

        if (!request->has_unlock || !request->has_relock)
                return fault(FAULT_BAD_VALUE,
                             "both RMA passwords are needed: give -ru 0..0x7FFF -rr 0..0x7FFF");
        if (!request->blob)
                return fault(FAULT_BAD_VALUE, "no secrets: give -b FILE of %u bytes",
                             SSP_SECRET_LENGTH);
        if (!request->public_key)
                return fault(FAULT_BAD_VALUE, "no OEM public key: give -pk FILE.pem");
        if (!request->key || !request->nonce)
                return fault(FAULT_BAD_VALUE,
                             "key and nonce are both needed: give -k FILE -n FILE");
        if (length < 5 || strcmp(request->output + length - 4, ".ssp") != 0)
                return fault(FAULT_BAD_VALUE,
                             "the output is %.80s, wanted -o and a name that ends in .ssp",
                             request->output ? request->output : "not given");
        return 0;
}

static int read_request(int argc, char **argv, struct request *request)
{
        struct options options;
        int r;

        options_init(&options, argc, argv, names, LENGTH_OF(names));
        while ((r = options_next(&options)) > 0) {
                r = take_option(request, &options, r);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : check_request(request);
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
                return json_print(stdout, ssp_json(request->output, &ssp))
                               ? EXIT_OK
                               : fault(FAULT_SYSTEM, "no memory for the answer");
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
