/*
 * vpcd_card.c - the simulator's cards behind a real pcscd: vpcd_card SPEED COUNT PORT [PORT ...]
 *
 * Each port is a slot of vsmartcard's vpcd driver, which listens there; a card connects and answers
 * a length (2 bytes, big-endian) and a body with the same. A body of one byte is a control: 0 power
 * off, 1 power on, 2 reset, 4 tell the answer to reset. Each card is a process of its own, so they
 * work at the same time. SIGUSR1 to the process group pulls all cards, also out of a license they
 * are working on; SIGUSR2 puts them in again. SPEED scales their durations (0.01: a hundred times
 * faster). COUNT 0 makes blank cards of version 2, to be programmed.
 */
#include "drivers/simulated/card.h"
#include "scheduler/bytes.h"
#include "scheduler/loop.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
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
static volatile sig_atomic_t is_pulled;

struct slot {
        struct simulated_card *card;
        uint32_t counter;
        uint16_t port;
        int connection; /* -1: no card in the reader */
};

static int load_profile(void *subject)
{
        return card_profile_load(subject, &profile);
}

static void pull(int number)
{
        is_pulled = number == SIGUSR1;
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

static bool control(const struct slot *slot, uint8_t what)
{
        if (what == TELL_ATR)
                return answer(slot->connection, profile.atr, profile.atr_length);
        return what == POWER_OFF || what == POWER_ON || what == RESET;
}

/* Take the card's time; false when it is pulled meanwhile. */
static bool work(uint64_t duration_ns)
{
        const struct timespec step = { 0, (long)WORK_STEP_NS };

        for (uint64_t done = 0; done < duration_ns && !is_pulled; done += WORK_STEP_NS)
                nanosleep(&step, NULL);
        return !is_pulled;
}

static bool serve(struct slot *slot)
{
        uint8_t head[2], body[APDU_MAX], reply[APDU_ANSWER_MAX];
        uint64_t duration_ns;
        size_t length;
        int r;

        if (!receive(slot->connection, head, 2))
                return false;
        length = load_be16(head);
        if (length == 0 || length > sizeof(body) || !receive(slot->connection, body, length))
                return false;
        if (length == 1)
                return control(slot, body[0]);
        r = simulated_card_apdu(slot->card, body, length, reply, &duration_ns);
        if (!work(duration_ns))
                return false;
        return r >= 0 && answer(slot->connection, reply, (size_t)r);
}

static void hang_up(struct slot *slot)
{
        if (slot->connection >= 0)
                close(slot->connection);
        slot->connection = -1;
}

static void slot_make(struct slot *slot, uint64_t serial, uint16_t port, double speed,
                      uint32_t count)
{
        struct card_settings settings = { .profile = &profile,
                                          .counter = &slot->counter,
                                          .maximum = count,
                                          .key = "sixteen key byte",
                                          .nonce = "twelve nonce",
                                          .firmware_id = "TEST_1",
                                          .state = count ? HSM_STATE_OPERATIONAL : HSM_STATE_OEM,
                                          .version = count ? 1 : 2,
                                          .serial = serial,
                                          .license_ms_low = 1000,
                                          .license_ms_high = 2000,
                                          .speed = speed,
                                          .seed = serial };

        slot->counter = count;
        slot->port = port;
        slot->connection = -1;
        slot->card = simulated_card_create(&settings);
}

_Noreturn static void be_a_card(struct slot *slot)
{
        for (;;) {
                struct pollfd poll_for = { .events = POLLIN };

                if (is_pulled)
                        hang_up(slot);
                else if (slot->connection < 0)
                        slot->connection = dial(slot->port);
                poll_for.fd = slot->connection;
                if (poll(&poll_for, 1, REDIAL_MS) > 0 && !serve(slot))
                        hang_up(slot);
        }
}

int main(int argc, char **argv)
{
        const struct loop_settings settings = { .time = LOOP_TIME_VIRTUAL, .seed = 1 };
        static char path[] = "configs/cards/reference.conf";
        struct slot slot;
        struct loop *loop;

        if (argc < 4 || argc - 3 > SLOTS_MAX) {
                fprintf(stderr, "usage: vpcd_card SPEED COUNT PORT [PORT ...]\n");
                return 2;
        }
        if (loop_create(&settings, &loop) < 0 || loop_run(loop, "profile", load_profile, path) < 0)
                return 1;
        loop_destroy(loop);
        signal(SIGUSR1, pull);
        signal(SIGUSR2, pull);
        signal(SIGPIPE, SIG_IGN);
        for (int i = 3; i < argc; i++) {
                if (i + 1 < argc && fork() != 0)
                        continue; /* a child has this port */
                slot_make(&slot, (uint64_t)i, (uint16_t)atoi(argv[i]), atof(argv[1]),
                          (uint32_t)atoi(argv[2]));
                be_a_card(&slot);
        }
        return 0;
}
