/*
 * Flash and option registers of the L4 kind: L462, L5, U5, WL5x, WBA (targets.md 6.2, 6.4).
 *
 * One controller for all banks, busy with one thing at a time; families with TrustZone have a second
 * set of key, status and control for the secure side. The option bytes are registers written in
 * place: OPTSTRT programs them, OBL_LAUNCH (or a power-on) loads them and resets the part. They have a
 * lock of their own that opens only behind the flash's.
 */
#include "drivers/simulated/part_private.h"

#define CR_PG         (1u << 0)
#define CR_PER        (1u << 1)
#define CR_MER1       (1u << 2)
#define CR_BKER       (1u << 11)
#define CR_MER2       (1u << 15)
#define CR_STRT       (1u << 16)
#define CR_OPTSTRT    (1u << 17)
#define CR_OBL_LAUNCH (1u << 27)
#define CR_OPTLOCK    (1u << 30)
#define CR_LOCK       (1u << 31)
#define CR_KEPT       0x0000CFFFu /* PG to BKER, BWR 14, MER2 */
#define SR_BSY        (1u << 16)
#define SR_WDW        (1u << 17) /* U5, WBA: a word waits to be completed */

/* EOP, WRPERR, PGSERR, PGAERR twice, PROGERR, SIZERR, RDERR. A refused option change is OPTWERR;
 * families without it show OPTVERR, which is an estimate. */
static const uint8_t bits[FLASH_FLAGS] = { 0, 4, 7, 5, 5, 3, 6, 14, 0xFF, 15 };
static const uint8_t trustzone_bits[FLASH_FLAGS] = { 0, 4, 7, 5, 5, 3, 6, 0xFF, 0xFF, 13 };

static const uint8_t *bits_of(const struct simulated_part *part)
{
        return part->family->registers.secure_key ? trustzone_bits : bits;
}

static void l4_reset(struct simulated_part *part)
{
        (void)part; /* CR is clear but for its locks */
}

static uint32_t status_of(const struct simulated_part *part, const struct flash_set *set)
{
        uint32_t value = flash_show(set->flags, bits_of(part));

        if (flash_set_is_busy(part, set))
                value |= SR_BSY;
        if (set->buffer_mask != 0 && part->family->word_length == 16)
                value |= SR_WDW;
        return value;
}

static uint32_t control_of(const struct simulated_part *part, const struct flash_set *set)
{
        uint32_t value = set->control;

        if (set->is_locked)
                value |= CR_LOCK;
        if (set == &part->sets[0] && part->option_is_locked)
                value |= CR_OPTLOCK;
        return value;
}

/* The page field has as many bits as a bank has pages, from bit 3 (targets.md 6.2). */
static void start_erase(struct simulated_part *part, struct flash_set *set, uint32_t value)
{
        const struct family *family = part->family;
        uint32_t pages = family->bank_length / family->sector_length;
        uint32_t banks =
                (value & CR_MER1 ? 1u : 0) | (value & CR_MER2 && family->banks == 2 ? 2u : 0);

        if (banks)
                flash_start_erase(part, set, banks, true, 0);
        else if (value & CR_PER)
                flash_start_erase(part, set, value & CR_BKER && family->banks == 2 ? 2u : 1u, false,
                                  (value >> 3 & 0xFFu) % pages);
        else
                set->flags |= FLASH_SEQUENCE;
}

/* What CR does for the option bytes; only the non-secure one, and only while they are open. */
static void control_options(struct simulated_part *part, uint32_t value)
{
        if (part->option_is_locked)
                return;
        if (value & CR_OPTLOCK)
                part->option_is_locked = true;
        if (value & CR_OPTSTRT) {
                option_start(part);
                if (part->option_change_error)
                        part->sets[0].flags |= FLASH_OPTION;
                part->option_change_error = false;
        }
        if (value & CR_OBL_LAUNCH) {
                option_load(part);
                part_reset(part, part->now_ns);
        }
}

static enum part_answer write_control(struct simulated_part *part, struct flash_set *set,
                                      uint32_t value)
{
        if (flash_set_is_busy(part, set))
                return PART_WAIT;
        if (set->is_locked)
                return PART_OK; /* ignored */
        set->control = value & CR_KEPT;
        set->may_program = value & CR_PG;
        if (value & CR_STRT)
                start_erase(part, set, value);
        if (set == &part->sets[0])
                control_options(part, value);
        if (value & CR_LOCK)
                set->is_locked = part->option_is_locked = true;
        return PART_OK;
}

static enum part_answer write_option(struct simulated_part *part, uint32_t offset, uint32_t value)
{
        size_t row = option_row_programmed(part, offset);

        if (row == part->family->option_count)
                return PART_OK;
        if (part->option_due_ns != NEVER)
                return PART_WAIT;
        if (!part->option_is_locked)
                part->option_program[row] = value;
        return PART_OK;
}

/* The set whose register `offset` is, and which; the secure one only answers its own side. */
enum set_register { SET_KEY, SET_STATUS, SET_CONTROL, SET_NONE };

static enum set_register find(struct simulated_part *part, bool is_secure, uint32_t offset,
                              struct flash_set **ret_set)
{
        const struct family_registers *at = &part->family->registers;

        *ret_set = &part->sets[0];
        if (offset == at->key)
                return SET_KEY;
        if (offset == at->status)
                return SET_STATUS;
        if (offset == at->control)
                return SET_CONTROL;
        if (!at->secure_key || !is_secure)
                return SET_NONE;
        *ret_set = &part->sets[1];
        if (offset == at->secure_key)
                return SET_KEY;
        if (offset == at->secure_status)
                return SET_STATUS;
        return offset == at->secure_control ? SET_CONTROL : SET_NONE;
}

static enum part_answer l4_read(struct simulated_part *part, bool is_secure, uint32_t offset,
                                uint32_t *ret_value)
{
        size_t row = option_row_shown(part, offset);
        struct flash_set *set;

        *ret_value = row < part->family->option_count ? part->option_program[row] : 0;
        switch (find(part, is_secure, offset, &set)) {
        case SET_STATUS:
                *ret_value = status_of(part, set);
                break;
        case SET_CONTROL:
                *ret_value = control_of(part, set);
                break;
        case SET_KEY:
        case SET_NONE:
                break;
        }
        return PART_OK;
}

static enum part_answer l4_write(struct simulated_part *part, bool is_secure, uint32_t offset,
                                 uint32_t value)
{
        struct flash_set *set;

        switch (find(part, is_secure, offset, &set)) {
        case SET_KEY:
                return flash_give_key(set, value);
        case SET_STATUS:
                set->flags &= ~flash_parse(value, bits_of(part));
                return PART_OK;
        case SET_CONTROL:
                return write_control(part, set, value);
        case SET_NONE:
                break;
        }
        if (offset != part->family->registers.option_key)
                return write_option(part, offset, value);
        if (part->sets[0].is_locked)
                part->option_is_dead = true; /* the outer lock comes first */
        return option_give_key(part, value);
}

const struct sequence l4_sequence = {
        .reset = l4_reset,
        .read = l4_read,
        .write = l4_write,
        .wants_words = true,
        .loads_at_launch = true,
};
