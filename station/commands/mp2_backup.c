/*
 * gangway backup create, backup show: backup registers and SRAM of an STM32MP2 for SSP-SFI, in the
 * reference container of crypto/backup_memory.h.
 */
#include "station/commands/command.h"

#include "crypto/backup_memory.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/options.h"

#include <stdlib.h>

#define SECRET_MODE 0600u

static void memory_free(struct backup_memory **memory)
{
        backup_memory_wipe(*memory);
        free(*memory);
}

static struct backup_memory *memory_new(void)
{
        struct backup_memory *memory = calloc(1, sizeof(*memory));

        INSIST(memory);
        return memory;
}

/* "-r 4 FILE": from register 4; "-s 0x100 FILE": from offset 0x100 (waits). */
static int take_file(struct backup_memory *memory, struct options *options, enum backup_kind kind)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        bool is_register = kind == BACKUP_REGISTER;
        uint32_t first;
        const char *path;
        int r;

        r = options_number(is_register ? "the first register" : "the offset in SRAM",
                           options->value,
                           is_register ? BACKUP_REGISTERS - 1 : BACKUP_SRAM_LENGTH - 1, &first);
        if (r < 0)
                return r;
        path = options_take_word(options);
        if (!path)
                return fault(FAULT_BAD_VALUE, "%s wants two: %s and file",
                             is_register ? "--registers" : "--sram",
                             is_register ? "first register" : "offset");
        r = file_read(path, BACKUP_SRAM_LENGTH, &file);
        if (r < 0)
                return r;
        return backup_memory_set(memory, path, kind, is_register ? 4 * first : first, file.data,
                                 file.length);
}

static int take_registers(void *memory, struct options *options)
{
        return take_file(memory, options, BACKUP_REGISTER);
}

static int take_sram(void *memory, struct options *options)
{
        return take_file(memory, options, BACKUP_SRAM);
}

static int read_request(int argc, char **argv, struct backup_memory *memory,
                        const char **ret_output)
{
        const struct argument arguments[] = {
                { "registers", "r", .take = take_registers, .context = memory,
                  .is_repeatable = true },
                { "sram", "s", .take = take_sram, .context = memory, .is_repeatable = true },
                { "outfile", "o", .text = ret_output, .what = "output", .needed = "-o FILE" },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0 && !backup_memory_count(memory, BACKUP_REGISTER) &&
            !backup_memory_count(memory, BACKUP_SRAM))
                return fault(FAULT_BAD_VALUE, "nothing to keep: give -r REGISTER FILE or -s OFFSET "
                                              "FILE");
        return r;
}

static void print_memory(const char *path, const struct backup_memory *memory)
{
        printf("%s\n"
               "  REFERENCE container of Gangway (crypto/backup_memory.h): ST's layout is not\n"
               "  public, ST's tools and chips do not take it\n"
               "  backup registers  %zu of %u\n"
               "  backup SRAM       %zu of %u bytes\n",
               path, backup_memory_count(memory, BACKUP_REGISTER) / 4, BACKUP_REGISTERS,
               backup_memory_count(memory, BACKUP_SRAM), BACKUP_SRAM_LENGTH);
}

static int run_create(int argc, char **argv)
{
        struct backup_memory *memory CLEANUP(memory_free) = memory_new();
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        const char *output = NULL;
        int r;

        r = read_request(argc, argv, memory, &output);
        if (r < 0)
                return r;
        file = backup_memory_build(memory);
        r = file_write(output, file.data, file.length, SECRET_MODE);
        if (r < 0)
                return r;
        print_memory(output, memory);
        return EXIT_OK;
}

static int print_json(const char *path, const struct backup_memory *memory)
{

        return answer_json(
                json_pack("{s:o, s:s, s:I, s:I}", "file", answer_text(path), "layout", "reference",
                          "registers", (json_int_t)backup_memory_count(memory, BACKUP_REGISTER) / 4,
                          "sram_bytes", (json_int_t)backup_memory_count(memory, BACKUP_SRAM)),
                EXIT_OK);
}

static int run_show(int argc, char **argv)
{
        struct backup_memory *memory CLEANUP(memory_free) = memory_new();
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        const char *path = NULL;
        bool is_json = false;
        int r;

        r = options_one_file(argc, argv, &path, &is_json);
        if (r < 0)
                return r;
        r = file_read(path, BACKUP_FILE_MAX, &file);
        if (r >= 0)
                r = backup_memory_parse(path, file.data, file.length, memory);
        if (r < 0)
                return r;
        if (is_json)
                return print_json(path, memory);
        print_memory(path, memory);
        return EXIT_OK;
}

const struct command backup_create_command = {
        .words = "backup create",
        .summary = "backup memory of an STM32MP2 (reference container)",
        .help = "usage: gangway backup create [-r REGISTER FILE] ... [-s OFFSET FILE] ... -o OUT\n"
                "\n"
                "Gathers backup registers (128 words) and backup SRAM (8 KiB) of an STM32MP2 for\n"
                "SSP-SFI. ST's layout of the file is not public: the container is Gangway's\n"
                "reference. What is given twice or does not fit is refused.\n"
                "\n"
                "  -r, --registers REGISTER FILE  binary words from this register on; repeatable\n"
                "  -s, --sram OFFSET FILE         bytes from this offset on; repeatable\n"
                "  -o, --outfile FILE             written in one step, mode 0600\n"
                "\n"
                "example: gangway backup create -r 0 registers.bin -s 0x100 keys.bin -o \\\n"
                "           backup.bin\n",
        .run = run_create,
};

const struct command backup_show_command = {
        .words = "backup show",
        .summary = "what a backup memory file gives",
        .help = "usage: gangway backup show FILE [--json]\n"
                "\n"
                "Checks a file of gangway backup create and counts what it gives; never the\n"
                "bytes.\n"
                "\n"
                "  --json  the same for programs\n"
                "\n"
                "example: gangway backup show backup.bin\n",
        .run = run_show,
};
