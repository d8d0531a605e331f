/*
 * gangway licenses report: a lot's receipt, made again from the books whenever it is wanted.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/books.h"
#include "station/commands/options.h"
#include "station/commands/receipt_view.h"
#include "station/text.h"

#include <string.h>

#define PATH_LENGTH 512u

struct request {
        const char *station_file, *lot, *output;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "station", .text = &request->station_file },
                { "lot", .text = &request->lot, .needed = "--lot ID" },
                { "outfile", "o", .text = &request->output },
                { .instead = "a lot is given with --lot" },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0 && !text_is_name(request->lot, ORDER_ID_MAX + 1))
                return fault(FAULT_BAD_VALUE, "%.80s is no name of an order", request->lot);
        return r;
}

static int make(struct books *books, const char *lot, struct bytes *ret_text,
                uint8_t signature[static SIGNATURE_LENGTH])
{
        struct sign_key key CLEANUP(sign_key_wipe) = { 0 };
        int r = receipt_key_load(books->settings.data_directory, &key);

        if (r < 0)
                return r;
        return receipt_make(&(struct receipt_source){ .store = books->store,
                                                      .ledger = books->ledger,
                                                      .records = books->records,
                                                      .key = &key,
                                                      .station = books->settings.station },
                            lot, ret_text, signature);
}

/* The signature first: a receipt that is there has one. */
static int write_both(const char *path, const struct bytes *text,
                      const uint8_t signature[static SIGNATURE_LENGTH])
{
        char beside[PATH_LENGTH];
        int r;

        if (snprintf(beside, sizeof(beside), "%s.sig", path) >= (int)sizeof(beside))
                return fault(FAULT_BAD_VALUE, "the name of the receipt is too long");
        r = file_write(beside, signature, SIGNATURE_LENGTH, 0644);
        return r < 0 ? r : file_write(path, text->data, text->length, 0644);
}

static int report(const struct request *request)
{
        struct books *books CLEANUP(books_release) = NULL;
        struct bytes text CLEANUP(bytes_free) = { 0 };
        uint8_t signature[SIGNATURE_LENGTH];
        struct receipt_facts facts;
        char path[PATH_LENGTH];
        unsigned record;
        int r = books_look(request->station_file, &books);

        if (r >= 0)
                r = make(books, request->lot, &text, signature);
        if (r >= 0) /* what does not add up is not signed away */
                r = fault_prefix(receipt_check(text.data, text.length, &facts, &record),
                                 "the books of lot %s do not add up", request->lot);
        if (r < 0)
                return r;
        if (request->output)
                snprintf(path, sizeof(path), "%s", request->output);
        else
                snprintf(path, sizeof(path), "%s.receipt", request->lot);
        r = write_both(path, &text, signature);
        if (r < 0)
                return r;
        receipt_view_print(stdout, path, &facts);
        printf("written:  %u records, signature in %s.sig\n", facts.records, path);
        return EXIT_OK;
}

static int run(int argc, char **argv)
{
        struct request request = { 0 };
        int r = read_request(argc, argv, &request);

        return r < 0 ? r : report(&request);
}

const struct command licenses_report_command = {
        .words = "licenses report",
        .summary = "write a lot's signed receipt for the OEM",
        .help = "usage: gangway licenses report [--station FILE] --lot ID [-o FILE]\n"
                "\n"
                "Writes what the lot did with its licenses: a record for each license, global\n"
                "install and card, and the balance, chained by SHA-256 and signed by the station\n"
                "in FILE.sig. No license or key is in it. A lot that ends leaves the same beside\n"
                "its other results; this makes it again, also while gangwayd runs.\n"
                "\n"
                "      --station FILE  the station file (default configs/gangway.conf)\n"
                "      --lot ID        the order's name\n"
                "  -o, --outfile FILE  default ID.receipt in this directory\n"
                "\n"
                "The OEM checks it with gangway licenses verify, or with openssl alone:\n"
                "configs/examples/verify-receipt.sh RECEIPT STATION.pub\n"
                "\n"
                "example: gangway licenses report --station gangway.conf --lot DEMO-0001\n",
        .run = run,
};
