/*
 * modules.h - the list of modules of an image (.mcsv).
 *
 * A row: path of the module, path of its license or the firmware identifier of the card that makes
 * one, destination (AN5054 section 13.3.2: "./module.bin, ./LicenseV0.bin, 0x8172000"). The same file
 * is given again at the install. Paths are relative to the .mcsv; backslashes are taken as slashes.
 *
 * An .smi of 2017 tells its own destination (smi.h). Newer .smu modules are not public: they are
 * carried as they are.
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define MODULES_MAX      64u
#define MODULES_FILE_MAX (64u << 10)
#define MODULE_FILE_MAX  (16u << 20)
#define MODULE_TEXT_MAX  256u

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

/* Does it begin as an .smi does? What else it must be, smi_parse() tells. */
bool module_is_smi(const void *data, size_t length);
