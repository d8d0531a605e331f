/*
 * recorder.h - the flight recorder of one site: what passed on its wire lately, in a ring of fixed
 * size.
 *
 * wire.c hands it every exchange when it has ended; nothing is allocated then, and nothing waits.
 * The oldest is overwritten. A data phase is kept up to the snap length; one that is the same byte
 * throughout (blank flash) is kept whole at the cost of one. What passes while the wire is told to
 * conceal (wire_conceal) is kept by its length alone: zeros stand for the bytes.
 *
 * With RECORDER_LATELY an exchange takes at most 304 bytes. Writing at 24 MHz, 6 KiB in at least
 * 2.9 ms (stlink.md 12.1) and a status query after each, 1 MiB is 8 s; polling single words, one in
 * some 0.25 ms, it is 4 s. RECORDER_WHOLE holds a unit of the largest flash, 2 MiB read and written.
 *
 * The recorder outlives wires: a site keeps it while probes are swapped.
 */
#pragma once

#include "drivers/capture.h"
#include "drivers/wire.h"

enum recorder_size {
        RECORDER_LATELY, /* 1 MiB, 256 bytes of a data phase */
        RECORDER_WHOLE,  /* 16 MiB, data phases whole */
};

struct recorder;

struct recorder *recorder_create(enum recorder_size size);
struct recorder *recorder_destroy(struct recorder *recorder);

/* The calls below take NULL: nobody records. */

/* Forget what was recorded: an attempt begins. */
void recorder_begin(struct recorder *recorder);

/* A line of text at this moment, at most 255 bytes: the name of a step. */
void recorder_say(struct recorder *recorder, const char *format, ...) PRINTF_LIKE(2, 3);

/* For wire.c: an exchange that began at `submitted_ns` of the loop's clock has just ended. */
void recorder_exchange(struct recorder *recorder, const struct wire *wire,
                       const struct wire_exchange *exchange, uint64_t submitted_ns, int result);

/* What is in the ring, as a pcapng file of at most CAPTURE_FILE_MAX bytes: where it would be more
 * the oldest is left out. Interface and description are filled in from the wire last recorded; `end`
 * is the last packet's comment, the fault. Given (bytes_free). Returns how many exchanges it holds. */
size_t recorder_export(const struct recorder *recorder, const struct capture_about *about,
                       const char *end, struct bytes *ret_file);

/* The status of a URB for a fault of the wire, and back (Documentation/driver-api/usb/
 * error-codes.rst). */
int32_t recorder_status_of(int result);
enum fault recorder_fault_of(int32_t status);
