/* Any bytes as a part's answer to discovery. */
#include "tests/support/fuzz.h"

#include "drivers/debug_discovery.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct debug_discovery found;

        if (debug_discovery_parse(data, length, &found) < 0)
                return 0;
        if (!found.soc_class || found.methods & ~(BY_CERTIFICATE | BY_PASSWORD) ||
            strlen(found.unique_id_text) != 24 || !debug_life_cycle_name(found.life_cycle))
                abort();
        return 0;
}
