/*
 * line.h - a whole line for tests and the bench: a directory with key, nonce, sealed image and
 * settings, a station on a simulated bench, and orders dropped into its folder.
 *
 *      struct line *line = line_create(16, 2);
 *      line_order(line, "L1", 64, "");
 *      line_run(line, LOOP_TIME_VIRTUAL, 7, NULL, NULL);
 *      ... look at the folder, the counts, the balance ...
 *      line_destroy(line);
 */
#pragma once

#include "scheduler/loop.h"
#include "station/station.h"

#define LINE_FIRMWARE_ID "TEST_FIRMWARE"

struct line {
        struct station station; /* settings may be changed between line_create and line_run */
        char directory[64];
        uint8_t key[16], nonce[12];
        char order[ORDER_ID_MAX + 1]; /* the last one dropped by line_order */
        unsigned orders;              /* different ones dropped */
        unsigned modules;             /* in the image */
        struct family family;
        bool has_other_key;
        /* the first and the last bytes of its firmware, at 0x08000000 and at `end` - 16 */
        uint8_t begins_with[16], ends_with[16];
        uint32_t end;
        struct lot_counts counts; /* of that order, by the books, when line_run returned */
        struct ledger_balance balance;
        uint32_t refused;          /* licenses the target refused, of all orders */
        uint64_t cpu_ns, bench_ns; /* of the run: process time, and the part of it the bench took */
        uint64_t elapsed_ns;       /* loop clock */
        uint64_t longest_start_ns; /* longest time from a board ready to its first step */
        int outcome;
};

/* Durations are the bench's own at speed 1 scaled by settings.bench.speed (0.05 here). */
struct line *line_create(unsigned sites, unsigned cards);
struct line *line_destroy(struct line *line);

/* The line is for another family from now on: "stm32u575", and the RSS profile "reference-u5". Its image
 * has two areas of firmware, at the beginning and in the last bank, and option bytes that close the
 * part as far as the family's debugger may still look (product states: closed). */
void line_family(struct line *line, const char *family, const char *rss);

/* The image as line_family makes it, but sealed with another key. */
void line_other_key(struct line *line);

/* The image is one of another family ("stm32h75x"); orders go on naming the line's own. */
void line_foreign_image(struct line *line, const char *family);

/* The image gets one module more, and the bench a card for it. */
void line_module(struct line *line, const char *firmware_id, const char *type);

/* Drop an order for the line's image; `more` is further YAML lines. */
void line_order(struct line *line, const char *id, unsigned quantity, const char *more);

/* Drop a file as it is, under `name`, by rename. */
void line_drop(struct line *line, const char *name, const void *text, size_t length);

/* Run the station on a fresh loop until all orders are done. `script(context)` (may be NULL) runs beside
 * it as a fiber. Returns what station_run returned. */
int line_run(struct line *line, enum loop_time time, uint64_t seed, int (*script)(void *context),
             void *context);

/* Wait until site `index` performs `step` (waits), at most 10 minutes; false when it never does. */
bool line_wait_step(struct line *line, unsigned index, const char *step);

/* "DIRECTORY/NAME" in a static buffer. */
const char *line_path(const struct line *line, const char *name);

/* Write a text file, mode 0644. */
void line_write(const char *path, const char *text);

/* Does a file matching this shell pattern exist below the line's directory? Path of the first in a
 * static buffer, NULL when none. */
const char *line_find(const struct line *line, const char *pattern);

/* Its text, NUL-terminated (free); NULL when there is none. */
char *line_read(const char *path);
