/*
 * Whole files: read within a limit, replaced in one step.
 */
#include "tests/support/test.h"

#include "scheduler/fiber.h"
#include "scheduler/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char path[128];

static void on_both(int (*procedure)(void *subject))
{
        static const enum loop_time times[] = { LOOP_TIME_REAL, LOOP_TIME_VIRTUAL };

        for (unsigned i = 0; i < LENGTH_OF(times); i++) {
                (void)snprintf(path, sizeof(path), "%s/file", test_directory());
                assert_int_equal(test_on_fiber(times[i], 1, procedure, NULL), 0);
        }
}

static void put(const char *text)
{
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

/* How many entries the test's directory has, hidden ones too. */
static unsigned entries(void)
{
        char *directory = strdup(path);
        const struct dirent *entry;
        unsigned count = 0;
        DIR *open_directory;

        assert_non_null(directory);
        *strrchr(directory, '/') = '\0';
        open_directory = opendir(directory);
        assert_non_null(open_directory);
        while ((entry = readdir(open_directory)))
                count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        closedir(open_directory);
        free(directory);
        return count;
}

static int write_and_read(void *subject)
{
        size_t length = 3 << 20;
        struct bytes big CLEANUP(bytes_free) = bytes_new(length);
        struct bytes back CLEANUP(bytes_free) = { 0 };
        struct stat status;

        (void)subject;
        for (size_t i = 0; i < length; i++)
                big.data[i] = (uint8_t)(i * 31 >> 8);
        (void)umask(077);
        assert_int_equal(file_write(path, big.data, length, 0644), 0);
        (void)umask(022);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0644);
        assert_int_equal(file_read(path, length, &back), 0);
        assert_int_equal(back.length, length);
        assert_memory_equal(back.data, big.data, length);
        assert_int_equal(back.data[length], 0);
        assert_int_equal(file_write(path, "short", 5, 0600), 0);
        bytes_free(&back);
        assert_int_equal(file_read(path, 5, &back), 0);
        assert_string_equal((char *)back.data, "short");
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(entries(), 1);
        return 0;
}

static void what_is_written_is_read_with_its_exact_mode(void **state)
{
        (void)state;
        on_both(write_and_read);
}

/* --- pieces -------------------------------------------------------------------------------- */

/* Under virtual time the ring calls this one, not the C library's: it may write less than asked, as
 * the kernel may. */
static size_t written_at_most; /* 0: all */
static unsigned writes;

ssize_t pwritev2(int descriptor, const struct iovec *vectors, int count, off_t offset, int flags)
{
        size_t room = written_at_most ? written_at_most : SIZE_MAX;
        ssize_t written = 0;

        assert_true(count > 0 && count <= IOV_MAX);
        assert_int_equal(flags, 0);
        writes++;
        for (int i = 0; i < count && room; i++) {
                size_t length = vectors[i].iov_len < room ? vectors[i].iov_len : room;

                assert_true(length > 0);
                assert_int_equal(pwrite(descriptor, vectors[i].iov_base, length, offset + written),
                                 length);
                written += (ssize_t)length;
                room -= length;
        }
        return written;
}

#define PIECES      (3 * IOV_MAX + 7)
#define PIECE_BYTES 37u

/* Pieces of 0 to 36 bytes, one behind the other in `whole`; a run of empty ones first and last. */
static size_t cut_pieces(struct bytes *whole, struct piece pieces[static PIECES])
{
        size_t at = 0;

        for (size_t i = 0; i < PIECES; i++) {
                size_t length = i < 300 || i >= PIECES - 300 ? 0 : i * 7 % PIECE_BYTES;

                pieces[i] = (struct piece){ length ? whole->data + at : NULL, length };
                for (size_t end = at + length; at < end; at++)
                        whole->data[at] = (uint8_t)(at * 31 >> 3);
        }
        return at;
}

static void check_pieces(const struct piece *pieces, size_t count, const struct bytes *wanted)
{
        struct bytes back CLEANUP(bytes_free) = { 0 };

        assert_int_equal(file_write_pieces(path, pieces, count, 0640), 0);
        assert_int_equal(file_read(path, wanted->length, &back), 0);
        assert_int_equal(back.length, wanted->length);
        assert_memory_equal(back.data, wanted->data, wanted->length);
        assert_int_equal(entries(), 1);
}

static int write_pieces(void *subject)
{
        struct bytes whole CLEANUP(bytes_free) = bytes_new((size_t)PIECES * PIECE_BYTES);
        static struct piece pieces[PIECES];

        (void)subject;
        whole.length = cut_pieces(&whole, pieces);
        for (written_at_most = 0; written_at_most < 3000; written_at_most += 500)
                check_pieces(pieces, PIECES, &whole);
        written_at_most = 0;
        return 0;
}

static void pieces_are_written_one_behind_the_other_however_many(void **state)
{
        (void)state;
        on_both(write_pieces);
}

/* Every length the kernel may stop at, so inside, at the end of and past empty pieces. */
static int write_shortly(void *subject)
{
        static const struct piece pieces[] = { { "abc", 3 }, { NULL, 0 },   { "", 0 },
                                               { "d", 1 },   { "efgh", 4 }, { "", 0 } };
        const struct bytes wanted = { (uint8_t *)(uintptr_t) "abcdefgh", 8 };

        (void)subject;
        for (written_at_most = 1; written_at_most <= 9; written_at_most++) {
                writes = 0;
                check_pieces(pieces, LENGTH_OF(pieces), &wanted);
                assert_int_equal(writes, (8 + written_at_most - 1) / written_at_most);
        }
        written_at_most = 0;
        return 0;
}

static void a_write_that_stops_early_goes_on_where_it_stopped(void **state)
{
        (void)state;
        (void)snprintf(path, sizeof(path), "%s/file", test_directory());
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, write_shortly, NULL), 0);
}

static int write_nothing(void *subject)
{
        static const struct piece empty[] = { { NULL, 0 }, { "x", 0 } };
        const struct bytes none = { 0 };

        (void)subject;
        check_pieces(NULL, 0, &none);
        check_pieces(empty, 2, &none);
        assert_int_equal(file_write(path, NULL, 0, 0600), 0);
        return 0;
}

static void pieces_may_all_be_empty(void **state)
{
        (void)state;
        on_both(write_nothing);
}

/* --- what goes wrong ----------------------------------------------------------------------- */

static int read_within_limits(void *subject)
{
        struct bytes bytes = { (uint8_t *)path, 7 };

        (void)subject;
        put("0123456789");
        assert_fault(file_read(path, 9, &bytes), TOO_LARGE, "it has 10 bytes, at most 9");
        assert_fault(file_read(path, 0, &bytes), TOO_LARGE, path);
        assert_ptr_equal(bytes.data, path); /* written only on success */
        assert_int_equal(file_read(path, 10, &bytes), 0);
        assert_int_equal(bytes.length, 10);
        bytes_free(&bytes);
        assert_int_equal(file_read(path, 1000000, &bytes), 0);
        assert_int_equal(bytes.length, 10);
        bytes_free(&bytes);
        put("");
        assert_int_equal(file_read(path, 0, &bytes), 0);
        assert_int_equal(bytes.length, 0);
        assert_non_null(bytes.data);
        bytes_free(&bytes);
        return 0;
}

static void a_file_above_the_limit_is_refused(void **state)
{
        (void)state;
        on_both(read_within_limits);
}

static int read_what_does_not_tell_its_size(void *subject)
{
        struct bytes bytes CLEANUP(bytes_free) = { 0 };

        (void)subject;
        /* those of /proc say they are empty; this one is larger than the first part read */
        assert_int_equal(file_read("/proc/kallsyms", 100 << 20, &bytes), 0);
        assert_true(bytes.length > 10000);
        bytes_free(&bytes);
        assert_fault(file_read("/proc/kallsyms", 5000, &bytes), TOO_LARGE, "5000");
        assert_fault(file_read("/proc/kallsyms", 100, &bytes), TOO_LARGE, "100");
        return 0;
}

static void a_file_that_hides_its_size_is_read_to_its_end(void **state)
{
        (void)state;
        if (access("/proc/kallsyms", R_OK) != 0)
                skip();
        on_both(read_what_does_not_tell_its_size);
}

static int read_what_is_no_file(void *subject)
{
        struct bytes bytes;

        (void)subject;
        assert_fault(file_read(path, 10, &bytes), NOT_FOUND, path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_fault(file_read(path, 10, &bytes), SYSTEM, "not a regular file");
        assert_fault(file_read("/", 10, &bytes), SYSTEM, "not a regular file");
        assert_fault(file_read("/dev/zero", 10, &bytes), SYSTEM, "not a regular file");
        return 0;
}

static void anything_but_a_regular_file_is_refused(void **state)
{
        (void)state;
        on_both(read_what_is_no_file);
}

static int fail_to_write(void *subject)
{
        char other[160];

        (void)subject;
        (void)snprintf(other, sizeof(other), "%s/nowhere/file", path);
        assert_fault(file_write(other, "x", 1, 0600), NOT_FOUND, other);
        assert_int_equal(entries(), 0);
        /* the target is a directory: all but the rename works, and nothing is left of it */
        assert_int_equal(mkdir(path, 0700), 0);
        assert_fault(file_write(path, "x", 1, 0600), SYSTEM, "Is a directory");
        assert_int_equal(entries(), 1);
        return 0;
}

static void a_failed_write_leaves_no_rest(void **state)
{
        (void)state;
        on_both(fail_to_write);
}

static int write_new(void *subject)
{
        (void)subject;
        return file_write(path, "new", 3, 0600);
}

/* Cancel after every number of turns, until it is too late to. */
static int cancel_everywhere(void *subject)
{
        unsigned turns = 0;
        int r;

        (void)subject;
        do {
                struct bytes bytes CLEANUP(bytes_free) = { 0 };
                struct fiber *fiber;

                put("old");
                fiber = fiber_spawn("writer", write_new, NULL);
                for (unsigned i = 0; i < turns; i++)
                        assert_int_equal(fiber_yield(), 0);
                fiber_cancel(fiber);
                r = fiber_join(fiber);
                assert_int_equal(file_read(path, 10, &bytes), 0);
                assert_string_equal((char *)bytes.data, r == 0 ? "new" : "old");
                if (r < 0)
                        assert_fault(r, CANCELLED, path);
                assert_int_equal(entries(), 1);
                turns++;
        } while (r < 0 && turns < 1000);
        assert_true(turns > 1);
        return r;
}

static void a_cancelled_write_is_done_in_full_or_not_at_all(void **state)
{
        (void)state;
        on_both(cancel_everywhere);
}

static int write_beside_leftovers(void *subject)
{
        struct bytes bytes CLEANUP(bytes_free) = { 0 };
        char leftover[256], *slash = strrchr(path, '/');

        (void)subject;
        /* a crashed process with our number left files under the next names */
        for (unsigned i = 0; i < 200; i++) {
                int file;

                (void)snprintf(leftover, sizeof(leftover), "%.*s/.file.%d-%u", (int)(slash - path),
                               path, (int)getpid(), i);
                file = open(leftover, O_CREAT | O_WRONLY, 0400);
                assert_true(file >= 0);
                (void)close(file);
        }
        assert_int_equal(file_write(path, "new", 3, 0600), 0);
        assert_int_equal(file_read(path, 10, &bytes), 0);
        assert_string_equal((char *)bytes.data, "new");
        return 0;
}

static void leftovers_of_a_crash_do_not_hinder(void **state)
{
        (void)state;
        on_both(write_beside_leftovers);
}

static int write_here(void *subject)
{
        struct bytes bytes CLEANUP(bytes_free) = { 0 };
        char before[512], *slash = strrchr(path, '/');

        (void)subject;
        assert_non_null(getcwd(before, sizeof(before)));
        *slash = '\0';
        assert_int_equal(chdir(path), 0);
        *slash = '/';
        assert_int_equal(file_write("file", "here", 4, 0600), 0);
        assert_int_equal(chdir(before), 0);
        assert_int_equal(file_read(path, 10, &bytes), 0);
        assert_string_equal((char *)bytes.data, "here");
        return 0;
}

static void a_name_without_a_folder_means_the_current_one(void **state)
{
        (void)state;
        on_both(write_here);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_read_with_its_exact_mode),
                cmocka_unit_test(pieces_are_written_one_behind_the_other_however_many),
                cmocka_unit_test(a_write_that_stops_early_goes_on_where_it_stopped),
                cmocka_unit_test(pieces_may_all_be_empty),
                cmocka_unit_test(a_file_above_the_limit_is_refused),
                cmocka_unit_test(a_file_that_hides_its_size_is_read_to_its_end),
                cmocka_unit_test(anything_but_a_regular_file_is_refused),
                cmocka_unit_test(a_failed_write_leaves_no_rest),
                cmocka_unit_test(a_cancelled_write_is_done_in_full_or_not_at_all),
                cmocka_unit_test(leftovers_of_a_crash_do_not_hinder),
                cmocka_unit_test(a_name_without_a_folder_means_the_current_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
