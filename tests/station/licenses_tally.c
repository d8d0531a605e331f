/* gangway licenses: cards and lots added up, the lost ones by name, the pace of a card. */
#include "tests/station/receipt_lot.h"

#include "station/commands/licenses_tally.h"

#include <stdlib.h>

static const struct tally_lot *lot_of(const struct tally *tally, const char *order)
{
        for (size_t i = 0; i < tally->lot_count; i++)
                if (strcmp(tally->lots[i].order, order) == 0)
                        return &tally->lots[i];
        fail_msg("there is no lot \"%s\"", order);
        abort(); /* not reached */
}

static void expect_balance(const struct ledger_balance *found, struct ledger_balance wanted)
{
        if (memcmp(found, &wanted, sizeof(wanted)) != 0)
                fail_msg("issued %u installed %u in hand %u lost %u open %u", found->issued,
                         found->installed, found->in_hand, found->lost, found->pending);
}

static void check_all(struct books *books)
{
        struct tally tally CLEANUP(tally_release) = { 0 };
        const struct tally_lot *lot;

        assert_int_equal(tally_take(books, NULL, NULL, &tally), 0);
        assert_true(tally.adds_up);
        expect_balance(&tally.total, (struct ledger_balance){ 6, 3, 2, 1, 0 });
        assert_int_equal(tally.card_count, 2);
        expect_balance(&tally.cards[0].balance, (struct ledger_balance){ 4, 2, 1, 1, 0 });
        expect_balance(&tally.cards[1].balance, (struct ledger_balance){ 1, 1, 0, 0, 0 });
        assert_int_equal(tally.cards[0].left, 86);
        assert_int_equal(tally.lot_count, 2);
        lot = lot_of(&tally, "LOT-1");
        expect_balance(&lot->balance, (struct ledger_balance){ 5, 2, 2, 1, 0 });
        assert_int_equal(lot->good, 4);
        assert_int_equal(lot->globals, 1);
        assert_int_equal(lot->cancelled, 1);
        expect_balance(&lot_of(&tally, "")->balance, (struct ledger_balance){ 1, 1, 0, 0, 0 });
        assert_int_equal(tally.sources[LICENSE_FROM_CARD], 5);
        assert_int_equal(tally.sources[LICENSE_FROM_FILE], 1);
        assert_int_equal(tally.sources[LICENSE_FROM_SERVER], 0);
        assert_int_equal(tally.sources[LICENSE_GLOBAL], 1);
        assert_non_null(strstr(tally.lost, "card " CARD ", order LOT-1, site 2"));
        assert_null(strstr(strchr(tally.lost, '\n') + 1, "license"));
}

static void check_one(struct books *books)
{
        struct tally tally CLEANUP(tally_release) = { 0 };
        struct tally other CLEANUP(tally_release) = { 0 };

        assert_int_equal(tally_take(books, "LOT-1", NULL, &tally), 0);
        expect_balance(&tally.total, (struct ledger_balance){ 5, 2, 2, 1, 0 });
        expect_balance(&tally.cards[0].balance, (struct ledger_balance){ 3, 1, 1, 1, 0 });
        assert_int_equal(tally.lot_count, 1);
        assert_int_equal(tally_take(books, NULL, OTHER, &other), 0);
        assert_int_equal(other.card_count, 1);
        assert_true(other.adds_up);
        expect_balance(&other.total, (struct ledger_balance){ 1, 1, 0, 0, 0 });
        assert_string_equal(other.lost, "");
}

static int spoil(struct sqlite3 *database, void *argument)
{
        (void)argument;
        return store_sql(database, NULL, NULL,
                         "UPDATE cards SET last_counter = last_counter - 1 WHERE serial = ?", "t",
                         OTHER);
}

static int take_all(void *subject)
{
        struct tally tally CLEANUP(tally_release) = { 0 };
        static struct books books; /* its settings are too large for a stack */
        struct tally none;

        lot_open(&books, subject);
        live_a_lot(&books);
        check_all(&books);
        check_one(&books);
        assert_fault(tally_take(&books, "LOT-9", NULL, &none), NOT_FOUND, "no lot LOT-9");
        assert_fault(tally_take(&books, NULL, "77", &none), NOT_FOUND, "no card 77");
        assert_int_equal(store_transact(books.store, spoil, NULL), 0);
        assert_int_equal(tally_take(&books, NULL, NULL, &tally), 0);
        assert_false(tally.adds_up); /* a counter that no license explains */
        lot_close(&books);
        return 0;
}

static void every_license_is_counted_where_it_belongs(void **state)
{
        (void)state;
        assert_int_equal(
                test_on_fiber(LOOP_TIME_REAL, 0, take_all, (void *)(uintptr_t)test_directory()), 0);
}

static void a_pace_is_of_the_last_hour_of_work(void **state)
{
        struct tally_card card = { .newest_us = 7200000000, .window_us = 5400000000 };

        (void)state;
        assert_true(tally_pace(&card) == 0); /* made none */
        card.window_count = 1200;
        assert_true(tally_pace(&card) == 2400); /* in half an hour */
        card.window_us = 3500000000;            /* asked for before the hour began */
        assert_true(tally_pace(&card) == 1200);
        card.window_us = card.newest_us;
        card.window_count = 1;
        assert_true(tally_pace(&card) > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_license_is_counted_where_it_belongs),
                cmocka_unit_test(a_pace_is_of_the_last_hour_of_work),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
