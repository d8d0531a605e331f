/*
 * vendor_cli.h - the vendor's tool, STM32_Programmer_CLI, as one child process per probe.
 *
 * ST does not publish how the root security services of a part are spoken to. Its own tool can, and the
 * operator may have it; then a site has the secure part done by it: connect and identify, read the
 * certificate (-gc), install (-sfi with the license as a file). Options and their order are those of
 * AN5054 rev 18 sections 3.3.2, 4.3.7, 9.3.4, 10.3.4, 11.3.6, 12.3.6 and of the tool's help
 * (spec/secure-install.md section 14.2). Always SWD and HOTPLUG, which AN5054 section 3.3.2 requires.
 *
 * The tool claims the probe by itself: ours must have let go of it (stlink_close). It is told which one
 * by its serial number, so a probe without one cannot be used.
 */
#pragma once

#include "drivers/vendor_output.h"

struct vendor_cli {
        const char *program; /* path of STM32_Programmer_CLI */
        const char *
                directory; /* private to this run: it works in it, and keeps what it writes there */
        const char *serial; /* of the probe, as USB has it */
        unsigned clock_khz; /* SWD; 0: the tool's own choice */
        unsigned access_port;
        uint64_t limit_ns; /* of one run */
        unsigned parts;    /* of the image, for the progress; 0 not known */

        /* After each line (output->last); must not wait; or NULL. */
        void (*heard)(void *context, const struct vendor_output *output);
        void *context;
};

/* Files, all absolute; NULL where there is none. */
struct vendor_install {
        const char *image;   /* .sfi or .sfix */
        const char *license; /* hsm=0: a license for this very chip, or a global one */
        const char *rsse;    /* the families that need one refuse later, or are damaged, without */
        const char *loader;  /* .stldr, for .sfix */
        const char *modules; /* .mcsv */
};

/* Who is there (waits): `ret_output` has the device's id, name and flash size, the probe's firmware, the
 * voltage. Changes nothing. Faults here and below: those of process_run() and vendor_judge();
 * -FAULT_BAD_VALUE for a value that cannot be an argument. `ret_output` is filled in every case. */
int vendor_identify(const struct vendor_cli *cli, struct vendor_output *ret_output) MUST_USE;

/* Have the chip's certificate written to `file` (waits), an absolute path that does not exist yet. */
int vendor_get_certificate(const struct vendor_cli *cli, const char *file,
                           struct vendor_output *ret_output) MUST_USE;

/* Install (waits). From its first change of the part on only the tool knows what to do next, so a cancel
 * is better not sent. When it is stopped (cancel, limit, flood) after that: -FAULT_NOT_PROVABLE, or
 * -FAULT_CANCELLED. */
int vendor_install(const struct vendor_cli *cli, const struct vendor_install *install,
                   struct vendor_output *ret_output) MUST_USE;

/* --- for tests ----------------------------------------------------------------------------- */

#define VENDOR_ARGUMENTS_MAX 32u

struct vendor_arguments {
        const char *
                list[VENDOR_ARGUMENTS_MAX]; /* NULL at the end; point into `text` or are borrowed */
        unsigned count;
        char text[256];
        size_t used;
};

/* What the tool is called with. Never waits. `file` for VENDOR_GET_CERTIFICATE and `install` for
 * VENDOR_INSTALL, both NULL otherwise. */
int vendor_arguments(const struct vendor_cli *cli, enum vendor_action action, const char *file,
                     const struct vendor_install *install,
                     struct vendor_arguments *ret_arguments) MUST_USE;
