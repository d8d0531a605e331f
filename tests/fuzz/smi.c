/* Any bytes as an .smi module. */
#include "tests/support/fuzz.h"

#include "crypto/smi.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct smi smi;

        if (smi_parse("fuzz", data, length, &smi) < 0)
                return 0;
        if (smi.code != data + SMI_HEADER_LENGTH ||
            (size_t)smi.code_length + SMI_HEADER_LENGTH != length)
                abort();
        return 0;
}
