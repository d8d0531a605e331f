/*
 * A raw serial descriptor of any bytes: what comes out is nothing or 24 upper-case digits.
 */
#include "tests/support/fuzz.h"

#include "drivers/usb.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        char serial[64];
        size_t count;

        memset(serial, 'x', sizeof(serial));
        usb_serial_decode(data, length, serial);
        count = strnlen(serial, sizeof(serial));
        INSIST(count == 0 || count == 24);
        INSIST(strspn(serial, "0123456789ABCDEF") == count);
        return 0;
}
