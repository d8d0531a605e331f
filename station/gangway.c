/*
 * gangway - the command beside the daemon: seals and checks images, checks orders, watches a line.
 *
 * main finds the command by its words, answers --help, and runs the command on a fiber, because
 * files are read through the ring. A command returns an exit code or a fault; the fault's sentence
 * is printed here, once, and the exit code follows from the fault.
 */
#include "scheduler/bytes.h"
#include "scheduler/loop.h"
#include "station/commands/command.h"
#include "station/commands/target_spelling.h"
#include "station/text.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SCREEN_WIDTH 80

/* Memory for files and images goes back to the system when it is freed: glibc would raise this with
 * each large one that is freed, and keep the next ones. */
#define LARGE (1 << 20)

static const struct command *const commands[] = {
        &sfi_create_command,
        &sfi_show_command,
        &sfi_verify_command,
        &sfi_open_command,
        &sfi_diff_command,
        &sfi_lint_command,
        &ob_create_command,
        &ob_show_command,
        &key_new_command,
        &key_show_command,
        &nonce_new_command,
        &nonces_list_command,
        &nonces_merge_command,
        &nonces_export_command,
        &nonces_verify_command,
        &obk_create_command,
        &obk_show_command,
        &obk_chain_create_command,
        &obk_chain_show_command,
        &ssp_create_command,
        &ssp_show_command,
        &ssp_verify_command,
        &smi_show_command,
        &cert_show_command,
        &cert_check_command,
        &license_global_command,
        &secrets_create_command,
        &secrets_show_command,
        &backup_create_command,
        &backup_show_command,
        &hsm_info_command,
        &hsm_counter_command,
        &hsm_state_command,
        &hsm_fwid_command,
        &hsm_program_command,
        &hsm_license_command,
        &hsm_license_from_cert_command,
        &hsm_blank_command,
        &licenses_list_command,
        &licenses_report_command,
        &licenses_verify_command,
        &licenses_key_command,
        &licenses_import_command,
        &licenses_ahead_command,
        &target_list_command,
        &target_info_command,
        &target_discover_command,
        &target_certificate_command,
        &target_disable_command,
        &target_default_command,
        &target_ob_read_command,
        &target_ob_write_command,
        &target_read_command,
        &target_write_command,
        &target_erase_command,
        &target_reset_command,
        &target_regress_command,
        &order_check_command,
        &capture_show_command,
        &status_command,
        &watch_command,
};

/* What the commands with the same first word are about. */
static const struct family {
        const char *word;
        const char *subject;
        const char *usual; /* its second word where only options follow; NULL: none */
} families[] = {
        { "sfi", "images", NULL },
        { "ob", "option bytes", NULL },
        { "key", "AES keys", NULL },
        { "nonce", "a key's nonces", NULL },
        { "nonces", "the ledger of nonces used", NULL },
        { "obk", "OB-keys of STM32H5 and H7RS", NULL },
        { "ssp", "secrets of an STM32MP1", NULL },
        { "smi", "modules", NULL },
        { "cert", "chip certificates", NULL },
        { "license", "licenses", NULL },
        { "secrets", "OTP words of an STM32MP2", NULL },
        { "backup", "backup memory of an STM32MP2", NULL },
        { "hsm", "cards", NULL },
        { "licenses", "of a station", "list" },
        { "target", "parts", NULL },
        { "order", "orders", NULL },
        { "capture", "traffic of a probe", NULL },
};

/* Is `words` "sfi create" when `family` is "sfi"? Then what follows, else NULL. */
static const char *second_word(const char *words, const char *family)
{
        size_t length = strlen(family);

        return strncmp(words, family, length) == 0 && words[length] == ' ' ? words + length + 1
                                                                           : NULL;
}

/* What does not fit the line goes on in the next one, under the commands. */
static void print_family(FILE *out, const struct family *family)
{
        int column = fprintf(out, "  %-7s %s:", family->word, family->subject), indent = column;

        for (size_t i = 0; i < LENGTH_OF(commands); i++) {
                const char *second = second_word(commands[i]->words, family->word);

                if (!second)
                        continue;
                if (column + 1 + (int)strlen(second) > SCREEN_WIDTH)
                        column = fprintf(out, "\n%*s", indent, "") - 1;
                column += fprintf(out, " %s", second);
        }
        fputc('\n', out);
}

/* Everything there is, on one screen. */
static void print_usage(FILE *out)
{
        fprintf(out, "usage: gangway COMMAND [options], gangway --version\n");
        for (size_t i = 0; i < LENGTH_OF(families); i++)
                print_family(out, &families[i]);
        for (size_t i = 0; i < LENGTH_OF(commands); i++)
                if (!strchr(commands[i]->words, ' '))
                        fprintf(out, "  %-7s %s\n", commands[i]->words, commands[i]->summary);
        fputs("What commands do say: gangway sfi, gangway help all, gangway sfi create --help.\n"
              "example: gangway sfi create -fir app.hex -k key.bin -n nonce.bin -o app.sfi\n"
              "Exit codes: 0 ok, 1 the answer is no, 2 usage or bad input, 3 no station answers\n",
              out);
}

/* A sentence for each command of a family; of all for NULL. */
static void print_sentences(FILE *out, const char *family)
{
        for (size_t i = 0; i < LENGTH_OF(commands); i++)
                if (!family || second_word(commands[i]->words, family))
                        fprintf(out, "  %-21s  %s\n", commands[i]->words, commands[i]->summary);
}

/* How many of argv[1..] the words of `command` are; 0 when they differ. */
static int words_matched(const struct command *command, int argc, char **argv)
{
        const char *at = command->words;
        int word;

        for (word = 1; word < argc; word++) {
                size_t length = strlen(argv[word]);

                if (strncmp(at, argv[word], length) != 0 || (at[length] && at[length] != ' '))
                        return 0;
                at += length;
                if (!*at)
                        return word;
                at++;
        }
        return 0;
}

/* "licenses --lot L" is "licenses list --lot L". */
static const struct command *find_usual(int argc, char **argv)
{
        for (size_t i = 0; i < LENGTH_OF(families); i++) {
                const char *usual = families[i].usual;

                if (!usual || strcmp(families[i].word, argv[1]) != 0 ||
                    (argc > 2 && argv[2][0] != '-'))
                        continue;
                for (size_t k = 0; k < LENGTH_OF(commands); k++) {
                        const char *second = second_word(commands[k]->words, argv[1]);

                        if (second && strcmp(second, usual) == 0)
                                return commands[k];
                }
        }
        return NULL;
}

static const struct command *find_command(int argc, char **argv, int *ret_words)
{
        for (size_t i = 0; i < LENGTH_OF(commands); i++) {
                *ret_words = words_matched(commands[i], argc, argv);
                if (*ret_words)
                        return commands[i];
        }
        *ret_words = 1;
        return find_usual(argc, argv);
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
        return strcmp(word, a) == 0 || strcmp(word, b) == 0 || (c && strcmp(word, c) == 0);
}

static bool wants_help(int argc, char **argv)
{
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (is_one_of(argv[i], "--help", "-h", "-help"))
                        return true;
        return false;
}

static bool is_family(const char *word)
{
        for (size_t i = 0; i < LENGTH_OF(families); i++)
                if (strcmp(families[i].word, word) == 0)
                        return true;
        return false;
}

/* A misspelled command is told the nearest. */
static int unknown_command(int argc, char **argv)
{
        const char *nearest = NULL, *words[LENGTH_OF(commands)];
        char typed[128];

        for (size_t i = 0; i < LENGTH_OF(commands); i++)
                words[i] = commands[i]->words;
        snprintf(typed, sizeof(typed), "%.60s%s%.60s", argv[1], argc > 2 ? " " : "",
                 argc > 2 ? argv[2] : "");
        nearest = text_nearest(typed, words, sizeof(*words), LENGTH_OF(words));
        if (!nearest)
                nearest = text_nearest(argv[1], words, sizeof(*words), LENGTH_OF(words));
        fprintf(stderr, "gangway: unknown command '%s'", typed);
        if (nearest)
                fprintf(stderr, "; did you mean 'gangway %s'?", nearest);
        fprintf(stderr, "\n(gangway --help lists the commands)\n");
        return EXIT_INPUT;
}

/* gangway help [all | FAMILY | COMMAND] */
static int help(int argc, char **argv)
{
        const struct command *command;
        int words;

        if (argc < 2) {
                print_usage(stdout);
                return EXIT_OK;
        }
        if (argc == 2 && strcmp(argv[1], "all") == 0) {
                print_sentences(stdout, NULL);
                return EXIT_OK;
        }
        if (argc == 2 && is_family(argv[1])) {
                print_sentences(stdout, argv[1]);
                return EXIT_OK;
        }
        command = find_command(argc, argv, &words);
        if (!command)
                return unknown_command(argc, argv);
        fputs(command->help, stdout);
        return EXIT_OK;
}

struct call {
        const struct command *command;
        int argc;
        char **argv;
};

static int exit_code_of(int result)
{
        if (result >= 0)
                return result;
        return result == -FAULT_TIMEOUT ? EXIT_UNREACHABLE : EXIT_INPUT;
}

static int run_command(void *subject)
{
        const struct call *call = subject;
        int r;

        r = call->command->run(call->argc, call->argv);
        if (r < 0)
                fprintf(stderr, "gangway %s: %s\n", call->command->words, fault_sentence(r));
        return exit_code_of(r);
}

static int run(struct call *call)
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;
        int r;

        r = loop_create(&settings, &loop);
        if (r < 0) {
                fprintf(stderr, "gangway: %s\n", fault_sentence(r));
                return EXIT_INPUT;
        }
        r = loop_run(loop, "command", run_command, call);
        (void)loop_destroy(loop);
        return r;
}

/* "target -c port=SWD -gc FILE" is "target certificate FILE -c port=SWD". */
static int spell_as_ours(int *argc, char ***argv, char **spelled)
{
        int count;

        if (*argc < 3 || strcmp((*argv)[1], "target") != 0 || (*argv)[2][0] != '-')
                return 0;
        count = target_spelling(*argc, *argv, spelled);
        if (count < 0)
                fprintf(stderr, "gangway target: %s\n", fault_sentence(count));
        if (count <= 0)
                return count;
        *argc = count;
        *argv = spelled;
        return 0;
}

int main(int argc, char **argv)
{
        char *spelled[SPELLING_WORDS_MAX];
        struct call call;
        int words, code;

        secrets_stay_inside();
        (void)mallopt(M_MMAP_THRESHOLD, LARGE); /* only memory is at stake */
        if (argc < 2) {
                print_usage(stderr);
                return EXIT_INPUT;
        }
        if (is_one_of(argv[1], "--help", "-h", "help"))
                return help(argc - 1, argv + 1);
        if (is_one_of(argv[1], "--version", "-V", NULL)) {
                printf("gangway %s\n", GANGWAY_VERSION);
                return EXIT_OK;
        }
        if (is_family(argv[1]) && argc == 2 && !find_usual(argc, argv)) {
                print_sentences(stderr, argv[1]);
                return EXIT_INPUT;
        }
        if (wants_help(argc, argv))
                return help(is_family(argv[1]) && argc == 3 ? 2 : argc, argv);
        if (spell_as_ours(&argc, &argv, spelled) < 0)
                return EXIT_INPUT;
        call.command = find_command(argc, argv, &words);
        if (!call.command)
                return unknown_command(argc, argv);
        call.argc = argc - words;
        call.argv = argv + words;
        signal(SIGPIPE, SIG_DFL);
        code = run(&call);
        return fflush(stdout) == 0 ? code : EXIT_INPUT;
}
