/*
 * image_opened.c - open, then point at the payloads; then join what cutting took apart.
 */
#include "station/commands/image_opened.h"

#include "station/commands/image_plan.h"
#include "station/commands/image_view.h"

#include <stdlib.h>

/* Once for all areas: an image in many parts has hundreds of pauses that may hold it. */
static void find_digest(struct opened_image *image)
{
        for (size_t i = 0; i < image->sfi->count; i++) {
                const struct sfi_plain_area *area = &image->areas[i];

                if ((area->type == SFI_PAUSE || area->type == SFI_RESUME) &&
                    area->length == DIGEST_LENGTH) {
                        image_firmware_digest(image->areas, image->sfi->count, image->digest);
                        return;
                }
        }
}

int image_open(const char *path, const char *key_file, const char *nonce_file,
               enum sfi_iv_policy policy, struct opened_image *ret_image)
{
        CLEANUP(image_opened_free) struct opened_image image = { 0 };
        struct secrets secrets CLEANUP(secrets_wipe) = { 0 };
        size_t at = 0;
        int r = image_read(path, &image.sfi);

        if (r >= 0)
                r = secrets_read(key_file, nonce_file, &secrets);
        if (r < 0)
                return r;
        r = sfi_open(image.sfi, secrets.key, secrets.nonce, policy, &image.plain);
        if (r < 0)
                return fault_prefix(r, "%s (key, nonce or --iv-policy wrong, or the file changed)",
                                    path);
        image.areas = calloc(image.sfi->count, sizeof(*image.areas));
        INSIST(image.areas);
        for (size_t i = 0; i < image.sfi->count; i++) {
                const struct sfi_area *area = &image.sfi->areas[i];

                image.areas[i] = (struct sfi_plain_area){ .type = area->type,
                                                          .address = area->address,
                                                          .data = image.plain.data + at,
                                                          .length = area->length };
                at += area->length;
        }
        find_digest(&image);
        *ret_image = image;
        image = (struct opened_image){ 0 };
        return 0;
}

void image_opened_free(struct opened_image *image)
{
        free(image->areas);
        bytes_wipe_free(&image->plain);
        image->sfi = sfi_free(image->sfi);
        image->areas = NULL;
}

/* --- runs ---------------------------------------------------------------------------------- */

static size_t prefix_length(const struct sfi_plain_area *area)
{
        return area->type == SFI_EXTERNAL && area->length >= SFI_EXTERNAL_PREFIX_LENGTH
                       ? SFI_EXTERNAL_PREFIX_LENGTH
                       : 0;
}

static int rank(char type)
{
        static const char order[] = "FKMOSEC";
        const char *at = type ? strchr(order, type) : NULL;

        return at ? (int)(at - order) : (int)sizeof(order) + (unsigned char)type;
}

static int by_type_and_address(const void *a, const void *b)
{
        const struct image_run *one = a, *other = b;
        int difference = rank(one->type) - rank(other->type);

        if (difference)
                return difference;
        if (one->address != other->address)
                return one->address < other->address ? -1 : 1;
        return (one->first > other->first) - (one->first < other->first);
}

static bool continues(const struct image_run *run, uint64_t end, const struct sfi_plain_area *area)
{
        size_t prefix = prefix_length(area);

        if (run->type != area->type || area->address != end)
                return false;
        if (area->type == SFI_EXTERNAL)
                return prefix && run->prefix && memcmp(run->prefix, area->data, prefix) == 0;
        return area->type == SFI_FIRMWARE;
}

/* First without data: areas first and count only, and how long each will be. */
static struct image_runs find_runs(const struct opened_image *image)
{
        struct image_runs runs = { .runs = calloc((size_t)image->sfi->count + 1,
                                                  sizeof(*runs.runs)) };
        uint64_t end = 0;

        INSIST(runs.runs);
        for (size_t i = 0; i < image->sfi->count; i++) {
                const struct sfi_plain_area *area = &image->areas[i];
                struct image_run *last = runs.count ? &runs.runs[runs.count - 1] : NULL;
                size_t prefix = prefix_length(area);

                if (area->type == SFI_PAUSE || area->type == SFI_RESUME)
                        continue;
                if (!last || !continues(last, end, area)) {
                        last = &runs.runs[runs.count++];
                        *last = (struct image_run){ .type = area->type,
                                                    .address = area->address,
                                                    .first = i,
                                                    .prefix = prefix ? area->data : NULL };
                        end = area->address;
                }
                last->count++;
                last->data.length += area->length - prefix;
                end += area->length - prefix;
        }
        return runs;
}

static void join(const struct opened_image *image, struct image_run *run)
{
        struct bytes joined = bytes_new(run->data.length);
        size_t used = 0, left = run->count;

        for (size_t i = run->first; left; i++) {
                const struct sfi_plain_area *area = &image->areas[i];
                size_t prefix = prefix_length(area), length = area->length - prefix;

                if (area->type == SFI_PAUSE || area->type == SFI_RESUME)
                        continue;
                memcpy(joined.data + used, (const uint8_t *)area->data + prefix, length);
                used += length;
                left--;
        }
        run->data = joined;
}

struct image_runs image_runs_make(const struct opened_image *image)
{
        struct image_runs runs = find_runs(image);

        for (size_t i = 0; i < runs.count; i++)
                join(image, &runs.runs[i]);
        qsort(runs.runs, runs.count, sizeof(*runs.runs), by_type_and_address);
        return runs;
}

void image_runs_free(struct image_runs *runs)
{
        for (size_t i = 0; i < runs->count; i++)
                bytes_wipe_free(&runs->runs[i].data);
        free(runs->runs);
        *runs = (struct image_runs){ 0 };
}

int image_policy_take(void *policy, struct options *options)
{
        if (sfi_iv_policy_find(options->value, policy))
                return 1;
        return fault(
                FAULT_BAD_VALUE, "--iv-policy is %.40s, wanted %s, %s, %s or %s", options->value,
                sfi_iv_policy_name(SFI_IV_BIG_ENDIAN), sfi_iv_policy_name(SFI_IV_LAST_WORD_LE),
                sfi_iv_policy_name(SFI_IV_FIRST_WORD_LE), sfi_iv_policy_name(SFI_IV_LAST_WORD_BE));
}
