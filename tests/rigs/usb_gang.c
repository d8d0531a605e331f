/*
 * usb_gang.c - a gang of probes through real libusb: every one installs a unit, all at once, and the cable of
 * the first is pulled while its areas are sent.
 *
 *      usb_gang COUNT
 *
 * Probes at 1-1, 1-2, ..., on the usbfs rig or in a guest of QEMU (usbredir.c). RIG_CONTROL tells whom to ask
 * for plugging. Prints TAP.
 */
#include "drivers/usb.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "tests/rigs/parts/claims.h"
#include "tests/rigs/parts/control.h"
#include "tests/rigs/parts/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum { SITES_MAX = 16, FIRMWARE_LENGTH = 300000, PULL_AT = 100000 };

struct site {
        struct unit unit;
        char path[16];
        struct fiber *fiber;
        int result;
};

static struct site sites[SITES_MAX];
static unsigned count;

static int ask_rig(unsigned index, const char *words)
{
        const char *path = getenv("RIG_CONTROL");

        return path ? control_ask(path, index, words) : -1;
}

static int install(void *subject)
{
        struct site *site = subject;

        site->result = unit_install(&site->unit);
        if (site->result < 0)
                printf("# %s: %s\n", site->path, fault_sentence(site->result));
        return 0;
}

/* Pull the first cable once some of its firmware has been sent; where it stood then, or -1. */
static long pull_first(void)
{
        const struct site *first = &sites[0];

        while (first->unit.progress.bytes_sent < PULL_AT && !fiber_has_ended(first->fiber))
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return -1;
        if (fiber_has_ended(first->fiber))
                return -1;
        return ask_rig(0, "unplug") == 0 ? (long)first->unit.progress.bytes_sent : -1;
}

static void install_all(struct bus *bus)
{
        unsigned good = 0, boards = 0;
        long sent;

        for (unsigned i = 0; i < count; i++) {
                struct site *site = &sites[i];

                snprintf(site->path, sizeof(site->path), "1-%u", i + 1);
                boards += ask_rig(i, "board") == 0;
                site->unit = (struct unit){ bus, site->path, FIRMWARE_LENGTH, { 0 } };
                site->fiber = fiber_spawn(site->path, install, site);
        }
        claim(boards == count, "every probe has a blank board", (int)boards);
        sent = pull_first();
        for (unsigned i = 0; i < count; i++) {
                IGNORE(fiber_join(sites[i].fiber)); /* its result says */
                good += sites[i].result == 0;
        }
        printf("# the cable was pulled with %ld of %u bytes sent, %u units good\n", sent,
               sites[0].unit.progress.bytes_total, good);
        claim(sent >= PULL_AT && sites[0].result == -FAULT_UNPLUGGED,
              "a probe pulled out in mid-install fails its unit as unplugged", sites[0].result);
        claim(good == count - 1, "all the other units are installed and secure", (int)good);
}

static void plug_again(struct bus *bus)
{
        int r = ask_rig(0, "plug");

        sites[0].unit.progress = (struct rss_progress){ 0 };
        for (unsigned i = 0; r >= 0 && i < 10; i++) {
                r = bus_wait(bus, "1-1", 5 * NS_PER_S);
                if (!r)
                        r = unit_install(&sites[0].unit);
                if (r != -FAULT_UNPLUGGED)
                        break;
                r = 0;
        }
        if (r < 0)
                printf("# %s\n", fault_sentence(r));
        claim(r == 0, "plugged in again, its unit is installed from the beginning", r);
}

static int run(void *unused)
{
        struct bus *bus;
        int r = units_load();

        (void)unused;
        if (!r)
                r = usb_bus_open(&bus);
        if (r < 0) {
                claim(false, fault_sentence(r), r);
                return r;
        }
        install_all(bus);
        plug_again(bus);
        bus_close(bus);
        return 0;
}

int main(int argc, char **argv)
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;

        count = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
        if (count < 2 || count > SITES_MAX) {
                fprintf(stderr, "usage: usb_gang COUNT, 2 to %d\n", SITES_MAX);
                return 2;
        }
        if (loop_create(&settings, &loop) < 0)
                return 1;
        IGNORE(loop_run(loop, "gang", run, NULL)); /* the claims say */
        loop_destroy(loop);
        return claims_failed() > 0;
}
