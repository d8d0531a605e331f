/*
 * The OCTOSPI controllers of a simulated part, each with one chip behind it (part_nor.c).
 *
 * Code on the core, or a debugger, writes what a command looks like into CCR, TCR, IR, AR and DLR; the last
 * register it takes starts it: IR, AR where there is an address, DR where there is data to send. Commands go out
 * in indirect mode, to write or to read; in status-polling mode, until the answer matches; in memory-mapped
 * mode, one for each access to the memory's own addresses. Registers and bits: CMSIS (OCTOSPI_TypeDef of
 * stm32h735xx.h; those of L5, U5 and H5 are the same), RM0468 chapter 25.
 *
 * Transfers take no time of their own, only the chip's work does: all data is in the FIFO at once, and
 * polling is looked at when somebody reads SR. Dual-quad, HyperBus, DMA, interrupts, the memory-mapped write
 * and the timeout counter are not modelled; clocks, pins and the I/O manager in front are not looked at.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define AT_CR      0x000u
#define AT_DCR1    0x008u
#define AT_SR      0x020u
#define AT_FCR     0x024u
#define AT_DLR     0x040u
#define AT_AR      0x048u
#define AT_DR      0x050u
#define AT_PSMKR   0x080u
#define AT_PSMAR   0x088u
#define AT_CCR     0x100u
#define AT_TCR     0x108u
#define AT_IR      0x110u
#define CR_EN      0x1u
#define CR_ABORT   0x2u
#define CR_APMS    0x00400000u
#define CR_PMM     0x00800000u
#define CR_FMODE   0x30000000u
#define SR_TEF     0x01u
#define SR_TCF     0x02u
#define SR_FTF     0x04u
#define SR_SMF     0x08u
#define SR_TOF     0x10u
#define SR_BUSY    0x20u
#define FIFO       32u
#define EIGHT      4u /* IMODE, ADMODE, DMODE: lines */
#define CCR_IDTR   0x8u
#define MAPPED_CCR 0x01003101u /* stand-in: one line each, four bytes of address, data */
#define MAPPED_IR  0x13u

enum mode { MODE_WRITE, MODE_READ, MODE_POLL, MODE_MAPPED };

static uint32_t *at(struct octospi *octospi, uint32_t offset)
{
        return &octospi->registers[offset / 4];
}

static uint32_t get(const struct octospi *octospi, uint32_t offset)
{
        return octospi->registers[offset / 4];
}

static enum mode mode_of(const struct octospi *octospi)
{
        return (enum mode)((get(octospi, AT_CR) & CR_FMODE) >> 28);
}

static unsigned data_lines(const struct octospi *octospi)
{
        return get(octospi, AT_CCR) >> 24 & 7;
}

static unsigned address_lines(const struct octospi *octospi)
{
        return get(octospi, AT_CCR) >> 8 & 7;
}

/* DCR1.DEVSIZE: the memory has 2^(n + 1) bytes. */
static uint64_t device_length(const struct octospi *octospi)
{
        return 2ull << (get(octospi, AT_DCR1) >> 16 & 31);
}

/* In DTR octal mode Macronix chips have the bytes of each pair the other way round (Linux spi-nor:
 * swap16); DCR1.MTYP 1 puts them right, 0 does not. */
static bool is_swapped(const struct octospi *octospi)
{
        return get(octospi, AT_CCR) & CCR_IDTR && (get(octospi, AT_DCR1) >> 24 & 7) != 1;
}

/* --- commands ------------------------------------------------------------------------------ */

/* A chip with no mode of mixed lines hears nothing then; IMODE 0 leaves out the instruction. */
static void select_chip(struct simulated_part *part, unsigned index, uint32_t address)
{
        struct octospi *octospi = &part->octospis[index];
        uint32_t ccr = get(octospi, AT_CCR);
        unsigned lines = ccr & 7, instruction_length = (ccr >> 4 & 3) + 1;
        bool has_address = address_lines(octospi), has_data = data_lines(octospi);
        struct nor_frame frame = {
                .is_octal = lines == EIGHT,
                .is_double = ccr & CCR_IDTR,
                .is_swapped = is_swapped(octospi),
                .dummy = get(octospi, AT_TCR) & 0x1F,
                .address = has_address ? address : 0,
                .address_length = has_address ? (ccr >> 12 & 3) + 1 : 0,
                .is_garbled = (lines != 1 && lines != EIGHT) ||
                              instruction_length != (lines == EIGHT ? 2 : 1) ||
                              (has_address && address_lines(octospi) != lines) ||
                              (has_data && data_lines(octospi) != lines),
                .instruction =
                        (uint16_t)(get(octospi, AT_IR) & (instruction_length == 2 ? 0xFFFF : 0xFF)),
        };

        nor_select(part, index, &frame);
        octospi->is_selected = true;
}

static void deselect_chip(struct simulated_part *part, unsigned index)
{
        if (part->octospis[index].is_selected)
                nor_deselect(part, index);
        part->octospis[index].is_selected = false;
}

static void stop(struct simulated_part *part, unsigned index)
{
        deselect_chip(part, index);
        part->octospis[index].phase = OCTOSPI_IDLE;
        part->octospis[index].left = 0;
}

static void complete(struct simulated_part *part, unsigned index)
{
        stop(part, index);
        part->octospis[index].flags |= SR_TCF;
}

/* TEF: outside of what DCR1 says there is (RM0468, error management). */
static bool is_in_device(struct octospi *octospi)
{
        uint64_t length = data_lines(octospi) ? (uint64_t)get(octospi, AT_DLR) + 1 : 1;

        if (!address_lines(octospi) || get(octospi, AT_AR) + length <= device_length(octospi))
                return true;
        octospi->flags |= SR_TEF;
        return false;
}

static void start(struct simulated_part *part, unsigned index)
{
        struct octospi *octospi = &part->octospis[index];

        if (!(get(octospi, AT_CR) & CR_EN) || octospi->phase != OCTOSPI_IDLE ||
            !is_in_device(octospi))
                return;
        if (mode_of(octospi) == MODE_POLL) {
                octospi->phase = OCTOSPI_POLLS;
                return;
        }
        select_chip(part, index, get(octospi, AT_AR));
        octospi->left = data_lines(octospi) ? (uint64_t)get(octospi, AT_DLR) + 1 : 0;
        octospi->phase = mode_of(octospi) == MODE_READ ? OCTOSPI_READS : OCTOSPI_WRITES;
        if (octospi->left == 0)
                complete(part, index);
        else if (octospi->phase == OCTOSPI_READS && octospi->left <= FIFO)
                octospi->flags |= SR_TCF;
}

/* A write to IR or AR: is the command complete with it? */
static void may_start(struct simulated_part *part, unsigned index, bool is_address)
{
        const struct octospi *octospi = &part->octospis[index];
        enum mode mode = mode_of(octospi);

        if (mode == MODE_MAPPED || is_address != (address_lines(octospi) != 0))
                return;
        if (mode != MODE_WRITE || !data_lines(octospi))
                start(part, index);
}

/* One look at the chip's answer: up to four bytes, the first lowest. */
static void poll(struct simulated_part *part, unsigned index)
{
        struct octospi *octospi = &part->octospis[index];
        uint32_t answer = 0, mask = get(octospi, AT_PSMKR), same;
        unsigned length = get(octospi, AT_DLR) < 4 ? get(octospi, AT_DLR) + 1 : 4;

        select_chip(part, index, get(octospi, AT_AR));
        for (unsigned i = 0; i < length; i++)
                answer |= (uint32_t)nor_get(part, index) << 8 * i;
        deselect_chip(part, index);
        *at(octospi, AT_DR) = answer;
        same = ~(answer ^ get(octospi, AT_PSMAR)) & mask;
        if (get(octospi, AT_CR) & CR_PMM ? !same : same != mask)
                return;
        octospi->flags |= SR_SMF;
        if (get(octospi, AT_CR) & CR_APMS)
                octospi->phase = OCTOSPI_IDLE;
}

/* --- registers ----------------------------------------------------------------------------- */

static uint32_t status(struct simulated_part *part, unsigned index)
{
        struct octospi *octospi = &part->octospis[index];
        uint32_t level, value;

        if (octospi->phase == OCTOSPI_POLLS)
                poll(part, index);
        level = octospi->phase == OCTOSPI_READS
                        ? (uint32_t)(octospi->left < FIFO ? octospi->left : FIFO)
                        : 0;
        value = octospi->flags | level << 8;
        if (octospi->phase != OCTOSPI_IDLE)
                value |= SR_BUSY;
        if (level || (mode_of(octospi) == MODE_WRITE && get(octospi, AT_CR) & CR_EN))
                value |= SR_FTF; /* the FIFO of what is sent is always empty */
        return value;
}

static uint32_t take_data(struct simulated_part *part, unsigned index, unsigned width)
{
        struct octospi *octospi = &part->octospis[index];
        uint32_t value = 0;

        if (octospi->phase != OCTOSPI_READS)
                return get(octospi, AT_DR);
        for (unsigned i = 0; i < width && octospi->left; i++, octospi->left--)
                value |= (uint32_t)nor_get(part, index) << 8 * i;
        if (octospi->left <= FIFO)
                octospi->flags |= SR_TCF;
        if (octospi->left == 0)
                complete(part, index);
        return value;
}

static void give_data(struct simulated_part *part, unsigned index, uint32_t value, unsigned width)
{
        struct octospi *octospi = &part->octospis[index];

        if (octospi->phase == OCTOSPI_IDLE && mode_of(octospi) == MODE_WRITE && data_lines(octospi))
                start(part, index);
        for (unsigned i = 0; i < width && octospi->phase == OCTOSPI_WRITES; i++) {
                nor_put(part, index, (uint8_t)(value >> 8 * i));
                if (--octospi->left == 0)
                        complete(part, index);
        }
}

/* FMODE is only written while nothing is under way (RM0468, OCTOSPI_CR). */
static void write_control(struct simulated_part *part, unsigned index, uint32_t value)
{
        struct octospi *octospi = &part->octospis[index];

        if (value & CR_ABORT)
                complete(part, index);
        else if (!(value & CR_EN))
                stop(part, index);
        if (octospi->phase != OCTOSPI_IDLE)
                value = (value & ~CR_FMODE) | (get(octospi, AT_CR) & CR_FMODE);
        *at(octospi, AT_CR) = value & ~CR_ABORT;
}

/* The controller at `address`, and which register of it. */
static bool find(const struct simulated_part *part, uint32_t address, unsigned *ret_index,
                 uint32_t *ret_offset)
{
        for (unsigned i = 0; i < part->family->external_count; i++) {
                uint32_t base = part->family->externals[i].controller;

                if (base && address >= base && address - base < OCTOSPI_LENGTH) {
                        *ret_index = i;
                        *ret_offset = address - base;
                        return true;
                }
        }
        return false;
}

bool octospi_holds(const struct simulated_part *part, uint32_t address)
{
        unsigned index;
        uint32_t offset;

        return find(part, address, &index, &offset);
}

enum part_answer octospi_read(struct simulated_part *part, uint32_t address, void *data,
                              unsigned width)
{
        unsigned index;
        uint32_t offset, value;

        INSIST(find(part, address, &index, &offset));
        if (offset == AT_DR)
                value = take_data(part, index, width);
        else if ((offset & ~3u) == AT_SR)
                value = status(part, index) >> 8 * (offset & 3);
        else
                value = get(&part->octospis[index], offset) >> 8 * (offset & 3);
        for (unsigned i = 0; i < width; i++)
                ((uint8_t *)data)[i] = (uint8_t)(value >> 8 * i);
        return PART_OK;
}

enum part_answer octospi_write(struct simulated_part *part, uint32_t address, const void *data,
                               unsigned width)
{
        const uint8_t *bytes = data;
        struct octospi *octospi;
        uint32_t offset, value = 0;
        unsigned index;

        INSIST(find(part, address, &index, &offset));
        octospi = &part->octospis[index];
        for (unsigned i = 0; i < width; i++)
                value |= (uint32_t)bytes[i] << 8 * i;
        if (offset == AT_DR) {
                give_data(part, index, value, width);
                return PART_OK;
        }
        if (width != 4)
                return PART_FAULT;
        if (offset == AT_CR)
                write_control(part, index, value);
        else if (offset == AT_FCR)
                octospi->flags &= ~(value & (SR_TEF | SR_TCF | SR_SMF | SR_TOF));
        else if (offset != AT_SR)
                *at(octospi, offset) = value;
        if (offset == AT_IR || offset == AT_AR)
                may_start(part, index, offset == AT_AR);
        return PART_OK;
}

/* A transfer that a reset ends takes away the chip select, and what was sent so far is done. */
void octospi_reset(struct simulated_part *part)
{
        for (unsigned i = 0; i < FAMILY_EXTERNALS_MAX; i++) {
                deselect_chip(part, i);
                part->octospis[i] = (struct octospi){ 0 };
        }
}

/* --- the memory through its own addresses -------------------------------------------------- */

void octospi_map(struct simulated_part *part)
{
        for (unsigned i = 0; i < part->family->external_count; i++) {
                struct octospi *octospi = &part->octospis[i];

                deselect_chip(part, i);
                nor_reset(part, i);
                *octospi = (struct octospi){ 0 };
                *at(octospi, AT_CR) = CR_EN | CR_FMODE;
                *at(octospi, AT_DCR1) = 31u << 16;
                *at(octospi, AT_CCR) = MAPPED_CCR;
                *at(octospi, AT_IR) = MAPPED_IR;
        }
}

enum part_answer octospi_see(struct simulated_part *part, uint32_t address, void *data,
                             size_t length)
{
        const struct family_external *external = family_external_at(part->family, address, length);
        unsigned index = (unsigned)(external - part->family->externals);
        struct octospi *octospi = &part->octospis[index];
        uint32_t offset = address - external->address;
        uint32_t skip = offset & get(octospi, AT_CCR) >> 3 & 1u; /* pairs with both edges */

        if (!(get(octospi, AT_CR) & CR_EN) || mode_of(octospi) != MODE_MAPPED ||
            offset + (uint64_t)length > device_length(octospi))
                return PART_FAULT;
        octospi->phase = OCTOSPI_MAPS;
        select_chip(part, index, offset - skip);
        for (size_t i = 0; i < length + skip; i++) {
                uint8_t byte = nor_get(part, index);

                if (i >= skip)
                        ((uint8_t *)data)[i - skip] = byte;
        }
        deselect_chip(part, index);
        return PART_OK;
}
