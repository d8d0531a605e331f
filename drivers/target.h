/*
 * target.h - one STM32 behind a probe: identify, read, prepare, reset, come back.
 *
 * Hotplug only (AN5054 section 3.3.2): the core is neither halted nor reset at connect. A target
 * belongs to its site's fiber; every call waits. Faults as in stlink.h and those named here.
 * A reset often ends in an access error because the target vanishes in mid-transaction: the calls
 * that reset swallow that one error and reattach within their deadline (stlink.md 18 point 8:
 * ENTER + INIT_AP every 50 ms).
 */
#pragma once

#include "drivers/family.h"
#include "drivers/stlink.h"

struct target {
        struct stlink *probe;        /* borrowed */
        const struct family *family; /* borrowed */
};

struct target_identity {
        uint32_t dpidr;
        uint16_t device_id, revision;
        uint32_t unique_id[3];
        char unique_id_text[25]; /* 24 hex digits, word 2 first, as ST prints it */
        unsigned flash_kib;
};

/* Enter SWD at `clock_khz` or below and open the family's access port.
 *      -FAULT_NO_TARGET, -FAULT_WRONG_PART (DP id)
 *      -FAULT_LOCKED  of a family with product states: the debug port answers, the access port not */
int target_attach(struct target *target, unsigned clock_khz) MUST_USE;

/*      -FAULT_WRONG_PART  another device id; both are named */
int target_identify(struct target *target, struct target_identity *ret_identity) MUST_USE;

int target_read_word(struct target *target, uint32_t address, uint32_t *ret_value) MUST_USE;
int target_write_word(struct target *target, uint32_t address, uint32_t value) MUST_USE;
int target_read(struct target *target, uint32_t address, void *data, size_t length) MUST_USE;
int target_write(struct target *target, uint32_t address, const void *data, size_t length,
                 uint32_t *progress) MUST_USE;

/* Current option bytes, one value per row of the family (0 for rows that are not kept). */
int target_read_options(struct target *target, uint32_t *ret_values) MUST_USE;

/* Write the rows whose masked value differs and reload; nothing is done when none does. Reads back.
 * Families of the L4 sequence reset themselves on the way; H5 and H7RS are reset when boot, TrustZone
 * or product state change. The target is reached again when the call returns.
 *      -FAULT_OPTION_BYTES  the part refused, or a row reads back otherwise; it is named
 *      -FAULT_TARGET_LOST   it did not come back from its reset */
int target_write_options(struct target *target, const uint32_t *values) MUST_USE;

/* Read `length` bytes from the flash at `address` in chunks; -FAULT_NOT_BLANK names the first
 * address. */
int target_check_blank(struct target *target, uint32_t address, uint32_t length) MUST_USE;

/* Bytes of each bank by the part's own size register, which is what counts: smaller parts of a two-bank
 * line halve the banks. One that says nothing leaves the family's largest. Never waits. */
uint32_t target_bank_length(const struct target *target, const struct target_identity *identity);

/* The same for all of the flash there is. */
int target_check_all_blank(struct target *target, const struct target_identity *identity) MUST_USE;

/* Erase the sectors that hold `address` .. + `length`.
 *      -FAULT_PROTECTED, -FAULT_FLASH */
int target_erase(struct target *target, uint32_t address, uint32_t length,
                 uint32_t *progress) MUST_USE;

/* Program erased flash word by word; both `address` and `length` are multiples of the family's word.
 * For a few words: an image goes in through the RSS.
 *      -FAULT_BAD_VALUE  not whole words, or not flash
 *      -FAULT_PROTECTED, -FAULT_FLASH  which includes a word that was programmed before */
int target_program(struct target *target, uint32_t address, const void *data, uint32_t length,
                   uint32_t *progress) MUST_USE;

/* Does the core run from system memory (BOOT0 high)? Samples DWT_PCSR without halting.
 *      -FAULT_BOOT_PIN  gives the address seen */
int target_check_boot(struct target *target) MUST_USE;

/* Reset by AIRCR.SYSRESETREQ, then come back within `deadline_ms`.
 *      -FAULT_TARGET_LOST */
int target_reset(struct target *target, unsigned deadline_ms) MUST_USE;

/* Is `result` a fault that a target on its way through a reset gives? */
bool target_may_come_back(int result);

/* Has the access port gone while the debug port still answers with the family's id? So a closed
 * product state looks from outside (targets.md 5.2), and so no reset does. Leaves the port closed.
 *      -FAULT_UNPLUGGED, -FAULT_CANCELLED and others that are not the target's */
int target_check_shut(struct target *target, bool *ret_is_shut) MUST_USE;

/* Come back after the target reset itself. */
int target_reattach(struct target *target, unsigned deadline_ms) MUST_USE;
