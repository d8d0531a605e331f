/* ST's real image, data.sfi: every field read, every tag proven without the key, and what must
 * break the proof. All of the file is either under a tag or a tag. */
#include "tests/support/test.h"

#include "crypto/sfi.h"
#include "scheduler/chance.h"

#include <stdio.h>

/* spec/secure-install.md 2.3 and the file's own bytes (2.2). */
static const struct {
        char type;
        uint32_t length, address;
} real_areas[] = {
        { 'F', 0x34C, 0x08000000 },
        { 'F', 0x269C, 0x08030000 },
        { 'C', 0x24, 0 },
};
#define REAL_LENGTH 10882u

/* By sha256sum. spec/secure-install.md 3.2 prints the last digits as 8dcf915c, which this file does
 * not have; that it is the right one the tags below prove, which cover all of it. */
static const char real_digest[] =
        "CE6BFD4878381C09162E0538E9CBC64F189BC58038941224F05C675ADCDF915C";

/* spec/secure-install.md 3.1 and 3.2: H, and S for the header and indices 1 to 3. */
static const char real_hash_key[] = "27515fc593f41af36d2f66733e8fe4f0";
static const char *const real_masks[] = {
        "89b505a59d71550ab0db3a105bf7a61c",
        "72fcfb23e09d1de3c99d214d11df608b",
        "ebfdbbf007bb7c7c908accfa4f791e5f",
        "3d671a8983e1d9c58c01c80a410b4313",
};
#define REAL_UNITS LENGTH_OF(real_masks)

/* Read with stdio: these tests need no ring. */
static struct bytes real_file(void)
{
        FILE *file = fopen(test_data("data.sfi"), "rb");
        struct bytes bytes = bytes_new(REAL_LENGTH);

        assert_non_null(file);
        assert_int_equal(fread(bytes.data, 1, REAL_LENGTH, file), REAL_LENGTH);
        assert_int_equal(fgetc(file), EOF);
        fclose(file);
        return bytes;
}

static struct sfi *parse(struct bytes file)
{
        struct sfi *sfi = NULL;
        int r = sfi_parse("test.sfi", file, &sfi);

        if (r < 0)
                print_message("# %s\n", fault_sentence(r));
        assert_int_equal(r, 0);
        return sfi;
}

static void load_vectors(uint8_t hash_key[16], uint8_t masks[REAL_UNITS][16])
{
        assert_true(hex_decode(real_hash_key, hash_key, 16));
        for (unsigned i = 0; i < REAL_UNITS; i++)
                assert_true(hex_decode(real_masks[i], masks[i], 16));
}

static int verify(const struct sfi *sfi, const uint8_t hash_key[16], uint8_t masks[][16],
                  size_t count)
{
        return sfi_verify_ghash(sfi, hash_key, (const uint8_t(*)[16])masks, count);
}

static void every_field_of_the_real_image_is_read(void **state)
{
        struct sfi *sfi = parse(real_file());
        size_t offset = SFI_HEADER_LENGTH;
        char text[65];

        (void)state;
        assert_int_equal(sfi->protocol, 1);
        assert_int_equal(sfi->count, LENGTH_OF(real_areas));
        assert_memory_equal(sfi->tag, sfi->file.data + 12, 16);
        hex_encode(sfi->digest, 32, text);
        assert_string_equal(text, real_digest);
        for (unsigned i = 0; i < LENGTH_OF(real_areas); i++) {
                const struct sfi_area *area = &sfi->areas[i];

                assert_int_equal(area->type, real_areas[i].type);
                assert_int_equal(area->version, 23);
                assert_int_equal(area->index, i + 1);
                assert_int_equal(area->total, 3);
                assert_int_equal(area->length, real_areas[i].length);
                assert_int_equal(area->address, real_areas[i].address);
                assert_int_equal(area->offset, offset);
                assert_ptr_equal(area->header, sfi->file.data + offset);
                assert_ptr_equal(area->payload, area->header + 30);
                assert_memory_equal(area->tag, area->header + 14, 16);
                offset += 30 + area->length;
        }
        assert_int_equal(offset, sfi->file.length);
        sfi_free(sfi);
}

static void the_real_tags_are_proven_without_the_key(void **state)
{
        uint8_t hash_key[16], masks[REAL_UNITS][16];
        struct sfi *sfi = parse(real_file());

        (void)state;
        load_vectors(hash_key, masks);
        assert_int_equal(verify(sfi, hash_key, masks, REAL_UNITS), 0);
        sfi_free(sfi);
}

/* Every bit of what the tags cover, of the tags, of H and of the masks matters. */
static void one_flipped_bit_breaks_the_proof(void **state)
{
        uint8_t hash_key[16], masks[REAL_UNITS][16];
        struct sfi *sfi = parse(real_file());
        struct chance chance = chance_fork(4, "flip", 0);

        (void)state;
        load_vectors(hash_key, masks);
        for (unsigned unit = 0; unit < REAL_UNITS; unit++) {
                struct sfi_area *area = unit ? &sfi->areas[unit - 1] : NULL;
                uint8_t *tag = area ? area->tag : sfi->tag;
                uint8_t *aad = sfi->file.data + (area ? area->offset : 0);
                size_t aad_bits = 8 * (area ? 14 : 12);
                const char *name = area ? "area " : "image header";

                for (size_t bit = 0; bit < 128; bit++) {
                        uint8_t flip = (uint8_t)(1 << bit % 8);

                        tag[bit / 8] ^= flip;
                        assert_fault(verify(sfi, hash_key, masks, 4), BAD_TAG, name);
                        tag[bit / 8] ^= flip;
                        masks[unit][bit / 8] ^= flip;
                        assert_fault(verify(sfi, hash_key, masks, 4), BAD_TAG, name);
                        masks[unit][bit / 8] ^= flip;
                }
                for (size_t bit = 0; bit < aad_bits; bit++) {
                        aad[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        assert_fault(verify(sfi, hash_key, masks, 4), BAD_TAG, name);
                        aad[bit / 8] ^= (uint8_t)(1 << bit % 8);
                }
                for (unsigned round = 0; area && round < 20; round++) {
                        size_t bit = (size_t)chance_below(&chance, 8 * (uint64_t)area->length);
                        uint8_t *byte = aad + SFI_AREA_HEADER_LENGTH + bit / 8;

                        *byte ^= (uint8_t)(1 << bit % 8);
                        assert_fault(verify(sfi, hash_key, masks, 4), BAD_TAG, name);
                        *byte ^= (uint8_t)(1 << bit % 8);
                }
        }
        for (size_t bit = 0; bit < 128; bit++) {
                hash_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_fault(verify(sfi, hash_key, masks, 4), BAD_TAG, "image header");
                hash_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(verify(sfi, hash_key, masks, 4), 0);
        sfi_free(sfi);
}

/* The AAD is the 14 bytes before the tag: with one fewer or one more no area's tag comes out. */
static void another_aad_length_proves_nothing(void **state)
{
        uint8_t hash_key[16], masks[REAL_UNITS][16], hash[16];
        struct sfi *sfi = parse(real_file());

        (void)state;
        load_vectors(hash_key, masks);
        for (unsigned i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];

                for (size_t length = 13; length <= 15; length++) {
                        gcm_ghash(hash_key, area->header, length, area->payload, area->length,
                                  hash);
                        for (unsigned b = 0; b < 16; b++)
                                hash[b] ^= masks[i + 1][b];
                        if (length == SFI_AREA_AAD_LENGTH)
                                assert_memory_equal(hash, area->tag, 16);
                        else
                                assert_memory_not_equal(hash, area->tag, 16);
                }
        }
        sfi_free(sfi);
}

static void units_without_a_mask_are_named(void **state)
{
        uint8_t hash_key[16], masks[REAL_UNITS][16];
        struct sfi *sfi = parse(real_file());

        (void)state;
        load_vectors(hash_key, masks);
        assert_fault(verify(sfi, hash_key, masks, 3), BAD_VALUE, "areas 3 to 3");
        assert_fault(verify(sfi, hash_key, masks, 1), BAD_VALUE, "areas 1 to 3");
        assert_fault(verify(sfi, hash_key, masks, 0), BAD_VALUE, "header and areas 1 to 3");
        sfi->areas[1].tag[0] ^= 1; /* a bad one among those with a mask comes first */
        assert_fault(verify(sfi, hash_key, masks, 3), BAD_TAG, "area 2");
        sfi_free(sfi);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_field_of_the_real_image_is_read),
                cmocka_unit_test(the_real_tags_are_proven_without_the_key),
                cmocka_unit_test(one_flipped_bit_breaks_the_proof),
                cmocka_unit_test(another_aad_length_proves_nothing),
                cmocka_unit_test(units_without_a_mask_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
