/*
 * curve.h - the few things certificates and licenses do on NIST P-256. Internal to crypto.
 *
 * Points are 64 bytes, x then y, numbers 32 bytes, all big-endian (spec/secure-install.md 8.2).
 * Every intermediate value is cleared.
 */
#pragma once

#include "scheduler/base.h"

#include <stdbool.h>

#define CURVE_POINT_LENGTH  64
#define CURVE_NUMBER_LENGTH 32

/* Is it a point of the curve? The point at infinity has no such form. */
bool curve_has_point(const uint8_t point[static CURVE_POINT_LENGTH]) MUST_USE;

/* Is it in 1 .. n-1, n the order of the curve? Private keys and signature halves must be. */
bool curve_has_scalar(const uint8_t number[static CURVE_NUMBER_LENGTH]) MUST_USE;

/* Bring any 32 bytes into 1 .. n-1: (seed mod (n-1)) + 1. n is so close to 2^256 that the bias is
 * below 2^-31. */
void curve_private_key(const uint8_t seed[static CURVE_NUMBER_LENGTH],
                       uint8_t ret_private[static CURVE_NUMBER_LENGTH]);

/* The public point of a private key in 1 .. n-1. */
void curve_public_key(const uint8_t private_key[static CURVE_NUMBER_LENGTH],
                      uint8_t ret_public[static CURVE_POINT_LENGTH]);

/* x of the shared point. False when `point` is not on the curve or the key is not in 1 .. n-1. */
bool curve_shared_secret(const uint8_t private_key[static CURVE_NUMBER_LENGTH],
                         const uint8_t point[static CURVE_POINT_LENGTH],
                         uint8_t ret_x[static CURVE_NUMBER_LENGTH]) MUST_USE;
