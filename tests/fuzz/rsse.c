/*
 * Any bytes as a reference RSSe: what is taken is whole, copied, and of a die there can be.
 */
#include "drivers/rsse.h"

#include "crypto/digest.h"
#include "tests/support/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct rsse rsse;
        uint8_t digest[DIGEST_LENGTH];
        int r = rsse_parse("fuzz", data, length, &rsse);

        if (r < 0) {
                INSIST(r == -FAULT_BAD_FILE && !strncmp(fault_sentence(r), "fuzz: ", 6));
                return 0;
        }
        INSIST(rsse.file.length == length && rsse.file.data != data);
        INSIST(!memcmp(rsse.file.data, data, length) && rsse.device_id <= 0xFFF);
        digest_sha256(data, length - DIGEST_LENGTH, digest);
        INSIST(!memcmp(digest, data + length - DIGEST_LENGTH, DIGEST_LENGTH));
        rsse_free(&rsse);
        return 0;
}
