/*
 * gangway target info: who is it, what protects it, and may it take an install.
 *
 * Reads only. What the option bytes say is printed by field; the conditions of an install are those of
 * drivers/preflight.h, each with what was measured and wanted, where it stands and what helps.
 */
#include "station/commands/command.h"

#include "drivers/family_fields.h"
#include "drivers/preflight.h"
#include "station/commands/answer.h"
#include "station/commands/option_view.h"
#include "station/commands/screen.h"
#include "station/commands/target_part.h"

#include <stdio.h>
#include <string.h>

struct request {
        struct target_choice choice;
        bool is_external;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&request->choice),
                TARGET_RSS_ARGUMENTS(&request->choice),
                { "json", .flag = &request->choice.is_json },
                { "external", .flag = &request->is_external },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

/* --- as text ------------------------------------------------------------------------------- */

static void print_probe(const struct target_session *session)
{
        printf("probe               : %s, firmware %s, at %s\n", session->wire.serial,
               session->probe.version.text, session->wire.path);
        printf("supply              : %u.%02u V\n", session->supply_mv / 1000,
               session->supply_mv % 1000 / 10);
        printf("clock, mode         : %u kHz SWD, HOTPLUG, AP %u\n", session->probe.clock_khz,
               session->chosen.family.access_port);
}

static void print_identity(const struct target_session *session)
{
        const struct target_identity *identity = &session->identity;

        printf("device              : %s, id 0x%03X, revision 0x%04X\n",
               session->chosen.family.name, identity->device_id, identity->revision);
        printf("debug port          : 0x%08X\n", identity->dpidr);
        printf("flash               : %u KiB\n", identity->flash_kib);
        printf("unique id           : %s\n", identity->unique_id_text);
}

/* The fields that say how shut a part is, in words. */
static bool is_state_field(const struct option_field *field)
{
        return field->role == ROLE_READOUT || field->role == ROLE_SECURITY ||
               field->role == ROLE_TRUSTZONE || field->role == ROLE_STATE;
}

static void print_state(const struct target_session *session, const struct option_bytes *rows)
{
        char text[80];

        for (size_t i = 0; i < session->fields.count; i++) {
                const struct option_field *field = &session->fields.fields[i];
                uint32_t value = option_field_get(field, rows->rows[field->row].value);

                if (!is_state_field(field))
                        continue;
                option_field_text(field, value, text, sizeof(text));
                printf("%-20.20s: %s (%s = 0x%X)\n", field->about, text, field->name, value);
        }
}

static void print_conditions(const struct preflight *preflight)
{
        static const enum tone tones[] = { [PREFLIGHT_HOLDS] = TONE_GOOD,
                                           [PREFLIGHT_FAILS] = TONE_BAD,
                                           [PREFLIGHT_UNKNOWN] = TONE_ATTENTION };
        struct screen screen;

        screen_init(&screen, stdout);
        for (size_t i = 0; i < preflight->count; i++) {
                const struct preflight_line *line = &preflight->lines[i];
                const char *word = preflight_word(line->answer);

                printf("  ");
                screen_put(&screen, stdout, tones[line->answer], word);
                printf("%*s%-21s measured: %s", 9 - (int)strlen(word), "", line->name,
                       line->measured);
                if (line->answer != PREFLIGHT_HOLDS)
                        printf("; wanted: %s (%s)", line->wanted, line->source);
                if (line->answer == PREFLIGHT_FAILS && line->remedy)
                        printf("; %s", line->remedy);
                printf("\n");
        }
}

/* --- as JSON ------------------------------------------------------------------------------- */

static json_t *conditions_json(const struct preflight *preflight)
{
        json_t *list = json_array();

        for (size_t i = 0; i < preflight->count; i++) {
                const struct preflight_line *line = &preflight->lines[i];

                json_array_append_new(list,
                                      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?}", "name",
                                                line->name, "answer", preflight_word(line->answer),
                                                "measured", line->measured, "wanted", line->wanted,
                                                "source", line->source, "remedy", line->remedy));
        }
        return list;
}

static int print_json(const struct target_session *session, const struct option_bytes *rows,
                      const uint32_t *options, const struct preflight *preflight)
{
        const struct target_identity *identity = &session->identity;
        json_t *probe =
                json_pack("{s:s, s:s, s:s, s:i, s:i, s:b}", "serial", session->wire.serial,
                          "firmware", session->probe.version.text, "port_path", session->wire.path,
                          "supply_mv", (int)session->supply_mv, "clock_khz",
                          (int)session->probe.clock_khz, "simulated", (int)session->is_simulated);
        json_t *object = json_pack(
                "{s:o, s:s, s:i, s:i, s:I, s:i, s:s, s:i, s:b, s:b, s:o, s:o, s:b}", "probe", probe,
                "family", session->chosen.family.name, "device_id", (int)identity->device_id,
                "revision", (int)identity->revision, "debug_port", (json_int_t)identity->dpidr,
                "flash_kib", (int)identity->flash_kib, "unique_id", identity->unique_id_text,
                "protection", (int)family_protection(&session->chosen.family, options), "open",
                (int)family_is_open(&session->chosen.family, options), "security",
                (int)(family_is_secure(&session->chosen.family, options) ||
                      family_is_trustzone_on(&session->chosen.family, options)),
                "options", option_view_json(&session->chosen.family, &session->fields, rows),
                "install_conditions", conditions_json(preflight), "can_install",
                (int)preflight_holds(preflight));

        return answer_json(object, EXIT_OK);
}

static int show(struct target_session *session, const struct request *request)
{
        struct rss_profile rss;
        struct option_bytes rows;
        struct preflight preflight;
        uint32_t options[OPTION_ROWS_MAX];
        struct preflight_request wanted = { .target = &session->target,
                                            .options = options,
                                            .conditions = session->chosen.family.conditions,
                                            .is_external = request->is_external,
                                            .identity = &session->identity };
        int r = target_part_rss(session, &rss);

        if (r > 0)
                wanted.rss = &rss;
        if (r >= 0)
                r = target_read_options(&session->target, options);
        if (r >= 0)
                r = preflight_look(&wanted, &preflight);
        if (r < 0)
                return r;
        target_part_rows(session, options, &rows);
        if (request->choice.is_json)
                return print_json(session, &rows, options, &preflight);
        target_session_mark(session);
        print_probe(session);
        print_identity(session);
        print_state(session, &rows);
        printf("option bytes        :\n");
        option_view_print(stdout, &session->chosen.family, &session->fields, &rows);
        printf("conditions of an install:\n");
        print_conditions(&preflight);
        printf("%s\n", preflight_holds(&preflight) ? "It can take an install from here."
                                                   : "It cannot take an install as it is.");
        target_part_say_ways(session, options);
        return EXIT_OK;
}

static int run(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct request request = { .choice = TARGET_CHOICE };
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = target_session_open(&request.choice, &session);
        if (r >= 0)
                r = show(session, &request);
        return target_answer("target info", r);
}

const struct command target_info_command = {
        .words = "target info",
        .summary = "a part: identity, option bytes, may it take an install",
        .help = "usage: gangway target info " TARGET_USAGE "\n"
                "Identity, option bytes by field, protection, and each condition of an install\n"
                "with what was measured and wanted (AN5054). Reads only, all of the flash too.\n"
                "\n" TARGET_HELP TARGET_RSS_HELP
                "  --external          the conditions of an SFIx install as well\n"
                "  --json              the same for programs\n"
                "\n"
                "Exit codes: 0 ok, 1 the part refused, 2 usage, 3 no probe or part answers\n"
                "example: gangway target info -c port=SWD mode=HOTPLUG sn=003500203137510733353\n",
        .run = run,
};
