/*
 * image_checks.c - every file claims the bytes it will fill; claims are checked one by one against
 * the part, then sorted and compared with their neighbours.
 *
 * Flash of TrustZone parts has two names for each byte (0x08... and 0x0C...). Claims are compared
 * without the secure alias, so that the two names of one byte collide. Two claims through different
 * aliases must not share a flash word either: each would pad it.
 */
#include "station/commands/image_checks.h"

#include "crypto/sfi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGION_PAGE 4096u /* granularity of OTFDEC regions: targets.md 8.2, RM0456 */
#define REGIONS     8u

struct claim {
        uint64_t begin, end; /* without the alias */
        uint32_t address;    /* as the file says */
        const char *file;
        const char *unit; /* "line", "segment", or NULL */
        unsigned line;
        bool is_token;
};

struct claims {
        struct claim *claims;
        size_t count;
};

static void claims_free(struct claims *claims)
{
        free(claims->claims);
}

static void describe(const struct claim *claim, char text[static 200])
{
        char place[40] = "";

        if (claim->unit)
                snprintf(place, sizeof(place), " %s %u", claim->unit, claim->line);
        snprintf(text, 200, "%.120s%s (0x%08X..0x%08X)", claim->file, place, claim->address,
                 claim->address + (uint32_t)(claim->end - claim->begin) - 1);
}

/* --- gathering ----------------------------------------------------------------------------- */

static void claim(struct claims *claims, const struct family *family, struct claim with,
                  uint64_t length)
{
        with.begin = family_plain_address(family, with.address);
        with.end = with.begin + length;
        claims->claims[claims->count++] = with;
}

static void claim_firmware(struct claims *claims, const struct family *family,
                           const struct firmware *firmware)
{
        for (size_t i = 0; i < firmware->count; i++) {
                const struct firmware_segment *segment = &firmware->segments[i];

                claim(claims, family,
                      (struct claim){ .address = segment->address,
                                      .file = firmware->names[segment->file],
                                      .unit = segment->unit,
                                      .line = segment->line },
                      segment->data.length);
        }
}

static size_t claims_needed(const struct image_inputs *inputs)
{
        size_t count = inputs->firmware.count + inputs->key_areas.count + inputs->blob_count + 1;

        for (size_t i = 0; i < inputs->external_count; i++)
                count += inputs->externals[i].firmware.count;
        return count;
}

static struct claims gather(const struct family *family, const struct image_inputs *inputs,
                            const struct image_token *token)
{
        struct claims claims = { .claims = calloc(claims_needed(inputs), sizeof(struct claim)) };

        INSIST(claims.claims);
        claim_firmware(&claims, family, &inputs->firmware);
        for (size_t i = 0; i < inputs->external_count; i++)
                claim_firmware(&claims, family, &inputs->externals[i].firmware);
        for (size_t i = 0; i < inputs->key_areas.count; i++) {
                const struct key_area *area = &inputs->key_areas.areas[i];

                claim(&claims, family,
                      (struct claim){ .address = area->address,
                                      .file = inputs->key_file ? inputs->key_file : "key area",
                                      .unit = "line",
                                      .line = area->line },
                      area->length);
        }
        for (size_t i = 0; i < inputs->blob_count; i++)
                if (inputs->blobs[i].span)
                        claim(&claims, family,
                              (struct claim){ .address = inputs->blobs[i].address,
                                              .file = inputs->blobs[i].path },
                              inputs->blobs[i].span);
        if (token->is_given)
                claim(&claims, family,
                      (struct claim){ .address = token->address,
                                      .file = "the continuation token",
                                      .is_token = true },
                      family->word_length);
        return claims;
}

/* --- one with another ---------------------------------------------------------------------- */

static int by_begin(const void *a, const void *b)
{
        const struct claim *first = a, *second = b;

        return (first->begin > second->begin) - (first->begin < second->begin);
}

static int overlap(const struct claim *first, const struct claim *second, const char *how)
{
        char one[200], other[200];

        describe(first, one);
        describe(second, other);
        if (first->is_token || second->is_token)
                return fault(FAULT_BAD_VALUE,
                             "the continuation token address 0x%08X lies in %s: give it a sector "
                             "of its own (-ct)",
                             first->is_token ? first->address : second->address,
                             first->is_token ? other : one);
        return fault(FAULT_BAD_VALUE, "overlap between segments: %s and %s%s", one, other, how);
}

static bool has_other_alias(const struct claim *one, const struct claim *other)
{
        return one->address - (uint32_t)one->begin != other->address - (uint32_t)other->begin;
}

static int check_overlaps(const struct family *family, struct claims *claims)
{
        uint64_t unit = family->word_length ? family->word_length : 1;

        qsort(claims->claims, claims->count, sizeof(*claims->claims), by_begin);
        for (size_t i = 1; i < claims->count; i++) {
                const struct claim *one = &claims->claims[i - 1], *next = &claims->claims[i];

                /* no earlier claim reaches further than `one`, else it would have been told */
                if (next->begin < one->end)
                        return overlap(one, next, "");
                if (has_other_alias(one, next) && (one->end - 1) / unit == next->begin / unit)
                        return overlap(one, next,
                                       " share a flash word through the secure and the plain "
                                       "address");
        }
        return 0;
}

/* --- each with the part -------------------------------------------------------------------- */

static int not_flash(const struct family *family, const char *file, uint32_t address,
                     uint64_t length)
{
        return fault(FAULT_BAD_VALUE,
                     "%s: area 0x%08X..0x%08X not in flash, wanted %u bank%s of 0x%X bytes from "
                     "0x%08X%s (%s): set the linker's addresses, or name the family by -devid",
                     file, address, (uint32_t)(address + length - 1), family->banks,
                     family->banks == 1 ? "" : "s", family->bank_length, family->bank_address[0],
                     family->secure_alias ? ", plain or secure" : "", family->name);
}

static int check_internal(const struct family *family, const struct image_inputs *inputs)
{
        const struct firmware *firmware = &inputs->firmware;

        for (size_t i = 0; i < firmware->count; i++) {
                const struct firmware_segment *segment = &firmware->segments[i];

                if (!family_is_flash(family, segment->address, segment->data.length))
                        return not_flash(family, firmware->names[segment->file], segment->address,
                                         segment->data.length);
        }
        for (size_t i = 0; i < inputs->key_areas.count; i++) {
                const struct key_area *area = &inputs->key_areas.areas[i];

                if (!family_is_flash(family, area->address, area->length))
                        return not_flash(family, inputs->key_file, area->address, area->length);
        }
        for (size_t i = 0; i < inputs->blob_count; i++) {
                const struct image_blob *blob = &inputs->blobs[i];

                if (blob->span && !family_is_flash(family, blob->address, blob->span))
                        return not_flash(family, blob->path, blob->address, blob->span);
        }
        return 0;
}

/* The RSS keeps its state at the token's address between parts, so it is a word of flash. */
static int check_token(const struct family *family, const struct image_token *token)
{
        uint32_t word = family->word_length ? family->word_length : 1;

        if (!token->is_given ||
            (family_is_flash(family, token->address, word) && token->address % word == 0))
                return 0;
        return fault(FAULT_BAD_VALUE,
                     "the continuation token address is 0x%08X, wanted a multiple of %u in the "
                     "flash of %s",
                     token->address, word, family->name);
}

/* --- external firmware --------------------------------------------------------------------- */

static int check_region(const struct family *family, const struct image_external *external,
                        const struct firmware_segment *segment)
{
        const struct family_external *memory =
                family_external_at(family, segment->address, segment->data.length);
        uint32_t last = (uint32_t)(segment->address + segment->data.length - 1);

        if (!memory)
                return fault(FAULT_BAD_VALUE,
                             "%s: area 0x%08X..0x%08X is not in external flash of %s%s",
                             external->path, segment->address, last, family->name,
                             family->external_count ? "" : ", which has none for secure installs");
        if (!memory->regions)
                return fault(FAULT_BAD_VALUE,
                             "%s: nothing deciphers 0x%08X on %s (no OTFDEC), so SFIx is not "
                             "possible there",
                             external->path, segment->address, family->name);
        if (external->region < memory->first_region ||
            external->region - memory->first_region >= memory->regions)
                return fault(FAULT_BAD_VALUE,
                             "%s: the region is %u, the OTFDEC of 0x%08X on %s has regions %u to "
                             "%u",
                             external->path, external->region, segment->address, family->name,
                             memory->first_region, memory->first_region + memory->regions - 1);
        return 0;
}

struct region {
        const struct image_external *owner; /* the first file that uses it */
        uint64_t begin, end;                /* whole pages */
};

static int join_region(struct region *region, const struct image_external *external,
                       uint64_t address, uint64_t length)
{
        uint64_t begin = address / REGION_PAGE * REGION_PAGE;
        uint64_t end = (address + length + REGION_PAGE - 1) / REGION_PAGE * REGION_PAGE;

        if (!region->owner) {
                *region = (struct region){ .owner = external, .begin = begin, .end = end };
                return 0;
        }
        if (region->owner->mode != external->mode ||
            region->owner->key_address != external->key_address)
                return fault(FAULT_BAD_VALUE,
                             "%s and %s share region %u, but mode %u and %u, key address 0x%08X "
                             "and 0x%08X differ: a region has one key and one mode",
                             region->owner->path, external->path, external->region,
                             region->owner->mode, external->mode, region->owner->key_address,
                             external->key_address);
        if (begin < region->begin)
                region->begin = begin;
        if (end > region->end)
                region->end = end;
        return 0;
}

static int check_regions_apart(const struct region *regions)
{
        for (unsigned i = 0; i < REGIONS; i++)
                for (unsigned j = 0; j < i; j++) {
                        const struct region *one = &regions[j], *other = &regions[i];

                        if (!one->owner || !other->owner || one->begin >= other->end ||
                            other->begin >= one->end)
                                continue;
                        return fault(FAULT_BAD_VALUE,
                                     "OTFDEC regions %u (%s, 0x%08llX..0x%08llX) and %u (%s, "
                                     "0x%08llX..0x%08llX) overlap; regions are whole pages of %u",
                                     j, one->owner->path, (unsigned long long)one->begin,
                                     (unsigned long long)one->end - 1, i, other->owner->path,
                                     (unsigned long long)other->begin,
                                     (unsigned long long)other->end - 1, REGION_PAGE);
                }
        return 0;
}

/* The key comes with the image, or is there already: only the first can be seen here. */
static void warn_about_key(const struct family *family, const struct claims *claims,
                           const struct image_external *external)
{
        uint64_t key = family_plain_address(family, external->key_address);

        for (size_t i = 0; i < claims->count; i++)
                if (key >= claims->claims[i].begin && key + 16 <= claims->claims[i].end &&
                    !claims->claims[i].is_token)
                        return;
        fprintf(stderr,
                "warning: nothing in the image puts an OTFDEC key of 16 bytes at 0x%08X, where %s "
                "wants it: give a -fir FILE there, or a key area (--kcsv)\n",
                external->key_address, external->path);
}

static int check_externals(const struct family *family, const struct image_inputs *inputs,
                           const struct claims *claims)
{
        struct region regions[REGIONS] = { 0 };
        int r;

        for (size_t i = 0; i < inputs->external_count; i++) {
                const struct image_external *external = &inputs->externals[i];

                for (size_t j = 0; j < external->firmware.count; j++) {
                        const struct firmware_segment *segment = &external->firmware.segments[j];

                        r = check_region(family, external, segment);
                        if (r >= 0)
                                r = join_region(&regions[external->region], external,
                                                segment->address, segment->data.length);
                        if (r < 0)
                                return r;
                }
                if (!family_is_flash(family, external->key_address, 16))
                        return fault(FAULT_BAD_VALUE,
                                     "%s: the key address 0x%08X is not in the internal flash of "
                                     "%s",
                                     external->path, external->key_address, family->name);
                warn_about_key(family, claims, external);
        }
        return check_regions_apart(regions);
}

int image_check(const struct family *family, const struct image_inputs *inputs,
                const struct image_token *token)
{
        struct claims claims CLEANUP(claims_free) = gather(family, inputs, token);
        int r = check_internal(family, inputs);

        if (r >= 0)
                r = check_token(family, token);
        if (r >= 0)
                r = check_externals(family, inputs, &claims);
        if (r >= 0)
                r = check_overlaps(family, &claims);
        return r;
}

int image_check_padded(const struct family *family, const struct image_inputs *inputs,
                       const struct image_token *token)
{
        struct claims claims CLEANUP(claims_free) = gather(family, inputs, token);

        return check_overlaps(family, &claims);
}
