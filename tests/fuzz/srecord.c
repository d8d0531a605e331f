/* Any bytes as an S-record file. */
#include "tests/support/fuzz.h"

#include "crypto/firmware.h"

#include <stdlib.h>

static void check_sorted(const struct firmware *firmware)
{
        uint64_t end = 0;

        for (size_t i = 0; i < firmware->count; i++) {
                const struct firmware_segment *segment = &firmware->segments[i];

                if (!segment->data.length || segment->address < end)
                        abort();
                end = (uint64_t)segment->address + segment->data.length;
        }
        if (end > (uint64_t)UINT32_MAX + 1)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        int r;

        if (firmware_add_bin(&firmware, "before.bin", "before", 6, 0x08001000) < 0)
                abort();
        r = firmware_add_srecord(&firmware, "fuzz", data, length);
        if (r < 0 && (firmware.count != 1 || firmware.files != 1))
                abort(); /* a failure changes nothing */
        if (r == 0 && (firmware.files != 2 || firmware.count > FIRMWARE_SEGMENTS_MAX))
                abort();
        check_sorted(&firmware);
        if (r == 0 && firmware_merge(&firmware, 64, 0xFF, 32) == 0)
                check_sorted(&firmware);
        return 0;
}
