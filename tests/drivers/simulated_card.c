/*
 * The simulated card: its answers, its refusals, and what a pulled plug leaves.
 */
#include "tests/support/simulated.h"

#include "drivers/simulated/card_private.h"

#include <stdlib.h>

struct holder {
        struct simulated_card *card;
        uint32_t counter;
        uint8_t answer[APDU_ANSWER_MAX];
        uint64_t duration_ns;
        uint8_t chip_private[PRIVATE_KEY_LENGTH];
        uint8_t certificate[CERTIFICATE_LENGTH];
};

/* A certificate in form: the chip's key is real, the signature just numbers. */
static void make_certificate(struct holder *holder, uint8_t first)
{
        const uint8_t seed[32] = { first };

        memcpy(holder->certificate, "45002001", 8);
        license_chip_key(seed, holder->chip_private, holder->certificate + 8);
        memset(holder->certificate + 72, 0x55, 64);
}

static void make_card(struct holder *holder, double speed)
{
        struct card_settings settings = {
                .profile = simulated_card_conf(),
                .counter = &holder->counter,
                .maximum = 10,
                .firmware_id = "blinky",
                .state = HSM_STATE_OPERATIONAL,
                .serial = 0x0123456789ABCDEF,
                .license_ms_low = 1000,
                .license_ms_high = 2000,
                .speed = speed,
                .seed = 5,
        };

        memcpy(settings.key, simulated_key, sizeof(settings.key));
        memcpy(settings.nonce, simulated_nonce, sizeof(settings.nonce));
        simulated_card_destroy(holder->card);
        holder->card = simulated_card_create(&settings);
}

static int setup(void **state)
{
        struct holder *holder = calloc(1, sizeof(*holder));

        holder->counter = 3;
        make_certificate(holder, 1);
        make_card(holder, 1.0);
        *state = holder;
        return 0;
}

static int teardown(void **state)
{
        struct holder *holder = *state;

        simulated_card_destroy(holder->card);
        free(holder);
        return 0;
}

static int transmit(struct holder *holder, const void *apdu, size_t length)
{
        return simulated_card_apdu(holder->card, apdu, length, holder->answer,
                                   &holder->duration_ns);
}

/* Send it, return the status word; the answer's length is in `ret_length`. */
static unsigned status_of(struct holder *holder, const void *apdu, size_t length)
{
        int r = transmit(holder, apdu, length);

        assert_in_range(r, 2, APDU_ANSWER_MAX);
        return load_be16(holder->answer + r - 2);
}

static unsigned select_card(struct holder *holder)
{
        struct apdu apdu = simulated_apdu(CARD_SELECT, NULL);

        return status_of(holder, apdu.bytes, apdu.length);
}

static unsigned license(struct holder *holder)
{
        const struct apdu_values values = { .certificate = holder->certificate };
        struct apdu apdu = simulated_apdu(CARD_LICENSE, &values);

        return status_of(holder, apdu.bytes, apdu.length);
}

static bool opens_as(struct holder *holder, const char *type)
{
        uint8_t key[GCM_KEY_LENGTH], nonce[SFI_NONCE_LENGTH];

        if (license_open(holder->answer, type, holder->chip_private, key, nonce) < 0)
                return false;
        assert_memory_equal(key, simulated_key, sizeof(key));
        assert_memory_equal(nonce, simulated_nonce, sizeof(nonce));
        return true;
}

static bool opens(struct holder *holder)
{
        return opens_as(holder, "SFI");
}

static void it_tells_who_it_is(void **state)
{
        struct holder *holder = *state;
        struct apdu apdu = simulated_apdu(CARD_INFO, NULL);
        struct hsm_info info;
        int r;

        assert_int_equal(select_card(holder), 0x9000);
        r = transmit(holder, apdu.bytes, apdu.length);
        assert_int_equal(simulated_read_info(holder->answer, (size_t)r, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OPERATIONAL);
        assert_int_equal(info.counter, 3);
        assert_int_equal(info.maximum, 10);
        assert_string_equal(info.firmware_id, "blinky");
        assert_string_equal(info.serial, "0123456789ABCDEF");
}

static void a_license_opens_on_its_chip_only_and_costs_one(void **state)
{
        struct holder *holder = *state;

        (void)select_card(holder);
        assert_int_equal(license(holder), 0x9000);
        assert_in_range(holder->duration_ns, 1000 * NS_PER_MS, 2000 * NS_PER_MS);
        assert_int_equal(holder->counter, 2);
        assert_int_equal(simulated_card_apdus(holder->card), 1);
        assert_true(opens(holder));
        make_certificate(holder, 2);
        assert_false(opens(holder));
}

static void two_licenses_differ_and_the_same_seed_repeats_them(void **state)
{
        struct holder *holder = *state;
        uint8_t first[LICENSE_LENGTH], second[LICENSE_LENGTH];

        (void)select_card(holder);
        (void)license(holder);
        memcpy(first, holder->answer, sizeof(first));
        (void)license(holder);
        memcpy(second, holder->answer, sizeof(second));
        assert_memory_not_equal(first, second, sizeof(first));
        make_card(holder, 1.0);
        (void)select_card(holder);
        (void)license(holder);
        assert_memory_equal(holder->answer, first, sizeof(first));
}

static void at_zero_there_is_no_license(void **state)
{
        struct holder *holder = *state;

        holder->counter = 0;
        (void)select_card(holder);
        assert_int_equal(license(holder), 0x6A88);
        assert_int_equal(holder->counter, 0);
}

static void a_card_that_is_not_operational_issues_none(void **state)
{
        struct holder *holder = *state;

        (void)select_card(holder);
        simulated_card_set_state(holder->card, HSM_STATE_OEM);
        assert_int_equal(license(holder), 0x6985);
        assert_int_equal(holder->counter, 3);
}

static void a_bad_certificate_costs_nothing(void **state)
{
        struct holder *holder = *state;

        (void)select_card(holder);
        holder->certificate[10] ^= 1; /* off the curve */
        assert_int_equal(license(holder), 0x6A80);
        assert_int_equal(holder->counter, 3);
}

static void malformed_commands_are_refused_by_name(void **state)
{
        static const struct {
                uint8_t bytes[8];
                size_t length;
                unsigned status;
        } cases[] = {
                { { 0x80 }, 1, 0x6700 },
                { { 0x80, 0x10, 0 }, 3, 0x6700 },
                { { 0x80, 0x10, 0, 0, 2, 1 }, 6, 0x6700 },       /* Lc says two, one is there */
                { { 0x80, 0x10, 0, 0, 1, 1, 0, 0 }, 8, 0x6700 }, /* bytes behind Le */
                { { 0x80, 0x10, 0, 0, 1, 1 }, 6, 0x6700 },       /* INFO takes no data */
                { { 0x80, 0x20, 0, 0, 2, 1, 2 }, 7, 0x6700 },    /* no certificate */
                { { 0x80, 0x40, 0, 0 }, 4, 0x6D00 },
                { { 0x90, 0x10, 0, 0 }, 4, 0x6E00 },
                { { 0x80, 0x10, 1, 0 }, 4, 0x6A86 },
                { { 0x00, 0xA4, 4, 0, 2, 0xF0, 1 }, 7, 0x6A82 }, /* another application */
        };
        struct holder *holder = *state;

        (void)select_card(holder);
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_int_equal(status_of(holder, cases[i].bytes, cases[i].length),
                                 cases[i].status);
        assert_int_equal(holder->counter, 3);
}

static void nothing_works_before_select(void **state)
{
        struct holder *holder = *state;
        struct apdu apdu = simulated_apdu(CARD_INFO, NULL);

        assert_int_equal(status_of(holder, apdu.bytes, apdu.length), 0x6D00);
        assert_int_equal(license(holder), 0x6D00);
}

static void a_dead_card_says_nothing(void **state)
{
        struct holder *holder = *state;
        struct apdu apdu = simulated_apdu(CARD_INFO, NULL);

        (void)select_card(holder);
        simulated_card_kill(holder->card);
        assert_int_equal(transmit(holder, apdu.bytes, apdu.length), -1);
        assert_int_equal(holder->counter, 3);
}

static void a_mislicense_is_sound_and_useless_once(void **state)
{
        struct holder *holder = *state;

        (void)select_card(holder);
        simulated_card_mislicense(holder->card);
        assert_int_equal(license(holder), 0x9000);
        assert_false(opens(holder));
        assert_int_equal(holder->counter, 2);
        assert_int_equal(license(holder), 0x9000);
        assert_true(opens(holder));
}

static void a_faster_bench_makes_a_faster_card(void **state)
{
        struct holder *holder = *state;

        make_card(holder, 0.1);
        (void)select_card(holder);
        (void)license(holder);
        assert_in_range(holder->duration_ns, 100 * NS_PER_MS, 200 * NS_PER_MS);
}

/* --- programming --------------------------------------------------------------------------- */

static const char secret_key[] = "sixteen key byte", secret_nonce[] = "twelve nonce";

static struct hsm_program a_program(void)
{
        struct hsm_program program = { .maximum = 500,
                                       .firmware_id = "BURNED_1",
                                       .is_personalized = true,
                                       .personalization = { "45002001", "SFI", 1, 0 } };

        memcpy(program.key, simulated_key, sizeof(program.key));
        memcpy(program.nonce, simulated_nonce, sizeof(program.nonce));
        return program;
}

/* A blank card whose memory the test looks into. */
static void make_blank(struct holder *holder, unsigned version, struct card_memory *memory)
{
        struct card_settings settings = { .profile = simulated_card_conf(),
                                          .memory = memory,
                                          .license_ms_low = 1000,
                                          .license_ms_high = 2000,
                                          .speed = 1.0,
                                          .seed = 5 };

        *memory = card_memory_blank(version, "SFI", 7);
        simulated_card_destroy(holder->card);
        holder->card = simulated_card_create(&settings);
        assert_int_equal(select_card(holder), 0x9000);
}

static struct apdu personalize_apdu(const struct hsm_program *program)
{
        const struct apdu_values values = { .program = program };

        return simulated_apdu(CARD_PERSONALIZE, &values);
}

static unsigned personalize(struct holder *holder, const struct hsm_program *program)
{
        struct apdu apdu = personalize_apdu(program);

        return status_of(holder, apdu.bytes, apdu.length);
}

static struct hsm_info info_of(struct holder *holder)
{
        struct apdu apdu = simulated_apdu(CARD_INFO, NULL);
        struct hsm_info info;
        int r = transmit(holder, apdu.bytes, apdu.length);

        assert_true(r > 0);
        assert_int_equal(simulated_read_info(holder->answer, (size_t)r, &info), 0);
        return info;
}

static void a_blank_card_is_burned_once(void **state)
{
        struct holder *holder = *state;
        struct hsm_program program = a_program();
        struct card_memory memory;
        struct hsm_info info;

        make_blank(holder, 2, &memory);
        info = info_of(holder);
        assert_int_equal(info.state, HSM_STATE_OEM);
        assert_int_equal(info.counter, 0);
        assert_string_equal(info.firmware_id, "");
        assert_int_equal(personalize(holder, &program), 0x9000);
        assert_int_equal(holder->duration_ns, 2 * NS_PER_S);
        info = info_of(holder);
        assert_int_equal(info.state, HSM_STATE_OPERATIONAL);
        assert_int_equal(info.counter, 500);
        assert_int_equal(info.maximum, 500);
        assert_string_equal(info.firmware_id, "BURNED_1");
        assert_int_equal(license(holder), 0x9000);
        assert_true(opens(holder));
        assert_int_equal(info_of(holder).counter, 499);
        memcpy(program.key, secret_key, sizeof(program.key));
        memcpy(program.nonce, secret_nonce, sizeof(program.nonce));
        assert_int_equal(personalize(holder, &program), 0x6985);
        assert_int_equal(license(holder), 0x9000);
        assert_true(opens(holder)); /* still the first key */
}

static void version_2_is_for_its_product_and_tells_its_flow(void **state)
{
        struct holder *holder = *state;
        struct hsm_program program = a_program();
        struct card_memory memory;

        make_blank(holder, 2, &memory);
        strcpy(program.personalization.product_id, "49202013");
        strcpy(program.personalization.flow, "SFIA");
        assert_int_equal(personalize(holder, &program), 0x9000);
        assert_string_equal(info_of(holder).type, "SFIA");
        assert_int_equal(license(holder), 0x6A80); /* the chip is 45002001 */
        assert_int_equal(memory.counter, 500);
        memcpy(holder->certificate, "49202013", 8);
        assert_int_equal(license(holder), 0x9000);
        assert_int_equal(memory.counter, 499);
        assert_memory_equal(holder->answer, "SFIA", 4);
        assert_true(opens_as(holder, "SFIA"));
        assert_false(opens(holder)); /* as an SFI license */
}

/* Version 1 by its own type, version 2 by what it was personalized for. */
static void a_license_is_of_the_cards_type(void **state)
{
        static const char *const types[] = { "SFI", "SFIA", "SMU", "SSP" };
        static const char *const fields[] = { "SFI.", "SFIA", "SMU.", "SSP." };
        struct holder *holder = *state;
        struct hsm_program program = a_program();
        struct card_memory memory;

        program.maximum = 5;
        for (unsigned i = 0; i < LENGTH_OF(types); i++) {
                for (unsigned version = 1; version <= 2; version++) {
                        make_blank(holder, version, &memory);
                        card_memory_pad(types[version == 1 ? i : 0], memory.type);
                        strcpy(program.personalization.flow, types[i]);
                        assert_int_equal(personalize(holder, &program), 0x9000);
                        assert_string_equal(info_of(holder).type, types[i]);
                        assert_int_equal(license(holder), 0x9000);
                        assert_memory_equal(holder->answer, fields[i], 4);
                        for (unsigned k = 0; k < LENGTH_OF(types); k++)
                                assert_int_equal(opens_as(holder, types[k]), k == i);
                        assert_true(opens_as(holder, NULL));
                }
        }
        strcpy(program.personalization.flow, "SFX"); /* no type of a license */
        make_blank(holder, 2, &memory);
        assert_int_equal(personalize(holder, &program), 0x6A80);
}

static void version_1_ignores_a_personalization_and_knows_its_list(void **state)
{
        static const char *const known[] = { "46201002", "45002001", "47201003", "49701005" };
        struct holder *holder = *state;
        struct hsm_program program = a_program();
        struct card_memory memory;

        make_blank(holder, 1, &memory);
        strcpy(program.personalization.product_id, "49202013");
        assert_int_equal(personalize(holder, &program), 0x9000);
        for (unsigned i = 0; i < LENGTH_OF(known); i++) {
                memcpy(holder->certificate, known[i], 8);
                assert_int_equal(license(holder), 0x9000);
        }
        memcpy(holder->certificate, "49202013", 8);
        assert_int_equal(license(holder), 0x6A80);
        assert_int_equal(memory.counter, 496);
        assert_string_equal(info_of(holder).type, "SFI");
        make_blank(holder, 1, &memory);
        program.is_personalized = false;
        assert_int_equal(personalize(holder, &program), 0x9000);
        make_blank(holder, 2, &memory);
        assert_int_equal(personalize(holder, &program), 0x6700); /* version 2 needs it */
}

static unsigned spoiled(struct holder *holder, void (*spoil)(struct hsm_program *))
{
        struct hsm_program program = a_program();
        struct card_memory memory, blank = card_memory_blank(2, "SFI", 7);
        unsigned status;

        make_blank(holder, 2, &memory);
        spoil(&program);
        status = personalize(holder, &program);
        assert_memory_equal(&memory, &blank, sizeof(memory)); /* not a byte was written */
        return status;
}

static void no_licenses(struct hsm_program *program)
{
        program->maximum = 0;
}

static void above_ceiling(struct hsm_program *program)
{
        program->maximum = 10001;
}

static void no_name(struct hsm_program *program)
{
        program->firmware_id[0] = '\0';
}

static void bad_name(struct hsm_program *program)
{
        program->firmware_id[3] = '\n';
}

static void bad_product(struct hsm_program *program)
{
        program->personalization.product_id[7] = 'x';
}

static void bad_flow(struct hsm_program *program)
{
        program->personalization.flow[0] = 'x';
}

static void bad_version(struct hsm_program *program)
{
        program->personalization.license_version = 2;
}

static void data_that_cannot_be_burned_is_refused_whole(void **state)
{
        struct holder *holder = *state;
        struct hsm_program program = a_program();
        struct card_memory memory;
        struct apdu apdu;

        assert_int_equal(spoiled(holder, no_licenses), 0x6A80);
        assert_int_equal(spoiled(holder, above_ceiling), 0x6A84);
        assert_int_equal(spoiled(holder, no_name), 0x6A80);
        assert_int_equal(spoiled(holder, bad_name), 0x6A80);
        assert_int_equal(spoiled(holder, bad_product), 0x6A80);
        assert_int_equal(spoiled(holder, bad_flow), 0x6A80);
        assert_int_equal(spoiled(holder, bad_version), 0x6A80);
        make_blank(holder, 2, &memory);
        apdu = personalize_apdu(&program);
        apdu.bytes[5 + 15] = 1; /* the last byte of the IV */
        assert_int_equal(status_of(holder, apdu.bytes, apdu.length), 0x6A80);
        apdu.bytes[4] = 87;
        assert_int_equal(status_of(holder, apdu.bytes, apdu.length - 1), 0x6700);
        simulated_card_set_state(holder->card, HSM_STATE_ST);
        assert_int_equal(personalize(holder, &program), 0x6985);
}

/* Power goes away in the middle of every write in turn: blank, until the last makes it whole. */
static void lost_power_leaves_it_blank_or_whole(void **state)
{
        struct holder *holder = *state;
        struct hsm_program program = a_program();
        struct card_memory memory, parsed;
        struct apdu apdu;
        unsigned cut = 0;

        apdu = personalize_apdu(&program);
        for (;; cut++) {
                make_blank(holder, 2, &memory);
                simulated_card_cut(holder->card, cut);
                if (transmit(holder, apdu.bytes, apdu.length) >= 0)
                        break;
                assert_int_equal(transmit(holder, apdu.bytes, apdu.length), -1); /* no power */
                /* what another card reader finds is a card, blank, that can still be burned */
                assert_int_equal(card_memory_parse("m", &memory, sizeof(memory), &parsed), 0);
                simulated_card_reset(holder->card);
                assert_int_equal(select_card(holder), 0x9000);
                assert_int_equal(info_of(holder).state, HSM_STATE_OEM);
                assert_int_equal(info_of(holder).counter, 0);
                assert_string_equal(info_of(holder).firmware_id, "");
                assert_int_equal(license(holder), 0x6985);
                assert_int_equal(personalize(holder, &program), 0x9000);
                assert_int_equal(license(holder), 0x9000);
                assert_true(opens(holder));
        }
        assert_int_equal(cut, 10); /* nine fields and the state */
        assert_int_equal(info_of(holder).state, HSM_STATE_OPERATIONAL);
        assert_int_equal(license(holder), 0x9000);
        assert_true(opens(holder));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(it_tells_who_it_is),
                T(a_license_opens_on_its_chip_only_and_costs_one),
                T(two_licenses_differ_and_the_same_seed_repeats_them),
                T(at_zero_there_is_no_license),
                T(a_card_that_is_not_operational_issues_none),
                T(a_bad_certificate_costs_nothing),
                T(malformed_commands_are_refused_by_name),
                T(nothing_works_before_select),
                T(a_dead_card_says_nothing),
                T(a_mislicense_is_sound_and_useless_once),
                T(a_faster_bench_makes_a_faster_card),
                T(a_blank_card_is_burned_once),
                T(version_2_is_for_its_product_and_tells_its_flow),
                T(a_license_is_of_the_cards_type),
                T(version_1_ignores_a_personalization_and_knows_its_list),
                T(data_that_cannot_be_burned_is_refused_whole),
                T(lost_power_leaves_it_blank_or_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
