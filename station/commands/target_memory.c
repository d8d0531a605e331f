/*
 * gangway target read, write: memory of a part, RAM and flash.
 *
 * Writing RAM is one transfer, read back. Flash goes through its controller (drivers/target_flash.c):
 * only into erased words, filled up to a whole word with 0xFF, read back. Anything else is refused, so
 * that a slip in an address writes no register.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/target_session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX (16u << 20)
#define ROW      16u

struct request {
        struct target_choice choice;
        const char *words[2], *file; /* of reading: where to; NULL: a dump */
        size_t count;
        bool must_erase;
        uint32_t address, length;
};

/* --- read ---------------------------------------------------------------------------------- */

static void dump(uint32_t address, const uint8_t *data, uint32_t length)
{
        for (uint32_t at = 0; at < length; at += ROW) {
                uint32_t count = length - at < ROW ? length - at : ROW;

                printf("0x%08X :", address + at);
                for (uint32_t i = 0; i < ROW; i++)
                        if (i < count)
                                printf(" %02X", data[at + i]);
                        else
                                printf("   ");
                printf("  ");
                for (uint32_t i = 0; i < count; i++)
                        putchar(isprint(data[at + i]) ? data[at + i] : '.');
                putchar('\n');
        }
}

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&request->choice),
                { .what = "address", .text = &request->words[0], .needed = "ADDRESS" },
                { .what = "length",
                  .text = &request->words[1],
                  .needed = "LENGTH, as 0x08000000 256" },
                { .what = "file", .text = &request->file },
                { "output", "o", .text = &request->file, .what = "file" },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0)
                r = options_number("the address", request->words[0], UINT32_MAX, &request->address);
        if (r >= 0)
                r = options_number("the length", request->words[1], READ_MAX, &request->length);
        if (r >= 0 && (request->length == 0 || request->length - 1 > UINT32_MAX - request->address))
                r = fault(FAULT_BAD_VALUE, "0x%X bytes from 0x%08X are none, or end above 4 GiB",
                          request->length, request->address);
        return r;
}

static int read_memory(struct target_session *session, const struct request *request)
{
        uint8_t *data = malloc(request->length);
        int r;

        INSIST(data);
        r = target_read(&session->target, request->address, data, request->length);
        if (r >= 0 && request->file)
                r = file_write(request->file, data, request->length, 0644);
        if (r >= 0) {
                target_session_mark(session);
                if (request->file)
                        printf("%u bytes from 0x%08X are in %s\n", request->length,
                               request->address, request->file);
                else
                        dump(request->address, data, request->length);
        }
        free(data);
        return r < 0 ? r : EXIT_OK;
}

static int run_read(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct request request = { .choice = TARGET_CHOICE };
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = target_session_open(&request.choice, &session);
        if (r >= 0)
                r = read_memory(session, &request);
        return target_answer("target read", r);
}

/* --- write --------------------------------------------------------------------------------- */

static bool is_ram(const struct family *family, uint32_t address, uint64_t length)
{
        for (size_t i = 0; i < family->ram_count; i++)
                if (address >= family->rams[i].address &&
                    address - family->rams[i].address + length <= family->rams[i].length)
                        return true;
        return false;
}

static bool is_flash(const struct target_session *session, uint32_t address, uint64_t length)
{
        uint32_t plain = family_plain_address(&session->chosen.family, address);
        const struct family *family = &session->chosen.family;

        return family_is_flash(family, address, length) &&
               !(family->edata.length && plain - family->edata.address < family->edata.length);
}

static int verify(struct target_session *session, uint32_t address, const uint8_t *data,
                  uint32_t length)
{
        uint8_t *again = malloc(length);
        uint32_t at = 0;
        int r;

        INSIST(again);
        r = target_read(&session->target, address, again, length);
        while (r >= 0 && at < length && again[at] == data[at])
                at++;
        if (r >= 0 && at < length)
                r = fault(FAULT_FLASH, "0x%08X reads back 0x%02X, written was 0x%02X", address + at,
                          again[at], data[at]);
        free(again);
        return r;
}

/* Flash takes whole words: the file's end is filled up with what an erased byte is. */
static int write_flash(struct target_session *session, const struct request *request,
                       const struct bytes *file)
{
        uint32_t unit = session->chosen.family.word_length;
        uint32_t length = (uint32_t)((file->length + unit - 1) / unit * unit);
        uint8_t *data = malloc(length);
        int r = 0;

        INSIST(data);
        memset(data, 0xFF, length);
        memcpy(data, file->data, file->length);
        if (request->must_erase)
                r = target_erase(&session->target, request->address, length, NULL);
        if (r >= 0)
                r = target_check_blank(&session->target, request->address, length);
        if (r == -FAULT_NOT_BLANK)
                r = fault_prefix(r, "nothing was written; give --erase");
        if (r >= 0)
                r = target_program(&session->target, request->address, data, length, NULL);
        if (r >= 0)
                r = verify(session, request->address, data, length);
        free(data);
        return r;
}

static int write_memory(struct target_session *session, const struct request *request,
                        const struct bytes *file)
{
        const struct family *family = &session->chosen.family;
        int r;

        if (is_flash(session, request->address, file->length)) {
                r = write_flash(session, request, file);
        } else if (is_ram(family, request->address, file->length)) {
                r = target_write(&session->target, request->address, file->data, file->length,
                                 NULL);
                if (r >= 0)
                        r = verify(session, request->address, file->data, (uint32_t)file->length);
        } else {
                r = fault(FAULT_BAD_VALUE,
                          "%zu bytes at 0x%08X are neither in the flash nor in a RAM of %s",
                          file->length, request->address, family->name);
        }
        if (r < 0)
                return r;
        target_session_mark(session);
        printf("%zu bytes at 0x%08X, read back.\n", file->length, request->address);
        return EXIT_OK;
}

/* ADDRESS FILE, or FILE ADDRESS as ST has it. */
static int write_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&request->choice),
                { "erase", .flag = &request->must_erase },
                { .text = request->words, .most = 2, .count = &request->count },
                { .instead = "ADDRESS and FILE are all there is to give" },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));
        bool is_first;

        if (r >= 0 && request->count != 2)
                r = fault(FAULT_BAD_VALUE, "wanted ADDRESS and FILE, as 0x08000000 app.bin");
        if (r < 0)
                return r;
        is_first = isdigit((unsigned char)request->words[0][0]) != 0;
        request->file = request->words[is_first];
        return options_number("the address", request->words[!is_first], UINT32_MAX,
                              &request->address);
}

static int run_write(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct bytes file CLEANUP(bytes_free) = { 0 };
        struct request request = { .choice = TARGET_CHOICE };
        int r = write_request(argc, argv, &request);

        if (r >= 0)
                r = file_read(request.file, READ_MAX, &file);
        if (r >= 0 && file.length == 0)
                r = fault(FAULT_BAD_FILE, "%.200s is empty", request.file);
        if (r >= 0)
                r = target_session_open(&request.choice, &session);
        if (r >= 0)
                r = write_memory(session, &request, &file);
        return target_answer("target write", r);
}

#define CODES "\nExit codes: 0 ok, 1 the part refused, 2 usage, 3 nothing answers\n"

const struct command target_read_command = {
        .words = "target read",
        .summary = "memory of a part, as a dump or into a file",
        .help = "usage: gangway target read ADDRESS LENGTH [-o FILE] " TARGET_USAGE "\n"
                "Numbers in decimal or with 0x; at most 16 MiB. ST's -r32 and -u are the same:\n"
                "gangway target -c port=SWD mode=HOTPLUG -u 0x08000000 0x400 out.bin.\n"
                "\n"
                "  -o, --output FILE   write bytes to FILE instead of a dump\n" TARGET_HELP CODES
                "example: gangway target read 0x08000000 256 -c port=SWD mode=HOTPLUG\n",
        .run = run_read,
};

const struct command target_write_command = {
        .words = "target write",
        .summary = "a file into RAM or erased flash of a part, read back",
        .help = "usage: gangway target write ADDRESS FILE [--erase] " TARGET_USAGE "\n"
                "FILE is binary. RAM is written as it is; flash only where it is erased, in whole\n"
                "words; registers are refused. ST's -w FILE ADDRESS is the same:\n"
                "gangway target -c port=SWD mode=HOTPLUG -w app.bin 0x08000000.\n"
                "\n"
                "  --erase             erase the sectors the file reaches first\n" TARGET_HELP CODES
                "example: gangway target write 0x08000000 app.bin -c port=SWD mode=HOTPLUG\n",
        .run = run_write,
};
