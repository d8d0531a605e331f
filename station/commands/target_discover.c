/*
 * gangway target discover: what does a part that is not open say of itself?
 *
 * Debug authentication answers after a reset only, so the part is reset into it and, when it has answered,
 * back to its program. An open part needs none and is left alone.
 */
#include "station/commands/command.h"

#include "drivers/family_fields.h"
#include "station/commands/answer.h"
#include "station/commands/target_closed.h"

#include <stdio.h>

static int say_open(const struct target_session *session)
{
        if (session->choice->is_json)
                return answer_json(json_pack("{s:s, s:i, s:s, s:b, s:b}", "family",
                                             session->chosen.family.name, "device_id",
                                             (int)session->identity.device_id, "unique_id",
                                             session->identity.unique_id_text, "open", 1,
                                             "simulated", (int)session->is_simulated),
                                   EXIT_OK);
        target_session_mark(session);
        printf("%s %s is open: there is nothing to authenticate to, and nothing was reset.\n",
               session->chosen.family.name, session->identity.unique_id_text);
        return EXIT_OK;
}

/* 1 open, 0 not. */
static int is_open(struct target_session *session)
{
        uint32_t options[OPTION_ROWS_MAX];
        int r = target_read_options(&session->target, options);

        return r < 0 ? r : family_is_open(&session->chosen.family, options);
}

static int show(struct target_session *session, struct closed_part *part)
{
        int r = closed_release(part, closed_discover(session, part));

        if (r < 0)
                return r;
        if (session->choice->is_json)
                return answer_json(closed_json(session, part), EXIT_OK);
        closed_print(session, part);
        puts(part->found.methods
                     ? "The way back is gangway target regress with that credential; it erases "
                       "everything."
                     : "Nobody can open this part again.");
        return EXIT_OK;
}

static int discover(struct target_session *session, struct closed_part *part, bool is_shut)
{
        int r = is_shut ? 0 : is_open(session);

        if (r < 0)
                return r;
        if (!is_shut && !family_field(&session->chosen.family, ROLE_STATE))
                return fault(FAULT_WRONG_PART,
                             "a %s has no debug authentication: it has read-out protection, see "
                             "gangway target info",
                             session->chosen.family.name);
        if (r > 0)
                return say_open(session);
        r = is_shut ? 0 : debug_check_allowed(&part->session);
        return r < 0 ? r : show(session, part);
}

static int run(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct target_choice choice = TARGET_CHOICE;
        struct closed_words words = { 0 };
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&choice),
                CLOSED_ARGUMENTS(&words),
                { "json", .flag = &choice.is_json },
        };
        struct closed_part part = { 0 };
        bool is_shut = false;
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0)
                r = closed_session_open(&choice, words.profile, &session, &part, &is_shut);
        if (r >= 0)
                r = discover(session, &part, is_shut);
        return target_answer("target discover", r);
}

const struct command target_discover_command = {
        .words = "target discover",
        .summary = "what a closed H5 or H7RS part says, and what opens it",
        .help = "usage: gangway target discover " TARGET_USAGE
                "Discovery of debug authentication: die, unique id, life cycle, whether a\n"
                "credential is provisioned, and which. Resets the part twice, an open one not.\n"
                "ST's debugauth=2: gangway target -c port=SWD debugauth=2.\n"
                "\n" TARGET_HELP
                "  --profile FILE      how the service is woken, where it was traced; see\n"
                "                      configs/debug-authentication/reference.conf\n"
                "  --json              the same for programs\n"
                "\n"
                "Exit codes: 0 ok, 1 refused or nobody answers, 2 usage, 3 no probe or part\n"
                "example: gangway target discover -c port=SWD mode=HOTPLUG\n",
        .run = run,
};
