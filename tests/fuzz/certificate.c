/*
 * Any bytes as a chip certificate, and its key as the one a license is bound to: what was accepted
 * must get a license, and must be accepted again under its own product id.
 */
#include "tests/support/fuzz.h"

#include "crypto/license.h"
#include "scheduler/bytes.h"

#include <stdlib.h>

static void check(int claim)
{
        if (!claim)
                abort();
}

/* The same bytes as a license, too: none may open with a fixed chip's key. */
static void check_as_license(const uint8_t *data, size_t length)
{
        static const uint8_t seed[32] = { 1 };
        uint8_t private_key[PRIVATE_KEY_LENGTH], public_key[64];
        uint8_t key[GCM_KEY_LENGTH], nonce[SFI_NONCE_LENGTH], license[LICENSE_LENGTH] = { 0 };

        memcpy(license, data, length < sizeof(license) ? length : sizeof(license));
        license_chip_key(seed, private_key, public_key);
        check(license_open(license, "SFI", private_key, key, nonce) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static const uint8_t key[GCM_KEY_LENGTH], nonce[SFI_NONCE_LENGTH];
        uint8_t entropy[32] = { 2 }, license[LICENSE_LENGTH];
        struct certificate certificate, again;

        if (length)
                check_as_license(data, length);
        if (certificate_parse(data, length, NULL, &certificate) < 0)
                return 0;
        check(length == CERTIFICATE_LENGTH);
        check(memcmp(certificate.bytes, data, length) == 0);
        check(strlen(certificate.product_id) == PRODUCT_ID_LENGTH);
        check(strlen(certificate.fingerprint) == 16);
        check(certificate.device_id <= 0xFFF);
        check(certificate_parse(data, length, certificate.product_id, &again) == 0);
        check(strcmp(again.product_id, certificate.product_id) == 0);
        check(strcmp(again.fingerprint, certificate.fingerprint) == 0);
        check(license_issue(&certificate, "SFI", key, nonce, entropy, license) == 0);
        return 0;
}
