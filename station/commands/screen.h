/*
 * screen.h - where a command shows things: a terminal of some width, or a file without tricks.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>
#include <stdio.h>

/* Meanings of IEC 60073; the word stands beside the colour always. */
enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_ATTENTION, TONE_ACTION, TONE_STRONG };

struct screen {
        FILE *out;
        bool is_terminal; /* lines may be drawn again in place */
        bool has_colour;  /* a terminal, and NO_COLOR is not set (no-color.org) */
        unsigned width, height;
        unsigned lines_drawn; /* by screen_redraw */
};

void screen_init(struct screen *screen, FILE *out);

/* Look at the size again: the window may have changed. */
void screen_measure(struct screen *screen);

/* Append `text` in a tone; only when the screen has colour. Control characters become '?': what the
 * station sends never steers the terminal. */
void screen_put(const struct screen *screen, FILE *to, enum tone tone, const char *text);

/* Show `text`, cut to the screen, in the place of what the last call showed. For terminals. */
void screen_redraw(struct screen *screen, const char *text);

/* Columns a text takes: characters of UTF-8, escape sequences none. */
unsigned screen_columns(const char *text);

/*
 * A table of cells. Columns are as wide as their widest cell; on a narrow screen the columns of
 * least worth go first, then the stretchable one is cut.
 */
#define TABLE_COLUMNS_MAX 12u
#define TABLE_CELL_MAX    96u

struct table_column {
        const char *title;
        bool is_right;  /* numbers */
        unsigned worth; /* 0 goes first; the same worth: from the right */
        bool is_stretchable;
};

struct table;

struct table *table_create(const struct table_column *columns, size_t count);
struct table *table_destroy(struct table *table); /* NULL is fine; returns NULL */

/* Begin a row, then give its cells from the left. */
void table_row(struct table *table);
void table_cell(struct table *table, enum tone tone, const char *format, ...) PRINTF_LIKE(3, 4);

void table_print(const struct table *table, const struct screen *screen, FILE *to);
