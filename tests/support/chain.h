/*
 * chain.h - a certificate chain of root, intermediate and leaf for debug authentication, and the .obk that
 * provisions its root, with keys from fixed seeds.
 */
#pragma once

#include "crypto/adac.h"
#include "crypto/digest.h"
#include "crypto/obk.h"

struct test_chain {
        struct adac_chain chain;
        uint8_t private_key[3][CURVE_NUMBER_LENGTH];
};

/* Another `seed`, another root. Each certificate lets `permissions` through. */
static inline struct test_chain test_chain_make(uint8_t seed, uint16_t permissions)
{
        struct test_chain made = { .chain.count = 3 };

        for (unsigned i = 0; i < 3; i++) {
                struct adac_certificate *certificate = &made.chain.certificates[i];
                uint8_t bytes[CURVE_NUMBER_LENGTH] = { seed, (uint8_t)i };

                curve_private_key(bytes, made.private_key[i]);
                curve_public_key(made.private_key[i], certificate->public_key);
                certificate->role = (enum adac_role)(i + 1);
                certificate->usage = 1;
                store_le16(certificate->permissions, permissions);
                adac_certificate_make(certificate, made.private_key[i ? i - 1 : 0]);
        }
        return made;
}

/* 96 bytes behind the head: digest, then a 64-byte record (spec/secure-install.md section 10). */
static inline struct bytes test_credential(uint32_t destination, const void *secret, size_t length,
                                           uint16_t permissions)
{
        uint8_t payload[OBK_DA_LENGTH] = { 0 };

        digest_sha256(secret, length, payload + DIGEST_LENGTH);
        store_le16(payload + 2 * DIGEST_LENGTH, permissions);
        digest_sha256(payload + DIGEST_LENGTH, OBK_DA_RECORD_LENGTH, payload);
        return obk_build(destination, true, payload, sizeof(payload));
}
