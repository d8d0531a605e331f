/*
 * install_vendor.h - the secure part of an install done by ST's own tool, one child process a site.
 *
 * For parts whose root security services are not public: the tool knows how they are spoken to. The
 * station keeps what is its own: who the unit is, what is checked before a license is asked for, the
 * license from desk and ledger, the record, the verdict. While the tool runs, it has the probe.
 */
#pragma once

#include "drivers/vendor_output.h"
#include "station/vendor_files.h"

struct install;
struct station;

struct install_vendor {
        char directory[VENDOR_PATH_MAX]; /* "" none */
        struct vendor_output output;     /* of the last run */
        char sentence[400];              /* of its fault */
        unsigned errors_told;            /* of it, to the log */
        bool is_installing;              /* the run that installs has been started */
};

/* Is the tool there, can it be run, does it have what the family needs? Nothing to check for the native
 * installer. Never waits.
 *      -FAULT_NOT_FOUND, -FAULT_SYSTEM  the program, the RSSe or the loader cannot be used
 *      -FAULT_BAD_VALUE                 the family needs an RSSe and the station file names none */
struct settings;
struct family;
int vendor_check_tool(const struct settings *settings, const struct family *family) MUST_USE;

/* The same before any unit, with the data directory locked: first removes what a crash left, whoever
 * installs now. */
int vendor_check_station(const struct station *station) MUST_USE;

/* The time one install by the tool may take, whose image has that many bytes. */
uint64_t vendor_limit_ns(const struct settings *settings, size_t image_length);

/* The tool says it is done: does the part agree, as far as it still can be read (waits)?
 *      -FAULT_NOT_PROVABLE  it contradicts
 *      -FAULT_CANCELLED */
int install_vendor_prove(struct install *install) MUST_USE;

/* "; the part ...": how it is left by an install that failed, as it can be read (waits). Static. */
const char *install_vendor_left(struct install *install);
