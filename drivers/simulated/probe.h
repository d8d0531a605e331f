/*
 * probe.h - the firmware of an ST-LINK/V3 (or V2-1), at packet level.
 *
 * Passive like part.h. The same model serves the in-process wire (bench.c) and a usbfs rig: give it
 * the packets that arrive on the OUT endpoint, take from it those of the IN endpoint, and wait as
 * long as it says. Status codes and sizes as in spec/stlink.md.
 */
#pragma once

#include "drivers/simulated/part.h"

struct simulated_probe;

struct probe_settings {
        uint16_t product;     /* 0x374F V3, 0x374B V2-1 */
        uint8_t jtag_version; /* 15: V3J15; 37: V2J37 */
        char serial[25];
        double speed;
};
struct simulated_probe *probe_create(const struct probe_settings *settings);
struct simulated_probe *probe_destroy(struct simulated_probe *probe);

/* The part on its SWD lines; NULL: none (voltage reads 0.11 V). Borrowed. */
void probe_set_part(struct simulated_probe *probe, struct simulated_part *part);

/* As after a replug: mode MASS, nothing pending. */
void probe_power_up(struct simulated_probe *probe);

/* A transfer to the OUT endpoint: a 16-byte command or the data it announced. Returns when the
 * probe has finished with it (loop clock), at which its answer is ready. */
uint64_t probe_out(struct simulated_probe *probe, uint64_t now_ns, const void *data, size_t length);

/* A transfer from the IN endpoint: up to `capacity` bytes of the pending answer. Returns the
 * length, -1: nothing to say (NAK). */
int probe_in(struct simulated_probe *probe, uint64_t now_ns, void *data, size_t capacity);

/* Command or answer refused with a STALL (unknown opcode in a mode): true once, then cleared. */
bool probe_take_stall(struct simulated_probe *probe);

const char *probe_serial(const struct simulated_probe *probe);
uint16_t probe_product(const struct simulated_probe *probe);
