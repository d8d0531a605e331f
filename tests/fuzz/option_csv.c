/* Any bytes as an option-byte CSV. */
#include "tests/support/fuzz.h"

#include "crypto/option_bytes.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct option_bytes rows;

        if (option_bytes_parse("fuzz", data, length, &rows) < 0)
                return 0;
        if (!rows.count || rows.count > OPTION_ROWS_MAX)
                abort();
        for (size_t i = 0; i < rows.count; i++)
                if (!rows.rows[i].name[0] ||
                    !memchr(rows.rows[i].name, 0, sizeof(rows.rows[i].name)))
                        abort();
        return 0;
}
