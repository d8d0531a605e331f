#include "tests/support/external_image.h"

#include "crypto/digest.h"
#include "crypto/otfdec.h"
#include "drivers/family_fields.h"
#include "scheduler/chance.h"
#include "tests/support/loader_file.h"
#include "tests/support/sealed.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

/* Regions, modes and key addresses: AN5054 12.3.2 and 13.3.2 (secure-install.md 6.1) for L5, U585 and
 * H573, the others alike. */
#define IMAGE(name, family_, rss_, external_, region_, mode_, key_, ram_, has_key_area_)           \
        const struct external_image name = { .family = family_,                                    \
                                             .rss = rss_,                                          \
                                             .external = external_,                                \
                                             .region = region_,                                    \
                                             .mode = mode_,                                        \
                                             .key_address = key_,                                  \
                                             .ram = ram_,                                          \
                                             .has_key_area = has_key_area_ }
IMAGE(external_h7a3, "stm32h7a3", "reference-h7", 0x90000000, 0, 2, 0x081FC000, 0, false);
IMAGE(external_h7a3_second, "stm32h7a3", "reference-h7", 0x70000000, 5, 1, 0x081FC000, 0, false);
IMAGE(external_h73x, "stm32h73x", "reference-h7", 0x90000000, 1, 2, 0x080E0000, 0, false);
IMAGE(external_l5, "stm32l5", "reference-l5", 0x90000000, 0, 2, 0x0C020000, 0x20000000, true);
IMAGE(external_u545, "stm32u535", "reference-u535", 0x90000000, 0, 2, 0x0800A000, 0x20000000,
      false);
IMAGE(external_u585, "stm32u575", "reference-u5", 0x70000000, 4, 1, 0x0800A000, 0x20000000, false);
IMAGE(external_u5ax, "stm32u59x", "reference-u5", 0x90000000, 3, 1, 0x0800A000, 0x20000000, true);
IMAGE(external_u5gx, "stm32u5fx", "reference-u5", 0x70000000, 7, 2, 0x0800A000, 0x20000000, false);
IMAGE(external_h533, "stm32h52x", "reference-h5", 0x90000000, 3, 1, 0x0807FFF0, 0x20000000, false);
IMAGE(external_h573, "stm32h56x", "reference-h5", 0x90000000, 0, 2, 0x081FFFF0, 0x20000000, true);

static uint8_t plain[EXTERNAL_LENGTH];

static void put_prefix(const struct external_image *image, uint8_t *at)
{
        store_le32(at, image->region);
        store_le32(at + 4, image->mode);
        store_le32(at + 8, image->key_address);
}

static void put_options(const struct external_image *image, const struct family *family,
                        uint8_t *words)
{
        uint32_t options[OPTION_ROWS_MAX];

        for (size_t i = 0; i < family->option_count; i++)
                options[i] = family->options[i].factory;
        if (family->procedure == PROCEDURE_RSS_ROM)
                family_secure(family, options);
        if (image->closes)
                family_field_set(family_field(family, ROLE_STATE), options, 0x72); /* closed */
        for (size_t i = 0; i < family->option_count; i++)
                store_le32(words + 4 * i, options[i]);
}

static struct bytes seal(const struct external_image *image, const struct line *line)
{
        static uint8_t code[4096], key[16], token[32], couples[8], words[OPTION_ROWS_MAX * 4];
        static uint8_t first[12 + EXTERNAL_FIRST_LENGTH], second[12 + EXTERNAL_SECOND_LENGTH];
        struct chance chance = chance_fork(3, "external firmware", 0);
        uint32_t token_address = line->family.bank_address[0] + 0x40000;
        struct sfi_plain_area areas[12];
        struct sfi_recipe recipe = { .protocol = 2, .version = 1, .areas = areas };
        size_t n = 0;

        chance_bytes(&chance, plain, sizeof(plain));
        chance_bytes(&chance, code, sizeof(code));
        chance_bytes(&chance, key, sizeof(key));
        put_prefix(image, first);
        put_prefix(image, second);
        memcpy(first + 12, plain, EXTERNAL_FIRST_LENGTH);
        memcpy(second + 12, plain + EXTERNAL_FIRST_LENGTH, EXTERNAL_SECOND_LENGTH);
        put_options(image, &line->family, words);
        store_le32(couples, sizeof(key));
        store_le32(couples + 4, image->key_address);
        areas[n++] = (struct sfi_plain_area){ SFI_FIRMWARE, 0x08000000, code, sizeof(code) };
        if (image->has_key_area)
                areas[n++] = (struct sfi_plain_area){ SFI_KEYS, image->key_address, couples,
                                                      sizeof(couples) };
        else if (!image->has_no_key)
                areas[n++] = (struct sfi_plain_area){ SFI_FIRMWARE, image->key_address, key,
                                                      sizeof(key) };
        areas[n++] = (struct sfi_plain_area){ SFI_PAUSE, token_address, token, sizeof(token) };
        areas[n++] = (struct sfi_plain_area){ SFI_RESUME, token_address, token, sizeof(token) };
        areas[n++] = (struct sfi_plain_area){ SFI_EXTERNAL, image->external, first, sizeof(first) };
        areas[n++] = (struct sfi_plain_area){ SFI_PAUSE, token_address, token, sizeof(token) };
        areas[n++] = (struct sfi_plain_area){ SFI_RESUME, token_address, token, sizeof(token) };
        areas[n++] = (struct sfi_plain_area){ SFI_EXTERNAL, image->external + EXTERNAL_FIRST_LENGTH,
                                              second, sizeof(second) };
        if (image->has_options_part) {
                areas[n++] =
                        (struct sfi_plain_area){ SFI_PAUSE, token_address, token, sizeof(token) };
                areas[n++] =
                        (struct sfi_plain_area){ SFI_RESUME, token_address, token, sizeof(token) };
        }
        areas[n++] = (struct sfi_plain_area){ SFI_CONFIGURATION, 0, words,
                                              line->family.option_count * 4 };
        recipe.count = n;
        return sealed_file(&recipe, line->key, line->nonce, NULL);
}

static void write_file(const struct line *line, const char *name, const void *data, size_t length)
{
        FILE *file = fopen(line_path(line, name), "wb");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        fclose(file);
}

struct making {
        const struct external_image *image;
        const struct line *line;
};

static int write_files(void *subject)
{
        const struct making *making = subject;
        const struct external_image *image = making->image;
        struct loader_file settings = { .ram = image->ram,
                                        .address = image->loader_address ? image->loader_address
                                                                         : image->external };
        struct bytes file = seal(image, making->line), loader = loader_file_make(&settings);
        uint8_t digest[DIGEST_LENGTH];
        char text[65];

        digest_sha256(file.data, file.length, digest);
        hex_encode(digest, sizeof(digest), text);
        write_file(making->line, "image.sfi", file.data, file.length);
        write_file(making->line, "image.sha256", text, 64);
        write_file(making->line, "x.stldr", loader.data, loader.length);
        bytes_free(&file);
        bytes_free(&loader);
        return 0;
}

void external_image_make(const struct external_image *image, struct line *line)
{
        struct making making = { image, line };

        line_family(line, image->family, image->rss);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, write_files, &making), 0);
}

void external_image_order(struct line *line, unsigned quantity, const char *more)
{
        char text[512];

        snprintf(text, sizeof(text), "external_loader: %s/x.stldr\n%s", line->directory, more);
        line_order(line, "X1", quantity, text);
}

const uint8_t *external_image_plain(void)
{
        return plain;
}

bool external_image_is_in(const struct external_image *image, const struct family *family,
                          const struct simulated_part *part)
{
        const uint8_t *key = part_flash(part, family_plain_address(family, image->key_address));
        struct otfdec_region region = { .index = (uint8_t)(image->region % 4) };
        static uint8_t found[EXTERNAL_LENGTH], opened[EXTERNAL_LENGTH];

        for (unsigned i = 0; i < 4; i++)
                region.key[i] = load_le32(key + 4 * i);
        for (uint32_t i = 0; i < EXTERNAL_LENGTH; i++)
                found[i] = part_external_byte(part, image->external + i);
        otfdec_crypt(&region, image->external, found, opened, EXTERNAL_LENGTH);
        return memcmp(found, plain, EXTERNAL_LENGTH) != 0 &&
               memcmp(opened, plain, EXTERNAL_LENGTH) == 0 &&
               part_external_byte(part, image->external + EXTERNAL_LENGTH) == 0xFF;
}
