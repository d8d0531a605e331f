/*
 * card_template.c - the text of a command taken apart once, when the profile is read: four bytes of
 * header, then literal bytes and values in their order, then Le. What is left for later is to copy.
 *
 * Lc never stands in the text. Nothing in a template is looked up by position, so the same few
 * words serve a document's command and one seen in a trace.
 */
#include "drivers/card_rules.h"

#include "scheduler/bytes.h"

#include <ctype.h>
#include <stdio.h>

#define ALL_COMMANDS 0xFu
#define IN(command)  (1u << (command))

/* What a value is: where it may stand, how long it is, whether lowest byte first makes sense. */
static const struct value {
        const char *name;
        unsigned commands;
        uint8_t length; /* 0: of the profile */
        bool is_number, is_personalization;
} values[CARD_VALUES] = {
        [VALUE_LITERAL] = { "", 0, 0, false, false },
        [VALUE_AID] = { "aid", ALL_COMMANDS, 0, false, false },
        [VALUE_CERTIFICATE] = { "certificate", IN(CARD_LICENSE), CERTIFICATE_LENGTH, false, false },
        [VALUE_IV] = { "iv", IN(CARD_PERSONALIZE), 16, false, false },
        [VALUE_NONCE] = { "nonce", IN(CARD_PERSONALIZE), 12, false, false },
        [VALUE_KEY] = { "key", IN(CARD_PERSONALIZE), 16, false, false },
        [VALUE_MAXIMUM] = { "maximum", IN(CARD_PERSONALIZE), 4, true, false },
        [VALUE_FIRMWARE_ID] = { "firmware_id", IN(CARD_PERSONALIZE), 32, false, false },
        [VALUE_PRODUCT_ID] = { "product_id", IN(CARD_PERSONALIZE), PRODUCT_ID_LENGTH, false, true },
        [VALUE_FLOW] = { "flow", IN(CARD_PERSONALIZE), 4, false, true },
        [VALUE_LICENSE_VERSION] = { "license_version", IN(CARD_PERSONALIZE), 4, true, true },
        [VALUE_SECURITY_VERSION] = { "security_version", IN(CARD_PERSONALIZE), 4, true, true },
};

struct text {
        const struct form *form;
        config_setting_t *setting;
        const char *start, *at;
        enum card_command command;
        bool is_inside, was_inside; /* of [ ] */
        struct card_template template;
};

size_t card_value_length(const struct card_profile *profile, enum card_value value)
{
        INSIST((unsigned)value < CARD_VALUES);
        return value == VALUE_AID ? profile->aid_length : values[value].length;
}

const char *card_value_name(enum card_value value)
{
        INSIST((unsigned)value < CARD_VALUES);
        return values[value].name;
}

static int bad(const struct text *text, const char *what)
{
        return form_fault(text->form, text->setting, "command, character %d: %s",
                          (int)(text->at - text->start) + 1, what);
}

static void skip_space(struct text *text)
{
        while (isspace((unsigned char)*text->at))
                text->at++;
}

static bool take_byte(struct text *text, uint8_t *ret_byte)
{
        char digits[3] = { text->at[0], text->at[0] ? text->at[1] : '\0', '\0' };

        if (!hex_decode(digits, ret_byte, 1))
                return false;
        text->at += 2;
        return true;
}

/* NULL: no more room. */
static struct card_part *add_part(struct text *text, enum card_value value)
{
        struct card_template *template = &text->template;
        struct card_part *part = &template->parts[template->part_count];

        if (template->part_count == CARD_PARTS_MAX)
                return NULL;
        template->part_count++;
        *part = (struct card_part){ .value = (uint8_t)value,
                                    .is_personalization = text->is_inside };
        return part;
}

static int too_many(const struct text *text)
{
        return bad(text, "more than 16 pieces");
}

static int take_literal(struct text *text)
{
        struct card_template *template = &text->template;
        struct card_part *part = add_part(text, VALUE_LITERAL);

        if (!part)
                return too_many(text);
        part->start = template->literal_length;
        while (isxdigit((unsigned char)*text->at)) {
                if (template->literal_length == CARD_LITERALS_MAX)
                        return bad(text, "more than 96 bytes of its own");
                if (!take_byte(text, &template->literals[template->literal_length]))
                        return bad(text, "half a byte; two digits make one");
                template->literal_length++;
                part->length++;
                skip_space(text);
        }
        return 0;
}

/* The name's word up to a space or the bracket; its length. */
static size_t word_length(const char *at)
{
        return strcspn(at, " \t}");
}

static int find_value(struct text *text, const char *word, size_t length,
                      enum card_value *ret_value)
{
        char known[200] = "";

        for (unsigned i = VALUE_LITERAL + 1; i < CARD_VALUES; i++) {
                if (!(values[i].commands & IN(text->command)))
                        continue;
                if (strlen(values[i].name) == length && memcmp(values[i].name, word, length) == 0) {
                        *ret_value = (enum card_value)i;
                        return 0;
                }
                snprintf(known + strlen(known), sizeof(known) - strlen(known), " {%s}",
                         values[i].name);
        }
        return form_fault(text->form, text->setting,
                          "command, character %d: {%.*s} is nothing that %s can be given, only%s",
                          (int)(text->at - text->start) + 1, (int)(length < 40 ? length : 40), word,
                          card_command_name(text->command), known);
}

static int check_value(struct text *text, enum card_value value)
{
        const struct card_template *template = &text->template;

        for (unsigned i = 0; i < template->part_count; i++)
                if (value != VALUE_AID && template->parts[i].value == value)
                        return bad(text, "it is in the command already");
        if (values[value].is_personalization && !text->is_inside)
                return bad(text, "it belongs between [ and ]: cards of version 1 have none");
        if (!values[value].is_personalization && text->is_inside)
                return bad(text, "it is needed without a personalization too, so not in [ ]");
        return 0;
}

/* {name} or {name little} */
static int take_value(struct text *text)
{
        const char *end = strchr(text->at, '}'), *word = text->at + 1;
        enum card_value value = VALUE_LITERAL;
        struct card_part *part;
        size_t length, rest;
        int r;

        if (!end)
                return bad(text, "the } is missing");
        length = word_length(word);
        r = find_value(text, word, length, &value);
        if (r >= 0)
                r = check_value(text, value);
        if (r < 0)
                return r;
        part = add_part(text, value);
        if (!part)
                return too_many(text);
        rest = (size_t)(end - word) - length;
        part->is_little = rest == 7 && memcmp(word + length, " little", 7) == 0;
        if (rest != 0 && !part->is_little)
                return bad(text, "wanted {name} or {name little}");
        if (part->is_little && !values[value].is_number)
                return bad(text, "it is no number, so it has no lowest byte");
        text->at = end + 1;
        return 0;
}

static int take_bracket(struct text *text)
{
        bool is_opening = *text->at == '[';

        if (text->command != CARD_PERSONALIZE)
                return bad(text, "only personalize has parts in [ ]");
        if (is_opening == text->is_inside)
                return bad(text, is_opening ? "a second [ within the first" : "a ] without its [");
        if (is_opening && text->was_inside)
                return bad(text, "a second [ ]; there is one");
        text->is_inside = is_opening;
        text->was_inside = true;
        text->at++;
        return 0;
}

/* "le" or "le 88", and nothing behind it. */
static int take_le(struct text *text)
{
        if (text->is_inside)
                return bad(text, "le stands behind the ]");
        text->at += 2;
        text->template.has_le = true;
        skip_space(text);
        if (*text->at && !take_byte(text, &text->template.le))
                return bad(text, "after le comes a byte, or the end");
        skip_space(text);
        return *text->at ? bad(text, "there is something behind le") : 0;
}

static int take_next(struct text *text)
{
        if (isxdigit((unsigned char)*text->at))
                return take_literal(text);
        if (*text->at == '{')
                return take_value(text);
        if (*text->at == '[' || *text->at == ']')
                return take_bracket(text);
        if (text->at[0] == 'l' && text->at[1] == 'e')
                return take_le(text);
        return bad(text, "wanted a byte, {value}, [, ] or le");
}

int card_template_parse(const struct form *form, config_setting_t *setting, const char *from,
                        enum card_command command, struct card_template *ret_template)
{
        struct text text = {
                .form = form, .setting = setting, .start = from, .at = from, .command = command
        };
        int r = 0;

        for (unsigned i = 0; i < sizeof(text.template.header); i++) {
                skip_space(&text);
                if (!take_byte(&text, &text.template.header[i]))
                        return bad(&text, "a command begins with class, instruction, P1 and P2");
        }
        for (skip_space(&text); *text.at && r >= 0; skip_space(&text))
                r = take_next(&text);
        if (r >= 0 && text.is_inside)
                r = bad(&text, "the ] is missing");
        if (r >= 0)
                *ret_template = text.template;
        return r;
}
