/* The form of chip certificates. The good one is a real chip's, as AN5054 rev 18 prints it in
 * figure 36 (an STM32WL; three letters the text source misread were set right: "do" d0, "Oe" 0e,
 * "al" a1). */
#include "tests/support/test.h"

#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "scheduler/bytes.h"

#include <stdio.h>

static const char figure_36[] = "3439373031303035" /* "49701005" */
                                "07D76065982AFE3629CA59F3D5299B99F7A34EC0BB155FD11D82F48A9A132DD3"
                                "C92A9A02C09BDB10FC2D28D9C977BC4CBA385B15E5B08DBDD04DC34AE9D1246B"
                                "A8FC3F51AF4241DDBEB3E4BB774814FA4BD63BBB6744E5A163CA766BDBA380CF"
                                "E061F3010705DD6C74F62923178FBDE7C5CB3A5C0E5B58A38CDC8D13971EAB52";

/* The order of P-256 (FIPS 186-4 D.1.2.3). */
static const char order[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

static uint8_t real[CERTIFICATE_LENGTH];

static int load_real(void **state)
{
        (void)state;
        return hex_decode(figure_36, real, sizeof(real)) ? 0 : -1;
}

static void a_real_certificate_passes(void **state)
{
        struct certificate certificate;
        uint8_t digest[DIGEST_LENGTH];
        char text[17];

        (void)state;
        assert_int_equal(certificate_parse(real, sizeof(real), NULL, &certificate), 0);
        assert_int_equal(certificate_parse(real, sizeof(real), "49701005", &certificate), 0);
        assert_string_equal(certificate.product_id, "49701005");
        assert_int_equal(certificate.device_id, 0x497);
        assert_memory_equal(certificate.bytes, real, sizeof(real));
        digest_sha256(real, sizeof(real), digest);
        assert_string_equal(certificate.fingerprint, hex_encode(digest, 8, text));
}

static void every_other_length_is_refused(void **state)
{
        struct certificate certificate;
        uint8_t longer[CERTIFICATE_LENGTH + 1];

        (void)state;
        memcpy(longer, real, sizeof(real));
        longer[CERTIFICATE_LENGTH] = 0;
        for (size_t length = 0; length < CERTIFICATE_LENGTH; length++)
                assert_fault(certificate_parse(real, length, NULL, &certificate), BAD_CERTIFICATE,
                             "wanted 136");
        assert_fault(certificate_parse(NULL, 0, NULL, &certificate), BAD_CERTIFICATE, "0 bytes");
        assert_fault(certificate_parse(longer, sizeof(longer), NULL, &certificate), BAD_CERTIFICATE,
                     "137 bytes");
}

static void product_ids_are_upper_case_hexadecimal(void **state)
{
        static const uint8_t wrong[] = { 0, ' ', '/', ':', '@', 'G', 'a', 'f', 0x80, 0xFF };
        struct certificate certificate;
        uint8_t bytes[CERTIFICATE_LENGTH];

        (void)state;
        for (unsigned at = 0; at < PRODUCT_ID_LENGTH; at++) {
                for (unsigned i = 0; i < sizeof(wrong); i++) {
                        char wanted[32];

                        memcpy(bytes, real, sizeof(bytes));
                        bytes[at] = wrong[i];
                        snprintf(wanted, sizeof(wanted), "offset %u: found 0x%02X", at, wrong[i]);
                        assert_fault(certificate_parse(bytes, sizeof(bytes), NULL, &certificate),
                                     BAD_CERTIFICATE, wanted);
                }
        }
        memcpy(bytes, real, sizeof(bytes));
        memcpy(bytes, "5000200A", PRODUCT_ID_LENGTH);
        assert_int_equal(certificate_parse(bytes, sizeof(bytes), "5000200A", &certificate), 0);
        assert_int_equal(certificate.device_id, 0x500);
}

static void another_product_is_refused_by_name(void **state)
{
        struct certificate certificate;

        (void)state;
        assert_fault(certificate_parse(real, sizeof(real), "45002001", &certificate),
                     BAD_CERTIFICATE, "49701005, wanted 45002001");
        assert_fault(certificate_parse(real, sizeof(real), "4970100", &certificate),
                     BAD_CERTIFICATE, NULL);
}

/* y is one of two for each x, and most x have none: no single flipped bit gives another point here.
 */
static void any_flipped_bit_of_the_key_is_noticed(void **state)
{
        struct certificate certificate;
        uint8_t bytes[CERTIFICATE_LENGTH];

        (void)state;
        for (unsigned bit = 8 * 8; bit < 72 * 8; bit++) {
                memcpy(bytes, real, sizeof(bytes));
                bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
                assert_fault(certificate_parse(bytes, sizeof(bytes), NULL, &certificate),
                             BAD_CERTIFICATE, "public key");
        }
        memset(bytes + 8, 0, 64);
        assert_fault(certificate_parse(bytes, sizeof(bytes), NULL, &certificate), BAD_CERTIFICATE,
                     "public key");
        memset(bytes + 8, 0xFF, 64);
        assert_fault(certificate_parse(bytes, sizeof(bytes), NULL, &certificate), BAD_CERTIFICATE,
                     "public key");
}

/* Each half may be 1 to n-1: try 0, 1, n-1, n and the largest number. */
static void signature_halves_stay_below_the_order(void **state)
{
        static const struct {
                unsigned offset;
                const char *name;
        } halves[] = { { 72, "r of the signature" }, { 104, "s of the signature" } };
        struct certificate certificate;
        uint8_t bytes[CERTIFICATE_LENGTH];

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(halves); i++) {
                uint8_t *half = bytes + halves[i].offset;

                memcpy(bytes, real, sizeof(bytes));
                assert_true(hex_decode(order, half, 32));
                assert_fault(certificate_parse(bytes, sizeof(bytes), NULL, &certificate),
                             BAD_CERTIFICATE, halves[i].name);
                half[31]--;
                assert_int_equal(certificate_parse(bytes, sizeof(bytes), NULL, &certificate), 0);
                memset(half, 0xFF, 32);
                assert_fault(certificate_parse(bytes, sizeof(bytes), NULL, &certificate),
                             BAD_CERTIFICATE, halves[i].name);
                memset(half, 0, 32);
                assert_fault(certificate_parse(bytes, sizeof(bytes), NULL, &certificate),
                             BAD_CERTIFICATE, halves[i].name);
                half[31] = 1;
                assert_int_equal(certificate_parse(bytes, sizeof(bytes), NULL, &certificate), 0);
        }
}

static void a_refused_certificate_writes_nothing(void **state)
{
        struct certificate certificate, before;
        uint8_t bytes[CERTIFICATE_LENGTH];

        (void)state;
        memset(&certificate, 0x5A, sizeof(certificate));
        before = certificate;
        memcpy(bytes, real, sizeof(bytes));
        bytes[40] ^= 1;
        assert_fault(certificate_parse(bytes, sizeof(bytes), NULL, &certificate), BAD_CERTIFICATE,
                     "read the certificate again");
        assert_memory_equal(&certificate, &before, sizeof(before));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_real_certificate_passes),
                cmocka_unit_test(every_other_length_is_refused),
                cmocka_unit_test(product_ids_are_upper_case_hexadecimal),
                cmocka_unit_test(another_product_is_refused_by_name),
                cmocka_unit_test(any_flipped_bit_of_the_key_is_noticed),
                cmocka_unit_test(signature_halves_stay_below_the_order),
                cmocka_unit_test(a_refused_certificate_writes_nothing),
        };

        return cmocka_run_group_tests(tests, load_real, NULL);
}
