#include "tests/support/simulated.h"

#include "tests/support/h75x.h"
#include "tests/support/sealed.h"

#include <stdio.h>
#include <stdlib.h>

const uint8_t simulated_key[GCM_KEY_LENGTH] = { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                                0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F };
const uint8_t simulated_nonce[SFI_NONCE_LENGTH] = { 0xA0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

static struct family family;
static struct rss_profile rss;
static struct card_profile card;

static int load_all(void *subject)
{
        int r = family_load("configs/targets/stm32h75x.conf", &family);

        (void)subject;
        if (!r)
                r = rss_profile_load("configs/rss/reference-h7.conf", &rss);
        if (!r)
                r = card_profile_load("configs/cards/reference.conf", &card);
        if (r < 0)
                printf("# %s\n", fault_sentence(r));
        return r;
}

/* A loop may be running already when a test asks: then its fiber does the loading. */
static void load_once(void)
{
        static bool is_loaded;

        if (is_loaded)
                return;
        if (test_on_fiber(LOOP_TIME_REAL, 1, load_all, NULL) < 0)
                exit(1);
        is_loaded = true;
}

const struct family *simulated_family(void)
{
        load_once();
        return &family;
}

const struct rss_profile *simulated_rss(void)
{
        load_once();
        return &rss;
}

const struct card_profile *simulated_card_conf(void)
{
        load_once();
        return &card;
}

void simulated_options(uint32_t ret_values[static OPTION_ROWS_MAX])
{
        load_once();
        for (size_t i = 0; i < family.option_count; i++)
                ret_values[i] = family.options[i].factory;
        ret_values[0] |= H75X_SECURITY | H75X_ST_RAM_SIZE_3;
}

struct bytes simulated_image(const struct sfi_plain_area *areas, size_t count)
{
        const struct sfi_recipe recipe = {
                .protocol = 1,
                .version = 23,
                .policy = simulated_rss()->iv_policy,
                .areas = areas,
                .count = count,
        };

        return sealed_file(&recipe, simulated_key, simulated_nonce, NULL);
}

void simulated_pattern(uint8_t *data, size_t length)
{
        for (size_t i = 0; i < length; i++)
                data[i] = (uint8_t)(i * 7 + i / 251);
}

struct bytes simulated_small_image(uint32_t address, size_t length)
{
        struct bytes firmware = bytes_new(length), file;
        uint32_t options[OPTION_ROWS_MAX];
        uint8_t words[OPTION_ROWS_MAX * 4];

        simulated_pattern(firmware.data, length);
        simulated_options(options);
        for (size_t i = 0; i < family.option_count; i++)
                store_le32(words + 4 * i, options[i]);
        file = simulated_image(
                (struct sfi_plain_area[]){ { 'F', address, firmware.data, length },
                                           { 'C', 0, words, family.option_count * 4 } },
                2);
        bytes_free(&firmware);
        return file;
}

void simulated_license(const uint8_t bytes[static CERTIFICATE_LENGTH],
                       uint8_t ret_license[static LICENSE_LENGTH])
{
        static const uint8_t entropy[32] = { 1, 2, 3 };
        struct certificate certificate;

        assert_int_equal(certificate_parse(bytes, CERTIFICATE_LENGTH, NULL, &certificate), 0);
        assert_int_equal(license_issue(&certificate, "SFI", simulated_key, simulated_nonce, entropy,
                                       ret_license),
                         0);
}

struct apdu simulated_apdu(enum card_command command, const struct apdu_values *values)
{
        struct apdu apdu;

        apdu_build(simulated_card_conf(), command, 0, values, &apdu);
        return apdu;
}

int simulated_read_info(const uint8_t *answer, size_t length, struct hsm_info *ret_info)
{
        struct apdu_facts facts = { 0 };
        int r = apdu_read(simulated_card_conf(), CARD_INFO, 0, answer, length, &facts);

        if (r >= 0)
                r = apdu_check_info(simulated_card_conf(), &facts);
        if (r >= 0)
                *ret_info = facts.info;
        return r;
}
