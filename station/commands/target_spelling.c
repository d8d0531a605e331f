/*
 * target_spelling.c - one table of ST's verbs; a line has one of them.
 *
 * What follows the verb up to the next word that begins with a dash belongs to it and goes in front;
 * the rest follows as it stood.
 */
#include "station/commands/target_spelling.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const struct {
        const char *spelling;
        const char *verb[2];
} verbs[] = {
        { "-gc", { "certificate", NULL } },
        { "-dsecurity", { "disable-security", NULL } },
        { "-setdefaultob", { "default-ob", NULL } },
        { "-ob", { "ob", "write" } },
        { "-r8", { "read", NULL } },
        { "-r16", { "read", NULL } },
        { "-r32", { "read", NULL } },
        { "-r", { "read", NULL } },
        { "-u", { "read", NULL } },
        { "--upload", { "read", NULL } },
        { "-w", { "write", NULL } },
        { "-d", { "write", NULL } },
        { "--download", { "write", NULL } },
        { "-e", { "erase", NULL } },
        { "--erase", { "erase", NULL } },
        { "-rst", { "reset", NULL } },
        { "-rdu", { "regress", NULL } },
        { "debugauth=1", { "regress", NULL } },
        { "debugauth=2", { "discover", NULL } },
        { "-l", { "list", NULL } },
        { "--list", { "list", NULL } },
};

static size_t find_verb(const char *word)
{
        size_t i = 0;

        while (i < LENGTH_OF(verbs) && strcmp(verbs[i].spelling, word) != 0)
                i++;
        return i;
}

static char *word_of(const char *constant)
{
        return (char *)(uintptr_t)constant; /* argv is never written to */
}

/* Is the verb "-ob displ", which reads? */
static bool only_shows(int argc, char **argv, int at)
{
        return strcmp(argv[at], "-ob") == 0 && at + 1 < argc &&
               strncasecmp(argv[at + 1], "displ", 5) == 0;
}

/* The word after which the verb's own words end. */
static int end_of_verb(int argc, char **argv, int at)
{
        while (++at < argc && argv[at][0] != '-')
                ;
        return at;
}

static int write_words(int argc, char **argv, int at, char **ret_argv)
{
        size_t verb = find_verb(argv[at]);
        int count = 0, end = end_of_verb(argc, argv, at);

        ret_argv[count++] = argv[0];
        ret_argv[count++] = argv[1];
        for (unsigned i = 0; i < 2 && verbs[verb].verb[i]; i++)
                ret_argv[count++] = word_of(verbs[verb].verb[i]);
        if (only_shows(argc, argv, at))
                ret_argv[count - 1] = word_of("read");
        for (int i = at + 1; i < end; i++)
                ret_argv[count++] = argv[i];
        for (int i = 2; i < argc; i++)
                if (i < at || i >= end)
                        ret_argv[count++] = argv[i];
        ret_argv[count] = NULL;
        return count;
}

int target_spelling(int argc, char **argv, char **ret_argv)
{
        int at = 0;

        for (int i = 2; i < argc; i++) {
                if (find_verb(argv[i]) == LENGTH_OF(verbs)) {
                        if (strncmp(argv[i], "debugauth=", 10) == 0)
                                return fault(FAULT_BAD_VALUE,
                                             "%.20s, wanted debugauth=1, the regression, or "
                                             "debugauth=2, the discovery",
                                             argv[i]);
                        continue;
                }
                if (at)
                        return fault(FAULT_BAD_VALUE,
                                     "%.20s and %.20s in one line: one verb at a time", argv[at],
                                     argv[i]);
                at = i;
        }
        if (!at)
                return 0;
        if (argc + 3 > SPELLING_WORDS_MAX)
                return fault(FAULT_BAD_VALUE, "%d words, at most %d are taken", argc,
                             SPELLING_WORDS_MAX - 3);
        return write_words(argc, argv, at, ret_argv);
}
