/* Records: attempts numbered, chained, counted by factory.md, written for spreadsheets. */
#include "tests/support/test.h"

#include "scheduler/chance.h"
#include "scheduler/fiber.h"
#include "station/record.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
        struct store *store;
        struct records *records;
        struct order order;
        const char *directory;
};

static void line_open(struct line *line, const char *directory)
{
        line->directory = directory;
        assert_int_equal(store_open(directory, &line->store), 0);
        assert_int_equal(records_open(line->store, "st-1", &line->records), 0);
}

static void line_close(struct line *line)
{
        line->records = records_close(line->records);
        line->store = store_close(line->store);
}

static void open_lot(struct line *line, const char *id)
{
        bool is_done = true;

        line->order = (struct order){ .part = "STM32H753XI", .quantity = 10, .digest = "digest" };
        snprintf(line->order.id, sizeof(line->order.id), "%s", id);
        snprintf(line->order.operator_name, sizeof(line->order.operator_name), "line 3");
        assert_int_equal(records_open_lot(line->records, &line->order, &is_done), 0);
        assert_false(is_done);
}

static struct record opened(struct line *line, const char *site)
{
        struct record record = { 0 };

        snprintf(record.order, sizeof(record.order), "%s", line->order.id);
        snprintf(record.site, sizeof(record.site), "%s", site);
        snprintf(record.probe, sizeof(record.probe), "PROBE%s", site);
        assert_int_equal(records_open_attempt(line->records, &record), 0);
        assert_true(record.id > 0 && record.started_us > 0);
        return record;
}

static struct unit_history identified(struct line *line, struct record *record, const char *unit)
{
        struct unit_history history;

        snprintf(record->unit, sizeof(record->unit), "%s", unit);
        snprintf(record->certificate, sizeof(record->certificate), "CERT%s", unit);
        assert_int_equal(records_identify(line->records, record, &history), 0);
        return history;
}

static void closed(struct line *line, struct record *record, int outcome)
{
        record->result = result_of(outcome);
        snprintf(record->fault, sizeof(record->fault), "%s",
                 outcome < 0 ? fault_name(outcome) : "");
        snprintf(record->sentence, sizeof(record->sentence), "%s",
                 outcome < 0 ? fault_sentence(outcome) : "");
        assert_int_equal(records_close_attempt(line->records, record), 0);
        assert_true(record->ended_us >= record->started_us);
}

/* One whole attempt on `unit` ("": never read) that takes a second. */
static struct unit_history attempt(struct line *line, const char *unit, int outcome)
{
        struct record record = opened(line, "1");
        struct unit_history history = { 0 };

        if (unit[0])
                history = identified(line, &record, unit);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        closed(line, &record, outcome);
        return history;
}

static void on_fiber(int (*procedure)(void *))
{
        assert_int_equal(
                test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, (void *)(uintptr_t)test_directory()),
                0);
}

static void change(const char *directory, const char *sql)
{
        sqlite3 *database;
        char path[512];

        snprintf(path, sizeof(path), "%s/station.db", directory);
        assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_true(sqlite3_changes(database) > 0);
        assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

/* --- results ------------------------------------------------------------------------------- */

static void a_result_follows_from_the_blame(void **state)
{
        (void)state;
        assert_int_equal(result_of(0), RESULT_PASS);
        assert_int_equal(result_of(7), RESULT_PASS);
        assert_int_equal(result_of(-FAULT_LOCKED), RESULT_FAIL);
        assert_int_equal(result_of(-FAULT_UNPLUGGED), RESULT_ERROR);
        assert_int_equal(result_of(-FAULT_CANCELLED), RESULT_ABORTED);
        assert_int_equal(result_of(-FAULT_NOT_PROVABLE), RESULT_NOT_PROVABLE);
        assert_string_equal(result_name(RESULT_NONE), "");
        assert_string_equal(result_name(RESULT_NOT_PROVABLE), "not provable");
}

/* --- lots ---------------------------------------------------------------------------------- */

static int lots(void *subject)
{
        struct line line;
        struct order other;
        struct lot_counts counts;
        bool is_done = true;

        line_open(&line, subject);
        open_lot(&line, "LOT-1");
        assert_int_equal(records_open_lot(line.records, &line.order, &is_done), 0);
        assert_false(is_done); /* resumes */
        other = line.order;
        other.digest[31] ^= 1;
        assert_fault(records_open_lot(line.records, &other, &is_done), DUPLICATE, "LOT-1");
        IGNORE(fiber_sleep_ns(NS_PER_S));
        assert_int_equal(records_count(line.records, "LOT-1", &counts), 0);
        assert_int_equal(counts.ended_us, 0);
        assert_int_equal(records_close_lot(line.records, "LOT-1"), 0);
        assert_int_equal(records_open_lot(line.records, &line.order, &is_done), 0);
        assert_true(is_done);
        assert_int_equal(records_count(line.records, "LOT-1", &counts), 0);
        assert_int_equal(counts.ended_us - counts.started_us, 1000000);
        line_close(&line);
        return 0;
}

static void an_order_is_run_once(void **state)
{
        (void)state;
        on_fiber(lots);
}

static int no_lot(void *subject)
{
        struct line line;
        struct record record = { .order = "NO-LOT", .site = "1" };

        line_open(&line, subject);
        assert_fault(records_open_attempt(line.records, &record), STORE, "FOREIGN KEY");
        line_close(&line);
        return 0;
}

static void an_attempt_needs_a_lot(void **state)
{
        (void)state;
        on_fiber(no_lot);
}

/* --- numbering and history ----------------------------------------------------------------- */

static int histories(void *subject)
{
        struct line line;
        struct record record;
        struct unit_history history;

        line_open(&line, subject);
        open_lot(&line, "LOT-1");
        history = attempt(&line, "A", -FAULT_TARGET_LOST);
        assert_int_equal(history.attempts, 0);
        assert_int_equal(history.last_result, RESULT_NONE);
        (void)attempt(&line, "B", 0);
        record = opened(&line, "2");
        history = identified(&line, &record, "A");
        assert_int_equal(record.attempt, 2);
        assert_int_equal(history.attempts, 1);
        assert_int_equal(history.last_result, RESULT_FAIL);
        assert_false(history.was_interrupted); /* failed before any license was offered */
        closed(&line, &record, 0);
        record = opened(&line, "2");
        history = identified(&line, &record, "A");
        assert_int_equal(record.attempt, 3);
        assert_int_equal(history.last_result, RESULT_PASS);
        closed(&line, &record, 0);

        open_lot(&line, "LOT-2"); /* another order counts from 1 again */
        record = opened(&line, "2");
        history = identified(&line, &record, "A");
        assert_int_equal(record.attempt, 1);
        assert_int_equal(history.attempts, 0);
        closed(&line, &record, 0);
        assert_fault(records_close_attempt(line.records, &record), STORE, "is not open");
        line_close(&line);
        return 0;
}

static void attempts_are_numbered_by_unit_and_order(void **state)
{
        (void)state;
        on_fiber(histories);
}

static int offer_work(struct sqlite3 *database, void *argument)
{
        return store_sql(database, NULL, NULL,
                         "INSERT INTO licenses (state, certificate, firmware_id, order_id, site, "
                         "counter, sealed, intended_us, offered_us) "
                         "VALUES ('offered', 'CERTA', 'X', 'LOT-1', '1', 5, x'00', 1, ?)",
                         "i", *(int64_t *)argument);
}

static int interrupted(void *subject)
{
        struct line line;
        struct record record;
        int64_t now_us;

        line_open(&line, subject);
        open_lot(&line, "LOT-1");
        record = opened(&line, "1");
        (void)identified(&line, &record, "A");
        IGNORE(fiber_sleep_ns(NS_PER_S));
        now_us = (int64_t)clock_calendar_us();
        assert_int_equal(store_transact(line.store, offer_work, &now_us), 0);
        IGNORE(fiber_sleep_ns(NS_PER_S));
        closed(&line, &record, -FAULT_UNPLUGGED);
        assert_true(attempt(&line, "A", -FAULT_NO_TARGET).was_interrupted);
        /* the last one did nothing to the unit, what the first left is still there */
        assert_true(attempt(&line, "A", 0).was_interrupted);
        assert_false(attempt(&line, "A", 0).was_interrupted);
        assert_false(attempt(&line, "B", 0).was_interrupted);
        line_close(&line);
        return 0;
}

static void a_unit_left_half_way_is_known(void **state)
{
        (void)state;
        on_fiber(interrupted);
}

/* --- recovering ---------------------------------------------------------------------------- */

static int recovered(void *subject)
{
        struct line line;
        struct record record;
        struct lot_counts counts;
        char *csv;

        line_open(&line, subject);
        open_lot(&line, "LOT-1");
        (void)attempt(&line, "A", 0);
        record = opened(&line, "1");
        record = opened(&line, "2");
        (void)identified(&line, &record, "B");
        line_close(&line); /* the station stops here */
        line_open(&line, subject);
        assert_int_equal(records_recover(line.records), 2);
        assert_int_equal(records_recover(line.records), 0);
        assert_int_equal(records_verify(line.records), 3);
        assert_int_equal(records_count(line.records, "LOT-1", &counts), 0);
        assert_int_equal(counts.errors, 2);
        assert_int_equal(counts.entered, 1);
        assert_int_equal(counts.busy_us, 1000000); /* nobody knows when the two ended */
        assert_int_equal(records_csv(line.records, "LOT-1", &csv), 0);
        assert_non_null(strstr(csv, ",error,INTERRUPTED,"));
        free(csv);
        assert_true(attempt(&line, "B", 0).was_interrupted);
        line_close(&line);
        return 0;
}

static void what_a_crash_left_open_is_closed_as_interrupted(void **state)
{
        (void)state;
        on_fiber(recovered);
}

/* --- counts -------------------------------------------------------------------------------- */

static int counted(void *subject)
{
        struct line line;
        struct lot_counts counts;

        line_open(&line, subject);
        open_lot(&line, "LOT-1");
        (void)attempt(&line, "GOOD", 0);
        (void)attempt(&line, "AGAIN", 0); /* passes at once, and is tried again all the same */
        (void)attempt(&line, "AGAIN", 0);
        (void)attempt(&line, "RETRIED", -FAULT_TARGET_LOST);
        (void)attempt(&line, "RETRIED", 0);
        (void)attempt(&line, "ERROR FIRST", -FAULT_UNPLUGGED);
        (void)attempt(&line, "ERROR FIRST", 0);
        (void)attempt(&line, "BAD", -FAULT_LOCKED);
        (void)attempt(&line, "NEVER", -FAULT_UNPLUGGED);
        (void)attempt(&line, "STOPPED", -FAULT_CANCELLED);
        (void)attempt(&line, "UNSURE", -FAULT_NOT_PROVABLE);
        (void)attempt(&line, "", -FAULT_NO_TARGET);
        (void)attempt(&line, "", -FAULT_UNPLUGGED);
        (void)opened(&line, "9"); /* still open: in no count */
        assert_int_equal(records_count(line.records, "LOT-1", &counts), 0);
        assert_int_equal(counts.entered, 6); /* five by name, and the one that did not answer */
        assert_int_equal(counts.good, 4);
        assert_int_equal(counts.bad, 2);
        assert_int_equal(counts.first_pass, 1);
        assert_int_equal(counts.retried, 3);
        assert_int_equal(counts.attempts, 13);
        assert_int_equal(counts.errors, 3);
        assert_int_equal(counts.aborted, 1);
        assert_int_equal(counts.not_provable, 1);
        assert_int_equal(counts.busy_us, 13000000);
        line_close(&line);
        return 0;
}

static void counts_follow_the_definitions(void **state)
{
        (void)state;
        on_fiber(counted);
}

/* Asked anew from SQL by other records, which have nothing kept. */
static void expect_kept_equals_sql(struct line *line, const char *order)
{
        struct records *fresh;
        struct lot_counts kept, counted_now;

        assert_int_equal(records_open(line->store, "st-1", &fresh), 0);
        assert_int_equal(records_count(line->records, order, &kept), 0);
        assert_int_equal(records_count(fresh, order, &counted_now), 0);
        assert_memory_equal(&kept, &counted_now, sizeof(kept));
        records_close(fresh);
}

struct worker {
        struct line *line;
        struct chance chance;
        unsigned index;
};

static int work(void *subject)
{
        static const int outcomes[] = {
                0, 0, -FAULT_LOCKED, -FAULT_UNPLUGGED, -FAULT_CANCELLED, -FAULT_NOT_PROVABLE
        };
        struct worker *worker = subject;
        struct lot_counts counts;
        char unit[16] = "";

        for (unsigned i = 0; i < 12; i++) {
                if (chance_one_in(&worker->chance, 5))
                        unit[0] = '\0';
                else
                        snprintf(unit, sizeof(unit), "U%u-%u", worker->index,
                                 (unsigned)chance_below(&worker->chance, 5));
                (void)attempt(worker->line, unit, outcomes[chance_below(&worker->chance, 6)]);
                if (i == 3) /* counting the first time in the middle of closings */
                        assert_int_equal(records_count(worker->line->records,
                                                       worker->line->order.id, &counts),
                                         0);
        }
        return 0;
}

static int kept(void *subject)
{
        struct line line;
        struct worker workers[8];
        struct fiber *fibers[8];

        line_open(&line, subject);
        for (unsigned lot = 0; lot < 12; lot++) { /* more lots than are kept */
                char id[16];

                snprintf(id, sizeof(id), "LOT-%u", lot);
                open_lot(&line, id);
                for (unsigned i = 0; i < 8; i++) {
                        workers[i] =
                                (struct worker){ &line, chance_fork(1, "worker", lot * 8 + i), i };
                        fibers[i] = fiber_spawn("worker", work, &workers[i]);
                }
                for (unsigned i = 0; i < 8; i++)
                        assert_int_equal(fiber_join(fibers[i]), 0);
                expect_kept_equals_sql(&line, id);
        }
        expect_kept_equals_sql(&line, "LOT-0");
        assert_int_equal(records_verify(line.records), 12 * 8 * 12);
        line_close(&line);
        return 0;
}

static void counts_kept_in_memory_equal_sql(void **state)
{
        (void)state;
        on_fiber(kept);
}

static int cheap(void *subject)
{
        struct line line;
        struct lot_counts counts;
        uint64_t before, after, transactions;

        line_open(&line, subject);
        open_lot(&line, "LOT-1");
        (void)attempt(&line, "A", 0);
        assert_int_equal(records_count(line.records, "LOT-1", &counts), 0);
        (void)attempt(&line, "B", 0);
        store_counts(line.store, &before, &transactions);
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(records_count(line.records, "LOT-1", &counts), 0);
        store_counts(line.store, &after, &transactions);
        assert_int_equal(after, before);
        assert_int_equal(counts.good, 2);
        line_close(&line);
        return 0;
}

static void counting_again_does_not_touch_the_store(void **state)
{
        (void)state;
        on_fiber(cheap);
}

/* --- the chain ----------------------------------------------------------------------------- */

/* what was done to the database, what is then said */
static const char *const forgeries[][2] = {
        { "UPDATE attempts SET result = 'fail' WHERE id = 2", "record 2 of the chain (attempt 2)" },
        { "UPDATE attempts SET sentence = sentence || ' ' WHERE id = 3", "contents were changed" },
        { "UPDATE attempts SET step = 'x', sentence = '' WHERE id = 1", "record 1" },
        { "UPDATE attempts SET license_source = 'global' WHERE id = 2", "record 2" },
        { "UPDATE chain SET station = 'other' WHERE sequence = 3", "record 3" },
        { "DELETE FROM chain WHERE sequence = 2", "record 2 of the chain (attempt 3)" },
        { "DELETE FROM attempts WHERE id = 4", "its attempt is missing" },
        { "UPDATE chain SET hash = upper(substr(hash, 2)) || '0' WHERE sequence = 4", "record 4" },
        { "UPDATE chain SET previous = hash WHERE sequence = 4", "another record before it" },
        { "INSERT INTO attempts (order_id, site, probe, unit, certificate, attempt, started_us, "
          "ended_us, result) VALUES ('LOT-1', '1', '', 'Z', '', 1, 1, 2, 'pass')",
          "attempt 6 is closed and not in the chain" },
};

static int forged(void *subject)
{
        struct line line = { 0 };

        (void)subject;
        for (unsigned i = 0; i < LENGTH_OF(forgeries); i++) {
                const char *directory = test_directory();

                line_open(&line, directory);
                open_lot(&line, "LOT-1");
                for (unsigned unit = 0; unit < 5; unit++)
                        (void)attempt(&line, unit % 2 ? "A" : "B",
                                      unit % 3 ? 0 : fault(FAULT_LOCKED, "a\\t tab\\line"));
                assert_int_equal(records_verify(line.records), 5);
                line_close(&line);
                change(directory, forgeries[i][0]);
                line_open(&line, directory);
                assert_fault(records_verify(line.records), BAD_TAG, forgeries[i][1]);
                line_close(&line);
        }
        return 0;
}

static void every_forgery_is_found_and_placed(void **state)
{
        (void)state;
        on_fiber(forged);
}

static int long_chain(void *subject)
{
        struct line line;

        line_open(&line, subject);
        open_lot(&line, "LOT-1");
        assert_int_equal(records_verify(line.records), 0);
        for (unsigned i = 0; i < 1203; i++) {
                char unit[16];

                snprintf(unit, sizeof(unit), "U%u", i);
                (void)attempt(&line, unit, 0);
        }
        assert_int_equal(records_verify(line.records), 1203);
        expect_kept_equals_sql(&line, "LOT-1");
        line_close(&line);
        change(subject, "UPDATE attempts SET site = '2' WHERE id = 1001");
        line_open(&line, subject);
        assert_fault(records_verify(line.records), BAD_TAG, "record 1001 ");
        line_close(&line);
        return 0;
}

static void a_chain_longer_than_a_slice_is_walked_to_its_end(void **state)
{
        (void)state;
        on_fiber(long_chain);
}

/* --- CSV ----------------------------------------------------------------------------------- */

static int spreadsheet(void *subject)
{
        struct line line;
        struct record record;
        char *csv, *row;

        line_open(&line, subject);
        open_lot(&line, "LOT-1");
        record = opened(&line, "1");
        (void)identified(&line, &record, "0011");
        record.license_was_in_hand = true;
        snprintf(record.license_source, sizeof(record.license_source), "server");
        IGNORE(fiber_sleep_ns(1500 * NS_PER_MS));
        closed(&line, &record, 0);
        record = opened(&line, "=1+1");
        snprintf(record.step, sizeof(record.step), "@step");
        closed(&line, &record, fault(FAULT_LOCKED, "level is \"1\", expected 0"));
        (void)opened(&line, "3"); /* open: not in the list */
        assert_int_equal(records_csv(line.records, "LOT-1", &csv), 0);
        row = strstr(csv, "\r\n");
        assert_non_null(row);
        assert_memory_equal(csv, "order,lot,part,revision,process code,station,site,operator,", 57);
        assert_string_equal(
                row + 2,
                "LOT-1,LOT-1,STM32H753XI,,,st-1,1,line 3,,0011,1,2026-01-01T00:00:00.000Z,"
                "2026-01-01T00:00:01.500Z,pass,,,,PROBE1,CERT0011,yes,server\r\n"
                "LOT-1,LOT-1,STM32H753XI,,,st-1,\"'=1+1\",line 3,,,0,2026-01-01T00:00:01.500Z,"
                "2026-01-01T00:00:01.500Z,fail,LOCKED,\"'@step\","
                "\"level is \"\"1\"\", expected 0\",PROBE=1+1,,no,\r\n");
        free(csv);
        line_close(&line);
        return 0;
}

static void a_row_is_safe_in_a_spreadsheet(void **state)
{
        (void)state;
        on_fiber(spreadsheet);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_result_follows_from_the_blame),
                cmocka_unit_test(an_order_is_run_once),
                cmocka_unit_test(an_attempt_needs_a_lot),
                cmocka_unit_test(attempts_are_numbered_by_unit_and_order),
                cmocka_unit_test(a_unit_left_half_way_is_known),
                cmocka_unit_test(what_a_crash_left_open_is_closed_as_interrupted),
                cmocka_unit_test(counts_follow_the_definitions),
                cmocka_unit_test(counts_kept_in_memory_equal_sql),
                cmocka_unit_test(counting_again_does_not_touch_the_store),
                cmocka_unit_test(every_forgery_is_found_and_placed),
                cmocka_unit_test(a_chain_longer_than_a_slice_is_walked_to_its_end),
                cmocka_unit_test(a_row_is_safe_in_a_spreadsheet),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
