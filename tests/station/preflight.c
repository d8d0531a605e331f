/*
 * No card is asked before preflight is clean: a part, a line or an order is spoiled in every way that
 * is seen before a license is needed, and the cards must not have noticed.
 */
#include "tests/support/line.h"
#include "tests/support/test.h"

#include "drivers/simulated/card.h"
#include "drivers/simulated/part.h"
#include "scheduler/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spoiled {
        const char *name, *fault, *words;
        struct misfortune misfortune;
        void (*before)(struct station *station); /* as soon as there is a bench */
        void (*to_board)(struct simulated_part *part, struct station *station); /* before its lot */
        const char *step; /* when it is this one's turn: */
        void (*in_step)(struct simulated_part *part, struct station *station);
};

/* --- ways to spoil ------------------------------------------------------------------------- */

/* A board that comes with other option bytes, row by its name in the family file. */
static void set_row(struct simulated_part *part, const struct station *station, const char *name,
                    uint32_t value)
{
        const struct family *family = &station->family;

        for (size_t i = 0; i < family->option_count; i++) {
                if (strncmp(family->options[i].name, name, strlen(name)) != 0)
                        continue;
                part_set_option(part, i, value);
                return;
        }
        fail_msg("no option row %s", name);
}

static void protect_code(struct simulated_part *part, struct station *station)
{
        set_row(part, station, "FPRAR_", 0x00050001);
}

static void make_secure_area(struct simulated_part *part, struct station *station)
{
        set_row(part, station, "FSCAR_", 0x00050001);
}

static void protect_sectors(struct simulated_part *part, struct station *station)
{
        set_row(part, station, "FWPSN_", 0xFE);
}

static void read_out_level_2(struct simulated_part *part, struct station *station)
{
        (void)station;
        part_set_protection(part, 0xCC);
}

static void power_away(struct simulated_part *part, struct station *station)
{
        (void)station;
        part_power(part, clock_now_ns(), false);
}

static void cable_out(struct simulated_part *part, struct station *station)
{
        (void)part;
        bench_unplug(station->bench, 0);
}

static void stop(struct simulated_part *part, struct station *station)
{
        (void)part;
        station_stop(station);
}

/* A smaller part than the image was made for. */
static void image_beyond_flash(struct simulated_part *part, struct station *station)
{
        (void)part;
        while (!station->lots.running)
                assert_int_equal(fiber_sleep_ns(10 * NS_PER_US), 0);
        station->lots.running->sfi->areas[0].address = 0x08200000;
}

static void other_silicon(struct station *station)
{
        station->rss.marker_address = 0;
}

static void other_product(struct station *station)
{
        memcpy(station->family.product_id, "482", 3);
}

static void impatient(struct station *station)
{
        station->rss.certificate_timeout_ms = 0;
}

static uint32_t mailbox_state(struct simulated_part *part, const struct station *station)
{
        uint8_t word[4] = { 0 };

        (void)part_read(part, clock_now_ns(), 0, station->rss.mailbox + 0x20, word, sizeof(word));
        return load_le32(word);
}

static void await_state(struct simulated_part *part, const struct station *station, bool is_done)
{
        while ((mailbox_state(part, station) == 0x454E4F44u) != is_done)
                assert_int_equal(fiber_sleep_ns(50 * NS_PER_US), 0);
}

/* One bit of the second reading: nothing but the first shows it. */
static void another_certificate(struct simulated_part *part, struct station *station)
{
        uint32_t address = station->rss.mailbox + 0x40 + 100;
        uint8_t byte;

        await_state(part, station, true);
        await_state(part, station, false);
        await_state(part, station, true);
        assert_int_equal(part_read(part, clock_now_ns(), 0, address, &byte, 1), PART_OK);
        byte ^= 4;
        assert_int_equal(part_write(part, clock_now_ns(), 0, address, &byte, 1), PART_OK);
}

#define IN(step_, what) .step = step_, .in_step = what

static const struct spoiled table[] = {
        { "another device", "WRONG_PART", "", .misfortune.wrong_part = 1 },
        { "read-out level 1", "LOCKED", "0x", .misfortune.protected_part = 1 },
        { "read-out level 2", "", "", .to_board = read_out_level_2 },
        { "boot pin low", "BOOT_PIN", "", .misfortune.boot_pin = 1 },
        { "flash in use", "NOT_BLANK", "", .misfortune.used_part = 1 },
        { "PCROP area", "PROTECTED", "PCROP area", .to_board = protect_code },
        { "secure area", "PROTECTED", "secure area", .to_board = make_secure_area },
        { "write protection", "PROTECTED", "write protection: sectors",
          .to_board = protect_sectors },
        { "flash too small", "WRONG_PART", "area 1 needs 0x08200000",
          .to_board = image_beyond_flash },
        { "no reference part", "REFERENCE_ONLY", "reference", .before = other_silicon },
        { "supply lost", "", "", IN("check the part", power_away) },
        { "cable out", "UNPLUGGED", "", IN("check the part", cable_out) },
        { "stopped", "", "", IN("check the part", stop) },
        { "certificate of another product", "BAD_CERTIFICATE", "482", .before = other_product },
        { "two different certificates", "BAD_CERTIFICATE", "two readings of the certificate differ",
          IN("read the certificate", another_certificate) },
        { "no certificate", "RSS_SILENT", "no certificate within", .before = impatient },
        { "supply lost at the certificate", "", "", IN("read the certificate", power_away) },
        { "stopped at the certificate", "", "", IN("read the certificate", stop) },
};

/* --- one run ------------------------------------------------------------------------------- */

struct run {
        struct line *line;
        const struct spoiled *spoiled; /* NULL: a good unit */
        struct record record;          /* of its attempt */
        unsigned licenses;             /* LICENSE commands its card has met */
        bool has_ended;
};

static int watch(void *context)
{
        struct run *run = context;
        struct station *station = &run->line->station;
        const struct spoiled *spoiled = run->spoiled;

        while (!station->bench || !station->sites)
                assert_int_equal(fiber_yield(), 0);
        station->exit_when_done = false; /* this ends it, once it has seen the unit's end */
        if (spoiled && spoiled->before)
                spoiled->before(station);
        if (spoiled && spoiled->to_board) {
                while (station->sites[0].state != SITE_READY)
                        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
                spoiled->to_board(bench_part(station->bench, 0), station);
        }
        if (spoiled && spoiled->step && line_wait_step(run->line, 0, spoiled->step))
                spoiled->in_step(bench_part(station->bench, 0), station);
        while (station->sites && !station->sites[0].install.record.ended_us) {
                run->licenses = simulated_card_apdus(bench_card(station->bench, 0));
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
        }
        run->has_ended = true;
        if (station->is_stopping || !station->sites)
                return 0;
        run->record = station->sites[0].install.record;
        /* whatever is on its way to a card has time to get there */
        if (fiber_sleep_ns(20 * NS_PER_S) < 0)
                return 0;
        run->licenses = simulated_card_apdus(bench_card(station->bench, 0));
        station_stop(station);
        return 0;
}

static struct run make(const struct spoiled *spoiled)
{
        struct run run = { .line = line_create(1, 1), .spoiled = spoiled };
        struct settings *settings = &run.line->station.settings;

        if (spoiled)
                settings->bench.misfortune = spoiled->misfortune;
        settings->bench.boards = 1;
        line_order(run.line, "A", 1, "retries: 0\nerase: never\n");
        if (line_run(run.line, LOOP_TIME_VIRTUAL, 1, watch, &run) < 0)
                fail_msg("the station did not run");
        return run;
}

static void no_refusal_of_preflight_costs_an_apdu(void **state)
{
        (void)state;
        for (size_t i = 0; i < LENGTH_OF(table); i++) {
                const struct spoiled *spoiled = &table[i];
                struct run run = make(spoiled);
                const struct ledger_balance *books = &run.line->balance;

                printf("# %s: %s, %u licenses asked for\n", spoiled->name, run.record.fault,
                       run.licenses);
                if (spoiled->in_step == stop)
                        assert_int_equal(run.line->counts.aborted, 1);
                else if (!run.has_ended || !run.record.fault[0] ||
                         (spoiled->fault[0] && strcmp(run.record.fault, spoiled->fault)) ||
                         !strstr(run.record.sentence, spoiled->words))
                        fail_msg("%s: %s at \"%s\": %s", spoiled->name, run.record.fault,
                                 run.record.step, run.record.sentence);
                assert_int_equal(run.licenses, 0);
                assert_int_equal(books->issued + books->pending + books->lost, 0);
                assert_string_equal(run.record.license_source, "");
                line_destroy(run.line);
        }
}

/* The same watch sees the license of a good unit, so it would have seen the others. */
static void a_good_unit_costs_one(void **state)
{
        struct run run = make(NULL);

        (void)state;
        assert_true(run.has_ended);
        assert_string_equal(run.record.fault, "");
        assert_int_equal(run.licenses, 1);
        assert_int_equal(run.line->balance.installed, 1);
        line_destroy(run.line);
}

/* --- orders -------------------------------------------------------------------------------- */

static unsigned asked;

static int shrink_ram(void *context)
{
        struct line *line = context;

        while (!line->station.bench)
                assert_int_equal(fiber_yield(), 0);
        line->station.exit_when_done =
                false; /* this ends it, once a card has had time to be asked */
        line->station.family.image_ram = 1024;
        if (fiber_sleep_ns(20 * NS_PER_S) < 0)
                return 0;
        asked = simulated_card_apdus(bench_card(line->station.bench, 0));
        station_stop(&line->station);
        return 0;
}

static void an_image_without_room_is_rejected_with_its_order(void **state)
{
        struct line *line = line_create(1, 1);

        (void)state;
        line_order(line, "A", 1, "");
        asked = 99;
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 1, shrink_ram, line), 0);
        assert_int_equal(asked, 0);
        assert_int_equal(line->counts.attempts, 0);
        assert_non_null(line_find(line, "orders/err/A.yaml.err"));
        line_destroy(line);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_good_unit_costs_one),
                cmocka_unit_test(no_refusal_of_preflight_costs_an_apdu),
                cmocka_unit_test(an_image_without_room_is_rejected_with_its_order),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
