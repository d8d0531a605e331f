/*
 * digest.c - SHA-256 by OpenSSL, whose code is the fastest at hand (limits.md: ipsec-mb's direct
 * call is seven times slower). It can only fail when memory is out.
 */
#include "crypto/digest.h"

#include <openssl/evp.h>

void digest_sha256_pieces(const struct piece *pieces, size_t count,
                          uint8_t ret_digest[static DIGEST_LENGTH])
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        unsigned length;

        INSIST(context);
        INSIST(EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
        for (size_t i = 0; i < count; i++)
                INSIST(EVP_DigestUpdate(context, pieces[i].data, pieces[i].length) == 1);
        INSIST(EVP_DigestFinal_ex(context, ret_digest, &length) == 1);
        INSIST(length == DIGEST_LENGTH);
        EVP_MD_CTX_free(context);
}

void digest_sha256(const void *data, size_t length, uint8_t ret_digest[static DIGEST_LENGTH])
{
        digest_sha256_pieces(&(struct piece){ data, length }, 1, ret_digest);
}
