/*
 * curve.c - NIST P-256 by OpenSSL's EC and BN functions.
 *
 * They are used below EVP because EVP_PKEY would spend more time importing keys than computing, and
 * a license has one throw-away key each. The group is made once and only read afterwards, so
 * threads share it. OpenSSL can only fail here when memory is out, except where a point is not on
 * the curve.
 *
 * BN_CTX clears its numbers when it is freed; what it does not own is freed by the clear_free
 * calls.
 */
#include "crypto/curve.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <pthread.h>

static EC_GROUP *group;
static pthread_once_t group_made = PTHREAD_ONCE_INIT;

static void group_make(void)
{
        group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
        INSIST(group);
}

static const EC_GROUP *p256(void)
{
        INSIST(pthread_once(&group_made, group_make) == 0);
        return group;
}

static void numbers_free(BN_CTX **numbers)
{
        BN_CTX_end(*numbers);
        BN_CTX_free(*numbers);
}

static void point_free(EC_POINT **point)
{
        EC_POINT_clear_free(*point);
}

static BN_CTX *numbers_new(void)
{
        BN_CTX *numbers = BN_CTX_secure_new();

        INSIST(numbers);
        BN_CTX_start(numbers);
        return numbers;
}

static EC_POINT *point_new(void)
{
        EC_POINT *point = EC_POINT_new(p256());

        INSIST(point);
        return point;
}

static BIGNUM *number_load(BN_CTX *numbers, const uint8_t *bytes)
{
        BIGNUM *number = BN_CTX_get(numbers);

        INSIST(number);
        INSIST(BN_bin2bn(bytes, CURVE_NUMBER_LENGTH, number));
        BN_set_flags(number, BN_FLG_CONSTTIME);
        return number;
}

static void number_store(const BIGNUM *number, uint8_t *ret_bytes)
{
        INSIST(BN_bn2binpad(number, ret_bytes, CURVE_NUMBER_LENGTH) == CURVE_NUMBER_LENGTH);
}

static bool number_is_scalar(const BIGNUM *number)
{
        return !BN_is_zero(number) && BN_cmp(number, EC_GROUP_get0_order(p256())) < 0;
}

/* OpenSSL refuses coordinates that are not below p and points that are not on the curve. */
static bool point_load(BN_CTX *numbers, const uint8_t *bytes, EC_POINT *ret_point)
{
        const BIGNUM *x = number_load(numbers, bytes);
        const BIGNUM *y = number_load(numbers, bytes + CURVE_NUMBER_LENGTH);

        return EC_POINT_set_affine_coordinates(p256(), ret_point, x, y, numbers) == 1;
}

bool curve_has_point(const uint8_t point[static CURVE_POINT_LENGTH])
{
        CLEANUP(numbers_free) BN_CTX *numbers = numbers_new();
        CLEANUP(point_free) EC_POINT *loaded = point_new();

        return point_load(numbers, point, loaded);
}

bool curve_has_scalar(const uint8_t number[static CURVE_NUMBER_LENGTH])
{
        CLEANUP(numbers_free) BN_CTX *numbers = numbers_new();

        return number_is_scalar(number_load(numbers, number));
}

void curve_private_key(const uint8_t seed[static CURVE_NUMBER_LENGTH],
                       uint8_t ret_private[static CURVE_NUMBER_LENGTH])
{
        CLEANUP(numbers_free) BN_CTX *numbers = numbers_new();
        BIGNUM *number = number_load(numbers, seed);
        BIGNUM *limit = BN_CTX_get(numbers);

        INSIST(limit && BN_copy(limit, EC_GROUP_get0_order(p256())));
        INSIST(BN_sub_word(limit, 1) == 1);
        INSIST(BN_nnmod(number, number, limit, numbers) == 1);
        INSIST(BN_add_word(number, 1) == 1);
        number_store(number, ret_private);
}

void curve_public_key(const uint8_t private_key[static CURVE_NUMBER_LENGTH],
                      uint8_t ret_public[static CURVE_POINT_LENGTH])
{
        CLEANUP(numbers_free) BN_CTX *numbers = numbers_new();
        CLEANUP(point_free) EC_POINT *point = point_new();
        const BIGNUM *scalar = number_load(numbers, private_key);
        BIGNUM *x = BN_CTX_get(numbers), *y = BN_CTX_get(numbers);

        INSIST(y && number_is_scalar(scalar));
        INSIST(EC_POINT_mul(p256(), point, scalar, NULL, NULL, numbers) == 1);
        INSIST(EC_POINT_get_affine_coordinates(p256(), point, x, y, numbers) == 1);
        number_store(x, ret_public);
        number_store(y, ret_public + CURVE_NUMBER_LENGTH);
}

/* The curve's cofactor is 1: a point on it times a scalar in range is never infinity. */
bool curve_shared_secret(const uint8_t private_key[static CURVE_NUMBER_LENGTH],
                         const uint8_t point[static CURVE_POINT_LENGTH],
                         uint8_t ret_x[static CURVE_NUMBER_LENGTH])
{
        CLEANUP(numbers_free) BN_CTX *numbers = numbers_new();
        CLEANUP(point_free) EC_POINT *theirs = point_new();
        CLEANUP(point_free) EC_POINT *shared = point_new();
        const BIGNUM *scalar = number_load(numbers, private_key);
        BIGNUM *x = BN_CTX_get(numbers);

        INSIST(x);
        if (!number_is_scalar(scalar) || !point_load(numbers, point, theirs))
                return false;
        INSIST(EC_POINT_mul(p256(), shared, NULL, theirs, scalar, numbers) == 1);
        INSIST(EC_POINT_get_affine_coordinates(p256(), shared, x, NULL, numbers) == 1);
        number_store(x, ret_x);
        return true;
}
