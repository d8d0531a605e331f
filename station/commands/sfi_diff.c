/*
 * gangway sfi diff: what two images differ in, by type and address.
 *
 * With the key contents are compared, and pieces are joined first, so that two images cut for
 * different RAM sizes compare equal where their firmware is. Without it only what stands in the
 * open is compared: headers, and whether the sealed bytes are the same.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/area_view.h"
#include "station/commands/image_view.h"
#include "station/commands/options.h"

#include <stdlib.h>

struct request {
        const char *paths[2], *keys[2], *nonces[2];
        struct family_choice choice;
        enum sfi_iv_policy policy;
        bool is_json;
};

/* One thing to compare: a run in plain, or an area as it is sealed. */
struct item {
        char type;
        uint32_t address;
        const uint8_t *data, *prefix;
        size_t length;
};

struct items {
        struct item *items;
        size_t count;
};

struct differences {
        json_t *list;
        size_t same;
};

/* --- options ------------------------------------------------------------------------------- */

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "image", .text = request->paths, .most = 2 },
                { "key", "k", .text = &request->keys[0] },
                { "nonce", "n", .text = &request->nonces[0] },
                { "key2", "k2", .text = &request->keys[1] },
                { "nonce2", "n2", .text = &request->nonces[1] },
                { "iv-policy", .take = image_policy_take, .context = &request->policy },
                { "family", .text = &request->choice.family },
                { "json", .flag = &request->is_json },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r < 0)
                return r;
        if (!request->paths[1])
                return fault(FAULT_BAD_VALUE, "two images are compared: give A B");
        if (!request->keys[0] != !request->nonces[0])
                return fault(FAULT_BAD_VALUE, "key and nonce go together: -k FILE -n FILE");
        if (!request->keys[0] && (request->keys[1] || request->nonces[1]))
                return fault(FAULT_BAD_VALUE, "-k2 and -n2 are for the second image, -k and -n "
                                              "for the first are missing");
        for (unsigned i = 0; i < 2; i++) {
                if (!request->keys[i])
                        request->keys[i] = request->keys[0];
                if (!request->nonces[i])
                        request->nonces[i] = request->nonces[0];
        }
        return 0;
}

/* --- comparing ----------------------------------------------------------------------------- */

static json_t *note(struct differences *differences, const char *what, const struct item *item)
{
        const char type[] = { item->type > 0x20 && item->type < 0x7F ? item->type : '?', '\0' };
        json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:I}", "what", what, "type", type, "name",
                                   sfi_type_name(item->type), "address", (json_int_t)item->address,
                                   "length", (json_int_t)item->length);

        INSIST(object);
        json_array_append_new(differences->list, object);
        return object;
}

/* Word by word, by name. */
static void compare_options(json_t *object, const struct item *a, const struct item *b,
                            const struct family *family)
{
        json_t *rows = json_array();
        char name[24], from[16], to[16];

        for (size_t i = 0; i < a->length / 4 && i < b->length / 4; i++) {
                uint32_t old = load_le32(a->data + 4 * i), new = load_le32(b->data + 4 * i);

                if (old == new)
                        continue;
                snprintf(from, sizeof(from), "0x%08X", old);
                snprintf(to, sizeof(to), "0x%08X", new);
                json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "name",
                                                      area_row_name(family, a->length / 4, i, name),
                                                      "from", from, "to", to));
        }
        json_object_set_new(object, "rows", rows);
}

static void compare_item(struct differences *differences, const struct item *a,
                         const struct item *b, const struct family *family, bool is_plain)
{
        size_t shorter = a->length < b->length ? a->length : b->length, first = 0, bytes = 0;
        bool same_prefix = !a->prefix || !b->prefix ||
                           memcmp(a->prefix, b->prefix, SFI_EXTERNAL_PREFIX_LENGTH) == 0;
        json_t *object;

        for (size_t i = shorter; i-- > 0;) {
                if (a->data[i] == b->data[i])
                        continue;
                first = i;
                bytes++;
        }
        if (!bytes && a->length == b->length && same_prefix) {
                differences->same++;
                return;
        }
        object = note(differences, "changed", a);
        if (a->length != b->length)
                json_object_set_new(object, "new_length", json_integer((json_int_t)b->length));
        if (!same_prefix)
                json_object_set_new(object, "region", json_string("region, mode or key address"));
        if (is_plain && bytes) {
                json_object_set_new(object, "bytes", json_integer((json_int_t)bytes));
                json_object_set_new(object, "first",
                                    json_integer((json_int_t)a->address + (json_int_t)first));
        }
        if (is_plain && a->type == SFI_CONFIGURATION)
                compare_options(object, a, b, family);
}

/* Items of one type and address: the n-th of a with the n-th of b. */
static void compare(struct differences *differences, const struct items *a, const struct items *b,
                    const struct family *family, bool is_plain)
{
        bool *used = calloc(b->count + 1, sizeof(*used));

        INSIST(used);
        for (size_t i = 0; i < a->count; i++) {
                size_t j = 0;

                while (j < b->count && (used[j] || b->items[j].type != a->items[i].type ||
                                        b->items[j].address != a->items[i].address))
                        j++;
                if (j == b->count) {
                        note(differences, "removed", &a->items[i]);
                } else {
                        used[j] = true;
                        compare_item(differences, &a->items[i], &b->items[j], family, is_plain);
                }
        }
        for (size_t j = 0; j < b->count; j++)
                if (!used[j])
                        note(differences, "added", &b->items[j]);
        free(used);
}

static struct items items_of_runs(const struct image_runs *runs)
{
        struct items items = { .items = calloc(runs->count + 1, sizeof(struct item)) };

        INSIST(items.items);
        for (size_t i = 0; i < runs->count; i++)
                items.items[items.count++] = (struct item){ .type = runs->runs[i].type,
                                                            .address = runs->runs[i].address,
                                                            .data = runs->runs[i].data.data,
                                                            .prefix = runs->runs[i].prefix,
                                                            .length = runs->runs[i].data.length };
        return items;
}

static struct items items_of_areas(const struct sfi *sfi)
{
        struct items items = { .items = calloc((size_t)sfi->count + 1, sizeof(struct item)) };

        INSIST(items.items);
        for (size_t i = 0; i < sfi->count; i++)
                items.items[items.count++] = (struct item){ .type = sfi->areas[i].type,
                                                            .address = sfi->areas[i].address,
                                                            .data = sfi->areas[i].payload,
                                                            .length = sfi->areas[i].length };
        return items;
}

static int compare_plain(const struct request *request, const struct family *family,
                         struct differences *differences)
{
        struct opened_image images[2] = { 0 };
        struct image_runs runs[2] = { 0 };
        struct items items[2] = { 0 };
        int r = 0;

        for (unsigned i = 0; i < 2 && r >= 0; i++)
                r = image_open(request->paths[i], request->keys[i], request->nonces[i],
                               request->policy, &images[i]);
        for (unsigned i = 0; i < 2 && r >= 0; i++) {
                runs[i] = image_runs_make(&images[i]);
                items[i] = items_of_runs(&runs[i]);
        }
        if (r >= 0)
                compare(differences, &items[0], &items[1], family, true);
        for (unsigned i = 0; i < 2; i++) {
                free(items[i].items);
                image_runs_free(&runs[i]);
                image_opened_free(&images[i]);
        }
        return r;
}

static int compare_sealed(const struct request *request, struct differences *differences)
{
        struct sfi *a CLEANUP(image_release) = NULL, *b CLEANUP(image_release) = NULL;
        struct items items[2];
        int r = image_read(request->paths[0], &a);

        if (r >= 0)
                r = image_read(request->paths[1], &b);
        if (r < 0)
                return r;
        items[0] = items_of_areas(a);
        items[1] = items_of_areas(b);
        compare(differences, &items[0], &items[1], NULL, false);
        free(items[0].items);
        free(items[1].items);
        return 0;
}

/* --- telling ------------------------------------------------------------------------------- */

static void print_difference(const json_t *object)
{
        const json_t *rows = json_object_get(object, "rows");
        const json_t *new_length = json_object_get(object, "new_length");
        const json_t *bytes = json_object_get(object, "bytes");
        size_t i;

        printf("%-8s %s %-17s  0x%08llX  %lld bytes",
               json_string_value(json_object_get(object, "what")),
               json_string_value(json_object_get(object, "type")),
               json_string_value(json_object_get(object, "name")),
               (long long)json_integer_value(json_object_get(object, "address")),
               (long long)json_integer_value(json_object_get(object, "length")));
        if (new_length)
                printf(", now %lld", (long long)json_integer_value(new_length));
        if (bytes)
                printf(", %lld differ, the first at 0x%08llX", (long long)json_integer_value(bytes),
                       (long long)json_integer_value(json_object_get(object, "first")));
        if (json_object_get(object, "region"))
                printf(", region, mode or key address");
        printf("\n");
        for (i = 0; i < json_array_size(rows); i++) {
                const json_t *row = json_array_get(rows, i);

                printf("           %s: %s -> %s\n", json_string_value(json_object_get(row, "name")),
                       json_string_value(json_object_get(row, "from")),
                       json_string_value(json_object_get(row, "to")));
        }
}

static int tell(const struct request *request, struct differences *differences)
{
        size_t count = json_array_size(differences->list);

        if (request->is_json)
                return answer_json(json_pack("{s:I, s:O}", "same", (json_int_t)differences->same,
                                             "differences", differences->list),
                                   count ? EXIT_NO : EXIT_OK);
        for (size_t i = 0; i < count; i++)
                print_difference(json_array_get(differences->list, i));
        printf("%zu the same, %zu not (%s)\n", differences->same, count,
               request->keys[0] ? "contents compared, pieces joined"
                                : "as sealed; give -k and -n to compare contents");
        return count ? EXIT_NO : EXIT_OK;
}

static int run(int argc, char **argv)
{
        struct differences differences = { .list = json_array() };
        struct request request = { 0 };
        const struct family *family = NULL;
        struct chosen_family chosen;
        int r = read_request(argc, argv, &request);

        if (r >= 0 && request.choice.family) {
                r = family_choose(&request.choice, &chosen);
                family = &chosen.family;
        }
        if (r >= 0)
                r = request.keys[0] ? compare_plain(&request, family, &differences)
                                    : compare_sealed(&request, &differences);
        if (r >= 0)
                r = tell(&request, &differences);
        json_decref(differences.list);
        return r;
}

const struct command sfi_diff_command = {
        .words = "sfi diff",
        .summary = "what two images differ in, by type and address",
        .help = "usage: gangway sfi diff A B [-k KEY -n NONCE [-k2 KEY] [-n2 NONCE]] [--json]\n"
                "\n"
                "Areas that were added, removed or changed from A to B. With the key contents "
                "are\n"
                "compared, pieces of one firmware joined; without it, areas as they are sealed\n"
                "(the same content under another nonce differs then).\n"
                "\n"
                "  -k, --key FILE; -n, --nonce FILE  of A, and of B unless\n"
                "  -k2, --key2 FILE; -n2, --nonce2 FILE  are given\n"
                "  --family NAME                     names the rows of option bytes\n"
                "  --iv-policy NAME; --json\n"
                "\n"
                "Exit code 0: no difference; 1: there are differences.\n"
                "\n"
                "example: gangway sfi diff v1.sfi v2.sfi -k key.bin -n nonce1.bin -n2 nonce2.bin\n",
        .run = run,
};
