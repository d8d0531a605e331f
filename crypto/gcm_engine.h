/*
 * gcm_engine.h - what gcm.c asks of one AES-GCM library. Internal to crypto.
 *
 * An engine is a row of functions and the length of the state a key needs. gcm.c allocates the
 * state on a 64-byte boundary and wipes it; the engine only fills it.
 */
#pragma once

#include "crypto/gcm.h"

/* One message, so that engines take one argument instead of seven. All pointers are borrowed; `in`
 * and `out` may be the same place. */
struct gcm_message {
        const uint8_t *iv;
        const void *aad;
        size_t aad_length;
        const uint8_t *in;
        uint8_t *out;
        size_t length;
};

struct gcm_engine {
        /* Make the library ready; its name for people, or NULL when it is not on this machine.
         * Called once, before anything else, and never by two threads. */
        const char *(*load)(void);

        size_t state_length;
        void (*init)(void *state, const uint8_t key[static GCM_KEY_LENGTH]);
        void (*finish)(void *state);

        void (*seal)(void *state, const struct gcm_message *message,
                     uint8_t ret_tag[static GCM_TAG_LENGTH]);

        /* False when the tag is wrong; `out` then holds anything, gcm.c wipes it. */
        bool (*open)(void *state, const struct gcm_message *message,
                     const uint8_t tag[static GCM_TAG_LENGTH]);
};

extern const struct gcm_engine gcm_openssl;
extern const struct gcm_engine gcm_ipsec;
