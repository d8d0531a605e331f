/*
 * options.h - the options and words of a command: each a row that says where its value goes.
 *
 *      const struct argument arguments[] = {
 *              { .what = "recipe", .text = &request->recipe, .needed = "RECIPE.xml" },
 *              { "key", "k", .text = &request->key, .needed = "-k FILE" },
 *              { "ver", "v", .number = &request->version, .most = UINT8_MAX },
 *              { "json", .flag = &request->is_json },
 *      };
 *      r = options_read(argc, argv, arguments, LENGTH_OF(arguments));
 *
 * ST's spellings parse: -fir, --firmware, -k, --key, in any order; getopt_long_only does the work.
 * Nothing here waits, but for what a function of the command does.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define OPTIONS_MAX 32u /* rows of a command */

/* What is being read, for a function of the command. */
struct options {
        int argc;
        char **argv;
        const char *value; /* of the option, or the word */
};

/* What a command reads by itself: options->value, and what options_take_word() gives. Returns a fault,
 * or: of an option whatever it likes; of a word 1, or 0 when it is not for this row and the next one
 * is asked. */
typedef int argument_function(void *context, struct options *options);

/*
 * One row: an option, or, when it has no name, words. All pointers are borrowed; a place is written
 * only when its option is given, so that what stands in it before is the default.
 *
 * An option has a value when there is a text, number or take, else it is its flag alone. Words go to
 * the first row that has room for them; a command without such a row takes none. Rows with the same
 * text are ways to say one thing, of which one may be used: "-k FILE" or FILE alone.
 */
struct argument {
        const char *name;  /* "firmware": --firmware, -firmware; NULL: words */
        const char *alias; /* "fir": -fir; one letter: -k; NULL: none */
        const char **text; /* the value; of words an array of `most` */
        bool *flag;        /* becomes true when the option is given */
        uint32_t *number;  /* in any base, `least` to `most` */
        uint32_t least, most;
        argument_function *take;
        void *context;
        bool is_repeatable; /* only with `take`; words are anyhow */
        size_t *count;      /* words: how many were given */

        const char *what;    /* the value in sentences, when `name` is not its word: "recipe" */
        const char *needed;  /* how to give what must not be missing: "-k FILE"; NULL: it may be */
        const char *instead; /* alone in its row: no words are taken, "the file is given with -o" */
};

/* Read all of it.
 *      -FAULT_BAD_VALUE  an unknown option (with the nearest there is), given twice, without its
 *                        value, no number or beyond its limits, a word too many, what is needed and
 *                        not there; whatever `take` says */
int options_read(int argc, char **argv, const struct argument *arguments, size_t count) MUST_USE;

/* All of a command that takes one file and --json: the file, and whether --json was given.
 *      -FAULT_BAD_VALUE  no file, or two */
int options_one_file(int argc, char **argv, const char **ret_path, bool *ret_is_json) MUST_USE;

/* The word that follows when it is no option, taken; else NULL. */
const char *options_take_word(struct options *options);

/* A number in any base: 0x, 0b, 0 for octal, else decimal; at most `maximum`.
 *      -FAULT_BAD_VALUE  names `what` */
int options_number(const char *what, const char *text, uint32_t maximum,
                   uint32_t *ret_number) MUST_USE;
