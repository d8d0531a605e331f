/*
 * gangway sfi show: every field of an image; no key is needed.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/image_view.h"
#include "station/commands/options.h"

static int run(int argc, char **argv)
{
        struct sfi *sfi CLEANUP(image_release) = NULL;
        const char *path = NULL;
        bool is_json = false;
        int r;

        r = options_one_file(argc, argv, &path, &is_json);
        if (r < 0)
                return r;
        r = image_read(path, &sfi);
        if (r < 0)
                return r;
        if (!is_json) {
                image_view_print(stdout, path, sfi);
                return EXIT_OK;
        }
        return answer_json(image_view_json(path, sfi), EXIT_OK);
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
