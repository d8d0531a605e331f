/*
 * stlink_memory.c - blocks of target memory.
 *
 * A block is cut into at most three bytes before the first aligned word, words in chunks of 6144
 * bytes, and at most three bytes after the last: byte commands beyond 64 bytes crash old firmware
 * (stlink.md Q2, Q3), word commands with a ragged length give wrong data without an error (9.1).
 * Chunks cross the 1 KiB boundary of TAR freely: the firmware floor handles it (9.2).
 *
 * Data of a read arrives at full length even when the access faulted; it counts only once the
 * status query has said OK (9.3).
 */
#include "drivers/stlink_command.h"
#include "scheduler/bytes.h"

#include <string.h>

#define OP_READ_32  0x07u
#define OP_WRITE_32 0x08u
#define OP_READ_8   0x0Cu
#define OP_WRITE_8  0x0Du

struct block {
        struct stlink *stlink;
        unsigned ap;
        uint32_t csw;
        uint32_t address;
        size_t length;
};

/* The piece at the front of what is left: bytes up to a word, whole words, or the last bytes. */
static size_t piece_length(uint32_t address, size_t left, bool *ret_is_words)
{
        size_t before = (4 - address % 4) % 4;

        *ret_is_words = !before && left >= 4;
        if (*ret_is_words)
                return left > STLINK_CHUNK_MAX ? STLINK_CHUNK_MAX : left / 4 * 4;
        if (!before || before > left)
                return left;
        return before;
}

/* The common layout of memory commands (9.1). */
static struct stlink_command compose(const struct block *block, uint8_t op, const char *name,
                                     uint32_t address, size_t length)
{
        struct stlink_command command = {
                .exchange = { .command = { 0xF2, op, [8] = (uint8_t)block->ap },
                              .timeout_ms = stlink_timeout_ms(block->stlink, length) },
                .name = name,
                .is_bulk = true,
                .has_address = true,
                .address = address,
        };
        uint8_t *bytes = command.exchange.command;

        store_le32(bytes + 2, address);
        store_le16(bytes + 6, (uint16_t)length);
        bytes[9] = (uint8_t)(block->csw >> 8);
        bytes[10] = (uint8_t)(block->csw >> 16);
        bytes[11] = (uint8_t)(block->csw >> 24);
        return command;
}

static int read_piece(const struct block *block, uint32_t address, uint8_t *data, size_t length,
                      bool is_words)
{
        struct stlink_command command =
                compose(block, is_words ? OP_READ_32 : OP_READ_8,
                        is_words ? "READMEM_32BIT" : "READMEM_8BIT", address, length);
        uint8_t two[2] = { 0 };
        int r;

        command.exchange.in = length == 1 ? two : data;
        command.exchange.in_length = length == 1 ? 2 : length; /* Q1: one byte answers two */
        r = stlink_perform(block->stlink, &command);
        if (!r && length == 1)
                *data = two[0];
        return r;
}

static int write_piece(const struct block *block, uint32_t address, const uint8_t *data,
                       size_t length, bool is_words)
{
        struct stlink_command command =
                compose(block, is_words ? OP_WRITE_32 : OP_WRITE_8,
                        is_words ? "WRITEMEM_32BIT" : "WRITEMEM_8BIT", address, length);

        command.exchange.out = data;
        command.exchange.out_length = length;
        return stlink_perform(block->stlink, &command);
}

static int check_range(const struct block *block)
{
        if (block->length && block->length - 1 > UINT32_MAX - block->address)
                return fault(FAULT_BAD_VALUE, "%zu bytes at 0x%08X reach beyond the address space",
                             block->length, block->address);
        return 0;
}

int stlink_read_memory(struct stlink *stlink, unsigned ap, uint32_t csw, uint32_t address,
                       void *data, size_t length)
{
        struct block block = { stlink, ap, csw, address, length };
        int r = check_range(&block);

        for (size_t done = 0; !r && done < length;) {
                uint32_t at = address + (uint32_t)done;
                bool is_words;
                size_t piece = piece_length(at, length - done, &is_words);

                r = read_piece(&block, at, (uint8_t *)data + done, piece, is_words);
                done += piece;
        }
        return r;
}

int stlink_write_memory(struct stlink *stlink, unsigned ap, uint32_t csw, uint32_t address,
                        const void *data, size_t length, uint32_t *progress)
{
        struct block block = { stlink, ap, csw, address, length };
        int r = check_range(&block);

        for (size_t done = 0; !r && done < length;) {
                uint32_t at = address + (uint32_t)done;
                bool is_words;
                size_t piece = piece_length(at, length - done, &is_words);

                r = write_piece(&block, at, (const uint8_t *)data + done, piece, is_words);
                if (!r && progress)
                        *progress += (uint32_t)piece;
                done += piece;
        }
        return r;
}
