/*
 * gangway target regress: back to virgin, and the proof.
 *
 * What will be lost is told before the first write. Then, where the protection, an execute-only or
 * secure area, TrustZone or a lock wants it, read-out protection goes up to level 1 and down to level 0
 * in one change that also switches the areas off and their erase flags on (targets.md 5.1, 7.1; AN5054
 * section 4.3.6): the part erases itself. Then factory option bytes, then whatever sector is not blank.
 * In the end everything is read again: level, options, every byte of flash.
 *
 * Where product states take the place of levels (H5, H7RS) the way back from any state but open is debug
 * authentication with what was provisioned (target_closed.h): files are read first, then the part is asked
 * what it takes, then told, confirmed and done; and the same proof stands at the end.
 */
#include "station/commands/command.h"

#include "drivers/family_fields.h"
#include "drivers/preflight.h"
#include "station/commands/answer.h"
#include "station/commands/target_closed.h"
#include "station/commands/target_part.h"

#include <stdio.h>
#include <string.h>

#define LEVEL_1 0xBBu /* what ST's tools write (targets.md 5.1) */

struct regression {
        struct target_session *session;
        uint32_t before[OPTION_ROWS_MAX], factory[OPTION_ROWS_MAX];
        bool is_needed; /* level 1 to 0; else option bytes and an erase do */
        char why[160];
        unsigned erased;
        const char *by; /* "level", "certificate", "password" or "erase" */
};

struct request {
        struct target_choice choice;
        struct closed_words words;
        struct closed_credentials credentials;
};

static const struct family *family_of(const struct regression *way)
{
        return &way->session->chosen.family;
}

/* --- what it takes ------------------------------------------------------------------------- */

static int check_possible(const struct regression *way)
{
        const struct family *family = family_of(way);

        if (target_part_is_final(way->session, way->before))
                return fault(
                        FAULT_LOCKED,
                        "read-out protection is at level 2 (0xCC): nothing leads back%s",
                        family_has_trustzone(family)
                                ? ", unless an OEM2 key was provisioned (RM0456), which is not "
                                  "done from here"
                                : "");
        return 0;
}

/* What option bytes alone do not take away. */
static bool holds_fast(const struct family *family, const struct family_field *field,
                       const uint32_t *options)
{
        uint32_t first, last;

        if (field->role == ROLE_TRUSTZONE || field->role == ROLE_LOCK)
                return family_field_is_on(family, field, options);
        return field->role == ROLE_START &&
               (field->kind == AREA_PCROP || field->kind == AREA_SECURE) &&
               family_area(family, field, options, &first, &last);
}

static void find_need(struct regression *way)
{
        const struct family *family = family_of(way);

        if (!family_field(family, ROLE_READOUT))
                return;
        if (!family_is_open(family, way->before)) {
                way->is_needed = true;
                snprintf(way->why, sizeof(way->why), "read-out protection is 0x%02X",
                         family_protection(family, way->before));
                return;
        }
        for (size_t i = 0; i < family->field_count && !way->is_needed; i++) {
                const struct family_field *field = &family->fields[i];

                way->is_needed = holds_fast(family, field, way->before);
                if (way->is_needed)
                        snprintf(way->why, sizeof(way->why), "%s is on",
                                 field->role == ROLE_START ? field->group : field->name);
        }
}

static void tell(const struct regression *way)
{
        const struct target_session *session = way->session;

        if (session->choice->is_json)
                return;
        target_session_mark(session);
        printf("%s %s, %u KiB of flash.\n", family_of(way)->name, session->identity.unique_id_text,
               session->identity.flash_kib);
        if (way->is_needed)
                printf("Regression from level 1 to 0, because %s:\n"
                       "  the part erases ALL of its flash, backup memory and protected areas\n",
                       way->why);
        else
                printf("No regression needed:\n  every sector that is not blank is erased\n");
        printf("  option bytes go to their factory values, %u rows differ now\n"
               "Power must stay on until it is done. Nothing brings the contents back.\n",
               target_part_off_factory(family_of(way), way->before));
}

/* --- doing it ------------------------------------------------------------------------------ */

static int set_level(struct regression *way, uint32_t *options, uint32_t level)
{
        family_field_set(family_field(family_of(way), ROLE_READOUT), options, level);
        return target_write_options(&way->session->target, options);
}

/* Up to level 1 where the part is open; then down, with areas off and their erase flags on. */
static int regress(struct regression *way)
{
        const struct family *family = family_of(way);
        uint32_t options[OPTION_ROWS_MAX];
        int r = 0;

        memcpy(options, way->before, sizeof(options));
        if (family_is_open(family, way->before))
                r = set_level(way, options, LEVEL_1);
        if (r < 0)
                return fault_prefix(r, "raising the level");
        memcpy(options, way->factory, sizeof(options));
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_ERASE)
                        family_field_set(&family->fields[i], options, family->fields[i].on);
        r = set_level(way, options, family_field(family, ROLE_READOUT)->open);
        return r < 0 ? fault_prefix(r, "the regression") : 0;
}

static int prove(struct regression *way)
{
        struct target_session *session = way->session;
        uint32_t options[OPTION_ROWS_MAX];
        const struct preflight_request request = {
                .target = &session->target,
                .options = options,
                .conditions = 1u << CONDITION_OPEN | 1u << CONDITION_UNPROTECTED |
                              1u << CONDITION_DEFAULTS,
        };
        int r = target_identify(&session->target, &session->identity);

        if (r >= 0)
                r = target_read_options(&session->target, options);
        if (r >= 0)
                r = preflight_check(&request);
        if (r >= 0)
                r = target_check_all_blank(&session->target, &session->identity);
        return r < 0 ? fault_prefix(r, "afterwards") : 0;
}

static int report(const struct regression *way)
{
        const struct target_session *session = way->session;

        if (session->choice->is_json)
                return answer_json(json_pack("{s:s, s:s, s:b, s:s, s:i, s:b, s:b, s:b, s:b}",
                                             "family", family_of(way)->name, "unique_id",
                                             session->identity.unique_id_text, "regressed",
                                             (int)way->is_needed, "by", way->by, "sectors_erased",
                                             (int)way->erased, "open", 1, "factory_options", 1,
                                             "blank", 1, "simulated", (int)session->is_simulated),
                                   EXIT_OK);
        printf("ok  open, no protected area\n"
               "ok  option bytes read as from the factory, %zu rows\n"
               "ok  flash reads 0xFF, all %u KiB (%u sectors erased one by one)\n"
               "The part is virgin.\n",
               family_of(way)->option_count, session->identity.flash_kib, way->erased);
        return EXIT_OK;
}

/* Factory option bytes, whatever is not blank, and the proof: after any of the ways. */
static int finish(struct regression *way)
{
        int r = target_write_options(&way->session->target, way->factory);

        if (r >= 0)
                r = target_part_blank(way->session, &way->erased);
        if (r >= 0)
                r = prove(way);
        return r < 0 ? r : report(way);
}

/* 1 go on, EXIT_NO told and not confirmed. */
static int confirm(const struct regression *way)
{
        int r = target_confirm(way->session, "bring it back to virgin");

        if (r == 0)
                fprintf(stderr, "not confirmed, nothing was changed\n");
        return r;
}

static int by_option_bytes(struct regression *way)
{
        int r = check_possible(way);

        if (r < 0)
                return r;
        find_need(way);
        way->by = way->is_needed ? "level" : "erase";
        tell(way);
        r = confirm(way);
        if (r == 0)
                return EXIT_NO;
        if (r > 0 && way->is_needed)
                r = regress(way);
        return r < 0 ? r : finish(way);
}

/* --- by debug authentication --------------------------------------------------------------- */

static void tell_closed(const struct regression *way, const struct closed_part *part)
{
        if (way->session->choice->is_json)
                return;
        closed_print(way->session, part);
        printf("Full regression by debug authentication, with the %s:\n"
               "  the part erases ALL of its flash, RAM and OB-keys, and its product state is "
               "open\n"
               "  option bytes go to their factory values\n"
               "Power must stay on until it is done. Nothing brings the contents back.\n",
               way->by);
}

static int authenticate(struct regression *way, struct closed_part *part,
                        const struct closed_credentials *credentials)
{
        bool by_password;
        int r = closed_discover(way->session, part);

        if (r >= 0)
                r = closed_choose(part, credentials, &by_password);
        if (r < 0)
                return r;
        way->is_needed = true;
        way->by = by_password ? "password" : "certificate";
        tell_closed(way, part);
        r = confirm(way);
        if (r == 0)
                return EXIT_NO;
        if (r > 0)
                r = closed_regress(way->session, part, credentials, by_password);
        return r < 0 ? r : finish(way);
}

/* Which way? A part with product states that is not open wants authentication. */
static int perform(struct regression *way, const struct request *request, struct closed_part *part,
                   bool is_shut)
{
        const struct family *family = family_of(way);
        int r = is_shut ? 0 : target_read_options(&way->session->target, way->before);

        if (r < 0)
                return r;
        target_part_factory(family, way->factory);
        if (!is_shut && (family_field(family, ROLE_READOUT) || family_is_open(family, way->before)))
                return by_option_bytes(way);
        r = is_shut ? 0 : debug_check_allowed(&part->session);
        if (r >= 0)
                r = authenticate(way, part, &request->credentials);
        return closed_release(part, r);
}

static int read_request(int argc, char **argv, struct request *request)
{
        struct closed_words *words = &request->words;
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&request->choice),
                CLOSED_ARGUMENTS(words),
                { "key", .text = &words->key },
                { "certificate", "cert", .text = &words->certificate },
                { "password", "pwd", .text = &words->password },
                { "permission", "per", .take = closed_permission },
                { "yes", "y", .flag = &request->choice.is_sure },
                { "json", .flag = &request->choice.is_json },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        return r < 0 ? r : closed_credentials_read(words, &request->credentials);
}

static void request_wipe(struct request *request)
{
        closed_wipe(&request->credentials);
}

static int run(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct request request CLEANUP(request_wipe) = { .choice = TARGET_CHOICE };
        struct closed_part part = { 0 };
        struct regression way = { 0 };
        bool is_shut = false;
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = closed_session_open(&request.choice, request.words.profile, &session, &part,
                                        &is_shut);
        way.session = session;
        if (r >= 0)
                r = perform(&way, &request, &part, is_shut);
        return target_answer("target regress", r);
}

const struct command target_regress_command = {
        .words = "target regress",
        .summary = "back to a virgin part, with proof",
        .help = "usage: gangway target regress [--yes] " TARGET_USAGE
                "Told before, confirmed, proven after. RDP goes to level 0; level 2 has no way\n"
                "back. An H5 or H7RS that is not open wants what its .obk was made of: target\n"
                "discover. ST's: -rdu, or per=a key=... cert=... pwd=... debugauth=1.\n"
                "\n" TARGET_HELP
                "  --certificate FILE  chain in base64 (cert_leaf_chain.b64); with it --key\n"
                "  --key FILE          private key of its last certificate, PEM\n"
                "  --password FILE     password.bin of gangway obk create\n"
                "  --permission a      the full regression, the only one done from here\n"
                "  --profile FILE      see target discover\n"
                "  -y, --yes           do not ask\n"
                "  --json              the proof for programs\n"
                "\n"
                "Exit codes: 0 virgin, 1 refused or not confirmed, 2 usage, 3 nothing answers\n"
                "example: gangway target regress -c port=SWD mode=HOTPLUG\n",
        .run = run,
};
