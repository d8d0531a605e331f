/*
 * smi.h - the .smi module of 2017 (spec/secure-install.md section 5, measured on ST's
 * FIR_module.smi). A module area of an image holds such a file whole.
 *
 *   0  8 "SMIMAGIC"   8  4 destination   12  4 length of the code   16 16 tag
 *  32 16 security version, 4 words       48    encrypted code
 *
 * The place of the tag is by elimination, the name of the security version a reading (inference).
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#define SMI_HEADER_LENGTH 48
#define SMI_FILE_MAX      (16u << 20)
#define SMI_TAG_LENGTH    16
#define SMI_VERSION_WORDS 4

struct smi {
        uint32_t destination, code_length;
        uint8_t tag[SMI_TAG_LENGTH];
        uint32_t security_version[SMI_VERSION_WORDS];
        const uint8_t *code; /* borrowed, encrypted */
};

/*      -FAULT_BAD_FILE  names file, offset, found and wanted */
int smi_parse(const char *name, const void *file, size_t length, struct smi *ret_smi) MUST_USE;
