/*
 * card_bench.c - the list of claims.c on the cards of the bench, in virtual time: what rigs E and F ask of real
 * pcscd, asked of the readers the simulated station runs on.
 *
 * A reader of the bench takes an APDU whole, so bytes are counted here, in front of it: a card pulled within
 * the command never gets it, one pulled within the answer has given it to nobody.
 */
#include "drivers/simulated/bench.h"
#include "drivers/simulated/card.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "tests/rigs/parts/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARDS 8u

enum yank { YANK_NONE, YANK_COMMAND, YANK_WORK, YANK_ANSWER };

struct yanked {
        struct reader reader; /* first */
        struct reader *inner;
        unsigned index;
        enum yank yank;
        unsigned at;
};

static struct bench *bench;
static struct card_profile profile;
static struct yanked *yanked[CARDS];

/* --- the reader ---------------------------------------------------------------------------- */

static int yank_connect(struct reader *base, uint64_t timeout_ns, uint8_t *ret_atr)
{
        return reader_connect(((struct yanked *)base)->inner, timeout_ns, ret_atr);
}

/* Every card has acted by then, in the middle of its 1 to 1.5 s, and none has answered. */
static int pull_at_work(void *subject)
{
        const struct yanked *self = subject;
        int r = fiber_sleep_ns(900 * NS_PER_MS);

        bench_card_remove(bench, self->index);
        return r;
}

static int pulled(struct yanked *self, uint8_t *answer)
{
        self->yank = YANK_NONE;
        bench_card_remove(bench, self->index);
        wipe(answer, APDU_ANSWER_MAX);
        return fault(FAULT_NO_CARD, "no card in %s", self->reader.name);
}

static int yank_transmit(struct reader *base, const void *apdu, size_t length, uint8_t *answer)
{
        struct yanked *self = (struct yanked *)base;
        bool is_license = length > CERTIFICATE_LENGTH;
        enum yank yank = is_license ? self->yank : YANK_NONE;
        struct fiber *puller = NULL;
        int r;

        if (yank == YANK_COMMAND)
                return pulled(self, answer);
        if (yank == YANK_WORK) {
                self->yank = YANK_NONE;
                puller = fiber_spawn("pull", pull_at_work, self);
        }
        r = reader_transmit(self->inner, apdu, length, answer);
        if (puller)
                IGNORE(fiber_join(puller)); /* the card is out either way */
        if (yank == YANK_ANSWER && r >= 0 && self->at < (unsigned)r)
                return pulled(self, answer);
        if (yank == YANK_ANSWER) {
                self->yank = YANK_NONE;
                bench_card_remove(bench, self->index);
        }
        return r;
}

static void yank_disconnect(struct reader *base)
{
        reader_disconnect(((struct yanked *)base)->inner);
}

static void yank_close(struct reader *base)
{
        struct yanked *self = (struct yanked *)base;

        reader_close(self->inner);
        self->inner = NULL; /* the rest is the rig's */
}

static const struct reader_operations operations = {
        .connect = yank_connect,
        .transmit = yank_transmit,
        .disconnect = yank_disconnect,
        .close = yank_close,
};

static int open_reader(unsigned index, struct reader **ret_reader)
{
        struct yanked *self = calloc(1, sizeof(*self));

        INSIST(self);
        self->inner = bench_reader(bench, index);
        self->reader = *self->inner;
        self->reader.operations = &operations;
        self->index = index;
        yanked[index] = self;
        *ret_reader = &self->reader;
        return 0;
}

/* --- the rig ------------------------------------------------------------------------------- */

static int tell(unsigned index, const char *words)
{
        struct yanked *self = yanked[index];

        if (strcmp(words, "out") == 0)
                bench_card_remove(bench, index);
        else if (strcmp(words, "in") == 0)
                bench_card_insert(bench, index);
        else if (strcmp(words, "kill") == 0)
                simulated_card_kill(bench_card(bench, index));
        else if (strcmp(words, "spent") == 0)
                return (int)simulated_card_apdus(bench_card(bench, index));
        else if (strcmp(words, "yank work") == 0)
                self->yank = YANK_WORK;
        else if (sscanf(words, "yank command %u", &self->at) == 1)
                self->yank = YANK_COMMAND;
        else if (sscanf(words, "yank answer %u", &self->at) == 1)
                self->yank = YANK_ANSWER;
        else
                return -1;
        return 0;
}

static int make_bench(void)
{
        static struct family family;
        static struct rss_profile rss;
        struct bench_card_settings cards[CARDS];
        struct bench_settings settings = { .seed = 1,
                                           .family = &family,
                                           .rss = &rss,
                                           .card_profile = &profile,
                                           .sites = 1,
                                           .cards = cards,
                                           .card_count = CARDS,
                                           .speed = 1.0 };
        int r = card_profile_load("configs/cards/reference.conf", &profile);

        if (r >= 0)
                r = family_load("configs/targets/stm32h75x.conf", &family);
        if (r >= 0)
                r = rss_profile_load("configs/rss/reference-h7.conf", &rss);
        for (unsigned i = 0; i < CARDS; i++)
                cards[i] = (struct bench_card_settings){ .counter = i == 0 ? 1 : 100,
                                                         .key = "sixteen key byte",
                                                         .nonce = "twelve nonce",
                                                         .firmware_id = "TEST_1",
                                                         .state = HSM_STATE_OPERATIONAL,
                                                         .license_ms_low = 1000,
                                                         .license_ms_high = 1500 };
        return r < 0 ? r : bench_create(&settings, &bench);
}

static int run(void *subject)
{
        const struct card_rig rig = { .name = "bench",
                                      .count = CARDS,
                                      .profile = &profile,
                                      .open = open_reader,
                                      .tell = tell,
                                      .dead_words = "within 8000 ms" };
        int r = make_bench();

        (void)subject;
        if (r < 0)
                return r;
        claims_run(&rig);
        for (unsigned i = 0; i < CARDS; i++)
                free(yanked[i]);
        bench_destroy(bench);
        return 0;
}

int main(void)
{
        const struct loop_settings settings = { .time = LOOP_TIME_VIRTUAL, .seed = 1 };
        struct loop *loop;
        int r = loop_create(&settings, &loop);

        if (r < 0)
                return 1;
        r = loop_run(loop, "claims", run, NULL);
        if (r < 0)
                printf("Bail out! %s\n", fault_sentence(r));
        loop_destroy(loop);
        return r < 0 || claims_failed() > 0;
}
