#include "station/commands/line_view.h"

#include <stdarg.h>
#include <string.h>

#define LINE_MAX_LENGTH 400u

static const struct {
        const char *result, *word;
        enum tone tone;
} results[] = {
        { "pass", "PASS", TONE_GOOD },
        { "fail", "FAIL", TONE_BAD },
        { "error", "ERROR", TONE_ATTENTION },
        { "aborted", "ABORTED", TONE_ATTENTION },
        { "not provable", "NOT PROVABLE", TONE_ATTENTION },
};

const char *line_view_word(const char *result)
{
        for (size_t i = 0; i < LENGTH_OF(results); i++)
                if (strcmp(result, results[i].result) == 0)
                        return results[i].word;
        return result; /* of a later station: as it says */
}

enum tone line_view_tone(const char *result)
{
        for (size_t i = 0; i < LENGTH_OF(results); i++)
                if (strcmp(result, results[i].result) == 0)
                        return results[i].tone;
        return TONE_PLAIN;
}

bool line_view_adds_up(const struct snapshot_lot *lot)
{
        return (uint64_t)lot->licenses_issued ==
               (uint64_t)lot->licenses_installed + lot->licenses_in_hand + lot->licenses_lost;
}

static uint32_t to_go(const struct snapshot_lot *lot)
{
        return lot->quantity > lot->good ? lot->quantity - lot->good : 0;
}

static void balance_text(const struct snapshot_lot *lot, char *text, size_t capacity)
{
        snprintf(text, capacity, "licenses: %u issued = %u installed + %u in hand + %u lost",
                 lot->licenses_issued, lot->licenses_installed, lot->licenses_in_hand,
                 lot->licenses_lost);
}

void line_view_progress(const struct snapshot *snapshot, char *text, size_t capacity)
{
        const struct snapshot_lot *lot = &snapshot->lot;
        char licenses[160];

        if (!lot->order[0]) {
                snprintf(text, capacity, "no order, %u waiting", snapshot->orders_waiting);
                return;
        }
        balance_text(lot, licenses, sizeof(licenses));
        snprintf(text, capacity,
                 "%s %s: %u good, %u bad, %u errors, %u in work, %u to go of %u; %u units/h; %s",
                 lot->order, lot->state, lot->good, lot->bad, lot->errors, lot->in_work, to_go(lot),
                 lot->quantity, lot->units_per_hour, licenses);
}

static void put_line(const struct screen *screen, FILE *to, enum tone tone, const char *format, ...)
        PRINTF_LIKE(4, 5);
static void put_line(const struct screen *screen, FILE *to, enum tone tone, const char *format, ...)
{
        char text[LINE_MAX_LENGTH];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments); /* cut is fine */
        va_end(arguments);
        screen_put(screen, to, tone, text);
        fputc('\n', to);
}

/* --- the lot ------------------------------------------------------------------------------- */

static void print_lot(const struct screen *screen, FILE *to, const struct snapshot *snapshot)
{
        const struct snapshot_lot *lot = &snapshot->lot;
        char licenses[160];

        put_line(screen, to, TONE_STRONG, "station %s%s%s", snapshot->station,
                 snapshot->is_simulated ? ", simulated hardware" : "",
                 snapshot->is_stopping ? ", stopping" : "");
        if (!lot->order[0]) {
                put_line(screen, to, TONE_PLAIN, "no order; %u waiting", snapshot->orders_waiting);
                return;
        }
        put_line(screen, to, TONE_PLAIN, "order %s %s: %u of %s, image %s; %u orders waiting",
                 lot->order, lot->state, lot->quantity, lot->part, lot->image,
                 snapshot->orders_waiting);
        put_line(screen, to, TONE_STRONG, "%u good, %u bad, %u errors, %u in work, %u to go",
                 lot->good, lot->bad, lot->errors, lot->in_work, to_go(lot));
        put_line(screen, to, TONE_PLAIN,
                 "first pass yield %u.%u %%, final yield %u.%u %%, %u units/h, %u without waits",
                 lot->first_pass_yield / 10, lot->first_pass_yield % 10, lot->final_yield / 10,
                 lot->final_yield % 10, lot->units_per_hour, lot->units_per_hour_busy);
        balance_text(lot, licenses, sizeof(licenses));
        put_line(screen, to, TONE_PLAIN, "%s", licenses);
}

/* --- tables -------------------------------------------------------------------------------- */

static enum tone state_tone(const struct snapshot_site *site)
{
        if (site->needs_person)
                return TONE_ACTION;
        return strcmp(site->state, "busy") == 0 ? TONE_ATTENTION : line_view_tone(site->state);
}

static void add_site(struct table *table, const struct snapshot_site *site)
{
        table_row(table);
        table_cell(table, TONE_STRONG, "%s", site->name);
        table_cell(table, state_tone(site), "%s%s", site->state,
                   site->needs_person ? " (clear it)" : "");
        if (site->step[0] && site->progress)
                table_cell(table, TONE_PLAIN, "%s %u %%", site->step, site->progress / 10);
        else
                table_cell(table, TONE_PLAIN, "%s", site->step);
        table_cell(table, TONE_PLAIN, "%u.%u", site->elapsed_ms / 1000,
                   site->elapsed_ms / 100 % 10);
        table_cell(table, line_view_tone(site->result), "%s%s%s", line_view_word(site->result),
                   site->fault[0] ? " " : "", site->fault);
        table_cell(table, TONE_PLAIN, "%u", site->passed);
        table_cell(table, TONE_PLAIN, "%u", site->failed);
        table_cell(table, TONE_PLAIN, "%u", site->errors);
        table_cell(table, TONE_PLAIN, "%s", site->unit);
        table_cell(table, TONE_PLAIN, "%s", site->sentence);
}

static void print_sites(const struct screen *screen, FILE *to, const struct snapshot *snapshot,
                        unsigned rows)
{
        static const struct table_column columns[] = {
                { "site", true, UINT32_MAX, false },
                { "state", false, 9, false },
                { "step", false, UINT32_MAX, true },
                { "s", true, 4, false },
                { "last", false, UINT32_MAX, false },
                { "good", true, 8, false },
                { "bad", true, 7, false },
                { "err", true, 6, false },
                { "unit", false, 3, false },
                { "why", false, 2, false },
        };
        struct table *table = table_create(columns, LENGTH_OF(columns));
        unsigned shown = snapshot->site_count < rows ? snapshot->site_count : rows;

        for (unsigned i = 0; i < shown; i++)
                add_site(table, &snapshot->sites[i]);
        fputc('\n', to);
        table_print(table, screen, to);
        if (shown < snapshot->site_count)
                put_line(screen, to, TONE_PLAIN, "and %u more sites", snapshot->site_count - shown);
        (void)table_destroy(table);
}

static void print_cards(const struct screen *screen, FILE *to, const struct snapshot *snapshot)
{
        static const struct table_column columns[] = {
                { "card", false, UINT32_MAX, false },
                { "state", false, 9, false },
                { "firmware", false, 7, true },
                { "left", true, 8, false },
                { "of", true, 5, false },
                { "queue", true, 6, false },
                { "reader", false, 1, true },
        };
        struct table *table = table_create(columns, LENGTH_OF(columns));

        for (unsigned i = 0; i < snapshot->card_count; i++) {
                const struct snapshot_card *card = &snapshot->cards[i];
                bool is_fine =
                        strcmp(card->state, "ready") == 0 || strcmp(card->state, "busy") == 0;

                table_row(table);
                table_cell(table, TONE_STRONG, "%s", card->serial[0] ? card->serial : "-");
                table_cell(table, is_fine ? TONE_GOOD : TONE_BAD, "%s", card->state);
                table_cell(table, TONE_PLAIN, "%s", card->firmware_id);
                table_cell(table, TONE_PLAIN, "%u", card->left);
                table_cell(table, TONE_PLAIN, "%u", card->maximum);
                table_cell(table, TONE_PLAIN, "%u", card->queue);
                table_cell(table, TONE_PLAIN, "%s", card->reader);
        }
        fputc('\n', to);
        table_print(table, screen, to);
        (void)table_destroy(table);
}

void line_view_print(const struct screen *screen, FILE *to, const struct snapshot *snapshot,
                     unsigned rows)
{
        print_lot(screen, to, snapshot);
        if (snapshot->site_count)
                print_sites(screen, to, snapshot, rows);
        if (snapshot->card_count)
                print_cards(screen, to, snapshot);
        for (unsigned i = 0; i < snapshot->alarm_count; i++)
                put_line(screen, to, TONE_BAD, "alarm: %s", snapshot->alarms[i]);
}

/* --- the end of a lot ---------------------------------------------------------------------- */

static void yield_row(struct table *table, const char *name, uint32_t part, uint32_t whole)
{
        table_row(table);
        table_cell(table, TONE_PLAIN, "%s", name);
        table_cell(table, TONE_PLAIN, "%u", part);
        if (whole)
                table_cell(table, TONE_PLAIN, "%.1f %%", 100.0 * part / whole);
}

static void yield_figure(struct table *table, const char *name, uint32_t tenths)
{
        table_row(table);
        table_cell(table, TONE_PLAIN, "%s", name);
        table_cell(table, TONE_PLAIN, "%s", "");
        table_cell(table, TONE_STRONG, "%u.%u %%", tenths / 10, tenths % 10);
}

static void license_row(struct table *table, const char *name, uint32_t count)
{
        table_row(table);
        table_cell(table, TONE_PLAIN, "%s", name);
        table_cell(table, TONE_PLAIN, "%u", count);
}

void line_view_yield(const struct screen *screen, FILE *to, const struct snapshot *snapshot)
{
        static const struct table_column units[] = { { "units", false, UINT32_MAX, false },
                                                     { "count", true, UINT32_MAX, false },
                                                     { "of entered", true, UINT32_MAX, false } };
        static const struct table_column licenses[] = { { "licenses", false, UINT32_MAX, false },
                                                        { "count", true, UINT32_MAX, false } };
        const struct snapshot_lot *lot = &snapshot->lot;
        struct table *table = table_create(units, LENGTH_OF(units));

        put_line(screen, to, TONE_STRONG, "order %s: %s, %u of %u good", lot->order, lot->state,
                 lot->good, lot->quantity);
        yield_row(table, "entered", lot->entered, 0);
        yield_row(table, "good", lot->good, lot->entered);
        yield_row(table, "bad", lot->bad, lot->entered);
        yield_row(table, "retried", lot->retried, lot->entered);
        yield_figure(table, "first pass yield", lot->first_pass_yield);
        yield_figure(table, "final yield", lot->final_yield);
        table_print(table, screen, to);
        (void)table_destroy(table);
        put_line(screen, to, TONE_PLAIN, "attempts that ended in errors: %u", lot->errors);
        put_line(screen, to, TONE_PLAIN, "units per hour: %u, %u without waits",
                 lot->units_per_hour, lot->units_per_hour_busy);
        table = table_create(licenses, LENGTH_OF(licenses));
        license_row(table, "issued", lot->licenses_issued);
        license_row(table, "= installed", lot->licenses_installed);
        license_row(table, "+ in hand", lot->licenses_in_hand);
        license_row(table, "+ lost", lot->licenses_lost);
        table_print(table, screen, to);
        (void)table_destroy(table);
        if (line_view_adds_up(lot))
                put_line(screen, to, TONE_GOOD, "the license balance adds up");
        else
                put_line(screen, to, TONE_BAD, "THE LICENSE BALANCE DOES NOT ADD UP");
}
