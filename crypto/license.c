/*
 * license.c - the reference license: the card makes it, the chip opens it.
 *
 * Both sides go the same way: ECDH gives Z, the KDF makes of Z an AES key, an IV and a token, and
 * AES-GCM carries the key record with the open fields and the token as AAD. The shape is the public
 * SSP license (TF-A boot_api.h; spec/secure-install.md 8.3); the KDF and the order in the record
 * are our own choice, made in derive() and record_fill() only, until ST publishes theirs.
 */
#include "crypto/license.h"

#include "crypto/curve.h"
#include "scheduler/bytes.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <assert.h>
#include <pthread.h>

#define TYPE_LENGTH      4
#define VERSION          1u
#define SESSION_OFFSET   4
#define VERSION_OFFSET   8
#define EPHEMERAL_OFFSET 24
#define RECORD_OFFSET    88
#define RECORD_LENGTH    32
#define RECORD_IV_LENGTH 16 /* 12 of nonce, 4 zero (AN5054 section 3.1.2) */
#define TAG_OFFSET       120
#define TOKEN_LENGTH     32
#define AAD_LENGTH       (RECORD_OFFSET + TOKEN_LENGTH)

/* Where the chip's public key lies in its certificate. */
#define CERTIFICATE_KEY_OFFSET 8

/* What the KDF gives, in its order: 64 bytes. */
struct derived {
        uint8_t key[GCM_KEY_LENGTH];
        uint8_t iv[16]; /* GCM takes the first 12 */
        uint8_t token[TOKEN_LENGTH];
};
static_assert(sizeof(struct derived) == 64, "the KDF gives 64 bytes");

static const char *const types[] = { "SFI", "SFIA", "SMU", "SSP" };

static EVP_KDF *kdf;
static pthread_once_t kdf_fetched = PTHREAD_ONCE_INIT;

static void kdf_fetch(void)
{
        kdf = EVP_KDF_fetch(NULL, "X963KDF", NULL);
        INSIST(kdf);
}

/* X9.63 with SHA-256: hash(Z, counter) for a 32-bit counter from 1, no shared info. */
static void derive(const uint8_t z[static CURVE_NUMBER_LENGTH], struct derived *ret_derived)
{
        char digest[] = "SHA256";
        uint8_t secret[CURVE_NUMBER_LENGTH];
        OSSL_PARAM parameters[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof(secret)),
                OSSL_PARAM_construct_end(),
        };
        EVP_KDF_CTX *context;

        INSIST(pthread_once(&kdf_fetched, kdf_fetch) == 0);
        context = EVP_KDF_CTX_new(kdf);
        INSIST(context);
        memcpy(secret, z, sizeof(secret));
        INSIST(EVP_KDF_derive(context, (uint8_t *)ret_derived, sizeof(*ret_derived), parameters) ==
               1);
        EVP_KDF_CTX_free(context);
        wipe(secret, sizeof(secret));
}

/* The open fields, then the token: 120 bytes. */
static void aad_fill(const uint8_t license[static LICENSE_LENGTH], const struct derived *derived,
                     uint8_t ret_aad[static AAD_LENGTH])
{
        memcpy(ret_aad, license, RECORD_OFFSET);
        memcpy(ret_aad + RECORD_OFFSET, derived->token, TOKEN_LENGTH);
}

static void record_fill(const uint8_t key[static GCM_KEY_LENGTH],
                        const uint8_t nonce[static SFI_NONCE_LENGTH],
                        uint8_t ret_record[static RECORD_LENGTH])
{
        memset(ret_record, 0, RECORD_IV_LENGTH);
        memcpy(ret_record, nonce, SFI_NONCE_LENGTH);
        memcpy(ret_record + RECORD_IV_LENGTH, key, GCM_KEY_LENGTH);
}

static void record_seal(const uint8_t z[static CURVE_NUMBER_LENGTH],
                        const uint8_t record[static RECORD_LENGTH],
                        uint8_t license[static LICENSE_LENGTH])
{
        struct derived derived;
        uint8_t aad[AAD_LENGTH];
        struct gcm_key *cipher;

        derive(z, &derived);
        aad_fill(license, &derived, aad);
        cipher = gcm_key_create(derived.key);
        gcm_seal(cipher, derived.iv, aad, sizeof(aad), record, license + RECORD_OFFSET,
                 RECORD_LENGTH, license + TAG_OFFSET);
        gcm_key_destroy(cipher);
        wipe(&derived, sizeof(derived));
        wipe(aad, sizeof(aad));
}

static int record_open(const uint8_t z[static CURVE_NUMBER_LENGTH],
                       const uint8_t license[static LICENSE_LENGTH],
                       uint8_t ret_record[static RECORD_LENGTH])
{
        struct derived derived;
        uint8_t aad[AAD_LENGTH];
        struct gcm_key *cipher;
        int r;

        derive(z, &derived);
        aad_fill(license, &derived, aad);
        cipher = gcm_key_create(derived.key);
        r = gcm_open(cipher, derived.iv, aad, sizeof(aad), license + RECORD_OFFSET, ret_record,
                     RECORD_LENGTH, license + TAG_OFFSET);
        gcm_key_destroy(cipher);
        wipe(&derived, sizeof(derived));
        wipe(aad, sizeof(aad));
        if (r < 0)
                return fault(FAULT_BAD_LICENSE,
                             "the license is for another chip, or was changed on the way");
        return 0;
}

void license_chip_key(const uint8_t seed[static 32], uint8_t ret_private[static PRIVATE_KEY_LENGTH],
                      uint8_t ret_public[static 64])
{
        curve_private_key(seed, ret_private);
        curve_public_key(ret_private, ret_public);
}

static void type_fill(const char *type, uint8_t ret_field[static TYPE_LENGTH])
{
        memset(ret_field, '.', TYPE_LENGTH);
        memcpy(ret_field, type, strnlen(type, TYPE_LENGTH));
}

static bool is_type(const uint8_t field[static TYPE_LENGTH], const char *type)
{
        uint8_t wanted[TYPE_LENGTH];

        type_fill(type, wanted);
        return memcmp(field, wanted, sizeof(wanted)) == 0;
}

bool license_type(const uint8_t field[static 4], char ret_type[static 5])
{
        for (unsigned i = 0; i < LENGTH_OF(types); i++) {
                if (!is_type(field, types[i]))
                        continue;
                memcpy(ret_type, types[i], strlen(types[i]) + 1);
                return true;
        }
        return false;
}

int license_issue(const struct certificate *certificate, const char *type,
                  const uint8_t key[static GCM_KEY_LENGTH],
                  const uint8_t nonce[static SFI_NONCE_LENGTH], const uint8_t entropy[static 32],
                  uint8_t ret_license[static LICENSE_LENGTH])
{
        const uint8_t *chip = certificate->bytes + CERTIFICATE_KEY_OFFSET;
        uint8_t ephemeral[CURVE_NUMBER_LENGTH], z[CURVE_NUMBER_LENGTH], record[RECORD_LENGTH];
        uint8_t field[TYPE_LENGTH];
        char known[TYPE_LENGTH + 1];
        bool is_point;

        type_fill(type, field);
        INSIST(license_type(field, known));
        curve_private_key(entropy, ephemeral);
        is_point = curve_shared_secret(ephemeral, chip, z);
        if (is_point) {
                memset(ret_license, 0, EPHEMERAL_OFFSET);
                memcpy(ret_license, field, sizeof(field));
                store_le32(ret_license + VERSION_OFFSET, VERSION);
                curve_public_key(ephemeral, ret_license + EPHEMERAL_OFFSET);
                record_fill(key, nonce, record);
                record_seal(z, record, ret_license);
        }
        wipe(ephemeral, sizeof(ephemeral));
        wipe(z, sizeof(z));
        wipe(record, sizeof(record));
        if (!is_point)
                return fault(FAULT_BAD_CERTIFICATE,
                             "the public key of chip %.8s is not a point of P-256; read the "
                             "certificate again",
                             certificate->product_id);
        return 0;
}

/* The fields a chip can judge before any arithmetic. They are not secret. */
static int fields_check(const uint8_t license[static LICENSE_LENGTH], const char *type)
{
        char known[TYPE_LENGTH + 1];
        char found[2 * sizeof(uint32_t) + 1];
        uint32_t session = load_le32(license + SESSION_OFFSET);
        uint32_t version = load_le32(license + VERSION_OFFSET);

        if (type ? !is_type(license, type) : !license_type(license, known))
                return fault(FAULT_BAD_LICENSE,
                             "offset 0: the type is %s in hexadecimal, wanted %s",
                             hex_encode(license, sizeof(uint32_t), found),
                             type ? type : "SFI, SFIA, SMU or SSP, filled up with dots");
        if (session != 0)
                return fault(FAULT_BAD_LICENSE,
                             "offset %u: the license is for live session 0x%08X, wanted 0",
                             SESSION_OFFSET, session);
        if (version != VERSION)
                return fault(FAULT_BAD_LICENSE, "offset %u: the license version is %u, wanted %u",
                             VERSION_OFFSET, version, VERSION);
        return 0;
}

static bool record_is_padded(const uint8_t record[static RECORD_LENGTH])
{
        static const uint8_t zeroes[RECORD_IV_LENGTH - SFI_NONCE_LENGTH];

        return memcmp(record + SFI_NONCE_LENGTH, zeroes, sizeof(zeroes)) == 0;
}

int license_open(const uint8_t license[static LICENSE_LENGTH], const char *type,
                 const uint8_t private_key[static PRIVATE_KEY_LENGTH],
                 uint8_t ret_key[static GCM_KEY_LENGTH], uint8_t ret_nonce[static SFI_NONCE_LENGTH])
{
        uint8_t z[CURVE_NUMBER_LENGTH], record[RECORD_LENGTH];
        int r = fields_check(license, type);

        if (r < 0)
                return r;
        if (!curve_shared_secret(private_key, license + EPHEMERAL_OFFSET, z))
                return fault(FAULT_BAD_LICENSE,
                             "offset %u: the ephemeral key is not a point of P-256",
                             EPHEMERAL_OFFSET);
        r = record_open(z, license, record);
        if (r == 0 && !record_is_padded(record))
                r = fault(FAULT_BAD_LICENSE, "the last 4 bytes of the IV are not zero");
        if (r == 0) {
                memcpy(ret_nonce, record, SFI_NONCE_LENGTH);
                memcpy(ret_key, record + RECORD_IV_LENGTH, GCM_KEY_LENGTH);
        }
        wipe(z, sizeof(z));
        wipe(record, sizeof(record));
        return r;
}
