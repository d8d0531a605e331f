/*
 * nonce_range.h - the set of IVs that sealing one image uses, and whether two such sets meet.
 *
 * An image of `areas` areas uses areas + 1 IVs: index 0 is the header and is the nonce itself, 1 and
 * up are the areas, counted from the nonce by a policy (crypto/sfi.h, sfi_iv). What counts as "the
 * next IV" differs by policy, so two nonces that look far apart may meet, and two that are
 * neighbours by one policy are not by another. Pure arithmetic: nothing here waits or fails.
 */
#pragma once

#include "crypto/sfi.h"

/* The image's own count of areas is a 16-bit field (AN5054 figure 4), so no image goes further. */
#define NONCE_AREAS_MAX UINT16_MAX

struct nonce_range {
        uint8_t nonce[SFI_NONCE_LENGTH];
        enum sfi_iv_policy policy;
        uint32_t areas;
};

/* The index at which `range` uses `iv`: 0 .. areas, or -1 when it does not. */
int32_t nonce_range_index(const struct nonce_range *range, const uint8_t iv[static GCM_IV_LENGTH]);

/* True when some IV is in both; the indexes at which each uses it, the lowest in the shorter one. */
bool nonce_range_meet(const struct nonce_range *a, const struct nonce_range *b,
                      uint32_t *ret_index_a, uint32_t *ret_index_b);
