/*
 * option_view.c - rows and fields, as text and as JSON.
 */
#include "station/commands/option_view.h"

const char *option_rows_words(const struct family *family)
{
        switch (family->option_rows) {
        case FAMILY_ROWS_PUBLISHED:
                return "names and order of the rows are public";
        case FAMILY_ROWS_COUNTED:
                return "the number of rows is public, their names and order are a reference";
        case FAMILY_ROWS_REFERENCE:
                break;
        }
        return "number, names and order of the rows are not public: a reference, take ST's example";
}

void option_view_print(FILE *out, const struct family *family, const struct option_fields *fields,
                       const struct option_bytes *rows)
{
        char text[80];

        for (size_t i = 0; i < rows->count; i++) {
                fprintf(out, "%-14s 0x%08X\n", rows->rows[i].name, rows->rows[i].value);
                for (size_t j = 0; j < fields->count; j++) {
                        const struct option_field *field = &fields->fields[j];
                        uint32_t value = option_field_get(field, rows->rows[i].value);

                        if (field->row != i)
                                continue;
                        option_field_text(field, value, text, sizeof(text));
                        fprintf(out, "  %-18s 0x%-8X %s: %s\n", field->name, value, field->about,
                                text);
                }
        }
        fprintf(out, "%s: %s\n", family->name, option_rows_words(family));
}

static json_t *fields_json(const struct option_fields *fields, size_t row, uint32_t word)
{
        json_t *list = json_array();
        char text[80];

        for (size_t j = 0; j < fields->count; j++) {
                const struct option_field *field = &fields->fields[j];
                uint32_t value = option_field_get(field, word);

                if (field->row != row)
                        continue;
                option_field_text(field, value, text, sizeof(text));
                json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:s}", "name", field->name,
                                                      "value", (json_int_t)value, "about",
                                                      field->about, "meaning", text));
        }
        return list;
}

json_t *option_view_json(const struct family *family, const struct option_fields *fields,
                         const struct option_bytes *rows)
{
        json_t *list = json_array();

        for (size_t i = 0; i < rows->count; i++)
                json_array_append_new(list,
                                      json_pack("{s:s, s:I, s:o}", "name", rows->rows[i].name,
                                                "value", (json_int_t)rows->rows[i].value, "fields",
                                                fields_json(fields, i, rows->rows[i].value)));
        return json_pack("{s:s, s:s, s:o}", "family", family->name, "rows_are",
                         option_rows_words(family), "rows", list);
}
