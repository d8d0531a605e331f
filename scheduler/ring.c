/*
 * ring.c - requests to the kernel, and their completions.
 *
 * A request lives on the stack of the fiber that waits for it, and its address is what the
 * completion carries. A fiber that is cancelled, or whose deadline comes, asks the kernel to cancel
 * the request and goes on waiting: both answers, the request's and the cancel's, must have arrived
 * before the stack is touched. So buffers may lie on it too, and an address is never taken for that
 * of a later request.
 *
 * A request that succeeded although it was being cancelled keeps its result (bytes read are not
 * lost); the cancel is then told by the next wait.
 *
 * Under virtual time, requests on regular files are carried out in place: the kernel completes them
 * in an order of its own, and the same seed must give the same run. They wait all the same, for one
 * turn, so that other fibers run in between as they would.
 */
#include "scheduler/ring.h"

#include "scheduler/inside.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Valgrind cannot see what the kernel writes on its own. */
#if __has_include(<valgrind/memcheck.h>) && !defined(NVALGRIND)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(address, length) ((void)(address), (void)(length))
#endif

/* What read(2) and write(2) move at most, whatever they are asked (their page, "Notes"). */
#define LENGTH_MOST 0x7ffff000u

/* In a completion's user data: this is the answer to the cancel of that request. */
#define CANCEL_ANSWER 1u

/* --- handing over and collecting ----------------------------------------------------------- */

void ring_collect(struct loop *loop)
{
        struct io_uring_cqe *completion;

        /* Seen before it is delivered: delivering may submit, and so come here again. */
        while (io_uring_peek_cqe(&loop->ring, &completion) == 0) {
                uint64_t data = io_uring_cqe_get_data64(completion);
                struct request *request = (void *)(uintptr_t)(data & ~(uint64_t)CANCEL_ANSWER);

                if (!(data & CANCEL_ANSWER))
                        request->result = completion->res;
                io_uring_cqe_seen(&loop->ring, completion);
                loop->owed--;
                if (--request->answers > 0)
                        continue;
                if (request->holds)
                        loop->holding--;
                request->done(request);
        }
}

struct io_uring_sqe *ring_entry(struct loop *loop)
{
        struct io_uring_sqe *entry = io_uring_get_sqe(&loop->ring);

        while (!entry) {
                int r = io_uring_submit(&loop->ring);

                /* too many completions wait to be taken, or memory is short: take some, again */
                if (r == -EBUSY || r == -EAGAIN)
                        ring_collect(loop);
                else
                        INSIST(r >= 0 || r == -EINTR);
                entry = io_uring_get_sqe(&loop->ring);
        }
        return entry;
}

static void owe_answer(struct loop *loop, struct request *request)
{
        request->answers++;
        loop->owed++;
}

static void hold(struct loop *loop, struct request *request)
{
        request->holds = true;
        loop->holding++;
}

void ring_hand_over(struct loop *loop, struct request *request, struct io_uring_sqe *entry)
{
        io_uring_sqe_set_data64(entry, (uint64_t)(uintptr_t)request);
        owe_answer(loop, request);
        if (request->holds)
                hold(loop, request);
}

/* --- a fiber's request --------------------------------------------------------------------- */

/* A cancel outranks a deadline. Asked once, the kernel need not be asked again. While it is being
 * cancelled any request holds virtual time, for when the kernel answers must not decide anything.
 */
static void request_give_up(struct wait *wait, int why)
{
        struct request *request = CONTAINER_OF(wait, struct request, wait);
        bool is_asked = request->why != 0;
        struct io_uring_sqe *entry;

        if (request->why != -FAULT_CANCELLED)
                request->why = why;
        if (is_asked)
                return;
        entry = ring_entry(the_loop);
        io_uring_prep_cancel64(entry, (uint64_t)(uintptr_t)request, 0);
        io_uring_sqe_set_data64(entry, (uint64_t)(uintptr_t)request | CANCEL_ANSWER);
        owe_answer(the_loop, request);
        if (!request->holds)
                hold(the_loop, request);
}

/* ECANCELED: it was cancelled in the queue; EINTR: while a kernel thread was at it. */
static void request_done(struct request *request)
{
        bool is_given_up = request->result == -ECANCELED || request->result == -EINTR;

        wait_end(&request->wait, is_given_up ? request->why : 0);
}

/* Returns what the completion said, or the fault it was given up for in `ret_fault`. */
static int request_wait(struct request *request, struct io_uring_sqe *entry, uint64_t deadline_ns,
                        int *ret_fault)
{
        request->done = request_done;
        ring_hand_over(the_loop, request, entry);
        *ret_fault = wait_begin(&request->wait, deadline_ns);
        return request->result;
}

/* --- what is asked ------------------------------------------------------------------------- */

/* Into one vector, or out of several. */
struct transfer {
        bool is_write;
        int descriptor;
        const struct iovec *vectors;
        unsigned count;
        off_t offset;
};

static int poll_wait(int descriptor, unsigned events, bool holds, uint64_t deadline_ns,
                     int *ret_fault)
{
        struct request request = {
                .wait = { .what = "an event of descriptor",
                          .descriptor = descriptor,
                          .give_up = request_give_up },
                .holds = holds,
        };
        struct io_uring_sqe *entry = ring_entry(loop_here());

        io_uring_prep_poll_add(entry, descriptor, events);
        return request_wait(&request, entry, deadline_ns, ret_fault);
}

static void transfer_prepare(const struct transfer *transfer, struct io_uring_sqe *entry)
{
        uint64_t offset = (uint64_t)(int64_t)transfer->offset;
        size_t whole = transfer->vectors->iov_len;
        unsigned length = whole < LENGTH_MOST ? (unsigned)whole : LENGTH_MOST;

        if (!transfer->is_write)
                io_uring_prep_read(entry, transfer->descriptor, transfer->vectors->iov_base, length,
                                   offset);
        else if (transfer->count == 1)
                io_uring_prep_write(entry, transfer->descriptor, transfer->vectors->iov_base,
                                    length, offset);
        else
                io_uring_prep_writev(entry, transfer->descriptor, transfer->vectors,
                                     transfer->count, offset);
}

static int transfer_wait(const struct transfer *transfer, int *ret_fault)
{
        struct request request = {
                .wait = { .what = transfer->is_write ? "room in descriptor" : "data of descriptor",
                          .descriptor = transfer->descriptor,
                          .give_up = request_give_up },
                .holds = true,
        };
        struct io_uring_sqe *entry = ring_entry(loop_here());

        transfer_prepare(transfer, entry);
        return request_wait(&request, entry, WAIT_FOREVER, ret_fault);
}

/* A descriptor in non-blocking mode gives EAGAIN instead of waiting: then wait for it. */
static int transfer_in_ring(const struct transfer *transfer, int *ret_fault)
{
        unsigned events = transfer->is_write ? POLLOUT : POLLIN;
        int r;

        for (;;) {
                r = transfer_wait(transfer, ret_fault);
                if (*ret_fault < 0 || (r != -EAGAIN && r != -EINTR))
                        return r;
                if (r == -EAGAIN)
                        r = poll_wait(transfer->descriptor, events, true, WAIT_FOREVER, ret_fault);
                if (*ret_fault < 0)
                        return r;
        }
}

/* An offset of -1 means the file's position here as in the ring (preadv2(2)). */
static ssize_t transfer_once(const struct transfer *transfer)
{
        int count = (int)transfer->count;

        return transfer->is_write ? pwritev2(transfer->descriptor, transfer->vectors, count,
                                             transfer->offset, 0)
                                  : preadv2(transfer->descriptor, transfer->vectors, count,
                                            transfer->offset, 0);
}

static ssize_t transfer_in_place(const struct transfer *transfer)
{
        ssize_t r;

        do
                r = transfer_once(transfer);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                r = -errno;
        wait_turn();
        return r;
}

/* Is it a thing that never makes one wait for somebody else, under virtual time? */
static bool is_done_in_place(int descriptor)
{
        struct stat status;

        return loop_is_virtual() && fstat(descriptor, &status) == 0 &&
               (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode));
}

static ssize_t transfer_run(const struct transfer *transfer)
{
        int given_up = 0;
        ssize_t r;

        if (wait_is_cancelled())
                return wait_result(-FAULT_CANCELLED);
        if (is_done_in_place(transfer->descriptor))
                r = transfer_in_place(transfer);
        else
                r = transfer_in_ring(transfer, &given_up);
        if (given_up < 0)
                return wait_result(given_up);
        if (r < 0)
                return fault_errno((int)-r, "%s descriptor %d",
                                   transfer->is_write ? "writing to" : "reading from",
                                   transfer->descriptor);
        if (!transfer->is_write)
                (void)VALGRIND_MAKE_MEM_DEFINED(transfer->vectors->iov_base, r);
        return r;
}

ssize_t ring_read(int descriptor, void *buffer, size_t length, off_t offset)
{
        struct iovec vector = { buffer, length };
        struct transfer transfer = { false, descriptor, &vector, 1, offset };

        return transfer_run(&transfer);
}

ssize_t ring_write(int descriptor, const void *buffer, size_t length, off_t offset)
{
        /* the kernel only reads it */
        struct iovec vector = { (void *)(uintptr_t)buffer, length };

        return ring_write_vectors(descriptor, &vector, 1, offset);
}

ssize_t ring_write_vectors(int descriptor, const struct iovec *vectors, unsigned count,
                           off_t offset)
{
        struct transfer transfer = { true, descriptor, vectors, count, offset };

        INSIST(count > 0 && count <= IOV_MAX);
        return transfer_run(&transfer);
}

static int fsync_run(int descriptor, void (*give_up)(struct wait *wait, int why))
{
        struct request request = {
                .wait = { .what = "fsync of descriptor",
                          .descriptor = descriptor,
                          .give_up = give_up },
                .holds = true,
        };
        struct io_uring_sqe *entry;
        int r, given_up = 0;

        if (is_done_in_place(descriptor)) {
                r = fsync(descriptor) < 0 ? -errno : 0;
                wait_turn();
        } else {
                entry = ring_entry(loop_here());
                io_uring_prep_fsync(entry, descriptor, 0);
                r = request_wait(&request, entry, WAIT_FOREVER, &given_up);
        }
        if (given_up < 0)
                return wait_result(given_up);
        return r < 0 ? fault_errno(-r, "fsync of descriptor %d", descriptor) : 0;
}

int ring_fsync(int descriptor)
{
        if (wait_is_cancelled())
                return wait_result(-FAULT_CANCELLED);
        return fsync_run(descriptor, request_give_up);
}

int ring_fsync_firmly(int descriptor)
{
        return fsync_run(descriptor, NULL);
}

int ring_poll(int descriptor, unsigned events, uint64_t timeout_ns)
{
        int r, given_up;

        if (wait_is_cancelled())
                return wait_result(-FAULT_CANCELLED);
        r = poll_wait(descriptor, events, false, wait_deadline(timeout_ns), &given_up);
        if (given_up < 0)
                return wait_result(given_up);
        return r < 0 ? fault_errno(-r, "waiting for descriptor %d", descriptor) : r;
}
