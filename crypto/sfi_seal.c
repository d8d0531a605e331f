/*
 * sfi_seal.c - writing an image: every payload is encrypted from where it lies to where it belongs,
 * in one pass and without a copy in between.
 *
 * The recipe gives all lengths, so all places are known first. One job a worker thread then takes
 * units (0 the image header, 1 and up the areas, as their IVs count) from a common counter, some
 * neighbours at a time, until none is left; each job expands the key once. Nothing a job writes
 * depends on who else runs, so the bytes are the same for any number of workers. One area stays
 * with one thread: GCM's tag is a chain.
 *
 * Fresh pages cost more than the cipher (limits.md), so a large image asks for huge pages: 64 MiB
 * came in 6 ms instead of 20 to 24. They are left to be touched by whoever first writes there, so
 * that the workers share that too (9.0 against 7.2 GB/s for asking in one call first, two workers,
 * same machine). A kernel without huge pages is asked for all pages in one call. The memory comes
 * from aligned_alloc, so bytes_free() fits.
 */
#include "crypto/sfi_seal.h"

#include "scheduler/workers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MAGIC "SFIMAGIC"

/* From here on an image is worth huge pages. */
#define HUGE_PAGE ((size_t)2 << 20)

/* Below this, waking a worker costs more than sealing here: about 15 us (limits.md, dispatch). */
#define IN_PLACE_LENGTH ((size_t)64 << 10)

/* Neighbours a thread takes at once, at most, and into how many such runs a thread's share is cut at
 * least, so that none waits long for the last. Two threads that leap over each other area by area
 * were 8 % slower from cold memory (medians of six runs of tests/bench/seal.c, 64 KiB areas), and
 * there memcpy on two threads is no faster. An area sealed in pieces of 1 to 8 KiB, the next one
 * prefetched, was 14 to 45 % slower with one thread and slower with two as well. */
#define RUN_MAX   16u
#define RUNS_EACH 8u

struct seal {
        const struct sfi_recipe *recipe;
        const uint8_t *key;
        const uint8_t *nonce;
        uint8_t *out;
        size_t *offsets; /* of each area's header */
        size_t run;      /* units taken at once */
        atomic_size_t next;
};

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

int sfi_seal_length(const struct sfi_recipe *recipe, size_t *ret_length)
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

static void header_seal(const struct seal *seal, struct gcm_key *key)
{
        uint8_t *header = seal->out;

        memcpy(header, MAGIC, 8);
        store_le16(header + 8, seal->recipe->protocol);
        store_le16(header + 10, (uint16_t)seal->recipe->count);
        gcm_seal(key, seal->nonce, header, SFI_HEADER_AAD_LENGTH, NULL, NULL, 0,
                 header + SFI_HEADER_AAD_LENGTH);
}

static void area_seal(const struct seal *seal, size_t position, struct gcm_key *key)
{
        const struct sfi_plain_area *area = &seal->recipe->areas[position];
        uint8_t *header = seal->out + seal->offsets[position];
        uint8_t iv[GCM_IV_LENGTH];

        header[0] = (uint8_t)area->type;
        header[1] = seal->recipe->version;
        store_le16(header + 2, (uint16_t)(position + 1));
        store_le32(header + 4, (uint32_t)area->length);
        store_le32(header + 8, area->address);
        store_le16(header + 12, (uint16_t)seal->recipe->count);
        sfi_iv(seal->nonce, (uint32_t)(position + 1), seal->recipe->policy, iv);
        gcm_seal(key, iv, header, SFI_AREA_AAD_LENGTH, area->data, header + SFI_AREA_HEADER_LENGTH,
                 area->length, header + SFI_AREA_AAD_LENGTH);
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

static size_t *offsets_new(const struct sfi_recipe *recipe)
{
        size_t *offsets = calloc(recipe->count, sizeof(*offsets)), at = SFI_HEADER_LENGTH;

        INSIST(offsets);
        for (size_t i = 0; i < recipe->count; i++) {
                offsets[i] = at;
                at += SFI_AREA_HEADER_LENGTH + recipe->areas[i].length;
        }
        return offsets;
}

static size_t run_length(size_t units, unsigned threads)
{
        size_t run = threads ? units / (threads * RUNS_EACH) : units;

        return run < 1 ? 1 : run > RUN_MAX ? RUN_MAX : run;
}

int sfi_seal_into(const struct sfi_recipe *recipe, const uint8_t key[static GCM_KEY_LENGTH],
                  const uint8_t nonce[static SFI_NONCE_LENGTH], struct workers *workers,
                  uint8_t *out)
{
        struct seal seal = { .recipe = recipe, .key = key, .nonce = nonce, .out = out };
        unsigned threads = workers ? workers_count(workers) : 0;
        size_t length;
        int r = sfi_seal_length(recipe, &length);

        if (r < 0)
                return r;
        if (length < IN_PLACE_LENGTH)
                threads = 0;
        seal.offsets = offsets_new(recipe);
        seal.run = run_length(recipe->count + 1, threads);
        if (threads == 0)
                r = units_seal(&seal, 0);
        else
                r = workers_each(workers, threads, units_seal, &seal);
        free(seal.offsets);
        return r;
}

/* Memory for the image and the spare zero byte of bytes.h. Every byte of it will be written. */
static struct bytes output_new(size_t length)
{
        struct bytes bytes = { .length = length };
        size_t room = (length + 1 + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;

        if (length < HUGE_PAGE) {
                bytes.data = malloc(length + 1);
                INSIST(bytes.data);
        } else {
                bytes.data = aligned_alloc(HUGE_PAGE, room);
                INSIST(bytes.data);
                /* whole ones only: what lies behind the image is not to be touched */
                if (madvise(bytes.data, length / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE) != 0)
                        (void)madvise(bytes.data, length + 1, MADV_POPULATE_WRITE); /* advice */
        }
        bytes.data[length] = 0;
        return bytes;
}

int sfi_seal(const struct sfi_recipe *recipe, const uint8_t key[static GCM_KEY_LENGTH],
             const uint8_t nonce[static SFI_NONCE_LENGTH], struct workers *workers,
             struct bytes *ret_file)
{
        CLEANUP(bytes_free) struct bytes file = { 0 };
        size_t length;
        int r = sfi_seal_length(recipe, &length);

        if (r < 0)
                return r;
        file = output_new(length);
        r = sfi_seal_into(recipe, key, nonce, workers, file.data);
        if (r < 0)
                return r;
        *ret_file = file;
        file = (struct bytes){ 0 };
        return 0;
}
