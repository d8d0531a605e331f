/*
 * The bus of a simulated part: which address is what, through which access port.
 *
 * The core's port (AP 0 or 1) shows everything, except that the AXI side (all but the core's own
 * registers) is dead while NRST is held (targets.md 1.2; that this holds outside the H7 lines is an
 * estimate). AP 2 of the H7 is APB-D: debug components only, alive under NRST. What is not here
 * faults, as an absent slave does on silicon. Of TrustZone the flash knows its worlds; RAM is seen
 * from both, for GTZC is not modelled.
 *
 * Sources of the map: targets.md 1.1, 1.3, 2.1 to 2.3 and 7. Registers take whole words only; SRAM and
 * flash any width.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

size_t part_ram_length(const struct simulated_part *part)
{
        size_t length = 0;

        for (size_t i = 0; i < part->family->ram_count; i++)
                length += part->family->rams[i].length;
        return length;
}

size_t part_plain_length(const struct family *family)
{
        size_t length = 0;

        for (size_t i = 0; i < family->plain_count; i++)
                length += family->plain[i].length;
        return length;
}

static bool holds(uint32_t start, uint32_t length, uint32_t address, uint32_t count)
{
        return address >= start && address - start < length && count <= length - (address - start);
}

/* In the order of the file: the one that is used most comes first. */
uint8_t *part_ram(struct simulated_part *part, uint32_t address, uint32_t length)
{
        uint8_t *at = part->ram;

        for (size_t i = 0; i < part->family->ram_count; i++) {
                const struct family_range *ram = &part->family->rams[i];

                if (holds(ram->address, ram->length, address, length))
                        return at + (address - ram->address);
                at += ram->length;
        }
        return NULL;
}

/* RDP level 1 shuts flash and backup SRAM to the debugger (targets.md 5.1, 1.2). */
static bool is_shut(const struct simulated_part *part, uint32_t address)
{
        const struct family_range *backup = &part->family->backup_ram;

        return part->protection >= LEVEL_1 && holds(backup->address, backup->length, address, 1);
}

unsigned part_ram_memories(struct simulated_part *part, struct core_memory *ret_memories)
{
        uint8_t *at = part->ram;
        unsigned count = 0;

        for (size_t i = 0; i < part->family->ram_count; i++) {
                const struct family_range *ram = &part->family->rams[i];

                if (!is_shut(part, ram->address))
                        ret_memories[count++] = (struct core_memory){ .kind = CORE_RAM,
                                                                      .address = ram->address,
                                                                      .length = ram->length,
                                                                      .bytes = at };
                at += ram->length;
        }
        return count;
}

/* The register at `address`; NULL: it is none that only keeps its value. */
static uint32_t *plain_register(const struct simulated_part *part, uint32_t address)
{
        uint32_t *at = part->plain;

        for (size_t i = 0; i < part->family->plain_count; i++) {
                const struct family_range *plain = &part->family->plain[i];

                if (holds(plain->address, plain->length, address, 4))
                        return at + (address - plain->address) / 4;
                at += plain->length / 4;
        }
        return NULL;
}

/* With the status bits that hardware would have set meanwhile. */
static uint32_t plain_read(const struct simulated_part *part, uint32_t address, uint32_t value)
{
        uint32_t shown = value;

        for (size_t i = 0; i < part->family->follower_count; i++) {
                const struct family_follower *follower = &part->family->followers[i];

                if (follower->address != address)
                        continue;
                shown &= ~(follower->bits << follower->shift);
                shown |= follower->ones | (value & follower->bits) << follower->shift;
        }
        return shown;
}

/* --- two worlds ---------------------------------------------------------------------------- */

/* Families with TrustZone show everything a second time on the secure side: flash, RAM, registers.
 * That side is there while TrustZone is on, for a debugger that sees everything; a bus fault
 * otherwise is an estimate. False: there is nothing at that address. */
static bool find_world(const struct simulated_part *part, uint32_t *address, bool *ret_is_secure)
{
        const struct family *family = part->family;
        uint32_t plain = family_plain_address(family, *address);

        *ret_is_secure = false;
        if (!family_has_trustzone(family))
                return true;
        if (plain == *address) {
                uint32_t below = plain - SECURE_PERIPHERALS;

                for (size_t i = 0; i < family->ram_count; i++)
                        if (holds(family->rams[i].address, family->rams[i].length, below, 1))
                                plain = below;
                if (holds(family->flash_registers, FLASH_REGISTERS, below, 1) ||
                    otfdec_holds(part, below) || octospi_holds(part, below) ||
                    plain_register(part, below & ~3u))
                        plain = below;
        }
        *ret_is_secure = plain != *address;
        *address = plain;
        return !*ret_is_secure || (part->is_trustzone_on && part->protection == LEVEL_0);
}

#define DBGMCU_LENGTH 0x1000u

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

#define IDENTITY_LENGTH 0x1000u /* system words around the unique id: targets.md 1.3 */

static bool is_identity(const struct family *family, uint32_t address, uint32_t count)
{
        return holds(family->uid_address & ~(IDENTITY_LENGTH - 1), IDENTITY_LENGTH, address, count);
}

static bool has_apb(const struct family *family)
{
        return family->sequence == FAMILY_H7 || family->sequence == FAMILY_H7AB;
}

/* Where DBGMCU lies: on the H7 in the APB-D window, elsewhere in a block of its own. */
static uint32_t identity_offset(const struct family *family)
{
        return has_apb(family) ? family->idcode_address - APB_AXI_ADDRESS
                               : family->idcode_address & (DBGMCU_LENGTH - 1);
}

/* The id code; the rest are switches that only keep their value. */
static uint32_t apb_read(const struct simulated_part *part, uint32_t offset)
{
        if (offset == identity_offset(part->family))
                return part->record->revision << 16 | part->record->device_id;
        return part->apb[offset / 4];
}

/* --- registers ----------------------------------------------------------------------------- */

/* APB-D of the H7 is seen twice: from AP 2, and from AXI at 0x5C000000 (DBGMCU of both: targets.md
 * 1.1, 1.2; the trace funnel at + 0x4000 of both: OpenOCD target/stm32h7x.cfg). Elsewhere there is
 * DBGMCU at its address. False: not a place of this kind. */
static bool apb_offset(const struct family *family, unsigned ap, uint32_t address,
                       uint32_t *ret_offset)
{
        uint32_t base = family->idcode_address & ~(DBGMCU_LENGTH - 1);

        if (!has_apb(family) && holds(base, DBGMCU_LENGTH, address, 4))
                *ret_offset = address - base;
        else if (has_apb(family) && ap == AP_APB && holds(APB_ADDRESS, APB_LENGTH, address, 4))
                *ret_offset = address - APB_ADDRESS;
        else if (has_apb(family) && ap == family->access_port &&
                 holds(APB_AXI_ADDRESS, APB_LENGTH, address, 4))
                *ret_offset = address - APB_AXI_ADDRESS;
        else
                return false;
        return true;
}

/* FLASH_ACR, first register of each kind of controller, on the H7 in the set of each bank: wait states, which
 * the code that changes clocks reads back. Kept, and without effect. */
#define FLASH_WAITS 0x3Fu
static bool is_flash_access(const struct simulated_part *part, uint32_t address)
{
        uint32_t offset = address - part->family->flash_registers;

        return offset == 0 || (part->sequence->has_set_a_bank && offset == 0x100);
}

static enum part_answer register_read(struct simulated_part *part, unsigned ap, bool is_secure,
                                      uint32_t address, uint32_t *ret_value)
{
        uint32_t offset, *plain;

        if (apb_offset(part->family, ap, address, &offset)) {
                *ret_value = apb_read(part, offset);
                return PART_OK;
        }
        if (ap != part->family->access_port)
                return PART_FAULT;
        if (holds(PPB_ADDRESS, PPB_LENGTH, address, 4)) {
                *ret_value = part_core_read(part, address);
                return PART_OK;
        }
        if (is_flash_access(part, address)) {
                *ret_value = part->flash_access;
                return PART_OK;
        }
        if (holds(part->family->flash_registers, FLASH_REGISTERS, address, 4))
                return part->sequence->read(part, is_secure,
                                            address - part->family->flash_registers, ret_value);
        if (otfdec_holds(part, address))
                return otfdec_read(part, is_secure, address - part->family->otfdec_registers,
                                   ret_value);
        plain = plain_register(part, address);
        *ret_value = plain ? plain_read(part, address, *plain) : 0;
        return plain ? PART_OK : PART_FAULT;
}

static enum part_answer register_write(struct simulated_part *part, unsigned ap, bool is_secure,
                                       uint32_t address, uint32_t value)
{
        uint32_t offset, *plain;

        if (apb_offset(part->family, ap, address, &offset)) {
                part->apb[offset / 4] = value;
                return PART_OK;
        }
        if (ap != part->family->access_port)
                return PART_FAULT;
        if (holds(PPB_ADDRESS, PPB_LENGTH, address, 4)) {
                part_core_write(part, address, value);
                return PART_OK;
        }
        if (is_flash_access(part, address)) {
                part->flash_access = value & FLASH_WAITS;
                return PART_OK;
        }
        if (holds(part->family->flash_registers, FLASH_REGISTERS, address, 4))
                return part->sequence->write(part, is_secure,
                                             address - part->family->flash_registers, value);
        if (otfdec_holds(part, address))
                return otfdec_write(part, is_secure, address - part->family->otfdec_registers,
                                    value);
        plain = plain_register(part, address);
        if (plain)
                *plain = value;
        return plain ? PART_OK : PART_FAULT;
}

/* A memory outside, through its controller and the cipher in front. */
static enum part_answer external_read(struct simulated_part *part, uint32_t address, void *data,
                                      size_t length)
{
        enum part_answer answer = octospi_see(part, address, data, length);

        return answer == PART_OK ? otfdec_see(part, address, data, length) : answer;
}

static bool is_dead_under_reset(const struct simulated_part *part, unsigned ap, uint32_t address)
{
        return part->is_reset_held && ap == part->family->access_port &&
               !holds(PPB_ADDRESS, PPB_LENGTH, address, 1);
}

enum part_answer part_bus_read(struct simulated_part *part, unsigned ap, uint32_t address,
                               void *data, unsigned width)
{
        const struct family *family = part->family;
        enum part_answer answer;
        const uint8_t *ram;
        uint32_t word = 0;
        bool is_secure;

        if (authentication_is_there(part, ap))
                return authentication_read(part, address, data, width);
        if (is_dead_under_reset(part, ap, address) || !find_world(part, &address, &is_secure))
                return PART_FAULT;
        if (ap == part->family->access_port) {
                ram = part_ram(part, address, width);
                if (ram && !is_shut(part, address)) {
                        memcpy(data, ram, width);
                        return PART_OK;
                }
                if (flash_holds(part, address, width))
                        return flash_read(part, is_secure, address, data, width);
                if (octospi_holds(part, address))
                        return octospi_read(part, address, data, width);
                if (family_external_at(family, address, width))
                        return external_read(part, address, data, width);
                if (holds(family->system_memory, family->system_memory_length, address, width) ||
                    is_identity(family, address, width))
                        return system_read(part, address, data, width);
        }
        answer = register_read(part, ap, is_secure, address & ~3u, &word);
        if (answer != PART_OK)
                return answer;
        for (unsigned i = 0; i < width; i++)
                ((uint8_t *)data)[i] = (uint8_t)(word >> 8 * ((address & 3u) + i));
        return PART_OK;
}

/* Priorities of interrupts may be written byte by byte: NVIC_IPR and SHPR (Armv7-M B3.2.10, B3.4.9). */
static bool is_priority(uint32_t address)
{
        return holds(0xE000E400, 0xF0, address, 1) || holds(0xE000ED18, 12, address, 1);
}

static enum part_answer priority_write(struct simulated_part *part, uint32_t address,
                                       const uint8_t *data, unsigned width)
{
        uint32_t word = part_core_read(part, address & ~3u);

        for (unsigned i = 0; i < width; i++) {
                unsigned low = 8 * ((address + i) & 3);

                word = (word & ~(0xFFu << low)) | (uint32_t)data[i] << low;
        }
        part_core_write(part, address & ~3u, word);
        return PART_OK;
}

enum part_answer part_bus_write(struct simulated_part *part, unsigned ap, uint32_t address,
                                const void *data, unsigned width)
{
        bool is_secure;

        if (authentication_is_there(part, ap))
                return width == 4 ? authentication_write(part, address, load_le32(data))
                                  : PART_FAULT;
        if (is_dead_under_reset(part, ap, address) || !find_world(part, &address, &is_secure))
                return PART_FAULT;
        if (ap == part->family->access_port) {
                uint8_t *ram = part_ram(part, address, width);

                if (ram && !is_shut(part, address)) {
                        memcpy(ram, data, width);
                        core_memory_changed(part, address, width);
                        rss_mailbox_written(part, address, width);
                        return PART_OK;
                }
                if (flash_holds(part, address, width))
                        return flash_write(part, is_secure, address, data, width);
                if (octospi_holds(part, address))
                        return octospi_write(part, address, data, width);
                if (width != 4 && is_priority(address))
                        return priority_write(part, address, data, width);
        }
        if (width != 4)
                return PART_FAULT;
        return register_write(part, ap, is_secure, address, load_le32(data));
}

/* --- many words at once -------------------------------------------------------------------- */

static bool may_move_block(const struct simulated_part *part, unsigned ap)
{
        return ap == part->family->access_port && part_has_access_port(part, ap) &&
               part_answers(part) && !part->is_reset_held && !part_is_sticky(part);
}

size_t part_read_block(struct simulated_part *part, uint64_t now_ns, unsigned ap, uint32_t address,
                       void *data, size_t length)
{
        const uint8_t *from;
        bool is_secure;

        part_advance(part, now_ns);
        if (!may_move_block(part, ap) || length == 0 || length > UINT32_MAX ||
            !find_world(part, &address, &is_secure))
                return 0;
        from = part_ram(part, address, (uint32_t)length);
        if (from && !is_shut(part, address)) {
                memcpy(data, from, length);
                return length;
        }
        if (flash_holds(part, address, (uint32_t)length) &&
            flash_read(part, is_secure, address, data, length) == PART_OK)
                return length;
        if (family_external_at(part->family, address, length) &&
            external_read(part, address, data, length) == PART_OK)
                return length;
        return 0;
}

size_t part_write_block(struct simulated_part *part, uint64_t now_ns, unsigned ap, uint32_t address,
                        const void *data, size_t length)
{
        uint8_t *to;
        bool is_secure;

        part_advance(part, now_ns);
        if (!may_move_block(part, ap) || length == 0 || length > UINT32_MAX ||
            !find_world(part, &address, &is_secure))
                return 0;
        to = part_ram(part, address, (uint32_t)length);
        if (!to || is_shut(part, address))
                return 0;
        memcpy(to, data, length);
        core_memory_changed(part, address, (uint32_t)length);
        rss_mailbox_written(part, address, (uint32_t)length);
        return length;
}
