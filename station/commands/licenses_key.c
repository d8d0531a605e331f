/*
 * gangway licenses key: what the OEM is given once, before the first lot.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/books.h"
#include "station/commands/options.h"
#include "station/receipt.h"

static int show(const struct books *books, bool is_json)
{
        struct sign_key key CLEANUP(sign_key_wipe) = { 0 };
        char text[SIGN_PEM_MAX], fingerprint[SIGN_FINGERPRINT_MAX];
        int r = receipt_key_load(books->settings.data_directory, &key);

        if (r < 0)
                return r;
        sign_public_pem(&key, text);
        sign_fingerprint(&key, fingerprint);
        if (!is_json) {
                printf("%sstation %s, SHA-256 of the key: %s\n", text, books->settings.station,
                       fingerprint);
                return EXIT_OK;
        }
        return answer_json(json_pack("{s:s, s:s, s:s}", "station", books->settings.station,
                                     "sha256", fingerprint, "public_key", text),
                           EXIT_OK);
}

static int run(int argc, char **argv)
{
        struct books *books CLEANUP(books_release) = NULL;
        const char *station_file = NULL;
        bool is_json = false;
        const struct argument arguments[] = {
                { "station", .text = &station_file },
                { "json", .flag = &is_json },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0)
                r = books_settings(station_file, &books);
        return r < 0 ? r : show(books, is_json);
}

const struct command licenses_key_command = {
        .words = "licenses key",
        .summary = "the public key of a station's receipts, for the OEM",
        .help = "usage: gangway licenses key [--station FILE] [--json]\n"
                "\n"
                "Prints the public key that receipts of this station are checked with, as PEM,\n"
                "and its SHA-256, to be read aloud on the telephone. The pair is made when there\n"
                "is none: receipt.key (0600) and receipt.pub in the data directory. It is never\n"
                "replaced; keep a copy of receipt.key where the station's backups are.\n"
                "\n"
                "  --station FILE  the station file (default configs/gangway.conf)\n"
                "  --json          the same for programs\n"
                "\n"
                "The same digits: openssl pkey -pubin -in receipt.pub -outform DER |\n"
                "openssl dgst -sha256\n"
                "\n"
                "example: gangway licenses key --station gangway.conf >line3.pub\n",
        .run = run,
};
