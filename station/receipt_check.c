/*
 * receipt_check.c - is a receipt whole, and does it add up?
 *
 * Line by line: form, chain, then the JSON, in bounds before the parser sees it (jansson recurses,
 * and a fiber's stack is small). Each record leaves marks - "license 7", "chip so-and-so has one of
 * type SFI" - that must not stand twice; they are sorted at the end, since a receipt may have half a
 * million of them. The balance, which is the last record, is held against what was counted.
 */
#include "station/receipt.h"

#include "crypto/digest.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mark_kind { MARK_LICENSE, MARK_CHIP, MARK_COUNTER, MARK_GLOBAL, MARK_CARD };

static const char *const mark_words[] = {
        [MARK_LICENSE] = "the license id",
        [MARK_CHIP] = "a license of this type and firmware for this chip",
        [MARK_COUNTER] = "the same count of this card",
        [MARK_GLOBAL] = "the attempt",
        [MARK_CARD] = "the card",
};

/* Something that may stand once; `key` is the first half of a digest over what it is. */
struct mark {
        uint8_t key[16];
        uint32_t record;
        enum mark_kind kind;
};

struct seen_card {
        char serial[17];
        uint32_t spent;       /* licenses of this receipt that it made */
        uint32_t low, high;   /* counts they were made at; low above high: none */
        unsigned first_named; /* record */
        bool has_record;
};

enum part { PART_START, PART_LICENSES, PART_STOCK, PART_GLOBALS, PART_CARDS, PART_END };

struct check {
        struct receipt_facts facts;
        char previous[RECEIPT_HASH_TEXT];
        enum part part; /* records come in this order */
        struct ledger_balance stock;
        uint32_t ignored;

        struct mark *marks;
        size_t mark_count, mark_capacity;
        struct seen_card *cards; /* RECEIPT_CARDS_MAX of them */
        unsigned card_count, last_card;
};

/* --- marks --------------------------------------------------------------------------------- */

static void PRINTF_LIKE(3, 4)
        leave_mark(struct check *check, enum mark_kind kind, const char *format, ...)
{
        uint8_t digest[DIGEST_LENGTH];
        struct mark *mark;
        va_list arguments;
        char text[256];
        int length;

        va_start(arguments, format);
        length = vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        INSIST(length > 0 && (size_t)length < sizeof(text));
        if (check->mark_count == check->mark_capacity) {
                check->mark_capacity = check->mark_capacity ? 2 * check->mark_capacity : 256;
                check->marks = realloc(check->marks, check->mark_capacity * sizeof(*check->marks));
                INSIST(check->marks);
        }
        digest_sha256(text, (size_t)length, digest);
        mark = &check->marks[check->mark_count++];
        memcpy(mark->key, digest, sizeof(mark->key));
        mark->kind = kind;
        mark->record = check->facts.records;
}

static int compare_marks(const void *a, const void *b)
{
        const struct mark *left = a, *right = b;
        int order = memcmp(left->key, right->key, sizeof(left->key));

        if (order == 0 && left->kind != right->kind)
                order = left->kind < right->kind ? -1 : 1;
        if (order == 0)
                order = left->record < right->record ? -1 : left->record > right->record;
        return order;
}

/* The earliest record that says what another has said. */
static int check_marks(struct check *check)
{
        const struct mark *found = NULL, *first = NULL;

        qsort(check->marks, check->mark_count, sizeof(*check->marks), compare_marks);
        for (size_t i = 1; i < check->mark_count; i++) {
                const struct mark *mark = &check->marks[i];

                if (mark->kind != mark[-1].kind ||
                    memcmp(mark->key, mark[-1].key, sizeof(mark->key)) != 0)
                        continue;
                if (!found || mark->record < found->record) {
                        found = mark;
                        first = mark - 1;
                }
        }
        if (!found)
                return 0;
        check->facts.records = found->record;
        return fault(FAULT_BAD_VALUE, "%s stands in record %u already", mark_words[found->kind],
                     first->record);
}

/* --- fields -------------------------------------------------------------------------------- */

static bool is_hex(const char *text)
{
        return strlen(text) == 2 * DIGEST_LENGTH &&
               strspn(text, "0123456789abcdef") == 2 * DIGEST_LENGTH;
}

/* Into a fixed field; one that is longer than any of ours is a fault. */
static int take_text(const char *name, const char *text, char *to, size_t capacity)
{
        if (strlen(text) >= capacity)
                return fault(FAULT_BAD_FILE, "%s has %zu characters, known are %zu at most", name,
                             strlen(text), capacity - 1);
        memcpy(to, text, strlen(text) + 1);
        return 0;
}

static int take_count(const char *name, json_int_t count, uint32_t *to)
{
        if (count < 0 || count > UINT32_MAX)
                return fault(FAULT_BAD_FILE, "%s is %lld, wanted 0 to %u", name, (long long)count,
                             UINT32_MAX);
        *to = (uint32_t)count;
        return 0;
}

static int not_unpacked(const json_error_t *error)
{
        return fault(FAULT_BAD_FILE, "it is not as version %d has it: %.100s", RECEIPT_VERSION,
                     error->text);
}

/* --- one record ---------------------------------------------------------------------------- */

/* Records come in the order of their kinds. */
static int enter(struct check *check, enum part part)
{
        if (check->part > part)
                return fault(FAULT_BAD_FILE, "the record does not belong behind the one before");
        check->part = part;
        return 0;
}

static int take_header(struct check *check, json_t *record)
{
        const char *kind, *station, *lot, *part, *family, *firmware_id, *order, *image, *opened,
                *closed, *written, *key;
        struct receipt_facts *facts = &check->facts;
        json_error_t error;
        json_int_t quantity;
        int version, r;

        if (facts->records != 1)
                return fault(FAULT_BAD_FILE, "a second receipt begins");
        if (json_unpack_ex(record, &error, 0, "{s:i}", "version", &version) < 0)
                return not_unpacked(&error);
        if (version != RECEIPT_VERSION)
                return fault(FAULT_BAD_FILE, "the receipt has version %d, this program knows %d",
                             version, RECEIPT_VERSION);
        if (json_unpack_ex(record, &error, JSON_STRICT,
                           "{s:s,s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:s,s:s,s:s}", "record",
                           &kind, "version", &version, "station", &station, "lot", &lot, "part",
                           &part, "family", &family, "firmware_id", &firmware_id, "order_sha256",
                           &order, "image_sha256", &image, "quantity", &quantity, "opened", &opened,
                           "closed", &closed, "written", &written, "public_key", &key) < 0)
                return not_unpacked(&error);
        if ((order[0] && !is_hex(order)) || (image[0] && !is_hex(image)) || !is_hex(key) ||
            !hex_decode(key, facts->key.public_key, SIGN_KEY_LENGTH))
                return fault(FAULT_BAD_FILE, "a digest or the key is not 64 hexadecimal digits");
        r = take_text("the station", station, facts->station, sizeof(facts->station));
        if (r >= 0)
                r = take_text("the lot", lot, facts->lot, sizeof(facts->lot));
        if (r >= 0)
                r = take_text("the part", part, facts->part, sizeof(facts->part));
        if (r >= 0)
                r = take_text("the firmware id", firmware_id, facts->firmware_id,
                              sizeof(facts->firmware_id));
        if (r >= 0)
                r = take_text("a time", opened, facts->opened, sizeof(facts->opened));
        if (r >= 0)
                r = take_text("a time", closed, facts->closed, sizeof(facts->closed));
        if (r >= 0)
                r = take_text("a time", written, facts->written, sizeof(facts->written));
        if (r >= 0)
                r = take_count("the quantity", quantity, &facts->quantity);
        return r;
}

/* The card of that serial, new where it was not named before. */
static int find_card(struct check *check, const char *serial, struct seen_card **ret_card)
{
        struct seen_card *card = &check->cards[check->last_card];
        int r;

        if (check->card_count && strcmp(card->serial, serial) == 0) {
                *ret_card = card;
                return 0;
        }
        for (unsigned i = 0; i < check->card_count; i++)
                if (strcmp(check->cards[i].serial, serial) == 0) {
                        check->last_card = i;
                        *ret_card = &check->cards[i];
                        return 0;
                }
        if (check->card_count == RECEIPT_CARDS_MAX)
                return fault(FAULT_BAD_FILE, "more than %u cards are named", RECEIPT_CARDS_MAX);
        card = &check->cards[check->card_count];
        *card = (struct seen_card){ .low = UINT32_MAX, .first_named = check->facts.records };
        r = take_text("the card", serial, card->serial, sizeof(card->serial));
        if (r < 0)
                return r;
        check->last_card = check->card_count++;
        *ret_card = card;
        return 0;
}

struct license_fields {
        const char *state, *source, *type, *firmware_id, *digest, *card, *order;
        uint32_t count, counter;
        json_int_t id;
};

/* A license that a card has given away: the card counted down for it. */
static bool is_spent(const char *state)
{
        return strcmp(state, "intended") != 0 && strcmp(state, "cancelled") != 0;
}

static int take_spending(struct check *check, const struct license_fields *fields)
{
        bool is_card = strcmp(fields->source, "card") == 0;
        struct seen_card *card;
        int r;

        if (is_card != (fields->card[0] != '\0'))
                return fault(FAULT_BAD_VALUE, "its source is %.16s and its card \"%.16s\"",
                             fields->source, fields->card);
        if (!is_card)
                return 0;
        r = find_card(check, fields->card, &card);
        if (r < 0 || !is_spent(fields->state))
                return r;
        card->spent += fields->count;
        if (fields->counter < card->low)
                card->low = fields->counter;
        if (fields->counter > card->high)
                card->high = fields->counter;
        leave_mark(check, MARK_COUNTER, "%.16s %u", fields->card, fields->counter);
        return 0;
}

/* What was counted once must not be counted again. A lost one never reached the chip. */
static int take_license(struct check *check, const struct license_fields *fields, bool is_stock)
{
        struct ledger_balance *into = is_stock ? &check->stock : &check->facts.balance;
        uint32_t *cancelled = is_stock ? &check->ignored : &check->facts.cancelled;

        if (!receipt_count(into, cancelled, fields->state, fields->count))
                return fault(FAULT_BAD_VALUE, "\"%.20s\" is no state of a license", fields->state);
        if (is_stock != (strcmp(fields->order, check->facts.lot) != 0))
                return fault(FAULT_BAD_VALUE, "it is of order %.64s, the receipt is of %.64s",
                             fields->order, check->facts.lot);
        if (is_stock && strcmp(fields->state, "installed") != 0)
                return fault(FAULT_BAD_VALUE, "one from stock is %.20s, not installed",
                             fields->state);
        if (strlen(fields->type) > 4 || strlen(fields->firmware_id) > 32)
                return fault(FAULT_BAD_FILE, "its type or firmware id is longer than there are");
        leave_mark(check, MARK_LICENSE, "%lld", (long long)fields->id);
        if (is_spent(fields->state) && strcmp(fields->state, "lost") != 0)
                leave_mark(check, MARK_CHIP, "%s %s %s", fields->digest, fields->type,
                           fields->firmware_id);
        check->facts.stock += is_stock ? fields->count : 0;
        return take_spending(check, fields);
}

static int read_license(struct check *check, json_t *record, bool is_stock)
{
        const char *kind, *site, *asked, *stored, *offered, *settled, *reason;
        struct license_fields fields;
        json_int_t count, counter;
        json_error_t error;
        int r = enter(check, is_stock ? PART_STOCK : PART_LICENSES);

        if (r < 0)
                return r;
        if (json_unpack_ex(record, &error, JSON_STRICT,
                           "{s:s,s:I,s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:s}",
                           "record", &kind, "id", &fields.id, "state", &fields.state, "count",
                           &count, "source", &fields.source, "type", &fields.type, "firmware_id",
                           &fields.firmware_id, "certificate_sha256", &fields.digest, "card",
                           &fields.card, "counter", &counter, "order", &fields.order, "site", &site,
                           "asked", &asked, "stored", &stored, "offered", &offered, "settled",
                           &settled, "reason", &reason) < 0)
                return not_unpacked(&error);
        if (!is_hex(fields.digest))
                return fault(FAULT_BAD_FILE, "the digest of the certificate is not 64 hexadecimal "
                                             "digits");
        if (count != 1)
                return fault(FAULT_BAD_VALUE, "it counts %lld licenses, wanted 1",
                             (long long)count);
        fields.count = 1;
        r = take_count("the counter", counter, &fields.counter);
        return r < 0 ? r : take_license(check, &fields, is_stock);
}

static int read_global(struct check *check, json_t *record)
{
        const char *kind, *unit, *certificate, *site, *ended;
        json_int_t attempt;
        json_error_t error;
        int r = enter(check, PART_GLOBALS);

        if (r < 0)
                return r;
        if (json_unpack_ex(record, &error, JSON_STRICT, "{s:s,s:I,s:s,s:s,s:s,s:s}", "record",
                           &kind, "attempt", &attempt, "unit", &unit, "certificate", &certificate,
                           "site", &site, "ended", &ended) < 0)
                return not_unpacked(&error);
        leave_mark(check, MARK_GLOBAL, "%lld", (long long)attempt);
        check->facts.globals++;
        return 0;
}

/* It has counted down from `first` to `last`, and for each license here among others. */
static int check_counter(const struct seen_card *card, uint32_t maximum, uint32_t first,
                         uint32_t last)
{
        if (first > maximum || last > first)
                return fault(FAULT_BAD_VALUE,
                             "card %s of %u licenses went from %u to %u, which no card does",
                             card->serial, maximum, first, last);
        if (card->spent > first - last)
                return fault(FAULT_BAD_VALUE,
                             "card %s counted %u down, and %u licenses of this lot are from it",
                             card->serial, first - last, card->spent);
        if (card->spent && (card->high > first || card->low <= last))
                return fault(FAULT_BAD_VALUE,
                             "card %s went from %u to %u, and made a license at count %u",
                             card->serial, first, last,
                             card->high > first ? card->high : card->low);
        return 0;
}

static int read_card(struct check *check, json_t *record)
{
        const char *kind, *serial, *type, *firmware_id, *first_seen, *last_seen;
        json_int_t numbers[3];
        uint32_t maximum = 0, first = 0, last = 0;
        struct seen_card *card;
        json_error_t error;
        int r = enter(check, PART_CARDS);

        if (r < 0)
                return r;
        if (json_unpack_ex(record, &error, JSON_STRICT, "{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:s,s:s}",
                           "record", &kind, "serial", &serial, "type", &type, "firmware_id",
                           &firmware_id, "maximum", &numbers[0], "counter_first", &numbers[1],
                           "counter_last", &numbers[2], "first_seen", &first_seen, "last_seen",
                           &last_seen) < 0)
                return not_unpacked(&error);
        r = take_count("the maximum", numbers[0], &maximum);
        if (r >= 0)
                r = take_count("the first counter", numbers[1], &first);
        if (r >= 0)
                r = take_count("the last counter", numbers[2], &last);
        if (r >= 0)
                r = find_card(check, serial, &card);
        if (r < 0)
                return r;
        leave_mark(check, MARK_CARD, "%s", card->serial);
        card->has_record = true;
        check->facts.cards++;
        return check_counter(card, maximum, first, last);
}

/* --- the balance --------------------------------------------------------------------------- */

static int check_sums(struct check *check, json_t *record)
{
        const struct ledger_balance *balance = &check->facts.balance;
        const struct {
                const char *name;
                uint32_t counted;
        } sums[] = {
                { "installed", balance->installed },
                { "in_hand", balance->in_hand },
                { "lost", balance->lost },
                { "pending", balance->pending },
                { "cancelled", check->facts.cancelled },
                { "stock", check->facts.stock },
                { "global", check->facts.globals },
                { "issued", balance->issued },
        };

        for (size_t i = 0; i < LENGTH_OF(sums); i++) {
                json_int_t said = json_integer_value(json_object_get(record, sums[i].name));

                if (said != sums[i].counted)
                        return fault(FAULT_BAD_VALUE,
                                     "the balance says %s %lld, the records add up to %u",
                                     sums[i].name, (long long)said, sums[i].counted);
        }
        return 0;
}

static int check_cards(const struct check *check)
{
        for (unsigned i = 0; i < check->card_count; i++)
                if (!check->cards[i].has_record)
                        return fault(FAULT_BAD_VALUE,
                                     "card %s, named in record %u, has no record of its own",
                                     check->cards[i].serial, check->cards[i].first_named);
        return 0;
}

static int read_balance(struct check *check, json_t *record)
{
        struct receipt_facts *facts = &check->facts;
        json_int_t ignored, good;
        const char *kind, *ratio;
        json_error_t error;
        char wanted[16];
        int r = enter(check, PART_END);

        if (r < 0)
                return r;
        if (json_unpack_ex(
                    record, &error, JSON_STRICT, "{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}",
                    "record", &kind, "issued", &ignored, "installed", &ignored, "in_hand", &ignored,
                    "lost", &ignored, "pending", &ignored, "cancelled", &ignored, "stock", &ignored,
                    "global", &ignored, "good_units", &good, "licenses_per_good_unit", &ratio) < 0)
                return not_unpacked(&error);
        r = take_count("good units", good, &facts->good);
        if (r >= 0)
                r = check_sums(check, record);
        if (r >= 0)
                r = check_cards(check);
        if (r < 0)
                return r;
        receipt_ratio(facts->balance.issued, facts->good, wanted);
        if (strcmp(ratio, wanted) != 0)
                return fault(FAULT_BAD_VALUE,
                             "it says \"%.16s\" licenses per good unit, %u for %u are \"%s\"",
                             ratio, facts->balance.issued, facts->good, wanted);
        return 0;
}

/* --- lines --------------------------------------------------------------------------------- */

/* A record is one flat object. */
static bool is_deep(const char *json, size_t length)
{
        bool in_string = false;
        unsigned opened = 0;

        for (size_t i = 0; i < length; i++) {
                if (in_string && json[i] == '\\')
                        i++;
                else if (json[i] == '"')
                        in_string = !in_string;
                else if (!in_string && (json[i] == '{' || json[i] == '['))
                        opened++;
        }
        return opened > 1;
}

static int read_record(struct check *check, json_t *record)
{
        const char *kind = json_string_value(json_object_get(record, "record"));

        if (!kind)
                return fault(FAULT_BAD_FILE, "it does not say which record it is");
        if (check->part == PART_END)
                return fault(FAULT_BAD_FILE, "it stands behind the balance, which is the last");
        if ((strcmp(kind, "receipt") == 0) != (check->facts.records == 1))
                return fault(FAULT_BAD_FILE, "the first record, and no other, is that of a "
                                             "receipt");
        if (strcmp(kind, "receipt") == 0)
                return take_header(check, record);
        if (strcmp(kind, "license") == 0 || strcmp(kind, "stock") == 0)
                return read_license(check, record, kind[0] == 's');
        if (strcmp(kind, "global") == 0)
                return read_global(check, record);
        if (strcmp(kind, "card") == 0)
                return read_card(check, record);
        if (strcmp(kind, "balance") == 0)
                return read_balance(check, record);
        return fault(FAULT_BAD_FILE, "\"%.20s\" is no record of version %d", kind, RECEIPT_VERSION);
}

static int check_link(struct check *check, const char *line, size_t length)
{
        char hash[RECEIPT_HASH_TEXT];

        if (length < RECEIPT_HASH_TEXT + 1 || line[RECEIPT_HASH_TEXT - 1] != ' ')
                return fault(FAULT_BAD_TAG,
                             "the line does not open with 64 digits and a space: it was changed");
        receipt_link(check->previous, line + RECEIPT_HASH_TEXT, length - RECEIPT_HASH_TEXT, hash);
        if (memcmp(hash, line, RECEIPT_HASH_TEXT - 1) != 0)
                return fault(FAULT_BAD_TAG,
                             "its digits do not follow from it and the line before: this record "
                             "was changed, or one before it was taken away or put in");
        memcpy(check->previous, hash, sizeof(hash));
        return 0;
}

static int check_line(struct check *check, const char *line, size_t length)
{
        const char *json = line + RECEIPT_HASH_TEXT;
        json_error_t error;
        json_t *record;
        int r;

        if (++check->facts.records > RECEIPT_RECORDS_MAX || length > RECEIPT_LINE_MAX)
                return fault(FAULT_BAD_FILE, "more than %u records, or %u bytes in one",
                             RECEIPT_RECORDS_MAX, RECEIPT_LINE_MAX);
        r = check_link(check, line, length);
        if (r < 0)
                return r;
        if (is_deep(json, length - RECEIPT_HASH_TEXT))
                return fault(FAULT_BAD_FILE, "an object in an object, where there is none");
        record = json_loadb(json, length - RECEIPT_HASH_TEXT, JSON_REJECT_DUPLICATES, &error);
        if (!record)
                return fault(FAULT_BAD_FILE, "it is not JSON: %.100s", error.text);
        r = read_record(check, record);
        json_decref(record);
        return r;
}

/* `records` is the number of the present one from its first byte on. */
static int check_lines(struct check *check, const char *at, size_t length)
{
        const char *end = at + length;

        while (at < end) {
                const char *stop = memchr(at, '\n', (size_t)(end - at));
                int r;

                if (!stop) {
                        check->facts.records++;
                        return fault(FAULT_BAD_TAG, "the line does not end: the file was cut");
                }
                r = check_line(check, at, (size_t)(stop - at));
                if (r < 0)
                        return r;
                at = stop + 1;
        }
        if (check->part != PART_END)
                return fault(FAULT_BAD_TAG, "the balance is missing behind it: the file was cut");
        return check_marks(check);
}

int receipt_check(const void *text, size_t length, struct receipt_facts *ret_facts,
                  unsigned *ret_record)
{
        struct check check = { 0 };
        int r;

        *ret_record = 0;
        if (length > RECEIPT_FILE_MAX)
                return fault(FAULT_BAD_FILE, "it has %zu bytes, a receipt has %u at most", length,
                             RECEIPT_FILE_MAX);
        memset(check.previous, '0', RECEIPT_HASH_TEXT - 1);
        check.cards = calloc(RECEIPT_CARDS_MAX, sizeof(*check.cards));
        INSIST(check.cards);
        r = check_lines(&check, text, length);
        free(check.marks);
        free(check.cards);
        if (r < 0) {
                *ret_record = check.facts.records;
                return check.facts.records ? fault_prefix(r, "record %u", check.facts.records) : r;
        }
        *ret_facts = check.facts;
        return 0;
}
