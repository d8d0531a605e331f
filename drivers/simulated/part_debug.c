/*
 * The debug side of a simulated part: SW-DP, its access ports, and the core's debug registers.
 *
 * An access goes DP, AP, bus. A bus fault sets STICKYERR, and while that is set every AP access
 * faults until ABORT clears it (ADIv5; stlink.md 7.4). Without an engine (core.h) no core executes:
 * registers keep what is written, halt and run change S_HALT, and the program counter that DWT_PCSR shows
 * is somewhere in system memory or in flash, as the boot pin decided; what a core is started on is looked
 * at once, for the reference loader (part_external.c). With an engine, part_core.c runs what is not
 * in system memory.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

/* DP CTRL/STAT, ADIv5 */
#define CONTROL_STICKYERR 0x00000020u
#define CONTROL_REQUESTS  0x54000000u /* CSYSPWRUPREQ, CDBGPWRUPREQ, CDBGRSTREQ */
#define CONTROL_DBGPWR    0x10000000u
#define CONTROL_WRITABLE  0x54FFFF01u
#define ABORT_STKERRCLR   0x00000004u

/* MEM-AP */
#define CSW_SIZE      0x00000007u
#define CSW_INCREMENT 0x00000030u
#define CSW_PACKED    0x00000020u
#define CSW_DEVICE_EN 0x00000040u
#define CSW_FIXED     0x000000C0u /* DeviceEn reads one, transfer in progress zero */
#define IDR_CORE      0x84770001u /* MEM-AP of a Cortex-M7 or M33 */
#define IDR_CORE_M4   0x24770011u /* AHB-AP of a Cortex-M4 */
#define IDR_APB       0x54770002u
#define BASE_NO_TABLE 0x00000002u /* no ROM table: we model none */

/* core debug, Armv7-M architecture */
#define CPUID      0xE000ED00u
#define AIRCR      0xE000ED0Cu
#define DFSR       0xE000ED30u
#define DHCSR      0xE000EDF0u
#define DCRSR      0xE000EDF4u
#define DCRDR      0xE000EDF8u
#define DEMCR      0xE000EDFCu
#define MVFR0      0xE000EF40u
#define MVFR1      0xE000EF44u
#define FP_CTRL    0xE0002000u
#define DWT_CTRL   0xE0001000u
#define DWT_PCSR   0xE000101Cu
#define DHCSR_KEY  0xA05Fu
#define C_STEP     0x4u
#define S_REGRDY   0x00010000u
#define S_HALT     0x00020000u
#define S_LOCKUP   0x00080000u
#define S_RESET_ST 0x02000000u
#define VECTKEY    0x05FAu
#define SYSRESET   0x4u
#define TRCENA     0x01000000u
#define VC_RESET   0x1u
#define SP         13u
#define PC         15u
#define MSP        17u
#define CONTROL    20u /* in bits 31..24; FAULTMASK, BASEPRI, PRIMASK below it */
#define SPSEL      0x02000000u

static bool has_apb(const struct simulated_part *part)
{
        return part->family->sequence == FAMILY_H7 || part->family->sequence == FAMILY_H7AB;
}

/* A closed product state takes the core's port away (targets.md 5.2; wiki, product states). */
bool part_has_access_port(const struct simulated_part *part, unsigned ap)
{
        if (ap == part->family->access_port)
                return part->protection < LEVEL_2;
        if (authentication_is_there(part, ap))
                return true;
        return ap == AP_APB && has_apb(part);
}

bool part_is_sticky(const struct simulated_part *part)
{
        return part->dp_control & CONTROL_STICKYERR;
}

uint32_t part_fault_address(const struct simulated_part *part)
{
        return part->fault_address;
}

/* --- core ---------------------------------------------------------------------------------- */

/* First words of system memory's loader, or of the program in flash. */
static uint32_t boot_address(const struct simulated_part *part)
{
        const struct family *family = part->family;

        if (part_boots_system(part))
                return family->system_memory +
                       (family->system_memory_length > 0x9A20u ? 0x9A00u : 0x1A00u);
        return family->bank_address[0] + 0x2C0u;
}

void part_core_reset(struct simulated_part *part, bool is_power_on)
{
        bool is_caught = (part->dhcsr & C_DEBUGEN) && (part->demcr & VC_RESET);

        if (is_power_on)
                part->dhcsr = part->demcr = part->dfsr = part->dcrdr = 0;
        memset(part->core, 0, sizeof(part->core));
        part->core[PC] = boot_address(part);
        part->core[SP] = 0x20020000;
        part->core[14] = 0xFFFFFFFF;
        part->core[16] = 0x01000000; /* Thumb */
        core_load_vectors(part);
        part->has_been_reset = true;
        part->is_halted = is_caught && !is_power_on;
        if (part->is_halted)
                part->dfsr |= DFSR_VCATCH;
}

/* The sampled counter walks through a polling loop; all ones while halted. */
static uint32_t sample_pc(struct simulated_part *part)
{
        if (!(part->demcr & TRCENA))
                return 0;
        if (part->is_halted)
                return UINT32_MAX;
        if (core_executes(part))
                return part->core[PC];
        return boot_address(part) + 2 * (part->pc_samples++ % 13);
}

static uint32_t read_dhcsr(struct simulated_part *part)
{
        uint32_t value = (part->dhcsr & 0xFu) | S_REGRDY;

        if (part->is_halted)
                value |= S_HALT;
        if (part->runner.is_locked_up && !part->is_halted)
                value |= S_LOCKUP;
        if (part->has_been_reset)
                value |= S_RESET_ST;
        part->has_been_reset = false;
        return value;
}

/* Arm: CPUID of the r1p1 M7, r0p1 M4 and r0p4 M33; the M7's FPU has double precision. */
static const struct {
        uint32_t cpuid, mvfr0, mvfr1, breakpoints;
} cores[] = {
        [FAMILY_M4] = { 0x410FC241, 0x10110021, 0x11000011, 0x00000260 },
        [FAMILY_M7] = { 0x411FC271, 0x10110221, 0x12000011, 0x10000080 },
        [FAMILY_M33] = { 0x410FD214, 0x10110021, 0x11000011, 0x10000080 },
};

uint32_t part_core_read(struct simulated_part *part, uint32_t address)
{
        switch (address) {
        case CPUID:
                return cores[part->family->core].cpuid;
        case AIRCR:
                return 0xFA050000;
        case DFSR:
                return part->dfsr;
        case DHCSR:
                return read_dhcsr(part);
        case DCRSR:
                return 0;
        case DCRDR:
                return part->dcrdr;
        case DEMCR:
                return part->demcr;
        case MVFR0:
                return cores[part->family->core].mvfr0;
        case MVFR1:
                return cores[part->family->core].mvfr1;
        case FP_CTRL:
                return cores[part->family->core].breakpoints |
                       (part->ppb[(FP_CTRL - PPB_ADDRESS) / 4] & 1);
        case DWT_CTRL:
                return 0x40000000; /* 4 comparators */
        case DWT_PCSR:
                return sample_pc(part);
        default:
                return part->ppb[(address - PPB_ADDRESS) / 4];
        }
}

static void halt(struct simulated_part *part)
{
        if (!part->is_halted && !core_executes(part))
                part->core[PC] = boot_address(part) + 2 * (part->pc_samples % 13);
        part->is_halted = true;
        part->runner.is_locked_up = false;
        part->dfsr |= DFSR_HALTED;
}

static void step(struct simulated_part *part)
{
        if (core_executes(part)) {
                core_step(part);
                return;
        }
        part->core[PC] += 2;
        part->dfsr |= DFSR_HALTED;
}

static void write_dhcsr(struct simulated_part *part, uint32_t value)
{
        if (value >> 16 != DHCSR_KEY)
                return;
        part->dhcsr = value & 0xFu;
        if (!(value & C_DEBUGEN)) {
                part->dhcsr = 0;
                part->is_halted = false;
        } else if (value & C_HALT) {
                part->loader.due_ns = NEVER;
                halt(part);
        } else if (value & C_STEP && part->is_halted) {
                step(part);
        } else if (part->is_halted) {
                part->is_halted = false;
                external_core_starts(part);
        }
        if (part_rom_is_running(part))
                rss_look_into_mailbox(part, part->now_ns);
}

static void write_dcrsr(struct simulated_part *part, uint32_t value)
{
        uint32_t number = value & (CORE_REGISTERS - 1);

        if (number == MSP && !(part->core[CONTROL] & SPSEL))
                number = SP; /* one register under two numbers */
        if (value & 0x10000)
                part->core[number] = part->dcrdr;
        else
                part->dcrdr = part->core[number];
}

void part_core_write(struct simulated_part *part, uint32_t address, uint32_t value)
{
        switch (address) {
        case AIRCR:
                if (value >> 16 == VECTKEY && value & SYSRESET)
                        part_reset(part, part->now_ns);
                break;
        case DFSR:
                part->dfsr &= ~value;
                break;
        case DHCSR:
                write_dhcsr(part, value);
                break;
        case DCRSR:
                write_dcrsr(part, value);
                break;
        case DCRDR:
                part->dcrdr = value;
                break;
        case DEMCR:
                part->demcr = value;
                break;
        default:
                part->ppb[(address - PPB_ADDRESS) / 4] = value;
                break;
        }
}

/* --- memory through an access port --------------------------------------------------------- */

static enum part_answer note(struct simulated_part *part, enum part_answer answer, uint32_t address)
{
        if (answer == PART_FAULT) {
                part->dp_control |= CONTROL_STICKYERR;
                part->fault_address = address;
        }
        return answer;
}

/* May an access through `ap` go on to the bus at all? */
static enum part_answer check_port(struct simulated_part *part, unsigned ap)
{
        if (!part_answers(part))
                return PART_SILENT;
        if (part_is_sticky(part) || !(part->dp_control & CONTROL_DBGPWR))
                return PART_FAULT;
        return part_has_access_port(part, ap) ? PART_OK : PART_FAULT;
}

static bool is_aligned(uint32_t address, unsigned width)
{
        return (width == 1 || width == 2 || width == 4) && address % width == 0;
}

enum part_answer part_read(struct simulated_part *part, uint64_t now_ns, unsigned ap,
                           uint32_t address, void *data, unsigned width)
{
        enum part_answer answer;

        part_advance(part, now_ns);
        answer = check_port(part, ap);
        if (answer != PART_OK)
                return answer;
        if (!is_aligned(address, width))
                return note(part, PART_FAULT, address);
        return note(part, part_bus_read(part, ap, address, data, width), address);
}

enum part_answer part_write(struct simulated_part *part, uint64_t now_ns, unsigned ap,
                            uint32_t address, const void *data, unsigned width)
{
        enum part_answer answer;

        part_advance(part, now_ns);
        answer = check_port(part, ap);
        if (answer != PART_OK)
                return answer;
        if (!is_aligned(address, width))
                return note(part, PART_FAULT, address);
        return note(part, part_bus_write(part, ap, address, data, width), address);
}

/* --- debug port ---------------------------------------------------------------------------- */

static uint32_t control_status(const struct simulated_part *part)
{
        /* each acknowledge stands one bit above its request */
        return part->dp_control | (part->dp_control & CONTROL_REQUESTS) << 1;
}

/* With a sticky error only DPIDR, CTRL/STAT and ABORT answer (ADIv5.2 B2.2.3). */
enum part_answer part_dp_read(struct simulated_part *part, uint64_t now_ns, unsigned reg,
                              uint32_t *value)
{
        part_advance(part, now_ns);
        if (!part_answers(part))
                return PART_SILENT;
        switch (reg) {
        case 0x00:
                *value = part->family->dpidr;
                return PART_OK;
        case 0x04:
                *value = control_status(part);
                return PART_OK;
        case 0x24: /* TARGETID: device id as part number, ST as designer */
                *value = (uint32_t)part->record->device_id << 16 | 0x0041;
                return PART_OK;
        case 0x14: /* DLCR */
        case 0x34: /* DLPIDR */
                *value = 0;
                return PART_OK;
        case 0x08: /* RESEND */
        case 0x0C:
                if (part_is_sticky(part))
                        return PART_FAULT;
                *value = part->dp_buffer;
                return PART_OK;
        default:
                return PART_FAULT;
        }
}

enum part_answer part_dp_write(struct simulated_part *part, uint64_t now_ns, unsigned reg,
                               uint32_t value)
{
        part_advance(part, now_ns);
        if (!part_answers(part))
                return PART_SILENT;
        switch (reg) {
        case 0x00:
                if (value & ABORT_STKERRCLR)
                        part->dp_control &= ~CONTROL_STICKYERR;
                return PART_OK;
        case 0x04:
                part->dp_control =
                        (part->dp_control & ~CONTROL_WRITABLE) | (value & CONTROL_WRITABLE);
                return PART_OK;
        case 0x08:
                if (part_is_sticky(part))
                        return PART_FAULT;
                part->dp_select = value;
                return PART_OK;
        default:
                return PART_FAULT;
        }
}

/* --- access port registers ----------------------------------------------------------------- */

static struct access_port *port_of(struct simulated_part *part, unsigned ap)
{
        return &part->ports[ap != part->family->access_port];
}

static unsigned csw_width(uint32_t csw)
{
        return (csw & CSW_SIZE) == 0 ? 1 : (csw & CSW_SIZE) == 1 ? 2 : 4;
}

/* TAR steps only in its low ten bits: ADIv5 guarantees no more (stlink.md 9.2). */
static void step_tar(struct access_port *port)
{
        uint32_t next = port->tar + csw_width(port->csw);

        if (port->csw & CSW_INCREMENT)
                port->tar = (port->tar & ~0x3FFu) | (next & 0x3FFu);
}

static enum part_answer data_read(struct simulated_part *part, unsigned ap, uint32_t *value)
{
        struct access_port *port = port_of(part, ap);
        uint8_t lanes[4] = { 0 };
        unsigned width = csw_width(port->csw);
        enum part_answer answer = part_read(part, part->now_ns, ap, port->tar,
                                            lanes + (port->tar & 3u & ~(width - 1)), width);

        if (answer != PART_OK)
                return answer;
        *value = part->dp_buffer = load_le32(lanes);
        step_tar(port);
        return PART_OK;
}

static enum part_answer data_write(struct simulated_part *part, unsigned ap, uint32_t value)
{
        struct access_port *port = port_of(part, ap);
        uint8_t lanes[4];
        unsigned width = csw_width(port->csw);
        enum part_answer answer;

        store_le32(lanes, value);
        answer = part_write(part, part->now_ns, ap, port->tar,
                            lanes + (port->tar & 3u & ~(width - 1)), width);
        if (answer == PART_OK)
                step_tar(port);
        return answer;
}

static enum part_answer banked_read(struct simulated_part *part, unsigned ap, unsigned reg,
                                    uint32_t *value)
{
        uint32_t address = (port_of(part, ap)->tar & ~0xFu) | (reg & 0xCu);
        uint8_t word[4];
        enum part_answer answer = part_read(part, part->now_ns, ap, address, word, 4);

        if (answer == PART_OK)
                *value = part->dp_buffer = load_le32(word);
        return answer;
}

static enum part_answer banked_write(struct simulated_part *part, unsigned ap, unsigned reg,
                                     uint32_t value)
{
        uint32_t address = (port_of(part, ap)->tar & ~0xFu) | (reg & 0xCu);
        uint8_t word[4];

        store_le32(word, value);
        return part_write(part, part->now_ns, ap, address, word, 4);
}

/* An access port that is not there reads zero everywhere (ADIv5: IDR 0). */
enum part_answer part_ap_read(struct simulated_part *part, uint64_t now_ns, unsigned ap,
                              unsigned reg, uint32_t *value)
{
        part_advance(part, now_ns);
        if (!part_answers(part))
                return PART_SILENT;
        if (part_is_sticky(part))
                return PART_FAULT;
        *value = 0;
        if (!part_has_access_port(part, ap))
                return PART_OK;
        switch (reg) {
        case 0x00:
                *value = (port_of(part, ap)->csw & ~CSW_FIXED) | CSW_DEVICE_EN;
                return PART_OK;
        case 0x04:
                *value = port_of(part, ap)->tar;
                return PART_OK;
        case 0x0C:
                return data_read(part, ap, value);
        case 0x10:
        case 0x14:
        case 0x18:
        case 0x1C:
                return banked_read(part, ap, reg, value);
        case 0xF8:
                *value = BASE_NO_TABLE;
                return PART_OK;
        case 0xFC:
                *value = ap != part->family->access_port   ? IDR_APB
                         : part->family->core == FAMILY_M4 ? IDR_CORE_M4
                                                           : IDR_CORE;
                return PART_OK;
        default:
                return PART_OK;
        }
}

enum part_answer part_ap_write(struct simulated_part *part, uint64_t now_ns, unsigned ap,
                               unsigned reg, uint32_t value)
{
        part_advance(part, now_ns);
        if (!part_answers(part))
                return PART_SILENT;
        if (part_is_sticky(part))
                return PART_FAULT;
        if (!part_has_access_port(part, ap))
                return PART_OK;
        switch (reg) {
        case 0x00:
                if ((value & CSW_INCREMENT) == CSW_PACKED) /* packed transfers: not here */
                        value &= ~CSW_INCREMENT;
                port_of(part, ap)->csw = value;
                return PART_OK;
        case 0x04:
                port_of(part, ap)->tar = value;
                return PART_OK;
        case 0x0C:
                return data_write(part, ap, value);
        case 0x10:
        case 0x14:
        case 0x18:
        case 0x1C:
                return banked_write(part, ap, reg, value);
        default:
                return PART_OK;
        }
}
