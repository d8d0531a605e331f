#include "station/commands/nonces_view.h"

#include "scheduler/file.h"
#include "station/commands/screen.h"
#include "station/nonce_export.h"

static const struct table_column columns[] = {
        { "key", false, 4, false },       { "nonce", false, 9, false },
        { "IV policy", false, 2, false }, { "areas", true, 5, false },
        { "sealed", false, 8, false },    { "state", false, 6, false },
        { "image", false, 9, true },      { "SHA-256", false, 1, false },
        { "host", false, 3, false },
};

static bool is_wanted(const struct nonce_use *use, const char *key)
{
        return !key || strcmp(use->key, key) == 0;
}

static const char *state_of(const struct nonce_use *use)
{
        return use->confirmed_s >= 0 ? "written" : "reserved";
}

void nonces_view_print(FILE *out, const struct nonce_list *list, const char *key)
{
        struct table *table = table_create(columns, LENGTH_OF(columns));
        struct screen screen;

        screen_init(&screen, out);
        for (size_t i = 0; i < list->count; i++) {
                const struct nonce_use *use = &list->uses[i];
                char text[NONCE_READ_TEXT], nonce[NONCE_SHORT_TEXT], date[NONCE_DATE_TEXT];

                if (!is_wanted(use, key))
                        continue;
                table_row(table);
                table_cell(table, TONE_PLAIN, "%s", nonce_key_read(use->key, text));
                table_cell(table, TONE_PLAIN, "%s", nonce_short(use->range.nonce, nonce));
                table_cell(table, TONE_PLAIN, "%s", sfi_iv_policy_name(use->range.policy));
                table_cell(table, TONE_PLAIN, "%u", use->range.areas);
                table_cell(table, TONE_PLAIN, "%s", nonce_date(use->reserved_s, date));
                table_cell(table, use->confirmed_s >= 0 ? TONE_PLAIN : TONE_ATTENTION, "%s",
                           state_of(use));
                table_cell(table, TONE_STRONG, "%s", use->name);
                table_cell(table, TONE_PLAIN, "%.16s", use->digest);
                table_cell(table, TONE_PLAIN, "%s", use->host);
        }
        table_print(table, &screen, out);
        (void)table_destroy(table);
}

json_t *nonces_view_json(const struct nonce_list *list, const char *key)
{
        json_t *rows = json_array();

        for (size_t i = 0; i < list->count; i++) {
                const struct nonce_use *use = &list->uses[i];
                char text[NONCE_READ_TEXT], nonce[NONCE_SHORT_TEXT], date[NONCE_DATE_TEXT];

                if (!is_wanted(use, key))
                        continue;
                json_array_append_new(
                        rows, json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s}",
                                        "fingerprint", nonce_key_read(use->key, text), "nonce",
                                        nonce_short(use->range.nonce, nonce), "iv_policy",
                                        sfi_iv_policy_name(use->range.policy), "areas",
                                        (json_int_t)use->range.areas, "sealed",
                                        nonce_date(use->reserved_s, date), "state", state_of(use),
                                        "image", use->name, "sha256", use->digest, "host",
                                        use->host, "ledger", use->origin));
        }
        return rows;
}

static void put_image(FILE *out, const struct nonce_use *use)
{
        char date[NONCE_DATE_TEXT];

        fprintf(out, "%s (%.16s, sealed %s%s%s)", use->name, use->digest,
                nonce_date(use->reserved_s, date), use->host[0] ? " on " : "", use->host);
}

void nonces_view_clashes(FILE *out, const struct nonce_list *list, const size_t *clashes,
                         size_t from)
{
        for (size_t i = from; i < list->count; i++) {
                const struct nonce_use *use = &list->uses[i];
                char text[NONCE_READ_TEXT];

                if (clashes[i] == SIZE_MAX)
                        continue;
                fprintf(out, "IV USED TWICE under key %s: ", nonce_key_read(use->key, text));
                put_image(out, &list->uses[clashes[i]]);
                fprintf(out, " and ");
                put_image(out, use);
                fprintf(out, "\n");
        }
}

int nonces_read(const char *path, struct nonce_list *ret_list)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        int r = file_read(path, NONCE_EXPORT_MAX, &file);

        return r < 0 ? r : nonce_export_parse(path, file.data, file.length, ret_list);
}
