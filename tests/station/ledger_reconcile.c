/* Counter against ledger: the lost ones named, the unspent closed, another card refused. */
#include "tests/station/books.h"

/* --- reconciling --------------------------------------------------------------------------- */

static int reconciled(void *subject)
{
        struct books books;
        char expected[64];
        char *text;

        books_open(&books, subject);
        IGNORE(reconcile(&books, 100));
        IGNORE(intend(&books, 100));
        assert_non_null(
                strstr(reconcile(&books, 100), "1 open intent(s) closed, nothing was spent"));
        expect_all(&books, 0, 0, 0, 0, 0);
        assert_string_equal(reconcile(&books, 100), "");

        IGNORE(intend(&books, 100));
        snprintf(expected, sizeof(expected), "license 2 for chip %s, order ORDER-1, site 3",
                 books.certificate.fingerprint);
        assert_non_null(strstr(reconcile(&books, 99), expected));
        expect_all(&books, 1, 0, 0, 1, 0);
        assert_string_equal(reconcile(&books, 99), "");
        expect_all(&books, 1, 0, 0, 1, 0);
        assert_int_equal(ledger_lost_text(books.ledger, "ORDER-1", &text), 0);
        assert_memory_equal(text, books.certificate.fingerprint, 16);
        assert_non_null(strstr(text, ", card " CARD ", order ORDER-1, site 3, 2026-01-01T"));
        assert_non_null(strstr(text, "never arrived\n"));
        free(text);
        books_close(&books);
        return 0;
}

static void an_open_intent_is_cancelled_or_lost_by_the_counter(void **state)
{
        (void)state;
        on_fiber(reconciled);
}

static int outside(void *subject)
{
        struct books books;
        char *text;

        books_open(&books, subject);
        IGNORE(reconcile(&books, 100));
        IGNORE(intend_and_store(&books, 100));
        IGNORE(fiber_sleep_ns(NS_PER_S));
        fake_certificate(2, &books.certificate);
        IGNORE(intend(&books, 99));
        assert_non_null(strstr(reconcile(&books, 93), "lost; 5 lost outside the station"));
        expect_balance(&books, "ORDER-1", NULL, 2, 0, 1, 1, 0);
        expect_balance(&books, NULL, CARD, 7, 0, 1, 6, 0);
        expect_balance(&books, NULL, NULL, 7, 0, 1, 6, 0);
        assert_string_equal(reconcile(&books, 93), "");
        expect_balance(&books, NULL, NULL, 7, 0, 1, 6, 0);
        assert_int_equal(ledger_lost_text(books.ledger, NULL, &text), 0);
        assert_non_null(strstr(text, "\nan unknown chip, card " CARD ", order none, site none, "));
        assert_non_null(strstr(text, "spent outside the station (5 licenses)\n"));
        free(text);
        assert_int_equal(ledger_lost_text(books.ledger, "ORDER-1", &text), 0);
        assert_null(strstr(text, "unknown"));
        free(text);
        assert_int_equal(ledger_lost_text(books.ledger, "NO-SUCH", &text), 0);
        assert_string_equal(text, "");
        free(text);
        books_close(&books);
        return 0;
}

static void what_no_intent_explains_is_lost_outside(void **state)
{
        (void)state;
        on_fiber(outside);
}

static int suspicious(void *subject)
{
        struct books books;
        struct hsm_info card = card_with(51);
        char sentence[256] = "untouched";

        books_open(&books, subject);
        IGNORE(reconcile(&books, 50));
        IGNORE(intend(&books, 50));
        assert_fault(ledger_reconcile(books.ledger, &card, sentence), CARD_STATE,
                     "went up from 50 to 51");
        card = card_with(50);
        snprintf(card.firmware_id, sizeof(card.firmware_id), "OTHER");
        assert_fault(ledger_reconcile(books.ledger, &card, sentence), CARD_STATE,
                     "holds OTHER, and held TEST_1");
        assert_string_equal(sentence, "untouched");
        expect_all(&books, 0, 0, 0, 0, 1); /* the intent is still open */
        assert_non_null(strstr(reconcile(&books, 49), "lost"));
        expect_all(&books, 1, 0, 0, 1, 0);
        books_close(&books);
        return 0;
}

static void another_card_with_the_same_serial_is_refused(void **state)
{
        (void)state;
        on_fiber(suspicious);
}

/* --- being told ---------------------------------------------------------------------------- */

/* What was heard: "L " or "N ", the sentence, a line each. */
static char heard[4096];

static void hear(const char *sentence, bool is_loss, void *context)
{
        size_t length = strlen(heard);

        assert_ptr_equal(context, heard);
        snprintf(heard + length, sizeof(heard) - length, "%c %s\n", is_loss ? 'L' : 'N', sentence);
}

static void listen_to(struct books *books)
{
        heard[0] = '\0';
        assert_int_equal(ledger_listen(books->ledger, hear, heard), 0);
}

static void expect_heard(const char *line)
{
        if (!strstr(heard, line))
                fail_msg("\"%s\" is not in:\n%s", line, heard);
}

static unsigned lines_heard(void)
{
        unsigned lines = 0;

        for (const char *c = heard; *c; c++)
                lines += *c == '\n';
        return lines;
}

#define ORDER_63 "ORDER-012345678901234567890123456789012345678901234567890123456"

/* Five intents of one card are open and four licenses gone: a card is asked one thing at a time, so
 * only a foreign hand brings this about, and it is told in full all the same. */
static int several(void *subject)
{
        struct books books;
        char line[512];
        const char *sentence;

        books_open(&books, subject);
        listen_to(&books);
        assert_string_equal(heard, "");
        books.request.order = ORDER_63;
        books.request.site = "a site of 15 ch";
        IGNORE(reconcile(&books, 100));
        for (unsigned chip = 1; chip <= 5; chip++) {
                fake_certificate(chip, &books.certificate);
                IGNORE(intend(&books, 100));
        }
        sentence = reconcile(&books, 96);
        assert_non_null(
                strstr(sentence, "counts 96 where the ledger has 100; license 1 for chip "));
        assert_non_null(strstr(sentence, ", and 3 more: lost, see the log"));
        assert_int_equal(lines_heard(), 5);
        for (unsigned chip = 1; chip <= 5; chip++) {
                fake_certificate(chip, &books.certificate);
                snprintf(line, sizeof(line),
                         "%c license %u for chip %s %s: asked of card " CARD
                         " at 2026-01-01T00:00:00.000Z for order " ORDER_63
                         ", site a site of 15 ch; the card's counter %s\n",
                         chip < 5 ? 'L' : 'N', chip, books.certificate.fingerprint,
                         chip < 5 ? "is lost" : "was not spent",
                         chip < 5 ? "went down and its answer never arrived" : "had not moved");
                expect_heard(line);
        }
        heard[0] = '\0';
        assert_string_equal(reconcile(&books, 96), "");
        assert_string_equal(heard, "");
        assert_non_null(strstr(reconcile(&books, 90), "; 6 lost outside the station"));
        assert_string_equal(heard,
                            "L 6 licenses of card " CARD " are lost: spent by another program, "
                            "found at 2026-01-01T00:00:00.000Z\n");
        books_close(&books);
        return 0;
}

static void each_difference_is_told_in_a_whole_sentence(void **state)
{
        (void)state;
        on_fiber(several);
}

/* The longest words there are: the summary of one lost license ends as it should. */
static int longest(void *subject)
{
        struct books books;
        const char *sentence;

        books_open(&books, subject);
        books.request.order = ORDER_63;
        books.request.site = "a site of 15 ch";
        IGNORE(reconcile(&books, 4000000002));
        IGNORE(intend(&books, 4000000002));
        sentence = reconcile(&books, 1000000000);
        assert_non_null(strstr(sentence, "; 3000000001 lost outside the station"));
        assert_true(strlen(sentence) + 18 < 256); /* a license number may have 19 digits, not 1 */
        books_close(&books);
        return 0;
}

static void no_sentence_is_cut(void **state)
{
        (void)state;
        on_fiber(longest);
}

static int open_at_start(void *subject)
{
        struct books books;
        int64_t id, again;
        char line[256];

        books_open(&books, subject);
        IGNORE(reconcile(&books, 100));
        IGNORE(intend(&books, 100));
        assert_int_equal(ledger_intend(books.ledger, &books.request, NULL, 0, &id), 0);
        books_close(&books);

        books_open(&books, subject);
        listen_to(&books);
        assert_int_equal(lines_heard(), 2);
        snprintf(line, sizeof(line),
                 "N license 1 for chip %s is open: asked of card " CARD
                 " at 2026-01-01T00:00:00.000Z for order ORDER-1, site 3, and not answered; the "
                 "card's counter will tell\n",
                 books.certificate.fingerprint);
        expect_heard(line);
        expect_heard(" is open: asked of the license server at 2026-01-01T00:00:00.000Z for order "
                     "ORDER-1, site 3, and not answered; it is asked again");
        /* reconciling a card says nothing about the server */
        assert_non_null(strstr(reconcile(&books, 100), "1 open intent(s) closed"));
        expect_balance(&books, NULL, NULL, 0, 0, 0, 0, 1);
        assert_int_equal(ledger_intend(books.ledger, &books.request, NULL, 0, &again), 0);
        assert_int_equal(again, id);
        books_close(&books);
        return 0;
}

static void what_is_open_at_the_start_is_told_card_or_server(void **state)
{
        (void)state;
        on_fiber(open_at_start);
}

static int other_type(void *subject)
{
        struct books books;
        struct hsm_info card = card_with(50);
        char sentence[256];

        books_open(&books, subject);
        IGNORE(reconcile(&books, 50));
        snprintf(card.type, sizeof(card.type), "SMU");
        assert_fault(ledger_reconcile(books.ledger, &card, sentence), CARD_STATE,
                     "is for SMU, and was for SFI when first seen at 2026-01-01");
        books_close(&books);
        return 0;
}

static void a_card_that_changed_its_type_is_refused(void **state)
{
        (void)state;
        on_fiber(other_type);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_open_intent_is_cancelled_or_lost_by_the_counter),
                cmocka_unit_test(what_no_intent_explains_is_lost_outside),
                cmocka_unit_test(another_card_with_the_same_serial_is_refused),
                cmocka_unit_test(each_difference_is_told_in_a_whole_sentence),
                cmocka_unit_test(no_sentence_is_cut),
                cmocka_unit_test(what_is_open_at_the_start_is_told_card_or_server),
                cmocka_unit_test(a_card_that_changed_its_type_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
