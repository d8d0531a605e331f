/*
 * target_options.c - option bytes of the H7 line: read, compare, program, see that they took.
 *
 * Programming costs a quarter of a second and wears the cells, so nothing is written unless a bit
 * that can be read back differs. The sequence is targets.md 6.4 (H7): unlock, *_PRG registers,
 * clear OPTCHANGEERR, OPTSTART, wait for OPT_BUSY, look at OPTCHANGEERR, lock again. The lock is
 * put back whatever happened before.
 */
#include "drivers/target.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>
#include <string.h>

/* Offsets from the flash registers: targets.md 6.2 (columns of the H7) and 7.1. */
#define OPTKEYR   0x08u
#define OPTCR     0x18u
#define OPTSR_CUR 0x1Cu
#define OPTCCR    0x24u

#define OPTKEY_1 0x08192A3Bu /* targets.md 6.1 */
#define OPTKEY_2 0x4C5D6E7Fu

#define OPTCR_OPTLOCK       (1u << 0)
#define OPTCR_OPTSTART      (1u << 1)
#define OPTSR_OPT_BUSY      (1u << 0)
#define OPTSR_OPTCHANGEERR  (1u << 30)
#define OPTCCR_OPTCHANGEERR (1u << 30)

#define POLL_MS 10u

/* PRAR and SCAR (targets.md 7.1): first and last block of 256 bytes; first behind last is off. */
#define AREA_FIRST(value) ((value)&0xFFFu)
#define AREA_LAST(value)  ((value) >> 16 & 0xFFFu)
#define AREA_UNIT         256u

uint8_t target_protection_level(const uint32_t *options)
{
        return (uint8_t)(options[0] >> 8); /* OPTSR.RDP [15:8] (targets.md 7.1) */
}

bool target_is_secure(const uint32_t *options)
{
        return options[0] & TARGET_SECURITY;
}

int target_read_options(struct target *target, uint32_t *ret_values)
{
        const struct family *family = target->family;

        for (size_t i = 0; i < family->option_count; i++) {
                int r = 0;

                ret_values[i] = 0;
                if (family->options[i].current)
                        r = target_read_word(target, family->options[i].current, &ret_values[i]);
                if (r < 0)
                        return fault_prefix(r, "option row %s", family->options[i].name);
        }
        return 0;
}

static bool differs(const struct family_option *row, uint32_t found, uint32_t wanted)
{
        return row->program && ((found ^ wanted) & row->mask);
}

static bool any_differs(const struct family *family, const uint32_t *found, const uint32_t *wanted)
{
        for (size_t i = 0; i < family->option_count; i++)
                if (differs(&family->options[i], found[i], wanted[i]))
                        return true;
        return false;
}

/* The keys are given only to a locked register: a second time they fault the bus and lock it until
 * the next reset (targets.md 6.1). */
static int unlock(struct target *target, uint32_t registers)
{
        uint32_t control;
        int r = target_read_word(target, registers + OPTCR, &control);

        if (r < 0 || !(control & OPTCR_OPTLOCK))
                return r;
        r = target_write_word(target, registers + OPTKEYR, OPTKEY_1);
        if (!r)
                r = target_write_word(target, registers + OPTKEYR, OPTKEY_2);
        if (!r)
                r = target_read_word(target, registers + OPTCR, &control);
        if (r < 0)
                return r;
        if (control & OPTCR_OPTLOCK)
                return fault(FAULT_OPTION_BYTES,
                             "the option bytes stay locked after both keys (OPTCR 0x%08X); "
                             "power-cycle the board",
                             control);
        return 0;
}

/* Bits outside the mask keep what the register holds. */
static int put_rows(struct target *target, const uint32_t *found, const uint32_t *wanted)
{
        const struct family *family = target->family;

        for (size_t i = 0; i < family->option_count; i++) {
                const struct family_option *row = &family->options[i];
                uint32_t kept;
                int r;

                if (!differs(row, found[i], wanted[i]))
                        continue;
                r = target_read_word(target, row->program, &kept);
                if (!r)
                        r = target_write_word(target, row->program,
                                              (kept & ~row->mask) | (wanted[i] & row->mask));
                if (r < 0)
                        return fault_prefix(r, "option row %s", row->name);
        }
        return 0;
}

static int wait_programmed(struct target *target, uint32_t registers)
{
        /* Ten times the typical time (targets.md 10.2), at least 3 s. */
        uint64_t patience_ms = 3000u + 10u * target->family->option_program_ms;
        uint64_t deadline_ns = clock_now_ns() + patience_ms * NS_PER_MS;
        uint32_t status;

        for (;;) {
                int r = fiber_sleep_ns(POLL_MS * NS_PER_MS);

                if (!r)
                        r = target_read_word(target, registers + OPTSR_CUR, &status);
                if (r < 0)
                        return r;
                if (!(status & OPTSR_OPT_BUSY))
                        break;
                if (clock_now_ns() > deadline_ns)
                        return fault(FAULT_OPTION_BYTES,
                                     "programming the option bytes does not end (OPTSR 0x%08X)",
                                     status);
        }
        if (status & OPTSR_OPTCHANGEERR)
                return fault(FAULT_OPTION_BYTES,
                             "the part refused the option bytes: OPTCHANGEERR (OPTSR 0x%08X)",
                             status);
        return 0;
}

static int program(struct target *target, uint32_t registers, const uint32_t *found,
                   const uint32_t *wanted)
{
        int r = put_rows(target, found, wanted);

        if (!r)
                r = target_write_word(target, registers + OPTCCR, OPTCCR_OPTCHANGEERR);
        if (!r)
                r = target_write_word(target, registers + OPTCR, OPTCR_OPTSTART);
        return r < 0 ? r : wait_programmed(target, registers);
}

static int check_took(struct target *target, const uint32_t *wanted)
{
        const struct family *family = target->family;
        uint32_t found[OPTION_ROWS_MAX];
        int r = target_read_options(target, found);

        if (r < 0)
                return r;
        for (size_t i = 0; i < family->option_count; i++)
                if (differs(&family->options[i], found[i], wanted[i]))
                        return fault(FAULT_OPTION_BYTES,
                                     "option row %s reads 0x%08X, expected 0x%08X in the bits "
                                     "0x%08X",
                                     family->options[i].name, found[i], wanted[i],
                                     family->options[i].mask);
        return 0;
}

int target_write_options(struct target *target, const uint32_t *values)
{
        uint32_t registers = target->family->flash_registers;
        uint32_t found[OPTION_ROWS_MAX];
        int r = target_read_options(target, found);

        if (r < 0 || !any_differs(target->family, found, values))
                return r;
        r = unlock(target, registers);
        if (r < 0)
                return r;
        r = program(target, registers, found, values);
        if (r < 0) { /* lock again, and keep what went wrong first */
                char sentence[512];

                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                /* A reset locks it too, should this one fail as well. */
                IGNORE(target_write_word(target, registers + OPTCR, OPTCR_OPTLOCK));
                return fault((enum fault) - r, "%s", sentence);
        }
        r = target_write_word(target, registers + OPTCR, OPTCR_OPTLOCK);
        return r < 0 ? r : check_took(target, values);
}

/* --- protected areas ----------------------------------------------------------------------- */

/* Bank of a row by the last letter of its name: FPRAR_PRG_A, FPRAR_PRG_B (AN5054 figure 15). */
static unsigned row_bank(const struct family_option *row)
{
        size_t length = strlen(row->name);

        return length && row->name[length - 1] == 'B' ? 1 : 0;
}

static bool row_is(const struct family_option *row, const char *kind)
{
        return strncmp(row->name, kind, strlen(kind)) == 0;
}

static int check_area(const struct family *family, const struct family_option *row, uint32_t value,
                      const char *kind)
{
        uint32_t base = family->bank_address[row_bank(row)];

        /* First equal to last is the whole bank (RM0433 4.3.10), so it counts. */
        if (AREA_FIRST(value) > AREA_LAST(value))
                return 0;
        return fault(FAULT_PROTECTED,
                     "the %s 0x%08X to 0x%08X is active (%s 0x%08X); remove it by a regression "
                     "from RDP level 1 with the area disabled",
                     kind, base + AREA_FIRST(value) * AREA_UNIT,
                     base + AREA_LAST(value) * AREA_UNIT + AREA_UNIT - 1, row->name, value);
}

int target_check_unprotected(struct target *target, const uint32_t *options)
{
        const struct family *family = target->family;
        int r = 0;

        for (size_t i = 0; i < family->option_count && !r; i++) {
                const struct family_option *row = &family->options[i];

                if (row_is(row, "FPRAR_"))
                        r = check_area(family, row, options[i], "PCROP area");
                else if (row_is(row, "FSCAR_"))
                        r = check_area(family, row, options[i], "secure area");
                else if (row_is(row, "FWPSN_") && ~options[i] & row->mask)
                        r = fault(FAULT_PROTECTED,
                                  "sectors of bank %u are write-protected (%s 0x%08X, a cleared "
                                  "bit is one sector)",
                                  row_bank(row) + 1, row->name, options[i]);
        }
        return r;
}
