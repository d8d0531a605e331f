/*
 * gangway ssp show: the open fields of an .ssp; no key is needed.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/options.h"
#include "station/commands/ssp_files.h"

static int run(int argc, char **argv)
{
        const char *path = NULL;
        bool is_json = false;
        struct ssp ssp;
        int r;

        r = options_one_file(argc, argv, &path, &is_json);
        if (r < 0)
                return r;
        r = ssp_files_image(path, &ssp);
        if (r < 0)
                return r;
        if (!is_json) {
                ssp_print(stdout, path, &ssp);
                return EXIT_OK;
        }
        return answer_json(ssp_json(path, &ssp), EXIT_OK);
}

const struct command ssp_show_command = {
        .words = "ssp show",
        .summary = "print the open fields of an .ssp",
        .help = "usage: gangway ssp show FILE.ssp [--json]\n"
                "\n"
                "Prints version, OEM public key with the SHA-256 a chip burns (OTP words 24 to\n"
                "31), secret size and tag. Nothing is proven: see gangway ssp verify.\n"
                "\n"
                "  --json  the same for programs\n"
                "\n"
                "example: gangway ssp show out.ssp\n",
        .run = run,
};
