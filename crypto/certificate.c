/*
 * certificate.c - is this a chip certificate, as far as anyone outside ST can tell?
 *
 * The checks go from the cheap to the dear: length, digits, product id, then the curve. Each
 * sentence says what was found and what was wanted; a certificate is not secret. A random
 * corruption of key or signature is caught with near certainty by the point (half of all x have no
 * y, and y must fit); a flipped bit in the signature is not, since what it covers is not public
 * (spec/secure-install.md 8.2): such a read costs a license the chip then refuses.
 */
#include "crypto/certificate.h"

#include "crypto/curve.h"
#include "crypto/digest.h"
#include "scheduler/bytes.h"

#define KEY_OFFSET         8
#define SIGNATURE_R_OFFSET 72
#define SIGNATURE_S_OFFSET 104
#define DEVICE_ID_DIGITS   3
#define FINGERPRINT_LENGTH 8

#define REMEDY "; read the certificate again"

/* -1 for anything but an upper-case hexadecimal digit. */
static int digit_value(uint8_t digit)
{
        if (digit >= '0' && digit <= '9')
                return digit - '0';
        if (digit >= 'A' && digit <= 'F')
                return digit - 'A' + 10;
        return -1;
}

static int product_id_parse(const uint8_t *bytes, const char *wanted,
                            struct certificate *ret_certificate)
{
        unsigned device_id = 0;

        for (unsigned i = 0; i < PRODUCT_ID_LENGTH; i++) {
                int value = digit_value(bytes[i]);

                if (value < 0)
                        return fault(FAULT_BAD_CERTIFICATE,
                                     "offset %u: found 0x%02X, wanted an upper-case hexadecimal "
                                     "digit of the product id" REMEDY,
                                     i, bytes[i]);
                if (i < DEVICE_ID_DIGITS)
                        device_id = device_id << 4 | (unsigned)value;
        }
        memcpy(ret_certificate->product_id, bytes, PRODUCT_ID_LENGTH);
        ret_certificate->product_id[PRODUCT_ID_LENGTH] = '\0';
        ret_certificate->device_id = (uint16_t)device_id;
        if (wanted && strcmp(ret_certificate->product_id, wanted) != 0)
                return fault(FAULT_BAD_CERTIFICATE,
                             "the chip is product %s, wanted %s; take a board of the right part, "
                             "or correct the order",
                             ret_certificate->product_id, wanted);
        return 0;
}

static int numbers_check(const uint8_t *bytes)
{
        if (!curve_has_point(bytes + KEY_OFFSET))
                return fault(FAULT_BAD_CERTIFICATE,
                             "offset %u: the public key is not a point of P-256" REMEDY,
                             KEY_OFFSET);
        if (!curve_has_scalar(bytes + SIGNATURE_R_OFFSET))
                return fault(FAULT_BAD_CERTIFICATE,
                             "offset %u: r of the signature is not in 1 to n-1 of P-256" REMEDY,
                             SIGNATURE_R_OFFSET);
        if (!curve_has_scalar(bytes + SIGNATURE_S_OFFSET))
                return fault(FAULT_BAD_CERTIFICATE,
                             "offset %u: s of the signature is not in 1 to n-1 of P-256" REMEDY,
                             SIGNATURE_S_OFFSET);
        return 0;
}

int certificate_parse(const void *data, size_t length, const char *product_id,
                      struct certificate *ret_certificate)
{
        struct certificate certificate = { 0 };
        uint8_t digest[DIGEST_LENGTH];
        int r;

        if (length != CERTIFICATE_LENGTH)
                return fault(FAULT_BAD_CERTIFICATE, "it has %zu bytes, wanted %u" REMEDY, length,
                             CERTIFICATE_LENGTH);
        r = product_id_parse(data, product_id, &certificate);
        if (r < 0)
                return r;
        r = numbers_check(data);
        if (r < 0)
                return r;
        memcpy(certificate.bytes, data, CERTIFICATE_LENGTH);
        digest_sha256(data, length, digest);
        hex_encode(digest, FINGERPRINT_LENGTH, certificate.fingerprint);
        *ret_certificate = certificate;
        return 0;
}
