/*
 * part_private.h - what the files of one simulated part share; for drivers/simulated/part_*.c and
 * probe_memory.c only.
 *
 * A part is two structs: `part_record` with flash and write map behind it is the silicon (it lies
 * in the caller's store and outlives power and process), `simulated_part` is the charge in its
 * transistors.
 */
#pragma once

#include "crypto/otfdec.h"
#include "drivers/family_fields.h"
#include "drivers/simulated/core.h"

#include <stdbool.h>

#define NEVER UINT64_MAX

/* Fixed places; everything that differs between families is in the family. */
#define APB_AXI_ADDRESS    0x5C000000u /* H7: APB-D seen from AXI: targets.md 1.1 */
#define APB_ADDRESS        0xE00E0000u /* H7: the same on AP 2, alive under NRST: 1.2 */
#define APB_LENGTH         0x20000u
#define PPB_ADDRESS        0xE0000000u /* core and debug registers, Armv7-M and Armv8-M */
#define PPB_LENGTH         0x10000u
#define SECURE_PERIPHERALS 0x10000000u /* secure alias of RAM and registers: targets.md 2.2, 6.2 */
#define FLASH_REGISTERS    0x1000u
#define FLASH_SETS         2u
#define WORD_LENGTH_MAX    32u
#define CORE_REGISTERS     128u
#define AP_APB             2u /* H7 */
#define AP_AUTHENTICATION  0u /* H5, H7RS: debug authentication (wiki.st.com) */
#define INSTALL_RANGES_MAX SFI_AREAS_MAX
#define EXTERNAL_LENGTH    0x100000u /* so much of each external memory is there */
#define OTFDEC_INSTANCES   2u
#define OTFDEC_DISTANCE    0x400u /* targets.md 8.1 */
/* Core debug registers, Armv7-M C1.6: bits of DHCSR, DEMCR, DFSR */
#define C_DEBUGEN   0x1u
#define C_HALT      0x2u
#define VC_HARDERR  0x400u
#define DFSR_HALTED 1u
#define DFSR_BKPT   2u
#define DFSR_VCATCH 8u

/* How much of a part a debugger sees. Product states stand where they act like a level: targets.md
 * 5.1, 5.2. */
enum part_level {
        LEVEL_0,   /* everything */
        LEVEL_0_5, /* the non-secure side */
        LEVEL_1,   /* no flash */
        LEVEL_2,   /* nothing: the debug port is silent, or of product states: has no access port */
};

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

/* What a debug-authentication .obk leaves: which method, and its 64-byte record. */
enum part_method {
        METHOD_NONE,
        METHOD_EITHER, /* H5: TrustZone decides */
        METHOD_CERTIFICATE,
        METHOD_PASSWORD,
        METHOD_LOCKED,
        METHOD_BROKEN, /* its digest was wrong */
};
struct part_credential {
        uint32_t method;
        uint8_t digest[32]; /* SHA-256 of root key or password */
        uint8_t permissions[16];
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
        uint32_t has_no_external;
        uint8_t external_protection
                [FAMILY_EXTERNALS_MAX]; /* BP, where it lies in the status register */
        struct install_context install;
        uint32_t option_keys, images; /* O and S areas of the last install */
        struct part_credential credential;
        uint32_t challenges; /* given so far */
};

enum flash_work { FLASH_IDLE, FLASH_PROGRAM, FLASH_ERASE_SECTOR, FLASH_ERASE_BANKS };

/* What may go wrong, or right, as flags; each sequence shows them at bits of its own. */
enum {
        FLASH_EOP = 0x001,
        FLASH_PROTECTED = 0x002,
        FLASH_SEQUENCE = 0x004,  /* not asked for, or an error not cleared */
        FLASH_TWICE = 0x008,     /* the same bytes of a word twice */
        FLASH_MIXED = 0x010,     /* a second word begun before the first was whole */
        FLASH_OVERWRITE = 0x020, /* the word was written since its erase */
        FLASH_NARROW = 0x040,    /* fewer than 32 bits at once */
        FLASH_READ_PCROP = 0x080,
        FLASH_READ_SECURE = 0x100,
        FLASH_OPTION = 0x200, /* refused change of option bytes */
        FLASH_FLAGS = 10,
        FLASH_ERRORS = FLASH_PROTECTED | FLASH_SEQUENCE | FLASH_TWICE | FLASH_MIXED |
                       FLASH_OVERWRITE | FLASH_NARROW,
};

/* A set of flash registers: of a bank on the H7, of a world (0 non-secure, 1 secure) elsewhere. */
struct flash_set {
        uint32_t control; /* as the sequence keeps it */
        uint32_t flags;
        bool is_locked, may_program;
        unsigned parallelism; /* PSIZE of the H7; 3: x64 */
        unsigned keys;        /* of the unlock sequence seen so far */
        bool is_dead;         /* wrong key: locked until the next reset */
        enum flash_work work;
        uint64_t due_ns;
        uint32_t banks;                  /* a bit each, of an erase */
        uint32_t sector;                 /* in that bank */
        uint8_t buffer[WORD_LENGTH_MAX]; /* the word being collected */
        uint32_t buffer_address;
        uint32_t buffer_mask; /* bytes written so far */
        bool is_queued;       /* the buffer is whole and waits behind the word at work (H7) */
        uint8_t word[WORD_LENGTH_MAX]; /* being programmed */
        uint32_t word_address;
};

/* What one kind of controller does behind its registers; `offset` from the flash registers. */
struct sequence {
        void (*reset)(struct simulated_part *part);
        enum part_answer (*read)(struct simulated_part *part, bool is_secure, uint32_t offset,
                                 uint32_t *ret_value);
        enum part_answer (*write)(struct simulated_part *part, bool is_secure, uint32_t offset,
                                  uint32_t value);
        bool has_set_a_bank;    /* else a set a world, and one thing at a time */
        bool wants_words;       /* programs by 32 bits only */
        bool loads_at_launch;   /* option bytes act at OBL_LAUNCH and power-on only */
        bool has_final_options; /* read-out level 2 leaves the bank swap (OPTSR bit 31) free */
};
extern const struct sequence h7_sequence, l4_sequence, h5_sequence, h7rs_sequence;

enum rss_step {
        RSS_IDLE,
        RSS_LOAD, /* an RSSe is looked at, and starts */
        RSS_LICENSE,
        RSS_HEADER,
        RSS_AREA,
        RSS_PROGRAM,
        RSS_SHOW, /* all areas are in: the debug port is open, the value stands */
        RSS_OPTIONS,
};

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
        uint32_t externals, external_length; /* entries and bytes of the list so far */
};

#define NOR_PAGE      256u
#define NOR_PAGE_NS   (150 * NS_PER_US) /* MX25LM51245G class: targets.md 10.1 */
#define NOR_SECTOR    4096u
#define NOR_SECTOR_NS (25 * NS_PER_MS)
#define NOR_BLOCK     65536u
#define NOR_BLOCK_NS  (220 * NS_PER_MS)

enum nor_action {
        NOR_DEAF, /* nothing it understands */
        NOR_ENABLE,
        NOR_DISABLE,
        NOR_RESET_ENABLE,
        NOR_RESET,
        NOR_READ_ID,
        NOR_READ_STATUS,
        NOR_WRITE_STATUS,
        NOR_READ_SECURITY,
        NOR_READ_CR2,
        NOR_WRITE_CR2,
        NOR_WIDE,
        NOR_NARROW,
        NOR_READ,
        NOR_READ_OCTAL,
        NOR_READ_DOUBLE,
        NOR_PROGRAM,
        NOR_ERASE,
        NOR_ERASE_ALL,
};

/* How a command looks on the wires. */
struct nor_frame {
        uint16_t instruction;
        bool is_octal, is_double, is_swapped; /* swapped: the bytes of each pair */
        bool is_garbled;                      /* in no mode of this chip */
        unsigned dummy, address_length;       /* cycles, bytes */
        uint32_t address;
};

enum nor_work { NOR_IDLE, NOR_PROGRAMMING, NOR_ERASING, NOR_SETTING };

/* One chip: part_nor.c. */
struct nor {
        uint8_t mode, dummy; /* CR2 */
        uint8_t failed;      /* flags of the security register */
        bool is_wide, is_enabled, may_reset;
        enum nor_action action; /* while selected */
        uint32_t address, position, swap;
        uint32_t length; /* to erase */
        uint8_t page[NOR_PAGE];
        enum nor_work work;
        uint32_t work_address, work_length;
        uint64_t due_ns;
};

#define OCTOSPI_LENGTH 0x400u

enum octospi_phase { OCTOSPI_IDLE, OCTOSPI_WRITES, OCTOSPI_READS, OCTOSPI_POLLS, OCTOSPI_MAPS };

/* One controller: part_octospi.c. */
struct octospi {
        uint32_t registers[OCTOSPI_LENGTH / 4];
        uint32_t flags; /* of SR, those that stay */
        enum octospi_phase phase;
        bool is_selected;
        uint64_t left; /* bytes of the transfer */
};

/* A function of the reference loader at work: part_external.c. */
struct external_run {
        bool is_up;      /* Init has been called since the last reset */
        uint64_t due_ns; /* of the next step; NEVER: no function runs */
        unsigned function;
        uint32_t first, length, buffer; /* what is left to do */
        uint32_t storage;               /* address of StorageInfo */
};

/* Registers of one region; see crypto/otfdec.h. */
struct otfdec_set {
        uint32_t config, start, end, nonce[2], key[4];
        unsigned keys; /* words of a key written in order so far */
        bool has_key;  /* all four, in order */
};
struct otfdec {
        uint32_t control, privilege, status, enable;
        struct otfdec_set sets[OTFDEC_REGIONS];
};

/* The mailbox of debug authentication and what its service knows of a session; part_authentication.c. */
struct authentication {
        uint32_t host, word;         /* the two registers */
        bool host_waits, part_waits; /* written, not yet read */
        bool is_awake, has_ended;
        uint32_t request[2 + 56], answer[2 + 62];
        unsigned received, answers, sent; /* words */
        uint8_t challenge[32];
        uint64_t challenge_until_ns;      /* 0: none stands */
        unsigned links;                   /* certificates taken */
        uint8_t key[64], permissions[16]; /* of the last one, and what all let through */
        uint64_t due_ns;                  /* when the regression is done; NEVER: none runs */
};

/* What executes, and how far it has come; see part_core.c. Zero: nothing. */
struct core_runner {
        struct part_core *core; /* the engine's */
        uint64_t time_ns;       /* the core has executed up to here */
        bool is_executing, is_reset, is_locked_up;
        uint32_t changed_first, changed_last; /* memory others wrote since the last run */
};

struct simulated_part {
        const struct family *family;
        const struct rss_profile *rss;
        double speed;

        struct part_record *record;
        uint8_t *flash;
        uint8_t *written; /* one bit a flash word: programmed since its erase */
        size_t flash_length;
        uint8_t *external; /* EXTERNAL_LENGTH bytes of each memory, inverted: zero is erased */

        bool is_powered, is_reset_held;
        uint64_t now_ns, next_ns;
        uint64_t boot_ns;           /* when boot code takes over after reset; NEVER: it has */
        uint64_t certificate_ns;    /* when the ROM looks into the mailbox; NEVER: nothing to see */
        enum part_level protection; /* in force: RDP since power-on, product state since reset */
        bool is_trustzone_on;       /* since reset */

        uint8_t *ram; /* all SRAMs back to back, see part_memory.c */
        uint32_t *apb;
        uint32_t *ppb;
        uint32_t *plain; /* the family's plain blocks back to back */

        /* debug port and access ports */
        uint32_t dp_control, dp_select, dp_buffer;
        struct access_port {
                uint32_t csw, tar;
        } ports[2]; /* the core's, AP_APB */
        uint32_t fault_address;

        /* core */
        uint32_t core[CORE_REGISTERS];
        uint32_t dhcsr, demcr, dcrdr, dfsr;
        bool is_halted, has_been_reset;
        const struct core_engine *engine; /* NULL: nothing executes */
        struct core_runner runner;
        uint32_t pc_samples;

        /* flash and option interface */
        const struct sequence *sequence;
        struct flash_set sets[FLASH_SETS];
        uint32_t flash_access; /* ACR */
        unsigned option_keys;
        bool option_is_locked, option_is_dead, option_change_error;
        bool option_is_enabled;                   /* PG_OPT of the H7RS */
        uint32_t option_program[OPTION_ROWS_MAX]; /* what was written to the registers */
        uint32_t in_force[OPTION_ROWS_MAX];       /* what was loaded */
        uint64_t option_due_ns;

        struct rss_run run;
        struct authentication authentication;
        struct external_run loader;
        struct nor nors[FAMILY_EXTERNALS_MAX];
        struct octospi octospis[FAMILY_EXTERNALS_MAX];
        struct otfdec otfdecs[OTFDEC_INSTANCES];
        bool is_rsse_running; /* until the next reset */
};

/* part.c */
uint64_t part_scaled(const struct simulated_part *part, uint64_t duration_ns);
bool part_answers(const struct simulated_part *part);      /* is the debug port open now? */
bool part_boots_system(const struct simulated_part *part); /* BOOT0 high: system memory */
bool part_rom_is_running(const struct simulated_part *part);
void part_changed(struct simulated_part *part); /* some due time moved: look again */

/* part_memory.c: behind the access port, rules of the debug port already passed. */
size_t part_ram_length(const struct simulated_part *part);
size_t part_plain_length(const struct family *family);
uint8_t *part_ram(struct simulated_part *part, uint32_t address, uint32_t length);
unsigned part_ram_memories(struct simulated_part *part, struct core_memory *ret_memories);
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
bool part_has_access_port(const struct simulated_part *part, unsigned ap);
bool part_is_sticky(const struct simulated_part *part);
uint32_t part_fault_address(const struct simulated_part *part);
uint32_t part_core_read(struct simulated_part *part, uint32_t address);
void part_core_write(struct simulated_part *part, uint32_t address, uint32_t value);
void part_core_reset(struct simulated_part *part, bool is_power_on);

/* part_core.c: all do nothing, and nothing executes, without an engine. */
bool core_executes(const struct simulated_part *part); /* its counter is not in the ROM */
void core_load_vectors(struct simulated_part *part);   /* a reset has happened */
void core_memory_changed(struct simulated_part *part, uint32_t address, uint32_t length);
void core_advance(struct simulated_part *part, uint64_t now_ns);
void core_step(struct simulated_part *part);
void core_drop(struct simulated_part *part);

/* part_flash.c. Addresses are without the secure alias. */
bool flash_holds(const struct simulated_part *part, uint32_t address, uint32_t length);
/* Where `address`, which flash_holds, lies in the array; banks stand back to back there. */
uint32_t flash_offset(const struct simulated_part *part, uint32_t address);
uint8_t *flash_at(struct simulated_part *part, uint32_t address);
enum part_answer flash_read(struct simulated_part *part, bool is_secure, uint32_t address,
                            void *data, size_t length);
enum part_answer flash_write(struct simulated_part *part, bool is_secure, uint32_t address,
                             const void *data, unsigned width);
void flash_reset(struct simulated_part *part);
uint64_t flash_due(const struct simulated_part *part);
void flash_advance(struct simulated_part *part, uint64_t now_ns);
void flash_erase_all(struct simulated_part *part);
void flash_erase_non_secure(struct simulated_part *part);
/* How long a bank takes. */
uint64_t flash_bank_erase_ns(const struct simulated_part *part);
bool flash_is_busy(const struct simulated_part *part);
/* Has the word at `address` been programmed since its erase? */
bool flash_is_written(const struct simulated_part *part, uint32_t address);
/* Program one whole word, whatever is protected; false when it did not take its value. */
bool flash_commit(struct simulated_part *part, uint32_t address, const uint8_t *word);

/* For the sequences. */
bool flash_set_is_busy(const struct simulated_part *part, const struct flash_set *set);
/* targets.md 6.1: a wrong key or order faults and locks until the next reset. */
enum part_answer flash_give_key(struct flash_set *set, uint32_t value);
void flash_force_word(struct simulated_part *part, struct flash_set *set); /* FW */
/* Erase one sector of one bank, or all of the banks in `banks`; refusals go into the flags. */
void flash_start_erase(struct simulated_part *part, struct flash_set *set, uint32_t banks,
                       bool is_whole, uint32_t sector);
/* The flags as bits of a register and back: `bits` gives the bit number of each flag, 0xFF: none. */
uint32_t flash_show(uint32_t flags, const uint8_t bits[static FLASH_FLAGS]);
uint32_t flash_parse(uint32_t value, const uint8_t bits[static FLASH_FLAGS]);

/* part_options.c; `values` are rows of the family. */
enum part_level option_level(const struct simulated_part *part, const uint32_t *values);
bool option_protects_write(const struct simulated_part *part, uint32_t address, uint32_t length);
bool option_protects_read(const struct simulated_part *part, uint32_t address, uint32_t length,
                          uint32_t *ret_flag);
bool option_is_secure_at(const struct simulated_part *part, uint32_t address);
bool option_has_areas(const struct simulated_part *part);
/* The row with a register at `offset`; the family's count of rows: none. */
size_t option_row_shown(const struct simulated_part *part, uint32_t offset);
size_t option_row_programmed(const struct simulated_part *part, uint32_t offset);
enum part_answer option_give_key(struct simulated_part *part, uint32_t value);
/* Check and begin to program what stands in option_program; a refusal sets option_change_error. */
void option_start(struct simulated_part *part);
void option_load(struct simulated_part *part); /* from the store into force */
void option_reset(struct simulated_part *part);
void option_advance(struct simulated_part *part, uint64_t now_ns);
bool option_change_is_allowed(const struct simulated_part *part, const uint32_t *values);
void option_apply(struct simulated_part *part, const uint32_t *values);
/* What an RSSe writes: any value but a step back of the product state, and nothing is erased for it. */
bool option_rsse_may(const struct simulated_part *part, const uint32_t *values);
void option_apply_by_rsse(struct simulated_part *part, const uint32_t *values);
/* An H5 goes from open to provisioning. */
void option_enter_provisioning(struct simulated_part *part);

/* part_rss.c */
void rss_mailbox_written(struct simulated_part *part, uint32_t address, uint32_t length);
void rss_look_into_mailbox(struct simulated_part *part, uint64_t now_ns);
bool rss_has_pending_install(struct simulated_part *part);
void rss_begin(struct simulated_part *part, uint64_t now_ns);
void rss_refuse(struct simulated_part *part, uint32_t code);
void rss_advance(struct simulated_part *part, uint64_t now_ns);
void rss_abandon(struct simulated_part *part);

/* part_nor.c: the chips, and their array by its addresses on the bus. */
bool nor_holds(const struct simulated_part *part, uint32_t address, size_t length);
/* Would the chip there program or erase all of it? */
bool nor_takes(const struct simulated_part *part, uint32_t address, uint32_t length);
void nor_program(struct simulated_part *part, uint32_t address, const uint8_t *from, size_t length);
void nor_erase(struct simulated_part *part, uint32_t address, size_t length);
uint64_t nor_erase_ns(uint32_t length);
void nor_make_fresh(struct simulated_part *part);
void nor_power_on(struct simulated_part *part);
void nor_reset(struct simulated_part *part, unsigned chip); /* as by its reset command */
void nor_select(struct simulated_part *part, unsigned chip, const struct nor_frame *frame);
uint8_t nor_get(struct simulated_part *part, unsigned chip);
void nor_put(struct simulated_part *part, unsigned chip, uint8_t byte);
void nor_deselect(struct simulated_part *part, unsigned chip);
uint64_t nor_due(const struct simulated_part *part);
void nor_advance(struct simulated_part *part, uint64_t now_ns);

/* part_octospi.c; addresses without the secure alias. */
bool octospi_holds(const struct simulated_part *part, uint32_t address);
enum part_answer octospi_read(struct simulated_part *part, uint32_t address, void *data,
                              unsigned width);
enum part_answer octospi_write(struct simulated_part *part, uint32_t address, const void *data,
                               unsigned width);
void octospi_reset(struct simulated_part *part);
void octospi_map(struct simulated_part *part); /* all, as a loader's Init leaves them */
/* Through the memory's own addresses: PART_FAULT unless memory-mapped. `address`, `length` lie in one
 * external memory. */
enum part_answer octospi_see(struct simulated_part *part, uint32_t address, void *data,
                             size_t length);

/* part_external.c: a core that can run the reference loader and nothing else. */
void external_reset(struct simulated_part *part);
void external_core_starts(struct simulated_part *part);
void external_advance(struct simulated_part *part);

/* part_otfdec.c; `offset` from the first instance. */
bool otfdec_holds(const struct simulated_part *part, uint32_t address);
enum part_answer otfdec_read(struct simulated_part *part, bool is_secure, uint32_t offset,
                             uint32_t *ret_value);
enum part_answer otfdec_write(struct simulated_part *part, bool is_secure, uint32_t offset,
                              uint32_t value);
void otfdec_reset(struct simulated_part *part);
/* What a data access sees of the `length` bytes of `data` at `address`, which is external. */
enum part_answer otfdec_see(struct simulated_part *part, uint32_t address, void *data,
                            size_t length);
/* part_rsse.c */
bool rsse_is_wanted(const struct simulated_part *part); /* does the family install through one? */
bool rsse_is_pending(struct simulated_part *part);      /* a start is asked for */
void rsse_begin(struct simulated_part *part, uint64_t now_ns);
void rsse_look(struct simulated_part *part); /* RSS_LOAD: may it run? */
bool rsse_is_prepared(const struct simulated_part *part);
/* The first area goes in: an H5 leaves the open state. */
void rsse_enter_areas(struct simulated_part *part);
/* Random keys into flash: the couples of a K area; an rss_code. */
uint32_t rsse_make_keys(struct simulated_part *part, const uint8_t *couples, uint32_t length);

/* part_rss.c, for part_rsse.c */
void rss_next_step(struct simulated_part *part, enum rss_step step, uint64_t duration_ns);
void rss_end_run(struct simulated_part *part, uint32_t code);
uint32_t rss_mailbox_get(struct simulated_part *part, uint32_t offset);
void rss_mailbox_put(struct simulated_part *part, uint32_t offset, uint32_t value);
uint32_t rss_command(struct simulated_part *part);
uint32_t rss_check_range(struct simulated_part *part, uint32_t start, uint32_t length);

/* part_rss_external.c: the opened E area becomes an entry of the list for the host; an rss_code. */
uint32_t rss_give_external(struct simulated_part *part);

/* part_authentication.c */
bool authentication_is_there(const struct simulated_part *part, unsigned ap);
/* The bytes of an .obk; any but that of debug authentication changes nothing. */
void authentication_provision(struct simulated_part *part, const void *file, size_t length);
void authentication_reset(struct simulated_part *part);
bool authentication_begins(struct simulated_part *part); /* instead of the rest of the boot */
void authentication_advance(struct simulated_part *part, uint64_t now_ns);
enum part_answer authentication_read(struct simulated_part *part, uint32_t address, void *data,
                                     unsigned width);
enum part_answer authentication_write(struct simulated_part *part, uint32_t address,
                                      uint32_t value);

/* part_certificate.c */
void part_certificate(const struct simulated_part *part,
                      uint8_t ret_certificate[CERTIFICATE_LENGTH]);
