/*
 * scheduler.c - what waiting costs: switches, spawns, timers, worker dispatch, reads.
 *
 * Figures of this machine drift by half with its neighbours' load (limits.md), so whatever is
 * claimed to be better stands beside its reference in the same run, taken in alternating rounds.
 */
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"
#include "scheduler/stack.h"
#include "scheduler/workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* The other mechanism of the same file, under other names. */
struct stack *swap_take(void (*entry)(void *argument), void *argument);
void swap_enter(struct stack *stack);
void swap_leave(struct stack *stack);
void swap_give(struct stack *stack);
void swap_drain(void);
extern const char *const swap_mechanism;
#undef STACK_SWAPCONTEXT
#define STACK_SWAPCONTEXT 1
#define stack_take        swap_take
#define stack_enter       swap_enter
#define stack_leave       swap_leave
#define stack_give        swap_give
#define stack_drain       swap_drain
#define stack_mechanism   swap_mechanism
#include "scheduler/stack.c"
#undef stack_take
#undef stack_enter
#undef stack_leave
#undef stack_give
#undef stack_drain
#undef stack_mechanism

static uint64_t now_ns(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A bench that did not do what it measures says so. */
static void expect(bool holds, const char *what)
{
        if (holds)
                return;
        fprintf(stderr, "bench: %s failed: %s\n", what, strerror(errno));
        exit(1);
}

static void print_ns(const char *what, uint64_t total_ns, unsigned count)
{
        printf("%s: %.1f ns\n", what, (double)total_ns / count);
        fflush(stdout);
}

/* --- samples ------------------------------------------------------------------------------- */

struct samples {
        uint64_t *ns;
        unsigned count, capacity;
};

static struct samples samples_new(unsigned capacity)
{
        struct samples samples = { calloc(capacity, sizeof(uint64_t)), 0, capacity };

        expect(samples.ns != NULL, "memory");
        return samples;
}

static void samples_add(struct samples *samples, uint64_t ns)
{
        expect(samples->count < samples->capacity, "room for a sample");
        samples->ns[samples->count++] = ns;
}

static int compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static double percentile_us(const struct samples *samples, unsigned percent)
{
        return (double)samples->ns[(uint64_t)(samples->count - 1) * percent / 100] / 1000;
}

static double samples_print(const char *what, struct samples *samples)
{
        double middle;

        qsort(samples->ns, samples->count, sizeof(uint64_t), compare);
        middle = percentile_us(samples, 50);
        printf("%s: p50 %.1f us, p99 %.1f us\n", what, middle, percentile_us(samples, 99));
        fflush(stdout);
        free(samples->ns);
        return middle;
}

/* --- switching ----------------------------------------------------------------------------- */

#define SWITCHES 1000000u

struct switching {
        void (*leave)(struct stack *stack);
        struct stack *stack;
        bool is_over;
};

static void leave_again_and_again(void *argument)
{
        struct switching *switching = argument;

        while (!switching->is_over)
                switching->leave(switching->stack);
}

static void bench_setjmp(void)
{
        struct switching switching = { .leave = stack_leave };
        uint64_t start;

        switching.stack = stack_take(leave_again_and_again, &switching);
        stack_enter(switching.stack);
        start = now_ns();
        for (unsigned i = 0; i < SWITCHES; i++)
                stack_enter(switching.stack);
        printf("fiber switch (there and back), %s: %.1f ns\n", stack_mechanism,
               (double)(now_ns() - start) / SWITCHES);
        switching.is_over = true;
        stack_enter(switching.stack);
        stack_give(switching.stack);
        stack_drain();
}

static void bench_swapcontext(void)
{
        struct switching switching = { .leave = swap_leave };
        uint64_t start;

        switching.stack = swap_take(leave_again_and_again, &switching);
        swap_enter(switching.stack);
        start = now_ns();
        for (unsigned i = 0; i < SWITCHES / 10; i++)
                swap_enter(switching.stack);
        printf("fiber switch (there and back), %s: %.1f ns\n", swap_mechanism,
               (double)(now_ns() - start) / (SWITCHES / 10));
        switching.is_over = true;
        swap_enter(switching.stack);
        swap_give(switching.stack);
        swap_drain();
}

static int nothing(void *subject)
{
        (void)subject;
        return 0;
}

static int sleep_1_ns_often(void *subject)
{
        for (unsigned i = 0; i < *(unsigned *)subject; i++)
                (void)fiber_sleep_ns(1);
        return 0;
}

static int bench_fibers(void *subject)
{
        const unsigned yields = 1000000, spawns = 200000;
        uint64_t start = now_ns();

        (void)subject;
        for (unsigned i = 0; i < yields; i++)
                (void)fiber_yield();
        print_ns("fiber yield (through the loop)", now_ns() - start, yields);
        start = now_ns();
        for (unsigned i = 0; i < spawns; i++)
                (void)fiber_join(fiber_spawn("nothing", nothing, NULL));
        print_ns("fiber spawn and join, pooled stack", now_ns() - start, spawns);
        return 0;
}

static int bench_fresh_stacks(void *subject)
{
        struct fiber *fibers[400];
        uint64_t start = now_ns();

        (void)subject;
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                fibers[i] = fiber_spawn("nothing", nothing, NULL);
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                (void)fiber_join(fibers[i]);
        print_ns("fiber spawn and join, fresh stack", now_ns() - start, LENGTH_OF(fibers));
        return 0;
}

/* --- timers -------------------------------------------------------------------------------- */

static int bench_virtual_timers(void *subject)
{
        struct fiber *fibers[1000];
        unsigned sleeps = 200;
        uint64_t start = now_ns();

        (void)subject;
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                fibers[i] = fiber_spawn("sleeper", sleep_1_ns_often, &sleeps);
        for (unsigned i = 0; i < LENGTH_OF(fibers); i++)
                (void)fiber_join(fibers[i]);
        print_ns("timer, set and fired among 1000 (virtual time)", now_ns() - start,
                 (unsigned)LENGTH_OF(fibers) * sleeps);
        return 0;
}

static int bench_real_timers(void *subject)
{
        struct samples late = samples_new(300);

        (void)subject;
        for (unsigned i = 0; i < late.capacity; i++) {
                uint64_t deadline = clock_now_ns() + NS_PER_MS;

                (void)fiber_sleep_until(deadline);
                samples_add(&late, clock_now_ns() - deadline);
        }
        (void)samples_print("timer of 1 ms, late by", &late);
        return 0;
}

/* --- worker dispatch, and the usual way beside it ------------------------------------------ */

/* One thread under mutex and condition variable; it answers through an eventfd under epoll. */
struct reference {
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t posted;
        int (*job)(void *argument);
        bool is_ending;
        int answer, epoll;
};

static void *reference_main(void *argument)
{
        struct reference *reference = argument;

        for (;;) {
                int (*job)(void *argument);

                pthread_mutex_lock(&reference->lock);
                while (!reference->job && !reference->is_ending)
                        pthread_cond_wait(&reference->posted, &reference->lock);
                job = reference->job;
                reference->job = NULL;
                pthread_mutex_unlock(&reference->lock);
                if (!job)
                        return NULL;
                (void)job(NULL);
                expect(eventfd_write(reference->answer, 1) == 0, "eventfd");
        }
}

static void epoll_watch(int epoll, int descriptor, uint32_t number)
{
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = number };

        expect(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
}

static void pin(pthread_t thread, int cpu)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        expect(pthread_setaffinity_np(thread, sizeof(set), &set) == 0, "pinning");
}

static void reference_start(struct reference *reference, int cpu)
{
        *reference = (struct reference){ .answer = eventfd(0, 0), .epoll = epoll_create1(0) };
        epoll_watch(reference->epoll, reference->answer, 0);
        pthread_mutex_init(&reference->lock, NULL);
        pthread_cond_init(&reference->posted, NULL);
        expect(pthread_create(&reference->thread, NULL, reference_main, reference) == 0, "thread");
        pin(reference->thread, cpu);
}

static void reference_run(struct reference *reference, int (*job)(void *argument))
{
        struct epoll_event event;
        eventfd_t count;

        pthread_mutex_lock(&reference->lock);
        reference->job = job;
        pthread_cond_signal(&reference->posted);
        pthread_mutex_unlock(&reference->lock);
        expect(epoll_wait(reference->epoll, &event, 1, -1) == 1, "epoll_wait");
        expect(eventfd_read(reference->answer, &count) == 0, "eventfd");
}

static void reference_stop(struct reference *reference)
{
        pthread_mutex_lock(&reference->lock);
        reference->is_ending = true;
        pthread_cond_signal(&reference->posted);
        pthread_mutex_unlock(&reference->lock);
        pthread_join(reference->thread, NULL);
        close(reference->answer);
        close(reference->epoll);
}

static void dispatch_round(struct workers *workers, struct reference *reference, unsigned count,
                           uint64_t pause_ns, struct samples *ours, struct samples *theirs)
{
        for (unsigned i = 0; i < count; i++) {
                uint64_t start;

                (void)fiber_sleep_ns(pause_ns);
                start = now_ns();
                (void)workers_run(workers, nothing, NULL);
                samples_add(ours, now_ns() - start);
        }
        for (unsigned i = 0; i < count; i++) {
                uint64_t start;

                (void)fiber_sleep_ns(pause_ns);
                start = now_ns();
                reference_run(reference, nothing);
                samples_add(theirs, now_ns() - start);
        }
}

static void bench_dispatch(int cpu, const char *how, unsigned rounds, unsigned count,
                           uint64_t pause_ns)
{
        struct samples ours = samples_new(rounds * count), theirs = samples_new(rounds * count);
        struct reference reference;
        struct workers *workers;
        char title[96];
        double middle;

        expect(workers_create("bench", 1, &cpu, &workers) == 0, "workers");
        reference_start(&reference, cpu);
        for (unsigned i = 0; i < rounds; i++)
                dispatch_round(workers, &reference, count, pause_ns, &ours, &theirs);
        (void)snprintf(title, sizeof(title), "worker dispatch p50/p99, %s", how);
        middle = samples_print(title, &ours);
        (void)snprintf(title, sizeof(title), "  reference: mutex + condvar + epoll, %s", how);
        printf("  ratio %.2f\n", middle / samples_print(title, &theirs));
        reference_stop(&reference);
        workers = workers_destroy(workers);
}

/* Both threads are pinned, for where the kernel puts them decides more than how they are woken. */
static int bench_workers(void *subject)
{
        int first = -1, last = -1;
        cpu_set_t before;

        (void)subject;
        expect(sched_getaffinity(0, sizeof(before), &before) == 0, "affinity");
        for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
                if (CPU_ISSET((size_t)cpu, &before)) {
                        first = cpu;
                        last = last < 0 ? cpu : last;
                }
        pin(pthread_self(), first);
        bench_dispatch(first, "hot, same CPU", 10, 500, 0);
        bench_dispatch(first, "from idle, same CPU", 5, 40, 1500 * NS_PER_US);
        if (last == first)
                printf("worker dispatch to another CPU: there is only one\n");
        if (last != first) {
                bench_dispatch(last, "hot, other CPU", 10, 500, 0);
                bench_dispatch(last, "from idle, other CPU", 5, 40, 1500 * NS_PER_US);
        }
        expect(pthread_setaffinity_np(pthread_self(), sizeof(before), &before) == 0, "affinity");
        return 0;
}

/* --- reads --------------------------------------------------------------------------------- */

#define READS   2000u
#define PIPES   16u
#define A_ROUND (READS / PIPES)

struct pipes {
        int ends[PIPES][2];
        unsigned arrived;
        struct waitlist all_arrived;
        bool is_over;
        bool polls;
        unsigned count;
};

struct end {
        struct pipes *pipes;
        int descriptor;
};

static int read_on_and_on(void *subject)
{
        struct end *end = subject;
        struct pipes *pipes = end->pipes;
        char byte;

        for (;;) {
                ssize_t r;

                if (pipes->polls && ring_poll(end->descriptor, POLLIN, WAIT_FOREVER) < 0)
                        return 0;
                r = pipes->polls ? read(end->descriptor, &byte, 1)
                                 : ring_read(end->descriptor, &byte, 1, -1);
                if (r != 1)
                        return 0;
                if (++pipes->arrived == pipes->count)
                        waitlist_wake(&pipes->all_arrived);
        }
}

static void write_to_all(struct pipes *pipes)
{
        for (unsigned i = 0; i < pipes->count; i++)
                expect(write(pipes->ends[i][1], "x", 1) == 1, "write");
}

static uint64_t ring_round(struct pipes *pipes)
{
        uint64_t start = now_ns();

        for (unsigned i = 0; i < A_ROUND; i++) {
                pipes->arrived = 0;
                write_to_all(pipes);
                while (pipes->arrived < pipes->count)
                        IGNORE(waitlist_wait(&pipes->all_arrived, WAIT_FOREVER));
        }
        return now_ns() - start;
}

static uint64_t epoll_round(struct pipes *pipes, int epoll)
{
        struct epoll_event events[PIPES];
        uint64_t start = now_ns();
        char byte;

        for (unsigned i = 0; i < A_ROUND; i++) {
                unsigned arrived = 0;

                write_to_all(pipes);
                while (arrived < pipes->count) {
                        int n = epoll_wait(epoll, events, PIPES, -1);

                        for (int j = 0; j < n; j++)
                                arrived += read(pipes->ends[events[j].data.u32][0], &byte, 1) == 1;
                }
        }
        return now_ns() - start;
}

static void bench_reads_of(unsigned count, bool polls)
{
        struct pipes ours = { .count = count, .polls = polls }, theirs = { .count = count };
        struct end ends[PIPES];
        struct fiber *fibers[PIPES];
        int epoll = epoll_create1(0);
        uint64_t ours_ns = 0, theirs_ns = 0;

        for (unsigned i = 0; i < count; i++) {
                expect(pipe(ours.ends[i]) == 0 && pipe(theirs.ends[i]) == 0, "pipe");
                epoll_watch(epoll, theirs.ends[i][0], i);
                ends[i] = (struct end){ &ours, ours.ends[i][0] };
                fibers[i] = fiber_spawn("reader", read_on_and_on, &ends[i]);
        }
        for (unsigned round = 0; round < 20; round++) {
                ours_ns += ring_round(&ours);
                theirs_ns += epoll_round(&theirs, epoll);
        }
        printf("ring %s of %u pipe%s: %.0f ns each; epoll + read: %.0f ns; ratio %.2f\n",
               polls ? "poll + read" : "read", count, count > 1 ? "s" : "",
               (double)ours_ns / (20 * A_ROUND * count), (double)theirs_ns / (20 * A_ROUND * count),
               (double)ours_ns / (double)theirs_ns);
        for (unsigned i = 0; i < count; i++) {
                fiber_cancel(fibers[i]);
                (void)fiber_join(fibers[i]);
                for (unsigned j = 0; j < 2; j++) {
                        close(ours.ends[i][j]);
                        close(theirs.ends[i][j]);
                }
        }
        close(epoll);
}

static int bench_reads(void *subject)
{
        (void)subject;
        bench_reads_of(1, false);
        bench_reads_of(PIPES, false);
        bench_reads_of(1, true);
        bench_reads_of(PIPES, true);
        return 0;
}

/* --- all ----------------------------------------------------------------------------------- */

static void with_loop(enum loop_time time, int (*procedure)(void *subject))
{
        struct loop_settings settings = { .time = time, .seed = 1 };
        struct loop *loop;

        if (loop_create(&settings, &loop) < 0) {
                fprintf(stderr, "bench: %s\n", fault_sentence(-FAULT_SYSTEM));
                exit(1);
        }
        (void)loop_run(loop, "bench", procedure, NULL);
        loop = loop_destroy(loop);
}

int main(void)
{
        bench_setjmp();
        bench_swapcontext();
        with_loop(LOOP_TIME_REAL, bench_fresh_stacks);
        with_loop(LOOP_TIME_REAL, bench_fibers);
        with_loop(LOOP_TIME_VIRTUAL, bench_virtual_timers);
        with_loop(LOOP_TIME_REAL, bench_real_timers);
        with_loop(LOOP_TIME_REAL, bench_workers);
        with_loop(LOOP_TIME_REAL, bench_reads);
        return 0;
}
