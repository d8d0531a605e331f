/*
 * A card made of memory: the reference command set of drivers/hsm.h (invented where
 * secure-install.md section 12 says "not public"; states, counter and timing follow it).
 *
 * An APDU is checked in the order a card would: class, instruction, parameters, length, then what
 * the command needs. A license takes the counter down first and exists afterwards.
 */
#include "drivers/simulated/card_private.h"

#include "scheduler/bytes.h"
#include "scheduler/chance.h"

#include <stdlib.h>

#define SW_GOOD         0x9000
#define SW_WRONG_LENGTH 0x6700
#define SW_NOT_READY    0x6985
#define SW_BAD_DATA     0x6A80
#define SW_NOT_FOUND    0x6A82
#define SW_PARAMETERS   0x6A86
#define SW_COUNTER_ZERO 0x6A88
#define SW_INSTRUCTION  0x6D00
#define SW_CLASS        0x6E00

#define INSTRUCTION_SELECT 0xA4
#define INFO_LENGTH        54u
#define SELECT_TIME        (30 * NS_PER_MS) /* our estimate */
#define INFO_TIME          (20 * NS_PER_MS)
#define REFUSAL_TIME       (5 * NS_PER_MS)

struct simulated_card {
        struct card_settings settings;
        struct chance chance;
        enum hsm_state state;
        uint64_t license_ns; /* how long the next license takes; drawn ahead */
        bool is_dead, is_selected, is_misled;
        unsigned licenses;
};

static void draw_license_time(struct simulated_card *card)
{
        card->license_ns = chance_between(&card->chance, card->settings.license_ms_low * NS_PER_MS,
                                          card->settings.license_ms_high * NS_PER_MS);
}

struct simulated_card *simulated_card_create(const struct card_settings *settings)
{
        struct simulated_card *card = calloc(1, sizeof(*card));

        INSIST(card);
        INSIST(settings->license_ms_low <= settings->license_ms_high);
        card->settings = *settings;
        card->state = settings->state;
        card->chance = chance_fork(settings->seed, "card", settings->serial);
        draw_license_time(card);
        return card;
}

struct simulated_card *simulated_card_destroy(struct simulated_card *card)
{
        if (!card)
                return NULL;
        wipe(card, sizeof(*card));
        free(card);
        return NULL;
}

void simulated_card_kill(struct simulated_card *card)
{
        card->is_dead = true;
}

void simulated_card_mislicense(struct simulated_card *card)
{
        card->is_misled = true;
}

void simulated_card_set_state(struct simulated_card *card, enum hsm_state state)
{
        card->state = state;
}

unsigned simulated_card_apdus(const struct simulated_card *card)
{
        return card->licenses;
}

void simulated_card_reset(struct simulated_card *card)
{
        card->is_selected = false;
}

const struct card_profile *simulated_card_profile(const struct simulated_card *card)
{
        return card->settings.profile;
}

/* --- commands ------------------------------------------------------------------------------ */

/* A short APDU taken apart: header, data, whether an answer is expected. */
struct command {
        uint8_t class_byte, instruction, p1, p2;
        const uint8_t *data;
        size_t data_length;
};

/* ISO/IEC 7816-4, 5.1: header alone, header Le, header Lc data, header Lc data Le. */
static bool parse_command(const uint8_t *apdu, size_t length, struct command *ret_command)
{
        if (length < 4)
                return false;
        *ret_command = (struct command){ apdu[0], apdu[1], apdu[2], apdu[3], NULL, 0 };
        if (length <= 5)
                return true;
        ret_command->data = apdu + 5;
        ret_command->data_length = apdu[4];
        return apdu[4] > 0 && (length == 5u + apdu[4] || length == 6u + apdu[4]);
}

static int answer(uint8_t *ret_answer, size_t length, unsigned status)
{
        ret_answer[length] = (uint8_t)(status >> 8);
        ret_answer[length + 1] = (uint8_t)status;
        return (int)length + 2;
}

static int select_application(struct simulated_card *card, const struct command *command,
                              uint8_t *ret_answer)
{
        const struct card_profile *profile = card->settings.profile;

        card->is_selected = command->p1 == 4 && command->data_length == profile->aid_length &&
                            memcmp(command->data, profile->aid, profile->aid_length) == 0;
        return answer(ret_answer, 0, card->is_selected ? SW_GOOD : SW_NOT_FOUND);
}

static int tell_info(const struct simulated_card *card, const struct command *command,
                     uint8_t *ret_answer)
{
        const struct card_settings *settings = &card->settings;

        if (command->data_length != 0)
                return answer(ret_answer, 0, SW_WRONG_LENGTH);
        memset(ret_answer, 0, INFO_LENGTH);
        ret_answer[0] = (uint8_t)card->state;
        ret_answer[1] = 1; /* version */
        store_be32(ret_answer + 2, *settings->counter);
        store_be32(ret_answer + 6, settings->maximum);
        memcpy(ret_answer + 10, "SFI.", 4);
        memcpy(ret_answer + 14, settings->firmware_id, strnlen(settings->firmware_id, 32));
        store_be32(ret_answer + 46, (uint32_t)(settings->serial >> 32));
        store_be32(ret_answer + 50, (uint32_t)settings->serial);
        return answer(ret_answer, INFO_LENGTH, SW_GOOD);
}

/* The key of some other chip, so that the license is sound and useless. */
static void make_foreign(struct simulated_card *card, struct certificate *certificate)
{
        uint8_t seed[32], private_key[PRIVATE_KEY_LENGTH];

        chance_bytes(&card->chance, seed, sizeof(seed));
        license_chip_key(seed, private_key, certificate->bytes + PRODUCT_ID_LENGTH);
        wipe(private_key, sizeof(private_key));
}

static int issue_license(struct simulated_card *card, const struct command *command,
                         uint8_t *ret_answer)
{
        const struct card_settings *settings = &card->settings;
        struct certificate certificate;
        uint8_t entropy[32];
        int r;

        if (command->data_length != CERTIFICATE_LENGTH)
                return answer(ret_answer, 0, SW_WRONG_LENGTH);
        if (card->state != HSM_STATE_OPERATIONAL)
                return answer(ret_answer, 0, SW_NOT_READY);
        if (*settings->counter == 0)
                return answer(ret_answer, 0, SW_COUNTER_ZERO);
        if (certificate_parse(command->data, command->data_length, NULL, &certificate) < 0)
                return answer(ret_answer, 0, SW_BAD_DATA);
        /* From here on the license is spent, whoever is still there to take it. */
        __atomic_store_n(settings->counter, *settings->counter - 1, __ATOMIC_RELEASE);
        card->licenses++;
        draw_license_time(card);
        if (card->is_misled)
                make_foreign(card, &certificate);
        card->is_misled = false;
        chance_bytes(&card->chance, entropy, sizeof(entropy));
        r = license_issue(&certificate, settings->key, settings->nonce, entropy, ret_answer);
        wipe(entropy, sizeof(entropy));
        return r < 0 ? answer(ret_answer, 0, SW_BAD_DATA)
                     : answer(ret_answer, LICENSE_LENGTH, SW_GOOD);
}

static int run_command(struct simulated_card *card, const struct command *command,
                       uint8_t *ret_answer)
{
        const struct card_profile *profile = card->settings.profile;

        if (command->class_byte == 0x00 && command->instruction == INSTRUCTION_SELECT)
                return select_application(card, command, ret_answer);
        if (command->class_byte != profile->class_byte)
                return answer(ret_answer, 0, SW_CLASS);
        if (!card->is_selected || (command->instruction != profile->instruction_info &&
                                   command->instruction != profile->instruction_license))
                return answer(ret_answer, 0, SW_INSTRUCTION);
        if (command->p1 != 0 || command->p2 != 0)
                return answer(ret_answer, 0, SW_PARAMETERS);
        if (command->instruction == profile->instruction_info)
                return tell_info(card, command, ret_answer);
        return issue_license(card, command, ret_answer);
}

/* --- from outside -------------------------------------------------------------------------- */

bool simulated_card_is_license(const struct simulated_card *card, const void *apdu, size_t length)
{
        struct command command;

        return parse_command(apdu, length, &command) && card->is_selected &&
               command.class_byte == card->settings.profile->class_byte &&
               command.instruction == card->settings.profile->instruction_license;
}

uint64_t simulated_card_plan(struct simulated_card *card, const void *apdu, size_t length)
{
        struct command command;
        uint64_t duration_ns = REFUSAL_TIME;

        if (simulated_card_is_license(card, apdu, length)) {
                if (card->state == HSM_STATE_OPERATIONAL && *card->settings.counter > 0)
                        duration_ns = card->license_ns;
        } else if (parse_command(apdu, length, &command)) {
                if (command.instruction == INSTRUCTION_SELECT)
                        duration_ns = SELECT_TIME;
                else if (command.instruction == card->settings.profile->instruction_info)
                        duration_ns = INFO_TIME;
        }
        return (uint64_t)((double)duration_ns * card->settings.speed);
}

int simulated_card_apdu(struct simulated_card *card, const void *apdu, size_t length,
                        uint8_t ret_answer[static APDU_ANSWER_MAX], uint64_t *ret_duration_ns)
{
        struct command command;

        *ret_duration_ns = simulated_card_plan(card, apdu, length);
        if (card->is_dead)
                return -1;
        if (!parse_command(apdu, length, &command))
                return answer(ret_answer, 0, SW_WRONG_LENGTH);
        return run_command(card, &command, ret_answer);
}
