/*
 * gang.c - what the station itself costs: 1, 8, 16 and 64 sites in real time on the simulated bench.
 *
 * Cards answer within 10 ms here, so they are not what is measured. Gang efficiency is the
 * N-site rate divided by N times the one-site rate; the station's time is the process's CPU time less
 * what the bench took.
 */
#include "tests/support/line.h"

#include <stdio.h>

#define UNITS_PER_SITE 6u

static double run(unsigned sites, double single)
{
        struct line *line = line_create(sites, sites < 32 ? sites : 32);
        unsigned units = sites * UNITS_PER_SITE;
        double seconds, rate, own_ms;

        line->station.settings.bench.speed = 1.0;
        line->station.settings.bench.license_ms_low = 10;
        line->station.settings.bench.license_ms_high = 10;
        line->station.settings.poll_ms = 5;
        line->station.settings.settle_ms = 5;
        line->station.settings.bench.handling_ms = 200;
        line_order(line, "BENCH", units, "");
        if (line_run(line, LOOP_TIME_REAL, 1, NULL, NULL) < 0 || line->counts.good != units) {
                printf("gang of %u: FAILED, %u of %u units good\n", sites, line->counts.good,
                       units);
                line_destroy(line);
                return single;
        }
        seconds = (double)(line->counts.ended_us - line->counts.started_us) / 1e6;
        rate = units / seconds;
        own_ms = (double)(line->cpu_ns - line->bench_ns) / 1e6;
        printf("gang of %2u: %3u units in %6.2f s, efficiency %.3f, station CPU %.2f ms a unit "
               "(%.3f %% of a core a site), longest ready-to-first-step %.1f ms\n",
               sites, units, seconds, single > 0 ? rate / (sites * single) : 1.0, own_ms / units,
               100 * own_ms / 1000 / seconds / sites, (double)line->longest_start_ns / 1e6);
        line_destroy(line);
        return rate;
}

int main(void)
{
        double single = run(1, 0);

        run(8, single);
        run(16, single);
        run(64, single);
        return 0;
}
