/*
 * loader.h - an external loader: code that programs one memory outside the part, as ST's tool takes it.
 *
 * A .stldr file is an Arm ELF linked to run in the part's SRAM, with functions found by their name
 * and an object StorageInfo that says which memory it is for (spec/targets.md 8.4). It is code: what
 * it does is up to who wrote it, so only what it must have is checked, within the limits below.
 *
 * Functions answer 1 for success and 0 for failure:
 *      Init()                            pins, clocks, controller
 *      Write(address, length, buffer)
 *      SectorErase(first, last)          the sectors that hold both addresses and what is between
 *      Read(address, length, buffer)     optional: without it the memory is read through its address, after
 *                                        Init has mapped it again where another function was called since
 *      MassErase()                       optional, and not called: nothing of ours erases a whole memory,
 *                                        and minutes without progress or a way to stop are no gain
 *      Verify(address, buffer, words, misalignment)   optional, and not called. ST's answers 64 bits, a sum
 *                                        above and below it 0, or an address that counts the offset twice
 *                                        (Loader_Src.c of MX25LM51245G_STM32H7B3I-EVAL); others answer 1.
 *                                        Reading back costs no more and names the byte
 */
#pragma once

#include "drivers/target.h"
#include "scheduler/bytes.h"

#define LOADER_FILE_MAX     (4u << 20)
#define LOADER_IMAGE_MAX    (1u << 20) /* bytes in RAM, zeros included */
#define LOADER_SEGMENTS_MAX 16u
#define LOADER_GROUPS_MAX   10u /* of sectors of one length: the descriptor has no more */
#define LOADER_NAME_LENGTH  100u

enum loader_function {
        LOADER_INIT,
        LOADER_WRITE,
        LOADER_SECTOR_ERASE,
        LOADER_MASS_ERASE,
        LOADER_READ,
        LOADER_VERIFY,
        LOADER_FUNCTIONS
};

/* StorageInfo. */
struct loader_storage {
        char name[LOADER_NAME_LENGTH + 1]; /* printable; other bytes of the file's became '?' */
        unsigned type;                     /* 3 NOR, 7 SPI or OctoSPI flash, .. (targets.md 8.4) */
        uint32_t address, length, page_length;
        uint8_t erased; /* what an erased byte reads */
        struct loader_group {
                uint32_t count, length;
        } groups[LOADER_GROUPS_MAX];
        unsigned group_count;
};

struct loader_segment {
        uint32_t address;
        const uint8_t *data; /* in the file */
        uint32_t length;     /* bytes of the file */
        uint32_t zeros;      /* behind them, in RAM */
        bool is_descriptor; /* StorageInfo and no code: need not go out, and may lie outside of RAM */
};

struct loader {
        struct bytes file; /* owned */
        struct loader_segment segments[LOADER_SEGMENTS_MAX];
        unsigned segment_count;
        uint32_t entries[LOADER_FUNCTIONS]; /* 0: not there */
        struct loader_storage storage;
};

/* Read and check a file (waits). `name` is for sentences; `file` is given, freed on failure too.
 *      -FAULT_BAD_FILE, -FAULT_TOO_LARGE  what is wrong, where, what was wanted */
int loader_load(const char *path, struct loader *ret_loader) MUST_USE;
int loader_parse(const char *name, struct bytes *file, struct loader *ret_loader) MUST_USE;

/* For CLEANUP(loader_free); safe on a zeroed one. */
void loader_free(struct loader *loader);

/* "SectorErase" */
const char *loader_function_name(enum loader_function function);

/* First address and length of the sector that holds `address`, which lies in the storage. */
void loader_sector(const struct loader_storage *storage, uint32_t address, uint32_t *ret_start,
                   uint32_t *ret_length);

/* Is all of [address, address + length) in the storage? */
bool loader_holds(const struct loader_storage *storage, uint32_t address, uint32_t length);

/* --- on a target (every call waits) ------------------------------------------------------------ */

/* A loader in a target's RAM. Fields are the loader's own; 0-initialise and use loader_start. */
struct loader_run {
        struct target *target;       /* borrowed */
        const struct loader *loader; /* borrowed */
        uint32_t stack, breakpoint, buffer, buffer_length;
        bool is_mapped; /* Init was called last */
};

/* Halt the core, put the loader into RAM and call Init. Whatever was in RAM there is gone.
 *      -FAULT_NO_ROOM  a segment is not in the part's RAM, or leaves no room for stack and buffer
 *      -FAULT_FLASH    Init failed
 *      -FAULT_TIMEOUT, -FAULT_TARGET_ACCESS, -FAULT_LOCKED  as in target_core.h, naming the function */
int loader_start(struct target *target, const struct loader *loader,
                 struct loader_run *ret_run) MUST_USE;

/* Erase the sectors that hold the range. `*progress` (may be NULL) counts bytes. */
int loader_erase(struct loader_run *run, uint32_t address, uint32_t length,
                 uint32_t *progress) MUST_USE;

/* Program erased memory, page by page as many as the buffer takes, and read it back. NOR flash is given whole
 * grains of 16 bytes, filled up with the erased value: where both edges of the clock carry pairs of bytes,
 * loaders go wrong at odd ones.
 *      -FAULT_BAD_VALUE  not in the storage
 *      -FAULT_FLASH      Write failed, or a byte reads back otherwise: the address, found and wanted */
int loader_write(struct loader_run *run, uint32_t address, const void *data, uint32_t length,
                 uint32_t *progress) MUST_USE;

/* By Read, or where there is none, through the memory map. The bytes as the bus shows them: with an
 * OTFDEC region active that is not what was written. */
int loader_read(struct loader_run *run, uint32_t address, void *data, uint32_t length) MUST_USE;

/*      -FAULT_NOT_BLANK  names the first address that is not erased */
int loader_check_blank(struct loader_run *run, uint32_t address, uint32_t length) MUST_USE;

/* Let the core go. A reset should follow: Init changed clocks and pins. */
int loader_finish(struct loader_run *run) MUST_USE;
