/*
 * Every family through everything that can happen to one unit: a good install, a wrong key, a license
 * for another chip, an image of another family, each precondition violated, power gone or dipping and
 * the probe unplugged in each step. Of each cell: verdict and fault, how the part stands in the end,
 * what the license books say. In virtual time, one station a unit.
 *
 * What is expected stands in tables, a row for each procedure where they differ. A step that takes no
 * time on a family cannot be hit there and is no unit.
 */
#include "tests/support/spoil.h"
#include "tests/support/test.h"
#include "tests/support/unit.h"

#include "drivers/family_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
        const char *family, *rss;
        enum family_procedure procedure;
} families[] = {
        { "stm32h75x", "reference-h7", PROCEDURE_RSS_ROM },
        { "stm32h7a3", "reference-h7", PROCEDURE_RSS_ROM },
        { "stm32h73x", "reference-h7", PROCEDURE_RSS_ROM },
        { "stm32l5", "reference-l5", PROCEDURE_RSSE },
        { "stm32u535", "reference-u535", PROCEDURE_RSSE },
        { "stm32u575", "reference-u5", PROCEDURE_RSSE },
        { "stm32u59x", "reference-u5", PROCEDURE_RSSE },
        { "stm32u5fx", "reference-u5", PROCEDURE_RSSE },
        { "stm32wl5x", "reference-wl5", PROCEDURE_RSSE },
        { "stm32wba5x", "reference-wba5", PROCEDURE_RSSE },
        { "stm32wba6x", "reference-wba6", PROCEDURE_RSSE },
        { "stm32h503", "reference-h503", PROCEDURE_STATE },
        { "stm32h52x", "reference-h5", PROCEDURE_STATE },
        { "stm32h56x", "reference-h5", PROCEDURE_STATE },
        { "stm32h7rs", "reference-h7rs", PROCEDURE_STATE },
};

/* Families that end alike. */
enum kind { ROM, TRUSTZONE, PLAIN, STATES, H7RS, KINDS };

static enum kind kind_of(const struct family *family)
{
        if (family->procedure == PROCEDURE_STATE)
                return family->sequence == FAMILY_H5 ? STATES : H7RS;
        return family->procedure == PROCEDURE_RSS_ROM ? ROM
               : family_has_trustzone(family)         ? TRUSTZONE
                                                      : PLAIN;
}

/* --- running one ---------------------------------------------------------------------------- */

static struct line *new_line(unsigned f)
{
        struct line *line = line_create(1, 1);

        line_family(line, families[f].family, families[f].rss);
        line->station.settings.bench.boards = 1;
        return line;
}

static unsigned cells;

/* --- what is expected ------------------------------------------------------------------------ */

struct expected {
        const char *fault; /* alternatives with | where the moment decides; "" passes */
        const char *step;
        const char *state[KINDS]; /* NULL: as that of the first kind */
        uint8_t issued, installed, in_hand, refused;
};

static bool is_one_of(const char *list, const char *word)
{
        size_t length = strlen(word);

        for (const char *at = list; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
                if (strncmp(at, word, length) == 0 && (at[length] == '|' || !at[length]))
                        return true;
        return false;
}

static void expect(unsigned f, const char *what, const struct unit *unit,
                   const struct expected *want)
{
        enum kind kind = kind_of(&unit->line->family);
        const char *state = want->state[kind] ? want->state[kind] : want->state[0];
        const struct ledger_balance *books = &unit->line->balance;
        const struct record *record = &unit->record;

        cells++;
        if (unit->has_ended && is_one_of(want->fault, record->fault) &&
            is_one_of(want->step, record->step) && is_one_of(state, unit->state) &&
            (record->result == RESULT_PASS) == !record->fault[0] && books->issued == want->issued &&
            books->installed == want->installed && books->in_hand == want->in_hand &&
            unit->line->refused == want->refused && books->lost + books->pending == 0)
                return;
        printf("# wanted \"%s\" at \"%s\", %s, books %u/%u/%u/%u\n", want->fault, want->step, state,
               want->issued, want->installed, want->in_hand, want->refused);
        printf("# found %s \"%s\" at \"%s\", %s, books %u/%u/%u/%u, lost %u, pending %u: %s\n",
               result_name(record->result), record->fault, record->step, unit->state, books->issued,
               books->installed, books->in_hand, unit->line->refused, books->lost, books->pending,
               record->sentence);
        fail_msg("%s, %s", families[f].family, what);
}

/* --- images and licenses --------------------------------------------------------------------- */

static void other_license(struct line *line)
{
        line->station.settings.bench.misfortune.wrong_license = 1;
}

static const struct {
        const char *name;
        void (*change)(struct line *line);
        struct expected want;
} images[] = {
        { "good", NULL, { "", "", { "installed" }, 1, 1, 0, 0 } },
        { "wrong key",
          line_other_key,
          { "BAD_IMAGE",
            "install",
            { "secured", "virgin", "virgin", "virgin", "virgin" },
            1,
            0,
            1,
            0 } },
        { "wrong license",
          other_license,
          { "BAD_LICENSE",
            "install",
            { "secured", "virgin", "virgin", "virgin", "virgin" },
            1,
            0,
            1,
            1 } },
};

static void every_family_installs_a_good_image_and_no_other(void **state)
{
        (void)state;
        for (unsigned f = 0; f < LENGTH_OF(families); f++)
                for (size_t i = 0; i < LENGTH_OF(images); i++) {
                        struct unit unit = { .line = new_line(f) };

                        assert_int_equal(unit.line->family.procedure, families[f].procedure);
                        if (images[i].change)
                                images[i].change(unit.line);
                        unit_run(&unit, "retries: 0\n");
                        expect(f, images[i].name, &unit, &images[i].want);
                        line_destroy(unit.line);
                }
}

static int stop_soon(void *context)
{
        struct line *line = context;

        if (fiber_sleep_ns(5 * NS_PER_S) == 0)
                station_stop(&line->station);
        return 0;
}

/* An image whose option rows or flash are another family's does not get past its order. */
static void an_image_of_another_family_is_refused_with_its_order(void **state)
{
        (void)state;
        for (unsigned f = 0; f < LENGTH_OF(families); f++) {
                struct line *line = new_line(f);

                line_foreign_image(line, kind_of(&line->family) == ROM ? "stm32u575" : "stm32h75x");
                line_order(line, "A", 1, "");
                assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, stop_soon, line), 0);
                assert_int_equal(line->counts.attempts, 0);
                assert_int_equal(line->balance.issued, 0);
                if (!line_find(line, "orders/err/A.yaml.err"))
                        fail_msg("%s took the image of another family", families[f].family);
                cells++;
                line_destroy(line);
        }
}

/* --- preconditions --------------------------------------------------------------------------- */

#define CHECK        "check the part"
#define NONE(state_) { state_ }, 0, 0, 0, 0 /* no license is asked for */

static const struct {
        const char *name;
        struct expected want;
} conditions[] = {
        { "RDP level 1", { "LOCKED", CHECK, NONE("changed") } },
        { "RDP level 2", { "NO_TARGET", "connect", NONE("changed") } },
        { "closed", { "LOCKED", "connect", NONE("changed") } },
        { "provisioning", { "LOCKED", CHECK, NONE("provisioning") } },
        { "TrustZone on", { "PROTECTED", CHECK, NONE("prepared") } },
        { "security on", { "PROTECTED", CHECK, NONE("secured") } },
        { "not defaults", { "OPTION_BYTES", CHECK, NONE("changed") } },
        { "PCROP", { "PROTECTED", CHECK, NONE("changed") } },
        { "secure area", { "PROTECTED", CHECK, NONE("changed") } },
        { "write protection", { "PROTECTED", CHECK, NONE("changed") } },
        { "lock", { "PROTECTED", CHECK, NONE("changed") } },
        { "flash in use", { "NOT_BLANK", CHECK, NONE("used") } },
        { "boot pin low", { "BOOT_PIN", CHECK, NONE("virgin") } },
        { "other device", { "WRONG_PART", "connect", NONE("virgin") } },
};

static void a_violated_precondition_costs_no_license(void **state)
{
        (void)state;
        for (unsigned f = 0; f < LENGTH_OF(families); f++)
                for (size_t i = 0; i < LENGTH_OF(conditions); i++) {
                        const struct spoil *spoil = spoil_find(conditions[i].name);
                        struct unit unit = { .line = new_line(f), .spoil = spoil->spoil };

                        if (spoil->is_for(&unit.line->family)) {
                                unit_run(&unit, "retries: 0\nerase: never\n");
                                expect(f, conditions[i].name, &unit, &conditions[i].want);
                        }
                        line_destroy(unit.line);
                }
}

/* --- on the way ------------------------------------------------------------------------------ */

#define LATER "install|set RDP level 0.5|load the RSSe"
#define KEPT  1, 0, 1, 0 /* the license is made and stays in hand */
#define DONE  { "installed" }, 1, 1, 0, 0

/* Power gone for good; gone for 100 ms, with one more attempt; the cable out, the part left alone. */
static const struct mishap {
        const char *name;
        struct point point;
        enum kind only; /* KINDS: all */
        struct expected away, dips, out;
} mishaps[] = {
        { "as it is checked",
          { CHECK, AT_ONCE },
          KINDS,
          { "TARGET_LOST", CHECK, NONE("virgin") },
          { "", "", DONE },
          { "UNPLUGGED", CHECK, NONE("virgin") } },
        { "at the certificate",
          { "read the certificate", AT_ONCE },
          KINDS,
          { "TARGET_LOST", "read the certificate", NONE("virgin") },
          { "", "", DONE },
          { "UNPLUGGED", "read the certificate", NONE("virgin") } },
        { "at SECURITY",
          { "activate security", AT_ONCE },
          ROM,
          { "TARGET_LOST", "activate security", { "virgin|secured" }, KEPT },
          { "", "", DONE },
          { "UNPLUGGED", "activate security", { "virgin|secured" }, KEPT } },
        { "at TrustZone",
          { "switch on TrustZone", AT_ONCE },
          TRUSTZONE,
          { "TARGET_LOST", "switch on TrustZone", { "virgin|prepared" }, KEPT },
          { "", "", DONE },
          { "UNPLUGGED", "switch on TrustZone", { "virgin|prepared" }, KEPT } },
        { "at the license",
          { "obtain the license", AT_ONCE },
          KINDS,
          { "TARGET_LOST", LATER, { "secured", "prepared", "virgin", "virgin", "virgin" }, KEPT },
          { "", "", DONE },
          { "UNPLUGGED", LATER, { "secured", "prepared", "virgin", "virgin", "virgin" }, KEPT } },
        { "at RDP 0.5",
          { "set RDP level 0.5", AT_ONCE },
          TRUSTZONE,
          { "TARGET_LOST", "set RDP level 0.5", { "prepared" }, KEPT },
          { "", "", DONE },
          { "UNPLUGGED", "set RDP level 0.5", { "prepared" }, KEPT } },
        { "at the RSSe",
          { "load the RSSe", AT_ONCE },
          KINDS,
          { "TARGET_LOST|RSS_SILENT",
            "load the RSSe",
            { "", "prepared", "virgin", "virgin", "virgin" },
            KEPT },
          { "", "", DONE },
          { "UNPLUGGED",
            "load the RSSe",
            { "", "prepared", "virgin", "virgin", "virgin" },
            KEPT } },
        /* the command may be in already: then nobody knows, and alone the part goes on to the end */
        { "as it begins",
          { "install", AT_ONCE },
          KINDS,
          { "TARGET_LOST|NOT_PROVABLE",
            "install",
            { "secured|partly", "prepared|partly", "virgin|partly", "virgin|provisioning",
              "virgin|partly" },
            KEPT },
          { "", "", DONE },
          { "UNPLUGGED",
            "install",
            { "secured|installed", "prepared|installed", "virgin|installed", "virgin|installed",
              "virgin|installed" },
            KEPT } },
        { "in the areas",
          { "install", IN_AREAS },
          KINDS,
          { "NOT_PROVABLE",
            "install",
            { "partly", "partly", "partly", "provisioning", "partly" },
            KEPT },
          { "", "", DONE },
          { "UNPLUGGED", "install", { "installed" }, KEPT } },
        { "as its value shows",
          { "install", AS_SHOWN },
          KINDS,
          { "NOT_PROVABLE",
            "install",
            { "partly", "partly", "partly", "provisioning", "partly" },
            KEPT },
          { "", "", DONE },
          { "UNPLUGGED", "install", { "installed" }, KEPT } },
};

/* An H5 that broke off among its areas has left the open state for good. */
static const struct expected stuck = { "NOT_PROVABLE", CHECK, { "provisioning" }, KEPT };

static bool spends_time(const struct mishap *mishap, enum kind kind)
{
        if (mishap->only != KINDS)
                return kind == mishap->only;
        return kind != ROM ||
               (strcmp(mishap->point.step, "load the RSSe") != 0 && mishap->point.when != AS_SHOWN);
}

static void befall(unsigned f, const struct mishap *mishap, const char *how, const char *order,
                   void (*what)(struct station *station), const struct expected *want)
{
        struct unit unit = { .line = new_line(f), .point = &mishap->point, .befall = what };
        bool is_stuck = what == unit_power_dips && kind_of(&unit.line->family) == STATES &&
                        mishap->point.when != AT_ONCE;
        char name[64];

        snprintf(name, sizeof(name), "%s %s", how, mishap->name);
        unit_run(&unit, order);
        if (!unit.was_hit)
                fail_msg("%s was never \"%s\"", families[f].family, mishap->name);
        expect(f, name, &unit, is_stuck ? &stuck : want);
        line_destroy(unit.line);
}

static void what_befalls_a_unit_on_its_way_is_told_and_costs_one_license(void **state)
{
        (void)state;
        for (unsigned f = 0; f < LENGTH_OF(families); f++) {
                struct line *line = new_line(f);
                enum kind kind = kind_of(&line->family);

                line_destroy(line);
                for (size_t i = 0; i < LENGTH_OF(mishaps); i++) {
                        const struct mishap *mishap = &mishaps[i];

                        if (!spends_time(mishap, kind))
                                continue;
                        befall(f, mishap, "power away", "retries: 0\n", unit_power_away,
                               &mishap->away);
                        befall(f, mishap, "power dips", "retries: 1\n", unit_power_dips,
                               &mishap->dips);
                        befall(f, mishap, "cable out", "retries: 0\n", unit_cable_out,
                               &mishap->out);
                }
        }
}

/* --- the RSSe -------------------------------------------------------------------------------- */

/* The station with another profile: in ours, `from` becomes `to`. */
static int start_with(unsigned f, const char *from, const char *to)
{
        struct line *line = new_line(f);
        struct settings *settings = &line->station.settings;
        char *profile = line_read(settings->rss_profile_file), *at = strstr(profile, from);
        char text[8192], command[300];
        int r;

        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - profile), profile, to,
                 at + strlen(from));
        snprintf(settings->rss_profile_file, sizeof(settings->rss_profile_file), "%s",
                 line_path(line, "profile.conf"));
        line_write(settings->rss_profile_file, text);
        snprintf(command, sizeof(command), "cp configs/rss/reference-rsse-*.bin %s",
                 line->directory);
        assert_int_equal(system(command), 0);
        r = line_run(line, LOOP_TIME_VIRTUAL, 1, NULL, NULL);
        free(profile);
        line_destroy(line);
        cells++;
        return r;
}

/* Missing for this die, not there at all, or another die's: no unit is touched. */
static void without_its_rsse_no_station_starts(void **state)
{
        (void)state;
        for (unsigned f = 0; f < LENGTH_OF(families); f++) {
                struct line *line = new_line(f);
                unsigned device = line->family.device_id;
                char entry[32], file[32];

                line_destroy(line);
                if (families[f].procedure == PROCEDURE_RSS_ROM)
                        continue;
                snprintf(entry, sizeof(entry), "device = 0x%03X", device);
                snprintf(file, sizeof(file), "rsse-%03X.bin", device);
                assert_int_equal(start_with(f, entry, "device = 0x123"), -FAULT_NOT_FOUND);
                assert_int_equal(start_with(f, file, "rsse-none.bin"), -FAULT_NOT_FOUND);
                assert_int_equal(
                        start_with(f, file, device == 0x482 ? "rsse-481.bin" : "rsse-482.bin"),
                        -FAULT_BAD_VALUE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_family_installs_a_good_image_and_no_other),
                cmocka_unit_test(an_image_of_another_family_is_refused_with_its_order),
                cmocka_unit_test(a_violated_precondition_costs_no_license),
                cmocka_unit_test(what_befalls_a_unit_on_its_way_is_told_and_costs_one_license),
                cmocka_unit_test(without_its_rsse_no_station_starts),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);

        printf("# %u cells\n", cells);
        return failed;
}
