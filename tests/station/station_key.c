/* The station key: private, never replaced, from a file or a credential, and held against the database. */
#include "tests/station/books.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static int keys(void *subject)
{
        const char *directory = subject;
        struct books books;
        struct ledger *ledger;
        struct stat status;
        char path[512], away[512];
        FILE *file;

        snprintf(path, sizeof(path), "%s/station.key", directory);
        snprintf(away, sizeof(away), "%s/away", directory);
        books_open(&books, directory);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(status.st_size, 16);
        ledger_close(books.ledger);

        assert_int_equal(chmod(path, 0640), 0);
        assert_fault(ledger_open(books.store, directory, &ledger), BAD_FILE, "chmod 600");
        assert_int_equal(rename(path, away), 0);
        assert_fault(ledger_open(books.store, directory, &ledger), NOT_FOUND, "restore it");
        file = fopen(path, "w");
        assert_int_equal(fchmod(fileno(file), 0600), 0);
        fputs("another stations", file);
        fclose(file);
        assert_fault(ledger_open(books.store, directory, &ledger), BAD_FILE,
                     "not the key of this database");
        assert_int_equal(truncate(path, 15), 0);
        assert_fault(ledger_open(books.store, directory, &ledger), BAD_FILE, "exactly 16 bytes");
        assert_int_equal(truncate(path, 17), 0);
        assert_fault(ledger_open(books.store, directory, &ledger), BAD_FILE, "exactly 16 bytes");
        assert_int_equal(rename(away, path), 0);
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(ledger_open(books.store, directory, &books.ledger), 0);
        books_close(&books);
        return 0;
}

static void the_station_key_is_private_and_never_replaced(void **state)
{
        (void)state;
        on_fiber(keys);
}

/* --- credentials --------------------------------------------------------------------------- */

static const uint8_t given[16] = "from the manager";

static const char *below(const char *directory, const char *name)
{
        static char paths[4][512];
        static unsigned next;
        char *path = paths[next++ % 4];

        snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
        return path;
}

/* As the service manager lays it: for the service's user, by an access list that shows as 0440. */
static void lay_credential(const char *directory, const void *bytes, size_t length)
{
        const char *path;
        FILE *file;

        (void)mkdir(below(directory, "credentials"), 0700); /* perhaps it is there */
        path = below(directory, "credentials/gangway-station-key");
        unlink(path);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, length, file), length);
        assert_int_equal(fchmod(fileno(file), 0440), 0);
        fclose(file);
        setenv("CREDENTIALS_DIRECTORY", below(directory, "credentials"), 1);
}

static void no_credentials(void)
{
        unsetenv("CREDENTIALS_DIRECTORY");
}

/* In no file of the data directory. */
static void expect_nowhere(const char *directory, const void *bytes, size_t length)
{
        DIR *listing = opendir(directory);
        struct dirent *entry;

        assert_non_null(listing);
        while ((entry = readdir(listing)) != NULL) {
                static uint8_t content[1 << 18];
                FILE *file = entry->d_type == DT_REG ? fopen(below(directory, entry->d_name), "r")
                                                     : NULL;

                if (!file)
                        continue;
                if (memmem(content, fread(content, 1, sizeof(content), file), bytes, length))
                        fail_msg("it is in %s", entry->d_name);
                fclose(file);
        }
        closedir(listing);
}

static void expect_in_hand(struct books *books, int64_t id)
{
        struct ledger_license found;

        assert_int_equal(ledger_find(books->ledger, &books->request, &found), 1);
        assert_int_equal(found.id, id);
}

static int given_from_the_first(void *subject)
{
        const char *directory = subject;
        struct books books;
        struct ledger *ledger;
        int64_t id;

        lay_credential(directory, given, sizeof(given));
        books_open(&books, directory);
        IGNORE(reconcile(&books, 100));
        id = intend_and_store(&books, 100);
        books_close(&books);
        books_open(&books, directory);
        expect_in_hand(&books, id);
        assert_int_equal(access(below(directory, "station.key"), F_OK), -1);
        expect_nowhere(directory, given, sizeof(given));
        ledger_close(books.ledger);

        no_credentials();
        assert_fault(ledger_open(books.store, directory, &ledger), NOT_FOUND,
                     "station.key is missing, there is no credential gangway-station-key");
        assert_int_equal(access(below(directory, "station.key"), F_OK), -1);
        store_close(books.store);
        return 0;
}

static void a_credential_is_never_written_to_disk(void **state)
{
        (void)state;
        on_fiber(given_from_the_first);
        no_credentials();
}

static void count_told(const char *sentence, bool is_loss, void *context)
{
        assert_false(is_loss);
        assert_non_null(strstr(sentence, "station.key still lies in the data directory"));
        ++*(unsigned *)context;
}

static unsigned told_at_start(struct books *books)
{
        unsigned count = 0;

        assert_int_equal(ledger_listen(books->ledger, count_told, &count), 0);
        return count;
}

static int moved(void *subject)
{
        const char *directory = subject;
        struct books books;
        uint8_t key[16];
        FILE *file;
        int64_t id;

        books_open(&books, directory);
        IGNORE(reconcile(&books, 100));
        id = intend_and_store(&books, 100);
        assert_int_equal(told_at_start(&books), 0);
        books_close(&books);
        file = fopen(below(directory, "station.key"), "r");
        assert_int_equal(fread(key, 1, sizeof(key), file), sizeof(key));
        fclose(file);

        lay_credential(directory, key, sizeof(key));
        books_open(&books, directory);
        expect_in_hand(&books, id);
        assert_int_equal(told_at_start(&books), 1); /* the file may go */
        books_close(&books);

        assert_int_equal(unlink(below(directory, "station.key")), 0);
        books_open(&books, directory);
        expect_in_hand(&books, id);
        assert_int_equal(told_at_start(&books), 0);
        expect_nowhere(directory, key, sizeof(key));
        books_close(&books);
        return 0;
}

static void a_key_moves_from_file_to_credential(void **state)
{
        (void)state;
        on_fiber(moved);
        no_credentials();
}

static int wrong(void *subject)
{
        const char *directory = subject;
        struct books books;
        struct ledger *ledger;

        books_open(&books, directory);
        ledger_close(books.ledger);
        /* the right file does not help: whoever gave a credential meant it */
        lay_credential(directory, given, sizeof(given));
        assert_fault(ledger_open(books.store, directory, &ledger), BAD_FILE,
                     "the credential gangway-station-key is not the key of this database");
        lay_credential(directory, given, 15);
        assert_fault(ledger_open(books.store, directory, &ledger), BAD_FILE,
                     "credentials/gangway-station-key must have exactly 16 bytes");
        lay_credential(directory, "from the manager\n", 17);
        assert_fault(ledger_open(books.store, directory, &ledger), BAD_FILE, "exactly 16 bytes");
        /* credentials of this service, none of them ours */
        assert_int_equal(unlink(below(directory, "credentials/gangway-station-key")), 0);
        assert_int_equal(ledger_open(books.store, directory, &books.ledger), 0);
        books_close(&books);
        return 0;
}

static void a_wrong_credential_is_refused(void **state)
{
        (void)state;
        on_fiber(wrong);
        no_credentials();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_station_key_is_private_and_never_replaced),
                cmocka_unit_test(a_credential_is_never_written_to_disk),
                cmocka_unit_test(a_key_moves_from_file_to_credential),
                cmocka_unit_test(a_wrong_credential_is_refused),
        };

        no_credentials();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
