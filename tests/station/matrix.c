/*
 * Every family through everything that can happen to one unit: a good install, a wrong key, a license
 * for another chip, an image of another family, each precondition violated, power gone or dipping and
 * the probe unplugged in each step. Of each cell: verdict and fault, how the part stands in the end,
 * what the license books say. In virtual time, one station a cell.
 *
 * What is expected stands in tables, a row for each procedure where they differ. A step that takes no
 * time on a family cannot be hit there and is no cell.
 */
#include "tests/support/line.h"
#include "tests/support/test.h"

#include "drivers/family_fields.h"
#include "drivers/simulated/part.h"
#include "scheduler/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRMWARE 0x08000000u

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

/* --- one cell ------------------------------------------------------------------------------ */

/* Where on its way something befalls a unit: as a step begins; or later in it, when the first word of
 * the image is in the flash, or when an RSSe shows its value. */
struct point {
        const char *step;
        enum { AT_ONCE, IN_AREAS, AS_SHOWN } when;
};

struct cell {
        struct line *line;
        void (*spoil)(struct simulated_part *part,
                      const struct family *family); /* before its lot */
        const struct point *point;                  /* NULL: nothing befalls it on the way */
        void (*befall)(struct station *station);

        bool was_hit; /* the step was seen */
        bool has_ended;
        struct record record; /* of the last attempt */
        char state[16];       /* of the part, in the end */
};

static bool is_factory(const struct family *family, const uint32_t *options)
{
        for (size_t i = 0; i < family->option_count; i++)
                if ((options[i] ^ family->options[i].factory) & family->options[i].mask)
                        return false;
        return true;
}

/* virgin, secured or prepared (ours, without firmware), partly, provisioning, installed. */
static const char *state_of(struct simulated_part *part, const struct line *line)
{
        const struct family *family = &line->family;
        const uint32_t *options = part_options(part);
        const uint8_t *flash = part_flash(part, FIRMWARE);
        bool is_blank = true;

        for (unsigned i = 0; i < family->sector_length && is_blank; i++)
                is_blank = flash[i] == 0xFF;
        if (family_field(family, ROLE_STATE) && family_protection(family, options) == 0x17)
                return "provisioning";
        if (is_blank)
                return is_factory(family, options)               ? "virgin"
                       : family_is_trustzone_on(family, options) ? "prepared"
                       : family_is_secure(family, options)       ? "secured"
                                                                 : "changed";
        if (memcmp(flash, line->begins_with, 8) != 0) /* the smallest flash word */
                return "used";
        return is_factory(family, options) || family_is_trustzone_on(family, options) ||
                               memcmp(part_flash(part, line->end - 16), line->ends_with,
                                      sizeof(line->ends_with)) != 0
                       ? "partly"
                       : "installed";
}

static bool is_over(const struct station *station)
{
        const struct site *site = &station->sites[0];

        return site->has_result && site->state != SITE_BUSY;
}

/* Nobody takes the board out. */
static void signal_nobody(struct fixture *fixture, enum fixture_signal signal)
{
        (void)fixture;
        (void)signal;
}

static struct fixture nobody = { .signal = signal_nobody };

static bool is_there(struct station *station, const struct point *point)
{
        struct simulated_part *part = bench_part(station->bench, 0);
        uint32_t state = 0;
        uint8_t word[4] = { 0 };

        part_advance(part, clock_now_ns());
        if (point->when == IN_AREAS)
                return *part_flash(part, FIRMWARE) != 0xFF;
        if (part_read(part, clock_now_ns(), station->family.access_port,
                      station->rss.mailbox + 0x20, word, sizeof(word)) == PART_OK)
                state = load_le32(word);
        return state == RSS_STATE_SHOWN;
}

/* False when the unit's work was over before. */
static bool reach(struct cell *cell)
{
        struct station *station = &cell->line->station;

        if (!line_wait_step(cell->line, 0, cell->point->step))
                return false;
        while (cell->point->when != AT_ONCE && !is_there(station, cell->point))
                if (is_over(station) || fiber_sleep_ns(50 * NS_PER_US) < 0)
                        return false;
        return true;
}

static int watch(void *context)
{
        struct cell *cell = context;
        struct station *station = &cell->line->station;

        while (!station->bench || !station->sites)
                if (fiber_yield() < 0)
                        return 0;
        station->exit_when_done = false; /* the part is looked at when all is over */
        station->sites[0].fixture = &nobody;
        if (cell->spoil) {
                while (station->sites[0].state != SITE_READY)
                        if (fiber_sleep_ns(NS_PER_MS) < 0)
                                return 0;
                cell->spoil(bench_part(station->bench, 0), &station->family);
        }
        if (cell->point && reach(cell)) {
                cell->was_hit = true;
                cell->befall(station);
        }
        while (station->sites && !is_over(station))
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
        /* a part that is alone now goes on with what it has begun */
        if (fiber_sleep_ns(10 * NS_PER_S) < 0)
                return 0;
        cell->record = station->sites[0].install.record;
        part_advance(bench_part(station->bench, 0), clock_now_ns());
        snprintf(cell->state, sizeof(cell->state), "%s",
                 state_of(bench_part(station->bench, 0), cell->line));
        cell->has_ended = true;
        station_stop(station);
        return 0;
}

/* --- what befalls -------------------------------------------------------------------------- */

static void power_away(struct station *station)
{
        part_power(bench_part(station->bench, 0), clock_now_ns(), false);
}

static void power_dips(struct station *station)
{
        struct simulated_part *part = bench_part(station->bench, 0);

        part_power(part, clock_now_ns(), false);
        if (fiber_sleep_ns(100 * NS_PER_MS) == 0)
                part_power(part, clock_now_ns(), true);
}

static void cable_out(struct station *station)
{
        bench_unplug(station->bench, 0);
}

/* --- ways to spoil a part ------------------------------------------------------------------- */

static uint32_t *rows(struct simulated_part *part)
{
        return (uint32_t *)(uintptr_t)part_options(part);
}

/* As it was programmed before it came here: in force after a power-on. */
static void again(struct simulated_part *part)
{
        part_power(part, clock_now_ns(), false);
        part_power(part, clock_now_ns(), true);
}

static void set_role(struct simulated_part *part, const struct family *family, enum field_role role,
                     uint32_t value)
{
        const struct family_field *field = family_field(family, role);

        INSIST(field);
        family_field_set(field, rows(part), value);
        again(part);
}

static void set_on(struct simulated_part *part, const struct family *family, enum field_role role)
{
        const struct family_field *field = family_field(family, role);

        INSIST(field);
        set_role(part, family, role, field->on);
}

static void read_out_level_1(struct simulated_part *part, const struct family *family)
{
        set_role(part, family, ROLE_READOUT, 0xBB);
}

static void read_out_level_2(struct simulated_part *part, const struct family *family)
{
        set_role(part, family, ROLE_READOUT, 0xCC);
}

static void closed(struct simulated_part *part, const struct family *family)
{
        set_role(part, family, ROLE_STATE, family->sequence == FAMILY_H5 ? 0x72 : 0x51);
}

static void provisioning(struct simulated_part *part, const struct family *family)
{
        set_role(part, family, ROLE_STATE, 0x17);
}

static void trustzone(struct simulated_part *part, const struct family *family)
{
        set_on(part, family, ROLE_TRUSTZONE);
}

static void security(struct simulated_part *part, const struct family *family)
{
        set_on(part, family, ROLE_SECURITY);
}

/* BOR_LEV of the WL: bits 11 to 9 of OPTR */
static void other_defaults(struct simulated_part *part, const struct family *family)
{
        (void)family;
        rows(part)[0] ^= 1u << 9;
        again(part);
}

static const struct family_field *find_area(const struct family *family, enum area_kind kind)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_START && family->fields[i].kind == kind &&
                    !family->fields[i].when)
                        return &family->fields[i];
        return NULL;
}

static void make_area(struct simulated_part *part, const struct family *family, enum area_kind kind)
{
        const struct family_field *start = find_area(family, kind);

        INSIST(start);
        family_field_set(start, rows(part), 1);
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_END &&
                    strcmp(family->fields[i].group, start->group) == 0)
                        family_field_set(&family->fields[i], rows(part), 2);
        again(part);
}

static void pcrop(struct simulated_part *part, const struct family *family)
{
        make_area(part, family, AREA_PCROP);
}

static void secure_area(struct simulated_part *part, const struct family *family)
{
        make_area(part, family, AREA_SECURE);
}

static void write_protection(struct simulated_part *part, const struct family *family)
{
        if (family_field(family, ROLE_UNPROTECTED_BITS))
                set_role(part, family, ROLE_UNPROTECTED_BITS, UINT32_MAX - 1);
        else
                make_area(part, family, AREA_WRITE);
}

static const struct family_field *find_lock(const struct family *family)
{
        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_LOCK && !family->fields[i].group[0] &&
                    !family->fields[i].when)
                        return &family->fields[i];
        return NULL;
}

static void lock(struct simulated_part *part, const struct family *family)
{
        const struct family_field *field = find_lock(family);

        INSIST(field);
        family_field_set(field, rows(part), field->on);
        again(part);
}

static void used(struct simulated_part *part, const struct family *family)
{
        (void)family;
        part_fill_flash(part, FIRMWARE + 256, "somebody else's", 16);
}

static void boot_pin_low(struct simulated_part *part, const struct family *family)
{
        (void)family;
        part_set_boot_pin(part, false);
        again(part);
}

static void other_device(struct simulated_part *part, const struct family *family)
{
        part_set_device_id(part, family->device_id == 0x450 ? 0x483 : 0x450);
}

/* --- running one ---------------------------------------------------------------------------- */

static struct line *new_line(unsigned f)
{
        struct line *line = line_create(1, 1);

        line_family(line, families[f].family, families[f].rss);
        line->station.settings.bench.boards = 1;
        return line;
}

static void run(struct cell *cell, const char *more)
{
        line_order(cell->line, "A", 1, more);
        assert_int_equal(line_run(cell->line, LOOP_TIME_VIRTUAL, 1, watch, cell), 0);
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

static void expect(unsigned f, const char *what, const struct cell *cell,
                   const struct expected *want)
{
        enum kind kind = kind_of(&cell->line->family);
        const char *state = want->state[kind] ? want->state[kind] : want->state[0];
        const struct ledger_balance *books = &cell->line->balance;
        const struct record *record = &cell->record;

        cells++;
        if (cell->has_ended && is_one_of(want->fault, record->fault) &&
            is_one_of(want->step, record->step) && is_one_of(state, cell->state) &&
            (record->result == RESULT_PASS) == !record->fault[0] && books->issued == want->issued &&
            books->installed == want->installed && books->in_hand == want->in_hand &&
            cell->line->refused == want->refused && books->lost + books->pending == 0)
                return;
        printf("# wanted \"%s\" at \"%s\", %s, books %u/%u/%u/%u\n", want->fault, want->step, state,
               want->issued, want->installed, want->in_hand, want->refused);
        printf("# found %s \"%s\" at \"%s\", %s, books %u/%u/%u/%u, lost %u, pending %u: %s\n",
               result_name(record->result), record->fault, record->step, cell->state, books->issued,
               books->installed, books->in_hand, cell->line->refused, books->lost, books->pending,
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
                        struct cell cell = { .line = new_line(f) };

                        assert_int_equal(cell.line->family.procedure, families[f].procedure);
                        if (images[i].change)
                                images[i].change(cell.line);
                        run(&cell, "retries: 0\n");
                        expect(f, images[i].name, &cell, &images[i].want);
                        line_destroy(cell.line);
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

static bool has_readout(const struct family *family)
{
        return family_field(family, ROLE_READOUT);
}

static bool has_state(const struct family *family)
{
        return family_field(family, ROLE_STATE);
}

static bool has_provisioning(const struct family *family)
{
        return has_state(family) && family->sequence == FAMILY_H5;
}

static bool wants_trustzone_off(const struct family *family)
{
        return family->conditions >> CONDITION_TRUSTZONE_OFF & 1;
}

static bool wants_security_off(const struct family *family)
{
        return family->conditions >> CONDITION_SECURITY_OFF & 1;
}

static bool wants_defaults(const struct family *family)
{
        return family->conditions >> CONDITION_DEFAULTS & 1;
}

static bool has_pcrop(const struct family *family)
{
        return find_area(family, AREA_PCROP);
}

static bool has_secure_area(const struct family *family)
{
        return find_area(family, AREA_SECURE);
}

static bool has_lock(const struct family *family)
{
        return find_lock(family);
}

static bool every(const struct family *family)
{
        (void)family;
        return true;
}

#define CHECK        "check the part"
#define NONE(state_) { state_ }, 0, 0, 0, 0 /* no license is asked for */

static const struct {
        const char *name;
        bool (*is_for)(const struct family *family);
        void (*spoil)(struct simulated_part *part, const struct family *family);
        struct expected want;
} conditions[] = {
        { "RDP level 1", has_readout, read_out_level_1, { "LOCKED", CHECK, NONE("changed") } },
        { "RDP level 2",
          has_readout,
          read_out_level_2,
          { "NO_TARGET", "connect", NONE("changed") } },
        { "closed", has_state, closed, { "LOCKED", "connect", NONE("changed") } },
        { "provisioning",
          has_provisioning,
          provisioning,
          { "LOCKED", CHECK, NONE("provisioning") } },
        { "TrustZone on",
          wants_trustzone_off,
          trustzone,
          { "PROTECTED", CHECK, NONE("prepared") } },
        { "security on", wants_security_off, security, { "PROTECTED", CHECK, NONE("secured") } },
        { "not defaults",
          wants_defaults,
          other_defaults,
          { "OPTION_BYTES", CHECK, NONE("changed") } },
        { "PCROP", has_pcrop, pcrop, { "PROTECTED", CHECK, NONE("changed") } },
        { "secure area", has_secure_area, secure_area, { "PROTECTED", CHECK, NONE("changed") } },
        { "write protection", every, write_protection, { "PROTECTED", CHECK, NONE("changed") } },
        { "lock", has_lock, lock, { "PROTECTED", CHECK, NONE("changed") } },
        { "flash in use", every, used, { "NOT_BLANK", CHECK, NONE("used") } },
        { "boot pin low", every, boot_pin_low, { "BOOT_PIN", CHECK, NONE("virgin") } },
        { "other device", every, other_device, { "WRONG_PART", "connect", NONE("virgin") } },
};

static void a_violated_precondition_costs_no_license(void **state)
{
        (void)state;
        for (unsigned f = 0; f < LENGTH_OF(families); f++)
                for (size_t i = 0; i < LENGTH_OF(conditions); i++) {
                        struct cell cell = { .line = new_line(f), .spoil = conditions[i].spoil };

                        if (conditions[i].is_for(&cell.line->family)) {
                                run(&cell, "retries: 0\nerase: never\n");
                                expect(f, conditions[i].name, &cell, &conditions[i].want);
                        }
                        line_destroy(cell.line);
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
        struct cell cell = { .line = new_line(f), .point = &mishap->point, .befall = what };
        bool is_stuck = what == power_dips && kind_of(&cell.line->family) == STATES &&
                        mishap->point.when != AT_ONCE;
        char name[64];

        snprintf(name, sizeof(name), "%s %s", how, mishap->name);
        run(&cell, order);
        if (!cell.was_hit)
                fail_msg("%s was never \"%s\"", families[f].family, mishap->name);
        expect(f, name, &cell, is_stuck ? &stuck : want);
        line_destroy(cell.line);
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
                        befall(f, mishap, "power away", "retries: 0\n", power_away, &mishap->away);
                        befall(f, mishap, "power dips", "retries: 1\n", power_dips, &mishap->dips);
                        befall(f, mishap, "cable out", "retries: 0\n", cable_out, &mishap->out);
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
