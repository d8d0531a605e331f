/*
 * The ledger without the command: crashes and races in forked children, rows changed by other
 * hands, merges, and what a key remembers.
 */
#include "tests/support/test.h"

#include "scheduler/file.h"
#include "station/nonce_ledger.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BE       SFI_IV_BIG_ENDIAN
#define LAST_LE  SFI_IV_LAST_WORD_LE
#define FIRST_LE SFI_IV_FIRST_WORD_LE
#define LAST_BE  SFI_IV_LAST_WORD_BE

#define NOW 1785499200 /* 2026-07-31T12:00:00Z */

static struct nonce_range range_of(const char *hex, enum sfi_iv_policy policy, uint32_t areas)
{
        struct nonce_range range = { .policy = policy, .areas = areas };

        assert_true(hex_decode(hex, range.nonce, sizeof(range.nonce)));
        return range;
}

/* --- a ledger in a directory of its own ---------------------------------------------------- */

static char ledger_path[NONCE_LEDGER_PATH_MAX], key_path[128];
static const struct nonce_memory no_memory;

static void begin(void)
{
        const char *directory = test_directory();

        snprintf(ledger_path, sizeof(ledger_path), "%s/nonces.db", directory);
        snprintf(key_path, sizeof(key_path), "%s/key", directory);
}

/* Image `content` by this nonce under key `key`. */
static struct nonce_use use_of(const char *hex, enum sfi_iv_policy policy, uint32_t areas,
                               unsigned content, unsigned key)
{
        struct nonce_use use = { .reserved_s = NOW, .confirmed_s = -1 };

        use.range = range_of(hex, policy, areas);
        snprintf(use.key, sizeof(use.key), "%032x", key);
        snprintf(use.digest, sizeof(use.digest), "%064x", content);
        snprintf(use.name, sizeof(use.name), "image-%u.sfi", content);
        snprintf(use.host, sizeof(use.host), "bench");
        return use;
}

static int reserve_at(const char *path, struct nonce_use use, bool is_confirmed)
{
        struct nonce_ledger *ledger CLEANUP(nonce_ledger_release) = NULL;
        int r = nonce_ledger_open(path, &ledger);

        if (r >= 0)
                r = nonce_ledger_reserve(ledger, key_path, &no_memory, &use);
        if (r >= 0 && is_confirmed && nonce_ledger_confirm(ledger, &use, NOW + 1) < 0)
                return -FAULT_SYSTEM;
        return r;
}

static int reserve(const char *hex, enum sfi_iv_policy policy, uint32_t areas, unsigned content)
{
        return reserve_at(ledger_path, use_of(hex, policy, areas, content, 1), true);
}

static struct nonce_list load_at(const char *path)
{
        struct nonce_ledger *ledger = NULL;
        struct nonce_list list = { 0 };

        assert_int_equal(nonce_ledger_look(path, &ledger), 0);
        assert_int_equal(nonce_ledger_load_for_export(ledger, &list), 0);
        (void)nonce_ledger_close(ledger);
        return list;
}

#define N1 "00112233445566778899AA00"

static void the_same_nonce_is_refused_with_name_and_date(void **state)
{
        (void)state;
        begin();
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        assert_fault(reserve(N1, BE, 3, 2), DUPLICATE, "image-1.sfi, sealed 2026-07-31T12:00:00Z");
        assert_fault(reserve(N1, FIRST_LE, 1, 2), DUPLICATE,
                     "The IV of the header would be that of the header there");
        assert_fault(reserve("00112233445566778899AA03", BE, 1, 2), DUPLICATE,
                     "The IV of the header would be that of area 3 there");
        assert_fault(reserve("00112233445566778899A9FF", BE, 1, 2), DUPLICATE,
                     "The IV of area 1 would be that of the header there");
        assert_int_equal(reserve("00112233445566778899AA04", BE, 1, 2), NONCE_NEW);
}

static void another_key_may_use_the_same_nonce(void **state)
{
        (void)state;
        begin();
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        assert_int_equal(reserve_at(ledger_path, use_of(N1, BE, 3, 2, 2), true), NONCE_NEW_KEY);
}

static void the_same_content_passes_again_and_is_one_use(void **state)
{
        struct nonce_list list;

        (void)state;
        begin();
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_SAME);
        list = load_at(ledger_path);
        assert_int_equal(list.count, 1);
        assert_int_equal(list.uses[0].confirmed_s, NOW + 1);
        nonce_list_free(&list);
}

/* A child that ends where `hook` stands in the middle of its work. */
static void in_child(void (*work)(void))
{
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
                work();
                abort(); /* the work ends the child itself */
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void die_between_reserve_and_confirm(void)
{
        struct nonce_use use = use_of(N1, BE, 3, 1, 1);
        struct nonce_ledger *ledger;

        if (nonce_ledger_open(ledger_path, &ledger) == 0 &&
            nonce_ledger_reserve(ledger, key_path, &no_memory, &use) >= 0)
                kill(getpid(), SIGKILL);
}

static void a_crash_between_seal_and_record_keeps_the_reservation(void **state)
{
        struct nonce_list list;

        (void)state;
        begin();
        in_child(die_between_reserve_and_confirm);
        list = load_at(ledger_path);
        assert_int_equal(list.count, 1);
        assert_int_equal(list.uses[0].confirmed_s, -1);
        nonce_list_free(&list);
        assert_fault(reserve(N1, BE, 3, 2), DUPLICATE, "image-1.sfi");
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_SAME);
        list = load_at(ledger_path);
        assert_int_equal(list.uses[0].confirmed_s, NOW + 1);
        nonce_list_free(&list);
}

static void die_in_a_transaction(void)
{
        sqlite3 *database;

        if (sqlite3_open(ledger_path, &database) == SQLITE_OK &&
            sqlite3_exec(database,
                         "PRAGMA cache_spill = 1; PRAGMA cache_size = 1; BEGIN IMMEDIATE;"
                         "DELETE FROM uses; CREATE TABLE junk AS WITH RECURSIVE n(i) AS "
                         "(SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)"
                         "SELECT i, randomblob(500) AS b FROM n",
                         NULL, NULL, NULL) == SQLITE_OK)
                kill(getpid(), SIGKILL);
}

static void a_crash_inside_a_transaction_is_rolled_back(void **state)
{
        char journal[NONCE_LEDGER_PATH_MAX + 16];

        (void)state;
        begin();
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        in_child(die_in_a_transaction);
        snprintf(journal, sizeof(journal), "%s-journal", ledger_path);
        assert_int_equal(access(journal, F_OK), 0); /* the crash has left one */
        assert_fault(reserve(N1, BE, 3, 2), DUPLICATE, "image-1.sfi");
        assert_int_equal(access(journal, F_OK), -1);
}

/* All wait for the pipe to close, then reserve the same nonce for content of their own. */
static void race(unsigned content, int starter)
{
        char byte;
        int r;

        if (read(starter, &byte, 1) != 0)
                _exit(99);
        r = reserve(N1, BE, 3, content);
        _exit(r >= 0 ? 0 : r == -FAULT_DUPLICATE ? 1 : 2);
}

static void of_many_processes_at_once_exactly_one_wins(void **state)
{
        unsigned counts[3] = { 0 };
        int starter[2];

        (void)state;
        begin(); /* not even the ledger is there */
        assert_int_equal(pipe(starter), 0);
        for (unsigned i = 0; i < 12; i++) {
                if (fork() == 0) {
                        close(starter[1]);
                        race(i + 1, starter[0]);
                }
        }
        close(starter[0]);
        close(starter[1]);
        for (unsigned i = 0; i < 12; i++) {
                int status;

                assert_true(wait(&status) > 0);
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 3);
                counts[WEXITSTATUS(status)]++;
        }
        assert_int_equal(counts[0], 1);
        assert_int_equal(counts[1], 11);
}

static void change(const char *sql)
{
        sqlite3 *database;

        assert_int_equal(sqlite3_open(ledger_path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(database);
}

static void a_row_changed_by_other_hands_is_found(void **state)
{
        static const char *const changes[] = {
                "DELETE FROM uses WHERE sequence = 1",
                "UPDATE uses SET nonce = '00112233445566778899bb00' WHERE sequence = 1",
                "UPDATE uses SET areas = '2' WHERE sequence = 2",
                "UPDATE uses SET areas = '-2' WHERE sequence = 2",
                "UPDATE uses SET policy = 'other' WHERE sequence = 2",
                "UPDATE uses SET key = upper(key) || 'A' WHERE sequence = 1",
                "UPDATE uses SET digest = x'00' WHERE sequence = 2",
                "UPDATE uses SET sequence = 3 WHERE sequence = 1",
                "UPDATE uses SET reserved = '2026-02-30T00:00:00Z' WHERE sequence = 1",
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(changes); i++) {
                begin();
                assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
                assert_int_equal(reserve("00112233445566778899AB00", BE, 3, 2), NONCE_NEW);
                change(changes[i]);
                assert_fault(reserve("00112233445566778899AC00", BE, 3, 3), STORE,
                             "was changed by other hands");
        }
}

static void a_stranger_s_file_is_not_taken_for_a_ledger(void **state)
{
        (void)state;
        begin();
        change("CREATE TABLE mine (a)");
        assert_fault(reserve(N1, BE, 3, 1), STORE, "not a nonce ledger");
        begin();
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        change("PRAGMA user_version = 2");
        assert_fault(reserve(N1, BE, 3, 1), STORE, "use the Gangway that wrote it");
        begin();
        assert_int_equal(mkdir(ledger_path, 0700), 0);
        assert_fault(reserve(N1, BE, 3, 1), STORE, "cannot be written");
        snprintf(ledger_path, sizeof(ledger_path), "/proc/none/nonces.db");
        assert_fault(reserve(N1, BE, 3, 1), STORE, "without it nothing is sealed");
}

static void the_ledger_is_private(void **state)
{
        struct stat found;

        (void)state;
        begin();
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        assert_int_equal(stat(ledger_path, &found), 0);
        assert_int_equal(found.st_mode & 07777, 0600);
}

static void the_place_follows_the_environment(void **state)
{
        char path[NONCE_LEDGER_PATH_MAX];

        (void)state;
        setenv("GANGWAY_LEDGER", "/a/b.db", 1);
        setenv("XDG_STATE_HOME", "/x", 1);
        setenv("HOME", "/h", 1);
        assert_int_equal(nonce_ledger_place(path), 0);
        assert_string_equal(path, "/a/b.db");
        unsetenv("GANGWAY_LEDGER");
        assert_int_equal(nonce_ledger_place(path), 0);
        assert_string_equal(path, "/x/gangway/nonces.db");
        setenv("XDG_STATE_HOME", "relative", 1);
        assert_int_equal(nonce_ledger_place(path), 0);
        assert_string_equal(path, "/h/.local/state/gangway/nonces.db");
        unsetenv("HOME");
        assert_fault(nonce_ledger_place(path), STORE, "no place for the nonce ledger");
}

/* --- between machines ---------------------------------------------------------------------- */

static struct nonce_list merge_at(const char *path, const struct nonce_list *from,
                                  size_t *ret_before)
{
        struct nonce_ledger *ledger = NULL;
        struct nonce_list all = { 0 };

        assert_int_equal(nonce_ledger_open(path, &ledger), 0);
        assert_int_equal(nonce_ledger_merge(ledger, from, &all, ret_before), 0);
        (void)nonce_ledger_close(ledger);
        return all;
}

static void a_merged_use_blocks_here_too(void **state)
{
        char other[NONCE_LEDGER_PATH_MAX + 8];
        struct nonce_list from, all;
        size_t before;

        (void)state;
        begin();
        snprintf(other, sizeof(other), "%s.other", ledger_path);
        assert_int_equal(reserve_at(other, use_of(N1, BE, 3, 1, 1), true), NONCE_NEW_KEY);
        assert_int_equal(reserve("00112233445566778899AB00", BE, 3, 2), NONCE_NEW_KEY);
        from = load_at(other);
        all = merge_at(ledger_path, &from, &before);
        assert_int_equal(before, 1);
        assert_int_equal(all.count, 2);
        assert_string_equal(all.uses[1].origin, from.ledger);
        assert_int_equal(all.uses[1].confirmed_s, NOW + 1);
        nonce_list_free(&all);
        all = merge_at(ledger_path, &from, &before); /* again: nothing new */
        assert_int_equal(before, 2);
        assert_int_equal(all.count, 2);
        nonce_list_free(&all);
        nonce_list_free(&from);
        assert_fault(reserve(N1, LAST_LE, 1, 3), DUPLICATE, "image-1.sfi");
}

static void two_ledgers_that_both_used_it_are_merged_and_told_apart(void **state)
{
        char other[NONCE_LEDGER_PATH_MAX + 8];
        struct nonce_list from, all;
        size_t before, *clashes;

        (void)state;
        begin();
        snprintf(other, sizeof(other), "%s.other", ledger_path);
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        assert_int_equal(reserve_at(other, use_of("00112233445566778899AB00", BE, 3, 7, 1), true),
                         NONCE_NEW_KEY);
        assert_int_equal(
                reserve_at(other, use_of("00112233445566778899AA02", LAST_BE, 3, 8, 1), true),
                NONCE_NEW);
        from = load_at(other);
        all = merge_at(ledger_path, &from, &before);
        assert_int_equal(all.count, 3);
        assert_int_equal(nonce_list_clashes(&all, &clashes), 1);
        assert_true(clashes[0] == SIZE_MAX && clashes[1] == SIZE_MAX);
        assert_int_equal(clashes[2], 0);
        free(clashes);
        nonce_list_free(&all);
        nonce_list_free(&from);
        assert_fault(reserve("00112233445566778899AA05", BE, 0, 9), DUPLICATE, "image-8.sfi");
}

/* --- what the key remembers ---------------------------------------------------------------- */

static int remember_and_check(void *subject)
{
        struct nonce_ledger *ledger = NULL;
        struct nonce_memory memory;
        const char *key = subject;
        struct stat found;
        char path[160];
        int r;

        r = nonce_ledger_open(ledger_path, &ledger);
        if (r >= 0)
                r = nonce_ledger_remember(ledger, key_path, key);
        if (r >= 0)
                r = nonce_memory_read(key_path, &memory);
        (void)nonce_ledger_close(ledger);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "%s.ledger", key_path);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 07777, 0600);
        assert_true(memory.is_there);
        assert_string_equal(memory.key, key);
        return (int)memory.images;
}

static void a_key_remembers_its_ledger_and_count(void **state)
{
        char key[NONCE_KEY_TEXT];

        (void)state;
        begin();
        snprintf(key, sizeof(key), "%032x", 1u);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, remember_and_check, key), 0);
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, remember_and_check, key), 1);
}

static struct nonce_list example(void)
{
        begin();
        assert_int_equal(reserve(N1, BE, 3, 1), NONCE_NEW_KEY);
        assert_int_equal(reserve_at(ledger_path, use_of(N1, LAST_LE, 0, 2, 2), false),
                         NONCE_NEW_KEY);
        assert_int_equal(reserve("00112233445566778899AB00", LAST_BE, 65535, 3), NONCE_NEW);
        return load_at(ledger_path);
}

static int check(const struct nonce_memory *memory, const struct nonce_list *list, unsigned key)
{
        char name[NONCE_KEY_TEXT];

        snprintf(name, sizeof(name), "%032x", key);
        return nonce_memory_check(memory, "k", name, list, "l");
}

static void a_ledger_that_does_not_fit_the_memory_is_refused(void **state)
{
        struct nonce_list list = example();
        struct nonce_memory memory = { .is_there = true, .images = 2 };
        struct nonce_seen seen = { .uses = 2 };

        (void)state;
        snprintf(memory.key, sizeof(memory.key), "%032x", 1u);
        memcpy(memory.ledger, list.ledger, sizeof(memory.ledger));
        memcpy(memory.link, list.uses[2].link, sizeof(memory.link));
        list.seen_count = 0;
        assert_int_equal(check(&memory, &list, 1), 0);
        assert_fault(check(&memory, &list, 2), BAD_FILE, "one of the two was replaced");
        memory.images = 3;
        assert_fault(check(&memory, &list, 1), STORE, "put back to an older state: k.ledger");
        memory.images = 1; /* as many as there are, and not the same */
        assert_fault(check(&memory, &list, 1), STORE, "the ledger has others");
        memory.images = 2;
        memory.ledger[0] ^= 1;
        assert_fault(check(&memory, &list, 1), STORE, "was the ledger deleted or moved?");
        memcpy(seen.ledger, memory.ledger, sizeof(seen.ledger));
        memcpy(seen.key, memory.key, sizeof(seen.key));
        seen.uses = 1; /* an export from before */
        assert_int_equal(nonce_list_see(&list, &seen), 0);
        assert_fault(check(&memory, &list, 1), STORE, "was the ledger deleted or moved?");
        list.seen[0].uses = 2;
        assert_int_equal(check(&memory, &list, 1), 0);
        nonce_list_free(&list);
}

static void a_damaged_memory_is_not_taken_for_none(void **state)
{
        static const char good[] = "gangway-key-memory 1\nkey 00112233445566778899aabbccddeeff\n"
                                   "ledger 00112233445566778899aabbccddeeff\nimages 0\nlink -\n";
        struct nonce_memory memory;
        char text[sizeof(good)];

        (void)state;
        assert_int_equal(nonce_memory_parse("m", good, sizeof(good) - 1, &memory), 0);
        assert_int_equal(memory.images, 0);
        for (size_t length = 0; length < sizeof(good) - 1; length++)
                assert_fault(nonce_memory_parse("m", good, length, &memory), BAD_FILE,
                             "m is damaged");
        memcpy(text, good, sizeof(good));
        for (size_t i = 0; i < sizeof(good) - 1; i++) {
                text[i] ^= 0x40; /* no digit to a digit */
                assert_fault(nonce_memory_parse("m", text, sizeof(good) - 1, &memory), BAD_FILE,
                             "m is damaged");
                text[i] ^= 0x40;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_place_follows_the_environment),
                cmocka_unit_test(the_ledger_is_private),
                cmocka_unit_test(the_same_nonce_is_refused_with_name_and_date),
                cmocka_unit_test(another_key_may_use_the_same_nonce),
                cmocka_unit_test(the_same_content_passes_again_and_is_one_use),
                cmocka_unit_test(a_crash_between_seal_and_record_keeps_the_reservation),
                cmocka_unit_test(a_crash_inside_a_transaction_is_rolled_back),
                cmocka_unit_test(of_many_processes_at_once_exactly_one_wins),
                cmocka_unit_test(a_row_changed_by_other_hands_is_found),
                cmocka_unit_test(a_stranger_s_file_is_not_taken_for_a_ledger),
                cmocka_unit_test(a_merged_use_blocks_here_too),
                cmocka_unit_test(two_ledgers_that_both_used_it_are_merged_and_told_apart),
                cmocka_unit_test(a_key_remembers_its_ledger_and_count),
                cmocka_unit_test(a_ledger_that_does_not_fit_the_memory_is_refused),
                cmocka_unit_test(a_damaged_memory_is_not_taken_for_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
