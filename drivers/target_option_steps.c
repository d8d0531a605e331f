/*
 * target_option_steps.c - option-byte sequences of the H7, L4, H5 and H7RS kinds (targets.md 6.4).
 *
 *      H7    OPTKEYR; *_PRG; clear OPTCHANGEERR; OPTSTART; OPT_BUSY; OPTCHANGEERR?; OPTLOCK
 *      L4    KEYR, OPTKEYR; the registers themselves; OPTSTRT; BSY; OBL_LAUNCH, which resets
 *      H5    OPTKEYR; *_PRG; clear OPTCHANGEERR; OPTSTART; BSY; OPTCHANGEERR?; OPTLOCK; reset
 *      H7RS  OPTKEYR; PG_OPT; word by word: write, wait, OPTERRF?; PG_OPT off; OPTLOCK
 *
 * The keys are given only to a locked register: a second time they fault the bus and lock it until
 * the next reset (targets.md 6.1).
 */
#include "drivers/target_option_steps.h"

#include "drivers/target_layout.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#define BIT(n)  (1u << (n))
#define POLL_MS 10u

/* H7: targets.md 6.2, 7.1 */
#define H7_OPTSR_CUR    0x1Cu
#define H7_OPTCCR       0x24u
#define H7_OPTSTART     BIT(1)
#define H7_OPT_BUSY     BIT(0)
#define H7_OPTCHANGEERR BIT(30) /* of OPTSR_CUR and OPTCCR */

/* L4: targets.md 6.2 */
#define L4_OPTSTRT    BIT(17)
#define L4_OBL_LAUNCH BIT(27)

/* H5: targets.md 6.2 */
#define H5_OPTSTART     BIT(1)
#define H5_OPTCHANGEERR BIT(23) /* of NSSR and NSCCR */

/* H7RS: targets.md 6.2, 6.4 */
#define H7RS_PG_OPT     BIT(1)
#define H7RS_SR         0x14u
#define H7RS_BUSY       (BIT(0) | BIT(2) | BIT(6)) /* BUSY, QW, IS_OPTCHANGE */
#define H7RS_OPTISR     0x108u
#define H7RS_OPTICR     0x10Cu
#define H7RS_OPTERRF    BIT(30)
#define H7RS_KEY_ERRORS (BIT(27) | BIT(28)) /* KTEF, KVEF */

/* --- common -------------------------------------------------------------------------------- */

/* Give two keys unless `lock` is open; the control register tells whether they worked. */
static int give_keys(struct target *target, uint32_t control, uint32_t lock, uint32_t key,
                     const uint32_t keys[static 2])
{
        uint32_t value;
        int r = target_read_word(target, control, &value);

        if (r < 0 || !(value & lock))
                return r;
        for (unsigned i = 0; i < 2 && !r; i++)
                r = target_write_word(target, key, keys[i]);
        if (!r)
                r = target_read_word(target, control, &value);
        if (r < 0)
                return r;
        if (value & lock)
                return fault(FAULT_OPTION_BYTES,
                             "the option bytes stay locked after both keys (0x%08X reads 0x%08X); "
                             "power-cycle the board",
                             control, value);
        return 0;
}

static int unlock_options(struct target *target)
{
        static const uint32_t keys[] = { FLASH_OPTKEY1, FLASH_OPTKEY2 };
        struct flash_layout at;

        flash_layout(target->family, 0, false, &at);
        return give_keys(target, at.option_control, at.option_lock, at.option_key, keys);
}

/* A register whose lock bit is written stays as it was otherwise. */
static int lock_options(struct target *target)
{
        struct flash_layout at;

        flash_layout(target->family, 0, false, &at);
        return target_write_word(target, at.option_control, at.option_lock);
}

/* Bits outside the mask keep what the register holds. */
static int put_row(struct target *target, const struct family_option *row, uint32_t wanted,
                   bool is_always)
{
        uint32_t kept = 0, value;
        int r = target_read_word(target, row->program, &kept);

        value = (kept & ~row->mask) | (wanted & row->mask);
        if (!r && (is_always || value != kept))
                r = target_write_word(target, row->program, value);
        return r < 0 ? fault_prefix(r, "option row %s", row->name) : 0;
}

/* All rows: what a refused change left in a register would otherwise go along with the next. */
static int put_rows(struct target *target, const uint32_t *wanted)
{
        const struct family *family = target->family;
        int r = 0;

        for (size_t i = 0; i < family->option_count && !r; i++)
                if (family->options[i].program)
                        r = put_row(target, &family->options[i], wanted[i], false);
        return r;
}

/* Until none of `busy` is up in the register at `status`; what it read last. */
static int wait_while(struct target *target, uint32_t status, uint32_t busy, uint32_t *ret_value)
{
        /* Ten times the typical time (targets.md 10.2), at least 3 s. A return to level 0 erases
         * the flash on the way. */
        const struct family *family = target->family;
        uint64_t sectors = family->bank_length / family->sector_length;
        uint64_t patience_ms = 3000u + 10u * family->option_program_ms +
                               4 * sectors * family->banks * family->sector_erase_ms;
        uint64_t deadline_ns = clock_now_ns() + patience_ms * NS_PER_MS;

        for (;;) {
                int r = fiber_sleep_ns(POLL_MS * NS_PER_MS);

                if (!r)
                        r = target_read_word(target, status, ret_value);
                if (r < 0 || !(*ret_value & busy))
                        return r;
                if (clock_now_ns() > deadline_ns)
                        return fault(FAULT_OPTION_BYTES,
                                     "programming the option bytes does not end (0x%08X reads "
                                     "0x%08X)",
                                     status, *ret_value);
        }
}

/* --- H7 ------------------------------------------------------------------------------------ */

static int program_h7(struct target *target, const uint32_t *found, const uint32_t *wanted)
{
        uint32_t registers = target->family->flash_registers, status;
        struct flash_layout at;
        int r = put_rows(target, wanted);

        (void)found;
        flash_layout(target->family, 0, false, &at);
        if (!r)
                r = target_write_word(target, registers + H7_OPTCCR, H7_OPTCHANGEERR);
        if (!r)
                r = target_write_word(target, at.option_control, H7_OPTSTART);
        if (!r)
                r = wait_while(target, registers + H7_OPTSR_CUR, H7_OPT_BUSY, &status);
        if (r < 0)
                return r;
        if (status & H7_OPTCHANGEERR)
                return fault(FAULT_OPTION_BYTES,
                             "the part refused the option bytes: OPTCHANGEERR (OPTSR 0x%08X)",
                             status);
        return 0;
}

/* --- L4 ------------------------------------------------------------------------------------ */

/* Two locks in one register: the flash's first, then that of the option bytes. */
static int unlock_l4(struct target *target)
{
        static const uint32_t keys[] = { FLASH_KEY_1, FLASH_KEY_2 };
        struct flash_layout at;
        int r;

        flash_layout(target->family, 0, false, &at);
        r = give_keys(target, at.control, at.lock, at.key, keys);
        return r < 0 ? r : unlock_options(target);
}

static int lock_l4(struct target *target)
{
        struct flash_layout at;

        flash_layout(target->family, 0, false, &at);
        return target_write_word(target, at.control, at.lock | at.option_lock);
}

static int program_l4(struct target *target, const uint32_t *found, const uint32_t *wanted)
{
        struct flash_layout at;
        uint32_t status;
        int r;

        (void)found;
        flash_layout(target->family, 0, false, &at);
        r = target_write_word(target, at.clear, at.clearing);
        if (!r)
                r = put_rows(target, wanted);
        if (!r)
                r = target_write_word(target, at.control, L4_OPTSTRT);
        if (!r)
                r = wait_while(target, at.status, at.busy, &status);
        if (r < 0)
                return r;
        if (status & at.errors)
                return fault(FAULT_OPTION_BYTES,
                             "the part refused the option bytes: SR 0x%08X (OPTWERR is bit 13, "
                             "WRPERR bit 4)",
                             status);
        return 0;
}

/* The write that resets seldom gets its answer (targets.md 1.2): that one error is swallowed. */
static int load_l4(struct target *target, unsigned deadline_ms)
{
        struct flash_layout at;
        int r;

        flash_layout(target->family, 0, false, &at);
        r = target_write_word(target, at.control, L4_OBL_LAUNCH);
        if (r < 0 && !target_may_come_back(r))
                return r;
        r = fiber_sleep_ns(target->family->reset_ms * NS_PER_MS);
        return r < 0 ? r : target_reattach(target, deadline_ms);
}

/* --- H5 ------------------------------------------------------------------------------------ */

static int program_h5(struct target *target, const uint32_t *found, const uint32_t *wanted)
{
        struct flash_layout at;
        uint32_t status;
        int r = put_rows(target, wanted);

        (void)found;
        flash_layout(target->family, 0, false, &at);
        if (!r)
                r = target_write_word(target, at.clear, H5_OPTCHANGEERR);
        if (!r)
                r = target_write_word(target, at.option_control, H5_OPTSTART);
        if (!r)
                r = wait_while(target, at.status, at.busy, &status);
        if (r < 0)
                return r;
        if (status & H5_OPTCHANGEERR)
                return fault(FAULT_OPTION_BYTES,
                             "the part refused the option bytes: OPTCHANGEERR (NSSR 0x%08X)",
                             status);
        return 0;
}

/* --- H7RS ---------------------------------------------------------------------------------- */

static int program_word_h7rs(struct target *target, const struct family_option *row,
                             uint32_t wanted)
{
        uint32_t registers = target->family->flash_registers, flags;
        int r = target_write_word(target, registers + H7RS_OPTICR, H7RS_OPTERRF | H7RS_KEY_ERRORS);

        if (!r)
                r = put_row(target, row, wanted, true);
        if (!r)
                r = wait_while(target, registers + H7RS_SR, H7RS_BUSY, &flags);
        if (!r)
                r = target_read_word(target, registers + H7RS_OPTISR, &flags);
        if (r < 0)
                return r;
        if (flags & (H7RS_OPTERRF | H7RS_KEY_ERRORS))
                return fault(FAULT_OPTION_BYTES,
                             "the part refused option row %s: OPTISR 0x%08X (OPTERRF is bit 30); "
                             "product state and what belongs to it change through RSSLIB only",
                             row->name, flags);
        return 0;
}

static int program_h7rs(struct target *target, const uint32_t *found, const uint32_t *wanted)
{
        const struct family *family = target->family;
        struct flash_layout at;
        int r;

        flash_layout(family, 0, false, &at);
        r = target_write_word(target, at.option_control, H7RS_PG_OPT);
        for (size_t i = 0; i < family->option_count && !r; i++)
                if (option_row_differs(&family->options[i], found[i], wanted[i]))
                        r = program_word_h7rs(target, &family->options[i], wanted[i]);
        return r < 0 ? r : target_write_word(target, at.option_control, 0);
}

/* --- which --------------------------------------------------------------------------------- */

static const struct option_steps h7_steps = { unlock_options, program_h7, lock_options, NULL,
                                              false };
static const struct option_steps l4_steps = { unlock_l4, program_l4, lock_l4, load_l4, false };
static const struct option_steps h5_steps = { unlock_options, program_h5, lock_options, NULL,
                                              true };
static const struct option_steps h7rs_steps = { unlock_options, program_h7rs, lock_options, NULL,
                                                true };

const struct option_steps *option_steps(const struct family *family)
{
        switch (family->sequence) {
        case FAMILY_H7:
        case FAMILY_H7AB:
                break;
        case FAMILY_L4:
                return &l4_steps;
        case FAMILY_H5:
                return &h5_steps;
        case FAMILY_H7RS:
                return &h7rs_steps;
        }
        return &h7_steps;
}
