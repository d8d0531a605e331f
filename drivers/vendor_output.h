/*
 * vendor_output.h - what STM32_Programmer_CLI says, line by line, and what is to be made of it.
 *
 * ST documents the options of its tool, not its output. The lines known here are those of AN5054 rev 18
 * (figures 30, 59, 65) and of logs that users have published (spec/secure-install.md sections 14.3 and
 * 17; more are named in the table of errors); they differ between versions in case, spaces, dots and
 * whether "Error:" stands before them, so they are looked for as words inside lines. What is not known is
 * counted and quoted, never taken for success. That the tool may go on and say "successfully" behind an
 * error is known too (td-p/137642, v2.13), so one error is enough.
 *
 * Exit codes: ST's own scripts take 0 for an install that is done, on an H5 that is closed by it too, and
 * anything else for a failure (spec/secure-install.md [script H5-1], [script H5-2]); 1 is the only other
 * one that was seen.
 *
 * Pure: nothing here waits, allocates or can fail on any input.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"
#include "scheduler/process.h"

#include <stdbool.h>

#define VENDOR_LINE_MAX 160u /* of a line that is quoted */

/* How far the tool has come, in its own order. */
enum vendor_phase {
        VENDOR_STARTING,
        VENDOR_CONNECTED,   /* it has named the device */
        VENDOR_PARSING,     /* the image */
        VENDOR_CERTIFICATE, /* reads it */
        VENDOR_PREPARING,   /* option bytes: security, TrustZone, watermarks */
        VENDOR_LOADING,     /* the RSSe, into RAM */
        VENDOR_WRITING,     /* license, header and areas */
        VENDOR_AT_WORK,     /* the RSS decrypts and programs */
        VENDOR_CHECKING,    /* reconnects, asks for the state */
        VENDOR_EXTERNAL,    /* programs the memory outside, by the external loader */
        VENDOR_FINISHED,
};

struct vendor_output {
        enum vendor_phase phase;

        /* what it says of itself, probe and device; "" or 0 where it did not */
        char version[24];                             /* "v2.20.0" */
        char serial[40], firmware[24], board[32];     /* of the probe */
        char device_name[40], revision[16], core[24]; /* of the device */
        char sfsp
                [16]; /* of the system flash security package, "v1.4.0": H5 and H7RS (td-p/667456) */
        unsigned voltage_mv;
        uint16_t device_id;
        unsigned flash_kib;
        bool is_flash_default; /* "(default)": the tool could not read it */

        unsigned areas, areas_parsed; /* of the image */
        unsigned externals_begun,
                externals;    /* areas of the memory outside: told of, told complete */
        unsigned parts, part; /* `parts` is set by the caller, 0 when not known */
        unsigned percent;     /* of its last progress bar */
        unsigned progress;    /* 0..1000 of an install, never falls */

        bool has_certificate;  /* "Get Certificate done successfully" */
        bool says_success;     /* "Install Operation Success", the last word of an install */
        bool says_failure;     /* "Install Operation Failure" */
        bool lost_debug;       /* "failed to reconnect after reset", "Connection ... is lost" */
        bool could_not_verify; /* warning: "Could not verify security state" */

        /* the error that says most, FAULT_NONE for none; an error of unknown meaning is FAULT_PROBE */
        enum fault fault;
        unsigned weight; /* how much it says, against the others */
        char line[VENDOR_LINE_MAX + 1];
        char last[VENDOR_LINE_MAX + 1]; /* line, plain */
        unsigned lines, errors, warnings;
};

/* One line, without its end. Colours, time stamps and progress bars are taken off. */
void vendor_output_take(struct vendor_output *output, const char *text, size_t length);

/* What was asked of the tool. */
enum vendor_action { VENDOR_IDENTIFY, VENDOR_GET_CERTIFICATE, VENDOR_INSTALL };

/* The verdict on a run that ended by itself. 0 only when the tool's own words and its exit code both say
 * success. A known error is its fault, with the tool's line quoted. For the rest:
 *      -FAULT_PROBE         before an install has begun: nothing was changed
 *      -FAULT_NOT_PROVABLE  an install whose words, exit code or end by a signal contradict or say
 *                           nothing */
int vendor_judge(enum vendor_action action, const struct vendor_output *output,
                 const struct process_end *end) MUST_USE;

/* What the station calls the phase: "install". */
const char *vendor_phase_name(enum vendor_phase phase);
