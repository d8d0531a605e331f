/* A database of schema version 1, as the station of that time left it, opens with everything in it. */
#include "tests/support/fake_card.h"
#include "tests/support/test.h"

#include "crypto/digest.h"
#include "crypto/gcm.h"
#include "scheduler/bytes.h"
#include "station/ledger.h"
#include "station/schema.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CARD     "0000000000000011"
#define LICENSES 5

/* The text of station/schema.h at version 1, without its comments; never to be changed. */
static const char version_1_sql[] =
        "CREATE TABLE meta ("
        "  key TEXT PRIMARY KEY,"
        "  value TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE lots ("
        "  order_id TEXT PRIMARY KEY,"
        "  digest BLOB NOT NULL,"
        "  part TEXT NOT NULL, family TEXT NOT NULL, firmware_id TEXT NOT NULL,"
        "  quantity INTEGER NOT NULL, due TEXT NOT NULL, operator TEXT NOT NULL,"
        "  opened_us INTEGER NOT NULL, closed_us INTEGER) WITHOUT ROWID;"
        "CREATE TABLE attempts ("
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  order_id TEXT NOT NULL REFERENCES lots,"
        "  site TEXT NOT NULL, probe TEXT NOT NULL,"
        "  unit TEXT NOT NULL, certificate TEXT NOT NULL, attempt INTEGER NOT NULL,"
        "  started_us INTEGER NOT NULL, ended_us INTEGER,"
        "  result TEXT NOT NULL DEFAULT '' CHECK (result IN"
        "    ('', 'pass', 'fail', 'error', 'aborted', 'not provable')),"
        "  fault TEXT NOT NULL DEFAULT '', step TEXT NOT NULL DEFAULT '',"
        "  sentence TEXT NOT NULL DEFAULT '',"
        "  license_was_in_hand INTEGER NOT NULL DEFAULT 0);"
        "CREATE INDEX attempts_unit ON attempts (order_id, unit, id);"
        "CREATE INDEX attempts_open ON attempts (id) WHERE result = '';"
        "CREATE TABLE chain ("
        "  sequence INTEGER PRIMARY KEY,"
        "  attempt INTEGER NOT NULL UNIQUE REFERENCES attempts,"
        "  station TEXT NOT NULL,"
        "  previous TEXT NOT NULL, hash TEXT NOT NULL);"
        "CREATE TABLE cards ("
        "  serial TEXT PRIMARY KEY,"
        "  firmware_id TEXT NOT NULL, maximum INTEGER NOT NULL,"
        "  first_counter INTEGER NOT NULL, last_counter INTEGER NOT NULL,"
        "  first_seen_us INTEGER NOT NULL, last_seen_us INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE licenses ("
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  state TEXT NOT NULL CHECK (state IN ('intended', 'stored', 'offered', 'installed',"
        "    'refused', 'cancelled', 'lost')),"
        "  count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),"
        "  certificate TEXT NOT NULL, digest BLOB,"
        "  firmware_id TEXT NOT NULL, order_id TEXT NOT NULL, site TEXT NOT NULL,"
        "  card TEXT REFERENCES cards, counter INTEGER NOT NULL,"
        "  iv BLOB, sealed BLOB, tag BLOB,"
        "  reason TEXT NOT NULL DEFAULT '',"
        "  intended_us INTEGER NOT NULL, stored_us INTEGER, offered_us INTEGER,"
        "  settled_us INTEGER,"
        "  CHECK ((state IN ('stored', 'offered', 'installed', 'refused')) ="
        "         (sealed IS NOT NULL)));"
        "CREATE INDEX licenses_chip ON licenses (digest, firmware_id);"
        "CREATE INDEX licenses_certificate ON licenses (certificate);"
        "CREATE INDEX licenses_order ON licenses (order_id, state, count);"
        "CREATE INDEX licenses_card ON licenses (card, state, count);";

static const uint8_t station_key[GCM_KEY_LENGTH] = "the first schema";

/* --- as version 1 wrote it ----------------------------------------------------------------- */

static sqlite3 *open_file(const char *directory)
{
        char path[512];
        sqlite3 *database;

        snprintf(path, sizeof(path), "%s/station.db", directory);
        assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
        return database;
}

static void execute(sqlite3 *database, const char *sql)
{
        char *words = NULL;

        if (sqlite3_exec(database, sql, NULL, NULL, &words) != SQLITE_OK)
                fail_msg("%s", words);
}

static void license_of(unsigned number, uint8_t license[static LICENSE_LENGTH])
{
        memset(license, 0xC0, LICENSE_LENGTH);
        memcpy(license, "SFI.", 4);
        store_le32(license + 4, number);
}

/* The additional data of version 1: the certificate's digest, then the firmware identifier. */
static void insert_sealed(sqlite3 *database, struct gcm_key *key, unsigned number,
                          const char *state)
{
        uint8_t aad[DIGEST_LENGTH + 6], iv[GCM_IV_LENGTH] = { 0 };
        uint8_t license[LICENSE_LENGTH], sealed[LICENSE_LENGTH], tag[GCM_TAG_LENGTH];
        struct certificate certificate;
        sqlite3_stmt *insert;

        fake_certificate(number, &certificate);
        digest_sha256(certificate.bytes, CERTIFICATE_LENGTH, aad);
        memcpy(aad + DIGEST_LENGTH, "TEST_1", 6);
        iv[0] = (uint8_t)number;
        license_of(number, license);
        gcm_seal(key, iv, aad, sizeof(aad), license, sealed, LICENSE_LENGTH, tag);
        assert_int_equal(
                sqlite3_prepare_v2(database,
                                   "INSERT INTO licenses (state, certificate, digest, firmware_id, "
                                   "order_id, site, card, counter, iv, sealed, tag, intended_us, "
                                   "stored_us) VALUES (?, ?, ?, 'TEST_1', 'OLD', '3', '" CARD
                                   "', ?, ?, ?, ?, 1000, 2000)",
                                   -1, &insert, NULL),
                SQLITE_OK);
        sqlite3_bind_text(insert, 1, state, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 2, certificate.fingerprint, -1, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 3, aad, DIGEST_LENGTH, SQLITE_STATIC);
        sqlite3_bind_int(insert, 4, 101 - (int)number);
        sqlite3_bind_blob(insert, 5, iv, sizeof(iv), SQLITE_STATIC);
        sqlite3_bind_blob(insert, 6, sealed, sizeof(sealed), SQLITE_STATIC);
        sqlite3_bind_blob(insert, 7, tag, sizeof(tag), SQLITE_STATIC);
        assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_finalize(insert);
}

static void write_key(const char *directory)
{
        char path[512];
        FILE *file;

        snprintf(path, sizeof(path), "%s/station.key", directory);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fchmod(fileno(file), 0600), 0);
        assert_int_equal(fwrite(station_key, 1, sizeof(station_key), file), sizeof(station_key));
        fclose(file);
}

/* Five licenses of one card: stored, offered, installed, refused, stored; one lost; one intent
 * open while the counter went down. */
static void write_version_1(const char *directory)
{
        static const char *const states[LICENSES] = { "stored", "offered", "installed", "refused",
                                                      "stored" };
        sqlite3 *database = open_file(directory);
        struct gcm_key *key = gcm_key_create(station_key);

        write_key(directory);
        execute(database, "PRAGMA journal_mode = WAL; BEGIN");
        execute(database, version_1_sql);
        execute(database,
                "PRAGMA application_id = 1196900697; PRAGMA user_version = 1;"
                "INSERT INTO cards VALUES ('" CARD "', 'TEST_1', 100, 100, 94, 500, 900);"
                "INSERT INTO lots VALUES ('OLD', x'00', 'part', 'family', 'TEST_1', 9, '', '', 1, "
                "NULL);"
                "INSERT INTO attempts (order_id, site, probe, unit, certificate, attempt, "
                "started_us, result, license_was_in_hand) VALUES ('OLD', '3', 'p', 'u', 'c', 1, "
                "5, 'pass', 1)");
        for (unsigned i = 0; i < LICENSES; i++)
                insert_sealed(database, key, i + 1, states[i]);
        execute(database,
                "INSERT INTO licenses (state, certificate, digest, firmware_id, order_id, site, "
                "card, counter, reason, intended_us, settled_us) VALUES ('lost', 'AA', x'01', "
                "'TEST_1', 'OLD', '3', '" CARD "', 95, 'silent', 1000, 3000);"
                "INSERT INTO licenses (state, certificate, digest, firmware_id, order_id, site, "
                "card, counter, intended_us) VALUES ('intended', 'BB', x'02', 'TEST_1', 'OLD', "
                "'4', '" CARD "', 94, 4000); COMMIT");
        gcm_key_destroy(key);
        assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

/* --- as it is found ------------------------------------------------------------------------ */

static void expect_license(struct ledger *ledger, unsigned number)
{
        struct certificate certificate;
        struct ledger_request request = { &certificate, "TEST_1", "SFI", "NEW", "1" };
        struct ledger_license found;
        uint8_t expected[LICENSE_LENGTH];

        fake_certificate(number, &certificate);
        license_of(number, expected);
        assert_int_equal(ledger_find(ledger, &request, &found), 1);
        assert_int_equal(found.id, number);
        assert_int_equal(found.source, LICENSE_FROM_CARD);
        assert_memory_equal(found.bytes, expected, LICENSE_LENGTH);
        request.type = "SMU"; /* what version 1 had is SFI and nothing else */
        assert_int_equal(ledger_find(ledger, &request, &found), 0);
}

static int count_old(const struct ledger_entry *entry, void *context)
{
        assert_string_equal(entry->type, "SFI");
        assert_string_equal(entry->source, "card");
        ++*(unsigned *)context;
        return 0;
}

static int old_opens(void *subject)
{
        const char *directory = subject;
        struct hsm_info card = { .state = HSM_STATE_OPERATIONAL,
                                 .counter = 93,
                                 .maximum = 100,
                                 .type = "SFI",
                                 .firmware_id = "TEST_1",
                                 .serial = CARD };
        struct ledger_balance found;
        struct ledger *ledger;
        struct store *store;
        char sentence[256];
        unsigned rows = 0;

        write_version_1(directory);
        for (unsigned again = 0; again < 2; again++) {
                assert_int_equal(store_open(directory, &store), 0);
                assert_int_equal(ledger_open(store, directory, &ledger), 0);
                for (unsigned number = 1; number <= LICENSES; number++)
                        expect_license(ledger, number);
                assert_int_equal(ledger_balance(ledger, NULL, NULL, &found), 0);
                assert_memory_equal(&found, (&(struct ledger_balance){ 6, 1, 4, 1, 1 }),
                                    sizeof(found));
                ledger_close(ledger);
                store_close(store);
        }
        assert_int_equal(store_open(directory, &store), 0);
        assert_int_equal(ledger_open(store, directory, &ledger), 0);
        assert_int_equal(ledger_reconcile(ledger, &card, sentence), 0);
        assert_non_null(strstr(sentence, "license 7 for chip BB, order OLD, site 4"));
        assert_int_equal(ledger_balance(ledger, NULL, NULL, &found), 0);
        assert_memory_equal(&found, (&(struct ledger_balance){ 7, 1, 4, 2, 0 }), sizeof(found));
        assert_int_equal(ledger_walk(ledger, "OLD", count_old, &rows), 0);
        assert_int_equal(rows, LICENSES + 2);
        ledger_close(ledger);
        store_close(store);
        return 0;
}

static void on_fiber(int (*procedure)(void *))
{
        assert_int_equal(
                test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, (void *)(uintptr_t)test_directory()),
                0);
}

static void licenses_sealed_by_version_1_open(void **state)
{
        (void)state;
        on_fiber(old_opens);
}

/* Name, type, NOT NULL, default of every column, table by table. */
static char *shape(const char *directory)
{
        sqlite3 *database = open_file(directory);
        sqlite3_stmt *statement;
        size_t length;
        char *text;
        FILE *out = open_memstream(&text, &length);

        assert_int_equal(
                sqlite3_prepare_v2(database,
                                   "SELECT t.name, c.name, c.type, c.\"notnull\", c.dflt_value, "
                                   "c.pk FROM sqlite_schema t JOIN pragma_table_info(t.name) c "
                                   "WHERE t.type = 'table' ORDER BY t.name, c.cid",
                                   -1, &statement, NULL),
                SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW) {
                for (int i = 0; i < 6; i++)
                        fprintf(out, "%s|", sqlite3_column_text(statement, i));
                fputc('\n', out);
        }
        sqlite3_finalize(statement);
        assert_int_equal(sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        fprintf(out, "version %d\n", sqlite3_column_int(statement, 0));
        sqlite3_finalize(statement);
        assert_int_equal(sqlite3_close(database), SQLITE_OK);
        fclose(out);
        return text;
}

static int open_and_close(void *subject)
{
        struct store *store;

        assert_int_equal(store_open(subject, &store), 0);
        store_close(store);
        return 0;
}

static void a_migrated_file_has_the_shape_of_a_new_one(void **state)
{
        char *fresh, *migrated;
        const char *directory = test_directory();

        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, open_and_close, (void *)(uintptr_t)directory), 0);
        fresh = shape(directory);
        directory = test_directory();
        write_version_1(directory);
        migrated = shape(directory);
        assert_string_not_equal(migrated, fresh);
        free(migrated);
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, open_and_close, (void *)(uintptr_t)directory), 0);
        migrated = shape(directory);
        assert_string_equal(migrated, fresh);
        free(migrated);
        free(fresh);
}

/* A column of version 2 is there already, so the step fails in its middle: nothing is changed. */
static int broken_step(void *subject)
{
        const char *directory = subject;
        struct store *store;
        sqlite3 *database;
        char *before, *after;

        write_version_1(directory);
        database = open_file(directory);
        execute(database, "ALTER TABLE licenses ADD COLUMN type TEXT");
        sqlite3_close(database);
        before = shape(directory);
        assert_fault(store_open(directory, &store), STORE, "duplicate column name: type");
        after = shape(directory);
        assert_string_equal(after, before);
        assert_non_null(strstr(after, "version 1"));
        free(before);
        free(after);
        return 0;
}

static void a_migration_that_fails_leaves_the_file_as_it_was(void **state)
{
        (void)state;
        on_fiber(broken_step);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(licenses_sealed_by_version_1_open),
                cmocka_unit_test(a_migrated_file_has_the_shape_of_a_new_one),
                cmocka_unit_test(a_migration_that_fails_leaves_the_file_as_it_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
