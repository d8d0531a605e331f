/*
 * gcm_openssl.c - AES-128-GCM by OpenSSL's EVP: the engine that is always there.
 *
 * One EVP context is kept for the life of a key and only the IV changes: making a context costs
 * more than sealing a small area (limits.md: 465 against 196 ns at 64 bytes). The cipher itself is
 * fetched once, because every implicit fetch takes locks. OpenSSL can only fail here when memory is
 * out, so its results are insisted upon.
 */
#include "crypto/gcm_engine.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

/* EVP counts in int: longer messages go in pieces, and AAD never is that long. */
#define PIECE_LENGTH (1u << 30)

struct state {
        EVP_CIPHER_CTX *context;
};

static EVP_CIPHER *cipher;
static char name[48];

static const char *openssl_load(void)
{
        cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
        INSIST(cipher);
        snprintf(name, sizeof(name), "openssl %s", OpenSSL_version(OPENSSL_VERSION_STRING));
        return name;
}

static void openssl_init(void *opaque, const uint8_t key[static GCM_KEY_LENGTH])
{
        struct state *state = opaque;

        state->context = EVP_CIPHER_CTX_new();
        INSIST(state->context);
        INSIST(EVP_EncryptInit_ex2(state->context, cipher, key, NULL, NULL) == 1);
}

/* Freeing an EVP context wipes its key schedule (OpenSSL's manual, EVP_CIPHER_CTX_free). */
static void openssl_finish(void *opaque)
{
        struct state *state = opaque;

        EVP_CIPHER_CTX_free(state->context);
}

/* Everything but the tag. The key schedule serves both directions: GCM decrypts with the cipher's
 * encryption, so changing the direction keeps the key. */
static void openssl_pass(EVP_CIPHER_CTX *context, const struct gcm_message *message, int encrypt)
{
        int done;

        INSIST(message->aad_length <= PIECE_LENGTH);
        INSIST(EVP_CipherInit_ex(context, NULL, NULL, NULL, message->iv, encrypt) == 1);
        if (message->aad_length)
                INSIST(EVP_CipherUpdate(context, NULL, &done, message->aad,
                                        (int)message->aad_length) == 1);
        for (size_t at = 0; at < message->length; at += PIECE_LENGTH) {
                size_t rest = message->length - at;
                int piece = (int)(rest < PIECE_LENGTH ? rest : PIECE_LENGTH);

                INSIST(EVP_CipherUpdate(context, message->out + at, &done, message->in + at,
                                        piece) == 1);
        }
}

static void openssl_seal(void *opaque, const struct gcm_message *message,
                         uint8_t ret_tag[static GCM_TAG_LENGTH])
{
        struct state *state = opaque;
        uint8_t none[16];
        int done;

        openssl_pass(state->context, message, 1);
        INSIST(EVP_CipherFinal_ex(state->context, none, &done) == 1);
        INSIST(EVP_CIPHER_CTX_ctrl(state->context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LENGTH,
                                   ret_tag) == 1);
}

static bool openssl_open(void *opaque, const struct gcm_message *message,
                         const uint8_t tag[static GCM_TAG_LENGTH])
{
        struct state *state = opaque;
        uint8_t wanted[GCM_TAG_LENGTH], none[16]; /* the ctrl takes no const */
        int done;

        openssl_pass(state->context, message, 0);
        memcpy(wanted, tag, GCM_TAG_LENGTH);
        INSIST(EVP_CIPHER_CTX_ctrl(state->context, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LENGTH, wanted) ==
               1);
        return EVP_CipherFinal_ex(state->context, none, &done) == 1;
}

const struct gcm_engine gcm_openssl = {
        .load = openssl_load,
        .state_length = sizeof(struct state),
        .init = openssl_init,
        .finish = openssl_finish,
        .seal = openssl_seal,
        .open = openssl_open,
};
