#include "station/commands/line_view.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_LENGTH 400u

/* Cards that are explained below their table. */
#define WHYS_MAX 4u

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

/* "1.010 licenses per good unit (target 1.000), SFI from card" */
static void ratio_text(const struct snapshot_lot *lot, char *text, size_t capacity)
{
        char ratio[24] = "-";

        if (!lot->licenses_per_unit) {
                snprintf(text, capacity, "%s licenses: counted by nobody", lot->license_source);
                return;
        }
        if (lot->licenses_per_good)
                snprintf(ratio, sizeof(ratio), "%u.%03u", lot->licenses_per_good / 1000,
                         lot->licenses_per_good % 1000);
        snprintf(text, capacity, "%s licenses per good unit (target %u.000), %s%sfrom %s", ratio,
                 lot->licenses_per_unit, lot->license_type, lot->license_type[0] ? " " : "",
                 lot->license_source);
}

static uint32_t missing(const struct snapshot_need *need)
{
        return need->wanted > need->left ? need->wanted - need->left : 0;
}

/* "; SFI BLINKY_1 short by 24" for each that is, appended. */
static void append_missing(const struct snapshot *snapshot, char *text, size_t capacity)
{
        for (unsigned i = 0; i < snapshot->need_count; i++) {
                const struct snapshot_need *need = &snapshot->needs[i];
                size_t length = strlen(text);

                if (missing(need))
                        snprintf(text + length, capacity - length, "; %s %s short by %u",
                                 need->type, need->firmware_id, missing(need));
        }
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
        append_missing(snapshot, text, capacity);
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

static void print_needs(const struct screen *screen, FILE *to, const struct snapshot *snapshot)
{
        for (unsigned i = 0; i < snapshot->need_count; i++) {
                const struct snapshot_need *need = &snapshot->needs[i];
                char short_by[32] = "";

                if (missing(need))
                        snprintf(short_by, sizeof(short_by), ": SHORT BY %u", missing(need));
                put_line(screen, to, missing(need) ? TONE_ATTENTION : TONE_PLAIN,
                         "%s%s%s: %u to go, %u left%s", need->type, need->type[0] ? " " : "",
                         need->firmware_id, need->wanted, need->left, short_by);
        }
}

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
        put_line(screen, to, lot->licenses_lost ? TONE_ATTENTION : TONE_PLAIN, "%s", licenses);
        ratio_text(lot, licenses, sizeof(licenses));
        put_line(screen, to, TONE_PLAIN, "%s, %u asked for", licenses, lot->licenses_pending);
        print_needs(screen, to, snapshot);
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

static bool card_serves(const struct snapshot_card *card)
{
        return strcmp(card->state, "ready") == 0 || strcmp(card->state, "busy") == 0;
}

static enum tone card_tone(const struct snapshot_card *card)
{
        if (card_serves(card))
                return TONE_GOOD;
        return strcmp(card->state, "slow") == 0 || strcmp(card->state, "absent") == 0
                       ? TONE_ATTENTION
                       : TONE_BAD;
}

/* "16:40, 31 min"; further away "in 4 days"; "-" not known. */
static void dry_text(const struct snapshot_card *card, uint64_t now_ms, char *text, size_t capacity)
{
        uint64_t minutes = card->dry_ms > now_ms ? (card->dry_ms - now_ms) / 60000 : 0;
        time_t at = (time_t)(card->dry_ms / 1000);
        struct tm local;

        if (!card_serves(card) || !card->per_hour || !card->dry_ms)
                snprintf(text, capacity, "-");
        else if (!minutes)
                snprintf(text, capacity, "now");
        else if (minutes >= 2 * 24 * 60 || !localtime_r(&at, &local))
                snprintf(text, capacity, "in %llu days", (unsigned long long)minutes / (24 * 60));
        else if (minutes < 100)
                snprintf(text, capacity, "%02d:%02d, %u min", local.tm_hour, local.tm_min,
                         (unsigned)minutes);
        else
                snprintf(text, capacity, "%02d:%02d, %u h", local.tm_hour, local.tm_min,
                         (unsigned)(minutes / 60));
}

static void add_card(struct table *table, const struct snapshot_card *card, uint64_t now_ms)
{
        char pace[16] = "-", dry[40];

        if (card->per_hour)
                snprintf(pace, sizeof(pace), "%u", card->per_hour);
        dry_text(card, now_ms, dry, sizeof(dry));
        table_row(table);
        table_cell(table, TONE_STRONG, "%s", card->serial[0] ? card->serial : "-");
        table_cell(table, card_tone(card), "%s", card->state);
        table_cell(table, TONE_PLAIN, "%s%s%s", card->type, card->type[0] ? " " : "",
                   card->firmware_id);
        table_cell(table, TONE_PLAIN, "%u", card->left);
        table_cell(table, TONE_PLAIN, "%u", card->maximum);
        table_cell(table, TONE_PLAIN, "%s", pace);
        table_cell(table, TONE_PLAIN, "%s", dry);
        table_cell(table, card->lost ? TONE_BAD : TONE_PLAIN, "%u", card->lost);
        table_cell(table, TONE_PLAIN, "%u = %u + %u + %u", card->issued, card->installed,
                   card->in_hand, card->lost);
        table_cell(table, TONE_PLAIN, "%u", card->queue);
        table_cell(table, TONE_PLAIN, "%s", card->reader);
}

/* Why cards do not serve, of the first few: an empty reader needs no words. */
static bool has_why(const struct snapshot_card *card)
{
        return !card_serves(card) && card->serial[0] && card->sentence[0];
}

static unsigned count_whys(const struct snapshot *snapshot)
{
        unsigned count = 0;

        for (unsigned i = 0; i < snapshot->card_count; i++)
                count += has_why(&snapshot->cards[i]);
        return count < WHYS_MAX ? count : WHYS_MAX;
}

static void print_whys(const struct screen *screen, FILE *to, const struct snapshot *snapshot)
{
        unsigned left = count_whys(snapshot);

        for (unsigned i = 0; i < snapshot->card_count && left; i++) {
                const struct snapshot_card *card = &snapshot->cards[i];

                if (!has_why(card))
                        continue;
                put_line(screen, to, card_tone(card), "card %s is %s: %s", card->serial,
                         card->state, card->sentence);
                left--;
        }
}

static void print_cards(const struct screen *screen, FILE *to, const struct snapshot *snapshot,
                        unsigned rows)
{
        static const struct table_column columns[] = {
                { "card", false, UINT32_MAX, false },
                { "state", false, 19, false },
                { "for", false, 16, true },
                { "left", true, 18, false },
                { "of", true, 12, false },
                { "/hour", true, 15, false },
                { "dry at", false, 17, false },
                { "lost", true, 13, false },
                { "issued = installed + in hand + lost", false, 6, false },
                { "queue", true, 4, false },
                { "reader", false, 1, true },
        };
        struct table *table = table_create(columns, LENGTH_OF(columns));
        unsigned shown = snapshot->card_count < rows ? snapshot->card_count : rows;

        for (unsigned i = 0; i < shown; i++)
                add_card(table, &snapshot->cards[i], snapshot->now_ms);
        fputc('\n', to);
        table_print(table, screen, to);
        if (shown < snapshot->card_count)
                put_line(screen, to, TONE_PLAIN, "and %u more cards", snapshot->card_count - shown);
        (void)table_destroy(table);
        print_whys(screen, to, snapshot);
}

/* Lines besides the rows of sites and cards. */
static unsigned other_lines(const struct snapshot *snapshot)
{
        unsigned lines = snapshot->lot.order[0] ? 6 + snapshot->need_count : 2;

        if (snapshot->site_count)
                lines += 3; /* a gap, the title, "and more" */
        if (snapshot->card_count)
                lines += 3;
        return lines + snapshot->alarm_count + count_whys(snapshot);
}

/* Where there is little room, cards get a third of it or what the sites leave. */
static unsigned card_rows(const struct snapshot *snapshot, unsigned rows)
{
        unsigned third = rows / 3 ? rows / 3 : 1;
        unsigned rest = rows > snapshot->site_count ? rows - snapshot->site_count : 0;
        unsigned most = rest > third ? rest : third;

        return snapshot->card_count < most ? snapshot->card_count : most;
}

void line_view_print(const struct screen *screen, FILE *to, const struct snapshot *snapshot,
                     unsigned height)
{
        unsigned other = other_lines(snapshot), rows = height > other + 2 ? height - other : 2;
        unsigned cards = card_rows(snapshot, rows);

        print_lot(screen, to, snapshot);
        if (snapshot->site_count)
                print_sites(screen, to, snapshot, rows - cards);
        if (snapshot->card_count)
                print_cards(screen, to, snapshot, cards);
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
        char ratio[160];

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
        ratio_text(lot, ratio, sizeof(ratio));
        put_line(screen, to, TONE_PLAIN, "%s", ratio);
        if (line_view_adds_up(lot))
                put_line(screen, to, TONE_GOOD, "the license balance adds up");
        else
                put_line(screen, to, TONE_BAD, "THE LICENSE BALANCE DOES NOT ADD UP");
}
