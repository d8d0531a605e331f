/*
 * stlink_version.c - version words, what they are called, and the oldest we work with.
 *
 * The floor is V2J32 and V3J3: from there on memory commands carry CSW and AP, several APs can be
 * open, and blocks may cross 1 KiB (stlink.md 4.3, 9.2). Every major from 3 on is treated alike.
 */
#include "drivers/stlink_version.h"

#include "drivers/usb_identity.h"
#include "scheduler/bytes.h"

#include <stdio.h>

#define V2_FLOOR 32u
#define V3_FLOOR 3u

/* The Nucleo boards for STM8 carry the same product ids and cannot do SWD (stlink.md 4.1). */
static bool is_stm8_nucleo(unsigned x, unsigned y)
{
        return (x <= 22 && y == 7) || (x >= 25 && y >= 7 && y <= 12);
}

static void write_text(struct stlink_version *version)
{
        const struct {
                char letter;
                uint8_t number;
        } parts[] = { { 'M', version->storage },
                      { 'B', version->bridge },
                      { 'S', version->swim },
                      { 'P', version->power } };
        size_t length = (size_t)snprintf(version->text, sizeof(version->text), "V%uJ%u",
                                         version->major, version->jtag);

        for (size_t i = 0; i < LENGTH_OF(parts); i++)
                if (parts[i].number && length < sizeof(version->text))
                        length += (size_t)snprintf(version->text + length,
                                                   sizeof(version->text) - length, "%c%u",
                                                   parts[i].letter, parts[i].number);
}

bool stlink_version_parse(const uint8_t answer[static STLINK_VERSION_LENGTH], uint16_t product,
                          struct stlink_version *ret_version)
{
        unsigned word = load_be16(answer);
        uint8_t x = word >> 6 & 0x3F, y = word & 0x3F;

        *ret_version = (struct stlink_version){
                .major = (uint8_t)(word >> 12),
                .vendor = load_le16(answer + 2),
                .product = load_le16(answer + 4),
        };
        if (product == 0x374B || product == 0x3752) {
                if (is_stm8_nucleo(x, y)) {
                        ret_version->storage = x;
                        ret_version->swim = y;
                } else {
                        ret_version->jtag = x;
                        ret_version->storage = y;
                }
        } else {
                ret_version->jtag = x;
                if (product == 0x3748)
                        ret_version->swim = y;
                else
                        ret_version->storage = y;
        }
        write_text(ret_version);
        return ret_version->major >= 3;
}

void stlink_version_parse_ex(const uint8_t answer[static STLINK_VERSION_EX_LENGTH],
                             struct stlink_version *ret_version)
{
        *ret_version = (struct stlink_version){
                .major = answer[0],
                .swim = answer[1],
                .jtag = answer[2],
                .storage = answer[3],
                .bridge = answer[4],
                .power = answer[5],
                .vendor = load_le16(answer + 8),
                .product = load_le16(answer + 10),
        };
        write_text(ret_version);
}

int stlink_version_check(const struct stlink_version *version, const char *path)
{
        if (version->major < 2)
                return fault(FAULT_PROBE_OLD,
                             "%s: the probe reports %s; ST-LINK/V1 is not supported, use V3", path,
                             version->text);
        if (!version->jtag)
                return fault(FAULT_PROBE_OLD,
                             "%s: the probe firmware %s cannot do SWD; install the STM32 debug "
                             "firmware with ST-LINK Upgrade",
                             path, version->text);
        if (version->jtag < (version->major == 2 ? V2_FLOOR : V3_FLOOR))
                return fault(FAULT_PROBE_OLD,
                             "%s: the probe firmware is %s, V2J32 or V3J3 is the least; run "
                             "ST-LINK Upgrade",
                             path, version->text);
        return 0;
}
