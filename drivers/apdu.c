/*
 * apdu.c - short APDUs (ISO/IEC 7816-4, 5.1) made of a profile's templates: class, instruction, two
 * parameters, then Lc and data, then Le; and answers read by its rules, the status word in the last
 * two bytes. What may stand in a profile was checked when it was read (card_profile.c).
 */
#include "drivers/apdu.h"

#include "scheduler/bytes.h"

#include <stdio.h>

static const struct card_exchange *exchange_of(const struct card_profile *profile,
                                               enum card_command command, unsigned number)
{
        INSIST(number < profile->commands[command].count);
        return &profile->exchanges[profile->commands[command].first + number];
}

unsigned apdu_count(const struct card_profile *profile, enum card_command command)
{
        return profile->commands[command].count;
}

unsigned apdu_timeout_ms(const struct card_profile *profile, enum card_command command,
                         unsigned number)
{
        return exchange_of(profile, command, number)->timeout_ms;
}

/* --- building ------------------------------------------------------------------------------ */

static void put(struct apdu *apdu, const void *data, size_t length)
{
        INSIST(apdu->length + length < APDU_MAX);
        memcpy(apdu->bytes + apdu->length, data, length);
        apdu->length += length;
}

static void put_number(struct apdu *apdu, const struct card_part *part, uint32_t number)
{
        uint8_t bytes[4];

        if (part->is_little)
                store_le32(bytes, number);
        else
                store_be32(bytes, number);
        put(apdu, bytes, sizeof(bytes));
}

/* A text in a field of `capacity` bytes, filled up. */
static void put_text(struct apdu *apdu, const char *text, size_t capacity, int pad)
{
        uint8_t field[FIRMWARE_ID_MAX];

        INSIST(capacity <= sizeof(field));
        memset(field, pad, capacity);
        memcpy(field, text, strnlen(text, capacity));
        put(apdu, field, capacity);
}

static void put_program(struct apdu *apdu, const struct card_part *part,
                        const struct hsm_program *program)
{
        const struct hsm_personalization *is = &program->personalization;
        static const uint8_t zeros[4];

        switch ((enum card_value)part->value) {
        case VALUE_IV:
                put(apdu, program->nonce, sizeof(program->nonce));
                put(apdu, zeros, sizeof(zeros));
                break;
        case VALUE_NONCE:
                put(apdu, program->nonce, sizeof(program->nonce));
                break;
        case VALUE_KEY:
                put(apdu, program->key, sizeof(program->key));
                break;
        case VALUE_MAXIMUM:
                put_number(apdu, part, program->maximum);
                break;
        case VALUE_FIRMWARE_ID:
                put_text(apdu, program->firmware_id, FIRMWARE_ID_MAX, 0);
                break;
        case VALUE_PRODUCT_ID:
                put_text(apdu, is->product_id, PRODUCT_ID_LENGTH, 0);
                break;
        case VALUE_FLOW:
                put_text(apdu, is->flow, 4, '.');
                break;
        case VALUE_LICENSE_VERSION:
                put_number(apdu, part, is->license_version);
                break;
        case VALUE_SECURITY_VERSION:
                put_number(apdu, part, is->security_version);
                break;
        case VALUE_LITERAL:
        case VALUE_AID:
        case VALUE_CERTIFICATE:
                INSIST(false);
        }
}

static void put_part(struct apdu *apdu, const struct card_profile *profile,
                     const struct card_template *template, const struct card_part *part,
                     const struct apdu_values *values)
{
        if (part->is_personalization && !values->program->is_personalized)
                return;
        if (part->value == VALUE_LITERAL)
                put(apdu, template->literals + part->start, part->length);
        else if (part->value == VALUE_AID)
                put(apdu, profile->aid, profile->aid_length);
        else if (part->value == VALUE_CERTIFICATE)
                put(apdu, values->certificate, CERTIFICATE_LENGTH);
        else
                put_program(apdu, part, values->program);
}

bool apdu_is_wanted(const struct card_profile *profile, enum card_command command, unsigned number,
                    const struct apdu_values *values)
{
        const struct card_template *template = &exchange_of(profile, command, number)->template;

        if (command != CARD_PERSONALIZE || values->program->is_personalized)
                return true;
        for (unsigned i = 0; i < template->part_count; i++)
                if (!template->parts[i].is_personalization)
                        return true;
        return template->part_count == 0;
}

void apdu_build(const struct card_profile *profile, enum card_command command, unsigned number,
                const struct apdu_values *values, struct apdu *ret_apdu)
{
        const struct card_template *template = &exchange_of(profile, command, number)->template;
        size_t data = sizeof(template->header) + 1;

        memcpy(ret_apdu->bytes, template->header, sizeof(template->header));
        ret_apdu->length = data; /* Lc is put in when it is known */
        for (unsigned i = 0; i < template->part_count; i++)
                put_part(ret_apdu, profile, template, &template->parts[i], values);
        if (ret_apdu->length == data)
                ret_apdu->length--; /* no data, no Lc */
        else
                ret_apdu->bytes[sizeof(template->header)] = (uint8_t)(ret_apdu->length - data);
        if (template->has_le)
                ret_apdu->bytes[ret_apdu->length++] = template->le;
}

/* --- the status ---------------------------------------------------------------------------- */

/* "LICENSE", or "INFO (exchange 2)" where there are several. */
struct name {
        char text[40];
};

static struct name name_of(const struct card_profile *profile, enum card_command command,
                           unsigned number)
{
        struct name name;

        snprintf(name.text, sizeof(name.text), "%s", card_command_name(command));
        if (apdu_count(profile, command) > 1)
                snprintf(name.text, sizeof(name.text), "%s (exchange %u)",
                         card_command_name(command), number + 1);
        return name;
}

static const struct card_status *find_status(const struct card_status *statuses, size_t count,
                                             unsigned word)
{
        for (size_t i = 0; i < count; i++)
                if ((word & statuses[i].mask) == statuses[i].value)
                        return &statuses[i];
        return NULL;
}

static enum fault fault_of(enum status_meaning meaning)
{
        switch (meaning) {
        case STATUS_EMPTY:
                return FAULT_CARD_EMPTY;
        case STATUS_STATE:
                return FAULT_CARD_STATE;
        case STATUS_REFUSED:
                return FAULT_CARD_REFUSED;
        case STATUS_DEAD:
        case STATUS_GOOD:
        case STATUS_BLANK:
                break;
        }
        return FAULT_CARD_DEAD;
}

/* What the table for all commands says was written for a command that does all in one exchange. */
static enum status_meaning common_meaning(const struct card_status *row, enum card_command command,
                                          unsigned number)
{
        bool may_be_done = number > 0 && (command == CARD_LICENSE || command == CARD_PERSONALIZE);
        enum status_meaning meaning = (enum status_meaning)row->meaning;

        return meaning == STATUS_REFUSED && may_be_done ? STATUS_DEAD : meaning;
}

/* STATUS_GOOD, STATUS_BLANK, or a fault. */
static int read_status(const struct card_profile *profile, enum card_command command,
                       unsigned number, unsigned word)
{
        const struct card_exchange *exchange = exchange_of(profile, command, number);
        const struct card_status *own =
                find_status(exchange->statuses, exchange->status_count, word);
        const struct card_status *common =
                find_status(profile->statuses, profile->status_count, word);
        const struct card_status *row = own ? own : common;
        enum status_meaning meaning = own      ? (enum status_meaning)own->meaning
                                      : common ? common_meaning(common, command, number)
                                               : (enum status_meaning)exchange->otherwise;

        if (meaning == STATUS_GOOD || meaning == STATUS_BLANK)
                return (int)meaning;
        return fault(fault_of(meaning), "the card answered %s with status %04X (%s)",
                     name_of(profile, command, number).text, word,
                     !row            ? "the profile has no row for it"
                     : row->words[0] ? row->words
                                     : "no words for it");
}

/* --- the fields ---------------------------------------------------------------------------- */

static bool read_decimal(const uint8_t *field, size_t length, uint32_t *ret_number)
{
        uint64_t number = 0;

        if (length == 0 || length > 10)
                return false;
        for (size_t i = 0; i < length; i++) {
                if (field[i] < '0' || field[i] > '9')
                        return false;
                number = number * 10 + field[i] - '0';
        }
        *ret_number = (uint32_t)number;
        return number <= UINT32_MAX;
}

static bool read_number(const struct card_field *rule, const uint8_t *field, size_t length,
                        uint32_t *ret_number)
{
        if (rule->writing == AS_DECIMAL)
                return read_decimal(field, length, ret_number);
        INSIST(length <= sizeof(*ret_number));
        *ret_number = 0;
        for (size_t i = 0; i < length; i++)
                *ret_number =
                        *ret_number << 8 | field[rule->writing == AS_LITTLE ? length - 1 - i : i];
        return true;
}

/* Printable ASCII, then what it is filled up with. `text` holds one more than the field. */
static bool read_text(const struct card_field *rule, const uint8_t *field, size_t length,
                      char *text)
{
        while (length > 0 && field[length - 1] == rule->pad)
                length--;
        for (size_t i = 0; i < length; i++)
                if (field[i] < 0x20 || field[i] > 0x7E)
                        return false;
        memcpy(text, field, length);
        text[length] = '\0';
        return true;
}

/* NULL: none of its values. */
static const char *read_meaning(const struct card_exchange *exchange, const struct card_field *rule,
                                const uint8_t *field)
{
        for (unsigned i = 0; i < rule->meaning_count; i++) {
                const struct card_meaning *meaning = &exchange->meanings[rule->meaning + i];

                if (memcmp(meaning->bytes, field, meaning->length) == 0)
                        return meaning->text;
        }
        return NULL;
}

static enum hsm_state state_of(const char *meaning)
{
        static const char *const names[] = { [HSM_STATE_ST] = "ST",
                                             [HSM_STATE_OEM] = "OEM",
                                             [HSM_STATE_OPERATIONAL] = "OPERATIONAL" };

        for (unsigned i = 0; meaning && i < LENGTH_OF(names); i++)
                if (strcmp(names[i], meaning) == 0)
                        return (enum hsm_state)i;
        return HSM_STATE_UNKNOWN;
}

static bool read_version(const struct card_field *rule, const char *meaning, const uint8_t *field,
                         size_t length, unsigned *ret_version)
{
        uint32_t number = 0;

        if (rule->writing != AS_VALUES && !read_number(rule, field, length, &number))
                return false;
        *ret_version = rule->writing != AS_VALUES ? number
                       : meaning                  ? (unsigned)(meaning[0] - '0')
                                                  : 0;
        return *ret_version == 1 || *ret_version == 2;
}

static bool read_type(const struct card_field *rule, const char *meaning, const uint8_t *field,
                      size_t length, char ret_type[static 5])
{
        if (rule->writing == AS_TEXT)
                return read_text(rule, field, length, ret_type) && ret_type[0];
        if (meaning)
                snprintf(ret_type, 5, "%s", meaning);
        return meaning != NULL;
}

/* Into `facts`; what is wrong with it, NULL when nothing is. */
static const char *read_field(const struct card_exchange *exchange, const struct card_field *rule,
                              const uint8_t *field, size_t length, struct apdu_facts *facts)
{
        const char *meaning =
                rule->writing == AS_VALUES ? read_meaning(exchange, rule, field) : NULL;
        struct hsm_info *info = &facts->info;

        switch ((enum card_fact)rule->fact) {
        case FACT_STATE:
                info->state = state_of(meaning);
                return NULL;
        case FACT_VERSION:
                return read_version(rule, meaning, field, length, &info->version)
                               ? NULL
                               : "its version is neither 1 nor 2";
        case FACT_COUNTER:
                return read_number(rule, field, length, &info->counter)
                               ? NULL
                               : "its counter is no number";
        case FACT_MAXIMUM:
                return read_number(rule, field, length, &info->maximum)
                               ? NULL
                               : "its maximum is no number";
        case FACT_TYPE:
                return read_type(rule, meaning, field, length, info->type)
                               ? NULL
                               : "its type is not a known or printable name";
        case FACT_FIRMWARE_ID:
                return read_text(rule, field, length, info->firmware_id)
                               ? NULL
                               : "its firmware identifier is not printable text";
        case FACT_SERIAL:
                hex_encode(field, length, info->serial);
                return length ? NULL : "it has no serial";
        case FACT_LICENSE:
                memcpy(facts->license, field, LICENSE_LENGTH);
                return NULL;
        case FACT_CONSTANT:
                break;
        }
        return meaning ? NULL : "it has other bytes where the profile has a constant";
}

static int read_fields(const struct card_exchange *exchange, const char *name,
                       const uint8_t *answer, size_t length, struct apdu_facts *facts)
{
        for (unsigned i = 0; i < exchange->field_count; i++) {
                const struct card_field *rule = &exchange->fields[i];
                size_t own = rule->length ? rule->length : length - rule->offset;
                const char *wrong = read_field(exchange, rule, answer + rule->offset, own, facts);

                if (wrong)
                        return fault(FAULT_CARD_DEAD,
                                     "the answer to %s is not well formed: %s (offset %u)", name,
                                     wrong, rule->offset);
        }
        return 0;
}

static int check_length(const struct card_exchange *exchange, const char *name, size_t length)
{
        char wanted[40];

        if (length >= exchange->length_least && length <= exchange->length_most)
                return 0;
        if (exchange->length_most == 0)
                snprintf(wanted, sizeof(wanted), "none");
        else if (exchange->length_least == exchange->length_most)
                snprintf(wanted, sizeof(wanted), "%u", exchange->length_most);
        else
                snprintf(wanted, sizeof(wanted), "%u to %u", exchange->length_least,
                         exchange->length_most);
        return fault(FAULT_CARD_DEAD, "the answer to %s has %zu bytes, expected %s", name, length,
                     wanted);
}

int apdu_read(const struct card_profile *profile, enum card_command command, unsigned number,
              const uint8_t *answer, size_t length, struct apdu_facts *facts)
{
        const struct card_exchange *exchange = exchange_of(profile, command, number);
        struct name name = name_of(profile, command, number);
        struct apdu_facts new = *facts;
        int r;

        if (length < 2)
                return fault(FAULT_CARD_DEAD, "the answer to %s has %zu byte(s), a status has 2",
                             name.text, length);
        length -= 2;
        r = read_status(profile, command, number, load_be16(answer + length));
        if (r == STATUS_BLANK)
                facts->is_blank = true; /* it tells nothing, and that is right */
        if (r != STATUS_GOOD)
                return r < 0 ? r : 0;
        r = check_length(exchange, name.text, length);
        if (r >= 0)
                r = read_fields(exchange, name.text, answer, length, &new);
        if (r >= 0)
                *facts = new;
        wipe(&new, sizeof(new));
        return r;
}

static bool tells(const struct card_profile *profile, enum card_fact fact)
{
        for (unsigned i = 0; i < apdu_count(profile, CARD_INFO); i++) {
                const struct card_exchange *exchange = exchange_of(profile, CARD_INFO, i);

                for (unsigned k = 0; k < exchange->field_count; k++)
                        if (exchange->fields[k].fact == fact)
                                return true;
        }
        return false;
}

int apdu_check_info(const struct card_profile *profile, const struct apdu_facts *facts)
{
        const struct hsm_info *info = &facts->info;
        const char *wrong = NULL;

        if (info->counter > info->maximum && tells(profile, FACT_MAXIMUM))
                wrong = "its counter is above its maximum";
        else if (info->state == HSM_STATE_OPERATIONAL && !info->firmware_id[0])
                wrong = "it is operational without a firmware identifier";
        else if (info->state == HSM_STATE_OPERATIONAL && facts->is_blank)
                wrong = "it is operational, but has not the facts of such a card";
        if (wrong)
                return fault(FAULT_CARD_DEAD, "the answer to INFO is not well formed: %s", wrong);
        return 0;
}
