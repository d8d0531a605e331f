/*
 * timer.c - deadlines, earliest first: a binary heap of timers that live with whoever waits.
 */
#include "scheduler/inside.h"

#include <stdlib.h>

static bool is_before(const struct timer *a, const struct timer *b)
{
        if (a->deadline_ns != b->deadline_ns)
                return a->deadline_ns < b->deadline_ns;
        return a->order < b->order;
}

static void put(struct timers *timers, size_t position, struct timer *timer)
{
        timers->heap[position] = timer;
        timer->position = position;
}

static void rise(struct timers *timers, struct timer *timer, size_t position)
{
        while (position > 1 && is_before(timer, timers->heap[position / 2])) {
                put(timers, position, timers->heap[position / 2]);
                position /= 2;
        }
        put(timers, position, timer);
}

static void sink(struct timers *timers, struct timer *timer, size_t position)
{
        for (;;) {
                size_t child = 2 * position;

                if (child < timers->count &&
                    is_before(timers->heap[child + 1], timers->heap[child]))
                        child++;
                if (child > timers->count || !is_before(timers->heap[child], timer))
                        break;
                put(timers, position, timers->heap[child]);
                position = child;
        }
        put(timers, position, timer);
}

/* Room for one more, and for heap[0], which is not used. */
static void grow(struct timers *timers)
{
        if (timers->count + 1 < timers->capacity)
                return;
        timers->capacity = timers->capacity ? 2 * timers->capacity : 64;
        timers->heap = reallocarray(timers->heap, timers->capacity, sizeof(*timers->heap));
        INSIST(timers->heap);
}

void timer_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns)
{
        INSIST(timer->position == 0);
        timer->deadline_ns = deadline_ns;
        timer->order = timers->order++;
        grow(timers);
        rise(timers, timer, ++timers->count);
}

void timer_stop(struct timers *timers, struct timer *timer)
{
        size_t position = timer->position;
        struct timer *last;

        if (position == 0)
                return;
        timer->position = 0;
        last = timers->heap[timers->count--];
        if (last == timer)
                return;
        if (position > 1 && is_before(last, timers->heap[position / 2]))
                rise(timers, last, position);
        else
                sink(timers, last, position);
}

const struct timer *timers_first(const struct timers *timers)
{
        return timers->count ? timers->heap[1] : NULL;
}

size_t timers_fire(struct timers *timers, uint64_t now_ns)
{
        size_t fired = 0;

        while (timers->count && timers->heap[1]->deadline_ns <= now_ns) {
                struct timer *timer = timers->heap[1];

                timer_stop(timers, timer);
                timer->fire(timer);
                fired++;
        }
        return fired;
}

void timers_finish(struct timers *timers)
{
        INSIST(timers->count == 0);
        free(timers->heap);
        *timers = (struct timers){ 0 };
}
