/*
 * hsm.c - a conversation with one card: connect, check that it is ours, select, ask.
 *
 * Each exchange runs on a fiber of its own while the caller waits with the profile's time limit: a
 * reader that says nothing is told to stop (its fiber is cancelled) and then still waited for, as
 * its buffers are ours. An answer that comes all the same, late, is taken: it may hold a license
 * that is paid for.
 */
#include "drivers/hsm.h"

#include "drivers/apdu.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"

#include <stdio.h>

struct exchange {
        struct reader *reader;
        const struct apdu *apdu;
        uint8_t answer[APDU_ANSWER_MAX];
        bool is_done;
        struct waitlist done;
};

static int exchange_procedure(void *subject)
{
        struct exchange *exchange = subject;
        int r = reader_transmit(exchange->reader, exchange->apdu->bytes, exchange->apdu->length,
                                exchange->answer);

        exchange->is_done = true;
        waitlist_wake(&exchange->done);
        return r;
}

/* Wait for the end of the exchange; -FAULT_TIMEOUT, -FAULT_CANCELLED when that comes first. */
static int exchange_wait(struct exchange *exchange, uint64_t timeout_ns)
{
        while (!exchange->is_done) {
                int r = waitlist_wait(&exchange->done, timeout_ns);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Returns the answer's length. A cancel of the caller cuts the exchange short. */
static int exchange_run(struct exchange *exchange, unsigned timeout_ms)
{
        struct fiber *fiber = fiber_spawn("apdu", exchange_procedure, exchange);
        int waited = exchange_wait(exchange, timeout_ms * NS_PER_MS);
        int r;

        if (waited < 0)
                fiber_cancel(fiber);
        r = fiber_join(fiber);
        if (r >= 0) {
                if (waited == -FAULT_CANCELLED)
                        fiber_cancel(fiber_self()); /* reported at the next wait instead */
                return r;
        }
        if (waited == -FAULT_CANCELLED)
                return fault(FAULT_CANCELLED, "the exchange with the card in %s was cancelled",
                             reader_name(exchange->reader));
        if (waited == -FAULT_TIMEOUT && r == -FAULT_CANCELLED)
                return fault(FAULT_CARD_DEAD, "the card in %s gave no answer within %u ms",
                             reader_name(exchange->reader), timeout_ms);
        return r; /* its sentence came with the joining */
}

/* --- opening ------------------------------------------------------------------------------- */

/* A reference command set is spoken only to the card it was made for. A profile from a document or
 * from silicon may leave the ATR open; where it names one it must match as well. */
static int check_atr(const struct reader *reader, const struct card_profile *profile,
                     const uint8_t *atr, size_t length)
{
        char found[2 * ATR_MAX + 1], wanted[2 * ATR_MAX + 1];

        if (length == profile->atr_length && memcmp(atr, profile->atr, length) == 0)
                return 0;
        hex_encode(atr, length, found);
        hex_encode(profile->atr, profile->atr_length, wanted);
        if (profile->source == SOURCE_REFERENCE)
                return fault(FAULT_REFERENCE_ONLY,
                             "the card in %s has ATR %s; profile %s is a reference for the "
                             "simulator's card (%s) and not for real ones: %s",
                             reader_name(reader), found, profile->name, wanted, profile->gap);
        if (profile->atr_length == 0)
                return 0;
        return fault(FAULT_CARD_REFUSED, "the card in %s has ATR %s, profile %s is for %s",
                     reader_name(reader), found, profile->name, wanted);
}

static int select_application(struct reader *reader, const struct card_profile *profile)
{
        struct apdu apdu = apdu_select(profile);
        struct exchange exchange = { .reader = reader, .apdu = &apdu };
        int r = exchange_run(&exchange, profile->timeout_ms);

        return r < 0 ? r : apdu_parse_select(exchange.answer, (size_t)r);
}

int hsm_open(struct reader *reader, const struct card_profile *profile, uint64_t timeout_ns)
{
        uint8_t atr[ATR_MAX];
        int r = reader_connect(reader, timeout_ns, atr);

        if (r < 0)
                return r;
        r = check_atr(reader, profile, atr, (size_t)r);
        if (r >= 0)
                r = select_application(reader, profile);
        if (r < 0) {
                char sentence[512];

                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                reader_disconnect(reader);
                return fault((enum fault)(-r), "%s", sentence);
        }
        return 0;
}

/* --- asking -------------------------------------------------------------------------------- */

int hsm_info(struct reader *reader, const struct card_profile *profile, struct hsm_info *ret_info)
{
        struct apdu apdu = apdu_info(profile);
        struct exchange exchange = { .reader = reader, .apdu = &apdu };
        int r = exchange_run(&exchange, profile->timeout_ms);

        if (r >= 0)
                r = apdu_parse_info(exchange.answer, (size_t)r, ret_info);
        return r < 0 ? fault_prefix(r, "%s", reader_name(reader)) : 0;
}

int hsm_license(struct reader *reader, const struct card_profile *profile,
                const struct certificate *certificate, uint8_t ret_license[static LICENSE_LENGTH])
{
        struct apdu apdu = apdu_license(profile, certificate->bytes);
        struct exchange exchange = { .reader = reader, .apdu = &apdu };
        int r = exchange_run(&exchange, profile->timeout_ms);

        if (r >= 0)
                r = apdu_parse_license(exchange.answer, (size_t)r, ret_license);
        wipe(exchange.answer, sizeof(exchange.answer));
        return r < 0 ? fault_prefix(r, "%s", reader_name(reader)) : 0;
}
