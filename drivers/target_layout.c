/*
 * target_layout.c - register layouts of the flash controllers: targets.md 6.2, a column a function.
 *
 * The three lines of the H7 have the same offsets, a register set a bank, and differ in bits. The
 * L4 sequence has one set for all banks; its offsets come from the family file, and the set of the
 * secure side lies at other offsets of the secure alias. H5 and H7RS have fixed offsets.
 */
#include "drivers/target_layout.h"

#define BIT(n)           (1u << (n))
#define H7_BANK_STRIDE   0x100u
#define SECURE_REGISTERS 0x10000000u /* 0x40022000 is 0x50022000 on the secure side: CMSIS */

/* Columns H75x, H7A/B and H72x/73x. */
static void h7_layout(const struct family *family, unsigned bank, struct flash_layout *layout)
{
        uint32_t base = family->flash_registers, set = base + H7_BANK_STRIDE * bank;
        bool is_ab = family->sequence == FAMILY_H7AB;

        *layout = (struct flash_layout){
                .key = set + 0x04,
                .control = set + 0x0C,
                .status = set + 0x10,
                .flags = set + 0x10,
                .clear = set + 0x14,
                .option_key = base + 0x08,
                .option_control = base + 0x18,
                .lock = BIT(0),
                .erase = BIT(2) | (is_ab ? 0 : 3u << 4),   /* CR_SER; PSIZE x64 */
                .program = BIT(1) | (is_ab ? 0 : 3u << 4), /* PG */
                .start = is_ab ? BIT(5) : BIT(7),
                .number_low = is_ab ? 6 : 8,
                .option_lock = BIT(0),
                .busy = BIT(2),                            /* QW */
                .errors = is_ab ? 0x07AE0000 : 0x07EE0000, /* 17 18 19 21 (22) 23 24 25 26 */
                .protect = BIT(17),
        };
        layout->clearing = layout->errors | BIT(16);
}

/* Columns L462, L5, U5, WL5x and WBA. */
static void l4_layout(const struct family *family, unsigned bank, bool is_secure,
                      struct flash_layout *layout)
{
        const struct family_registers *at = &family->registers;
        uint32_t base = family->flash_registers, set = base + (is_secure ? SECURE_REGISTERS : 0);

        *layout = (struct flash_layout){
                .key = set + (is_secure ? at->secure_key : at->key),
                .control = set + (is_secure ? at->secure_control : at->control),
                .status = set + (is_secure ? at->secure_status : at->status),
                .option_key = base + at->option_key,
                .option_control = base + at->control,
                .lock = BIT(31),
                .erase = BIT(1),   /* PER */
                .program = BIT(0), /* PG */
                .start = BIT(16),
                .bank_bit = bank ? BIT(11) : 0, /* BKER */
                .number_low = 3,
                .option_lock = BIT(30),
                .busy = BIT(16), /* BSY */
                .errors = 0xC3FA,
                .protect = BIT(4),
        };
        if (at->secure_key)
                layout->errors |= BIT(13); /* OPTWERR; on the WL another thing */
        else
                layout->busy |= BIT(18); /* CFGBSY of the WL, reserved on the L4 */
        layout->flags = layout->clear = layout->status;
        layout->clearing = layout->errors | BIT(0);
}

static void h5_layout(const struct family *family, unsigned bank, bool is_secure,
                      struct flash_layout *layout)
{
        uint32_t base = family->flash_registers;
        uint32_t set = base + (is_secure ? SECURE_REGISTERS + 4 : 0); /* each pair 4 apart */

        *layout = (struct flash_layout){
                .key = set + 0x04,
                .control = set + 0x28,
                .status = set + 0x20,
                .flags = set + 0x20,
                .clear = set + 0x30,
                .option_key = base + 0x0C,
                .option_control = base + 0x1C,
                .lock = BIT(0),
                .erase = BIT(2),   /* CR_SER */
                .program = BIT(1), /* PG */
                .start = BIT(5),
                .bank_bit = bank ? BIT(31) : 0, /* BKSEL */
                .number_low = 6,
                .option_lock = BIT(0),
                .busy = BIT(0) | BIT(1) | BIT(3), /* BSY, WBNE, DBNE */
                .errors = 0x00FE0000,             /* 17 to 23 */
                .protect = BIT(17),
        };
        layout->clearing = layout->errors | BIT(16);
}

static void h7rs_layout(const struct family *family, struct flash_layout *layout)
{
        uint32_t base = family->flash_registers;

        *layout = (struct flash_layout){
                .key = base + 0x04,
                .control = base + 0x10,
                .status = base + 0x14,
                .flags = base + 0x24, /* ISR */
                .clear = base + 0x28, /* ICR */
                .option_key = base + 0x100,
                .option_control = base + 0x104,
                .lock = BIT(0),
                .erase = BIT(2),   /* CR_SER */
                .program = BIT(1), /* PG */
                .start = BIT(5),
                .number_low = 6, /* SSN */
                .option_lock = BIT(0),
                .busy = BIT(2),       /* QW */
                .errors = 0x073E0000, /* 17 to 21, 24 to 26 */
                .protect = BIT(17),
        };
        layout->clearing = layout->errors | BIT(16);
}

void flash_layout(const struct family *family, unsigned bank, bool is_secure,
                  struct flash_layout *ret_layout)
{
        switch (family->sequence) {
        case FAMILY_H7:
        case FAMILY_H7AB:
                h7_layout(family, bank, ret_layout);
                break;
        case FAMILY_L4:
                l4_layout(family, bank, is_secure, ret_layout);
                break;
        case FAMILY_H5:
                h5_layout(family, bank, is_secure, ret_layout);
                break;
        case FAMILY_H7RS:
                h7rs_layout(family, ret_layout);
                break;
        }
}
