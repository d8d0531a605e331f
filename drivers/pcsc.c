/*
 * pcsc.c - one real reader: a thread, a PC/SC context, at most one session.
 *
 * PC/SC blocks, so every call of it is a job on the reader's own thread (a pool of one); the struct
 * is touched by the job while the fiber waits, never by both. A card is waited for in slices of
 * SLICE_MS, between which a cancel is looked at, so a cancelled fiber is free again well within
 * half a second.
 *
 * Sessions are exclusive: the card's counter must not go down for another program while ours keeps
 * the books. When pcscd goes away its handles die with it; the context is dropped and made anew at
 * the next connect. A session that ended in doubt is closed with a power cycle, so that the card
 * starts from its answer to reset.
 *
 * pcscd serves 16 readers (PCSCLITE_MAX_READERS_CONTEXTS); a station with more needs several, each
 * with its own PCSCLITE_CSOCK_NAME.
 */
#include "drivers/pcsc.h"

#include "drivers/t0.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "scheduler/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <winscard.h>

#define SLICE_MS 200

/* More than 16 readers with names of 128 characters; anything longer is not pcscd's. */
#define NAMES_MAX 8192

struct pcsc_reader {
        struct reader reader; /* first */
        struct workers *workers;
        SCARDCONTEXT context;
        SCARDHANDLE card;
        DWORD protocol;
        DWORD seen; /* state of the reader, as PC/SC told it last */
        bool has_context, has_card, is_in_doubt;
};

/* --- what PC/SC says, in our words --------------------------------------------------------- */

#define START_PCSCD                                                                                \
        "pcscd does not run: start it with `systemctl start pcscd.socket` (or `pcscd` as root); "  \
        "Debian package pcscd"

struct meaning {
        LONG code;
        enum fault fault;
        bool loses_context; /* pcscd is gone, or has forgotten us */
        const char *words;
};

static const struct meaning meanings[] = {
        { SCARD_E_NO_SERVICE, FAULT_SYSTEM, true, START_PCSCD },
        { SCARD_E_SERVICE_STOPPED, FAULT_SYSTEM, true, START_PCSCD },
        { SCARD_P_SHUTDOWN, FAULT_SYSTEM, true, START_PCSCD },
        { SCARD_F_COMM_ERROR, FAULT_SYSTEM, true, "the connection to pcscd broke" },
        { SCARD_F_INTERNAL_ERROR, FAULT_SYSTEM, true, "pcscd reports an internal error" },
        { SCARD_E_INVALID_HANDLE, FAULT_SYSTEM, true, "pcscd was restarted" },
        { SCARD_W_SECURITY_VIOLATION, FAULT_SYSTEM, true,
          "pcscd denies access: allow org.debian.pcsc-lite.access_pcsc for this user in polkit" },
        { SCARD_E_SHARING_VIOLATION, FAULT_SYSTEM, false,
          "another program uses the card: close it, the station needs the card for itself" },
        { SCARD_E_NO_MEMORY, FAULT_SYSTEM, false, "pcscd has no memory, or too many programs" },
        { SCARD_E_SERVER_TOO_BUSY, FAULT_SYSTEM, false, "pcscd is too busy" },

        { SCARD_E_NO_SMARTCARD, FAULT_NO_CARD, false, "no card in the reader" },
        { SCARD_W_REMOVED_CARD, FAULT_NO_CARD, false, "the card was taken out" },
        { SCARD_E_UNKNOWN_READER, FAULT_NO_CARD, false, "the reader is not plugged in" },
        { SCARD_E_READER_UNAVAILABLE, FAULT_NO_CARD, false, "the reader was unplugged" },
        { SCARD_E_NO_READERS_AVAILABLE, FAULT_NO_CARD, false, "no reader is plugged in" },

        { SCARD_W_UNRESPONSIVE_CARD, FAULT_CARD_DEAD, false,
          "the card does not answer to reset: is it the right way up?" },
        { SCARD_W_UNPOWERED_CARD, FAULT_CARD_DEAD, false,
          "the card has no power: is it the right way up?" },
        { SCARD_W_RESET_CARD, FAULT_CARD_DEAD, false, "another program has reset the card" },
        { SCARD_W_UNSUPPORTED_CARD, FAULT_CARD_DEAD, false,
          "the reader does not understand the card's answer to reset" },
        { SCARD_E_PROTO_MISMATCH, FAULT_CARD_DEAD, false, "the card offers neither T=0 nor T=1" },
        { SCARD_E_NOT_TRANSACTED, FAULT_CARD_DEAD, false, "the exchange with the card failed" },
        { SCARD_E_COMM_DATA_LOST, FAULT_CARD_DEAD, false, "the card's answer was lost" },
        { SCARD_E_TIMEOUT, FAULT_CARD_DEAD, false, "the card gave no answer in time" },
        { SCARD_E_NOT_READY, FAULT_CARD_DEAD, false, "the reader is not ready" },
        { SCARD_E_INSUFFICIENT_BUFFER, FAULT_CARD_DEAD, false,
          "the card's answer is longer than a short APDU's" },
        { SCARD_F_WAITED_TOO_LONG, FAULT_CARD_DEAD, false, "the reader waited too long" },
        { SCARD_F_UNKNOWN_ERROR, FAULT_CARD_DEAD, false, "the reader reports an unknown error" },
        { SCARD_E_UNEXPECTED, FAULT_CARD_DEAD, false, "the card did something unexpected" },
        { SCARD_E_INVALID_ATR, FAULT_CARD_DEAD, false, "the card's answer to reset is not valid" },
        { SCARD_E_CARD_UNSUPPORTED, FAULT_CARD_DEAD, false, "the reader refuses this card" },
};

static int pcsc_fault(struct pcsc_reader *reader, LONG code)
{
        const char *name = reader->reader.name;

        for (unsigned i = 0; i < LENGTH_OF(meanings); i++) {
                const struct meaning *meaning = &meanings[i];

                if (meaning->code != code)
                        continue;
                if (meaning->loses_context && reader->has_context) {
                        (void)SCardReleaseContext(reader->context); /* it is gone either way */
                        reader->has_context = false;
                        reader->has_card = false;
                }
                return fault(meaning->fault, "reader %s: %s", name, meaning->words);
        }
        /* What is left are wrong arguments and things of other kinds of cards. */
        return fault(FAULT_SYSTEM, "reader %s: PC/SC reports %08lX (%s)", name, (unsigned long)code,
                     pcsc_stringify_error(code));
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

static const char *next_name(const char *name)
{
        return name + strlen(name) + 1;
}

/* "ACS ACR39U 00 00, Gemalto PC Twin Reader 01 00", cut where it gets too long. */
static void join_names(const char *names, char *text, size_t capacity)
{
        text[0] = '\0';
        for (; *names; names = next_name(names)) {
                size_t length = strlen(text);

                snprintf(text + length, capacity - length, "%s\"%.127s\"", length ? ", " : "",
                         names);
        }
}

/* The reader meant by `wanted`: a slot number from 1, a whole name, or the only one that starts so
 * (pcscd ends names with numbers that change when a reader is plugged in elsewhere). */
static const char *find_name(const char *names, const char *wanted)
{
        const char *found = NULL;
        char *end;
        unsigned long slot = strtoul(wanted, &end, 10);
        unsigned long number = 1;

        for (const char *name = names; *name; name = next_name(name), number++) {
                if (strcmp(name, wanted) == 0 || (*wanted && !*end && number == slot))
                        return name;
        }
        for (const char *name = names; *name && *wanted; name = next_name(name)) {
                if (strncmp(name, wanted, strlen(wanted)) != 0)
                        continue;
                if (found)
                        return NULL;
                found = name;
        }
        return found;
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
        name = find_name(names, opening->wanted);
        if (name && strlen(name) < sizeof(reader->reader.name)) {
                memcpy(reader->reader.name, name, strlen(name) + 1);
                return 0;
        }
        join_names(names, present, sizeof(present));
        return fault(FAULT_NOT_FOUND, "there is no one reader \"%.64s\"; present: %s",
                     opening->wanted, present[0] ? present : "none, plug one in");
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

struct look {
        struct pcsc_reader *reader;
        DWORD slice_ms;
        uint8_t *atr;
};

/* What stands in the reader: 1 a card, 0 none. */
static int judge_state(const struct pcsc_reader *reader, DWORD state)
{
        if (state & (SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE | SCARD_STATE_IGNORE))
                return fault(FAULT_NO_CARD, "reader %s: it is not plugged in", reader->reader.name);
        if (state & SCARD_STATE_MUTE)
                return fault(
                        FAULT_CARD_DEAD,
                        "reader %s: the card does not answer to reset: is it the right way up?",
                        reader->reader.name);
        return state & SCARD_STATE_PRESENT ? 1 : 0;
}

/* Look for a card, for a slice of time at most. 1: it is there. */
static int look_for_card(struct pcsc_reader *reader, DWORD slice_ms)
{
        SCARD_READERSTATE state = { .szReader = reader->reader.name,
                                    .dwCurrentState = reader->seen };
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
                             reader->reader.name, (unsigned long)length);
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
        LONG r = SCardConnect(reader->context, reader->reader.name, SCARD_SHARE_EXCLUSIVE,
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

static int exchange(void *context, const uint8_t *command, size_t length, uint8_t *answer)
{
        struct pcsc_reader *reader = context;
        DWORD received = APDU_ANSWER_MAX;
        const SCARD_IO_REQUEST *protocol =
                reader->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
        LONG r = SCardTransmit(reader->card, protocol, command, length, NULL, answer, &received);

        if (r != SCARD_S_SUCCESS)
                return pcsc_fault(reader, r);
        if (received < 2 || received > APDU_ANSWER_MAX) /* vpcd does so when its card is pulled */
                return fault(FAULT_CARD_DEAD, "reader %s: an answer of %lu byte(s), a status has 2",
                             reader->reader.name, (unsigned long)received);
        return (int)received;
}

/* Whatever went wrong while the card was asked, only its counter can tell what it did: the two
 * faults of card.h. */
static int transmit_job(void *argument)
{
        const struct transmission *t = argument;
        struct pcsc_reader *reader = t->reader;
        int r;

        if (!reader->has_card)
                return fault(FAULT_NO_CARD, "reader %s: no session is open", reader->reader.name);
        if (reader->protocol == SCARD_PROTOCOL_T0)
                r = t0_transmit(exchange, reader, t->apdu, t->length, t->answer);
        else
                r = exchange(reader, t->apdu, t->length, t->answer);
        if (r >= 0)
                return r;
        reader->is_in_doubt = true;
        return r == -FAULT_NO_CARD ? r : fault(FAULT_CARD_DEAD, "%s", fault_sentence(r));
}

/* --- on the fiber -------------------------------------------------------------------------- */

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
        free(reader);
}

static const struct reader_operations operations = {
        .connect = pcsc_connect,
        .transmit = pcsc_transmit,
        .disconnect = pcsc_disconnect,
        .close = pcsc_close,
};

int pcsc_reader_open(const char *name, struct reader **ret_reader)
{
        struct pcsc_reader *reader = calloc(1, sizeof(*reader));
        struct opening opening = { reader, name };
        int r;

        INSIST(reader);
        reader->reader.operations = &operations;
        snprintf(reader->reader.name, sizeof(reader->reader.name), "%s", name);
        r = workers_create("reader", 1, NULL, &reader->workers);
        if (r < 0) {
                free(reader);
                return r;
        }
        r = workers_run(reader->workers, open_job, &opening);
        if (r < 0) {
                pcsc_close(&reader->reader);
                return r;
        }
        *ret_reader = &reader->reader;
        return 0;
}
