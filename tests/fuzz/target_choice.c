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

static void take(const char *word, int key)
{
        struct target_choice choice;
        int r;

        target_choice_init(&choice);
        r = target_choice_take(&choice, key, word);
        demand(r == 0 || r == 1 || r == -FAULT_BAD_VALUE);
        if (r < 0)
                return;
        demand(choice.clock_khz >= 1 && choice.clock_khz <= TARGET_CLOCK_MAX_KHZ);
        demand(choice.index <= TARGET_INDEX_MAX && choice.access_port <= TARGET_PORT_MAX);
        demand(memchr(choice.serial, 0, sizeof(choice.serial)));
        demand(!choice.is_sure && !choice.is_json && !choice.path);
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
        char *argv[SPELLING_WORDS_MAX + 8] = { first, second };
        int argc = 2;

        if (!text)
                return 0;
        memcpy(text, data, length);
        text[length] = '\0';
        while (at && argc < (int)LENGTH_OF(argv)) {
                char *word = strsep(&at, " \n");

                take(word, TARGET_KEY_CONNECT);
                take(word, OPTIONS_POSITION);
                argv[argc++] = word;
        }
        spell(argc, argv);
        free(text);
        return 0;
}
