/*
 * card_profile.h - how to speak to one kind of card, as data: what configs/cards/NAME.conf says.
 *
 * A profile has four commands: select, info, license and, for cards that can be programmed,
 * personalize. A command is one exchange, or a list of up to four that are made in their order (two
 * questions for one answer of ours; a GET RESPONSE). An exchange is
 *
 *      command     the APDU as a template, "80 20 00 00 {certificate} le 88": hexadecimal bytes;
 *                  {values} that the station puts in, Lc being counted for them; `le` and the
 *                  length wanted; [ ] around what is sent only with a personalization
 *      length      of the answer without its status: a number, or [ least, most ]
 *      fields      what lies where in it, and how it is written
 *      status      what each status word means; the profile's own table is looked at afterwards
 *      timeout_ms  how long it may take
 *
 * configs/cards/reference.conf explains each word of it and is the one to start from. The file is
 * read strictly: what is not known, missing, too long or overlapping is refused with its line.
 * drivers/apdu.c builds and reads APDUs by it. What a profile cannot say: secure messaging (a MAC or
 * cipher on APDUs), a personalization package's own content, answers of tags in changing order.
 */
#pragma once

#include "crypto/certificate.h"
#include "drivers/card.h"
#include "drivers/rss.h"

#define CARD_TYPES_MAX     8u
#define CARD_PRODUCTS_MAX  16u
#define CARD_EXCHANGES_MAX 10u /* of all commands together; 4 of one */
#define CARD_COMMAND_MAX   4u
#define CARD_PARTS_MAX     16u
#define CARD_LITERALS_MAX  96u
#define CARD_FIELDS_MAX    10u
#define CARD_MEANINGS_MAX  12u
#define CARD_STATUSES_MAX  10u
#define CARD_BYTES_MAX     8u

enum card_command { CARD_SELECT, CARD_INFO, CARD_LICENSE, CARD_PERSONALIZE };
#define CARD_COMMANDS 4u

/* "SELECT", "INFO", "LICENSE", "PERSONALIZE". */
const char *card_command_name(enum card_command command);

/* What stands in the data of a command. */
enum card_value {
        VALUE_LITERAL,
        VALUE_AID,
        VALUE_CERTIFICATE,
        VALUE_IV, /* the nonce and four zeros (AN5054 section 3.1.2) */
        VALUE_NONCE,
        VALUE_KEY,
        VALUE_MAXIMUM,
        VALUE_FIRMWARE_ID,
        VALUE_PRODUCT_ID,
        VALUE_FLOW,
        VALUE_LICENSE_VERSION,
        VALUE_SECURITY_VERSION,
};
#define CARD_VALUES 12u

struct card_part {
        uint8_t value;           /* enum card_value */
        uint8_t start, length;   /* VALUE_LITERAL: where in `literals` */
        bool is_little;          /* a number, its lowest byte first */
        bool is_personalization; /* sent only with one */
};

struct card_template {
        uint8_t header[4];
        uint8_t literals[CARD_LITERALS_MAX];
        struct card_part parts[CARD_PARTS_MAX];
        uint8_t part_count, literal_length;
        bool has_le;
        uint8_t le;
};

enum status_meaning {
        STATUS_GOOD,
        STATUS_BLANK,   /* info: a card without these facts; the exchange's fields stay empty */
        STATUS_EMPTY,   /* license: the counter is at zero */
        STATUS_STATE,   /* not in this state of the card; nothing was done */
        STATUS_REFUSED, /* nothing was done */
        STATUS_DEAD,    /* it may have been done */
};

/* A status word means this where its bits in `mask` are those of `value`. */
struct card_status {
        uint16_t value, mask;
        uint8_t meaning; /* enum status_meaning */
        char words[40];  /* for people; may be empty */
};

enum card_fact {
        FACT_STATE,
        FACT_VERSION,
        FACT_COUNTER,
        FACT_MAXIMUM,
        FACT_TYPE,
        FACT_FIRMWARE_ID,
        FACT_SERIAL,
        FACT_LICENSE,
        FACT_CONSTANT, /* bytes that must be these */
};
#define CARD_FACTS 9u

enum card_writing {
        AS_BIG,     /* a number, highest byte first */
        AS_LITTLE,  /* a number, lowest byte first */
        AS_DECIMAL, /* a number in digits */
        AS_TEXT,    /* printable, filled up with `pad` */
        AS_HEX,     /* bytes, shown in hexadecimal */
        AS_VALUES,  /* one of the meanings */
        AS_BYTES,   /* as they are */
};

struct card_field {
        uint8_t fact, writing; /* enum card_fact, enum card_writing */
        uint8_t pad;
        uint8_t meaning, meaning_count; /* the first of its meanings, and how many */
        uint16_t offset, length;        /* length 0: to the answer's end */
};

struct card_meaning {
        uint8_t bytes[CARD_BYTES_MAX];
        uint8_t length;
        char text[12];
};

struct card_exchange {
        struct card_template template;
        unsigned timeout_ms;
        uint16_t length_least, length_most; /* of the answer without its status */
        struct card_field fields[CARD_FIELDS_MAX];
        struct card_meaning meanings[CARD_MEANINGS_MAX];
        struct card_status statuses[CARD_STATUSES_MAX];
        uint8_t field_count, meaning_count, status_count;
        uint8_t otherwise; /* enum status_meaning of a status without a row */
};

/* The most licenses a card of this type can be given. */
struct card_ceiling {
        char type[5]; /* "SFI" */
        uint32_t maximum;
};

struct card_profile {
        char name[32];
        enum profile_source source;
        char gap[160];
        uint8_t atr[ATR_MAX];
        size_t atr_length; /* 0: any; never of a reference */
        uint8_t aid[16];
        size_t aid_length;
        unsigned timeout_ms;

        struct card_exchange exchanges[CARD_EXCHANGES_MAX];
        struct {
                uint8_t first, count; /* 0: the profile has no such command */
        } commands[CARD_COMMANDS];
        struct card_status statuses[CARD_STATUSES_MAX]; /* for all commands, after their own */
        size_t status_count;

        struct card_ceiling ceilings[CARD_TYPES_MAX];
        size_t ceiling_count;
        char version_1_products[CARD_PRODUCTS_MAX][PRODUCT_ID_LENGTH + 1];
        size_t version_1_count; /* 0: not known, nothing is refused for it */
};

/* Read a file (waits), or its text.
 *      -FAULT_BAD_FILE  file, line, what is wrong; -FAULT_NOT_FOUND, -FAULT_TOO_LARGE */
int card_profile_load(const char *path, struct card_profile *ret_profile) MUST_USE;
int card_profile_parse(const char *name, const void *text, size_t length,
                       struct card_profile *ret_profile) MUST_USE;

static inline bool card_profile_has(const struct card_profile *profile, enum card_command command)
{
        return profile->commands[command].count > 0;
}

/* Does personalize carry what a version-2 card is for? */
bool card_profile_has_personalization(const struct card_profile *profile);

/* Bytes that a value has in a command; its name in a profile. */
size_t card_value_length(const struct card_profile *profile, enum card_value value);
const char *card_value_name(enum card_value value);
