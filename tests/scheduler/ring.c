/*
 * Requests: pipes, files, events, a queue that is too short.
 */
#include "tests/support/test.h"

#include "scheduler/fiber.h"
#include "scheduler/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const enum loop_time times[] = { LOOP_TIME_REAL, LOOP_TIME_VIRTUAL };

static void on_both(int (*procedure)(void *subject), void *subject)
{
        for (unsigned i = 0; i < LENGTH_OF(times); i++)
                assert_int_equal(test_on_fiber(times[i], 1, procedure, subject), 0);
}

static int write_hello(void *subject)
{
        assert_int_equal(ring_write(*(int *)subject, "hello", 5, -1), 5);
        return close(*(int *)subject);
}

static int through_a_pipe(void *subject)
{
        struct fiber *writer;
        char text[16] = "";
        int pair[2];

        (void)subject;
        assert_int_equal(pipe(pair), 0);
        writer = fiber_spawn("writer", write_hello, &pair[1]);
        /* the reader waits first */
        assert_int_equal(ring_read(pair[0], text, sizeof(text), -1), 5);
        assert_string_equal(text, "hello");
        assert_int_equal(fiber_join(writer), 0);
        assert_int_equal(ring_read(pair[0], text, sizeof(text), -1), 0);
        return close(pair[0]);
}

static void bytes_go_through_a_pipe_and_the_end_is_seen(void **state)
{
        (void)state;
        on_both(through_a_pipe, NULL);
}

static int through_a_file(void *subject)
{
        int file = open(subject, O_RDWR | O_CREAT | O_TRUNC, 0600);
        char text[16] = "", first[] = "vec", last[] = "to";
        const struct iovec vectors[] = { { first, 3 }, { NULL, 0 }, { last, 2 } };

        assert_true(file >= 0);
        assert_int_equal(ring_write(file, "0123456789", 10, 0), 10);
        assert_int_equal(ring_write(file, "ab", 2, 4), 2);
        assert_int_equal(ring_read(file, text, 3, 3), 3);
        assert_string_equal(text, "3ab");
        assert_int_equal(ring_write_vectors(file, vectors, 3, 7), 5);
        assert_int_equal(ring_read(file, text, 8, 4), 8);
        assert_memory_equal(text, "ab6vecto", 8);
        assert_int_equal(ring_write(file, "789", 3, 7), 3);
        assert_int_equal(ftruncate(file, 10), 0);
        assert_int_equal(ring_fsync(file), 0);
        /* -1 goes by the file's own position, which the others did not move */
        assert_int_equal(ring_read(file, text, 4, -1), 4);
        assert_int_equal(ring_read(file, text + 4, 12, -1), 6);
        assert_memory_equal(text, "0123ab6789", 10);
        assert_int_equal(ring_read(file, text, 1, -1), 0);
        assert_int_equal(ring_read(file, text, 1, 100), 0);
        return close(file);
}

static void bytes_go_to_a_file_and_back(void **state)
{
        char path[128];

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/file", test_directory());
        on_both(through_a_file, path);
}

static int on_bad_descriptors(void *subject)
{
        char byte;
        int pair[2];

        (void)subject;
        assert_fault((int)ring_read(9999, &byte, 1, -1), SYSTEM,
                     "reading from descriptor 9999: Bad file descriptor");
        assert_fault((int)ring_write(9999, "x", 1, -1), SYSTEM, "writing to descriptor 9999");
        assert_fault(ring_fsync(9999), SYSTEM, "9999");
        assert_fault(ring_poll(9999, POLLIN, WAIT_FOREVER), SYSTEM, "9999");
        assert_int_equal(pipe(pair), 0);
        assert_fault(ring_fsync(pair[0]), SYSTEM, "Invalid argument");
        (void)close(pair[0]);
        return close(pair[1]);
}

static void a_refusal_of_the_kernel_is_a_fault_with_its_words(void **state)
{
        (void)state;
        on_both(on_bad_descriptors, NULL);
}

static int ring_bell(void *subject)
{
        assert_int_equal(fiber_sleep_ns(NS_PER_MS), 0);
        return eventfd_write(*(int *)subject, 1);
}

static int poll_for_events(void *subject)
{
        int bell = eventfd(0, EFD_NONBLOCK);
        uint64_t before = clock_now_ns();
        struct fiber *ringer;

        (void)subject;
        assert_fault(ring_poll(bell, POLLIN, 0), TIMEOUT, NULL);
        assert_fault(ring_poll(bell, POLLIN, 2 * NS_PER_MS), TIMEOUT, NULL);
        assert_true(clock_now_ns() - before >= 2 * NS_PER_MS);
        assert_int_equal(ring_poll(bell, POLLOUT, 0), POLLOUT);
        ringer = fiber_spawn("ringer", ring_bell, &bell);
        assert_int_equal(ring_poll(bell, POLLIN, WAIT_FOREVER), POLLIN);
        assert_int_equal(ring_poll(bell, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
        assert_int_equal(fiber_join(ringer), 0);
        return close(bell);
}

static void poll_tells_the_events_or_times_out(void **state)
{
        (void)state;
        on_both(poll_for_events, NULL);
}

static int read_bell(void *subject)
{
        uint64_t count;

        assert_int_equal(ring_read(*(int *)subject, &count, sizeof(count), -1), 8);
        return (int)count;
}

static int nonblocking_read(void *subject)
{
        int bell = eventfd(0, EFD_NONBLOCK);
        struct fiber *reader = fiber_spawn("reader", read_bell, &bell);

        (void)subject;
        assert_int_equal(fiber_yield(), 0);
        assert_int_equal(fiber_yield(), 0);
        assert_false(fiber_has_ended(reader));
        assert_int_equal(eventfd_write(bell, 7), 0);
        assert_int_equal(fiber_join(reader), 7);
        return close(bell);
}

static void a_nonblocking_descriptor_is_waited_for_all_the_same(void **state)
{
        (void)state;
        on_both(nonblocking_read, NULL);
}

/* --- many at once -------------------------------------------------------------------------- */

#define MANY 100u

static int read_one_byte(void *subject)
{
        unsigned char byte;

        assert_int_equal(ring_read(*(int *)subject, &byte, 1, -1), 1);
        return byte;
}

static int many_pipes(void *subject)
{
        struct fiber *fibers[MANY];
        int pipes[MANY][2];

        (void)subject;
        for (unsigned i = 0; i < MANY; i++) {
                assert_int_equal(pipe(pipes[i]), 0);
                fibers[i] = fiber_spawn("reader", read_one_byte, &pipes[i][0]);
        }
        assert_int_equal(fiber_yield(), 0);
        for (unsigned i = 0; i < MANY; i++) {
                unsigned char byte = (unsigned char)i;

                assert_int_equal(write(pipes[i][1], &byte, 1), 1);
        }
        for (unsigned i = 0; i < MANY; i++) {
                assert_int_equal(fiber_join(fibers[i]), i);
                (void)close(pipes[i][0]);
                (void)close(pipes[i][1]);
        }
        return 0;
}

static int many_readers_of_one_pipe(void *subject)
{
        struct fiber *fibers[MANY];
        int pair[2];

        (void)subject;
        assert_int_equal(pipe(pair), 0);
        for (unsigned i = 0; i < MANY; i++)
                fibers[i] = fiber_spawn("reader", read_one_byte, &pair[0]);
        assert_int_equal(fiber_yield(), 0);
        for (unsigned i = 0; i < MANY; i++) {
                unsigned char number = (unsigned char)i;

                assert_int_equal(write(pair[1], &number, 1), 1);
        }
        for (unsigned i = 0; i < MANY; i++)
                assert_true(fiber_join(fibers[i]) < (int)MANY);
        (void)close(pair[0]);
        return close(pair[1]);
}

static int run_with_entries(unsigned entries, int (*procedure)(void *subject))
{
        struct loop_settings settings = { .time = LOOP_TIME_REAL,
                                          .seed = 1,
                                          .ring_entries = entries };
        struct loop *loop;
        int r;

        assert_int_equal(loop_create(&settings, &loop), 0);
        r = loop_run(loop, "test", procedure, NULL);
        assert_null(loop_destroy(loop));
        return r;
}

static void a_queue_of_four_loses_none_of_a_hundred_requests(void **state)
{
        (void)state;
        assert_int_equal(run_with_entries(4, many_pipes), 0);
        assert_int_equal(run_with_entries(1, many_pipes), 0);
        assert_int_equal(run_with_entries(4, many_readers_of_one_pipe), 0);
}

static int read_until_cancelled(void *subject)
{
        char buffer[32];

        return (int)ring_read(*(int *)subject, buffer, sizeof(buffer), -1);
}

static int cancel_a_hundred(void *subject)
{
        struct fiber *fibers[MANY];
        int pair[2];

        (void)subject;
        assert_int_equal(pipe(pair), 0);
        for (unsigned i = 0; i < MANY; i++)
                fibers[i] = fiber_spawn("reader", read_until_cancelled, &pair[0]);
        assert_int_equal(fiber_yield(), 0);
        for (unsigned i = 0; i < MANY; i++)
                fiber_cancel(fibers[i]);
        for (unsigned i = 0; i < MANY; i++)
                assert_fault(fiber_join(fibers[i]), CANCELLED, NULL);
        (void)close(pair[0]);
        return close(pair[1]);
}

static void a_queue_of_four_carries_a_hundred_cancels(void **state)
{
        (void)state;
        assert_int_equal(run_with_entries(4, cancel_a_hundred), 0);
}

/* --- a cancel that comes too late ---------------------------------------------------------- */

/* The kernel may have been quicker or not; either way the bytes are there, and it is told once. */
static int read_then_wait(void *subject)
{
        char text[8] = "";
        int r = (int)ring_read(*(int *)subject, text, sizeof(text), -1);

        if (r >= 0)
                assert_fault(fiber_yield(), CANCELLED, NULL);
        else
                assert_int_equal(ring_read(*(int *)subject, text, sizeof(text), -1), 5);
        assert_string_equal(text, "hello");
        return fiber_yield();
}

static int cancel_with_data(void *subject)
{
        struct fiber *reader;
        int pair[2];

        assert_int_equal(pipe(pair), 0);
        reader = fiber_spawn("reader", read_then_wait, &pair[0]);
        for (unsigned i = 0; *(bool *)subject && i < 5; i++)
                assert_int_equal(fiber_yield(), 0);
        assert_int_equal(write(pair[1], "hello", 5), 5);
        fiber_cancel(reader);
        assert_int_equal(fiber_join(reader), 0);
        (void)close(pair[0]);
        return close(pair[1]);
}

static void data_that_comes_with_the_cancel_is_not_lost(void **state)
{
        bool is_started = false;

        (void)state;
        on_both(cancel_with_data, &is_started);
        is_started = true;
        on_both(cancel_with_data, &is_started);
}

/* --- virtual time -------------------------------------------------------------------------- */

/* Another process, which writes to the pipe in its own time. */
static pid_t write_later(int descriptor)
{
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
                (void)usleep(50000);
                _exit(write(descriptor, "x", 1) == 1 ? 0 : 1);
        }
        return child;
}

static void reap(pid_t child)
{
        int status;

        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

static int read_holds_the_clock(void *subject)
{
        struct fiber *reader = fiber_spawn("reader", read_one_byte, subject);

        /* the read is outstanding when everybody waits: it ends before the clock moves */
        assert_int_equal(fiber_sleep_ns(1), 0);
        assert_true(fiber_has_ended(reader));
        return fiber_join(reader) == 'x' ? 0 : 1;
}

static void a_read_holds_virtual_time(void **state)
{
        int pair[2];
        pid_t child;

        (void)state;
        assert_int_equal(pipe(pair), 0);
        child = write_later(pair[1]);
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, read_holds_the_clock, &pair[0]), 0);
        reap(child);
        (void)close(pair[0]);
        (void)close(pair[1]);
}

static int poll_for_ever(void *subject)
{
        return ring_poll(*(int *)subject, POLLIN, WAIT_FOREVER);
}

static int poll_does_not_hold_the_clock(void *subject)
{
        int bell = eventfd(0, 0);
        struct fiber *poller = fiber_spawn("poller", poll_for_ever, &bell);

        (void)subject;
        assert_int_equal(fiber_sleep_ns(3600 * NS_PER_S), 0);
        assert_true(clock_now_ns() == 3600 * NS_PER_S);
        assert_false(fiber_has_ended(poller));
        /* an outside event is seen before the clock jumps again */
        assert_int_equal(eventfd_write(bell, 1), 0);
        assert_int_equal(fiber_sleep_ns(3600 * NS_PER_S), 0);
        assert_true(fiber_has_ended(poller));
        assert_int_equal(fiber_join(poller), POLLIN);
        return close(bell);
}

static void a_poll_does_not_hold_virtual_time(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, poll_does_not_hold_the_clock, NULL),
                         0);
}

static int wait_for_the_outside(void *subject)
{
        (void)subject;
        /* nothing can happen in virtual time: the loop waits for the real world */
        return poll_for_ever(subject) == POLLIN ? 0 : 1;
}

static void without_a_deadline_virtual_time_waits_for_the_outside(void **state)
{
        int pair[2];
        pid_t child;

        (void)state;
        assert_int_equal(pipe(pair), 0);
        child = write_later(pair[1]);
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, wait_for_the_outside, &pair[0]), 0);
        reap(child);
        (void)close(pair[0]);
        (void)close(pair[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_go_through_a_pipe_and_the_end_is_seen),
                cmocka_unit_test(bytes_go_to_a_file_and_back),
                cmocka_unit_test(a_refusal_of_the_kernel_is_a_fault_with_its_words),
                cmocka_unit_test(poll_tells_the_events_or_times_out),
                cmocka_unit_test(a_nonblocking_descriptor_is_waited_for_all_the_same),
                cmocka_unit_test(a_queue_of_four_loses_none_of_a_hundred_requests),
                cmocka_unit_test(a_queue_of_four_carries_a_hundred_cancels),
                cmocka_unit_test(data_that_comes_with_the_cancel_is_not_lost),
                cmocka_unit_test(a_read_holds_virtual_time),
                cmocka_unit_test(a_poll_does_not_hold_virtual_time),
                cmocka_unit_test(without_a_deadline_virtual_time_waits_for_the_outside),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
