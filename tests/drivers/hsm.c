/* The conversation with a card: bytes built, answers parsed, trouble named. */
#include "tests/support/fake_card.h"
#include "tests/support/test.h"

#include "drivers/apdu.h"
#include "scheduler/bytes.h"

#include <stdio.h>

/* --- pure: APDUs --------------------------------------------------------------------------- */

static struct apdu build(enum card_command command, const struct apdu_values *values)
{
        struct apdu apdu;

        apdu_build(fake_profile(), command, 0, values, &apdu);
        return apdu;
}

static int read_info(const uint8_t *answer, size_t length, struct hsm_info *ret_info)
{
        struct apdu_facts facts = { .info = *ret_info };
        int r = apdu_read(fake_profile(), CARD_INFO, 0, answer, length, &facts);

        if (r >= 0)
                r = apdu_check_info(fake_profile(), &facts);
        if (r >= 0)
                *ret_info = facts.info;
        return r;
}

static int read_other(enum card_command command, const uint8_t *answer, size_t length,
                      struct apdu_facts *facts)
{
        return apdu_read(fake_profile(), command, 0, answer, length, facts);
}

static void commands_are_built_byte_for_byte(void **state)
{
        struct certificate certificate;
        struct apdu apdu = build(CARD_SELECT, NULL);

        (void)state;
        assert_int_equal(apdu.length, 10);
        assert_memory_equal(apdu.bytes, "\x00\xA4\x04\x00\x05\xF0\x01\x02\x03\x04", 10);
        apdu = build(CARD_INFO, NULL);
        assert_int_equal(apdu.length, 5);
        assert_memory_equal(apdu.bytes, "\x80\x10\x00\x00\x00", 5);
        fake_certificate(7, &certificate);
        apdu = build(CARD_LICENSE, &(struct apdu_values){ .certificate = certificate.bytes });
        assert_int_equal(apdu.length, 5 + 136 + 1);
        assert_memory_equal(apdu.bytes, "\x80\x20\x00\x00\x88", 5);
        assert_memory_equal(apdu.bytes + 5, certificate.bytes, 136);
        assert_int_equal(apdu.bytes[141], 0);
}

/* A good INFO answer, 54 bytes and status. */
static void info_answer(uint8_t answer[static 56])
{
        memset(answer, 0, 56);
        answer[0] = 2;
        answer[1] = 2;
        store_be32(answer + 2, 499);
        store_be32(answer + 6, 500);
        memcpy(answer + 10, "SFI.", 4);
        memcpy(answer + 14, "BLINKY 1", 8);
        memcpy(answer + 46, "\x01\x23\x45\x67\x89\xAB\xCD\xEF", 8);
        answer[54] = 0x90;
}

static void every_field_of_info_is_read(void **state)
{
        struct hsm_info info;
        uint8_t answer[56];

        (void)state;
        info_answer(answer);
        assert_int_equal(read_info(answer, 56, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OPERATIONAL);
        assert_int_equal(info.version, 2);
        assert_int_equal(info.counter, 499);
        assert_int_equal(info.maximum, 500);
        assert_string_equal(info.type, "SFI");
        assert_string_equal(info.firmware_id, "BLINKY 1");
        assert_string_equal(info.serial, "0123456789ABCDEF");
        memcpy(answer + 10, "SFIA", 4);
        answer[0] = 9;
        memset(answer + 14, 'x', 32); /* the field full, no zero at its end */
        assert_int_equal(read_info(answer, 56, &info), 0);
        assert_string_equal(info.type, "SFIA");
        assert_int_equal(info.state, HSM_STATE_UNKNOWN);
        assert_int_equal(strlen(info.firmware_id), 32);
}

/* offset, value, words of the sentence */
static const struct {
        unsigned offset;
        uint8_t value;
        const char *words;
} malformed[] = {
        { 1, 0, "version" },
        { 1, 3, "version" },
        { 2, 1, "above its maximum" },
        { 10, 0x1F, "type" },
        { 13, 0, "type" },
        { 14, 0, "firmware identifier" },
        { 15, 0x0A, "firmware identifier" },
        { 16, 0x80, "firmware identifier" },
        { 45, 'x', "firmware identifier" },
};

static void a_malformed_info_is_named(void **state)
{
        struct hsm_info info = { .counter = 77 };
        uint8_t answer[57] = { 0 };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(malformed); i++) {
                info_answer(answer);
                answer[malformed[i].offset] = malformed[i].value;
                assert_fault(read_info(answer, 56, &info), CARD_DEAD, malformed[i].words);
        }
        info_answer(answer);
        memset(answer + 10, '.', 4);
        assert_fault(read_info(answer, 56, &info), CARD_DEAD, "type");
        info_answer(answer);
        memset(answer + 14, 0, 32);
        assert_fault(read_info(answer, 56, &info), CARD_DEAD,
                     "operational without a firmware identifier");
        answer[0] = 0; /* a blank card has none */
        assert_int_equal(read_info(answer, 56, &info), 0);
        info_answer(answer);
        info.counter = 77;
        for (size_t length = 0; length < 57; length++) {
                memmove(answer + 54, "\x90\x00", 2);
                if (length == 56)
                        continue;
                if (length >= 2)
                        memcpy(answer + length - 2, "\x90\x00", 2);
                assert_int_equal(read_info(answer, length, &info), -FAULT_CARD_DEAD);
        }
        assert_int_equal(info.counter, 77); /* written on success only */
        assert_fault(read_info((const uint8_t[]){ 0x6D, 0x00 }, 2, &info), CARD_REFUSED,
                     "6D00 (unknown instruction)");
}

/* Nothing spent, or perhaps something: what the ledger does next depends on this table. */
static const struct {
        uint16_t status;
        enum fault code;
        const char *words;
} statuses[] = {
        { 0x6A88, FAULT_CARD_EMPTY, "6A88 (counter at zero)" },
        { 0x6985, FAULT_CARD_STATE, "6985 (not operational)" },
        { 0x6A80, FAULT_CARD_REFUSED, "6A80 (certificate refused)" },
        { 0x6D00, FAULT_CARD_REFUSED, "6D00 (unknown instruction)" },
        { 0x6700, FAULT_CARD_REFUSED, "6700 (wrong length)" },
        { 0x6E00, FAULT_CARD_REFUSED, "6E00" },
        { 0x6581, FAULT_CARD_DEAD, "6581 (memory failure)" },
        { 0x6F00, FAULT_CARD_DEAD, "6F00" },
        { 0x9001, FAULT_CARD_DEAD, "9001" },
        { 0x0000, FAULT_CARD_DEAD, "0000" },
};

static void each_status_of_license_has_its_fault(void **state)
{
        uint8_t answer[LICENSE_LENGTH + 3] = { 0 };
        struct apdu_facts facts = { 0 };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(statuses); i++) {
                const uint8_t two[] = { (uint8_t)(statuses[i].status >> 8),
                                        (uint8_t)statuses[i].status };
                int r = read_other(CARD_LICENSE, two, 2, &facts);

                assert_int_equal(r, -(int)statuses[i].code);
                assert_non_null(strstr(fault_sentence(r), statuses[i].words));
        }
        for (size_t length = 0; length <= sizeof(answer); length++) {
                memset(answer, 0x55, sizeof(answer));
                if (length >= 2)
                        memcpy(answer + length - 2, "\x90\x00", 2);
                if (length == LICENSE_LENGTH + 2)
                        assert_int_equal(read_other(CARD_LICENSE, answer, length, &facts), 0);
                else
                        assert_int_equal(read_other(CARD_LICENSE, answer, length, &facts),
                                         -FAULT_CARD_DEAD);
        }
        assert_int_equal(facts.license[135], 0x55);
}

static struct hsm_program a_program(void)
{
        struct hsm_program program = { .key = "sixteen key byte",
                                       .nonce = "twelve nonce",
                                       .maximum = 0x01020304,
                                       .firmware_id = "BLINKY_1",
                                       .is_personalized = true,
                                       .personalization = { "45002001", "SFI", 1, 0x0A0B0C0D } };

        return program;
}

static void personalize_is_built_byte_for_byte(void **state)
{
        struct hsm_program program = a_program();
        uint8_t wanted[93] = { 0x80, 0x30, 0, 0, 88 };
        struct apdu apdu;

        (void)state;
        memcpy(wanted + 5, "twelve nonce\0\0\0\0sixteen key byte\1\2\3\4BLINKY_1", 44);
        memcpy(wanted + 5 + 68, "45002001SFI.\0\0\0\1\x0A\x0B\x0C\x0D", 20);
        apdu = build(CARD_PERSONALIZE, &(struct apdu_values){ .program = &program });
        assert_int_equal(apdu.length, 93);
        assert_memory_equal(apdu.bytes, wanted, 93);
        program.is_personalized = false;
        apdu = build(CARD_PERSONALIZE, &(struct apdu_values){ .program = &program });
        assert_int_equal(apdu.length, 73);
        assert_int_equal(apdu.bytes[4], 68);
        memset(program.firmware_id, 'x', 32); /* the field full */
        apdu = build(CARD_PERSONALIZE, &(struct apdu_values){ .program = &program });
        assert_int_equal(apdu.bytes[5 + 67], 'x');
}

/* Nothing burned, or perhaps everything. */
static const struct {
        uint16_t status;
        enum fault code;
        const char *words;
} burn_statuses[] = {
        { 0x6985, FAULT_CARD_STATE, "the card is locked" },
        { 0x6A80, FAULT_CARD_REFUSED, "6A80 (data refused)" },
        { 0x6A84, FAULT_CARD_REFUSED, "its ceiling" },
        { 0x6700, FAULT_CARD_REFUSED, "6700 (wrong length)" },
        { 0x6D00, FAULT_CARD_REFUSED, "6D00" },
        { 0x6E00, FAULT_CARD_REFUSED, "6E00" },
        { 0x6581, FAULT_CARD_DEAD, "6581 (memory failure)" },
        { 0x9001, FAULT_CARD_DEAD, "9001" },
};

static void each_status_of_personalize_has_its_fault(void **state)
{
        struct apdu_facts facts = { 0 };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(burn_statuses); i++) {
                const uint8_t two[] = { (uint8_t)(burn_statuses[i].status >> 8),
                                        (uint8_t)burn_statuses[i].status };
                int r = read_other(CARD_PERSONALIZE, two, 2, &facts);

                assert_int_equal(r, -(int)burn_statuses[i].code);
                assert_non_null(strstr(fault_sentence(r), burn_statuses[i].words));
        }
        assert_int_equal(read_other(CARD_PERSONALIZE, (const uint8_t[]){ 0x90, 0 }, 2, &facts), 0);
        assert_fault(read_other(CARD_PERSONALIZE, (const uint8_t[]){ 1, 0x90, 0 }, 3, &facts),
                     CARD_DEAD, "1 bytes, expected none");
        assert_fault(read_other(CARD_PERSONALIZE, (const uint8_t[]){ 0x90 }, 1, &facts), CARD_DEAD,
                     "1 byte(s)");
}

static struct hsm_info blank_info(unsigned version)
{
        return (struct hsm_info){ .state = HSM_STATE_OEM,
                                  .version = version,
                                  .type = "SFI",
                                  .serial = "0123456789ABCDEF" };
}

static void a_program_is_held_against_the_card(void **state)
{
        struct card_profile profile = *fake_profile();
        struct hsm_program program = a_program();
        struct hsm_info info = blank_info(2);

        (void)state;
        program.maximum = 1000;
        assert_int_equal(hsm_check_program(&profile, &info, &program), 0);
        program.maximum = 1001;
        assert_fault(hsm_check_program(&profile, &info, &program), BAD_VALUE,
                     "1001 licenses: a card of type SFI takes 1 to 1000");
        program.maximum = 0;
        assert_fault(hsm_check_program(&profile, &info, &program), BAD_VALUE, "0 licenses");
        program.maximum = 11;
        strcpy(info.type, "SSP");
        assert_fault(hsm_check_program(&profile, &info, &program), BAD_VALUE, "1 to 10");
        strcpy(info.type, "SMU");
        assert_fault(hsm_check_program(&profile, &info, &program), BAD_VALUE, "no ceiling");
        strcpy(info.type, "SFI");
        program.is_personalized = false;
        assert_fault(hsm_check_program(&profile, &info, &program), BAD_VALUE, "version 2");
        info.version = 1;
        assert_int_equal(hsm_check_program(&profile, &info, &program), 0);
        info.state = HSM_STATE_ST;
        assert_fault(hsm_check_program(&profile, &info, &program), CARD_STATE, "ST_STATE");
        info.state = HSM_STATE_UNKNOWN;
        assert_fault(hsm_check_program(&profile, &info, &program), CARD_STATE, "UNKNOWN_STATE");
        info.state = HSM_STATE_OPERATIONAL;
        strcpy(info.firmware_id, "OLD_1");
        assert_fault(hsm_check_program(&profile, &info, &program), CARD_STATE,
                     "is locked: it was programmed for 'OLD_1'");
        profile.commands[CARD_PERSONALIZE].count = 0;
        info.state = HSM_STATE_OEM;
        assert_fault(hsm_check_program(&profile, &info, &program), CARD_REFUSED, "not programmed");
}

static void version_1_knows_a_fixed_list(void **state)
{
        struct card_profile profile = *fake_profile();
        struct hsm_info info = blank_info(1);

        (void)state;
        assert_int_equal(hsm_check_product(&profile, &info, "45002001"), 0);
        assert_int_equal(hsm_check_product(&profile, &info, "47201003"), 0);
        assert_fault(hsm_check_product(&profile, &info, "49202013"), CARD_REFUSED,
                     "only for 45002001 47201003");
        info.version = 2;
        assert_int_equal(hsm_check_product(&profile, &info, "49202013"), 0);
        info.version = 1;
        profile.version_1_count = 0;
        assert_int_equal(hsm_check_product(&profile, &info, "49202013"), 0);
}

/* --- on a fiber, with a card --------------------------------------------------------------- */

static int talk(void *subject)
{
        struct fake_card card;
        struct hsm_info info;
        struct certificate certificate;
        uint8_t license[LICENSE_LENGTH];

        (void)subject;
        fake_card_init(&card, 0x0102, 10);
        fake_certificate(1, &certificate);
        assert_int_equal(hsm_open(&card.reader, fake_profile(), NS_PER_S), 0);
        assert_int_equal(hsm_info(&card.reader, fake_profile(), &info), 0);
        assert_int_equal(info.counter, 10);
        assert_string_equal(info.serial, "0000000000000102");
        assert_int_equal(hsm_license(&card.reader, fake_profile(), &certificate, license), 0);
        assert_memory_equal(license, "SFI.", 4);
        assert_int_equal(card.own_counter, 9);
        assert_true(clock_now_ns() >= 1520 * NS_PER_MS);
        return 0;
}

static void a_card_is_opened_asked_and_makes_a_license(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, talk, NULL), 0);
}

static int refuse(void *subject)
{
        struct card_profile profile = *fake_profile();
        struct fake_card card;

        (void)subject;
        fake_card_init(&card, 1, 10);
        card.profile.atr[3] ^= 1;
        assert_fault(hsm_open(&card.reader, &profile, NS_PER_S), REFERENCE_ONLY, "3B024756");
        assert_fault(hsm_open(&card.reader, &profile, NS_PER_S), REFERENCE_ONLY,
                     "a trace of a real card");
        assert_false(card.is_connected);
        assert_int_equal(card.others, 0); /* not a byte was said to it */
        profile.source = SOURCE_DOCUMENT;
        assert_fault(hsm_open(&card.reader, &profile, NS_PER_S), CARD_REFUSED, "3B024756");
        profile.atr_length = 0;
        assert_int_equal(hsm_open(&card.reader, &profile, NS_PER_S), 0);
        fake_card_pull(&card);
        assert_fault(hsm_open(&card.reader, &profile, NS_PER_S), TIMEOUT, NULL);
        assert_int_equal(clock_now_ns(), NS_PER_S);
        return 0;
}

static void a_reference_profile_is_refused_on_another_card(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, refuse, NULL), 0);
}

static int hang(void *subject)
{
        struct fake_card card;
        struct certificate certificate;
        uint8_t license[LICENSE_LENGTH];

        (void)subject;
        fake_card_init(&card, 1, 10);
        card.trouble = FAKE_HANGS;
        card.trouble_at = 1;
        fake_certificate(1, &certificate);
        assert_int_equal(hsm_open(&card.reader, fake_profile(), NS_PER_S), 0);
        assert_fault(hsm_license(&card.reader, fake_profile(), &certificate, license), CARD_DEAD,
                     "the card in fake reader 1 gave no answer within 8000 ms");
        assert_int_equal(clock_now_ns(), 8 * NS_PER_S);
        card.license_ns = 9 * NS_PER_S; /* cancelled before it is ready: no answer */
        assert_fault(hsm_license(&card.reader, fake_profile(), &certificate, license), CARD_DEAD,
                     "8000 ms");
        card.trouble_at = 3;
        card.trouble = FAKE_SHORT;
        card.license_ns = NS_PER_S;
        assert_fault(hsm_license(&card.reader, fake_profile(), &certificate, license), CARD_DEAD,
                     "135 bytes, expected 136");
        return 0;
}

/* Each command has its own limit. */
static int hang_at_info(void *subject)
{
        static struct card_profile profile;
        struct fake_card card;
        struct hsm_info info;

        (void)subject;
        profile = *fake_profile();
        profile.exchanges[profile.commands[CARD_INFO].first].timeout_ms = 700;
        fake_card_init(&card, 1, 10);
        assert_int_equal(hsm_open(&card.reader, &profile, NS_PER_S), 0);
        card.info_ns = 9 * NS_PER_S;
        assert_fault(hsm_info(&card.reader, &profile, &info), CARD_DEAD, "no answer within 700 ms");
        assert_int_equal(clock_now_ns(), 700 * NS_PER_MS);
        return 0;
}

static void a_card_that_hangs_is_dead_after_the_profiles_time(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, hang, NULL), 0);
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, hang_at_info, NULL), 0);
}

static int asked(void *subject)
{
        struct hsm_info info;

        return hsm_info(subject, fake_profile(), &info);
}

static int cancel(void *subject)
{
        struct fake_card card;
        struct fiber *fiber;

        (void)subject;
        fake_card_init(&card, 1, 10);
        card.info_ns = 5 * NS_PER_S;
        assert_int_equal(hsm_open(&card.reader, fake_profile(), NS_PER_S), 0);
        fiber = fiber_spawn("asked", asked, &card.reader);
        assert_int_equal(fiber_sleep_ns(NS_PER_S), 0);
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), -FAULT_CANCELLED);
        assert_int_equal(clock_now_ns(), NS_PER_S);
        return 0;
}

static void a_cancel_cuts_an_exchange_short(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, cancel, NULL), 0);
}

static int program_fake(void *subject)
{
        struct hsm_program program = a_program();
        struct fake_card card;
        struct hsm_info info;

        (void)subject;
        fake_card_init(&card, 1, 10);
        card.state = 1;
        assert_int_equal(hsm_open(&card.reader, fake_profile(), NS_PER_S), 0);
        card.burn_status = 0x6985;
        assert_fault(hsm_personalize(&card.reader, fake_profile(), &program), CARD_STATE,
                     "fake reader 1: the card answered PERSONALIZE with status 6985 (the card is "
                     "locked)");
        card.burn_status = 0;
        assert_int_equal(hsm_personalize(&card.reader, fake_profile(), &program), 0);
        assert_int_equal(hsm_info(&card.reader, fake_profile(), &info), 0);
        assert_int_equal(info.counter, 0x01020304);
        assert_string_equal(info.firmware_id, "BLINKY_1");
        card.burn_status = 1;
        assert_fault(hsm_personalize(&card.reader, fake_profile(), &program), CARD_DEAD, "silent");
        fake_card_pull(&card);
        assert_fault(hsm_personalize(&card.reader, fake_profile(), &program), CARD_DEAD, NULL);
        assert_int_equal(card.burns, 3);
        return 0;
}

static void a_card_is_programmed_over_the_seam(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, program_fake, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_are_built_byte_for_byte),
                cmocka_unit_test(every_field_of_info_is_read),
                cmocka_unit_test(a_malformed_info_is_named),
                cmocka_unit_test(each_status_of_license_has_its_fault),
                cmocka_unit_test(personalize_is_built_byte_for_byte),
                cmocka_unit_test(each_status_of_personalize_has_its_fault),
                cmocka_unit_test(a_program_is_held_against_the_card),
                cmocka_unit_test(version_1_knows_a_fixed_list),
                cmocka_unit_test(a_card_is_programmed_over_the_seam),
                cmocka_unit_test(a_card_is_opened_asked_and_makes_a_license),
                cmocka_unit_test(a_reference_profile_is_refused_on_another_card),
                cmocka_unit_test(a_card_that_hangs_is_dead_after_the_profiles_time),
                cmocka_unit_test(a_cancel_cuts_an_exchange_short),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
