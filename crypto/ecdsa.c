/*
 * ecdsa.c - the digest is made here, OpenSSL signs and verifies it.
 *
 * OpenSSL wants an EVP_PKEY and gives a DER sequence of two numbers; both are turned into the plain
 * form of curve.h and back. It can fail for want of memory only, but for a key or signature from
 * outside, which is the answer false.
 */
#include "crypto/ecdsa.h"

#include "crypto/digest.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define POINT_FORM  0x04u /* uncompressed: SEC 1 section 2.3.3 */
#define DER_MAX     80u
#define POINT_BYTES (1u + CURVE_POINT_LENGTH)

static void key_free(EVP_PKEY **key)
{
        EVP_PKEY_free(*key);
}

static void context_free(EVP_PKEY_CTX **context)
{
        EVP_PKEY_CTX_free(*context);
}

static void builder_free(OSSL_PARAM_BLD **builder)
{
        OSSL_PARAM_BLD_free(*builder);
}

static void params_free(OSSL_PARAM **params)
{
        OSSL_PARAM_free(*params);
}

static void number_free(BIGNUM **number)
{
        BN_clear_free(*number);
}

static void signature_free(ECDSA_SIG **signature)
{
        ECDSA_SIG_free(*signature);
}

/* NULL: the point is none of the curve. `private_key` may be NULL. */
static EVP_PKEY *make_key(const uint8_t *public_key, const uint8_t *private_key)
{
        OSSL_PARAM_BLD *builder CLEANUP(builder_free) = OSSL_PARAM_BLD_new();
        BIGNUM *number CLEANUP(number_free) = BN_secure_new();
        EVP_PKEY_CTX *context CLEANUP(context_free) = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        OSSL_PARAM *params CLEANUP(params_free) = NULL;
        uint8_t point[POINT_BYTES] = { POINT_FORM };
        EVP_PKEY *key = NULL;

        memcpy(point + 1, public_key, CURVE_POINT_LENGTH);
        INSIST(builder && number && context);
        INSIST(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1",
                                               0) == 1);
        INSIST(OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                sizeof(point)) == 1);
        if (private_key) {
                INSIST(BN_bin2bn(private_key, CURVE_NUMBER_LENGTH, number));
                INSIST(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1);
        }
        params = OSSL_PARAM_BLD_to_param(builder);
        INSIST(params && EVP_PKEY_fromdata_init(context) == 1);
        if (EVP_PKEY_fromdata(context, &key, private_key ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                              params) != 1)
                key = NULL;
        ERR_clear_error();
        return key;
}

void ecdsa_sign(const uint8_t private_key[static CURVE_NUMBER_LENGTH], const struct piece *pieces,
                size_t count, uint8_t ret_signature[static ECDSA_LENGTH])
{
        uint8_t public_key[CURVE_POINT_LENGTH], digest[DIGEST_LENGTH], der[DER_MAX];
        const uint8_t *at = der;
        size_t length = sizeof(der);
        EVP_PKEY *key CLEANUP(key_free) = NULL;
        EVP_PKEY_CTX *context CLEANUP(context_free) = NULL;
        ECDSA_SIG *signature CLEANUP(signature_free) = NULL;

        curve_public_key(private_key, public_key);
        digest_sha256_pieces(pieces, count, digest);
        key = make_key(public_key, private_key);
        context = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
        INSIST(context && EVP_PKEY_sign_init(context) == 1);
        INSIST(EVP_PKEY_sign(context, der, &length, digest, sizeof(digest)) == 1);
        signature = d2i_ECDSA_SIG(NULL, &at, (long)length);
        INSIST(signature);
        INSIST(BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_signature, CURVE_NUMBER_LENGTH) > 0);
        INSIST(BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_signature + CURVE_NUMBER_LENGTH,
                            CURVE_NUMBER_LENGTH) > 0);
}

/* The DER form; its length, at most DER_MAX. */
static size_t encode(const uint8_t *plain, uint8_t *ret_der)
{
        ECDSA_SIG *signature CLEANUP(signature_free) = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(plain, CURVE_NUMBER_LENGTH, NULL);
        BIGNUM *s = BN_bin2bn(plain + CURVE_NUMBER_LENGTH, CURVE_NUMBER_LENGTH, NULL);
        uint8_t *at = ret_der;
        int length;

        INSIST(signature && r && s && ECDSA_SIG_set0(signature, r, s) == 1);
        length = i2d_ECDSA_SIG(signature, &at);
        INSIST(length > 0 && (unsigned)length <= DER_MAX);
        return (size_t)length;
}

bool ecdsa_verify(const uint8_t public_key[static CURVE_POINT_LENGTH], const struct piece *pieces,
                  size_t count, const uint8_t signature[static ECDSA_LENGTH])
{
        uint8_t digest[DIGEST_LENGTH], der[DER_MAX];
        size_t length = encode(signature, der);
        EVP_PKEY *key CLEANUP(key_free) = make_key(public_key, NULL);
        EVP_PKEY_CTX *context CLEANUP(context_free) = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
        bool is_good;

        if (!context)
                return false;
        digest_sha256_pieces(pieces, count, digest);
        INSIST(EVP_PKEY_verify_init(context) == 1);
        is_good = EVP_PKEY_verify(context, der, length, digest, sizeof(digest)) == 1;
        ERR_clear_error();
        return is_good;
}
