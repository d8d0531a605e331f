/* Any bytes as a PEM file: what parses is a point of P-256, and of its private key. */
#include "tests/support/fuzz.h"

#include "crypto/curve.h"
#include "crypto/pem.h"
#include "crypto/sign.h"

#include <stdlib.h>
#include <string.h>

/* The other reader of keys: what it takes must write and read back the same. */
static void read_sign_key(const uint8_t *data, size_t length)
{
        char text[SIGN_PEM_MAX];
        struct sign_key key, again;

        if (sign_key_parse("fuzz", data, length, &key) < 0)
                return;
        if (key.has_private)
                sign_private_pem(&key, text);
        else
                sign_public_pem(&key, text);
        if (sign_key_parse("again", text, strlen(text), &again) < 0 ||
            memcmp(key.public_key, again.public_key, sizeof(key.public_key)) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        uint8_t point[CURVE_POINT_LENGTH], der[PEM_PUBLIC_DER_LENGTH];
        struct pem_key key;

        read_sign_key(data, length);
        (void)pem_is_text(data, length);
        if (pem_parse("fuzz", data, length, &key) < 0)
                return 0;
        if (!pem_is_text(data, length) || !curve_has_point(key.public_key))
                abort();
        pem_public_der(&key, der);
        if (!key.has_private)
                return 0;
        curve_public_key(key.private_key, point);
        if (memcmp(point, key.public_key, sizeof(point)) != 0)
                abort();
        pem_private_der(&key, der);
        return 0;
}
