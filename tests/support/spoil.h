/*
 * spoil.h - ways in which a part may come that an install must not begin on (secure-install.md 13.7), for
 * any family: fields are found by what they do.
 */
#pragma once

#include "drivers/family_fields.h"
#include "drivers/simulated/part.h"

struct spoil {
        const char *name; /* "PCROP" */
        bool (*is_for)(const struct family *family);
        void (*spoil)(struct simulated_part *part, const struct family *family);
};

/* "RDP level 1", "RDP level 2", "closed", "provisioning", "TrustZone on", "security on", "not defaults",
 * "PCROP", "secure area", "write protection", "lock", "flash in use", "boot pin low", "other device".
 * The test ends when there is none of that name. */
const struct spoil *spoil_find(const char *name);
