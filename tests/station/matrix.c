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

#include <stdio.h>
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

/* --- one cell ------------------------------------------------------------------------------ */

struct cell {
        struct line *line;
        void (*spoil)(struct simulated_part *part,
                      const struct family *family); /* before its lot */
        const char *step;                           /* what befalls it, befalls it here */
        void (*befall)(struct station *station);

        bool was_hit; /* the step was seen */
        bool has_ended;
        struct record record; /* of the last attempt */
        char state[16];       /* of the part, in the end */
};

static uint8_t image_begins_with[16];

static bool is_factory(const struct family *family, const uint32_t *options)
{
        for (size_t i = 0; i < family->option_count; i++)
                if ((options[i] ^ family->options[i].factory) & family->options[i].mask)
                        return false;
        return true;
}

/* virgin, secured or prepared (ours, without firmware), partly, provisioning, installed. */
static const char *state_of(struct simulated_part *part, const struct family *family)
{
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
        if (is_factory(family, options) || family_is_trustzone_on(family, options))
                return "partly";
        return memcmp(flash, image_begins_with, sizeof(image_begins_with)) == 0 ? "installed"
                                                                                : "used";
}

static bool is_over(const struct station *station)
{
        const struct site *site = &station->sites[0];

        return site->has_result && site->state != SITE_BUSY;
}

static int watch(void *context)
{
        struct cell *cell = context;
        struct station *station = &cell->line->station;

        while (!station->bench || !station->sites)
                if (fiber_yield() < 0)
                        return 0;
        if (cell->spoil) {
                while (station->sites[0].state != SITE_READY)
                        if (fiber_sleep_ns(NS_PER_MS) < 0)
                                return 0;
                cell->spoil(bench_part(station->bench, 0), &station->family);
        }
        if (cell->step && line_wait_step(cell->line, 0, cell->step)) {
                cell->was_hit = true;
                cell->befall(station);
        }
        while (station->sites && !is_over(station))
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
        cell->record = station->sites[0].install.record;
        /* a part that is alone now goes on with what it has begun */
        if (fiber_sleep_ns(10 * NS_PER_S) < 0)
                return 0;
        part_advance(bench_part(station->bench, 0), clock_now_ns());
        snprintf(cell->state, sizeof(cell->state), "%s",
                 state_of(bench_part(station->bench, 0), &station->family));
        cell->has_ended = true;
        station_stop(station);
        return 0;
}
