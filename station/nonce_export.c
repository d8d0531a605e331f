/*
 * Both forms are brought to the same eleven texts before anything is believed, so there is one
 * reader of a use, and the ledger's rows go through it as well. The lines are read by a cursor that
 * cuts them at line ends and tabs in a copy. The JSON form is bounded in length and depth before the
 * parser sees it (jansson recurses, and a fiber's stack is small). Then links, counts and digest are
 * checked for both alike; the digest by writing the lines again.
 */
#include "station/nonce_export.h"

#include "station/text.h"

#include <stdio.h>
#include <stdlib.h>

#define TITLE      "gangway-nonces 1"
#define JSON_DEPTH 3 /* object, array, object */

enum { KEY, NONCE, POLICY, AREAS, DIGEST, RESERVED, ORIGIN, HOST, NAME, CONFIRMED, LINK };

const char *const nonce_use_names[NONCE_USE_FIELDS] = {
        [KEY] = "key",       [NONCE] = "nonce",         [POLICY] = "policy", [AREAS] = "areas",
        [DIGEST] = "digest", [RESERVED] = "reserved",   [ORIGIN] = "origin", [HOST] = "host",
        [NAME] = "name",     [CONFIRMED] = "confirmed", [LINK] = "link",
};

/* --- one use ------------------------------------------------------------------------------- */

static bool is_hex(const char *text, size_t capacity)
{
        return strlen(text) == capacity - 1 && strspn(text, "0123456789abcdef") == capacity - 1;
}

/* Decimal as we write it: no sign, no leading zero. */
static bool take_number(const char *text, int64_t maximum, int64_t *ret_number)
{
        size_t digits = strspn(text, "0123456789");

        if (!digits || digits > 10 || text[digits] || (text[0] == '0' && digits > 1))
                return false;
        *ret_number = strtoll(text, NULL, 10);
        return *ret_number <= maximum;
}

static bool take_hex(const char *text, char *to, size_t capacity)
{
        if (!is_hex(text, capacity))
                return false;
        memcpy(to, text, capacity);
        return true;
}

/* A name as nonce_label() leaves it; it may be empty. */
static bool take_label(const char *text, char *to, size_t capacity)
{
        size_t length = strlen(text);

        if (length >= capacity || text_clean(text, length) != length || strpbrk(text, "\t\r\n"))
                return false;
        memcpy(to, text, length + 1);
        return true;
}

static bool take_field(int field, const char *text, struct nonce_use *use)
{
        int64_t areas;

        switch (field) {
        case KEY:
                return take_hex(text, use->key, sizeof(use->key));
        case NONCE:
                return is_hex(text, 2 * SFI_NONCE_LENGTH + 1) &&
                       hex_decode(text, use->range.nonce, SFI_NONCE_LENGTH);
        case POLICY:
                return sfi_iv_policy_find(text, &use->range.policy);
        case AREAS:
                if (!take_number(text, NONCE_AREAS_MAX, &areas))
                        return false;
                use->range.areas = (uint32_t)areas;
                return true;
        case DIGEST:
                return take_hex(text, use->digest, sizeof(use->digest));
        case RESERVED:
                return nonce_date_parse(text, &use->reserved_s);
        case ORIGIN:
                return take_hex(text, use->origin, sizeof(use->origin));
        case HOST:
                return take_label(text, use->host, sizeof(use->host));
        case NAME:
                return take_label(text, use->name, sizeof(use->name));
        case CONFIRMED:
                use->confirmed_s = -1;
                return strcmp(text, "-") == 0 || nonce_date_parse(text, &use->confirmed_s);
        default:
                return take_hex(text, use->link, sizeof(use->link));
        }
}

int nonce_use_parse(const char *where, const char *const fields[static NONCE_USE_FIELDS],
                    struct nonce_use *ret_use)
{
        struct nonce_use use = { 0 };
        char shown[48];

        for (int i = 0; i < NONCE_USE_FIELDS; i++) {
                if (take_field(i, fields[i], &use))
                        continue;
                nonce_label(fields[i], shown, sizeof(shown));
                return fault(FAULT_BAD_FILE, "%s: the field %s is not one Gangway writes: %s",
                             where, nonce_use_names[i], i == NONCE ? "(not shown)" : shown);
        }
        *ret_use = use;
        return 0;
}

void nonce_use_fields(const struct nonce_use *use, struct nonce_use_texts *texts,
                      const char *ret_fields[static NONCE_USE_FIELDS])
{
        hex_encode(use->range.nonce, SFI_NONCE_LENGTH, texts->nonce);
        for (char *c = texts->nonce; *c; c++)
                *c |= 0x20; /* to lower case; digits have the bit */
        snprintf(texts->areas, sizeof(texts->areas), "%u", use->range.areas);
        nonce_date(use->reserved_s, texts->reserved);
        memcpy(texts->confirmed, "-", 2);
        if (use->confirmed_s >= 0)
                nonce_date(use->confirmed_s, texts->confirmed);
        ret_fields[KEY] = use->key;
        ret_fields[NONCE] = texts->nonce;
        ret_fields[POLICY] = sfi_iv_policy_name(use->range.policy);
        ret_fields[AREAS] = texts->areas;
        ret_fields[DIGEST] = use->digest;
        ret_fields[RESERVED] = texts->reserved;
        ret_fields[ORIGIN] = use->origin;
        ret_fields[HOST] = use->host;
        ret_fields[NAME] = use->name;
        ret_fields[CONFIRMED] = texts->confirmed;
        ret_fields[LINK] = use->link;
}

/* --- writing ------------------------------------------------------------------------------- */

static void digest_text(const void *data, size_t length, char text[static NONCE_LINK_TEXT])
{
        uint8_t digest[DIGEST_LENGTH];

        digest_sha256(data, length, digest);
        hex_encode(digest, sizeof(digest), text);
        for (char *c = text; *c; c++)
                *c |= 0x20;
}

static void put_use(FILE *out, const struct nonce_use *use)
{
        const char *fields[NONCE_USE_FIELDS];
        struct nonce_use_texts texts;

        nonce_use_fields(use, &texts, fields);
        fputs("use", out);
        for (int i = 0; i < NONCE_USE_FIELDS; i++)
                fprintf(out, "\t%s", fields[i]);
        fputc('\n', out);
}

/* All lines but the last. */
static struct bytes body_text(const struct nonce_list *list)
{
        char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);

        INSIST(out);
        fprintf(out, TITLE "\nledger\t%s\n", list->ledger);
        for (size_t i = 0; i < list->count; i++)
                put_use(out, &list->uses[i]);
        for (size_t i = 0; i < list->seen_count; i++)
                fprintf(out, "seen\t%s\t%s\t%lld\n", list->seen[i].ledger, list->seen[i].key,
                        (long long)list->seen[i].uses);
        INSIST(fclose(out) == 0);
        return (struct bytes){ (uint8_t *)text, length };
}

struct bytes nonce_export_text(const struct nonce_list *list)
{
        struct bytes body CLEANUP(bytes_free) = body_text(list);
        char digest[NONCE_LINK_TEXT], last[128];
        struct bytes text;
        int length;

        digest_text(body.data, body.length, digest);
        length = snprintf(last, sizeof(last), "end\t%zu\t%s\n", list->count, digest);
        text = bytes_new(body.length + (size_t)length);
        memcpy(text.data, body.data, body.length);
        memcpy(text.data + body.length, last, (size_t)length);
        return text;
}

static json_t *use_json(const struct nonce_use *use)
{
        const char *fields[NONCE_USE_FIELDS];
        struct nonce_use_texts texts;
        json_t *object = json_object();

        nonce_use_fields(use, &texts, fields);
        for (int i = 0; i < NONCE_USE_FIELDS; i++)
                json_object_set_new(object, nonce_use_names[i], json_string(fields[i]));
        json_object_set_new(object, nonce_use_names[AREAS], json_integer(use->range.areas));
        if (use->confirmed_s < 0)
                json_object_set_new(object, nonce_use_names[CONFIRMED], json_null());
        return object;
}

json_t *nonce_export_json(const struct nonce_list *list)
{
        struct bytes body CLEANUP(bytes_free) = body_text(list);
        json_t *uses = json_array(), *seen = json_array();
        char digest[NONCE_LINK_TEXT];

        digest_text(body.data, body.length, digest);
        for (size_t i = 0; i < list->count; i++)
                json_array_append_new(uses, use_json(&list->uses[i]));
        for (size_t i = 0; i < list->seen_count; i++)
                json_array_append_new(
                        seen, json_pack("{s:s, s:s, s:I}", "ledger", list->seen[i].ledger, "key",
                                        list->seen[i].key, "uses", (json_int_t)list->seen[i].uses));
        return json_pack("{s:s, s:s, s:o, s:o, s:I, s:s}", "format", TITLE, "ledger", list->ledger,
                         "uses", uses, "seen", seen, "count", (json_int_t)list->count, "digest",
                         digest);
}

/* --- reading ------------------------------------------------------------------------------- */

static int take_use(const char *where, const char *const fields[static NONCE_USE_FIELDS],
                    struct nonce_list *list)
{
        struct nonce_use use;
        int r = nonce_use_parse(where, fields, &use);

        return r < 0 ? r : nonce_list_add(list, &use);
}

static int take_seen(const char *where, const char *ledger, const char *key, const char *uses,
                     struct nonce_list *list)
{
        struct nonce_seen seen;

        if (!take_hex(ledger, seen.ledger, sizeof(seen.ledger)) ||
            !take_hex(key, seen.key, sizeof(seen.key)) ||
            !take_number(uses, NONCE_USES_MAX, &seen.uses))
                return fault(FAULT_BAD_FILE, "%s: wanted a ledger, a key and a number", where);
        return nonce_list_see(list, &seen);
}

struct ending {
        int64_t uses;
        char digest[NONCE_LINK_TEXT];
        bool is_there;
};

/* What the list says of itself: it may not claim to hold more, or less, of its own ledger's uses
 * than it does. */
static int check_own(const char *name, const struct nonce_list *list)
{
        const char *link;

        for (size_t i = 0; i < list->seen_count; i++) {
                const struct nonce_seen *seen = &list->seen[i];

                if (strcmp(seen->ledger, list->ledger) != 0)
                        continue;
                if (nonce_list_count(list, seen->key, INT64_MAX, &link) < seen->uses)
                        return fault(FAULT_BAD_FILE,
                                     "%s: it says it knows %lld uses of key %s and "
                                     "has fewer",
                                     name, (long long)seen->uses, seen->key);
        }
        return 0;
}

static int check_all(const char *name, const struct nonce_list *list, const struct ending *ending)
{
        struct bytes body CLEANUP(bytes_free) = { 0 };
        char digest[NONCE_LINK_TEXT];
        int r;

        if (!list->ledger[0])
                return fault(FAULT_BAD_FILE, "%s: it does not name its ledger", name);
        if (!ending->is_there)
                return fault(FAULT_BAD_FILE, "%s: its end is missing, it was cut", name);
        r = nonce_list_check(list);
        if (r < 0)
                return fault_prefix(r, "%s", name);
        if (ending->uses != (int64_t)list->count)
                return fault(FAULT_BAD_TAG, "%s: it has %zu uses, its end says %lld", name,
                             list->count, (long long)ending->uses);
        body = body_text(list);
        digest_text(body.data, body.length, digest);
        if (strcmp(digest, ending->digest) != 0)
                return fault(FAULT_BAD_TAG, "%s: its digest does not fit: it was changed", name);
        return check_own(name, list);
}

/* Cut `line` at its tabs; the number of fields, at most `capacity` + 1. */
static size_t split(char *line, const char **fields, size_t capacity)
{
        size_t count = 0;
        char *field;

        while ((field = strsep(&line, "\t"))) {
                if (count == capacity)
                        return capacity + 1;
                fields[count++] = field;
        }
        return count;
}

static int take_line(const char *where, char *line, struct nonce_list *list, struct ending *ending)
{
        const char *fields[NONCE_USE_FIELDS + 1];
        size_t count = split(line, fields, LENGTH_OF(fields));

        if (ending->is_there)
                return fault(FAULT_BAD_FILE, "%s: there is more after the end", where);
        if (count == 2 && strcmp(fields[0], "ledger") == 0 && !list->ledger[0] &&
            take_hex(fields[1], list->ledger, sizeof(list->ledger)))
                return 0;
        if (count == NONCE_USE_FIELDS + 1 && strcmp(fields[0], "use") == 0)
                return take_use(where, fields + 1, list);
        if (count == 4 && strcmp(fields[0], "seen") == 0)
                return take_seen(where, fields[1], fields[2], fields[3], list);
        if (count == 3 && strcmp(fields[0], "end") == 0 &&
            take_number(fields[1], NONCE_USES_MAX, &ending->uses) &&
            take_hex(fields[2], ending->digest, sizeof(ending->digest))) {
                ending->is_there = true;
                return 0;
        }
        return fault(FAULT_BAD_FILE, "%s: not a line Gangway writes", where);
}

static int parse_text(const char *name, char *text, struct nonce_list *list, struct ending *ending)
{
        char where[160], *line, *rest = text;
        unsigned number = 1;
        int r = 0;

        line = strsep(&rest, "\n");
        if (strcmp(line, TITLE) != 0)
                return fault(FAULT_BAD_FILE, "%s: it opens with other words than " TITLE, name);
        while (r == 0 && rest && *rest) {
                line = strsep(&rest, "\n");
                snprintf(where, sizeof(where), "%.120s line %u", name, ++number);
                r = rest ? take_line(where, line, list, ending)
                         : fault(FAULT_BAD_FILE, "%s: it has no line end", where);
        }
        return r;
}

/* --- reading JSON -------------------------------------------------------------------------- */

static bool is_deep(const uint8_t *json, size_t length)
{
        bool in_string = false;
        int depth = 0;

        for (size_t i = 0; i < length; i++) {
                if (in_string && json[i] == '\\')
                        i++;
                else if (json[i] == '"')
                        in_string = !in_string;
                else if (!in_string && (json[i] == '{' || json[i] == '['))
                        depth++;
                else if (!in_string && (json[i] == '}' || json[i] == ']'))
                        depth--;
                if (depth > JSON_DEPTH)
                        return true;
        }
        return false;
}

/* The member as a text, integers in decimal, null as "-"; "" for anything else, which no field
 * accepts that is not free text. */
static const char *member_text(const json_t *object, const char *member, char room[static 24])
{
        const json_t *value = json_object_get(object, member);

        if (json_is_string(value))
                return json_string_value(value);
        if (json_is_integer(value))
                snprintf(room, 24, "%lld", (long long)json_integer_value(value));
        else
                snprintf(room, 24, "%s", json_is_null(value) ? "-" : "");
        return room;
}

static int take_use_json(const char *where, const json_t *object, struct nonce_list *list)
{
        const char *fields[NONCE_USE_FIELDS];
        char room[NONCE_USE_FIELDS][24];

        if (json_object_size(object) != NONCE_USE_FIELDS)
                return fault(FAULT_BAD_FILE, "%s: wanted an object of %d members", where,
                             NONCE_USE_FIELDS);
        for (int i = 0; i < NONCE_USE_FIELDS; i++) {
                if (!json_object_get(object, nonce_use_names[i]))
                        return fault(FAULT_BAD_FILE, "%s: %s is missing", where,
                                     nonce_use_names[i]);
                fields[i] = member_text(object, nonce_use_names[i], room[i]);
        }
        return take_use(where, fields, list);
}

static int take_arrays(const char *name, const json_t *root, struct nonce_list *list)
{
        const json_t *uses = json_object_get(root, "uses"), *seen = json_object_get(root, "seen");
        char where[160], a[24], b[24], c[24];
        int r = 0;

        if (!json_is_array(uses) || !json_is_array(seen))
                return fault(FAULT_BAD_FILE, "%s: wanted arrays \"uses\" and \"seen\"", name);
        for (size_t i = 0; r == 0 && i < json_array_size(uses); i++) {
                snprintf(where, sizeof(where), "%.120s: use %zu", name, i + 1);
                r = take_use_json(where, json_array_get(uses, i), list);
        }
        for (size_t i = 0; r == 0 && i < json_array_size(seen); i++) {
                const json_t *row = json_array_get(seen, i);

                snprintf(where, sizeof(where), "%.120s: seen %zu", name, i + 1);
                r = take_seen(where, member_text(row, "ledger", a), member_text(row, "key", b),
                              member_text(row, "uses", c), list);
        }
        return r;
}

static int take_root(const char *name, const json_t *root, struct nonce_list *list,
                     struct ending *ending)
{
        char a[24], b[24], c[24], d[24];

        if (strcmp(member_text(root, "format", a), TITLE) != 0)
                return fault(FAULT_BAD_FILE, "%s: its format is not " TITLE, name);
        if (!take_hex(member_text(root, "ledger", b), list->ledger, sizeof(list->ledger)))
                return fault(FAULT_BAD_FILE, "%s: it does not name its ledger", name);
        ending->is_there =
                take_number(member_text(root, "count", c), NONCE_USES_MAX, &ending->uses) &&
                take_hex(member_text(root, "digest", d), ending->digest, sizeof(ending->digest));
        return take_arrays(name, root, list);
}

static int parse_json(const char *name, const struct bytes *text, struct nonce_list *list,
                      struct ending *ending)
{
        json_error_t error;
        json_t *root;
        int r;

        if (is_deep(text->data, text->length))
                return fault(FAULT_BAD_FILE, "%s: nested more than %d deep", name, JSON_DEPTH);
        root = json_loadb((const char *)text->data, text->length, JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fault(FAULT_BAD_FILE, "%s line %d: %.100s", name, error.line, error.text);
        r = take_root(name, root, list, ending);
        json_decref(root);
        return r;
}

/* A ledger is not read where an export is wanted: SQLite files of strangers are not opened. */
static int check_form(const char *name, const struct bytes *text)
{
        size_t clean = text_clean(text->data, text->length);

        if (text->length >= 15 && memcmp(text->data, "SQLite format 3", 15) == 0)
                return fault(FAULT_BAD_FILE,
                             "%s is a ledger itself: GANGWAY_LEDGER=%s gangway nonces export -o "
                             "FILE makes what is wanted here",
                             name, name);
        if (clean < text->length)
                return fault(FAULT_BAD_FILE, "%s line %u: it is not UTF-8 text", name,
                             text_line(text->data, clean));
        return 0;
}

int nonce_export_parse(const char *name, const void *data, size_t length,
                       struct nonce_list *ret_list)
{
        struct bytes text CLEANUP(bytes_free) = { 0 };
        struct nonce_list list CLEANUP(nonce_list_free) = { 0 };
        struct ending ending = { 0 };
        int r;

        *ret_list = list;
        if (length > NONCE_EXPORT_MAX)
                return fault(FAULT_TOO_LARGE, "%s: it has %zu bytes, at most %u are allowed", name,
                             length, NONCE_EXPORT_MAX);
        text = bytes_copy(data, length);
        r = check_form(name, &text);
        if (r < 0)
                return r;
        if (length && text.data[0] == '{')
                r = parse_json(name, &text, &list, &ending);
        else
                r = parse_text(name, (char *)text.data, &list, &ending);
        if (r >= 0)
                r = check_all(name, &list, &ending);
        if (r < 0)
                return r;
        *ret_list = list;
        list = (struct nonce_list){ 0 };
        return 0;
}
