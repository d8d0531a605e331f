/*
 * gangway hsm blank: a blank simulated card in a file, to rehearse programming with.
 */
#include "station/commands/command.h"

#include "drivers/simulated/card_file.h"
#include "scheduler/bytes.h"
#include "station/commands/options.h"

#include <stdio.h>
#include <sys/random.h>

struct request {
        const char *path, *type;
        uint32_t version;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "file", .text = &request->path, .needed = "FILE" },
                { "card-version", .number = &request->version, .least = 1, .most = 2 },
                { "type", .text = &request->type },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        char field[4];

        if (r < 0)
                return r;
        card_memory_pad(request->type, field);
        if (strlen(request->type) > sizeof(field) || !card_memory_is_type(field))
                return fault(FAULT_BAD_VALUE, "--type is %.20s, wanted such as SFI or SSP",
                             request->type);
        return 0;
}

static int run(int argc, char **argv)
{
        struct request request = { .type = "SFI", .version = 2 };
        uint64_t serial;
        int r;

        r = read_request(argc, argv, &request);
        if (r < 0)
                return r;
        INSIST(getrandom(&serial, sizeof(serial), 0) == sizeof(serial));
        r = card_file_make(request.path, request.version, request.type, serial);
        if (r < 0)
                return r;
        printf("%s: SIMULATED card, blank, version %u, type %s, serial %016llX\n", request.path,
               request.version, request.type, (unsigned long long)serial);
        return EXIT_OK;
}

const struct command hsm_blank_command = {
        .words = "hsm blank",
        .summary = "make a simulated card in a file",
        .help = "usage: gangway hsm blank FILE [--card-version 1|2] [--type SFI]\n"
                "\n"
                "Makes a blank SIMULATED card, 128 bytes, mode 0600, for the --card option of the\n"
                "other commands: to rehearse programming and licenses without a reader. It speaks\n"
                "Gangway's reference command set; ST's cards do not.\n"
                "\n"
                "  --card-version N  1 knows a fixed list of products; 2 wants a personalization\n"
                "                    package (default 2)\n"
                "  --type TYPE       which ceiling of the profile holds (default SFI)\n"
                "\n"
                "example: gangway hsm blank card.bin --card-version 2\n",
        .run = run,
};
