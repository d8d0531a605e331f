/* Any bytes as a certificate chain, and as a password file. */
#include "tests/support/fuzz.h"

#include "crypto/adac.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        uint8_t mask[ADAC_PERMISSION_LENGTH];
        struct bytes sent = { 0 };
        struct adac_chain chain;
        char text[40];

        if (adac_chain_parse("fuzz", data, length, &chain) == 0) {
                if (chain.count == 0 || chain.count > ADAC_CHAIN_MAX ||
                    chain.certificates[0].role != ADAC_ROOT)
                        abort();
                adac_chain_permissions(&chain, mask);
                adac_permission_text(mask, text);
        }
        if (adac_password_parse("fuzz", data, length, &sent) == 0) {
                if (sent.length % 4 || sent.length > 8 + ADAC_PASSWORD_MAX)
                        abort();
                bytes_wipe_free(&sent);
        }
        return 0;
}
