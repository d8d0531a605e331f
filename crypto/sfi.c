/*
 * sfi.c - reading an image: take apart, split into parts, check and decrypt.
 *
 * The parser walks the file once and believes nothing: each field is compared with what must stand
 * there before the next is looked at, so a length is only ever used after it was found to lie
 * inside the file. Sentences carry the offset of the field, what was found and what was wanted.
 * Afterwards areas point into the file's bytes, which are never changed.
 *
 * The units under a tag are numbered as their IVs are: 0 is the image header, 1 and up are the
 * areas.
 */
#include "crypto/sfi.h"

#include "crypto/digest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Image header (spec/secure-install.md 2.1). */
#define MAGIC           "SFIMAGIC"
#define MAGIC_LENGTH    8
#define PROTOCOL_OFFSET 8
#define COUNT_OFFSET    10
#define PROTOCOL_FIRST  1u
#define PROTOCOL_LAST   2u

/* Area header (2.2). */
#define VERSION_OFFSET 1
#define INDEX_OFFSET   2
#define LENGTH_OFFSET  4
#define ADDRESS_OFFSET 8
#define TOTAL_OFFSET   12

const char *sfi_type_name(char type)
{
        switch (type) {
        case SFI_FIRMWARE:
                return "firmware";
        case SFI_MODULE:
                return "module";
        case SFI_CONFIGURATION:
                return "option bytes";
        case SFI_PAUSE:
                return "pause";
        case SFI_RESUME:
                return "resume";
        case SFI_EXTERNAL:
                return "external firmware";
        case SFI_KEYS:
                return "random keys";
        case SFI_OPTION_KEY_REFERENCE:
                return "OB key (ref.)";
        case SFI_SSFI_REFERENCE:
                return "ST image (ref.)";
        default: /* a letter from outside, not one of our own values */
                return "unknown";
        }
}

static const char *const policy_names[] = {
        [SFI_IV_BIG_ENDIAN] = "big-endian",
        [SFI_IV_LAST_WORD_LE] = "last-word-le",
        [SFI_IV_FIRST_WORD_LE] = "first-word-le",
        [SFI_IV_LAST_WORD_BE] = "last-word-be",
};

const char *sfi_iv_policy_name(enum sfi_iv_policy policy)
{
        return policy < SFI_IV_POLICIES ? policy_names[policy] : NULL;
}

bool sfi_iv_policy_find(const char *name, enum sfi_iv_policy *ret_policy)
{
        for (unsigned i = 0; i < SFI_IV_POLICIES; i++) {
                if (strcmp(name, policy_names[i]) == 0) {
                        *ret_policy = (enum sfi_iv_policy)i;
                        return true;
                }
        }
        return false;
}

void sfi_iv(const uint8_t nonce[static SFI_NONCE_LENGTH], uint32_t index, enum sfi_iv_policy policy,
            uint8_t ret_iv[static GCM_IV_LENGTH])
{
        uint64_t carry = index;

        INSIST(policy < SFI_IV_POLICIES);
        memcpy(ret_iv, nonce, GCM_IV_LENGTH);
        switch (policy) {
        case SFI_IV_BIG_ENDIAN:
                for (unsigned word = 3; word-- > 0; carry >>= 32) {
                        carry += load_be32(nonce + 4 * word);
                        store_be32(ret_iv + 4 * word, (uint32_t)carry);
                }
                return;
        case SFI_IV_LAST_WORD_LE:
                store_le32(ret_iv + 8, load_le32(nonce + 8) + index);
                return;
        case SFI_IV_FIRST_WORD_LE:
                store_le32(ret_iv, load_le32(nonce) + index);
                return;
        case SFI_IV_LAST_WORD_BE:
                store_be32(ret_iv + 8, load_be32(nonce + 8) + index);
                return;
        case SFI_IV_POLICIES:
                return;
        }
}

static int PRINTF_LIKE(3, 4) malformed(const char *name, size_t offset, const char *format, ...)
{
        char text[256];
        va_list values;

        va_start(values, format);
        vsnprintf(text, sizeof(text), format, values);
        va_end(values);
        return fault(FAULT_BAD_FILE, "%s: offset 0x%zX: %s", name, offset, text);
}

static int header_parse(const char *name, struct sfi *sfi)
{
        const uint8_t *data = sfi->file.data;
        char found[2 * MAGIC_LENGTH + 1];

        if (sfi->file.length < SFI_HEADER_LENGTH)
                return malformed(name, 0, "the file has %zu bytes, wanted a header of %u",
                                 sfi->file.length, SFI_HEADER_LENGTH);
        if (memcmp(data, MAGIC, MAGIC_LENGTH) != 0)
                return malformed(name, 0,
                                 "found the bytes %s, wanted \"" MAGIC "\"; is it an .sfi image?",
                                 hex_encode(data, MAGIC_LENGTH, found));
        sfi->protocol = load_le16(data + PROTOCOL_OFFSET);
        if (sfi->protocol < PROTOCOL_FIRST || sfi->protocol > PROTOCOL_LAST)
                return fault(FAULT_BAD_VALUE,
                             "%s: offset 0x%X: found protocol version %u, supported are %u and %u",
                             name, PROTOCOL_OFFSET, sfi->protocol, PROTOCOL_FIRST, PROTOCOL_LAST);
        sfi->count = load_le16(data + COUNT_OFFSET);
        if (sfi->count == 0)
                return malformed(name, COUNT_OFFSET, "found 0 areas, wanted at least 1");
        if (sfi->count > SFI_AREAS_MAX)
                return fault(FAULT_TOO_LARGE, "%s: offset 0x%X: found %u areas, allowed are %u",
                             name, COUNT_OFFSET, sfi->count, SFI_AREAS_MAX);
        memcpy(sfi->tag, data + SFI_HEADER_AAD_LENGTH, GCM_TAG_LENGTH);
        return 0;
}

/* The area header at `offset` into `area`; the caller has seen that it lies inside the file. */
static void area_load(const uint8_t *file, size_t offset, struct sfi_area *area)
{
        const uint8_t *header = file + offset;

        area->type = (char)header[0];
        area->version = header[VERSION_OFFSET];
        area->index = load_le16(header + INDEX_OFFSET);
        area->length = load_le32(header + LENGTH_OFFSET);
        area->address = load_le32(header + ADDRESS_OFFSET);
        area->total = load_le16(header + TOTAL_OFFSET);
        memcpy(area->tag, header + SFI_AREA_AAD_LENGTH, GCM_TAG_LENGTH);
        area->offset = offset;
        area->header = header;
        area->payload = header + SFI_AREA_HEADER_LENGTH;
}

static int area_check(const char *name, const struct sfi *sfi, unsigned position, size_t rest)
{
        const struct sfi_area *area = &sfi->areas[position];

        if (area->version != sfi->areas[0].version)
                return malformed(name, area->offset + VERSION_OFFSET,
                                 "area %u: found image version %u, wanted %u as in area 1",
                                 position + 1, area->version, sfi->areas[0].version);
        if (area->index != position + 1)
                return malformed(name, area->offset + INDEX_OFFSET,
                                 "area %u: found index %u, wanted %u", position + 1, area->index,
                                 position + 1);
        if (area->total != sfi->count)
                return malformed(name, area->offset + TOTAL_OFFSET,
                                 "area %u: found a total of %u areas, wanted %u as in the header",
                                 position + 1, area->total, sfi->count);
        if (area->length > rest)
                return malformed(name, area->offset + LENGTH_OFFSET,
                                 "area %u: found a payload of %u bytes, wanted at most %zu: the "
                                 "file is cut short or damaged",
                                 position + 1, area->length, rest);
        if (area->length && area->address > UINT32_MAX - (area->length - 1))
                return malformed(name, area->offset + ADDRESS_OFFSET,
                                 "area %u: %u bytes at 0x%08X go beyond 0xFFFFFFFF", position + 1,
                                 area->length, area->address);
        return 0;
}

static int areas_parse(const char *name, struct sfi *sfi)
{
        size_t offset = SFI_HEADER_LENGTH, length = sfi->file.length;

        sfi->areas = calloc(sfi->count, sizeof(*sfi->areas));
        INSIST(sfi->areas);
        for (unsigned i = 0; i < sfi->count; i++) {
                int r;

                if (length - offset < SFI_AREA_HEADER_LENGTH)
                        return malformed(name, offset,
                                         "found %zu bytes, wanted the %u of the header of area %u "
                                         "of %u",
                                         length - offset, SFI_AREA_HEADER_LENGTH, i + 1,
                                         sfi->count);
                area_load(sfi->file.data, offset, &sfi->areas[i]);
                offset += SFI_AREA_HEADER_LENGTH;
                r = area_check(name, sfi, i, length - offset);
                if (r < 0)
                        return r;
                offset += sfi->areas[i].length;
        }
        if (offset != length)
                return malformed(name, offset,
                                 "found %zu bytes after the last area, wanted the end of the file",
                                 length - offset);
        return 0;
}

static int image_parse(const char *name, struct sfi *sfi)
{
        int r;

        if (sfi->file.length > SFI_FILE_MAX)
                return fault(FAULT_TOO_LARGE, "%s: found %zu bytes, allowed are %u", name,
                             sfi->file.length, SFI_FILE_MAX);
        r = header_parse(name, sfi);
        if (r < 0)
                return r;
        r = areas_parse(name, sfi);
        if (r < 0)
                return r;
        digest_sha256(sfi->file.data, sfi->file.length, sfi->digest);
        return 0;
}

int sfi_parse(const char *name, struct bytes file, struct sfi **ret_sfi)
{
        struct sfi *sfi = calloc(1, sizeof(*sfi));
        int r;

        INSIST(sfi);
        sfi->file = file;
        r = image_parse(name, sfi);
        if (r < 0) {
                sfi_free(sfi);
                return r;
        }
        *ret_sfi = sfi;
        return 0;
}

struct sfi *sfi_free(struct sfi *sfi)
{
        if (!sfi)
                return NULL;
        free(sfi->areas);
        bytes_free(&sfi->file);
        free(sfi);
        return NULL;
}

/* A P must be followed by an R at the same address (AN5054 figure 4), an R preceded by a P. */
static int pause_check(const struct sfi *sfi, unsigned position)
{
        const struct sfi_area *area = &sfi->areas[position];
        const struct sfi_area *next = position + 1 < sfi->count ? area + 1 : NULL;
        bool follows_pause = position > 0 && area[-1].type == SFI_PAUSE;

        if (area->type == SFI_RESUME && !follows_pause)
                return fault(FAULT_BAD_FILE,
                             "offset 0x%zX: area %u is a resume, wanted a pause before it",
                             area->offset, area->index);
        if (area->type != SFI_PAUSE)
                return 0;
        if (!next || next->type != SFI_RESUME)
                return fault(FAULT_BAD_FILE,
                             "offset 0x%zX: area %u is a pause, wanted a resume after it",
                             area->offset, area->index);
        if (next->address != area->address)
                return fault(FAULT_BAD_FILE,
                             "offset 0x%zX: area %u pauses at 0x%08X, area %u resumes at 0x%08X, "
                             "wanted the same address",
                             area->offset, area->index, area->address, next->index, next->address);
        return 0;
}

int sfi_parts(const struct sfi *sfi, struct sfi_part *parts, size_t capacity)
{
        struct sfi_part part = { 0 };
        size_t count = 0;

        for (unsigned i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];
                int r = pause_check(sfi, i);

                if (r < 0)
                        return r;
                part.count++;
                part.length += SFI_AREA_HEADER_LENGTH + area->length;
                if (area->type != SFI_PAUSE && i + 1 < sfi->count)
                        continue;
                if (count == capacity)
                        return fault(FAULT_BAD_FILE,
                                     "offset 0x%zX: the image has more than %zu parts",
                                     area->offset, capacity);
                parts[count++] = part;
                part = (struct sfi_part){ .first = (uint16_t)(i + 1) };
        }
        return (int)count;
}

static size_t payload_length(const struct sfi *sfi)
{
        size_t sum = 0;

        for (unsigned i = 0; i < sfi->count; i++)
                sum += sfi->areas[i].length;
        return sum;
}

static size_t payload_longest(const struct sfi *sfi)
{
        size_t longest = 0;

        for (unsigned i = 0; i < sfi->count; i++)
                if (sfi->areas[i].length > longest)
                        longest = sfi->areas[i].length;
        return longest;
}

static int area_prefix(int r, const struct sfi_area *area)
{
        return fault_prefix(r, "area %u (%s, offset 0x%zX)", area->index, sfi_type_name(area->type),
                            area->offset);
}

/* All units in order; payloads go to `plain` back to back, or each to its start when only the tags
 * are wanted. */
static int units_open(const struct sfi *sfi, struct gcm_key *key,
                      const uint8_t nonce[static SFI_NONCE_LENGTH], enum sfi_iv_policy policy,
                      uint8_t *plain, bool is_kept)
{
        uint8_t iv[GCM_IV_LENGTH];
        int r = gcm_open(key, nonce, sfi->file.data, SFI_HEADER_AAD_LENGTH, NULL, NULL, 0,
                         sfi->tag);

        if (r < 0)
                return fault_prefix(r, "image header");
        for (unsigned i = 0; i < sfi->count && r == 0; i++) {
                const struct sfi_area *area = &sfi->areas[i];

                sfi_iv(nonce, area->index, policy, iv);
                r = gcm_open(key, iv, area->header, SFI_AREA_AAD_LENGTH, area->payload, plain,
                             area->length, area->tag);
                if (r < 0)
                        area_prefix(r, area);
                if (is_kept)
                        plain += area->length;
        }
        wipe(iv, sizeof(iv));
        return r;
}

int sfi_open(const struct sfi *sfi, const uint8_t key[static GCM_KEY_LENGTH],
             const uint8_t nonce[static SFI_NONCE_LENGTH], enum sfi_iv_policy policy,
             struct bytes *ret_plain)
{
        bool is_kept = ret_plain != NULL;
        CLEANUP(bytes_wipe_free)
        struct bytes plain = bytes_new(is_kept ? payload_length(sfi) : payload_longest(sfi));
        struct gcm_key *cipher = gcm_key_create(key);
        int r = units_open(sfi, cipher, nonce, policy, plain.data, is_kept);

        gcm_key_destroy(cipher);
        if (r == 0 && is_kept) {
                *ret_plain = plain;
                plain = (struct bytes){ 0 };
        }
        return r;
}

/* tag == GHASH_H(AAD, ciphertext) XOR mask (spec/secure-install.md 3.2). */
static bool tag_is_proven(const uint8_t hash_key[static 16], const uint8_t mask[static 16],
                          const void *aad, size_t aad_length, const void *ciphertext, size_t length,
                          const uint8_t tag[static GCM_TAG_LENGTH])
{
        uint8_t hash[GCM_TAG_LENGTH];

        gcm_ghash(hash_key, aad, aad_length, ciphertext, length, hash);
        for (unsigned i = 0; i < GCM_TAG_LENGTH; i++)
                hash[i] ^= mask[i];
        return equal_secret(hash, tag, GCM_TAG_LENGTH);
}

int sfi_verify_ghash(const struct sfi *sfi, const uint8_t hash_key[static 16],
                     const uint8_t (*masks)[16], size_t count)
{
        size_t units = 1 + (size_t)sfi->count;

        if (count > 0 && !tag_is_proven(hash_key, masks[0], sfi->file.data, SFI_HEADER_AAD_LENGTH,
                                        NULL, 0, sfi->tag))
                return fault(FAULT_BAD_TAG,
                             "image header: the tag is not GHASH of 12 bytes XOR mask 0");
        for (size_t unit = 1; unit < units && unit < count; unit++) {
                const struct sfi_area *area = &sfi->areas[unit - 1];

                if (!tag_is_proven(hash_key, masks[unit], area->header, SFI_AREA_AAD_LENGTH,
                                   area->payload, area->length, area->tag))
                        return area_prefix(fault(FAULT_BAD_TAG,
                                                 "the tag is not GHASH of 14 bytes and %u bytes "
                                                 "of payload XOR mask %zu",
                                                 area->length, unit),
                                           area);
        }
        if (count < units)
                return fault(FAULT_BAD_VALUE,
                             "%zu masks for %zu units: %s %zu to %zu were not checked", count,
                             units, count ? "areas" : "header and areas", count ? count : 1,
                             units - 1);
        return 0;
}
