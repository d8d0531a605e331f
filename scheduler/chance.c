/*
 * chance.c - the one source of chance: xoshiro256** seeded by SplitMix64.
 *
 * Both are by David Blackman and Sebastiano Vigna ("Scrambled linear pseudorandom number
 * generators", ACM TOMS 47(4), 2021, and prng.di.unimi.it). The constants below are theirs; those
 * of FNV-1a, which turns a label into a number, are Fowler's, Noll's and Vo's (the 64-bit offset
 * basis and prime of isthe.com/chongo/tech/comp/fnv).
 */
#include "scheduler/chance.h"

#include <string.h>

static uint64_t rotate_left(uint64_t value, unsigned by)
{
        return value << by | value >> (64 - by);
}

static uint64_t splitmix(uint64_t *state)
{
        uint64_t z = *state += 0x9e3779b97f4a7c15;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
}

static uint64_t label_number(const char *label)
{
        uint64_t hash = 0xcbf29ce484222325;

        for (; *label; label++)
                hash = (hash ^ (uint8_t)*label) * 0x100000001b3;
        return hash;
}

struct chance chance_fork(uint64_t seed, const char *label, uint64_t index)
{
        struct chance chance;
        uint64_t state = seed;

        /* each part goes through the mixer before the next joins: no sum of them can collide */
        state = splitmix(&state) ^ label_number(label);
        state = splitmix(&state) ^ index;
        for (unsigned i = 0; i < 4; i++)
                chance.state[i] = splitmix(&state);
        return chance;
}

uint64_t chance_u64(struct chance *chance)
{
        uint64_t *s = chance->state;
        uint64_t result = rotate_left(s[1] * 5, 7) * 9;
        uint64_t shifted = s[1] << 17;

        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = rotate_left(s[3], 45);
        return result;
}

uint64_t chance_below(struct chance *chance, uint64_t limit)
{
        uint64_t excess, drawn;

        INSIST(limit > 0);
        /* 2^64 mod limit: as many of the lowest draws are thrown away, the rest divides evenly */
        excess = (0 - limit) % limit;
        do
                drawn = chance_u64(chance);
        while (drawn < excess);
        return drawn % limit;
}

uint64_t chance_between(struct chance *chance, uint64_t low, uint64_t high)
{
        INSIST(low <= high);
        if (high - low == UINT64_MAX)
                return chance_u64(chance);
        return low + chance_below(chance, high - low + 1);
}

bool chance_one_in(struct chance *chance, uint64_t one_in)
{
        return one_in > 0 && chance_below(chance, one_in) == 0;
}

void chance_bytes(struct chance *chance, void *data, size_t length)
{
        uint8_t *to = data;

        while (length > 0) {
                uint64_t drawn = chance_u64(chance);
                size_t part = length < sizeof(drawn) ? length : sizeof(drawn);

                for (size_t i = 0; i < part; i++)
                        to[i] = (uint8_t)(drawn >> 8 * i);
                to += part;
                length -= part;
        }
}
