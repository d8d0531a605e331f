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

#include <stdbool.h>

#define FAMILY_BANKS_MAX     2u
#define FAMILY_EXTERNALS_MAX 4u

/* Which sequences of registers the flash and its option bytes want (targets.md 6.3, 6.4). The
 * station's drivers know FAMILY_H7 so far; the others are for preparing images. */
enum family_sequence { FAMILY_H7, FAMILY_H7AB, FAMILY_L4, FAMILY_H5, FAMILY_H7RS };

/* What is public about the rows of the option-byte CSV. */
enum family_rows {
        FAMILY_ROWS_PUBLISHED, /* names and order: AN5054 figure 15 */
        FAMILY_ROWS_COUNTED,   /* their number; names are those of the registers */
        FAMILY_ROWS_REFERENCE, /* neither: the registers in the order of the reference manual */
};

/* One option-byte row, in the order of the CSV and the C area. */
struct family_option {
        char name[24];    /* "FOPTSR_PRG" */
        uint32_t current; /* address of the register that shows it; 0: not kept (RESERVED) */
        uint32_t program; /* address of the register that takes it; 0: not written */
        uint32_t mask;    /* bits that read back what was written */
        uint32_t factory; /* value of a virgin part */
};

struct family_range {
        uint32_t address, length; /* length 0: none */
};

/* Memory behind an OCTOSPI, and the OTFDEC regions that decipher it. */
struct family_external {
        uint32_t address, length;
        unsigned first_region, regions; /* regions 0: no cipher there */
};

struct family {
        char name[24];                          /* "STM32H75x" */
        uint16_t device_id;                     /* 0x450 */
        char product_id[PRODUCT_ID_LENGTH + 1]; /* "": not public */
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
        uint32_t image_ram;               /* most bytes of one part; 0: not public */

        uint32_t flash_registers;
        struct family_option options[OPTION_ROWS_MAX];
        size_t option_count;

        /* What preparing an image needs besides. Every key of these may be missing in the file. */
        enum family_sequence sequence;
        enum family_rows option_rows; /* what is known of `options` */
        uint32_t secure_alias;        /* flash is seen secure at address + this; 0: no TrustZone */
        struct family_range edata;    /* data flash that firmware may fill */
        struct family_range option_keys; /* where .obk files may go, as they say it */
        struct family_external externals[FAMILY_EXTERNALS_MAX];
        size_t external_count;
        char cipher_parts[48]; /* which parts of the die have the OTFDEC; "": no restriction */
        bool hash_mandatory;   /* images must carry the firmware's digest (AN5054 4.3.8) */
        bool needs_rsse;       /* installs through an RSSe: P and R only when needed */
        bool has_lock_out;     /* closes for good without a debug-authentication .obk */
        uint32_t token;        /* continuation token of ST's examples; 0: none is given */

        /* typical times, for the simulator and for progress */
        unsigned word_program_us, sector_erase_ms, option_program_ms, reset_ms, rss_boot_ms;
};

/* Read and check a file (waits).
 *      -FAULT_BAD_FILE   file, line, what was wanted */
int family_load(const char *path, struct family *ret_family) MUST_USE;

/* May the drivers of this version install on the family?
 *      -FAULT_BAD_VALUE  they do not know its sequences: installing would write wrong registers */
int family_check_drivers(const struct family *family) MUST_USE;

/* Is [address, address + length) flash, through either alias, or data flash? */
bool family_is_flash(const struct family *family, uint32_t address, uint64_t length) MUST_USE;

/* The address without the secure alias, so that two names of one byte compare equal. */
uint32_t family_plain_address(const struct family *family, uint32_t address);

/* The external memory that holds all of [address, address + length), or NULL. */
const struct family_external *family_external_at(const struct family *family, uint32_t address,
                                                 uint64_t length);
