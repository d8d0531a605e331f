/*
 * Readers of a bench: one to a card, no thread, the caller sleeps as long as the card takes.
 *
 * The card acts in the middle of its time. Pulled before, it has done nothing; pulled after, a
 * license is spent and nobody has it. A dead card is found out by the profile's time limit.
 *
 * A test may also pull the card at a byte: then bytes are counted and not time. The card acts once its
 * command is in whole and before its answer begins.
 */
#include "drivers/simulated/bench_private.h"

#include "scheduler/bytes.h"
#include "scheduler/fault.h"
#include "scheduler/loop.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define ATR_TIME (50 * NS_PER_MS) /* our estimate of power-up and answer to reset */

struct bench_reader {
        struct reader reader;
        struct bench_card *card;
        unsigned session; /* insertion it is connected to; 0: none */
};

static struct bench_reader *reader_of(struct reader *reader)
{
        return CONTAINER_OF(reader, struct bench_reader, reader);
}

static bool is_there(const struct bench_reader *reader)
{
        return reader->card->is_in && reader->session == reader->card->insertions;
}

static int no_card(const struct bench_reader *reader)
{
        return fault(FAULT_NO_CARD, "no card in %s", reader->reader.name);
}

/* Sleep while the card stays in. */
static int sleep_with_card(struct bench_reader *reader, uint64_t duration_ns)
{
        uint64_t deadline_ns = clock_now_ns() + duration_ns;

        for (;;) {
                uint64_t now_ns = clock_now_ns();
                int r;

                if (!is_there(reader))
                        return no_card(reader);
                if (now_ns >= deadline_ns)
                        return 0;
                r = waitlist_wait(&reader->card->changed, deadline_ns - now_ns);
                if (r == -FAULT_CANCELLED)
                        return r;
        }
}

static int wait_for_card(struct bench_reader *reader, uint64_t timeout_ns)
{
        uint64_t start_ns = clock_now_ns();

        while (!reader->card->is_in) {
                uint64_t waited_ns = clock_now_ns() - start_ns;
                uint64_t rest_ns = timeout_ns == WAIT_FOREVER ? WAIT_FOREVER
                                   : waited_ns < timeout_ns   ? timeout_ns - waited_ns
                                                              : 0;
                int r = waitlist_wait(&reader->card->changed, rest_ns);

                if (r == -FAULT_CANCELLED)
                        return r;
                if (r == -FAULT_TIMEOUT)
                        return fault(FAULT_TIMEOUT, "no card came into %s", reader->reader.name);
        }
        return 0;
}

/* --- trouble at a byte --------------------------------------------------------------------- */

static void pull(struct bench_card *card)
{
        card->is_in = false;
        waitlist_wake(&card->changed);
}

/* Will the card be out before `bytes` more have passed? */
static bool is_pulled_within(const struct bench_card *card, size_t bytes)
{
        return card->pull_in > 0 && card->pull_in - 1 < bytes;
}

/* So many bytes have passed, or as many as could before it came out. */
static void pass(struct bench_card *card, size_t bytes)
{
        if (card->pull_in == 0)
                return;
        if (card->pull_in - 1 > bytes) {
                card->pull_in -= (unsigned)bytes;
                return;
        }
        card->pull_in = 0;
        pull(card);
}

/* The exchange is over: `sent` bytes went to the card, `answered` came or -fault. What was planned
 * for these bytes happens. Returns the result, or that the card left before the answer was whole. */
static int settle(struct bench_reader *reader, size_t sent, int answered, uint8_t *answer)
{
        struct bench_card *card = reader->card;
        size_t length = answered > 0 ? (size_t)answered : 0;
        bool is_cut = answered >= 0 && is_pulled_within(card, sent + length);

        if (card->flip_in > 0 && (card->flip_in - 1) / 8 < length)
                answer[(card->flip_in - 1) / 8] ^= (uint8_t)(1u << (card->flip_in - 1) % 8);
        card->flip_in = 0;
        pass(card, sent + length);
        return is_cut ? no_card(reader) : answered;
}

static int bench_connect(struct reader *base, uint64_t timeout_ns, uint8_t *ret_atr)
{
        struct bench_reader *reader = reader_of(base);
        int r = wait_for_card(reader, timeout_ns);

        if (r < 0)
                return r;
        reader->session = reader->card->insertions;
        r = sleep_with_card(reader, bench_scaled(reader->card->bench, ATR_TIME));
        if (r < 0)
                return r;
        simulated_card_reset(reader->card->card);
        return settle(reader, 0, simulated_card_atr(ret_atr), ret_atr);
}

static int dead(struct bench_reader *reader)
{
        const struct card_profile *profile = simulated_card_profile(reader->card->card);
        int r = sleep_with_card(reader, profile->timeout_ms * NS_PER_MS);

        if (r < 0)
                return r;
        return fault(FAULT_CARD_DEAD, "the card in %s did not answer within %u ms",
                     reader->reader.name, profile->timeout_ms);
}

static int act(struct bench_card *card, const void *apdu, size_t length, uint8_t *ret_answer,
               uint64_t *ret_duration_ns)
{
        uint64_t entered = bench_enter();
        int r = simulated_card_apdu(card->card, apdu, length, ret_answer, ret_duration_ns);

        bench_leave(card->bench, entered);
        return r;
}

static int transmit(struct bench_reader *reader, const void *apdu, size_t length,
                    enum misfortune_license misfortune, uint8_t *ret_answer)
{
        struct bench_card *card = reader->card;
        uint64_t duration_ns = simulated_card_plan(card->card, apdu, length);
        uint64_t half_ns = duration_ns / 2;
        int r = sleep_with_card(reader, half_ns), answered;

        if (r < 0)
                return r;
        if (misfortune == LICENSE_DEAD_BEFORE)
                simulated_card_kill(card->card);
        if (misfortune == LICENSE_WRONG)
                simulated_card_mislicense(card->card);
        answered = act(card, apdu, length, ret_answer, &duration_ns);
        if (misfortune == LICENSE_DEAD_AFTER) {
                simulated_card_kill(card->card);
                answered = -1;
        }
        if (answered < 0)
                return dead(reader);
        r = sleep_with_card(reader, duration_ns > half_ns ? duration_ns - half_ns : 0);
        return r < 0 ? r : answered;
}

static int bench_transmit(struct reader *base, const void *apdu, size_t length, uint8_t *ret_answer)
{
        struct bench_reader *reader = reader_of(base);
        enum misfortune_license misfortune = LICENSE_GOOD;
        int r;

        if (!is_there(reader))
                return no_card(reader);
        if (is_pulled_within(reader->card, length))
                return settle(reader, length, 0, ret_answer); /* it never had the whole command */
        if (simulated_card_is_license(reader->card->card, apdu, length))
                misfortune = misfortune_of_license(reader->card);
        r = transmit(reader, apdu, length, misfortune, ret_answer);
        r = settle(reader, length, r, ret_answer);
        if (r < 0)
                wipe(ret_answer, APDU_ANSWER_MAX); /* it may have held a license */
        return r;
}

static void bench_disconnect(struct reader *base)
{
        reader_of(base)->session = 0;
}

static void bench_close(struct reader *base)
{
        free(reader_of(base));
}

static const struct reader_operations operations = {
        .connect = bench_connect,
        .transmit = bench_transmit,
        .disconnect = bench_disconnect,
        .close = bench_close,
};

struct reader *bench_reader(struct bench *bench, unsigned card)
{
        struct bench_reader *reader = calloc(1, sizeof(*reader));

        INSIST(reader && card < bench->settings.card_count);
        reader->reader.operations = &operations;
        reader->reader.is_simulated = true;
        snprintf(reader->reader.name, sizeof(reader->reader.name), "virtual card %u", card + 1);
        reader->card = &bench->cards[card];
        return &reader->reader;
}

void bench_card_remove(struct bench *bench, unsigned card)
{
        INSIST(card < bench->settings.card_count);
        pull(&bench->cards[card]);
}

void bench_card_pull_after(struct bench *bench, unsigned card, unsigned bytes)
{
        INSIST(card < bench->settings.card_count && bytes < UINT_MAX);
        bench->cards[card].pull_in = bytes + 1;
}

void bench_card_flip(struct bench *bench, unsigned card, unsigned bit)
{
        INSIST(card < bench->settings.card_count && bit < UINT_MAX);
        bench->cards[card].flip_in = bit + 1;
}

void bench_card_insert(struct bench *bench, unsigned card)
{
        INSIST(card < bench->settings.card_count);
        if (bench->cards[card].is_in)
                return;
        bench->cards[card].is_in = true;
        bench->cards[card].insertions++;
        simulated_card_reset(bench->cards[card].card);
        waitlist_wake(&bench->cards[card].changed);
}
