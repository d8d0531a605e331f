/*
 * desk_pace.c - how fast a card is, and when it is better left alone.
 *
 * Two things set a card aside that is neither dead nor empty: a license that took SLOW_FACTOR times
 * as long as the other cards for the same firmware and type take (and SLOW_LEAST_NS longer), and an
 * answer that is no license of its type. While it is set aside it takes a request only when no
 * other card of its kind is there. It comes back after a pause that doubles from ASIDE_FIRST_NS to
 * ASIDE_LAST_NS and begins anew with the first license that shows it has recovered.
 *
 * A wrong answer costs a license, so a card that fails FAILURES_MAX times running is not asked
 * again at all before it was taken out (desk_card.c).
 */
#include "station/desk_parts.h"

#include <stdio.h>
#include <string.h>

#define SLOW_FACTOR    3u
#define SLOW_LEAST_NS  NS_PER_S
#define ASIDE_FIRST_NS (60 * NS_PER_S)
#define ASIDE_LAST_NS  (16 * 60 * NS_PER_S)
#define AVERAGE_OF     4u
#define MINUTE_NS      (60 * NS_PER_S)
#define HOUR_NS        (PACE_MINUTES * MINUTE_NS)

/* --- pace ---------------------------------------------------------------------------------- */

static void pace_advance(struct pace *pace, uint64_t minute)
{
        uint64_t steps = minute - pace->minute;

        for (uint64_t i = 0; i < steps && i < PACE_MINUTES; i++)
                pace->made[(pace->minute + 1 + i) % PACE_MINUTES] = 0;
        pace->minute = minute;
}

static void pace_note(struct pace *pace, uint64_t took_ns)
{
        uint64_t now_ns = clock_now_ns();
        uint16_t *made;

        if (!pace->first_ns) {
                pace->first_ns = now_ns > took_ns ? now_ns - took_ns : 1;
                pace->minute = now_ns / MINUTE_NS;
                pace->average_ns = took_ns;
        }
        pace_advance(pace, now_ns / MINUTE_NS);
        made = &pace->made[pace->minute % PACE_MINUTES];
        if (*made < UINT16_MAX)
                ++*made;
        pace->average_ns = (pace->average_ns * (AVERAGE_OF - 1) + took_ns) / AVERAGE_OF;
}

/* Of the hour that ends now, or of the time since its first license where that is shorter. */
uint32_t card_per_hour(const struct card *card)
{
        struct pace pace = card->pace;
        uint64_t now_ns = clock_now_ns(), sum = 0, span_ns;

        if (!pace.first_ns)
                return 0;
        pace_advance(&pace, now_ns / MINUTE_NS);
        for (unsigned i = 0; i < PACE_MINUTES; i++)
                sum += pace.made[i];
        /* the newest minute is not over yet */
        span_ns = HOUR_NS - MINUTE_NS + now_ns % MINUTE_NS;
        if (now_ns - pace.first_ns < span_ns)
                span_ns = now_ns - pace.first_ns;
        return span_ns ? (uint32_t)((double)sum * (double)HOUR_NS / (double)span_ns) : 0;
}

void card_pace_forget(struct card *card)
{
        memset(&card->pace, 0, sizeof(card->pace));
        card->aside = ASIDE_NOT;
        card->aside_pause_ns = 0;
        card->failures = 0;
        memset(&card->balance, 0, sizeof(card->balance));
}

/* --- setting aside ------------------------------------------------------------------------- */

bool card_is_aside(const struct card *card)
{
        return card->aside != ASIDE_NOT && clock_now_ns() < card->aside_until_ns;
}

static bool is_peer(const struct card *card, const struct card *other)
{
        return other != card && (other->state == CARD_READY || other->state == CARD_BUSY) &&
               desk_card_matches(other, card->info.firmware_id, card->info.type) &&
               !card_is_aside(other);
}

bool card_has_better(const struct card *card)
{
        for (unsigned i = 0; i < card->desk->card_count; i++)
                if (is_peer(card, &card->desk->cards[i]))
                        return true;
        return false;
}

/* Mean of what the others of its kind take; 0 when there is nothing to compare with. */
static uint64_t others_take_ns(const struct card *card)
{
        uint64_t sum_ns = 0;
        unsigned count = 0;

        for (unsigned i = 0; i < card->desk->card_count; i++) {
                const struct card *other = &card->desk->cards[i];

                if (!is_peer(card, other) || !other->pace.average_ns)
                        continue;
                sum_ns += other->pace.average_ns;
                count++;
        }
        return count ? sum_ns / count : 0;
}

static uint64_t set_aside(struct card *card, enum aside why)
{
        card->aside_pause_ns = card->aside_pause_ns ? 2 * card->aside_pause_ns : ASIDE_FIRST_NS;
        if (card->aside_pause_ns > ASIDE_LAST_NS)
                card->aside_pause_ns = ASIDE_LAST_NS;
        card->aside = why;
        card->aside_until_ns = clock_now_ns() + card->aside_pause_ns;
        return card->aside_pause_ns;
}

void card_made(struct card *card, uint64_t took_ns)
{
        uint64_t others_ns = others_take_ns(card), pause_ns;

        pace_note(&card->pace, took_ns);
        card->failures = 0;
        if (!others_ns) /* it is alone: nothing says what is slow */
                return;
        if (took_ns <= SLOW_FACTOR * others_ns || took_ns - others_ns < SLOW_LEAST_NS) {
                card->aside = ASIDE_NOT;
                card->aside_pause_ns = 0;
                return;
        }
        pause_ns = set_aside(card, ASIDE_SLOW);
        snprintf(card->aside_sentence, sizeof(card->aside_sentence),
                 "a license took %.1f s, other cards for %.32s take %.1f s; left alone for %u s "
                 "while they serve",
                 (double)took_ns / (double)NS_PER_S, card->info.firmware_id,
                 (double)others_ns / (double)NS_PER_S, (unsigned)(pause_ns / NS_PER_S));
}

void card_failed(struct card *card, const char *sentence)
{
        uint64_t pause_ns = set_aside(card, ASIDE_WRONG);

        snprintf(card->aside_sentence, sizeof(card->aside_sentence),
                 "%.110s; left alone for %u s while others serve", sentence,
                 (unsigned)(pause_ns / NS_PER_S));
}
