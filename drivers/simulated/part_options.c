/*
 * Option bytes of a simulated part: what they protect, and which changes it takes (targets.md 5, 6.4,
 * 6.5, 7). The registers in front are those of its sequence.
 *
 * Rows, fields and their roles are the family's. There are three copies: the store, which survives
 * power; what was loaded from it and is in force; what was written to the registers and waits for a
 * start. A start checks the wanted values against the store: what silicon refuses changes nothing.
 * Read-out protection acts at the next power-on and product state at the next reset; a regression
 * erases and opens at once.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define KEY_1 0x08192A3Bu /* targets.md 6.1 */
#define KEY_2 0x4C5D6E7Fu

#define RDP_FINAL    0xCCu /* targets.md 5.1 */
#define RDP_HALF     0x55u
#define PROVISIONING 0x17u      /* product state, targets.md 5.2 */
#define ST_IROT      0xC3u      /* BOOT_UBE, targets.md 5.3 */
#define SWAP_BANK    (1u << 31) /* OPTSR of the H7: targets.md 7.1 */

/* --- rows ---------------------------------------------------------------------------------- */

size_t option_row_shown(const struct simulated_part *part, uint32_t offset)
{
        const struct family *family = part->family;
        size_t i = 0;

        while (i < family->option_count &&
               (!family->options[i].current ||
                family->options[i].current != family->flash_registers + offset))
                i++;
        return i;
}

size_t option_row_programmed(const struct simulated_part *part, uint32_t offset)
{
        const struct family *family = part->family;
        size_t i = 0;

        while (i < family->option_count &&
               (!family->options[i].program ||
                family->options[i].program != family->flash_registers + offset))
                i++;
        return i;
}

void option_load(struct simulated_part *part)
{
        memcpy(part->in_force, part->record->options, sizeof(part->in_force));
}

/* --- levels -------------------------------------------------------------------------------- */

/* The states of targets.md 5.2 in the order in which a part can go through them, and what a
 * debugger sees. That provisioning shows the non-secure side only is an estimate. */
static const struct {
        uint8_t value;
        enum part_level level;
} states[] = {
        { 0xED, LEVEL_0 },   { 0x17, LEVEL_0_5 }, { 0x2E, LEVEL_0_5 },
        { 0xC6, LEVEL_0_5 }, { 0x72, LEVEL_2 },   { 0x5C, LEVEL_2 },
};

/* Position in `states`; LENGTH_OF(states): none of them. */
static size_t state_of(const struct simulated_part *part, const uint32_t *values)
{
        const struct family_field *state = family_field(part->family, ROLE_STATE);
        size_t i = 0;

        while (i < LENGTH_OF(states) && states[i].value != family_field_get(state, values))
                i++;
        return i;
}

static enum part_level level_of_state(const struct simulated_part *part, const uint32_t *values)
{
        size_t state = state_of(part, values);

        if (family_is_open(part->family, values))
                return LEVEL_0;
        return state < LENGTH_OF(states) ? states[state].level : LEVEL_2;
}

enum part_level option_level(const struct simulated_part *part, const uint32_t *values)
{
        const struct family_field *readout = family_field(part->family, ROLE_READOUT);
        uint32_t value;

        if (!readout)
                return family_field(part->family, ROLE_STATE) ? level_of_state(part, values)
                                                              : LEVEL_0;
        value = family_field_get(readout, values);
        if (value == readout->open)
                return LEVEL_0;
        if (value == RDP_FINAL)
                return LEVEL_2;
        return value == RDP_HALF && readout->has_half_level ? LEVEL_0_5 : LEVEL_1;
}

/* Read-out protection as a part may come: RDP byte, or product state. */
void part_set_protection(struct simulated_part *part, uint8_t value)
{
        const struct family_field *field = family_field(part->family, ROLE_READOUT);

        if (!field)
                field = family_field(part->family, ROLE_STATE);
        if (!field)
                return; /* a family without cannot be protected */
        family_field_set(field, part->record->options, value);
        option_load(part);
        if (part->is_powered)
                part->protection = option_level(part, part->in_force);
}

void part_set_option(struct simulated_part *part, size_t row, uint32_t value)
{
        INSIST(row < part->family->option_count);
        part->record->options[row] = value;
        option_load(part);
        memcpy(part->option_program, part->in_force, sizeof(part->option_program));
}

/* --- protected areas ----------------------------------------------------------------------- */

static bool is_kind(const struct family_field *field, enum area_kind kind)
{
        return field->role == ROLE_START && field->kind == kind;
}

static bool touches_area(const struct simulated_part *part, enum area_kind kind, uint32_t address,
                         uint32_t length)
{
        const struct family *family = part->family;
        uint32_t first, last;

        for (size_t i = 0; i < family->field_count; i++)
                if (is_kind(&family->fields[i], kind) &&
                    family_area(family, &family->fields[i], part->in_force, &first, &last) &&
                    address <= last && first < address + length)
                        return true;
        return false;
}

static bool any_area(const struct simulated_part *part, const uint32_t *values)
{
        const struct family *family = part->family;
        uint32_t first, last;

        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if ((is_kind(field, AREA_PCROP) || is_kind(field, AREA_SECURE)) &&
                    family_area(family, field, values, &first, &last))
                        return true;
        }
        return false;
}

bool option_has_areas(const struct simulated_part *part)
{
        return any_area(part, part->in_force);
}

bool option_is_secure_at(const struct simulated_part *part, uint32_t address)
{
        return touches_area(part, AREA_WATERMARK, address, 1);
}

/* A cleared bit protects `unit` bytes. */
static bool is_protected_by_bits(const struct simulated_part *part,
                                 const struct family_field *field, uint32_t address,
                                 uint32_t length)
{
        uint32_t value = family_field_get(field, part->in_force);

        for (unsigned i = 0; i <= (unsigned)(field->high - field->low); i++) {
                uint32_t start = field->base + i * field->unit;

                if (!(value >> i & 1u) && address < start + field->unit && start < address + length)
                        return true;
        }
        return false;
}

bool option_protects_write(const struct simulated_part *part, uint32_t address, uint32_t length)
{
        const struct family *family = part->family;

        for (size_t i = 0; i < family->field_count; i++)
                if (family->fields[i].role == ROLE_UNPROTECTED_BITS &&
                    is_protected_by_bits(part, &family->fields[i], address, length))
                        return true;
        return touches_area(part, AREA_PCROP, address, length) ||
               touches_area(part, AREA_SECURE, address, length) ||
               touches_area(part, AREA_WRITE, address, length);
}

bool option_protects_read(const struct simulated_part *part, uint32_t address, uint32_t length,
                          uint32_t *ret_flag)
{
        if (touches_area(part, AREA_PCROP, address, length))
                *ret_flag = FLASH_READ_PCROP;
        else if (touches_area(part, AREA_SECURE, address, length))
                *ret_flag = FLASH_READ_SECURE;
        else
                return false;
        return true;
}

/* --- may it change? ------------------------------------------------------------------------ */

static uint32_t merged(const struct simulated_part *part, size_t row, uint32_t value)
{
        const struct family_option *option = &part->family->options[row];

        if (option->current == 0)
                return part->record->options[row];
        return (part->record->options[row] & ~option->mask) | (value & option->mask);
}

static void merge_all(const struct simulated_part *part, const uint32_t *values,
                      uint32_t *ret_merged)
{
        for (size_t i = 0; i < part->family->option_count; i++)
                ret_merged[i] = merged(part, i, values[i]);
}

static bool trustzone_is_on(const struct simulated_part *part, const uint32_t *values)
{
        return family_is_trustzone_on(part->family, values);
}

/* Back to level 0. */
static bool is_regression(const struct simulated_part *part, const uint32_t *values)
{
        enum part_level from = option_level(part, part->record->options);

        return (from == LEVEL_1 || from == LEVEL_0_5) && option_level(part, values) == LEVEL_0;
}

/* Does a regression take the area `group`? Its erase flag says so in the wanted values. */
static bool goes_with_regression(const struct simulated_part *part, const char *group,
                                 const uint32_t *values)
{
        const struct family *family = part->family;

        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role == ROLE_ERASE &&
                    strncmp(field->group, group, strlen(field->group)) == 0 &&
                    family_field_get(field, values) == field->on)
                        return true;
        }
        return false;
}

/* An active area may grow; it shrinks or goes only with a regression of RDP that its erase flag
 * allows (targets.md 7.1; secure-install.md 13.7: "clear via RDP 1 to 0 with empty range"). */
static bool area_may_change(const struct simulated_part *part, const struct family_field *start,
                            const uint32_t *values)
{
        const struct family *family = part->family;
        uint32_t first, last, new_first, new_last;

        if (!family_area(family, start, part->record->options, &first, &last))
                return true;
        if (is_regression(part, values) && goes_with_regression(part, start->group, values))
                return true;
        return family_area(family, start, values, &new_first, &new_last) && new_first <= first &&
               new_last >= last;
}

/* A lock of its own opens by a regression only; that of an area freezes its bounds (targets.md 7.7:
 * UNLOCK 0 is frozen until regression). */
static bool lock_allows(const struct simulated_part *part, const struct family_field *lock,
                        const uint32_t *values)
{
        const struct family *family = part->family;
        const uint32_t *old = part->record->options;

        if (family_field_get(lock, old) != lock->on || is_regression(part, values))
                return true;
        if (family_field_get(lock, values) != lock->on)
                return false;
        for (size_t i = 0; i < family->field_count && lock->group[0]; i++) {
                const struct family_field *field = &family->fields[i];

                if ((field->role == ROLE_START || field->role == ROLE_END) &&
                    strcmp(field->group, lock->group) == 0 &&
                    family_field_get(field, old) != family_field_get(field, values))
                        return false;
        }
        return true;
}

static bool fields_may_change(const struct simulated_part *part, const uint32_t *values)
{
        const struct family *family = part->family;

        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role == ROLE_LOCK && !lock_allows(part, field, values))
                        return false;
                if ((is_kind(field, AREA_PCROP) || is_kind(field, AREA_SECURE)) &&
                    !area_may_change(part, field, values))
                        return false;
        }
        return true;
}

static bool nothing_differs(const struct simulated_part *part, const uint32_t *values)
{
        const struct family_field *readout = family_field(part->family, ROLE_READOUT);

        for (size_t i = 0; i < part->family->option_count; i++) {
                uint32_t difference = part->record->options[i] ^ values[i];

                if (readout && readout->row == i && part->sequence->has_final_options)
                        difference &= ~SWAP_BANK;
                if (difference)
                        return false;
        }
        return true;
}

/* Level 0.5 exists with TrustZone only (targets.md 5.1). That TrustZone goes on at level 0 and off
 * with a regression is an estimate after RM0438 and RM0456, from memory. */
static bool level_may_change(const struct simulated_part *part, const uint32_t *values)
{
        const uint32_t *old = part->record->options;
        bool was_on = trustzone_is_on(part, old), is_on = trustzone_is_on(part, values);

        if (option_level(part, values) == LEVEL_0_5 && !is_on)
                return false;
        if (!was_on && is_on)
                return option_level(part, old) == LEVEL_0;
        return !was_on || is_on || is_regression(part, values);
}

/* Product states go forward; back leads only debug authentication (part_authentication.c). TrustZone
 * may change while the part is open (estimate). */
static bool state_may_change(const struct simulated_part *part, const uint32_t *values)
{
        const uint32_t *old = part->record->options;
        size_t from = state_of(part, old), to = state_of(part, values);

        if (trustzone_is_on(part, old) != trustzone_is_on(part, values) &&
            option_level(part, old) != LEVEL_0)
                return false;
        return to < LENGTH_OF(states) && to >= from;
}

/* `values` are merged rows. */
static bool is_allowed(const struct simulated_part *part, const uint32_t *values)
{
        const struct family *family = part->family;

        if (option_level(part, part->record->options) == LEVEL_2)
                return nothing_differs(part, values);
        if (!fields_may_change(part, values))
                return false;
        if (family_field(family, ROLE_READOUT) && !level_may_change(part, values))
                return false;
        if (family->sequence == FAMILY_H5 && !state_may_change(part, values))
                return false;
        /* SECURITY goes only without PCROP and secure areas: targets.md 7.1. */
        return !family_is_secure(family, part->record->options) ||
               family_is_secure(family, values) || !any_area(part, values);
}

bool option_change_is_allowed(const struct simulated_part *part, const uint32_t *values)
{
        uint32_t wanted[OPTION_ROWS_MAX];

        merge_all(part, values, wanted);
        return is_allowed(part, wanted);
}

/* --- changing ------------------------------------------------------------------------------ */

/* TrustZone makes the whole flash secure unless the same change says otherwise (estimate after RM0438
 * and RM0456, from memory; L4 sequence only). */
static void make_secure(const struct simulated_part *part, uint32_t *values)
{
        const struct family *family = part->family;

        if (family->sequence != FAMILY_L4 || trustzone_is_on(part, part->record->options) ||
            !trustzone_is_on(part, values))
                return;
        for (size_t i = 0; i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (!is_kind(field, AREA_WATERMARK) ||
                    values[field->row] != part->record->options[field->row])
                        continue;
                family_field_set(field, values, 0);
                for (size_t j = 0; j < family->field_count; j++)
                        if (family->fields[j].role == ROLE_END &&
                            strcmp(family->fields[j].group, field->group) == 0)
                                family_field_set(&family->fields[j], values,
                                                 family->bank_length / family->sector_length - 1);
        }
}

/* Regression: first the flash goes, then the protection; a kill between leaves it shut. From level 1
 * to 0.5 the secure side stays (estimate after RM0438, from memory). */
static void regress(struct simulated_part *part, const uint32_t *values)
{
        if (is_regression(part, values)) {
                flash_erase_all(part);
                part->protection = LEVEL_0;
        } else if (option_level(part, part->record->options) == LEVEL_1 &&
                   option_level(part, values) == LEVEL_0_5) {
                flash_erase_non_secure(part);
                part->protection = LEVEL_0_5;
        }
}

void option_apply(struct simulated_part *part, const uint32_t *values)
{
        uint32_t wanted[OPTION_ROWS_MAX];

        merge_all(part, values, wanted);
        regress(part, wanted);
        make_secure(part, wanted);
        memcpy(part->record->options, wanted, sizeof(wanted[0]) * part->family->option_count);
        if (!part->sequence->loads_at_launch)
                option_load(part);
}

/* An RSSe sets what the image says, from inside: RDP and TrustZone without a regression. Product states
 * go forward all the same. */
bool option_rsse_may(const struct simulated_part *part, const uint32_t *values)
{
        uint32_t wanted[OPTION_ROWS_MAX];

        merge_all(part, values, wanted);
        if (part->family->sequence == FAMILY_H5 && state_of(part, wanted) == LENGTH_OF(states))
                return false;
        return option_level(part, wanted) != LEVEL_0_5 || trustzone_is_on(part, wanted) ||
               !family_field(part->family, ROLE_READOUT);
}

void option_apply_by_rsse(struct simulated_part *part, const uint32_t *values)
{
        uint32_t wanted[OPTION_ROWS_MAX];

        merge_all(part, values, wanted);
        memcpy(part->record->options, wanted, sizeof(wanted[0]) * part->family->option_count);
        option_load(part);
}

/* Log H533: an aborted install left PRODUCT_STATE 0x17 and BOOT_UBE 0xC3. */
void option_enter_provisioning(struct simulated_part *part)
{
        const struct family *family = part->family;
        const struct family_field *state = family_field(family, ROLE_STATE);

        if (family->sequence != FAMILY_H5)
                return;
        family_field_set(state, part->record->options, PROVISIONING);
        for (size_t i = 0; i < family->field_count; i++)
                if (strcmp(family->fields[i].name, "BOOT_UBE") == 0)
                        family_field_set(&family->fields[i], part->record->options, ST_IROT);
        option_load(part);
}

enum part_answer option_give_key(struct simulated_part *part, uint32_t value)
{
        if (part->option_is_dead || !part->option_is_locked ||
            value != (part->option_keys == 0 ? KEY_1 : KEY_2)) {
                part->option_is_dead = true;
                part->option_is_locked = true;
                return PART_FAULT;
        }
        if (++part->option_keys == 2) {
                part->option_keys = 0;
                part->option_is_locked = false;
        }
        return PART_OK;
}

void option_start(struct simulated_part *part)
{
        uint64_t duration = part->family->option_program_ms * NS_PER_MS;
        uint32_t wanted[OPTION_ROWS_MAX];

        merge_all(part, part->option_program, wanted);
        if (!is_allowed(part, wanted)) {
                part->option_change_error = true;
                return;
        }
        if (is_regression(part, wanted))
                duration += flash_bank_erase_ns(part);
        part->option_due_ns = part->now_ns + part_scaled(part, duration);
        part_changed(part);
}

void option_reset(struct simulated_part *part)
{
        part->option_is_locked = true;
        part->option_keys = 0;
        part->option_is_dead = part->option_change_error = false;
        part->option_due_ns = NEVER;
        memcpy(part->option_program, part->in_force, sizeof(part->option_program));
}

/* The change has ended: what is shown reloads, where nothing else must happen first. */
void option_advance(struct simulated_part *part, uint64_t now_ns)
{
        (void)now_ns;
        part->option_due_ns = NEVER;
        option_apply(part, part->option_program);
        memcpy(part->option_program, part->record->options, sizeof(part->option_program));
}
