/* Any bytes as an .mcsv. */
#include "tests/support/fuzz.h"

#include "crypto/modules.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct modules modules;

        (void)module_is_smi(data, length);
        if (modules_parse("fuzz", data, length, &modules) < 0)
                return 0;
        if (!modules.count || modules.count > MODULES_MAX)
                abort();
        for (size_t i = 0; i < modules.count; i++)
                if (!modules.rows[i].path[0] || !memchr(modules.rows[i].path, 0, MODULE_TEXT_MAX) ||
                    !memchr(modules.rows[i].license, 0, MODULE_TEXT_MAX) ||
                    strchr(modules.rows[i].path, '\\'))
                        abort();
        modules_free(&modules);
        return 0;
}
