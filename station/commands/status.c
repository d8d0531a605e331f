/*
 * gangway status: the line at this moment, once.
 */
#include "station/commands/command.h"

#include "station/commands/line_fetch.h"
#include "station/commands/line_view.h"
#include "station/commands/options.h"

#include <stdlib.h>

static int show(struct line_source *source, struct snapshot *snapshot, bool is_json)
{
        struct screen screen;
        const char *json;
        int r;

        r = line_fetch(source, snapshot, &json);
        if (r < 0)
                return r;
        if (is_json) {
                printf("%s\n", json);
                return EXIT_OK;
        }
        screen_init(&screen, stdout);
        line_view_print(&screen, stdout, snapshot, UINT32_MAX);
        return EXIT_OK;
}

static int run(int argc, char **argv)
{
        const char *url = LINE_URL_DEFAULT;
        bool is_json = false;
        const struct argument arguments[] = {
                { "url", .text = &url },
                { "json", .flag = &is_json },
        };
        struct line_source *source;
        struct snapshot *snapshot;
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r < 0)
                return r;
        r = line_source_open(url, &source);
        if (r < 0)
                return r;
        snapshot = calloc(1, sizeof(*snapshot)); /* too large for a fiber's stack */
        INSIST(snapshot);
        r = show(source, snapshot, is_json);
        free(snapshot);
        (void)line_source_close(source);
        return r;
}

const struct command status_command = {
        .words = "status",
        .summary = "show the line once",
        .help = "usage: gangway status [--url URL] [--json]\n"
                "\n"
                "Lot, sites, cards and alarms of a running gangwayd: yields, units per hour, and\n"
                "licenses issued = installed + in hand + lost.\n"
                "\n"
                "  --url URL  of the station's page, default " LINE_URL_DEFAULT "\n"
                "  --json     the station's own answer, for programs\n"
                "\n"
                "Exit 0, or 3 when no station answers.\n"
                "\n"
                "example: gangway status --url http://line3:8470\n",
        .run = run,
};
