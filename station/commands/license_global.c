/*
 * gangway license global: the reference global license of key and nonce (crypto/license_global.h).
 */
#include "station/commands/command.h"

#include "crypto/license_global.h"
#include "scheduler/file.h"
#include "station/commands/options.h"
#include "station/commands/secrets.h"

#include <stdio.h>

#define SECRET_MODE 0600u

struct request {
        const char *key, *nonce, *output;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "key", "k", .text = &request->key, .needed = "-k FILE" },
                { "nonce", "n", .text = &request->nonce, .needed = "-n FILE" },
                { "outfile", "o", .text = &request->output, .what = "output", .needed = "-o FILE" },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int run(int argc, char **argv)
{
        struct secrets secrets CLEANUP(secrets_wipe) = { 0 };
        uint8_t license[LICENSE_GLOBAL_LENGTH];
        struct request request = { 0 };
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = secrets_read(request.key, request.nonce, &secrets);
        if (r < 0)
                return r;
        license_global_make(secrets.key, secrets.nonce, license);
        r = file_write(request.output, license, sizeof(license), SECRET_MODE);
        wipe(license, sizeof(license));
        if (r < 0)
                return r;
        printf("%s: %d bytes, REFERENCE layout (crypto/license_global.h): for Gangway's\n"
               "simulator only, no real chip takes it; ST's layout is not public.\n"
               "Whoever reads the file has the key: keep it as secret as the key.\n",
               request.output, LICENSE_GLOBAL_LENGTH);
        return EXIT_OK;
}

const struct command license_global_command = {
        .words = "license global",
        .summary = "a license for any chip (reference layout)",
        .help = "usage: gangway license global -k KEY -n NONCE -o FILE\n"
                "\n"
                "Makes a license from key and nonce that is bound to no chip and has no count\n"
                "(AN5054 sections 9.3.3 and 10.3.3, STM32H5 and H7RS). ST's layout is not public:\n"
                "this one is Gangway's reference, for its simulator; use ST's License Gen page\n"
                "for real chips. The file is as secret as the key (mode 0600).\n"
                "\n"
                "  -k, --key FILE      AES-128 key, exactly 16 bytes\n"
                "  -n, --nonce FILE    nonce, exactly 12 bytes\n"
                "  -o, --outfile FILE  136 bytes\n"
                "\n"
                "example: gangway license global -k key.bin -n nonce.bin -o global-license.bin\n",
        .run = run,
};
