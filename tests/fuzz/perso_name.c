/* Names of personalization packages: what is believed is well formed, and texts end. */
#include "tests/support/fuzz.h"

#include "drivers/perso_name.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void demand(bool claim)
{
        if (!claim)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct perso_name name = { 0 };
        const struct hsm_personalization *is = &name.personalization;
        char *path = malloc(length + 1);
        int r;

        if (!path)
                return 0;
        memcpy(path, data, length);
        path[length] = '\0';
        r = perso_name_parse(path, &name);
        demand(r == 0 || r == -FAULT_BAD_VALUE);
        if (r == 0) {
                demand(memchr(name.family, 0, sizeof(name.family)));
                demand(strlen(is->product_id) == PRODUCT_ID_LENGTH);
                demand(strlen(is->flow) == 3 || strlen(is->flow) == 4);
                demand(is->license_version > 0);
                for (const char *c = name.family; *c; c++)
                        demand(isalnum((unsigned char)*c) || *c == '-');
                demand(strstr(path, is->product_id) && strstr(path, is->flow));
        }
        free(path);
        return 0;
}
