/* The station's key for receipts: made once, 0600, and nothing takes its place unseen. */
#include "tests/support/test.h"

#include "station/receipt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void write_text(const char *directory, const char *name, const char *text, mode_t mode)
{
        char path[300];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(path, mode), 0);
}

static void move_away(const char *directory, const char *name, const char *to)
{
        char from[300], target[300];

        snprintf(from, sizeof(from), "%s/%s", directory, name);
        snprintf(target, sizeof(target), "%s/%s", directory, to);
        assert_int_equal(rename(from, target), 0);
}

static int keep_key(void *subject)
{
        const char *directory = subject;
        struct sign_key key, again;
        struct stat status;
        char text[SIGN_PEM_MAX], path[300];

        assert_int_equal(receipt_key_load(directory, &key), 0);
        snprintf(path, sizeof(path), "%s/receipt.key", directory);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        assert_int_equal(receipt_key_load(directory, &again), 0);
        assert_memory_equal(&key, &again, sizeof(key));

        move_away(directory, "receipt.pub", "gone.pub"); /* made again from the private half */
        assert_int_equal(receipt_key_load(directory, &again), 0);
        assert_memory_equal(&key, &again, sizeof(key));
        snprintf(path, sizeof(path), "cmp -s %s/receipt.pub %s/gone.pub", directory, directory);
        assert_int_equal(system(path), 0);

        move_away(directory, "receipt.key", "gone.key");
        assert_fault(receipt_key_load(directory, &again), NOT_FOUND, "restore it");
        sign_key_make(&again);
        sign_private_pem(&again, text);
        write_text(directory, "receipt.key", text, 0600);
        assert_fault(receipt_key_load(directory, &again), BAD_FILE, "not the public half");
        write_text(directory, "receipt.key", text, 0644);
        assert_fault(receipt_key_load(directory, &again), BAD_FILE, "read by others");
        sign_public_pem(&key, text);
        write_text(directory, "receipt.key", text, 0600);
        assert_fault(receipt_key_load(directory, &again), BAD_FILE, "holds a public key");
        write_text(directory, "receipt.key", "nothing", 0600);
        assert_fault(receipt_key_load(directory, &again), BAD_FILE, "no readable key");
        move_away(directory, "gone.key", "receipt.key");
        assert_int_equal(receipt_key_load(directory, &again), 0);
        assert_memory_equal(&key, &again, sizeof(key));
        return 0;
}

static void the_key_is_made_once_and_never_replaced(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, keep_key, (void *)(uintptr_t)test_directory()), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_key_is_made_once_and_never_replaced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
