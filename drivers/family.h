/*
 * family.h - what is known of one STM32 family, as data (configs/targets/NAME.conf, libconfig).
 *
 * Facts from spec/targets.md, each with its source in the file. Code knows sequences, not parts.
 */
#pragma once

#include "crypto/certificate.h"
#include "crypto/option_bytes.h"
#include "scheduler/base.h"
#include "scheduler/fault.h"

#define FAMILY_BANKS_MAX 2u

/* One option-byte row, in the order of the CSV and the C area. */
struct family_option {
        char name[24];    /* "FOPTSR_PRG" */
        uint32_t current; /* address of the register that shows it; 0: not kept (RESERVED) */
        uint32_t program; /* address of the register that takes it; 0: not written */
        uint32_t mask;    /* bits that read back what was written */
        uint32_t factory; /* value of a virgin part */
};

struct family {
        char name[24];      /* "STM32H75x" */
        uint16_t device_id; /* 0x450 */
        char product_id[PRODUCT_ID_LENGTH + 1];
        uint32_t dpidr;
        unsigned access_port;
        uint32_t csw; /* bits 31..8 for memory commands, 0: default (H7: bit 27, coherent) */

        uint32_t idcode_address;
        uint32_t uid_address;
        uint32_t flash_size_address;
        uint32_t system_memory, system_memory_length; /* where boot loader and RSS run */

        uint32_t bank_address[FAMILY_BANKS_MAX];
        unsigned banks;
        uint32_t bank_length;
        uint32_t sector_length;
        uint32_t word_length;             /* program unit */
        uint32_t ram_address, ram_length; /* where images are put */
        uint32_t image_ram;               /* most bytes of one part */

        uint32_t flash_registers;
        struct family_option options[OPTION_ROWS_MAX];
        size_t option_count;

        /* typical times, for the simulator and for progress */
        unsigned word_program_us, sector_erase_ms, option_program_ms, reset_ms, rss_boot_ms;
};

/* Read and check a file (waits).
 *      -FAULT_BAD_FILE   file, line, what was wanted */
int family_load(const char *path, struct family *ret_family) MUST_USE;
