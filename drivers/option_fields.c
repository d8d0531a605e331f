/*
 * option_fields.c - read the list of fields of a family file, then answer what a value means.
 */
#include "drivers/option_fields.h"

#include "drivers/form.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const role_words[] = {
        [ROLE_PLAIN] = "plain",       [ROLE_READOUT] = "readout",
        [ROLE_SECURITY] = "security", [ROLE_TRUSTZONE] = "trustzone",
        [ROLE_STATE] = "state",       [ROLE_BOOT] = "boot",
        [ROLE_LOCK] = "lock",         [ROLE_UNPROTECTED_BITS] = "unprotected-bits",
        [ROLE_START] = "start",       [ROLE_END] = "end",
        [ROLE_ERASE] = "erase",       [ROLE_RSS_RAM] = "rss-ram",
        [ROLE_BANKS] = "banks",       NULL,
};
static const char *const effect_words[] = {
        [EFFECT_NONE] = "none",
        [EFFECT_OPEN] = "open",
        [EFFECT_CLOSED] = "closed",
        [EFFECT_FINAL] = "final",
        NULL,
};

static const char *const kind_words[] = {
        [AREA_PCROP] = "pcrop",         [AREA_SECURE] = "secure", [AREA_WRITE] = "write",
        [AREA_WATERMARK] = "watermark", [AREA_HIDDEN] = "hidden", NULL,
};

_Static_assert(sizeof(enum field_role) == sizeof(unsigned) &&
                       sizeof(enum area_kind) == sizeof(unsigned) &&
                       sizeof(enum field_effect) == sizeof(unsigned),
               "FORM_CHOICE");

#define PLACE(name_) .key = #name_, .offset = offsetof(struct option_field, name_)
#define TEXT(name_)                                                                                \
        PLACE(name_), .kind = FORM_TEXT, .capacity = sizeof(((struct option_field *)0)->name_)

static const struct form_field field_forms[] = {
        { TEXT(name) },
        { TEXT(about) },
        { TEXT(group), .is_optional = true },
        { TEXT(when), .is_optional = true },
        { PLACE(kind), .kind = FORM_CHOICE, .choices = kind_words, .is_optional = true },
        { TEXT(other), .is_optional = true },
        { PLACE(role), .kind = FORM_CHOICE, .choices = role_words, .is_optional = true },
        { PLACE(other_effect), .kind = FORM_CHOICE, .choices = effect_words, .is_optional = true },
        { PLACE(unit), .kind = FORM_U32, .high = UINT32_MAX, .is_optional = true },
        { PLACE(base), .kind = FORM_U32, .high = UINT32_MAX, .is_optional = true },
        { .key = "row", .kind = FORM_OWN },
        { .key = "bits", .kind = FORM_OWN },
        { .key = "values", .kind = FORM_OWN, .is_optional = true },
};

/* --- reading ------------------------------------------------------------------------------- */

static int read_row(const struct form *form, config_setting_t *group, const struct family *family,
                    struct option_field *field)
{
        const char *row = NULL;

        if (!config_setting_lookup_string(group, "row", &row))
                return form_fault(form, group, "row: expected the name of a row in quotes");
        for (field->row = 0; field->row < family->option_count; field->row++)
                if (strcmp(family->options[field->row].name, row) == 0)
                        return 0;
        return form_fault(form, group, "field %s: there is no row %s in options", field->name, row);
}

static int read_bits(const struct form *form, config_setting_t *group, struct option_field *field)
{
        config_setting_t *bits = config_setting_get_member(group, "bits");
        uint32_t high, low;
        int r;

        if (!config_setting_is_array(bits) || config_setting_length(bits) != 2)
                return form_fault(form, bits, "bits: expected [ high, low ]");
        r = form_number(form, config_setting_get_elem(bits, 0), "bits", &high);
        if (r >= 0)
                r = form_number(form, config_setting_get_elem(bits, 1), "bits", &low);
        if (r < 0)
                return r;
        if (high > 31 || low > high)
                return form_fault(form, bits, "bits: [ %u, %u ], expected 31 >= high >= low", high,
                                  low);
        field->high = high;
        field->low = low;
        return 0;
}

/* ( value, "word", "effect" ), the effect may be left out. */
static int read_value(const struct form *form, config_setting_t *list,
                      const struct option_field *field, struct field_value *value)
{
        const char *word = NULL, *effect = NULL;
        int r, length = config_setting_is_list(list) ? config_setting_length(list) : 0;

        if (length == 2 || length == 3) {
                word = config_setting_get_string_elem(list, 1);
                effect = length == 3 ? config_setting_get_string_elem(list, 2) : effect_words[0];
        }
        if (!word || !effect || strlen(word) >= sizeof(value->word))
                return form_fault(form, list,
                                  "field %s: expected ( value, \"word\", \"effect\" ), the word at "
                                  "most %zu characters",
                                  field->name, sizeof(value->word) - 1);
        r = form_number(form, config_setting_get_elem(list, 0), "value", &value->value);
        if (r < 0)
                return r;
        strcpy(value->word, word);
        for (unsigned i = 0; effect_words[i]; i++) {
                if (strcmp(effect_words[i], effect) == 0) {
                        value->effect = (enum field_effect)i;
                        return 0;
                }
        }
        return form_fault(form, list, "field %s: the effect \"%s\" is none of open closed final",
                          field->name, effect);
}

static int read_values(const struct form *form, config_setting_t *group, struct option_field *field)
{
        config_setting_t *list = config_setting_get_member(group, "values");
        unsigned count = list ? (unsigned)config_setting_length(list) : 0;

        if (list && (!config_setting_is_list(list) || count > FIELD_VALUES_MAX))
                return form_fault(form, list, "values: expected ( ( ... ), ... ), at most %u",
                                  FIELD_VALUES_MAX);
        for (unsigned i = 0; i < count; i++) {
                struct field_value *value = &field->values[i];
                int r = read_value(form, config_setting_get_elem(list, i), field, value);

                if (r < 0)
                        return r;
                if (value->value > option_field_mask(field) >> field->low)
                        return form_fault(form, list, "field %s: 0x%X does not fit bits %u to %u",
                                          field->name, value->value, field->high, field->low);
        }
        field->value_count = count;
        return 0;
}

static int read_field(const struct form *form, config_setting_t *group, const struct family *family,
                      struct option_field *field)
{
        int r;

        if (!config_setting_is_group(group))
                return form_fault(form, group, "fields: expected groups { ... }");
        r = form_read(form, group, field_forms, LENGTH_OF(field_forms), field);
        if (r >= 0)
                r = read_row(form, group, family, field);
        if (r >= 0)
                r = read_bits(form, group, field);
        if (r >= 0)
                r = read_values(form, group, field);
        if (r < 0)
                return r;
        if ((field->role == ROLE_START || field->role == ROLE_END) && !field->group[0])
                return form_fault(form, group, "field %s: a start or end wants its group",
                                  field->name);
        if (field->role == ROLE_START && !config_setting_get_member(group, "kind"))
                return form_fault(form, group, "field %s: a start wants the kind of its area",
                                  field->name);
        return 0;
}

static int read_list(const struct form *form, config_setting_t *list, unsigned count,
                     const struct family *family, struct option_fields *fields)
{
        for (unsigned i = 0; i < count; i++) {
                config_setting_t *group = config_setting_get_elem(list, i);
                int r = read_field(form, group, family, &fields->fields[i]);

                if (r < 0)
                        return r;
                if (option_fields_find(fields, fields->fields[i].name))
                        return form_fault(form, group, "field %s stands there twice",
                                          fields->fields[i].name);
                fields->count++;
        }
        return 0;
}

int option_fields_read(const struct form *form, const struct family *family,
                       struct option_fields *ret_fields)
{
        struct option_fields fields = { 0 };
        config_setting_t *list = config_lookup(&form->config, "fields");
        unsigned count = list ? (unsigned)config_setting_length(list) : 0;
        int r;

        if (list && (!config_setting_is_list(list) || count > OPTION_FIELDS_MAX))
                return form_fault(form, list, "fields: expected ( { ... }, ... ), at most %u",
                                  OPTION_FIELDS_MAX);
        fields.fields = calloc(count + 1, sizeof(*fields.fields));
        INSIST(fields.fields);
        r = read_list(form, list, count, family, &fields);
        if (r < 0) {
                option_fields_free(&fields);
                return r;
        }
        *ret_fields = fields;
        return 0;
}

int option_fields_load(const char *path, const struct family *family,
                       struct option_fields *ret_fields)
{
        CLEANUP(form_close) struct form form;
        int r = form_open(path, &form);

        return r < 0 ? r : option_fields_read(&form, family, ret_fields);
}

void option_fields_free(struct option_fields *fields)
{
        free(fields->fields);
        *fields = (struct option_fields){ 0 };
}

/* --- answering ----------------------------------------------------------------------------- */

const struct option_field *option_fields_find(const struct option_fields *fields, const char *name)
{
        for (size_t i = 0; i < fields->count; i++)
                if (strcasecmp(fields->fields[i].name, name) == 0)
                        return &fields->fields[i];
        return NULL;
}

uint32_t option_field_mask(const struct option_field *field)
{
        unsigned width = field->high - field->low + 1;

        return (width == 32 ? UINT32_MAX : (1u << width) - 1) << field->low;
}

uint32_t option_field_get(const struct option_field *field, uint32_t row)
{
        return (row & option_field_mask(field)) >> field->low;
}

static const struct field_value *listed(const struct option_field *field, uint32_t value)
{
        for (size_t i = 0; i < field->value_count; i++)
                if (field->values[i].value == value)
                        return &field->values[i];
        return NULL;
}

void option_field_text(const struct option_field *field, uint32_t value, char *ret_text,
                       size_t capacity)
{
        const struct field_value *known = listed(field, value);

        if (known)
                snprintf(ret_text, capacity, "%s", known->word);
        else if (field->other[0])
                snprintf(ret_text, capacity, "%s", field->other);
        else if (field->unit)
                snprintf(ret_text, capacity, "0x%08X", field->base + value * field->unit);
        else
                snprintf(ret_text, capacity, "%u", value);
}

enum field_effect option_field_effect(const struct option_field *field, uint32_t value)
{
        const struct field_value *known = listed(field, value);

        return known ? known->effect : field->other_effect;
}

static bool is_word(const struct field_value *value, const char *text)
{
        size_t length = strcspn(value->word, ":");

        return strlen(text) == length && strncasecmp(value->word, text, length) == 0;
}

int option_field_parse(const struct option_field *field, const char *text, uint32_t *ret_value)
{
        uint32_t most = option_field_mask(field) >> field->low;
        char words[200] = "";
        unsigned long number;
        char *end;

        for (size_t i = 0; i < field->value_count; i++) {
                const struct field_value *value = &field->values[i];
                size_t used = strlen(words);

                if (is_word(value, text)) {
                        *ret_value = value->value;
                        return 0;
                }
                snprintf(words + used, sizeof(words) - used, "%s 0x%X \"%.*s\"", used ? "," : "",
                         value->value, (int)strcspn(value->word, ":"), value->word);
        }
        errno = 0;
        number = strtoul(text, &end, 0);
        if (isdigit((unsigned char)text[0]) && !*end && !errno && number <= most) {
                *ret_value = (uint32_t)number;
                return 0;
        }
        return fault(FAULT_BAD_VALUE, "%s is %.40s, wanted 0 to 0x%X (bits %u to %u)%s%s",
                     field->name, text, most, field->high, field->low, words[0] ? ", such as" : "",
                     words);
}
