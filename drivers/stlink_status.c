/*
 * stlink_status.c - the table of stlink.md section 10, row by row.
 *
 * The faults: nothing answers is NO_TARGET; it answered before and does not now is TARGET_LOST; the
 * access itself was refused or stayed busy is TARGET_ACCESS; the rest is the probe's own trouble.
 */
#include "drivers/stlink_status.h"

#include "drivers/stlink.h"

static const struct stlink_status rows[] = {
        { 0x80, "OK", FAULT_NONE, STLINK_DONE, false },
        /* Success of SWITCH_STLINK_FREQ only, which looks for it itself. */
        { 0x40, "CONF_CHANGED", FAULT_PROBE, STLINK_NEVER, false },
        { 0x00, "SWIM_OK", FAULT_PROBE, STLINK_NEVER, false },
        { 0x01, "UNKNOWN_ERROR", FAULT_TARGET_ACCESS, STLINK_ONCE, true },
        { 0x02, "SPI_ERROR", FAULT_PROBE, STLINK_ONCE, false },
        { 0x03, "DMA_ERROR", FAULT_PROBE, STLINK_ONCE, false },
        { 0x04, "UNKNOWN_JTAG_CHAIN", FAULT_NO_TARGET, STLINK_NEVER, false },
        { 0x05, "NO_DEVICE_CONNECTED", FAULT_NO_TARGET, STLINK_NEVER, false },
        { 0x06, "INTERNAL_ERROR", FAULT_PROBE, STLINK_ONCE, false },
        { 0x07, "CMD_WAIT", FAULT_PROBE, STLINK_WAIT, false },
        { 0x08, "CMD_ERROR", FAULT_PROBE, STLINK_NEVER, false },
        { 0x09, "GET_IDCODE_ERROR", FAULT_NO_TARGET, STLINK_NEVER, false },
        { 0x0A, "ALIGNMENT_ERROR", FAULT_PROBE, STLINK_NEVER, false },
        { 0x0B, "DBG_POWER_ERROR", FAULT_TARGET_LOST, STLINK_FEW, false },
        { 0x0C, "WRITE_ERROR", FAULT_TARGET_ACCESS, STLINK_ONCE, true },
        /* Registers that do not read back; OpenOCD and Black Magic take it for success too. */
        { 0x0D, "WRITE_VERIF_ERROR", FAULT_NONE, STLINK_DONE, false },
        { 0x0E, "ALREADY_OPENED_IN_OTHER_MODE", FAULT_PROBE, STLINK_NEVER, false },
        { 0x10, "SWD_AP_WAIT", FAULT_TARGET_ACCESS, STLINK_WAIT, true },
        { 0x11, "SWD_AP_FAULT", FAULT_TARGET_ACCESS, STLINK_BUS, true },
        { 0x12, "SWD_AP_ERROR", FAULT_TARGET_LOST, STLINK_ONCE, true },
        { 0x13, "SWD_AP_PARITY_ERROR", FAULT_PROBE, STLINK_ONCE, true },
        { 0x14, "SWD_DP_WAIT", FAULT_TARGET_ACCESS, STLINK_WAIT, true },
        { 0x15, "SWD_DP_FAULT", FAULT_TARGET_LOST, STLINK_ONCE, true },
        { 0x16, "SWD_DP_ERROR", FAULT_TARGET_LOST, STLINK_NEVER, false },
        { 0x17, "SWD_DP_PARITY_ERROR", FAULT_PROBE, STLINK_ONCE, true },
        { 0x18, "SWD_AP_WDATA_ERROR", FAULT_PROBE, STLINK_ONCE, true },
        { 0x19, "SWD_AP_STICKY_ERROR", FAULT_TARGET_ACCESS, STLINK_NEVER, true },
        { 0x1A, "SWD_AP_STICKYORUN_ERROR", FAULT_TARGET_ACCESS, STLINK_NEVER, true },
        { 0x1D, "BAD_AP", FAULT_PROBE, STLINK_NEVER, false },
        { 0x20, "SWO_NOT_AVAILABLE", FAULT_PROBE, STLINK_NEVER, false },
        { 0x29, "TOO_MANY_APS", FAULT_PROBE, STLINK_NEVER, false },
        { 0x41, "FREQ_NOT_SUPPORTED", FAULT_PROBE, STLINK_NEVER, false },
        { 0x42, "UNKNOWN_CMD", FAULT_PROBE, STLINK_NEVER, false },
        { 0x81, "DEBUG_FAULT", FAULT_TARGET_ACCESS, STLINK_NEVER, true },
};

const struct stlink_status *stlink_status_find(uint8_t code)
{
        static const struct stlink_status unknown = { 0xFF, "UNKNOWN_STATUS", FAULT_PROBE,
                                                      STLINK_NEVER, false };

        for (size_t i = 0; i < LENGTH_OF(rows); i++)
                if (rows[i].code == code)
                        return &rows[i];
        return &unknown;
}

const char *stlink_status_name(uint8_t status)
{
        return stlink_status_find(status)->name;
}
