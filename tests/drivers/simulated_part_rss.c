/*
 * ROM and RSS of the simulated part: the certificate, whole installs, every refusal.
 */
#include "tests/support/h75x.h"
#include "tests/support/part_rig.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

/* --- ROM and RSS --------------------------------------------------------------------------- */

static uint32_t box(uint32_t offset)
{
        return simulated_rss()->mailbox + offset;
}

static void post(struct rig *rig, uint32_t command)
{
        wr(rig, box(0x20), 0);
        wr(rig, box(0x24), 0x99);
        wr(rig, box(0), 0x53525747);
        wr(rig, box(4), command);
}

static void put(struct rig *rig, uint32_t address, const void *data, size_t length)
{
        for (size_t i = 0; i < length; i++)
                assert_int_equal(part_write(rig->part, rig->now, 0, address + (uint32_t)i,
                                            (const uint8_t *)data + i, 1),
                                 PART_OK);
}

static void ask_certificate(struct rig *rig, uint8_t ret_certificate[CERTIFICATE_LENGTH])
{
        post(rig, 1);
        rig->now += 20 * MS;
        assert_int_equal(rd(rig, box(0x20)), DONE);
        assert_int_equal(rd(rig, box(0x24)), RSS_OK);
        for (uint32_t i = 0; i < CERTIFICATE_LENGTH; i++)
                part_read(rig->part, rig->now, 0, box(0x40 + i), ret_certificate + i, 1);
}

static void the_rom_answers_with_a_certificate(void **state)
{
        struct rig *rig = *state;
        uint8_t first[CERTIFICATE_LENGTH], second[CERTIFICATE_LENGTH];
        struct certificate certificate;

        post(rig, 1);
        rig->now += 19 * MS;
        assert_int_equal(rd(rig, box(0x20)), 0);
        ask_certificate(rig, first);
        assert_int_equal(certificate_parse(first, sizeof(first), simulated_family()->product_id,
                                           &certificate),
                         0);
        rig_power_cycle(rig);
        ask_certificate(rig, second);
        assert_memory_equal(first, second, sizeof(first));
}

/* DER of the 64 bytes r, s: what OpenSSL wants to see. */
static size_t signature_der(const uint8_t *raw, uint8_t *der)
{
        ECDSA_SIG *signature = ECDSA_SIG_new();
        unsigned char *out = der;
        int length;

        ECDSA_SIG_set0(signature, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
        length = i2d_ECDSA_SIG(signature, &out);
        ECDSA_SIG_free(signature);
        return (size_t)length;
}

static EVP_PKEY *st_public_key(void)
{
        EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
        BIGNUM *key = BN_bin2bn((const uint8_t *)"Gangway simulated ST key no. one", 32, NULL);
        EC_POINT *point = EC_POINT_new(group);
        uint8_t encoded[65];
        char curve[] = "prime256v1";
        OSSL_PARAM parameters[3];
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        EVP_PKEY *pkey = NULL;

        EC_POINT_mul(group, point, key, NULL, NULL, NULL);
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, encoded, 65, NULL);
        parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
        parameters[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded, 65);
        parameters[2] = OSSL_PARAM_construct_end();
        assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
        assert_int_equal(EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters), 1);
        EVP_PKEY_CTX_free(context);
        EC_POINT_free(point);
        BN_free(key);
        EC_GROUP_free(group);
        return pkey;
}

static void openssl_verifies_the_certificate(void **state)
{
        struct rig *rig = *state;
        uint8_t certificate[CERTIFICATE_LENGTH], der[80];
        EVP_PKEY *key = st_public_key();
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t length;

        ask_certificate(rig, certificate);
        length = signature_der(certificate + 72, der);
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key);
        assert_int_equal(EVP_DigestVerify(context, der, length, certificate, 72), 1);
        certificate[20] ^= 1;
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key);
        assert_int_equal(EVP_DigestVerify(context, der, length, certificate, 72), 0);
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
}

static void the_rom_does_not_answer_when_it_does_not_run(void **state)
{
        struct rig *rig = *state;

        wr(rig, DHCSR, 0xA05F0003);
        post(rig, 1);
        rig->now += 1000 * MS;
        assert_int_equal(rd(rig, box(0x20)), 0);
        wr(rig, DHCSR, 0xA05F0001); /* running again, it finds the command */
        rig->now += 20 * MS;
        assert_int_equal(rd(rig, box(0x20)), DONE);
        part_set_boot_pin(rig->part, false);
        rig_power_cycle(rig);
        post(rig, 1);
        rig->now += 1000 * MS;
        assert_int_equal(rd(rig, box(0x20)), 0);
}

static void the_rom_refuses_what_it_does_not_know(void **state)
{
        struct rig *rig = *state;

        post(rig, 77);
        rig->now += 20 * MS;
        assert_int_equal(rd(rig, box(0x20)), DONE);
        assert_int_equal(rd(rig, box(0x24)), RSS_ERROR_COMMAND);
        wr(rig, box(0x20), 0);
        wr(rig, box(0), 0x12345678); /* not the magic word */
        wr(rig, box(4), 1);
        rig->now += 1000 * MS;
        assert_int_equal(rd(rig, box(0x20)), 0);
}

/* --- install ------------------------------------------------------------------------------- */

static void prepare(struct rig *rig)
{
        rig_set_option(rig, OPTSR_PRG, rig_optsr(rig) | H75X_SECURITY | H75X_ST_RAM_SIZE_3);
}

/* License, header and areas [first, first + count) into RAM, mailbox filled, command posted. */
static void load_part(struct rig *rig, const struct bytes *file, unsigned first, unsigned count,
                      bool is_last)
{
        const struct rss_profile *rss = simulated_rss();
        uint8_t certificate[CERTIFICATE_LENGTH], license[LICENSE_LENGTH];
        struct sfi *sfi;
        uint32_t length = 0;

        ask_certificate(rig, certificate);
        simulated_license(certificate, license);
        assert_int_equal(sfi_parse("test", bytes_copy(file->data, file->length), &sfi), 0);
        for (unsigned i = first; i < first + count; i++)
                length += SFI_AREA_HEADER_LENGTH + sfi->areas[i].length;
        put(rig, rss->license, license, sizeof(license));
        put(rig, rss->header, file->data, SFI_HEADER_LENGTH);
        put(rig, rss->areas, sfi->areas[first].header, length);
        wr(rig, box(8), length);
        wr(rig, box(0xC), count);
        wr(rig, box(0x10), is_last);
        post(rig, 2);
        sfi_free(sfi);
}

/* Reset, let it run, and read the complete value. */
static uint32_t run(struct rig *rig)
{
        part_reset(rig->part, rig->now);
        rig->now += 60000 * MS;
        rig_enter(rig);
        assert_int_equal(rd(rig, box(0x20)), DONE);
        return rd(rig, box(0x24));
}

static uint32_t install(struct rig *rig, const struct bytes *file)
{
        load_part(rig, file, 0, load_le16(file->data + 10), true);
        return run(rig);
}

static uint32_t install_areas(struct rig *rig, const struct sfi_plain_area *areas, size_t count)
{
        struct bytes file = simulated_image(areas, count);
        uint32_t code;

        prepare(rig);
        code = install(rig, &file);
        bytes_free(&file);
        return code;
}

static uint8_t blob[64] = { 1, 2, 3, 4 };

static void an_image_is_installed(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 844);
        uint8_t expected[864];

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        part_reset(rig->part, rig->now);
        rig->now += 200 * MS;
        assert_true(rig_is_silent(rig)); /* while the RSS works */
        rig->now += 1000 * MS;
        rig_enter(rig);
        assert_int_equal(rd(rig, box(0x20)), DONE);
        assert_int_equal(rd(rig, box(0x24)), RSS_OK);
        assert_int_equal(rd(rig, box(0x28)), 2);
        memset(expected, 0xFF, sizeof(expected));
        simulated_pattern(expected, 844);
        assert_memory_equal(part_flash(rig->part, FLASH), expected, sizeof(expected));
        assert_int_equal(rd(rig, box(4)), 0);                   /* taken once */
        assert_int_equal(rd(rig, simulated_rss()->license), 0); /* and not left behind */
        part_reset(rig->part, rig->now);
        rig->now += 1000 * MS;
        assert_false(rig_is_silent(rig));
        bytes_free(&file);
}

/* The C area of ST's own example: level 1, SECURITY off (secure-install.md 4). */
static void the_option_bytes_of_the_image_stand_at_the_end(void **state)
{
        struct rig *rig = *state;
        static const uint32_t values[] = { 0x13DE00F8, 0x81000200, 0x81000200,
                                           0x81000200, 0x81000200, 0x000000FF,
                                           0x000000FF, 0x1FF10800, 0x10000810 };
        uint8_t words[sizeof(values)];

        for (size_t i = 0; i < LENGTH_OF(values); i++)
                store_le32(words + 4 * i, values[i]);
        assert_int_equal(install_areas(rig,
                                       (struct sfi_plain_area[]){ { 'F', FLASH, blob, 64 },
                                                                  { 'C', 0, words, 36 } },
                                       2),
                         RSS_OK);
        assert_int_equal(rig_optsr(rig) & simulated_family()->options[0].mask,
                         0x13DE00F8 & simulated_family()->options[0].mask);
        assert_int_equal(rd(rig, REG + 0x40), 0x1FF10800);
        rig_power_cycle(rig);
        assert_read_faults(rig, FLASH);
}

static void a_power_cut_leaves_the_words_whose_time_had_come(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 3200); /* 100 words */
        uint64_t start;

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        start = rig->now;
        part_reset(rig->part, start);
        /* boot 5 + 50, license 60, header 1, decryption 6.4 ms: the first word is due at 122.5 */
        part_power(rig->part, start + 122 * MS + 400 * NS_PER_US + 37 * 100 * NS_PER_US, false);
        for (uint32_t i = 0; i < 100; i++) {
                uint8_t expected[3200];

                simulated_pattern(expected, sizeof(expected));
                if (i >= 37)
                        memset(expected, 0xFF, sizeof(expected));
                assert_memory_equal(part_flash(rig->part, FLASH + 32 * i), expected + 32 * i, 32);
        }
        rig->now = start + 1000 * MS;
        rig_power_up(rig);
        assert_int_equal(rd(rig, box(0x20)), 0); /* RAM is gone, nobody says it worked */
        assert_int_equal(install(rig, &file), RSS_ERROR_NOT_BLANK);
        bytes_free(&file);
}

static void without_security_or_ram_the_rss_refuses(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);

        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        rig_set_option(rig, OPTSR_PRG, rig_optsr(rig) | H75X_SECURITY);
        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        prepare(rig);
        rig_set_option(rig, PRAR_PRG + 0x100, 0x00010000);
        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        bytes_free(&file);
}

static void with_read_out_protection_the_rss_refuses(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);

        prepare(rig);
        part_set_protection(rig->part, 0x55);
        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        rig_fresh(rig);
        prepare(rig);
        rig_set_option(rig, OPTSR_PRG, (rig_optsr(rig) & ~0xFF00u) | 0x5500); /* not in force yet */
        assert_int_equal(install(rig, &file), RSS_ERROR_SECURITY);
        bytes_free(&file);
}

static void with_the_boot_pin_low_nothing_is_installed(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        part_set_boot_pin(rig->part, false);
        part_reset(rig->part, rig->now);
        rig->now += 60000 * MS;
        rig_enter(rig);
        assert_int_equal(rd(rig, box(0x20)), 0);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        bytes_free(&file);
}

static void a_license_for_another_chip_is_refused(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);
        const uint8_t other_seed[32] = { 66 };
        uint8_t certificate[CERTIFICATE_LENGTH], license[LICENSE_LENGTH], private_key[32];

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        for (uint32_t i = 0; i < CERTIFICATE_LENGTH; i++)
                part_read(rig->part, rig->now, 0, box(0x40 + i), certificate + i, 1);
        license_chip_key(other_seed, private_key, certificate + 8);
        simulated_license(certificate, license);
        put(rig, simulated_rss()->license, license, sizeof(license));
        assert_int_equal(run(rig), RSS_ERROR_LICENSE);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        bytes_free(&file);
}

static uint32_t install_changed(struct rig *rig, size_t offset)
{
        struct bytes file = simulated_small_image(FLASH, 64);
        uint32_t code;

        prepare(rig);
        file.data[offset] ^= 1;
        code = install(rig, &file);
        bytes_free(&file);
        return code;
}

static void a_changed_header_is_refused(void **state)
{
        assert_int_equal(install_changed(*state, 12), RSS_ERROR_HEADER); /* its tag */
}

static void a_changed_area_is_refused(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(install_changed(rig, 28 + 30 + 5), RSS_ERROR_AREA); /* its payload */
        assert_int_equal(rd(rig, box(0x28)), 1);
        assert_int_equal(install_changed(rig, 28 + 10), RSS_ERROR_AREA); /* its address */
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void overlapping_areas_are_refused(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(install_areas(rig,
                                       (struct sfi_plain_area[]){ { 'F', FLASH, blob, 64 },
                                                                  { 'F', FLASH + 32, blob, 64 } },
                                       2),
                         RSS_ERROR_OVERLAP);
        assert_int_equal(rd(rig, box(0x28)), 2);
        assert_int_equal(rd(rig, FLASH), 0x04030201); /* the first one stands */
}

static void an_area_outside_flash_is_refused(void **state)
{
        struct rig *rig = *state;

        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'F', RAM, blob, 64 }, 1),
                         RSS_ERROR_RANGE);
        assert_int_equal(
                install_areas(rig, &(struct sfi_plain_area){ 'F', 0x081FFFE0, blob, 64 }, 1),
                RSS_ERROR_RANGE);
        assert_int_equal(
                install_areas(rig, &(struct sfi_plain_area){ 'E', 0x90000000, blob, 64 }, 1),
                RSS_ERROR_RANGE);
}

static void an_area_on_written_flash_is_refused(void **state)
{
        struct rig *rig = *state;

        part_fill_flash(rig->part, FLASH + 32, blob, 1);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'F', FLASH, blob, 64 }, 1),
                         RSS_ERROR_NOT_BLANK);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
}

static void a_weak_word_ends_the_install(void **state)
{
        struct rig *rig = *state;

        part_set_weak_word(rig->part, FLASH + 32);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'F', FLASH, blob, 64 }, 1),
                         RSS_ERROR_FLASH);
        assert_int_equal(rd(rig, FLASH), 0x04030201);
}

static void option_bytes_that_may_not_change_are_refused(void **state)
{
        struct rig *rig = *state;
        uint32_t values[OPTION_ROWS_MAX];
        uint8_t words[36];

        simulated_options(values);
        values[0] &= ~H75X_SECURITY;
        values[1] = 0x00010000; /* PCROP wants security (AN5054 section 3.3.1) */
        for (size_t i = 0; i < 9; i++)
                store_le32(words + 4 * i, values[i]);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'C', 0, words, 36 }, 1),
                         RSS_ERROR_OPTION);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'C', 0, words, 32 }, 1),
                         RSS_ERROR_OPTION); /* a row is missing */
        assert_true(rig_optsr(rig) & H75X_SECURITY);
}

static void lists_that_do_not_fit_are_refused(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 64);
        static const struct {
                uint32_t offset, value;
        } cases[] = { { 8, 0 },          { 8, 29 },  { 8, 90 },
                      { 8, UINT32_MAX }, { 0xC, 0 }, { 0xC, UINT32_MAX } };

        prepare(rig);
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                load_part(rig, &file, 0, 2, true);
                wr(rig, box(cases[i].offset), cases[i].value);
                assert_int_equal(run(rig), RSS_ERROR_COMMAND);
                rig_power_cycle(rig);
        }
        load_part(rig, &file, 0, 2, true);
        wr(rig, box(8), rd(rig, box(8)) + 4); /* bytes behind the last area */
        assert_int_equal(run(rig), RSS_ERROR_COMMAND);
        bytes_free(&file);
        rig_fresh(rig);
        assert_int_equal(install_areas(rig, &(struct sfi_plain_area){ 'K', FLASH, blob, 8 }, 1),
                         RSS_ERROR_COMMAND); /* a letter it does not know */
}

static struct bytes two_part_image(void)
{
        return simulated_image((struct sfi_plain_area[]){ { 'F', FLASH, blob, 64 },
                                                          { 'P', 0x081FF000, NULL, 0 },
                                                          { 'R', 0x081FF000, NULL, 0 },
                                                          { 'F', FLASH + 64, blob, 64 } },
                               4);
}

static void two_parts_make_a_whole_even_over_a_power_cut(void **state)
{
        struct rig *rig = *state;
        struct bytes file = two_part_image();

        prepare(rig);
        load_part(rig, &file, 0, 2, false);
        assert_int_equal(run(rig), RSS_OK);
        rig_power_cycle(rig);
        load_part(rig, &file, 2, 2, true);
        assert_int_equal(run(rig), RSS_OK);
        assert_memory_equal(part_flash(rig->part, FLASH + 64), blob, 64);
        bytes_free(&file);
}

static void parts_out_of_order_are_refused(void **state)
{
        struct rig *rig = *state;
        struct bytes file = two_part_image();

        prepare(rig);
        load_part(rig, &file, 2, 2, true); /* the second first */
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        load_part(rig, &file, 0, 1, false); /* no P at its end */
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        load_part(rig, &file, 0, 2, false);
        assert_int_equal(run(rig), RSS_OK);
        load_part(rig, &file, 3, 1, true); /* R left out */
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        load_part(rig, &file, 2, 2, true);
        assert_int_equal(run(rig), RSS_OK);
        load_part(rig, &file, 2, 2, true); /* once more */
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        bytes_free(&file);
}

static void a_first_part_that_claims_to_be_the_last_is_refused(void **state)
{
        struct rig *rig = *state;
        struct bytes file = two_part_image();

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        assert_int_equal(rd(rig, box(0x28)), 2);
        bytes_free(&file);
}

static void a_part_of_another_image_does_not_continue_this_one(void **state)
{
        struct rig *rig = *state;
        struct bytes file = two_part_image();
        struct bytes other =
                simulated_image((struct sfi_plain_area[]){ { 'F', FLASH, blob, 64 },
                                                           { 'P', 0x081FF000, NULL, 0 },
                                                           { 'R', 0x081FF000, NULL, 0 },
                                                           { 'F', FLASH + 64, blob, 32 },
                                                           { 'F', FLASH + 96, blob, 32 } },
                                5);

        prepare(rig);
        load_part(rig, &file, 0, 2, false);
        assert_int_equal(run(rig), RSS_OK);
        load_part(rig, &other, 2, 3, true);
        assert_int_equal(run(rig), RSS_ERROR_ORDER);
        bytes_free(&file);
        bytes_free(&other);
}

static void a_reset_ends_a_running_install(void **state)
{
        struct rig *rig = *state;
        struct bytes file = simulated_small_image(FLASH, 3200);

        prepare(rig);
        load_part(rig, &file, 0, 2, true);
        part_reset(rig->part, rig->now);
        rig->now += 100 * MS;
        part_reset(rig->part, rig->now);
        rig->now += 60000 * MS;
        rig_enter(rig);
        assert_int_equal(rd(rig, box(0x20)), RUNNING); /* and nobody will ever say done */
        assert_int_equal(rd(rig, FLASH), UINT32_MAX);
        bytes_free(&file);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(the_rom_answers_with_a_certificate),
                T(openssl_verifies_the_certificate),
                T(the_rom_does_not_answer_when_it_does_not_run),
                T(the_rom_refuses_what_it_does_not_know),
                T(an_image_is_installed),
                T(the_option_bytes_of_the_image_stand_at_the_end),
                T(a_power_cut_leaves_the_words_whose_time_had_come),
                T(without_security_or_ram_the_rss_refuses),
                T(with_read_out_protection_the_rss_refuses),
                T(with_the_boot_pin_low_nothing_is_installed),
                T(a_license_for_another_chip_is_refused),
                T(a_changed_header_is_refused),
                T(a_changed_area_is_refused),
                T(overlapping_areas_are_refused),
                T(an_area_outside_flash_is_refused),
                T(an_area_on_written_flash_is_refused),
                T(a_weak_word_ends_the_install),
                T(option_bytes_that_may_not_change_are_refused),
                T(lists_that_do_not_fit_are_refused),
                T(two_parts_make_a_whole_even_over_a_power_cut),
                T(parts_out_of_order_are_refused),
                T(a_first_part_that_claims_to_be_the_last_is_refused),
                T(a_part_of_another_image_does_not_continue_this_one),
                T(a_reset_ends_a_running_install),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
