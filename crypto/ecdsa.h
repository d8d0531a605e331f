/*
 * ecdsa.h - signatures on NIST P-256 over SHA-256. Internal to crypto and the simulator.
 *
 * A signature is 64 bytes, r then s, big-endian; keys as in curve.h. Nothing here waits.
 */
#pragma once

#include "crypto/curve.h"
#include "scheduler/bytes.h"

#define ECDSA_LENGTH 64

/* Sign the pieces, one behind the other. Wants a key in 1 .. n-1. Two signatures of the same bytes
 * differ: the nonce is OpenSSL's. */
void ecdsa_sign(const uint8_t private_key[static CURVE_NUMBER_LENGTH], const struct piece *pieces,
                size_t count, uint8_t ret_signature[static ECDSA_LENGTH]);

/* False also for a key that is no point of the curve. */
bool ecdsa_verify(const uint8_t public_key[static CURVE_POINT_LENGTH], const struct piece *pieces,
                  size_t count, const uint8_t signature[static ECDSA_LENGTH]) MUST_USE;
