/*
 * Option bytes of a simulated part (targets.md 5.1, 6.4, 6.5, 7.1).
 *
 * Rows are the family's; the rules are those of the H7, found by register offset. OPTSTART checks
 * the wanted values against the present ones: what silicon refuses sets OPTCHANGEERR and changes
 * nothing. What it accepts takes OPT_BUSY's time, then stands in the CUR registers. Boot address,
 * SECURITY and the read-out protection act later: at the next reset, and RDP at the next power-on.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define OPTKEYR   0x08u
#define OPTCR     0x18u
#define OPTSR_CUR 0x1Cu
#define OPTCCR    0x24u
#define KEY_1     0x08192A3Bu
#define KEY_2     0x4C5D6E7Fu

#define OPTCR_LOCK  0x01u
#define OPTCR_START 0x02u
#define OPTCR_MER   0x10u

#define OPTSR_BUSY         (1u << 0)
#define OPTSR_CHANGE_ERROR (1u << 30)
#define OPTSR_SWAP         (1u << 31)
#define PRAR_CUR           0x28u
#define SCAR_CUR           0x30u
#define WPSN_CUR           0x38u
#define AREA_ERASE         (1u << 31) /* DMEP, DMES: the area goes with an RDP regression */
#define AREA_GRAIN         256u
#define SR_RDPERR          (1u << 23)
#define SR_RDSERR          (1u << 24)

/* Row shown at `offset` of the flash registers; option_count: none. */
static size_t row_at(const struct family *family, uint32_t offset)
{
        size_t i = 0;

        while (i < family->option_count &&
               family->options[i].current != family->flash_registers + offset)
                i++;
        return i;
}

static uint32_t value_of(const struct simulated_part *part, const uint32_t *values, uint32_t offset,
                         uint32_t otherwise)
{
        size_t row = row_at(part->family, offset);

        return row < part->family->option_count ? values[row] : otherwise;
}

uint32_t option_value(const struct simulated_part *part, uint32_t offset, uint32_t otherwise)
{
        return value_of(part, part->record->options, offset, otherwise);
}

unsigned option_level(uint32_t optsr)
{
        uint8_t rdp = (uint8_t)(optsr >> 8);

        return rdp == 0xAA ? 0 : rdp == 0xCC ? 2 : 1;
}

void part_set_protection(struct simulated_part *part, uint8_t rdp)
{
        size_t row = row_at(part->family, OPTSR_CUR);

        if (row == part->family->option_count)
                return; /* a family without that register cannot be protected */
        part->record->options[row] = (part->record->options[row] & ~0xFF00u) | (uint32_t)rdp << 8;
        if (part->is_powered)
                part->protection = option_level(part->record->options[row]);
}

/* --- protected areas ----------------------------------------------------------------------- */

/* Byte range of PCROP or secure area of a bank: start [11:0], end [27:16], 256-byte units, both
 * included; start > end is none. */
static bool area_of(const struct simulated_part *part, const uint32_t *values, uint32_t offset,
                    unsigned bank, uint32_t *ret_start, uint32_t *ret_end)
{
        uint32_t value = value_of(part, values, offset + bank * FLASH_BANK_OFFSET, 0x000000FF);
        uint32_t start = value & 0xFFF, end = value >> 16 & 0xFFF;
        uint32_t base = part->family->bank_address[bank];

        if (start > end)
                return false;
        *ret_start = base + start * AREA_GRAIN;
        *ret_end = base + (end + 1) * AREA_GRAIN;
        return true;
}

static bool touches_area(const struct simulated_part *part, uint32_t offset, uint32_t address,
                         uint32_t length)
{
        uint32_t start, end;

        for (unsigned i = 0; i < part->family->banks; i++)
                if (area_of(part, part->record->options, offset, i, &start, &end) &&
                    address < end && start < address + length)
                        return true;
        return false;
}

bool option_has_areas(const struct simulated_part *part)
{
        uint32_t start, end;

        for (unsigned i = 0; i < part->family->banks; i++)
                if (area_of(part, part->record->options, PRAR_CUR, i, &start, &end) ||
                    area_of(part, part->record->options, SCAR_CUR, i, &start, &end))
                        return true;
        return false;
}

/* WPSN: one bit a sector, 1 is unprotected. */
static bool is_sector_protected(const struct simulated_part *part, uint32_t address,
                                uint32_t length)
{
        const struct family *family = part->family;
        uint32_t first = flash_offset(part, address) / family->sector_length;
        uint32_t last = flash_offset(part, address + length - 1) / family->sector_length;
        uint32_t per_bank = family->bank_length / family->sector_length;

        for (uint32_t i = first; i <= last; i++) {
                uint32_t offset = WPSN_CUR + i / per_bank * FLASH_BANK_OFFSET;

                if (!(option_value(part, offset, UINT32_MAX) >> i % per_bank & 1u))
                        return true;
        }
        return false;
}

bool option_protects_write(const struct simulated_part *part, uint32_t address, uint32_t length)
{
        return is_sector_protected(part, address, length) ||
               touches_area(part, PRAR_CUR, address, length) ||
               touches_area(part, SCAR_CUR, address, length);
}

bool option_protects_read(const struct simulated_part *part, uint32_t address, uint32_t length,
                          uint32_t *ret_flag)
{
        if (touches_area(part, PRAR_CUR, address, length))
                *ret_flag = SR_RDPERR;
        else if (touches_area(part, SCAR_CUR, address, length))
                *ret_flag = SR_RDSERR;
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

/* An active area may grow; it shrinks or goes only with a regression of RDP that its erase flag
 * allows (targets.md 7.1; secure-install.md 13.7: "clear via RDP 1 to 0 with empty range"). */
static bool areas_may_change(const struct simulated_part *part, const uint32_t *values,
                             uint32_t offset, bool is_regression)
{
        uint32_t start, end, new_start, new_end;

        for (unsigned i = 0; i < part->family->banks; i++) {
                uint32_t bank_offset = offset + i * FLASH_BANK_OFFSET;

                if (!area_of(part, part->record->options, offset, i, &start, &end))
                        continue;
                if (is_regression && value_of(part, values, bank_offset, 0) & AREA_ERASE)
                        continue;
                if (!area_of(part, values, offset, i, &new_start, &new_end) || new_start > start ||
                    new_end < end)
                        return false;
        }
        return true;
}

static bool only_swap_differs(const struct simulated_part *part, const uint32_t *values)
{
        size_t optsr = row_at(part->family, OPTSR_CUR);

        for (size_t i = 0; i < part->family->option_count; i++) {
                uint32_t difference = part->record->options[i] ^ values[i];

                if (i == optsr)
                        difference &= ~OPTSR_SWAP;
                if (difference)
                        return false;
        }
        return true;
}

/* `values` are merged rows. */
static bool is_allowed(const struct simulated_part *part, const uint32_t *values)
{
        uint32_t from = option_value(part, OPTSR_CUR, 0xAA00);
        uint32_t to = value_of(part, values, OPTSR_CUR, 0xAA00);
        bool is_regression = option_level(from) == 1 && option_level(to) == 0;
        uint32_t start, end;

        if (option_level(from) == 2)
                return only_swap_differs(part, values);
        if (!areas_may_change(part, values, PRAR_CUR, is_regression) ||
            !areas_may_change(part, values, SCAR_CUR, is_regression))
                return false;
        if (!family_is_secure(part->family, part->record->options) ||
            family_is_secure(part->family, values))
                return true;
        for (unsigned i = 0; i < part->family->banks; i++)
                if (area_of(part, values, PRAR_CUR, i, &start, &end) ||
                    area_of(part, values, SCAR_CUR, i, &start, &end))
                        return false;
        return true;
}

static void merge_all(const struct simulated_part *part, const uint32_t *values,
                      uint32_t *ret_merged)
{
        for (size_t i = 0; i < part->family->option_count; i++)
                ret_merged[i] = merged(part, i, values[i]);
}

bool option_change_is_allowed(const struct simulated_part *part, const uint32_t *values)
{
        uint32_t wanted[OPTION_ROWS_MAX];

        merge_all(part, values, wanted);
        return is_allowed(part, wanted);
}

void option_apply(struct simulated_part *part, const uint32_t *values)
{
        uint32_t wanted[OPTION_ROWS_MAX];
        unsigned from = option_level(option_value(part, OPTSR_CUR, 0xAA00));

        merge_all(part, values, wanted);
        /* regression: first the flash goes, then the protection; a kill between leaves it shut */
        if (from == 1 && option_level(value_of(part, wanted, OPTSR_CUR, 0xAA00)) == 0) {
                flash_erase_all(part);
                part->protection = 0;
        }
        memcpy(part->record->options, wanted, sizeof(wanted[0]) * part->family->option_count);
}

/* --- registers ----------------------------------------------------------------------------- */

bool option_register_read(struct simulated_part *part, uint32_t offset, uint32_t *ret_value)
{
        const struct family *family = part->family;
        uint32_t address = family->flash_registers + offset;

        if (offset == OPTCR) {
                *ret_value = part->option_control;
                return true;
        }
        for (size_t i = 0; i < family->option_count; i++) {
                if (family->options[i].current == address)
                        *ret_value = part->record->options[i];
                else if (family->options[i].program == address)
                        *ret_value = part->option_program[i];
                else
                        continue;
                if (offset == OPTSR_CUR) {
                        *ret_value &= ~(OPTSR_BUSY | OPTSR_CHANGE_ERROR);
                        *ret_value |= part->option_due_ns != NEVER ? OPTSR_BUSY : 0;
                        *ret_value |= part->option_change_error ? OPTSR_CHANGE_ERROR : 0;
                }
                return true;
        }
        return false;
}

static void start_change(struct simulated_part *part)
{
        const struct family *family = part->family;
        uint64_t duration = family->option_program_ms * NS_PER_MS;
        uint32_t from = option_value(part, OPTSR_CUR, 0xAA00);
        uint32_t to = value_of(part, part->option_program, OPTSR_CUR, 0xAA00);

        if (!option_change_is_allowed(part, part->option_program)) {
                part->option_change_error = true;
                return;
        }
        if (option_level(from) == 1 && option_level(to) == 0)
                duration += (uint64_t)family->sector_erase_ms * NS_PER_MS *
                            (family->bank_length / family->sector_length);
        part->option_due_ns = part->now_ns + part_scaled(part, duration);
        part_changed(part);
}

static enum part_answer write_control(struct simulated_part *part, uint32_t value)
{
        if (part->option_control & OPTCR_LOCK)
                return PART_OK; /* ignored */
        if (part->option_due_ns != NEVER)
                return PART_WAIT;
        part->option_control = value & OPTCR_LOCK;
        if (value & OPTCR_START)
                start_change(part);
        if (value & OPTCR_MER)
                flash_start_mass_erase(part, part->now_ns);
        return PART_OK;
}

static enum part_answer write_key(struct simulated_part *part, uint32_t value)
{
        if (part->option_is_dead || !(part->option_control & OPTCR_LOCK) ||
            value != (part->option_keys == 0 ? KEY_1 : KEY_2)) {
                part->option_is_dead = true;
                part->option_control |= OPTCR_LOCK;
                return PART_FAULT;
        }
        if (++part->option_keys == 2) {
                part->option_keys = 0;
                part->option_control &= ~OPTCR_LOCK;
        }
        return PART_OK;
}

static bool is_program_register(const struct simulated_part *part, uint32_t offset, size_t *ret_row)
{
        const struct family *family = part->family;

        for (size_t i = 0; i < family->option_count; i++) {
                if (family->options[i].program == 0 ||
                    family->options[i].program != family->flash_registers + offset)
                        continue;
                *ret_row = i;
                return true;
        }
        return false;
}

bool option_register_write(struct simulated_part *part, uint32_t offset, uint32_t value,
                           enum part_answer *ret_answer)
{
        size_t row;

        *ret_answer = PART_OK;
        if (offset == OPTKEYR) {
                *ret_answer = write_key(part, value);
        } else if (offset == OPTCR) {
                *ret_answer = write_control(part, value);
        } else if (offset == OPTCCR) {
                if (value & OPTSR_CHANGE_ERROR)
                        part->option_change_error = false;
        } else if (is_program_register(part, offset, &row)) {
                if (part->option_due_ns != NEVER)
                        *ret_answer = PART_WAIT;
                else if (!(part->option_control & OPTCR_LOCK))
                        part->option_program[row] = value;
        } else {
                return false;
        }
        return true;
}

void option_reset(struct simulated_part *part)
{
        part->option_control = OPTCR_LOCK;
        part->option_keys = 0;
        part->option_is_dead = part->option_change_error = false;
        part->option_due_ns = NEVER;
        memcpy(part->option_program, part->record->options, sizeof(part->option_program));
}

/* OPT_BUSY has ended: the CUR registers reload. */
void option_advance(struct simulated_part *part, uint64_t now_ns)
{
        (void)now_ns;
        part->option_due_ns = NEVER;
        option_apply(part, part->option_program);
        memcpy(part->option_program, part->record->options, sizeof(part->option_program));
}
