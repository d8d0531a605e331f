/*
 * pem.c - OpenSSL reads the block, we look at what is in it.
 *
 * A private key is tried first, since it brings the public one. OpenSSL would ask for a passphrase
 * on the terminal; nobody sits at a station's terminal, so an encrypted key is refused. The two DER
 * forms have fixed bytes but for the key and are written here from their templates, which keeps
 * OpenSSL's choices (compressed points, optional fields) out of images.
 */
#include "crypto/pem.h"

#include "crypto/curve.h"
#include "scheduler/bytes.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <assert.h>

#define BEGIN "-----BEGIN "

/* RFC 5480 section 2: ecPublicKey on prime256v1, an uncompressed point. */
static const uint8_t public_head[] = {
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
        0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};

/* RFC 5208 and RFC 5915, the lengths lowered by the 68 bytes of the public key (measured in ST's
 * OEMiROT_Config.obk). */
static const uint8_t private_head[] = {
        0x30, 0x81, 0x43, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86,
        0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D,
        0x03, 0x01, 0x07, 0x04, 0x29, 0x30, 0x27, 0x02, 0x01, 0x01, 0x04, 0x20,
};
static const uint8_t private_tail[] = { 0xA1, 0x44 };

static_assert(sizeof(public_head) + CURVE_POINT_LENGTH == PEM_PUBLIC_DER_LENGTH, "91 bytes");
static_assert(sizeof(private_head) + CURVE_NUMBER_LENGTH + sizeof(private_tail) ==
                      PEM_PRIVATE_DER_LENGTH,
              "70 bytes");

static void bio_free(BIO **bio)
{
        BIO_free(*bio);
}

static void key_free(EVP_PKEY **key)
{
        EVP_PKEY_free(*key);
}

static void number_free(BIGNUM **number)
{
        BN_clear_free(*number);
}

bool pem_is_text(const void *data, size_t length)
{
        return memmem(data, length, BEGIN, strlen(BEGIN)) != NULL;
}

/* Told in place of a passphrase: none. */
static int no_passphrase(char *buffer, int capacity, int is_writing, void *was_asked)
{
        (void)buffer, (void)capacity, (void)is_writing;
        *(bool *)was_asked = true;
        return -1;
}

static EVP_PKEY *read_block(const void *text, size_t length, bool is_private, bool *ret_was_asked)
{
        BIO *bio CLEANUP(bio_free) = BIO_new_mem_buf(text, (int)length);
        EVP_PKEY *key;

        INSIST(bio);
        key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, ret_was_asked)
                         : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, ret_was_asked);
        ERR_clear_error(); /* what it did not find is said in our own words */
        return key;
}

static bool take_number(const EVP_PKEY *key, const char *name, uint8_t *ret_number)
{
        BIGNUM *number CLEANUP(number_free) = NULL;

        return EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
               BN_bn2binpad(number, ret_number, CURVE_NUMBER_LENGTH) == CURVE_NUMBER_LENGTH;
}

static bool is_p256(const EVP_PKEY *key)
{
        char group[64] = "";

        return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
               EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
               strcmp(group, "prime256v1") == 0;
}

/* The two halves are in the file apart, so they may disagree. */
static bool halves_agree(const struct pem_key *key)
{
        uint8_t derived[CURVE_POINT_LENGTH];

        if (!curve_has_scalar(key->private_key))
                return false;
        curve_public_key(key->private_key, derived);
        return memcmp(derived, key->public_key, sizeof(derived)) == 0;
}

static int take_key(const char *name, const EVP_PKEY *from, struct pem_key *key)
{
        if (!is_p256(from))
                return fault(FAULT_BAD_FILE,
                             "%s: the key is %s, wanted an elliptic curve key on P-256 "
                             "(prime256v1)",
                             name,
                             EVP_PKEY_get_base_id(from) == EVP_PKEY_EC ? "on another curve"
                                                                       : "of another kind");
        if (!take_number(from, OSSL_PKEY_PARAM_EC_PUB_X, key->public_key) ||
            !take_number(from, OSSL_PKEY_PARAM_EC_PUB_Y, key->public_key + CURVE_NUMBER_LENGTH) ||
            !curve_has_point(key->public_key))
                return fault(FAULT_BAD_FILE, "%s: the public key is not a point of P-256", name);
        if (!key->has_private)
                return 0;
        if (!take_number(from, OSSL_PKEY_PARAM_PRIV_KEY, key->private_key) || !halves_agree(key))
                return fault(FAULT_BAD_FILE, "%s: private and public key do not belong together",
                             name);
        return 0;
}

int pem_parse(const char *name, const void *text, size_t length, struct pem_key *ret_key)
{
        struct pem_key parsed CLEANUP(pem_wipe) = { .has_private = true };
        EVP_PKEY *key CLEANUP(key_free) = NULL;
        bool was_asked = false;
        int r;

        if (length > PEM_FILE_MAX)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted at most %u", name, length,
                             PEM_FILE_MAX);
        key = read_block(text, length, true, &was_asked);
        if (!key && !was_asked) {
                parsed.has_private = false;
                key = read_block(text, length, false, &was_asked);
        }
        if (was_asked)
                return fault(FAULT_BAD_FILE,
                             "%s: the private key is encrypted; write it out without a passphrase "
                             "(openssl pkey -in FILE -out PLAIN) into a file of mode 0600",
                             name);
        if (!key)
                return fault(FAULT_BAD_FILE,
                             "%s: no readable key, wanted a PEM block PUBLIC KEY, PRIVATE KEY or "
                             "EC PRIVATE KEY",
                             name);
        r = take_key(name, key, &parsed);
        if (r < 0)
                return r;
        *ret_key = parsed;
        return 0;
}

void pem_wipe(struct pem_key *key)
{
        wipe(key, sizeof(*key));
}

void pem_public_der(const struct pem_key *key, uint8_t ret_der[static PEM_PUBLIC_DER_LENGTH])
{
        memcpy(ret_der, public_head, sizeof(public_head));
        memcpy(ret_der + sizeof(public_head), key->public_key, CURVE_POINT_LENGTH);
}

void pem_private_der(const struct pem_key *key, uint8_t ret_der[static PEM_PRIVATE_DER_LENGTH])
{
        INSIST(key->has_private);
        memcpy(ret_der, private_head, sizeof(private_head));
        memcpy(ret_der + sizeof(private_head), key->private_key, CURVE_NUMBER_LENGTH);
        memcpy(ret_der + sizeof(private_head) + CURVE_NUMBER_LENGTH, private_tail,
               sizeof(private_tail));
}
