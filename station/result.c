/*
 * result.c - the summary of a lot, from the records and the ledger alone.
 */
#include "station/result.h"

#include "scheduler/loop.h"
#include "station/station.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double ratio(uint32_t part, uint32_t whole)
{
        return whole ? (double)part / whole : 0;
}

static json_t *counts_json(const struct lot_counts *counts)
{
        return json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "entered", counts->entered, "good",
                         counts->good, "bad", counts->bad, "retried", counts->retried, "attempts",
                         counts->attempts, "errors", counts->errors, "aborted", counts->aborted,
                         "not_provable", counts->not_provable);
}

static json_t *yields_json(const struct lot_counts *counts)
{
        return json_pack("{s:f,s:f,s:f}", "first_pass_yield",
                         ratio(counts->first_pass, counts->entered), "final_yield",
                         ratio(counts->good, counts->entered), "retest_rate",
                         ratio(counts->retried, counts->entered));
}

static json_t *licenses_json(const struct ledger_balance *balance, uint32_t good, const char *lost)
{
        json_t *names = json_array();
        char *text = strdup(lost), *rest = NULL;

        INSIST(names && text);
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                json_array_append_new(names, json_string(line));
        free(text);
        return json_pack("{s:i,s:i,s:i,s:i,s:f,s:o}", "issued", balance->issued, "installed",
                         balance->installed, "in_hand", balance->in_hand, "lost", balance->lost,
                         "per_good_unit", ratio(balance->issued, good), "lost_licenses", names);
}

int result_texts(struct station *station, const struct lot *lot, char **ret_json, char **ret_csv)
{
        const struct order *order = &lot->order;
        struct ledger_balance balance;
        char started[25], ended[25], digest[65];
        char *lost = NULL;
        json_t *root;
        int r;

        r = ledger_balance(station->ledger, order->id, NULL, &balance);
        if (r == 0)
                r = ledger_lost_text(station->ledger, order->id, &lost);
        if (r == 0)
                r = records_csv(station->records, order->id, ret_csv);
        if (r < 0) {
                free(lost);
                return r;
        }
        root = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:s,s:o,s:o,s:o}", "order", order->id,
                         "station", station->settings.station, "part", order->part, "family",
                         order->family, "image_sha256",
                         hex_encode(order->image_digest, sizeof(order->image_digest), digest),
                         "quantity", order->quantity, "state", lot->is_stopped ? "stopped" : "done",
                         "started", clock_iso8601(lot->counts.started_us, started), "ended",
                         clock_iso8601(lot->counts.ended_us, ended), "units",
                         counts_json(&lot->counts), "yields", yields_json(&lot->counts), "licenses",
                         licenses_json(&balance, lot->counts.good, lost));
        free(lost);
        INSIST(root);
        *ret_json = json_dumps(root, JSON_INDENT(2));
        json_decref(root);
        INSIST(*ret_json);
        return 0;
}
