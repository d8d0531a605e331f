/*
 * gangway ob create: option bytes by field name into the CSV that `sfi create -ob` takes.
 *
 * Begins with the values of a virgin part, or with a CSV that is there, and changes fields one by
 * one. Rows stay in the family's order (AN5054 section 2.5.1 forbids any other).
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/option_view.h"
#include "station/commands/options.h"
#include "station/text.h"

#include <string.h>

#define CSV_FILE_MAX (64u << 10)
#define CSV_MODE     0644u
#define ROW_TEXT_MAX 48u
#define SETTINGS_MAX 256u

struct request {
        struct family_choice choice;
        const char *from, *output;
        const char *settings[SETTINGS_MAX]; /* FIELD=VALUE */
        size_t setting_count;
        bool is_json;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                FAMILY_ARGUMENTS(&request->choice),
                { "from", .text = &request->from },
                { "outfile", "o", .text = &request->output },
                { "json", .flag = &request->is_json },
                { .what = "setting",
                  .text = request->settings,
                  .most = SETTINGS_MAX,
                  .count = &request->setting_count },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0 && !request->choice.family && !request->choice.has_device)
                return fault(FAULT_BAD_VALUE,
                             "whose option bytes? give --family NAME or -devid ID");
        return r;
}

/* --- values -------------------------------------------------------------------------------- */

static int begin(const struct request *request, const struct family *family,
                 struct option_bytes *ret_rows)
{
        const char *wanted[OPTION_ROWS_MAX];
        struct bytes file CLEANUP(bytes_free) = { 0 };
        int r;

        ret_rows->count = family->option_count;
        for (size_t i = 0; i < family->option_count; i++) {
                struct option_row *row = &ret_rows->rows[i];

                wanted[i] = family->options[i].name;
                memset(row->name, 0, sizeof(row->name));
                memcpy(row->name, family->options[i].name, sizeof(row->name) - 1);
                row->value = family->options[i].factory;
        }
        if (!request->from)
                return 0;
        r = file_read(request->from, CSV_FILE_MAX, &file);
        if (r >= 0)
                r = option_bytes_parse(request->from, file.data, file.length, ret_rows);
        if (r >= 0)
                r = option_bytes_check(ret_rows, wanted, family->option_count);
        return r;
}

static int unknown_field(const struct family *family, const struct option_fields *fields,
                         const char *name)
{
        const char *known[OPTION_FIELDS_MAX], *nearest;

        for (size_t i = 0; i < fields->count; i++)
                known[i] = fields->fields[i].name;
        nearest = text_nearest(name, known, sizeof(*known), fields->count);
        return fault(FAULT_BAD_VALUE,
                     "%s has no option-byte field or row %.40s%s%s%s; gangway ob create --family "
                     "... alone lists them",
                     family->name, name, nearest ? " (did you mean " : "", nearest ? nearest : "",
                     nearest ? "?)" : "");
}

static int set(const struct family *family, const struct option_fields *fields, const char *setting,
               struct option_bytes *rows)
{
        const char *equals = strchr(setting, '=');
        const struct option_field *field;
        char name[64];
        uint32_t value;
        int r;

        if (!equals || equals == setting || (size_t)(equals - setting) >= sizeof(name))
                return fault(FAULT_BAD_VALUE, "%.60s: wanted FIELD=VALUE, such as RDP=0xAA",
                             setting);
        snprintf(name, sizeof(name), "%.*s", (int)(equals - setting), setting);
        for (size_t i = 0; i < rows->count; i++)
                if (strcasecmp(rows->rows[i].name, name) == 0 && strcmp(name, "RESERVED") != 0)
                        return options_number(name, equals + 1, UINT32_MAX, &rows->rows[i].value);
        field = option_fields_find(fields, name);
        if (!field)
                return unknown_field(family, fields, name);
        r = option_field_parse(field, equals + 1, &value);
        if (r < 0)
                return r;
        rows->rows[field->row].value =
                (rows->rows[field->row].value & ~option_field_mask(field)) | value << field->low;
        return 0;
}

/* --- the file ------------------------------------------------------------------------------ */

static int write_csv(const char *path, const struct option_bytes *rows)
{
        char text[OPTION_ROWS_MAX * ROW_TEXT_MAX];
        size_t used = 0;

        for (size_t i = 0; i < rows->count; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s,0x%08X\n",
                                         rows->rows[i].name, rows->rows[i].value);
        INSIST(used < sizeof(text));
        return file_write(path, text, used, CSV_MODE);
}

static int run(int argc, char **argv)
{
        struct option_fields fields CLEANUP(option_fields_free) = { 0 };
        struct request request = { 0 };
        struct chosen_family chosen;
        struct option_bytes rows;
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = family_choose(&request.choice, &chosen);
        if (r >= 0)
                r = option_fields_load(chosen.path, &chosen.family, &fields);
        if (r >= 0)
                r = begin(&request, &chosen.family, &rows);
        for (size_t i = 0; i < request.setting_count && r >= 0; i++)
                r = set(&chosen.family, &fields, request.settings[i], &rows);
        if (r >= 0 && request.output)
                r = write_csv(request.output, &rows);
        if (r < 0)
                return r;
        if (request.is_json)
                return answer_json(option_view_json(&chosen.family, &fields, &rows), EXIT_OK);
        option_view_print(stdout, &chosen.family, &fields, &rows);
        if (!request.output)
                printf("nothing was written: give -o FILE.csv\n");
        return EXIT_OK;
}

const struct command ob_create_command = {
        .words = "ob create",
        .summary = "make an option-byte CSV by field name",
        .help = "usage: gangway ob create --family NAME [FIELD=VALUE ...] [-o OUT.csv]\n"
                "\n"
                "Begins with a virgin part's values, changes the named fields or rows, writes the\n"
                "CSV for gangway sfi create -ob, and shows each field with its meaning. Without\n"
                "-o it only shows. A VALUE is a number in any base, or a word it means:\n"
                "RDP=\"level 0\".\n"
                "\n"
                "  --family NAME, -devid ID  the part: stm32h75x, stm32u575, ...; or a file\n"
                "  --from FILE.csv           begin with this instead, such as ST's example\n"
                "  -o, --outfile FILE.csv    the option bytes\n"
                "  --json                    rows and fields, for programs\n"
                "\n"
                "The last line says what is public about the rows of the family. Where it is not,\n"
                "begin with ST's example of the product.\n"
                "\n"
                "example: gangway ob create --family stm32h75x RDP=0xAA SECURITY=1 -o ob.csv\n",
        .run = run,
};
