#include "tests/support/vendor_bench.h"

#include "tests/support/test.h"
#include "tests/support/vendor_rig.h"

#include "drivers/family_fields.h"
#include "drivers/simulated/bench.h"
#include "drivers/simulated/part.h"
#include "scheduler/fiber.h"
#include "station/lot.h"

#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum leaves vendor_bench_leaves;
unsigned vendor_bench_seen_running;

static char runtime[300];

/* --- a line -------------------------------------------------------------------------------- */

static void give_rsse(struct line *line)
{
        struct settings *settings = &line->station.settings;

        vendor_rig_file("enc_signed_RSSe_sfi.bin", "RSSe");
        snprintf(settings->vendor.rsse_file, sizeof(settings->vendor.rsse_file),
                 "%s/tool/enc_signed_RSSe_sfi.bin", line->directory);
}

/* The stand-in is of the same family, and its certificates of the product the cards are for. */
static void be_of_family(struct line *line, const char *family)
{
        char rss[] = "reference-h7", device[64], product[PRODUCT_ID_LENGTH + 1];

        line_family(line, family, rss); /* whose profile only the bench looks at */
        snprintf(device, sizeof(device), "0x%03X %s", line->family.device_id, line->family.name);
        vendor_rig_file("device", device);
        part_product_id(&line->family, line->family.device_id, product);
        vendor_rig_file("product", product);
        if (line->family.needs_rsse)
                give_rsse(line);
}

struct line *vendor_bench_line(const char *family)
{
        struct line *line = line_create(1, 2);
        struct settings *settings = &line->station.settings;

        vendor_bench_leaves = LEAVES_CLOSED;
        vendor_bench_seen_running = 0;
        snprintf(runtime, sizeof(runtime), "%s/runtime", line->directory);
        assert_int_equal(mkdir(runtime, 0700), 0);
        setenv("XDG_RUNTIME_DIR", runtime, 1);
        settings->installer = INSTALLER_VENDOR;
        snprintf(settings->vendor.program, sizeof(settings->vendor.program), "%s",
                 vendor_rig(line->directory));
        vendor_rig_file("bench", "");
        settings->vendor.timeout_s = 30;
        settings->seed = 1;
        if (family)
                be_of_family(line, family);
        return line;
}

void vendor_bench_end(struct line *line)
{
        unsetenv("XDG_RUNTIME_DIR");
        line_destroy(line);
}

/* --- what an install leaves ---------------------------------------------------------------- */

static void write_flash(const struct lot *lot, const struct family *family,
                        struct simulated_part *part)
{
        const uint8_t bytes[32] = { 1, 2, 3, 4, 5, 6, 7, 8 };

        for (unsigned i = 0; i < lot->sfi->count; i++)
                if (lot->sfi->areas[i].type == SFI_FIRMWARE)
                        part_fill_flash(part,
                                        family_plain_address(family, lot->sfi->areas[i].address),
                                        bytes, family->word_length);
}

static void set_options(const struct family *family, struct simulated_part *part,
                        const uint32_t *options)
{
        for (size_t i = 0; i < family->option_count; i++)
                part_set_option(part, i, options[i]);
}

static void secure(const struct family *family, struct simulated_part *part)
{
        uint32_t options[OPTION_ROWS_MAX];

        memcpy(options, part_options(part), family->option_count * sizeof(*options));
        family_secure(family, options);
        set_options(family, part, options);
}

/* The one register of an L4 sequence that shows and takes an option follows part_set_option() alone. */
static void protect(const struct family *family, struct simulated_part *part, uint8_t value)
{
        uint32_t options[OPTION_ROWS_MAX];

        part_set_protection(part, value);
        memcpy(options, part_options(part), family->option_count * sizeof(*options));
        set_options(family, part, options);
}

static void close_part(const struct family *family, struct simulated_part *part)
{
        if (family->procedure == PROCEDURE_STATE)
                protect(family, part, family->sequence == FAMILY_H5 ? 0x72 : 0x51);
        else
                protect(family, part, 0xBB);
}

/* L562 and U535 logs: TZEN, SECBOOTADD0 of the RSS, RDP 0.5. */
static void prepare_part(const struct family *family, struct simulated_part *part)
{
        const struct family_field *trustzone = family_field(family, ROLE_TRUSTZONE);
        uint32_t options[OPTION_ROWS_MAX];

        memcpy(options, part_options(part), family->option_count * sizeof(*options));
        family_field_set(trustzone, options, trustzone->on);
        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role == ROLE_BOOT && strcmp(field->group, "secure") == 0)
                        family_field_set(field, options, family->rss_boot / field->unit);
        }
        set_options(family, part, options);
        protect(family, part, 0x55);
}

static void leave(struct station *station, unsigned site)
{
        const struct family *family = &station->family;
        struct simulated_part *part = bench_part(station->bench, site);

        if (vendor_bench_leaves == LEAVES_ANOTHER) {
                bench_remove(station->bench, site);
                bench_insert(station->bench, site);
                part = bench_part(station->bench, site);
        }
        if (vendor_bench_leaves != LEAVES_NOTHING)
                write_flash(station->lots.running, family, part);
        if (vendor_bench_leaves != LEAVES_NOTHING && vendor_bench_leaves != LEAVES_UNSECURED)
                secure(family, part);
        if (vendor_bench_leaves == LEAVES_RSS_BOOT)
                prepare_part(family, part);
        if (vendor_bench_leaves == LEAVES_SILENCE)
                part_power(part, clock_now_ns(), false);
        if (vendor_bench_leaves == LEAVES_CLOSED)
                close_part(family, part);
}

/* --- beside the station -------------------------------------------------------------------- */

struct beside {
        struct line *line;
        int (*script)(void *context);
        void *context;
};

/* The number of the run that has this probe now, or had it last; 0 none. */
static pid_t runner_of(const struct line *line, const char *serial)
{
        char path[400];
        int number = 0;
        FILE *file;

        snprintf(path, sizeof(path), "%s/tool/running.%s", line->directory, serial);
        file = fopen(path, "r");
        if (!file)
                return 0;
        if (fscanf(file, "%d", &number) != 1)
                number = 0; /* not yet written */
        fclose(file);
        return number;
}

/* A run that is not buried yet has the probe, so the station must not. */
static void assert_one_hand(const struct line *line, unsigned site, const char *serial)
{
        pid_t runner = runner_of(line, serial);

        if (runner <= 0 || kill(runner, 0) != 0 || !line->station.sites)
                return;
        assert_null(line->station.sites[site].probe.wire);
        vendor_bench_seen_running++;
}

static void look_at_sites(struct line *line)
{
        static struct wire_identity identities[64];
        struct station *station = &line->station;
        int count = station->bench
                            ? bus_list(bench_bus(station->bench), identities, LENGTH_OF(identities))
                            : 0;

        for (int i = 0; i < count; i++) {
                unsigned site = (unsigned)atoi(identities[i].path + strlen("sim-"));
                char mark[400];

                assert_one_hand(line, site, identities[i].serial);
                snprintf(mark, sizeof(mark), "%s/tool/install.%s", line->directory,
                         identities[i].serial);
                if (access(mark, F_OK) != 0)
                        continue;
                leave(station, site);
                assert_int_equal(unlink(mark), 0);
        }
}

static int run_beside(void *subject)
{
        struct beside *beside = subject;
        struct fiber *script =
                beside->script ? fiber_spawn("test", beside->script, beside->context) : NULL;

        while (fiber_sleep_ns(5 * NS_PER_MS) == 0)
                look_at_sites(beside->line);
        if (script) {
                fiber_cancel(script);
                IGNORE(fiber_join(script));
        }
        return 0;
}

/* Of a station that was killed: its orphans may be corpses for long. */
static void forget_runners(const struct line *line)
{
        const char *path;

        while ((path = line_find(line, "tool/running.*")))
                assert_int_equal(unlink(path), 0);
}

int vendor_bench_run(struct line *line, int (*script)(void *context), void *context)
{
        struct beside beside = { line, script, context };

        forget_runners(line);
        return line_run(line, LOOP_TIME_REAL, 1, run_beside, &beside);
}

void vendor_bench_wait(struct line *line, bool (*is_so)(const struct line *line))
{
        for (int i = 0; i < 3000 && !is_so(line); i++)
                if (fiber_sleep_ns(10 * NS_PER_MS) < 0)
                        return;
        assert_true(is_so(line));
}

static bool has_a_result(const struct line *line)
{
        const struct site *site = line->station.sites;

        return site && site->has_result && site->install.step[0] == '\0';
}

static int stop_behind_one(void *context)
{
        struct line *line = context;

        vendor_bench_wait(line, has_a_result);
        lot_end(&line->station);
        station_stop(&line->station);
        return 0;
}

void vendor_bench_one_unit(struct line *line)
{
        assert_int_equal(vendor_bench_run(line, stop_behind_one, line), 0);
}

/* --- what is left behind ------------------------------------------------------------------- */

const char *vendor_bench_ask(const struct line *line, const char *query)
{
        static char text[512];
        sqlite3_stmt *statement;
        sqlite3 *database;

        assert_int_equal(sqlite3_open(line_path(line, "data/station.db"), &database), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(database, query, -1, &statement, NULL), SQLITE_OK);
        text[0] = '\0';
        if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0))
                snprintf(text, sizeof(text), "%s", sqlite3_column_text(statement, 0));
        sqlite3_finalize(statement);
        sqlite3_close(database);
        return text;
}

static unsigned entries;

static int count_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
        (void)path, (void)status, (void)kind;
        entries += where->level > 0;
        return 0;
}

unsigned vendor_bench_entries(void)
{
        entries = 0;
        assert_int_equal(nftw(runtime, count_entry, 8, FTW_PHYS), 0);
        return entries;
}

unsigned vendor_bench_count(const char *text, const char *words)
{
        unsigned found = 0;

        while ((text = strstr(text, words))) {
                text += strlen(words);
                found++;
        }
        return found;
}
