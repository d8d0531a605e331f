/*
 * desk.c - one queue, and a fiber a reader that serves it.
 *
 * A request is one chip and one firmware identifier. It waits in a global queue; a card that is
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
 * Whether anybody can still serve a request is judged by its own caller, each time a card changes
 * and when a grace ends: a reader has GRACE_NS from its start, or from the loss of its card, in
 * which its requests wait for it. Issue 4 adds planning of orders that need several cards at
 * desk_judge(), and licenses from elsewhere (a server, files) beside the first look into the ledger
 * in desk_license().
 */
#include "station/desk.h"

#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "station/desk_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A caller's view of the desk must not outlive it: desk_close waits for the last one. */
static void caller_leave(struct desk *desk)
{
        desk->callers--;
        waitlist_wake(&desk->callers_gone);
}

/* --- requests ------------------------------------------------------------------------------ */

static struct request *request_create(struct desk *desk, const struct ledger_request *wanted)
{
        struct request *request = calloc(1, sizeof(*request));

        INSIST(request);
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

/* The open request for this chip and firmware, in the queue or in a card. */
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

/* Free it once nobody waits for it and no card works on it. */
static void request_release(struct desk *desk, struct request *request)
{
        if (request->waiters > 0 || request->is_in_card)
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
        request->is_in_card = false;
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
        request->is_in_card = false;
        if (request->waiters > 0)
                enqueue(desk, request, true);
        else
                request_release(desk, request);
}

struct request *desk_take(struct desk *desk, const char *firmware_id)
{
        for (struct request *r = desk->queue; r; r = r->next_queued) {
                if (strcmp(r->firmware_id, firmware_id) == 0) {
                        desk_dequeue(desk, r);
                        r->is_in_card = true;
                        return r;
                }
        }
        return NULL;
}

/* --- judging: can anybody still serve it --------------------------------------------------- */

/* What the cards without hope would have been for a request. */
struct verdict {
        bool has_dead, has_pulled, has_empty, has_other;
        char names[320]; /* "0102030405060708 empty, ..." */
};

static void verdict_add(struct verdict *verdict, const struct card *card)
{
        size_t length = strlen(verdict->names);

        snprintf(verdict->names + length, sizeof(verdict->names) - length, "%s%s %s",
                 length ? ", " : "", card->info.serial[0] ? card->info.serial : card->reader->name,
                 desk_state_name(card->state));
        if (card->state == CARD_READY || card->state == CARD_BUSY)
                snprintf(verdict->names + strlen(verdict->names),
                         sizeof(verdict->names) - strlen(verdict->names), " with %s",
                         card->info.firmware_id);
}

/* Could this card serve the request, now or within its grace? Sets when that is to be asked again.
 */
static bool card_gives_hope(const struct card *card, const struct request *request,
                            uint64_t *deadline_ns)
{
        bool may_match = !card->info.firmware_id[0] ||
                         strcmp(card->info.firmware_id, request->firmware_id) == 0;

        switch (card->state) {
        case CARD_READY:
        case CARD_BUSY:
                return may_match;
        case CARD_ABSENT:
        case CARD_DEAD:
                if (clock_now_ns() >= card->hope_until_ns)
                        return false;
                if (card->hope_until_ns < *deadline_ns)
                        *deadline_ns = card->hope_until_ns;
                return true; /* another card may be put in its place */
        case CARD_EMPTY:
        case CARD_WRONG:
                return false;
        }
        return false;
}

static void card_blame(const struct card *card, const struct request *request,
                       struct verdict *verdict)
{
        bool matches = strcmp(card->info.firmware_id, request->firmware_id) == 0;
        bool is_unknown = card->info.firmware_id[0] == '\0';

        verdict_add(verdict, card);
        if (card->state == CARD_DEAD && (matches || is_unknown))
                verdict->has_dead = true;
        else if (card->state == CARD_ABSENT && matches)
                verdict->has_pulled = true;
        else if (card->state == CARD_EMPTY && matches)
                verdict->has_empty = true;
        else if (card->state != CARD_ABSENT)
                verdict->has_other = true;
}

static int verdict_fault(const struct verdict *verdict, const struct request *request)
{
        const char *id = request->firmware_id;

        if (verdict->has_dead)
                return fault(FAULT_CARD_DEAD, "no card for %s answers any more (%s)", id,
                             verdict->names);
        if (verdict->has_empty && !verdict->has_pulled)
                return fault(FAULT_CARD_EMPTY, "no licenses are left for %s (%s); add a card", id,
                             verdict->names);
        if (verdict->has_other && !verdict->has_pulled)
                return fault(FAULT_WRONG_CARD, "no card holds %s (%s); put the right one in", id,
                             verdict->names);
        return fault(FAULT_NO_CARD, "there is no card for %s (%s); put one in", id,
                     verdict->names[0] ? verdict->names : "the station has no reader");
}

/* 0 while there is hope, and until when that stands; else the fault. */
static int desk_judge(const struct desk *desk, const struct request *request,
                      uint64_t *ret_deadline_ns)
{
        struct verdict verdict = { 0 };
        bool has_hope = false;

        *ret_deadline_ns = WAIT_FOREVER;
        if (desk->is_closing)
                return fault(FAULT_CANCELLED, "the license desk is closing");
        for (unsigned i = 0; i < desk->card_count; i++) {
                if (card_gives_hope(&desk->cards[i], request, ret_deadline_ns))
                        has_hope = true;
                else
                        card_blame(&desk->cards[i], request, &verdict);
        }
        return has_hope ? 0 : verdict_fault(&verdict, request);
}

void desk_changed(struct desk *desk)
{
        for (struct request *r = desk->queue; r; r = r->next_queued)
                waitlist_wake(&r->answered);
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
                    struct ledger_license *ret_license)
{
        struct request *request = request_find(desk, wanted);
        int r;

        if (!request) {
                request = request_create(desk, wanted);
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

int desk_license(struct desk *desk, const struct ledger_request *request,
                 enum license_source source, struct ledger_license *ret_license)
{
        struct ledger_license license = { 0 };
        int r;

        INSIST(source == LICENSE_FROM_CARD);
        desk->callers++;
        r = ledger_find(desk->ledger, request, &license);
        if (r == 0)
                r = desk_ask(desk, request, &license);
        caller_leave(desk);
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

const char *desk_state_name(enum card_state state)
{
        switch (state) {
        case CARD_ABSENT:
                return "absent";
        case CARD_READY:
                return "ready";
        case CARD_BUSY:
                return "busy";
        case CARD_DEAD:
                return "dead";
        case CARD_EMPTY:
                return "empty";
        case CARD_WRONG:
                return "wrong";
        }
        return "";
}

unsigned desk_cards(const struct desk *desk, struct desk_card *cards, unsigned capacity)
{
        unsigned count = desk->card_count < capacity ? desk->card_count : capacity;

        for (unsigned i = 0; i < count; i++) {
                const struct card *card = &desk->cards[i];

                cards[i] = (struct desk_card){ .left = card->info.counter,
                                               .maximum = card->info.maximum,
                                               .is_simulated = card->reader->is_simulated };
                memcpy(cards[i].serial, card->info.serial, sizeof(cards[i].serial));
                memcpy(cards[i].reader, card->reader->name, sizeof(cards[i].reader));
                memcpy(cards[i].firmware_id, card->info.firmware_id, sizeof(cards[i].firmware_id));
                snprintf(cards[i].state, sizeof(cards[i].state), "%s",
                         desk_state_name(card->state));
                memcpy(cards[i].sentence, card->sentence, sizeof(cards[i].sentence));
        }
        return count;
}

unsigned desk_queue(const struct desk *desk)
{
        return desk->queue_length;
}
