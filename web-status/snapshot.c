/*
 * snapshot.c - the line at one moment, as JSON text and back.
 *
 * One table per struct says which members there are; writing and reading both walk the same tables,
 * so they cannot disagree. Writing never fails for what is in the strings: bytes that are not UTF-8
 * (a reader's name, a sentence cut in mid-letter) become question marks. Reading takes text from
 * outside: length and depth are bounded before the parser sees it, every member must be there with
 * its type and within its room, members it does not know are passed over (a newer station).
 *
 * The names of the members are those of the structs in snapshot.h.
 */
#include "web-status/snapshot.h"

#include "web-status/web.h"

#include <jansson.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A full line of 128 sites is under 110 KiB; with every letter escaped, under 450 KiB. */
#define JSON_LENGTH_MAX (512u << 10)

/* The document is {"sites":[{ }]}. The parser recurses, and a fiber's stack is 256 KiB. */
#define JSON_DEPTH_MAX 8u

enum kind { TEXT, NUMBER, LONG_NUMBER, FLAG };

struct member {
        const char *name;
        enum kind kind;
        size_t offset, capacity;
};

#define MEMBER(kind, type, member)                                                                 \
        {                                                                                          \
#member, kind, offsetof(struct type, member),                                      \
                        sizeof(((struct type *)NULL)->member)                                      \
        }

static const struct member site_members[] = {
        MEMBER(TEXT, snapshot_site, name),         MEMBER(TEXT, snapshot_site, state),
        MEMBER(TEXT, snapshot_site, step),         MEMBER(NUMBER, snapshot_site, progress),
        MEMBER(NUMBER, snapshot_site, elapsed_ms), MEMBER(TEXT, snapshot_site, unit),
        MEMBER(NUMBER, snapshot_site, attempt),    MEMBER(TEXT, snapshot_site, result),
        MEMBER(TEXT, snapshot_site, fault),        MEMBER(TEXT, snapshot_site, sentence),
        MEMBER(FLAG, snapshot_site, needs_person), MEMBER(NUMBER, snapshot_site, passed),
        MEMBER(NUMBER, snapshot_site, failed),     MEMBER(NUMBER, snapshot_site, errors),
};

static const struct member card_members[] = {
        MEMBER(TEXT, snapshot_card, serial),        MEMBER(TEXT, snapshot_card, reader),
        MEMBER(TEXT, snapshot_card, firmware_id),   MEMBER(TEXT, snapshot_card, type),
        MEMBER(TEXT, snapshot_card, state),         MEMBER(TEXT, snapshot_card, sentence),
        MEMBER(NUMBER, snapshot_card, left),        MEMBER(NUMBER, snapshot_card, maximum),
        MEMBER(NUMBER, snapshot_card, queue),       MEMBER(NUMBER, snapshot_card, per_hour),
        MEMBER(LONG_NUMBER, snapshot_card, dry_ms), MEMBER(NUMBER, snapshot_card, issued),
        MEMBER(NUMBER, snapshot_card, installed),   MEMBER(NUMBER, snapshot_card, in_hand),
        MEMBER(NUMBER, snapshot_card, lost),
};

static const struct member need_members[] = {
        MEMBER(TEXT, snapshot_need, firmware_id),
        MEMBER(TEXT, snapshot_need, type),
        MEMBER(NUMBER, snapshot_need, wanted),
        MEMBER(NUMBER, snapshot_need, left),
};

static const struct member lot_members[] = {
        MEMBER(TEXT, snapshot_lot, order),
        MEMBER(TEXT, snapshot_lot, part),
        MEMBER(TEXT, snapshot_lot, image),
        MEMBER(TEXT, snapshot_lot, state),
        MEMBER(NUMBER, snapshot_lot, quantity),
        MEMBER(NUMBER, snapshot_lot, good),
        MEMBER(NUMBER, snapshot_lot, bad),
        MEMBER(NUMBER, snapshot_lot, errors),
        MEMBER(NUMBER, snapshot_lot, entered),
        MEMBER(NUMBER, snapshot_lot, retried),
        MEMBER(NUMBER, snapshot_lot, in_work),
        MEMBER(NUMBER, snapshot_lot, first_pass_yield),
        MEMBER(NUMBER, snapshot_lot, final_yield),
        MEMBER(NUMBER, snapshot_lot, units_per_hour),
        MEMBER(NUMBER, snapshot_lot, units_per_hour_busy),
        MEMBER(TEXT, snapshot_lot, license_source),
        MEMBER(TEXT, snapshot_lot, license_type),
        MEMBER(NUMBER, snapshot_lot, licenses_issued),
        MEMBER(NUMBER, snapshot_lot, licenses_installed),
        MEMBER(NUMBER, snapshot_lot, licenses_in_hand),
        MEMBER(NUMBER, snapshot_lot, licenses_lost),
        MEMBER(NUMBER, snapshot_lot, licenses_in_work),
        MEMBER(NUMBER, snapshot_lot, licenses_pending),
        MEMBER(NUMBER, snapshot_lot, licenses_per_unit),
        MEMBER(NUMBER, snapshot_lot, licenses_per_good),
        MEMBER(LONG_NUMBER, snapshot_lot, started_ms),
        MEMBER(LONG_NUMBER, snapshot_lot, ended_ms),
};

static const struct member line_members[] = {
        MEMBER(TEXT, snapshot, station),       MEMBER(TEXT, snapshot, version),
        MEMBER(LONG_NUMBER, snapshot, now_ms), MEMBER(FLAG, snapshot, is_simulated),
        MEMBER(FLAG, snapshot, is_stopping),   MEMBER(NUMBER, snapshot, orders_waiting),
};

_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "NUMBER serves both");

/* --- writing ------------------------------------------------------------------------------- */

/* A string of at most `capacity` bytes. A letter cut at the end goes; other bytes that are not
 * UTF-8 become question marks. NULL only without memory. */
static json_t *text_write(const char *text, size_t capacity)
{
        size_t length = strnlen(text, capacity);
        char readable[256];
        json_t *value = NULL;

        for (size_t cut = 0; !value && cut < 4 && cut <= length; cut++)
                value = json_stringn(text, length - cut);
        if (value)
                return value;
        if (length > sizeof(readable))
                length = sizeof(readable);
        for (size_t i = 0; i < length; i++)
                readable[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
        return json_stringn(readable, length);
}

static json_t *member_write(const void *from, const struct member *member)
{
        const char *at = (const char *)from + member->offset;
        uint32_t number;
        uint64_t long_number;
        bool flag;

        switch (member->kind) {
        case TEXT:
                return text_write(at, member->capacity);
        case NUMBER:
                memcpy(&number, at, sizeof(number));
                return json_integer(number);
        case LONG_NUMBER:
                memcpy(&long_number, at, sizeof(long_number));
                return json_integer(long_number > LLONG_MAX ? LLONG_MAX : (json_int_t)long_number);
        case FLAG:
                memcpy(&flag, at, sizeof(flag));
                return json_boolean(flag);
        }
        return NULL;
}

/* The setters of jansson take NULL values as failures and free what they cannot place. */
static bool members_write(json_t *object, const void *from, const struct member *members,
                          size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (json_object_set_new_nocheck(object, members[i].name,
                                                member_write(from, &members[i])) < 0)
                        return false;
        return true;
}

static json_t *struct_write(const void *from, const struct member *members, size_t count)
{
        json_t *object = json_object();

        if (members_write(object, from, members, count))
                return object;
        json_decref(object);
        return NULL;
}

static bool list_write(json_t *line, const char *name, const void *first, unsigned length,
                       size_t stride, const struct member *members, size_t count)
{
        json_t *list = json_array();

        for (unsigned i = 0; i < length; i++)
                if (json_array_append_new(list, struct_write((const char *)first + i * stride,
                                                             members, count)) < 0) {
                        json_decref(list);
                        return false;
                }
        return json_object_set_new_nocheck(line, name, list) == 0;
}

static bool alarms_write(json_t *line, const struct snapshot *snapshot, unsigned length)
{
        json_t *list = json_array();

        for (unsigned i = 0; i < length; i++)
                if (json_array_append_new(list, text_write(snapshot->alarms[i],
                                                           sizeof(snapshot->alarms[i]))) < 0) {
                        json_decref(list);
                        return false;
                }
        return json_object_set_new_nocheck(line, "alarms", list) == 0;
}

static unsigned at_most(unsigned count, unsigned limit)
{
        return count < limit ? count : limit;
}

char *snapshot_json(const struct snapshot *snapshot)
{
        json_t *line = struct_write(snapshot, line_members, LENGTH_OF(line_members));
        char *text = NULL;

        if (line &&
            json_object_set_new_nocheck(
                    line, "lot",
                    struct_write(&snapshot->lot, lot_members, LENGTH_OF(lot_members))) == 0 &&
            list_write(line, "sites", snapshot->sites,
                       at_most(snapshot->site_count, SNAPSHOT_SITES_MAX),
                       sizeof(snapshot->sites[0]), site_members, LENGTH_OF(site_members)) &&
            list_write(line, "cards", snapshot->cards,
                       at_most(snapshot->card_count, SNAPSHOT_CARDS_MAX),
                       sizeof(snapshot->cards[0]), card_members, LENGTH_OF(card_members)) &&
            list_write(line, "needs", snapshot->needs,
                       at_most(snapshot->need_count, SNAPSHOT_NEEDS_MAX),
                       sizeof(snapshot->needs[0]), need_members, LENGTH_OF(need_members)) &&
            alarms_write(line, snapshot, at_most(snapshot->alarm_count, SNAPSHOT_ALARMS_MAX)))
                text = json_dumps(line, JSON_COMPACT);
        json_decref(line);
        return text;
}

/* --- reading ------------------------------------------------------------------------------- */

static void json_release(json_t **value)
{
        json_decref(*value);
}

static void snapshot_release(struct snapshot **snapshot)
{
        free(*snapshot);
}

/* How deep brackets nest; brackets inside strings do not count. */
static unsigned depth_of(const char *json, size_t length)
{
        unsigned depth = 0, deepest = 0;
        bool in_string = false;

        for (size_t i = 0; i < length; i++) {
                if (in_string && json[i] == '\\')
                        i++;
                else if (json[i] == '"')
                        in_string = !in_string;
                else if (!in_string && (json[i] == '{' || json[i] == '['))
                        deepest = ++depth > deepest ? depth : deepest;
                else if (!in_string && (json[i] == '}' || json[i] == ']') && depth)
                        depth--;
        }
        return deepest;
}

static int bad_member(const char *where, const char *name, const char *wanted)
{
        return fault(FAULT_BAD_FILE,
                     "status: \"%s\" of %s %s; are station and command of the same version?", name,
                     where, wanted);
}

static int text_read(const json_t *value, char *to, size_t capacity, const char *where,
                     const char *name)
{
        size_t length;

        if (!json_is_string(value))
                return bad_member(where, name, "is not a text");
        length = json_string_length(value);
        if (length >= capacity)
                return bad_member(where, name, "is too long");
        memcpy(to, json_string_value(value), length);
        memset(to + length, 0, capacity - length);
        return 0;
}

static int member_read(const json_t *object, const struct member *member, void *to,
                       const char *where)
{
        const json_t *value = json_object_get(object, member->name);
        char *at = (char *)to + member->offset;
        json_int_t number = json_integer_value(value);

        if (!value)
                return bad_member(where, member->name, "is missing");
        switch (member->kind) {
        case TEXT:
                return text_read(value, at, member->capacity, where, member->name);
        case NUMBER:
                if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
                        return bad_member(where, member->name, "is not a number of 32 bits");
                memcpy(at, &(uint32_t){ (uint32_t)number }, sizeof(uint32_t));
                return 0;
        case LONG_NUMBER:
                if (!json_is_integer(value) || number < 0)
                        return bad_member(where, member->name, "is not a number");
                memcpy(at, &(uint64_t){ (uint64_t)number }, sizeof(uint64_t));
                return 0;
        case FLAG:
                if (!json_is_boolean(value))
                        return bad_member(where, member->name, "is neither true nor false");
                memcpy(at, &(bool){ json_is_true(value) }, sizeof(bool));
                return 0;
        }
        return 0;
}

static int struct_read(const json_t *object, const struct member *members, size_t count, void *to,
                       const char *where)
{
        if (!json_is_object(object))
                return fault(FAULT_BAD_FILE, "status: %s is missing or not an object", where);
        for (size_t i = 0; i < count; i++) {
                int r = member_read(object, &members[i], to, where);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* The list `name` of at most `limit` entries; its length, or a fault. */
static int list_of(const json_t *line, const char *name, size_t limit, const json_t **ret_list)
{
        const json_t *list = json_object_get(line, name);

        if (!json_is_array(list))
                return bad_member("the line", name, "is not a list");
        if (json_array_size(list) > limit)
                return fault(FAULT_BAD_FILE, "status: %zu %s, at most %zu are possible",
                             json_array_size(list), name, limit);
        *ret_list = list;
        return (int)json_array_size(list);
}

static int list_read(const json_t *line, const char *name, size_t limit, size_t stride,
                     const struct member *members, size_t count, void *first, unsigned *ret_length)
{
        const json_t *list;
        int length = list_of(line, name, limit, &list);

        for (int i = 0; i < length; i++) {
                char where[32];
                int r;

                snprintf(where, sizeof(where), "%s[%d]", name, i);
                r = struct_read(json_array_get(list, (size_t)i), members, count,
                                (char *)first + (size_t)i * stride, where);
                if (r < 0)
                        return r;
        }
        if (length < 0)
                return length;
        *ret_length = (unsigned)length;
        return 0;
}

static int alarms_read(const json_t *line, struct snapshot *snapshot)
{
        const json_t *list;
        int length = list_of(line, "alarms", SNAPSHOT_ALARMS_MAX, &list);

        if (length < 0)
                return length;
        for (int i = 0; i < length; i++) {
                int r = text_read(json_array_get(list, (size_t)i), snapshot->alarms[i],
                                  sizeof(snapshot->alarms[i]), "the line", "alarms");

                if (r < 0)
                        return r;
        }
        snapshot->alarm_count = (unsigned)length;
        return 0;
}

static int line_read(const json_t *line, struct snapshot *snapshot)
{
        int r = struct_read(line, line_members, LENGTH_OF(line_members), snapshot, "the line");

        if (r < 0)
                return r;
        r = struct_read(json_object_get(line, "lot"), lot_members, LENGTH_OF(lot_members),
                        &snapshot->lot, "the lot");
        if (r < 0)
                return r;
        r = list_read(line, "sites", SNAPSHOT_SITES_MAX, sizeof(snapshot->sites[0]), site_members,
                      LENGTH_OF(site_members), snapshot->sites, &snapshot->site_count);
        if (r < 0)
                return r;
        r = list_read(line, "cards", SNAPSHOT_CARDS_MAX, sizeof(snapshot->cards[0]), card_members,
                      LENGTH_OF(card_members), snapshot->cards, &snapshot->card_count);
        if (r < 0)
                return r;
        r = list_read(line, "needs", SNAPSHOT_NEEDS_MAX, sizeof(snapshot->needs[0]), need_members,
                      LENGTH_OF(need_members), snapshot->needs, &snapshot->need_count);
        if (r < 0)
                return r;
        return alarms_read(line, snapshot);
}

int snapshot_parse(const char *json, size_t length, struct snapshot *ret_snapshot)
{
        CLEANUP(snapshot_release) struct snapshot *snapshot = NULL;
        CLEANUP(json_release) json_t *line = NULL;
        json_error_t error;
        int r;

        if (length > JSON_LENGTH_MAX)
                return fault(FAULT_BAD_FILE, "status: %zu bytes, at most %u are read", length,
                             JSON_LENGTH_MAX);
        if (depth_of(json, length) > JSON_DEPTH_MAX)
                return fault(FAULT_BAD_FILE, "status: nested more than %u deep", JSON_DEPTH_MAX);
        line = json_loadb(json, length, JSON_REJECT_DUPLICATES, &error);
        if (!line)
                return fault(FAULT_BAD_FILE, "status: line %d, column %d: %s", error.line,
                             error.column, error.text);
        snapshot = calloc(1, sizeof(*snapshot));
        if (!snapshot)
                return fault(FAULT_SYSTEM, "no memory for the status");
        r = line_read(line, snapshot);
        if (r < 0)
                return r;
        *ret_snapshot = *snapshot;
        return 0;
}
