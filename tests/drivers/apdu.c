/* What is said and read by a card profile: every way of writing, commands of several steps. */
#include "tests/drivers/card_texts.h"

#include "drivers/apdu.h"
#include "scheduler/bytes.h"

#include <ctype.h>

/* --- what is said -------------------------------------------------------------------------- */

static void is_built(const char *text, enum card_command command, const struct apdu_values *values,
                     const char *wanted)
{
        static struct card_profile profile;
        char found[2 * APDU_MAX + 1], joined[2 * APDU_MAX + 1];
        struct apdu apdu;
        size_t count = 0;

        parse_good(text, &profile);
        apdu_build(&profile, command, 0, values, &apdu);
        for (; *wanted; wanted++)
                if (!isspace((unsigned char)*wanted))
                        joined[count++] = *wanted;
        joined[count] = '\0';
        assert_string_equal(hex_encode(apdu.bytes, apdu.length, found), joined);
}

static void a_template_becomes_bytes(void **state)
{
        static const char select[] = "00A40400{aid}";
        struct hsm_program program = { .key = "sixteen key byte",
                                       .nonce = "twelve nonce",
                                       .maximum = 0x01020304,
                                       .firmware_id = "B",
                                       .is_personalized = true,
                                       .personalization = { "45002001", "SFI", 1, 0x0A0B0C0D } };
        const struct apdu_values values = { .program = &program };

        (void)state;
        is_built(good, CARD_SELECT, NULL, "00A40400 05 F001020304");
        is_built(with(select, "00 a4 04 00"), CARD_SELECT, NULL, "00A40400");
        is_built(with(select, "00A40400 le"), CARD_SELECT, NULL, "00A4040000");
        is_built(with(select, "00A40400 le 20"), CARD_SELECT, NULL, "00A4040020");
        is_built(with(select, "00A40400 4F05{aid}00 le 20"), CARD_SELECT, NULL,
                 "00A40400 08 4F05 F001020304 00 20");
        is_built(good, CARD_PERSONALIZE, &values,
                 "80300ABC 4D 7477656C7665206E6F6E6365 7369787465656E206B65792062797465 7F 04030201"
                 "42000000000000000000000000000000 00000000000000000000000000000000"
                 "3435303032303031 5346492E");
        program.is_personalized = false;
        is_built(good, CARD_PERSONALIZE, &values,
                 "80300ABC 41 7477656C7665206E6F6E6365 7369787465656E206B65792062797465 7F 04030201"
                 "42000000000000000000000000000000 00000000000000000000000000000000");
}

/* --- what is read -------------------------------------------------------------------------- */

/* A good answer to `good`'s info. */
static void fill(uint8_t answer[static 42])
{
        memset(answer, 0xEE, 42); /* in the gaps anything may stand */
        answer[0] = 0x0F;
        answer[1] = '2';
        memcpy(answer + 2, "\x10\x27\x00", 3);
        memcpy(answer + 5, "SFI", 3);
        memcpy(answer + 8, "BLINKY 1\0\0\0\0", 12);
        memcpy(answer + 20, "\x01\x23\xCD\xEF", 4);
        memcpy(answer + 30, "\x9F\x7F", 2);
        memcpy(answer + 40, "\x90\x00", 2);
}

static int read_info(const struct card_profile *profile, const uint8_t *answer, size_t length,
                     struct hsm_info *ret_info)
{
        struct apdu_facts facts = { 0 };
        int r = apdu_read(profile, CARD_INFO, 0, answer, length, &facts);

        if (r >= 0)
                r = apdu_check_info(profile, &facts);
        *ret_info = facts.info;
        return r;
}

static void every_way_of_writing_is_read(void **state)
{
        static struct card_profile profile;
        uint8_t answer[42];
        struct hsm_info info;

        (void)state;
        parse_good(good, &profile);
        fill(answer);
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OPERATIONAL);
        assert_int_equal(info.version, 2);
        assert_int_equal(info.counter, 10000);
        assert_int_equal(info.maximum, 0); /* not told, and so not above */
        assert_string_equal(info.type, "SFI");
        assert_string_equal(info.firmware_id, "BLINKY 1");
        assert_string_equal(info.serial, "0123CDEF");
        answer[0] = 0x07;
        answer[7] = ' ';
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OEM);
        assert_string_equal(info.type, "SF");
        answer[0] = 0x00;
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.state, HSM_STATE_UNKNOWN);
        fill(answer);
        parse_good(with("length = 3; as = \"little\"", "length = 3; as = \"big\""), &profile);
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.counter, 0x102700);
        parse_good(with("length = 3; as = \"little\"", "length = 3; as = \"decimal\""), &profile);
        assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD, "its counter is no number");
        memcpy(answer + 2, "042", 3);
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.counter, 42);
        parse_good(with("offset = 5; length = 3; as = \"text\"; pad = 0x20",
                        "offset = 5; length = 1; as = \"values\"; values = ( { bytes = \"53\"; "
                        "means = \"SSP\"; } )"),
                   &profile);
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_string_equal(info.type, "SSP");
        answer[5]++;
        assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD, "its type is not a known");
        parse_good(with("offset = 1; length = 1; as = \"decimal\"",
                        "offset = 1; length = 1; as = \"values\"; values = ( { bytes = \"A1\"; "
                        "means = \"1\"; } )"),
                   &profile);
        fill(answer);
        answer[1] = 0xA1;
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.version, 1);
        answer[1] = 0xA2;
        assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD, "neither 1 nor 2");
}

static void an_answer_against_the_rules_is_not_believed(void **state)
{
        static const struct {
                unsigned offset;
                uint8_t value;
                const char *words;
        } cases[] = {
                { 1, '3', "its version is neither 1 nor 2 (offset 1)" },
                { 1, 0, "its version" },
                { 5, 0, "its type" },
                { 9, 0x1F, "its firmware identifier is not printable text (offset 8)" },
                { 12, 0, "its firmware identifier" }, /* a zero, then more text */
                { 31, 0, "other bytes where the profile has a constant (offset 30)" },
                { 41, 1, "status 9001 (the profile has no row for it)" },
        };
        static struct card_profile profile;
        uint8_t answer[258];
        struct hsm_info info;

        (void)state;
        parse_good(good, &profile);
        for (unsigned i = 0; i < LENGTH_OF(cases); i++) {
                fill(answer);
                answer[cases[i].offset] = cases[i].value;
                assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD, cases[i].words);
                assert_string_equal(info.serial, ""); /* all or nothing */
        }
        for (size_t length = 0; length <= sizeof(answer); length++) {
                fill(answer);
                if (length == 42)
                        continue;
                if (length >= 2)
                        memcpy(answer + length - 2, "\x90\x00", 2);
                assert_int_equal(read_info(&profile, answer, length, &info), -FAULT_CARD_DEAD);
        }
        fill(answer);
        memset(answer + 8, 0, 12);
        assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD,
                     "operational without a firmware identifier");
}

static void a_status_is_looked_up_in_its_command_then_for_all(void **state)
{
        static const struct {
                uint16_t status;
                enum card_command command;
                enum fault code;
        } cases[] = {
                { 0x6A88, CARD_INFO, FAULT_CARD_REFUSED },    /* its own */
                { 0x6A88, CARD_LICENSE, FAULT_CARD_DEAD },    /* no row */
                { 0x67FF, CARD_LICENSE, FAULT_CARD_REFUSED }, /* x fits all */
                { 0x6800, CARD_LICENSE, FAULT_CARD_DEAD },
                { 0x6800, CARD_SELECT, FAULT_CARD_REFUSED }, /* otherwise */
                { 0x9001, CARD_PERSONALIZE, FAULT_CARD_DEAD },
        };
        static struct card_profile profile;
        struct apdu_facts facts = { 0 };

        (void)state;
        parse_good(good, &profile);
        for (unsigned i = 0; i < LENGTH_OF(cases); i++) {
                uint8_t answer[] = { (uint8_t)(cases[i].status >> 8), (uint8_t)cases[i].status };

                assert_int_equal(apdu_read(&profile, cases[i].command, 0, answer, 2, &facts),
                                 -(int)cases[i].code);
        }
}

/* --- in several steps --------------------------------------------------------------------- */

/* A reader that answers by its table and notes what it was asked. */
struct scripted {
        struct reader reader; /* first */
        const struct line {
                uint8_t command[4];
                const char *answer; /* hexadecimal */
        } * lines;
        unsigned asked;
        char license[2 * 140 + 1];
        const struct certificate *certificate;
};

static int scripted_connect(struct reader *reader, uint64_t timeout_ns, uint8_t *ret_atr)
{
        (void)reader;
        (void)timeout_ns;
        memcpy(ret_atr, "\x3B\x00", 2);
        return 2;
}

static int scripted_transmit(struct reader *reader, const void *apdu, size_t length,
                             uint8_t *ret_answer)
{
        struct scripted *script = CONTAINER_OF(reader, struct scripted, reader);
        const struct line *line = &script->lines[script->asked++];
        const uint8_t *bytes = apdu;

        assert_true(length >= 4 && line->answer);
        assert_memory_equal(bytes, line->command, 4);
        if (bytes[1] == 0x20)
                assert_memory_equal(bytes + 5, script->certificate->bytes, CERTIFICATE_LENGTH);
        assert_true(hex_decode(line->answer, ret_answer, strlen(line->answer) / 2));
        return (int)strlen(line->answer) / 2;
}

static void scripted_disconnect(struct reader *reader)
{
        (void)reader;
}

static const struct reader_operations scripted_operations = {
        .connect = scripted_connect,
        .transmit = scripted_transmit,
        .disconnect = scripted_disconnect,
        .close = scripted_disconnect,
};

static int speak_in_steps(void *subject)
{
        static struct card_profile profile;
        static char license_answer[2 * 140 + 1];
        const struct line lines[] = {
                { { 0x00, 0xA4, 4, 0 }, "6F009000" },
                { { 0x80, 0xCA, 0x9F, 0x7F }, "9F7FABCD020203FF9000" },
                { { 0x80, 0xCA, 0, 1 }, "01F400009000" },
                { { 0x80, 0xCA, 0, 2 }, "424C494E4B599000" },
                /* a blank one */
                { { 0x80, 0xCA, 0x9F, 0x7F }, "9F7FABCD010201FF9000" },
                { { 0x80, 0xCA, 0, 1 }, "6985" },
                { { 0x80, 0xCA, 0, 2 }, "9000" },
                /* one that says it is operational and has no counter to tell */
                { { 0x80, 0xCA, 0x9F, 0x7F }, "9F7FABCD020201FF9000" },
                { { 0x80, 0xCA, 0, 1 }, "6985" },
                { { 0x80, 0xCA, 0, 2 }, "9000" },
                /* one that has a name, so the counter of 0 would be believed */
                { { 0x80, 0xCA, 0x9F, 0x7F }, "9F7FABCD020201FF9000" },
                { { 0x80, 0xCA, 0, 1 }, "6985" },
                { { 0x80, 0xCA, 0, 2 }, "424C494E4B599000" },
                /* licenses: whole, at zero, and lost between the two */
                { { 0x80, 0x20, 0, 0 }, "618A" },
                { { 0x00, 0xC0, 0, 0 }, license_answer },
                { { 0x80, 0x20, 0, 0 }, "6A88" },
                { { 0x80, 0x20, 0, 0 }, "618A" },
                { { 0x00, 0xC0, 0, 0 }, "6F00" },
                { { 0x80, 0x20, 0, 0 }, "618A" },
                { { 0x00, 0xC0, 0, 0 }, "6D00" }, /* refused, but the license is spent */
                { { 0x80, 0x20, 0, 0 }, "6D00" },
                { { 0x80, 0xCA, 0x9F, 0x7F }, "6D00" },
        };
        struct scripted script = { .reader.operations = &scripted_operations, .lines = lines };
        uint8_t license[LICENSE_LENGTH] = { 0 }, certificate_bytes[CERTIFICATE_LENGTH];
        struct certificate certificate = { 0 };
        struct hsm_info info;

        (void)subject;
        memset(certificate_bytes, 0x5C, sizeof(certificate_bytes));
        memcpy(certificate.bytes, certificate_bytes, sizeof(certificate_bytes));
        script.certificate = &certificate;
        strcpy(license_answer, "8188");
        for (unsigned i = 0; i < LICENSE_LENGTH; i++)
                sprintf(license_answer + 4 + 2 * i, "%02X", i);
        strcat(license_answer, "9000");
        parse_good(in_steps, &profile);
        assert_int_equal(hsm_open(&script.reader, &profile, NS_PER_S), 0);
        assert_int_equal(hsm_info(&script.reader, &profile, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OPERATIONAL);
        assert_int_equal(info.counter, 500);
        assert_string_equal(info.type, "SSP");
        assert_string_equal(info.firmware_id, "BLINKY");
        assert_string_equal(info.serial, "ABCD");
        assert_int_equal(hsm_info(&script.reader, &profile, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OEM);
        assert_int_equal(info.counter, 0);
        assert_string_equal(info.firmware_id, "");
        assert_fault(hsm_info(&script.reader, &profile, &info), CARD_DEAD, "without a firmware");
        assert_fault(hsm_info(&script.reader, &profile, &info), CARD_DEAD,
                     "has not the facts of such a card");
        assert_int_equal(hsm_license(&script.reader, &profile, &certificate, license), 0);
        for (unsigned i = 0; i < LICENSE_LENGTH; i++)
                assert_int_equal(license[i], i);
        assert_fault(hsm_license(&script.reader, &profile, &certificate, license), CARD_EMPTY,
                     "LICENSE (exchange 1) with status 6A88");
        assert_fault(hsm_license(&script.reader, &profile, &certificate, license), CARD_DEAD,
                     "LICENSE (exchange 2) with status 6F00");
        assert_fault(hsm_license(&script.reader, &profile, &certificate, license), CARD_DEAD,
                     "LICENSE (exchange 2) with status 6D00");
        assert_fault(hsm_license(&script.reader, &profile, &certificate, license), CARD_REFUSED,
                     "LICENSE (exchange 1) with status 6D00");
        assert_fault(hsm_info(&script.reader, &profile, &info), CARD_REFUSED,
                     "INFO (exchange 1) with status 6D00");
        assert_int_equal(script.asked, LENGTH_OF(lines));
        return 0;
}

static void a_card_of_several_steps_is_described_without_code(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, speak_in_steps, NULL), 0);
}

/* What a version-1 card does not take is not sent to it. */
static int burn_in_steps(void *subject)
{
        static struct card_profile profile;
        static const struct line lines[] = {
                { { 0x80, 0x30, 0, 0 }, "9000" }, { { 0x80, 0x32, 0, 0 }, "9000" },
                { { 0x80, 0x30, 0, 0 }, "9000" }, { { 0x80, 0x31, 0, 0 }, "9000" },
                { { 0x80, 0x32, 0, 0 }, "9000" }, { { 0x80, 0x30, 0, 0 }, "9000" },
                { { 0x80, 0x31, 0, 0 }, "6D00" },
        };
        static char text[8192];
        struct scripted script = { .reader.operations = &scripted_operations, .lines = lines };
        struct hsm_program program = { .firmware_id = "B", .maximum = 1 };

        (void)subject;
        snprintf(text, sizeof(text), "%s%s", in_steps, burned_in_steps);
        parse_good(text, &profile);
        assert_int_equal(hsm_personalize(&script.reader, &profile, &program), 0);
        program.is_personalized = true;
        assert_int_equal(hsm_personalize(&script.reader, &profile, &program), 0);
        assert_fault(hsm_personalize(&script.reader, &profile, &program), CARD_DEAD,
                     "PERSONALIZE (exchange 2) with status 6D00");
        assert_int_equal(script.asked, LENGTH_OF(lines));
        return 0;
}

static void a_personalization_is_sent_only_when_there_is_one(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, burn_in_steps, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_template_becomes_bytes),
                cmocka_unit_test(every_way_of_writing_is_read),
                cmocka_unit_test(an_answer_against_the_rules_is_not_believed),
                cmocka_unit_test(a_status_is_looked_up_in_its_command_then_for_all),
                cmocka_unit_test(a_card_of_several_steps_is_described_without_code),
                cmocka_unit_test(a_personalization_is_sent_only_when_there_is_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
