/*
 * An ST-LINK: USB descriptors around the simulated probe and its part. The debug interface alone (stlink.md
 * 1.2), so interface 0 is the only one.
 */
#include "drivers/simulated/probe.h"
#include "scheduler/bytes.h"
#include "scheduler/chance.h"
#include "tests/rigs/parts/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCT = 0x374F, PACKET = 512 };
enum { OUT_ENDPOINT = 0x01, IN_ENDPOINT = 0x81, TRACE_ENDPOINT = 0x82 };

struct board {
        struct simulated_probe *probe;
        struct simulated_part *part;
        void *store;
        struct chance chance; /* of what its parts are */
        uint64_t busy_until_ns;
        uint8_t answer[65536];
        size_t answer_length, answer_taken;
};

static struct family family;
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

static int load(void)
{
        int r = family_load("configs/targets/stm32h75x.conf", &family);

        return r < 0 ? r : rss_profile_load("configs/rss/reference-h7.conf", &rss);
}

static void power_up(struct device *device)
{
        struct board *board = device->model;

        board->busy_until_ns = 0;
        board->answer_length = board->answer_taken = 0;
        probe_power_up(board->probe);
}

/* A blank part of the probe's own, put on its pins. */
static void put_board(struct board *board, uint64_t now_ns)
{
        uint8_t seed[32];
        struct part_settings part = { .family = &family, .rss = &rss, .seed = seed, .speed = 1.0 };

        chance_bytes(&board->chance, seed, sizeof(seed));
        part.store = board->store = calloc(1, part_store_length(&family));
        INSIST(board->store);
        board->part = part_create(&part);
        part_set_boot_pin(board->part, true);
        part_power(board->part, now_ns, true);
        probe_set_part(board->probe, board->part);
}

static void create(struct device *device, unsigned index)
{
        struct board *board = calloc(1, sizeof(*board));
        struct probe_settings probe = { .product = PRODUCT, .jtag_version = 15, .speed = 1.0 };

        INSIST(board);
        device->model = board;
        board->chance = chance_fork(1, "rig board", index);
        snprintf(probe.serial, sizeof(probe.serial), "0030%020X", 0xABC000 + index);
        board->probe = probe_create(&probe);
        snprintf(device->serial, sizeof(device->serial), "%s", probe_serial(board->probe));
        put_board(board, 0);
        power_up(device);
}

/* "board": another one, blank, as a handler would put it there. */
static int tell(struct device *device, uint64_t now_ns, const char *words)
{
        struct board *board = device->model;
        struct simulated_part *part = board->part;
        void *store = board->store;

        if (strcmp(words, "board") != 0)
                return -1;
        put_board(board, now_ns);
        part_destroy(part);
        free(store);
        return 0;
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

const struct device_kind stlink_kind = {
        .name = "stlink",
        .manufacturer = "STMicroelectronics",
        .product = "STLINK-V3",
        .interface = "ST-Link Debug",
        .descriptors = descriptors,
        .descriptors_length = sizeof(descriptors),
        .mbit = 480,
        .load = load,
        .create = create,
        .power_up = power_up,
        .out = out,
        .in = in,
        .wake_ns = wake_ns,
        .tell = tell,
};
