/*
 * probe_private.h - what the files of one simulated probe share.
 */
#pragma once

#include "drivers/simulated/part_private.h"
#include "drivers/simulated/probe.h"

#include "drivers/wire.h"

#define ANSWERS_MAX     4u
#define ANSWER_CAPACITY 65536u
#define DATA_CAPACITY   65536u

/* Modes: stlink.md 5.1 */
enum probe_mode { MODE_DFU, MODE_MASS, MODE_DEBUG, MODE_SWIM };

/* Status codes: stlink.md 10 */
#define STATUS_OK           0x80
#define STATUS_CONF_CHANGED 0x40
#define STATUS_JTAG_CHAIN   0x04
#define STATUS_NO_DEVICE    0x05
#define STATUS_CMD_ERROR    0x08
#define STATUS_IDCODE_ERROR 0x09
#define STATUS_ALIGNMENT    0x0A
#define STATUS_DBG_POWER    0x0B
#define STATUS_AP_WAIT      0x10
#define STATUS_AP_FAULT     0x11
#define STATUS_DP_WAIT      0x14
#define STATUS_DP_FAULT     0x15
#define STATUS_DP_ERROR     0x16
#define STATUS_AP_STICKY    0x19
#define STATUS_BAD_AP       0x1D
#define STATUS_UNKNOWN_CMD  0x42

#define PROBE_APS       9u  /* highest AP number is 8: stlink.md 4.3 */
#define SWD_CLOCKS_WORD 46u /* stlink.md 12.1 */
#define SWD_CLOCKS_WAIT 13u

/* One answer on its way to the host. Those not fetched wait in line: that is how a wire gets out of
 * step (stlink.md 3.4). */
struct probe_answer {
        uint8_t *bytes;
        size_t length, taken;
        uint64_t ready_ns;
};

struct simulated_probe {
        struct probe_settings settings;
        bool is_v3;
        struct simulated_part *part;
        bool has_stall;

        enum probe_mode mode;
        unsigned clock_khz;
        bool is_open[PROBE_APS];
        bool is_nrst_low;
        bool is_empty_seen; /* a voltage query found no supply */

        uint64_t time_ns; /* of the command in hand; grows while it works */
        struct probe_answer answers[ANSWERS_MAX];
        unsigned answer_first, answer_count;

        /* a command that waits for its data, or reports on it */
        uint8_t command[WIRE_COMMAND_LENGTH];
        uint8_t *data;
        size_t data_wanted, data_length;

        uint8_t last_status;
        uint32_t last_fault;
        uint32_t *misc; /* results then status words of RW_MISC_OUT */
        size_t misc_count;
};

/* probe.c */
uint8_t *probe_answer(struct simulated_probe *probe, size_t length); /* zeroed, to be filled */
void probe_answer_status(struct simulated_probe *probe, uint8_t status);
void probe_stall(struct simulated_probe *probe);
void probe_want_data(struct simulated_probe *probe, size_t length);
void probe_spend_clocks(struct simulated_probe *probe, uint64_t clocks);
unsigned probe_misc_max(const struct simulated_probe *probe);
bool probe_may_use_ap(const struct simulated_probe *probe, unsigned ap);

/* Has a voltage query found the site empty since the last part was set? For the handler. */
bool probe_has_seen_empty(const struct simulated_probe *probe);

/* probe_debug.c: F2 xx. False: no such command. */
bool probe_debug_command(struct simulated_probe *probe, const uint8_t *command);
void probe_leave_debug(struct simulated_probe *probe);

/* probe_memory.c */
bool probe_memory_command(struct simulated_probe *probe, const uint8_t *command);
void probe_memory_data(struct simulated_probe *probe);
/* One access of `width` bytes, WAIT repeated as the firmware does; returns the status. */
uint8_t probe_access(struct simulated_probe *probe, bool is_write, unsigned ap, uint32_t address,
                     void *data, unsigned width);
