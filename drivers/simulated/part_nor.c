/*
 * The chips outside a simulated part: serial NOR flash of the MX25LM51245G kind, one at each external memory.
 *
 * The array: so much of each chip is there (EXTERNAL_LENGTH), the rest reads erased and cannot be changed.
 * Erasing makes 0xFF, programming takes ones away and never puts them back. In the store it lies
 * inverted, so that an erased one is a hole in the file.
 *
 * The chip: between nor_select and nor_deselect it gets one command, as its pins do, and acts when the select
 * goes. It wants its instruction in the mode it is in: one line, or two bytes on eight lines, the second
 * the first inverted, there also with both edges of the clock. What comes otherwise it does not hear, and
 * then its pins read 0xFF. The mode, like work in progress, outlives a reset of the part and not its power.
 *
 * Commands, CR2 and the flags of the security register: ST's driver of this chip (BSP component
 * mx25lm51245g.h); the block protection in the status register and the page that wraps are common to serial
 * NOR. Only reads of the array are held to their dummy cycles. Times: targets.md 10.1.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define STATUS_NS        (10 * NS_PER_MS) /* estimate; the driver allows 40 ms */
#define ABSENT           0xFFu            /* what pins read that nobody drives */
#define WIP              0x01u
#define WEL              0x02u
#define PROTECTION       0x3Cu /* BP, in the status register */
#define PROGRAM_FAILED   0x20u /* in the security register */
#define ERASE_FAILED     0x40u
#define MODE_OCTAL       1u /* CR2 at 0 */
#define MODE_DOUBLE      2u
#define AT_MODE          0u
#define AT_DUMMY         0x300u
#define ADDRESS_OF_FRAME 4u /* bytes, of every addressed command in octal modes */

/* --- the array ----------------------------------------------------------------------------- */

/* Where `address` lies in the store; NULL: outside. */
static uint8_t *cell(const struct simulated_part *part, uint32_t address, size_t length)
{
        for (size_t i = 0; i < part->family->external_count; i++) {
                uint32_t offset = address - part->family->externals[i].address;

                if (offset < EXTERNAL_LENGTH && length <= EXTERNAL_LENGTH - offset)
                        return part->external + i * EXTERNAL_LENGTH + offset;
        }
        return NULL;
}

bool nor_holds(const struct simulated_part *part, uint32_t address, size_t length)
{
        return cell(part, address, length) != NULL;
}

/* Only where something is: writing zeros into a hole of the store would fill it. */
void nor_make_fresh(struct simulated_part *part)
{
        static const uint8_t zeros[NOR_SECTOR];

        for (size_t at = 0; at < part->family->external_count * EXTERNAL_LENGTH; at += NOR_SECTOR)
                if (memcmp(part->external + at, zeros, NOR_SECTOR) != 0)
                        memset(part->external + at, 0, NOR_SECTOR);
}

uint8_t part_external_byte(const struct simulated_part *part, uint32_t address)
{
        const uint8_t *at = cell(part, address, 1);

        return at ? (uint8_t) ~*at : ABSENT;
}

void nor_program(struct simulated_part *part, uint32_t address, const uint8_t *from, size_t length)
{
        uint8_t *to = cell(part, address, length);

        INSIST(to);
        for (size_t i = 0; i < length; i++)
                to[i] |= (uint8_t)~from[i]; /* inverted: a zero is set and stays */
}

void nor_erase(struct simulated_part *part, uint32_t address, size_t length)
{
        uint8_t *at = cell(part, address, length);

        INSIST(at);
        memset(at, 0, length);
}

void part_fill_external(struct simulated_part *part, uint32_t address, const void *data,
                        size_t length)
{
        nor_program(part, address, data, length);
}

void part_set_external(struct simulated_part *part, bool is_there)
{
        part->record->has_no_external = !is_there;
}

void part_protect_external(struct simulated_part *part, uint32_t address, unsigned level)
{
        for (size_t i = 0; i < part->family->external_count; i++)
                if (part->family->externals[i].address == address)
                        part->record->external_protection[i] = (uint8_t)(level << 2) & PROTECTION;
}

uint64_t nor_erase_ns(uint32_t length)
{
        return length >= NOR_BLOCK ? length / NOR_BLOCK * NOR_BLOCK_NS
                                   : (length + NOR_SECTOR - 1) / NOR_SECTOR * NOR_SECTOR_NS;
}

/* The last 2^(BP - 1) blocks of the chip. */
static bool is_protected(const struct simulated_part *part, unsigned chip, uint32_t address,
                         uint32_t length)
{
        unsigned level = part->record->external_protection[chip] >> 2;
        uint32_t offset = address - part->family->externals[chip].address;

        if (!nor_holds(part, address, length))
                return true; /* not there */
        return level &&
               (level > 4 || offset + length > EXTERNAL_LENGTH - (NOR_BLOCK << (level - 1)));
}

bool nor_takes(const struct simulated_part *part, uint32_t address, uint32_t length)
{
        for (unsigned i = 0; i < part->family->external_count; i++)
                if (cell(part, address, length) &&
                    address - part->family->externals[i].address < EXTERNAL_LENGTH)
                        return !is_protected(part, i, address, length);
        return false;
}

/* --- commands ------------------------------------------------------------------------------ */

/* `address`: bytes in the one-line mode, 3 becoming 4 after B7. */
static const struct nor_instruction {
        uint8_t opcode;
        enum nor_action action;
        uint8_t address, dummy;
        uint32_t length; /* erased */
} instructions[] = {
        { 0x06, NOR_ENABLE, 0, 0, 0 },
        { 0x04, NOR_DISABLE, 0, 0, 0 },
        { 0x66, NOR_RESET_ENABLE, 0, 0, 0 },
        { 0x99, NOR_RESET, 0, 0, 0 },
        { 0x9F, NOR_READ_ID, 0, 0, 0 },
        { 0x05, NOR_READ_STATUS, 0, 0, 0 },
        { 0x01, NOR_WRITE_STATUS, 0, 0, 0 },
        { 0x2B, NOR_READ_SECURITY, 0, 0, 0 },
        { 0x71, NOR_READ_CR2, 4, 0, 0 },
        { 0x72, NOR_WRITE_CR2, 4, 0, 0 },
        { 0xB7, NOR_WIDE, 0, 0, 0 },
        { 0xE9, NOR_NARROW, 0, 0, 0 },
        { 0x03, NOR_READ, 3, 0, 0 },
        { 0x0B, NOR_READ, 3, 8, 0 },
        { 0x13, NOR_READ, 4, 0, 0 },
        { 0x0C, NOR_READ, 4, 8, 0 },
        { 0xEC, NOR_READ_OCTAL, 4, 0, 0 },
        { 0xEE, NOR_READ_DOUBLE, 4, 0, 0 },
        { 0x02, NOR_PROGRAM, 3, 0, 0 },
        { 0x12, NOR_PROGRAM, 4, 0, 0 },
        { 0x20, NOR_ERASE, 3, 0, NOR_SECTOR },
        { 0x21, NOR_ERASE, 4, 0, NOR_SECTOR },
        { 0xD8, NOR_ERASE, 3, 0, NOR_BLOCK },
        { 0xDC, NOR_ERASE, 4, 0, NOR_BLOCK },
        { 0x60, NOR_ERASE_ALL, 0, 0, EXTERNAL_LENGTH },
        { 0xC7, NOR_ERASE_ALL, 0, 0, EXTERNAL_LENGTH },
};

static const struct nor_instruction *find(uint8_t opcode)
{
        for (size_t i = 0; i < LENGTH_OF(instructions); i++)
                if (instructions[i].opcode == opcode)
                        return &instructions[i];
        return NULL;
}

/* CR2 at 0x300: 20 cycles, two less for each step. */
static unsigned octal_dummy(const struct nor *nor)
{
        return 20 - 2 * (unsigned)nor->dummy;
}

/* In octal modes: status and identity want an address of zeros, reads the cycles of CR2. */
static bool is_heard_octal(const struct nor *nor, const struct nor_frame *frame,
                           const struct nor_instruction *instruction)
{
        bool is_double = nor->mode == MODE_DOUBLE;

        switch (instruction->action) {
        case NOR_READ_ID:
        case NOR_READ_STATUS:
        case NOR_READ_SECURITY:
        case NOR_WRITE_STATUS:
                return frame->address_length == ADDRESS_OF_FRAME;
        case NOR_READ_OCTAL:
        case NOR_READ_DOUBLE:
                return (instruction->action == NOR_READ_DOUBLE) == is_double &&
                       frame->address_length == ADDRESS_OF_FRAME &&
                       frame->dummy == octal_dummy(nor);
        case NOR_READ:
        case NOR_WIDE:
        case NOR_NARROW:
        case NOR_DEAF:
                return false;
        case NOR_PROGRAM:
        case NOR_ERASE:
        case NOR_READ_CR2:
        case NOR_WRITE_CR2:
                return instruction->address == ADDRESS_OF_FRAME &&
                       frame->address_length == ADDRESS_OF_FRAME;
        case NOR_ENABLE:
        case NOR_DISABLE:
        case NOR_RESET_ENABLE:
        case NOR_RESET:
        case NOR_ERASE_ALL:
                return frame->address_length == 0;
        }
        return false;
}

static bool is_heard_single(const struct nor *nor, const struct nor_frame *frame,
                            const struct nor_instruction *instruction)
{
        unsigned address = instruction->address == 3 && nor->is_wide ? 4 : instruction->address;

        return instruction->action != NOR_READ_OCTAL && instruction->action != NOR_READ_DOUBLE &&
               frame->address_length == address &&
               (instruction->action != NOR_READ || frame->dummy == instruction->dummy);
}

/* What the chip understands of a frame; NULL: nothing. */
static const struct nor_instruction *hear(const struct nor *nor, const struct nor_frame *frame)
{
        uint16_t code = frame->instruction;
        const struct nor_instruction *found;

        if (frame->is_garbled || frame->is_octal != (nor->mode != 0) ||
            frame->is_double != (nor->mode == MODE_DOUBLE))
                return NULL;
        if (!nor->mode) {
                found = code > 0xFF ? NULL : find((uint8_t)code);
                return found && is_heard_single(nor, frame, found) ? found : NULL;
        }
        found = (code >> 8 ^ (code & 0xFF)) == 0xFF ? find((uint8_t)(code >> 8)) : NULL;
        return found && is_heard_octal(nor, frame, found) ? found : NULL;
}

static bool is_answered_while_busy(enum nor_action action)
{
        return action == NOR_READ_STATUS || action == NOR_READ_SECURITY ||
               action == NOR_RESET_ENABLE || action == NOR_RESET;
}

void nor_select(struct simulated_part *part, unsigned chip, const struct nor_frame *frame)
{
        struct nor *nor = &part->nors[chip];
        const struct nor_instruction *found =
                part->record->has_no_external ? NULL : hear(nor, frame);

        nor->action = NOR_DEAF;
        nor->position = 0;
        nor->swap = frame->is_swapped;
        if (!found || (nor->work != NOR_IDLE && !is_answered_while_busy(found->action)))
                return;
        nor->action = found->action;
        /* pairs of bytes: the lowest bit of an address is not looked at */
        nor->address = nor->mode == MODE_DOUBLE ? frame->address & ~1u : frame->address;
        if (found->action == NOR_PROGRAM)
                memset(nor->page, 0xFF, sizeof(nor->page));
        nor->length = found->length;
        if (found->length)
                nor->address &= ~(found->length - 1);
}

/* C2 85 3A; with both edges every byte comes twice. */
static uint8_t identity(const struct nor *nor)
{
        static const uint8_t bytes[] = { 0xC2, 0x85, 0x3A };

        return bytes[(nor->mode == MODE_DOUBLE ? nor->position / 2 : nor->position) % 3];
}

static bool is_read(enum nor_action action)
{
        return action == NOR_READ || action == NOR_READ_OCTAL || action == NOR_READ_DOUBLE;
}

static uint8_t answer(const struct simulated_part *part, unsigned chip)
{
        const struct nor *nor = &part->nors[chip];
        uint32_t base = part->family->externals[chip].address;

        if (is_read(nor->action))
                return part_external_byte(part, base + nor->address + (nor->position ^ nor->swap));
        if (nor->action == NOR_READ_ID)
                return identity(nor);
        if (nor->action == NOR_READ_STATUS)
                return (uint8_t)((nor->work != NOR_IDLE ? WIP : 0) | (nor->is_enabled ? WEL : 0) |
                                 part->record->external_protection[chip]);
        if (nor->action == NOR_READ_SECURITY)
                return nor->failed;
        if (nor->action == NOR_READ_CR2)
                return nor->address == AT_MODE    ? nor->mode
                       : nor->address == AT_DUMMY ? nor->dummy
                                                  : 0;
        return ABSENT;
}

uint8_t nor_get(struct simulated_part *part, unsigned chip)
{
        uint8_t value = answer(part, chip);

        part->nors[chip].position++;
        return value;
}

/* Of more than a page the last bytes stay, each at its place in the page. */
void nor_put(struct simulated_part *part, unsigned chip, uint8_t byte)
{
        struct nor *nor = &part->nors[chip];

        if (nor->action == NOR_PROGRAM)
                nor->page[(nor->address + (nor->position ^ nor->swap)) % NOR_PAGE] = byte;
        else if (nor->position == 0 &&
                 (nor->action == NOR_WRITE_STATUS || nor->action == NOR_WRITE_CR2))
                nor->page[0] = byte;
        nor->position++;
}

/* --- work ---------------------------------------------------------------------------------- */

static void begin(struct simulated_part *part, struct nor *nor, enum nor_work work,
                  uint64_t duration_ns)
{
        nor->work = work;
        nor->work_address = nor->address;
        nor->work_length = nor->length;
        nor->due_ns = part->now_ns + part_scaled(part, duration_ns);
        part_changed(part);
}

static void refuse(struct nor *nor, uint8_t flag)
{
        nor->failed = flag;
        nor->is_enabled = false;
}

static void start_program(struct simulated_part *part, unsigned chip)
{
        struct nor *nor = &part->nors[chip];
        uint32_t at = part->family->externals[chip].address + (nor->address & ~(NOR_PAGE - 1));

        if (is_protected(part, chip, at, NOR_PAGE))
                refuse(nor, PROGRAM_FAILED);
        else if (nor->position)
                begin(part, nor, NOR_PROGRAMMING, NOR_PAGE_NS);
}

static void start_erase(struct simulated_part *part, unsigned chip)
{
        struct nor *nor = &part->nors[chip];

        if (is_protected(part, chip, part->family->externals[chip].address + nor->address,
                         nor->length))
                refuse(nor, ERASE_FAILED);
        else
                begin(part, nor, NOR_ERASING, nor_erase_ns(nor->length));
}

static void write_cr2(struct nor *nor)
{
        if (nor->address == AT_MODE && nor->page[0] <= MODE_DOUBLE)
                nor->mode = nor->page[0];
        else if (nor->address == AT_DUMMY)
                nor->dummy = nor->page[0] & 7;
        nor->is_enabled = false;
}

/* What changes something is not done without the write enable latch. */
static void act_enabled(struct simulated_part *part, unsigned chip)
{
        struct nor *nor = &part->nors[chip];

        if (nor->action == NOR_PROGRAM)
                start_program(part, chip);
        else if (nor->action == NOR_ERASE || nor->action == NOR_ERASE_ALL)
                start_erase(part, chip);
        else if (nor->action == NOR_WRITE_STATUS)
                begin(part, nor, NOR_SETTING, STATUS_NS);
        else if (nor->action == NOR_WRITE_CR2)
                write_cr2(nor);
}

static void reset(struct nor *nor)
{
        *nor = (struct nor){ .due_ns = NEVER };
}

void nor_deselect(struct simulated_part *part, unsigned chip)
{
        struct nor *nor = &part->nors[chip];
        enum nor_action action = nor->action;
        bool may_reset = nor->may_reset;

        if (action == NOR_DEAF)
                return;
        nor->may_reset = action == NOR_RESET_ENABLE;
        if (action == NOR_ENABLE || action == NOR_DISABLE)
                nor->is_enabled = action == NOR_ENABLE;
        else if (action == NOR_WIDE || action == NOR_NARROW)
                nor->is_wide = action == NOR_WIDE;
        else if (action == NOR_RESET && may_reset)
                reset(nor);
        else if (nor->is_enabled)
                act_enabled(part, chip);
        nor->action = NOR_DEAF;
}

static void finish(struct simulated_part *part, unsigned chip)
{
        struct nor *nor = &part->nors[chip];
        uint32_t at = part->family->externals[chip].address + nor->work_address;

        if (nor->work == NOR_PROGRAMMING)
                nor_program(part, at & ~(NOR_PAGE - 1), nor->page, NOR_PAGE);
        else if (nor->work == NOR_ERASING)
                nor_erase(part, at, nor->work_length);
        else
                part->record->external_protection[chip] = nor->page[0] & PROTECTION;
        nor->failed = 0;
        nor->is_enabled = false;
        nor->work = NOR_IDLE;
        nor->due_ns = NEVER;
}

void nor_power_on(struct simulated_part *part)
{
        for (size_t i = 0; i < FAMILY_EXTERNALS_MAX; i++)
                reset(&part->nors[i]);
}

void nor_reset(struct simulated_part *part, unsigned chip)
{
        reset(&part->nors[chip]);
}

uint64_t nor_due(const struct simulated_part *part)
{
        uint64_t due_ns = NEVER;

        for (size_t i = 0; i < FAMILY_EXTERNALS_MAX; i++)
                if (part->nors[i].due_ns < due_ns)
                        due_ns = part->nors[i].due_ns;
        return due_ns;
}

void nor_advance(struct simulated_part *part, uint64_t now_ns)
{
        for (unsigned i = 0; i < FAMILY_EXTERNALS_MAX; i++)
                if (part->nors[i].due_ns <= now_ns)
                        finish(part, i);
}
