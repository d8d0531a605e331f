/*
 * Membership is a subtraction: how far is the IV from the nonce, counted as the policy counts. Two
 * ranges of one policy are two arcs of one circle and meet only if one's first IV lies in the other,
 * so two memberships decide. Ranges of different policies count in different directions; there every
 * IV of the shorter range is tried in the other, after a look at the middle word, which no policy
 * but the big-endian one can change (and that only by a carry), has told nearly all pairs apart.
 */
#include "station/nonce_range.h"

/* The 12 bytes as one big-endian number, `iv` minus `nonce` modulo 2^96; UINT64_MAX stands for
 * everything that needs more than 64 bits. */
static uint64_t distance_96(const uint8_t *nonce, const uint8_t *iv)
{
        uint32_t words[3];
        int64_t borrow = 0;

        for (unsigned word = 3; word-- > 0;) {
                int64_t difference = (int64_t)load_be32(iv + 4 * word) -
                                     (int64_t)load_be32(nonce + 4 * word) - borrow;

                borrow = difference < 0;
                words[word] = (uint32_t)difference;
        }
        return words[0] ? UINT64_MAX : (uint64_t)words[1] << 32 | words[2];
}

/* One word counts modulo 2^32, the other eight bytes, from `rest`, must be the nonce's. */
static uint64_t distance_word(const uint8_t *nonce, const uint8_t *iv, size_t rest, uint32_t from,
                              uint32_t to)
{
        return memcmp(nonce + rest, iv + rest, 8) == 0 ? (uint32_t)(to - from) : UINT64_MAX;
}

static uint64_t distance(const struct nonce_range *range, const uint8_t *iv)
{
        const uint8_t *nonce = range->nonce;

        switch (range->policy) {
        case SFI_IV_BIG_ENDIAN:
                return distance_96(nonce, iv);
        case SFI_IV_LAST_WORD_LE:
                return distance_word(nonce, iv, 0, load_le32(nonce + 8), load_le32(iv + 8));
        case SFI_IV_FIRST_WORD_LE:
                return distance_word(nonce, iv, 4, load_le32(nonce), load_le32(iv));
        case SFI_IV_LAST_WORD_BE:
                return distance_word(nonce, iv, 0, load_be32(nonce + 8), load_be32(iv + 8));
        case SFI_IV_POLICIES:
                break;
        }
        INSIST(range->policy < SFI_IV_POLICIES);
        return UINT64_MAX;
}

int32_t nonce_range_index(const struct nonce_range *range, const uint8_t iv[static GCM_IV_LENGTH])
{
        uint64_t index = distance(range, iv);

        INSIST(range->areas <= NONCE_AREAS_MAX);
        return index <= range->areas ? (int32_t)index : -1;
}

/* The middle words are further apart than a carry on either side could bring together. */
static bool is_far(const struct nonce_range *a, const struct nonce_range *b)
{
        uint32_t apart = load_be32(a->nonce + 4) - load_be32(b->nonce + 4);

        return apart != 0 && apart != 1 && apart != UINT32_MAX;
}

static bool first_in(const struct nonce_range *inner, const struct nonce_range *outer,
                     uint32_t *ret_inner, uint32_t *ret_outer)
{
        int32_t index = nonce_range_index(outer, inner->nonce);

        if (index < 0)
                return false;
        *ret_inner = 0;
        *ret_outer = (uint32_t)index;
        return true;
}

static bool any_in(const struct nonce_range *inner, const struct nonce_range *outer,
                   uint32_t *ret_inner, uint32_t *ret_outer)
{
        uint8_t iv[GCM_IV_LENGTH];

        for (uint32_t i = 0; i <= inner->areas; i++) {
                int32_t index;

                sfi_iv(inner->nonce, i, inner->policy, iv);
                index = nonce_range_index(outer, iv);
                if (index < 0)
                        continue;
                *ret_inner = i;
                *ret_outer = (uint32_t)index;
                return true;
        }
        return false;
}

bool nonce_range_meet(const struct nonce_range *a, const struct nonce_range *b,
                      uint32_t *ret_index_a, uint32_t *ret_index_b)
{
        if (is_far(a, b))
                return false;
        if (a->policy == b->policy)
                return first_in(a, b, ret_index_a, ret_index_b) ||
                       first_in(b, a, ret_index_b, ret_index_a);
        if (a->areas <= b->areas)
                return any_in(a, b, ret_index_a, ret_index_b);
        return any_in(b, a, ret_index_b, ret_index_a);
}
