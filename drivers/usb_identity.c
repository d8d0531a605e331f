/*
 * usb_identity.c - the table of product ids, port paths, and the serial that old firmware garbles.
 */
#include "drivers/usb_identity.h"

#include "drivers/usb.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DESCRIPTOR_STRING 3u  /* USB 2.0 table 9-5 */
#define SERIAL_DIGITS     24u /* 96 bits in hexadecimal */
#define SERIAL_GOOD       (2u + SERIAL_DIGITS * 2u)
#define SERIAL_DEFECTIVE  (2u + SERIAL_DIGITS)

/* stlink.md 1.1 (ids) and 1.2 (endpoints). */
static const struct usb_product products[] = {
        { 0x3748, "ST-LINK/V2", false, 0x02, 0x81 },
        { 0x374A, "ST-LINK/V2-1 audio", false, 0x01, 0x81 },
        { 0x374B, "ST-LINK/V2-1", false, 0x01, 0x81 },
        { 0x3742, "ST-LINK/V2-1 without storage", false, 0x01, 0x81 },
        { 0x3752, "ST-LINK/V2-1 without storage", false, 0x01, 0x81 },
        { 0x374D, "ST-LINK/V3 loader", true, 0x01, 0x81 },
        { 0x374E, "ST-LINK/V3E", false, 0x01, 0x81 },
        { 0x374F, "ST-LINK/V3SET", false, 0x01, 0x81 },
        { 0x3753, "ST-LINK/V3 with two serial ports", false, 0x01, 0x81 },
        { 0x3754, "ST-LINK/V3 without storage", false, 0x01, 0x81 },
        { 0x3755, "ST-LINK/V3PWR loader", true, 0x01, 0x81 },
        { 0x3757, "ST-LINK/V3PWR", false, 0x01, 0x81 },
};

const struct usb_product *usb_product_find(uint16_t vendor, uint16_t product)
{
        if (vendor != USB_VENDOR_ST)
                return NULL;
        for (size_t i = 0; i < LENGTH_OF(products); i++)
                if (products[i].product == product)
                        return &products[i];
        return NULL;
}

char *usb_path_format(uint8_t bus, const uint8_t *ports, size_t count, char text[static 64])
{
        size_t length = (size_t)snprintf(text, 64, "%u-%u", bus, count ? ports[0] : 0u);

        for (size_t i = 1; i < count && length + 5 < 64; i++)
                length += (size_t)snprintf(text + length, 64 - length, ".%u", ports[i]);
        return text;
}

size_t usb_round_up(size_t length, size_t packet)
{
        return packet ? (length + packet - 1) / packet * packet : length;
}

/* 24 UTF-16 code units that must all be hexadecimal digits; anything else is not a serial. */
static bool decode_good(const uint8_t *descriptor, char *serial)
{
        for (size_t i = 0; i < SERIAL_DIGITS; i++) {
                uint8_t low = descriptor[2 + 2 * i], high = descriptor[3 + 2 * i];

                if (high || !isxdigit(low))
                        return false;
                serial[i] = (char)toupper(low);
        }
        serial[SERIAL_DIGITS] = '\0';
        return true;
}

/* 12 raw bytes, one a code unit; the upper half of each unit says nothing (stlink.md 2). */
static void decode_defective(const uint8_t *descriptor, char *serial)
{
        for (size_t i = 0; i < SERIAL_DIGITS / 2; i++)
                snprintf(serial + 2 * i, 3, "%02X", descriptor[2 + 2 * i]);
}

void usb_serial_decode(const uint8_t *descriptor, size_t length, char ret_serial[static 64])
{
        ret_serial[0] = '\0';
        if (length < 2 || descriptor[0] > length || descriptor[1] != DESCRIPTOR_STRING)
                return;
        if (descriptor[0] == SERIAL_GOOD) {
                if (!decode_good(descriptor, ret_serial))
                        ret_serial[0] = '\0';
        } else if (descriptor[0] == SERIAL_DEFECTIVE) {
                decode_defective(descriptor, ret_serial);
        }
}
