/*
 * gangway target ob read, ob write, default-ob, disable-security: option bytes of a part.
 *
 * Three ways to say which rows are wanted, one way there: what changes is shown field by field, with
 * what cannot be undone; such a change wants --allow; what shuts the part or costs its flash is
 * confirmed; then they are written and read back (drivers/target_options.c).
 */
#include "station/commands/command.h"

#include "drivers/family_fields.h"
#include "station/commands/answer.h"
#include "station/commands/option_change.h"
#include "station/commands/option_view.h"
#include "station/commands/target_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64u

struct request {
        struct target_choice choice;
        const char *words[WORDS_MAX];
        size_t count;
        bool is_allowed;
};

/* --- reading ------------------------------------------------------------------------------- */

static int show(struct target_session *session)
{
        const struct family *family = &session->chosen.family;
        uint32_t options[OPTION_ROWS_MAX];
        struct option_bytes rows;
        int r = target_read_options(&session->target, options);

        if (r < 0)
                return r;
        target_part_rows(session, options, &rows);
        if (!session->choice->is_json) {
                target_session_mark(session);
                option_view_print(stdout, family, &session->fields, &rows);
                return EXIT_OK;
        }
        return answer_json(option_view_json(family, &session->fields, &rows), EXIT_OK);
}

/* `-ob displ`, as ST writes it. */
static int take_display(void *unused, struct options *options)
{
        (void)unused;
        return strcasecmp(options->value, "displ") == 0;
}

static int run_read(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct target_choice choice = TARGET_CHOICE;
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&choice),
                { "json", .flag = &choice.is_json },
                { .take = take_display },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0)
                r = target_session_open(&choice, &session);
        if (r >= 0)
                r = show(session);
        return target_answer("target ob read", r);
}

/* --- writing ------------------------------------------------------------------------------- */

static int read_request(int argc, char **argv, bool has_fields, struct request *request)
{
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&request->choice),
                { "yes", "y", .flag = &request->choice.is_sure },
                { "allow", .flag = &request->is_allowed },
                { .what = "field",
                  .text = request->words,
                  .most = WORDS_MAX,
                  .count = &request->count },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments) - !has_fields);

        if (r >= 0 && has_fields && request->count == 0)
                return fault(FAULT_BAD_VALUE,
                             "nothing to write: give NAME=VALUE, such as RDP=0xAA");
        return r;
}

/* 1 go on, 0 not confirmed. */
static int ask(const struct target_session *session, const struct request *request,
               const struct option_changes *changes)
{
        if (changes->weight == CHANGE_FINAL && !request->is_allowed)
                return fault(FAULT_PROTECTED,
                             "the change cannot be undone, see above; nothing was written. Give "
                             "--allow if it is meant");
        return changes->weight == CHANGE_PLAIN ? 1
                                               : target_confirm(session, "change its option bytes");
}

static int write_rows(struct target_session *session, const struct request *request,
                      const uint32_t *before, const uint32_t *wanted)
{
        struct option_changes *changes = calloc(1, sizeof(*changes));
        int r;

        INSIST(changes);
        option_changes_make(&session->chosen.family, &session->fields, before, wanted, changes);
        target_session_mark(session);
        option_changes_print(stdout, changes);
        r = ask(session, request, changes);
        free(changes);
        if (r == 0) {
                fprintf(stderr, "not confirmed, nothing was written\n");
                return EXIT_NO;
        }
        if (r > 0)
                r = target_write_options(&session->target, wanted);
        if (r < 0)
                return r;
        puts("Option bytes are as wanted, read back.");
        return EXIT_OK;
}

static int write_words(struct target_session *session, const struct request *request)
{
        uint32_t before[OPTION_ROWS_MAX], wanted[OPTION_ROWS_MAX];
        int r = target_read_options(&session->target, before);

        memcpy(wanted, before, sizeof(wanted));
        for (size_t i = 0; i < request->count && r >= 0; i++)
                r = option_change_take(&session->fields, request->words[i], wanted);
        return r < 0 ? r : write_rows(session, request, before, wanted);
}

static int check_open(const struct target_session *session, const uint32_t *options)
{
        const struct family *family = &session->chosen.family;

        if (family_is_open(family, options))
                return 0;
        return fault(FAULT_LOCKED,
                     "the part is not open: protection is 0x%02X, wanted that of a virgin part; "
                     "gangway target regress is the way back",
                     family_protection(family, options));
}

static int write_defaults(struct target_session *session, const struct request *request)
{
        uint32_t before[OPTION_ROWS_MAX], wanted[OPTION_ROWS_MAX];
        int r = target_read_options(&session->target, before);

        if (r >= 0)
                r = check_open(session, before);
        if (r < 0)
                return r;
        target_part_factory(&session->chosen.family, wanted);
        r = write_rows(session, request, before, wanted);
        if (r == EXIT_OK && session->chosen.family.sequence == FAMILY_L4)
                puts("Now switch the board's power off and on (AN5054 section 5.3.3).");
        return r;
}

/* ESE and FSD go back to what a virgin part has; the rest of the secure side is default-ob's, after a
 * power cycle. ST's own register writes for -dsecurity are not public (targets.md 7.5). */
static int write_no_security(struct target_session *session, const struct request *request)
{
        const struct family *family = &session->chosen.family;
        uint32_t before[OPTION_ROWS_MAX], wanted[OPTION_ROWS_MAX], factory[OPTION_ROWS_MAX];
        int r;

        if (!family->needs_rsse || !family_field(family, ROLE_SECURITY))
                return fault(
                        FAULT_BAD_VALUE,
                        "disable-security is for STM32WL (AN5054 section 5.3.3), the part is a "
                        "%s: gangway target regress brings any other back",
                        family->name);
        r = target_read_options(&session->target, before);
        if (r >= 0)
                r = check_open(session, before);
        if (r < 0)
                return r;
        target_part_factory(family, factory);
        memcpy(wanted, before, sizeof(wanted));
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_SECURITY)
                        family_field_set(&family->fields[i], wanted,
                                         family_field_get(&family->fields[i], factory));
        puts("Known of ST's -dsecurity: it clears options of ESE and FSD and wants a power cycle\n"
             "(AN5054 section 5.3.3). Its exact register writes are not public: these fields are\n"
             "set to what a virgin part has and read back; silicon may refuse.");
        r = write_rows(session, request, before, wanted);
        if (r == EXIT_OK)
                puts("Now switch the board's power off and on, then gangway target default-ob, "
                     "then\n"
                     "off and on once more (AN5054 section 5.3.3).");
        return r;
}

typedef int write_function(struct target_session *session, const struct request *request);

static int run_write(const char *words, int argc, char **argv, bool has_fields,
                     write_function *write)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct request request = { .choice = TARGET_CHOICE };
        int r = read_request(argc, argv, has_fields, &request);

        if (r >= 0)
                r = target_session_open(&request.choice, &session);
        if (r >= 0)
                r = write(session, &request);
        return target_answer(words, r);
}

static int run_ob_write(int argc, char **argv)
{
        return run_write("target ob write", argc, argv, true, write_words);
}

static int run_default(int argc, char **argv)
{
        return run_write("target default-ob", argc, argv, false, write_defaults);
}

static int run_disable(int argc, char **argv)
{
        return run_write("target disable-security", argc, argv, false, write_no_security);
}

#define CODES "\nExit codes: 0 ok, 1 refused or not confirmed, 2 usage, 3 nothing answers\n"

const struct command target_ob_read_command = {
        .words = "target ob read",
        .summary = "option bytes of a part, by field and in words",
        .help = "usage: gangway target ob read " TARGET_USAGE "\n"
                "Every row, its fields, their values and what they mean.\n"
                "ST's spelling: gangway target -c port=SWD mode=HOTPLUG -ob displ.\n"
                "\n" TARGET_HELP "  --json              the same for programs\n" CODES
                "example: gangway target ob read -c port=SWD mode=HOTPLUG --json\n",
        .run = run_read,
};

const struct command target_ob_write_command = {
        .words = "target ob write",
        .summary = "change option bytes by field, told before what it does",
        .help = "usage: gangway target ob write NAME=VALUE... " TARGET_USAGE "\n"
                "NAME is a field, VALUE a number or a word of gangway target ob read, as in\n"
                "RDP=0xBB or \"RDP=level 0\". Each change is shown with what it does to the part;\n"
                "what shuts it or costs its flash is confirmed; written rows are read back.\n"
                "ST's spelling: gangway target -c port=SWD mode=HOTPLUG -ob RDP=0xBB.\n"
                "\n" TARGET_HELP "  --allow             also what cannot be undone\n"
                "  -y, --yes           do not ask\n" CODES
                "example: gangway target ob write nSWBOOT0=0 -c port=SWD mode=HOTPLUG\n",
        .run = run_ob_write,
};

const struct command target_default_command = {
        .words = "target default-ob",
        .summary = "option bytes of an open part back to the factory's",
        .help = "usage: gangway target default-ob " TARGET_USAGE "\n"
                "Writes the factory values of configs/targets/NAME.conf, some of them estimates\n"
                "as it says, and reads back. An open part only; else gangway target regress.\n"
                "ST's -setdefaultob: gangway target -c port=SWD mode=HOTPLUG -setdefaultob.\n"
                "\n" TARGET_HELP "  --allow             also what cannot be undone\n"
                "  -y, --yes           do not ask\n" CODES
                "example: gangway target default-ob -c port=SWD mode=HOTPLUG --yes\n",
        .run = run_default,
};

const struct command target_disable_command = {
        .words = "target disable-security",
        .summary = "security options of an STM32WL off, before an install",
        .help = "usage: gangway target disable-security " TARGET_USAGE "\n"
                "STM32WL only (AN5054 section 5.3.3): then power off and on, gangway target\n"
                "default-ob, off and on again. ST's register writes are not public; this sets the\n"
                "fields of the security switches as on a virgin part and reads back.\n"
                "ST's -dsecurity: gangway target -c port=SWD mode=HOTPLUG -dsecurity.\n"
                "\n" TARGET_HELP "  --allow             also what cannot be undone\n"
                "  -y, --yes           do not ask\n" CODES
                "example: gangway target disable-security -c port=SWD mode=HOTPLUG\n",
        .run = run_disable,
};
