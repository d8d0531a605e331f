/*
 * process.c - another program, run to its end by the fiber that wants it.
 *
 * Two things are waited for at once: output in the pipe and the end of the program. Both sit in one
 * epoll descriptor, and the ring polls that. The pipe is read without blocking, a few blocks a turn, so
 * that a program which floods it does not hold up the other fibers.
 *
 * The program is not reaped before its group is dead: until then its number, which is also the group's,
 * can belong to nobody else, and a signal cannot hit a stranger.
 */
#include "scheduler/process.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_NS      (2 * NS_PER_S)
#define OUTPUT_MAX    ((size_t)4 << 20)
#define BLOCK         4096u
#define BLOCKS_A_TURN 16
#define LAST_BLOCKS   256 /* what may still lie in the pipe when the program has ended: 1 MiB */
#define AFTER_KILL_NS (10 * NS_PER_S)

struct process {
        const struct process_order *order;
        struct process_end *end;
        pid_t number; /* 0: none */
        int pipe, watch, events;
        bool is_at_end; /* of its output */
        bool has_ended;
        bool is_ending; /* by us */
        char line[PROCESS_LINE_MAX + 1];
        size_t length;
};

static void close_descriptor(const int *descriptor)
{
        if (*descriptor >= 0)
                (void)close(*descriptor); /* a pipe or an event: nothing can be lost */
}

/* --- lines --------------------------------------------------------------------------------- */

static void deliver_line(struct process *process)
{
        if (process->length == 0)
                return;
        process->line[process->length] = '\0';
        process->order->line(process->order->subject, process->line, process->length);
        process->length = 0;
}

static void take_block(struct process *process, const char *block, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                if (block[i] == '\n' || block[i] == '\r')
                        deliver_line(process);
                else if (process->length < PROCESS_LINE_MAX)
                        process->line[process->length++] = block[i] ? block[i] : ' ';
        }
        process->end->output += length;
}

/* What is in the pipe, at most so many blocks; what follows is seen at the next turn. */
static void read_blocks(struct process *process, unsigned blocks)
{
        char block[BLOCK];

        while (blocks-- > 0 && !process->is_at_end) {
                ssize_t r = read(process->pipe, block, sizeof(block));

                if (r > 0)
                        take_block(process, block, (size_t)r);
                else if (r < 0 && errno == EAGAIN)
                        return;
                else if (r == 0 || errno != EINTR)
                        process->is_at_end = true;
        }
        if (process->is_at_end)
                IGNORE(epoll_ctl(process->events, EPOLL_CTL_DEL, process->pipe, NULL));
}

/* --- starting ------------------------------------------------------------------------------ */

/*
 * What lies between fork and exec: system calls alone, for the copy of a process with threads may call
 * nothing else (signal-safety(7)). posix_spawn(3) would do for all but one: PR_SET_PDEATHSIG, without
 * which the program lives on and goes on programming when this process is killed. The signal is that of
 * the thread that forks, which is the loop's and lasts as long as the process (prctl(2)).
 */
struct birth {
        const struct process_order *order;
        int output, told; /* `told`: takes errno when it does not come to exec */
        pid_t parent;
};

/* Every signal as a fresh program expects it. */
static void signals_reset(void)
{
        struct sigaction action = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int number = 1; number < NSIG; number++)
                IGNORE(sigaction(number, &action, NULL)); /* KILL and STOP refuse */
        sigemptyset(&none);
        IGNORE(sigprocmask(SIG_SETMASK, &none, NULL));
}

/* 0 to 2 as the program has them, `told` in 3, nothing behind it. */
static bool descriptors_set(struct birth *birth)
{
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int output = fcntl(birth->output, F_DUPFD_CLOEXEC, 4);
        int told = fcntl(birth->told, F_DUPFD_CLOEXEC, 4);

        if (nothing < 0 || output < 0 || told < 0)
                return false;
        birth->told = told;
        /* dup2() onto itself would keep the flag that closes it */
        if (nothing == 0 ? fcntl(0, F_SETFD, 0) < 0 : dup2(nothing, 0) < 0)
                return false;
        if (dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup3(told, 3, O_CLOEXEC) < 0)
                return false;
        birth->told = 3;
        return close_range(4, ~0u, 0) == 0;
}

static void become(struct birth *birth)
{
        const struct process_order *order = birth->order;
        char *const *arguments = (char *const *)(uintptr_t)order->arguments;
        char *const *environment = (char *const *)(uintptr_t)order->environment;
        int error;

        /* the parent may have ended before it could be asked to tell us */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == birth->parent &&
            setpgid(0, 0) == 0 && descriptors_set(birth) &&
            (!order->directory || chdir(order->directory) == 0)) {
                signals_reset();
                (void)execve(order->program, arguments, environment);
        }
        error = errno;
        IGNORE(write(birth->told, &error, sizeof(error)));
        _exit(127);
}

/* With every signal held back until the child has let go of our handlers. */
static pid_t fork_quietly(struct birth *birth)
{
        sigset_t all, before;
        pid_t number;

        sigfillset(&all);
        INSIST(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
        number = fork();
        if (number == 0)
                become(birth);
        INSIST(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
        return number;
}

/* Returns when the program runs or cannot be run: the pipe that tells is closed by exec. */
static int spawn(const struct process_order *order, int output, pid_t *ret_number)
{
        struct birth birth = { .order = order, .output = output, .parent = getpid() };
        int pair[2], error = 0;
        ssize_t length;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return fault_errno(errno, "starting %s", order->program);
        birth.told = pair[1];
        *ret_number = fork_quietly(&birth);
        error = *ret_number < 0 ? errno : 0;
        (void)close(pair[1]);
        do
                length = read(pair[0], &error, sizeof(error));
        while (length < 0 && errno == EINTR);
        (void)close(pair[0]);
        if (!error)
                return 0;
        if (*ret_number > 0)
                (void)waitpid(*ret_number, NULL, 0);
        *ret_number = 0;
        return fault_errno(error, "starting %s", order->program);
}

static int watch_descriptor(struct process *process, int descriptor)
{
        struct epoll_event event = { .events = EPOLLIN, .data.fd = descriptor };

        return epoll_ctl(process->events, EPOLL_CTL_ADD, descriptor, &event);
}

/* The pipe's reading end does not block and its writing end does: a fast program waits for us. */
static int open_pipe(struct process *process, int *ret_writing)
{
        int pair[2];

        process->events = epoll_create1(EPOLL_CLOEXEC);
        if (process->events < 0 || pipe2(pair, O_CLOEXEC) < 0)
                return fault_errno(errno, "a pipe for %s", process->order->program);
        process->pipe = pair[0];
        *ret_writing = pair[1];
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 || watch_descriptor(process, pair[0]) < 0)
                return fault_errno(errno, "a pipe for %s", process->order->program);
        return 0;
}

/* A program that cannot be watched is not kept: it is ended in run_to_end(). */
static int start(struct process *process)
{
        int writing CLEANUP(close_descriptor) = -1;
        int r = open_pipe(process, &writing);

        if (r < 0)
                return r;
        r = spawn(process->order, writing, &process->number);
        if (r < 0)
                return r;
        process->end->was_started = true;
        process->watch = pidfd_open(process->number, 0);
        if (process->watch < 0 || watch_descriptor(process, process->watch) < 0)
                return fault_errno(errno, "watching %s", process->order->program);
        return 0;
}

/* --- running and ending -------------------------------------------------------------------- */

static void look_whether_ended(struct process *process)
{
        siginfo_t info = { 0 };

        /* WNOWAIT leaves it as it is: its number stays taken */
        if (waitid(P_PID, (id_t)process->number, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
            info.si_pid == process->number)
                process->has_ended = true;
}

/* Until it has ended, or a reason comes to end it (waits). Once that is so, it may say what it likes: it
 * must not hang on a full pipe while it dies. A flood must not drown the deadline either. */
static int follow(struct process *process, uint64_t deadline_ns)
{
        size_t most = process->order->output_max ? process->order->output_max : OUTPUT_MAX;

        while (!process->has_ended) {
                uint64_t now_ns = clock_now_ns();
                int r;

                if (now_ns >= deadline_ns)
                        return fault(FAULT_TIMEOUT, "");
                r = ring_poll(process->events, POLLIN,
                              deadline_ns == WAIT_FOREVER ? WAIT_FOREVER : deadline_ns - now_ns);
                if (r < 0)
                        return r;
                read_blocks(process, BLOCKS_A_TURN);
                look_whether_ended(process);
                if (process->end->output > most && !process->is_ending)
                        return fault(FAULT_TOO_LARGE, "%s printed more than %zu bytes",
                                     process->order->program, most);
        }
        return 0;
}

static void signal_group(const struct process *process, int number)
{
        /* ESRCH: all of it is gone */
        IGNORE(kill(-process->number, number));
}

/* Ask it to go, then make it go. */
static void make_it_end(struct process *process)
{
        uint64_t grace_ns = process->order->grace_ns ? process->order->grace_ns : GRACE_NS;
        uint64_t deadline_ns = clock_now_ns() + AFTER_KILL_NS;

        process->is_ending = true;
        signal_group(process, SIGTERM);
        if (process->watch >= 0 && follow(process, clock_now_ns() + grace_ns) == 0)
                return;
        signal_group(process, SIGKILL);
        while (!process->has_ended && clock_now_ns() < deadline_ns) {
                if (process->watch >= 0)
                        IGNORE(follow(process, deadline_ns));
                else if (fiber_sleep_ns(NS_PER_MS) == 0)
                        look_whether_ended(process);
        }
}

/* Take what is left of its group with it, and its last words. */
static int bury(struct process *process)
{
        siginfo_t info = { 0 };

        if (!process->has_ended)
                return fault(FAULT_SYSTEM,
                             "%s (process %d) does not end even by SIGKILL: the kernel holds it, "
                             "often for a device that does not answer",
                             process->order->program, process->number);
        signal_group(process, SIGKILL);
        read_blocks(process, LAST_BLOCKS);
        deliver_line(process);
        if (waitid(P_PID, (id_t)process->number, &info, WEXITED | WNOHANG) < 0)
                return fault_errno(errno, "the end of %s", process->order->program);
        process->end->was_killed = info.si_code != CLD_EXITED;
        process->end->code = info.si_status;
        return 0;
}

static int run_to_end(struct process *process)
{
        const struct process_order *order = process->order;
        uint64_t start_ns = clock_now_ns();
        int r, buried;

        r = start(process);
        if (r == 0)
                r = follow(process, order->limit_ns == WAIT_FOREVER ? WAIT_FOREVER
                                                                    : start_ns + order->limit_ns);
        if (!process->end->was_started)
                return r;
        if (r == -FAULT_TIMEOUT)
                r = fault(FAULT_TIMEOUT, "%s did not end within %.1f s and was stopped",
                          order->program, (double)order->limit_ns / 1e9);
        if (r < 0) {
                char sentence[512];

                /* ending it waits, and so takes the sentence away */
                strncpy(sentence, fault_sentence(r), sizeof(sentence) - 1);
                sentence[sizeof(sentence) - 1] = '\0';
                make_it_end(process);
                buried = bury(process);
                r = buried < 0 ? buried : fault((enum fault) - r, "%s", sentence);
        } else {
                r = bury(process);
        }
        process->end->took_ns = clock_now_ns() - start_ns;
        return r;
}

int process_run(const struct process_order *order, struct process_end *ret_end)
{
        struct process process = {
                .order = order, .end = ret_end, .pipe = -1, .watch = -1, .events = -1
        };
        int r;

        INSIST(order->line && order->arguments && order->environment);
        *ret_end = (struct process_end){ 0 };
        if (loop_is_virtual())
                return fault(FAULT_BAD_VALUE,
                             "%s cannot be run under virtual time: its own time is real",
                             order->program);
        r = run_to_end(&process);
        close_descriptor(&process.pipe);
        close_descriptor(&process.watch);
        close_descriptor(&process.events);
        return r;
}
