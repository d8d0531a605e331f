/*
 * Buffers, wiping, hexadecimal, byte order.
 */
#include "tests/support/test.h"

#include "scheduler/bytes.h"

static void a_new_buffer_is_zero_and_has_a_spare_zero_byte(void **state)
{
        struct bytes bytes = bytes_new(100);

        (void)state;
        assert_int_equal(bytes.length, 100);
        for (unsigned i = 0; i <= 100; i++)
                assert_int_equal(bytes.data[i], 0);
        bytes_free(&bytes);
        assert_null(bytes.data);
        assert_int_equal(bytes.length, 0);
        bytes_free(&bytes);
        bytes_wipe_free(&bytes);
}

static void an_empty_buffer_still_ends_with_zero(void **state)
{
        struct bytes bytes CLEANUP(bytes_free) = bytes_copy(NULL, 0);

        (void)state;
        assert_non_null(bytes.data);
        assert_int_equal(bytes.data[0], 0);
        assert_int_equal(bytes.length, 0);
}

static void a_copy_is_its_own(void **state)
{
        char text[] = "gangway";
        struct bytes bytes CLEANUP(bytes_wipe_free) = bytes_copy(text, 7);

        (void)state;
        text[0] = 'x';
        assert_string_equal((char *)bytes.data, "gangway");
}

static void a_grown_buffer_keeps_its_bytes_and_is_zero_behind_them(void **state)
{
        static const size_t lengths[] = { 0, 1, 7, 7, 100, 1 << 20 };
        struct bytes bytes CLEANUP(bytes_free) = { 0 };

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(lengths); i++) {
                size_t before = bytes.length;

                bytes_grow(&bytes, lengths[i]);
                assert_int_equal(bytes.length, lengths[i]);
                for (size_t j = 0; j <= bytes.length; j++)
                        assert_int_equal(bytes.data[j], j < before ? 0xA5 : 0);
                memset(bytes.data, 0xA5, bytes.length);
        }
}

static void wiping_leaves_nothing(void **state)
{
        char secret[] = "0123456789";

        (void)state;
        wipe(secret, 5);
        assert_memory_equal(secret,
                            "\0\0\0\0\0"
                            "56789",
                            10);
        wipe(NULL, 0);
}

static void secrets_compare_in_full(void **state)
{
        const uint8_t a[] = { 1, 2, 3, 4 }, b[] = { 1, 2, 3, 5 }, c[] = { 0, 2, 3, 4 };

        (void)state;
        assert_true(equal_secret(a, a, 4));
        assert_false(equal_secret(a, b, 4));
        assert_false(equal_secret(a, c, 4));
        assert_true(equal_secret(a, b, 3));
        assert_true(equal_secret(a, c, 0));
}

static void hexadecimal_goes_there_and_back(void **state)
{
        uint8_t all[256], back[256];
        char text[513];

        (void)state;
        for (unsigned i = 0; i < 256; i++)
                all[i] = (uint8_t)i;
        assert_ptr_equal(hex_encode(all, 256, text), text);
        assert_memory_equal(text, "000102030405060708090A0B", 24);
        assert_true(hex_decode(text, back, 256));
        assert_memory_equal(all, back, 256);
        assert_string_equal(hex_encode(all, 0, text), "");
        assert_true(hex_decode("", back, 0));
}

static void hexadecimal_of_another_shape_is_refused(void **state)
{
        static const char *const bad[] = { "",     "0",    "00",   "000",  "00000", "000000",
                                           "0g00", "g000", "00 0", " 000", "0x00",  "00\n0",
                                           "/000", ":000", "@000", "00`0", "000G" };
        uint8_t data[2];

        (void)state;
        for (unsigned i = 0; i < LENGTH_OF(bad); i++)
                assert_false(hex_decode(bad[i], data, 2));
        assert_true(hex_decode("aFfA", data, 2));
        assert_int_equal(data[0], 0xaf);
        assert_int_equal(data[1], 0xfa);
}

static void byte_order_is_what_it_says(void **state)
{
        uint8_t b[4];

        (void)state;
        store_le32(b, 0x81828384);
        assert_memory_equal(b, "\x84\x83\x82\x81", 4);
        assert_true(load_le32(b) == 0x81828384);
        assert_int_equal(load_be32(b), 0x84838281);
        assert_int_equal(load_le16(b), 0x8384);
        assert_int_equal(load_be16(b), 0x8483);
        store_be32(b, 0x81828384);
        assert_memory_equal(b, "\x81\x82\x83\x84", 4);
        store_le16(b, 0xfedc);
        assert_memory_equal(b, "\xdc\xfe\x83\x84", 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_new_buffer_is_zero_and_has_a_spare_zero_byte),
                cmocka_unit_test(an_empty_buffer_still_ends_with_zero),
                cmocka_unit_test(a_copy_is_its_own),
                cmocka_unit_test(a_grown_buffer_keeps_its_bytes_and_is_zero_behind_them),
                cmocka_unit_test(wiping_leaves_nothing),
                cmocka_unit_test(secrets_compare_in_full),
                cmocka_unit_test(hexadecimal_goes_there_and_back),
                cmocka_unit_test(hexadecimal_of_another_shape_is_refused),
                cmocka_unit_test(byte_order_is_what_it_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
