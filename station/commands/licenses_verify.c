/*
 * gangway licenses verify: the OEM's questions to a receipt. Needs nothing of the station but its
 * public key.
 */
#include "station/commands/command.h"

#include "crypto/pem.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/options.h"
#include "station/commands/receipt_view.h"

#include <stdio.h>
#include <string.h>

struct request {
        const char *path, *key;
        bool is_json;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "receipt", .text = &request->path, .needed = "RECEIPT" },
                { "key", "k", .text = &request->key,
                  .needed = "--key STATION.pub, as the station gave it to you before (gangway "
                            "licenses key)" },
                { "json", .flag = &request->is_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

struct evidence {
        struct bytes text, signature;
        struct sign_key key;
};

static void evidence_release(struct evidence *evidence)
{
        bytes_free(&evidence->text);
        bytes_free(&evidence->signature);
        sign_key_wipe(&evidence->key);
}

static int read_evidence(const struct request *request, struct evidence *evidence)
{
        struct bytes pem CLEANUP(bytes_wipe_free) = { 0 };
        char beside[512];
        int r;

        if (snprintf(beside, sizeof(beside), "%s.sig", request->path) >= (int)sizeof(beside))
                return fault(FAULT_BAD_VALUE, "the name of the receipt is too long");
        r = file_read(request->key, PEM_FILE_MAX, &pem);
        if (r >= 0)
                r = sign_key_parse(request->key, pem.data, pem.length, &evidence->key);
        if (r >= 0)
                r = file_read(request->path, RECEIPT_FILE_MAX, &evidence->text);
        if (r >= 0)
                r = file_read(beside, SIGNATURE_LENGTH, &evidence->signature);
        if (r >= 0 && evidence->signature.length != SIGNATURE_LENGTH)
                return fault(FAULT_BAD_FILE, "%s has %zu bytes, a signature has %u", beside,
                             evidence->signature.length, SIGNATURE_LENGTH);
        return r;
}

/* The chain first, for it can say where. */
static int judge(const struct evidence *evidence, struct receipt_facts *facts, unsigned *ret_record)
{
        int r = receipt_check(evidence->text.data, evidence->text.length, facts, ret_record);

        if (r < 0 || sign_verify(&evidence->key, evidence->text.data, evidence->text.length,
                                 evidence->signature.data))
                return r;
        return fault(FAULT_BAD_TAG,
                     "its %u records follow from each other and add up, but the signature is not "
                     "of this key: made by another station, or by nobody",
                     facts->records);
}

static int answer_no(const struct request *request, int result, unsigned record)
{
        if (request->is_json)
                return answer_json(json_pack("{s:b, s:I, s:s, s:s}", "verified", 0, "record",
                                             (json_int_t)record, "code", fault_name(result),
                                             "reason", fault_sentence(result)),
                                   EXIT_NO);
        fprintf(stderr, "gangway licenses verify: %s: %s\n", request->path, fault_sentence(result));
        return EXIT_NO;
}

static int run(int argc, char **argv)
{
        struct evidence evidence CLEANUP(evidence_release) = { 0 };
        struct request request = { 0 };
        struct receipt_facts facts;
        unsigned record = 0;
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = read_evidence(&request, &evidence);
        if (r < 0)
                return r;
        r = judge(&evidence, &facts, &record);
        if (r < 0)
                return answer_no(&request, r, record);
        if (request.is_json)
                return answer_json(receipt_view_json(&facts), EXIT_OK);
        receipt_view_print(stdout, request.path, &facts);
        printf("verified: %u records, unchanged, signed by this key; they add up\n", facts.records);
        return EXIT_OK;
}

const struct command licenses_verify_command = {
        .words = "licenses verify",
        .summary = "prove a receipt: unchanged, signed, and it adds up",
        .help = "usage: gangway licenses verify RECEIPT --key STATION.pub [--json]\n"
                "\n"
                "Checks the chain, the signature in RECEIPT.sig, that the balance is what the\n"
                "records add up to, that ids and a card's counts stand once, that each card\n"
                "counted down for its licenses, and that no chip has two licenses of one type\n"
                "and firmware. Names the record where it goes wrong.\n"
                "\n"
                "  -k, --key STATION.pub  the station's public key, as you were given it\n"
                "                         before: not one that came with the receipt\n"
                "  --json                 the answer as JSON\n"
                "\n"
                "Exit 0 proven, 1 not, 2 a file cannot be read.\n"
                "\n"
                "example: gangway licenses verify DEMO-0001.receipt --key line3.pub\n",
        .run = run,
};
