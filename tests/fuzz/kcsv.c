/* Any bytes as a .kcsv; what parses must come back from the K area it makes. */
#include "tests/support/fuzz.h"

#include "crypto/key_areas.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static struct key_areas areas, again;
        struct bytes payload;

        IGNORE(key_areas_decode(data, length,
                                &again)); /* anything, so long as it stays in bounds */
        if (key_areas_parse("fuzz", data, length, &areas) < 0)
                return 0;
        payload = key_areas_encode(&areas);
        if (!areas.count || key_areas_decode(payload.data, payload.length, &again) < 0 ||
            again.count != areas.count)
                abort();
        for (size_t i = 0; i < areas.count; i++)
                if (again.areas[i].length != areas.areas[i].length ||
                    again.areas[i].address != areas.areas[i].address || !areas.areas[i].length)
                        abort();
        bytes_free(&payload);
        return 0;
}
