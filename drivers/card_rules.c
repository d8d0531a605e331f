/*
 * card_rules.c - what the answer to a command means: its fields and its status words.
 *
 * Every row is read by a form, then held against the table of facts below: a fact is written in
 * some ways and not in others, has a greatest length, and belongs to one command. Rows are refused
 * where they overlap or can never be reached, since either is a mistake of the one who wrote them.
 */
#include "drivers/card_rules.h"

#include "scheduler/bytes.h"

#include <ctype.h>
#include <stdio.h>

#define AS(writing)  (1u << (writing))
#define AS_NUMBER    (AS(AS_BIG) | AS(AS_LITTLE) | AS(AS_DECIMAL))
#define NUMBER_MAX   4u
#define NO_WRITING   0xFFu
#define ANSWER_BYTES 256u

static const char *const writings[] = { "big", "little", "decimal", "text",
                                        "hex", "values", "bytes",   NULL };
static const char *const fact_names[CARD_FACTS + 1] = {
        [FACT_STATE] = "state",     [FACT_VERSION] = "version", [FACT_COUNTER] = "counter",
        [FACT_MAXIMUM] = "maximum", [FACT_TYPE] = "type",       [FACT_FIRMWARE_ID] = "firmware_id",
        [FACT_SERIAL] = "serial",   [FACT_LICENSE] = "license", [FACT_CONSTANT] = "constant",
        [CARD_FACTS] = NULL,
};
static const char *const meaning_names[] = { "good",    "blank", "empty", "state",
                                             "refused", "dead",  NULL };

/* Its ways to be written, and the most bytes it has as text, hex or bytes. */
static const struct {
        unsigned writings, length;
        const char *meanings[5]; /* of values; ends with NULL */
} facts[CARD_FACTS] = {
        [FACT_STATE] = { AS(AS_VALUES), 0, { "ST", "OEM", "OPERATIONAL" } },
        [FACT_VERSION] = { AS_NUMBER | AS(AS_VALUES), 0, { "1", "2" } },
        [FACT_COUNTER] = { AS_NUMBER, 0, { NULL } },
        [FACT_MAXIMUM] = { AS_NUMBER, 0, { NULL } },
        [FACT_TYPE] = { AS(AS_TEXT) | AS(AS_VALUES), 4, { "SFI", "SFIA", "SMU", "SSP" } },
        [FACT_FIRMWARE_ID] = { AS(AS_TEXT), 32, { NULL } },
        [FACT_SERIAL] = { AS(AS_HEX), 8, { NULL } },
        [FACT_LICENSE] = { AS(AS_BYTES), 136, { NULL } },
        [FACT_CONSTANT] = { 0, CARD_BYTES_MAX, { NULL } },
};

const char *card_fact_name(enum card_fact fact)
{
        INSIST((unsigned)fact < CARD_FACTS);
        return fact_names[fact];
}

int card_bytes_read(const struct form *form, config_setting_t *setting, const char *what,
                    size_t least, size_t most, uint8_t *bytes, size_t *ret_length)
{
        const char *text = config_setting_get_string(setting);
        char digits[2 * 64 + 1];
        size_t count = 0;

        INSIST(most <= 64);
        for (; text && *text; text++) {
                if (isspace((unsigned char)*text))
                        continue;
                if (count == 2 * most)
                        return form_fault(form, setting, "%s has more than %zu bytes", what, most);
                digits[count++] = *text;
        }
        digits[count] = '\0';
        if (!text || count % 2 || count < 2 * least || !hex_decode(digits, bytes, count / 2))
                return form_fault(form, setting,
                                  "%s must be %zu to %zu hexadecimal bytes, \"3B 8B 80\"", what,
                                  least, most);
        *ret_length = count / 2;
        return 0;
}

static int check_rows(const struct form *form, config_setting_t *list, const char *what,
                      size_t most)
{
        if (!config_setting_is_list(list) || config_setting_length(list) < 1 ||
            (size_t)config_setting_length(list) > most)
                return form_fault(form, list,
                                  "%s must be a list of 1 to %zu rows: ( {...}, {...} )", what,
                                  most);
        for (unsigned i = 0; i < (unsigned)config_setting_length(list); i++)
                if (!config_setting_is_group(config_setting_get_elem(list, i)))
                        return form_fault(form, list, "%s: row %u is not a group: { ... }", what,
                                          i + 1);
        return 0;
}

/* --- fields -------------------------------------------------------------------------------- */

struct field_row {
        unsigned fact, writing;
        uint32_t offset, length, pad;
};

static const struct form_field field_keys[] = {
        { .key = "name",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct field_row, fact),
          .choices = fact_names },
        { .key = "as",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct field_row, writing),
          .choices = writings,
          .is_optional = true },
        { .key = "offset",
          .kind = FORM_U32,
          .offset = offsetof(struct field_row, offset),
          .high = ANSWER_BYTES - 1 },
        { .key = "length",
          .kind = FORM_U32,
          .offset = offsetof(struct field_row, length),
          .low = 1,
          .high = ANSWER_BYTES,
          .is_optional = true },
        { .key = "pad",
          .kind = FORM_U32,
          .offset = offsetof(struct field_row, pad),
          .high = 255,
          .is_optional = true },
        { .key = "values", .kind = FORM_OWN, .is_optional = true },
        { .key = "bytes", .kind = FORM_OWN, .is_optional = true },
};

static bool has(config_setting_t *group, const char *key)
{
        return config_setting_get_member(group, key) != NULL;
}

static int add_meaning(const struct form *form, config_setting_t *setting,
                       struct card_exchange *exchange, struct card_meaning **ret_meaning)
{
        if (exchange->meaning_count == CARD_MEANINGS_MAX)
                return form_fault(form, setting, "more than %u values and constants in one answer",
                                  CARD_MEANINGS_MAX);
        *ret_meaning = &exchange->meanings[exchange->meaning_count++];
        return 0;
}

static bool is_meaning_of(enum card_fact fact, const char *text)
{
        for (unsigned i = 0; facts[fact].meanings[i]; i++)
                if (strcmp(facts[fact].meanings[i], text) == 0)
                        return true;
        return false;
}

/* { bytes = "02"; means = "OPERATIONAL"; } */
static int read_meaning(const struct form *form, config_setting_t *row, struct card_field *field,
                        struct card_exchange *exchange)
{
        static const struct form_field keys[] = {
                { .key = "bytes", .kind = FORM_OWN },
                { .key = "means",
                  .kind = FORM_TEXT,
                  .offset = offsetof(struct card_meaning, text),
                  .capacity = sizeof(((struct card_meaning *)0)->text) },
        };
        struct card_meaning *meaning = NULL;
        size_t length = 0;
        int r = add_meaning(form, row, exchange, &meaning);

        if (r >= 0)
                r = form_read(form, row, keys, LENGTH_OF(keys), meaning);
        if (r >= 0)
                r = card_bytes_read(form, config_setting_get_member(row, "bytes"), "bytes",
                                    field->length, field->length, meaning->bytes, &length);
        if (r < 0)
                return r;
        meaning->length = (uint8_t)length;
        if (!is_meaning_of((enum card_fact)field->fact, meaning->text))
                return form_fault(form, row, "\"%s\" is nothing that %s can be", meaning->text,
                                  fact_names[field->fact]);
        for (unsigned i = 0; i < field->meaning_count; i++)
                if (memcmp(exchange->meanings[field->meaning + i].bytes, meaning->bytes, length) ==
                    0)
                        return form_fault(form, row, "these bytes of %s have a meaning already",
                                          fact_names[field->fact]);
        field->meaning_count++;
        return 0;
}

static int read_meanings(const struct form *form, config_setting_t *row, struct card_field *field,
                         struct card_exchange *exchange)
{
        config_setting_t *list = config_setting_get_member(row, "values");
        int r;

        field->meaning = exchange->meaning_count;
        if (!list)
                return form_fault(form, row, "%s has no values", fact_names[field->fact]);
        r = check_rows(form, list, "values", CARD_MEANINGS_MAX);
        for (unsigned i = 0; r >= 0 && i < (unsigned)config_setting_length(list); i++)
                r = read_meaning(form, config_setting_get_elem(list, i), field, exchange);
        return r;
}

/* A constant has bytes and nothing else; they give its length. */
static int read_constant(const struct form *form, config_setting_t *row, struct card_field *field,
                         struct card_exchange *exchange)
{
        config_setting_t *bytes = config_setting_get_member(row, "bytes");
        struct card_meaning *meaning = NULL;
        size_t length = 0;
        int r;

        if (!bytes || config_setting_length(row) != 3)
                return form_fault(form, row, "a constant has name, offset and bytes, no more");
        field->meaning = exchange->meaning_count;
        field->meaning_count = 1;
        field->writing = AS_VALUES;
        r = add_meaning(form, row, exchange, &meaning);
        if (r >= 0)
                r = card_bytes_read(form, bytes, "bytes", 1, CARD_BYTES_MAX, meaning->bytes,
                                    &length);
        field->length = (uint16_t)length;
        if (r >= 0)
                meaning->length = (uint8_t)length;
        return r;
}

static unsigned length_limit(const struct card_field *field)
{
        switch ((enum card_writing)field->writing) {
        case AS_BIG:
        case AS_LITTLE:
                return NUMBER_MAX;
        case AS_DECIMAL:
                return 10;
        case AS_VALUES:
                return CARD_BYTES_MAX;
        case AS_TEXT:
        case AS_HEX:
        case AS_BYTES:
                break;
        }
        return facts[field->fact].length;
}

static int check_writing(const struct form *form, config_setting_t *row,
                         const struct card_field *field)
{
        const char *name = fact_names[field->fact];

        if (field->writing == NO_WRITING)
                return form_fault(form, row, "the key \"as\" is missing: how %s is written", name);
        if (!(facts[field->fact].writings & AS(field->writing)))
                return form_fault(form, row, "%s cannot be written as %s", name,
                                  writings[field->writing]);
        if (has(row, "values") && field->writing != AS_VALUES)
                return form_fault(form, row, "%s is no values, it is %s", name,
                                  writings[field->writing]);
        if (has(row, "pad") && field->writing != AS_TEXT)
                return form_fault(form, row, "only a text is filled up; %s is %s", name,
                                  writings[field->writing]);
        if (has(row, "bytes"))
                return form_fault(form, row, "bytes are of a constant, not of %s", name);
        return 0;
}

/* Without a length it goes to the end, which only something that may have many lengths can. */
static int check_place(const struct form *form, config_setting_t *row,
                       const struct card_exchange *exchange, const struct card_field *field)
{
        const char *name = fact_names[field->fact];
        bool is_open = field->length == 0;
        unsigned most = is_open ? exchange->length_most - field->offset : field->length;
        unsigned limit = length_limit(field);

        if ((unsigned)field->offset + field->length > exchange->length_least)
                return form_fault(
                        form, row, "%s goes to byte %u, but the answer may have only %u (length)",
                        name, (unsigned)field->offset + field->length, exchange->length_least);
        if (most > limit || (field->fact == FACT_LICENSE && most != limit))
                return form_fault(form, row, "%s may have %u bytes, %s %u", name, most,
                                  field->fact == FACT_LICENSE ? "wanted" : "at most", limit);
        if (is_open && (field->writing == AS_VALUES || field->writing == AS_BIG ||
                        field->writing == AS_LITTLE || field->writing == AS_BYTES))
                return form_fault(form, row, "the key \"length\" is missing: %s has one length",
                                  name);
        return 0;
}

static unsigned end_of(const struct card_field *field)
{
        return field->length ? field->offset + field->length : ANSWER_BYTES;
}

static int check_neighbors(const struct form *form, config_setting_t *row,
                           const struct card_exchange *exchange, const struct card_field *field)
{
        for (unsigned i = 0; i < exchange->field_count; i++) {
                const struct card_field *other = &exchange->fields[i];

                if (field->offset < end_of(other) && other->offset < end_of(field))
                        return form_fault(form, row, "%s overlaps %s", fact_names[field->fact],
                                          fact_names[other->fact]);
        }
        return 0;
}

static bool belongs_to(enum card_fact fact, enum card_command command)
{
        if (fact == FACT_CONSTANT)
                return true;
        return command == (fact == FACT_LICENSE ? CARD_LICENSE : CARD_INFO);
}

static int read_field(const struct form *form, config_setting_t *setting, enum card_command command,
                      struct card_exchange *exchange)
{
        struct field_row row = { .writing = NO_WRITING };
        struct card_field field;
        int r = form_read(form, setting, field_keys, LENGTH_OF(field_keys), &row);

        if (r < 0)
                return r;
        field = (struct card_field){ .fact = (uint8_t)row.fact,
                                     .writing = (uint8_t)row.writing,
                                     .pad = (uint8_t)row.pad,
                                     .offset = (uint16_t)row.offset,
                                     .length = (uint16_t)row.length };
        if (!belongs_to((enum card_fact)row.fact, command))
                return form_fault(form, setting, "%s does not come with %s", fact_names[row.fact],
                                  card_command_name(command));
        r = field.fact == FACT_CONSTANT ? read_constant(form, setting, &field, exchange)
                                        : check_writing(form, setting, &field);
        if (r >= 0)
                r = check_place(form, setting, exchange, &field);
        if (r >= 0)
                r = check_neighbors(form, setting, exchange, &field);
        if (r >= 0 && field.writing == AS_VALUES && field.fact != FACT_CONSTANT)
                r = read_meanings(form, setting, &field, exchange);
        if (r >= 0)
                exchange->fields[exchange->field_count++] = field;
        return r;
}

int card_fields_read(const struct form *form, config_setting_t *list, enum card_command command,
                     struct card_exchange *exchange)
{
        int r = check_rows(form, list, "fields", CARD_FIELDS_MAX);

        for (unsigned i = 0; r >= 0 && i < (unsigned)config_setting_length(list); i++)
                r = read_field(form, config_setting_get_elem(list, i), command, exchange);
        return r;
}

/* --- status words -------------------------------------------------------------------------- */

struct status_row {
        char word[5];
        unsigned meaning;
        char words[sizeof(((struct card_status *)0)->words)];
};

static const struct form_field status_keys[] = {
        { .key = "sw",
          .kind = FORM_TEXT,
          .offset = offsetof(struct status_row, word),
          .capacity = sizeof(((struct status_row *)0)->word) },
        { .key = "means",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct status_row, meaning),
          .choices = meaning_names },
        { .key = "words",
          .kind = FORM_TEXT,
          .offset = offsetof(struct status_row, words),
          .capacity = sizeof(((struct status_row *)0)->words),
          .is_optional = true },
};

/* "6A88", "63Cx". The first digit is always told. */
static bool read_word(const char *word, struct card_status *status)
{
        char digits[5];
        uint8_t bytes[2];

        if (strlen(word) != 4 || word[0] == 'x')
                return false;
        memcpy(digits, word, sizeof(digits));
        for (unsigned i = 0; i < 4; i++) {
                status->mask = (uint16_t)(status->mask << 4 | (word[i] == 'x' ? 0 : 0xF));
                if (word[i] == 'x')
                        digits[i] = '0';
        }
        if (!hex_decode(digits, bytes, sizeof(bytes)))
                return false;
        status->value = load_be16(bytes);
        return true;
}

static bool covers(const struct card_status *a, const struct card_status *b)
{
        return (a->mask & b->mask) == a->mask && (b->value & a->mask) == a->value;
}

static int read_status(const struct form *form, config_setting_t *setting, unsigned meanings,
                       struct card_status *ret_status)
{
        struct status_row row = { .words = "" };
        struct card_status status = { 0 };
        int r = form_read(form, setting, status_keys, LENGTH_OF(status_keys), &row);

        if (r < 0)
                return r;
        if (!read_word(row.word, &status))
                return form_fault(form, setting,
                                  "sw is \"%s\", wanted such as \"6A88\" or \"63Cx\"", row.word);
        if (!(meanings & 1u << row.meaning))
                return form_fault(form, setting, "\"%s\" is nothing that a status can mean here",
                                  meaning_names[row.meaning]);
        status.meaning = (uint8_t)row.meaning;
        memcpy(status.words, row.words, sizeof(status.words));
        *ret_status = status;
        return 0;
}

int card_statuses_read(const struct form *form, config_setting_t *list, unsigned meanings,
                       struct card_status *statuses, size_t *ret_count)
{
        int r = check_rows(form, list, "status", CARD_STATUSES_MAX);

        *ret_count = 0;
        for (unsigned i = 0; r >= 0 && i < (unsigned)config_setting_length(list); i++) {
                config_setting_t *row = config_setting_get_elem(list, i);

                r = read_status(form, row, meanings, &statuses[i]);
                for (unsigned k = 0; k < i && r >= 0; k++)
                        if (covers(&statuses[k], &statuses[i]))
                                r = form_fault(
                                        form, row,
                                        "it is never reached: row %u is looked at before and "
                                        "fits the same",
                                        k + 1);
                if (r >= 0)
                        ++*ret_count;
        }
        return r;
}
