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
#define FAMILY_RAMS_MAX      8u
#define FAMILY_FIELDS_MAX    48u
#define FAMILY_PLAIN_MAX     8u
#define FAMILY_PLAIN_UNIT    1024u
#define FAMILY_PLAIN_LENGTH  16384u /* of a block, at most */
#define FAMILY_FOLLOWERS_MAX 8u

/* Which sequences of registers the flash and its option bytes want (targets.md 6.3, 6.4). H7 and
 * H7AB share one and differ in bits. */
enum family_sequence { FAMILY_H7, FAMILY_H7AB, FAMILY_L4, FAMILY_H5, FAMILY_H7RS };

/* How an image gets in through the debug port (secure-install.md 13.2 to 13.4). */
enum family_procedure {
        PROCEDURE_NONE,    /* not at all: boot loader only, or not known */
        PROCEDURE_RSS_ROM, /* SECURITY starts the RSS in ROM */
        PROCEDURE_RSSE,  /* an RSSe is loaded; TrustZone on where there is one, RDP 0.5 meanwhile */
        PROCEDURE_STATE, /* an RSSe is loaded; it ends by the product state, often closed */
};

/* What must hold before an install (secure-install.md 13.7), in the order of looking. */
enum family_condition {
        CONDITION_OPEN,          /* RDP level 0, or the open product state */
        CONDITION_SECURITY_OFF,  /* ESE and FSD of the WL */
        CONDITION_TRUSTZONE_OFF, /* TZEN */
        CONDITION_UNPROTECTED,   /* no area, no lock */
        CONDITION_DEFAULTS,      /* every option row as from the factory */
        CONDITION_BOOT,          /* the core runs from system memory */
        CONDITIONS,
};

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
        uint32_t controller; /* registers of the OCTOSPI; 0: another kind, or not modelled */
};

/* Status bits of a plain register: those always set, and a copy of `bits`, `shift` higher. So an
 * oscillator that is switched on is ready. */
struct family_follower {
        uint32_t address, ones, bits;
        unsigned shift;
};

/* Offsets that differ inside the L4 sequence (targets.md 6.2); secure_key 0: no secure registers. */
struct family_registers {
        uint32_t key, option_key, status, control;
        uint32_t secure_key, secure_status, secure_control;
};

enum family_core { FAMILY_M4, FAMILY_M7, FAMILY_M33 };

/* What an option field is to drivers, simulator and lint. */
enum field_role {
        ROLE_PLAIN,
        ROLE_READOUT,   /* the RDP byte */
        ROLE_SECURITY,  /* SECURITY of the H7, ESE and FSD of the WL */
        ROLE_TRUSTZONE, /* TZEN */
        ROLE_STATE,     /* product state, instead of RDP */
        ROLE_BOOT,
        ROLE_LOCK,             /* freezes the boot address, or the area `group` */
        ROLE_UNPROTECTED_BITS, /* write protection: a 0 protects */
        ROLE_START,            /* of the range `group`; start above end: off */
        ROLE_END,
        ROLE_ERASE,   /* areas whose name begins with `group` go with a regression */
        ROLE_RSS_RAM, /* memory set apart for the RSS; the highest value is the most */
        ROLE_BANKS,   /* the flash is two banks */
};

/* What lies in a range of ROLE_START. */
enum area_kind {
        AREA_PCROP,     /* execute only; may grow, goes with a regression (targets.md 7.1) */
        AREA_SECURE,    /* secure area of the H7, likewise */
        AREA_WRITE,     /* write-protected */
        AREA_WATERMARK, /* secure flash of TrustZone parts */
        AREA_HIDDEN,    /* hidden after boot */
};

/* An option field that has a role, without its words: enough for a decision about a part. */
struct family_field {
        char name[28];  /* "RDP" */
        char group[28]; /* "PCROP bank 1" */
        enum field_role role;
        enum area_kind kind;
        uint8_t row, high, low;
        uint8_t when;        /* counts while field `when - 1` is on; 0: always */
        uint32_t unit, base; /* an address is base + value * unit; of bits: bytes of one */
        uint32_t on;         /* the value that switches it on, or locks */
        uint32_t open;       /* of READOUT and STATE: debug access is open */
        bool has_half_level; /* of READOUT: 0x55 is level 0.5 (targets.md 5.1) */
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
        struct family_field fields[FAMILY_FIELDS_MAX]; /* see family_fields.h */
        size_t field_count;
        struct family_registers registers; /* FAMILY_L4 only */

        /* What preparing an image needs besides. Every key of these may be missing in the file. */
        enum family_sequence sequence;
        enum family_rows option_rows; /* what is known of `options` */
        uint32_t secure_alias;        /* flash is seen secure at address + this; 0: no TrustZone */
        struct family_range edata;    /* data flash that firmware may fill */
        struct family_range option_keys; /* where .obk files may go, as they say it */
        struct family_external externals[FAMILY_EXTERNALS_MAX];
        size_t external_count;
        uint32_t otfdec_registers; /* of instance 1, instance 2 is 0x400 above; 0: no OTFDEC */
        char cipher_parts[48];     /* which parts of the die have the OTFDEC; "": no restriction */
        bool hash_mandatory;       /* images must carry the firmware's digest (AN5054 4.3.8) */
        bool needs_rsse;           /* installs through an RSSe: P and R only when needed */
        enum family_procedure procedure;
        char rss_profile[32]; /* of configs/rss/, where no other is named; "": there is none */
        uint32_t conditions;  /* a bit each: 1 << enum family_condition */
        uint32_t rss_boot;    /* secure boot address that enters the RSS; 0: none */
        bool takes_sfia;      /* an image may go in beside what is there (AN5054 section 8) */
        bool has_lock_out;    /* closes for good without a debug-authentication .obk */
        uint32_t token;       /* continuation token of ST's examples; 0: none is given */

        /* What the simulator builds a part from. */
        enum family_core core;
        uint16_t revision; /* DBGMCU_IDCODE [31:16] */
        struct family_range rams[FAMILY_RAMS_MAX];
        size_t ram_count;
        unsigned bank_erase_ms;         /* 0: as long as its sectors */
        struct family_range backup_ram; /* one of them that level 1 shuts; length 0: none */
        /* Blocks of registers that only keep what is written: debuggers switch clocks, feed watchdogs,
         * external loaders set up pins and clocks. */
        struct family_range plain[FAMILY_PLAIN_MAX];
        size_t plain_count;
        struct family_follower followers[FAMILY_FOLLOWERS_MAX];
        size_t follower_count;

        /* typical times, for the simulator and for progress */
        unsigned word_program_us, sector_erase_ms, option_program_ms, reset_ms, rss_boot_ms;
};

/* Read and check a file (waits).
 *      -FAULT_BAD_FILE   file, line, what was wanted */
int family_load(const char *path, struct family *ret_family) MUST_USE;

/* Can an image get in through the debug port? Reading, erasing and option bytes work on every family
 * (target.h).
 *      -FAULT_BAD_VALUE  its file names no procedure */
int family_check_drivers(const struct family *family) MUST_USE;

/* Is [address, address + length) flash, through either alias, or data flash? */
bool family_is_flash(const struct family *family, uint32_t address, uint64_t length) MUST_USE;

/* The address without the secure alias, so that two names of one byte compare equal. */
uint32_t family_plain_address(const struct family *family, uint32_t address);

/* The external memory that holds all of [address, address + length), or NULL. */
const struct family_external *family_external_at(const struct family *family, uint32_t address,
                                                 uint64_t length);
