/*
 * gangway sfi show: every field of an image; no key is needed.
 */
#include "station/commands/command.h"

#include "station/commands/image_view.h"
#include "station/commands/options.h"

enum { KEY_JSON = OPTIONS_KEYS };

static const struct option_name names[] = {
        { "json", NULL, false, false, KEY_JSON },
};

static int run(int argc, char **argv)
{
        struct sfi *sfi CLEANUP(image_release) = NULL;
        const char *path = NULL;
        struct options options;
        bool is_json = false;
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
        r = image_read(path, &sfi);
        if (r < 0)
                return r;
        if (!is_json) {
                image_view_print(stdout, path, sfi);
                return EXIT_OK;
        }
        return json_print(stdout, image_view_json(path, sfi))
                       ? EXIT_OK
                       : fault(FAULT_SYSTEM, "no memory for the answer");
}

const struct command sfi_show_command = {
        .words = "sfi show",
        .summary = "print every field of an .sfi image",
        .help = "usage: gangway sfi show FILE [--json]\n"
                "\n"
                "Prints header, each area (type, version, index, payload size, address, total,\n"
                "tag, offset of its header in the file), SHA-256 of the file, and the parts\n"
                "between pauses. No key is needed and nothing is proven: see gangway sfi verify.\n"
                "\n"
                "  --json  the same for programs; numbers are decimal\n"
                "\n"
                "example: gangway sfi show blinky.sfi\n",
        .run = run,
};
