/*
 * fuzz_firmware.h - what holds for a firmware reader, whatever the bytes are.
 */
#pragma once

#include "crypto/firmware.h"
#include "tests/support/fuzz.h"

#include <stdlib.h>

static inline void check_sorted(const struct firmware *firmware)
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

typedef int firmware_reader_of_form(struct firmware *firmware, const char *name, const void *data,
                                    size_t length);

/* Read `data` behind a firmware that is there already: a failure changes nothing, and what was read
 * is sorted, within limits, and stays so when merged. */
static inline int fuzz_firmware(firmware_reader_of_form *add, const uint8_t *data, size_t length)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        int r;

        if (firmware_add_bin(&firmware, "before.bin", "before", 6, 0x08001000) < 0)
                abort();
        r = add(&firmware, "fuzz", data, length);
        if (r < 0 && (firmware.count != 1 || firmware.files != 1))
                abort();
        if (r == 0 && (firmware.files != 2 || firmware.count > FIRMWARE_SEGMENTS_MAX))
                abort();
        check_sorted(&firmware);
        if (r == 0 && firmware_merge(&firmware, 64, 0xFF, 32) == 0)
                check_sorted(&firmware);
        return 0;
}
