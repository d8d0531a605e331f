/*
 * ram_file.c - a file into the part's RAM through our driver and real libusb, for the bench beside OpenOCD and
 * st-flash (tests/bench/wire.sh).
 *
 *      ram_file write FILE ADDRESS TIMES
 *      ram_file verify FILE ADDRESS
 *
 * The probe at 1-1 of the usbfs rig, SWD at 24 MHz. TIMES 0 only connects. Prints bytes a second.
 */
#include "drivers/target.h"
#include "drivers/usb.h"
#include "scheduler/loop.h"
#include "tests/rigs/parts/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_MAX = 512 << 10 };

static struct {
        bool is_verify;
        uint8_t data[LENGTH_MAX], back[LENGTH_MAX];
        size_t length;
        uint32_t address;
        unsigned times;
} job;

static int move(struct stlink *probe)
{
        uint64_t start_ns = clock_now_ns();
        int r = 0;

        if (job.is_verify) {
                r = stlink_read_memory(probe, 0, 0, job.address, job.back, job.length);
                if (!r && memcmp(job.data, job.back, job.length) != 0)
                        r = fault(FAULT_BAD_VALUE, "RAM does not hold the file");
                return r;
        }
        for (unsigned i = 0; !r && i < job.times; i++)
                r = stlink_write_memory(probe, 0, 0, job.address, job.data, job.length, NULL);
        if (!r && job.times > 0)
                printf("%.0f\n", (double)job.length * job.times /
                                         ((double)(clock_now_ns() - start_ns) / 1e9));
        return r;
}

static int run(void *unused)
{
        struct stlink probe = { 0 };
        struct target target = { .probe = &probe, .family = units_family() };
        struct bus *bus;
        struct wire *wire;
        int r = units_load();

        (void)unused;
        if (!r)
                r = usb_bus_open(&bus);
        if (r < 0)
                return r;
        r = bus_open(bus, "1-1", &wire);
        if (!r)
                r = stlink_open(wire, &probe);
        if (!r)
                r = target_attach(&target, 24000);
        if (!r)
                r = move(&probe);
        if (r < 0)
                fprintf(stderr, "ram_file: %s\n", fault_sentence(r));
        stlink_close(&probe);
        bus_close(bus);
        return r;
}

static bool parse(int argc, char **argv)
{
        FILE *file;

        if (argc < 4)
                return false;
        job.is_verify = strcmp(argv[1], "verify") == 0;
        job.address = (uint32_t)strtoul(argv[3], NULL, 0);
        job.times = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
        file = fopen(argv[2], "rb");
        if (!file)
                return false;
        job.length = fread(job.data, 1, sizeof(job.data), file);
        fclose(file);
        return job.length > 0;
}

int main(int argc, char **argv)
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;
        int r;

        if (!parse(argc, argv)) {
                fprintf(stderr, "usage: ram_file write|verify FILE ADDRESS [TIMES]\n");
                return 2;
        }
        r = loop_create(&settings, &loop);
        if (r < 0)
                return 1;
        r = loop_run(loop, "ram", run, NULL);
        loop_destroy(loop);
        return r < 0;
}
