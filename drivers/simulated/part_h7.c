/*
 * Flash and option registers of the H7 lines (targets.md 6.2, 6.4, 7.1 to 7.3).
 *
 * Each bank has its own set, 0x100 apart, with its own lock and queue: QW stays up while it works.
 * H7A/B has no PSIZE and other places for FW, START and the sector number. Option bytes: OPTSTART
 * checks what stands in the *_PRG registers; a refusal sets OPTCHANGEERR, what is taken keeps
 * OPT_BUSY up for its time and then stands in the *_CUR registers.
 */
#include "drivers/simulated/part_private.h"

#define BANK_OFFSET 0x100u
#define KEYR        0x04u
#define OPTKEYR     0x08u
#define CR          0x0Cu
#define SR          0x10u
#define CCR         0x14u
#define OPTCR       0x18u
#define OPTSR_CUR   0x1Cu
#define OPTCCR      0x24u

#define CR_LOCK 0x01u
#define CR_PG   0x02u
#define CR_SER  0x04u
#define CR_BER  0x08u
#define SR_BSY  (1u << 0)
#define SR_WBNE (1u << 1)
#define SR_QW   (1u << 2)

#define OPTCR_LOCK         0x01u
#define OPTCR_START        0x02u
#define OPTCR_MER          0x10u
#define OPTSR_BUSY         (1u << 0)
#define OPTSR_CHANGE_ERROR (1u << 30)

static const uint8_t bits[FLASH_FLAGS] = { 16, 17, 18, 19, 21, 18, 0xFF, 23, 24, 0xFF };

/* Where the two kinds of CR differ. */
struct control {
        uint32_t forced, start, kept, reset; /* FW, START; bits that stay; after reset */
        unsigned sector_low, parallelism_low;
        uint32_t sector_mask;
};
static const struct control x64 = { 1u << 6, 1u << 7, 0x73F, 0x031, 8, 4, 0x07 };
static const struct control ab = { 1u << 4, 1u << 5, 0x1FCF, 0x001, 6, 0, 0x7F };

static const struct control *control_of(const struct simulated_part *part)
{
        return part->family->sequence == FAMILY_H7AB ? &ab : &x64;
}

static void h7_reset(struct simulated_part *part)
{
        for (unsigned i = 0; i < FLASH_SETS; i++)
                part->sets[i].control = control_of(part)->reset & ~CR_LOCK;
}

/* --- a bank's set -------------------------------------------------------------------------- */

static uint32_t status_of(const struct flash_set *set)
{
        uint32_t value = flash_show(set->flags, bits);

        if (set->work != FLASH_IDLE)
                value |= SR_BSY | SR_QW;
        if (set->buffer_mask != 0)
                value |= SR_WBNE;
        return value;
}

static enum part_answer write_control(struct simulated_part *part, unsigned bank, uint32_t value)
{
        const struct control *control = control_of(part);
        struct flash_set *set = &part->sets[bank];

        if (set->work != FLASH_IDLE)
                return PART_WAIT;
        if (set->is_locked)
                return PART_OK; /* ignored */
        set->control = value & control->kept & ~CR_LOCK;
        set->is_locked = value & CR_LOCK;
        set->may_program = value & CR_PG;
        if (control->parallelism_low)
                set->parallelism = value >> control->parallelism_low & 3u;
        if (value & control->forced)
                flash_force_word(part, set);
        if (value & control->start && value & (CR_SER | CR_BER))
                flash_start_erase(part, set, 1u << bank, value & CR_BER,
                                  value >> control->sector_low & control->sector_mask);
        return PART_OK;
}

/* Which bank's set, and which register of it; false for the option registers and holes. */
static bool is_bank_register(const struct simulated_part *part, uint32_t offset, unsigned *ret_bank,
                             uint32_t *ret_register)
{
        unsigned bank = offset / BANK_OFFSET;
        uint32_t reg = offset % BANK_OFFSET;

        if (bank >= part->family->banks || (reg != KEYR && reg != CR && reg != SR && reg != CCR))
                return false;
        *ret_bank = bank;
        *ret_register = reg;
        return true;
}

/* --- option registers ---------------------------------------------------------------------- */

static uint32_t read_option(const struct simulated_part *part, uint32_t offset)
{
        size_t shown = option_row_shown(part, offset), taken = option_row_programmed(part, offset);
        uint32_t value;

        if (offset == OPTCR)
                return part->option_is_locked ? OPTCR_LOCK : 0;
        if (shown == part->family->option_count)
                return taken < part->family->option_count ? part->option_program[taken] : 0;
        value = part->in_force[shown];
        if (offset == OPTSR_CUR) {
                value &= ~(OPTSR_BUSY | OPTSR_CHANGE_ERROR);
                value |= part->option_due_ns != NEVER ? OPTSR_BUSY : 0;
                value |= part->option_change_error ? OPTSR_CHANGE_ERROR : 0;
        }
        return value;
}

/* Both banks erase side by side. Protected areas stay out of it. */
static void start_mass_erase(struct simulated_part *part)
{
        for (unsigned i = 0; i < part->family->banks; i++)
                if (part->sets[i].work == FLASH_IDLE && !part->sets[i].is_locked)
                        flash_start_erase(part, &part->sets[i], 1u << i, true, 0);
}

static enum part_answer write_option_control(struct simulated_part *part, uint32_t value)
{
        if (part->option_is_locked)
                return PART_OK; /* ignored */
        if (part->option_due_ns != NEVER)
                return PART_WAIT;
        part->option_is_locked = value & OPTCR_LOCK;
        if (value & OPTCR_START)
                option_start(part);
        if (value & OPTCR_MER && part->family->banks == 2) /* targets.md 6.3 */
                start_mass_erase(part);
        return PART_OK;
}

static enum part_answer write_option(struct simulated_part *part, uint32_t offset, uint32_t value)
{
        size_t row = option_row_programmed(part, offset);

        if (offset == OPTKEYR)
                return option_give_key(part, value);
        if (offset == OPTCR)
                return write_option_control(part, value);
        if (offset == OPTCCR && value & OPTSR_CHANGE_ERROR)
                part->option_change_error = false;
        if (row == part->family->option_count)
                return PART_OK;
        if (part->option_due_ns != NEVER)
                return PART_WAIT;
        if (!part->option_is_locked)
                part->option_program[row] = value;
        return PART_OK;
}

/* --- both ---------------------------------------------------------------------------------- */

/* Holes read zero: ST's own tool reads 308 bytes from OPTSR_CUR in one go (targets.md 7.1). */
static enum part_answer h7_read(struct simulated_part *part, bool is_secure, uint32_t offset,
                                uint32_t *ret_value)
{
        unsigned bank;
        uint32_t reg;

        (void)is_secure;
        *ret_value = 0;
        if (!is_bank_register(part, offset, &bank, &reg))
                *ret_value = read_option(part, offset);
        else if (reg == CR)
                *ret_value = part->sets[bank].control | (part->sets[bank].is_locked ? CR_LOCK : 0);
        else if (reg == SR)
                *ret_value = status_of(&part->sets[bank]);
        return PART_OK;
}

static enum part_answer h7_write(struct simulated_part *part, bool is_secure, uint32_t offset,
                                 uint32_t value)
{
        unsigned bank;
        uint32_t reg;

        (void)is_secure;
        if (!is_bank_register(part, offset, &bank, &reg))
                return write_option(part, offset, value);
        if (reg == KEYR)
                return flash_give_key(&part->sets[bank], value);
        if (reg == CR)
                return write_control(part, bank, value);
        if (reg == CCR)
                part->sets[bank].flags &= ~flash_parse(value, bits);
        return PART_OK;
}

const struct sequence h7_sequence = {
        .reset = h7_reset,
        .read = h7_read,
        .write = h7_write,
        .has_set_a_bank = true,
        .has_final_options = true,
};
