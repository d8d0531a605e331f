/*
 * card_profile.c - configs/cards/NAME.conf (libconfig): how to speak to one kind of card.
 *
 * The top of the file, then command by command: each exchange's template, the length of its answer,
 * its fields and statuses. Last, what must hold over all of it: every fact that a station works
 * with is told once, every value a card needs is sent, and no status promises what a profile cannot
 * know.
 */
#include "drivers/card_rules.h"

#include "scheduler/bytes.h"

#include <stdlib.h>

#define TIMEOUT_MS_MIN 100
#define TIMEOUT_MS_MAX 600000
#define ANSWER_MAX     256
#define MEANS(meaning) (1u << (meaning))

static const char *const command_names[CARD_COMMANDS] = { "SELECT", "INFO", "LICENSE",
                                                          "PERSONALIZE" };
static const char *const command_keys[CARD_COMMANDS] = { "select", "info", "license",
                                                         "personalize" };

/* What a status may mean; good, refused and dead everywhere. */
#define ANYWHERE (MEANS(STATUS_GOOD) | MEANS(STATUS_REFUSED) | MEANS(STATUS_DEAD))
static const unsigned command_meanings[CARD_COMMANDS] = {
        [CARD_SELECT] = ANYWHERE,
        [CARD_INFO] = ANYWHERE | MEANS(STATUS_BLANK),
        [CARD_LICENSE] = ANYWHERE | MEANS(STATUS_EMPTY) | MEANS(STATUS_STATE),
        [CARD_PERSONALIZE] = ANYWHERE | MEANS(STATUS_STATE),
};

const char *card_command_name(enum card_command command)
{
        INSIST((unsigned)command < CARD_COMMANDS);
        return command_names[command];
}

/* --- one exchange -------------------------------------------------------------------------- */

struct exchange_row {
        char command[640];
        uint32_t timeout_ms;
        unsigned otherwise;
};

static const char *const otherwise_names[] = { "dead", "refused", NULL };

static const struct form_field exchange_keys[] = {
        { .key = "command",
          .kind = FORM_TEXT,
          .offset = offsetof(struct exchange_row, command),
          .capacity = sizeof(((struct exchange_row *)0)->command) },
        { .key = "length", .kind = FORM_OWN, .is_optional = true },
        { .key = "timeout_ms",
          .kind = FORM_U32,
          .offset = offsetof(struct exchange_row, timeout_ms),
          .low = TIMEOUT_MS_MIN,
          .high = TIMEOUT_MS_MAX,
          .is_optional = true },
        { .key = "fields", .kind = FORM_OWN, .is_optional = true },
        { .key = "status", .kind = FORM_OWN, .is_optional = true },
        { .key = "otherwise",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct exchange_row, otherwise),
          .choices = otherwise_names,
          .is_optional = true },
};

/* length = 54, or [ 1, 32 ] */
static int read_length(const struct form *form, config_setting_t *setting,
                       struct card_exchange *exchange)
{
        uint32_t least, most;
        int r;

        if (!setting)
                return 0;
        if (!config_setting_is_array(setting)) {
                r = form_number(form, setting, "length", &least);
                most = least;
        } else if (config_setting_length(setting) != 2) {
                return form_fault(form, setting, "length is a number or [ least, most ]");
        } else {
                r = form_number(form, config_setting_get_elem(setting, 0), "length", &least);
                if (r >= 0)
                        r = form_number(form, config_setting_get_elem(setting, 1), "length", &most);
        }
        if (r < 0)
                return r;
        if (most > ANSWER_MAX || least > most)
                return form_fault(form, setting, "length is %u to %u, allowed is 0 to %d, in order",
                                  least, most, ANSWER_MAX);
        exchange->length_least = (uint16_t)least;
        exchange->length_most = (uint16_t)most;
        return 0;
}

/* Without Le no answer is expected, and with it none that is longer (ISO/IEC 7816-4, 5.1). */
static int check_le(const struct form *form, config_setting_t *group,
                    const struct card_exchange *exchange)
{
        const struct card_template *template = &exchange->template;
        unsigned most = !template->has_le ? 0 : template->le ? template->le : ANSWER_MAX;

        if (exchange->length_least <= most)
                return 0;
        return form_fault(form, config_setting_get_member(group, "length"),
                          "length is %u or more, but the command asks for %u (le)",
                          exchange->length_least, most);
}

static bool has_good(const struct card_status *statuses, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (statuses[i].meaning == STATUS_GOOD)
                        return true;
        return false;
}

static int read_statuses(const struct form *form, config_setting_t *group,
                         enum card_command command, const struct card_profile *profile,
                         struct card_exchange *exchange)
{
        config_setting_t *list = config_setting_get_member(group, "status");
        size_t count = 0;
        int r = 0;

        if (list)
                r = card_statuses_read(form, list, command_meanings[command], exchange->statuses,
                                       &count);
        exchange->status_count = (uint8_t)count;
        if (r >= 0 && !has_good(exchange->statuses, count) &&
            !has_good(profile->statuses, profile->status_count))
                r = form_fault(form, group,
                               "no status means \"good\", here or in the table for all");
        return r;
}

static int read_otherwise(const struct form *form, config_setting_t *group,
                          enum card_command command, const struct exchange_row *row,
                          struct card_exchange *exchange)
{
        bool is_refused = row->otherwise == 1;

        if (is_refused && (command == CARD_LICENSE || command == CARD_PERSONALIZE))
                return form_fault(form, group,
                                  "otherwise = \"refused\" would promise that an unknown status of "
                                  "%s changed nothing",
                                  command_keys[command]);
        exchange->otherwise = is_refused ? STATUS_REFUSED : STATUS_DEAD;
        return 0;
}

static size_t data_length(const struct card_profile *profile, const struct card_template *template)
{
        size_t length = 0;

        for (unsigned i = 0; i < template->part_count; i++) {
                const struct card_part *part = &template->parts[i];

                length += part->value == VALUE_LITERAL
                                  ? part->length
                                  : card_value_length(profile, (enum card_value)part->value);
        }
        return length;
}

static int read_template(const struct form *form, config_setting_t *group,
                         enum card_command command, const struct card_profile *profile,
                         const char *text, struct card_template *template)
{
        config_setting_t *setting = config_setting_get_member(group, "command");
        int r = card_template_parse(form, setting, text, command, template);
        size_t length;

        if (r < 0)
                return r;
        for (unsigned i = 0; i < template->part_count; i++)
                if (template->parts[i].value == VALUE_AID && profile->aid_length == 0)
                        return form_fault(form, setting, "{aid} is sent, but there is no `aid`");
        length = data_length(profile, template);
        if (length > 255)
                return form_fault(form, setting,
                                  "the command has %zu bytes of data, a short one carries 255",
                                  length);
        return 0;
}

static int read_exchange(const struct form *form, config_setting_t *group,
                         enum card_command command, struct card_profile *profile,
                         struct card_exchange *exchange)
{
        struct exchange_row row = { .timeout_ms = profile->timeout_ms };
        config_setting_t *fields;
        int r = form_read(form, group, exchange_keys, LENGTH_OF(exchange_keys), &row);

        if (r < 0)
                return r;
        exchange->timeout_ms = row.timeout_ms;
        r = read_template(form, group, command, profile, row.command, &exchange->template);
        if (r >= 0)
                r = read_length(form, config_setting_get_member(group, "length"), exchange);
        if (r >= 0)
                r = check_le(form, group, exchange);
        fields = config_setting_get_member(group, "fields");
        if (r >= 0 && fields)
                r = card_fields_read(form, fields, command, exchange);
        if (r >= 0)
                r = read_statuses(form, group, command, profile, exchange);
        return r < 0 ? r : read_otherwise(form, group, command, &row, exchange);
}

/* --- one command --------------------------------------------------------------------------- */

static const struct card_exchange *exchange_of(const struct card_profile *profile,
                                               enum card_command command, unsigned number)
{
        return &profile->exchanges[profile->commands[command].first + number];
}

/* How often a fact is told by a command, and in which exchange last. */
static unsigned count_fact(const struct card_profile *profile, enum card_command command,
                           enum card_fact fact, const struct card_exchange **ret_exchange)
{
        unsigned count = 0;

        for (unsigned i = 0; i < profile->commands[command].count; i++) {
                const struct card_exchange *exchange = exchange_of(profile, command, i);

                for (unsigned k = 0; k < exchange->field_count; k++) {
                        if (exchange->fields[k].fact != fact)
                                continue;
                        *ret_exchange = exchange;
                        count++;
                }
        }
        return count;
}

static bool may_be_blank(const struct card_exchange *exchange)
{
        for (unsigned i = 0; i < exchange->status_count; i++)
                if (exchange->statuses[i].meaning == STATUS_BLANK)
                        return true;
        return false;
}

static bool is_of_a_blank_card(enum card_fact fact)
{
        return fact == FACT_STATE || fact == FACT_VERSION || fact == FACT_TYPE ||
               fact == FACT_SERIAL;
}

static int check_facts(const struct form *form, config_setting_t *setting,
                       const struct card_profile *profile, enum card_command command)
{
        enum card_fact first = command == CARD_LICENSE ? FACT_LICENSE : FACT_STATE;
        enum card_fact last = command == CARD_LICENSE ? FACT_LICENSE : FACT_SERIAL;

        if (command != CARD_INFO && command != CARD_LICENSE)
                return 0;
        for (enum card_fact fact = first; fact <= last; fact++) {
                const struct card_exchange *from = NULL;
                unsigned count = count_fact(profile, command, fact, &from);

                if (count > 1)
                        return form_fault(form, setting, "%s comes %u times, once is enough",
                                          card_fact_name(fact), count);
                if (count == 0 && fact != FACT_MAXIMUM)
                        return form_fault(form, setting, "no field is the %s; it is needed",
                                          card_fact_name(fact));
                if (from && may_be_blank(from) && is_of_a_blank_card(fact))
                        return form_fault(form, setting,
                                          "a status means \"blank\" where the %s is told, which a "
                                          "blank card has too",
                                          card_fact_name(fact));
        }
        return 0;
}

static unsigned count_value(const struct card_profile *profile, enum card_command command,
                            enum card_value value)
{
        unsigned count = 0;

        for (unsigned i = 0; i < profile->commands[command].count; i++) {
                const struct card_template *template = &exchange_of(profile, command, i)->template;

                for (unsigned k = 0; k < template->part_count; k++)
                        count += template->parts[k].value == value;
        }
        return count;
}

static int check_value(const struct form *form, config_setting_t *setting,
                       const struct card_profile *profile, enum card_command command,
                       enum card_value value)
{
        unsigned count = count_value(profile, command, value);

        if (count == 1)
                return 0;
        return form_fault(form, setting, "{%s} is sent %u times, a card needs it once",
                          card_value_name(value), count);
}

bool card_profile_has_personalization(const struct card_profile *profile)
{
        return count_value(profile, CARD_PERSONALIZE, VALUE_PRODUCT_ID) > 0;
}

static int check_personalization(const struct form *form, config_setting_t *setting,
                                 const struct card_profile *profile)
{
        bool has_any = false;
        int r = 0;

        for (enum card_value value = VALUE_PRODUCT_ID; value <= VALUE_SECURITY_VERSION; value++) {
                unsigned count = count_value(profile, CARD_PERSONALIZE, value);

                has_any |= count > 0;
                if (count > 1)
                        return check_value(form, setting, profile, CARD_PERSONALIZE, value);
        }
        if (has_any)
                r = check_value(form, setting, profile, CARD_PERSONALIZE, VALUE_PRODUCT_ID);
        return r;
}

static int check_values(const struct form *form, config_setting_t *setting,
                        const struct card_profile *profile, enum card_command command)
{
        static const enum card_value needed[] = { VALUE_KEY, VALUE_MAXIMUM, VALUE_FIRMWARE_ID };
        int r = 0;

        if (command == CARD_LICENSE)
                return check_value(form, setting, profile, command, VALUE_CERTIFICATE);
        if (command != CARD_PERSONALIZE)
                return 0;
        for (unsigned i = 0; i < LENGTH_OF(needed) && r >= 0; i++)
                r = check_value(form, setting, profile, command, needed[i]);
        if (r >= 0 &&
            count_value(profile, command, VALUE_IV) + count_value(profile, command, VALUE_NONCE) !=
                    1)
                r = form_fault(form, setting, "a card needs one of {iv} and {nonce}, once");
        return r < 0 ? r : check_personalization(form, setting, profile);
}

/* One exchange { ... }, or a list of them. */
static int read_exchanges(const struct form *form, config_setting_t *setting,
                          enum card_command command, struct card_profile *profile,
                          unsigned *ret_used)
{
        bool is_list = config_setting_is_list(setting);
        unsigned count = is_list ? (unsigned)config_setting_length(setting) : 1;
        int r = 0;

        if (count < 1 || count > CARD_COMMAND_MAX || *ret_used + count > CARD_EXCHANGES_MAX)
                return form_fault(form, setting,
                                  "%s has %u exchanges; a command has 1 to %u, all together %u",
                                  command_keys[command], count, CARD_COMMAND_MAX,
                                  CARD_EXCHANGES_MAX);
        profile->commands[command].first = (uint8_t)*ret_used;
        for (unsigned i = 0; i < count && r >= 0; i++) {
                config_setting_t *group = is_list ? config_setting_get_elem(setting, i) : setting;

                if (!config_setting_is_group(group))
                        return form_fault(form, setting, "%s is { ... } or ( {...}, {...} )",
                                          command_keys[command]);
                r = read_exchange(form, group, command, profile, &profile->exchanges[*ret_used]);
                ++*ret_used;
        }
        profile->commands[command].count = (uint8_t)count;
        return r;
}

static int read_commands(const struct form *form, config_setting_t *root,
                         struct card_profile *profile)
{
        unsigned used = 0;
        int r = 0;

        for (unsigned i = 0; i < CARD_COMMANDS && r >= 0; i++) {
                config_setting_t *setting = config_setting_get_member(root, command_keys[i]);
                enum card_command command = (enum card_command)i;

                if (!setting) /* personalize; form_read() saw the others */
                        continue;
                r = read_exchanges(form, setting, command, profile, &used);
                if (r >= 0)
                        r = check_facts(form, setting, profile, command);
                if (r >= 0)
                        r = check_values(form, setting, profile, command);
        }
        return r;
}

/* --- what programming needs; may be absent ------------------------------------------------- */

/* { type = "SFI"; maximum = 10000; } */
static int read_ceiling(const struct form *form, config_setting_t *row,
                        struct card_profile *profile)
{
        static const struct form_field keys[] = {
                { .key = "type",
                  .kind = FORM_TEXT,
                  .offset = offsetof(struct card_ceiling, type),
                  .capacity = sizeof(((struct card_ceiling *)0)->type) },
                { .key = "maximum",
                  .kind = FORM_U32,
                  .offset = offsetof(struct card_ceiling, maximum),
                  .low = 1,
                  .high = UINT32_MAX },
        };
        struct card_ceiling *ceiling = &profile->ceilings[profile->ceiling_count];
        int r;

        if (!config_setting_is_group(row))
                return form_fault(form, row, "a ceiling is { type = \"SFI\"; maximum = 1000; }");
        r = form_read(form, row, keys, LENGTH_OF(keys), ceiling);
        for (size_t k = 0; k < profile->ceiling_count && r >= 0; k++)
                if (strcmp(profile->ceilings[k].type, ceiling->type) == 0)
                        r = form_fault(form, row, "%s has a ceiling already", ceiling->type);
        if (r >= 0)
                profile->ceiling_count++;
        return r;
}

static int read_ceilings(const struct form *form, config_setting_t *list,
                         struct card_profile *profile)
{
        int r = 0;

        if (!list)
                return 0;
        if (!config_setting_is_list(list) || config_setting_length(list) > (int)CARD_TYPES_MAX)
                return form_fault(form, list, "ceilings must be a list of at most %u rows",
                                  CARD_TYPES_MAX);
        for (unsigned i = 0; i < (unsigned)config_setting_length(list) && r >= 0; i++)
                r = read_ceiling(form, config_setting_get_elem(list, i), profile);
        return r;
}

static int read_products(const struct form *form, config_setting_t *list,
                         struct card_profile *profile)
{
        if (!list)
                return 0;
        if (!config_setting_is_array(list) || config_setting_length(list) > (int)CARD_PRODUCTS_MAX)
                return form_fault(form, list,
                                  "version_1_products must be an array of at most %u texts",
                                  CARD_PRODUCTS_MAX);
        for (int i = 0; i < config_setting_length(list); i++) {
                const char *id = config_setting_get_string_elem(list, i);

                if (!id || strlen(id) != PRODUCT_ID_LENGTH ||
                    strspn(id, "0123456789ABCDEF") != PRODUCT_ID_LENGTH)
                        return form_fault(form, list,
                                          "version_1_products holds product ids, \"45002001\"");
                memcpy(profile->version_1_products[i], id, PRODUCT_ID_LENGTH + 1);
                profile->version_1_count++;
        }
        return 0;
}

/* --- the file ------------------------------------------------------------------------------ */

static const char *const sources[] = { [SOURCE_REFERENCE] = "reference",
                                       [SOURCE_DOCUMENT] = "document",
                                       [SOURCE_SILICON] = "silicon",
                                       NULL };

static const struct form_field profile_keys[] = {
        { .key = "name",
          .kind = FORM_TEXT,
          .offset = offsetof(struct card_profile, name),
          .capacity = sizeof(((struct card_profile *)0)->name) },
        { .key = "source",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct card_profile, source),
          .choices = sources },
        { .key = "gap",
          .kind = FORM_TEXT,
          .offset = offsetof(struct card_profile, gap),
          .capacity = sizeof(((struct card_profile *)0)->gap),
          .is_optional = true },
        { .key = "atr", .kind = FORM_OWN, .is_optional = true },
        { .key = "aid", .kind = FORM_OWN, .is_optional = true },
        { .key = "timeout_ms",
          .kind = FORM_UNSIGNED,
          .offset = offsetof(struct card_profile, timeout_ms),
          .low = TIMEOUT_MS_MIN,
          .high = TIMEOUT_MS_MAX },
        { .key = "status", .kind = FORM_OWN, .is_optional = true },
        { .key = "select", .kind = FORM_OWN },
        { .key = "info", .kind = FORM_OWN },
        { .key = "license", .kind = FORM_OWN },
        { .key = "personalize", .kind = FORM_OWN, .is_optional = true },
        { .key = "ceilings", .kind = FORM_OWN, .is_optional = true },
        { .key = "version_1_products", .kind = FORM_OWN, .is_optional = true },
};

static int read_card(const struct form *form, config_setting_t *root, struct card_profile *profile)
{
        config_setting_t *atr = config_setting_get_member(root, "atr");
        config_setting_t *aid = config_setting_get_member(root, "aid");
        bool is_reference = profile->source == SOURCE_REFERENCE;
        int r = 0;

        /* Only a reference profile must name its card: without an ATR it could meet a real one. */
        if (is_reference && (!atr || !profile->gap[0]))
                return form_fault(form, root,
                                  "a reference profile needs `atr` and `gap`, or it "
                                  "would be spoken to real cards");
        if (atr)
                r = card_bytes_read(form, atr, "atr", is_reference ? 2 : 0, ATR_MAX, profile->atr,
                                    &profile->atr_length);
        /* An AID has 5 to 16 bytes (ISO/IEC 7816-4, 8.2.1.2). */
        if (r >= 0 && aid)
                r = card_bytes_read(form, aid, "aid", 5, sizeof(profile->aid), profile->aid,
                                    &profile->aid_length);
        return r;
}

static int read_profile(const struct form *form, struct card_profile *profile)
{
        config_setting_t *root = config_root_setting(&form->config), *list;
        int r = form_read(form, root, profile_keys, LENGTH_OF(profile_keys), profile);

        if (r >= 0)
                r = read_card(form, root, profile);
        list = config_setting_get_member(root, "status");
        if (r >= 0 && list)
                r = card_statuses_read(form, list, ANYWHERE, profile->statuses,
                                       &profile->status_count);
        if (r >= 0)
                r = read_commands(form, root, profile);
        if (r >= 0)
                r = read_ceilings(form, config_setting_get_member(root, "ceilings"), profile);
        if (r >= 0)
                r = read_products(form, config_setting_get_member(root, "version_1_products"),
                                  profile);
        return r;
}

/* Written on success only. */
static int take_profile(const struct form *form, struct card_profile *ret_profile)
{
        struct card_profile *profile = calloc(1, sizeof(*profile));
        int r;

        INSIST(profile);
        r = read_profile(form, profile);
        if (r >= 0)
                *ret_profile = *profile;
        free(profile);
        return r;
}

int card_profile_load(const char *path, struct card_profile *ret_profile)
{
        CLEANUP(form_close) struct form form;
        int r = form_open(path, &form);

        return r < 0 ? r : take_profile(&form, ret_profile);
}

int card_profile_parse(const char *name, const void *text, size_t length,
                       struct card_profile *ret_profile)
{
        CLEANUP(form_close) struct form form;
        int r = form_parse(name, text, length, &form);

        return r < 0 ? r : take_profile(&form, ret_profile);
}
