/* Payloads are copied before, pieces after: what is sealed in between is sealed as the station does. */
#include "tests/support/sealed.h"

#include <stdlib.h>

struct bytes sealed_join(const struct sfi_sealed *sealed)
{
        struct bytes file = bytes_new(sealed->length);
        size_t at = 0;

        for (size_t i = 0; i < sealed->count; i++) {
                const struct piece *piece = &sealed->pieces[i];

                INSIST(piece->length <= file.length - at);
                if (piece->length)
                        memcpy(file.data + at, piece->data, piece->length);
                at += piece->length;
        }
        INSIST(at == file.length);
        return file;
}

struct bytes sealed_file(const struct sfi_recipe *recipe, const uint8_t key[static GCM_KEY_LENGTH],
                         const uint8_t nonce[static SFI_NONCE_LENGTH], struct workers *workers)
{
        CLEANUP(sfi_sealed_free) struct sfi_sealed sealed = { 0 };
        struct sfi_plain_area *areas = calloc(recipe->count, sizeof(*areas));
        struct sfi_recipe copy = *recipe;
        struct bytes file;

        INSIST(areas);
        copy.areas = areas;
        for (size_t i = 0; i < recipe->count; i++) {
                areas[i] = recipe->areas[i];
                areas[i].data = bytes_copy(recipe->areas[i].data, areas[i].length).data;
        }
        INSIST(sfi_seal(&copy, key, nonce, workers, &sealed) == 0);
        file = sealed_join(&sealed);
        for (size_t i = 0; i < recipe->count; i++)
                free(areas[i].data);
        free(areas);
        return file;
}
