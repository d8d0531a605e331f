/* Any bytes as an .obk file: what parses is built again to the same bytes. */
#include "tests/support/fuzz.h"

#include "crypto/obk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct obk_facts facts;
        struct bytes again;
        struct obk obk;

        if (obk_parse("fuzz", data, length, &obk) < 0)
                return 0;
        obk_examine(&obk, &facts);
        if (!facts.family || !facts.name || !obk_kind_name(facts.kind) ||
            !obk_hash_name(facts.hash))
                abort();
        if (facts.hash == OBK_HASH_WRONG && !facts.problem[0])
                abort();
        again = obk_build(obk.destination, obk.is_encrypted, obk.payload, obk.length);
        if (again.length != length || memcmp(again.data, data, length) != 0)
                abort();
        bytes_free(&again);
        return 0;
}
