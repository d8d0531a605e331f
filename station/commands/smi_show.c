/*
 * gangway smi show: the header of a module.
 */
#include "station/commands/command.h"

#include "crypto/smi.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/options.h"

static int print_json(const char *path, const struct smi *smi)
{
        char tag[2 * SMI_TAG_LENGTH + 1];
        json_t *object;

        object = json_pack(
                "{s:o, s:I, s:I, s:s, s:[I, I, I, I]}", "file", answer_text(path), "destination",
                (json_int_t)smi->destination, "length", (json_int_t)smi->code_length, "tag",
                hex_encode(smi->tag, sizeof(smi->tag), tag), "security_version",
                (json_int_t)smi->security_version[0], (json_int_t)smi->security_version[1],
                (json_int_t)smi->security_version[2], (json_int_t)smi->security_version[3]);
        return answer_json(object, EXIT_OK);
}

static void print_text(const char *path, const struct smi *smi)
{
        char tag[2 * SMI_TAG_LENGTH + 1];

        printf("%s\n", path);
        printf("  magic             SMIMAGIC\n");
        printf("  destination       0x%08X\n", smi->destination);
        printf("  encrypted code    0x%X (%u) bytes\n", smi->code_length, smi->code_length);
        printf("  tag               %s\n", hex_encode(smi->tag, sizeof(smi->tag), tag));
        printf("  security version  %u %u %u %u\n", smi->security_version[0],
               smi->security_version[1], smi->security_version[2], smi->security_version[3]);
}

static int run(int argc, char **argv)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        const char *path = NULL;
        bool is_json = false;
        struct smi smi;
        int r;

        r = options_one_file(argc, argv, &path, &is_json);
        if (r < 0)
                return r;
        r = file_read(path, SMI_FILE_MAX, &file);
        if (r >= 0)
                r = smi_parse(path, file.data, file.length, &smi);
        if (r < 0)
                return r;
        if (is_json)
                return print_json(path, &smi);
        print_text(path, &smi);
        return EXIT_OK;
}

const struct command smi_show_command = {
        .words = "smi show",
        .summary = "print the header of an .smi module",
        .help = "usage: gangway smi show FILE.smi [--json]\n"
                "\n"
                "Prints destination, length of the encrypted code, tag and security version. Only\n"
                "the maker of the module has its key, so nothing is proven.\n"
                "\n"
                "  --json  the same for programs; numbers are decimal\n"
                "\n"
                "example: gangway smi show FIR_module.smi\n",
        .run = run,
};
