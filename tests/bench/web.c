/*
 * web.c - what the page costs: an event to 100 listeners, and requests.
 *
 * The server runs on the loop as in production, showing 64 busy sites; a thread plays all the
 * browsers, so the time to the glass includes its own reading. Processor time is the loop thread's.
 */
#include "web-status/web.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "tests/support/snapshot_example.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS 100u
#define PUSHES    50u
#define ASKERS    8u
#define ASK_S     2u

static struct {
        struct web *web;
        unsigned tick;
        int descriptors[LISTENERS];
        uint64_t arrived_ns[LISTENERS];
        atomic_uint arrived;
        atomic_bool is_over;
        atomic_ullong answers;
        const char *path;
} bench;

static uint64_t now_ns(clockid_t clock)
{
        struct timespec t;

        clock_gettime(clock, &t);
        return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void fill(void *station, struct snapshot *ret_snapshot)
{
        (void)station;
        line_example(ret_snapshot, 64, ++bench.tick);
}

static int act(void *station, enum web_verb verb, const char *name)
{
        (void)station, (void)verb, (void)name;
        return 0;
}

static int dial(void)
{
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(
                                          (uint16_t)atoi(strrchr(web_url(bench.web), ':') + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        INSIST(connect(descriptor, (struct sockaddr *)&to, sizeof(to)) == 0);
        return descriptor;
}

static void ask(int descriptor, const char *path)
{
        char request[128];
        int length =
                snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost%s\r\n\r\n",
                         path, strrchr(web_url(bench.web), ':'));

        /* "http://127.0.0.1:PORT/": take the slash after the port away */
        memmove(strstr(request, "/\r\n\r\n"), "\r\n\r\n", 5);
        INSIST(send(descriptor, request, (size_t)length - 1, MSG_NOSIGNAL) == length - 1);
}

/* --- listeners ----------------------------------------------------------------------------- */

/* All browsers: an event is there when its last two bytes are; chunks end after them. */
static void *listen_all(void *unused)
{
        static char text[256 << 10];
        struct epoll_event events[LISTENERS];
        int epoll = epoll_create1(EPOLL_CLOEXEC);

        for (unsigned i = 0; i < LISTENERS; i++) {
                struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

                epoll_ctl(epoll, EPOLL_CTL_ADD, bench.descriptors[i], &event);
        }
        while (!bench.is_over) {
                int count = epoll_wait(epoll, events, LISTENERS, 100);

                for (int i = 0; i < count; i++) {
                        unsigned listener = events[i].data.u32;
                        ssize_t n = recv(bench.descriptors[listener], text, sizeof(text), 0);

                        if (n < 4 || memcmp(text + n - 4, "\n\n\r\n", 4) != 0)
                                continue;
                        bench.arrived_ns[listener] = now_ns(CLOCK_MONOTONIC);
                        bench.arrived++;
                }
        }
        close(epoll);
        return unused;
}

static int by_size(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

/* One change; microseconds until each listener has it are added to `us`. */
static void push_once(uint64_t *us)
{
        uint64_t began_ns = now_ns(CLOCK_MONOTONIC);

        bench.arrived = 0;
        web_notify(bench.web);
        for (unsigned ms = 0; bench.arrived < LISTENERS && ms < 1000; ms += 2)
                INSIST(fiber_sleep_ns(2 * NS_PER_MS) == 0);
        INSIST(bench.arrived >= LISTENERS);
        for (unsigned i = 0; i < LISTENERS; i++)
                us[i] = (bench.arrived_ns[i] - began_ns) / NS_PER_US;
}

static void bench_events(void)
{
        static uint64_t us[PUSHES * LISTENERS];
        uint64_t cpu_ns, wall_ns;
        pthread_t thread;

        for (unsigned i = 0; i < LISTENERS; i++) {
                bench.descriptors[i] = dial();
                ask(bench.descriptors[i], "/events");
        }
        pthread_create(&thread, NULL, listen_all, NULL);
        INSIST(fiber_sleep_ns(500 * NS_PER_MS) == 0);
        cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        wall_ns = now_ns(CLOCK_MONOTONIC);
        for (unsigned i = 0; i < PUSHES; i++) {
                push_once(us + (size_t)i * LISTENERS);
                INSIST(fiber_sleep_ns(100 * NS_PER_MS) == 0);
        }
        cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
        wall_ns = now_ns(CLOCK_MONOTONIC) - wall_ns;
        bench.is_over = true;
        pthread_join(thread, NULL);
        for (unsigned i = 0; i < LISTENERS; i++)
                close(bench.descriptors[i]);
        qsort(us, LENGTH_OF(us), sizeof(us[0]), by_size);
        printf("event of 64 sites to %u listeners   p50 %.1f ms  p99 %.1f ms  max %.1f ms\n",
               LISTENERS, (double)us[LENGTH_OF(us) / 2] / 1000,
               (double)us[LENGTH_OF(us) * 99 / 100] / 1000, (double)us[LENGTH_OF(us) - 1] / 1000);
        printf("processor time a push               %.2f ms, %.1f us a listener; %.1f %% of a core "
               "at %.1f pushes/s\n",
               (double)cpu_ns / 1e6 / PUSHES, (double)cpu_ns / 1e3 / PUSHES / LISTENERS,
               100.0 * (double)cpu_ns / (double)wall_ns, PUSHES * 1e9 / (double)wall_ns);
}

/* --- requests ------------------------------------------------------------------------------ */

/* Each asker asks again as soon as it is answered; answers here fit one read but for its tail. */
static void *ask_all(void *unused)
{
        static char text[64 << 10];
        struct epoll_event events[ASKERS];
        int epoll = epoll_create1(EPOLL_CLOEXEC), descriptors[ASKERS];

        for (unsigned i = 0; i < ASKERS; i++) {
                struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

                descriptors[i] = dial();
                epoll_ctl(epoll, EPOLL_CTL_ADD, descriptors[i], &event);
                ask(descriptors[i], bench.path);
        }
        while (!bench.is_over) {
                int count = epoll_wait(epoll, events, ASKERS, 100);

                for (int i = 0; i < count; i++) {
                        int descriptor = descriptors[events[i].data.u32];
                        ssize_t n = recv(descriptor, text, sizeof(text), 0);

                        if (n < 1 || (text[n - 1] != '\n' && text[n - 1] != '}'))
                                continue;
                        bench.answers++;
                        ask(descriptor, bench.path);
                }
        }
        for (unsigned i = 0; i < ASKERS; i++)
                close(descriptors[i]);
        close(epoll);
        return unused;
}

static void bench_requests(const char *path)
{
        uint64_t cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        pthread_t thread;

        bench.path = path;
        bench.answers = 0;
        bench.is_over = false;
        pthread_create(&thread, NULL, ask_all, NULL);
        INSIST(fiber_sleep_ns(ASK_S * NS_PER_S) == 0);
        cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
        bench.is_over = true;
        pthread_join(thread, NULL);
        printf("GET %-14s over %u connections  %6.0f requests/s, %.1f us of the loop each\n", path,
               ASKERS, (double)bench.answers / ASK_S,
               bench.answers ? (double)cpu_ns / 1e3 / (double)bench.answers : 0.0);
}

static int run(void *unused)
{
        const struct web_station station = { .station = unused, .fill = fill, .act = act };
        int r = web_start("127.0.0.1:0", &station, &bench.web);

        if (r < 0)
                return r;
        bench_events();
        bench_requests("/health");
        bench_requests("/status.json");
        web_stop(bench.web);
        return 0;
}

int main(void)
{
        const struct loop_settings settings = { .time = LOOP_TIME_REAL };
        struct loop *loop;
        int r = loop_create(&settings, &loop);

        if (r == 0)
                r = loop_run(loop, "bench", run, NULL);
        if (r < 0)
                fprintf(stderr, "%s\n", fault_sentence(r));
        loop_destroy(loop);
        return r < 0;
}
