/*
 * stlink.c - a session with one probe: take over, clock, SWD in and out, registers.
 *
 * Taking over is draining what a dead process left behind, asking the version (one device reset
 * when nothing answers, stlink.md Q11) and leaving whatever mode the probe is in. Then the clock is
 * set, because ENTER already clocks the target (5.3), and SWD is entered without a reset. Leaving
 * debug mode at the end is not politeness: some V3 firmware needs a replug otherwise (Q13).
 *
 * Memory in bulk is in stlink_memory.c, repeating a command in stlink_command.c.
 */
#include "drivers/stlink.h"

#include "drivers/stlink_command.h"
#include "drivers/stlink_version.h"
#include "drivers/usb_identity.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <string.h>

#define LOADER_LEAVE_MS 2000u /* stlink.md 5.2 */
#define RESET_REST_MS   1000u /* stlink.md 3.4: at least 1 s after a device reset */
#define LIST_MAX        10u   /* entries of GET_COM_FREQ (6.3) */

enum mode { MODE_LOADER = 0, MODE_IDLE = 1, MODE_DEBUG = 2, MODE_SWIM = 3, MODE_BOOTLOADER = 4 };

static const char *path_of(const struct stlink *stlink)
{
        return wire_identity(stlink->wire)->path;
}

/* A command of class S that answers `length` bytes into `reply`. */
static int perform(struct stlink *stlink, const char *name, const uint8_t *command, size_t length,
                   void *reply, size_t reply_length)
{
        struct stlink_command whole = { .name = name,
                                        .exchange = { .in = reply, .in_length = reply_length } };

        memcpy(whole.exchange.command, command, length);
        return stlink_perform(stlink, &whole);
}

/* --- taking over --------------------------------------------------------------------------- */

static int query(struct stlink *stlink, uint8_t first, uint8_t second, void *reply, size_t length)
{
        struct wire_exchange exchange = { .command = { first, second },
                                          .in = reply,
                                          .in_length = length };

        return stlink_query(stlink, &exchange);
}

static int read_version(struct stlink *stlink)
{
        uint8_t answer[STLINK_VERSION_EX_LENGTH];
        int r = query(stlink, 0xF1, 0x80, answer, STLINK_VERSION_LENGTH);

        if (r < 0)
                return r;
        if (!stlink_version_parse(answer, wire_identity(stlink->wire)->product, &stlink->version))
                return 0;
        r = query(stlink, 0xFB, 0x80, answer, STLINK_VERSION_EX_LENGTH);
        if (r < 0)
                return r;
        stlink_version_parse_ex(answer, &stlink->version);
        return 0;
}

/* GET_VERSION may stay unanswered until the device is reset (Q11, OpenOCD@5fcd6d77b). */
static int read_version_or_reset(struct stlink *stlink)
{
        int r = read_version(stlink);

        if (r != -FAULT_TIMEOUT && r != -FAULT_PROBE)
                return r;
        r = wire_reset(stlink->wire);
        if (r < 0)
                return r;
        r = fiber_sleep_ns(RESET_REST_MS * NS_PER_MS);
        if (r < 0)
                return r;
        r = wire_resync(stlink->wire);
        return r < 0 ? r : read_version(stlink);
}

static int read_mode(struct stlink *stlink, enum mode *ret_mode)
{
        uint8_t answer[2]; /* byte 1 is unspecified (5.1) */
        int r = query(stlink, 0xF5, 0, answer, sizeof(answer));

        if (r < 0)
                return r;
        if (answer[0] > MODE_BOOTLOADER)
                return fault(FAULT_PROBE, "%s: the probe reports mode %02X, which is in no table",
                             path_of(stlink), answer[0]);
        *ret_mode = (enum mode)answer[0];
        return 0;
}

static int leave_mode(struct stlink *stlink, enum mode mode)
{
        switch (mode) {
        case MODE_LOADER:
                return query(stlink, 0xF3, 0x07, NULL, 0);
        case MODE_DEBUG:
                return query(stlink, 0xF2, 0x21, NULL, 0);
        case MODE_SWIM:
                return query(stlink, 0xF4, 0x01, NULL, 0);
        case MODE_IDLE:
        case MODE_BOOTLOADER:
                return 0;
        }
        return 0;
}

/* Told to leave its loader a probe either answers with a new mode or re-enumerates (5.2): then this
 * wire ends with -FAULT_UNPLUGGED, and the bus finds the probe again on the same port. */
static int wait_for_firmware(struct stlink *stlink, enum mode *mode)
{
        uint64_t deadline_ns = clock_now_ns() + LOADER_LEAVE_MS * NS_PER_MS;

        while (*mode == MODE_LOADER) {
                int r = fiber_sleep_ns(100 * NS_PER_MS);

                if (r < 0)
                        return r;
                r = read_mode(stlink, mode);
                if (r < 0)
                        return r;
                if (*mode == MODE_LOADER && clock_now_ns() >= deadline_ns)
                        return fault(FAULT_PROBE_OLD,
                                     "%s: the probe stays in its firmware loader; replug it or run "
                                     "ST-LINK Upgrade",
                                     path_of(stlink));
        }
        return 0;
}

static int leave_any_mode(struct stlink *stlink)
{
        enum mode mode;
        int r = read_mode(stlink, &mode);

        if (r < 0)
                return r;
        r = leave_mode(stlink, mode);
        if (r < 0 || mode != MODE_LOADER)
                return r;
        r = wait_for_firmware(stlink, &mode);
        return r < 0 ? r : read_version(stlink);
}

static int take_over(struct stlink *stlink)
{
        const struct wire_identity *identity = wire_identity(stlink->wire);
        const struct usb_product *product = usb_product_find(USB_VENDOR_ST, identity->product);
        int r = wire_resync(stlink->wire);

        if (r < 0)
                return r;
        r = read_version_or_reset(stlink);
        if (r < 0)
                return r;
        r = leave_any_mode(stlink);
        if (r < 0)
                return r;
        if (product && product->is_loader)
                return fault(FAULT_PROBE_OLD,
                             "%s: the probe sits in its firmware loader (product %04X); replug it",
                             identity->path, identity->product);
        r = stlink_version_check(&stlink->version, identity->path);
        if (r < 0)
                return r;
        stlink->has_csw = true; /* the floor of stlink_version_check has both */
        stlink->has_init_ap = true;
        stlink->has_frequency_list = stlink->version.major >= 3;
        return 0;
}

int stlink_open(struct wire *wire, struct stlink *ret_stlink)
{
        struct stlink stlink = { .wire = wire };
        int r = take_over(&stlink);

        if (r < 0) {
                wire_close(wire);
                return r;
        }
        *ret_stlink = stlink;
        return 0;
}

void stlink_close(struct stlink *stlink)
{
        int r = 0;

        if (!stlink->wire)
                return;
        /* Whatever happens the wire is closed; a cancel that arrives here is spent on the first. */
        if (stlink->is_debugging)
                r = stlink_exit(stlink);
        if (r == -FAULT_CANCELLED)
                r = stlink_exit(stlink);
        IGNORE(r); /* nothing more can be done for this probe */
        stlink->wire = wire_close(stlink->wire);
        stlink->is_debugging = false;
}

int stlink_voltage_mv(struct stlink *stlink, unsigned *ret_mv)
{
        uint8_t answer[8];
        int r = query(stlink, 0xF7, 0, answer, sizeof(answer));
        uint64_t reference, half;

        if (r < 0)
                return r;
        reference = load_le32(answer);
        half = load_le32(answer + 4);
        /* 2 x 1.2 V x half / reference (5.4); a nonsense answer must not overflow either. */
        *ret_mv = reference && half < 1u << 20 ? (unsigned)(2400u * half / reference) : 0;
        return 0;
}

/* --- clock --------------------------------------------------------------------------------- */

/* V2 and V2-1: nominal frequency and delay count (6.1), fastest first. The top step was measured at
 * 2360 kHz on a V2-1. */
static const struct {
        uint16_t khz, delay;
} v2_clocks[] = {
        { 4000, 0 }, { 1800, 1 }, { 1200, 2 }, { 950, 3 },  { 650, 5 },  { 480, 7 },
        { 400, 9 },  { 360, 10 }, { 240, 15 }, { 150, 25 }, { 125, 31 }, { 100, 40 },
        { 50, 79 },  { 25, 158 }, { 15, 265 }, { 5, 798 },
};

static int too_slow(const struct stlink *stlink, unsigned clock_khz)
{
        return fault(FAULT_BAD_VALUE, "%s: the probe cannot clock SWD as slowly as %u kHz",
                     path_of(stlink), clock_khz);
}

static int set_clock_v2(struct stlink *stlink, unsigned clock_khz)
{
        uint8_t command[4] = { 0xF2, 0x43 }, reply[2];
        size_t i = 0;
        int r;

        while (i < LENGTH_OF(v2_clocks) && v2_clocks[i].khz > clock_khz)
                i++;
        if (i == LENGTH_OF(v2_clocks))
                return too_slow(stlink, clock_khz);
        store_le16(command + 2, v2_clocks[i].delay);
        r = perform(stlink, "SWD_SET_FREQ", command, sizeof(command), reply, sizeof(reply));
        if (r < 0)
                return r;
        stlink->clock_khz = v2_clocks[i].khz;
        return 0;
}

/* The list's highest not above the request; 0: none. The order is not guaranteed (6.3). */
static uint32_t choose_clock(const uint8_t *list, unsigned clock_khz)
{
        size_t count = list[8] > LIST_MAX ? LIST_MAX : list[8];
        uint32_t best = 0;

        for (size_t i = 0; i < count; i++) {
                uint32_t khz = load_le32(list + 12 + 4 * i);

                if (khz <= clock_khz && khz > best)
                        best = khz;
        }
        return best;
}

/* Once a session: the full speed of the probe's own clock (6.4); the list depends on it. */
static int full_prescaler(struct stlink *stlink)
{
        static const uint8_t command[] = { 0xF2, 0x63, 0x01 };
        uint8_t reply[8];
        int r;

        if (stlink->clock_khz)
                return 0;
        r = perform(stlink, "SWITCH_STLINK_FREQ", command, sizeof(command), reply, sizeof(reply));
        /* A probe that will not is slower, not broken: its list tells. */
        return r == -FAULT_PROBE ? 0 : r;
}

static int set_clock_v3(struct stlink *stlink, unsigned clock_khz)
{
        static const uint8_t get[] = { 0xF2, 0x62, 0x00 };
        uint8_t set[8] = { 0xF2, 0x61, 0x00 }, list[52], reply[8];
        uint32_t chosen, actual;
        int r = full_prescaler(stlink);

        if (r < 0)
                return r;
        r = perform(stlink, "GET_COM_FREQ", get, sizeof(get), list, sizeof(list));
        if (r < 0)
                return r;
        chosen = choose_clock(list, clock_khz);
        if (!chosen)
                return too_slow(stlink, clock_khz);
        store_le32(set + 4, chosen);
        r = perform(stlink, "SET_COM_FREQ", set, sizeof(set), reply, sizeof(reply));
        if (r < 0)
                return r;
        actual = load_le32(reply + 4);
        if (!actual || actual > clock_khz)
                return fault(FAULT_PROBE, "%s: asked for %u kHz the probe runs at %u kHz",
                             path_of(stlink), chosen, actual);
        stlink->clock_khz = actual;
        return 0;
}

int stlink_set_clock(struct stlink *stlink, unsigned clock_khz)
{
        /* WAIT during flash stalls is mishandled above 3.3 MHz before V3J10 (Q6). */
        if (stlink->version.major == 3 && stlink->version.jtag < 10 && clock_khz > 3300)
                clock_khz = 3300;
        return stlink->has_frequency_list ? set_clock_v3(stlink, clock_khz)
                                          : set_clock_v2(stlink, clock_khz);
}

/* --- SWD in and out ------------------------------------------------------------------------ */

/* A repeated ENTER keeps NRST and recovers a target that lost its SWD state; only V3 can, from J3
 * to J5 on depending on whom one asks (5.6). Everyone else leaves first. */
static bool may_enter_again(const struct stlink *stlink)
{
        return stlink->version.major > 3 ||
               (stlink->version.major == 3 && stlink->version.jtag >= 5);
}

int stlink_enter(struct stlink *stlink, uint32_t *ret_dpidr)
{
        static const uint8_t enter[] = { 0xF2, 0x30, 0xA3 }, ids[] = { 0xF2, 0x31 };
        uint8_t reply[12];
        int r = 0;

        if (stlink->is_debugging && !may_enter_again(stlink))
                r = stlink_exit(stlink);
        if (r < 0)
                return r;
        /* From here on the probe may be in debug mode whatever it answers. */
        stlink->is_debugging = true;
        r = perform(stlink, "SWD_ENTER", enter, sizeof(enter), reply, 2);
        if (r < 0)
                return r;
        r = perform(stlink, "READ_IDCODES", ids, sizeof(ids), reply, 12);
        if (r < 0)
                return r;
        *ret_dpidr = load_le32(reply + 4);
        return 0;
}

int stlink_exit(struct stlink *stlink)
{
        int r = leave_mode(stlink, MODE_DEBUG);

        if (r < 0)
                return r;
        stlink->is_debugging = false;
        return 0;
}

int stlink_open_ap(struct stlink *stlink, unsigned ap)
{
        uint8_t command[4] = { 0xF2, 0x4B, (uint8_t)ap, 0 }, reply[2];

        return perform(stlink, "INIT_AP", command, sizeof(command), reply, sizeof(reply));
}

/* --- registers and single words ------------------------------------------------------------ */

int stlink_read_dap(struct stlink *stlink, unsigned port, unsigned bank_register,
                    uint32_t *ret_value)
{
        uint8_t command[6] = { 0xF2, 0x45 }, reply[8];
        int r;

        store_le16(command + 2, (uint16_t)port);
        store_le16(command + 4, (uint16_t)bank_register);
        r = perform(stlink, "READ_DAP_REG", command, sizeof(command), reply, sizeof(reply));
        if (r < 0)
                return r;
        *ret_value = load_le32(reply + 4);
        return 0;
}

int stlink_write_dap(struct stlink *stlink, unsigned port, unsigned bank_register, uint32_t value)
{
        uint8_t command[10] = { 0xF2, 0x46 }, reply[2];

        store_le16(command + 2, (uint16_t)port);
        store_le16(command + 4, (uint16_t)bank_register);
        store_le32(command + 6, value);
        return perform(stlink, "WRITE_DAP_REG", command, sizeof(command), reply, sizeof(reply));
}

int stlink_clear_errors(struct stlink *stlink)
{
        return stlink_write_dap(stlink, STLINK_DP, 0x00, 0x1E); /* stlink.md 7.4 */
}

int stlink_read_word(struct stlink *stlink, unsigned ap, uint32_t address, uint32_t *ret_value)
{
        uint8_t reply[8];
        struct stlink_command command = {
                .exchange = { .command = { 0xF2, 0x36, [6] = (uint8_t)ap },
                              .in = reply,
                              .in_length = sizeof(reply) },
                .name = "READDEBUGREG",
                .has_address = true,
                .address = address,
        };
        int r;

        INSIST(address % 4 == 0);
        store_le32(command.exchange.command + 2, address);
        r = stlink_perform(stlink, &command);
        if (r < 0)
                return r;
        *ret_value = load_le32(reply + 4);
        return 0;
}

int stlink_write_word(struct stlink *stlink, unsigned ap, uint32_t address, uint32_t value)
{
        uint8_t reply[2];
        struct stlink_command command = {
                .exchange = { .command = { 0xF2, 0x35, [10] = (uint8_t)ap },
                              .in = reply,
                              .in_length = sizeof(reply) },
                .name = "WRITEDEBUGREG",
                .has_address = true,
                .address = address,
        };

        INSIST(address % 4 == 0);
        store_le32(command.exchange.command + 2, address);
        store_le32(command.exchange.command + 6, value);
        return stlink_perform(stlink, &command);
}

int stlink_read_register(struct stlink *stlink, unsigned ap, unsigned number, uint32_t *ret_value)
{
        const uint8_t command[4] = { 0xF2, 0x33, (uint8_t)number, (uint8_t)ap };
        uint8_t reply[8];
        int r = perform(stlink, "READREG", command, sizeof(command), reply, sizeof(reply));

        if (r < 0)
                return r;
        *ret_value = load_le32(reply + 4);
        return 0;
}

int stlink_write_register(struct stlink *stlink, unsigned ap, unsigned number, uint32_t value)
{
        uint8_t command[8] = { 0xF2, 0x34, (uint8_t)number, [7] = (uint8_t)ap }, reply[2];

        store_le32(command + 3, value);
        return perform(stlink, "WRITEREG", command, sizeof(command), reply, sizeof(reply));
}

int stlink_drive_nrst(struct stlink *stlink, enum stlink_nrst level)
{
        uint8_t command[3] = { 0xF2, 0x3C, (uint8_t)level }, reply[2];

        return perform(stlink, "DRIVE_NRST", command, sizeof(command), reply, sizeof(reply));
}

int stlink_reset_target(struct stlink *stlink)
{
        static const uint8_t command[] = { 0xF2, 0x32 };
        uint8_t reply[2];

        return perform(stlink, "RESETSYS", command, sizeof(command), reply, sizeof(reply));
}
