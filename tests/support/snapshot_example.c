/*
 * snapshot_example.c - a made-up line for tests of the page and for looking at it.
 */
#include "tests/support/snapshot_example.h"

#include <stdio.h>
#include <string.h>

#define SAY(to, ...) snprintf((to), sizeof(to), __VA_ARGS__)

struct scene {
        const char *state, *step, *result, *fault, *sentence;
        bool needs_person;
};

/* What sites of a real line look like, one after the other. */
static const struct scene scenes[] = {
        { "showing", "", "pass", "", "", false },
        { "busy", "send the encrypted areas", "", "", "", false },
        { "busy", "obtain the license", "", "", "", false },
        { "showing", "send the encrypted areas", "fail", "FLASH",
          "at 0x08012A40: wrote 4F3C21B0, read 4F3C21B8; the flash word did not take its value",
          false },
        { "busy", "read the certificate", "", "", "", false },
        { "showing", "", "pass", "", "", false },
        { "blocked", "offer the license", "error", "BAD_LICENSE",
          "RSS answered 0xEA0B: the target refused the license; look at the card's firmware "
          "identifier",
          true },
        { "empty", "", "pass", "", "", false },
        { "busy", "send the encrypted areas", "", "", "", false },
        { "ready", "", "", "", "", false },
        { "showing", "connect to the target", "error", "PROBE",
          "the probe answered 3 bytes where 8 were wanted; the attempt was not the unit's fault",
          false },
        { "busy", "reset and verify", "", "", "", false },
        { "empty", "", "", "", "", false },
        { "showing", "read the certificate", "aborted", "CANCELLED",
          "a person stopped the attempt before a license was asked for", false },
        { "absent", "", "", "", "", false },
        { "showing", "reset and verify", "not provable", "NOT_PROVABLE",
          "the target stopped answering after the last part; nothing proves whether it is "
          "installed",
          false },
};

static void site_example(struct snapshot_site *site, unsigned index, unsigned tick)
{
        const struct scene *scene = &scenes[index % LENGTH_OF(scenes)];
        unsigned is_busy = strcmp(scene->state, "busy") == 0;

        SAY(site->name, "%u", index + 1);
        SAY(site->state, "%s", scene->state);
        SAY(site->step, "%s", scene->step);
        SAY(site->result, "%s", scene->result);
        SAY(site->fault, "%s", scene->fault);
        SAY(site->sentence, "%s", scene->sentence);
        site->needs_person = scene->needs_person;
        site->progress = is_busy ? (137 * (index + 1) + 11 * tick) % 1001 : 0;
        site->elapsed_ms = is_busy ? 2300 * (index % 11 + 1) + 100 * tick : 0;
        if (strcmp(scene->state, "empty") != 0 && strcmp(scene->state, "absent") != 0)
                SAY(site->unit, "0034003%X3137511933383638", index % 16);
        site->attempt = scene->fault[0] ? 2 : 1;
        site->passed = 11 + index % 3;
        site->failed = index % 4 == 3;
        site->errors = index % 7 == 6;
}

static void lot_example(struct snapshot_lot *lot, unsigned tick)
{
        SAY(lot->order, "WO-2026-11873");
        SAY(lot->part, "STM32H753XI");
        SAY(lot->image, "blinky-2.4.sfi");
        SAY(lot->state, "running");
        lot->quantity = 640;
        lot->good = 412 + tick / 20;
        lot->bad = 7;
        lot->errors = 5;
        lot->in_work = 16;
        lot->entered = lot->good + lot->bad;
        lot->retried = 9;
        lot->first_pass_yield = 976;
        lot->final_yield = 983;
        lot->units_per_hour = 1184;
        lot->units_per_hour_busy = 1427;
        SAY(lot->license_source, "card");
        SAY(lot->license_type, "SFI");
        lot->licenses_issued = 421;
        lot->licenses_installed = 412;
        lot->licenses_in_hand = 8;
        lot->licenses_lost = 1;
        lot->licenses_in_work = 5;
        lot->licenses_pending = 3;
        lot->licenses_per_unit = 1;
        lot->licenses_per_good = 1010;
        lot->started_ms = 1795609400000ull;
}

struct card_scene {
        const char *state, *sentence, *firmware_id, *type;
        uint32_t left, per_hour, lost;
};

static const struct card_scene card_scenes[] = {
        { "busy", "", "BLINKY_1", "SFI", 318, 610, 0 },
        { "ready", "", "BLINKY_1", "SFI", 61, 574, 1 },
        { "busy", "", "STACK_1", "SMU", 390, 210, 0 },
        { "slow", "the last licenses took 9.2 s each; it is set aside", "BLINKY_1", "SFI", 214, 0,
          0 },
        { "empty", "no licenses are left on it", "BLINKY_1", "SFI", 0, 0, 0 },
        { "ready", "", "STACK_1", "SMU", 377, 0, 0 },
        { "dead", "the card does not answer any more", "BLINKY_1", "SFI", 120, 0, 2 },
        { "absent", "no card in the reader", "", "", 0, 0, 0 },
};

static void card_example(struct snapshot_card *card, unsigned index, uint64_t now_ms)
{
        const struct card_scene *scene = &card_scenes[index % LENGTH_OF(card_scenes)];

        SAY(card->reader, "Simulated reader %u", index + 1);
        SAY(card->firmware_id, "%s", scene->firmware_id);
        SAY(card->type, "%s", scene->type);
        SAY(card->state, "%s", scene->state);
        SAY(card->sentence, "%s", scene->sentence);
        card->queue = index ? 0 : 3;
        if (!scene->type[0])
                return;
        SAY(card->serial, "47B1%08X", 0x3F21A0u + index);
        card->left = scene->left;
        card->maximum = 400;
        card->per_hour = scene->per_hour;
        if (scene->per_hour)
                card->dry_ms = now_ms + 3600000ull * scene->left / scene->per_hour;
        card->issued = card->maximum - card->left;
        card->lost = scene->lost;
        card->in_hand = card->issued > 8 ? 4 : 0;
        card->installed = card->issued - card->in_hand - card->lost;
}

static void need_example(struct snapshot *snapshot, const char *firmware_id, const char *type)
{
        struct snapshot_need *need = &snapshot->needs[snapshot->need_count++];

        SAY(need->firmware_id, "%s", firmware_id);
        SAY(need->type, "%s", type);
        need->wanted = 223;
        for (unsigned i = 0; i < snapshot->card_count; i++) {
                const struct snapshot_card *card = &snapshot->cards[i];

                if (strcmp(card->firmware_id, firmware_id) == 0 &&
                    (strcmp(card->state, "ready") == 0 || strcmp(card->state, "busy") == 0))
                        need->left += card->left;
        }
}

void cards_example(struct snapshot *snapshot, unsigned cards)
{
        memset(snapshot->cards, 0, sizeof(snapshot->cards));
        memset(snapshot->needs, 0, sizeof(snapshot->needs));
        snapshot->card_count = cards < EXAMPLE_CARDS ? cards : EXAMPLE_CARDS;
        snapshot->need_count = 0;
        for (unsigned i = 0; i < snapshot->card_count; i++)
                card_example(&snapshot->cards[i], i, snapshot->now_ms);
        need_example(snapshot, "BLINKY_1", "SFI");
        if (cards > 2)
                need_example(snapshot, "STACK_1", "SMU");
}

void line_example(struct snapshot *snapshot, unsigned sites, unsigned tick)
{
        memset(snapshot, 0, sizeof(*snapshot));
        SAY(snapshot->station, "Line 3, station 1");
        SAY(snapshot->version, "0.1");
        snapshot->now_ms = 1795610655000ull + 100ull * tick;
        snapshot->is_simulated = true;
        snapshot->orders_waiting = 2;
        lot_example(&snapshot->lot, tick);
        snapshot->site_count = sites < SNAPSHOT_SITES_MAX ? sites : SNAPSHOT_SITES_MAX;
        for (unsigned i = 0; i < snapshot->site_count; i++)
                site_example(&snapshot->sites[i], i, tick);
        cards_example(snapshot, 2);
        SAY(snapshot->alarms[0],
            "card 47B1003F21A1 runs dry within 1 h at its pace: have another with BLINKY_1 ready");
        SAY(snapshot->alarms[1], "site 7 is blocked: the target refused the license");
        snapshot->alarm_count = 2;
}

/* A string of `capacity` that exercises the escapes, full to the last byte. */
static void fill_text(char *text, size_t capacity, unsigned seed)
{
        static const char letters[] = "\"\\/\x01\x1f\x7f\n\t<script>&'%s";

        for (size_t i = 0; i + 1 < capacity; i++)
                text[i] = letters[(i + seed) % (sizeof(letters) - 1)];
        text[capacity - 1] = '\0';
}

#define FILL(to, seed) fill_text((to), sizeof(to), (seed))

static void site_full(struct snapshot_site *site, unsigned seed)
{
        FILL(site->name, seed);
        FILL(site->state, seed + 1);
        FILL(site->step, seed + 2);
        site->progress = 1000;
        site->elapsed_ms = UINT32_MAX - seed;
        FILL(site->unit, seed + 3);
        site->attempt = UINT32_MAX;
        FILL(site->result, seed + 4);
        FILL(site->fault, seed + 5);
        FILL(site->sentence, seed + 6);
        site->needs_person = seed % 2;
        site->passed = seed;
        site->failed = seed + 1;
        site->errors = seed + 2;
}

static void card_full(struct snapshot_card *card, unsigned seed)
{
        FILL(card->serial, seed);
        FILL(card->reader, seed + 1);
        FILL(card->firmware_id, seed + 2);
        FILL(card->state, seed + 3);
        FILL(card->type, seed + 4);
        FILL(card->sentence, seed + 5);
        card->left = UINT32_MAX;
        card->maximum = UINT32_MAX - seed;
        card->queue = seed;
        card->per_hour = UINT32_MAX - seed - 1;
        card->dry_ms = INT64_MAX - seed;
        card->issued = UINT32_MAX - seed - 2;
        card->installed = UINT32_MAX - seed - 3;
        card->in_hand = UINT32_MAX - seed - 4;
        card->lost = UINT32_MAX - seed - 5;
}

static void need_full(struct snapshot_need *need, unsigned seed)
{
        FILL(need->firmware_id, seed);
        FILL(need->type, seed + 1);
        need->wanted = UINT32_MAX - seed;
        need->left = UINT32_MAX - seed - 1;
}

static void lot_full(struct snapshot_lot *lot)
{
        uint32_t *const numbers[] = {
                &lot->quantity,
                &lot->good,
                &lot->bad,
                &lot->errors,
                &lot->entered,
                &lot->retried,
                &lot->in_work,
                &lot->first_pass_yield,
                &lot->final_yield,
                &lot->units_per_hour,
                &lot->units_per_hour_busy,
                &lot->licenses_issued,
                &lot->licenses_installed,
                &lot->licenses_in_hand,
                &lot->licenses_lost,
                &lot->licenses_in_work,
                &lot->licenses_pending,
                &lot->licenses_per_unit,
                &lot->licenses_per_good,
        };

        FILL(lot->order, 0);
        FILL(lot->part, 1);
        FILL(lot->image, 2);
        FILL(lot->state, 3);
        FILL(lot->license_source, 4);
        FILL(lot->license_type, 5);
        for (unsigned i = 0; i < LENGTH_OF(numbers); i++)
                *numbers[i] = UINT32_MAX - i;
        lot->started_ms = INT64_MAX;
        lot->ended_ms = INT64_MAX - 1;
}

void line_full(struct snapshot *snapshot)
{
        memset(snapshot, 0, sizeof(*snapshot));
        FILL(snapshot->station, 0);
        FILL(snapshot->version, 1);
        snapshot->now_ms = INT64_MAX;
        snapshot->is_simulated = true;
        snapshot->is_stopping = true;
        snapshot->orders_waiting = UINT32_MAX;
        lot_full(&snapshot->lot);
        snapshot->site_count = SNAPSHOT_SITES_MAX;
        for (unsigned i = 0; i < SNAPSHOT_SITES_MAX; i++)
                site_full(&snapshot->sites[i], i);
        snapshot->card_count = SNAPSHOT_CARDS_MAX;
        for (unsigned i = 0; i < SNAPSHOT_CARDS_MAX; i++)
                card_full(&snapshot->cards[i], i);
        snapshot->need_count = SNAPSHOT_NEEDS_MAX;
        for (unsigned i = 0; i < SNAPSHOT_NEEDS_MAX; i++)
                need_full(&snapshot->needs[i], i);
        snapshot->alarm_count = SNAPSHOT_ALARMS_MAX;
        for (unsigned i = 0; i < SNAPSHOT_ALARMS_MAX; i++)
                FILL(snapshot->alarms[i], i);
}
