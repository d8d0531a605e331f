/*
 * gangway ssp show: the open fields of an .ssp; no key is needed.
 */
#include "station/commands/command.h"

#include "station/commands/options.h"
#include "station/commands/ssp_files.h"

enum { KEY_JSON = OPTIONS_KEYS };

static const struct option_name names[] = {
        { "json", NULL, false, false, KEY_JSON },
};

static int run(int argc, char **argv)
{
        const char *path = NULL;
        struct options options;
        bool is_json = false;
        struct ssp ssp;
        int r;

        options_init(&options, argc, argv, names, LENGTH_OF(names));
        while ((r = options_next(&options)) > 0) {
                if (r == KEY_JSON)
                        is_json = true;
                else if (path)
                        return fault(FAULT_BAD_VALUE, "one file at a time, not %.80s too",
                                     options.value);
                else
                        path = options.value;
        }
        if (r < 0)
                return r;
        if (!path)
                return fault(FAULT_BAD_VALUE, "no file given");
        r = ssp_files_image(path, &ssp);
        if (r < 0)
                return r;
        if (!is_json) {
                ssp_print(stdout, path, &ssp);
                return EXIT_OK;
        }
        return json_print(stdout, ssp_json(path, &ssp))
                       ? EXIT_OK
                       : fault(FAULT_SYSTEM, "no memory for the answer");
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
