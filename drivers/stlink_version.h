/*
 * stlink_version.h - what the two version answers say (stlink.md section 4). Pure.
 */
#pragma once

#include "drivers/stlink.h"

#define STLINK_VERSION_LENGTH    6u  /* GET_VERSION, F1 */
#define STLINK_VERSION_EX_LENGTH 12u /* GET_VERSION_EX, FB; major 3 and above */

/* Take apart the answer to F1. True when FB must be asked too. `product` is the USB product id,
 * for the loader of V2 answers another one. */
bool stlink_version_parse(const uint8_t answer[static STLINK_VERSION_LENGTH], uint16_t product,
                          struct stlink_version *ret_version);

void stlink_version_parse_ex(const uint8_t answer[static STLINK_VERSION_EX_LENGTH],
                             struct stlink_version *ret_version);

/* New enough for us: V2J32, V3J3 (stlink.md 4.3).
 *      -FAULT_PROBE_OLD  the sentence says what to install */
int stlink_version_check(const struct stlink_version *version, const char *path) MUST_USE;
