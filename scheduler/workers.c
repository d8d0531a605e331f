/*
 * workers.c - pinned threads for work that would hold up the loop.
 *
 * The way there: the loop appends a job to the pool's queue, counts it and wakes one thread that
 * sleeps. A thread that has finished looks for more for some 20 us before it sleeps, since waking
 * it on another CPU costs more than that (limits.md, "Loop, fibers, dispatch"; measured by
 * tests/bench/scheduler.c: 1 us hot, 40 us without). The way back: the thread appends
 * the job to the list of finished ones and, if that was empty, writes to the pool's eventfd, for
 * which the loop has a read in its ring while any job is out. So a finished job is one completion
 * among others, and an idle pool has nothing in the ring.
 *
 * A job writes its fault sentence into the note of the fiber that waits for it: that fiber cannot
 * run meanwhile, so the note moves with the job and nothing is copied.
 */
#include "scheduler/workers.h"

#include "scheduler/inside.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SPIN_NS 20000u

/* A pool is as large as the machine at most; this only bounds what a station file may ask. */
#define THREADS_MOST 1024u

/* Lives on the stack of the fiber that waits for it. */
struct job {
        int (*run)(void *argument);
        void *argument;
        int result;
        struct note *note; /* where its faults go */
        struct wait *wait; /* ended when `left` comes to 0 */
        unsigned *left;    /* jobs that this wait still waits for */
        struct job *next;
};

struct jobs {
        struct job *first, **last;
};

struct workers {
        char name[12]; /* what a thread's name has room for, with its number */
        unsigned count;
        pthread_t *threads;

        pthread_mutex_t lock; /* of the two lists */
        struct jobs queue, finished;
        atomic_uint queued;   /* jobs in the queue: what a spinning thread looks at */
        atomic_uint posts;    /* the word threads sleep on: it moves with every post */
        atomic_uint sleeping; /* threads that sleep, or are about to */
        atomic_int loop_cpu;  /* where the loop's thread was when it posted last */
        atomic_bool is_ending;

        /* of the loop's thread only */
        int descriptor;
        uint64_t counter; /* what is read from it */
        struct request arrival;
        unsigned out; /* jobs given and not yet come back */
        struct waitlist emptied;
};

static void jobs_append(struct jobs *jobs, struct job *job)
{
        job->next = NULL;
        *jobs->last = job;
        jobs->last = &job->next;
}

static struct job *jobs_take_all(struct jobs *jobs)
{
        struct job *first = jobs->first;

        jobs->first = NULL;
        jobs->last = &jobs->first;
        return first;
}

static struct job *jobs_take_first(struct jobs *jobs)
{
        struct job *first = jobs->first;

        if (!first)
                return NULL;
        jobs->first = first->next;
        if (!jobs->first)
                jobs->last = &jobs->first;
        return first;
}

/* --- the threads' side --------------------------------------------------------------------- */

static void futex_wait(atomic_uint *word, unsigned seen)
{
        /* woken, interrupted, or the word has moved already: the caller looks again anyway */
        (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int threads)
{
        (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

static uint64_t now_ns(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static bool has_something(struct workers *workers)
{
        return atomic_load(&workers->queued) > 0 || atomic_load(&workers->is_ending);
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

/* Look for more for a while. Not on the CPU of the loop's thread, where the kernel likes to wake a
 * thread that one is about to wait for: there it would only keep the loop from taking the result.
 */
static bool spin(struct workers *workers)
{
        uint64_t end = now_ns() + SPIN_NS;

        while (sched_getcpu() != atomic_load(&workers->loop_cpu) && now_ns() < end) {
                for (unsigned i = 0; i < 16; i++) {
                        if (has_something(workers))
                                return true;
                        relax();
                }
        }
        return false;
}

/* The word is read before the last look: a post after that look has moved it, and the kernel does
 * not let the thread sleep. */
static void sleep_until_posted(struct workers *workers)
{
        unsigned seen;

        atomic_fetch_add(&workers->sleeping, 1);
        seen = atomic_load(&workers->posts);
        if (!has_something(workers))
                futex_wait(&workers->posts, seen);
        atomic_fetch_sub(&workers->sleeping, 1);
}

static struct job *next_job(struct workers *workers)
{
        struct job *job;

        pthread_mutex_lock(&workers->lock);
        job = jobs_take_first(&workers->queue);
        if (job)
                atomic_fetch_sub(&workers->queued, 1);
        pthread_mutex_unlock(&workers->lock);
        return job;
}

/* The first of a batch rings the bell; the loop then takes all that are there. */
static void finish_job(struct workers *workers, struct job *job)
{
        uint64_t one = 1;
        bool is_first;

        pthread_mutex_lock(&workers->lock);
        is_first = !workers->finished.first;
        jobs_append(&workers->finished, job);
        pthread_mutex_unlock(&workers->lock);
        /* the job is the loop's again: not touched from here on */
        if (is_first)
                INSIST(write(workers->descriptor, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static void *thread_main(void *argument)
{
        struct workers *workers = argument;
        struct job *job;

        for (;;) {
                job = next_job(workers);
                if (job) {
                        fault_use_note(job->note);
                        job->result = job->run(job->argument);
                        fault_use_note(NULL);
                        finish_job(workers, job);
                } else if (atomic_load(&workers->is_ending)) {
                        return NULL;
                } else if (!spin(workers)) {
                        sleep_until_posted(workers);
                }
        }
}

/* --- the loop's side ----------------------------------------------------------------------- */

static void expect_arrival(struct workers *workers)
{
        struct io_uring_sqe *entry = ring_entry(the_loop);

        io_uring_prep_read(entry, workers->descriptor, &workers->counter, sizeof(workers->counter),
                           0);
        ring_hand_over(the_loop, &workers->arrival, entry);
}

static void arrived(struct request *request)
{
        struct workers *workers = CONTAINER_OF(request, struct workers, arrival);
        struct job *job, *next;

        INSIST(request->result == (int)sizeof(workers->counter) || request->result == -EINTR);
        pthread_mutex_lock(&workers->lock);
        job = jobs_take_all(&workers->finished);
        pthread_mutex_unlock(&workers->lock);
        for (; job; job = next) {
                next = job->next;
                workers->out--;
                if (--*job->left == 0)
                        wait_end(job->wait, 0);
        }
        if (workers->out > 0)
                expect_arrival(workers);
        else
                waitlist_wake(&workers->emptied);
}

static void post(struct workers *workers, struct job *jobs, unsigned count)
{
        unsigned sleeping;

        atomic_store(&workers->loop_cpu, sched_getcpu());
        pthread_mutex_lock(&workers->lock);
        for (unsigned i = 0; i < count; i++)
                jobs_append(&workers->queue, &jobs[i]);
        atomic_fetch_add(&workers->queued, count);
        pthread_mutex_unlock(&workers->lock);
        atomic_fetch_add(&workers->posts, 1);
        sleeping = atomic_load(&workers->sleeping);
        if (sleeping > 0)
                futex_wake(&workers->posts, (int)(count < sleeping ? count : sleeping));
        if (workers->out == 0)
                expect_arrival(workers);
        workers->out += count;
}

/* Post and wait for all of them. A job cannot be taken back, so the wait cannot be given up. */
static void run_jobs(struct workers *workers, struct job *jobs, unsigned count)
{
        struct wait wait = { .what = "a job of the pool", .whom = workers->name, .descriptor = -1 };
        unsigned left = count;

        (void)fiber_self();
        for (unsigned i = 0; i < count; i++) {
                jobs[i].wait = &wait;
                jobs[i].left = &left;
        }
        post(workers, jobs, count);
        (void)wait_begin(&wait, WAIT_FOREVER);
}

int workers_run(struct workers *workers, int (*job)(void *argument), void *argument)
{
        struct job one = { .run = job, .argument = argument, .note = fault_current_note() };

        if (workers->count == 0)
                return job(argument);
        run_jobs(workers, &one, 1);
        return one.result;
}

/* --- one job over many indices ------------------------------------------------------------- */

struct spread {
        int (*run)(void *argument, size_t index);
        void *argument;
        size_t count;
        atomic_size_t next;
};

/* One thread's share: whatever it gets hold of. Indices come in rising order, so the first failure
 * of a share is its lowest; its sentence is set aside before later ones overwrite it. */
struct share {
        struct spread *spread;
        size_t failed_index;
        int result;
        struct note note, kept;
};

static int share_run(void *argument)
{
        struct share *share = argument;
        struct spread *spread = share->spread;

        for (;;) {
                size_t index = atomic_fetch_add(&spread->next, 1);
                int r;

                if (index >= spread->count)
                        return 0;
                r = spread->run(spread->argument, index);
                if (r >= 0 || share->result < 0)
                        continue;
                share->result = r;
                share->failed_index = index;
                share->kept = *fault_current_note();
        }
}

static int spread_run(struct workers *workers, struct spread *spread, struct share *shares,
                      struct job *jobs, unsigned count)
{
        const struct share *worst = NULL;

        for (unsigned i = 0; i < count; i++) {
                shares[i].spread = spread;
                jobs[i].run = share_run;
                jobs[i].argument = &shares[i];
                jobs[i].note = &shares[i].note;
        }
        run_jobs(workers, jobs, count);
        for (unsigned i = 0; i < count; i++)
                if (shares[i].result < 0 &&
                    (!worst || shares[i].failed_index < worst->failed_index))
                        worst = &shares[i];
        if (!worst)
                return 0;
        fault_take_note(&worst->kept);
        return worst->result;
}

int workers_each(struct workers *workers, size_t count, int (*job)(void *argument, size_t index),
                 void *argument)
{
        struct spread spread = { .run = job, .argument = argument, .count = count };
        struct share alone = { .spread = &spread };
        unsigned threads = workers ? workers->count : 0;
        struct share *shares;
        struct job *jobs;
        int r;

        if (threads > count)
                threads = (unsigned)count;
        if (threads == 0) {
                (void)share_run(&alone);
                if (alone.result < 0)
                        fault_take_note(&alone.kept);
                return alone.result;
        }
        shares = calloc(threads, sizeof(*shares));
        jobs = calloc(threads, sizeof(*jobs));
        INSIST(shares && jobs);
        r = spread_run(workers, &spread, shares, jobs, threads);
        free(shares);
        free(jobs);
        return r;
}

/* --- making and destroying ----------------------------------------------------------------- */

static int pin(pthread_attr_t *attributes, const char *name, unsigned index, int cpu)
{
        cpu_set_t set;

        if (cpu >= CPU_SETSIZE)
                return fault(FAULT_BAD_VALUE, "pool %s, thread %u: there is no CPU %d", name, index,
                             cpu);
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        INSIST(pthread_attr_setaffinity_np(attributes, sizeof(set), &set) == 0);
        return 0;
}

static int thread_create(struct workers *workers, unsigned index, int cpu)
{
        pthread_attr_t attributes;
        char name[16];
        int r = 0, error;

        INSIST(pthread_attr_init(&attributes) == 0);
        if (cpu >= 0)
                r = pin(&attributes, workers->name, index, cpu);
        if (r < 0)
                goto out;
        error = pthread_create(&workers->threads[index], &attributes, thread_main, workers);
        if (error == EINVAL && cpu >= 0)
                r = fault(FAULT_BAD_VALUE,
                          "pool %s, thread %u: CPU %d is not one this program may run on; name one "
                          "that `taskset -p %d` shows",
                          workers->name, index, cpu, (int)getpid());
        else if (error)
                r = fault_errno(error, "pool %s, thread %u", workers->name, index);
        if (r < 0)
                goto out;
        (void)snprintf(name, sizeof(name), "%s%u", workers->name, index % 1000);
        (void)pthread_setname_np(workers->threads[index], name); /* only for debuggers */
out:
        pthread_attr_destroy(&attributes);
        return r;
}

/* A thread inherits the mask of its maker: signals are for the loop alone. */
static int threads_create(struct workers *workers, unsigned count, const int *cpus)
{
        sigset_t all, before;
        int r = 0;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (unsigned i = 0; i < count && r == 0; i++) {
                r = thread_create(workers, i, cpus ? cpus[i] : -1);
                if (r == 0)
                        workers->count++;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r;
}

int workers_create(const char *name, unsigned count, const int *cpus, struct workers **ret_workers)
{
        struct workers *workers;
        int r = 0;

        if (count > THREADS_MOST)
                return fault(FAULT_BAD_VALUE,
                             "pool %s: %u threads are wanted, at most %u are "
                             "possible",
                             name, count, THREADS_MOST);
        if (loop_is_virtual())
                count = 0;
        workers = calloc(1, sizeof(*workers));
        INSIST(workers);
        (void)snprintf(workers->name, sizeof(workers->name), "%s", name);
        workers->queue.last = &workers->queue.first;
        workers->finished.last = &workers->finished.first;
        workers->arrival.done = arrived;
        workers->descriptor = -1;
        pthread_mutex_init(&workers->lock, NULL);
        if (count > 0) {
                (void)loop_here();
                workers->threads = calloc(count, sizeof(*workers->threads));
                INSIST(workers->threads);
                workers->descriptor = eventfd(0, EFD_CLOEXEC);
                r = workers->descriptor < 0 ? fault_errno(errno, "pool %s: eventfd", name)
                                            : threads_create(workers, count, cpus);
        }
        if (r < 0) {
                (void)workers_destroy(workers);
                return r;
        }
        *ret_workers = workers;
        return 0;
}

struct workers *workers_destroy(struct workers *workers)
{
        if (!workers)
                return NULL;
        /* A cancel does not shorten this: it is told once, then the wait is for the jobs alone. */
        while (workers->out > 0)
                IGNORE(waitlist_wait(&workers->emptied, WAIT_FOREVER));
        atomic_store(&workers->is_ending, true);
        atomic_fetch_add(&workers->posts, 1);
        futex_wake(&workers->posts, (int)THREADS_MOST);
        for (unsigned i = 0; i < workers->count; i++)
                pthread_join(workers->threads[i], NULL);
        if (workers->descriptor >= 0)
                close(workers->descriptor);
        pthread_mutex_destroy(&workers->lock);
        free(workers->threads);
        free(workers);
        return NULL;
}

unsigned workers_count(const struct workers *workers)
{
        return workers->count;
}
