/* stldr.c - any bytes as an external loader: what is read keeps its promises. */
#include "tests/support/fuzz.h"

#include "drivers/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct bytes file = bytes_copy(data, length);
        struct loader CLEANUP(loader_free) loader = { 0 };
        uint64_t image = 0;
        uint32_t start, sector;

        if (loader_parse("fuzz", &file, &loader) < 0)
                return 0;
        INSIST(loader.segment_count && loader.segment_count <= LOADER_SEGMENTS_MAX);
        for (unsigned i = 0; i < loader.segment_count; i++) {
                const struct loader_segment *segment = &loader.segments[i];

                INSIST(segment->data + segment->length <= loader.file.data + loader.file.length);
                image += segment->length + (uint64_t)segment->zeros;
        }
        INSIST(image <= LOADER_IMAGE_MAX);
        INSIST(loader.entries[LOADER_INIT] && loader.entries[LOADER_WRITE]);
        INSIST(strlen(loader.storage.name) <= LOADER_NAME_LENGTH);
        loader_sector(&loader.storage, loader.storage.address + loader.storage.length - 1, &start,
                      &sector);
        INSIST(loader_holds(&loader.storage, start, sector));
        return 0;
}
