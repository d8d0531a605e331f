/*
 * rss_external.c - fetch what a part left in RAM, and hold it against the image.
 *
 * The list comes from outside and says where bytes are to be programmed; so each entry must be the next
 * E area of the part just installed, at its address and of its length, and the list must end with
 * the last.
 */
#include "drivers/rss_external.h"

#include "scheduler/bytes.h"

#include <stdlib.h>

bool rss_has_external(const struct sfi *sfi, const struct sfi_part *part)
{
        for (unsigned i = 0; i < part->count; i++)
                if (sfi->areas[part->first + i].type == SFI_EXTERNAL)
                        return true;
        return false;
}

void rss_externals_free(struct rss_externals *externals)
{
        bytes_free(&externals->list);
        free(externals->areas);
        *externals = (struct rss_externals){ 0 };
}

static int take_entry(struct rss_externals *externals, const struct sfi_area *area, size_t *at)
{
        const uint8_t *entry = externals->list.data + *at;
        size_t left = externals->list.length - *at;
        struct rss_external found;

        if (left < RSS_EXTERNAL_HEADER)
                return fault(FAULT_RSS, "the list of external data ends before area %u",
                             area->index);
        found = (struct rss_external){ load_le32(entry), load_le32(entry + 4), load_le32(entry + 8),
                                       entry + RSS_EXTERNAL_HEADER };
        if (found.index != area->index || found.address != area->address ||
            found.length + SFI_EXTERNAL_PREFIX_LENGTH != area->length)
                return fault(FAULT_RSS,
                             "the list of external data has area %u, %u bytes at 0x%08X, wanted "
                             "area %u, %u bytes at 0x%08X",
                             found.index, found.length, found.address, area->index,
                             area->length - SFI_EXTERNAL_PREFIX_LENGTH, area->address);
        left -= RSS_EXTERNAL_HEADER;
        if (found.length > left || (found.length + 15ull) / 16 * 16 > left)
                return fault(FAULT_RSS, "the list of external data ends within area %u",
                             area->index);
        *at += RSS_EXTERNAL_HEADER + (found.length + 15) / 16 * 16;
        externals->areas[externals->count++] = found;
        return 0;
}

int rss_externals_parse(struct bytes *list, const struct sfi *sfi, const struct sfi_part *part,
                        struct rss_externals *ret_externals)
{
        struct rss_externals CLEANUP(rss_externals_free) externals = { .list = *list };
        size_t at = 0;

        *list = (struct bytes){ 0 };
        externals.areas = calloc(part->count, sizeof(*externals.areas));
        INSIST(externals.areas);
        for (unsigned i = 0; i < part->count; i++) {
                const struct sfi_area *area = &sfi->areas[part->first + i];
                int r = area->type == SFI_EXTERNAL ? take_entry(&externals, area, &at) : 0;

                if (r < 0)
                        return r;
        }
        if (at != externals.list.length)
                return fault(FAULT_RSS,
                             "the list of external data has %zu bytes, its %u areas need %zu",
                             externals.list.length, externals.count, at);
        *ret_externals = externals;
        externals = (struct rss_externals){ 0 };
        return 0;
}

int rss_read_externals(struct target *target, const struct rss_profile *profile,
                       const struct sfi *sfi, const struct sfi_part *part,
                       struct rss_externals *ret_externals)
{
        struct bytes list = { 0 };
        uint32_t length = 0;
        int r = target_read_word(target, profile->mailbox + RSS_AT_EXTERNAL_LENGTH, &length);

        if (r < 0)
                return r;
        if (length > profile->areas_capacity)
                return fault(FAULT_RSS,
                             "the list of external data is to have %u bytes, there is room for %u",
                             length, profile->areas_capacity);
        list = bytes_new(length);
        if (length)
                r = target_read(target, profile->areas, list.data, length);
        if (r < 0) {
                bytes_free(&list);
                return fault_prefix(r, "external data from 0x%08X", profile->areas);
        }
        return rss_externals_parse(&list, sfi, part, ret_externals);
}
