/*
 * gcm.c - keys and messages, and which engine does the work.
 *
 * The first use loads every engine, lets each seal the same 64 KiB buffer a few times and takes the
 * fastest: a fifth of a millisecond once (loading the libraries takes a few), instead of a table of
 * processors that would grow old. An engine whose first result differs from OpenSSL's is treated as
 * absent. A key remembers the engine it was made with, so choosing another later does not disturb
 * it.
 *
 * GHASH alone is our own: no engine offers it without a key schedule. It reads all of one small
 * table for every block and never branches on data, since the hash key forges tags for whoever
 * learns it.
 */
#include "crypto/gcm_engine.h"

#include "scheduler/bytes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEASURE_LENGTH ((size_t)64 << 10)
#define MEASURE_ROUNDS 8
#define CACHE_LINE     64u

struct gcm_key {
        const struct gcm_engine *engine;
        size_t length; /* of the whole allocation */
        _Alignas(CACHE_LINE) uint8_t state[];
};

/* OpenSSL last: on a tie the library that is always there wins, and it is the reference. */
static const struct gcm_engine *const engines[] = { &gcm_ipsec, &gcm_openssl };
#define ENGINES   LENGTH_OF(engines)
#define REFERENCE (ENGINES - 1)

static const char *names[ENGINES]; /* NULL: not on this machine */
static size_t measured;            /* index of the fastest */
static atomic_size_t in_use;
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

static struct gcm_key *key_create(const struct gcm_engine *engine,
                                  const uint8_t secret[static GCM_KEY_LENGTH])
{
        size_t length = sizeof(struct gcm_key) + engine->state_length;
        struct gcm_key *key;

        length = (length + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
        key = aligned_alloc(CACHE_LINE, length);
        INSIST(key);
        memset(key, 0, length);
        key->engine = engine;
        key->length = length;
        engine->init(key->state, secret);
        return key;
}

/* The processor's own time, not the loop's clock: nothing waits here and no result depends on it
 * but the choice between engines that give the same bytes. */
static uint64_t processor_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The fastest of some rounds over `buffer`, and the tag of the first, on zeroes. */
static uint64_t engine_measure(const struct gcm_engine *engine, uint8_t *buffer,
                               uint8_t ret_tag[static GCM_TAG_LENGTH])
{
        static const uint8_t secret[GCM_KEY_LENGTH] = "measuring rounds";
        static const uint8_t iv[GCM_IV_LENGTH] = { 1 };
        struct gcm_key *key = key_create(engine, secret);
        uint64_t best = UINT64_MAX;

        memset(buffer, 0, MEASURE_LENGTH);
        gcm_seal(key, iv, secret, 14, buffer, buffer, MEASURE_LENGTH, ret_tag);
        for (unsigned round = 0; round < MEASURE_ROUNDS; round++) {
                uint8_t tag[GCM_TAG_LENGTH];
                uint64_t start = processor_ns(), spent;

                gcm_seal(key, iv, secret, 14, buffer, buffer, MEASURE_LENGTH, tag);
                spent = processor_ns() - start;
                if (spent < best)
                        best = spent;
        }
        gcm_key_destroy(key);
        return best;
}

static void engine_choose(void)
{
        uint8_t tags[ENGINES][GCM_TAG_LENGTH], *buffer = malloc(MEASURE_LENGTH);
        uint64_t best = UINT64_MAX;

        INSIST(buffer);
        for (size_t i = ENGINES; i-- > 0;) {
                uint64_t spent;

                names[i] = engines[i]->load();
                if (!names[i])
                        continue;
                spent = engine_measure(engines[i], buffer, tags[i]);
                if (memcmp(tags[i], tags[REFERENCE], GCM_TAG_LENGTH) != 0) {
                        names[i] = NULL;
                } else if (spent < best) {
                        best = spent;
                        measured = i;
                }
        }
        INSIST(names[REFERENCE]);
        atomic_store(&in_use, measured);
        free(buffer);
}

static size_t engine_in_use(void)
{
        INSIST(pthread_once(&chosen, engine_choose) == 0);
        return atomic_load(&in_use);
}

const char *gcm_engine_name(void)
{
        return names[engine_in_use()];
}

int gcm_engine_select(const char *name)
{
        size_t length = name ? strlen(name) : 0;

        (void)engine_in_use();
        if (!name) {
                atomic_store(&in_use, measured);
                return 0;
        }
        for (size_t i = 0; i < ENGINES; i++) {
                if (names[i] && length && strncmp(names[i], name, length) == 0 &&
                    names[i][length] == ' ') {
                        atomic_store(&in_use, i);
                        return 0;
                }
        }
        return fault(FAULT_NOT_FOUND, "AES-GCM engine \"%s\" is not on this machine, %s is", name,
                     names[measured]);
}

struct gcm_key *gcm_key_create(const uint8_t key[static GCM_KEY_LENGTH])
{
        return key_create(engines[engine_in_use()], key);
}

struct gcm_key *gcm_key_destroy(struct gcm_key *key)
{
        if (!key)
                return NULL;
        key->engine->finish(key->state);
        wipe(key, key->length);
        free(key);
        return NULL;
}

void gcm_seal(struct gcm_key *key, const uint8_t iv[static GCM_IV_LENGTH], const void *aad,
              size_t aad_length, const void *in, void *out, size_t length,
              uint8_t ret_tag[static GCM_TAG_LENGTH])
{
        struct gcm_message message = {
                .iv = iv,
                .aad = aad,
                .aad_length = aad_length,
                .in = in,
                .out = out,
                .length = length,
        };

        key->engine->seal(key->state, &message, ret_tag);
}

int gcm_open(struct gcm_key *key, const uint8_t iv[static GCM_IV_LENGTH], const void *aad,
             size_t aad_length, const void *in, void *out, size_t length,
             const uint8_t tag[static GCM_TAG_LENGTH])
{
        struct gcm_message message = {
                .iv = iv,
                .aad = aad,
                .aad_length = aad_length,
                .in = in,
                .out = out,
                .length = length,
        };

        if (key->engine->open(key->state, &message, tag))
                return 0;
        if (length)
                wipe(out, length);
        return fault(FAULT_BAD_TAG, "the tag over %zu bytes of payload does not match", length);
}

/*
 * GHASH (NIST SP 800-38D, 6.3 and 6.4). A block is a polynomial whose first bit, the highest of its
 * first byte, is the coefficient of x^0; `high` holds the first eight bytes.
 */
struct block {
        uint64_t high, low;
};

static struct block block_load(const uint8_t bytes[static 16])
{
        return (struct block){
                .high = (uint64_t)load_be32(bytes) << 32 | load_be32(bytes + 4),
                .low = (uint64_t)load_be32(bytes + 8) << 32 | load_be32(bytes + 12),
        };
}

static void block_store(struct block block, uint8_t ret_bytes[static 16])
{
        store_be32(ret_bytes, (uint32_t)(block.high >> 32));
        store_be32(ret_bytes + 4, (uint32_t)block.high);
        store_be32(ret_bytes + 8, (uint32_t)(block.low >> 32));
        store_be32(ret_bytes + 12, (uint32_t)block.low);
}

/* H, H * x, ... H * x^127, so that a product is a sum of chosen rows. */
#define BLOCK_BITS 128u

static void powers_fill(struct block h, struct block ret_powers[static BLOCK_BITS])
{
        for (unsigned i = 0; i < BLOCK_BITS; i++) {
                uint64_t carry = 0 - (h.low & 1);

                ret_powers[i] = h;
                /* x^128 = 1 + x + x^2 + x^7, whose bits are 11100001 */
                h.low = h.low >> 1 | h.high << 63;
                h.high = h.high >> 1 ^ (carry & (uint64_t)0xE1 << 56);
        }
        wipe(&h, sizeof(h));
}

/* value * H; masks instead of branches. */
static struct block block_multiply(struct block value, const struct block powers[static BLOCK_BITS])
{
        struct block sum = { 0 };

        for (unsigned i = 0; i < 64; i++) {
                uint64_t is_set = 0 - (value.high >> (63 - i) & 1);
                uint64_t is_set_low = 0 - (value.low >> (63 - i) & 1);

                sum.high ^= (powers[i].high & is_set) ^ (powers[64 + i].high & is_set_low);
                sum.low ^= (powers[i].low & is_set) ^ (powers[64 + i].low & is_set_low);
        }
        return sum;
}

/* Take in `length` bytes, the last block filled up with zeroes. */
static struct block ghash_bytes(struct block hash, const struct block powers[static BLOCK_BITS],
                                const uint8_t *bytes, size_t length)
{
        for (size_t at = 0; at < length; at += 16) {
                size_t rest = length - at;
                uint8_t padded[16] = { 0 };
                struct block block;

                memcpy(padded, bytes + at, rest < 16 ? rest : 16);
                block = block_load(padded);
                hash.high ^= block.high;
                hash.low ^= block.low;
                hash = block_multiply(hash, powers);
        }
        return hash;
}

void gcm_ghash(const uint8_t hash_key[static 16], const void *aad, size_t aad_length,
               const void *ciphertext, size_t length, uint8_t ret_hash[static 16])
{
        struct block powers[BLOCK_BITS], hash = { 0 };

        powers_fill(block_load(hash_key), powers);
        hash = ghash_bytes(hash, powers, aad, aad_length);
        hash = ghash_bytes(hash, powers, ciphertext, length);
        hash.high ^= (uint64_t)aad_length * 8;
        hash.low ^= (uint64_t)length * 8;
        block_store(block_multiply(hash, powers), ret_hash);
        wipe(powers, sizeof(powers));
}
