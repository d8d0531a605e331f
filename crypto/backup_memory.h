/*
 * backup_memory.h - backup registers and backup SRAM of an STM32MP2, the optional input of SSP-SFI
 * (AN5054 section 15.3.2).
 *
 * REFERENCE: ST's layout is not public (spec/secure-install.md section 9). The container is ours
 * and none of ST's tools takes it:
 *
 *   0  8 "GWMP2BAK"   8  4 version 1   12  4 count
 *  16  per section: u32 kind (1 registers, 2 SRAM), u32 byte offset, u32 length, the bytes
 *   then SHA-256 of all before, 32 bytes
 *
 * 128 registers and 8 KiB of SRAM are from general knowledge of STM32MP25, not from a document read
 * here.
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#include <stdbool.h>

#define BACKUP_REGISTERS   128u
#define BACKUP_SRAM_LENGTH 8192u
#define BACKUP_FILE_MAX    (64u << 10)

enum backup_kind { BACKUP_REGISTER = 1, BACKUP_SRAM = 2 };

/* Bytes that are given, by kind; registers are little-endian words. */
struct backup_memory {
        uint8_t registers[4 * BACKUP_REGISTERS], sram[BACKUP_SRAM_LENGTH];
        bool has_register[4 * BACKUP_REGISTERS], has_sram[BACKUP_SRAM_LENGTH];
};

/* Give bytes; registers whole. `source` is for the sentence.
 *      -FAULT_BAD_VALUE  beyond the memory, or given already */
int backup_memory_set(struct backup_memory *memory, const char *source, enum backup_kind kind,
                      uint32_t offset, const void *data, size_t length) MUST_USE;

/* How many bytes of a kind are given. */
size_t backup_memory_count(const struct backup_memory *memory, enum backup_kind kind);

/* Given to the caller, who wipes. */
struct bytes backup_memory_build(const struct backup_memory *memory);

/*      -FAULT_BAD_FILE  names file, offset, found and wanted */
int backup_memory_parse(const char *name, const void *file, size_t length,
                        struct backup_memory *ret_memory) MUST_USE;

/* For CLEANUP(backup_memory_wipe). */
void backup_memory_wipe(struct backup_memory *memory);
