/*
 * wire.c - payload to RAM through the ST-LINK protocol, in virtual time on the simulated probe, against the model
 * of the wire in stlink.md 12.3. The probe's firmware takes what that model says for a command, so the share
 * that is missing is what our driver adds: commands too many, chunks too small, waits.
 *
 * The model is computed here from the document's figures and from nothing of the driver's or the simulator's:
 *      seconds = N/4 * 46 / f  +  N / USB rate  +  2 * t_cmd       for each chunk of N bytes
 * with t_cmd 0.28 ms (12.2, V3J15M7 by the log in OpenOCD's 84f881400) and the bulk ceiling of high
 * speed, 53.2 MB/s. What the same transfer costs the host's processor stands in wire.sh.
 */
#include "drivers/simulated/bench.h"
#include "drivers/target.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>
#include <string.h>

enum { RAM = 0x24000000, LENGTH = 384 << 10, CHUNK = 6144 };

static const double target_share = 0.90;

static struct family family;
static struct rss_profile rss;
static struct card_profile card;

static double model_seconds(double clock_hz, unsigned length)
{
        double seconds = 0;

        while (length > 0) {
                unsigned chunk = length < CHUNK ? length : CHUNK;

                seconds += chunk / 4 * 46 / clock_hz + chunk / 53.2e6 + 2 * 0.28e-3;
                length -= chunk;
        }
        return seconds;
}

static void print(const char *what, unsigned clock_khz, uint64_t took_ns)
{
        double rate = LENGTH / ((double)took_ns / 1e9);
        double model = LENGTH / model_seconds(clock_khz * 1e3, LENGTH);

        printf("%s at %5u kHz, %u KiB in 6 KiB chunks: %.3f MB/s, the wire model of stlink.md 12.3 "
               "%.3f MB/s: share %.3f, target %.2f: %s\n",
               what, clock_khz, LENGTH >> 10, rate / 1e6, model / 1e6, rate / model, target_share,
               rate / model >= target_share ? "reached" : "MISSED");
}

static int transfer(struct bench *bench, unsigned clock_khz)
{
        static uint8_t data[LENGTH], back[LENGTH];
        struct stlink probe = { 0 };
        struct target target = { .probe = &probe, .family = &family };
        struct wire *wire;
        uint64_t start_ns;
        int r = bus_open(bench_bus(bench), "sim-0", &wire);

        for (unsigned i = 0; i < LENGTH; i++)
                data[i] = (uint8_t)(i * 31 + i / 251);
        if (!r)
                r = stlink_open(wire, &probe);
        if (!r)
                r = target_attach(&target, clock_khz);
        start_ns = clock_now_ns();
        if (!r)
                r = stlink_write_memory(&probe, 0, 0, RAM, data, LENGTH, NULL);
        if (!r)
                print("write", clock_khz, clock_now_ns() - start_ns);
        start_ns = clock_now_ns();
        if (!r)
                r = stlink_read_memory(&probe, 0, 0, RAM, back, LENGTH);
        if (!r)
                print("read ", clock_khz, clock_now_ns() - start_ns);
        if (!r && memcmp(data, back, LENGTH) != 0)
                r = fault(FAULT_BAD_VALUE, "what was read is not what was written");
        stlink_close(&probe);
        return r;
}

static int make_bench(struct bench **ret_bench)
{
        const struct bench_settings settings = { .seed = 1,
                                                 .family = &family,
                                                 .rss = &rss,
                                                 .card_profile = &card,
                                                 .sites = 1,
                                                 .speed = 1.0 };
        int r = family_load("configs/targets/stm32h75x.conf", &family);

        if (!r)
                r = rss_profile_load("configs/rss/reference-h7.conf", &rss);
        if (!r)
                r = card_profile_load("configs/cards/reference.conf", &card);
        return r < 0 ? r : bench_create(&settings, ret_bench);
}

static int measure(void *unused)
{
        static const unsigned clocks_khz[] = { 24000, 8000, 3300 };
        struct bench *bench = NULL;
        int r = make_bench(&bench);

        (void)unused;
        if (!r) {
                bench_insert(bench, 0);
                r = fiber_sleep_ns(100 * NS_PER_MS); /* the board starts up */
        }
        for (unsigned i = 0; !r && i < LENGTH_OF(clocks_khz); i++)
                r = transfer(bench, clocks_khz[i]);
        if (r < 0)
                printf("wire: FAILED: %s\n", fault_sentence(r));
        if (bench)
                bench_destroy(bench);
        return r;
}

int main(void)
{
        struct loop_settings settings = { .time = LOOP_TIME_VIRTUAL, .seed = 1 };
        struct loop *loop;
        int r = loop_create(&settings, &loop);

        if (!r)
                r = loop_run(loop, "wire", measure, NULL);
        loop_destroy(loop);
        return r < 0;
}
