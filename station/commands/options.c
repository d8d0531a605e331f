/*
 * A table row becomes one or two rows of getopt's table (name and long alias) or a letter of its
 * short string. Words that are no options are returned in order, so that a command can look at what
 * follows an option (the address after -fir).
 */
#include "station/commands/options.h"

#include "station/text.h"

#include <ctype.h>
#include <string.h>

static bool is_letter(const char *alias)
{
        return alias && alias[0] && !alias[1];
}

void options_init(struct options *options, int argc, char **argv, const struct option_name *names,
                  size_t count)
{
        size_t rows = 0, letters = 0;

        INSIST(count && count <= OPTIONS_MAX);
        *options = (struct options){ .argc = argc, .argv = argv, .names = names, .count = count };
        options->letters[letters++] = '-'; /* words in order */
        options->letters[letters++] = ':'; /* tell a missing value apart */
        for (size_t i = 0; i < count; i++) {
                const struct option_name *name = &names[i];
                struct option row = { .name = name->name,
                                      .has_arg = name->has_value ? required_argument : no_argument,
                                      .val = name->key };

                INSIST(name->key >= OPTIONS_KEYS);
                options->table[rows++] = row;
                if (is_letter(name->alias)) {
                        options->letters[letters++] = name->alias[0];
                        if (name->has_value)
                                options->letters[letters++] = ':';
                } else if (name->alias) {
                        row.name = name->alias;
                        options->table[rows++] = row;
                }
        }
        optind = 0; /* glibc: begin anew */
        opterr = 0; /* sentences of our own */
}

static int unknown(const struct options *options, const char *word)
{
        const char *bare = word + strspn(word, "-"), *known[2 * OPTIONS_MAX], *nearest;
        size_t count = 0;

        for (size_t i = 0; i < options->count; i++) {
                known[count++] = options->names[i].name;
                if (options->names[i].alias && !is_letter(options->names[i].alias))
                        known[count++] = options->names[i].alias;
        }
        nearest = text_nearest(bare, known, sizeof(*known), count);
        if (nearest)
                return fault(FAULT_BAD_VALUE, "unknown option %.60s; did you mean --%s?", word,
                             nearest);
        return fault(FAULT_BAD_VALUE, "unknown option %.60s; --help lists what there is", word);
}

static const struct option_name *find(const struct options *options, int found)
{
        for (size_t i = 0; i < options->count; i++) {
                const struct option_name *name = &options->names[i];

                if (name->key == found || (is_letter(name->alias) && name->alias[0] == found))
                        return name;
        }
        return NULL;
}

/* What getopt stumbled over: it has moved on to the next word, except within "-abc". */
static const char *present_word(const struct options *options)
{
        int at = optind > 1 && optind <= options->argc ? optind - 1 : 0;

        return options->argv[at];
}

int options_next(struct options *options)
{
        const struct option_name *name;
        int found;

        found = options->is_rest ? -1
                                 : getopt_long_only(options->argc, options->argv, options->letters,
                                                    options->table, NULL);
        options->value = optarg;
        if (found == -1) {
                options->is_rest = true;
                options->value = optind < options->argc ? options->argv[optind++] : NULL;
                return options->value ? OPTIONS_POSITION : OPTIONS_END;
        }
        if (found == OPTIONS_POSITION)
                return OPTIONS_POSITION;
        if (found == ':')
                return fault(FAULT_BAD_VALUE, "option %.60s wants a value", present_word(options));
        name = find(options, found);
        if (found == '?' || !name)
                return unknown(options, present_word(options));
        if (options->seen[name - options->names] && !name->is_repeatable)
                return fault(FAULT_BAD_VALUE, "option --%s is given twice", name->name);
        options->seen[name - options->names] = true;
        return name->key;
}

const char *options_take_word(struct options *options)
{
        if (optind >= options->argc || options->argv[optind][0] == '-')
                return NULL;
        return options->argv[optind++];
}

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

int options_number(const char *what, const char *text, uint32_t maximum, uint32_t *ret_number)
{
        const char *at = text;
        unsigned base = take_base(&at);
        uint64_t number = 0;
        bool is_number = *at;

        for (; *at && is_number && number <= maximum; at++) {
                unsigned char c = (unsigned char)*at;
                unsigned digit = isdigit(c) ? c - 48u : isxdigit(c) ? (c | 0x20u) - 87u : 99u;

                is_number = digit < base;
                number = number * base + digit;
        }
        if (!is_number || number > maximum)
                return fault(FAULT_BAD_VALUE,
                             "%s is %.40s, wanted a number from 0 to %u (0x%X), decimal or with "
                             "0x, 0b, 0",
                             what, text, maximum, maximum);
        *ret_number = (uint32_t)number;
        return 0;
}

int options_one_file(int argc, char **argv, const char **ret_path, bool *ret_is_json)
{
        static const struct option_name json[] = { { "json", NULL, false, false, OPTIONS_KEYS } };
        struct options options;
        int r;

        *ret_path = NULL;
        *ret_is_json = false;
        options_init(&options, argc, argv, json, LENGTH_OF(json));
        while ((r = options_next(&options)) > 0) {
                if (r == OPTIONS_KEYS)
                        *ret_is_json = true;
                else if (*ret_path)
                        return fault(FAULT_BAD_VALUE, "one file at a time, not %.80s too",
                                     options.value);
                else
                        *ret_path = options.value;
        }
        if (r < 0)
                return r;
        return *ret_path ? 0 : fault(FAULT_BAD_VALUE, "no file given");
}
