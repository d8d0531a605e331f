/* Walks: every license and every card, as they stand, in order. */
#include "tests/support/fake_card.h"
#include "tests/support/test.h"

#include "scheduler/bytes.h"
#include "station/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARD "0000000000000011"

struct books {
        struct store *store;
        struct ledger *ledger;
        struct certificate certificate;
        struct ledger_request request;
        FILE *out;
};

static void books_open(struct books *books, const char *directory)
{
        assert_int_equal(store_open(directory, &books->store), 0);
        assert_int_equal(ledger_open(books->store, directory, &books->ledger), 0);
        books->request =
                (struct ledger_request){ &books->certificate, "TEST_1", "SFI", "ORDER-1", "3" };
        fake_certificate(1, &books->certificate);
}

static void books_close(struct books *books)
{
        ledger_close(books->ledger);
        store_close(books->store);
}

static void reconcile(struct books *books, const char *type, const char *serial, uint32_t counter)
{
        struct hsm_info card = { .state = HSM_STATE_OPERATIONAL,
                                 .counter = counter,
                                 .maximum = 100,
                                 .firmware_id = "TEST_1" };
        char sentence[256];

        snprintf(card.type, sizeof(card.type), "%s", type);
        snprintf(card.serial, sizeof(card.serial), "%s", serial);
        assert_int_equal(ledger_reconcile(books->ledger, &card, sentence), 0);
}

static void ask(struct books *books, unsigned chip, const char *order, const char *card,
                int64_t *ret_id)
{
        fake_certificate(chip, &books->certificate);
        books->request.order = order;
        assert_int_equal(
                ledger_intend(books->ledger, &books->request, card, card ? 100 : 0, ret_id), 0);
}

/* One card's license to its end, one from a server not yet answered, one from a file, one refused
 * by the card, two spent by somebody else. */
static void fill(struct books *books)
{
        uint8_t license[LICENSE_LENGTH] = "SFI.";
        int64_t id;

        reconcile(books, "SFI", CARD, 100);
        reconcile(books, "SMU", "0000000000000012", 50);
        ask(books, 1, "ORDER-1", CARD, &id);
        assert_int_equal(ledger_store(books->ledger, id, license), 0);
        assert_int_equal(ledger_offer(books->ledger, id), 0);
        assert_int_equal(ledger_settle(books->ledger, id, true, NULL), 0);
        ask(books, 2, "ORDER-2", NULL, &id);
        fake_certificate(3, &books->certificate);
        books->request.type = "SMU";
        assert_int_equal(ledger_import(books->ledger, &books->request, license, &id), 0);
        books->request.type = "SFI";
        ask(books, 4, "ORDER-1", CARD, &id);
        assert_int_equal(ledger_cancel(books->ledger, id, "no"), 0);
        reconcile(books, "SFI", CARD, 97);
}

static int print_entry(const struct ledger_entry *entry, void *context)
{
        struct books *books = context;

        assert_true(strlen(entry->digest) == (entry->fingerprint[0] ? 64 : 0));
        assert_int_equal(strlen(entry->fingerprint), entry->fingerprint[0] ? 16 : 0);
        fprintf(books->out, "%d x%u %s %s %s %s order %s site %s card %s at %u%s%s%s%s%s%s\n",
                (int)entry->id, entry->count, entry->state, entry->source, entry->type,
                entry->firmware_id, entry->order, entry->site, entry->card, entry->counter,
                entry->intended_us ? " intended" : "", entry->stored_us ? " stored" : "",
                entry->offered_us ? " offered" : "", entry->settled_us ? " settled" : "",
                entry->reason[0] ? ": " : "", entry->reason);
        return 0;
}

static char *entries(struct books *books, const char *order)
{
        char *text;
        size_t length;

        books->out = open_memstream(&text, &length);
        assert_int_equal(ledger_walk(books->ledger, order, print_entry, books), 0);
        fclose(books->out);
        return text;
}

#define FIRST                                                                                      \
        "1 x1 installed card SFI TEST_1 order ORDER-1 site 3 card " CARD                           \
        " at 100 intended stored offered settled\n"
#define SECOND                                                                                     \
        "2 x1 intended server SFI TEST_1 order ORDER-2 site 3 card  at 0 intended\n"               \
        "3 x1 stored file SMU TEST_1 order ORDER-2 site 3 card  at 0 intended stored\n"
#define FOURTH                                                                                     \
        "4 x1 cancelled card SFI TEST_1 order ORDER-1 site 3 card " CARD                           \
        " at 100 intended settled: no\n"
#define OUTSIDE                                                                                    \
        "5 x2 lost card SFI TEST_1 order  site  card " CARD                                        \
        " at 99 intended settled: spent outside the station\n"

static int walked(void *subject)
{
        struct books books;
        char *text;

        books_open(&books, subject);
        text = entries(&books, NULL);
        assert_string_equal(text, "");
        free(text);
        fill(&books);
        text = entries(&books, NULL);
        assert_string_equal(text, FIRST SECOND FOURTH OUTSIDE);
        free(text);
        text = entries(&books, "ORDER-2");
        assert_string_equal(text, SECOND);
        free(text);
        text = entries(&books, "ORDER-1");
        assert_string_equal(text, FIRST FOURTH);
        free(text);
        text = entries(&books, "NO-SUCH");
        assert_string_equal(text, "");
        free(text);
        books_close(&books);
        return 0;
}

static void on_fiber(int (*procedure)(void *))
{
        assert_int_equal(
                test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, (void *)(uintptr_t)test_directory()),
                0);
}

static void every_license_is_shown_as_it_stands(void **state)
{
        (void)state;
        on_fiber(walked);
}

static int stop_at_second(const struct ledger_entry *entry, void *context)
{
        ++*(unsigned *)context;
        return entry->id == 2 ? fault(FAULT_TOO_LARGE, "enough at %d", (int)entry->id) : 7;
}

static int stopped(void *subject)
{
        struct books books;
        unsigned calls = 0;
        char *text;

        books_open(&books, subject);
        fill(&books);
        assert_fault(ledger_walk(books.ledger, NULL, stop_at_second, &calls), TOO_LARGE,
                     "enough at 2");
        assert_int_equal(calls, 2);
        text = entries(&books, "ORDER-2"); /* and the next one is whole again */
        assert_string_equal(text, SECOND);
        free(text);
        books_close(&books);
        return 0;
}

static void a_fault_of_the_caller_ends_the_walk(void **state)
{
        (void)state;
        on_fiber(stopped);
}

static int print_card(const struct ledger_card *card, void *context)
{
        struct books *books = context;

        assert_true(card->first_seen_us > 0 && card->last_seen_us >= card->first_seen_us);
        fprintf(books->out, "%s %s %s %u: %u -> %u\n", card->serial, card->type, card->firmware_id,
                card->maximum, card->first_counter, card->last_counter);
        return 0;
}

static int cards(void *subject)
{
        struct books books;
        size_t length;
        char *text;

        books_open(&books, subject);
        fill(&books);
        books.out = open_memstream(&text, &length);
        assert_int_equal(ledger_walk_cards(books.ledger, print_card, &books), 0);
        fclose(books.out);
        assert_string_equal(text, CARD " SFI TEST_1 100: 100 -> 97\n"
                                       "0000000000000012 SMU TEST_1 100: 50 -> 50\n");
        free(text);
        books_close(&books);
        return 0;
}

static void every_card_is_shown_with_its_counters(void **state)
{
        (void)state;
        on_fiber(cards);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_license_is_shown_as_it_stands),
                cmocka_unit_test(a_fault_of_the_caller_ends_the_walk),
                cmocka_unit_test(every_card_is_shown_with_its_counters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
