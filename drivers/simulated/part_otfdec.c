/*
 * The OTFDEC of a simulated part: registers, locks, and what a read through it shows.
 *
 * An enabled region that holds an address deciphers what the bus reads there (crypto/otfdec.h). The
 * debugger makes data accesses: from a region for instructions it gets zeros and XONEIF, from one whose
 * key is not there zeros and KEIF (RM0456, OTFDEC; that zeros come is an estimate). Mode 11 is not
 * public and faults. Encryption through writes (CR.ENC of L5, U5, H5) is not modelled.
 *
 * Rules from targets.md 8.2: whole words; a key counts when its four words came in order; changing MODE
 * drops it; CONFIGLOCK locks all but the key and the key too, KEYLOCK key and MODE; locks go at a reset.
 * With TrustZone on only the secure alias programs.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define AT_CR       0x00u
#define AT_PRIVCFGR 0x10u
#define AT_ISR      0x300u
#define AT_ICR      0x304u
#define AT_IER      0x308u
#define AT_REGIONS  0x20u
#define REGION      0x30u

#define REG_EN         0x1u
#define CONFIGLOCK     0x2u
#define KEYLOCK        0x4u
#define MODE           0x30u
#define MODE_SHIFT     4u
#define WRITABLE       0xFFFF0037u /* VERSION, MODE, locks, REG_EN; KEYCRC is ours */
#define SECURITY_ERROR 0x1u
#define XONE           0x2u
#define KEY_ERROR      0x4u

/* --- registers ----------------------------------------------------------------------------- */

static unsigned instances(const struct simulated_part *part)
{
        unsigned count = part->family->otfdec_registers != 0;

        for (size_t i = 0; i < part->family->external_count; i++)
                if (part->family->externals[i].first_region >= OTFDEC_REGIONS)
                        count = OTFDEC_INSTANCES;
        return count;
}

bool otfdec_holds(const struct simulated_part *part, uint32_t address)
{
        uint32_t base = part->family->otfdec_registers;

        return base && address >= base && address - base < instances(part) * OTFDEC_DISTANCE;
}

void otfdec_reset(struct simulated_part *part)
{
        wipe(part->otfdecs, sizeof(part->otfdecs));
}

static uint32_t read_config(const struct otfdec_set *set)
{
        return set->config | (set->has_key ? (uint32_t)otfdec_key_crc(set->key) << 8 : 0);
}

static uint32_t region_read(const struct otfdec_set *set, uint32_t offset)
{
        switch (offset) {
        case 0x00:
                return read_config(set);
        case 0x04:
                return set->start;
        case 0x08:
                return set->end;
        case 0x0C:
        case 0x10:
                return set->nonce[(offset - 0x0C) / 4];
        default:
                return 0; /* keys are write-only */
        }
}

static void drop_key(struct otfdec_set *set)
{
        wipe(set->key, sizeof(set->key));
        set->keys = 0;
        set->has_key = false;
}

static void write_config(struct otfdec_set *set, uint32_t value)
{
        uint32_t locks = set->config & (CONFIGLOCK | KEYLOCK);

        if (set->config & CONFIGLOCK)
                return;
        if (set->config & KEYLOCK)
                value = (value & ~MODE) | (set->config & MODE);
        if ((value ^ set->config) & MODE)
                drop_key(set);
        set->config = (value & WRITABLE) | locks;
        if (set->config & CONFIGLOCK)
                set->config |= KEYLOCK;
}

static void write_key(struct otfdec_set *set, unsigned word, uint32_t value)
{
        if (set->config & KEYLOCK)
                return;
        if (word == 0)
                drop_key(set);
        if (word != set->keys) { /* out of order: begin again */
                drop_key(set);
                return;
        }
        set->key[word] = value;
        set->keys++;
        set->has_key = set->keys == 4;
}

static void region_write(struct otfdec_set *set, uint32_t offset, uint32_t value)
{
        bool is_locked = set->config & CONFIGLOCK;

        if (offset == 0x00)
                write_config(set, value);
        else if (offset == 0x04 && !is_locked)
                set->start = value;
        else if (offset == 0x08 && !is_locked)
                set->end = value;
        else if ((offset == 0x0C || offset == 0x10) && !is_locked)
                set->nonce[(offset - 0x0C) / 4] = value;
        else if (offset >= 0x14 && offset <= 0x20)
                write_key(set, (offset - 0x14) / 4, value);
}

static bool is_region(uint32_t offset)
{
        return offset >= AT_REGIONS && offset < AT_REGIONS + OTFDEC_REGIONS * REGION;
}

enum part_answer otfdec_read(struct simulated_part *part, bool is_secure, uint32_t offset,
                             uint32_t *ret_value)
{
        struct otfdec *otfdec = &part->otfdecs[offset / OTFDEC_DISTANCE];

        (void)is_secure; /* status may be read from both sides */
        offset %= OTFDEC_DISTANCE;
        *ret_value = 0;
        if (is_region(offset))
                *ret_value = region_read(&otfdec->sets[(offset - AT_REGIONS) / REGION],
                                         (offset - AT_REGIONS) % REGION);
        else if (offset == AT_CR)
                *ret_value = otfdec->control;
        else if (offset == AT_PRIVCFGR)
                *ret_value = otfdec->privilege;
        else if (offset == AT_ISR)
                *ret_value = otfdec->status;
        else if (offset == AT_IER)
                *ret_value = otfdec->enable;
        return PART_OK;
}

enum part_answer otfdec_write(struct simulated_part *part, bool is_secure, uint32_t offset,
                              uint32_t value)
{
        struct otfdec *otfdec = &part->otfdecs[offset / OTFDEC_DISTANCE];

        if (part->is_trustzone_on && !is_secure)
                return PART_OK; /* ignored */
        offset %= OTFDEC_DISTANCE;
        if (is_region(offset))
                region_write(&otfdec->sets[(offset - AT_REGIONS) / REGION],
                             (offset - AT_REGIONS) % REGION, value);
        else if (offset == AT_CR)
                otfdec->control = value & 1;
        else if (offset == AT_PRIVCFGR)
                otfdec->privilege = value & 1;
        else if (offset == AT_ICR)
                otfdec->status &= ~value;
        else if (offset == AT_IER)
                otfdec->enable = value & (SECURITY_ERROR | XONE | KEY_ERROR);
        return PART_OK;
}

/* --- reads through it ---------------------------------------------------------------------- */

/* The instance in front of the memory at `address`; NULL: none. */
static struct otfdec *instance_at(struct simulated_part *part, uint32_t address)
{
        const struct family_external *external = family_external_at(part->family, address, 1);

        if (!part->family->otfdec_registers || !external || !external->regions)
                return NULL;
        return &part->otfdecs[external->first_region / OTFDEC_REGIONS];
}

/* The enabled region that holds `address`, and how much of `length` has the same fate. Regions are
 * whole pages of 4 KiB. */
static struct otfdec_set *set_at(struct otfdec *otfdec, uint32_t address, size_t *length,
                                 unsigned *ret_index)
{
        size_t rest = OTFDEC_PAGE - address % OTFDEC_PAGE;

        if (rest < *length)
                *length = rest;
        for (unsigned i = 0; i < OTFDEC_REGIONS; i++) {
                struct otfdec_set *set = &otfdec->sets[i];

                if (set->config & REG_EN && address >= (set->start & ~(OTFDEC_PAGE - 1)) &&
                    address <= (set->end | (OTFDEC_PAGE - 1))) {
                        *ret_index = i;
                        return set;
                }
        }
        return NULL;
}

static enum part_answer see_piece(struct otfdec *otfdec, const struct otfdec_set *set,
                                  unsigned index, uint32_t address, uint8_t *data, size_t length)
{
        enum otfdec_mode mode = (enum otfdec_mode)((set->config & MODE) >> MODE_SHIFT);
        struct otfdec_region region = { .nonce = { set->nonce[0], set->nonce[1] },
                                        .version = (uint16_t)(set->config >> 16),
                                        .index = (uint8_t)index };

        if (!otfdec_is_public(mode))
                return PART_FAULT;
        if (mode == OTFDEC_INSTRUCTIONS || !set->has_key) {
                otfdec->status |= mode == OTFDEC_INSTRUCTIONS ? XONE : KEY_ERROR;
                memset(data, 0, length);
                return PART_OK;
        }
        memcpy(region.key, set->key, sizeof(region.key));
        otfdec_crypt(&region, address, data, data, length);
        wipe(&region, sizeof(region));
        return PART_OK;
}

enum part_answer otfdec_see(struct simulated_part *part, uint32_t address, void *data,
                            size_t length)
{
        struct otfdec *otfdec = instance_at(part, address);
        enum part_answer answer = PART_OK;
        uint8_t *bytes = data;

        while (otfdec && length > 0 && answer == PART_OK) {
                size_t count = length;
                unsigned index = 0;
                const struct otfdec_set *set = set_at(otfdec, address, &count, &index);

                if (set)
                        answer = see_piece(otfdec, set, index, address, bytes, count);
                address += (uint32_t)count;
                bytes += count;
                length -= count;
        }
        return answer;
}
