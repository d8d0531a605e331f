/* Words of a connection and ST's verbs: what is taken is in its limits, words are neither lost nor
 * made. */
#include "tests/support/fuzz.h"

#include "station/commands/target_choice.h"
#include "station/commands/target_spelling.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void demand(bool claim)
{
        if (!claim)
                abort();
}

static void check(const struct target_choice *choice)
{
        demand(choice->clock_khz >= 1 && choice->clock_khz <= TARGET_CLOCK_MAX_KHZ);
        demand(choice->index <= TARGET_INDEX_MAX && choice->access_port <= TARGET_PORT_MAX);
        demand(memchr(choice->serial, 0, sizeof(choice->serial)));
        demand(!choice->is_sure && !choice->is_json && !choice->rss);
}

static void take(const char *word, argument_function *function)
{
        struct target_choice choice = TARGET_CHOICE;
        struct options options = { .value = word };
        int r = function(&choice, &options);

        demand(r == 0 || r == 1 || r == -FAULT_BAD_VALUE);
        if (r >= 0)
                check(&choice);
}

/* The line as a command reads it that takes words of its own. */
static void read_line(int argc, char **argv)
{
        struct target_choice choice = TARGET_CHOICE;
        const char *words[4];
        size_t count = 0;
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&choice),
                { .what = "word", .text = words, .most = LENGTH_OF(words), .count = &count },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        demand(r == 0 || r == -FAULT_BAD_VALUE);
        if (r == 0)
                check(&choice);
        for (size_t i = 0; i < count; i++)
                demand(words[i] != NULL);
}

/* Every word but the verb's is still there: as many, whatever their order. */
static void spell(int argc, char **argv)
{
        char *out[SPELLING_WORDS_MAX];
        int count = target_spelling(argc, argv, out);

        demand(count == -FAULT_BAD_VALUE || count == 0 || count == argc || count == argc + 1);
        if (count <= 0)
                return;
        demand(out[count] == NULL && count < SPELLING_WORDS_MAX);
        for (int i = 0; i < count; i++)
                demand(out[i] != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        char *text = malloc(length + 1), *at = text;
        static char first[] = "gangway", second[] = "target";
        char *argv[SPELLING_WORDS_MAX + 9] = { first, second }; /* NULL at the end */
        int argc = 2;

        if (!text)
                return 0;
        memcpy(text, data, length);
        text[length] = '\0';
        while (at && argc < (int)LENGTH_OF(argv) - 1) {
                char *word = strsep(&at, " \n");

                take(word, target_choice_connect);
                take(word, target_choice_word);
                argv[argc++] = word;
        }
        read_line(argc - 1, argv + 1);
        spell(argc, argv);
        free(text);
        return 0;
}
