/* rss_externals.c - any bytes as the list a part leaves in RAM: what is taken is what the image says. */
#include "tests/support/fuzz.h"

#include "drivers/rss_external.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct sfi_area areas[] = {
                { .type = SFI_RESUME, .index = 5 },
                { .type = SFI_EXTERNAL, .index = 6, .address = 0x90000000, .length = 12 + 20 },
                { .type = SFI_EXTERNAL, .index = 7, .address = 0x90000014, .length = 12 + 16 },
                { .type = SFI_PAUSE, .index = 8 },
        };
        const struct sfi sfi = { .count = LENGTH_OF(areas), .areas = areas };
        const struct sfi_part part = { .count = LENGTH_OF(areas) };
        struct rss_externals CLEANUP(rss_externals_free) externals = { 0 };
        struct bytes list = bytes_copy(data, length);

        INSIST(rss_has_external(&sfi, &part));
        if (rss_externals_parse(&list, &sfi, &part, &externals) < 0)
                return 0;
        INSIST(externals.count == 2 && externals.list.length == 80 && length == 80);
        INSIST(externals.areas[0].address == 0x90000000 && externals.areas[0].length == 20);
        INSIST(externals.areas[1].data + 16 == externals.list.data + 80);
        return 0;
}
