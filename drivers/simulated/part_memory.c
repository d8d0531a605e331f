/*
 * The bus of a simulated part: which address is what, through which access port.
 *
 * AP 0 is the core's port: everything, except that the AXI side (all but the core's own registers)
 * is dead while NRST is held (targets.md 1.2). AP 2 is APB-D: debug components only, alive under
 * NRST. What is not here faults, as an absent slave does on silicon.
 *
 * Sources of the map: targets.md 2.1 to 2.3 and 7.1. Registers take whole words only; SRAM and
 * flash any width.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

/* targets.md 2.2, H75x. SRAM1, 2 and 3 touch and are one run here. */
static const struct ram {
        uint32_t address, length;
} rams[] = {
        { 0x24000000, 512 << 10 }, /* AXI, the one that is used most */
        { 0x20000000, 128 << 10 }, /* DTCM */
        { 0x30000000, 288 << 10 }, /* SRAM1, SRAM2, SRAM3 */
        { 0x38000000, 64 << 10 },  /* SRAM4 */
        { 0x38800000, 4 << 10 },   /* backup */
        { 0x00000000, 64 << 10 },  /* ITCM */
};
#define BACKUP_ADDRESS 0x38800000u

size_t part_ram_length(void)
{
        size_t length = 0;

        for (size_t i = 0; i < LENGTH_OF(rams); i++)
                length += rams[i].length;
        return length;
}

static bool holds(uint32_t start, uint32_t length, uint32_t address, uint32_t count)
{
        return address >= start && address - start < length && count <= length - (address - start);
}

uint8_t *part_ram(struct simulated_part *part, uint32_t address, uint32_t length)
{
        uint8_t *at = part->ram;

        for (size_t i = 0; i < LENGTH_OF(rams); i++) {
                if (holds(rams[i].address, rams[i].length, address, length))
                        return at + (address - rams[i].address);
                at += rams[i].length;
        }
        return NULL;
}

/* RDP level 1 shuts flash and backup SRAM to the debugger (targets.md 5.1, 1.2). */
static bool is_shut(const struct simulated_part *part, uint32_t address)
{
        return part->protection >= 1 && holds(BACKUP_ADDRESS, 4 << 10, address, 1);
}

unsigned part_ram_memories(struct simulated_part *part,
                           struct core_memory ret_memories[CORE_MEMORIES_MAX])
{
        uint8_t *at = part->ram;
        unsigned count = 0;

        for (size_t i = 0; i < LENGTH_OF(rams); i++) {
                if (!is_shut(part, rams[i].address))
                        ret_memories[count++] = (struct core_memory){ .address = rams[i].address,
                                                                      .length = rams[i].length,
                                                                      .bytes = at };
                at += rams[i].length;
        }
        return count;
}

/* --- read-only words ----------------------------------------------------------------------- */

/* Marker of the RSS profile, unique id and flash size; the code of the boot loader is not modelled
 * and reads as erased. */
static uint8_t system_byte(const struct simulated_part *part, uint32_t address)
{
        const struct family *family = part->family;
        const struct rss_profile *rss = part->rss;
        uint32_t kib = (uint32_t)(part->flash_length >> 10);

        if (rss->marker_address != 0 && address >= rss->marker_address &&
            address - rss->marker_address < strlen(rss->marker))
                return (uint8_t)rss->marker[address - rss->marker_address];
        if (holds(family->uid_address, 12, address, 1)) {
                uint32_t offset = address - family->uid_address;

                return (uint8_t)(part->record->unique_id[offset / 4] >> 8 * (offset % 4));
        }
        if (holds(family->flash_size_address, 2, address, 1))
                return (uint8_t)(kib >> 8 * (address - family->flash_size_address));
        return 0xFF;
}

static enum part_answer system_read(const struct simulated_part *part, uint32_t address, void *data,
                                    unsigned width)
{
        for (unsigned i = 0; i < width; i++)
                ((uint8_t *)data)[i] = system_byte(part, address + i);
        return PART_OK;
}

/* Offset 0 is the id code, the rest are switches that only keep their value. */
static uint32_t apb_read(const struct simulated_part *part, uint32_t offset)
{
        if (offset == DBGMCU_APB_ADDRESS - APB_ADDRESS)
                return part->record->revision << 16 | part->record->device_id;
        return part->apb[offset / 4];
}

/* --- registers ----------------------------------------------------------------------------- */

/* APB-D is seen twice: from AP 2, and from AXI at 0x5C000000 (DBGMCU of both: targets.md 1.1, 1.2; the
 * trace funnel at + 0x4000 of both: OpenOCD target/stm32h7x.cfg). False: not a place of this kind. */
static bool apb_offset(unsigned ap, uint32_t address, uint32_t *ret_offset)
{
        if (ap == AP_APB && holds(APB_ADDRESS, APB_LENGTH, address, 4))
                *ret_offset = address - APB_ADDRESS;
        else if (ap == AP_CORE && holds(APB_AXI_ADDRESS, APB_LENGTH, address, 4))
                *ret_offset = address - APB_AXI_ADDRESS;
        else
                return false;
        return true;
}

static enum part_answer register_read(struct simulated_part *part, unsigned ap, uint32_t address,
                                      uint32_t *ret_value)
{
        uint32_t offset;

        if (apb_offset(ap, address, &offset)) {
                *ret_value = apb_read(part, offset);
                return PART_OK;
        }
        if (ap != AP_CORE)
                return PART_FAULT;
        if (holds(PPB_ADDRESS, PPB_LENGTH, address, 4)) {
                *ret_value = part_core_read(part, address);
                return PART_OK;
        }
        if (holds(part->family->flash_registers, 0x1000, address, 4))
                return flash_register_read(part, address - part->family->flash_registers,
                                           ret_value);
        return PART_FAULT;
}

static enum part_answer register_write(struct simulated_part *part, unsigned ap, uint32_t address,
                                       uint32_t value)
{
        uint32_t offset;

        if (apb_offset(ap, address, &offset)) {
                part->apb[offset / 4] = value;
                return PART_OK;
        }
        if (ap != AP_CORE)
                return PART_FAULT;
        if (holds(PPB_ADDRESS, PPB_LENGTH, address, 4)) {
                part_core_write(part, address, value);
                return PART_OK;
        }
        if (holds(part->family->flash_registers, 0x1000, address, 4))
                return flash_register_write(part, address - part->family->flash_registers, value);
        return PART_FAULT;
}

static bool is_dead_under_reset(const struct simulated_part *part, unsigned ap, uint32_t address)
{
        return part->is_reset_held && ap == AP_CORE && !holds(PPB_ADDRESS, PPB_LENGTH, address, 1);
}

enum part_answer part_bus_read(struct simulated_part *part, unsigned ap, uint32_t address,
                               void *data, unsigned width)
{
        const struct family *family = part->family;
        enum part_answer answer;
        const uint8_t *ram;
        uint32_t word = 0;

        if (is_dead_under_reset(part, ap, address))
                return PART_FAULT;
        if (ap == AP_CORE) {
                ram = part_ram(part, address, width);
                if (ram && !is_shut(part, address)) {
                        memcpy(data, ram, width);
                        return PART_OK;
                }
                if (flash_holds(part, address, width))
                        return flash_read(part, address, data, width);
                if (holds(family->system_memory, family->system_memory_length, address, width))
                        return system_read(part, address, data, width);
        }
        answer = register_read(part, ap, address & ~3u, &word);
        if (answer != PART_OK)
                return answer;
        for (unsigned i = 0; i < width; i++)
                ((uint8_t *)data)[i] = (uint8_t)(word >> 8 * ((address & 3u) + i));
        return PART_OK;
}

enum part_answer part_bus_write(struct simulated_part *part, unsigned ap, uint32_t address,
                                const void *data, unsigned width)
{
        if (is_dead_under_reset(part, ap, address))
                return PART_FAULT;
        if (ap == AP_CORE) {
                uint8_t *ram = part_ram(part, address, width);

                if (ram && !is_shut(part, address)) {
                        memcpy(ram, data, width);
                        core_memory_changed(part, address, width);
                        rss_mailbox_written(part, address, width);
                        return PART_OK;
                }
                if (flash_holds(part, address, width))
                        return flash_write(part, address, data, width);
        }
        if (width != 4)
                return PART_FAULT;
        return register_write(part, ap, address, load_le32(data));
}

/* --- many words at once -------------------------------------------------------------------- */

static bool may_move_block(const struct simulated_part *part, unsigned ap)
{
        return ap == AP_CORE && part_answers(part) && !part->is_reset_held && !part_is_sticky(part);
}

size_t part_read_block(struct simulated_part *part, uint64_t now_ns, unsigned ap, uint32_t address,
                       void *data, size_t length)
{
        const uint8_t *from;

        part_advance(part, now_ns);
        if (!may_move_block(part, ap) || length == 0 || length > UINT32_MAX)
                return 0;
        from = part_ram(part, address, (uint32_t)length);
        if (from && !is_shut(part, address)) {
                memcpy(data, from, length);
                return length;
        }
        if (flash_holds(part, address, (uint32_t)length) &&
            flash_read(part, address, data, length) == PART_OK)
                return length;
        return 0;
}

size_t part_write_block(struct simulated_part *part, uint64_t now_ns, unsigned ap, uint32_t address,
                        const void *data, size_t length)
{
        uint8_t *to;

        part_advance(part, now_ns);
        if (!may_move_block(part, ap) || length == 0 || length > UINT32_MAX)
                return 0;
        to = part_ram(part, address, (uint32_t)length);
        if (!to || is_shut(part, address))
                return 0;
        memcpy(to, data, length);
        core_memory_changed(part, address, (uint32_t)length);
        rss_mailbox_written(part, address, (uint32_t)length);
        return length;
}
