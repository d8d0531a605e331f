/*
 * options.h - options of a command, by a table; ST's spellings (-fir, --firmware, -k, --key) parse.
 *
 * getopt_long_only does the work. What a command does with an option stays in the command: it asks
 * for the next one until OPTIONS_END, as with getopt.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <getopt.h>
#include <stdbool.h>

#define OPTIONS_MAX 32u

struct option_name {
        const char *name;  /* "firmware": --firmware, -firmware */
        const char *alias; /* "fir": -fir; one letter: -k; NULL: none */
        bool has_value;
        bool is_repeatable;
        int key; /* from OPTIONS_KEYS up, its own in the table */
};

#define OPTIONS_END      0
#define OPTIONS_POSITION 1     /* a word that is no option: getopt's own figure */
#define OPTIONS_KEYS     0x100 /* above every letter */

struct options {
        int argc;
        char **argv;
        const struct option_name *names;
        size_t count;
        const char *value; /* of the last option, or the word */
        bool is_rest;      /* after "--" */
        bool seen[OPTIONS_MAX];
        struct option table[2 * OPTIONS_MAX + 1];
        char letters[2 * OPTIONS_MAX + 3];
};

void options_init(struct options *options, int argc, char **argv, const struct option_name *names,
                  size_t count);

/* The key of the next option, OPTIONS_POSITION, or OPTIONS_END.
 *      -FAULT_BAD_VALUE  unknown (with the nearest that exists), twice, or without its value */
int options_next(struct options *options) MUST_USE;

/* The word that follows when it is no option, taken; else NULL. */
const char *options_take_word(struct options *options);

/* A number in any base: 0x, 0b, 0 for octal, else decimal; at most `maximum`.
 *      -FAULT_BAD_VALUE  names `what` */
int options_number(const char *what, const char *text, uint32_t maximum,
                   uint32_t *ret_number) MUST_USE;

/* All of a command that takes one file and --json: the file, and whether --json was given.
 *      -FAULT_BAD_VALUE  no file, or two */
int options_one_file(int argc, char **argv, const char **ret_path, bool *ret_is_json) MUST_USE;
