/*
 * gangway licenses [list]: issued = installed + in hand + lost, by card and by lot, from the
 * station's own database.
 */
#include "station/commands/command.h"

#include "scheduler/loop.h"
#include "station/commands/answer.h"
#include "station/commands/licenses_tally.h"
#include "station/commands/options.h"
#include "station/commands/screen.h"
#include "station/receipt.h"

#include <string.h>

struct request {
        const char *station_file, *lot, *card;
        bool is_json;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "station", .text = &request->station_file },
                { "lot", .text = &request->lot },
                { "card", .text = &request->card },
                { "json", .flag = &request->is_json },
                { .instead = "lots and cards are given with --lot and --card" },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

/* When the card will be empty at its pace, from now; "" when nobody can say. */
static const char *dry_time(const struct tally_card *card, char text[static 25])
{
        double pace = tally_pace(card), hours = pace > 0 ? card->left / pace : 0;

        text[0] = '\0';
        if (pace <= 0 || hours > 24.0 * 365 * 10)
                return text;
        return clock_iso8601(clock_calendar_us() + (uint64_t)(hours * 3600e6), text);
}

/* --- for people ---------------------------------------------------------------------------- */

static const struct table_column card_columns[] = {
        { "card", false, 20, false },      { "type", false, 3, false },
        { "firmware id", false, 6, true }, { "left", true, 12, false },
        { "of", true, 5, false },          { "issued", true, 11, false },
        { "installed", true, 10, false },  { "in hand", true, 9, false },
        { "lost", true, 8, false },        { "open", true, 2, false },
        { "an hour", true, 4, false },     { "dry (UTC)", false, 7, false },
};

static void print_cards(const struct screen *screen, const struct tally *tally)
{
        struct table *table = table_create(card_columns, LENGTH_OF(card_columns));

        for (size_t i = 0; i < tally->card_count; i++) {
                const struct tally_card *card = &tally->cards[i];
                const struct ledger_balance *balance = &card->balance;
                char dry[25];

                table_row(table);
                table_cell(table, TONE_STRONG, "%s", card->serial);
                table_cell(table, TONE_PLAIN, "%s", card->type);
                table_cell(table, TONE_PLAIN, "%s", card->firmware_id);
                table_cell(table, card->left ? TONE_PLAIN : TONE_ATTENTION, "%u", card->left);
                table_cell(table, TONE_PLAIN, "%u", card->maximum);
                table_cell(table, TONE_PLAIN, "%u", balance->issued);
                table_cell(table, TONE_PLAIN, "%u", balance->installed);
                table_cell(table, TONE_PLAIN, "%u", balance->in_hand);
                table_cell(table, balance->lost ? TONE_BAD : TONE_PLAIN, "%u", balance->lost);
                table_cell(table, TONE_PLAIN, "%u", balance->pending);
                table_cell(table, TONE_PLAIN, "%.0f", tally_pace(card));
                table_cell(table, TONE_PLAIN, "%.16s", dry_time(card, dry));
        }
        if (tally->card_count)
                table_print(table, screen, stdout);
        (void)table_destroy(table);
}

static const struct table_column lot_columns[] = {
        { "lot", false, 20, true },           { "firmware id", false, 2, false },
        { "good", true, 12, false },          { "issued", true, 11, false },
        { "installed", true, 10, false },     { "in hand", true, 9, false },
        { "lost", true, 8, false },           { "open", true, 4, false },
        { "cancelled", true, 3, false },      { "global", true, 5, false },
        { "per good unit", true, 13, false },
};

static void print_lots(const struct screen *screen, const struct tally *tally)
{
        struct table *table = table_create(lot_columns, LENGTH_OF(lot_columns));

        for (size_t i = 0; i < tally->lot_count; i++) {
                const struct tally_lot *lot = &tally->lots[i];
                const struct ledger_balance *balance = &lot->balance;
                char ratio[16];

                receipt_ratio(balance->issued, lot->good, ratio);
                table_row(table);
                table_cell(table, TONE_STRONG, "%s", lot->order[0] ? lot->order : "(none)");
                table_cell(table, TONE_PLAIN, "%s", lot->firmware_id);
                table_cell(table, TONE_PLAIN, "%u", lot->good);
                table_cell(table, TONE_PLAIN, "%u", balance->issued);
                table_cell(table, TONE_PLAIN, "%u", balance->installed);
                table_cell(table, TONE_PLAIN, "%u", balance->in_hand);
                table_cell(table, balance->lost ? TONE_BAD : TONE_PLAIN, "%u", balance->lost);
                table_cell(table, TONE_PLAIN, "%u", balance->pending);
                table_cell(table, TONE_PLAIN, "%u", lot->cancelled);
                table_cell(table, TONE_PLAIN, "%u", lot->globals);
                table_cell(table, TONE_PLAIN, "%s", ratio[0] ? ratio : "-");
        }
        if (tally->lot_count)
                table_print(table, screen, stdout);
        (void)table_destroy(table);
}

static void print_lost(const struct tally *tally)
{
        for (const char *at = tally->lost, *stop; *at; at = stop + 1) {
                stop = strchr(at, '\n');
                printf("lost: %.*s\n", (int)(stop - at), at);
        }
}

static void print(const struct tally *tally)
{
        const struct ledger_balance *total = &tally->total;
        struct screen screen;

        screen_init(&screen, stdout);
        print_cards(&screen, tally);
        if (tally->card_count && tally->lot_count)
                printf("\n");
        print_lots(&screen, tally);
        printf("%slicenses: %u issued = %u installed + %u in hand + %u lost; %u open\n",
               tally->card_count || tally->lot_count ? "\n" : "", total->issued, total->installed,
               total->in_hand, total->lost, total->pending);
        printf("from:     %u card, %u server, %u file; %u units with a global one\n",
               tally->sources[LICENSE_FROM_CARD], tally->sources[LICENSE_FROM_SERVER],
               tally->sources[LICENSE_FROM_FILE], tally->sources[LICENSE_GLOBAL]);
        print_lost(tally);
        if (!tally->adds_up)
                printf("THE BOOKS DO NOT ADD UP: a card's counter and its licenses differ\n");
}

/* --- for programs -------------------------------------------------------------------------- */

static json_t *balance_json(const struct ledger_balance *balance)
{
        return json_pack("{s:I,s:I,s:I,s:I,s:I}", "issued", (json_int_t)balance->issued,
                         "installed", (json_int_t)balance->installed, "in_hand",
                         (json_int_t)balance->in_hand, "lost", (json_int_t)balance->lost, "pending",
                         (json_int_t)balance->pending);
}

static json_t *cards_json(const struct tally *tally)
{
        json_t *rows = json_array();

        for (size_t i = 0; i < tally->card_count; i++) {
                const struct tally_card *card = &tally->cards[i];
                char dry[25];

                json_array_append_new(rows,
                                      json_pack("{s:s,s:s,s:s,s:I,s:I,s:f,s:s,s:o}", "serial",
                                                card->serial, "type", card->type, "firmware_id",
                                                card->firmware_id, "left", (json_int_t)card->left,
                                                "maximum", (json_int_t)card->maximum, "per_hour",
                                                tally_pace(card), "dry", dry_time(card, dry),
                                                "licenses", balance_json(&card->balance)));
        }
        return rows;
}

static json_t *lots_json(const struct tally *tally)
{
        json_t *rows = json_array();

        for (size_t i = 0; i < tally->lot_count; i++) {
                const struct tally_lot *lot = &tally->lots[i];
                char ratio[16];

                json_array_append_new(
                        rows,
                        json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:s,s:o}", "lot", lot->order,
                                  "part", lot->part, "firmware_id", lot->firmware_id, "quantity",
                                  (json_int_t)lot->quantity, "good_units", (json_int_t)lot->good,
                                  "global", (json_int_t)lot->globals, "cancelled",
                                  (json_int_t)lot->cancelled, "licenses_per_good_unit",
                                  receipt_ratio(lot->balance.issued, lot->good, ratio), "licenses",
                                  balance_json(&lot->balance)));
        }
        return rows;
}

static json_t *lost_json(const struct tally *tally)
{
        json_t *rows = json_array();

        for (const char *at = tally->lost, *stop; *at; at = stop + 1) {
                stop = strchr(at, '\n');
                json_array_append_new(rows, json_stringn(at, (size_t)(stop - at)));
        }
        return rows;
}

static json_t *tally_json(const char *station, const struct tally *tally)
{
        json_t *sources = json_object();

        for (unsigned i = 0; i < TALLY_SOURCES; i++)
                json_object_set_new(sources, license_source_name((enum license_source)i),
                                    json_integer(tally->sources[i]));
        return json_pack("{s:s,s:b,s:o,s:o,s:o,s:o,s:o}", "station", station, "adds_up",
                         tally->adds_up, "licenses", balance_json(&tally->total), "sources",
                         sources, "cards", cards_json(tally), "lots", lots_json(tally), "lost",
                         lost_json(tally));
}

static int run(int argc, char **argv)
{
        struct books *books CLEANUP(books_release) = NULL;
        struct tally tally CLEANUP(tally_release) = { 0 };
        struct request request = { 0 };
        int code;
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = books_look(request.station_file, &books);
        if (r >= 0)
                r = tally_take(books, request.lot, request.card, &tally);
        if (r < 0)
                return r;
        code = tally.adds_up ? EXIT_OK : EXIT_NO;
        if (request.is_json)
                return answer_json(tally_json(books->settings.station, &tally), code);
        print(&tally);
        return code;
}

const struct command licenses_list_command = {
        .words = "licenses list",
        .summary = "issued = installed + in hand + lost, by card and lot",
        .help = "usage: gangway licenses [list] [--station FILE] [--lot ID] [--card SERIAL]\n"
                "                               [--json]\n"
                "\n"
                "What became of every license, from the station's database, whether gangwayd runs\n"
                "or not: by card (issued is what its counter says, then its pace an hour over\n"
                "its last hour of work, and when it runs dry at that), by lot (licenses per good\n"
                "unit; 1.000 is the aim), by where they are from, and each lost one by name.\n"
                "Changes nothing and needs no key.\n"
                "\n"
                "  --station FILE  the station file (default configs/gangway.conf)\n"
                "  --lot ID        only what was issued for this order\n"
                "  --card SERIAL   only this card\n"
                "  --json          the same for programs\n"
                "\n"
                "Exit 1 when counters and licenses differ.\n"
                "\n"
                "example: gangway licenses --station gangway.conf --lot DEMO-0001\n",
        .run = run,
};
