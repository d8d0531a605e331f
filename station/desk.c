/*
 * desk.c - one queue, and a fiber a reader that serves it.
 *
 * A request is one chip, one firmware identifier and one type. It waits in a global queue; a card that is
 * free takes the first request it can serve, so the next request always goes to the card that is
 * free first, and cards that became free in turn are used in turn. Callers that ask for the same
 * chip and firmware share one request: no chip costs two licenses because its site was impatient.
 *
 * The life of a card's fiber, in two loops:
 *
 *      bring up   wait for a card, select, read who it is, reconcile it with the ledger
 *      serve      take a request; intent on disk; license from the card; license on disk; answer
 *
 * Any failure that leaves the card in doubt ends `serve`: the request goes back to the head, the
 * intent stays open, and the card is brought up again after a pause that doubles from 1 s to 30 s.
 * Reconciling then tells from the counter whether the license was lost.
 *
 * Whether anybody can still serve a request is judged by its own caller (desk_judge.c). A license
 * from a server is a request too, worked on by a fiber of its own instead of a card's
 * (desk_server.c); one from a file is in the ledger or nowhere.
 */
#include "station/desk.h"

#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "station/desk_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void desk_leave(struct desk *desk)
{
        desk->callers--;
        waitlist_wake(&desk->callers_gone);
}

#define KEEP_TRIES 3

/* The record of license.h. */
#define LICENSE_TYPE    0
#define LICENSE_VERSION 8

/* --- requests ------------------------------------------------------------------------------ */

static struct request *request_create(struct desk *desk, const struct ledger_request *wanted)
{
        struct request *request = calloc(1, sizeof(*request));

        INSIST(request);
        request->desk = desk;
        request->certificate = *wanted->certificate;
        snprintf(request->firmware_id, sizeof(request->firmware_id), "%s", wanted->firmware_id);
        snprintf(request->type, sizeof(request->type), "%s", wanted->type);
        snprintf(request->order, sizeof(request->order), "%s", wanted->order);
        snprintf(request->site, sizeof(request->site), "%s", wanted->site);
        request->ledger = (struct ledger_request){ .certificate = &request->certificate,
                                                   .firmware_id = request->firmware_id,
                                                   .type = request->type,
                                                   .order = request->order,
                                                   .site = request->site };
        request->next = desk->requests;
        desk->requests = request;
        return request;
}

/* The open request for this chip, firmware and type, wherever it is being answered. */
static struct request *request_find(struct desk *desk, const struct ledger_request *wanted)
{
        for (struct request *r = desk->requests; r; r = r->next) {
                if (!r->is_done && strcmp(r->firmware_id, wanted->firmware_id) == 0 &&
                    strcmp(r->type, wanted->type) == 0 &&
                    memcmp(r->certificate.bytes, wanted->certificate->bytes, CERTIFICATE_LENGTH) ==
                            0)
                        return r;
        }
        return NULL;
}

/* Free it once nobody waits for it and nobody works on it. */
static void request_release(struct desk *desk, struct request *request)
{
        if (request->waiters > 0 || request->is_at_work)
                return;
        desk_dequeue(desk, request);
        for (struct request **link = &desk->requests; *link; link = &(*link)->next) {
                if (*link == request) {
                        *link = request->next;
                        break;
                }
        }
        wipe(&request->license, sizeof(request->license));
        free(request);
}

static void enqueue(struct desk *desk, struct request *request, bool at_head)
{
        request->is_queued = true;
        desk->queue_length++;
        if (at_head || !desk->queue) {
                request->next_queued = desk->queue;
                desk->queue = request;
                if (!request->next_queued)
                        desk->queue_last = request;
        } else {
                request->next_queued = NULL;
                desk->queue_last->next_queued = request;
                desk->queue_last = request;
        }
        waitlist_wake(&desk->work);
}

void desk_dequeue(struct desk *desk, struct request *request)
{
        struct request *before = NULL;

        if (!request->is_queued)
                return;
        for (struct request *r = desk->queue; r != request; r = r->next_queued)
                before = r;
        if (before)
                before->next_queued = request->next_queued;
        else
                desk->queue = request->next_queued;
        if (desk->queue_last == request)
                desk->queue_last = before;
        request->is_queued = false;
        desk->queue_length--;
}

void desk_answer(struct desk *desk, struct request *request, int result)
{
        desk_dequeue(desk, request);
        request->is_at_work = false;
        request->is_done = true;
        request->result = result;
        if (result < 0)
                snprintf(request->sentence, sizeof(request->sentence), "%s",
                         fault_sentence(result));
        waitlist_wake(&request->answered);
        request_release(desk, request);
}

void desk_give_back(struct desk *desk, struct request *request)
{
        request->is_at_work = false;
        if (request->waiters > 0)
                enqueue(desk, request, true);
        else
                request_release(desk, request);
}

struct request *desk_take(struct desk *desk, const struct card *card)
{
        if (card_is_aside(card) && card_has_better(card))
                return NULL;
        for (struct request *r = desk->queue; r; r = r->next_queued) {
                if (desk_card_matches(card, r->firmware_id, r->type)) {
                        desk_dequeue(desk, r);
                        r->is_at_work = true;
                        return r;
                }
        }
        return NULL;
}

/* --- what cards and server share ------------------------------------------------------------- */

void desk_answer_from_ledger(struct desk *desk, struct request *request)
{
        int r = ledger_find(desk->ledger, &request->ledger, &request->license);

        if (r == 0)
                r = fault(FAULT_STORE, "the ledger has a license and does not find it");
        desk_answer(desk, request, r < 0 ? r : 0);
}

int desk_keep(struct desk *desk, const struct ledger_license *license)
{
        int r = ledger_store(desk->ledger, license->id, license->bytes);

        for (int tries = 1; r < 0 && tries < KEEP_TRIES; tries++) {
                if (fiber_sleep_ns(NS_PER_S) < 0)
                        continue; /* nothing is worth more than the license */
                r = ledger_store(desk->ledger, license->id, license->bytes);
        }
        return r;
}

int desk_check_license(const struct request *request, const uint8_t license[static LICENSE_LENGTH],
                       enum fault code, const char *who)
{
        char type[5];
        uint32_t version = load_le32(license + LICENSE_VERSION);

        if (!license_type(license + LICENSE_TYPE, type) || strcmp(type, request->type) != 0)
                return fault(code, "%s answered with something else than a license of type %s", who,
                             request->type);
        if (version != 1)
                return fault(code, "%s answered with license version %u, known is 1", who, version);
        return 0;
}

void desk_changed(struct desk *desk)
{
        for (struct request *r = desk->queue; r; r = r->next_queued)
                waitlist_wake(&r->answered);
        if (desk->queue)
                waitlist_wake(&desk->work); /* a card set aside may be the only one now */
        if (desk->changed)
                desk->changed(desk->changed_context);
}

/* --- asking -------------------------------------------------------------------------------- */

/* Wait for the answer, judging again whenever something changed. */
static int request_wait(struct desk *desk, struct request *request)
{
        while (!request->is_done) {
                uint64_t deadline_ns = WAIT_FOREVER, now_ns = clock_now_ns();
                int r = request->is_queued ? desk_judge(desk, request, &deadline_ns) : 0;

                if (r < 0) {
                        desk_answer(desk, request, r); /* for all who wait for it */
                        break;
                }
                r = waitlist_wait(&request->answered, deadline_ns == WAIT_FOREVER
                                                              ? WAIT_FOREVER
                                                              : deadline_ns - now_ns);
                if (r == -FAULT_CANCELLED && !request->is_done)
                        return r;
                if (r == -FAULT_CANCELLED)
                        fiber_cancel(fiber_self()); /* the answer is here; told at the next wait */
        }
        if (request->result < 0)
                return fault((enum fault)(-request->result), "%s", request->sentence);
        return 0;
}

static int desk_ask(struct desk *desk, const struct ledger_request *wanted,
                    enum license_source source, struct ledger_license *ret_license)
{
        struct request *request = request_find(desk, wanted);
        int r;

        if (!request) {
                request = request_create(desk, wanted);
                if (source == LICENSE_FROM_SERVER)
                        desk_question(desk, request);
                else
                        enqueue(desk, request, false);
        }
        request->waiters++;
        r = request_wait(desk, request);
        if (r >= 0)
                *ret_license = request->license;
        request->waiters--;
        request_release(desk, request);
        return r;
}

/* None is in hand: where is one to come from? */
static int desk_obtain(struct desk *desk, const struct ledger_request *wanted,
                       enum license_source source, struct ledger_license *ret_license)
{
        switch (source) {
        case LICENSE_FROM_CARD:
                return desk_ask(desk, wanted, source, ret_license);
        case LICENSE_FROM_SERVER:
                if (desk->is_closing)
                        return fault(FAULT_CANCELLED, "the license desk is closing");
                if (desk->server)
                        return desk_ask(desk, wanted, source, ret_license);
                return fault(FAULT_BAD_VALUE,
                             "the station has no license server; name it in the station file");
        case LICENSE_FROM_FILE:
                return fault(FAULT_NO_LICENSE,
                             "no license of type %s for %s and chip %s was imported; import it",
                             wanted->type, wanted->firmware_id, wanted->certificate->fingerprint);
        case LICENSE_GLOBAL:
                break;
        }
        INSIST(source != LICENSE_GLOBAL); /* it is for any chip: nobody is asked */
        return -FAULT_BAD_VALUE;
}

int desk_license(struct desk *desk, const struct ledger_request *request,
                 enum license_source source, struct ledger_license *ret_license)
{
        struct ledger_license license = { 0 };
        int r;

        desk->callers++;
        r = ledger_find(desk->ledger, request, &license);
        if (r == 0)
                r = desk_obtain(desk, request, source, &license);
        desk_leave(desk);
        if (r >= 0)
                *ret_license = license;
        wipe(&license, sizeof(license));
        return r < 0 ? r : 0;
}

/* --- opening, closing, looking ------------------------------------------------------------- */

int desk_open(const struct desk_settings *settings, struct desk **ret_desk)
{
        struct desk *desk = calloc(1, sizeof(*desk));

        INSIST(desk);
        desk->ledger = settings->ledger;
        desk->profile = settings->profile;
        desk->server = settings->server;
        desk->changed = settings->changed;
        desk->changed_context = settings->context;
        desk->card_count = settings->reader_count;
        desk->cards = calloc(desk->card_count ? desk->card_count : 1, sizeof(*desk->cards));
        INSIST(desk->cards);
        for (unsigned i = 0; i < desk->card_count; i++) {
                struct card *card = &desk->cards[i];

                card->desk = desk;
                card->reader = settings->readers[i];
                card->hope_until_ns = clock_now_ns() + GRACE_NS;
                snprintf(card->sentence, sizeof(card->sentence), "no card seen yet");
                card->fiber = fiber_spawn("card", desk_card_procedure, card);
        }
        *ret_desk = desk;
        return 0;
}

struct desk *desk_close(struct desk *desk)
{
        if (!desk)
                return NULL;
        desk->is_closing = true;
        for (unsigned i = 0; i < desk->card_count; i++) {
                /* A license on its way is waited for; whatever else a card does is cut short. */
                if (!desk->cards[i].is_spending)
                        fiber_cancel(desk->cards[i].fiber);
        }
        desk_changed(desk);
        for (unsigned i = 0; i < desk->card_count; i++)
                (void)fiber_join(desk->cards[i].fiber); /* it has told its card's state */
        while (desk->callers > 0)
                IGNORE(waitlist_wait(&desk->callers_gone, WAIT_FOREVER)); /* looked at again */
        for (unsigned i = 0; i < desk->card_count; i++)
                reader_close(desk->cards[i].reader);
        INSIST(!desk->requests);
        free(desk->cards);
        free(desk);
        return NULL;
}

static void show_card(const struct card *card, struct desk_card *shown)
{
        uint64_t left = card->info.counter;
        bool is_left_alone = card->state == CARD_READY && card_is_aside(card);

        *shown = (struct desk_card){ .left = card->info.counter,
                                     .maximum = card->info.maximum,
                                     .per_hour = card_per_hour(card),
                                     .balance = card->balance,
                                     .is_simulated = card->reader->is_simulated };
        if (shown->per_hour && left)
                shown->dry_us = clock_calendar_us() + left * 3600 * 1000000 / shown->per_hour;
        memcpy(shown->serial, card->info.serial, sizeof(shown->serial));
        memcpy(shown->reader, card->reader->name, sizeof(shown->reader));
        memcpy(shown->firmware_id, card->info.firmware_id, sizeof(shown->firmware_id));
        memcpy(shown->type, card->info.type, sizeof(shown->type));
        snprintf(shown->state, sizeof(shown->state), "%s", desk_card_state(card));
        memcpy(shown->sentence, is_left_alone ? card->aside_sentence : card->sentence,
               sizeof(shown->sentence));
}

unsigned desk_cards(const struct desk *desk, struct desk_card *cards, unsigned capacity)
{
        unsigned count = desk->card_count < capacity ? desk->card_count : capacity;

        for (unsigned i = 0; i < count; i++)
                show_card(&desk->cards[i], &cards[i]);
        return count;
}

unsigned desk_queue(const struct desk *desk)
{
        return desk->queue_length;
}
