/*
 * perso_name.h - what the name of a personalization package says (AN5054 section 4.3.4).
 *
 *      STM32WBA5_49202013_SFIA_01000000_00000000.enc.bin    as ST ships them now
 *      47201003_SFI._01000000_00000000.enc.bin              AN5054's example, flow padded to four
 *      47201003_SFI_01000000_00000000.enc.bin               AN5054's general form
 *
 * that is family (may be absent), product id, flow, license version, security version. A version is
 * four bytes, least significant first: AN5054 reads 01000000 as version 1. The content is encrypted
 * for ST's cards and opaque to us.
 */
#pragma once

#include "drivers/hsm.h"

#define PERSO_SUFFIX ".enc.bin"

struct perso_name {
        char family[25]; /* "STM32WBA5"; "" when the name has none */
        struct hsm_personalization personalization;
};

/* `path` may have directories before the name. Never waits.
 *      -FAULT_BAD_VALUE  which part of the name is wrong, and the form wanted */
int perso_name_parse(const char *path, struct perso_name *ret_name) MUST_USE;
