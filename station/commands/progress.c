/*
 * A fiber of its own draws the line, so it moves whenever the command waits: for the disk, or for
 * the threads of the pool. Work done in place holds it still.
 */
#include "station/commands/progress.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "station/commands/screen.h"

#define SHOWN_AFTER_NS (NS_PER_S / 2)
#define DRAWN_EACH_NS  (NS_PER_S / 5)
#define LINE_LENGTH    160

static void draw(struct progress *progress, struct screen *screen)
{
        double seconds = (double)(clock_now_ns() - progress->began_ns) / (double)NS_PER_S;
        char line[LINE_LENGTH];

        screen_measure(screen);
        if (progress->length)
                snprintf(line, sizeof(line), "%s, %.1f MiB ... %.0f s", progress->what,
                         (double)progress->length / (1u << 20), seconds);
        else
                snprintf(line, sizeof(line), "%s ... %.0f s", progress->what, seconds);
        if (screen->width && screen->width < sizeof(line))
                line[screen->width - 1] = '\0'; /* a wrapped line could not be erased */
        fputc('\r', screen->out);
        screen_put(screen, screen->out, TONE_PLAIN, line);
        fputs("\033[K", screen->out);
        fflush(screen->out);
        progress->is_shown = true;
}

static int show(void *subject)
{
        struct progress *progress = subject;
        struct screen screen;
        int r = fiber_sleep_ns(SHOWN_AFTER_NS);

        screen_init(&screen, stderr);
        for (; r >= 0; r = fiber_sleep_ns(DRAWN_EACH_NS))
                draw(progress, &screen);
        return 0; /* cancelled: the work has ended */
}

void progress_begin(struct progress *progress, const char *what)
{
        struct screen screen;

        screen_init(&screen, stderr);
        *progress = (struct progress){ .what = what, .began_ns = clock_now_ns() };
        if (screen.is_terminal)
                progress->fiber = fiber_spawn("progress", show, progress);
}

static void erase(struct progress *progress)
{
        if (!progress->is_shown)
                return;
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->is_shown = false;
}

/* The line goes, for the command may have something to say; it comes again at the next wait. */
void progress_next(struct progress *progress, const char *what, size_t length)
{
        erase(progress);
        progress->what = what;
        progress->length = length;
}

void progress_end(struct progress *progress)
{
        if (!progress->fiber)
                return;
        fiber_cancel(progress->fiber);
        IGNORE(fiber_join(progress->fiber));
        progress->fiber = NULL;
        erase(progress);
}
