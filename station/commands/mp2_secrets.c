/*
 * gangway secrets create, secrets show: the OTP words of an STM32MP2 for SSP-SFI, in the reference
 * container of crypto/otp_secrets.h.
 */
#include "station/commands/command.h"

#include "crypto/otp_secrets.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/options.h"
#include "station/commands/secrets.h"

#define SECRET_MODE    0600u
#define WORD_FILES_MAX 16u
#define REFERENCE_LINES                                                                            \
        "  REFERENCE container of Gangway (crypto/otp_secrets.h): ST's layout is not public,\n"    \
        "  ST's tools and chips do not take it\n"

struct request {
        const char *csv, *output;
        struct word_file {
                uint32_t first;
                const char *path;
        } files[WORD_FILES_MAX];
        size_t count;
};

static int take_words(void *context, struct options *options)
{
        struct request *request = context;
        struct word_file *file = &request->files[request->count];
        int r;

        if (request->count == WORD_FILES_MAX)
                return fault(FAULT_BAD_VALUE, "--words is given more than %u times",
                             WORD_FILES_MAX);
        request->count++;
        r = options_number("the first word of --words", options->value, OTP_WORDS - 1,
                           &file->first);
        if (r < 0)
                return r;
        file->path = options_take_word(options);
        return file->path ? 0
                          : fault(FAULT_BAD_VALUE, "--words wants two: first OTP word and file");
}

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "csv", "c", .text = &request->csv },
                { "words", "w", .take = take_words, .context = request, .is_repeatable = true },
                { "outfile", "o", .text = &request->output, .what = "output", .needed = "-o FILE" },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0 && !request->csv && !request->count)
                return fault(FAULT_BAD_VALUE, "no OTP words: give -c FILE.csv or -w WORD FILE");
        return r;
}

static int add_words(const struct word_file *from, struct otp_secrets *secrets)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        int r = secrets_read_file("words", from->path, &file);

        if (r < 0)
                return r;
        if (!file.length || file.length % 4)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted whole words of 4", from->path,
                             file.length);
        for (size_t i = 0; i < file.length / 4; i++) {
                r = otp_secrets_set(secrets, from->path, from->first + (uint32_t)i,
                                    load_le32(file.data + 4 * i));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int gather(const struct request *request, struct otp_secrets *secrets)
{
        int r = 0;

        if (request->csv) {
                struct bytes file CLEANUP(bytes_wipe_free) = { 0 };

                r = file_read(request->csv, OTP_CSV_MAX, &file);
                if (r >= 0)
                        r = otp_secrets_read_csv(request->csv, file.data, file.length, secrets);
        }
        for (size_t i = 0; r >= 0 && i < request->count; i++)
                r = add_words(&request->files[i], secrets);
        return r < 0 ? r : otp_secrets_check(secrets);
}

static void print_secrets(const char *path, const struct otp_secrets *secrets)
{
        printf("%s\n" REFERENCE_LINES "  %zu OTP words; values are not shown\n", path,
               secrets->count);
        for (unsigned word = 0; word < OTP_WORDS; word++) {
                const char *name = otp_word_name(word);
                unsigned last = word;

                if (!secrets->is_given[word])
                        continue;
                while (last + 1 < OTP_WORDS && secrets->is_given[last + 1] &&
                       otp_word_name(last + 1) == name && otp_class(last + 1) == otp_class(word))
                        last++;
                printf("  %3u to %3u  %-32s  %s\n", word, last, name ? name : "free",
                       otp_class_name(otp_class(word)));
                word = last;
        }
}

static int run_create(int argc, char **argv)
{
        struct otp_secrets secrets CLEANUP(otp_secrets_wipe) = { .count = 0 };
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        struct request request = { 0 };
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = gather(&request, &secrets);
        if (r < 0)
                return r;
        file = otp_secrets_build(&secrets);
        r = file_write(request.output, file.data, file.length, SECRET_MODE);
        if (r < 0)
                return r;
        print_secrets(request.output, &secrets);
        return EXIT_OK;
}

static int print_json(const char *path, const struct otp_secrets *secrets)
{
        json_t *words = json_array();

        for (unsigned word = 0; word < OTP_WORDS; word++)
                if (secrets->is_given[word])
                        json_array_append_new(words, json_integer(word));
        return answer_json(json_pack("{s:o, s:s, s:o}", "file", answer_text(path), "layout",
                                     "reference", "words", words),
                           EXIT_OK);
}

static int run_show(int argc, char **argv)
{
        struct otp_secrets secrets CLEANUP(otp_secrets_wipe) = { .count = 0 };
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        const char *path = NULL;
        bool is_json = false;
        int r;

        r = options_one_file(argc, argv, &path, &is_json);
        if (r < 0)
                return r;
        r = file_read(path, OTP_FILE_MAX, &file);
        if (r >= 0)
                r = otp_secrets_parse(path, file.data, file.length, &secrets);
        if (r < 0)
                return r;
        if (is_json)
                return print_json(path, &secrets);
        print_secrets(path, &secrets);
        return EXIT_OK;
}

const struct command secrets_create_command = {
        .words = "secrets create",
        .summary = "OTP words of an STM32MP2 (reference container)",
        .help = "usage: gangway secrets create [-c FILE.csv] [-w WORD FILE] ... -o OUT\n"
                "\n"
                "Gathers the OTP words of an STM32MP2 for SSP-SFI and checks them: 384 words,\n"
                "none that the chip or ST writes, PKH (144 to 151) and FIP key (260 to 267)\n"
                "whole. ST's layout of the file is not public: the container is Gangway's\n"
                "reference.\n"
                "\n"
                "  -c, --csv FILE         rows WORD, VALUE, VALUE, ... for successive words;\n"
                "                         decimal or 0x; '#' begins a comment line\n"
                "  -w, --words WORD FILE  a binary file to the words from WORD on; repeatable\n"
                "  -o, --outfile FILE     written in one step, mode 0600\n"
                "\n"
                "example: gangway secrets create -c otp.csv -w 144 pkh.bin -o secrets.bin\n",
        .run = run_create,
};

const struct command secrets_show_command = {
        .words = "secrets show",
        .summary = "which OTP words a secrets file gives",
        .help = "usage: gangway secrets show FILE [--json]\n"
                "\n"
                "Checks a file of gangway secrets create and lists its OTP words with use and\n"
                "class; never the values.\n"
                "\n"
                "  --json  the same for programs\n"
                "\n"
                "example: gangway secrets show secrets.bin\n",
        .run = run_show,
};
