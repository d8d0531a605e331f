/*
 * family.c - read configs/targets/NAME.conf, then see that its numbers fit together.
 */
#include "drivers/family.h"

#include "drivers/family_fields.h"
#include "drivers/form.h"
#include "drivers/option_fields.h"

#include <stdbool.h>
#include <string.h>

#define FIELD(name_, kind_, low_, high_, multiple_)                                                \
        {                                                                                          \
                .key = #name_, .kind = kind_, .offset = offsetof(struct family, name_),            \
                .low = low_, .high = high_, .multiple = multiple_                                  \
        }
#define TEXT_FIELD(name_)                                                                          \
        {                                                                                          \
                .key = #name_, .kind = FORM_TEXT, .offset = offsetof(struct family, name_),        \
                .capacity = sizeof(((struct family *)0)->name_)                                    \
        }
#define ANY UINT32_MAX
#define OPTIONAL(name_, kind_, ...)                                                                \
        {                                                                                          \
                .key = #name_, .kind = kind_, .offset = offsetof(struct family, name_),            \
                .is_optional = true, __VA_ARGS__                                                   \
        }
#define OPTIONAL_OWN(name_)                                                                        \
        {                                                                                          \
                .key = name_, .kind = FORM_OWN, .is_optional = true                                \
        }

static const char *const sequence_words[] = {
        [FAMILY_H7] = "h7", [FAMILY_H7AB] = "h7ab", [FAMILY_L4] = "l4",
        [FAMILY_H5] = "h5", [FAMILY_H7RS] = "h7rs", NULL,
};
static const char *const row_words[] = { [FAMILY_ROWS_PUBLISHED] = "published",
                                         [FAMILY_ROWS_COUNTED] = "counted",
                                         [FAMILY_ROWS_REFERENCE] = "reference",
                                         NULL };

static const char *const procedure_words[] = {
        [PROCEDURE_NONE] = "none",
        [PROCEDURE_RSS_ROM] = "rss-rom",
        [PROCEDURE_RSSE] = "rsse",
        [PROCEDURE_STATE] = "product-state",
        NULL,
};
static const char *const condition_words[] = {
        [CONDITION_OPEN] = "open",
        [CONDITION_SECURITY_OFF] = "security-off",
        [CONDITION_TRUSTZONE_OFF] = "trustzone-off",
        [CONDITION_UNPROTECTED] = "unprotected",
        [CONDITION_DEFAULTS] = "defaults",
        [CONDITION_BOOT] = "boot-system",
        [CONDITIONS] = NULL,
};

static const char *const core_words[] = {
        [FAMILY_M4] = "m4", [FAMILY_M7] = "m7", [FAMILY_M33] = "m33", NULL
};

/* `bank_address`, `rams` and `options` are lists and read by hand. */
static const struct form_field family_fields[] = {
        TEXT_FIELD(name),
        FIELD(device_id, FORM_U16, 1, 0xFFF, 0),
        FIELD(dpidr, FORM_U32, 1, ANY, 0),
        FIELD(access_port, FORM_UNSIGNED, 0, 8, 0), /* stlink.md 4.3: the highest accepted */
        FIELD(csw, FORM_U32, 0, ANY, 0x100),        /* bits 7..0 belong to the probe firmware */
        FIELD(idcode_address, FORM_U32, 0, ANY, 4),
        FIELD(uid_address, FORM_U32, 0, ANY, 4),
        FIELD(flash_size_address, FORM_U32, 0, ANY, 2),
        FIELD(system_memory, FORM_U32, 0, ANY, 4),
        FIELD(system_memory_length, FORM_U32, 4, 1u << 24, 4),
        FIELD(bank_length, FORM_U32, 1024, 1u << 28, 0),
        FIELD(sector_length, FORM_U32, 256, 1u << 24, 0),
        FIELD(word_length, FORM_U32, 4, 256, 4),
        FIELD(ram_address, FORM_U32, 0, ANY, 4),
        FIELD(ram_length, FORM_U32, 1024, 1u << 28, 4),
        FIELD(image_ram, FORM_U32, 0, 1u << 28, 4),
        FIELD(flash_registers, FORM_U32, 0, ANY, 4),
        FIELD(word_program_us, FORM_UNSIGNED, 1, 1000000, 0),
        FIELD(sector_erase_ms, FORM_UNSIGNED, 1, 60000, 0),
        FIELD(option_program_ms, FORM_UNSIGNED, 1, 60000, 0),
        FIELD(reset_ms, FORM_UNSIGNED, 1, 60000, 0),
        FIELD(rss_boot_ms, FORM_UNSIGNED, 1, 60000, 0),
        { .key = "bank_address", .kind = FORM_OWN },
        { .key = "options", .kind = FORM_OWN },
        { .key = "rams", .kind = FORM_OWN },
        FIELD(revision, FORM_U16, 0, 0xFFFF, 0),
        { .key = "core",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct family, core),
          .choices = core_words },
        OPTIONAL(product_id, FORM_TEXT, .capacity = sizeof(((struct family *)0)->product_id)),
        OPTIONAL(sequence, FORM_CHOICE, .choices = sequence_words),
        OPTIONAL(option_rows, FORM_CHOICE, .choices = row_words),
        OPTIONAL(secure_alias, FORM_U32, .high = ANY, .multiple = 1u << 24),
        OPTIONAL(otfdec_registers, FORM_U32, .high = ANY, .multiple = 0x400),
        OPTIONAL(cipher_parts, FORM_TEXT, .capacity = sizeof(((struct family *)0)->cipher_parts)),
        OPTIONAL(hash_mandatory, FORM_BOOL),
        OPTIONAL(needs_rsse, FORM_BOOL),
        OPTIONAL(procedure, FORM_CHOICE, .choices = procedure_words),
        OPTIONAL(rss_profile, FORM_TEXT, .capacity = sizeof(((struct family *)0)->rss_profile)),
        OPTIONAL_OWN("preconditions"),
        OPTIONAL(rss_boot, FORM_U32, .high = ANY, .multiple = 0x80),
        OPTIONAL(takes_sfia, FORM_BOOL),
        OPTIONAL(has_lock_out, FORM_BOOL),
        OPTIONAL(token, FORM_U32, .high = ANY, .multiple = 4),
        OPTIONAL_OWN("edata"),
        OPTIONAL_OWN("option_keys"),
        OPTIONAL_OWN("external"),
        OPTIONAL_OWN("backup_ram"),
        OPTIONAL_OWN("plain_registers"),
        OPTIONAL_OWN("status_bits"),
        OPTIONAL(bank_erase_ms, FORM_UNSIGNED, .low = 1, .high = 600000),
        OPTIONAL_OWN("registers"),
        OPTIONAL_OWN("fields"), /* drivers/option_fields.c */
};

_Static_assert(sizeof(enum family_sequence) == sizeof(unsigned) &&
                       sizeof(enum family_procedure) == sizeof(unsigned) &&
                       sizeof(enum family_rows) == sizeof(unsigned) &&
                       sizeof(enum family_core) == sizeof(unsigned),
               "FORM_CHOICE");

static const struct form_field external_fields[] = {
        { .key = "address",
          .kind = FORM_U32,
          .high = ANY,
          .multiple = 4096,
          .offset = offsetof(struct family_external, address) },
        { .key = "length",
          .kind = FORM_U32,
          .low = 4096,
          .high = 1u << 30,
          .multiple = 4096,
          .offset = offsetof(struct family_external, length) },
        { .key = "first_region",
          .kind = FORM_UNSIGNED,
          .high = 7,
          .is_optional = true,
          .offset = offsetof(struct family_external, first_region) },
        { .key = "regions",
          .kind = FORM_UNSIGNED,
          .high = 4,
          .is_optional = true,
          .offset = offsetof(struct family_external, regions) },
        { .key = "controller",
          .kind = FORM_U32,
          .high = ANY,
          .multiple = 0x400,
          .is_optional = true,
          .offset = offsetof(struct family_external, controller) },
};

#define FOLLOWER(name_, kind_, high_)                                                              \
        {                                                                                          \
                .key = #name_, .kind = kind_, .offset = offsetof(struct family_follower, name_),   \
                .high = high_, .is_optional = true                                                 \
        }

static const struct form_field follower_fields[] = {
        { .key = "address",
          .kind = FORM_U32,
          .high = ANY,
          .multiple = 4,
          .offset = offsetof(struct family_follower, address) },
        FOLLOWER(ones, FORM_U32, ANY),
        FOLLOWER(bits, FORM_U32, ANY),
        FOLLOWER(shift, FORM_UNSIGNED, 31),
};

#define REGISTER(name_, is_optional_)                                                              \
        {                                                                                          \
                .key = #name_, .kind = FORM_U32,                                                   \
                .offset = offsetof(struct family_registers, name_), .low = 4, .high = 0xFFC,       \
                .multiple = 4, .is_optional = is_optional_                                         \
        }

static const struct form_field register_fields[] = {
        REGISTER(key, false),           REGISTER(option_key, false), REGISTER(status, false),
        REGISTER(control, false),       REGISTER(secure_key, true),  REGISTER(secure_status, true),
        REGISTER(secure_control, true),
};

#define OPTION_FIELD(name_, multiple_)                                                             \
        {                                                                                          \
                .key = #name_, .kind = FORM_U32, .offset = offsetof(struct family_option, name_),  \
                .high = ANY, .multiple = multiple_                                                 \
        }

static const struct form_field option_fields[] = {
        { .key = "name",
          .kind = FORM_TEXT,
          .offset = offsetof(struct family_option, name),
          .capacity = sizeof(((struct family_option *)0)->name) },
        OPTION_FIELD(current, 4),
        OPTION_FIELD(program, 4),
        OPTION_FIELD(mask, 0),
        OPTION_FIELD(factory, 0),
};

static int read_banks(const struct form *form, struct family *family)
{
        config_setting_t *list = config_lookup(&form->config, "bank_address");
        unsigned count = list ? (unsigned)config_setting_length(list) : 0;

        if (!list || !config_setting_is_array(list) || !count || count > FAMILY_BANKS_MAX)
                return form_fault(form, list, "bank_address: expected [ address, ... ], 1 to %u",
                                  FAMILY_BANKS_MAX);
        for (unsigned i = 0; i < count; i++) {
                config_setting_t *element = config_setting_get_elem(list, i);

                if (config_setting_type(element) != CONFIG_TYPE_INT)
                        return form_fault(form, list, "bank_address: expected 32-bit numbers");
                family->bank_address[i] = (uint32_t)config_setting_get_int(element);
        }
        family->banks = count;
        return 0;
}

static int read_options(const struct form *form, struct family *family)
{
        config_setting_t *list = config_lookup(&form->config, "options");
        unsigned count = list ? (unsigned)config_setting_length(list) : 0;

        if (!list || !config_setting_is_list(list) || !count || count > OPTION_ROWS_MAX)
                return form_fault(form, list, "options: expected ( { ... }, ... ), 1 to %u rows",
                                  OPTION_ROWS_MAX);
        for (unsigned i = 0; i < count; i++) {
                config_setting_t *group = config_setting_get_elem(list, i);
                struct family_option *row = &family->options[i];
                int r;

                if (!config_setting_is_group(group))
                        return form_fault(form, group, "options: row %u is not a group", i + 1);
                r = form_read(form, group, option_fields, LENGTH_OF(option_fields), row);
                if (r < 0)
                        return r;
                if ((row->program || row->mask) && !row->current)
                        return form_fault(form, group, "row %s: nothing shows what was programmed",
                                          row->name);
        }
        family->option_count = count;
        return 0;
}

/* [ address, length ] */
static int read_one_range(const struct form *form, config_setting_t *list, const char *key,
                          struct family_range *range)
{
        int r;

        if (!config_setting_is_array(list) || config_setting_length(list) != 2)
                return form_fault(form, list, "%s: expected [ address, length ]", key);
        r = form_number(form, config_setting_get_elem(list, 0), key, &range->address);
        if (r >= 0)
                r = form_number(form, config_setting_get_elem(list, 1), key, &range->length);
        if (r < 0)
                return r;
        if (!range->length || range->length - 1 > UINT32_MAX - range->address)
                return form_fault(form, list, "%s: nothing, or beyond 0xFFFFFFFF", key);
        return 0;
}

/* A key that may be missing. */
static int read_range(const struct form *form, const char *key, struct family_range *range)
{
        config_setting_t *list = config_lookup(&form->config, key);

        return list ? read_one_range(form, list, key, range) : 0;
}

/* ( [ address, length ], ... ) */
static int read_ranges(const struct form *form, const char *key, unsigned least, unsigned most,
                       struct family_range *ranges, size_t *ret_count)
{
        config_setting_t *list = config_lookup(&form->config, key);
        unsigned count = list ? (unsigned)config_setting_length(list) : 0;

        if (count < least || count > most || (list && !config_setting_is_list(list)))
                return form_fault(form, list, "%s: expected ( [ address, length ], ... ), %u to %u",
                                  key, least, most);
        for (unsigned i = 0; i < count; i++) {
                int r = read_one_range(form, config_setting_get_elem(list, i), key, &ranges[i]);

                if (r < 0)
                        return r;
        }
        *ret_count = count;
        return 0;
}

static int read_memory(const struct form *form, struct family *family)
{
        int r = read_ranges(form, "rams", 1, FAMILY_RAMS_MAX, family->rams, &family->ram_count);

        if (r == 0)
                r = read_ranges(form, "plain_registers", 0, FAMILY_PLAIN_MAX, family->plain,
                                &family->plain_count);
        for (size_t i = 0; i < family->plain_count && r == 0; i++)
                if (family->plain[i].length % FAMILY_PLAIN_UNIT ||
                    family->plain[i].length > FAMILY_PLAIN_LENGTH)
                        r = form_fault(form, config_lookup(&form->config, "plain_registers"),
                                       "plain_registers: a block of %u bytes, expected a "
                                       "multiple of %u, at most %u",
                                       family->plain[i].length, FAMILY_PLAIN_UNIT,
                                       FAMILY_PLAIN_LENGTH);
        return r < 0 ? r : read_range(form, "backup_ram", &family->backup_ram);
}

/* The L4 sequence needs them, the others must not have them: they know their own. */
static int read_registers(const struct form *form, struct family *family)
{
        config_setting_t *group = config_lookup(&form->config, "registers");

        if ((family->sequence == FAMILY_L4) != (group != NULL))
                return form_fault(form, group,
                                  "registers: wanted with sequence = \"l4\", and only with it");
        return group ? form_read(form, group, register_fields, LENGTH_OF(register_fields),
                                 &family->registers)
                     : 0;
}

static int read_condition(const struct form *form, config_setting_t *element, uint32_t *conditions)
{
        const char *word = config_setting_get_string(element);

        for (unsigned i = 0; word && i < CONDITIONS; i++)
                if (strcmp(word, condition_words[i]) == 0) {
                        *conditions |= 1u << i;
                        return 0;
                }
        return form_fault(form, element,
                          "preconditions: expected \"open\", \"security-off\", \"trustzone-off\", "
                          "\"unprotected\", \"defaults\" or \"boot-system\"");
}

/* A procedure without conditions would change a part nobody looked at. */
static int read_conditions(const struct form *form, struct family *family)
{
        config_setting_t *list = config_lookup(&form->config, "preconditions");
        int r = 0;

        if (family->procedure != PROCEDURE_NONE && !list)
                return form_fault(form, list, "preconditions: wanted with a procedure");
        if (list && !config_setting_is_array(list))
                return form_fault(form, list, "preconditions: expected [ \"open\", ... ]");
        for (int i = 0; list && i < config_setting_length(list) && r >= 0; i++)
                r = read_condition(form, config_setting_get_elem(list, (unsigned)i),
                                   &family->conditions);
        return r;
}

/* key = ( { fields }, ... ), which may be missing: `count` structs of `size` bytes into `array`. */
static int read_groups(const struct form *form, const char *key, unsigned most,
                       const struct form_field *fields, size_t field_count, void *array,
                       size_t size, size_t *ret_count)
{
        config_setting_t *list = config_lookup(&form->config, key);
        unsigned count = list ? (unsigned)config_setting_length(list) : 0;
        int r = 0;

        if (!list)
                return 0;
        if (!config_setting_is_list(list) || !count || count > most)
                return form_fault(form, list, "%s: expected ( { ... }, ... ), 1 to %u", key, most);
        for (unsigned i = 0; i < count && r >= 0; i++) {
                config_setting_t *group = config_setting_get_elem(list, i);

                if (!config_setting_is_group(group))
                        return form_fault(form, group, "%s: element %u is not a group", key, i + 1);
                r = form_read(form, group, fields, field_count, (char *)array + i * size);
        }
        *ret_count = count;
        return r;
}

static int read_externals(const struct form *form, struct family *family)
{
        int r = read_groups(form, "external", FAMILY_EXTERNALS_MAX, external_fields,
                            LENGTH_OF(external_fields), family->externals,
                            sizeof(family->externals[0]), &family->external_count);

        for (size_t i = 0; i < family->external_count && r >= 0; i++)
                if (family->externals[i].length - 1 > UINT32_MAX - family->externals[i].address)
                        return form_fault(form, config_lookup(&form->config, "external"),
                                          "external: beyond 0xFFFFFFFF");
        return r < 0 ? r
                     : read_groups(form, "status_bits", FAMILY_FOLLOWERS_MAX, follower_fields,
                                   LENGTH_OF(follower_fields), family->followers,
                                   sizeof(family->followers[0]), &family->follower_count);
}

static bool runs_over(uint32_t address, uint32_t length)
{
        return length - 1 > UINT32_MAX - address;
}

/* What the code that uses a family takes for granted. */
static int check(const struct form *form, const struct family *family)
{
        config_setting_t *root = config_root_setting(&form->config);

        if (family->product_id[0] && strlen(family->product_id) != PRODUCT_ID_LENGTH)
                return form_fault(form, config_lookup(&form->config, "product_id"),
                                  "product_id \"%s\" has not %d characters", family->product_id,
                                  PRODUCT_ID_LENGTH);
        if (family->bank_length % family->sector_length ||
            family->sector_length % family->word_length)
                return form_fault(form, root,
                                  "bank_length 0x%X, sector_length 0x%X and word_length %u do not "
                                  "divide",
                                  family->bank_length, family->sector_length, family->word_length);
        for (unsigned i = 0; i < family->banks; i++)
                if (family->bank_address[i] % family->sector_length ||
                    runs_over(family->bank_address[i], family->bank_length))
                        return form_fault(
                                form, config_lookup(&form->config, "bank_address"),
                                "bank %u at 0x%08X is not aligned to a sector or too long", i + 1,
                                family->bank_address[i]);
        if ((family->procedure == PROCEDURE_RSSE || family->procedure == PROCEDURE_STATE) !=
            (family->needs_rsse && family->procedure != PROCEDURE_NONE))
                return form_fault(form, config_lookup(&form->config, "procedure"),
                                  "the procedure and needs_rsse disagree");
        if (family->banks == 2 &&
            (family->bank_address[1] < family->bank_address[0] ||
             family->bank_address[1] - family->bank_address[0] < family->bank_length))
                return form_fault(form, config_lookup(&form->config, "bank_address"),
                                  "the banks overlap or are not in order");
        if (runs_over(family->ram_address, family->ram_length) ||
            runs_over(family->system_memory, family->system_memory_length) ||
            family->image_ram > family->ram_length)
                return form_fault(form, root,
                                  "image_ram 0x%X exceeds the RAM of 0x%X bytes, or a "
                                  "region leaves the address space",
                                  family->image_ram, family->ram_length);
        return 0;
}

static int read_fields(const struct form *form, struct family *family)
{
        CLEANUP(option_fields_free) struct option_fields fields = { 0 };
        int r = option_fields_read(form, family, &fields);

        return r < 0 ? r : family_keep_fields(form, &fields, family);
}

static int read_all(const struct form *form, struct family *family)
{
        int r = form_read(form, config_root_setting(&form->config), family_fields,
                          LENGTH_OF(family_fields), family);

        if (r >= 0)
                r = read_banks(form, family);
        if (r >= 0)
                r = read_memory(form, family);
        if (r >= 0)
                r = read_options(form, family);
        if (r >= 0)
                r = read_registers(form, family);
        if (r >= 0)
                r = read_range(form, "edata", &family->edata);
        if (r >= 0)
                r = read_range(form, "option_keys", &family->option_keys);
        if (r >= 0)
                r = read_externals(form, family);
        if (r >= 0)
                r = read_conditions(form, family);
        if (r >= 0)
                r = read_fields(form, family);
        return r < 0 ? r : check(form, family);
}

int family_load(const char *path, struct family *ret_family)
{
        CLEANUP(form_close) struct form form;
        struct family family = { 0 };
        int r = form_open(path, &form);

        if (r >= 0)
                r = read_all(&form, &family);
        if (r < 0)
                return r;
        *ret_family = family;
        return 0;
}

int family_check_drivers(const struct family *family)
{
        if (family->procedure != PROCEDURE_NONE)
                return 0;
        return fault(FAULT_BAD_VALUE,
                     "%s: its file names no procedure for an install through the debug port; it is "
                     "for preparing images and for looking at parts",
                     family->name);
}

/* --- where an address lies ----------------------------------------------------------------- */

uint32_t family_plain_address(const struct family *family, uint32_t address)
{
        for (unsigned i = 0; i < family->banks && family->secure_alias; i++)
                if (address - family->secure_alias - family->bank_address[i] < family->bank_length)
                        return address - family->secure_alias;
        if (family->secure_alias &&
            address - family->secure_alias - family->edata.address < family->edata.length)
                return address - family->secure_alias;
        return address;
}

bool family_is_flash(const struct family *family, uint32_t address, uint64_t length)
{
        uint64_t at = family_plain_address(family, address), end = at + length;

        if (family->edata.length && at >= family->edata.address &&
            end <= (uint64_t)family->edata.address + family->edata.length)
                return true;
        for (unsigned i = 0; i < family->banks && at < end; i++) {
                uint64_t bank = family->bank_address[i];

                /* banks rise and may touch: an area may run from one into the next */
                if (at >= bank && at < bank + family->bank_length)
                        at = bank + family->bank_length;
        }
        return at >= end;
}

const struct family_external *family_external_at(const struct family *family, uint32_t address,
                                                 uint64_t length)
{
        for (size_t i = 0; i < family->external_count; i++) {
                const struct family_external *external = &family->externals[i];

                if (address >= external->address &&
                    address - external->address < external->length &&
                    length <= external->length - (address - external->address))
                        return external;
        }
        return NULL;
}
