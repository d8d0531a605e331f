/*
 * certificate.h - the 136-byte chip certificate (AN5054 figure 36; TF-A stm32mp1_ssp.c).
 *
 *   0  3 device id, upper-case hex   3  2 security counter   5  1 reserved '0'   6  2 ST key number
 *   8 64 chip public key on P-256, x then y, big-endian
 *  72 64 signature r, s
 * What the signature covers and ST's public key are not public: a station can check the form only,
 * which catches corrupt reads before a license is spent.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#define CERTIFICATE_LENGTH 136
#define PRODUCT_ID_LENGTH  8

struct certificate {
        char product_id[PRODUCT_ID_LENGTH + 1]; /* "45002001" */
        uint16_t device_id;                     /* 0x450 */
        uint8_t bytes[CERTIFICATE_LENGTH];
        char fingerprint[17]; /* first 8 bytes of its SHA-256, hexadecimal */
};

/* Check length, hex digits, the product id (NULL: any), the key on P-256, r and s in range.
 *      -FAULT_BAD_CERTIFICATE  the sentence says which check failed */
int certificate_parse(const void *data, size_t length, const char *product_id,
                      struct certificate *ret_certificate) MUST_USE;
