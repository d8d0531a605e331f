/*
 * vpcd_card.c - the simulator's cards behind a real pcscd: vpcd_card SPEED COUNT PORT [PORT ...]
 *
 * Each port is a slot of vsmartcard's vpcd driver, which listens there; a card connects and answers
 * a length (2 bytes, big-endian) and a body with the same. A body of one byte is a control: 0 power
 * off, 1 power on, 2 reset, 4 tell the answer to reset. Each card is a thread of its own, so they
 * work at the same time. At the socket RIG_CONTROL each can be told what slot.h lists, by its number
 * from 0. SPEED scales their durations (0.01: a hundred times faster). COUNT 0 makes blank cards of
 * version 2, to be programmed.
 */
#include "scheduler/bytes.h"
#include "scheduler/loop.h"
#include "tests/rigs/parts/control.h"
#include "tests/rigs/parts/slot.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MAX    16
#define POWER_OFF    0
#define POWER_ON     1
#define RESET        2
#define TELL_ATR     4
#define REDIAL_MS    50
#define WORK_STEP_NS (5 * NS_PER_MS)

static struct card_profile profile;

static struct port {
        struct slot slot;
        uint16_t number;
        int connection; /* -1: no card in the reader */
} ports[SLOTS_MAX];
static unsigned port_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the slots */

static int load_profile(void *subject)
{
        return card_profile_load(subject, &profile);
}

/* Never waits: pcscd's start waits for the slots that are connected. */
static int dial(uint16_t port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons(port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int on = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (descriptor < 0)
                return -1;
        if (connect(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0) {
                setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                return descriptor;
        }
        close(descriptor);
        return -1;
}

/* vpcd sends length and body apart: without an acknowledgement at once each costs 40 ms. */
static bool receive(int descriptor, uint8_t *bytes, size_t length)
{
        size_t got = 0;
        int on = 1;

        while (got < length) {
                ssize_t r;

                setsockopt(descriptor, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
                r = read(descriptor, bytes + got, length - got);
                if (r <= 0)
                        return false;
                got += (size_t)r;
        }
        return true;
}

static bool answer(int descriptor, const uint8_t *bytes, size_t length)
{
        uint8_t message[2 + APDU_ANSWER_MAX] = { (uint8_t)(length >> 8), (uint8_t)length };

        memcpy(message + 2, bytes, length);
        return write(descriptor, message, 2 + length) == (ssize_t)(2 + length);
}

static bool control(const struct port *port, uint8_t what)
{
        if (what == TELL_ATR)
                return answer(port->connection, profile.atr, profile.atr_length);
        return what == POWER_OFF || what == POWER_ON || what == RESET;
}

static bool is_in(struct port *port)
{
        bool is;

        pthread_mutex_lock(&lock);
        is = port->slot.is_in;
        pthread_mutex_unlock(&lock);
        return is;
}

static void pull(struct port *port)
{
        pthread_mutex_lock(&lock);
        slot_pull(&port->slot);
        pthread_mutex_unlock(&lock);
}

/* Take the card's time; false when it is pulled by hand meanwhile. */
static bool work(struct port *port, uint64_t duration_ns)
{
        const struct timespec step = { 0, (long)WORK_STEP_NS };

        for (uint64_t done = 0; done < duration_ns && is_in(port); done += WORK_STEP_NS)
                nanosleep(&step, NULL);
        return is_in(port);
}

/* An APDU is there to its last byte. */
static bool perform(struct port *port, const uint8_t *apdu, size_t length)
{
        struct slot_exchange exchange;
        uint8_t message[2 + APDU_ANSWER_MAX];
        bool is_sent;

        pthread_mutex_lock(&lock);
        slot_begin(&port->slot, apdu, length, &exchange);
        pthread_mutex_unlock(&lock);
        if (!work(port, exchange.duration_ns))
                return false;
        if (!exchange.is_pulled)
                return exchange.is_whole &&
                       answer(port->connection, exchange.answer, exchange.length);
        /* as many bytes of the answer as were wanted, announced as if all came */
        message[0] = 0;
        message[1] = LICENSE_LENGTH + 2;
        memcpy(message + 2, exchange.answer, exchange.length);
        is_sent = exchange.length == 0 || write(port->connection, message, 2 + exchange.length) > 0;
        pull(port);
        return false && is_sent;
}

static bool serve(struct port *port)
{
        uint8_t head[2], body[APDU_MAX];
        size_t length, reaches;

        if (!receive(port->connection, head, 2))
                return false;
        length = load_be16(head);
        if (length == 0 || length > sizeof(body))
                return false;
        pthread_mutex_lock(&lock);
        reaches = slot_command_reaches(&port->slot, length);
        pthread_mutex_unlock(&lock);
        if (!receive(port->connection, body, reaches))
                return false;
        if (reaches < length) {
                pull(port);
                return false;
        }
        if (length == 1)
                return control(port, body[0]);
        return perform(port, body, length);
}

static void hang_up(struct port *port)
{
        if (port->connection >= 0)
                close(port->connection);
        port->connection = -1;
}

static void *be_a_card(void *subject)
{
        struct port *port = subject;

        for (;;) {
                struct pollfd poll_for = { .events = POLLIN };

                if (!is_in(port))
                        hang_up(port);
                else if (port->connection < 0)
                        port->connection = dial(port->number);
                poll_for.fd = port->connection;
                if (poll(&poll_for, 1, REDIAL_MS) > 0 && !serve(port))
                        hang_up(port);
        }
        return NULL;
}

static int tell(unsigned index, const char *words)
{
        int r = -1;

        pthread_mutex_lock(&lock);
        if (index < port_count)
                r = slot_tell(&ports[index].slot, words);
        pthread_mutex_unlock(&lock);
        return r;
}

int main(int argc, char **argv)
{
        const struct loop_settings settings = { .time = LOOP_TIME_VIRTUAL, .seed = 1 };
        static char path[] = "configs/cards/reference.conf";
        const char *socket_path = getenv("RIG_CONTROL");
        struct loop *loop;

        if (argc < 4 || argc - 3 > SLOTS_MAX) {
                fprintf(stderr, "usage: vpcd_card SPEED COUNT PORT [PORT ...]\n");
                return 2;
        }
        if (loop_create(&settings, &loop) < 0 || loop_run(loop, "profile", load_profile, path) < 0)
                return 1;
        loop_destroy(loop);
        signal(SIGPIPE, SIG_IGN);
        for (int i = 3; i < argc; i++) {
                struct port *port = &ports[port_count++];

                slot_make(&port->slot, &profile, (uint64_t)i - 2, (uint32_t)atoi(argv[2]),
                          atof(argv[1]));
                port->number = (uint16_t)atoi(argv[i]);
                port->connection = -1;
        }
        if (socket_path && control_serve(socket_path, tell) < 0)
                return 1;
        for (unsigned i = 0; i < port_count; i++) {
                pthread_t thread;

                if (pthread_create(&thread, NULL, be_a_card, &ports[i]) != 0)
                        return 1;
        }
        pause();
        return 0;
}
