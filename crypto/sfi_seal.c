/*
 * sfi_seal.c - writing an image: every payload is encrypted where it lies, in one pass over memory.
 *
 * An image is a list of pieces in the order of the file: the image header, then a header and a
 * payload for each area. The headers, 30 bytes each, get a small block of their own; the payloads
 * stay with their owner. Nothing is copied together: who wants the file digests and writes the pieces.
 *
 * All places are known first. One job a worker thread then takes units (0 the image header, 1 and
 * up the areas, as their IVs count) from a common counter, some neighbours at a time, until none is
 * left; each job expands the key once. Nothing a job writes depends on who else runs, so the bytes
 * are the same for any number of workers. One area stays with one thread: GCM's tag is a chain.
 *
 * In place, because memory is the bound (limits.md): a cipher that writes elsewhere reads, fetches
 * the lines it is about to overwrite, and writes back.
 */
#include "crypto/sfi.h"

#include "scheduler/workers.h"

#include <stdatomic.h>
#include <stdlib.h>

#define MAGIC "SFIMAGIC"

/* Below this, waking a worker costs more than sealing on this thread: about 15 us (limits.md,
 * dispatch). */
#define ALONE_LENGTH ((size_t)64 << 10)

/* Neighbours a thread takes at once, at most, and into how many such runs a thread's share is cut at
 * least, so that none waits long for the last. Two threads that leap over each other area by area are
 * slower: areas of 64 KiB were sealed at 1.72 to 1.77 times the library's best thread one at a time, at
 * 1.83 to 1.86 by 4, 1.92 by 16 and 1.88 to 1.94 by 64 (best rounds of two runs of tests/bench/seal.c
 * on a two-core machine with neighbours). */
#define RUN_MAX   16u
#define RUNS_EACH 8u

struct seal {
        const struct sfi_recipe *recipe;
        const uint8_t *key;
        const uint8_t *nonce;
        uint8_t *headers; /* of the image, then of the areas */
        size_t run;       /* units taken at once */
        atomic_size_t next;
};

/* --- what a recipe must be ----------------------------------------------------------------- */

static int area_check(const struct sfi_plain_area *area, size_t position, size_t used)
{
        INSIST(area->data || area->length == 0);
        if (area->length > SFI_FILE_MAX - used)
                return fault(FAULT_TOO_LARGE,
                             "area %zu of %zu bytes brings the image above %u bytes", position + 1,
                             area->length, SFI_FILE_MAX);
        if (area->length && area->address > UINT32_MAX - (area->length - 1))
                return fault(FAULT_BAD_VALUE, "area %zu: %zu bytes at 0x%08X go beyond 0xFFFFFFFF",
                             position + 1, area->length, area->address);
        return 0;
}

/* Bytes of the image, or a fault when the recipe is not one. */
static int recipe_length(const struct sfi_recipe *recipe, size_t *ret_length)
{
        size_t length = SFI_HEADER_LENGTH;

        INSIST(recipe->policy < SFI_IV_POLICIES);
        if (recipe->protocol != 1 && recipe->protocol != 2)
                return fault(FAULT_BAD_VALUE, "found protocol version %u, supported are 1 and 2",
                             recipe->protocol);
        if (recipe->count == 0)
                return fault(FAULT_BAD_VALUE, "found no area to seal, wanted at least 1");
        if (recipe->count > SFI_AREAS_MAX)
                return fault(FAULT_TOO_LARGE, "found %zu areas to seal, allowed are %u",
                             recipe->count, SFI_AREAS_MAX);
        length += recipe->count * SFI_AREA_HEADER_LENGTH;
        for (size_t i = 0; i < recipe->count; i++) {
                int r = area_check(&recipe->areas[i], i, length);

                if (r < 0)
                        return r;
                length += recipe->areas[i].length;
        }
        *ret_length = length;
        return 0;
}

static int by_place(const void *a, const void *b)
{
        const struct sfi_plain_area *x = a, *y = b;
        uintptr_t left = (uintptr_t)x->data, right = (uintptr_t)y->data;

        return (left > right) - (left < right);
}

static bool is_apart(const struct sfi_plain_area *areas, size_t count)
{
        uintptr_t end = 0;

        for (size_t i = 0; i < count; i++) {
                uintptr_t begin = (uintptr_t)areas[i].data;

                if (!areas[i].length)
                        continue;
                if (begin < end)
                        return false;
                end = begin + areas[i].length;
        }
        return true;
}

/* Bytes of two areas would be encrypted twice, and the image would be told from a good one by the
 * target only. Most recipes are in the order of memory, which is seen at once. */
static bool is_disjoint(const struct sfi_recipe *recipe)
{
        struct sfi_plain_area *sorted;
        bool apart = is_apart(recipe->areas, recipe->count);

        if (apart)
                return true;
        sorted = calloc(recipe->count, sizeof(*sorted));
        INSIST(sorted);
        memcpy(sorted, recipe->areas, recipe->count * sizeof(*sorted));
        qsort(sorted, recipe->count, sizeof(*sorted), by_place);
        apart = is_apart(sorted, recipe->count);
        free(sorted);
        return apart;
}

/* --- units --------------------------------------------------------------------------------- */

static uint8_t *area_header(uint8_t *headers, size_t position)
{
        return headers + SFI_HEADER_LENGTH + position * SFI_AREA_HEADER_LENGTH;
}

static void header_seal(const struct seal *seal, struct gcm_key *key)
{
        uint8_t *header = seal->headers;

        memcpy(header, MAGIC, 8);
        store_le16(header + 8, seal->recipe->protocol);
        store_le16(header + 10, (uint16_t)seal->recipe->count);
        gcm_seal(key, seal->nonce, header, SFI_HEADER_AAD_LENGTH, NULL, NULL, 0,
                 header + SFI_HEADER_AAD_LENGTH);
}

static void area_seal(const struct seal *seal, size_t position, struct gcm_key *key)
{
        const struct sfi_plain_area *area = &seal->recipe->areas[position];
        uint8_t *header = area_header(seal->headers, position);
        uint8_t iv[GCM_IV_LENGTH];

        header[0] = (uint8_t)area->type;
        header[1] = seal->recipe->version;
        store_le16(header + 2, (uint16_t)(position + 1));
        store_le32(header + 4, (uint32_t)area->length);
        store_le32(header + 8, area->address);
        store_le16(header + 12, (uint16_t)seal->recipe->count);
        sfi_iv(seal->nonce, (uint32_t)(position + 1), seal->recipe->policy, iv);
        gcm_seal(key, iv, header, SFI_AREA_AAD_LENGTH, area->data, area->data, area->length,
                 header + SFI_AREA_AAD_LENGTH);
        wipe(iv, sizeof(iv));
}

/* A job for one worker thread: which one it runs on does not matter. */
static int units_seal(void *argument, size_t job)
{
        struct seal *seal = argument;
        struct gcm_key *key = gcm_key_create(seal->key);
        size_t units = seal->recipe->count + 1, first;

        (void)job;
        while ((first = atomic_fetch_add(&seal->next, seal->run)) < units) {
                for (size_t unit = first; unit < units && unit - first < seal->run; unit++) {
                        if (unit == 0)
                                header_seal(seal, key);
                        else
                                area_seal(seal, unit - 1, key);
                }
        }
        gcm_key_destroy(key);
        return 0;
}

/* --- the image ----------------------------------------------------------------------------- */

static size_t run_length(size_t units, unsigned threads)
{
        size_t run = threads ? units / (threads * RUNS_EACH) : units;

        return run < 1 ? 1 : run > RUN_MAX ? RUN_MAX : run;
}

static struct sfi_sealed sealed_new(const struct sfi_recipe *recipe, size_t length)
{
        struct sfi_sealed sealed = {
                .count = 1 + 2 * recipe->count,
                .length = length,
                .headers = malloc(SFI_HEADER_LENGTH + recipe->count * SFI_AREA_HEADER_LENGTH),
        };

        sealed.pieces = calloc(sealed.count, sizeof(*sealed.pieces));
        INSIST(sealed.headers && sealed.pieces);
        sealed.pieces[0] = (struct piece){ sealed.headers, SFI_HEADER_LENGTH };
        for (size_t i = 0; i < recipe->count; i++) {
                sealed.pieces[1 + 2 * i] =
                        (struct piece){ area_header(sealed.headers, i), SFI_AREA_HEADER_LENGTH };
                sealed.pieces[2 + 2 * i] =
                        (struct piece){ recipe->areas[i].data, recipe->areas[i].length };
        }
        return sealed;
}

void sfi_sealed_free(struct sfi_sealed *sealed)
{
        free(sealed->pieces);
        free(sealed->headers);
        *sealed = (struct sfi_sealed){ 0 };
}

int sfi_seal(const struct sfi_recipe *recipe, const uint8_t key[static GCM_KEY_LENGTH],
             const uint8_t nonce[static SFI_NONCE_LENGTH], struct workers *workers,
             struct sfi_sealed *ret_sealed)
{
        CLEANUP(sfi_sealed_free) struct sfi_sealed sealed = { 0 };
        struct seal seal = { .recipe = recipe, .key = key, .nonce = nonce };
        unsigned threads = workers ? workers_count(workers) : 0;
        size_t length = 0;
        int r = recipe_length(recipe, &length);

        if (r < 0)
                return r;
        INSIST(is_disjoint(recipe));
        if (length < ALONE_LENGTH)
                threads = 0;
        sealed = sealed_new(recipe, length);
        seal.headers = sealed.headers;
        seal.run = run_length(recipe->count + 1, threads);
        r = threads ? workers_each(workers, threads, units_seal, &seal) : units_seal(&seal, 0);
        if (r < 0)
                return r;
        *ret_sealed = sealed;
        sealed = (struct sfi_sealed){ 0 };
        return 0;
}
