/*
 * card_memory.h - what a simulated card keeps without power; as a file, a card to carry about.
 *
 *   0  8 magic "GWCARD01"
 *   8  4 state: 0 ST, 1 OEM (blank), 2 operational. The commit word of PERSONALIZE, written last.
 *  12  4 counter          16  4 maximum
 *  20  4 version, 1 or 2  24  4 type, "SFI."
 *  28  8 serial
 *  36 32 key record: IV 16 with its last 4 zero, key 16 (AN5054 section 3.1.2)
 *  68 32 firmware id, padded with zeros
 * 100  8 product id, zeros on version 1    108  4 flow, "SFI."
 * 112  4 license version                  116  4 security version
 * 120  8 zero
 *
 * Integers are little-endian. What lies in the fields from 12 to 19 and from 36 on means nothing
 * until the state is operational: a card that lost power in PERSONALIZE is blank.
 */
#pragma once

#include "drivers/hsm.h"

#define CARD_MEMORY_LENGTH 128u

struct card_memory {
        char magic[8];
        uint32_t state; /* enum hsm_state */
        uint32_t counter, maximum;
        uint32_t version;
        char type[4];
        uint8_t serial[8];
        uint8_t iv[16], key[16];
        char firmware_id[FIRMWARE_ID_MAX];
        char product_id[PRODUCT_ID_LENGTH];
        char flow[4];
        uint32_t license_version, security_version;
        uint8_t zero[8];
};
_Static_assert(sizeof(struct card_memory) == CARD_MEMORY_LENGTH, "one layout");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is little-endian");

/* A blank card, in OEM_STATE. `type` is "SFI" or shorter than 5. */
struct card_memory card_memory_blank(unsigned version, const char *type, uint64_t serial);

/* Take over a file's bytes, checked whole. `name` is for sentences.
 *      -FAULT_BAD_FILE  offset, found, wanted */
int card_memory_parse(const char *name, const void *data, size_t length,
                      struct card_memory *ret_memory) MUST_USE;

uint64_t card_memory_serial(const struct card_memory *memory);

/* "SFI" filled up with dots to four, as in license.h. */
void card_memory_pad(const char *text, char ret_field[static 4]);

/* As cards are asked to burn it: printable and not empty, then zeros to the end. */
bool card_memory_is_firmware_id(const char field[static FIRMWARE_ID_MAX]);
bool card_memory_is_product_id(const char field[static PRODUCT_ID_LENGTH]);
/* Capitals, then dots. */
bool card_memory_is_type(const char field[static 4]);
