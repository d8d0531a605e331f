/*
 * One order: a YAML document of known fields.
 *
 * The bytes are checked first (size, UTF-8, no control characters), then libyaml's events are read
 * in one straight pass: a mapping of fields, of which `image` and `license` are mappings themselves
 * and `modules` is a list of some. A form whose levels are known needs no tree, so nothing an order
 * can say makes us build one: whatever is deeper, anchored, tagged or repeated is refused where it
 * stands. Each field is a row of a table with the group it stands in, the function that reads it and
 * the words a refusal uses.
 *
 * What YAML would read as something else than it looks (077, 1_000, null) is refused rather than
 * guessed at. The first thing wrong is the one told.
 */
#include "station/order.h"

#include "crypto/digest.h"
#include "scheduler/bytes.h"
#include "station/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define REMEDY_UTF8  "save the order as UTF-8 text"
#define REMEDY_YAML  "write one field a line as name: value; see configs/orders/example.yaml"
#define REMEDY_PLAIN "write the value out in full where it is used"

/* What is read so far. */
struct form {
        yaml_parser_t parser;
        const char *directory;
        struct order *order;
        void *place; /* what the fields of the present group are parts of */
        struct order_error *error;
        unsigned *lines; /* of each field of the table; 0 not seen */
};

enum group { ORDER, IMAGE, LICENSE, MODULE };

/* A scalar. `shown` is what a sentence may quote of it. */
struct value {
        const char *text;
        bool is_plain;
        unsigned line;
        char shown[48];
};

struct field {
        const char *name;
        enum group in;    /* where it stands */
        enum group opens; /* ORDER: it is a value */
        bool is_list;     /* it opens a list of groups */
        bool is_optional;
        int (*read)(struct form *, const struct field *, const struct value *);
        size_t offset, capacity;               /* a text */
        bool (*is_good)(const char *, size_t); /* a text */
        uint32_t low, high;                    /* a number */
        const char *wanted;
};

int order_refuse(struct order_error *ret_error, enum fault code, unsigned line, const char *remedy,
                 const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(ret_error->sentence, sizeof(ret_error->sentence), format, arguments);
        va_end(arguments);
        snprintf(ret_error->code, sizeof(ret_error->code), "%s", fault_name(-(int)code));
        snprintf(ret_error->remedy, sizeof(ret_error->remedy), "%s", remedy);
        ret_error->line = line;
        return fault(code, "line %u: %s; %s", line, ret_error->sentence, ret_error->remedy);
}

/* --- one value ----------------------------------------------------------------------------- */

static int refuse_value(struct form *form, const struct field *field, const struct value *value)
{
        char remedy[160];

        snprintf(remedy, sizeof(remedy), "write %s", field->wanted);
        return order_refuse(form->error, FAULT_BAD_VALUE, value->line, remedy,
                            "%s is \"%s\", wanted %s", field->name, value->shown, field->wanted);
}

static int read_text(struct form *form, const struct field *field, const struct value *value)
{
        char *place = (char *)form->place + field->offset;

        if (!field->is_good(value->text, field->capacity))
                return refuse_value(form, field, value);
        strcpy(place, value->text);
        return 0;
}

/* Decimal digits without quotes, sign, leading zero or underscore. */
static int read_number(struct form *form, const struct field *field, const struct value *value)
{
        uint32_t *place = (uint32_t *)(void *)((char *)form->place + field->offset);
        size_t digits = strspn(value->text, "0123456789");
        uint32_t number = 0;

        if (!value->is_plain || value->text[digits] || digits > 9 ||
            (digits > 1 && value->text[0] == '0'))
                return refuse_value(form, field, value);
        for (const char *c = value->text; *c; c++)
                number = number * 10 + (uint32_t)(*c - '0');
        if (number < field->low || number > field->high)
                return refuse_value(form, field, value);
        *place = number;
        return 0;
}

static int read_erase(struct form *form, const struct field *field, const struct value *value)
{
        static const char *const names[] = { [ERASE_NEVER] = "never",
                                             [ERASE_INTERRUPTED] = "interrupted",
                                             [ERASE_ALWAYS] = "always" };

        for (unsigned i = 0; i < LENGTH_OF(names); i++)
                if (!strcmp(value->text, names[i])) {
                        form->order->erase = (enum erase_rule)i;
                        return 0;
                }
        return refuse_value(form, field, value);
}

static int read_source(struct form *form, const struct field *field, const struct value *value)
{
        static const enum license_source known[] = { LICENSE_FROM_CARD, LICENSE_FROM_SERVER,
                                                     LICENSE_FROM_FILE, LICENSE_GLOBAL };

        for (size_t i = 0; i < LENGTH_OF(known); i++)
                if (!strcmp(value->text, license_source_name(known[i]))) {
                        form->order->license.source = known[i];
                        return 0;
                }
        return refuse_value(form, field, value);
}

/* An install takes SFI or SFIA; a module SMU as well. SSP is for another kind of part. */
static int read_type(struct form *form, const struct field *field, const struct value *value)
{
        static const char *const known[] = { "SFI", "SFIA", "SMU" };
        size_t count = field->in == MODULE ? 3 : 2;

        for (size_t i = 0; i < count; i++)
                if (!strcmp(value->text, known[i])) {
                        strcpy((char *)form->place + field->offset, known[i]);
                        return 0;
                }
        return refuse_value(form, field, value);
}

/* An order may name what lies beside it or an absolute path; climbing out of the drop folder with
 * ".." would depend on where the folder happens to be. */
static int read_file(struct form *form, const struct field *field, const struct value *value)
{
        char *place = (char *)form->place + field->offset;

        if (!text_is_label(value->text, field->capacity) ||
            value->text[strlen(value->text) - 1] == '/')
                return refuse_value(form, field, value);
        if (text_climbs(value->text))
                return order_refuse(form->error, FAULT_BAD_VALUE, value->line,
                                    "put the file beside the order, or write its absolute path",
                                    "file is \"%s\", and \"..\" is not followed", value->shown);
        if (!text_resolve(form->directory, value->text, place, field->capacity))
                return order_refuse(form->error, FAULT_BAD_VALUE, value->line, "use a shorter path",
                                    "file \"%s\" makes a path longer than %zu characters",
                                    value->shown, field->capacity - 1);
        if (field->in == IMAGE)
                form->order->file_line = value->line;
        if (place == form->order->external_loader)
                form->order->loader_line = value->line;
        if (place == form->order->module_list)
                form->order->list_line = value->line;
        return 0;
}

static int read_digest(struct form *form, const struct field *field, const struct value *value)
{
        if (!hex_decode(value->text, form->order->image_digest, DIGEST_LENGTH))
                return refuse_value(form, field, value);
        form->order->digest_line = value->line;
        return 0;
}

static int read_family(struct form *form, const struct field *field, const struct value *value)
{
        form->order->family_line = value->line;
        return read_text(form, field, value);
}

/* `count` digits as a number between `low` and `high`, else -1. */
static int digits_between(const char *text, int count, int low, int high)
{
        int number = 0;

        for (int i = 0; i < count; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return -1;
                number = number * 10 + (text[i] - '0');
        }
        return number < low || number > high ? -1 : number;
}

static int days_of(int year, int month)
{
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month - 1] + (month == 2 && is_leap);
}

/* 2026-12-01 or 2026-12-01T14:00:00Z (ISO 8601, factory.md drop folder point 6). */
static bool is_date(const char *text, size_t capacity)
{
        int year, month;

        (void)capacity;
        if ((strlen(text) != 10 && strlen(text) != 20) || text[4] != '-' || text[7] != '-')
                return false;
        year = digits_between(text, 4, 2000, 9999);
        month = digits_between(text + 5, 2, 1, 12);
        if (year < 0 || month < 0 || digits_between(text + 8, 2, 1, days_of(year, month)) < 0)
                return false;
        if (!text[10])
                return true;
        return text[10] == 'T' && digits_between(text + 11, 2, 0, 23) >= 0 && text[13] == ':' &&
               digits_between(text + 14, 2, 0, 59) >= 0 && text[16] == ':' &&
               digits_between(text + 17, 2, 0, 59) >= 0 && text[19] == 'Z';
}

/* --- the fields ---------------------------------------------------------------------------- */

#define PART(whole, member)                                                                        \
        .offset = offsetof(whole, member), .capacity = sizeof(((whole *)0)->member)
#define TEXT(member) PART(struct order, member)

static const struct field fields[] = {
        { "order", .read = read_text, TEXT(id), .is_good = text_is_name,
          .wanted = "1 to 63 of A-Z a-z 0-9 . _ -, not opening with a dot" },
        { "part", .read = read_text, TEXT(part), .is_good = text_is_label,
          .wanted = "a part number of at most 31 characters" },
        { "family", .read = read_family, TEXT(family), .is_good = text_is_name,
          .wanted = "a family name of at most 23 characters, such as STM32H75x" },
        { "quantity", .read = read_number, TEXT(quantity), .low = 1, .high = 1000000,
          .wanted = "a whole number from 1 to 1000000, without quotes" },
        { "image", .opens = IMAGE, .wanted = "the fields file and sha256, indented below image:" },
        { "file", .in = IMAGE, .read = read_file, TEXT(image_file),
          .wanted = "a file name of at most 511 characters" },
        { "sha256", .in = IMAGE, .read = read_digest,
          .wanted = "64 hexadecimal digits, as sha256sum prints them" },
        { "firmware_id", .read = read_text, TEXT(firmware_id), .is_good = text_is_ascii,
          .wanted = "the card's firmware identifier, at most 32 ASCII characters" },
        { "license", .opens = LICENSE, .is_optional = true,
          .wanted = "the fields source, type and file, indented below license:" },
        { "source", .in = LICENSE, .read = read_source, .wanted = "card, server, file or global" },
        { "type", .in = LICENSE, .is_optional = true, .read = read_type, TEXT(license.type),
          .wanted = "SFI or SFIA" },
        { "file", .in = LICENSE, .is_optional = true, .read = read_file, TEXT(license.file),
          .wanted = "a file name of at most 511 characters" },
        { "modules", .opens = MODULE, .is_list = true, .is_optional = true,
          .wanted = "a list of firmware_id and type, a dash before each firmware_id" },
        { "firmware_id", .in = MODULE, .read = read_text, PART(struct order_module, firmware_id),
          .is_good = text_is_ascii,
          .wanted = "the firmware identifier of the module's cards, at most 32 ASCII characters" },
        { "type", .in = MODULE, .read = read_type, PART(struct order_module, type),
          .wanted = "SMU, SFI or SFIA" },
        { "module_list", .is_optional = true, .read = read_file, TEXT(module_list),
          .wanted = "a file name of at most 511 characters" },
        { "external_loader", .is_optional = true, .read = read_file, TEXT(external_loader),
          .wanted = "a file name of at most 511 characters" },
        { "retries", .is_optional = true, .read = read_number, TEXT(retries), .low = 0, .high = 5,
          .wanted = "a whole number from 0 to 5, without quotes" },
        { "erase", .is_optional = true, .read = read_erase,
          .wanted = "never, interrupted or always" },
        { "due", .is_optional = true, .read = read_text, TEXT(due), .is_good = is_date,
          .wanted = "a date such as 2026-12-01 or 2026-12-01T14:00:00Z" },
        { "operator", .is_optional = true, .read = read_text, TEXT(operator_name),
          .is_good = text_is_label, .wanted = "at most 63 characters on one line" },
};
_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "read_number writes both");

static const char *const group_names[] = {
        [ORDER] = "the order", [IMAGE] = "image", [LICENSE] = "license", [MODULE] = "modules"
};

/* The field called `name`; -1 when there is none. */
static int field_find(const char *name, enum group in)
{
        for (size_t i = 0; i < LENGTH_OF(fields); i++)
                if (fields[i].in == in && !strcmp(fields[i].name, name))
                        return (int)i;
        return -1;
}

/* " in image"; nothing for the order itself. */
static const char *where(enum group in)
{
        static char text[32];

        snprintf(text, sizeof(text), "%s%s", in == ORDER ? "" : " in ",
                 in == ORDER ? "" : group_names[in]);
        return text;
}

static int refuse_unknown(struct form *form, const struct value *name, enum group in)
{
        const char *nearest =
                text_nearest(name->text, &fields->name, sizeof(*fields), LENGTH_OF(fields));
        char remedy[160] = "remove it; configs/orders/example.yaml names all fields";

        if (nearest && field_find(nearest, in) >= 0)
                snprintf(remedy, sizeof(remedy), "did you mean %s?", nearest);
        else if (nearest && field_find(nearest, ORDER) >= 0)
                snprintf(remedy, sizeof(remedy), "%s belongs outside of %s", nearest,
                         group_names[in]);
        else
                for (size_t i = 0; nearest && i < LENGTH_OF(fields); i++)
                        if (!strcmp(fields[i].name, nearest))
                                snprintf(remedy, sizeof(remedy), "%s belongs below %s", nearest,
                                         group_names[fields[i].in]);
        return order_refuse(form->error, FAULT_BAD_VALUE, name->line, remedy,
                            "there is no field \"%s\"%s", name->shown, where(in));
}

/* --- the events ---------------------------------------------------------------------------- */

static unsigned event_line(const yaml_event_t *event)
{
        return (unsigned)event->start_mark.line + 1;
}

/* The next event; the caller deletes it in every case. */
static int next(struct form *form, yaml_event_t *ret_event)
{
        const yaml_parser_t *parser = &form->parser;

        memset(ret_event, 0, sizeof(*ret_event));
        if (yaml_parser_parse(&form->parser, ret_event))
                return 0;
        memset(ret_event, 0, sizeof(*ret_event));
        return order_refuse(form->error, FAULT_BAD_FILE, (unsigned)parser->problem_mark.line + 1,
                            REMEDY_YAML, "it is not YAML: %s%s%s",
                            parser->context ? parser->context : "", parser->context ? ", " : "",
                            parser->problem ? parser->problem : "unreadable");
}

/* Anchors, aliases and tags make a reader look elsewhere for what a line says. */
static int check_plainness(struct form *form, const yaml_event_t *event)
{
        const yaml_char_t *anchor = NULL, *tag = NULL;

        if (event->type == YAML_SCALAR_EVENT) {
                anchor = event->data.scalar.anchor;
                tag = event->data.scalar.tag;
        } else if (event->type == YAML_MAPPING_START_EVENT) {
                anchor = event->data.mapping_start.anchor;
                tag = event->data.mapping_start.tag;
        } else if (event->type == YAML_SEQUENCE_START_EVENT) {
                anchor = event->data.sequence_start.anchor;
                tag = event->data.sequence_start.tag;
        } else if (event->type == YAML_ALIAS_EVENT) {
                anchor = event->data.alias.anchor;
        }
        if (anchor)
                return order_refuse(form->error, FAULT_BAD_VALUE, event_line(event), REMEDY_PLAIN,
                                    "anchors and aliases (& and *) are not read");
        if (tag)
                return order_refuse(form->error, FAULT_BAD_VALUE, event_line(event), REMEDY_PLAIN,
                                    "tags (!) are not read");
        return 0;
}

/* Take the scalar out of an event; escapes in quotes may have brought in what the bytes had not. */
static int value_take(struct form *form, const yaml_event_t *event, struct value *ret_value)
{
        const char *text = (const char *)event->data.scalar.value;
        size_t length = event->data.scalar.length, shown = length;

        ret_value->line = event_line(event);
        ret_value->text = text;
        ret_value->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (text_clean(text, length) < length || strpbrk(text, "\t\r\n"))
                return order_refuse(form->error, FAULT_BAD_VALUE, ret_value->line,
                                    "write it as one line of plain text",
                                    "a value holds a control character or a line break");
        if (shown >= sizeof(ret_value->shown))
                shown = text_clean(text, sizeof(ret_value->shown) - 1);
        memcpy(ret_value->shown, text, shown);
        ret_value->shown[shown] = '\0';
        return 0;
}

/* The value of `field` must be one scalar that says something. */
static int read_scalar(struct form *form, const struct field *field, const yaml_event_t *event)
{
        struct value value;
        int r;

        if (event->type != YAML_SCALAR_EVENT)
                return order_refuse(
                        form->error, FAULT_BAD_VALUE, event_line(event),
                        "write one value behind the colon", "%s is a %s, wanted %s", field->name,
                        event->type == YAML_SEQUENCE_START_EVENT ? "list" : "group of fields",
                        field->wanted);
        r = value_take(form, event, &value);
        if (r < 0)
                return r;
        if (!value.text[0] ||
            (value.is_plain && (!strcmp(value.text, "~") || !strcasecmp(value.text, "null"))))
                return order_refuse(form->error, FAULT_BAD_VALUE, value.line,
                                    field->is_optional ? "give a value, or remove the line"
                                                       : "give a value behind the colon",
                                    "%s has no value, wanted %s", field->name, field->wanted);
        return field->read(form, field, &value);
}

static int read_fields(struct form *form, enum group in, unsigned line);

static int refuse_kind(struct form *form, const struct field *field, const yaml_event_t *event)
{
        char remedy[160];

        snprintf(remedy, sizeof(remedy), "write %s", field->wanted);
        return order_refuse(form->error, FAULT_BAD_VALUE, event_line(event), remedy,
                            "%s is not a %s, wanted %s", field->name,
                            field->is_list ? "list" : "group of fields", field->wanted);
}

static int read_module(struct form *form, const yaml_event_t *event)
{
        struct order *order = form->order;
        struct order_module *module;
        int r;

        if (event->type != YAML_MAPPING_START_EVENT)
                return order_refuse(form->error, FAULT_BAD_VALUE, event_line(event),
                                    "write firmware_id: and type: behind each dash",
                                    "an entry of modules is not a group of fields");
        if (order->module_count == ORDER_MODULES_MAX)
                return order_refuse(form->error, FAULT_BAD_VALUE, event_line(event),
                                    "put modules together", "there are more than %u modules",
                                    ORDER_MODULES_MAX);
        module = &order->modules[order->module_count];
        module->line = event_line(event);
        for (size_t i = 0; i < LENGTH_OF(fields); i++)
                if (fields[i].in == MODULE)
                        form->lines[i] = 0;
        form->place = module;
        r = read_fields(form, MODULE, module->line);
        form->place = order;
        order->module_count += r >= 0;
        return r;
}

static int read_modules(struct form *form, unsigned line)
{
        for (;;) {
                CLEANUP(yaml_event_delete) yaml_event_t event;
                int r;

                r = next(form, &event);
                if (r >= 0)
                        r = check_plainness(form, &event);
                if (r >= 0 && event.type != YAML_SEQUENCE_END_EVENT)
                        r = read_module(form, &event);
                if (r < 0)
                        return r;
                if (event.type != YAML_SEQUENCE_END_EVENT)
                        continue;
                if (form->order->module_count)
                        return 0;
                return order_refuse(form->error, FAULT_BAD_VALUE, line, "remove the line",
                                    "the list of modules is empty");
        }
}

static int read_value(struct form *form, const struct field *field)
{
        CLEANUP(yaml_event_delete) yaml_event_t event;
        int r;

        r = next(form, &event);
        if (r >= 0)
                r = check_plainness(form, &event);
        if (r < 0)
                return r;
        if (field->read)
                return read_scalar(form, field, &event);
        if (event.type != (field->is_list ? YAML_SEQUENCE_START_EVENT : YAML_MAPPING_START_EVENT))
                return refuse_kind(form, field, &event);
        if (field->is_list)
                return read_modules(form, event_line(&event));
        if (field->opens == LICENSE)
                form->order->license.line = event_line(&event);
        return read_fields(form, field->opens, event_line(&event));
}

/* The name of a field, new to this order: its place in the table. */
static int read_name(struct form *form, const yaml_event_t *event, enum group in)
{
        struct value name;
        int r, place;

        r = check_plainness(form, event);
        if (r < 0)
                return r;
        if (event->type != YAML_SCALAR_EVENT)
                return order_refuse(form->error, FAULT_BAD_VALUE, event_line(event), REMEDY_YAML,
                                    "the name of a field is not a word");
        r = value_take(form, event, &name);
        if (r < 0)
                return r;
        place = field_find(name.text, in);
        if (place < 0)
                return refuse_unknown(form, &name, in);
        if (form->lines[place])
                return order_refuse(form->error, FAULT_BAD_VALUE, name.line,
                                    "remove one of the two", "%s is given twice, first in line %u",
                                    name.shown, form->lines[place]);
        form->lines[place] = name.line;
        return place;
}

static int check_missing(struct form *form, enum group in, unsigned line)
{
        char remedy[160];

        for (size_t i = 0; i < LENGTH_OF(fields); i++) {
                const struct field *field = &fields[i];

                if (field->in != in || field->is_optional || form->lines[i])
                        continue;
                snprintf(remedy, sizeof(remedy), "add %s: with %s", field->name, field->wanted);
                return order_refuse(form->error, FAULT_BAD_VALUE, line, remedy,
                                    "the field %s is missing%s", field->name, where(in));
        }
        return 0;
}

/* The fields of one mapping, which opened in `line`, to its end. At most two deep. */
static int read_fields(struct form *form, enum group in, unsigned line)
{
        for (;;) {
                CLEANUP(yaml_event_delete) yaml_event_t event;
                int r;

                r = next(form, &event);
                if (r < 0)
                        return r;
                if (event.type == YAML_MAPPING_END_EVENT)
                        return check_missing(form, in, line);
                r = read_name(form, &event, in);
                if (r >= 0)
                        r = read_value(form, &fields[r]);
                if (r < 0)
                        return r;
        }
}

/* The next event must be `wanted`; `sentence` and `remedy` say what it means when it is not. */
static int expect(struct form *form, yaml_event_type_t wanted, const char *sentence,
                  const char *remedy, unsigned *ret_line)
{
        CLEANUP(yaml_event_delete) yaml_event_t event;
        int r;

        r = next(form, &event);
        if (r >= 0)
                r = check_plainness(form, &event);
        if (r < 0)
                return r;
        *ret_line = event_line(&event);
        if (event.type != wanted)
                return order_refuse(form->error, FAULT_BAD_VALUE, *ret_line, remedy, "%s",
                                    sentence);
        if (wanted == YAML_DOCUMENT_START_EVENT &&
            (event.data.document_start.version_directive ||
             event.data.document_start.tag_directives.start !=
                     event.data.document_start.tag_directives.end))
                return order_refuse(form->error, FAULT_BAD_VALUE, *ret_line,
                                    "remove the lines that open with %", "directives are not read");
        return 0;
}

static int read_document(struct form *form)
{
        unsigned line;
        int r;

        r = expect(form, YAML_STREAM_START_EVENT, "it does not open as a text", REMEDY_UTF8, &line);
        if (r >= 0)
                r = expect(form, YAML_DOCUMENT_START_EVENT, "the order is empty", REMEDY_YAML,
                           &line);
        if (r >= 0)
                r = expect(form, YAML_MAPPING_START_EVENT,
                           "the order is not a list of fields, name: value", REMEDY_YAML, &line);
        if (r >= 0)
                r = read_fields(form, ORDER, line);
        if (r >= 0)
                r = expect(form, YAML_DOCUMENT_END_EVENT, "the order does not end after its fields",
                           REMEDY_YAML, &line);
        if (r >= 0)
                r = expect(form, YAML_STREAM_END_EVENT, "there is a second document in the file",
                           "write each order into a file of its own", &line);
        return r;
}

/* --- what belongs together ------------------------------------------------------------------- */

static int check_license(struct form *form)
{
        const struct order_license *license = &form->order->license;

        if (license->source == LICENSE_GLOBAL && !license->file[0])
                return order_refuse(form->error, FAULT_BAD_VALUE, license->line,
                                    "add file: with the name of the global license",
                                    "the source of the license is global and no file is named");
        if (license->source != LICENSE_GLOBAL && license->file[0])
                return order_refuse(form->error, FAULT_BAD_VALUE, license->line,
                                    "remove file:, or write source: global",
                                    "a file is named and the source of the license is %s",
                                    license_source_name(license->source));
        return 0;
}

/* The books know a license by chip, identifier and type: two of one kind would be one. */
static int check_modules(struct form *form)
{
        const struct order *order = form->order;

        for (unsigned i = 0; i < order->module_count; i++) {
                const struct order_module *module = &order->modules[i];
                bool is_twice = order->license.source != LICENSE_GLOBAL &&
                                !strcmp(module->firmware_id, order->firmware_id) &&
                                !strcmp(module->type, order->license.type);

                for (unsigned j = 0; j < i && !is_twice; j++)
                        is_twice = !strcmp(module->firmware_id, order->modules[j].firmware_id) &&
                                   !strcmp(module->type, order->modules[j].type);
                if (is_twice)
                        return order_refuse(form->error, FAULT_BAD_VALUE, module->line,
                                            "give each module an identifier and type of its own",
                                            "two licenses are for %s and of type %s",
                                            module->firmware_id, module->type);
        }
        return 0;
}

/* --- the whole ----------------------------------------------------------------------------- */

static int check_bytes(const char *text, size_t length, struct order_error *ret_error)
{
        size_t clean;

        if (length > ORDER_FILE_MAX)
                return order_refuse(ret_error, FAULT_TOO_LARGE, text_line(text, ORDER_FILE_MAX),
                                    "an order is a short form; put nothing else into it",
                                    "the order is longer than %u bytes", ORDER_FILE_MAX);
        clean = text_clean(text, length);
        if (clean < length)
                return order_refuse(ret_error, FAULT_BAD_FILE, text_line(text, clean), REMEDY_UTF8,
                                    "byte 0x%02X at offset %zu is not text", (uint8_t)text[clean],
                                    clean);
        return 0;
}

int order_parse(const void *text, size_t length, const char *directory, struct order *ret_order,
                struct order_error *ret_error)
{
        struct order order = { .retries = 1,
                               .erase = ERASE_INTERRUPTED,
                               .license = { LICENSE_FROM_CARD, "SFI", "", 0 } };
        struct order_error error = { .code = "" };
        unsigned lines[LENGTH_OF(fields)] = { 0 };
        struct form form = { .directory = directory,
                             .order = &order,
                             .place = &order,
                             .error = &error,
                             .lines = lines };
        int r;

        r = check_bytes(text, length, &error);
        if (r >= 0) {
                INSIST(yaml_parser_initialize(&form.parser));
                yaml_parser_set_input_string(&form.parser, length ? text : "", length);
                r = read_document(&form);
                yaml_parser_delete(&form.parser);
                if (r >= 0)
                        r = check_license(&form);
                if (r >= 0)
                        r = check_modules(&form);
        }
        if (r < 0) {
                *ret_error = error;
                return r;
        }
        digest_sha256(text, length, order.digest);
        *ret_order = order;
        return 0;
}
