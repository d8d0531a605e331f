/*
 * Debug authentication on simulated parts: discovery, certificates, password, every refusal, and the part after a
 * full regression.
 */
#include "tests/drivers/bed.h"
#include "tests/support/chain.h"

#include "crypto/obk_recipe.h"
#include "drivers/debug_authentication.h"
#include "drivers/recorder.h"

#include <stdio.h>

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_on_fiber, NULL), 0);   \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

#define PROFILE      "configs/debug-authentication/reference.conf"
#define H5_PLACE     0x0FFD0100u
#define H7RS_KEY     0x00510008u
#define H7RS_WORD    0x008A0008u
#define H7RS_LOCK    0x00B40008u
#define PROVISIONING 0x17u
#define CLOSED       0x72u
#define LOCKED       0x5Cu
#define ALL          0x5077u
#define PASSWORD     "0123456789012345"
#define UNIT         0xE00E4000u

struct place {
        struct bed *bed;
        struct debug_profile profile;
        struct debug_session session;
        struct debug_discovery found;
};

/* A part of that family in `state`, TrustZone on or off, with what `file` provisions. */
static struct place place_make(const char *family, uint8_t state, bool has_trustzone,
                               struct bytes file)
{
        struct place place = { 0 };
        uint32_t options[OPTION_ROWS_MAX], dpidr;
        char path[64];
        static const uint8_t firmware[16] = "some firmware";

        snprintf(path, sizeof(path), "configs/targets/%s.conf", family);
        place.bed = bed_make_as(path, "configs/rss/reference-h5.conf", NULL);
        assert_int_equal(debug_profile_load(PROFILE, &place.profile), 0);
        part_provision(place.bed->part, file.data, file.length);
        part_fill_flash(place.bed->part, place.bed->family.bank_address[0], firmware, 16);
        bytes_free(&file);
        memcpy(options, part_options(place.bed->part), sizeof(options));
        family_field_set(family_field(&place.bed->family, ROLE_STATE), options, state);
        if (has_trustzone)
                family_field_set(family_field(&place.bed->family, ROLE_TRUSTZONE), options, 0xB4);
        for (size_t i = 0; i < place.bed->family.option_count; i++)
                part_set_option(place.bed->part, i, options[i]);
        bed_power(place.bed, false);
        bed_power(place.bed, true);
        assert_int_equal(fiber_sleep_ns(NS_PER_S), 0);
        assert_int_equal(stlink_set_clock(&place.bed->stlink, 4000), 0);
        assert_int_equal(stlink_enter(&place.bed->stlink, &dpidr), 0);
        return place;
}

static int open_place(struct place *place)
{
        int r;

        place->session = (struct debug_session){ &place->bed->stlink, &place->profile };
        r = debug_check_allowed(&place->session);
        return r < 0 ? r : debug_open(&place->session, &place->found);
}

static struct bytes root_of(const struct test_chain *made, uint16_t permissions)
{
        return test_credential(H5_PLACE, made->chain.certificates[0].public_key, 64, permissions);
}

static int by_chain(struct place *place, const struct test_chain *made, unsigned bit)
{
        return debug_by_certificate(&place->session, &made->chain, made->private_key[2], bit);
}

static int by_password(struct place *place, const char *password)
{
        struct bytes file = obk_password_file(password), sent;
        int r = adac_password_parse("password.bin", file.data, file.length, &sent);

        assert_int_equal(r, 0);
        r = debug_by_password(&place->session, &sent);
        bytes_wipe_free(&file);
        bytes_wipe_free(&sent);
        return r;
}

/* Open, blank, factory options, and nothing provisioned: the next discovery finds an open part. */
static void assert_virgin(struct place *place)
{
        const struct family *family = &place->bed->family;

        assert_int_equal(debug_await_open(&place->session, &place->bed->target), 0);
        for (size_t i = 0; i < family->option_count; i++)
                assert_int_equal(part_options(place->bed->part)[i], family->options[i].factory);
        for (unsigned i = 0; i < 16; i++)
                assert_int_equal(*part_flash(place->bed->part, family->bank_address[0] + i), 0xFF);
}

static void assert_closed(struct place *place)
{
        assert_int_equal(*part_flash(place->bed->part, place->bed->family.bank_address[0]), 's');
        assert_fault(target_attach(&place->bed->target, 4000), LOCKED, "closed");
}

FIBER_TEST(discovery_tells_who_and_what)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, ALL));
        char text[40];
        uint32_t id;

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(place.found.soc_class, 0x484);
        assert_int_equal(place.found.methods, BY_CERTIFICATE);
        assert_int_equal(place.found.life_cycle, 0x3072);
        assert_string_equal(debug_life_cycle_name(place.found.life_cycle), "secured");
        assert_int_equal(place.found.integrity, INTEGRITY_PROVISIONED);
        assert_string_equal(adac_permission_text(place.found.permissions, text), "0x5077");
        assert_int_equal(strlen(place.found.unique_id_text), 24);
        assert_int_equal(debug_read_idcode(&place.session, &id), 0);
        assert_int_equal(id & 0xFFF, 0x484);
        assert_int_equal(debug_close(&place.session), 0);
        assert_int_equal(fiber_sleep_ns(NS_PER_S), 0);
        assert_closed(&place);
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(the_right_chain_makes_a_closed_part_virgin)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, ALL));

        (void)unused;
        assert_closed(&place);
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(by_chain(&place, &made, ADAC_FULL_REGRESSION), 0);
        assert_virgin(&place);
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(the_password_opens_a_part_without_trustzone)
{
        struct bytes word = test_credential(H5_PLACE, PASSWORD, 16, ALL);
        struct place place = place_make("stm32h52x", CLOSED, false, word);

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(place.found.methods, BY_PASSWORD);
        assert_fault(by_password(&place, "0123456789012346"), LOCKED,
                     "password: the part refuses (status 1, failure); it is not the one");
        assert_closed(&place);
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(by_password(&place, PASSWORD), 0);
        assert_virgin(&place);
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(the_password_stays_out_of_captures)
{
        struct place place = place_make("stm32h52x", CLOSED, false,
                                        test_credential(H5_PLACE, PASSWORD, 16, ALL));
        struct recorder *recorder = recorder_create(RECORDER_LATELY);
        struct capture_about about = { 0 };
        struct bytes file = { 0 };

        (void)unused;
        wire_record(place.bed->stlink.wire, recorder);
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(by_password(&place, PASSWORD), 0);
        assert_true(recorder_export(recorder, &about, "", &file) > 50);
        for (unsigned i = 0; i < 16; i += 4)
                assert_null(memmem(file.data, file.length, &PASSWORD[i], 4));
        wire_record(place.bed->stlink.wire, NULL);
        bytes_free(&file);
        recorder_destroy(recorder);
        bed_free(place.bed);
        return 0;
}

/* The H503 has the password in OTP: it is there after a regression too. */
FIBER_TEST(an_h503_keeps_its_password)
{
        struct place place = place_make("stm32h503", PROVISIONING, false,
                                        test_credential(H5_PLACE, "word", 4, ALL));

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(place.found.life_cycle, 0x2017);
        assert_int_equal(by_password(&place, "word"), 0);
        assert_virgin(&place);
        assert_fault(open_place(&place), LOCKED, "the product state is open");
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(an_h7rs_takes_what_its_place_says)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make(
                "stm32h7rs", 0x51, false,
                test_credential(H7RS_KEY, made.chain.certificates[0].public_key, 64, 0x4007));

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(place.found.soc_class, 0x485);
        assert_int_equal(place.found.methods, BY_CERTIFICATE);
        assert_int_equal(by_chain(&place, &made, ADAC_FULL_REGRESSION), 0);
        assert_virgin(&place);
        bed_free(place.bed);
        place = place_make("stm32h7rs", 0x51, false, test_credential(H7RS_WORD, PASSWORD, 16, 0));
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(by_password(&place, PASSWORD), 0);
        assert_virgin(&place);
        bed_free(place.bed);
        place = place_make("stm32h7rs", 0x51, false,
                           obk_build(H7RS_LOCK, false, "STDALOCKMGC", 11));
        assert_fault(open_place(&place), LOCKED, "or locked (then nothing leads back)");
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(another_root_is_refused)
{
        struct test_chain made = test_chain_make(1, ALL), other = test_chain_make(2, ALL);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, ALL));

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        assert_fault(by_chain(&place, &other, ADAC_FULL_REGRESSION), LOCKED,
                     "certificate 1 of 3: the part refuses (status 4, unauthorized); its root key");
        assert_closed(&place);
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(another_private_key_is_refused)
{
        struct test_chain made = test_chain_make(1, ALL), other = test_chain_make(2, ALL);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, ALL));

        (void)unused;
        memcpy(made.private_key[2], other.private_key[2], 32);
        assert_int_equal(open_place(&place), 0);
        assert_fault(by_chain(&place, &made, ADAC_FULL_REGRESSION), LOCKED,
                     "token: the part refuses (status 4");
        assert_closed(&place);
        bed_free(place.bed);
        return 0;
}

/* Once not provisioned, once not in the certificates. */
FIBER_TEST(a_permission_that_was_not_granted_is_refused)
{
        struct test_chain made = test_chain_make(1, ALL), narrow = test_chain_make(1, 0x1077);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, 0x1077));

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        assert_fault(by_chain(&place, &made, ADAC_FULL_REGRESSION), LOCKED,
                     "the permission is not provisioned");
        assert_closed(&place);
        bed_free(place.bed);
        place = place_make("stm32h56x", CLOSED, true, root_of(&narrow, ALL));
        assert_int_equal(open_place(&place), 0);
        assert_fault(by_chain(&place, &narrow, ADAC_FULL_REGRESSION), LOCKED, "token");
        assert_closed(&place);
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(a_part_that_is_locked_open_or_not_provisioned_says_nothing_or_no)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make("stm32h56x", LOCKED, true, root_of(&made, ALL));

        (void)unused;
        assert_fault(open_place(&place), LOCKED, "or locked (then nothing leads back)");
        bed_free(place.bed);
        place = place_make("stm32h56x", 0xED, true, root_of(&made, ALL));
        assert_fault(open_place(&place), LOCKED, "the product state is open");
        bed_free(place.bed);
        place = place_make("stm32h56x", CLOSED, true, (struct bytes){ 0 });
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(place.found.methods, 0);
        assert_int_equal(place.found.integrity, INTEGRITY_MISSING);
        assert_fault(by_chain(&place, &made, ADAC_FULL_REGRESSION), LOCKED, "unsupported");
        assert_closed(&place);
        bed_free(place.bed);
        return 0;
}

/* A password where TrustZone is on, a root key where it is off: the caution of AN6008 section 2.1. */
FIBER_TEST(a_credential_for_the_other_method_shuts_the_part_for_good)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make("stm32h56x", CLOSED, false, root_of(&made, ALL));

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(place.found.methods, BY_PASSWORD);
        assert_fault(by_chain(&place, &made, ADAC_FULL_REGRESSION), LOCKED, "unsupported");
        assert_fault(by_password(&place, PASSWORD), LOCKED, "not the one that was provisioned");
        assert_closed(&place);
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(a_broken_obk_is_not_provisioned)
{
        struct bytes word = test_credential(H5_PLACE, PASSWORD, 16, ALL);
        struct place place;

        (void)unused;
        word.data[50] ^= 1;
        place = place_make("stm32h56x", CLOSED, false, word);
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(place.found.integrity, INTEGRITY_MISSING);
        assert_fault(by_password(&place, PASSWORD), LOCKED, "unsupported");
        bed_free(place.bed);
        return 0;
}

/* --- by hand, word by word ------------------------------------------------------------------- */

static uint32_t take(struct place *place)
{
        uint32_t flags = 0, word;

        for (unsigned i = 0; !(flags & 2) && i < 100; i++)
                assert_int_equal(stlink_read_word(&place->bed->stlink, 0, UNIT + 0x108, &flags), 0);
        assert_true(flags & 2);
        assert_int_equal(stlink_read_word(&place->bed->stlink, 0, UNIT + 0x104, &word), 0);
        return word;
}

static void give(struct place *place, uint32_t word)
{
        assert_int_equal(stlink_write_word(&place->bed->stlink, 0, UNIT + 0x100, word), 0);
}

static void take_challenge(struct place *place, uint8_t *ret_challenge)
{
        give(place, 2u << 16);
        give(place, 0);
        assert_int_equal(take(place), 0);
        assert_int_equal(take(place), 9);
        assert_int_equal(take(place), 1);
        for (unsigned i = 0; i < 8; i++)
                store_le32(ret_challenge + 4 * i, take(place));
}

static uint32_t respond(struct place *place, const uint8_t *piece, uint32_t length)
{
        uint32_t status;

        give(place, 3u << 16);
        give(place, length / 4);
        for (uint32_t i = 0; i < length; i += 4)
                give(place, load_le32(piece + i));
        status = take(place);
        assert_int_equal(take(place), 0);
        return status >> 16;
}

static uint32_t certify(struct place *place, const struct test_chain *made)
{
        uint32_t status = 2;

        for (unsigned i = 0; i < 3 && status == 2; i++)
                status = respond(place, made->chain.certificates[i].bytes, 220);
        return status;
}

FIBER_TEST(a_challenge_is_good_once_and_not_for_ever)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, ALL));
        uint8_t first[32], second[32], mask[16] = { [1] = 0x40 }, token[128];

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        take_challenge(&place, first);
        take_challenge(&place, second);
        assert_memory_not_equal(first, second, 32);
        adac_token_make(made.private_key[2], first, mask, token);
        assert_int_equal(certify(&place, &made), 2);
        assert_int_equal(respond(&place, token, 128), 4); /* replayed */
        adac_token_make(made.private_key[2], second, mask, token);
        assert_int_equal(respond(&place, token, 128), 1); /* that one is used up */
        take_challenge(&place, first);
        assert_int_equal(certify(&place, &made), 2);
        assert_int_equal(fiber_sleep_ns(11 * NS_PER_S), 0);
        adac_token_make(made.private_key[2], first, mask, token);
        assert_int_equal(respond(&place, token, 128), 1); /* expired */
        assert_closed(&place);
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(requests_that_are_none_are_answered_and_change_nothing)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, ALL));
        uint8_t challenge[32], piece[220];

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        give(&place, 9u << 16);
        give(&place, 0);
        assert_int_equal(take(&place), 0x7FFF0000);
        assert_int_equal(take(&place), 0);
        give(&place, 3u << 16);
        give(&place, 1000);
        assert_int_equal(take(&place) >> 16, 5);
        assert_int_equal(take(&place), 0);
        memcpy(piece, made.chain.certificates[1].bytes, 220);
        assert_int_equal(respond(&place, piece, 220), 1); /* no challenge was asked for */
        take_challenge(&place, challenge);
        assert_int_equal(respond(&place, piece, 220), 5); /* no root before it */
        assert_int_equal(respond(&place, piece, 4), 5);
        piece[4] = 0xFF;
        assert_int_equal(respond(&place, piece, 220), 5); /* longer than the request */
        assert_closed(&place);
        bed_free(place.bed);
        return 0;
}

FIBER_TEST(power_lost_before_the_end_leaves_it_closed)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, ALL));

        (void)unused;
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(by_chain(&place, &made, ADAC_FULL_REGRESSION), 0);
        bed_power(place.bed, false);
        bed_power(place.bed, true);
        assert_int_equal(fiber_sleep_ns(10 * NS_PER_S), 0);
        assert_closed(&place);
        assert_int_equal(open_place(&place), 0);
        assert_int_equal(by_chain(&place, &made, ADAC_FULL_REGRESSION), 0);
        assert_virgin(&place);
        bed_free(place.bed);
        return 0;
}

/* --- the profile ----------------------------------------------------------------------------- */

FIBER_TEST(a_reference_is_refused_where_its_marker_is_not)
{
        struct test_chain made = test_chain_make(1, ALL);
        struct place place = place_make("stm32h56x", CLOSED, true, root_of(&made, ALL));
        struct bed *other = bed_make();
        uint32_t dpidr;

        (void)unused;
        place.profile.marker[0] = 'X';
        assert_fault(open_place(&place), REFERENCE_ONLY,
                     "what is missing: the word that wakes the service");
        place.profile.source = SOURCE_SILICON;
        assert_int_equal(open_place(&place), 0);
        place.session.probe = &other->stlink;
        place.profile.access_port = 3;
        assert_int_equal(stlink_enter(&other->stlink, &dpidr), 0);
        assert_fault(debug_check_allowed(&place.session), LOCKED, "access port 3 does not answer");
        bed_free(other);
        bed_free(place.bed);
        return 0;
}

static int load_changed(const char *from, const char *to)
{
        char path[200], command[400];
        struct debug_profile profile;

        snprintf(path, sizeof(path), "%s/profile.conf", test_directory());
        snprintf(command, sizeof(command), "sed 's/%s/%s/' " PROFILE " > %s", from, to, path);
        assert_int_equal(system(command), 0);
        return debug_profile_load(path, &profile);
}

FIBER_TEST(a_profile_is_read_strictly)
{
        (void)unused;
        assert_int_equal(load_changed("x", "x"), 0);
        assert_fault(load_changed("^marker_address.*", "marker_address = 0;"), BAD_FILE,
                     "a reference profile needs a marker");
        assert_fault(load_changed("^request.*", ""), BAD_FILE, "request");
        assert_fault(load_changed("^access_port = 0", "access_port = 256"), BAD_FILE,
                     "access_port");
        assert_fault(load_changed("^debug_unit .*", "debug_unit = 0xE00E4001;"), BAD_FILE,
                     "debug_unit");
        assert_int_equal(load_changed("^source = \"reference\"", "source = \"silicon\""), 0);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(discovery_tells_who_and_what),
                cmocka_unit_test(the_right_chain_makes_a_closed_part_virgin),
                cmocka_unit_test(the_password_opens_a_part_without_trustzone),
                cmocka_unit_test(the_password_stays_out_of_captures),
                cmocka_unit_test(an_h503_keeps_its_password),
                cmocka_unit_test(an_h7rs_takes_what_its_place_says),
                cmocka_unit_test(another_root_is_refused),
                cmocka_unit_test(another_private_key_is_refused),
                cmocka_unit_test(a_permission_that_was_not_granted_is_refused),
                cmocka_unit_test(a_part_that_is_locked_open_or_not_provisioned_says_nothing_or_no),
                cmocka_unit_test(a_credential_for_the_other_method_shuts_the_part_for_good),
                cmocka_unit_test(a_broken_obk_is_not_provisioned),
                cmocka_unit_test(a_challenge_is_good_once_and_not_for_ever),
                cmocka_unit_test(requests_that_are_none_are_answered_and_change_nothing),
                cmocka_unit_test(power_lost_before_the_end_leaves_it_closed),
                cmocka_unit_test(a_reference_is_refused_where_its_marker_is_not),
                cmocka_unit_test(a_profile_is_read_strictly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
