/*
 * A row with a name becomes one or two rows of getopt's table (name and long alias) or a letter of
 * its short string. Words that are no options come in order, so that a command can look at what
 * follows an option (the address after -fir). Each value goes where its row says; what is needed and
 * was not given is looked for at the end, and told in one sentence.
 */
#include "station/commands/options.h"

#include "station/text.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* What has been read so far; `given` counts by row. */
struct reading {
        struct options options;
        const struct argument *rows;
        size_t count, given[OPTIONS_MAX];
        bool is_rest;                             /* after "--" */
        struct option table[2 * OPTIONS_MAX + 1]; /* getopt's, and its short string */
        char letters[2 * OPTIONS_MAX + 3];
};

/* --- getopt -------------------------------------------------------------------------------- */

#define END   0
#define WORD  1     /* that is no option: getopt's own figure */
#define FIRST 0x100 /* the first row; above every letter */

static bool is_letter(const char *alias)
{
        return alias && alias[0] && !alias[1];
}

static void begin(struct reading *reading)
{
        struct option *next = reading->table;
        char *letter = reading->letters;

        *letter++ = '-'; /* words in order */
        *letter++ = ':'; /* tell a missing value apart */
        for (size_t i = 0; i < reading->count; i++) {
                const struct argument *row = &reading->rows[i];
                bool has_value = row->text || row->number || row->take;
                struct option entry = { .name = row->name,
                                        .has_arg = has_value ? required_argument : no_argument,
                                        .val = FIRST + (int)i };

                INSIST(!row->number || row->most);
                if (!row->name)
                        continue;
                *next++ = entry;
                if (is_letter(row->alias)) {
                        *letter++ = row->alias[0];
                        if (has_value)
                                *letter++ = ':';
                } else if (row->alias) {
                        entry.name = row->alias;
                        *next++ = entry;
                }
        }
        optind = 0; /* glibc: begin anew */
        opterr = 0; /* sentences of our own */
}

static int unknown(const struct reading *reading, const char *word)
{
        const char *bare = word + strspn(word, "-"), *known[2 * OPTIONS_MAX], *nearest;
        size_t count = 0;

        while (reading->table[count].name) {
                known[count] = reading->table[count].name;
                count++;
        }
        nearest = text_nearest(bare, known, sizeof(*known), count);
        if (nearest)
                return fault(FAULT_BAD_VALUE, "unknown option %.60s; did you mean --%s?", word,
                             nearest);
        return fault(FAULT_BAD_VALUE, "unknown option %.60s; --help lists what there is", word);
}

/* What getopt stumbled over: it has moved on to the next word, except within "-abc". */
static const char *present_word(const struct options *options)
{
        int at = optind > 1 && optind <= options->argc ? optind - 1 : 0;

        return options->argv[at];
}

/* FIRST and on: that row's option; WORD, END, or a fault. The value is in `options`. */
static int read_next(struct reading *reading)
{
        struct options *options = &reading->options;
        int found = reading->is_rest ? -1
                                     : getopt_long_only(options->argc, options->argv,
                                                        reading->letters, reading->table, NULL);

        options->value = optarg;
        if (found == -1) {
                reading->is_rest = true;
                options->value = optind < options->argc ? options->argv[optind++] : NULL;
                return options->value ? WORD : END;
        }
        if (found == ':')
                return fault(FAULT_BAD_VALUE, "option %.60s wants a value", present_word(options));
        if (found == '?')
                return unknown(reading, present_word(options));
        for (size_t i = 0; i < reading->count; i++)
                if (is_letter(reading->rows[i].alias) && reading->rows[i].alias[0] == found)
                        return FIRST + (int)i;
        return found;
}

const char *options_take_word(struct options *options)
{
        if (optind >= options->argc || options->argv[optind][0] == '-')
                return NULL;
        return options->argv[optind++];
}

/* --- numbers ------------------------------------------------------------------------------- */

/* "0x1F", "0b101", "017", "31". */
static unsigned take_base(const char **text)
{
        const char *at = *text;

        if (at[0] != '0' || !at[1])
                return 10;
        switch (tolower((unsigned char)at[1])) {
        case 'x':
                *text += 2;
                return 16;
        case 'b':
                *text += 2;
                return 2;
        default:
                *text += 1;
                return 8;
        }
}

static int read_number(const char *what, const char *text, uint32_t least, uint32_t most,
                       uint32_t *ret_number)
{
        const char *at = text;
        unsigned base = take_base(&at);
        uint64_t number = 0;
        bool is_number = *at;

        for (; *at && is_number && number <= most; at++) {
                unsigned char c = (unsigned char)*at;
                unsigned digit = isdigit(c) ? c - 48u : isxdigit(c) ? (c | 0x20u) - 87u : 99u;

                is_number = digit < base;
                number = number * base + digit;
        }
        if (!is_number || number < least || number > most)
                return fault(FAULT_BAD_VALUE,
                             "%s is %.40s, wanted a number from %u to %u (0x%X), decimal or with "
                             "0x, 0b, 0",
                             what, text, least, most, most);
        *ret_number = (uint32_t)number;
        return 0;
}

int options_number(const char *what, const char *text, uint32_t maximum, uint32_t *ret_number)
{
        return read_number(what, text, 0, maximum, ret_number);
}

/* --- rows ---------------------------------------------------------------------------------- */

static const char *what_of(const struct argument *argument)
{
        return argument->what ? argument->what : argument->name;
}

/* Itself, or the other way to say the same. */
static bool is_given(const struct reading *reading, const struct argument *row)
{
        for (size_t i = 0; i < reading->count; i++) {
                const struct argument *other = &reading->rows[i];

                if (reading->given[i] && (other == row || (row->text && other->text == row->text)))
                        return true;
        }
        return false;
}

/* The last row with a place says how many there may be. */
static int too_many(const char *word, const struct argument *full)
{
        if (!full)
                return fault(FAULT_BAD_VALUE, "%.80s is not expected here", word);
        if (full->instead)
                return fault(FAULT_BAD_VALUE, "%.80s: %s", word, full->instead);
        if (full->most > 1)
                return fault(FAULT_BAD_VALUE, "%u %ss at a time, not %.80s too", full->most,
                             what_of(full), word);
        return fault(FAULT_BAD_VALUE, "one %s at a time, not %.80s too", what_of(full), word);
}

static int take_value(struct reading *reading, size_t at)
{
        const struct argument *row = &reading->rows[at];
        const char *value = reading->options.value;
        char name[64];

        if (!row->is_repeatable && reading->given[at])
                return fault(FAULT_BAD_VALUE, "option --%s is given twice", row->name);
        if (!row->is_repeatable && is_given(reading, row))
                return too_many(value, row);
        reading->given[at]++;
        if (row->flag)
                *row->flag = true;
        if (row->text)
                *row->text = value;
        if (row->take)
                return row->take(row->context, &reading->options);
        if (!row->number)
                return 0;
        snprintf(name, sizeof(name), "--%s", row->name);
        return read_number(name, value, row->least, row->most, row->number);
}

static bool has_room(const struct reading *reading, size_t at)
{
        const struct argument *row = &reading->rows[at];

        if (!row->text)
                return false;
        return row->most > 1 ? reading->given[at] < row->most : !is_given(reading, row);
}

static int take_word(struct reading *reading)
{
        const char *word = reading->options.value;
        const struct argument *full = NULL;

        for (size_t i = 0; i < reading->count; i++) {
                const struct argument *row = &reading->rows[i];
                int r;

                if (row->name)
                        continue;
                if (has_room(reading, i)) {
                        row->text[reading->given[i]++] = word;
                        if (row->count)
                                *row->count = reading->given[i];
                        return 0;
                }
                if (!row->take) {
                        full = row;
                        continue;
                }
                r = row->take(row->context, &reading->options);
                reading->given[i] += r > 0;
                if (r != 0)
                        return r;
        }
        return too_many(word, full);
}

/* --- what is needed ------------------------------------------------------------------------ */

static void append(char *text, size_t capacity, const char *between, const char *word)
{
        size_t used = strlen(text);

        snprintf(text + used, capacity - used, "%s%s", used ? between : "", word);
}

/* "key and output are needed: give -k FILE -o FILE" */
static int check_needed(const struct reading *reading)
{
        const struct argument *missing[OPTIONS_MAX];
        char what[160] = "", how[160] = "";
        size_t left = 0;

        for (size_t i = 0; i < reading->count; i++)
                if (reading->rows[i].needed && !is_given(reading, &reading->rows[i]))
                        missing[left++] = &reading->rows[i];
        if (left == 0)
                return 0;
        if (left == 1 && !missing[0]->name)
                return fault(FAULT_BAD_VALUE, "no %s given", what_of(missing[0]));
        if (left == 1)
                return fault(FAULT_BAD_VALUE, "no %s: give %s", what_of(missing[0]),
                             missing[0]->needed);
        for (size_t i = 0; i < left; i++) {
                append(what, sizeof(what), i + 1 < left ? ", " : " and ", what_of(missing[i]));
                append(how, sizeof(how), " ", missing[i]->needed);
        }
        return fault(FAULT_BAD_VALUE, "%s are needed: give %s", what, how);
}

int options_read(int argc, char **argv, const struct argument *arguments, size_t count)
{
        struct reading reading = { .options = { .argc = argc, .argv = argv },
                                   .rows = arguments,
                                   .count = count };
        int found, r;

        INSIST(count <= OPTIONS_MAX);
        begin(&reading);
        while ((found = read_next(&reading)) > END) {
                r = found == WORD ? take_word(&reading)
                                  : take_value(&reading, (size_t)(found - FIRST));
                if (r < 0)
                        return r;
        }
        return found < 0 ? found : check_needed(&reading);
}

int options_one_file(int argc, char **argv, const char **ret_path, bool *ret_is_json)
{
        const struct argument arguments[] = {
                { .what = "file", .text = ret_path, .needed = "FILE" },
                { "json", .flag = ret_is_json },
        };

        *ret_path = NULL;
        *ret_is_json = false;
        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}
