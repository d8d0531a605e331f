/*
 * gangway licenses import: licenses that were made elsewhere, into the ledger, each for its chip.
 *
 * A pair of files is one transaction; one that is refused does not hold up the others.
 */
#include "station/commands/command.h"

#include "crypto/license_form.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/books.h"
#include "station/commands/chip_files.h"

#include <string.h>

/* 1 imported, 0 it is in hand already, as it is. */
static int import(struct books *books, const struct chip_purpose *purpose,
                  const struct chip_file *file)
{
        struct bytes license CLEANUP(bytes_wipe_free) = { 0 };
        struct certificate certificate;
        struct ledger_request request = { .certificate = &certificate,
                                          .firmware_id = purpose->firmware_id,
                                          .type = purpose->type,
                                          .order = purpose->order,
                                          .site = "" };
        struct ledger_license in_hand = { 0 };
        int64_t id;
        int r, found;

        r = chip_certificate_read(file->certificate, NULL, &certificate);
        if (r >= 0)
                r = file_read(file->license, 16 * LICENSE_LENGTH, &license);
        if (r >= 0)
                r = license_form_check(file->license, license.data, license.length, purpose->type);
        if (r < 0)
                return r;
        found = ledger_find(books->ledger, &request, &in_hand);
        wipe(&in_hand, sizeof(in_hand));
        if (found < 0)
                return found;
        r = ledger_import(books->ledger, &request, license.data, &id);
        if (r < 0)
                return fault_prefix(r, "%s", file->license);
        return found ? 0 : 1;
}

struct outcome {
        unsigned imported, in_hand, refused;
        json_t *reasons;
};

static int import_all(struct books *books, const struct chip_request *request,
                      struct outcome *outcome)
{
        for (size_t i = 0; i < request->files.count; i++) {
                const struct chip_file *file = &request->files.rows[i];
                int r = import(books, &request->purpose, file);

                if (r == -FAULT_STORE)
                        return r; /* none of the others would do better */
                if (r >= 0) {
                        outcome->imported += r == 1;
                        outcome->in_hand += r == 0;
                        continue;
                }
                outcome->refused++;
                if (!request->is_json)
                        fprintf(stderr, "refused: %s\n", fault_sentence(r));
                json_array_append_new(outcome->reasons,
                                      json_pack("{s:s, s:s}", "certificate", file->certificate,
                                                "reason", fault_sentence(r)));
        }
        return 0;
}

static int answer(const struct chip_request *request, const struct outcome *outcome)
{
        int code = outcome->refused ? EXIT_NO : EXIT_OK;

        if (request->is_json)
                return answer_json(
                        json_pack("{s:I, s:I, s:I, s:O}", "imported", (json_int_t)outcome->imported,
                                  "in_hand_already", (json_int_t)outcome->in_hand, "refused",
                                  (json_int_t)outcome->refused, "reasons", outcome->reasons),
                        code);
        printf("%u imported for %s, %u in hand already, %u refused\n", outcome->imported,
               request->purpose.firmware_id, outcome->in_hand, outcome->refused);
        if (outcome->imported)
                printf("their form was checked by the reference layout: ST's is not public\n");
        return code;
}

static int run(int argc, char **argv)
{
        struct chip_request request CLEANUP(chip_request_release) = { .has_licenses = true };
        struct books *books CLEANUP(books_release) = NULL;
        struct outcome outcome = { 0 };
        int r = chip_request_read(argc, argv, &request);

        if (r >= 0)
                r = books_open(request.station_file, &books);
        if (r < 0)
                return r;
        outcome.reasons = json_array();
        r = import_all(books, &request, &outcome);
        if (r >= 0)
                r = answer(&request, &outcome);
        json_decref(outcome.reasons);
        return r;
}

const struct command licenses_import_command = {
        .words = "licenses import",
        .summary = "take licenses made elsewhere into the ledger",
        .help = "usage: gangway licenses import [--station FILE] --firmware-id ID [--type TYPE]\n"
                "       [--lot ID] [--json] (CERTIFICATE LICENSE) ... | --directory DIR\n"
                "\n"
                "Puts licenses into the station's ledger, each for the chip of its certificate;\n"
                "installs then use them and ask no card. Works while gangwayd runs. A pair is\n"
                "taken whole or not at all; the same once more changes nothing, another one for\n"
                "a chip that has one is refused.\n"
                "\n"
                "      --station FILE    the station file (default configs/gangway.conf)\n"
                "      --firmware-id ID  what the licenses are for\n"
                "      --type TYPE       SFI (default), SFIA, SMU, SSP\n"
                "      --lot ID          count them as issued for this order\n"
                "  -d, --directory DIR   every NAME.certificate.bin with NAME.license.bin\n"
                "      --json            the summary for programs\n"
                "\n"
                "Exit 1 when any was refused.\n"
                "\n"
                "example: gangway licenses import --station gangway.conf --firmware-id \\\n"
                "           BLINKY_1 --directory licenses\n",
        .run = run,
};
