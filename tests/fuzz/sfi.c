/*
 * Any bytes as an image: what the parser accepts must be wholly accounted for, written again the
 * same, split without losing an area, and safe to open and verify (which must then say no, or yes
 * for the corpus files that were sealed with the key below).
 */
#include "tests/support/fuzz.h"

#include "crypto/sfi.h"

#include <stdlib.h>

static const uint8_t key[GCM_KEY_LENGTH] = "sixteen key byte";
static const uint8_t nonce[SFI_NONCE_LENGTH] = "twelve nonce";

static void check(int claim)
{
        if (!claim)
                abort();
}

/* Header and areas, put together from the parsed fields, are the file. */
static void check_fields(const struct sfi *sfi)
{
        size_t offset = SFI_HEADER_LENGTH;

        check(sfi->protocol == 1 || sfi->protocol == 2);
        check(sfi->count >= 1 && sfi->count <= SFI_AREAS_MAX);
        for (unsigned i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];
                uint8_t header[SFI_AREA_HEADER_LENGTH];

                check(area->offset == offset && area->header == sfi->file.data + offset);
                check(area->payload == area->header + SFI_AREA_HEADER_LENGTH);
                check((uint64_t)area->address + area->length <= 1ull << 32);
                header[0] = (uint8_t)area->type;
                header[1] = sfi->areas[0].version;
                store_le16(header + 2, (uint16_t)(i + 1));
                store_le32(header + 4, area->length);
                store_le32(header + 8, area->address);
                store_le16(header + 12, sfi->count);
                memcpy(header + 14, area->tag, GCM_TAG_LENGTH);
                check(memcmp(header, area->header, sizeof(header)) == 0);
                offset += SFI_AREA_HEADER_LENGTH + area->length;
        }
        check(offset == sfi->file.length);
}

static void check_parts(const struct sfi *sfi)
{
        static struct sfi_part parts[SFI_AREAS_MAX];
        int count = sfi_parts(sfi, parts, SFI_AREAS_MAX);
        size_t length = SFI_HEADER_LENGTH;
        unsigned areas = 0;

        check(count != 0);
        for (int i = 0; i < count; i++) {
                check(parts[i].first == areas && parts[i].count > 0);
                areas += parts[i].count;
                length += parts[i].length;
        }
        if (count > 0)
                check(areas == sfi->count && length == sfi->file.length);
}

/* What opens must seal to the same bytes again; `plain` holds the ciphertext then. */
static void check_opened(const struct sfi *sfi, const struct bytes *plain)
{
        struct sfi_plain_area *areas = calloc(sfi->count, sizeof(*areas));
        struct sfi_recipe recipe = { sfi->protocol, sfi->areas[0].version, 0, areas, sfi->count };
        struct sfi_sealed again = { 0 };
        size_t at = 0;

        check(areas != NULL);
        for (unsigned i = 0; i < sfi->count; i++) {
                areas[i] = (struct sfi_plain_area){ sfi->areas[i].type, sfi->areas[i].address,
                                                    plain->data + at, sfi->areas[i].length };
                at += sfi->areas[i].length;
        }
        check(at == plain->length);
        check(sfi_seal(&recipe, key, nonce, NULL, &again) == 0);
        check(again.length == sfi->file.length);
        for (size_t i = 0, from = 0; i < again.count; from += again.pieces[i++].length)
                check(memcmp(again.pieces[i].data, sfi->file.data + from, again.pieces[i].length) ==
                      0);
        sfi_sealed_free(&again);
        free(areas);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static const uint8_t masks[2][16];
        struct bytes plain = { 0 };
        struct sfi *sfi;

        if (sfi_parse("fuzz", bytes_copy(data, length), &sfi) < 0)
                return 0;
        check(sfi->file.length == length && memcmp(sfi->file.data, data, length) == 0);
        check_fields(sfi);
        check_parts(sfi);
        check(sfi_verify_ghash(sfi, masks[0], masks, 2) < 0 || sfi->count == 1);
        if (sfi_open(sfi, key, nonce, SFI_IV_BIG_ENDIAN, &plain) == 0) {
                check_opened(sfi, &plain);
                bytes_free(&plain);
        }
        check(plain.data == NULL);
        sfi_free(sfi);
        return 0;
}
