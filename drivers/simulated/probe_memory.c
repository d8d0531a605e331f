/*
 * Memory through a simulated probe: blocks, single words, scatter lists (stlink.md 9).
 *
 * A block read answers its full length whatever happened, and the status waits for
 * GETLASTRWSTATUS. SRAM and quiet flash move in one copy; everything else goes access by access, as
 * the wire does, so that WAIT, FAULT and the moment a part dies come out at the right word.
 */
#include "drivers/simulated/probe_private.h"

#include "scheduler/bytes.h"

#include <stdlib.h>

#define WAIT_REPEATS 4u    /* stlink.md 10, code 10 */
#define BLOCK_MAX    6144u /* stlink.md 4.4, reads of 16 and 32 bits */
#define BYTES_MAX_V2 64u   /* 8 bits */
#define BYTES_MAX_V3 512u  /* from V3J6 */
#define MISC_MAX_V2  64u
#define MISC_MAX_V3  1227u
#define LIST_ADDRESS 1
#define LIST_WRITE   2
#define LIST_READ    3
#define LIST_AP      5

unsigned probe_misc_max(const struct simulated_probe *probe)
{
        return probe->is_v3 ? MISC_MAX_V3 : MISC_MAX_V2;
}

/* --- one access ---------------------------------------------------------------------------- */

static uint8_t access_status(struct simulated_probe *probe, enum part_answer answer,
                             bool was_sticky)
{
        switch (answer) {
        case PART_OK:
                return STATUS_OK;
        case PART_WAIT:
                return STATUS_AP_WAIT;
        case PART_FAULT:
                probe->last_fault = part_fault_address(probe->part);
                return was_sticky ? STATUS_AP_STICKY : STATUS_AP_FAULT;
        case PART_SILENT:
                return STATUS_DP_ERROR;
        }
        return STATUS_DP_ERROR;
}

uint8_t probe_access(struct simulated_probe *probe, bool is_write, unsigned ap, uint32_t address,
                     void *data, unsigned width)
{
        enum part_answer answer = PART_SILENT;
        bool was_sticky;

        if (!probe_may_use_ap(probe, ap))
                return STATUS_BAD_AP;
        if (!probe->part)
                return STATUS_DP_ERROR;
        was_sticky = part_is_sticky(probe->part);
        for (unsigned i = 0; i <= WAIT_REPEATS; i++) {
                answer = is_write
                                 ? part_write(probe->part, probe->time_ns, ap, address, data, width)
                                 : part_read(probe->part, probe->time_ns, ap, address, data, width);
                if (answer != PART_WAIT)
                        break;
                probe_spend_clocks(probe, SWD_CLOCKS_WAIT);
        }
        probe_spend_clocks(probe, SWD_CLOCKS_WORD);
        return access_status(probe, answer, was_sticky);
}

/* --- blocks -------------------------------------------------------------------------------- */

struct block {
        bool is_write, has_increment;
        unsigned width, ap;
        uint32_t address;
        uint8_t *data;
        size_t length;
};

/* All of it in one copy where the part allows; the clocks are the same. */
static bool move_at_once(struct simulated_probe *probe, const struct block *block)
{
        size_t units = block->length / block->width, moved;

        if (!block->has_increment || !probe->part)
                return false;
        if (block->is_write)
                moved = part_write_block(probe->part, probe->time_ns, block->ap, block->address,
                                         block->data, block->length);
        else
                moved = part_read_block(probe->part, probe->time_ns, block->ap, block->address,
                                        block->data, block->length);
        if (moved == 0)
                return false;
        probe_spend_clocks(probe, units * SWD_CLOCKS_WORD);
        return true;
}

/* Stops at the first access that fails. */
static uint8_t move_block(struct simulated_probe *probe, const struct block *block)
{
        uint8_t status = STATUS_OK;

        if (!probe_may_use_ap(probe, block->ap))
                return STATUS_BAD_AP;
        probe_spend_clocks(probe, 3 * SWD_CLOCKS_WORD); /* CSW, TAR, RDBUFF: stlink.md 12.1 */
        if (move_at_once(probe, block))
                return STATUS_OK;
        for (size_t i = 0; i + block->width <= block->length && status == STATUS_OK;
             i += block->width)
                status = probe_access(probe, block->is_write, block->ap,
                                      block->address + (block->has_increment ? (uint32_t)i : 0),
                                      block->data + i, block->width);
        return status;
}

/* What the opcode says of the access; false: not one of these. */
static bool block_kind(uint8_t opcode, struct block *ret_block)
{
        static const struct {
                uint8_t opcode;
                bool is_write, has_increment;
                unsigned width;
        } kinds[] = {
                { 0x07, false, true, 4 }, { 0x08, true, true, 4 },   { 0x0C, false, true, 1 },
                { 0x0D, true, true, 1 },  { 0x47, false, true, 2 },  { 0x48, true, true, 2 },
                { 0x50, true, false, 4 }, { 0x54, false, false, 4 },
        };

        for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
                if (kinds[i].opcode != opcode)
                        continue;
                *ret_block = (struct block){ .is_write = kinds[i].is_write,
                                             .has_increment = kinds[i].has_increment,
                                             .width = kinds[i].width };
                return true;
        }
        return false;
}

/* A length that is no multiple of the width is no error, only wrong at the end (stlink.md 9.1). */
static uint8_t check_block(const struct simulated_probe *probe, const struct block *block)
{
        size_t bytes_max = probe->is_v3 ? BYTES_MAX_V3 : BYTES_MAX_V2;

        if (block->length == 0 || (block->width == 1 && block->length > bytes_max) ||
            (!block->is_write && block->length > BLOCK_MAX))
                return STATUS_CMD_ERROR;
        return block->address % block->width ? STATUS_ALIGNMENT : STATUS_OK;
}

static void parse_block(const uint8_t *command, struct block *block)
{
        block->address = load_le32(command + 2);
        block->length = load_le16(command + 6);
        block->ap = command[8];
}

/* Q1: one byte asked for comes as two. */
static void answer_block(struct simulated_probe *probe, struct block *block)
{
        bool is_one_byte = block->width == 1 && block->length == 1;

        block->data = probe_answer(probe, is_one_byte ? 2 : block->length);
        probe->last_status = check_block(probe, block);
        if (probe->last_status == STATUS_OK)
                probe->last_status = move_block(probe, block);
}

static void start_list(struct simulated_probe *probe, const uint8_t *command)
{
        uint32_t count = load_le32(command + 2);

        probe->misc_count = 0;
        if (count == 0 || count > probe_misc_max(probe))
                probe_stall(probe);
        else
                probe_want_data(probe, (count + 3) / 4 * 4 + count * 4);
}

/* Results in slots of their own, then as many status words. */
static void answer_list(struct simulated_probe *probe)
{
        size_t count = probe->misc_count;
        uint8_t *answer;

        if (count == 0) {
                probe_stall(probe);
                return;
        }
        answer = probe_answer(probe, 8 * count);
        for (size_t i = 0; i < 2 * count; i++)
                store_le32(answer + 4 * i, probe->misc[i]);
        probe->misc_count = 0;
}

static void answer_last_status(struct simulated_probe *probe, size_t length)
{
        uint8_t *answer = probe_answer(probe, length);

        answer[0] = probe->last_status;
        if (length >= 8)
                store_le32(answer + 4, probe->last_status == STATUS_OK ? 0 : probe->last_fault);
}

bool probe_memory_command(struct simulated_probe *probe, const uint8_t *command)
{
        struct block block;

        if (block_kind(command[1], &block)) {
                parse_block(command, &block);
                probe->last_fault = 0;
                if (!block.is_write && block.length > 0)
                        answer_block(probe, &block);
                else if (block.length > 0)
                        probe_want_data(probe, block.length);
                else
                        probe->last_status = STATUS_CMD_ERROR;
                return true;
        }
        switch (command[1]) {
        case 0x3B:
                answer_last_status(probe, 2);
                return true;
        case 0x3E:
                answer_last_status(probe, 12);
                return true;
        case 0x51:
                start_list(probe, command);
                return true;
        case 0x52:
                answer_list(probe);
                return true;
        case 0x53:
                store_le16(probe_answer(probe, 2), (uint16_t)probe_misc_max(probe));
                return true;
        default:
                return false;
        }
}

/* --- data that came ------------------------------------------------------------------------ */

struct list_state {
        unsigned ap;
        uint32_t address;
};

static uint8_t run_item(struct simulated_probe *probe, struct list_state *state, uint8_t opcode,
                        uint32_t operand, uint32_t *ret_result)
{
        uint8_t word[4] = { 0 };
        uint8_t status;

        switch (opcode) {
        case LIST_ADDRESS:
                state->address = operand;
                return STATUS_OK;
        case LIST_AP:
                state->ap = operand;
                return probe_may_use_ap(probe, operand) ? STATUS_OK : STATUS_BAD_AP;
        case LIST_WRITE:
                store_le32(word, operand);
                return probe_access(probe, true, state->ap, state->address, word, 4);
        case LIST_READ:
                status = probe_access(probe, false, state->ap, operand, word, 4);
                *ret_result = load_le32(word);
                return status;
        default:
                return STATUS_CMD_ERROR;
        }
}

/* The whole list runs, a failed item does not stop it; each has its own status. */
static void run_list(struct simulated_probe *probe)
{
        size_t count = load_le32(probe->command + 2);
        const uint8_t *operands = probe->data + (count + 3) / 4 * 4;
        struct list_state state = { 0 };

        free(probe->misc);
        probe->misc = calloc(2 * count, sizeof(*probe->misc));
        INSIST(probe->misc);
        for (size_t i = 0; i < count; i++)
                probe->misc[count + i] = run_item(probe, &state, probe->data[i],
                                                  load_le32(operands + 4 * i), &probe->misc[i]);
        probe->misc_count = count;
}

void probe_memory_data(struct simulated_probe *probe)
{
        struct block block;

        if (!block_kind(probe->command[1], &block)) {
                run_list(probe);
                return;
        }
        parse_block(probe->command, &block);
        block.data = probe->data;
        probe->last_status = check_block(probe, &block);
        if (probe->last_status == STATUS_OK)
                probe->last_status = move_block(probe, &block);
}
