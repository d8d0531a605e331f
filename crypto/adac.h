/*
 * adac.h - certificates and tokens of Arm's authenticated debug access control, as the debug
 * authentication of STM32H5 and H7Rx/7Sx takes them.
 *
 * Layouts: Arm DEN0101 (PSA ADAC 1.0) and its source psa-adac, core/include/psa_adac.h; the same in
 * the chains of ST's STM32CubeH5 and STM32CubeH7RS (ROT_Provisioning/DA/Certificates), whose
 * signatures this reader proves. Numbers are little-endian. A file is a row of
 *
 *   0  2 zero     2  2 type, 0x0201: a certificate     4  4 length     8  the body
 *
 * in base64. The body of a P-256 certificate, 212 bytes:
 *
 *   0  2 version 1.0        2  1 signature type      3  1 key type (1: ECDSA, P-256, SHA-256)
 *   4  1 role 1, 2, 3       5  1 usage               6  2 zero
 *   8  2 life cycle        10  2 OEM constraint     12  4 bytes of extensions
 *  16  4 SoC class         20 16 SoC id             36 16 permissions
 *  52 64 public key       116 32 digest of the extensions, zeros without any
 * 148 64 signature of the issuer over 0 .. 147
 *
 * and of a token, 120 bytes (type 0x0200):
 *
 *   0  2 version 1.0        2  1 signature type      3  1 zero     4  4 bytes of extensions
 *   8 16 permissions       24 32 digest of the extensions
 *  56 64 signature of the last certificate's key over 0 .. 55 and the 32 bytes of the challenge
 *
 * Extensions are refused: neither ST's files nor its part's answers have any. Nothing here waits.
 */
#pragma once

#include "crypto/ecdsa.h"
#include "crypto/pem.h"
#include "scheduler/bytes.h"
#include "scheduler/fault.h"

#define ADAC_TLV_LENGTH         8u
#define ADAC_CERTIFICATE_LENGTH 212u
#define ADAC_TOKEN_LENGTH       120u
#define ADAC_CHALLENGE_LENGTH   32u
#define ADAC_PERMISSION_LENGTH  16u
#define ADAC_SOC_ID_LENGTH      16u
#define ADAC_CHAIN_MAX          8u /* ST's have 3; a bound of ours */
#define ADAC_FILE_MAX           (8u << 10)
#define ADAC_PASSWORD_MIN       4u /* ST's N6 service: debug_authentication.c, PASSWORD_LENGTH_MIN */
#define ADAC_PASSWORD_MAX       16u /* and _MAX; wiki.st.com gives 16 for the H503 */

/* Types of pieces in a file, a request or an answer. 0x8000 is ST's. */
#define ADAC_TYPE_TOKEN       0x0200u
#define ADAC_TYPE_CERTIFICATE 0x0201u
#define ADAC_TYPE_PASSWORD    0x8000u

#define ADAC_ECDSA_P256 1u

enum adac_role { ADAC_ROOT = 1, ADAC_INTERMEDIATE = 2, ADAC_LEAF = 3 };

struct adac_certificate {
        enum adac_role role;
        uint8_t usage;
        uint16_t life_cycle, oem_constraint; /* 0: any */
        uint32_t soc_class;                  /* 0: any */
        uint8_t soc_id[ADAC_SOC_ID_LENGTH];  /* zeros: any */
        uint8_t permissions[ADAC_PERMISSION_LENGTH];
        uint8_t public_key[CURVE_POINT_LENGTH];
        uint8_t bytes[ADAC_TLV_LENGTH + ADAC_CERTIFICATE_LENGTH]; /* as it is sent */
};

struct adac_chain {
        struct adac_certificate certificates[ADAC_CHAIN_MAX]; /* the root first */
        size_t count;
};

/* Read a chain or a single certificate, in base64 or as it is, and prove it: roles in order, each signed by
 * the one before it and the root by itself. `name` is for sentences.
 *      -FAULT_BAD_FILE  names file, offset, found and wanted */
int adac_chain_parse(const char *name, const void *file, size_t length,
                     struct adac_chain *ret_chain) MUST_USE;

/* What the whole chain lets through: the bits that every certificate has. */
void adac_chain_permissions(const struct adac_chain *chain,
                            uint8_t ret_permissions[static ADAC_PERMISSION_LENGTH]);

/* Fill `certificate->bytes` from the fields above it, signed by the issuer's private key. */
void adac_certificate_make(struct adac_certificate *certificate,
                           const uint8_t issuer[static CURVE_NUMBER_LENGTH]);

/* The token with its eight bytes of type and length, as it is sent. */
void adac_token_make(const uint8_t private_key[static CURVE_NUMBER_LENGTH],
                     const uint8_t challenge[static ADAC_CHALLENGE_LENGTH],
                     const uint8_t permissions[static ADAC_PERMISSION_LENGTH],
                     uint8_t ret_token[static ADAC_TLV_LENGTH + ADAC_TOKEN_LENGTH]);

/* Look at ST's password.bin (crypto/obk_recipe.h writes it): it is what is sent, brought to whole words.
 *      -FAULT_BAD_FILE  no such file, or a password of another length than 4 to 16; it is never shown */
int adac_password_parse(const char *name, const void *file, size_t length,
                        struct bytes *ret_sent) MUST_USE;

/* One permission of ST, by its number. Those of STM32H5 as STM32CubeProgrammer's discovery lists them. */
#define ADAC_FULL_REGRESSION 14u
#define ADAC_TZ_REGRESSION   12u
bool adac_permission_has(const uint8_t permissions[static ADAC_PERMISSION_LENGTH], unsigned bit);
void adac_permission_add(uint8_t permissions[static ADAC_PERMISSION_LENGTH], unsigned bit);
/* "full regression", ...; NULL: not public. */
const char *adac_permission_name(unsigned bit);

/* "0x5077": without leading zeros; `text` of at least 35 characters. Returns text. */
char *adac_permission_text(const uint8_t permissions[static ADAC_PERMISSION_LENGTH], char *text);
