/* The PC/SC reader against a PC/SC of our own: this program defines the functions of libpcsclite it
 * calls, so pcscd's every mood can be had. tests/drivers/pcsc_rig.sh runs the real pcscd. */
#include "tests/support/test.h"

#include "drivers/pcsc.h"
#include "drivers/pcsc_name.h"
#include "drivers/t0.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <winscard.h>

/* --- a PC/SC of our own -------------------------------------------------------------------- */

/* Looked at from the reader's thread while the test changes it. */
static struct {
        _Atomic LONG establish, list, connect, transmit; /* what each answers */
        atomic_bool is_present, is_mute, is_unplugged, pulls_at_transmit, is_speechless;
        atomic_ulong context, session; /* handles in force; 0 none */
        atomic_uint contexts, sessions;
        atomic_uint left_powered, unpowered;
        DWORD protocol, share;
        const char *_Atomic names;
        atomic_size_t names_length;
        char connected[PCSC_NAME_MAX]; /* to whom last */
        pthread_t thread;              /* that called us first */
        atomic_bool has_thread, is_foreign;
        const uint8_t (*script)[4]; /* for T=0: answers in turn */
        uint8_t sent[8][APDU_MAX];
        size_t sent_length[8];
        unsigned sends;
} pcsc;

static const char two_names[] = "ACS ACR39U ICC Reader 00 00\0Gemalto PC Twin Reader 01 00\0";

static void pcsc_show(const char *names, size_t length)
{
        pcsc.names_length = length;
        pcsc.names = names;
}

static void pcsc_fresh(void)
{
        memset(&pcsc, 0, sizeof(pcsc));
        pcsc.is_present = true;
        pcsc.protocol = SCARD_PROTOCOL_T1;
        pcsc_show(two_names, sizeof(two_names));
}

/* Every call must come from one and the same thread, and not from the loop's. */
static void note_thread(void)
{
        if (!atomic_exchange(&pcsc.has_thread, true))
                pcsc.thread = pthread_self();
        else if (!pthread_equal(pcsc.thread, pthread_self()))
                pcsc.is_foreign = true;
}

LONG SCardEstablishContext(DWORD scope, LPCVOID reserved1, LPCVOID reserved2,
                           LPSCARDCONTEXT context)
{
        (void)reserved1;
        (void)reserved2;
        note_thread();
        assert_int_equal(scope, SCARD_SCOPE_SYSTEM);
        if (pcsc.establish)
                return pcsc.establish;
        pcsc.context = 100 + ++pcsc.contexts;
        *context = (SCARDCONTEXT)pcsc.context;
        return SCARD_S_SUCCESS;
}

LONG SCardReleaseContext(SCARDCONTEXT context)
{
        note_thread();
        if ((unsigned long)context != pcsc.context)
                return SCARD_E_INVALID_HANDLE;
        pcsc.context = 0;
        pcsc.session = 0;
        return SCARD_S_SUCCESS;
}

LONG SCardListReaders(SCARDCONTEXT context, LPCSTR groups, LPSTR readers, LPDWORD length)
{
        (void)groups;
        note_thread();
        assert_int_equal(context, pcsc.context);
        if (pcsc.list)
                return pcsc.list;
        if (*length < pcsc.names_length)
                return SCARD_E_INSUFFICIENT_BUFFER;
        memcpy(readers, pcsc.names, pcsc.names_length);
        *length = pcsc.names_length;
        return SCARD_S_SUCCESS;
}

static DWORD state_now(void)
{
        if (!pcsc.is_present)
                return SCARD_STATE_EMPTY;
        return SCARD_STATE_PRESENT | (pcsc.is_mute ? SCARD_STATE_MUTE : 0);
}

LONG SCardGetStatusChange(SCARDCONTEXT context, DWORD timeout_ms, SCARD_READERSTATE *states,
                          DWORD count)
{
        note_thread();
        assert_int_equal(count, 1);
        assert_true(timeout_ms <= 200);
        for (DWORD ms = 0;; ms += 5) {
                if ((unsigned long)context != pcsc.context)
                        return SCARD_E_INVALID_HANDLE;
                if (pcsc.establish)
                        return pcsc.establish;
                if (pcsc.is_unplugged || pcsc_name_match(pcsc.names, states->szReader) == NULL)
                        return SCARD_E_UNKNOWN_READER;
                if (states->dwCurrentState != state_now()) {
                        states->dwEventState = state_now() | SCARD_STATE_CHANGED;
                        return SCARD_S_SUCCESS;
                }
                if (ms >= timeout_ms)
                        return SCARD_E_TIMEOUT;
                usleep(5000);
        }
}

LONG SCardConnect(SCARDCONTEXT context, LPCSTR name, DWORD share, DWORD protocols,
                  LPSCARDHANDLE card, LPDWORD protocol)
{
        note_thread();
        assert_int_equal(context, pcsc.context);
        snprintf(pcsc.connected, sizeof(pcsc.connected), "%s", name);
        assert_int_equal(protocols, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1);
        pcsc.share = share;
        if (pcsc.connect)
                return pcsc.connect;
        pcsc.session = 500 + ++pcsc.sessions;
        *card = (SCARDHANDLE)pcsc.session;
        *protocol = pcsc.protocol;
        return SCARD_S_SUCCESS;
}

LONG SCardStatus(SCARDHANDLE card, LPSTR name, LPDWORD name_length, LPDWORD state, LPDWORD protocol,
                 LPBYTE atr, LPDWORD atr_length)
{
        (void)name;
        (void)name_length;
        note_thread();
        assert_int_equal(card, pcsc.session);
        *state = SCARD_SPECIFIC;
        *protocol = pcsc.protocol;
        memcpy(atr, "\x3B\x02\x47\x57", 4);
        *atr_length = 4;
        return SCARD_S_SUCCESS;
}

LONG SCardDisconnect(SCARDHANDLE card, DWORD disposition)
{
        note_thread();
        if ((unsigned long)card != pcsc.session)
                return SCARD_E_INVALID_HANDLE;
        pcsc.left_powered += disposition == SCARD_LEAVE_CARD;
        pcsc.unpowered += disposition == SCARD_UNPOWER_CARD;
        pcsc.session = 0;
        return SCARD_S_SUCCESS;
}

const SCARD_IO_REQUEST g_rgSCardT0Pci = { SCARD_PROTOCOL_T0, sizeof(SCARD_IO_REQUEST) };
const SCARD_IO_REQUEST g_rgSCardT1Pci = { SCARD_PROTOCOL_T1, sizeof(SCARD_IO_REQUEST) };

/* Echoes, or plays the script: a count of data bytes 0, 1, 2 ..., then the status. */
LONG SCardTransmit(SCARDHANDLE card, const SCARD_IO_REQUEST *protocol, LPCBYTE apdu, DWORD length,
                   SCARD_IO_REQUEST *received, LPBYTE answer, LPDWORD answer_length)
{
        (void)received;
        note_thread();
        assert_int_equal(protocol->dwProtocol, pcsc.protocol);
        if (pcsc.pulls_at_transmit)
                pcsc.is_present = false;
        if (pcsc.is_speechless)
                *answer_length = 0;
        if (pcsc.transmit || pcsc.is_speechless)
                return pcsc.transmit;
        if ((unsigned long)card != pcsc.session)
                return SCARD_E_INVALID_HANDLE;
        if (pcsc.script) {
                const uint8_t *next = pcsc.script[pcsc.sends];

                memcpy(pcsc.sent[pcsc.sends], apdu, length);
                pcsc.sent_length[pcsc.sends++] = length;
                for (unsigned i = 0; i < next[0]; i++)
                        answer[i] = (uint8_t)(next[1] + i);
                memcpy(answer + next[0], next + 2, 2);
                *answer_length = next[0] + 2u;
                return SCARD_S_SUCCESS;
        }
        assert_true(*answer_length >= length);
        memcpy(answer, apdu, length);
        *answer_length = length;
        return SCARD_S_SUCCESS;
}

const char *pcsc_stringify_error(const LONG error)
{
        (void)error;
        return "its own words";
}

/* --- opening ------------------------------------------------------------------------------- */

static int on_real_time(int (*procedure)(void *))
{
        int r;

        pcsc_fresh();
        r = test_on_fiber(LOOP_TIME_REAL, 0, procedure, NULL);
        assert_false(pcsc.is_foreign);
        return r;
}

static struct reader *opened(void)
{
        struct reader *reader;

        assert_int_equal(pcsc_reader_open("1", &reader), 0);
        assert_string_equal(reader_name(reader), two_names);
        assert_false(reader->is_simulated);
        return reader;
}

static int names(void *subject)
{
        static const char *const good[][2] = { { "1", "ACS ACR39U ICC Reader 00 00" },
                                               { "2", "Gemalto PC Twin Reader 01 00" },
                                               { "Gemalto", "Gemalto PC Twin Reader 01 00" },
                                               { "Gemalto PC Twin Reader 01 00",
                                                 "Gemalto PC Twin Reader 01 00" } };
        static const char *const bad[] = { "0", "3", "-1", "", "Gem PC", "1x" };
        struct reader *reader;

        (void)subject;
        for (unsigned i = 0; i < LENGTH_OF(good); i++) {
                assert_int_equal(pcsc_reader_open(good[i][0], &reader), 0);
                assert_string_equal(reader_name(reader), good[i][1]);
                assert_null(reader_close(reader));
                pcsc.has_thread = false; /* each reader has a thread of its own */
        }
        for (unsigned i = 0; i < LENGTH_OF(bad); i++) {
                assert_fault(pcsc_reader_open(bad[i], &reader), NOT_FOUND,
                             "present: \"ACS ACR39U ICC Reader 00 00\", \"Gemalto PC Twin");
                pcsc.has_thread = false;
        }
        pcsc_show("Twin 00\0Twin 01\0", 17);
        assert_fault(pcsc_reader_open("Twin", &reader), NOT_FOUND, "\"Twin 00\", \"Twin 01\"");
        pcsc.has_thread = false;
        pcsc.list = SCARD_E_NO_READERS_AVAILABLE;
        assert_fault(pcsc_reader_open("1", &reader), NOT_FOUND, "present: none");
        assert_int_equal(pcsc.context, 0); /* nothing is left open */
        return 0;
}

static void a_reader_is_found_by_name_or_slot(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(names), 0);
}

static int no_service(void *subject)
{
        struct reader *reader;

        (void)subject;
        pcsc.establish = SCARD_E_NO_SERVICE;
        assert_fault(pcsc_reader_open("1", &reader), SYSTEM, "systemctl start pcscd.socket");
        pcsc.has_thread = false;
        pcsc.establish = SCARD_W_SECURITY_VIOLATION;
        assert_fault(pcsc_reader_open("1", &reader), SYSTEM, "polkit");
        return 0;
}

static void without_pcscd_the_sentence_says_how_to_start_it(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(no_service), 0);
}

/* --- a session ----------------------------------------------------------------------------- */

static int session(void *subject)
{
        struct reader *reader = opened();
        uint8_t atr[ATR_MAX], answer[APDU_ANSWER_MAX];

        (void)subject;
        assert_fault(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), NO_CARD,
                     "no session");
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        assert_memory_equal(atr, "\x3B\x02\x47\x57", 4);
        assert_int_equal(pcsc.share, SCARD_SHARE_EXCLUSIVE);
        assert_int_equal(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), 5);
        assert_memory_equal(answer, "\x80\x10\x00\x00\x00", 5);
        reader_disconnect(reader);
        reader_disconnect(reader);
        assert_int_equal(pcsc.left_powered, 1);
        assert_int_equal(pcsc.unpowered, 0);
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        reader_close(reader);
        assert_int_equal(pcsc.left_powered, 2);
        assert_int_equal(pcsc.context, 0);
        return 0;
}

static void a_session_is_exclusive_and_leaves_the_card_powered(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(session), 0);
}

/* what SCardTransmit says, the fault, words */
static const struct {
        LONG code;
        enum fault fault;
        const char *words;
} failures[] = {
        { SCARD_W_REMOVED_CARD, FAULT_NO_CARD, "the card was taken out" },
        { SCARD_E_NO_SMARTCARD, FAULT_NO_CARD, "the card was taken out" },
        { SCARD_E_READER_UNAVAILABLE, FAULT_NO_CARD, "unplugged" },
        { SCARD_W_UNRESPONSIVE_CARD, FAULT_CARD_DEAD, "right way up" },
        { SCARD_W_UNPOWERED_CARD, FAULT_CARD_DEAD, "no power" },
        { SCARD_W_RESET_CARD, FAULT_CARD_DEAD, "another program has reset" },
        { SCARD_E_NOT_TRANSACTED, FAULT_CARD_DEAD, "exchange with the card failed" },
        { SCARD_E_COMM_DATA_LOST, FAULT_CARD_DEAD, "lost" },
        { SCARD_E_INSUFFICIENT_BUFFER, FAULT_CARD_DEAD, "longer" },
        { SCARD_F_COMM_ERROR, FAULT_NO_CARD, "connection to pcscd broke" },
        { SCARD_E_NO_SERVICE, FAULT_NO_CARD, "pcscd does not run" },
        { SCARD_E_INVALID_HANDLE, FAULT_NO_CARD, "pcscd was restarted" },
        { SCARD_E_DIR_NOT_FOUND, FAULT_CARD_DEAD, "80100023 (its own words)" },
};

static int failing(void *subject)
{
        struct reader *reader = opened();
        uint8_t atr[ATR_MAX], answer[APDU_ANSWER_MAX];

        (void)subject;
        for (unsigned i = 0; i < LENGTH_OF(failures); i++) {
                int r;

                assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
                pcsc.transmit = failures[i].code;
                r = reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer);
                assert_int_equal(r, -(int)failures[i].fault);
                assert_non_null(strstr(fault_sentence(r), failures[i].words));
                assert_non_null(strstr(fault_sentence(r), "reader ACS ACR39U ICC Reader 00 00: "));
                pcsc.transmit = SCARD_S_SUCCESS;
                reader_disconnect(reader);
        }
        assert_int_equal(pcsc.left_powered, 0); /* in doubt: each began with a cold reset again */
        assert_int_equal(pcsc.unpowered, LENGTH_OF(failures) - 3); /* 3 lost the context */
        assert_int_equal(pcsc.contexts, 1 + 3);
        reader_close(reader);
        return 0;
}

static void every_failure_has_its_fault_and_words(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(failing), 0);
}

/* --- waiting ------------------------------------------------------------------------------- */

static int waiting(void *subject)
{
        struct reader *reader = opened();
        uint8_t atr[ATR_MAX];
        uint64_t start_ns = clock_now_ns();

        (void)subject;
        pcsc.is_present = false;
        assert_fault(reader_connect(reader, 300 * NS_PER_MS, atr), TIMEOUT,
                     "no card in reader ACS");
        assert_true(clock_now_ns() - start_ns >= 299 * NS_PER_MS);
        pcsc.is_unplugged = true;
        assert_fault(reader_connect(reader, 10 * NS_PER_MS, atr), NO_CARD, "not plugged in");
        pcsc.is_unplugged = false;
        pcsc.is_present = true;
        pcsc.is_mute = true;
        assert_fault(reader_connect(reader, WAIT_FOREVER, atr), CARD_DEAD, "right way up");
        pcsc.is_mute = false;
        pcsc.connect = SCARD_E_SHARING_VIOLATION;
        assert_fault(reader_connect(reader, 10 * NS_PER_MS, atr), SYSTEM, "another program");
        pcsc.connect = SCARD_E_PROTO_MISMATCH;
        assert_fault(reader_connect(reader, WAIT_FOREVER, atr), CARD_DEAD, "neither T=0 nor T=1");
        pcsc.connect = SCARD_S_SUCCESS;
        assert_int_equal(reader_connect(reader, WAIT_FOREVER, atr), 4);
        reader_close(reader);
        return 0;
}

static void connecting_waits_no_longer_than_told(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(waiting), 0);
}

static int connect_forever(void *subject)
{
        uint8_t atr[ATR_MAX];

        return reader_connect(subject, WAIT_FOREVER, atr);
}

static int inserting(void *subject)
{
        struct reader *reader = opened();
        struct fiber *fiber;
        uint64_t start_ns;

        (void)subject;
        pcsc.is_present = false;
        fiber = fiber_spawn("connect", connect_forever, reader);
        IGNORE(fiber_sleep_ns(250 * NS_PER_MS));
        assert_false(fiber_has_ended(fiber));
        pcsc.is_present = true;
        assert_int_equal(fiber_join(fiber), 4);
        reader_disconnect(reader);

        pcsc.is_present = false;
        fiber = fiber_spawn("connect", connect_forever, reader);
        IGNORE(fiber_sleep_ns(250 * NS_PER_MS));
        start_ns = clock_now_ns();
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), -FAULT_CANCELLED);
        assert_true(clock_now_ns() - start_ns < 500 * NS_PER_MS);
        reader_close(reader);
        return 0;
}

static void an_insertion_ends_the_wait_and_so_does_a_cancel(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(inserting), 0);
}

static int restarting(void *subject)
{
        struct reader *reader = opened();
        struct fiber *fiber;
        uint8_t atr[ATR_MAX], answer[APDU_ANSWER_MAX];

        (void)subject;
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        pcsc.context = pcsc.session = 0; /* pcscd dies ... */
        pcsc.establish = SCARD_E_NO_SERVICE;
        assert_fault(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), NO_CARD,
                     "pcscd was restarted");
        reader_disconnect(reader);
        assert_fault(reader_connect(reader, 10 * NS_PER_MS, atr), SYSTEM, "pcscd does not run");
        fiber = fiber_spawn("connect", connect_forever, reader);
        IGNORE(fiber_sleep_ns(250 * NS_PER_MS));
        assert_false(fiber_has_ended(fiber));
        pcsc.establish = SCARD_S_SUCCESS; /* ... and comes back */
        assert_int_equal(fiber_join(fiber), 4);
        assert_int_equal(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), 5);
        reader_close(reader);
        return 0;
}

static void a_restart_of_pcscd_is_survived(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(restarting), 0);
}

/* --- readers that come and go --------------------------------------------------------------- */

static const char one_name[] = "Gemalto PC Twin Reader 00 00\0";
static const char renumbered[] = "Gemalto PC Twin Reader 00 00\0ACS ACR39U ICC Reader 01 00\0";

static const char both[] = "ACS ACR39U ICC Reader 01 00\0ACS ACR39U ICC Reader 00 00\0";

static int expecting(void *subject)
{
        struct reader *reader;
        struct fiber *fiber;
        uint8_t atr[ATR_MAX];

        (void)subject;
        pcsc.establish = SCARD_E_NO_SERVICE;
        assert_int_equal(pcsc_reader_expect("ACS ACR39U", &reader), 0);
        assert_string_equal(reader_name(reader), "ACS ACR39U");
        assert_fault(reader_connect(reader, 10 * NS_PER_MS, atr), SYSTEM, "pcscd does not run");
        pcsc_show(one_name, sizeof(one_name));
        pcsc.establish = SCARD_S_SUCCESS;
        assert_fault(reader_connect(reader, 10 * NS_PER_MS, atr), NO_CARD,
                     "reader ACS ACR39U: it is not plugged in; present: \"Gemalto");
        pcsc_show("\0", 1);
        assert_fault(reader_connect(reader, 10 * NS_PER_MS, atr), NO_CARD, "present: none");
        fiber = fiber_spawn("connect", connect_forever, reader);
        IGNORE(fiber_sleep_ns(100 * NS_PER_MS));
        assert_false(fiber_has_ended(fiber));
        pcsc_show(two_names, sizeof(two_names));
        assert_int_equal(fiber_join(fiber), 4);
        assert_string_equal(pcsc.connected, "ACS ACR39U ICC Reader 00 00");
        assert_string_equal(reader_name(reader), "ACS ACR39U ICC Reader 00 00");
        reader_close(reader);
        return 0;
}

static void an_expected_reader_may_come_later_than_pcscd_and_the_station(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(expecting), 0);
}

static int slot_expected(void *subject)
{
        struct reader *reader;

        (void)subject;
        assert_fault(pcsc_reader_expect("3", &reader), NOT_FOUND, "present: \"ACS");
        return 0;
}

static void a_slot_number_needs_its_reader(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(slot_expected), 0);
}

static int renumbering(void *subject)
{
        struct reader *reader;
        uint8_t atr[ATR_MAX];

        (void)subject;
        assert_int_equal(pcsc_reader_expect("ACS ACR39U ICC Reader 00 00", &reader), 0);
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        pcsc_show(one_name, sizeof(one_name)); /* pulled out with its session ... */
        pcsc.session = 0;
        assert_fault(reader_connect(reader, 10 * NS_PER_MS, atr), NO_CARD, "not plugged in");
        pcsc_show(renumbered, sizeof(renumbered)); /* ... and counted anew */
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        assert_string_equal(pcsc.connected, "ACS ACR39U ICC Reader 01 00");
        assert_string_equal(reader_name(reader), "ACS ACR39U ICC Reader 01 00");
        reader_disconnect(reader);
        pcsc_show(both, sizeof(both)); /* its own name is better */
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        assert_string_equal(reader_name(reader), "ACS ACR39U ICC Reader 00 00");
        pcsc_show(renumbered, sizeof(renumbered));
        pcsc.context = pcsc.session = 0; /* pcscd restarts and counts from 0 again */
        pcsc_show(two_names, sizeof(two_names));
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        assert_string_equal(reader_name(reader), "ACS ACR39U ICC Reader 00 00");
        reader_close(reader);
        return 0;
}

static void a_reader_is_found_again_under_another_number(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(renumbering), 0);
}

static int wanted_by_two(void *subject)
{
        struct reader *here, *other;
        uint8_t atr[ATR_MAX];

        (void)subject;
        assert_int_equal(pcsc_reader_expect("ACS ACR39U ICC Reader 00 00", &here), 0);
        assert_int_equal(pcsc_reader_expect("ACS ACR39U ICC Reader 01 00", &other), 0);
        pcsc_show(renumbered, sizeof(renumbered));
        assert_fault(reader_connect(here, 10 * NS_PER_MS, atr), NO_CARD, "not plugged in");
        reader_close(other);
        assert_int_equal(reader_connect(here, NS_PER_S, atr), 4); /* nobody else wants it now */
        reader_close(here);
        return 0;
}

static void no_reader_takes_one_that_another_wants_by_name(void **state)
{
        (void)state;
        pcsc_fresh();
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 0, wanted_by_two, NULL), 0);
}

static int pulling(void *subject)
{
        struct reader *reader = opened();
        uint8_t atr[ATR_MAX], answer[APDU_ANSWER_MAX];

        (void)subject;
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        pcsc.transmit = SCARD_E_NOT_TRANSACTED;
        assert_fault(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), CARD_DEAD,
                     "exchange with the card failed");
        pcsc.pulls_at_transmit = true;
        assert_fault(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), NO_CARD,
                     "the card was taken out");
        pcsc.is_present = true;
        pcsc.transmit = SCARD_S_SUCCESS; /* as vpcd: success, and not a byte */
        pcsc.is_speechless = true;
        assert_fault(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), NO_CARD,
                     "the card was taken out");
        pcsc.pulls_at_transmit = false;
        pcsc.is_present = true;
        assert_fault(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), CARD_DEAD,
                     "an answer of 0 byte(s)");
        reader_close(reader);
        return 0;
}

static void a_pulled_card_is_told_from_one_that_fell_silent(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(pulling), 0);
}

/* --- T=0 ----------------------------------------------------------------------------------- */

static int byte_by_byte(void *subject)
{
        static const uint8_t case_4[][4] = { { 0, 0, 0x61, 3 },
                                             { 3, 7, 0x61, 2 },
                                             { 2, 10, 0x90, 0 } };
        static const uint8_t wrong_le[][4] = { { 0, 0, 0x6C, 9 }, { 9, 1, 0x90, 0 } };
        static const uint8_t refusal[][4] = { { 0, 0, 0x6A, 0x88 } };
        struct reader *reader;
        uint8_t atr[ATR_MAX], answer[APDU_ANSWER_MAX];

        (void)subject;
        pcsc.protocol = SCARD_PROTOCOL_T0;
        reader = opened();
        assert_int_equal(reader_connect(reader, NS_PER_S, atr), 4);
        pcsc.script = case_4;
        assert_int_equal(reader_transmit(reader, "\x80\x20\x00\x00\x02\xAA\xBB\x00", 8, answer), 7);
        assert_memory_equal(answer, "\x07\x08\x09\x0A\x0B\x90\x00", 7);
        assert_int_equal(pcsc.sends, 3);
        assert_int_equal(pcsc.sent_length[0], 7); /* without its Le */
        assert_memory_equal(pcsc.sent[0], "\x80\x20\x00\x00\x02\xAA\xBB", 7);
        assert_int_equal(pcsc.sent_length[1], 5);
        assert_memory_equal(pcsc.sent[1], "\x00\xC0\x00\x00\x03", 5);
        assert_memory_equal(pcsc.sent[2], "\x00\xC0\x00\x00\x02", 5);
        pcsc.script = wrong_le;
        pcsc.sends = 0;
        assert_int_equal(reader_transmit(reader, "\x80\x10\x00\x00\x00", 5, answer), 11);
        assert_memory_equal(pcsc.sent[1], "\x80\x10\x00\x00\x09", 5);
        pcsc.script = refusal;
        pcsc.sends = 0;
        assert_int_equal(reader_transmit(reader, "\x80\x20\x00\x00\x02\xAA\xBB\x00", 8, answer), 2);
        assert_memory_equal(answer, "\x6A\x88", 2);
        reader_close(reader);
        return 0;
}

static void over_t0_the_answer_is_fetched(void **state)
{
        (void)state;
        assert_int_equal(on_real_time(byte_by_byte), 0);
}

/* Answers `data` bytes and a status, for ever. */
struct stubborn {
        size_t data;
        uint8_t status[2];
        unsigned exchanges;
};

static int stubborn_exchange(void *context, const uint8_t *command, size_t length, uint8_t *answer)
{
        struct stubborn *stubborn = context;

        (void)command;
        (void)length;
        stubborn->exchanges++;
        memset(answer, 0, stubborn->data);
        memcpy(answer + stubborn->data, stubborn->status, 2);
        return (int)stubborn->data + 2;
}

static void a_card_that_never_ends_over_t0_is_dead(void **state)
{
        struct stubborn endless = { 0, { 0x61, 0 }, 0 }, growing = { 200, { 0x61, 200 }, 0 };
        uint8_t answer[APDU_ANSWER_MAX];

        (void)state;
        assert_fault(t0_transmit(stubborn_exchange, &endless, (const uint8_t *)"\x80\x10\x00\x00",
                                 4, answer),
                     CARD_DEAD, "without end");
        assert_true(endless.exchanges < 300);
        assert_fault(t0_transmit(stubborn_exchange, &growing, (const uint8_t *)"\x80\x10\x00\x00",
                                 4, answer),
                     CARD_DEAD, "longer than 256");
        assert_int_equal(growing.exchanges, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_reader_is_found_by_name_or_slot),
                cmocka_unit_test(without_pcscd_the_sentence_says_how_to_start_it),
                cmocka_unit_test(a_session_is_exclusive_and_leaves_the_card_powered),
                cmocka_unit_test(every_failure_has_its_fault_and_words),
                cmocka_unit_test(connecting_waits_no_longer_than_told),
                cmocka_unit_test(an_insertion_ends_the_wait_and_so_does_a_cancel),
                cmocka_unit_test(a_restart_of_pcscd_is_survived),
                cmocka_unit_test(an_expected_reader_may_come_later_than_pcscd_and_the_station),
                cmocka_unit_test(a_slot_number_needs_its_reader),
                cmocka_unit_test(a_reader_is_found_again_under_another_number),
                cmocka_unit_test(no_reader_takes_one_that_another_wants_by_name),
                cmocka_unit_test(a_pulled_card_is_told_from_one_that_fell_silent),
                cmocka_unit_test(over_t0_the_answer_is_fetched),
                cmocka_unit_test(a_card_that_never_ends_over_t0_is_dead),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
