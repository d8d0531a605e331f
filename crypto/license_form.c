/*
 * license_form.c - the open fields of a license record, by offset.
 */
#include "crypto/license_form.h"

#include "crypto/license.h"
#include "crypto/license_global.h"
#include "scheduler/bytes.h"

#include <stdio.h>

#define SESSION_OFFSET 4u
#define VERSION_OFFSET 8u
#define VERSION        1u

int license_form_check(const char *name, const void *data, size_t length, const char *type)
{
        const uint8_t *license = data;
        char wanted[8], found[2 * 4 + 1];

        if (length != LICENSE_LENGTH)
                return fault(FAULT_BAD_LICENSE, "%s has %zu bytes, a license has %u", name, length,
                             LICENSE_LENGTH);
        if (license_global_is(license, length))
                return fault(FAULT_BAD_LICENSE,
                             "%s is a global license, bound to no chip; name it in the order "
                             "instead",
                             name);
        snprintf(wanted, sizeof(wanted), "%.4s%s", type, strlen(type) < 4 ? "." : "");
        if (memcmp(license, wanted, 4) != 0)
                return fault(FAULT_BAD_LICENSE,
                             "%s offset 0: the type is %s in hexadecimal, wanted \"%.4s\"", name,
                             hex_encode(license, 4, found), wanted);
        if (load_le32(license + SESSION_OFFSET) != 0)
                return fault(FAULT_BAD_LICENSE,
                             "%s offset %u: the license is for live session 0x%08X, wanted 0", name,
                             SESSION_OFFSET, load_le32(license + SESSION_OFFSET));
        if (load_le32(license + VERSION_OFFSET) != VERSION)
                return fault(FAULT_BAD_LICENSE,
                             "%s offset %u: the license version is %u, wanted %u", name,
                             VERSION_OFFSET, load_le32(license + VERSION_OFFSET), VERSION);
        return 0;
}
