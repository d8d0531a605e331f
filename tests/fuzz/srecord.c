/* Any bytes as an S-record file. */
#include "tests/support/fuzz_firmware.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        return fuzz_firmware(firmware_add_srecord, data, length);
}
