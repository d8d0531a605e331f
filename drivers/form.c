/*
 * form.c - read the file, let libconfig parse it, then go through the table of fields.
 *
 * libconfig 1.5 keeps a hexadecimal number of up to eight digits in a 32-bit int (so 0x80000000
 * comes out negative) and cuts longer ones without a word; the text is looked through for those
 * first.
 */
#include "drivers/form.h"

#include "scheduler/bytes.h"
#include "scheduler/file.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 8u

int form_fault(const struct form *form, config_setting_t *setting, const char *format, ...)
{
        char sentence[400];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(sentence, sizeof(sentence), format, arguments);
        va_end(arguments);
        return fault(FAULT_BAD_FILE, "%s:%u: %s", form->path,
                     setting ? config_setting_source_line(setting) : 1u, sentence);
}

/* libconfig would open another file for it: a form stands alone. */
static bool is_include(const char *line)
{
        return strncmp(line + strspn(line, " \t"), "@include", strlen("@include")) == 0;
}

static int check_text(const char *path, const struct bytes *text)
{
        unsigned line = 1;

        for (size_t i = 0; i < text->length; i++) {
                const char *at = (const char *)text->data + i;
                size_t digits = 0;

                if ((i == 0 || at[-1] == '\n') && is_include(at))
                        return fault(FAULT_BAD_FILE, "%s:%u: @include; put all in one file", path,
                                     line);

                if (*at == '\0')
                        return fault(FAULT_BAD_FILE, "%s:%u: a zero byte; this is not a text file",
                                     path, line);
                line += *at == '\n';
                if (at[0] != '0' || (at[1] != 'x' && at[1] != 'X'))
                        continue;
                while (isxdigit((unsigned char)at[2 + digits]))
                        digits++;
                if (digits > DIGITS_MAX)
                        return fault(FAULT_BAD_FILE, "%s:%u: the number %.*s has more than 32 bits",
                                     path, line, (int)(digits + 2 < 40 ? digits + 2 : 40), at);
        }
        return 0;
}

/* bytes keep a zero byte behind the text. */
static int parse(const struct bytes *text, struct form *form)
{
        int r = check_text(form->path, text);

        if (r < 0)
                return r;
        if (!config_read_string(&form->config, (const char *)text->data))
                return fault(FAULT_BAD_FILE, "%s:%d: %s", form->path,
                             config_error_line(&form->config), config_error_text(&form->config));
        return 0;
}

int form_open(const char *path, struct form *ret_form)
{
        CLEANUP(bytes_free) struct bytes text = { 0 };
        int r;

        ret_form->path = path;
        config_init(&ret_form->config);
        r = file_read(path, FORM_FILE_MAX, &text);
        return r < 0 ? r : parse(&text, ret_form);
}

int form_parse(const char *name, const void *data, size_t length, struct form *ret_form)
{
        CLEANUP(bytes_free) struct bytes text = { 0 };

        ret_form->path = name;
        config_init(&ret_form->config);
        if (length > FORM_FILE_MAX)
                return fault(FAULT_TOO_LARGE, "%s has %zu bytes, allowed are %u", name, length,
                             FORM_FILE_MAX);
        text = bytes_copy(data, length);
        return parse(&text, ret_form);
}

void form_close(struct form *form)
{
        config_destroy(&form->config);
}

static int read_number(const struct form *form, config_setting_t *setting,
                       const struct form_field *field, uint32_t *ret_value)
{
        long long value;

        if (config_setting_type(setting) != CONFIG_TYPE_INT &&
            config_setting_type(setting) != CONFIG_TYPE_INT64)
                return form_fault(form, setting, "%s: expected a number", field->key);
        value = config_setting_get_int64(setting);
        if (value < 0 && config_setting_get_format(setting) == CONFIG_FORMAT_HEX)
                value = (uint32_t)value;
        if (value < field->low || value > field->high)
                return form_fault(form, setting, "%s is %lld (0x%llX), allowed is 0x%X to 0x%X",
                                  field->key, value, (unsigned long long)value, field->low,
                                  field->high);
        if (field->multiple && value % field->multiple)
                return form_fault(form, setting, "%s is 0x%llX, expected a multiple of %u",
                                  field->key, (unsigned long long)value, field->multiple);
        *ret_value = (uint32_t)value;
        return 0;
}

int form_number(const struct form *form, config_setting_t *setting, const char *what,
                uint32_t *ret_number)
{
        struct form_field field = { .key = what, .kind = FORM_U32, .high = UINT32_MAX };

        return read_number(form, setting, &field, ret_number);
}

static int read_bool(const struct form *form, config_setting_t *setting,
                     const struct form_field *field, bool *ret_value)
{
        if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
                return form_fault(form, setting, "%s: expected true or false", field->key);
        *ret_value = config_setting_get_bool(setting) != 0;
        return 0;
}

static int read_text(const struct form *form, config_setting_t *setting,
                     const struct form_field *field, char *text)
{
        const char *value = config_setting_get_string(setting);
        size_t length = value ? strlen(value) : 0;

        if (!value)
                return form_fault(form, setting, "%s: expected a text in quotes", field->key);
        if (!length || length >= field->capacity)
                return form_fault(form, setting, "%s has %zu characters, allowed is 1 to %zu",
                                  field->key, length, field->capacity - 1);
        for (size_t i = 0; i < length; i++)
                if (!isprint((unsigned char)value[i]))
                        return form_fault(form, setting, "%s: character %zu is not printable",
                                          field->key, i + 1);
        memcpy(text, value, length + 1);
        return 0;
}

static int read_choice(const struct form *form, config_setting_t *setting,
                       const struct form_field *field, unsigned *ret_choice)
{
        const char *value = config_setting_get_string(setting);
        char allowed[200] = "";

        for (unsigned i = 0; field->choices[i]; i++) {
                if (value && strcmp(value, field->choices[i]) == 0) {
                        *ret_choice = i;
                        return 0;
                }
                snprintf(allowed + strlen(allowed), sizeof(allowed) - strlen(allowed), " \"%s\"",
                         field->choices[i]);
        }
        return form_fault(form, setting, "%s is \"%s\", allowed is one of%s", field->key,
                          value ? value : "(not a text)", allowed);
}

static int read_field(const struct form *form, config_setting_t *setting,
                      const struct form_field *field, void *record)
{
        char *place = (char *)record + field->offset;
        uint32_t number = 0;
        unsigned choice = 0;
        int r = 0;

        switch (field->kind) {
        case FORM_TEXT:
                return read_text(form, setting, field, place);
        case FORM_CHOICE:
                r = read_choice(form, setting, field, &choice);
                if (!r)
                        memcpy(place, &choice, sizeof(choice));
                return r;
        case FORM_BOOL:
                return read_bool(form, setting, field, (bool *)place);
        case FORM_OWN:
                return 0;
        case FORM_U16:
        case FORM_U32:
        case FORM_UNSIGNED:
                break;
        }
        r = read_number(form, setting, field, &number);
        if (r < 0)
                return r;
        if (field->kind == FORM_U16) {
                INSIST(field->high <= UINT16_MAX);
                memcpy(place, &(uint16_t){ (uint16_t)number }, sizeof(uint16_t));
        } else {
                memcpy(place, &number, sizeof(number)); /* unsigned has 32 bits here */
        }
        return 0;
}

_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "FORM_UNSIGNED and FORM_CHOICE");

static bool is_known(const struct form_field *fields, size_t count, const char *key)
{
        for (size_t i = 0; i < count; i++)
                if (strcmp(fields[i].key, key) == 0)
                        return true;
        return false;
}

int form_read(const struct form *form, config_setting_t *group, const struct form_field *fields,
              size_t count, void *record)
{
        for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
                config_setting_t *setting = config_setting_get_elem(group, i);

                if (!is_known(fields, count, config_setting_name(setting)))
                        return form_fault(form, setting, "unknown key \"%s\"",
                                          config_setting_name(setting));
        }
        for (size_t i = 0; i < count; i++) {
                config_setting_t *setting = config_setting_get_member(group, fields[i].key);
                int r;

                if (!setting && fields[i].is_optional)
                        continue;
                if (!setting)
                        return form_fault(form, group, "the key \"%s\" is missing", fields[i].key);
                r = read_field(form, setting, &fields[i], record);
                if (r < 0)
                        return r;
        }
        return 0;
}
