/*
 * record_csv.c - one row per attempt for those who open it in a spreadsheet (factory.md, "Drop
 * folder" 8).
 *
 * RFC 4180: CR LF, fields with commas, quotes or line ends in quotes, quotes doubled. A field that
 * a spreadsheet would run as a formula (it starts with = + - @, a tab or a CR) gets an apostrophe
 * in front. Columns of the fixed list we have no data for stay empty: their place is fixed too.
 */
#include "scheduler/loop.h"
#include "station/record_parts.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows read in one transaction, so that a long lot does not hold up the sites. */
#define CSV_SLICE 500

static const char header[] =
        "order,lot,part,revision,process code,station,site,operator,serial,unique id,attempt,start,"
        "end,result,fault,step,sentence,probe,certificate,license in hand,license source\r\n";

struct csv {
        FILE *out;
        const char *order;
        int64_t last_id;
        int in_slice;
};

static void put_text(FILE *out, const char *value, const char *after)
{
        bool is_formula = value[0] && strchr("=+-@\t\r", value[0]);

        if (!is_formula && !strpbrk(value, ",\"\r\n")) {
                fprintf(out, "%s%s", value, after);
                return;
        }
        fprintf(out, "\"%s", is_formula ? "'" : "");
        for (const char *c = value; *c; c++) {
                if (*c == '"')
                        fputc('"', out);
                fputc(*c, out);
        }
        fprintf(out, "\"%s", after);
}

static void put_time(FILE *out, int64_t time_us)
{
        char text[25];

        fprintf(out, "%s,", clock_iso8601((uint64_t)time_us, text));
}

/* Columns: id, order, part, station, site, operator, unit, attempt, started, ended, result, fault,
 * step, sentence, probe, certificate, license in hand, license source. */
static int csv_row(struct sqlite3_stmt *row, void *context)
{
        struct csv *csv = context;
        FILE *out = csv->out;
        const char *text[18];

        for (int i = 0; i < 18; i++) {
                text[i] = (const char *)sqlite3_column_text(row, i);
                text[i] = text[i] ? text[i] : "";
        }
        put_text(out, text[1], ",");
        put_text(out, text[1], ","); /* one lot an order, of the same name */
        put_text(out, text[2], ",,,");
        put_text(out, text[3], ",");
        put_text(out, text[4], ",");
        put_text(out, text[5], ",,");
        put_text(out, text[6], ",");
        fprintf(out, "%s,", text[7]);
        put_time(out, sqlite3_column_int64(row, 8));
        put_time(out, sqlite3_column_int64(row, 9));
        for (int i = 10; i < 16; i++)
                put_text(out, text[i], ",");
        put_text(out, text[16], ",");
        put_text(out, text[17], "\r\n");
        csv->last_id = sqlite3_column_int64(row, 0);
        csv->in_slice++;
        return 0;
}

static int csv_work(struct sqlite3 *database, void *argument)
{
        struct csv *csv = argument;

        csv->in_slice = 0;
        return store_sql(database, csv_row, csv,
                         "SELECT a.id, a.order_id, l.part, c.station, a.site, l.operator, a.unit, "
                         "a.attempt, a.started_us, a.ended_us, a.result, a.fault, a.step, "
                         "a.sentence, a.probe, a.certificate, "
                         "CASE a.license_was_in_hand WHEN 0 THEN 'no' ELSE 'yes' END, "
                         "a.license_source "
                         "FROM attempts a JOIN lots l USING (order_id) "
                         "LEFT JOIN chain c ON c.attempt = a.id "
                         "WHERE a.order_id = ? AND a.result <> '' AND a.id > ? "
                         "ORDER BY a.id LIMIT ?",
                         "tii", csv->order, csv->last_id, (int64_t)CSV_SLICE);
}

int records_csv(struct records *records, const char *order, char **ret_csv)
{
        char *text = NULL;
        size_t length = 0;
        struct csv csv = { .out = open_memstream(&text, &length), .order = order };
        int r;

        INSIST(csv.out);
        fputs(header, csv.out);
        do {
                r = store_transact(records->store, csv_work, &csv);
        } while (r >= 0 && csv.in_slice == CSV_SLICE);
        fclose(csv.out);
        if (r < 0) {
                free(text);
                return r;
        }
        *ret_csv = text;
        return 0;
}
