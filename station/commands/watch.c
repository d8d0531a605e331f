/*
 * gangway watch: the line as it goes on, until the lot is done or for ever.
 *
 * The station is asked a few times a second. On a terminal the whole view is drawn again in its
 * place. Elsewhere each change of a site is a line of its own and the counts are a line now and
 * then, so that a log stays readable and has no control characters.
 */
#include "station/commands/command.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "station/commands/line_fetch.h"
#include "station/commands/line_view.h"
#include "station/commands/options.h"

#include <stdlib.h>
#include <string.h>

#define INTERVAL_MS      250u
#define INTERVAL_LOW_MS  50u
#define INTERVAL_HIGH_MS 60000u
#define PROGRESS_MS      2000u

/* A station that is being started or restarted may be silent this long. */
#define PATIENCE_MS 5000u

struct watch {
        const char *url, *order;
        bool is_until_done, is_json;
        const char *json; /* of `now`, borrowed from the source */
        uint32_t interval_ms;
        struct line_source *source;
        struct screen screen;
        struct snapshot now, before;
        bool has_before;
        uint64_t progress_ns; /* when the last progress line was printed */
        char progress[400];
};

/* --- lines --------------------------------------------------------------------------------- */

static void say(const struct watch *watch, const char *text)
{
        screen_put(&watch->screen, watch->screen.out, TONE_PLAIN, text);
        fputc('\n', watch->screen.out);
}

static unsigned attempts(const struct snapshot_site *site)
{
        return site->passed + site->failed + site->errors;
}

static void say_result(const struct watch *watch, const struct snapshot_site *site)
{
        char text[400];

        snprintf(text, sizeof(text), "site %s: %s%s%s%s%s%s%s", site->name,
                 line_view_word(site->result), site->unit[0] ? " unit " : "", site->unit,
                 site->fault[0] ? " " : "", site->fault, site->sentence[0] ? ": " : "",
                 site->sentence);
        say(watch, text);
}

static void say_change(const struct watch *watch, const struct snapshot_site *site,
                       const struct snapshot_site *before)
{
        bool has_result = site->result[0] && (attempts(site) != attempts(before) ||
                                              strcmp(site->result, before->result) != 0);
        char text[200];

        if (has_result)
                say_result(watch, site);
        if (site->step[0] && strcmp(site->step, before->step) != 0) {
                snprintf(text, sizeof(text), "site %s: %s", site->name, site->step);
                say(watch, text);
        } else if (!has_result && !site->step[0] && strcmp(site->state, before->state) != 0) {
                snprintf(text, sizeof(text), "site %s: %s", site->name, site->state);
                say(watch, text);
        }
}

static const struct snapshot_site *find_site(const struct snapshot *snapshot, const char *name)
{
        for (unsigned i = 0; i < snapshot->site_count; i++)
                if (strcmp(snapshot->sites[i].name, name) == 0)
                        return &snapshot->sites[i];
        return NULL;
}

static void say_alarms(const struct watch *watch)
{
        char text[200];

        for (unsigned i = 0; i < watch->now.alarm_count; i++) {
                bool is_known = false;

                for (unsigned j = 0; watch->has_before && j < watch->before.alarm_count; j++)
                        is_known |= strcmp(watch->now.alarms[i], watch->before.alarms[j]) == 0;
                snprintf(text, sizeof(text), "alarm: %s", watch->now.alarms[i]);
                if (!is_known)
                        say(watch, text);
        }
}

static void say_progress(struct watch *watch)
{
        char text[sizeof(watch->progress)];

        if (watch->progress[0] && clock_now_ns() - watch->progress_ns < PROGRESS_MS * NS_PER_MS)
                return;
        line_view_progress(&watch->now, text, sizeof(text));
        if (strcmp(text, watch->progress) == 0)
                return;
        strcpy(watch->progress, text);
        watch->progress_ns = clock_now_ns();
        say(watch, text);
}

static void say_changes(struct watch *watch)
{
        static const struct snapshot_site empty;

        for (unsigned i = 0; i < watch->now.site_count; i++) {
                const struct snapshot_site *site = &watch->now.sites[i], *before = NULL;

                if (watch->has_before)
                        before = find_site(&watch->before, site->name);
                say_change(watch, site, before ? before : &empty);
        }
        say_alarms(watch);
        say_progress(watch);
        fflush(watch->screen.out);
}

/* The station's own text, a snapshot a line. */
static void say_json(const struct watch *watch)
{
        fputs(watch->json, watch->screen.out);
        fputc('\n', watch->screen.out);
        fflush(watch->screen.out);
}

/* --- the terminal -------------------------------------------------------------------------- */

static void draw(struct watch *watch)
{
        char *text = NULL;
        size_t length = 0;
        FILE *to;

        screen_measure(&watch->screen);
        to = open_memstream(&text, &length);
        INSIST(to);
        line_view_print(&watch->screen, to, &watch->now, watch->screen.height - 1);
        INSIST(fclose(to) == 0);
        screen_redraw(&watch->screen, text);
        free(text);
}

/* --- the loop ------------------------------------------------------------------------------ */

/* Ask until the station answers or patience ends. */
static int ask(struct watch *watch)
{
        uint64_t until = clock_now_ns() + PATIENCE_MS * NS_PER_MS;
        int r;

        while ((r = line_fetch(watch->source, &watch->now, &watch->json)) == -FAULT_TIMEOUT &&
               clock_now_ns() < until) {
                r = fiber_sleep_ns(watch->interval_ms * NS_PER_MS);
                if (r < 0)
                        return r;
        }
        return r;
}

/* An order still waiting comes next: the lot on show is not the end. */
static bool has_ended(const struct watch *watch)
{
        const struct snapshot_lot *lot = &watch->now.lot;

        if (watch->order && strcmp(lot->order, watch->order) != 0)
                return false;
        if (!watch->order && watch->now.orders_waiting && !watch->now.is_stopping)
                return false;
        return lot->order[0] &&
               (strcmp(lot->state, "done") == 0 || strcmp(lot->state, "stopped") == 0);
}

static int finish(struct watch *watch)
{
        const struct snapshot_lot *lot = &watch->now.lot;

        if (!watch->is_json) {
                fputc('\n', watch->screen.out);
                line_view_yield(&watch->screen, watch->screen.out, &watch->now);
        }
        if (strcmp(lot->state, "done") != 0)
                return EXIT_NO;
        return line_view_adds_up(lot) ? EXIT_OK : EXIT_NO;
}

static int watch_line(struct watch *watch)
{
        int r;

        for (;;) {
                r = ask(watch);
                if (r < 0)
                        return r;
                if (watch->is_json)
                        say_json(watch);
                else if (watch->screen.is_terminal)
                        draw(watch);
                else
                        say_changes(watch);
                if (watch->is_until_done && has_ended(watch))
                        return finish(watch);
                watch->before = watch->now;
                watch->has_before = true;
                r = fiber_sleep_ns(watch->interval_ms * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}

static int take_options(struct watch *watch, int argc, char **argv)
{
        const struct argument arguments[] = {
                { "url", .text = &watch->url },
                { "until-done", .flag = &watch->is_until_done },
                { "interval", .number = &watch->interval_ms, .least = INTERVAL_LOW_MS,
                  .most = INTERVAL_HIGH_MS },
                { "order", .text = &watch->order },
                { "json", .flag = &watch->is_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int run(int argc, char **argv)
{
        struct watch *watch = calloc(1, sizeof(*watch)); /* too large for a fiber's stack */
        int r;

        INSIST(watch);
        watch->url = LINE_URL_DEFAULT;
        watch->interval_ms = INTERVAL_MS;
        r = take_options(watch, argc, argv);
        if (r >= 0)
                r = line_source_open(watch->url, &watch->source);
        if (r >= 0) {
                screen_init(&watch->screen, stdout);
                r = watch_line(watch);
        }
        (void)line_source_close(watch->source);
        free(watch);
        return r;
}

const struct command watch_command = {
        .words = "watch",
        .summary = "show the line as it goes on",
        .help = "usage: gangway watch [--until-done] [--order ID] [--interval MS] [--json]\n"
                "           [--url URL]\n"
                "\n"
                "On a terminal a table that is drawn in its place; elsewhere a line for each\n"
                "change (site N: step or result) and the counts at most every 2 s.\n"
                "\n"
                "  --until-done   end with the lot: yield table and license balance\n"
                "  --order ID     the lot to wait for; without it the present or next one\n"
                "  --interval MS  between two looks, 50 to 60000, default 250\n"
                "  --json         each look as one line of JSON, as status --json gives it\n"
                "  --url URL      of the station's page, default " LINE_URL_DEFAULT "\n"
                "\n"
                "Exit with --until-done: 0 the lot is done and its licenses add up, 1 it was\n"
                "stopped or they do not; 3 when no station answers for 5 s.\n"
                "\n"
                "example: gangway watch --until-done --order DEMO-0001\n",
        .run = run,
};
