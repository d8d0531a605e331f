/*
 * readers.c - cards of the bench get key and nonce from the files of the station file; real ones
 * are asked for by name.
 */
#include "station/readers.h"

#include "drivers/pcsc.h"
#include "scheduler/file.h"
#include "scheduler/loop.h"

#include <string.h>

static int read_secret(const char *path, uint8_t *secret, size_t length)
{
        CLEANUP(bytes_wipe_free) struct bytes bytes = { 0 };
        int r = file_read(path, 4096, &bytes);

        if (r < 0)
                return r;
        if (bytes.length != length)
                return fault(FAULT_BAD_VALUE, "%s holds %zu bytes, wanted %zu", path, bytes.length,
                             length);
        memcpy(secret, bytes.data, length);
        return 0;
}

static int fill_cards(const struct settings_bench *from, struct bench_card_settings *cards)
{
        struct bench_card_settings card = {
                .counter = from->card_counter,
                .state = HSM_STATE_OPERATIONAL,
                .license_ms_low = from->license_ms_low,
                .license_ms_high = from->license_ms_high,
        };
        int r;

        r = read_secret(from->key_file, card.key, sizeof(card.key));
        if (r == 0)
                r = read_secret(from->nonce_file, card.nonce, sizeof(card.nonce));
        memcpy(card.firmware_id, from->firmware_id, sizeof(card.firmware_id));
        for (unsigned i = 0; i < from->cards && r == 0; i++)
                cards[i] = card;
        for (unsigned i = 0; i < from->module_card_count && r == 0; i++) {
                const struct settings_module_card *module = &from->module_cards[i];

                memcpy(card.firmware_id, module->firmware_id, sizeof(card.firmware_id));
                memcpy(card.type, module->type, sizeof(card.type));
                cards[from->cards + i] = card;
        }
        wipe(&card, sizeof(card));
        return r;
}

int readers_open_bench(const struct settings *settings, const struct family *family,
                       const struct rss_profile *rss, const struct card_profile *profile,
                       unsigned sites, struct bench **ret_bench)
{
        const struct settings_bench *from = &settings->bench;
        struct bench_card_settings cards[SETTINGS_READERS_MAX] = { 0 };
        struct bench_settings bench = {
                .seed = loop_seed(),
                .family = family,
                .rss = rss,
                .card_profile = profile,
                .sites = sites,
                .cards = cards,
                .card_count = from->cards + from->module_card_count,
                .boards = from->boards,
                .handling_ms = from->handling_ms,
                .has_handler = true,
                .speed = from->speed,
                .misfortune = from->misfortune,
                .directory = from->directory[0] ? from->directory : NULL,
                .engine = from->engine,
        };
        int r = fill_cards(from, cards);

        if (r == 0)
                r = bench_create(&bench, ret_bench);
        wipe(cards, sizeof(cards));
        return r;
}

int readers_open(const struct settings *settings, struct bench *bench,
                 struct reader *ret_readers[static SETTINGS_READERS_MAX])
{
        unsigned wanted = bench ? settings->bench.cards + settings->bench.module_card_count
                                : settings->reader_count;
        int r = 0;

        for (unsigned i = 0; i < wanted; i++) {
                if (bench)
                        ret_readers[i] = bench_reader(bench, i);
                else
                        r = pcsc_reader_expect(settings->readers[i], &ret_readers[i]);
                if (r < 0) {
                        while (i)
                                reader_close(ret_readers[--i]);
                        return r;
                }
        }
        return (int)wanted;
}
