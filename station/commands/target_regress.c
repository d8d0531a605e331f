/*
 * gangway target regress: back to virgin, and the proof.
 *
 * What will be lost is told before the first write. Then, where the protection, an execute-only or
 * secure area, TrustZone or a lock wants it, read-out protection goes up to level 1 and down to level 0
 * in one change that also switches the areas off and their erase flags on (targets.md 5.1, 7.1; AN5054
 * section 4.3.6): the part erases itself. Then factory option bytes, then whatever sector is not blank.
 * In the end everything is read again: level, options, every byte of flash.
 *
 * Where product states take the place of levels (H5, H7RS) the way back from a closed state is debug
 * authentication, which needs what was provisioned: refused, with what it takes.
 */
#include "station/commands/command.h"

#include "drivers/family_fields.h"
#include "drivers/preflight.h"
#include "station/commands/image_view.h"
#include "station/commands/target_part.h"

#include <stdio.h>
#include <string.h>

#define LEVEL_1 0xBBu /* what ST's tools write (targets.md 5.1) */

static const struct option_name names[] = { TARGET_OPTIONS, TARGET_YES_OPTION, TARGET_JSON_OPTION };

struct regression {
        struct target_session *session;
        uint32_t before[OPTION_ROWS_MAX], factory[OPTION_ROWS_MAX];
        bool is_needed; /* level 1 to 0; else option bytes and an erase do */
        char why[160];
        unsigned erased;
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
        if (family_field(family, ROLE_READOUT) || family_is_open(family, way->before))
                return 0;
        return fault(FAULT_LOCKED,
                     "the product state is 0x%02X, wanted 0x%02X: a %s goes back by debug "
                     "authentication only, with the certificate chain and key, or the password, of "
                     "the .obk it was given (AN5054 section 4.3.3); ST's tool: "
                     "STM32_Programmer_CLI -c port=SWD debugauth=1 per=a key=... cert=...",
                     family_protection(family, way->before), family_field(family, ROLE_STATE)->open,
                     family->name);
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
                return json_print(stdout,
                                  json_pack("{s:s, s:s, s:b, s:i, s:b, s:b, s:b, s:b}", "family",
                                            family_of(way)->name, "unique_id",
                                            session->identity.unique_id_text, "regressed",
                                            (int)way->is_needed, "sectors_erased", (int)way->erased,
                                            "open", 1, "factory_options", 1, "blank", 1,
                                            "simulated", (int)session->is_simulated))
                               ? EXIT_OK
                               : fault(FAULT_SYSTEM, "no memory for the answer");
        printf("ok  open, no protected area\n"
               "ok  option bytes read as from the factory, %zu rows\n"
               "ok  flash reads 0xFF, all %u KiB (%u sectors erased one by one)\n"
               "The part is virgin.\n",
               family_of(way)->option_count, session->identity.flash_kib, way->erased);
        return EXIT_OK;
}

static int perform(struct regression *way)
{
        int r = target_read_options(&way->session->target, way->before);

        if (r >= 0)
                r = check_possible(way);
        if (r < 0)
                return r;
        target_part_factory(family_of(way), way->factory);
        find_need(way);
        tell(way);
        r = target_confirm(way->session, "bring it back to virgin");
        if (r == 0) {
                fprintf(stderr, "not confirmed, nothing was changed\n");
                return EXIT_NO;
        }
        if (r > 0 && way->is_needed)
                r = regress(way);
        if (r >= 0)
                r = target_write_options(&way->session->target, way->factory);
        if (r >= 0)
                r = target_part_blank(way->session, &way->erased);
        if (r >= 0)
                r = prove(way);
        return r < 0 ? r : report(way);
}

static int run(int argc, char **argv)
{
        struct target_session *session CLEANUP(target_session_close) = NULL;
        struct target_choice choice;
        struct regression way = { 0 };
        size_t count;
        int r = target_read_words(argc, argv, names, LENGTH_OF(names), &choice, NULL, 0, &count);

        if (r >= 0)
                r = target_session_open(&choice, &session);
        way.session = session;
        if (r >= 0)
                r = perform(&way);
        return target_answer("target regress", r);
}

const struct command target_regress_command = {
        .words = "target regress",
        .summary = "back to a virgin part, with proof",
        .help = "usage: gangway target regress [--yes] " TARGET_USAGE "\n"
                "Protection down to level 0, areas and TrustZone off, factory option bytes, flash\n"
                "erased: told before, confirmed, read back after. Level 2 has no way back; closed\n"
                "H5 and H7RS parts want debug authentication and are refused.\n"
                "ST's -rdu: gangway target -c port=SWD mode=HOTPLUG -rdu.\n"
                "\n" TARGET_HELP "  -y, --yes           do not ask\n"
                "  --json              the proof for programs\n"
                "\n"
                "Exit codes: 0 virgin, 1 refused or not confirmed, 2 usage, 3 nothing answers\n"
                "example: gangway target regress -c port=SWD mode=HOTPLUG\n",
        .run = run,
};
