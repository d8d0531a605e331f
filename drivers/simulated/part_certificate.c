/*
 * The certificate of a simulated part (secure-install.md 8.2; crypto/certificate.h).
 *
 * What ST's signature covers is not public. Here a key of the simulator signs the first 72 bytes
 * with ECDSA P-256 over SHA-256. The nonce of the signature is derived from key and message, so the
 * same part gives the same certificate in every run.
 */
#include "drivers/simulated/part_private.h"

#include "crypto/digest.h"
#include "scheduler/bytes.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdio.h>

#define SIGNED_LENGTH 72u

/* "The ST key" of the simulator: a P-256 private key that signs nothing but simulated parts. It is
 * public by being here, and real silicon's certificates do not verify with it. */
static const uint8_t simulated_st_key[32] = "Gangway simulated ST key no. one";

static BIGNUM *number(const uint8_t bytes[static 32], const BIGNUM *order, BN_CTX *context)
{
        BIGNUM *value = BN_bin2bn(bytes, 32, NULL);

        INSIST(value && BN_nnmod(value, value, order, context));
        return value;
}

/* k = SHA-256(key, digest, "k") modulo the order: deterministic, never told, one per message. */
static BIGNUM *signature_nonce(const uint8_t digest[static 32], const BIGNUM *order,
                               BN_CTX *context)
{
        const struct piece pieces[] = { { simulated_st_key, sizeof(simulated_st_key) },
                                        { digest, 32 },
                                        { "k", 1 } };
        uint8_t bytes[DIGEST_LENGTH];

        digest_sha256_pieces(pieces, LENGTH_OF(pieces), bytes);
        return number(bytes, order, context);
}

/* r = x(kG) mod n, s = (z + r d) / k mod n: FIPS 186-4 section 6.4. */
static void sign(const uint8_t digest[static 32], uint8_t ret_signature[static 64])
{
        EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
        BN_CTX *context = BN_CTX_new();
        const BIGNUM *order = EC_GROUP_get0_order(group);
        EC_POINT *point = EC_POINT_new(group);
        BIGNUM *d = number(simulated_st_key, order, context);
        BIGNUM *z = number(digest, order, context);
        BIGNUM *k = signature_nonce(digest, order, context);
        BIGNUM *r = BN_new(), *s = BN_new();

        INSIST(point && r && s && EC_POINT_mul(group, point, k, NULL, NULL, context) &&
               EC_POINT_get_affine_coordinates(group, point, r, NULL, context) &&
               BN_nnmod(r, r, order, context) && BN_mod_mul(s, r, d, order, context) &&
               BN_mod_add(s, s, z, order, context) && BN_mod_inverse(k, k, order, context) &&
               BN_mod_mul(s, s, k, order, context));
        INSIST(BN_bn2binpad(r, ret_signature, 32) == 32 &&
               BN_bn2binpad(s, ret_signature + 32, 32) == 32);
        BN_free(r);
        BN_free(s);
        BN_clear_free(d);
        BN_free(z);
        BN_clear_free(k);
        EC_POINT_free(point);
        BN_CTX_free(context);
        EC_GROUP_free(group);
}

#define PRODUCT_REST "02001" /* counter, reserved, ST key: as AN5054 4.3.4 shows it for the H7 */

/* The device id is the part's own: a wrong part says so in its certificate too. What follows is an
 * estimate where the family's is not public. */
void part_product_id(const struct family *family, uint32_t device_id,
                     char ret_product[static PRODUCT_ID_LENGTH + 1])
{
        snprintf(ret_product, PRODUCT_ID_LENGTH + 1, "%03X%.5s", device_id & 0xFFFu,
                 family->product_id[0] ? family->product_id + 3 : PRODUCT_REST);
}

void part_certificate(const struct simulated_part *part,
                      uint8_t ret_certificate[static CERTIFICATE_LENGTH])
{
        char product[PRODUCT_ID_LENGTH + 1];
        uint8_t digest[DIGEST_LENGTH];

        part_product_id(part->family, part->record->device_id, product);
        memcpy(ret_certificate, product, PRODUCT_ID_LENGTH);
        memcpy(ret_certificate + PRODUCT_ID_LENGTH, part->record->public_key, 64);
        digest_sha256(ret_certificate, SIGNED_LENGTH, digest);
        sign(digest, ret_certificate + SIGNED_LENGTH);
}
