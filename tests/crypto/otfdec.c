/*
 * The cipher of the OTFDEC against what ST stored enciphered in its own examples.
 *
 * Two examples carry ciphertext of a function a + b + 15 that their silicon deciphers and runs:
 *   STM32CubeH7 430c9b3, Projects/STM32H735G-DK/Examples/OTFDEC/OTFDEC_ExecutingCryptedInstruction/Src/main.c
 *   STM32CubeL5 1a04696, Projects/STM32L562E-DK/Examples/OTFDEC/OTFDEC_ExecutingCryptedInstruction/Src/main.c
 * Keys, nonces, versions, regions and addresses differ. (OTFDEC_DataDecrypt, which spec/targets.md
 * 8.2 names, enciphers with its own CRYP and stores no ciphertext.) The plaintext is Thumb code:
 * adds r0, r1, r0; adds r0, #15; bx lr.
 */
#include "tests/support/test.h"

#include "crypto/otfdec.h"
#include "scheduler/bytes.h"

static const uint8_t add_15[8] = { 0x08, 0x18, 0x0F, 0x30, 0x70, 0x47, 0x00, 0x00 };

static void words_to_bytes(const uint32_t *words, size_t count, uint8_t *ret_bytes)
{
        for (size_t i = 0; i < count; i++)
                store_le32(ret_bytes + 4 * i, words[i]);
}

static void instructions_of_the_h735_example_come_out(void **state)
{
        static const struct otfdec_region region = {
                .key = { 0xEDCBA987, 0x6543210F, 0xEDCBA987, 0x6543210F },
                .nonce = { 0xA5A5A5A5, 0xC3C3C3C3 },
                .version = 0xABCD,
                .index = 1,
        };
        static const uint32_t cipher[2] = { 0x82BC10D8, 0xF7140591 };
        uint8_t bytes[8];

        (void)state;
        words_to_bytes(cipher, 2, bytes);
        otfdec_crypt(&region, 0x90000400, bytes, bytes, sizeof(bytes));
        assert_memory_equal(bytes, add_15, sizeof(add_15));
}

static const struct otfdec_region l562 = {
        .key = { 0xA9876543, 0x210FEDCB, 0xA9876543, 0x210FEDCB },
        .nonce = { 0x11111111, 0x55555555 },
        .version = 0xA5A5,
        .index = 1,
};

static void instructions_of_the_l562_example_come_out(void **state)
{
        static const uint32_t cipher[4] = { 0x0ECE000A, 0x369DEFC3, 0x641DB7B1, 0x3F10275E };
        static const uint8_t zeros[8];
        uint8_t bytes[16];

        (void)state;
        words_to_bytes(cipher, 4, bytes);
        otfdec_crypt(&l562, 0x90003000, bytes, bytes, sizeof(bytes));
        assert_memory_equal(bytes, add_15, sizeof(add_15));
        assert_memory_equal(bytes + 8, zeros, sizeof(zeros));
}

/* Any cut of a stretch gives what the whole gives: the counter follows the address. */
static void any_piece_can_be_read_alone(void **state)
{
        static uint8_t plain[9000], whole[sizeof(plain)], piece[sizeof(plain)];
        static const struct {
                size_t from, length;
        } cuts[] = { { 0, 1 },    { 1, 1 },       { 15, 2 },   { 16, 16 },
                     { 4095, 2 }, { 4090, 4200 }, { 17, 8983 } };

        (void)state;
        for (size_t i = 0; i < sizeof(plain); i++)
                plain[i] = (uint8_t)(i * 7);
        otfdec_crypt(&l562, 0x90003008, plain, whole, sizeof(plain));
        assert_memory_not_equal(plain, whole, sizeof(plain));
        for (size_t i = 0; i < LENGTH_OF(cuts); i++) {
                otfdec_crypt(&l562, 0x90003008 + (uint32_t)cuts[i].from, whole + cuts[i].from,
                             piece, cuts[i].length);
                assert_memory_equal(piece, plain + cuts[i].from, cuts[i].length);
        }
}

static void everything_in_the_counter_counts(void **state)
{
        uint8_t zeros[16] = { 0 }, first[16], other[16];
        struct otfdec_region changed[5] = { l562, l562, l562, l562, l562 };

        (void)state;
        changed[0].key[3] ^= 1;
        changed[1].nonce[0] ^= 1;
        changed[2].nonce[1] ^= 1;
        changed[3].version ^= 1;
        changed[4].index = 2;
        otfdec_crypt(&l562, 0x90000000, zeros, first, 16);
        for (size_t i = 0; i < LENGTH_OF(changed); i++) {
                otfdec_crypt(&changed[i], 0x90000000, zeros, other, 16);
                assert_memory_not_equal(first, other, 16);
        }
        otfdec_crypt(&l562, 0x90000010, zeros, other, 16);
        assert_memory_not_equal(first, other, 16);
}

/* Values by a separate script of the same rule, so this shows only that both read it alike; on the L562 the
 * example compares it with what the peripheral shows. */
static void the_key_check_is_that_of_the_example(void **state)
{
        static const uint32_t h735[4] = { 0xEDCBA987, 0x6543210F, 0xEDCBA987, 0x6543210F };

        (void)state;
        assert_int_equal(otfdec_key_crc(l562.key), 0x34);
        assert_int_equal(otfdec_key_crc(h735), 0x37);
}

static void the_enhanced_mode_is_not_public(void **state)
{
        (void)state;
        assert_true(otfdec_is_public(OTFDEC_INSTRUCTIONS));
        assert_true(otfdec_is_public(OTFDEC_BOTH));
        assert_false(otfdec_is_public(OTFDEC_ENHANCED));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(instructions_of_the_h735_example_come_out),
                cmocka_unit_test(instructions_of_the_l562_example_come_out),
                cmocka_unit_test(any_piece_can_be_read_alone),
                cmocka_unit_test(everything_in_the_counter_counts),
                cmocka_unit_test(the_key_check_is_that_of_the_example),
                cmocka_unit_test(the_enhanced_mode_is_not_public),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
