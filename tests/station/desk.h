/*
 * desk.h - a hall for tests of the desk: scripted cards, a store, a ledger, sites that ask.
 */
#pragma once

#include "tests/support/fake_card.h"
#include "tests/support/test.h"

#include "station/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARDS 4
#define SITES 16

struct hall {
        struct store *store;
        struct ledger *ledger;
        struct desk *desk;
        struct fake_card cards[CARDS];
        unsigned card_count;
        unsigned changes;
        struct license_server *server; /* NULL: none */
};

static inline void note_change(void *context)
{
        ((struct hall *)context)->changes++;
}

/* Cards are set up by the test before the desk opens. */
static inline void hall_init(struct hall *hall, const char *directory, unsigned cards,
                             uint32_t count)
{
        memset(hall, 0, sizeof(*hall));
        hall->card_count = cards;
        for (unsigned i = 0; i < cards; i++)
                fake_card_init(&hall->cards[i], 0x10 + i, count);
        assert_int_equal(store_open(directory, &hall->store), 0);
        assert_int_equal(ledger_open(hall->store, directory, &hall->ledger), 0);
}

static inline void desk_start(struct hall *hall)
{
        struct reader *readers[CARDS];

        for (unsigned i = 0; i < hall->card_count; i++)
                readers[i] = &hall->cards[i].reader;
        assert_int_equal(desk_open(&(struct desk_settings){ .ledger = hall->ledger,
                                                            .profile = fake_profile(),
                                                            .readers = readers,
                                                            .reader_count = hall->card_count,
                                                            .server = hall->server,
                                                            .changed = note_change,
                                                            .context = hall },
                                   &hall->desk),
                         0);
}

static inline void hall_close(struct hall *hall)
{
        assert_null(desk_close(hall->desk));
        for (unsigned i = 0; i < hall->card_count; i++) {
                assert_int_equal(hall->cards[i].closed, 1);
                assert_false(hall->cards[i].is_connected);
        }
        ledger_close(hall->ledger);
        store_close(hall->store);
}

static inline struct ledger_balance balance(struct hall *hall)
{
        struct ledger_balance found;

        assert_int_equal(ledger_balance(hall->ledger, NULL, NULL, &found), 0);
        assert_int_equal(found.issued, found.installed + found.in_hand + found.lost);
        return found;
}

static inline uint32_t spent(const struct hall *hall)
{
        uint32_t sum = 0;

        for (unsigned i = 0; i < hall->card_count; i++)
                sum += hall->cards[i].maximum - *hall->cards[i].counter;
        return sum;
}

static inline struct desk_card card_shown(struct hall *hall, unsigned index)
{
        struct desk_card cards[CARDS];

        assert_int_equal(desk_cards(hall->desk, cards, CARDS), hall->card_count);
        return cards[index];
}

/* --- a site that asks ---------------------------------------------------------------------- */

struct asker {
        struct hall *hall;
        const char *firmware_id, *type; /* NULL: "TEST_1", "SFI" */
        enum license_source source;
        unsigned first_chip, count; /* chips first_chip .. first_chip + count - 1 */
        int result;
        char sentence[512];
        unsigned served, in_hand;
        uint64_t ended_ns;
};

static inline int ask(void *subject)
{
        struct asker *asker = subject;

        for (unsigned i = 0; i < asker->count && asker->result >= 0; i++) {
                struct certificate certificate;
                struct ledger_request request = {
                        &certificate, asker->firmware_id ? asker->firmware_id : "TEST_1",
                        asker->type ? asker->type : "SFI", "ORDER-1", "1"
                };
                struct ledger_license license;

                fake_certificate(asker->first_chip + i, &certificate);
                asker->result = desk_license(asker->hall->desk, &request, asker->source, &license);
                if (asker->result < 0)
                        break;
                assert_true(license.id > 0);
                assert_memory_equal(license.bytes, request.type, strlen(request.type));
                assert_int_equal(license.source, asker->source);
                asker->served++;
                asker->in_hand += license.was_in_hand;
        }
        if (asker->result < 0)
                snprintf(asker->sentence, sizeof(asker->sentence), "%s",
                         fault_sentence(asker->result));
        asker->ended_ns = clock_now_ns();
        return 0;
}

static inline struct fiber *site(struct asker *asker)
{
        return fiber_spawn("site", ask, asker);
}

/* One chip, and what came of it. */
static inline struct asker ask_once(struct hall *hall, unsigned chip)
{
        struct asker asker = { .hall = hall, .first_chip = chip, .count = 1 };

        assert_int_equal(fiber_join(site(&asker)), 0);
        return asker;
}

static inline void expect_fault(const struct asker *asker, enum fault code, const char *words)
{
        if (asker->result != -(int)code || !strstr(asker->sentence, words))
                fail_msg("got %s: %s", fault_name(asker->result), asker->sentence);
}

static inline void on_fiber(int (*procedure)(void *))
{
        assert_int_equal(
                test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, (void *)(uintptr_t)test_directory()),
                0);
}
