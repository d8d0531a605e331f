/*
 * An ST-LINK: USB descriptors around the simulated probe and its part. The debug interface alone (stlink.md
 * 1.2), so interface 0 is the only one.
 */
#include "drivers/simulated/probe.h"
#include "scheduler/chance.h"
#include "tests/rigs/parts/core.h"
#include "tests/rigs/parts/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCT = 0x374F, PACKET = 512, BOARDS_APART = 1000 };
enum { OUT_ENDPOINT = 0x01, IN_ENDPOINT = 0x81, TRACE_ENDPOINT = 0x82 };

struct board {
        struct simulated_probe *probe;
        struct simulated_part *part;
        void *store;
        unsigned index, boards; /* how many it has had */
        uint64_t busy_until_ns;
        uint8_t answer[65536];
        size_t answer_length, answer_taken;
};

static struct family usual, l462;
static struct rss_profile rss;

/* clang-format off */
/* USB 2.0 tables 9-8, 9-10, 9-12, 9-13. */
static const uint8_t descriptors[] = {
        18, 1, 0x00, 0x02, 0xEF, 2, 1, 64, 0x83, 0x04, PRODUCT & 0xFF, PRODUCT >> 8, 0x00, 0x01, 1, 2, 3, 1,
        9, 2, 39, 0, 1, 1, 0, 0x80, 250,      /* one interface, configuration 1, 500 mA */
        9, 4, 0, 0, 3, 0xFF, 0xFF, 0xFF, 4,   /* interface 0 */
        7, 5, IN_ENDPOINT, 2, PACKET & 0xFF, PACKET >> 8, 0,    /* bulk */
        7, 5, OUT_ENDPOINT, 2, PACKET & 0xFF, PACKET >> 8, 0,
        7, 5, TRACE_ENDPOINT, 2, PACKET & 0xFF, PACKET >> 8, 0,
};
/* clang-format on */

/* RIG_FAMILY: the part of kind "stlink", stm32u575 and the like. RIG_SILICON: no marker of the reference
 * RSS, as on what ST makes. */
static int load(void)
{
        const char *name = getenv("RIG_FAMILY");
        char path[128];
        int r;

        snprintf(path, sizeof(path), "configs/targets/%.64s.conf", name ? name : "stm32h75x");
        r = family_load(path, &usual);
        if (r >= 0)
                r = family_load("configs/targets/stm32l462.conf", &l462);
        snprintf(path, sizeof(path), "configs/rss/%s.conf",
                 usual.rss_profile[0] ? usual.rss_profile : "reference-h7");
        if (r >= 0)
                r = rss_profile_load(path, &rss);
        if (getenv("RIG_SILICON"))
                rss.marker_address = 0;
        return r;
}

static void power_up(struct device *device)
{
        struct board *board = device->model;

        board->busy_until_ns = 0;
        board->answer_length = board->answer_taken = 0;
        probe_power_up(board->probe);
}

/* A part as it comes, BOOT0 high. RIG_SPEED scales the part's durations. */
static struct simulated_part *make_part(const struct family *family, unsigned index,
                                        void **ret_store)
{
        struct chance chance = chance_fork(1, "rig board", index);
        const char *speed = getenv("RIG_SPEED");
        uint8_t seed[32];
        struct part_settings settings = {
                .family = family,
                .rss = &rss,
                .seed = seed,
                .speed = speed ? atof(speed) : 1.0,
                .engine = &unicorn_engine,
        };
        struct simulated_part *part;

        chance_bytes(&chance, seed, sizeof(seed));
        settings.store = *ret_store = calloc(1, part_store_length(family));
        INSIST(settings.store);
        part = part_create(&settings);
        part_set_boot_pin(part, true);
        part_power(part, 0, true);
        return part;
}

static void create(struct device *device, unsigned index)
{
        struct board *board = calloc(1, sizeof(*board));
        struct probe_settings probe = { .product = PRODUCT, .jtag_version = 15, .speed = 1.0 };
        const struct family *family = device->kind == &stlink_kind ? &usual : &l462;

        INSIST(board);
        device->model = board;
        snprintf(probe.serial, sizeof(probe.serial), "0030%020X", 0xABC000 + index);
        board->probe = probe_create(&probe);
        snprintf(device->serial, sizeof(device->serial), "%s", probe_serial(board->probe));
        board->index = index;
        board->part = make_part(family, index, &board->store);
        probe_set_part(board->probe, board->part);
        power_up(device);
}

static int out(struct device *device, uint64_t now_ns, const void *data, size_t length)
{
        struct board *board = device->model;

        if (now_ns < board->busy_until_ns)
                return -EAGAIN;
        board->answer_length = board->answer_taken = 0;
        board->busy_until_ns = probe_out(board->probe, now_ns, data, length);
        return (int)length;
}

static int in(struct device *device, uint64_t now_ns, uint8_t endpoint, void *data, size_t capacity)
{
        struct board *board = device->model;

        if (endpoint != IN_ENDPOINT || now_ns < board->busy_until_ns)
                return -EAGAIN;
        if (board->answer_taken == board->answer_length) {
                int got = probe_in(board->probe, now_ns, board->answer, sizeof(board->answer));

                if (probe_take_stall(board->probe))
                        return -EPIPE;
                if (got < 0)
                        return -EAGAIN;
                board->answer_length = (size_t)got;
                board->answer_taken = 0;
        }
        return device_give_packets(board->answer, board->answer_length, &board->answer_taken,
                                   PACKET, data, capacity);
}

static uint64_t wake_ns(struct device *device, uint64_t now_ns)
{
        const struct board *board = device->model;

        return board->busy_until_ns > now_ns ? board->busy_until_ns : UINT64_MAX;
}

/* Another board, blank, as a handler would put it there. */
static void put_next(struct board *board, const struct family *family)
{
        struct simulated_part *part = board->part;
        void *store = board->store;

        board->part =
                make_part(family, board->index + BOARDS_APART * ++board->boards, &board->store);
        probe_set_part(board->probe, board->part);
        part_destroy(part);
        free(store);
}

/* What a test does to the board (control.h):
 *      off, on         its power
 *      boot 0, boot 1  BOOT0
 *      remove, insert  the board, which is powered as it was
 *      board           take it away and put a blank one there
 *      flash N         byte N of the flash, whatever the protection */
static int tell(struct device *device, uint64_t now_ns, const char *words)
{
        struct board *board = device->model;
        const struct family *family = device->kind == &stlink_kind ? &usual : &l462;
        int number;

        if (strcmp(words, "off") == 0 || strcmp(words, "on") == 0) {
                part_power(board->part, now_ns, words[1] == 'n');
        } else if (sscanf(words, "boot %d", &number) == 1) {
                part_set_boot_pin(board->part, number != 0);
                part_reset(board->part, now_ns);
        } else if (strcmp(words, "remove") == 0) {
                probe_set_part(board->probe, NULL);
        } else if (strcmp(words, "insert") == 0) {
                probe_set_part(board->probe, board->part);
        } else if (strcmp(words, "board") == 0) {
                put_next(board, family);
        } else if (sscanf(words, "flash %i", &number) == 1) {
                return family_is_flash(family, (uint32_t)number, 1)
                               ? *part_flash(board->part, (uint32_t)number)
                               : -1;
        } else {
                return -1;
        }
        return 0;
}

#define AN_ST_LINK                                                                                 \
        .manufacturer = "STMicroelectronics", .product = "STLINK-V3",                              \
        .interface = "ST-Link Debug", .descriptors = descriptors,                                  \
        .descriptors_length = sizeof(descriptors), .mbit = 480, .load = load, .create = create,    \
        .power_up = power_up, .out = out, .in = in, .wake_ns = wake_ns, .tell = tell

const struct device_kind stlink_kind = { .name = "stlink", AN_ST_LINK };
const struct device_kind stlink_l4_kind = { .name = "stlink-l4", AN_ST_LINK };
