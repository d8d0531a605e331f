/* The ledger: every step durable, the balance true at every moment. */
#include "tests/station/books.h"

#include "scheduler/chance.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int find(const struct books *books, int64_t *ret_id, uint8_t license[static LICENSE_LENGTH])
{
        struct ledger_license found;
        int r = ledger_find(books->ledger, &books->request, &found);

        if (r <= 0)
                return r;
        assert_true(found.was_in_hand);
        *ret_id = found.id;
        memcpy(license, found.bytes, LICENSE_LENGTH);
        return r;
}

/* --- the life of a license ----------------------------------------------------------------- */

static int life(void *subject)
{
        struct books books;
        uint8_t license[LICENSE_LENGTH], expected[LICENSE_LENGTH];
        int64_t id, found = 0;

        books_open(&books, subject);
        assert_string_equal(reconcile(&books, 100), "");
        expect_all(&books, 0, 0, 0, 0, 0);
        assert_int_equal(find(&books, &found, license), 0);
        id = intend(&books, 100);
        expect_all(&books, 0, 0, 0, 0, 1);
        assert_int_equal(find(&books, &found, license), 0);
        license_of(7, expected);
        assert_int_equal(ledger_store(books.ledger, id, expected), 0);
        expect_all(&books, 1, 0, 1, 0, 0);
        assert_int_equal(find(&books, &found, license), 1);
        assert_int_equal(found, id);
        assert_memory_equal(license, expected, LICENSE_LENGTH);
        assert_int_equal(ledger_offer(books.ledger, id), 0);
        expect_all(&books, 1, 0, 1, 0, 0);
        assert_int_equal(ledger_settle(books.ledger, id, false, "header refused"), 0);
        expect_all(&books, 1, 0, 1, 0, 0); /* refused, and still in hand */
        assert_int_equal(find(&books, &found, license), 1);
        assert_int_equal(ledger_offer(books.ledger, id), 0);
        assert_int_equal(ledger_settle(books.ledger, id, true, NULL), 0);
        expect_all(&books, 1, 1, 0, 0, 0);
        assert_string_equal(reconcile(&books, 99), "");
        expect_all(&books, 1, 1, 0, 0, 0);
        books_close(&books);
        return 0;
}

static void a_license_is_counted_at_every_step(void **state)
{
        (void)state;
        on_fiber(life);
}

static int after_installed(void *subject)
{
        struct books books;
        uint8_t license[LICENSE_LENGTH];
        int64_t id, found = 0;

        books_open(&books, subject);
        IGNORE(reconcile(&books, 100));
        id = intend_and_store(&books, 100);
        assert_int_equal(ledger_offer(books.ledger, id), 0);
        assert_int_equal(ledger_settle(books.ledger, id, true, NULL), 0);
        assert_int_equal(find(&books, &found, license), 1);
        assert_int_equal(found, id);
        assert_int_equal(ledger_offer(books.ledger, id), 0);
        expect_all(&books, 1, 1, 0, 0, 0);
        assert_int_equal(ledger_settle(books.ledger, id, false, "refused at the second time"), 0);
        expect_all(&books, 1, 1, 0, 0, 0);
        books_close(&books);
        return 0;
}

static void an_installed_license_stays_valid_and_stays_counted(void **state)
{
        (void)state;
        on_fiber(after_installed);
}

static int wrong_order(void *subject)
{
        struct books books;
        uint8_t license[LICENSE_LENGTH] = { 0 };
        int64_t id, other;

        books_open(&books, subject);
        IGNORE(reconcile(&books, 100));
        id = intend(&books, 100);
        assert_fault(ledger_offer(books.ledger, id), STORE,
                     "is intended and cannot become offered");
        assert_fault(ledger_settle(books.ledger, id, true, NULL), STORE, "intended");
        assert_int_equal(ledger_cancel(books.ledger, id, "counter at zero"), 0);
        expect_all(&books, 0, 0, 0, 0, 0);
        assert_fault(ledger_store(books.ledger, id, license), STORE, "cancelled");
        assert_fault(ledger_cancel(books.ledger, id, "again"), STORE, "cancelled");
        assert_fault(ledger_offer(books.ledger, 4711), STORE, "4711 is not in the ledger");
        id = intend_and_store(&books, 100);
        assert_fault(ledger_cancel(books.ledger, id, "too late"), STORE, "stored");
        assert_fault(ledger_store(books.ledger, id, license), STORE, "stored");
        assert_fault(ledger_settle(books.ledger, id, true, NULL), STORE, "stored");
        assert_fault(ledger_intend(books.ledger, &books.request, CARD, 99, &other), DUPLICATE,
                     "in hand");
        expect_all(&books, 1, 0, 1, 0, 0);
        books.request.firmware_id = "TEST_2"; /* another firmware is another license */
        assert_int_equal(find(&books, &other, license), 0);
        IGNORE(intend(&books, 99));
        books_close(&books);
        return 0;
}

static void a_step_out_of_order_changes_nothing(void **state)
{
        (void)state;
        on_fiber(wrong_order);
}

/* --- at rest ------------------------------------------------------------------------------- */

static bool file_contains(const char *directory, const char *name, const void *bytes, size_t length)
{
        char path[512];
        struct bytes content;
        FILE *file;
        bool is_found = false;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "r");
        if (!file)
                return false;
        content = bytes_new(4 << 20);
        content.length = fread(content.data, 1, content.length, file);
        fclose(file);
        is_found = memmem(content.data, content.length, bytes, length) != NULL;
        bytes_free(&content);
        return is_found;
}

static void change(const char *directory, const char *sql)
{
        sqlite3 *database;
        char path[512];

        snprintf(path, sizeof(path), "%s/station.db", directory);
        assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_changes(database), 1);
        assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static int at_rest(void *subject)
{
        const char *directory = subject;
        struct books books;
        uint8_t license[LICENSE_LENGTH];
        char part[16];
        int64_t id;

        books_open(&books, directory);
        IGNORE(reconcile(&books, 100));
        IGNORE(intend_and_store(&books, 100));
        memset(part, 0xC0, sizeof(part)); /* what license_of fills it with */
        assert_false(file_contains(directory, "station.db-wal", part, sizeof(part)));
        assert_true(file_contains(directory, "station.db-wal", "ORDER-1", 7)); /* we look right */
        books_close(&books);
        assert_false(file_contains(directory, "station.db", part, sizeof(part)));

        change(directory, "UPDATE licenses SET sealed = substr(sealed, 2) || substr(sealed, 1, 1)");
        books_open(&books, directory);
        assert_fault(find(&books, &id, license), BAD_TAG, "does not open under the station key");
        books_close(&books);
        return 0;
}

static void licenses_are_sealed_at_rest(void **state)
{
        (void)state;
        on_fiber(at_rest);
}

static int moved_row(void *subject)
{
        const char *directory = subject;
        struct books books;
        uint8_t license[LICENSE_LENGTH];
        int64_t id;

        books_open(&books, directory);
        IGNORE(reconcile(&books, 100));
        IGNORE(intend_and_store(&books, 100));
        books_close(&books);
        change(directory, "UPDATE licenses SET firmware_id = 'TEST_2'");
        books_open(&books, directory);
        books.request.firmware_id = "TEST_2";
        assert_fault(find(&books, &id, license), BAD_TAG, NULL);
        books_close(&books);
        return 0;
}

static void a_sealed_license_is_bound_to_its_row(void **state)
{
        (void)state;
        on_fiber(moved_row);
}

/* --- many at once -------------------------------------------------------------------------- */

#define SITES 16
#define EACH  4

struct asker {
        struct books *books;
        unsigned index;
};

/* All five steps of EACH chips. */
static int ask_for_some(void *subject)
{
        const struct asker *asker = subject;
        struct ledger *ledger = asker->books->ledger;

        for (unsigned i = 0; i < EACH; i++) {
                struct certificate certificate;
                struct ledger_request request = { &certificate, "TEST_1", "SFI", "ORDER-1", "1" };
                struct ledger_license found;
                uint8_t license[LICENSE_LENGTH];
                int64_t id;

                fake_certificate(1 + asker->index * EACH + i, &certificate);
                license_of(i, license);
                assert_int_equal(ledger_find(ledger, &request, &found), 0);
                assert_int_equal(ledger_intend(ledger, &request, CARD, 100, &id), 0);
                assert_int_equal(ledger_store(ledger, id, license), 0);
                assert_int_equal(ledger_offer(ledger, id), 0);
                assert_int_equal(ledger_settle(ledger, id, true, NULL), 0);
        }
        return 0;
}

/* Sites that step together share a commit: SITES * EACH licenses of five transactions cost little
 * more than 5 * EACH commits, so no site waits for the disk of fifteen others. */
static int crowd(void *subject)
{
        struct books books;
        struct asker askers[SITES];
        struct fiber *fibers[SITES];
        uint64_t commits, transactions, commits_before, transactions_before;

        books_open(&books, subject);
        IGNORE(reconcile(&books, 100));
        store_counts(books.store, &commits_before, &transactions_before);
        for (unsigned i = 0; i < SITES; i++) {
                askers[i] = (struct asker){ &books, i };
                fibers[i] = fiber_spawn("site", ask_for_some, &askers[i]);
        }
        for (unsigned i = 0; i < SITES; i++)
                assert_int_equal(fiber_join(fibers[i]), 0);
        store_counts(books.store, &commits, &transactions);
        commits -= commits_before;
        transactions -= transactions_before;
        printf("# %u transactions of %u sites in %u commits\n", (unsigned)transactions, SITES,
               (unsigned)commits);
        assert_int_equal(transactions, SITES * EACH * 5);
        assert_true(commits <= 2 * EACH * 5);
        expect_balance(&books, "ORDER-1", CARD, SITES * EACH, SITES * EACH, 0, 0, 0);
        books_close(&books);
        return 0;
}

static void sixteen_sites_do_not_wait_for_sixteen_disks(void **state)
{
        (void)state;
        on_fiber(crowd);
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, crowd, (void *)(uintptr_t)test_directory()), 0);
}

/* --- crashes ------------------------------------------------------------------------------- */

/* crash_matrix.c dies at each numbered point; here it is any instruction, and the true disk. */

#define UNITS 4

/* Shared with the child that is killed. */
struct bench {
        uint32_t counter; /* of the card */
        unsigned issued_for[UNITS + 1];
        const char *directory;
};

/* What a site and the desk do for one chip. */
static void install_one(struct books *books, struct bench *bench, unsigned chip)
{
        uint8_t license[LICENSE_LENGTH];
        int64_t id = 0;
        int r;

        fake_certificate(chip, &books->certificate);
        r = find(books, &id, license);
        assert_true(r >= 0);
        if (r == 0) {
                id = intend(books, bench->counter);
                bench->counter--; /* the card counts down ... */
                bench->issued_for[chip]++;
                license_of(chip, license); /* ... then answers */
                assert_int_equal(ledger_store(books->ledger, id, license), 0);
        }
        assert_int_equal(ledger_offer(books->ledger, id), 0);
        assert_int_equal(ledger_settle(books->ledger, id, true, NULL), 0);
}

static int line_procedure(void *subject)
{
        struct bench *bench = subject;
        struct books books;

        books_open(&books, bench->directory);
        IGNORE(reconcile(&books, bench->counter));
        for (unsigned chip = 1; chip <= UNITS; chip++)
                install_one(&books, bench, chip);
        books_close(&books);
        return 0;
}

/* After the crash: the books agree with the card, and at most one license is lost, by name. */
static int audit(void *subject)
{
        struct bench *bench = subject;
        struct ledger_balance all, card;
        struct books books;
        char *text;

        books_open(&books, bench->directory);
        IGNORE(reconcile(&books, bench->counter));
        assert_int_equal(ledger_balance(books.ledger, NULL, NULL, &all), 0);
        assert_int_equal(ledger_balance(books.ledger, NULL, CARD, &card), 0);
        assert_memory_equal(&all, &card, sizeof(all));
        assert_int_equal(all.issued, 100 - bench->counter);
        assert_int_equal(all.issued, all.installed + all.in_hand + all.lost);
        assert_int_equal(all.pending, 0);
        assert_true(all.lost <= 1);
        assert_int_equal(ledger_lost_text(books.ledger, "ORDER-1", &text), 0);
        assert_int_equal(strlen(text) > 0, all.lost == 1);
        for (unsigned chip = 1; all.lost && chip <= UNITS; chip++) {
                fake_certificate(chip, &books.certificate);
                if (memcmp(text, books.certificate.fingerprint, 16) == 0)
                        assert_int_equal(bench->issued_for[chip] >= 1, 1);
        }
        free(text);
        books_close(&books);
        return (int)all.lost;
}

static int in_child(struct bench *bench, void (*wait_for)(pid_t child))
{
        int status;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
                _exit(test_on_fiber(LOOP_TIME_VIRTUAL, 1, line_procedure, bench) != 0);
        if (wait_for)
                wait_for(child);
        assert_int_equal(waitpid(child, &status, 0), child);
        return status;
}

static struct bench *bench_create(void)
{
        struct bench *bench = mmap(NULL, sizeof(*bench), PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_ptr_not_equal(bench, MAP_FAILED);
        return bench;
}

static struct chance kill_chance;
static uint64_t kill_within_us; /* as long as a run takes here */

static uint64_t real_us(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void kill_soon(pid_t child)
{
        usleep((useconds_t)chance_below(&kill_chance, kill_within_us));
        kill(child, SIGKILL);
}

/* Any instruction: inside SQLite's commit, between the write of the log and its fsync. */
static void a_kill_at_any_instruction_keeps_the_books_true(void **state)
{
        struct bench *bench = bench_create();
        unsigned killed = 0, lost = 0;

        (void)state;
        kill_chance = chance_fork(4, "kill", 0);
        *bench = (struct bench){ .counter = 100, .directory = test_directory() };
        kill_within_us = real_us();
        assert_int_equal(in_child(bench, NULL), 0);
        kill_within_us = real_us() - kill_within_us;
        for (unsigned i = 0; i < 50; i++) {
                int r;

                *bench = (struct bench){ .counter = 100, .directory = test_directory() };
                killed += WIFSIGNALED(in_child(bench, kill_soon)) != 0; /* else it was faster */
                r = test_on_fiber(LOOP_TIME_VIRTUAL, 1, audit, bench);
                lost += (unsigned)r;
                assert_int_equal(in_child(bench, NULL), 0);
                assert_int_equal(100 - (int)bench->counter, UNITS + r);
        }
        printf("# %u killed before their end, %u licenses lost and named\n", killed, lost);
        assert_true(killed > 0);
        munmap(bench, sizeof(*bench));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_license_is_counted_at_every_step),
                cmocka_unit_test(an_installed_license_stays_valid_and_stays_counted),
                cmocka_unit_test(a_step_out_of_order_changes_nothing),
                cmocka_unit_test(licenses_are_sealed_at_rest),
                cmocka_unit_test(a_sealed_license_is_bound_to_its_row),
                cmocka_unit_test(sixteen_sites_do_not_wait_for_sixteen_disks),
                cmocka_unit_test(a_kill_at_any_instruction_keeps_the_books_true),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
