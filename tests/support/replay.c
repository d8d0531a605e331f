/*
 * replay.c - a fuzz target's corpus as an ordinary test: each file once, in TAP.
 */
#include "tests/support/fuzz.h"

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int replay_file(const char *path)
{
        static uint8_t data[1 << 20];
        FILE *file = fopen(path, "rb");
        size_t length;

        if (!file)
                return -1;
        length = fread(data, 1, sizeof(data), file);
        fclose(file);
        return LLVMFuzzerTestOneInput(data, length);
}

int main(int argc, char **argv)
{
        char name[128], directory[512], path[1024];
        const struct dirent *entry;
        unsigned count = 0, failed = 0;
        DIR *corpus;

        (void)argc;
        snprintf(name, sizeof(name), "%s", basename(argv[0]));
        name[strcspn(name, "-")] = '\0';
        snprintf(directory, sizeof(directory), "tests/fuzz/corpus/%s", name);
        corpus = opendir(directory);
        if (!corpus) {
                printf("not ok 1 - no corpus at %s\n", directory);
                return 1;
        }
        while ((entry = readdir(corpus))) {
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
                count++;
                if (replay_file(path)) {
                        printf("# %s\n", path);
                        failed++;
                }
        }
        closedir(corpus);
        if (!count || failed) {
                printf("not ok 1 - %s: %u of %u files failed\n", name, failed, count);
                return 1;
        }
        printf("ok 1 - %s: %u files replayed\n1..1\n", name, count);
        return 0;
}
