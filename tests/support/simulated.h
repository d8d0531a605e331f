/*
 * simulated.h - what tests of the simulated bench share: family and profiles as they are in
 * configs/, an image sealed with a test key, a license for a part.
 */
#pragma once

#include "tests/support/test.h"

#include "drivers/apdu.h"
#include "drivers/hsm.h"
#include "drivers/rss.h"
#include "scheduler/bytes.h"

/* Read once from configs/; the test program ends when they cannot be. */
const struct family *simulated_family(void);
const struct rss_profile *simulated_rss(void);
const struct card_profile *simulated_card_conf(void);

extern const uint8_t simulated_key[GCM_KEY_LENGTH];
extern const uint8_t simulated_nonce[SFI_NONCE_LENGTH];

/* Option-byte words of a C area: factory values with SECURITY and ST_RAM_SIZE 3 set, so that they
 * change nothing. */
void simulated_options(uint32_t ret_values[static OPTION_ROWS_MAX]);

/* Seal `count` areas with the test key, protocol 1. */
struct bytes simulated_image(const struct sfi_plain_area *areas, size_t count);

/* An image of one firmware area of `length` bytes at `address`, a byte pattern, and a C area. */
struct bytes simulated_small_image(uint32_t address, size_t length);
void simulated_pattern(uint8_t *data, size_t length);

/* The license of the test key for the chip of `certificate`. */
void simulated_license(const uint8_t certificate[static CERTIFICATE_LENGTH],
                       uint8_t ret_license[static LICENSE_LENGTH]);

/* Commands by the shipped card profile; what its INFO says of an answer. */
struct apdu simulated_apdu(enum card_command command, const struct apdu_values *values);
int simulated_read_info(const uint8_t *answer, size_t length, struct hsm_info *ret_info);
