/* nonce_memory.c - any bytes as what a key remembers of its ledger. */
#include "tests/support/fuzz.h"

#include "station/nonce_memory.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct nonce_memory memory;

        if (nonce_memory_parse("fuzz", data, length, &memory) < 0)
                return 0;
        INSIST(memory.is_there && memory.images >= 0);
        INSIST(memchr(memory.key, 0, sizeof(memory.key)) == memory.key + NONCE_KEY_TEXT - 1);
        INSIST(memchr(memory.ledger, 0, sizeof(memory.ledger)) ==
               memory.ledger + NONCE_KEY_TEXT - 1);
        INSIST(strlen(memory.link) == (memory.images ? NONCE_LINK_TEXT - 1 : 0));
        return 0;
}
