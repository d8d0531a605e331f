/*
 * otfdec.c - the counter, the order of the words, and the key's check.
 *
 * Counter block, most significant word first: nonce 1; nonce 0; version; region in bits 31..28 and
 * the address in units of 16 bytes below. Key and data go in word by word from the last to the
 * first (CubeH7, OTFDEC_DataDecrypt, CRYP_Cipher(): DataType 32 bits, words swapped 0-3, 1-2 on both
 * sides). In bytes, as OpenSSL takes them, that is each 16-byte block turned end for end.
 *
 * One block of address is one step of the counter's last word, so OpenSSL's counter mode makes the
 * key stream of a whole stretch. It carries out of that word only behind the last address there is.
 */
#include "crypto/otfdec.h"

#include "scheduler/bytes.h"

#include <openssl/evp.h>

#define BLOCK   16u
#define STRETCH 4096u

static void turn(const uint32_t words[static 4], uint8_t ret_bytes[static BLOCK])
{
        for (unsigned i = 0; i < 4; i++)
                store_be32(ret_bytes + 4 * i, words[3 - i]);
}

static void first_counter(const struct otfdec_region *region, uint32_t address,
                          uint8_t ret_counter[static BLOCK])
{
        const uint32_t words[4] = { (uint32_t)region->index << 28 | address >> 4, region->version,
                                    region->nonce[0], region->nonce[1] };

        turn(words, ret_counter);
}

static EVP_CIPHER_CTX *start(const struct otfdec_region *region, uint32_t address)
{
        EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        uint8_t key[BLOCK], counter[BLOCK];

        INSIST(context);
        turn(region->key, key);
        first_counter(region, address, counter);
        INSIST(EVP_EncryptInit_ex2(context, EVP_aes_128_ctr(), key, counter, NULL) == 1);
        wipe(key, sizeof(key));
        return context;
}

void otfdec_crypt(const struct otfdec_region *region, uint32_t address, const void *from, void *to,
                  size_t length)
{
        static const uint8_t zeros[STRETCH];
        EVP_CIPHER_CTX *context = start(region, address);
        uint8_t stream[STRETCH];
        size_t skip = address % BLOCK; /* of the first stretch */

        INSIST(region->index < OTFDEC_REGIONS);
        for (size_t done = 0; done < length; skip = 0) {
                size_t count = STRETCH - skip < length - done ? STRETCH - skip : length - done;
                int made;

                INSIST(EVP_EncryptUpdate(context, stream, &made, zeros, STRETCH) == 1);
                for (size_t i = 0; i < count; i++)
                        ((uint8_t *)to)[done + i] =
                                ((const uint8_t *)from)[done + i] ^ stream[(skip + i) ^ 15u];
                done += count;
        }
        EVP_CIPHER_CTX_free(context);
        wipe(stream, sizeof(stream));
}

/* CRC-8 of one word, from 0, most significant bit first. */
static uint8_t word_crc(uint32_t word)
{
        uint8_t crc = 0;

        for (unsigned i = 0; i < 32; i++) {
                bool bit = (crc >> 7 ^ (uint8_t)(word >> (31 - i))) & 1;

                crc = (uint8_t)(crc << 1 ^ (bit ? 0x07 : 0));
        }
        return crc;
}

/* CubeL5, OTFDEC_ExecutingCryptedInstruction, Ref_CRC_computation(). */
uint8_t otfdec_key_crc(const uint32_t key[static 4])
{
        static const uint32_t strobes[4] = { 0, 0x03, 0x18, 0xC0 };
        uint32_t crc = 0;

        for (unsigned i = 0; i < 4; i++) {
                uint32_t strobe = strobes[i];
                uint32_t mask = i == 0 ? 0xAA55AA55u : strobe << 24 | crc << 16 | strobe << 8 | crc;

                crc = word_crc(key[i] ^ mask) ^ 0x55u;
        }
        return (uint8_t)crc;
}
