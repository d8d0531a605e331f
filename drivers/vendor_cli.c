/*
 * vendor_cli.c - what STM32_Programmer_CLI is called with, and one run of it.
 *
 * The arguments are a list, no shell is between; what goes into them is checked all the same, since the
 * tool itself gives meaning to a leading '-' and to "name=value". A run feeds each line to
 * vendor_output.c and ends in its verdict.
 */
#include "drivers/vendor_cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define OUTPUT_MAX ((size_t)1 << 20) /* a whole SFIx install prints about 20 KiB */

/* The tool may hold a target under reset or an option byte half written: it gets time to leave. */
#define GRACE_NS (5 * NS_PER_S)

/* --- arguments ----------------------------------------------------------------------------- */

static void add(struct vendor_arguments *arguments, const char *text)
{
        INSIST(arguments->count + 1 < VENDOR_ARGUMENTS_MAX);
        arguments->list[arguments->count++] = text;
        arguments->list[arguments->count] = NULL;
}

static void add_value(struct vendor_arguments *arguments, const char *name, const char *value)
{
        char *at = arguments->text + arguments->used;
        size_t left = sizeof(arguments->text) - arguments->used;
        int length = snprintf(at, left, "%s=%s", name, value);

        INSIST(length > 0 && (size_t)length < left);
        arguments->used += (size_t)length + 1;
        add(arguments, at);
}

static void add_number(struct vendor_arguments *arguments, const char *name, unsigned value)
{
        char text[16];

        snprintf(text, sizeof(text), "%u", value);
        add_value(arguments, name, text);
}

/* 24 hexadecimal digits as a rule (stlink.md section 2); nothing the tool could take for something else. */
static int check_serial(const char *serial)
{
        size_t length = strlen(serial);

        if (length == 0)
                return fault(FAULT_PROBE,
                             "the probe has no serial number, and STM32_Programmer_CLI "
                             "knows probes by it: use another probe at this site");
        for (size_t i = 0; i < length; i++)
                if (!isalnum((unsigned char)serial[i]) || length > 40)
                        return fault(FAULT_PROBE,
                                     "the probe's serial number \"%s\" cannot be given to "
                                     "STM32_Programmer_CLI: use another probe at this site",
                                     serial);
        return 0;
}

static int check_file(const char *what, const char *file)
{
        if (!file || file[0] == '/')
                return 0;
        return fault(FAULT_BAD_VALUE, "the %s \"%s\" is not an absolute path", what, file);
}

static int check_files(const struct vendor_install *install)
{
        const struct {
                const char *what, *file;
        } files[] = {
                { "image", install->image },
                { "license", install->license },
                { "RSSe", install->rsse },
                { "external loader", install->loader },
                { "list of modules", install->modules },
        };

        for (size_t i = 0; i < LENGTH_OF(files); i++) {
                int r = check_file(files[i].what, files[i].file);

                if (r < 0)
                        return r;
        }
        INSIST(install->image && install->license);
        return 0;
}

/* -c port=SWD sn=... mode=HOTPLUG: AN5054 section 3.3.2; the rest from the tool's help. */
static void add_connection(struct vendor_arguments *arguments, const struct vendor_cli *cli)
{
        add(arguments, "-c");
        add(arguments, "port=SWD");
        add_value(arguments, "sn", cli->serial);
        add(arguments, "mode=HOTPLUG");
        if (cli->clock_khz)
                add_number(arguments, "freq", cli->clock_khz);
        if (cli->access_port)
                add_number(arguments, "ap", cli->access_port);
}

/* -sfi [protocol=static] <file> [hsm=0] <license> -rsse ... -el ...: AN5054 sections 4.3.7, 12.3.6. Its
 * example of section 3.2.1 has "--sfi" twice, which is a slip (spec/secure-install.md section 15). */
static void add_install(struct vendor_arguments *arguments, const struct vendor_install *install)
{
        const char *const options[] = { "-rsse",         install->rsse, "-el",
                                        install->loader, "-mcsv",       install->modules };

        add(arguments, "-sfi");
        add(arguments, "protocol=static");
        add(arguments, install->image);
        add(arguments, "hsm=0");
        add(arguments, install->license);
        for (size_t i = 0; i < LENGTH_OF(options); i += 2)
                if (options[i + 1]) {
                        add(arguments, options[i]);
                        add(arguments, options[i + 1]);
                }
}

int vendor_arguments(const struct vendor_cli *cli, enum vendor_action action, const char *file,
                     const struct vendor_install *install, struct vendor_arguments *ret_arguments)
{
        int r = check_serial(cli->serial);

        INSIST((file != NULL) == (action == VENDOR_GET_CERTIFICATE));
        INSIST((install != NULL) == (action == VENDOR_INSTALL));
        if (r == 0)
                r = check_file("certificate", file);
        if (r == 0 && install)
                r = check_files(install);
        if (r < 0)
                return r;
        *ret_arguments = (struct vendor_arguments){ 0 };
        add(ret_arguments, cli->program);
        add_connection(ret_arguments, cli);
        if (file) {
                add(ret_arguments, "-gc");
                add(ret_arguments, file);
        }
        if (install)
                add_install(ret_arguments, install);
        return 0;
}

/* --- a run --------------------------------------------------------------------------------- */

struct run {
        const struct vendor_cli *cli;
        struct vendor_output *output;
};

static void take_line(void *subject, const char *text, size_t length)
{
        struct run *run = subject;

        vendor_output_take(run->output, text, length);
        if (run->cli->heard)
                run->cli->heard(run->cli->context, run->output);
}

/* The tool keeps settings and logs in its home. LC_ALL: numbers and messages as they are known. */
static int run_program(const struct vendor_cli *cli, const struct vendor_arguments *arguments,
                       struct vendor_output *output, struct process_end *ret_end)
{
        char home[320], temporary[320];
        const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", home, temporary,
                                            NULL };
        struct run run = { cli, output };
        struct process_order order = {
                .program = cli->program,
                .arguments = arguments->list,
                .environment = environment,
                .directory = cli->directory,
                .limit_ns = cli->limit_ns,
                .grace_ns = GRACE_NS,
                .output_max = OUTPUT_MAX,
                .line = take_line,
                .subject = &run,
        };

        snprintf(home, sizeof(home), "HOME=%s", cli->directory);
        snprintf(temporary, sizeof(temporary), "TMPDIR=%s", cli->directory);
        return process_run(&order, ret_end);
}

/* We stopped it. Of an install that had begun nobody knows how it stands; a cancel is told as such, for
 * whoever sent it must hear of it. */
static int stopped(enum vendor_action action, const struct vendor_output *output, int r)
{
        char sentence[400];

        if (action != VENDOR_INSTALL || output->phase < VENDOR_PREPARING || r == -FAULT_CANCELLED)
                return r;
        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        return fault(FAULT_NOT_PROVABLE, "%s in the middle of an install", sentence);
}

static int run(const struct vendor_cli *cli, enum vendor_action action, const char *file,
               const struct vendor_install *install, struct vendor_output *ret_output)
{
        struct vendor_arguments arguments;
        struct process_end end;
        int r;

        *ret_output = (struct vendor_output){ .parts = cli->parts };
        r = vendor_arguments(cli, action, file, install, &arguments);
        if (r < 0)
                return r;
        r = run_program(cli, &arguments, ret_output, &end);
        if (r < 0)
                return stopped(action, ret_output, r);
        return vendor_judge(action, ret_output, &end);
}

int vendor_identify(const struct vendor_cli *cli, struct vendor_output *ret_output)
{
        return run(cli, VENDOR_IDENTIFY, NULL, NULL, ret_output);
}

int vendor_get_certificate(const struct vendor_cli *cli, const char *file,
                           struct vendor_output *ret_output)
{
        return run(cli, VENDOR_GET_CERTIFICATE, file, NULL, ret_output);
}

int vendor_install(const struct vendor_cli *cli, const struct vendor_install *install,
                   struct vendor_output *ret_output)
{
        return run(cli, VENDOR_INSTALL, NULL, install, ret_output);
}
