/*
 * firmware_write.h - firmware back into files: Intel HEX and ELF, as firmware.h reads them.
 */
#pragma once

#include "scheduler/bytes.h"
#include "scheduler/fault.h"

/* Borrowed bytes at an address; pieces rise and do not overlap. */
struct firmware_piece {
        uint32_t address;
        const void *data;
        size_t length;
};

/* Intel HEX: records of 16 bytes, an extended linear address where the upper half changes, an end
 * record, LF. Given to the caller, who wipes it where it is secret. */
struct bytes firmware_write_hex(const struct firmware_piece *pieces, size_t count);

/* ELF for Arm, 32 bits, executable: one loadable segment a piece, no sections, through libelf.
 *      -FAULT_SYSTEM     a temporary file in memory, or libelf
 *      -FAULT_TOO_LARGE  more pieces than program headers can be counted */
int firmware_write_elf(const struct firmware_piece *pieces, size_t count,
                       struct bytes *ret_file) MUST_USE;
