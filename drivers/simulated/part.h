/*
 * part.h - one STM32 made of memory: debug port, memory map, flash, option bytes, life cycle, RSS.
 *
 * Passive: it never waits and knows no fiber. Each call is told the time and answers at once; what
 * takes time is due later and happens at the first call after it (part_advance). A power cut simply
 * stops advancing: what was not due has not happened.
 */
#pragma once

#include "drivers/family.h"
#include "drivers/rss.h"

struct simulated_part;
struct core_engine;

/* What stays without power; mapped from a file or plain memory. Layout is private to part.c. */
size_t part_store_length(const struct family *family);

struct part_settings {
        const struct family *family;
        const struct rss_profile *rss;
        void *store;         /* part_store_length bytes, borrowed; zeroed: make it fresh */
        const uint8_t *seed; /* 32 bytes: unique id and chip key of a fresh part */
        double speed;
        const struct core_engine
                *engine; /* core.h; NULL, as the product has it: nothing executes */
};
struct simulated_part *part_create(const struct part_settings *settings);
struct simulated_part *part_destroy(struct simulated_part *part);

/* The product id in the certificates of a family's parts. */
void part_product_id(const struct family *family, uint32_t device_id,
                     char ret_product[static PRODUCT_ID_LENGTH + 1]);

/* Defects a fresh part arrives with. The protection is an RDP byte, or a product state. */
void part_set_boot_pin(struct simulated_part *part, bool high);
void part_set_protection(struct simulated_part *part, uint8_t rdp);
void part_set_option(struct simulated_part *part, size_t row, uint32_t value); /* any value */
void part_set_device_id(struct simulated_part *part, uint16_t device_id);
void part_set_weak_word(struct simulated_part *part, uint32_t address);
/* No memory chip behind the OCTOSPI. */
void part_set_external(struct simulated_part *part, bool is_there);
/* The chip at `address` arrives with its last 2^(level - 1) blocks of 64 KiB write-protected; 0: none. */
void part_protect_external(struct simulated_part *part, uint32_t address, unsigned level);
void part_fill_external(struct simulated_part *part, uint32_t address, const void *data,
                        size_t length);
void part_fill_flash(struct simulated_part *part, uint32_t address, const void *data,
                     size_t length);

/* What a debug-authentication .obk leaves in the part, whatever its state; `file` as crypto/obk.h has it.
 * Others are passed over. */
void part_provision(struct simulated_part *part, const void *file, size_t length);

void part_power(struct simulated_part *part, uint64_t now_ns, bool on);
bool part_is_powered(const struct simulated_part *part);
void part_reset(struct simulated_part *part, uint64_t now_ns);
void part_hold_reset(struct simulated_part *part, uint64_t now_ns, bool held);
void part_advance(struct simulated_part *part, uint64_t now_ns);

/* What an access meets. */
enum part_answer { PART_OK, PART_WAIT, PART_FAULT, PART_SILENT };

/* The debug port. SILENT: no power, in reset, or the RSS has closed it. */
enum part_answer part_dp_read(struct simulated_part *part, uint64_t now_ns, unsigned reg,
                              uint32_t *value);
enum part_answer part_dp_write(struct simulated_part *part, uint64_t now_ns, unsigned reg,
                               uint32_t value);
enum part_answer part_ap_read(struct simulated_part *part, uint64_t now_ns, unsigned ap,
                              unsigned reg, uint32_t *value);
enum part_answer part_ap_write(struct simulated_part *part, uint64_t now_ns, unsigned ap,
                               unsigned reg, uint32_t value);

/* Memory through an access port, `width` 1, 2 or 4 bytes. */
enum part_answer part_read(struct simulated_part *part, uint64_t now_ns, unsigned ap,
                           uint32_t address, void *data, unsigned width);
enum part_answer part_write(struct simulated_part *part, uint64_t now_ns, unsigned ap,
                            uint32_t address, const void *data, unsigned width);

/* For tests: the flash as it is, whatever the protection. */
const uint8_t *part_flash(const struct simulated_part *part, uint32_t address);
/* One byte of external memory as it is in the chip, not deciphered. */
uint8_t part_external_byte(const struct simulated_part *part, uint32_t address);
const uint32_t *part_options(const struct simulated_part *part);
/* Files of that area type, O or S, that the last whole install brought. */
unsigned part_installed(const struct simulated_part *part, char type);
