/*
 * Files given as a server's certificate: what is taken is taken again from its own text, with the
 * same pin, and pins have one form.
 */
#include "station/pinned.h"

#include "tests/support/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        CLEANUP(pinned_free) struct pinned first = { 0 }, second = { 0 };
        int r = pinned_parse("server.pem", data, length, &first);

        if (r < 0) {
                INSIST(r == -FAULT_BAD_FILE && !first.pem.data);
                INSIST(!strncmp(fault_sentence(r), "server.pem: ", 12));
                return 0;
        }
        INSIST(!strncmp(first.key_hash, "sha256//", 8) && strlen(first.key_hash) == 52);
        INSIST(pinned_parse("again", first.pem.data, first.pem.length, &second) == 0);
        INSIST(!strcmp(first.key_hash, second.key_hash));
        INSIST(first.pem.length == second.pem.length &&
               !memcmp(first.pem.data, second.pem.data, first.pem.length));
        return 0;
}
