/*
 * clock.c - what time it is: real, or what the loop says under virtual time.
 *
 * Worker threads may ask too: under real time nothing here changes after loop_create(), and under
 * virtual time there are no worker threads.
 */
#include "scheduler/inside.h"

#include <stdio.h>
#include <time.h>

/* 2026-01-01T00:00:00Z, where virtual time starts */
#define VIRTUAL_EPOCH_US 1767225600000000ull

/* 9999-12-31T23:59:59.999Z, the last that fits the text */
#define CALENDAR_LAST_US 253402300799999000ull

static uint64_t read_ns(clockid_t id)
{
        struct timespec now;

        INSIST(clock_gettime(id, &now) == 0);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
        const struct loop *loop = the_loop;

        if (loop && loop->is_virtual)
                return loop->virtual_ns;
        return read_ns(CLOCK_MONOTONIC) - (loop ? loop->start_ns : 0);
}

uint64_t clock_calendar_us(void)
{
        if (the_loop && the_loop->is_virtual)
                return VIRTUAL_EPOCH_US + the_loop->virtual_ns / NS_PER_US;
        return read_ns(CLOCK_REALTIME) / NS_PER_US;
}

char *clock_iso8601(uint64_t calendar_us, char text[static 25])
{
        struct tm date;
        time_t seconds;
        size_t length;

        if (calendar_us > CALENDAR_LAST_US)
                calendar_us = CALENDAR_LAST_US;
        seconds = (time_t)(calendar_us / 1000000);
        INSIST(gmtime_r(&seconds, &date));
        length = strftime(text, 25, "%Y-%m-%dT%H:%M:%S", &date);
        INSIST(length == 19);
        (void)snprintf(text + length, 25 - length, ".%03uZ",
                       (unsigned)(calendar_us / 1000 % 1000) % 1000u);
        return text;
}
