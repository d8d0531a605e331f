/*
 * loader_file.h - makes the reference external loader (drivers/simulated/part_external.c) as an ELF file.
 *
 * Written byte by byte with the structs of <elf.h>: a segment of code and StorageInfo, one of zeros, a
 * symbol table. Fields may be spoiled to see what a reader says.
 */
#pragma once

#include "scheduler/bytes.h"

struct loader_file {
        const char *storage_name; /* NULL: "GANGWAY REFERENCE LOADER MX25LM51245G" */
        uint32_t ram;             /* where the code is linked; 0: 0x24000000 */
        uint32_t address, length; /* of the memory; 0: 0x90000000, 1 MiB */
        uint32_t page_length;     /* 0: 256 */
        uint32_t sector_length;   /* 0: 4096 */
        uint32_t zeros;           /* bytes of the second segment; 0: 64 */
        unsigned functions; /* bits of enum loader_function; 0: all but MassErase and Verify */
        bool has_no_storage;
        uint16_t code; /* instead of the UDF of each entry; 0: that */
};

/* Free with bytes_free. */
struct bytes loader_file_make(const struct loader_file *settings);
