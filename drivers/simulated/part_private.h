/*
 * part_private.h - what the files of one simulated part share; for drivers/simulated/part_*.c and
 * probe_memory.c only.
 *
 * A part is two structs: `part_record` with flash and write map behind it is the silicon (it lies
 * in the caller's store and outlives power and process), `simulated_part` is the charge in its
 * transistors.
 */
#pragma once

#include "drivers/simulated/part.h"

#include <stdbool.h>

#define NEVER UINT64_MAX

/* Fixed places of the STM32H75x; everything that differs between H7 lines is in the family. */
#define APB_AXI_ADDRESS    0x5C000000u /* APB-D seen from AXI; DBGMCU at + 0x1000: targets.md 1.1 */
#define DBGMCU_APB_ADDRESS 0xE00E1000u /* the copy on APB-D (AP 2), alive under NRST: 1.2 */
#define APB_ADDRESS        0xE00E0000u
#define APB_LENGTH         0x20000u
#define PPB_ADDRESS        0xE0000000u /* core and debug registers, Armv7-M */
#define PPB_LENGTH         0x10000u
#define FLASH_BANK_OFFSET  0x100u /* register set of bank 2: targets.md 6.2 */
#define WORD_LENGTH_MAX    32u
#define CORE_REGISTERS     128u
#define AP_CORE            0u
#define AP_APB             2u
#define INSTALL_RANGES_MAX SFI_AREAS_MAX
#define REVISION_V         0x2003u /* targets.md 1.1: H75x revision V */

/* Where an install stands between its parts: what the continuation token holds on silicon
 * (secure-install.md 6.3; its content is not public). */
struct install_context {
        uint8_t digest[32]; /* of nonce and image header: part n+1 must belong to part n */
        uint32_t is_active;
        uint32_t next_index;
        uint32_t range_count;
        uint32_t kept; /* ranges of whole parts */
        uint32_t modules, modules_kept;
        struct install_range {
                uint32_t start, end;
        } ranges[INSTALL_RANGES_MAX];
};

struct part_record {
        uint32_t magic; /* last word written when a part is made, first one read */
        uint32_t device_id, revision;
        uint32_t unique_id[3];
        uint8_t private_key[PRIVATE_KEY_LENGTH];
        uint8_t public_key[64];
        uint32_t options[OPTION_ROWS_MAX];
        uint32_t is_boot_pin_high;
        uint32_t has_weak_word, weak_word;
        struct install_context install;
};

enum flash_work { FLASH_IDLE, FLASH_PROGRAM, FLASH_ERASE_SECTOR, FLASH_ERASE_BANK };

struct flash_bank {
        uint32_t control, status;
        unsigned keys; /* of the unlock sequence seen so far */
        bool is_dead;  /* wrong key: locked until the next reset */
        enum flash_work work;
        uint64_t due_ns;
        uint32_t sector;
        uint8_t buffer[WORD_LENGTH_MAX]; /* the word being collected, then programmed */
        uint32_t buffer_address;
        uint32_t buffer_mask; /* bytes written so far */
};

enum rss_step { RSS_IDLE, RSS_LICENSE, RSS_HEADER, RSS_AREA, RSS_PROGRAM, RSS_OPTIONS };

struct rss_run {
        enum rss_step step;
        uint64_t due_ns;
        uint8_t key[GCM_KEY_LENGTH], nonce[SFI_NONCE_LENGTH];
        uint32_t list_length, count, total;
        bool is_last;
        uint32_t license_count; /* of modules */
        uint32_t offset;        /* of the next area header in the list */
        uint32_t position;      /* areas of this part done */
        uint32_t first_index;
        uint8_t *plain; /* payload of the area in hand, decrypted */
        uint32_t plain_length, plain_address, programmed;
        bool has_options;
        uint32_t options[OPTION_ROWS_MAX];
};

struct simulated_part {
        const struct family *family;
        const struct rss_profile *rss;
        double speed;

        struct part_record *record;
        uint8_t *flash;
        uint8_t *written; /* one bit a flash word: programmed since its erase */
        size_t flash_length;

        bool is_powered, is_reset_held;
        uint64_t now_ns, next_ns;
        uint64_t boot_ns;        /* when boot code takes over after reset; NEVER: it has */
        uint64_t certificate_ns; /* when the ROM looks into the mailbox; NEVER: nothing to see */
        bool is_closed;          /* RDP level 2 since power-on */
        unsigned protection;     /* RDP level in force: latched at power-on */

        uint8_t *ram; /* all SRAMs back to back, see part_memory.c */
        uint32_t *apb;
        uint32_t *ppb;

        /* debug port and access ports */
        uint32_t dp_control, dp_select, dp_buffer;
        struct access_port {
                uint32_t csw, tar;
        } ports[2]; /* AP 0, AP 2 */
        uint32_t fault_address;

        /* core */
        uint32_t core[CORE_REGISTERS];
        uint32_t dhcsr, demcr, dcrdr, dfsr;
        bool is_halted, has_been_reset;
        uint32_t pc_samples;

        /* flash and option interface */
        struct flash_bank banks[FAMILY_BANKS_MAX];
        uint32_t option_control;
        unsigned option_keys;
        bool option_is_dead, option_change_error;
        uint32_t option_program[OPTION_ROWS_MAX];
        uint64_t option_due_ns;

        struct rss_run run;
};

/* part.c */
uint64_t part_scaled(const struct simulated_part *part, uint64_t duration_ns);
bool part_answers(const struct simulated_part *part);      /* is the debug port open now? */
bool part_boots_system(const struct simulated_part *part); /* BOOT0 high: system memory */
bool part_rom_is_running(const struct simulated_part *part);
void part_changed(struct simulated_part *part); /* some due time moved: look again */

/* part_memory.c: behind the access port, rules of the debug port already passed. */
size_t part_ram_length(void);
uint8_t *part_ram(struct simulated_part *part, uint32_t address, uint32_t length);
enum part_answer part_bus_read(struct simulated_part *part, unsigned ap, uint32_t address,
                               void *data, unsigned width);
enum part_answer part_bus_write(struct simulated_part *part, unsigned ap, uint32_t address,
                                const void *data, unsigned width);

/* As many bytes from `address` as one copy can move, at most `length`; 0: go word by word, which
 * also finds out why. For the probe's bulk commands. */
size_t part_read_block(struct simulated_part *part, uint64_t now_ns, unsigned ap, uint32_t address,
                       void *data, size_t length);
size_t part_write_block(struct simulated_part *part, uint64_t now_ns, unsigned ap, uint32_t address,
                        const void *data, size_t length);

/* part_debug.c */
bool part_has_access_port(unsigned ap);
bool part_is_sticky(const struct simulated_part *part);
uint32_t part_fault_address(const struct simulated_part *part);
uint32_t part_core_read(struct simulated_part *part, uint32_t address);
void part_core_write(struct simulated_part *part, uint32_t address, uint32_t value);
void part_core_reset(struct simulated_part *part, bool is_power_on);

/* part_flash.c */
bool flash_holds(const struct simulated_part *part, uint32_t address, uint32_t length);
/* Where `address`, which flash_holds, lies in the array; banks stand back to back there. */
uint32_t flash_offset(const struct simulated_part *part, uint32_t address);
uint8_t *flash_at(struct simulated_part *part, uint32_t address);
enum part_answer flash_read(struct simulated_part *part, uint32_t address, void *data,
                            size_t length);
enum part_answer flash_write(struct simulated_part *part, uint32_t address, const void *data,
                             unsigned width);
enum part_answer flash_register_read(struct simulated_part *part, uint32_t offset,
                                     uint32_t *ret_value);
enum part_answer flash_register_write(struct simulated_part *part, uint32_t offset, uint32_t value);
void flash_reset(struct simulated_part *part);
uint64_t flash_due(const struct simulated_part *part);
void flash_advance(struct simulated_part *part, uint64_t now_ns);
void flash_start_mass_erase(struct simulated_part *part, uint64_t now_ns);
void flash_erase_all(struct simulated_part *part);
bool flash_is_busy(const struct simulated_part *part);
/* Has the word at `address` been programmed since its erase? */
bool flash_is_written(const struct simulated_part *part, uint32_t address);
/* Program one whole word, whatever is protected; false when it did not take its value. */
bool flash_commit(struct simulated_part *part, uint32_t address, const uint8_t *word);

/* part_options.c */
uint32_t option_value(const struct simulated_part *part, uint32_t offset, uint32_t otherwise);
unsigned option_level(uint32_t optsr);
bool option_protects_write(const struct simulated_part *part, uint32_t address, uint32_t length);
bool option_protects_read(const struct simulated_part *part, uint32_t address, uint32_t length,
                          uint32_t *ret_flag);
bool option_has_areas(const struct simulated_part *part);
bool option_register_read(struct simulated_part *part, uint32_t offset, uint32_t *ret_value);
/* True when the register is an option register; `ret_answer` is what the bus says. */
bool option_register_write(struct simulated_part *part, uint32_t offset, uint32_t value,
                           enum part_answer *ret_answer);
void option_reset(struct simulated_part *part);
void option_advance(struct simulated_part *part, uint64_t now_ns);
bool option_change_is_allowed(const struct simulated_part *part, const uint32_t *values);
void option_apply(struct simulated_part *part, const uint32_t *values);

/* part_rss.c */
void rss_mailbox_written(struct simulated_part *part, uint32_t address, uint32_t length);
void rss_look_into_mailbox(struct simulated_part *part, uint64_t now_ns);
bool rss_has_pending_install(struct simulated_part *part);
void rss_begin(struct simulated_part *part, uint64_t now_ns);
void rss_refuse(struct simulated_part *part, uint32_t code);
void rss_advance(struct simulated_part *part, uint64_t now_ns);
void rss_abandon(struct simulated_part *part);

/* part_certificate.c */
void part_certificate(const struct simulated_part *part,
                      uint8_t ret_certificate[CERTIFICATE_LENGTH]);
