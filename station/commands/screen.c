/*
 * What a terminal can do is asked, never assumed: no terminal, no control character leaves here. A
 * redraw goes up over the lines of the last one and writes each anew, clearing its tail, so that
 * nothing flickers; every line is cut to the width first, because a wrapped line would break the
 * count.
 */
#include "station/commands/screen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_OF_FILES 120u
#define WIDTH_UNKNOWN  80u
#define HEIGHT_UNKNOWN 24u
#define ESCAPE         '\033'

static const char *const tone_codes[] = {
        [TONE_PLAIN] = NULL,           [TONE_GOOD] = "\033[32m",   [TONE_BAD] = "\033[1;31m",
        [TONE_ATTENTION] = "\033[33m", [TONE_ACTION] = "\033[34m", [TONE_STRONG] = "\033[1m",
};

void screen_measure(struct screen *screen)
{
        struct winsize size = { 0 };

        if (!screen->is_terminal)
                return;
        screen->width = WIDTH_UNKNOWN;
        screen->height = HEIGHT_UNKNOWN;
        if (ioctl(fileno(screen->out), TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
                screen->width = size.ws_col;
                screen->height = size.ws_row;
        }
}

void screen_init(struct screen *screen, FILE *out)
{
        const char *kind = getenv("TERM"), *plain = getenv("NO_COLOR");

        *screen = (struct screen){ .out = out, .width = WIDTH_OF_FILES, .height = UINT32_MAX };
        screen->is_terminal = isatty(fileno(out)) && kind && strcmp(kind, "dumb") != 0;
        screen->has_colour = screen->is_terminal && !(plain && *plain);
        screen_measure(screen);
}

void screen_put(const struct screen *screen, FILE *to, enum tone tone, const char *text)
{
        const char *code = screen->has_colour ? tone_codes[tone] : NULL;

        if (code)
                fputs(code, to);
        for (; *text; text++)
                fputc((unsigned char)*text < 0x20 || *text == 0x7F ? '?' : *text, to);
        if (code)
                fputs("\033[0m", to);
}

/* The end of the character, or of the escape sequence (ours: ESC [ ... letter), at `text`. */
static const char *next_character(const char *text, bool *ret_is_visible)
{
        *ret_is_visible = *text != ESCAPE;
        if (*text == ESCAPE) {
                text += strcspn(text, "mK");
                return *text ? text + 1 : text;
        }
        do
                text++;
        while (((unsigned char)*text & 0xC0) == 0x80);
        return text;
}

unsigned screen_columns(const char *text)
{
        unsigned columns = 0;
        bool is_visible;

        while (*text) {
                text = next_character(text, &is_visible);
                columns += is_visible;
        }
        return columns;
}

/* One line of `text`, at most `width` columns; escape sequences behind the cut still count, or a
 * colour would never end. Returns the beginning of the next line. */
static const char *put_line(FILE *out, const char *text, unsigned width)
{
        unsigned columns = 0;
        bool is_visible;

        while (*text && *text != '\n') {
                const char *next = next_character(text, &is_visible);

                columns += is_visible;
                if (!is_visible || columns <= width)
                        fwrite(text, 1, (size_t)(next - text), out);
                text = next;
        }
        return *text ? text + 1 : text;
}

void screen_redraw(struct screen *screen, const char *text)
{
        unsigned lines = 0, most = screen->height > 1 ? screen->height - 1 : 1;

        if (screen->lines_drawn)
                fprintf(screen->out, "\033[%uA\r", screen->lines_drawn);
        while (*text && lines < most) {
                text = put_line(screen->out, text, screen->width);
                fputs("\033[K\n", screen->out);
                lines++;
        }
        fputs("\033[J", screen->out);
        screen->lines_drawn = lines;
        fflush(screen->out);
}

/* --- tables -------------------------------------------------------------------------------- */

struct cell {
        enum tone tone;
        char text[TABLE_CELL_MAX];
};

struct table {
        const struct table_column *columns;
        size_t count;
        struct cell *cells; /* rows of `count` */
        size_t rows, capacity;
        size_t filled; /* cells of the last row */
};

struct table *table_create(const struct table_column *columns, size_t count)
{
        struct table *table = calloc(1, sizeof(*table));

        INSIST(table && count && count <= TABLE_COLUMNS_MAX);
        table->columns = columns;
        table->count = count;
        return table;
}

struct table *table_destroy(struct table *table)
{
        if (!table)
                return NULL;
        free(table->cells);
        free(table);
        return NULL;
}

void table_row(struct table *table)
{
        size_t row = table->count * sizeof(*table->cells);

        if (table->rows == table->capacity) {
                table->capacity = table->capacity ? 2 * table->capacity : 16;
                table->cells = realloc(table->cells, table->capacity * row);
                INSIST(table->cells);
        }
        memset(table->cells + table->rows * table->count, 0, row);
        table->rows++;
        table->filled = 0;
}

void table_cell(struct table *table, enum tone tone, const char *format, ...)
{
        struct cell *cell;
        va_list arguments;

        INSIST(table->rows && table->filled < table->count);
        cell = &table->cells[(table->rows - 1) * table->count + table->filled++];
        cell->tone = tone;
        va_start(arguments, format);
        (void)vsnprintf(cell->text, sizeof(cell->text), format, arguments); /* cut is fine */
        va_end(arguments);
}

#define BETWEEN 2u /* spaces between columns */

static unsigned total_width(const unsigned *widths, size_t count)
{
        unsigned total = 0;

        for (size_t i = 0; i < count; i++)
                if (widths[i])
                        total += widths[i] + (total ? BETWEEN : 0);
        return total;
}

static size_t least_worth(const struct table *table, const unsigned *widths)
{
        size_t least = table->count;

        for (size_t i = 0; i < table->count; i++)
                if (widths[i] && (least == table->count ||
                                  table->columns[i].worth <= table->columns[least].worth))
                        least = i;
        return least;
}

/* A width of 0 drops the column. */
static void find_widths(const struct table *table, unsigned limit, unsigned *widths)
{
        size_t shown = table->count;
        unsigned total;

        for (size_t i = 0; i < table->count; i++) {
                widths[i] = screen_columns(table->columns[i].title);
                for (size_t row = 0; row < table->rows; row++) {
                        unsigned w = screen_columns(table->cells[row * table->count + i].text);

                        if (w > widths[i])
                                widths[i] = w;
                }
        }
        while ((total = total_width(widths, table->count)) > limit && shown > 1) {
                size_t least = least_worth(table, widths);

                if (table->columns[least].worth == UINT32_MAX)
                        break;
                widths[least] = 0;
                shown--;
        }
        for (size_t i = 0; i < table->count && total > limit; i++) {
                unsigned floor = screen_columns(table->columns[i].title);
                unsigned spare = widths[i] > floor ? widths[i] - floor : 0;

                if (!table->columns[i].is_stretchable)
                        continue;
                if (spare > total - limit)
                        spare = total - limit;
                widths[i] -= spare;
                total -= spare;
        }
}

static void print_cell(const struct screen *screen, FILE *to, enum tone tone, const char *text,
                       unsigned width, bool is_right)
{
        unsigned columns = screen_columns(text), pad = columns < width ? width - columns : 0;
        char cut[TABLE_CELL_MAX];
        const char *end = text;
        bool is_visible;

        for (unsigned i = 0; *end && i < width; i++)
                end = next_character(end, &is_visible);
        snprintf(cut, sizeof(cut), "%.*s", (int)(end - text), text);
        fprintf(to, "%*s", is_right ? (int)pad : 0, "");
        screen_put(screen, to, tone, cut);
        fprintf(to, "%*s", is_right ? 0 : (int)pad, "");
}

void table_print(const struct table *table, const struct screen *screen, FILE *to)
{
        unsigned widths[TABLE_COLUMNS_MAX];

        find_widths(table, screen->width, widths);
        for (size_t row = 0; row <= table->rows; row++) {
                bool is_first = true;

                for (size_t i = 0; i < table->count; i++) {
                        const struct table_column *column = &table->columns[i];
                        const struct cell *cell =
                                row ? &table->cells[(row - 1) * table->count + i] : NULL;

                        if (!widths[i])
                                continue;
                        fprintf(to, "%*s", is_first ? 0 : (int)BETWEEN, "");
                        is_first = false;
                        print_cell(screen, to, cell ? cell->tone : TONE_STRONG,
                                   cell ? cell->text : column->title, widths[i], column->is_right);
                }
                fputc('\n', to);
        }
}
