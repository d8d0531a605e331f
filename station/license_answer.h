/*
 * license_answer.h - what the answer of a license server means: a license, or a fault.
 *
 * Pure: reads memory only.
 */
#pragma once

#include "crypto/license.h"

#define LICENSE_ANSWER_MAX 4096u /* no more of a body is looked at */

/* `status` of HTTP (RFC 9110 section 15), the body of `length` bytes (above LICENSE_ANSWER_MAX: it
 * was longer, the rest was not read) and what was asked for: "SFI", "SFIA", "SMU", "SSP". A license
 * opens with its type, filled up with dots to four characters; one for SFIA may say "SFI.", since
 * SFIA is SFI by another card (secure-install.md section 12.3), and our own cards write it so.
 * Whether it is for this chip only the chip can see.
 *      -FAULT_SERVER_REFUSED  4xx, with up to 120 printable characters of the body
 *      -FAULT_SERVER          any other status, or a body that is no such license */
int license_answer_read(unsigned status, const uint8_t *body, size_t length, const char *type,
                        uint8_t ret_license[static LICENSE_LENGTH]) MUST_USE;
