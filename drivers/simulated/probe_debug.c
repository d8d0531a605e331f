/*
 * Debug commands of a simulated probe, F2 xx (stlink.md 5 to 8).
 *
 * What a mode does not know is refused with a STALL (stlink.md 3.4), an opcode nobody knows with
 * status 42. The part's answers become the codes of stlink.md 10: nothing at all is 05 without
 * supply and 09 with it at ENTER, 16 later on.
 */
#include "drivers/simulated/probe_private.h"

#include "scheduler/bytes.h"

#define DP_PORT       0xFFFFu
#define DP_ABORT      0x00u
#define DP_CONTROL    0x04u
#define POWER_UP      0x50000000u
#define POWER_UP_ACK  0xA0000000u
#define CLEAR_STICKY  0x1Eu
#define DCRSR         0xE000EDF4u
#define DCRDR         0xE000EDF8u
#define ALL_REGISTERS 21u
#define BOARD_LENGTH  128u

/* --- clock --------------------------------------------------------------------------------- */

/* stlink.md 6.3, prescaler 1; 6.1 */
static const unsigned clocks_v3[] = { 24000, 8000, 3300, 1000, 200, 50, 5 };
static const struct {
        unsigned divisor, khz;
} clocks_v2[] = { { 0, 4000 }, { 1, 1800 }, { 2, 1200 }, { 3, 950 },  { 5, 650 },  { 7, 480 },
                  { 9, 400 },  { 10, 360 }, { 15, 240 }, { 25, 150 }, { 31, 125 }, { 40, 100 },
                  { 79, 50 },  { 158, 25 }, { 265, 15 }, { 798, 5 } };

static void list_clocks(struct simulated_probe *probe)
{
        uint8_t *answer = probe_answer(probe, 52);

        answer[0] = STATUS_OK;
        store_le32(answer + 4, probe->clock_khz);
        store_le32(answer + 8, LENGTH_OF(clocks_v3));
        for (size_t i = 0; i < LENGTH_OF(clocks_v3); i++)
                store_le32(answer + 12 + 4 * i, clocks_v3[i]);
}

/* The highest not above the request; below the lowest is 08. */
static void set_clock_v3(struct simulated_probe *probe, uint32_t wanted_khz)
{
        uint8_t *answer = probe_answer(probe, 8);

        answer[0] = STATUS_CMD_ERROR;
        for (size_t i = 0; i < LENGTH_OF(clocks_v3); i++) {
                if (clocks_v3[i] > wanted_khz)
                        continue;
                probe->clock_khz = clocks_v3[i];
                answer[0] = STATUS_OK;
                break;
        }
        store_le32(answer + 4, probe->clock_khz);
}

static void set_clock_v2(struct simulated_probe *probe, unsigned divisor)
{
        for (size_t i = 0; i < LENGTH_OF(clocks_v2); i++)
                if (clocks_v2[i].divisor <= divisor)
                        probe->clock_khz = clocks_v2[i].khz;
        probe_answer_status(probe, STATUS_OK);
}

/* --- entering and leaving ------------------------------------------------------------------ */

void probe_leave_debug(struct simulated_probe *probe)
{
        memset(probe->is_open, 0, sizeof(probe->is_open));
        probe->is_nrst_low = false;
        if (probe->part)
                part_hold_reset(probe->part, probe->time_ns, false);
        probe->mode = MODE_MASS;
}

/* Line reset, read the id, ask for debug power, clear what is sticky (stlink.md 5.3). */
static uint8_t enter_swd(struct simulated_probe *probe)
{
        struct simulated_part *part = probe->part;
        uint32_t value;

        probe_spend_clocks(probe, 200 + 5 * SWD_CLOCKS_WORD);
        if (!part || !part_is_powered(part))
                return STATUS_NO_DEVICE;
        if (part_dp_read(part, probe->time_ns, 0, &value) != PART_OK)
                return STATUS_IDCODE_ERROR;
        if (part_dp_write(part, probe->time_ns, DP_ABORT, CLEAR_STICKY) != PART_OK ||
            part_dp_write(part, probe->time_ns, DP_CONTROL, POWER_UP) != PART_OK ||
            part_dp_read(part, probe->time_ns, DP_CONTROL, &value) != PART_OK ||
            (value & POWER_UP_ACK) != POWER_UP_ACK)
                return STATUS_DBG_POWER;
        return STATUS_OK;
}

/* ENTER may be repeated (stlink.md 5.6); access ports must be opened again after it, the stricter
 * of what is reported (18, point 8) - but AP 0: stlink-org's usb.c never sends INIT_AP and works with
 * current firmware, so ENTER must open that one itself. Our driver does not count on it. */
static void enter(struct simulated_probe *probe, uint8_t parameter)
{
        uint8_t status = parameter == 0xA3 ? enter_swd(probe) : STATUS_JTAG_CHAIN;

        memset(probe->is_open, 0, sizeof(probe->is_open));
        if (status == STATUS_OK) {
                probe->mode = MODE_DEBUG;
                probe->is_open[0] = true;
        }
        probe_answer_status(probe, status);
}

static void answer_ids(struct simulated_probe *probe)
{
        uint8_t *answer = probe_answer(probe, 12);
        uint32_t value = 0;

        probe_spend_clocks(probe, SWD_CLOCKS_WORD);
        answer[0] = STATUS_DP_ERROR;
        if (!probe->part || part_dp_read(probe->part, probe->time_ns, 0, &value) != PART_OK)
                return;
        answer[0] = STATUS_OK;
        store_le32(answer + 4, value);
}

/* stlink.md 7.2: an AP that is not there, or beyond what the firmware knows, is 1D. */
static void open_ap(struct simulated_probe *probe, unsigned ap)
{
        uint32_t id = 0;
        enum part_answer answer = PART_SILENT;

        probe_spend_clocks(probe, 2 * SWD_CLOCKS_WORD);
        if (ap >= PROBE_APS) {
                probe_answer_status(probe, STATUS_BAD_AP);
                return;
        }
        if (probe->part)
                answer = part_ap_read(probe->part, probe->time_ns, ap, 0xFC, &id);
        if (answer == PART_SILENT)
                probe_answer_status(probe, STATUS_DP_ERROR);
        else if (answer != PART_OK)
                probe_answer_status(probe, STATUS_AP_STICKY);
        else if (id == 0)
                probe_answer_status(probe, STATUS_BAD_AP);
        else
                probe->is_open[ap] = true, probe_answer_status(probe, STATUS_OK);
}

/* Q5: anything but the IDR of an AP that was not opened is 1D. */
bool probe_may_use_ap(const struct simulated_probe *probe, unsigned ap)
{
        return ap < PROBE_APS && probe->is_open[ap];
}

static void close_ap(struct simulated_probe *probe, unsigned ap)
{
        bool was_open = ap < PROBE_APS && probe->is_open[ap];

        if (was_open)
                probe->is_open[ap] = false;
        probe_answer_status(probe, was_open ? STATUS_OK : STATUS_BAD_AP);
}

/* --- DAP registers ------------------------------------------------------------------------- */

static uint8_t dap_status(unsigned port, enum part_answer answer, bool was_sticky)
{
        bool is_dp = port == DP_PORT;

        switch (answer) {
        case PART_OK:
                return STATUS_OK;
        case PART_WAIT:
                return is_dp ? STATUS_DP_WAIT : STATUS_AP_WAIT;
        case PART_FAULT:
                return is_dp ? STATUS_DP_FAULT : was_sticky ? STATUS_AP_STICKY : STATUS_AP_FAULT;
        case PART_SILENT:
                return STATUS_DP_ERROR;
        }
        return STATUS_DP_ERROR;
}

/* IDR may be read without opening (stlink.md 7.2), nothing else of an AP. */
static bool port_is_open(const struct simulated_probe *probe, unsigned port, unsigned address,
                         bool is_write)
{
        if (port == DP_PORT)
                return true;
        return port < PROBE_APS &&
               (probe_may_use_ap(probe, port) || (!is_write && address == 0xFC));
}

static void read_dap(struct simulated_probe *probe, unsigned port, unsigned address)
{
        uint8_t *answer = probe_answer(probe, 8);
        enum part_answer result = PART_SILENT;
        uint32_t value = 0;
        bool was_sticky = probe->part && part_is_sticky(probe->part);

        probe_spend_clocks(probe, 2 * SWD_CLOCKS_WORD);
        if (!port_is_open(probe, port, address, false)) {
                answer[0] = STATUS_BAD_AP;
                return;
        }
        if (probe->part)
                result = port == DP_PORT
                                 ? part_dp_read(probe->part, probe->time_ns, address, &value)
                                 : part_ap_read(probe->part, probe->time_ns, port, address, &value);
        answer[0] = dap_status(port, result, was_sticky);
        store_le32(answer + 4, value);
}

static void write_dap(struct simulated_probe *probe, unsigned port, unsigned address,
                      uint32_t value)
{
        enum part_answer result = PART_SILENT;
        bool was_sticky = probe->part && part_is_sticky(probe->part);

        probe_spend_clocks(probe, 2 * SWD_CLOCKS_WORD);
        if (!port_is_open(probe, port, address, true)) {
                probe_answer_status(probe, STATUS_BAD_AP);
                return;
        }
        if (probe->part)
                result = port == DP_PORT
                                 ? part_dp_write(probe->part, probe->time_ns, address, value)
                                 : part_ap_write(probe->part, probe->time_ns, port, address, value);
        probe_answer_status(probe, dap_status(port, result, was_sticky));
}

/* --- core ---------------------------------------------------------------------------------- */

static uint8_t access_word(struct simulated_probe *probe, bool is_write, unsigned ap,
                           uint32_t address, uint32_t *value)
{
        uint8_t word[4];
        uint8_t status;

        if (address % 4)
                return STATUS_ALIGNMENT;
        store_le32(word, *value);
        probe_spend_clocks(probe, 2 * SWD_CLOCKS_WORD);
        status = probe_access(probe, is_write, ap, address, word, 4);
        *value = load_le32(word);
        return status;
}

static void read_word(struct simulated_probe *probe, unsigned ap, uint32_t address)
{
        uint8_t *answer = probe_answer(probe, 8);
        uint32_t value = 0;

        answer[0] = access_word(probe, false, ap, address, &value);
        store_le32(answer + 4, value);
}

static void write_word(struct simulated_probe *probe, unsigned ap, uint32_t address, uint32_t value)
{
        probe_answer_status(probe, access_word(probe, true, ap, address, &value));
}

static uint8_t core_register(struct simulated_probe *probe, unsigned ap, bool is_write,
                             unsigned number, uint32_t *value)
{
        uint32_t select = number | (is_write ? 0x10000u : 0);
        uint8_t status = STATUS_OK;

        if (is_write)
                status = access_word(probe, true, ap, DCRDR, value);
        if (status == STATUS_OK)
                status = access_word(probe, true, ap, DCRSR, &select);
        if (status == STATUS_OK && !is_write)
                status = access_word(probe, false, ap, DCRDR, value);
        return status;
}

static void read_register(struct simulated_probe *probe, unsigned ap, unsigned number)
{
        uint8_t *answer = probe_answer(probe, 8);
        uint32_t value = 0;

        answer[0] = core_register(probe, ap, false, number, &value);
        store_le32(answer + 4, value);
}

static void read_all_registers(struct simulated_probe *probe, unsigned ap)
{
        uint8_t *answer = probe_answer(probe, 4 + 4 * ALL_REGISTERS);
        uint32_t value = 0;

        answer[0] = STATUS_OK;
        for (unsigned i = 0; i < 19 && answer[0] == STATUS_OK; i++) {
                answer[0] = core_register(probe, ap, false, i, &value);
                store_le32(answer + 4 + 4 * i, value);
        }
}

static void drive_nrst(struct simulated_probe *probe, uint8_t level)
{
        if (level > 2) {
                probe_answer_status(probe, STATUS_CMD_ERROR);
                return;
        }
        if (probe->part && level == 2)
                part_hold_reset(probe->part, probe->time_ns, true);
        probe->is_nrst_low = level == 0;
        if (probe->part)
                part_hold_reset(probe->part, probe->time_ns, probe->is_nrst_low);
        probe_answer_status(probe, STATUS_OK);
}

static void reset_system(struct simulated_probe *probe)
{
        bool is_there = probe->part && part_answers(probe->part);

        if (is_there)
                part_reset(probe->part, probe->time_ns);
        probe_answer_status(probe, is_there ? STATUS_OK : STATUS_DP_ERROR);
}

/* --- which command ------------------------------------------------------------------------- */

/* Commands that work in every mode. */
static bool idle_command(struct simulated_probe *probe, const uint8_t *command)
{
        switch (command[1]) {
        case 0x21:
                probe_leave_debug(probe);
                return true;
        case 0x30:
                enter(probe, command[2]);
                return true;
        case 0x3C:
                drive_nrst(probe, command[2]);
                return true;
        case 0x43:
                set_clock_v2(probe, load_le16(command + 2));
                return true;
        case 0x56:
                probe_answer(probe, BOARD_LENGTH)[0] = STATUS_OK; /* no board code */
                return true;
        default:
                return false;
        }
}

static bool v3_command(struct simulated_probe *probe, const uint8_t *command)
{
        if (!probe->is_v3)
                return false;
        switch (command[1]) {
        case 0x61:
                set_clock_v3(probe, load_le32(command + 4));
                return true;
        case 0x62:
                list_clocks(probe);
                return true;
        case 0x63:
                probe_answer(probe, 8)[0] = STATUS_CONF_CHANGED;
                return true;
        default:
                return false;
        }
}

/* Commands that need debug mode; the AP bytes stand where stlink.md 8 says. */
static bool session_command(struct simulated_probe *probe, const uint8_t *command)
{
        uint32_t value;

        switch (command[1]) {
        case 0x31:
                answer_ids(probe);
                return true;
        case 0x32:
                reset_system(probe);
                return true;
        case 0x33:
                read_register(probe, command[3], command[2]);
                return true;
        case 0x34:
                value = load_le32(command + 3);
                probe_answer_status(probe,
                                    core_register(probe, command[7], true, command[2], &value));
                return true;
        case 0x35:
                write_word(probe, command[10], load_le32(command + 2), load_le32(command + 6));
                return true;
        case 0x36:
                read_word(probe, command[6], load_le32(command + 2));
                return true;
        case 0x3A:
                read_all_registers(probe, command[2]);
                return true;
        case 0x40: /* SWO on and off: the part has no trace to send */
        case 0x41:
                probe_answer_status(probe, STATUS_OK);
                return true;
        case 0x42:
                (void)probe_answer(probe, 2);
                return true;
        case 0x45:
                read_dap(probe, load_le16(command + 2), load_le16(command + 4));
                return true;
        case 0x46:
                write_dap(probe, load_le16(command + 2), load_le16(command + 4),
                          load_le32(command + 6));
                return true;
        case 0x4B:
                open_ap(probe, command[2]);
                return true;
        case 0x4C:
                close_ap(probe, command[2]);
                return true;
        default:
                return probe_memory_command(probe, command);
        }
}

static bool is_session_command(uint8_t opcode)
{
        static const uint8_t opcodes[] = { 0x07, 0x08, 0x0C, 0x0D, 0x31, 0x32, 0x33, 0x34, 0x35,
                                           0x36, 0x3A, 0x3B, 0x3E, 0x40, 0x41, 0x42, 0x45, 0x46,
                                           0x47, 0x48, 0x4B, 0x4C, 0x50, 0x51, 0x52, 0x53, 0x54 };

        for (size_t i = 0; i < sizeof(opcodes); i++)
                if (opcodes[i] == opcode)
                        return true;
        return false;
}

bool probe_debug_command(struct simulated_probe *probe, const uint8_t *command)
{
        if (idle_command(probe, command) || v3_command(probe, command))
                return true;
        if (!is_session_command(command[1]))
                return false;
        if (probe->mode != MODE_DEBUG) {
                probe_stall(probe);
                return true;
        }
        return session_command(probe, command);
}
