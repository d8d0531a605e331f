/*
 * An external loader as ST's examples are: code for the part's core, linked to its RAM, for a MX25LM51245G behind
 * an OCTOSPI. Init sets up clock, controller and chip and leaves the memory mapped; the others leave that
 * mode and work by commands. Built by Debian's clang and lld (Makefile), run by the simulated core.
 *
 * CONTROLLER and MEMORY come from the command line, and OCTAL: commands on eight lines with both edges of the
 * clock, or on one line. Like ST's, it takes no care of odd addresses and lengths, which that mode cannot
 * have: who calls it has to. Registers: CMSIS; commands: ST's BSP component mx25lm51245g.h.
 */
#include <stddef.h>
#include <stdint.h>

struct octospi {
        volatile uint32_t CR, r1, DCR1, DCR2, DCR3, DCR4, r2[2], SR, FCR, r3[6], DLR, r4, AR, r5,
                DR, r6[11], PSMKR, r7, PSMAR, r8, PIR, r9[27], CCR, r10, TCR, r11, IR;
};
_Static_assert(offsetof(struct octospi, PSMKR) == 0x80 && offsetof(struct octospi, CCR) == 0x100 &&
                       offsetof(struct octospi, IR) == 0x110,
               "OCTOSPI_TypeDef");

#define OCTOSPI ((struct octospi *)CONTROLLER)
#define DR_BYTE (*(volatile uint8_t *)&OCTOSPI->DR)
#define EN      0x1u
#define ABORT   0x2u
#define APMS    0x00400000u
#define WRITES  0x00000000u /* FMODE */
#define READS   0x10000000u
#define POLLS   0x20000000u
#define MAPS    0x30000000u
#define TCF     0x02u
#define SMF     0x08u
#define BUSY    0x20u
#define PAGE    256u
#define SECTOR  4096u
#define LENGTH  0x100000u
#define FAILED  0x60u /* P_FAIL, E_FAIL of the security register */
#define DUMMY   6u    /* of octal reads: CR2 at 0x300 is 7 then */

enum mode { SINGLE, STR, DTR };
enum { WORK_DATA = 1, WORK_ADDRESS = 2 };

/* Tools read it from the file; at address 0, as ST's linker scripts put it. */
__attribute__((used, section(".storage"))) const struct {
        char name[100];
        uint16_t type;
        uint32_t address, length, page;
        uint8_t erased;
        uint32_t sectors[10][2];
} StorageInfo = { "MX25LM51245G of the tests",    3, MEMORY, LENGTH, PAGE, 0xFF,
                  { { LENGTH / SECTOR, SECTOR } } };

extern uint32_t zeros_begin[], zeros_end[]; /* loader.ld */
static enum mode mode;                      /* the chip's */

int Init(void);
int Write(uint32_t address, uint32_t length, const uint8_t *buffer);
int SectorErase(uint32_t first, uint32_t last);
int MassErase(void);
int Read(uint32_t address, uint32_t length, uint8_t *buffer);
uint64_t Verify(uint32_t address, const uint8_t *buffer, uint32_t words, uint32_t misalignment);

/* --- commands ------------------------------------------------------------------------------ */

static void wait_for(uint32_t flag)
{
        while (!(OCTOSPI->SR & flag))
                ;
        OCTOSPI->FCR = flag;
}

static void leave_mapped_mode(void)
{
        if (OCTOSPI->SR & BUSY)
                OCTOSPI->CR |= ABORT;
        OCTOSPI->FCR = TCF | SMF;
        OCTOSPI->CR = EN;
}

/* Lines, edges and lengths of a command in `as`; CCR. */
static uint32_t shape(enum mode as, unsigned parts)
{
        uint32_t lines = as == SINGLE ? 1 : 4, edges = as == DTR ? 8 : 0;
        uint32_t ccr = lines | edges | (as == SINGLE ? 0 : 0x10);

        if (parts & WORK_ADDRESS)
                ccr |= (lines | edges) << 8 | 0x3000;
        if (parts & WORK_DATA)
                ccr |= (lines | edges) << 24 | (as == DTR ? 0x20000000 : 0);
        return ccr;
}

static uint32_t opcode(enum mode as, uint8_t byte)
{
        return as == SINGLE ? byte : (uint32_t)byte << 8 | (byte ^ 0xFFu);
}

/* Set up; the last register written starts what needs no data from us. */
static void command_in(enum mode as, uint32_t function, uint8_t byte, unsigned parts,
                       uint32_t address, uint32_t length, uint32_t dummy)
{
        OCTOSPI->CR = EN | function;
        OCTOSPI->DLR = length ? length - 1 : 0;
        OCTOSPI->TCR = dummy;
        OCTOSPI->CCR = shape(as, parts);
        OCTOSPI->IR = opcode(as, byte);
        if (parts & WORK_ADDRESS)
                OCTOSPI->AR = address;
        if (function == WRITES && !(parts & WORK_DATA))
                wait_for(TCF);
}

static void command(uint32_t function, uint8_t byte, unsigned parts, uint32_t address,
                    uint32_t length, uint32_t dummy)
{
        command_in(mode, function, byte, parts, address, length, dummy);
}

static void send(const uint8_t *bytes, uint32_t length)
{
        for (uint32_t i = 0; i < length; i++)
                DR_BYTE = bytes[i];
        wait_for(TCF);
}

static void receive(uint8_t *bytes, uint32_t length)
{
        for (uint32_t i = 0; i < length; i++)
                bytes[i] = DR_BYTE;
        wait_for(TCF);
}

/* --- the chip ------------------------------------------------------------------------------ */

/* Status and identity: with an address of zeros on eight lines, and each byte twice with both edges. */
static unsigned of_register(void)
{
        return WORK_DATA | (mode == SINGLE ? 0 : WORK_ADDRESS);
}

static uint32_t twice(uint32_t length)
{
        return mode == DTR ? 2 * length : length;
}

static void wait_for_status(uint32_t mask, uint32_t match)
{
        OCTOSPI->PSMKR = mask;
        OCTOSPI->PSMAR = match;
        command(POLLS | APMS, 0x05, of_register(), 0, twice(1), mode == SINGLE ? 0 : 4);
        wait_for(SMF);
}

static void enable_write(void)
{
        command(WRITES, 0x06, 0, 0, 0, 0);
        wait_for_status(2, 2);
}

static int has_failed(void)
{
        uint8_t security[2];

        command(READS, 0x2B, of_register(), 0, twice(1), mode == SINGLE ? 0 : 4);
        receive(security, twice(1));
        return security[0] & FAILED;
}

/* Whatever mode somebody left it in. */
static void reset_chip(void)
{
        for (enum mode as = SINGLE; as <= DTR; as++) {
                command_in(as, WRITES, 0x66, 0, 0, 0, 0);
                command_in(as, WRITES, 0x99, 0, 0, 0, 0);
        }
        mode = SINGLE;
}

static int is_chip_there(void)
{
        uint8_t id[3];

        command(READS, 0x9F, WORK_DATA, 0, 3, 0);
        receive(id, 3);
        return id[0] == 0xC2 && id[1] == 0x85 && id[2] == 0x3A;
}

static void configure(uint32_t at, uint8_t value)
{
        enable_write();
        command(WRITES, 0x72, WORK_ADDRESS | WORK_DATA, at, 1, 0);
        send(&value, 1);
}

static void go_octal(void)
{
        configure(0x300, 7);
        configure(0, 2);
        mode = DTR;
}

/* --- the controller ------------------------------------------------------------------------ */

#ifdef RCC
#define RCC_CR      (*(volatile uint32_t *)(RCC + 0x00))
#define RCC_AHB3ENR (*(volatile uint32_t *)(RCC + 0xD4))
#define HSION       0x1u
#define HSIRDY      0x4u
#define OSPI1EN     0x4000u

static void start_clock(void)
{
        RCC_CR |= HSION;
        while (!(RCC_CR & HSIRDY))
                ;
        RCC_AHB3ENR |= OSPI1EN;
}
#else
static void start_clock(void)
{
}
#endif

static void set_up(void)
{
        leave_mapped_mode();
        OCTOSPI->DCR1 = 1u << 24 | 19u << 16 | 1u << 8; /* Macronix, 1 MiB */
        OCTOSPI->DCR2 = 3;
        OCTOSPI->DCR3 = OCTOSPI->DCR4 = 0;
}

static void map(void)
{
        if (mode == DTR)
                command(MAPS, 0xEE, WORK_ADDRESS | WORK_DATA, 0, 1, DUMMY);
        else
                command(MAPS, 0x13, WORK_ADDRESS | WORK_DATA, 0, 1, 0);
}

/* --- what tools call ------------------------------------------------------------------------ */

int Init(void)
{
        for (uint32_t *at = zeros_begin; at < zeros_end; at++)
                *at = 0;
        start_clock();
        set_up();
        reset_chip();
        if (!is_chip_there())
                return 0;
        if (OCTAL)
                go_octal();
        map();
        return 1;
}

int Write(uint32_t address, uint32_t length, const uint8_t *buffer)
{
        leave_mapped_mode();
        for (uint32_t done = 0, count; done < length; done += count) {
                uint32_t at = address - MEMORY + done, room = PAGE - at % PAGE;

                count = length - done < room ? length - done : room;
                if (at >= LENGTH)
                        return 0;
                enable_write();
                command(WRITES, 0x12, WORK_ADDRESS | WORK_DATA, at, count, 0);
                send(buffer + done, count);
                wait_for_status(1, 0);
                if (has_failed())
                        return 0;
        }
        return 1;
}

int SectorErase(uint32_t first, uint32_t last)
{
        leave_mapped_mode();
        for (uint32_t at = (first - MEMORY) / SECTOR * SECTOR; at <= last - MEMORY; at += SECTOR) {
                if (at >= LENGTH)
                        return 0;
                enable_write();
                command(WRITES, 0x21, WORK_ADDRESS, at, 0, 0);
                wait_for_status(1, 0);
                if (has_failed())
                        return 0;
        }
        return 1;
}

int MassErase(void)
{
        leave_mapped_mode();
        enable_write();
        command(WRITES, 0x60, 0, 0, 0, 0);
        wait_for_status(1, 0);
        return !has_failed();
}

int Read(uint32_t address, uint32_t length, uint8_t *buffer)
{
        leave_mapped_mode();
        command(READS, mode == DTR ? 0xEE : 0x13, WORK_ADDRESS | WORK_DATA, address - MEMORY,
                length, mode == DTR ? DUMMY : 0);
        receive(buffer, length);
        return 1;
}

/* As ST's answers: a sum above, the first address that differs or zero below. */
uint64_t Verify(uint32_t address, const uint8_t *buffer, uint32_t words, uint32_t misalignment)
{
        const uint8_t *memory = (const uint8_t *)address;
        uint32_t sum = 0, length = 4 * words - (misalignment >> 16 & 0xF);

        leave_mapped_mode();
        map();
        for (uint32_t i = misalignment & 0xF; i < length; i++)
                sum += memory[i];
        for (uint32_t i = 0; i < 4 * words; i++)
                if (memory[i] != buffer[i])
                        return (uint64_t)sum << 32 | (address + i);
        return (uint64_t)sum << 32;
}
