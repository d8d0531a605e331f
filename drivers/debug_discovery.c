/*
 * debug_discovery.c - pieces one after the other, by a table of types.
 *
 * Whether the pieces are padded is not said; the answer is read as padded, and if that does not come
 * out, as packed. A type that is not known is passed over, one that is must have its length.
 */
#include "drivers/debug_discovery.h"

#include <stdio.h>

#define PIECE_HEAD      8u
#define PASSWORD_SYSTEM 0x80u /* ST's N6 service; ADAC ends below 0x0A */

enum {
        TYPE_VERSION = 0x0001,
        TYPE_VENDOR = 0x0002,
        TYPE_SOC_CLASS = 0x0003,
        TYPE_SOC_ID = 0x0004,
        TYPE_PERMISSIONS = 0x0007,
        TYPE_LIFE_CYCLE = 0x0008,
        TYPE_SERVICE = 0x000A,
        TYPE_SYSTEMS = 0x0102,
        TYPE_INTEGRITY = 0x8000,
};

static const struct {
        uint16_t type;
        uint8_t length; /* 0: any */
} known[] = {
        { TYPE_VERSION, 2 }, { TYPE_VENDOR, 2 },       { TYPE_SOC_CLASS, 4 },
        { TYPE_SOC_ID, 16 }, { TYPE_PERMISSIONS, 16 }, { TYPE_LIFE_CYCLE, 2 },
        { TYPE_SERVICE, 4 }, { TYPE_SYSTEMS, 0 },      { TYPE_INTEGRITY, 4 },
};

struct reader {
        const uint8_t *bytes;
        size_t length, at;
        unsigned unit; /* 4 padded, 1 packed */
        struct debug_discovery *to;
};

static void take_systems(struct debug_discovery *to, const uint8_t *value, uint32_t length)
{
        for (uint32_t i = 0; i < length; i++) {
                to->methods |= value[i] == ADAC_ECDSA_P256 ? BY_CERTIFICATE : 0;
                to->methods |= value[i] == PASSWORD_SYSTEM ? BY_PASSWORD : 0;
        }
}

static void take(struct debug_discovery *to, uint16_t type, const uint8_t *value, uint32_t length)
{
        switch (type) {
        case TYPE_VERSION:
                memcpy(to->version, value, sizeof(to->version));
                break;
        case TYPE_SOC_CLASS:
                to->soc_class = load_le32(value);
                break;
        case TYPE_SOC_ID:
                for (unsigned i = 0; i < 4; i++)
                        to->soc_id[i] = load_le32(value + 4 * i);
                break;
        case TYPE_PERMISSIONS:
                memcpy(to->permissions, value, sizeof(to->permissions));
                break;
        case TYPE_LIFE_CYCLE:
                to->life_cycle = load_le16(value);
                break;
        case TYPE_SERVICE:
                memcpy(to->service, value, sizeof(to->service));
                break;
        case TYPE_SYSTEMS:
                take_systems(to, value, length);
                break;
        case TYPE_INTEGRITY:
                to->integrity = load_le32(value);
                to->has_integrity = true;
                break;
        }
}

static int read_piece(struct reader *from)
{
        const uint8_t *piece = from->bytes + from->at;
        size_t rest = from->length - from->at;
        uint32_t length;
        uint16_t type;

        if (rest < PIECE_HEAD || load_le16(piece))
                return fault(FAULT_RSS,
                             "discovery, offset %zu of %zu: found no piece of type, length and "
                             "value",
                             from->at, from->length);
        type = load_le16(piece + 2);
        length = load_le32(piece + 4);
        if (length > rest - PIECE_HEAD)
                return fault(FAULT_RSS,
                             "discovery, offset %zu of %zu: a piece of type 0x%04X has %u bytes, "
                             "%zu are left",
                             from->at, from->length, type, length, rest - PIECE_HEAD);
        for (size_t i = 0; i < LENGTH_OF(known); i++)
                if (known[i].type == type && known[i].length && known[i].length != length)
                        return fault(FAULT_RSS,
                                     "discovery, offset %zu: type 0x%04X has %u bytes, wanted %u",
                                     from->at, type, length, known[i].length);
        take(from->to, type, piece + PIECE_HEAD, length);
        from->at += PIECE_HEAD + (length + from->unit - 1) / from->unit * from->unit;
        return 0;
}

/* What is left at the end of packed pieces fills the last word. */
static bool is_filling(const struct reader *from)
{
        if (from->length - from->at >= 4)
                return false;
        for (size_t i = from->at; i < from->length; i++)
                if (from->bytes[i])
                        return false;
        return true;
}

static int read_pieces(struct reader *from)
{
        unsigned count = 0;

        while (from->at < from->length && !is_filling(from)) {
                int r = read_piece(from);

                if (r < 0)
                        return r;
                if (++count > DISCOVERY_PIECES)
                        return fault(FAULT_RSS, "discovery has more than %u pieces",
                                     DISCOVERY_PIECES);
        }
        return 0;
}

int debug_discovery_parse(const void *answer, size_t length, struct debug_discovery *ret_discovery)
{
        struct debug_discovery found = { 0 };
        struct reader from = { answer, length, 0, 4, &found };
        int r;

        if (length > DISCOVERY_MAX)
                return fault(FAULT_RSS, "discovery has %zu bytes, at most %u are read", length,
                             DISCOVERY_MAX);
        r = read_pieces(&from);
        if (r < 0) {
                found = (struct debug_discovery){ 0 };
                from.at = 0;
                from.unit = 1;
                r = read_pieces(&from);
        }
        if (r < 0)
                return r;
        if (!found.soc_class)
                return fault(FAULT_RSS, "discovery, %zu bytes: no SoC class, so no device id",
                             length);
        snprintf(found.unique_id_text, sizeof(found.unique_id_text), "%08X%08X%08X",
                 found.soc_id[2], found.soc_id[1], found.soc_id[0]);
        *ret_discovery = found;
        return 0;
}

const char *debug_life_cycle_name(uint16_t life_cycle)
{
        switch (life_cycle >> 8) {
        case 0x10:
                return "assembly and test";
        case 0x20:
                return "provisioning";
        case 0x30:
                return "secured";
        case 0x40:
        case 0x50:
                return "debug";
        case 0x60:
                return "decommissioned";
        default:
                return "not known";
        }
}
