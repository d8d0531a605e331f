/*
 * Flash and option registers of the H7RS (targets.md 6.2, 6.4, 7.10).
 *
 * One bank; what went wrong stands in an interrupt status of its own, apart from the busy bits.
 * Option words are programmed one by one: while PG_OPT is set, a write to a word's program register
 * starts it. NVSTATE and the root-of-trust word change through RSSLIB only: written from outside they
 * are refused with OPTERRF.
 */
#include "drivers/simulated/part_private.h"

#define KEYR    0x04u
#define CR      0x10u
#define SR      0x14u
#define ISR     0x24u
#define ICR     0x28u
#define OPTKEYR 0x100u
#define OPTCR   0x104u
#define OPTISR  0x108u
#define OPTICR  0x10Cu
#define NVSR    0x200u
#define ROTSR   0x208u

#define CR_LOCK      (1u << 0)
#define CR_PG        (1u << 1)
#define CR_SER       (1u << 2)
#define CR_BER       (1u << 3)
#define CR_FW        (1u << 4)
#define CR_START     (1u << 5)
#define CR_KEPT      0x010301CEu /* PG, CR_SER, BER, SSN, PG_OTP, CRC_EN, ALL_BANKS */
#define SR_BUSY      (1u << 0)
#define SR_WBNE      (1u << 1)
#define SR_QW        (1u << 2)
#define SR_PROGRAM   (1u << 4)
#define SR_ERASE     (1u << 5)
#define SR_OPTCHANGE (1u << 6)
#define OPTCR_LOCK   (1u << 0)
#define OPTCR_PG_OPT (1u << 1)
#define OPTISR_ERROR (1u << 30)

static const uint8_t bits[FLASH_FLAGS] = { 16, 17, 18, 19, 21, 18, 0xFF, 0xFF, 24, 0xFF };

static void h7rs_reset(struct simulated_part *part)
{
        part->option_is_enabled = false;
}

static uint32_t status_of(const struct simulated_part *part)
{
        const struct flash_set *set = &part->sets[0];
        uint32_t value = set->buffer_mask != 0 ? SR_WBNE : 0;

        if (flash_set_is_busy(part, set))
                value |= SR_BUSY | SR_QW;
        if (set->work == FLASH_PROGRAM)
                value |= SR_PROGRAM;
        else if (set->work != FLASH_IDLE)
                value |= SR_ERASE;
        if (part->option_due_ns != NEVER)
                value |= SR_OPTCHANGE;
        return value;
}

static enum part_answer write_control(struct simulated_part *part, uint32_t value)
{
        struct flash_set *set = &part->sets[0];

        if (flash_set_is_busy(part, set))
                return PART_WAIT;
        if (set->is_locked)
                return PART_OK; /* ignored */
        set->control = value & CR_KEPT;
        set->may_program = value & CR_PG;
        set->is_locked = value & CR_LOCK;
        if (value & CR_FW)
                flash_force_word(part, set);
        if (value & CR_START && value & (CR_SER | CR_BER))
                flash_start_erase(part, set, 1u, value & CR_BER, value >> 6 & 7u);
        return PART_OK;
}

static bool is_for_rsslib(const struct simulated_part *part, size_t row)
{
        uint32_t offset = part->family->options[row].current - part->family->flash_registers;

        return offset == NVSR || offset == ROTSR;
}

static enum part_answer write_word(struct simulated_part *part, size_t row, uint32_t value)
{
        if (flash_set_is_busy(part, &part->sets[0]))
                return PART_WAIT;
        if (part->option_is_locked)
                return PART_OK; /* ignored */
        part->option_program[row] = value;
        if (!part->option_is_enabled)
                return PART_OK;
        if (is_for_rsslib(part, row)) {
                part->option_program[row] = part->in_force[row];
                part->option_change_error = true;
        } else {
                option_start(part);
        }
        return PART_OK;
}

static enum part_answer write_option(struct simulated_part *part, uint32_t offset, uint32_t value)
{
        size_t row = option_row_programmed(part, offset);

        if (offset == OPTKEYR)
                return option_give_key(part, value);
        if (offset == OPTCR) {
                if (part->option_is_locked)
                        return PART_OK; /* ignored */
                part->option_is_locked = value & OPTCR_LOCK;
                part->option_is_enabled = value & OPTCR_PG_OPT;
                return PART_OK;
        }
        if (offset == OPTICR && value & OPTISR_ERROR)
                part->option_change_error = false;
        return row < part->family->option_count ? write_word(part, row, value) : PART_OK;
}

static uint32_t read_option(const struct simulated_part *part, uint32_t offset)
{
        size_t shown = option_row_shown(part, offset), taken = option_row_programmed(part, offset);

        if (offset == OPTCR)
                return (part->option_is_locked ? OPTCR_LOCK : 0) |
                       (part->option_is_enabled ? OPTCR_PG_OPT : 0);
        if (offset == OPTISR)
                return part->option_change_error ? OPTISR_ERROR : 0;
        if (shown < part->family->option_count)
                return part->in_force[shown];
        return taken < part->family->option_count ? part->option_program[taken] : 0;
}

static enum part_answer h7rs_read(struct simulated_part *part, bool is_secure, uint32_t offset,
                                  uint32_t *ret_value)
{
        const struct flash_set *set = &part->sets[0];

        (void)is_secure;
        if (offset == CR)
                *ret_value = set->control | (set->is_locked ? CR_LOCK : 0);
        else if (offset == SR)
                *ret_value = status_of(part);
        else if (offset == ISR)
                *ret_value = flash_show(set->flags, bits);
        else
                *ret_value = read_option(part, offset);
        return PART_OK;
}

static enum part_answer h7rs_write(struct simulated_part *part, bool is_secure, uint32_t offset,
                                   uint32_t value)
{
        (void)is_secure;
        if (offset == KEYR)
                return flash_give_key(&part->sets[0], value);
        if (offset == CR)
                return write_control(part, value);
        if (offset == ICR) {
                part->sets[0].flags &= ~flash_parse(value, bits);
                return PART_OK;
        }
        return write_option(part, offset, value);
}

const struct sequence h7rs_sequence = {
        .reset = h7rs_reset,
        .read = h7rs_read,
        .write = h7rs_write,
};
