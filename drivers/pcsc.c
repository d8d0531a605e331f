/*
 * pcsc.c - one real reader: a thread, a PC/SC context, at most one session.
 *
 * PC/SC blocks, so every call of it is a job on the reader's own thread (a pool of one); the struct
 * is touched by the job while the fiber waits, never by both; the name others read is changed by
 * the fiber only. A card is waited for in slices of SLICE_MS, between which a cancel is looked at,
 * so a cancelled fiber is free again well within half a second.
 *
 * Sessions are exclusive: the card's counter must not go down for another program while ours keeps
 * the books. When pcscd goes away its handles die with it; the context is dropped and made anew at
 * the next connect. A session that ended in doubt is closed with a power cycle, so that the card
 * starts from its answer to reset.
 *
 * A reader is looked for by name again whenever it was gone, or pcscd was. The pseudo-reader for
 * hot plug is not used: with pcscd's 16 slots taken SCardGetStatusChange refuses it as one too
 * many (tests/drivers/ccid_rig.sh runs 16), and a list every SLICE_MS costs nothing.
 *
 * When an exchange fails pcscd often cannot say why: for a card pulled in the middle libccid and
 * vpcd report what they would for one that fell silent. The station tells the two apart (a chip is
 * not to blame for a pulled card), so pcscd is then given ABSENCE_MS to notice that the slot is
 * empty; it looks every 400 ms where the driver has no thread of its own for that
 * (PCSCLITE_STATUS_POLL_RATE).
 */
#include "drivers/pcsc.h"

#include "drivers/pcsc_name.h"
#include "drivers/t0.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/workers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <winscard.h>

#define SLICE_MS   200
#define ABSENCE_MS 800

/* More than 16 readers with names of 128 characters; anything longer is not pcscd's. */
#define NAMES_MAX 8192

struct pcsc_reader {
        struct reader reader; /* first */
        struct workers *workers;
        char wanted[PCSC_NAME_MAX]; /* never a slot number */
        char found[PCSC_NAME_MAX];  /* what pcscd calls it, or called it last; "" never yet */
        bool is_found;              /* it was there when pcscd was asked last */
        struct pcsc_reader *next;

        SCARDCONTEXT context;
        SCARDHANDLE card;
        DWORD protocol;
        DWORD seen; /* state of the reader, as PC/SC told it last */
        bool has_context, has_card, is_in_doubt;
};

/* Readers of this process, so that no two of them settle on one. The lock guards the list and,
 * in each of them, wanted, found and is_found against the other threads. */
static struct {
        pthread_mutex_t lock;
        struct pcsc_reader *first;
} readers = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void join_readers(struct pcsc_reader *reader)
{
        pthread_mutex_lock(&readers.lock);
        reader->next = readers.first;
        readers.first = reader;
        pthread_mutex_unlock(&readers.lock);
}

static void leave_readers(struct pcsc_reader *reader)
{
        pthread_mutex_lock(&readers.lock);
        for (struct pcsc_reader **at = &readers.first; *at; at = &(*at)->next) {
                if (*at != reader)
                        continue;
                *at = reader->next;
                break;
        }
        pthread_mutex_unlock(&readers.lock);
}

static void lose_reader(struct pcsc_reader *reader)
{
        pthread_mutex_lock(&readers.lock);
        reader->is_found = false;
        pthread_mutex_unlock(&readers.lock);
}

static const char *name_of(const struct pcsc_reader *reader)
{
        return reader->found[0] ? reader->found : reader->wanted;
}

/* --- what PC/SC says, in our words --------------------------------------------------------- */

#define START_PCSCD                                                                                \
        "pcscd does not run: start it with `systemctl start pcscd.socket` (or `pcscd` as root); "  \
        "Debian package pcscd"

enum loss {
        NOTHING,
        CONTEXT, /* pcscd is gone, or has forgotten us */
        READER,  /* to be looked for again */
        PERHAPS, /* the card may have been pulled: look */
};

struct meaning {
        LONG code;
        enum fault fault;
        enum loss loses;
        const char *words;
};

static const struct meaning meanings[] = {
        { SCARD_E_NO_SERVICE, FAULT_SYSTEM, CONTEXT, START_PCSCD },
        { SCARD_E_SERVICE_STOPPED, FAULT_SYSTEM, CONTEXT, START_PCSCD },
        { SCARD_P_SHUTDOWN, FAULT_SYSTEM, CONTEXT, START_PCSCD },
        { SCARD_F_COMM_ERROR, FAULT_SYSTEM, CONTEXT, "the connection to pcscd broke" },
        { SCARD_F_INTERNAL_ERROR, FAULT_SYSTEM, CONTEXT, "pcscd reports an internal error" },
        { SCARD_E_INVALID_HANDLE, FAULT_SYSTEM, CONTEXT, "pcscd was restarted" },
        { SCARD_W_SECURITY_VIOLATION, FAULT_SYSTEM, CONTEXT,
          "pcscd denies access: allow org.debian.pcsc-lite.access_pcsc for this user in polkit" },
        { SCARD_E_SHARING_VIOLATION, FAULT_SYSTEM, NOTHING,
          "another program uses the card: close it, the station needs the card for itself" },
        { SCARD_E_NO_MEMORY, FAULT_SYSTEM, NOTHING, "pcscd has no memory, or too many programs" },
        { SCARD_E_SERVER_TOO_BUSY, FAULT_SYSTEM, NOTHING, "pcscd is too busy" },

        { SCARD_E_NO_SMARTCARD, FAULT_NO_CARD, NOTHING, "no card in the reader" },
        { SCARD_W_REMOVED_CARD, FAULT_NO_CARD, NOTHING, "the card was taken out" },
        { SCARD_E_UNKNOWN_READER, FAULT_NO_CARD, READER, "the reader is not plugged in" },
        { SCARD_E_READER_UNAVAILABLE, FAULT_NO_CARD, READER, "the reader was unplugged" },
        { SCARD_E_NO_READERS_AVAILABLE, FAULT_NO_CARD, READER, "no reader is plugged in" },

        { SCARD_W_UNRESPONSIVE_CARD, FAULT_CARD_DEAD, PERHAPS,
          "the card does not answer to reset: is it the right way up?" },
        { SCARD_W_UNPOWERED_CARD, FAULT_CARD_DEAD, PERHAPS,
          "the card has no power: is it the right way up?" },
        { SCARD_W_RESET_CARD, FAULT_CARD_DEAD, NOTHING, "another program has reset the card" },
        { SCARD_W_UNSUPPORTED_CARD, FAULT_CARD_DEAD, NOTHING,
          "the reader does not understand the card's answer to reset" },
        { SCARD_E_PROTO_MISMATCH, FAULT_CARD_DEAD, NOTHING, "the card offers neither T=0 nor T=1" },
        { SCARD_E_NOT_TRANSACTED, FAULT_CARD_DEAD, PERHAPS, "the exchange with the card failed" },
        { SCARD_E_COMM_DATA_LOST, FAULT_CARD_DEAD, PERHAPS, "the card's answer was lost" },
        { SCARD_E_TIMEOUT, FAULT_CARD_DEAD, NOTHING, "the card gave no answer in time" },
        { SCARD_E_NOT_READY, FAULT_CARD_DEAD, NOTHING, "the reader is not ready" },
        { SCARD_E_INSUFFICIENT_BUFFER, FAULT_CARD_DEAD, NOTHING,
          "the card's answer is longer than a short APDU's" },
        { SCARD_F_WAITED_TOO_LONG, FAULT_CARD_DEAD, NOTHING, "the reader waited too long" },
        { SCARD_F_UNKNOWN_ERROR, FAULT_CARD_DEAD, NOTHING, "the reader reports an unknown error" },
        { SCARD_E_UNEXPECTED, FAULT_CARD_DEAD, NOTHING, "the card did something unexpected" },
        { SCARD_E_INVALID_ATR, FAULT_CARD_DEAD, NOTHING,
          "the card's answer to reset is not valid" },
        { SCARD_E_CARD_UNSUPPORTED, FAULT_CARD_DEAD, NOTHING, "the reader refuses this card" },
};

static const struct meaning *find_meaning(LONG code)
{
        for (unsigned i = 0; i < LENGTH_OF(meanings); i++)
                if (meanings[i].code == code)
                        return &meanings[i];
        return NULL;
}

static void drop_context(struct pcsc_reader *reader)
{
        if (reader->has_context)
                (void)SCardReleaseContext(reader->context); /* it is gone either way */
        reader->has_context = false;
        reader->has_card = false;
        lose_reader(reader); /* another pcscd may call it otherwise */
}

static int pcsc_fault(struct pcsc_reader *reader, LONG code)
{
        const struct meaning *meaning = find_meaning(code);

        if (!meaning) /* wrong arguments and things of other kinds of cards */
                return fault(FAULT_SYSTEM, "reader %s: PC/SC reports %08lX (%s)", name_of(reader),
                             (unsigned long)code, pcsc_stringify_error(code));
        if (meaning->loses == CONTEXT)
                drop_context(reader);
        if (meaning->loses == READER)
                lose_reader(reader);
        return fault(meaning->fault, "reader %s: %s", name_of(reader), meaning->words);
}

/* --- jobs: the context and its readers ----------------------------------------------------- */

static int ensure_context(struct pcsc_reader *reader)
{
        LONG r;

        if (reader->has_context)
                return 0;
        r = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &reader->context);
        if (r != SCARD_S_SUCCESS)
                return pcsc_fault(reader, r);
        reader->has_context = true;
        reader->seen = SCARD_STATE_UNAWARE;
        return 0;
}

/* Names one after the other, each ended by a zero, an empty one at the end. */
static int list_readers(struct pcsc_reader *reader, char names[static NAMES_MAX])
{
        DWORD length = NAMES_MAX - 2;
        LONG r;

        memset(names, 0, NAMES_MAX);
        r = SCardListReaders(reader->context, NULL, names, &length);
        if (r == SCARD_S_SUCCESS || r == SCARD_E_NO_READERS_AVAILABLE)
                return 0;
        return pcsc_fault(reader, r);
}

static bool is_taken(const struct pcsc_reader *reader, const char *name)
{
        for (const struct pcsc_reader *other = readers.first; other; other = other->next) {
                if (other == reader)
                        continue;
                if ((other->is_found && strcmp(other->found, name) == 0) ||
                    strcmp(other->wanted, name) == 0)
                        return true;
        }
        return false;
}

/* One of its model under another number. */
static const char *find_sibling(const struct pcsc_reader *reader, const char *names)
{
        for (const char *name = names; *name; name = pcsc_name_next(name))
                if (pcsc_name_is_same_model(name, name_of(reader)) && !is_taken(reader, name))
                        return name;
        return NULL;
}

static const char *find_again(const struct pcsc_reader *reader, const char *names)
{
        const char *name = pcsc_name_match(names, reader->wanted);

        if (!name && reader->found[0] && !is_taken(reader, reader->found))
                name = pcsc_name_match(names, reader->found);
        return name ? name : find_sibling(reader, names);
}

static void settle_on(struct pcsc_reader *reader, const char *name)
{
        if (reader->is_found && strcmp(reader->found, name) == 0)
                return;
        snprintf(reader->found, sizeof(reader->found), "%s", name);
        reader->is_found = true;
        reader->seen = SCARD_STATE_UNAWARE;
}

/* One that stands in for another is left as soon as that one is there. */
static int look_for_reader(struct pcsc_reader *reader)
{
        char names[NAMES_MAX], present[320];
        const char *name;
        int r;

        if (reader->is_found && strcmp(reader->found, reader->wanted) == 0)
                return 0;
        r = list_readers(reader, names);
        if (r < 0)
                return r;
        pthread_mutex_lock(&readers.lock);
        name = find_again(reader, names);
        if (name && strlen(name) < PCSC_NAME_MAX)
                settle_on(reader, name);
        else
                reader->is_found = false;
        pthread_mutex_unlock(&readers.lock);
        if (reader->is_found)
                return 0;
        pcsc_name_list(names, present, sizeof(present));
        return fault(FAULT_NO_CARD, "reader %s: it is not plugged in; present: %s", name_of(reader),
                     present);
}

struct opening {
        struct pcsc_reader *reader;
        const char *wanted;
};

static int open_job(void *argument)
{
        const struct opening *opening = argument;
        struct pcsc_reader *reader = opening->reader;
        char names[NAMES_MAX], present[320];
        const char *name;
        int r = ensure_context(reader);

        if (r >= 0)
                r = list_readers(reader, names);
        if (r < 0)
                return r;
        name = pcsc_name_find(names, opening->wanted);
        if (name && strlen(name) < PCSC_NAME_MAX) {
                pthread_mutex_lock(&readers.lock);
                snprintf(reader->wanted, sizeof(reader->wanted), "%s", name);
                settle_on(reader, name);
                pthread_mutex_unlock(&readers.lock);
                return 0;
        }
        pcsc_name_list(names, present, sizeof(present));
        return fault(FAULT_NOT_FOUND, "there is no one reader \"%.64s\"; present: %s",
                     opening->wanted, present);
}

static int close_job(void *argument)
{
        struct pcsc_reader *reader = argument;

        if (reader->has_context)
                (void)SCardReleaseContext(reader->context); /* nothing is left to be saved */
        reader->has_context = false;
        return 0;
}

/* --- jobs: waiting for a card -------------------------------------------------------------- */

#define GONE (SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE | SCARD_STATE_IGNORE)

struct look {
        struct pcsc_reader *reader;
        DWORD slice_ms;
        uint8_t *atr;
};

/* What stands in the reader: 1 a card, 0 none. */
static int judge_state(struct pcsc_reader *reader, DWORD state)
{
        if (state & GONE) {
                lose_reader(reader);
                return fault(FAULT_NO_CARD, "reader %s: it was unplugged", name_of(reader));
        }
        if (state & SCARD_STATE_MUTE)
                return fault(
                        FAULT_CARD_DEAD,
                        "reader %s: the card does not answer to reset: is it the right way up?",
                        name_of(reader));
        return state & SCARD_STATE_PRESENT ? 1 : 0;
}

/* Look for a card, for a slice of time at most. 1: it is there. */
static int look_for_card(struct pcsc_reader *reader, DWORD slice_ms)
{
        SCARD_READERSTATE state = { .szReader = reader->found, .dwCurrentState = reader->seen };
        LONG r = SCardGetStatusChange(reader->context, slice_ms, &state, 1);

        if (r == SCARD_E_TIMEOUT)
                return judge_state(reader, reader->seen);
        if (r != SCARD_S_SUCCESS)
                return pcsc_fault(reader, r);
        reader->seen = state.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
        return judge_state(reader, reader->seen);
}

static int read_atr(struct pcsc_reader *reader, uint8_t *ret_atr)
{
        uint8_t atr[MAX_ATR_SIZE];
        DWORD length = sizeof(atr), state = 0, protocol = 0;
        LONG r = SCardStatus(reader->card, NULL, NULL, &state, &protocol, atr, &length);

        if (r != SCARD_S_SUCCESS)
                return pcsc_fault(reader, r);
        if (length < 2 || length > ATR_MAX)
                return fault(FAULT_CARD_DEAD, "reader %s: an answer to reset of %lu bytes",
                             name_of(reader), (unsigned long)length);
        memcpy(ret_atr, atr, length);
        return (int)length;
}

static void end_session(struct pcsc_reader *reader)
{
        if (!reader->has_card)
                return;
        /* Should it fail, the session is gone all the same. */
        (void)SCardDisconnect(reader->card,
                              reader->is_in_doubt ? SCARD_UNPOWER_CARD : SCARD_LEAVE_CARD);
        reader->has_card = false;
        reader->is_in_doubt = false;
}

static int start_session(struct pcsc_reader *reader, uint8_t *ret_atr)
{
        LONG r = SCardConnect(reader->context, reader->found, SCARD_SHARE_EXCLUSIVE,
                              SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &reader->card,
                              &reader->protocol);
        int length;

        if (r != SCARD_S_SUCCESS)
                return pcsc_fault(reader, r);
        reader->has_card = true;
        length = read_atr(reader, ret_atr);
        if (length < 0)
                end_session(reader);
        return length;
}

/* One slice of connecting. 0: no card yet; else the length of its ATR. */
static int look_job(void *argument)
{
        const struct look *look = argument;
        struct pcsc_reader *reader = look->reader;
        int r;

        end_session(reader); /* one still open would keep the card from the new one */
        r = ensure_context(reader);
        if (r >= 0)
                r = look_for_reader(reader);
        if (r >= 0)
                r = look_for_card(reader, look->slice_ms);
        if (r > 0)
                r = start_session(reader, look->atr);
        return r;
}

static int disconnect_job(void *argument)
{
        end_session(argument);
        return 0;
}

/* --- jobs: talking ------------------------------------------------------------------------- */

struct transmission {
        struct pcsc_reader *reader;
        const uint8_t *apdu;
        size_t length;
        uint8_t *answer;
};

/* Has the card, or the reader, been taken away? Gives pcscd the time to notice. */
static bool is_taken_away(struct pcsc_reader *reader)
{
        SCARD_READERSTATE state = { .szReader = reader->found,
                                    .dwCurrentState = SCARD_STATE_UNAWARE };

        for (DWORD waited_ms = 0; waited_ms <= ABSENCE_MS; waited_ms += SLICE_MS) {
                LONG r = SCardGetStatusChange(reader->context, SLICE_MS, &state, 1);

                if (r == SCARD_E_UNKNOWN_READER || r == SCARD_E_READER_UNAVAILABLE)
                        return true;
                if (r == SCARD_E_TIMEOUT)
                        continue;
                if (r != SCARD_S_SUCCESS)
                        return false; /* that is told when it is asked next */
                if ((state.dwEventState & GONE) || !(state.dwEventState & SCARD_STATE_PRESENT))
                        return true;
                state.dwCurrentState = state.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
        }
        return false;
}

static int exchange_fault(struct pcsc_reader *reader, LONG code)
{
        const struct meaning *meaning = find_meaning(code);

        /* a session is open, so there was a card */
        if (code == SCARD_E_NO_SMARTCARD ||
            (meaning && meaning->loses == PERHAPS && is_taken_away(reader)))
                code = SCARD_W_REMOVED_CARD;
        return pcsc_fault(reader, code);
}

static int exchange(void *context, const uint8_t *command, size_t length, uint8_t *answer)
{
        struct pcsc_reader *reader = context;
        DWORD received = APDU_ANSWER_MAX;
        const SCARD_IO_REQUEST *protocol =
                reader->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
        LONG r = SCardTransmit(reader->card, protocol, command, length, NULL, answer, &received);

        if (r != SCARD_S_SUCCESS)
                return exchange_fault(reader, r);
        if (received >= 2 && received <= APDU_ANSWER_MAX)
                return (int)received;
        /* vpcd does so when its card is pulled */
        if (is_taken_away(reader))
                return pcsc_fault(reader, SCARD_W_REMOVED_CARD);
        return fault(FAULT_CARD_DEAD, "reader %s: an answer of %lu byte(s), a status has 2",
                     name_of(reader), (unsigned long)received);
}

/* Whatever went wrong while the card was asked, only its counter can tell what it did: the two
 * faults of card.h. A card whose pcscd went away has not fallen silent. */
static int transmit_job(void *argument)
{
        const struct transmission *t = argument;
        struct pcsc_reader *reader = t->reader;
        int r;

        if (!reader->has_card)
                return fault(FAULT_NO_CARD, "reader %s: no session is open", name_of(reader));
        if (reader->protocol == SCARD_PROTOCOL_T0)
                r = t0_transmit(exchange, reader, t->apdu, t->length, t->answer);
        else
                r = exchange(reader, t->apdu, t->length, t->answer);
        if (r >= 0)
                return r;
        reader->is_in_doubt = true;
        if (r == -FAULT_NO_CARD)
                return r;
        return fault(reader->has_context ? FAULT_CARD_DEAD : FAULT_NO_CARD, "%s",
                     fault_sentence(r));
}

/* --- on the fiber -------------------------------------------------------------------------- */

/* Others read the name between our waits. */
static void show_name(struct pcsc_reader *reader)
{
        snprintf(reader->reader.name, sizeof(reader->reader.name), "%s", name_of(reader));
}

static int pcsc_connect(struct reader *base, uint64_t timeout_ns, uint8_t *ret_atr)
{
        struct pcsc_reader *reader = (struct pcsc_reader *)base;
        uint64_t start_ns = clock_now_ns();

        reader->seen = SCARD_STATE_UNAWARE; /* so that a card that is in is told at once */
        for (;;) {
                uint64_t waited_ns = clock_now_ns() - start_ns;
                uint64_t left_ms =
                        timeout_ns > waited_ns ? (timeout_ns - waited_ns) / NS_PER_MS : 0;
                struct look look = { reader, left_ms < SLICE_MS ? left_ms : SLICE_MS, ret_atr };
                int r = workers_run(reader->workers, look_job, &look);

                show_name(reader);
                if (r > 0 || r == -FAULT_CARD_DEAD)
                        return r;
                if (left_ms == 0)
                        return r < 0 ? r : fault(FAULT_TIMEOUT, "no card in reader %s", base->name);
                /* A failure came at once; it may pass: a reader plugged in, pcscd started. */
                if (fiber_sleep_ns(r < 0 ? SLICE_MS * NS_PER_MS : 0) < 0)
                        return fault(FAULT_CANCELLED, "no longer waiting for a card in %s",
                                     base->name);
        }
}

static int pcsc_transmit(struct reader *base, const void *apdu, size_t length, uint8_t *ret_answer)
{
        struct pcsc_reader *reader = (struct pcsc_reader *)base;
        struct transmission transmission = { reader, apdu, length, ret_answer };

        return workers_run(reader->workers, transmit_job, &transmission);
}

static void pcsc_disconnect(struct reader *base)
{
        struct pcsc_reader *reader = (struct pcsc_reader *)base;

        if (reader->has_card)
                (void)workers_run(reader->workers, disconnect_job, reader);
}

static void pcsc_close(struct reader *base)
{
        struct pcsc_reader *reader = (struct pcsc_reader *)base;

        pcsc_disconnect(base);
        (void)workers_run(reader->workers, close_job, reader);
        workers_destroy(reader->workers);
        leave_readers(reader);
        free(reader);
}

static const struct reader_operations operations = {
        .connect = pcsc_connect,
        .transmit = pcsc_transmit,
        .disconnect = pcsc_disconnect,
        .close = pcsc_close,
};

/* A reader nobody has looked for yet. */
static int reader_create(const char *name, struct pcsc_reader **ret_reader)
{
        struct pcsc_reader *reader = calloc(1, sizeof(*reader));
        int r;

        INSIST(reader);
        reader->reader.operations = &operations;
        snprintf(reader->wanted, sizeof(reader->wanted), "%s", name);
        show_name(reader);
        r = workers_create("reader", 1, NULL, &reader->workers);
        if (r < 0) {
                free(reader);
                return r;
        }
        join_readers(reader);
        *ret_reader = reader;
        return 0;
}

int pcsc_reader_open(const char *name, struct reader **ret_reader)
{
        struct pcsc_reader *reader;
        int r = reader_create(name, &reader);

        if (r < 0)
                return r;
        r = workers_run(reader->workers, open_job, &(struct opening){ reader, name });
        if (r < 0) {
                pcsc_close(&reader->reader);
                return r;
        }
        show_name(reader);
        *ret_reader = &reader->reader;
        return 0;
}

int pcsc_reader_expect(const char *name, struct reader **ret_reader)
{
        struct pcsc_reader *reader;
        int r;

        if (pcsc_name_is_slot(name))
                return pcsc_reader_open(name, ret_reader);
        r = reader_create(name, &reader);
        if (r < 0)
                return r;
        *ret_reader = &reader->reader;
        return 0;
}
