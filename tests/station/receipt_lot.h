/*
 * receipt_lot.h - a lot of one of everything, in books of its own: for receipts and lists.
 */
#pragma once

#include "tests/support/fake_card.h"
#include "tests/support/test.h"

#include "scheduler/bytes.h"
#include "station/commands/books.h"
#include "station/receipt.h"

#include <stdio.h>
#include <string.h>

#define CARD  "0000000000000011"
#define OTHER "0000000000000022"

static inline void lot_open(struct books *books, const char *directory)
{
        struct order order = {
                .id = "LOT-1", .part = "STM32H753XI", .quantity = 3, .image_digest = { 0xA5, 1, 2 }
        };
        bool is_done;

        memset(books, 0, sizeof(*books));
        snprintf(books->settings.station, sizeof(books->settings.station), "line 3");
        snprintf(order.family, sizeof(order.family), "STM32H75x");
        snprintf(order.firmware_id, sizeof(order.firmware_id), "TEST_1");
        memset(order.digest, 0x5A, sizeof(order.digest));
        assert_int_equal(store_open(directory, &books->store), 0);
        assert_int_equal(ledger_open(books->store, directory, &books->ledger), 0);
        assert_int_equal(records_open(books->store, "line 3", &books->records), 0);
        assert_int_equal(records_open_lot(books->records, &order, &is_done), 0);
}

static inline void lot_close(struct books *books)
{
        books->records = records_close(books->records);
        books->ledger = ledger_close(books->ledger);
        books->store = store_close(books->store);
}

static inline void card_shows(struct books *books, const char *serial, uint32_t counter)
{
        struct hsm_info info = { .state = HSM_STATE_OPERATIONAL,
                                 .version = 2,
                                 .counter = counter,
                                 .maximum = 100,
                                 .type = "SFI",
                                 .firmware_id = "TEST_1" };
        char sentence[256];

        snprintf(info.serial, sizeof(info.serial), "%s", serial);
        assert_int_equal(ledger_reconcile(books->ledger, &info, sentence), 0);
}

static inline void license_of(unsigned chip, uint8_t license[static LICENSE_LENGTH])
{
        memset(license, 0xC0, LICENSE_LENGTH);
        memcpy(license, "SFI.", 4);
        store_le32(license + 4, chip);
}

static inline int64_t intend(struct books *books, unsigned chip, const char *order,
                             const char *card, uint32_t counter)
{
        struct certificate certificate;
        int64_t id;

        fake_certificate(chip, &certificate);
        assert_int_equal(
                ledger_intend(books->ledger,
                              &(struct ledger_request){ &certificate, "TEST_1", "SFI", order, "2" },
                              card, counter, &id),
                0);
        return id;
}

static inline int64_t issue(struct books *books, unsigned chip, const char *order, const char *card,
                            uint32_t counter)
{
        uint8_t license[LICENSE_LENGTH];
        int64_t id = intend(books, chip, order, card, counter);

        license_of(chip, license);
        assert_int_equal(ledger_store(books->ledger, id, license), 0);
        return id;
}

/* An attempt at the chip that ends so; the license, when there is one, is offered in it. */
static inline void attempt(struct books *books, unsigned chip, int64_t license, enum result result)
{
        struct certificate certificate;
        struct unit_history history;
        struct record record = { .order = "LOT-1", .site = "2", .result = result };

        fake_certificate(chip, &certificate);
        snprintf(record.unit, sizeof(record.unit), "%024X", chip);
        snprintf(record.certificate, sizeof(record.certificate), "%s", certificate.fingerprint);
        assert_int_equal(records_identify(books->records, &record, &history), 0);
        assert_int_equal(records_open_attempt(books->records, &record), 0);
        if (license) {
                assert_int_equal(ledger_offer(books->ledger, license), 0);
                assert_int_equal(ledger_settle(books->ledger, license, result == RESULT_PASS,
                                               result == RESULT_PASS ? "" : "it said \"no\" \\"),
                                 0);
        }
        assert_int_equal(records_close_attempt(books->records, &record), 0);
}

static inline int set_global(struct sqlite3 *database, void *argument)
{
        (void)argument;
        return store_sql(database, NULL, NULL,
                         "UPDATE attempts SET license_source = 'global' WHERE id = "
                         "(SELECT max(id) FROM attempts)",
                         "");
}

/* One of everything: chips 1 and 2 good, 3 refused, 4 lost, 5 refused by the card, 6 from stock, 7
 * global, 8 imported for the lot and not used. */
static inline void live_a_lot(struct books *books)
{
        struct certificate certificate;
        uint8_t license[LICENSE_LENGTH];
        int64_t stock, id;

        card_shows(books, CARD, 90);
        card_shows(books, OTHER, 100);
        stock = issue(books, 6, "", CARD, 90);
        attempt(books, 1, issue(books, 1, "LOT-1", CARD, 89), RESULT_PASS);
        attempt(books, 2, issue(books, 2, "LOT-1", OTHER, 100), RESULT_PASS);
        attempt(books, 3, issue(books, 3, "LOT-1", CARD, 88), RESULT_FAIL);
        intend(books, 4, "LOT-1", CARD, 87);
        card_shows(books, CARD, 86);
        id = intend(books, 5, "LOT-1", CARD, 86);
        assert_int_equal(ledger_cancel(books->ledger, id, "the card says 6A80"), 0);
        attempt(books, 6, stock, RESULT_PASS);
        attempt(books, 7, 0, RESULT_PASS);
        assert_int_equal(store_transact(books->store, set_global, NULL), 0);
        fake_certificate(8, &certificate);
        license_of(8, license);
        assert_int_equal(ledger_import(books->ledger,
                                       &(struct ledger_request){ &certificate, "TEST_1", "SFI",
                                                                 "LOT-1", "" },
                                       license, &id),
                         0);
}
