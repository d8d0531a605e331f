/*
 * license_global.h - a license for any chip of a family (AN5054 sections 9.3.3 and 10.3.3).
 *
 * REFERENCE: ST's global license, its layout, length and the family key that protects it are not
 * public (spec/secure-install.md section 12.2). This one is ours, in the shape of license.h so that
 * it takes the same way to the target:
 *
 *   0  4 type "SFIG"      4  4 session id 0        8  4 license version 1
 *  12  4 minimum security version 0                16  8 "GWREFGLB", which marks it
 *  24 12 IV              36 52 zero                88 32 encrypted IV (16) and key (16)
 * 120 16 tag
 *
 * The key that encrypts it is a constant of this program, so the file protects its contents from
 * change but from nobody's eyes: treat it as the key itself. No real chip takes it.
 */
#pragma once

#include "crypto/gcm.h"

#include <stdbool.h>

#define LICENSE_GLOBAL_LENGTH 136

/* The same key and nonce give the same bytes. The caller wipes. */
void license_global_make(const uint8_t key[static GCM_KEY_LENGTH],
                         const uint8_t nonce[static GCM_IV_LENGTH],
                         uint8_t ret_license[static LICENSE_GLOBAL_LENGTH]);

/* Does it begin like one? */
bool license_global_is(const void *license, size_t length);

/*      -FAULT_BAD_LICENSE  not one, or changed */
int license_global_open(const uint8_t license[static LICENSE_GLOBAL_LENGTH],
                        uint8_t ret_key[static GCM_KEY_LENGTH],
                        uint8_t ret_nonce[static GCM_IV_LENGTH]) MUST_USE;
