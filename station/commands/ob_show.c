/*
 * gangway ob show: an option-byte CSV, decoded.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/option_view.h"
#include "station/commands/options.h"

#define CSV_FILE_MAX (64u << 10)

struct request {
        struct family_choice choice;
        const char *path;
        bool is_json;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "file", .text = &request->path, .needed = "FILE.csv" },
                FAMILY_ARGUMENTS(&request->choice),
                { "json", .flag = &request->is_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

/* A row too many or too few cannot be decoded; another name can, in the family's order. */
static int check(const char *path, const struct family *family, const struct option_bytes *rows)
{
        if (rows->count != family->option_count)
                return fault(FAULT_BAD_VALUE, "%s has %zu rows, %s has %zu (%s)", path, rows->count,
                             family->name, family->option_count, option_rows_words(family));
        for (size_t i = 0; i < rows->count; i++)
                if (strcmp(rows->rows[i].name, family->options[i].name) != 0)
                        fprintf(stderr, "warning: row %zu is %s, read as %s of %s\n", i + 1,
                                rows->rows[i].name, family->options[i].name, family->name);
        return 0;
}

static int run(int argc, char **argv)
{
        struct option_fields fields CLEANUP(option_fields_free) = { 0 };
        struct bytes file CLEANUP(bytes_free) = { 0 };
        struct request request = { 0 };
        struct chosen_family chosen;
        struct option_bytes rows;
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = family_choose(&request.choice, &chosen);
        if (r >= 0)
                r = option_fields_load(chosen.path, &chosen.family, &fields);
        if (r >= 0)
                r = file_read(request.path, CSV_FILE_MAX, &file);
        if (r >= 0)
                r = option_bytes_parse(request.path, file.data, file.length, &rows);
        if (r >= 0)
                r = check(request.path, &chosen.family, &rows);
        if (r < 0)
                return r;
        if (request.is_json)
                return answer_json(option_view_json(&chosen.family, &fields, &rows), EXIT_OK);
        option_view_print(stdout, &chosen.family, &fields, &rows);
        return EXIT_OK;
}

const struct command ob_show_command = {
        .words = "ob show",
        .summary = "decode an option-byte CSV",
        .help = "usage: gangway ob show FILE.csv [--family NAME | -devid ID] [--json]\n"
                "\n"
                "Prints each row and each of its fields with the value and its meaning.\n"
                "\n"
                "  --family NAME, -devid ID  the part, stm32h75x unless given\n"
                "  --json                    rows and fields, for programs\n"
                "\n"
                "example: gangway ob show configs/examples/h75x-option-bytes.csv --family \\\n"
                "           stm32h75x\n",
        .run = run,
};
