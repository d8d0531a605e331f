#include "station/commands/receipt_view.h"

void receipt_view_print(FILE *out, const char *name, const struct receipt_facts *facts)
{
        const struct ledger_balance *balance = &facts->balance;
        char ratio[16];

        fprintf(out, "%s: station %s, lot %s, %u x %s with %s\n", name, facts->station, facts->lot,
                facts->quantity, facts->part, facts->firmware_id);
        fprintf(out, "period:   %s to %s\n", facts->opened,
                facts->closed[0] ? facts->closed : "now, the lot is not done");
        fprintf(out, "licenses: %u issued = %u installed + %u in hand + %u lost", balance->issued,
                balance->installed, balance->in_hand, balance->lost);
        fprintf(out, "; %u open, %u cancelled\n", balance->pending, facts->cancelled);
        fprintf(out, "besides:  %u from stock, %u global\n", facts->stock, facts->globals);
        receipt_ratio(balance->issued, facts->good, ratio);
        fprintf(out, "units:    %u good, %s licenses per good unit\n", facts->good,
                ratio[0] ? ratio : "no");
}

json_t *receipt_view_json(const struct receipt_facts *facts)
{
        const struct ledger_balance *balance = &facts->balance;
        char ratio[16], fingerprint[SIGN_FINGERPRINT_MAX];

        sign_fingerprint(&facts->key, fingerprint);
        return json_pack("{s:b,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,"
                         "s:s,s:s}",
                         "verified", 1, "station", facts->station, "lot", facts->lot, "part",
                         facts->part, "firmware_id", facts->firmware_id, "opened", facts->opened,
                         "closed", facts->closed, "records", (json_int_t)facts->records, "quantity",
                         (json_int_t)facts->quantity, "issued", (json_int_t)balance->issued,
                         "installed", (json_int_t)balance->installed, "in_hand",
                         (json_int_t)balance->in_hand, "lost", (json_int_t)balance->lost, "pending",
                         (json_int_t)balance->pending, "cancelled", (json_int_t)facts->cancelled,
                         "stock", (json_int_t)facts->stock, "global", (json_int_t)facts->globals,
                         "good_units", (json_int_t)facts->good, "licenses_per_good_unit",
                         receipt_ratio(balance->issued, facts->good, ratio), "key", fingerprint);
}
