/*
 * books.h - store and ledger of one card, as the tests of the ledger use them.
 */
#pragma once

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
        struct certificate certificate; /* of the chip asked for */
        struct ledger_request request;
};

static inline void books_open(struct books *books, const char *directory)
{
        assert_int_equal(store_open(directory, &books->store), 0);
        assert_int_equal(ledger_open(books->store, directory, &books->ledger), 0);
        books->request =
                (struct ledger_request){ &books->certificate, "TEST_1", "SFI", "ORDER-1", "3" };
        fake_certificate(1, &books->certificate);
}

static inline void books_close(struct books *books)
{
        books->ledger = ledger_close(books->ledger);
        books->store = store_close(books->store);
}

static inline struct hsm_info card_with(uint32_t counter)
{
        struct hsm_info info = { .state = HSM_STATE_OPERATIONAL,
                                 .version = 2,
                                 .counter = counter,
                                 .maximum = 100,
                                 .type = "SFI",
                                 .firmware_id = "TEST_1",
                                 .serial = CARD };
        return info;
}

/* The sentence of a reconciliation, which must succeed. */
static inline const char *reconcile(struct books *books, uint32_t counter)
{
        static char sentence[256];
        struct hsm_info card = card_with(counter);

        assert_int_equal(ledger_reconcile(books->ledger, &card, sentence), 0);
        return sentence;
}

static inline void license_of(unsigned number, uint8_t license[static LICENSE_LENGTH])
{
        memset(license, 0xC0, LICENSE_LENGTH);
        memcpy(license, "SFI.", 4);
        store_le32(license + 4, number);
}

static inline int64_t intend(struct books *books, uint32_t counter)
{
        int64_t id = 0;

        assert_int_equal(ledger_intend(books->ledger, &books->request, CARD, counter, &id), 0);
        assert_true(id > 0);
        return id;
}

static inline int64_t intend_and_store(struct books *books, uint32_t counter)
{
        uint8_t license[LICENSE_LENGTH];
        int64_t id = intend(books, counter);

        license_of((unsigned)id, license);
        assert_int_equal(ledger_store(books->ledger, id, license), 0);
        return id;
}

#define expect_balance(books, order, card, ...)                                                    \
        do_expect_balance(books, order, card, (struct ledger_balance){ __VA_ARGS__ }, __LINE__)

static inline void do_expect_balance(struct books *books, const char *order, const char *card,
                                     struct ledger_balance expected, int line)
{
        struct ledger_balance found;

        assert_int_equal(ledger_balance(books->ledger, order, card, &found), 0);
        if (memcmp(&found, &expected, sizeof(found)) != 0)
                fail_msg("line %d: issued %u installed %u in hand %u lost %u pending %u", line,
                         found.issued, found.installed, found.in_hand, found.lost, found.pending);
        assert_int_equal(found.issued, found.installed + found.in_hand + found.lost);
}

/* Of the order, the card and everything alike. */
#define expect_all(books, ...)                                                                     \
        do {                                                                                       \
                expect_balance(books, "ORDER-1", NULL, __VA_ARGS__);                               \
                expect_balance(books, NULL, CARD, __VA_ARGS__);                                    \
                expect_balance(books, "ORDER-1", CARD, __VA_ARGS__);                               \
                expect_balance(books, NULL, NULL, __VA_ARGS__);                                    \
        } while (0)

static inline void on_fiber(int (*procedure)(void *))
{
        assert_int_equal(
                test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, (void *)(uintptr_t)test_directory()),
                0);
}
