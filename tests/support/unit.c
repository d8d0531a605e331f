/*
 * A fiber beside the station spoils the part while it waits for its lot, lets things befall it, and
 * looks at it ten seconds after all is over: a part that is alone goes on with what it has begun.
 */
#include "tests/support/unit.h"

#include "drivers/family_fields.h"
#include "scheduler/bytes.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static bool is_factory(const struct family *family, const uint32_t *options)
{
        for (size_t i = 0; i < family->option_count; i++)
                if ((options[i] ^ family->options[i].factory) & family->options[i].mask)
                        return false;
        return true;
}

static const char *state_of(struct simulated_part *part, const struct line *line)
{
        const struct family *family = &line->family;
        const uint32_t *options = part_options(part);
        const uint8_t *flash = part_flash(part, UNIT_FIRMWARE);
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

/* Some of eight bytes: enciphered, one alone may be 0xFF. */
static bool holds_outside(const struct simulated_part *part, uint32_t address)
{
        bool is_blank = true;

        for (unsigned i = 0; i < 8; i++)
                is_blank = is_blank && part_external_byte(part, address + i) == 0xFF;
        return !is_blank;
}

static bool is_there(const struct unit *unit)
{
        struct station *station = &unit->line->station;
        const struct point *point = unit->point;
        struct simulated_part *part = bench_part(station->bench, 0);
        uint32_t state = 0;
        uint8_t word[4] = { 0 };

        part_advance(part, clock_now_ns());
        if (point->when == IN_AREAS)
                return *part_flash(part, UNIT_FIRMWARE) != 0xFF;
        if (point->when == OUTSIDE || point->when == OUTSIDE_ERASED)
                return holds_outside(part, unit->outside) == (point->when == OUTSIDE);
        if (part_read(part, clock_now_ns(), station->family.access_port,
                      station->rss.mailbox + 0x20, word, sizeof(word)) == PART_OK)
                state = load_le32(word);
        return state == RSS_STATE_SHOWN;
}

/* False when the unit's work was over before. */
static bool reach(struct unit *unit)
{
        struct station *station = &unit->line->station;

        if (!line_wait_step(unit->line, 0, unit->point->step))
                return false;
        while (unit->point->when != AT_ONCE && !is_there(unit))
                if (is_over(station) || fiber_sleep_ns(50 * NS_PER_US) < 0)
                        return false;
        return true;
}

static int watch(void *context)
{
        struct unit *unit = context;
        struct station *station = &unit->line->station;

        while (!station->bench || !station->sites)
                if (fiber_yield() < 0)
                        return 0;
        station->exit_when_done = false; /* the part is looked at when all is over */
        station->sites[0].fixture = &nobody;
        if (unit->spoil) {
                while (station->sites[0].state != SITE_READY)
                        if (fiber_sleep_ns(NS_PER_MS) < 0)
                                return 0;
                unit->spoil(bench_part(station->bench, 0), &station->family);
        }
        if (unit->point && reach(unit)) {
                unit->was_hit = true;
                unit->befall(station);
        }
        while (station->sites && !is_over(station))
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
        /* a part that is alone now goes on with what it has begun */
        if (fiber_sleep_ns(10 * NS_PER_S) < 0)
                return 0;
        unit->record = station->sites[0].install.record;
        part_advance(bench_part(station->bench, 0), clock_now_ns());
        snprintf(unit->state, sizeof(unit->state), "%s",
                 state_of(bench_part(station->bench, 0), unit->line));
        if (unit->look)
                unit->look(bench_part(station->bench, 0));
        unit->has_ended = true;
        station_stop(station);
        return 0;
}

/* --- what befalls -------------------------------------------------------------------------- */

void unit_power_away(struct station *station)
{
        part_power(bench_part(station->bench, 0), clock_now_ns(), false);
}

void unit_power_dips(struct station *station)
{
        struct simulated_part *part = bench_part(station->bench, 0);

        part_power(part, clock_now_ns(), false);
        if (fiber_sleep_ns(100 * NS_PER_MS) == 0)
                part_power(part, clock_now_ns(), true);
}

void unit_cable_out(struct station *station)
{
        bench_unplug(station->bench, 0);
}

void unit_run(struct unit *unit, const char *more)
{
        line_order(unit->line, "A", 1, more);
        assert_int_equal(line_run(unit->line, LOOP_TIME_VIRTUAL, 1, watch, unit), 0);
}
