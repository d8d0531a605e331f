/*
 * sign.c - Ed25519 by OpenSSL's EVP. Keys are held as their 32 bytes; an EVP_PKEY lives for one
 * call. But for reading files, OpenSSL can only fail here when memory is out.
 */
#include "crypto/sign.h"

#include "crypto/digest.h"
#include "crypto/pem.h"
#include "scheduler/bytes.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctype.h>

static void bio_free(BIO **bio)
{
        BIO_free(*bio);
}

static void key_free(EVP_PKEY **key)
{
        EVP_PKEY_free(*key);
}

static void context_free(EVP_MD_CTX **context)
{
        EVP_MD_CTX_free(*context);
}

static EVP_PKEY *public_half(const struct sign_key *key)
{
        EVP_PKEY *half = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->public_key,
                                                     sizeof(key->public_key));

        INSIST(half);
        return half;
}

static EVP_PKEY *private_half(const struct sign_key *key)
{
        EVP_PKEY *half;

        INSIST(key->has_private);
        half = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->private_key,
                                            sizeof(key->private_key));
        INSIST(half);
        return half;
}

static void take_public(const EVP_PKEY *from, struct sign_key *key)
{
        size_t length = sizeof(key->public_key);

        INSIST(EVP_PKEY_get_raw_public_key(from, key->public_key, &length) == 1);
        INSIST(length == sizeof(key->public_key));
}

static void take_private(const EVP_PKEY *from, struct sign_key *key)
{
        size_t length = sizeof(key->private_key);

        INSIST(EVP_PKEY_get_raw_private_key(from, key->private_key, &length) == 1);
        INSIST(length == sizeof(key->private_key));
        key->has_private = true;
}

void sign_key_make(struct sign_key *ret_key)
{
        EVP_PKEY *made CLEANUP(key_free) = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

        INSIST(made);
        take_public(made, ret_key);
        take_private(made, ret_key);
}

void sign_key_wipe(struct sign_key *key)
{
        wipe(key, sizeof(*key));
}

/* --- files --------------------------------------------------------------------------------- */

/* Told in place of a passphrase: none. Nobody sits at a station's terminal. */
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

int sign_key_parse(const char *name, const void *text, size_t length, struct sign_key *ret_key)
{
        EVP_PKEY *key CLEANUP(key_free) = NULL;
        struct sign_key parsed CLEANUP(sign_key_wipe) = { 0 };
        bool was_asked = false, is_private = true;

        if (length > PEM_FILE_MAX)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted at most %u", name, length,
                             PEM_FILE_MAX);
        key = read_block(text, length, true, &was_asked);
        if (!key && !was_asked) {
                is_private = false;
                key = read_block(text, length, false, &was_asked);
        }
        if (was_asked)
                return fault(FAULT_BAD_FILE,
                             "%s: the private key is encrypted; write it out without a passphrase "
                             "(openssl pkey -in FILE -out PLAIN) into a file of mode 0600",
                             name);
        if (!key)
                return fault(FAULT_BAD_FILE,
                             "%s: no readable key, wanted a PEM block PUBLIC KEY or PRIVATE KEY",
                             name);
        if (EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519)
                return fault(FAULT_BAD_FILE, "%s: the key is of another kind, wanted Ed25519",
                             name);
        take_public(key, &parsed);
        if (is_private)
                take_private(key, &parsed);
        *ret_key = parsed;
        return 0;
}

static void take_text(BIO *bio, char *text)
{
        int length = BIO_read(bio, text, (int)SIGN_PEM_MAX - 1);

        INSIST(length > 0 && BIO_pending(bio) == 0);
        text[length] = '\0';
}

void sign_private_pem(const struct sign_key *key, char ret_text[static SIGN_PEM_MAX])
{
        EVP_PKEY *half CLEANUP(key_free) = private_half(key);
        BIO *bio CLEANUP(bio_free) = BIO_new(BIO_s_secmem());

        INSIST(bio && PEM_write_bio_PKCS8PrivateKey(bio, half, NULL, NULL, 0, NULL, NULL) == 1);
        take_text(bio, ret_text);
}

void sign_public_pem(const struct sign_key *key, char ret_text[static SIGN_PEM_MAX])
{
        EVP_PKEY *half CLEANUP(key_free) = public_half(key);
        BIO *bio CLEANUP(bio_free) = BIO_new(BIO_s_mem());

        INSIST(bio && PEM_write_bio_PUBKEY(bio, half) == 1);
        take_text(bio, ret_text);
}

void sign_fingerprint(const struct sign_key *key, char ret_text[static SIGN_FINGERPRINT_MAX])
{
        EVP_PKEY *half CLEANUP(key_free) = public_half(key);
        uint8_t digest[DIGEST_LENGTH], *der = NULL;
        int length = i2d_PUBKEY(half, &der);

        INSIST(length > 0);
        digest_sha256(der, (size_t)length, digest);
        OPENSSL_free(der);
        hex_encode(digest, sizeof(digest), ret_text);
        for (char *c = ret_text; *c; c++)
                *c = (char)tolower((unsigned char)*c);
}

/* --- signing ------------------------------------------------------------------------------- */

void sign_bytes(const struct sign_key *key, const void *data, size_t length,
                uint8_t ret_signature[static SIGNATURE_LENGTH])
{
        EVP_PKEY *half CLEANUP(key_free) = private_half(key);
        EVP_MD_CTX *context CLEANUP(context_free) = EVP_MD_CTX_new();
        size_t made = SIGNATURE_LENGTH;

        INSIST(context && EVP_DigestSignInit(context, NULL, NULL, NULL, half) == 1);
        INSIST(EVP_DigestSign(context, ret_signature, &made, data, length) == 1);
        INSIST(made == SIGNATURE_LENGTH);
}

bool sign_verify(const struct sign_key *key, const void *data, size_t length,
                 const uint8_t signature[static SIGNATURE_LENGTH])
{
        EVP_PKEY *half CLEANUP(key_free) = public_half(key);
        EVP_MD_CTX *context CLEANUP(context_free) = EVP_MD_CTX_new();
        bool is_good;

        INSIST(context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, half) == 1);
        is_good = EVP_DigestVerify(context, signature, SIGNATURE_LENGTH, data, length) == 1;
        ERR_clear_error(); /* a signature that does not hold is an answer */
        return is_good;
}
