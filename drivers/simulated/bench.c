/*
 * A bench, made and taken down; boards in and out of its sites; the verbs for tests.
 *
 * A site is a probe, perhaps a board, and the file the board lives in. Boards are numbered from 1
 * over the whole bench; everything about a board - its keys, its unique id, its defects - follows
 * from the seed and that number.
 */
#include "drivers/simulated/bench_private.h"

#include "scheduler/bytes.h"
#include "scheduler/fault.h"
#include "scheduler/loop.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PROBE_PRODUCT 0x374F /* STLINK-V3SET */
#define PROBE_VERSION 15     /* V3J15 */

uint64_t bench_scaled(const struct bench *bench, uint64_t duration_ns)
{
        return (uint64_t)((double)duration_ns * bench->settings.speed);
}

static uint64_t monotonic_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t bench_enter(void)
{
        return monotonic_ns();
}

void bench_leave(struct bench *bench, uint64_t entered)
{
        bench->cost_ns += monotonic_ns() - entered;
}

uint64_t bench_cost_ns(const struct bench *bench)
{
        return bench->cost_ns;
}

/* --- boards -------------------------------------------------------------------------------- */

static void make_part(struct site *site)
{
        const struct bench_settings *settings = &site->bench->settings;
        struct chance chance = chance_fork(settings->seed, "part", site->board->number);
        struct part_settings part = {
                .family = settings->family,
                .rss = settings->rss,
                .store = (uint8_t *)site->file.memory + BOARD_STORE_OFFSET,
                .speed = settings->speed,
                .engine = settings->engine,
        };
        uint8_t seed[32];

        chance_bytes(&chance, seed, sizeof(seed));
        part.seed = seed;
        site->part = part_create(&part);
        wipe(seed, sizeof(seed)); /* the chip's private key comes from it */
}

/* A board that is noted as taken: its silicon is made anew, then it is in. */
static void finish_taking(struct site *site)
{
        memset((uint8_t *)site->file.memory + BOARD_STORE_OFFSET, 0, sizeof(uint64_t));
        make_part(site);
        misfortune_spoil_board(site);
        __atomic_store_n(&site->board->state, BOARD_IN, __ATOMIC_RELEASE);
}

bool site_take_board(struct site *site)
{
        struct bench *bench = site->bench;
        uint64_t entered = bench_enter();

        if (bench_boards_left(bench) == 0)
                return false;
        site->board->number = bench->state->boards_used + 1;
        site->board->verdict = 0;
        __atomic_store_n(&site->board->state, BOARD_TAKEN, __ATOMIC_RELEASE);
        __atomic_store_n(&bench->state->boards_used, site->board->number, __ATOMIC_RELEASE);
        finish_taking(site);
        misfortune_plan_unplug(site);
        bench_leave(bench, entered);
        return true;
}

void site_power_board(struct site *site, bool on)
{
        uint64_t entered = bench_enter();

        part_power(site->part, clock_now_ns(), on);
        probe_set_part(site->probe, on ? site->part : NULL);
        if (on) /* 0 means no board, also for one put in at the very start */
                site->ready_ns = clock_now_ns() ? clock_now_ns() : 1;
        bench_leave(site->bench, entered);
}

void site_remove_board(struct site *site)
{
        if (!site->part)
                return;
        site_power_board(site, false);
        __atomic_store_n(&site->board->state, BOARD_NONE, __ATOMIC_RELEASE);
        site->part = part_destroy(site->part);
        if (site->is_plugged && site->is_accident) {
                /* the accident that was to befall this board did not come in time */
                site->unplug_in = 0;
                site->is_accident = false;
        }
        waitlist_wake(&site->handler_changed);
}

/* What was in the sites when the process ended is in them again, without power until now; but a
 * board with a verdict was taken out meanwhile: the handler does not die with the station. */
static void find_board(struct site *site)
{
        if (site->board->state == BOARD_IN && site->board->verdict != 0)
                site->board->state = BOARD_NONE;
        if (site->board->state == BOARD_TAKEN)
                finish_taking(site);
        else if (site->board->state == BOARD_IN)
                make_part(site);
        if (site->part)
                site_power_board(site, true);
}

unsigned bench_boards_left(const struct bench *bench)
{
        if (bench->settings.boards == 0)
                return UINT_MAX;
        if (bench->state->boards_used >= bench->settings.boards)
                return 0;
        return bench->settings.boards - (unsigned)bench->state->boards_used;
}

/* --- making and taking down ---------------------------------------------------------------- */

static void make_site(struct bench *bench, unsigned number)
{
        struct site *site = &bench->sites[number];
        struct chance chance = chance_fork(bench->settings.seed, "probe serial", number);
        struct probe_settings probe = { .product = PROBE_PRODUCT,
                                        .jtag_version = PROBE_VERSION,
                                        .speed = bench->settings.speed };

        /* 24 hexadecimal digits, as a V3's look: stlink.md 2 */
        snprintf(probe.serial, sizeof(probe.serial), "0031%04X%016llX", number & 0xFFFF,
                 (unsigned long long)chance_u64(&chance));
        site->fixture.signal = fixture_take_signal;
        site->bench = bench;
        site->number = number;
        site->probe = probe_create(&probe);
        site->is_plugged = true;
        site->exchanges = chance_fork(bench->settings.seed, "exchanges", number);
}

static void make_card(struct bench_card *card)
{
        const struct bench_settings *settings = &card->bench->settings;
        const struct bench_card_settings *from = &settings->cards[card->number];
        struct card_settings to = {
                .profile = settings->card_profile,
                .counter = &card->state->counter,
                .maximum = card->state->maximum,
                .state = from->state,
                .serial = card->state->serial,
                .version = from->version ? from->version : 2,
                .personalization = { .license_version = 1 },
                .license_ms_low = from->license_ms_low,
                .license_ms_high = from->license_ms_high,
                .speed = settings->speed,
                .seed = settings->seed,
        };

        memcpy(to.key, from->key, sizeof(to.key));
        memcpy(to.nonce, from->nonce, sizeof(to.nonce));
        memcpy(to.firmware_id, from->firmware_id, sizeof(to.firmware_id));
        memcpy(to.type, from->type, sizeof(to.type));
        memcpy(to.personalization.flow, from->type, sizeof(from->type));
        if (from->product_id[0])
                memcpy(to.personalization.product_id, from->product_id,
                       sizeof(to.personalization.product_id));
        else /* by itself for whatever the bench's parts are */
                part_product_id(settings->family, settings->family->device_id,
                                to.personalization.product_id);
        card->card = simulated_card_create(&to);
        wipe(&to, sizeof(to));
        card->chance = chance_fork(settings->seed, "licenses", card->number);
        card->is_in = true;
        card->insertions = 1;
}

static void free_bench(struct bench *bench)
{
        for (unsigned i = 0; i < bench->settings.sites; i++) {
                struct site *site = &bench->sites[i];

                INSIST(site->wires == 0); /* bench.h: wires are closed first */
                part_destroy(site->part);
                probe_destroy(site->probe);
        }
        for (unsigned i = 0; i < bench->settings.card_count; i++)
                simulated_card_destroy(bench->cards[i].card);
        bench_files_close(bench);
        free(bench->sites);
        free(bench->cards);
        free(bench);
}

int bench_create(const struct bench_settings *settings, struct bench **ret_bench)
{
        struct bench *bench = calloc(1, sizeof(*bench));
        int r;

        INSIST(bench);
        bench->bus.operations = &bench_bus_operations;
        bench->settings = *settings;
        bench->sites = calloc(settings->sites + 1, sizeof(*bench->sites));
        bench->cards = calloc(settings->card_count + 1, sizeof(*bench->cards));
        INSIST(bench->sites && bench->cards);
        for (unsigned i = 0; i < settings->sites; i++)
                make_site(bench, i);
        for (unsigned i = 0; i < settings->card_count; i++) {
                bench->cards[i].bench = bench;
                bench->cards[i].number = i;
        }
        r = bench_files_open(bench);
        if (r < 0) {
                free_bench(bench);
                return r;
        }
        for (unsigned i = 0; i < settings->card_count; i++)
                make_card(&bench->cards[i]);
        bench->settings.cards = NULL; /* copied where it is needed; the caller wipes its own */
        for (unsigned i = 0; i < settings->sites; i++) {
                find_board(&bench->sites[i]);
                if (settings->has_handler)
                        handler_start(&bench->sites[i]);
        }
        *ret_bench = bench;
        return 0;
}

struct bench *bench_destroy(struct bench *bench)
{
        if (!bench)
                return NULL;
        for (unsigned i = 0; i < bench->settings.sites; i++)
                handler_stop(&bench->sites[i]);
        free_bench(bench);
        return NULL;
}

/* --- verbs --------------------------------------------------------------------------------- */

static struct site *site_at(const struct bench *bench, unsigned site)
{
        INSIST(site < bench->settings.sites);
        return &bench->sites[site];
}

struct bus *bench_bus(struct bench *bench)
{
        return &bench->bus;
}

struct fixture *bench_fixture(struct bench *bench, unsigned site)
{
        return &site_at(bench, site)->fixture;
}

void bench_unplug(struct bench *bench, unsigned site)
{
        site_at(bench, site)->is_accident = false;
        site_unplug(site_at(bench, site));
}

/* So many packets still pass, then the cable is out. */
void bench_unplug_after(struct bench *bench, unsigned site, unsigned packets)
{
        site_at(bench, site)->is_accident = false;
        site_at(bench, site)->unplug_in = packets + 1;
}

void bench_plug(struct bench *bench, unsigned site)
{
        site_plug(site_at(bench, site));
}

void bench_insert(struct bench *bench, unsigned site)
{
        site_remove_board(site_at(bench, site));
        if (site_take_board(site_at(bench, site)))
                site_power_board(site_at(bench, site), true);
}

void bench_remove(struct bench *bench, unsigned site)
{
        site_remove_board(site_at(bench, site));
}

struct simulated_part *bench_part(struct bench *bench, unsigned site)
{
        return site_at(bench, site)->part;
}

struct simulated_card *bench_card(struct bench *bench, unsigned card)
{
        INSIST(card < bench->settings.card_count);
        return bench->cards[card].card;
}

uint64_t bench_ready_ns(const struct bench *bench, unsigned site)
{
        const struct site *at = site_at(bench, site);

        return at->part && part_is_powered(at->part) ? at->ready_ns : 0;
}
