/*
 * External areas in the RSS of a simulated part: opened, enciphered anew, given to the host.
 *
 * REFERENCE (drivers/rss.h, rss_external.h). What the area's prefix says is public (secure-install.md
 * 6.1): OTFDEC region, mode, and where in internal flash its key is, put there before by a firmware or a
 * key area. Nonce and version of the region are not: 0 here. The list grows where the areas
 * lay, never past the one being read: an entry takes at most 31 bytes besides its data, the area took 42.
 */
#include "drivers/simulated/part_private.h"

#include "drivers/rss_external.h"
#include "scheduler/bytes.h"

/* The key as firmware would load it: four words, the first into KEYR0. */
static bool read_key(struct simulated_part *part, uint32_t address, uint32_t ret_key[static 4])
{
        uint32_t at = family_plain_address(part->family, address);

        if (at % 4 != 0 || !flash_holds(part, at, OTFDEC_KEY_LENGTH) ||
            !flash_is_written(part, at) || !flash_is_written(part, at + OTFDEC_KEY_LENGTH - 1))
                return false;
        for (unsigned i = 0; i < 4; i++)
                ret_key[i] = load_le32(flash_at(part, at + 4 * i));
        return true;
}

/* Is `region`, counted over both instances, in front of the memory? */
static bool serves(const struct simulated_part *part, const struct family_external *external,
                   uint32_t region)
{
        return part->family->otfdec_registers && region >= external->first_region &&
               region - external->first_region < external->regions;
}

uint32_t rss_give_external(struct simulated_part *part)
{
        struct rss_run *run = &part->run;
        uint8_t *entry = part_ram(part, part->rss->areas, run->list_length) + run->external_length;
        uint32_t length = run->plain_length - SFI_EXTERNAL_PREFIX_LENGTH, number;
        struct otfdec_region region = { 0 };
        const struct family_external *external;

        if (run->plain_length <= SFI_EXTERNAL_PREFIX_LENGTH)
                return RSS_ERROR_COMMAND;
        external = family_external_at(part->family, run->plain_address, length);
        if (!external)
                return RSS_ERROR_RANGE;
        number = load_le32(run->plain);
        if (!serves(part, external, number) || !otfdec_is_public(load_le32(run->plain + 4)) ||
            !read_key(part, load_le32(run->plain + 8), region.key))
                return RSS_ERROR_CIPHER;
        region.index = (uint8_t)(number % OTFDEC_REGIONS);
        store_le32(entry,
                   load_le16(part_ram(part, part->rss->areas, run->list_length) + run->offset + 2));
        store_le32(entry + 4, run->plain_address);
        store_le32(entry + 8, length);
        store_le32(entry + 12, 0);
        otfdec_crypt(&region, run->plain_address, run->plain + SFI_EXTERNAL_PREFIX_LENGTH,
                     entry + RSS_EXTERNAL_HEADER, length);
        memset(entry + RSS_EXTERNAL_HEADER + length, 0, (16 - length % 16) % 16);
        wipe(&region, sizeof(region));
        run->externals++;
        run->external_length += RSS_EXTERNAL_HEADER + (length + 15) / 16 * 16;
        rss_mailbox_put(part, RSS_AT_EXTERNALS, run->externals);
        rss_mailbox_put(part, RSS_AT_EXTERNAL_LENGTH, run->external_length);
        return RSS_OK;
}
