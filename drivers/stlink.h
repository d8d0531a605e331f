/*
 * stlink.h - what is said with a wire: the ST-LINK protocol for V2, V2-1, V3 and V3PWR, SWD only.
 *
 * The facts are in spec/stlink.md (collected from OpenOCD, pyOCD, probe-rs, stlink, psdb; ST has
 * published nothing). One probe belongs to one fiber; every call below waits unless it says not.
 * Besides the wire's faults:
 *      -FAULT_PROBE          an error code of the probe itself, named in the sentence
 *      -FAULT_NO_TARGET      codes 05, 09: nothing answers on SWD
 *      -FAULT_TARGET_LOST    codes 15, 16, 0B: the target went away (normal after a reset)
 *      -FAULT_TARGET_ACCESS  codes 11, 0C, 19: bus fault; the sentence gives the address
 * WAIT answers (07, 10, 14) are retried inside with backoff: 0.5 ms doubling to 64 ms, 2 s in all;
 * a FAULT inside a WAIT series counts as WAIT (stlink.md Q9).
 */
#pragma once

#include "drivers/wire.h"

#define STLINK_CHUNK_MAX 6144u /* bytes of one 32-bit memory command (stlink.md 4.4) */

/* What the firmware can do, derived from its version once (stlink.md 4.3). */
struct stlink_version {
        uint8_t major, jtag, swim, storage, bridge, power;
        uint16_t vendor, product;
        char text[32]; /* "V3J15M7B5S1" */
};

struct stlink {
        struct wire *wire; /* given by stlink_open, closed by stlink_close */
        struct stlink_version version;
        bool has_csw;            /* J32 / V3J2: CSW and AP in memory commands */
        bool has_init_ap;        /* J28 / V3 */
        bool has_frequency_list; /* V3 */
        unsigned clock_khz;
        bool is_debugging; /* ENTER succeeded, EXIT not yet sent */
};

/* Take over `wire` (given, closed on failure too): drain, read the version, leave any mode, refuse
 * loaders and firmware without SWD or below V2J32 / V3J3. GET_VERSION unanswered: one device reset.
 *      -FAULT_PROBE_OLD */
int stlink_open(struct wire *wire, struct stlink *ret_stlink) MUST_USE;

/* Leave debug mode so that the probe works again next time (Q13), close the wire. Safe on a zeroed
 * struct and after an unplug. */
void stlink_close(struct stlink *stlink);

/* Target voltage. 0 where the probe's reference reads 0. */
int stlink_voltage_mv(struct stlink *stlink, unsigned *ret_mv) MUST_USE;

/* Highest supported clock not above the request; before stlink_enter. Sets clock_khz. */
int stlink_set_clock(struct stlink *stlink, unsigned clock_khz) MUST_USE;

/* Enter SWD without a reset (HOTPLUG: AN5054 section 3.3.2) and read the DP id. */
int stlink_enter(struct stlink *stlink, uint32_t *ret_dpidr) MUST_USE;
int stlink_exit(struct stlink *stlink) MUST_USE;

int stlink_open_ap(struct stlink *stlink, unsigned ap) MUST_USE;

/* `bank_register`: bank << 4 | register for the DP, the address for an AP. */
#define STLINK_DP 0xFFFFu
int stlink_read_dap(struct stlink *stlink, unsigned port, unsigned bank_register,
                    uint32_t *ret_value) MUST_USE;
int stlink_write_dap(struct stlink *stlink, unsigned port, unsigned bank_register,
                     uint32_t value) MUST_USE;

/* Clear the sticky errors: DP ABORT <- 0x1E. */
int stlink_clear_errors(struct stlink *stlink) MUST_USE;

/* One aligned word: one command, the cheapest access, for polling. */
int stlink_read_word(struct stlink *stlink, unsigned ap, uint32_t address,
                     uint32_t *ret_value) MUST_USE;
int stlink_write_word(struct stlink *stlink, unsigned ap, uint32_t address,
                      uint32_t value) MUST_USE;

/* Any address and length: bytes at the ragged ends, words in chunks of STLINK_CHUNK_MAX between.
 * `csw` bits 31..8 or 0 for the firmware's own. `*progress` (may be NULL) counts bytes done. */
int stlink_read_memory(struct stlink *stlink, unsigned ap, uint32_t csw, uint32_t address,
                       void *data, size_t length) MUST_USE;
int stlink_write_memory(struct stlink *stlink, unsigned ap, uint32_t csw, uint32_t address,
                        const void *data, size_t length, uint32_t *progress) MUST_USE;

/* A register of the halted core by its number in DCRSR: 0 to 15, 16 xPSR, 17 MSP (stlink.md 8). */
int stlink_read_register(struct stlink *stlink, unsigned ap, unsigned number,
                         uint32_t *ret_value) MUST_USE;
int stlink_write_register(struct stlink *stlink, unsigned ap, unsigned number,
                          uint32_t value) MUST_USE;

enum stlink_nrst { STLINK_NRST_LOW, STLINK_NRST_HIGH, STLINK_NRST_PULSE };
int stlink_drive_nrst(struct stlink *stlink, enum stlink_nrst level) MUST_USE;

/* The probe's own system reset (F2 32). */
int stlink_reset_target(struct stlink *stlink) MUST_USE;

/* The table's name of a status code: "SWD_AP_FAULT". Never waits. */
const char *stlink_status_name(uint8_t status);
