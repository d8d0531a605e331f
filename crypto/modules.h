/*
 * modules.h - the list of modules of an image (.mcsv), and as much of a module's header as is public.
 *
 * A row: path of the module, path of its license or the firmware identifier of the card that makes
 * one, destination (AN5054 section 13.3.2: "./module.bin, ./LicenseV0.bin, 0x8172000"). The same file
 * is given again at the install. Paths are relative to the .mcsv; backslashes are taken as slashes.
 *
 * An .smi begins with "SMIMAGIC" and its destination (spec/secure-install.md 5, measured on ST's
 * FIR_module.smi). Newer .smu modules are not public: they are carried as they are.
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#define MODULES_MAX       64u
#define MODULES_FILE_MAX  (64u << 10)
#define MODULE_FILE_MAX   (16u << 20)
#define MODULE_TEXT_MAX   256u
#define SMI_HEADER_LENGTH 48u

struct module_row {
        char path[MODULE_TEXT_MAX];
        char license[MODULE_TEXT_MAX]; /* a path or a firmware identifier; may be empty */
        uint32_t address;
        unsigned line;
};

struct modules {
        struct module_row *rows;
        size_t count;
};

/*      -FAULT_BAD_FILE  names file, line and what was wanted */
int modules_parse(const char *name, const void *text, size_t length,
                  struct modules *ret_modules) MUST_USE;

/* For CLEANUP(modules_free). */
void modules_free(struct modules *modules);

/* Look at a module's own header. Returns 1 for an .smi, with its destination and the length of its
 * code, 0 for anything else.
 *      -FAULT_BAD_FILE  an .smi whose length does not fit its header */
int module_header(const char *name, const void *data, size_t length, uint32_t *ret_address,
                  uint32_t *ret_code_length) MUST_USE;
