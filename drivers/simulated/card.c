/*
 * A card made of memory: the reference command set of card.h (invented where secure-install.md
 * section 12 says "not public"; states, counter and timing follow it). It is written from there and
 * never from a profile's templates, so that a profile that is wrong meets a card that says so; from
 * the profile come only its ceilings and products, which are figures and not commands.
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
#define SW_NO_SPACE     0x6A84
#define SW_PARAMETERS   0x6A86
#define SW_COUNTER_ZERO 0x6A88
#define SW_INSTRUCTION  0x6D00
#define SW_CLASS        0x6E00

#define CLASS_OWN               0x80
#define INSTRUCTION_SELECT      0xA4
#define INSTRUCTION_INFO        0x10
#define INSTRUCTION_LICENSE     0x20
#define INSTRUCTION_PERSONALIZE 0x30

#define INFO_LENGTH      54u
#define SELECT_TIME      (30 * NS_PER_MS) /* our estimate */
#define INFO_TIME        (20 * NS_PER_MS)
#define PERSONALIZE_TIME (2 * NS_PER_S)
#define REFUSAL_TIME     (5 * NS_PER_MS)

/* PERSONALIZE's data, card.h. */
#define BURN_LENGTH   68u
#define BURN_LENGTH_2 88u

#define NEVER UINT32_MAX

/* T=0 and T=1, eleven historical bytes "GANGWAYREF1", TCK (ISO/IEC 7816-3, 8.2). */
static const uint8_t own_atr[] = { 0x3B, 0x8B, 0x80, 0x01, 'G', 'A', 'N', 'G',
                                   'W',  'A',  'Y',  'R',  'E', 'F', '1', 0x2A };
/* F0: the category for unregistered ones (ISO/IEC 7816-4, 8.2.1.2). */
static const uint8_t own_aid[] = { 0xF0, 'G', 'A', 'N', 'G', 'W', 'A', 'Y', 1 };

struct simulated_card {
        struct card_settings settings;
        struct card_memory own, *memory; /* memory: `own` or the borrowed one */
        uint32_t *counter;
        struct chance chance;
        uint64_t license_ns; /* how long the next license takes; drawn ahead */
        bool is_dead, is_selected, is_misled, is_without_power;
        unsigned licenses, writes_left; /* NEVER: power stays */
};

static void draw_license_time(struct simulated_card *card)
{
        card->license_ns = chance_between(&card->chance, card->settings.license_ms_low * NS_PER_MS,
                                          card->settings.license_ms_high * NS_PER_MS);
}

static void make_memory(struct card_memory *memory, const struct card_settings *settings)
{
        const struct hsm_personalization *for_what = &settings->personalization;

        *memory = card_memory_blank(settings->version ? settings->version : 1,
                                    settings->type[0] ? settings->type : "SFI", settings->serial);
        memory->state = settings->state;
        memory->maximum = settings->maximum;
        memcpy(memory->iv, settings->nonce, sizeof(settings->nonce));
        memcpy(memory->key, settings->key, sizeof(settings->key));
        memcpy(memory->firmware_id, settings->firmware_id,
               strnlen(settings->firmware_id, FIRMWARE_ID_MAX));
        memcpy(memory->product_id, for_what->product_id, PRODUCT_ID_LENGTH);
        card_memory_pad(for_what->flow[0] ? for_what->flow : "SFI", memory->flow);
        memory->license_version = for_what->license_version;
        memory->security_version = for_what->security_version;
}

struct simulated_card *simulated_card_create(const struct card_settings *settings)
{
        struct simulated_card *card = calloc(1, sizeof(*card));

        INSIST(card);
        INSIST(settings->license_ms_low <= settings->license_ms_high);
        card->settings = *settings;
        card->memory = settings->memory;
        if (!card->memory) {
                card->memory = &card->own;
                make_memory(&card->own, settings);
        }
        card->counter = settings->counter ? settings->counter : &card->memory->counter;
        card->writes_left = NEVER;
        card->chance = chance_fork(settings->seed, "card", card_memory_serial(card->memory));
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

void simulated_card_cut(struct simulated_card *card, unsigned writes)
{
        card->writes_left = writes;
}

void simulated_card_set_state(struct simulated_card *card, enum hsm_state state)
{
        card->memory->state = state;
}

unsigned simulated_card_apdus(const struct simulated_card *card)
{
        return card->licenses;
}

void simulated_card_reset(struct simulated_card *card)
{
        card->is_selected = false;
        card->is_without_power = false;
        card->writes_left = NEVER;
}

int simulated_card_atr(uint8_t ret_atr[static ATR_MAX])
{
        memcpy(ret_atr, own_atr, sizeof(own_atr));
        return (int)sizeof(own_atr);
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
        card->is_selected = command->p1 == 4 && command->data_length == sizeof(own_aid) &&
                            memcmp(command->data, own_aid, sizeof(own_aid)) == 0;
        return answer(ret_answer, 0, card->is_selected ? SW_GOOD : SW_NOT_FOUND);
}

static bool is_operational(const struct simulated_card *card)
{
        return card->memory->state == HSM_STATE_OPERATIONAL;
}

/* What its licenses are: version 2 is made into it by its personalization. */
static const char *license_kind(const struct card_memory *memory)
{
        return memory->version == 2 ? memory->flow : memory->type;
}

static int tell_info(const struct simulated_card *card, const struct command *command,
                     uint8_t *ret_answer)
{
        const struct card_memory *memory = card->memory;

        if (command->data_length != 0)
                return answer(ret_answer, 0, SW_WRONG_LENGTH);
        memset(ret_answer, 0, INFO_LENGTH);
        ret_answer[0] = (uint8_t)memory->state;
        ret_answer[1] = (uint8_t)memory->version;
        memcpy(ret_answer + 10, memory->type, sizeof(memory->type));
        memcpy(ret_answer + 46, memory->serial, sizeof(memory->serial));
        if (!is_operational(card))
                return answer(ret_answer, INFO_LENGTH, SW_GOOD);
        store_be32(ret_answer + 2, *card->counter);
        store_be32(ret_answer + 6, memory->maximum);
        memcpy(ret_answer + 14, memory->firmware_id, sizeof(memory->firmware_id));
        memcpy(ret_answer + 10, license_kind(memory), sizeof(memory->type));
        return answer(ret_answer, INFO_LENGTH, SW_GOOD);
}

/* --- programming --------------------------------------------------------------------------- */

/* One write to the memory that stays. false: power went away in the middle of it. */
static bool keep(struct simulated_card *card, void *to, const void *from, size_t length)
{
        if (card->writes_left == 0) {
                memcpy(to, from, length / 2);
                card->is_without_power = true;
                return false;
        }
        if (card->writes_left != NEVER)
                card->writes_left--;
        memcpy(to, from, length);
        return true;
}

/* The state is one word: written or not. */
static bool commit(struct simulated_card *card)
{
        if (card->writes_left == 0) {
                card->is_without_power = true;
                return false;
        }
        __atomic_store_n(&card->memory->state, HSM_STATE_OPERATIONAL, __ATOMIC_RELEASE);
        return true;
}

static bool burn(struct simulated_card *card, const struct card_memory *new)
{
        struct card_memory *memory = card->memory;

        return keep(card, memory->iv, new->iv, sizeof(new->iv)) &&
               keep(card, memory->key, new->key, sizeof(new->key)) &&
               keep(card, &memory->maximum, &new->maximum, sizeof(new->maximum)) &&
               keep(card, card->counter, &new->maximum, sizeof(new->maximum)) &&
               keep(card, memory->firmware_id, new->firmware_id, sizeof(new->firmware_id)) &&
               keep(card, memory->product_id, new->product_id, sizeof(new->product_id)) &&
               keep(card, memory->flow, new->flow, sizeof(new->flow)) &&
               keep(card, &memory->license_version, &new->license_version, 4) &&
               keep(card, &memory->security_version, &new->security_version, 4) && commit(card);
}

static void read_burn(const struct simulated_card *card, const uint8_t *data,
                      struct card_memory *new)
{
        *new = *card->memory;
        memcpy(new->iv, data, sizeof(new->iv));
        memcpy(new->key, data + 16, sizeof(new->key));
        new->maximum = load_be32(data + 32);
        memcpy(new->firmware_id, data + 36, sizeof(new->firmware_id));
        memset(new->product_id, 0, sizeof(new->product_id));
        memset(new->flow, 0, sizeof(new->flow));
        new->license_version = new->security_version = 0;
        if (new->version == 1)
                return;
        memcpy(new->product_id, data + 68, sizeof(new->product_id));
        memcpy(new->flow, data + 76, sizeof(new->flow));
        new->license_version = load_be32(data + 80);
        new->security_version = load_be32(data + 84);
}

static uint32_t ceiling_of(const struct simulated_card *card)
{
        const struct card_profile *profile = card->settings.profile;
        char type[4];

        for (size_t i = 0; i < profile->ceiling_count; i++) {
                card_memory_pad(profile->ceilings[i].type, type);
                if (memcmp(type, card->memory->type, sizeof(type)) == 0)
                        return profile->ceilings[i].maximum;
        }
        return 0;
}

/* Its license version is the one crypto/license.h makes. */
static unsigned check_burn(const struct simulated_card *card, const struct card_memory *new)
{
        static const uint8_t zero[4];
        char type[5];

        if (memcmp(new->iv + SFI_NONCE_LENGTH, zero, sizeof(zero)) != 0 || new->maximum == 0 ||
            !card_memory_is_firmware_id(new->firmware_id))
                return SW_BAD_DATA;
        if (new->version == 2 &&
            (!card_memory_is_product_id(new->product_id) ||
             !license_type((const uint8_t *)new->flow, type) || new->license_version != 1))
                return SW_BAD_DATA;
        return new->maximum > ceiling_of(card) ? SW_NO_SPACE : SW_GOOD;
}

/* Returns -1 when power went away: there is nobody to answer. */
static int personalize(struct simulated_card *card, const struct command *command,
                       uint8_t *ret_answer)
{
        size_t wanted = card->memory->version == 2 ? BURN_LENGTH_2 : BURN_LENGTH;
        struct card_memory new;
        unsigned status;

        if (card->memory->state != HSM_STATE_OEM)
                return answer(ret_answer, 0, SW_NOT_READY);
        if (command->data_length != wanted && command->data_length != BURN_LENGTH_2)
                return answer(ret_answer, 0, SW_WRONG_LENGTH);
        read_burn(card, command->data, &new);
        status = check_burn(card, &new);
        if (status == SW_GOOD && !burn(card, &new))
                status = 0;
        wipe(&new, sizeof(new));
        return status ? answer(ret_answer, 0, status) : -1;
}

/* --- licenses ------------------------------------------------------------------------------ */

/* AN5054 section 4.3.5: version 1 is for a fixed list, version 2 for what it was made for. */
static bool is_for(const struct simulated_card *card, const struct certificate *certificate)
{
        const struct card_profile *profile = card->settings.profile;

        if (card->memory->version == 2)
                return memcmp(card->memory->product_id, certificate->product_id,
                              PRODUCT_ID_LENGTH) == 0;
        for (size_t i = 0; i < profile->version_1_count; i++)
                if (strcmp(profile->version_1_products[i], certificate->product_id) == 0)
                        return true;
        return profile->version_1_count == 0;
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
        const struct card_memory *memory = card->memory;
        struct certificate certificate;
        uint8_t entropy[32];
        char type[5];
        int r;

        if (command->data_length != CERTIFICATE_LENGTH)
                return answer(ret_answer, 0, SW_WRONG_LENGTH);
        if (!is_operational(card))
                return answer(ret_answer, 0, SW_NOT_READY);
        if (*card->counter == 0)
                return answer(ret_answer, 0, SW_COUNTER_ZERO);
        if (certificate_parse(command->data, command->data_length, NULL, &certificate) < 0 ||
            !is_for(card, &certificate) ||
            !license_type((const uint8_t *)license_kind(memory), type))
                return answer(ret_answer, 0, SW_BAD_DATA);
        /* From here on the license is spent, whoever is still there to take it. */
        __atomic_store_n(card->counter, *card->counter - 1, __ATOMIC_RELEASE);
        card->licenses++;
        draw_license_time(card);
        if (card->is_misled)
                make_foreign(card, &certificate);
        card->is_misled = false;
        chance_bytes(&card->chance, entropy, sizeof(entropy));
        r = license_issue(&certificate, type, memory->key, memory->iv, entropy, ret_answer);
        wipe(entropy, sizeof(entropy));
        return r < 0 ? answer(ret_answer, 0, SW_BAD_DATA)
                     : answer(ret_answer, LICENSE_LENGTH, SW_GOOD);
}

static bool is_known(uint8_t instruction)
{
        return instruction == INSTRUCTION_INFO || instruction == INSTRUCTION_LICENSE ||
               instruction == INSTRUCTION_PERSONALIZE;
}

static int run_command(struct simulated_card *card, const struct command *command,
                       uint8_t *ret_answer)
{
        if (command->class_byte == 0x00 && command->instruction == INSTRUCTION_SELECT)
                return select_application(card, command, ret_answer);
        if (command->class_byte != CLASS_OWN)
                return answer(ret_answer, 0, SW_CLASS);
        if (!card->is_selected || !is_known(command->instruction))
                return answer(ret_answer, 0, SW_INSTRUCTION);
        if (command->p1 != 0 || command->p2 != 0)
                return answer(ret_answer, 0, SW_PARAMETERS);
        if (command->instruction == INSTRUCTION_INFO)
                return tell_info(card, command, ret_answer);
        if (command->instruction == INSTRUCTION_LICENSE)
                return issue_license(card, command, ret_answer);
        return personalize(card, command, ret_answer);
}

/* --- from outside -------------------------------------------------------------------------- */

bool simulated_card_is_license(const struct simulated_card *card, const void *apdu, size_t length)
{
        struct command command;

        return parse_command(apdu, length, &command) && card->is_selected &&
               command.class_byte == CLASS_OWN && command.instruction == INSTRUCTION_LICENSE;
}

uint64_t simulated_card_plan(struct simulated_card *card, const void *apdu, size_t length)
{
        struct command command;
        uint64_t duration_ns = REFUSAL_TIME;

        if (simulated_card_is_license(card, apdu, length)) {
                if (is_operational(card) && *card->counter > 0)
                        duration_ns = card->license_ns;
        } else if (parse_command(apdu, length, &command)) {
                if (command.instruction == INSTRUCTION_SELECT)
                        duration_ns = SELECT_TIME;
                else if (command.instruction == INSTRUCTION_INFO)
                        duration_ns = INFO_TIME;
                else if (command.instruction == INSTRUCTION_PERSONALIZE &&
                         card->memory->state == HSM_STATE_OEM)
                        duration_ns = PERSONALIZE_TIME;
        }
        return (uint64_t)((double)duration_ns * card->settings.speed);
}

int simulated_card_apdu(struct simulated_card *card, const void *apdu, size_t length,
                        uint8_t ret_answer[static APDU_ANSWER_MAX], uint64_t *ret_duration_ns)
{
        struct command command;

        *ret_duration_ns = simulated_card_plan(card, apdu, length);
        if (card->is_dead || card->is_without_power)
                return -1;
        if (!parse_command(apdu, length, &command))
                return answer(ret_answer, 0, SW_WRONG_LENGTH);
        return run_command(card, &command, ret_answer);
}
