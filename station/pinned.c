/*
 * OpenSSL reads the certificate and writes it again: what libcurl is given as its only authority is
 * this one certificate, whatever else the file held. The pin is a hash of its public key, so a
 * certificate that merely was signed by it is not believed.
 */
#include "station/pinned.h"

#include "scheduler/file.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <limits.h>
#include <string.h>

#define HASH_LENGTH 32
#define PREFIX      "sha256//"

static void free_bio(BIO **bio)
{
        BIO_free(*bio);
}

static void free_certificate(X509 **certificate)
{
        X509_free(*certificate);
}

/* No pass phrase is ever asked for at the terminal: an encrypted block is no certificate. */
static int no_phrase(char *buffer, int capacity, int is_writing, void *context)
{
        (void)buffer, (void)capacity, (void)is_writing, (void)context;
        return -1;
}

static X509 *next_certificate(BIO *text)
{
        X509 *certificate = PEM_read_bio_X509(text, NULL, no_phrase, NULL);

        ERR_clear_error();
        return certificate;
}

static int hash_key(const char *name, const X509 *certificate, char ret_hash[static 64])
{
        uint8_t hash[HASH_LENGTH], *der = NULL;
        int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

        ERR_clear_error();
        if (length <= 0)
                return fault(FAULT_BAD_FILE, "%s: the certificate has no public key", name);
        INSIST(EVP_Digest(der, (size_t)length, hash, NULL, EVP_sha256(), NULL) == 1);
        OPENSSL_free(der);
        memcpy(ret_hash, PREFIX, strlen(PREFIX));
        EVP_EncodeBlock((uint8_t *)ret_hash + strlen(PREFIX), hash, sizeof(hash));
        return 0;
}

static int write_again(const char *name, X509 *certificate, struct bytes *ret_pem)
{
        CLEANUP(free_bio) BIO *out = BIO_new(BIO_s_mem());
        char *data = NULL;
        long length;

        INSIST(out);
        if (!PEM_write_bio_X509(out, certificate)) {
                ERR_clear_error();
                return fault(FAULT_BAD_FILE, "%s: the certificate cannot be written again", name);
        }
        length = BIO_get_mem_data(out, &data);
        INSIST(length > 0);
        *ret_pem = bytes_copy(data, (size_t)length);
        return 0;
}

int pinned_parse(const char *name, const void *text, size_t length, struct pinned *ret_pinned)
{
        CLEANUP(free_bio) BIO *in = NULL;
        CLEANUP(free_certificate) X509 *certificate = NULL, *second = NULL;
        struct pinned pinned = { 0 };
        int r;

        if (length > PINNED_FILE_MAX)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes; one certificate has at most %u", name,
                             length, PINNED_FILE_MAX);
        if (memmem(text, length, "PRIVATE KEY-----", 16))
                return fault(FAULT_BAD_FILE,
                             "%s: there is a private key in it, which is the server's alone; keep "
                             "only the certificate here",
                             name);
        in = BIO_new_mem_buf(text, (int)length);
        INSIST(in);
        certificate = next_certificate(in);
        if (!certificate)
                return fault(FAULT_BAD_FILE,
                             "%s: there is no PEM certificate in it; `openssl x509 -in FILE` must "
                             "be able to read it",
                             name);
        second = next_certificate(in);
        if (second)
                return fault(FAULT_BAD_FILE,
                             "%s: there is more than one certificate in it; keep only the server's "
                             "own",
                             name);
        r = hash_key(name, certificate, pinned.key_hash);
        if (r == 0)
                r = write_again(name, certificate, &pinned.pem);
        if (r == 0)
                *ret_pinned = pinned;
        return r;
}

int pinned_load(const char *path, struct pinned *ret_pinned)
{
        CLEANUP(bytes_free) struct bytes text = { NULL, 0 };
        int r;

        r = file_read(path, PINNED_FILE_MAX, &text);
        return r < 0 ? r : pinned_parse(path, text.data, text.length, ret_pinned);
}

void pinned_free(struct pinned *pinned)
{
        bytes_free(&pinned->pem);
}
