/* A card pulled between any two bytes of each exchange, and any bit of an answer turned over: what
 * the driver says, and what the card holds afterwards. */
#include "tests/support/bench_rig.h"

#include "drivers/simulated/card.h"

#include <stdio.h>

#define LICENSES     2000u
#define ATR          16u /* bytes */
#define SELECT       14u
#define INFO         5u
#define INFO_ANSWER  56u
#define LICENSE      142u
#define LICENSE_TOLD 138u
#define PERSONALIZE  93u
#define STATUS       2u
#define MAXIMUM      500u

struct table {
        struct bench *bench;
        struct reader *reader;
};

static struct table lay(enum hsm_state state)
{
        static struct bench_card_settings card;
        struct bench_settings settings = bench_rig_settings(1);
        struct table table;

        card = settings.cards[0];
        card.state = state;
        card.counter = LICENSES;
        settings.cards = &card;
        assert_int_equal(bench_create(&settings, &table.bench), 0);
        table.reader = bench_reader(table.bench, 0);
        return table;
}

static void clear(struct table *table)
{
        table->reader = reader_close(table->reader);
        table->bench = bench_destroy(table->bench);
}

static int open_card(struct table *table)
{
        return hsm_open(table->reader, simulated_card_conf(), NS_PER_S);
}

static struct hsm_info ask(struct table *table)
{
        struct hsm_info info;

        assert_int_equal(hsm_info(table->reader, simulated_card_conf(), &info), 0);
        return info;
}

/* Put it back, and ask what it holds. */
static struct hsm_info ask_again(struct table *table)
{
        reader_disconnect(table->reader);
        bench_card_insert(table->bench, 0);
        assert_int_equal(open_card(table), 0);
        return ask(table);
}

/* It is gone now, whatever was said before. */
static void assert_gone(struct table *table)
{
        struct hsm_info info;

        assert_fault(hsm_info(table->reader, simulated_card_conf(), &info), NO_CARD,
                     "no card in virtual card 1");
        reader_disconnect(table->reader);
        assert_fault(open_card(table), TIMEOUT, "no card came into virtual card 1");
}

static struct certificate chip(uint8_t ret_secret[static PRIVATE_KEY_LENGTH])
{
        uint8_t seed[32] = { 7 }, bytes[CERTIFICATE_LENGTH];
        struct certificate certificate;

        memset(bytes, 1, sizeof(bytes));
        memcpy(bytes, "45002001", 8);
        license_chip_key(seed, ret_secret, bytes + 8);
        assert_int_equal(certificate_parse(bytes, sizeof(bytes), NULL, &certificate), 0);
        return certificate;
}

static bool opens(const uint8_t license[static LICENSE_LENGTH], const uint8_t *secret)
{
        uint8_t key[GCM_KEY_LENGTH], nonce[SFI_NONCE_LENGTH];

        return license_open(license, NULL, secret, key, nonce) == 0;
}

static struct hsm_program a_program(void)
{
        struct hsm_program program = { .maximum = MAXIMUM,
                                       .firmware_id = "BURNED_1",
                                       .is_personalized = true,
                                       .personalization = { "45002001", "SFI", 1, 0 } };

        memcpy(program.key, simulated_key, sizeof(program.key));
        memcpy(program.nonce, simulated_nonce, sizeof(program.nonce));
        return program;
}

static void on_fiber(int (*procedure)(void *subject))
{
        IGNORE(simulated_card_conf()->name[0]); /* read before there is a loop */
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, NULL), 0);
}

/* --- pulled -------------------------------------------------------------------------------- */

static int pull_at_opening(void *subject)
{
        struct table table = lay(HSM_STATE_OPERATIONAL);
        unsigned whole = ATR + SELECT + STATUS;

        (void)subject;
        for (unsigned bytes = 0; bytes < whole; bytes++) {
                bench_card_pull_after(table.bench, 0, bytes);
                assert_fault(open_card(&table), NO_CARD, "no card in virtual card 1");
                assert_int_equal(ask_again(&table).counter, LICENSES);
                reader_disconnect(table.reader);
        }
        bench_card_pull_after(table.bench, 0, whole);
        assert_int_equal(open_card(&table), 0);
        assert_gone(&table);
        assert_int_equal(ask_again(&table).counter, LICENSES);
        clear(&table);
        return 0;
}

static void pulled_while_it_is_opened_nothing_happened(void **state)
{
        (void)state;
        on_fiber(pull_at_opening);
}

static int pull_at_info(void *subject)
{
        struct table table = lay(HSM_STATE_OPERATIONAL);
        struct hsm_info info = { .counter = 77 };

        (void)subject;
        assert_int_equal(open_card(&table), 0);
        for (unsigned bytes = 0; bytes < INFO + INFO_ANSWER; bytes++) {
                bench_card_pull_after(table.bench, 0, bytes);
                assert_fault(hsm_info(table.reader, simulated_card_conf(), &info), NO_CARD,
                             "no card in virtual card 1");
                assert_int_equal(info.counter, 77); /* half an answer is none */
                assert_int_equal(ask_again(&table).counter, LICENSES);
        }
        bench_card_pull_after(table.bench, 0, INFO + INFO_ANSWER);
        assert_int_equal(ask(&table).counter, LICENSES);
        assert_gone(&table);
        clear(&table);
        return 0;
}

static void pulled_while_it_is_asked_nothing_happened(void **state)
{
        (void)state;
        on_fiber(pull_at_info);
}

static int pull_at_license(void *subject)
{
        struct table table = lay(HSM_STATE_OPERATIONAL);
        uint8_t secret[PRIVATE_KEY_LENGTH], license[LICENSE_LENGTH], none[LICENSE_LENGTH] = { 0 };
        struct certificate certificate = chip(secret);
        unsigned spent = 0, bytes;

        (void)subject;
        assert_int_equal(open_card(&table), 0);
        for (bytes = 0; bytes < LICENSE + LICENSE_TOLD; bytes++) {
                memset(license, 0, sizeof(license));
                bench_card_pull_after(table.bench, 0, bytes);
                assert_fault(
                        hsm_license(table.reader, simulated_card_conf(), &certificate, license),
                        NO_CARD, "no card in virtual card 1");
                assert_memory_equal(license, none, sizeof(license)); /* not a piece of one */
                spent += bytes >= LICENSE;                           /* the whole command was in */
                assert_int_equal(ask_again(&table).counter, LICENSES - spent);
        }
        assert_int_equal(spent, LICENSE_TOLD);
        bench_card_pull_after(table.bench, 0, bytes);
        assert_int_equal(hsm_license(table.reader, simulated_card_conf(), &certificate, license),
                         0);
        assert_true(opens(license, secret));
        assert_gone(&table);
        assert_int_equal(ask_again(&table).counter, LICENSES - spent - 1);
        clear(&table);
        return 0;
}

static void pulled_in_the_command_no_license_is_spent_and_in_the_answer_one_is(void **state)
{
        (void)state;
        on_fiber(pull_at_license);
}

static int pull_at_personalize(void *subject)
{
        struct hsm_program program = a_program();

        (void)subject;
        for (unsigned bytes = 0; bytes <= PERSONALIZE + STATUS; bytes++) {
                struct table table = lay(HSM_STATE_OEM);
                struct hsm_info info;
                bool is_told = bytes == PERSONALIZE + STATUS;
                int r;

                assert_int_equal(open_card(&table), 0);
                bench_card_pull_after(table.bench, 0, bytes);
                r = hsm_personalize(table.reader, simulated_card_conf(), &program);
                if (is_told)
                        assert_int_equal(r, 0);
                else
                        assert_fault(r, NO_CARD, "no card in virtual card 1");
                assert_gone(&table);
                info = ask_again(&table);
                if (bytes < PERSONALIZE) { /* blank as before, and it can still be burned */
                        assert_int_equal(info.state, HSM_STATE_OEM);
                        assert_string_equal(info.firmware_id, "");
                        assert_int_equal(
                                hsm_personalize(table.reader, simulated_card_conf(), &program), 0);
                        info = ask(&table);
                }
                assert_int_equal(info.state, HSM_STATE_OPERATIONAL);
                assert_int_equal(info.counter, MAXIMUM);
                assert_string_equal(info.firmware_id, "BURNED_1");
                assert_fault(hsm_personalize(table.reader, simulated_card_conf(), &program),
                             CARD_STATE, "the card is locked");
                clear(&table);
        }
        return 0;
}

static void pulled_while_it_is_burned_it_is_blank_or_whole(void **state)
{
        (void)state;
        on_fiber(pull_at_personalize);
}

/* --- a bit turned over --------------------------------------------------------------------- */

static int flip_opening(void *subject)
{
        struct table table = lay(HSM_STATE_OPERATIONAL);
        uint8_t atr[ATR_MAX], answer[APDU_ANSWER_MAX];
        struct apdu select = simulated_apdu(CARD_SELECT, NULL);

        (void)subject;
        for (unsigned bit = 0; bit < 8 * ATR; bit++) {
                bench_card_flip(table.bench, 0, bit);
                assert_fault(open_card(&table), REFERENCE_ONLY, "virtual card 1");
        }
        for (unsigned bit = 0; bit < 8 * STATUS; bit++) {
                struct apdu_facts facts = { 0 };
                int r;

                assert_int_equal(reader_connect(table.reader, NS_PER_S, atr), ATR);
                bench_card_flip(table.bench, 0, bit);
                r = reader_transmit(table.reader, select.bytes, select.length, answer);
                assert_int_equal(r, STATUS);
                assert_fault(
                        apdu_read(simulated_card_conf(), CARD_SELECT, 0, answer, STATUS, &facts),
                        CARD_REFUSED, "SELECT");
        }
        assert_int_equal(open_card(&table), 0);
        clear(&table);
        return 0;
}

static void a_wrong_answer_to_reset_or_select_is_no_card_of_ours(void **state)
{
        (void)state;
        on_fiber(flip_opening);
}

/* The fields of INFO's answer, in their order. */
enum {
        IN_STATE,
        IN_VERSION,
        IN_COUNTER,
        IN_MAXIMUM,
        IN_TYPE,
        IN_NAME,
        IN_SERIAL,
        IN_STATUS,
        FIELDS
};
static const unsigned ends[FIELDS] = { 1, 2, 6, 10, 14, 46, 54, 56 };
static const char *const field_names[FIELDS] = { "state", "version",     "counter", "maximum",
                                                 "type",  "firmware id", "serial",  "status" };

static unsigned field_of(unsigned byte)
{
        unsigned field = 0;

        while (byte >= ends[field])
                field++;
        return field;
}

/* Only the field of the flipped bit may be another one, and it must be. */
static void assert_one_differs(const struct hsm_info *found, const struct hsm_info *is,
                               unsigned field)
{
        assert_int_equal(found->state != is->state, field == IN_STATE);
        assert_int_equal(found->version != is->version, field == IN_VERSION);
        assert_int_equal(found->counter != is->counter, field == IN_COUNTER);
        assert_int_equal(found->maximum != is->maximum, field == IN_MAXIMUM);
        assert_int_equal(strcmp(found->type, is->type) != 0, field == IN_TYPE);
        assert_int_equal(strcmp(found->firmware_id, is->firmware_id) != 0, field == IN_NAME);
        assert_int_equal(strcmp(found->serial, is->serial) != 0, field == IN_SERIAL);
}

/* What can be known is refused: a version that does not exist, a counter above its maximum, a text
 * that is none, any other status. What cannot be known from one answer, since it is as well formed
 * as the right one: a lower counter, a higher maximum, another serial, name or type. State, name and
 * type of such a card are not what was wanted, so it is not used and nothing is lost; a counter or
 * serial is asked for again (the desk does when a card is idle). Below, T=0 has a parity bit a byte
 * and T=1 a check a block (ISO/IEC 7816-3, 7.3 and 11.3.4), so a bit turned over on the contacts
 * does not come this far. */
static int flip_info(void *subject)
{
        struct table table = lay(HSM_STATE_OPERATIONAL);
        unsigned believed[FIELDS] = { 0 }, refused[FIELDS] = { 0 };
        struct hsm_info is, found;

        (void)subject;
        assert_int_equal(open_card(&table), 0);
        is = ask(&table);
        for (unsigned bit = 0; bit < 8 * INFO_ANSWER; bit++) {
                unsigned field = field_of(bit / 8);
                int r;

                bench_card_flip(table.bench, 0, bit);
                r = hsm_info(table.reader, simulated_card_conf(), &found);
                assert_true(r == 0 || r == -FAULT_CARD_DEAD || r == -FAULT_CARD_REFUSED);
                refused[field] += r < 0;
                believed[field] += r == 0;
                if (r < 0)
                        continue;
                assert_one_differs(&found, &is, field);
                assert_true(found.counter <= found.maximum);
                assert_true(field == IN_STATE || found.state == HSM_STATE_OPERATIONAL);
        }
        for (unsigned i = 0; i < FIELDS; i++)
                print_message("# %s: %u refused, %u believed\n", field_names[i], refused[i],
                              believed[i]);
        assert_int_equal(believed[IN_VERSION] + believed[IN_STATUS], 0);
        assert_int_equal(refused[IN_STATE] + refused[IN_SERIAL], 0);
        assert_true(refused[IN_COUNTER] > believed[IN_COUNTER]);
        assert_int_equal(ask(&table).counter, LICENSES);
        clear(&table);
        return 0;
}

static void a_wrong_info_is_refused_or_differs_in_one_field(void **state)
{
        (void)state;
        on_fiber(flip_info);
}

/* Whether a license is right only its chip can tell: the tag covers every byte of it. Every attempt
 * costs the one license, as the counter says. */
static int flip_license(void *subject)
{
        struct table table = lay(HSM_STATE_OPERATIONAL);
        uint8_t secret[PRIVATE_KEY_LENGTH], license[LICENSE_LENGTH];
        struct certificate certificate = chip(secret);
        unsigned bit;

        (void)subject;
        assert_int_equal(open_card(&table), 0);
        for (bit = 0; bit < 8 * LICENSE_TOLD; bit++) {
                int r;

                bench_card_flip(table.bench, 0, bit);
                r = hsm_license(table.reader, simulated_card_conf(), &certificate, license);
                if (bit < 8 * LICENSE_LENGTH) {
                        assert_int_equal(r, 0);
                        assert_false(opens(license, secret));
                } else {
                        assert_fault(r, CARD_DEAD, "no row for it");
                }
        }
        assert_int_equal(ask(&table).counter, LICENSES - bit);
        assert_int_equal(hsm_license(table.reader, simulated_card_conf(), &certificate, license),
                         0);
        assert_true(opens(license, secret));
        clear(&table);
        return 0;
}

static void a_wrong_license_never_opens_and_a_wrong_status_promises_nothing(void **state)
{
        (void)state;
        on_fiber(flip_license);
}

static int flip_personalize(void *subject)
{
        struct hsm_program program = a_program();

        (void)subject;
        for (unsigned bit = 0; bit < 8 * STATUS; bit++) {
                struct table table = lay(HSM_STATE_OEM);

                assert_int_equal(open_card(&table), 0);
                bench_card_flip(table.bench, 0, bit);
                assert_fault(hsm_personalize(table.reader, simulated_card_conf(), &program),
                             CARD_DEAD, "no row for it");
                assert_int_equal(ask(&table).counter, MAXIMUM); /* INFO tells that it was burned */
                clear(&table);
        }
        return 0;
}

static void a_wrong_status_of_personalize_promises_nothing(void **state)
{
        (void)state;
        on_fiber(flip_personalize);
}

/* --- cards of each type -------------------------------------------------------------------- */

static int each_type(void *subject)
{
        static const char *const types[] = { "", "SFI", "SFIA", "SMU", "SSP" };
        static const char *const fields[] = { "SFI.", "SFI.", "SFIA", "SMU.", "SSP." };
        uint8_t secret[PRIVATE_KEY_LENGTH], license[LICENSE_LENGTH];
        struct certificate certificate = chip(secret);
        struct bench_settings settings = bench_rig_settings(1);
        struct bench_card_settings cards[2 * LENGTH_OF(types) + 1];
        struct bench *bench;

        (void)subject;
        settings.cards = memset(cards, 0, sizeof(cards));
        settings.card_count = LENGTH_OF(cards);
        for (unsigned i = 0; i < LENGTH_OF(cards); i++) {
                cards[i] = *bench_rig_settings(1).cards;
                strcpy(cards[i].type, types[i / 2 % LENGTH_OF(types)]);
                cards[i].version = i % 2; /* 0 is 2 */
        }
        strcpy(cards[LENGTH_OF(cards) - 1].product_id, "49202013"); /* for other chips */
        assert_int_equal(bench_create(&settings, &bench), 0);
        for (unsigned i = 0; i < LENGTH_OF(cards); i++) {
                struct table table = { bench, bench_reader(bench, i) };
                int r;

                assert_int_equal(open_card(&table), 0);
                assert_string_equal(ask(&table).type, i / 2 % LENGTH_OF(types)
                                                              ? types[i / 2 % LENGTH_OF(types)]
                                                              : "SFI");
                assert_int_equal(ask(&table).version, i % 2 ? 1 : 2);
                r = hsm_license(table.reader, simulated_card_conf(), &certificate, license);
                if (i + 1 == LENGTH_OF(cards)) {
                        assert_fault(r, CARD_REFUSED, "certificate refused");
                } else {
                        assert_int_equal(r, 0);
                        assert_memory_equal(license, fields[i / 2], 4);
                        assert_true(opens(license, secret));
                }
                reader_close(table.reader);
        }
        bench_destroy(bench);
        return 0;
}

static void a_bench_has_cards_of_each_type_version_and_product(void **state)
{
        (void)state;
        on_fiber(each_type);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pulled_while_it_is_opened_nothing_happened),
                cmocka_unit_test(pulled_while_it_is_asked_nothing_happened),
                cmocka_unit_test(
                        pulled_in_the_command_no_license_is_spent_and_in_the_answer_one_is),
                cmocka_unit_test(pulled_while_it_is_burned_it_is_blank_or_whole),
                cmocka_unit_test(a_wrong_answer_to_reset_or_select_is_no_card_of_ours),
                cmocka_unit_test(a_wrong_info_is_refused_or_differs_in_one_field),
                cmocka_unit_test(a_wrong_license_never_opens_and_a_wrong_status_promises_nothing),
                cmocka_unit_test(a_wrong_status_of_personalize_promises_nothing),
                cmocka_unit_test(a_bench_has_cards_of_each_type_version_and_product),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
