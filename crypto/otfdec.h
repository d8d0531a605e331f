/*
 * otfdec.h - the cipher of the OTFDEC, which deciphers external memory while it is read.
 *
 * AES-128 in counter mode with a counter made of nonce, version, region and address, so that any 16
 * bytes can be read alone. Modes 00, 01 and 10 share it and differ in who may read; mode 11 is ST's
 * enhanced cipher, which is not public (RM0456, OTFDEC; spec/targets.md 8.2), and is not here.
 * Nothing here waits.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>
#include <stddef.h>

#define OTFDEC_REGIONS    4u  /* of one instance */
#define OTFDEC_KEY_LENGTH 16u /* in memory: KEYR0 to KEYR3, each little-endian */
#define OTFDEC_PAGE       4096u

/* MODE of a region. */
enum otfdec_mode {
        OTFDEC_INSTRUCTIONS,
        OTFDEC_DATA,
        OTFDEC_BOTH,
        OTFDEC_ENHANCED, /* instructions, a cipher that is not public */
};

/* What the cipher takes from a region's registers. Holds a key: wipe() it. */
struct otfdec_region {
        uint32_t key[4];   /* KEYR0 .. KEYR3 */
        uint32_t nonce[2]; /* NONCER0, NONCER1 */
        uint16_t version;
        uint8_t index; /* 0 .. 3, in its instance */
};

/* Is the cipher of `mode` known? */
static inline bool otfdec_is_public(unsigned mode)
{
        return mode < OTFDEC_ENHANCED;
}

/* Encrypt or decrypt, which are the same, `length` bytes that lie at `address`: any address, any
 * length, in place if wanted. */
void otfdec_crypt(const struct otfdec_region *region, uint32_t address, const void *from, void *to,
                  size_t length);

/* What KEYCRC shows once KEYR0 to KEYR3 are written. */
uint8_t otfdec_key_crc(const uint32_t key[static 4]);
