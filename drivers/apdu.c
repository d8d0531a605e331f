/*
 * apdu.c - short APDUs (ISO/IEC 7816-4, 5.1): class, instruction, two parameters, then Lc and data,
 * then Le. Status words in the last two bytes of an answer. The layouts are the reference command
 * set of hsm.h; the real card's are not public (spec/secure-install.md section 12).
 */
#include "drivers/apdu.h"

#include "scheduler/bytes.h"

#include <stdio.h>

#define CLASS_ISO          0x00
#define INSTRUCTION_SELECT 0xA4
#define SELECT_BY_NAME     0x04

/* ISO/IEC 7816-4, table 6. */
#define STATUS_GOOD         0x9000
#define STATUS_MEMORY       0x6581
#define STATUS_LENGTH       0x6700
#define STATUS_CONDITIONS   0x6985
#define STATUS_DATA         0x6A80
#define STATUS_NOT_FOUND    0x6A82
#define STATUS_NO_SPACE     0x6A84
#define STATUS_NO_REFERENCE 0x6A88
#define STATUS_INSTRUCTION  0x6D00
#define STATUS_CLASS        0x6E00

/* INFO's answer, hsm.h. */
#define INFO_STATE       0
#define INFO_VERSION     1
#define INFO_COUNTER     2
#define INFO_MAXIMUM     6
#define INFO_TYPE        10
#define INFO_FIRMWARE_ID 14
#define INFO_SERIAL      46
#define INFO_LENGTH      54

/* PERSONALIZE's data, hsm.h. */
#define BURN_IV               0
#define BURN_KEY              16
#define BURN_MAXIMUM          32
#define BURN_FIRMWARE_ID      36
#define BURN_LENGTH           68
#define BURN_PRODUCT_ID       68
#define BURN_FLOW             76
#define BURN_LICENSE_VERSION  80
#define BURN_SECURITY_VERSION 84
#define BURN_LENGTH_2         88

/* --- building ------------------------------------------------------------------------------ */

static void put_data(struct apdu *apdu, const void *data, size_t length)
{
        INSIST(length > 0 && length <= 255 && apdu->length == 4);
        apdu->bytes[apdu->length++] = (uint8_t)length;
        memcpy(apdu->bytes + apdu->length, data, length);
        apdu->length += length;
}

/* Le 0: as much as there is, up to 256. */
static void put_le(struct apdu *apdu)
{
        apdu->bytes[apdu->length++] = 0;
}

struct apdu apdu_select(const struct card_profile *profile)
{
        struct apdu apdu = { { CLASS_ISO, INSTRUCTION_SELECT, SELECT_BY_NAME, 0 }, 4 };

        put_data(&apdu, profile->aid, profile->aid_length);
        return apdu;
}

struct apdu apdu_info(const struct card_profile *profile)
{
        struct apdu apdu = { { profile->class_byte, profile->instruction_info, 0, 0 }, 4 };

        put_le(&apdu);
        return apdu;
}

struct apdu apdu_license(const struct card_profile *profile,
                         const uint8_t certificate[static CERTIFICATE_LENGTH])
{
        struct apdu apdu = { { profile->class_byte, profile->instruction_license, 0, 0 }, 4 };

        put_data(&apdu, certificate, CERTIFICATE_LENGTH);
        put_le(&apdu);
        return apdu;
}

void apdu_personalize(const struct card_profile *profile, const struct hsm_program *program,
                      struct apdu *ret_apdu)
{
        const struct hsm_personalization *personalization = &program->personalization;
        uint8_t data[BURN_LENGTH_2] = { 0 };

        *ret_apdu =
                (struct apdu){ { profile->class_byte, profile->instruction_personalize, 0, 0 }, 4 };
        memcpy(data + BURN_IV, program->nonce, sizeof(program->nonce));
        memcpy(data + BURN_KEY, program->key, sizeof(program->key));
        store_be32(data + BURN_MAXIMUM, program->maximum);
        memcpy(data + BURN_FIRMWARE_ID, program->firmware_id,
               strnlen(program->firmware_id, FIRMWARE_ID_MAX));
        memcpy(data + BURN_PRODUCT_ID, personalization->product_id, PRODUCT_ID_LENGTH);
        memset(data + BURN_FLOW, '.', 4);
        memcpy(data + BURN_FLOW, personalization->flow, strnlen(personalization->flow, 4));
        store_be32(data + BURN_LICENSE_VERSION, personalization->license_version);
        store_be32(data + BURN_SECURITY_VERSION, personalization->security_version);
        put_data(ret_apdu, data, program->is_personalized ? BURN_LENGTH_2 : BURN_LENGTH);
        wipe(data, sizeof(data));
}

/* --- the status ---------------------------------------------------------------------------- */

static const char *status_words(unsigned status)
{
        switch (status) {
        case STATUS_MEMORY:
                return "memory failure";
        case STATUS_LENGTH:
                return "wrong length";
        case STATUS_CONDITIONS:
                return "not operational";
        case STATUS_DATA:
                return "certificate refused";
        case STATUS_NOT_FOUND:
                return "no such application";
        case STATUS_NO_SPACE:
                return "not enough room";
        case STATUS_NO_REFERENCE:
                return "counter at zero";
        case STATUS_INSTRUCTION:
                return "unknown instruction";
        case STATUS_CLASS:
                return "unknown class";
        default:
                return "no words for it";
        }
}

/* Returns the status, or -FAULT_CARD_DEAD when the answer is too short to have one. */
static int answer_status(const uint8_t *answer, size_t length, const char *command)
{
        if (length < 2)
                return fault(FAULT_CARD_DEAD, "the answer to %s has %zu byte(s), a status has 2",
                             command, length);
        return load_be16(answer + length - 2);
}

static int refused(enum fault code, const char *command, int status)
{
        return fault(code, "the card answered %s with status %04X (%s)", command, (unsigned)status,
                     status_words((unsigned)status));
}

int apdu_parse_select(const uint8_t *answer, size_t length)
{
        int status = answer_status(answer, length, "SELECT");

        if (status < 0 || status == STATUS_GOOD)
                return status < 0 ? status : 0;
        return refused(FAULT_CARD_REFUSED, "SELECT", status);
}

/* --- who are you --------------------------------------------------------------------------- */

/* A text field of `capacity` bytes: printable ASCII, then zeros to the end. `text` holds one more.
 */
static bool parse_text(const uint8_t *field, size_t capacity, char *text)
{
        size_t length = strnlen((const char *)field, capacity);

        for (size_t i = 0; i < capacity; i++) {
                if (i < length ? field[i] < 0x20 || field[i] > 0x7E : field[i] != 0)
                        return false;
        }
        memcpy(text, field, length);
        text[length] = '\0';
        return true;
}

/* "SFI." is shown as "SFI": the dot fills up to four, as in license.h. */
static bool parse_type(const uint8_t *field, char text[static 5])
{
        if (!parse_text(field, 4, text) || strlen(text) != 4)
                return false;
        for (size_t length = 4; length > 0 && text[length - 1] == '.'; length--)
                text[length - 1] = '\0';
        return text[0] != '\0';
}

static enum hsm_state parse_state(uint8_t state)
{
        return state < HSM_STATE_UNKNOWN ? (enum hsm_state)state : HSM_STATE_UNKNOWN;
}

static int info_malformed(const char *what)
{
        return fault(FAULT_CARD_DEAD, "the answer to INFO is not well formed: %s", what);
}

static int parse_info_fields(const uint8_t *answer, struct hsm_info *info)
{
        info->state = parse_state(answer[INFO_STATE]);
        info->version = answer[INFO_VERSION];
        info->counter = load_be32(answer + INFO_COUNTER);
        info->maximum = load_be32(answer + INFO_MAXIMUM);
        hex_encode(answer + INFO_SERIAL, 8, info->serial);
        if (info->version != 1 && info->version != 2)
                return info_malformed("its version is neither 1 nor 2");
        if (info->counter > info->maximum)
                return info_malformed("its counter is above its maximum");
        if (!parse_type(answer + INFO_TYPE, info->type))
                return info_malformed("its type is not a name padded with dots");
        if (!parse_text(answer + INFO_FIRMWARE_ID, 32, info->firmware_id))
                return info_malformed("its firmware identifier is not printable text");
        if (info->state == HSM_STATE_OPERATIONAL && !info->firmware_id[0])
                return info_malformed("it is operational without a firmware identifier");
        return 0;
}

int apdu_parse_info(const uint8_t *answer, size_t length, struct hsm_info *ret_info)
{
        struct hsm_info info = { 0 };
        int r = answer_status(answer, length, "INFO");

        if (r < 0)
                return r;
        if (r != STATUS_GOOD)
                return refused(FAULT_CARD_REFUSED, "INFO", r);
        if (length != INFO_LENGTH + 2)
                return fault(FAULT_CARD_DEAD, "the answer to INFO has %zu bytes, expected %d",
                             length - 2, INFO_LENGTH);
        r = parse_info_fields(answer, &info);
        if (r < 0)
                return r;
        *ret_info = info;
        return 0;
}

/* --- the license --------------------------------------------------------------------------- */

/* The card takes its counter down before it answers. Only the four refusals below are made before
 * that; after any other status, a memory failure above all, the license may be gone. */
static int license_fault(int status)
{
        switch (status) {
        case STATUS_NO_REFERENCE:
                return refused(FAULT_CARD_EMPTY, "LICENSE", status);
        case STATUS_CONDITIONS:
                return refused(FAULT_CARD_STATE, "LICENSE", status);
        case STATUS_DATA:
        case STATUS_INSTRUCTION:
        case STATUS_LENGTH:
        case STATUS_CLASS:
                return refused(FAULT_CARD_REFUSED, "LICENSE", status);
        default:
                return refused(FAULT_CARD_DEAD, "LICENSE", status);
        }
}

int apdu_parse_license(const uint8_t *answer, size_t length,
                       uint8_t ret_license[static LICENSE_LENGTH])
{
        int status = answer_status(answer, length, "LICENSE");

        if (status < 0)
                return status;
        if (status != STATUS_GOOD)
                return license_fault(status);
        if (length != LICENSE_LENGTH + 2)
                return fault(FAULT_CARD_DEAD, "the answer to LICENSE has %zu bytes, expected %d",
                             length - 2, LICENSE_LENGTH);
        memcpy(ret_license, answer, LICENSE_LENGTH);
        return 0;
}

/* --- programming --------------------------------------------------------------------------- */

/* As with LICENSE: a refusal is made before anything is written; after any other status only INFO
 * can tell. */
int apdu_parse_personalize(const uint8_t *answer, size_t length)
{
        int status = answer_status(answer, length, "PERSONALIZE");

        if (status < 0)
                return status;
        switch (status) {
        case STATUS_GOOD:
                return length == 2 ? 0
                                   : fault(FAULT_CARD_DEAD,
                                           "the answer to PERSONALIZE has %zu bytes, expected none",
                                           length - 2);
        case STATUS_CONDITIONS:
                return fault(FAULT_CARD_STATE,
                             "the card is locked (PERSONALIZE answered %04X): it is programmed "
                             "once",
                             (unsigned)status);
        case STATUS_NO_SPACE:
                return fault(FAULT_CARD_REFUSED,
                             "the card answered PERSONALIZE with status %04X (more licenses than "
                             "its ceiling)",
                             (unsigned)status);
        case STATUS_DATA:
                return fault(FAULT_CARD_REFUSED,
                             "the card answered PERSONALIZE with status %04X (data refused)",
                             (unsigned)status);
        case STATUS_INSTRUCTION:
        case STATUS_LENGTH:
        case STATUS_CLASS:
                return refused(FAULT_CARD_REFUSED, "PERSONALIZE", status);
        default:
                return refused(FAULT_CARD_DEAD, "PERSONALIZE", status);
        }
}
