/*
 * gangway target certificate: what the chip says of itself, for a license to be made (ST's -gc).
 *
 * As a station does it: the family's RSS profile, and where an install wants an RSSe one that is for the
 * die, or a license would be spent on a chip that nothing can be installed on. How real silicon hands
 * its certificate over SWD is not public (spec/targets.md section 13 items 1 and 4): refused there.
 */
#include "station/commands/command.h"

#include "drivers/rsse.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/target_part.h"

#include <stdio.h>

struct request {
        struct target_choice choice;
        const char *output;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&request->choice),
                TARGET_RSS_ARGUMENTS(&request->choice),
                { "json", .flag = &request->choice.is_json },
                { "output", "o", .text = &request->output, .what = "file", .needed = "-o FILE" },
                { .what = "file", .text = &request->output },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

/* Why not, with the document that would close the gap, and who can do it meanwhile. */
static int not_public(const char *why)
{
        return fault(FAULT_REFERENCE_ONLY,
                     "%.330s; ST's programmer reads it meanwhile, STM32_Programmer_CLI -c port=SWD "
                     "mode=HOTPLUG -gc FILE, and gangway cert show checks what it wrote",
                     why);
}

static int read_certificate(struct target_session *session, struct certificate *ret_certificate)
{
        struct rsse rsse CLEANUP(rsse_free) = { 0 };
        struct rss_profile rss;
        char why[512];
        int r = target_part_rss(session, &rss);

        if (r == 0)
                return not_public("how its certificate comes over SWD is not public (targets.md "
                                  "section 13)");
        if (r < 0)
                return r;
        r = rsse_load(&rss, &session->chosen.family, &rsse);
        if (r >= 0)
                r = rss_check_allowed(&session->target, &rss);
        if (r == -FAULT_REFERENCE_ONLY) {
                snprintf(why, sizeof(why), "%s", fault_sentence(r));
                return not_public(why);
        }
        if (r >= 0)
                r = target_check_boot(&session->target);
        return r < 0 ? r : rss_read_certificate(&session->target, &rss, ret_certificate);
}

static int fetch(struct target_session *session, const struct request *request)
{
        struct certificate certificate;
        int r = read_certificate(session, &certificate);

        if (r >= 0)
                r = file_write(request->output, certificate.bytes, sizeof(certificate.bytes), 0644);
        if (r < 0)
                return r;
        if (request->choice.is_json)
                return answer_json(
                        json_pack("{s:o, s:s, s:s, s:b}", "file", answer_text(request->output),
                                  "product_id", certificate.product_id, "fingerprint",
                                  certificate.fingerprint, "simulated", (int)session->is_simulated),
                        EXIT_OK);
        target_session_mark(session);
        printf("Get Certificate done successfully: %s, %zu bytes, product %s\n", request->output,
               sizeof(certificate.bytes), certificate.product_id);
        return EXIT_OK;
}

static int run(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct request request = { .choice = TARGET_CHOICE };
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = target_session_open(&request.choice, &session);
        if (r >= 0)
                r = fetch(session, &request);
        return target_answer("target certificate", r);
}

const struct command target_certificate_command = {
        .words = "target certificate",
        .summary = "read the chip's certificate into a file",
        .help = "usage: gangway target certificate -o FILE " TARGET_USAGE "\n"
                "136 bytes, for gangway hsm license-from-cert. On silicon the way to it is not\n"
                "public and it is refused, with what does it meanwhile; so is a part whose RSSe\n"
                "is missing.\n"
                "ST's -gc is the same: gangway target -c port=SWD mode=HOTPLUG -gc FILE.\n"
                "\n"
                "  -o, --output FILE   where it goes\n" TARGET_HELP TARGET_RSS_HELP
                "  --json              the facts for programs\n"
                "\n"
                "Exit codes: 0 ok, 1 the part refused, 2 usage, 3 no probe or part answers\n"
                "example: gangway target certificate -c port=SWD mode=HOTPLUG -o cert.bin\n",
        .run = run,
};
