/*
 * snapshot.c - JSON from outside. What is accepted must write and read back the same.
 */
#include "tests/support/fuzz.h"
#include "web-status/web.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static struct snapshot first, second;
        char *json;

        memset(&first, 0, sizeof(first));
        if (snapshot_parse((const char *)data, length, &first) < 0)
                return 0;
        json = snapshot_json(&first);
        INSIST(json);
        memset(&second, 0, sizeof(second));
        INSIST(snapshot_parse(json, strlen(json), &second) == 0);
        INSIST(memcmp(&first, &second, sizeof(first)) == 0);
        free(json);
        return 0;
}
