/*
 * Flash and option registers of the H5 (targets.md 6.2 to 6.4).
 *
 * One controller, a set of registers a world, each secure register four bytes behind its other. The
 * option bytes are pairs of *_CUR and *_PRG with a control register of their own; a refused change
 * sets OPTCHANGEERR in the non-secure status.
 */
#include "drivers/simulated/part_private.h"

#define KEYR    0x04u
#define OPTKEYR 0x0Cu
#define OPTCR   0x1Cu
#define SR      0x20u
#define CR      0x28u
#define CCR     0x30u

#define CR_LOCK     (1u << 0)
#define CR_PG       (1u << 1)
#define CR_SER      (1u << 2)
#define CR_BER      (1u << 3)
#define CR_FW       (1u << 4)
#define CR_START    (1u << 5)
#define CR_MER      (1u << 15)
#define CR_BKSEL    (1u << 31)
#define CR_KEPT     0x80009FCEu /* PG, CR_SER, BER, SNB, MER, BKSEL */
#define SR_BSY      (1u << 0)
#define SR_WBNE     (1u << 1)
#define OPTCR_LOCK  (1u << 0)
#define OPTCR_START (1u << 1)

static const uint8_t bits[FLASH_FLAGS] = { 16, 17, 18, 19, 20, 18, 0xFF, 0xFF, 0xFF, 23 };

static void h5_reset(struct simulated_part *part)
{
        (void)part; /* CR is clear but for its lock */
}

static uint32_t status_of(const struct simulated_part *part, const struct flash_set *set)
{
        uint32_t value = flash_show(set->flags, bits);

        if (flash_set_is_busy(part, set))
                value |= SR_BSY;
        if (set->buffer_mask != 0)
                value |= SR_WBNE;
        return value;
}

static void start_erase(struct simulated_part *part, struct flash_set *set, uint32_t value)
{
        const struct family *family = part->family;
        uint32_t bank = value & CR_BKSEL && family->banks == 2 ? 2u : 1u;

        if (value & CR_MER)
                flash_start_erase(part, set, family->banks == 2 ? 3u : 1u, true, 0);
        else if (value & (CR_SER | CR_BER))
                flash_start_erase(part, set, bank, value & CR_BER, value >> 6 & 0x7Fu);
        else
                set->flags |= FLASH_SEQUENCE;
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
        set->is_locked = value & CR_LOCK;
        if (value & CR_FW)
                flash_force_word(part, set);
        if (value & CR_START)
                start_erase(part, set, value);
        return PART_OK;
}

static enum part_answer write_option_control(struct simulated_part *part, uint32_t value)
{
        if (part->option_is_locked)
                return PART_OK; /* ignored */
        if (flash_set_is_busy(part, &part->sets[0]))
                return PART_WAIT;
        part->option_is_locked = value & OPTCR_LOCK;
        if (!(value & OPTCR_START))
                return PART_OK;
        option_start(part);
        if (part->option_change_error)
                part->sets[0].flags |= FLASH_OPTION;
        part->option_change_error = false;
        return PART_OK;
}

static enum part_answer write_option(struct simulated_part *part, uint32_t offset, uint32_t value)
{
        size_t row = option_row_programmed(part, offset);

        if (offset == OPTKEYR)
                return option_give_key(part, value);
        if (offset == OPTCR)
                return write_option_control(part, value);
        if (row == part->family->option_count)
                return PART_OK;
        if (part->option_due_ns != NEVER)
                return PART_WAIT;
        if (!part->option_is_locked)
                part->option_program[row] = value;
        return PART_OK;
}

static uint32_t read_option(const struct simulated_part *part, uint32_t offset)
{
        size_t shown = option_row_shown(part, offset), taken = option_row_programmed(part, offset);

        if (offset == OPTCR)
                return part->option_is_locked ? OPTCR_LOCK : 0;
        if (shown < part->family->option_count)
                return part->in_force[shown];
        return taken < part->family->option_count ? part->option_program[taken] : 0;
}

/* A register of a set: the even one is non-secure, the odd one secure and only for that side. */
static bool is_set_register(struct simulated_part *part, bool is_secure, uint32_t *offset,
                            struct flash_set **ret_set)
{
        uint32_t other = *offset - 4;

        *ret_set = &part->sets[0];
        if (*offset == KEYR || *offset == SR || *offset == CR || *offset == CCR)
                return true;
        if (!is_secure || (other != KEYR && other != SR && other != CR && other != CCR))
                return false;
        *ret_set = &part->sets[1];
        *offset = other;
        return true;
}

static enum part_answer h5_read(struct simulated_part *part, bool is_secure, uint32_t offset,
                                uint32_t *ret_value)
{
        struct flash_set *set;

        *ret_value = 0;
        if (!is_set_register(part, is_secure, &offset, &set))
                *ret_value = read_option(part, offset);
        else if (offset == CR)
                *ret_value = set->control | (set->is_locked ? CR_LOCK : 0);
        else if (offset == SR)
                *ret_value = status_of(part, set);
        return PART_OK;
}

static enum part_answer h5_write(struct simulated_part *part, bool is_secure, uint32_t offset,
                                 uint32_t value)
{
        struct flash_set *set;

        if (!is_set_register(part, is_secure, &offset, &set))
                return write_option(part, offset, value);
        if (offset == KEYR)
                return flash_give_key(set, value);
        if (offset == CR)
                return write_control(part, set, value);
        if (offset == CCR)
                set->flags &= ~flash_parse(value, bits);
        return PART_OK;
}

const struct sequence h5_sequence = {
        .reset = h5_reset,
        .read = h5_read,
        .write = h5_write,
};
